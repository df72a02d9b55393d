"""SRResNet and SRGAN's discriminator: sizes, parameters counted by hand, reach, first outputs."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from gan_runner import schema
from gan_runner.networks.srresnet import Generator, SrResNetFamily, enlarged


def section(**changes: Any) -> dict[str, Any]:
    whole = dataclasses.asdict(schema.SrResnetNetwork())
    for role, options in changes.items():
        whole[role] |= options
    return whole


def count(network: torch.nn.Module) -> int:
    return sum(each.numel() for each in network.parameters())


def generator(scale: int, **options: Any) -> Generator:
    own = section(generator=options)
    made = SrResNetFamily.generator(own, (3, 24, 24), (3, 24 * scale, 24 * scale))
    assert isinstance(made, Generator)
    return made


def test_the_papers_generator_has_the_papers_parameters() -> None:
    """By hand, layer by layer; a bias before BatchNorm has no effect and is left out."""
    head = 3 * 64 * 81 + 64 + 1
    block = 2 * (64 * 64 * 9 + 2 * 64) + 1
    after = 64 * 64 * 9 + 2 * 64
    tail = 64 * 3 * 81 + 3
    grow = {2: 64 * 256 * 9 + 256 + 1, 3: 64 * 576 * 9 + 576 + 1}
    grow[4] = 2 * grow[2]
    with torch.device("meta"):
        counts = {scale: count(generator(scale)) for scale in (2, 3, 4)}
    assert counts == {each: head + 16 * block + after + grow[each] + tail for each in grow}
    assert counts[4] == 1_547_350
    # With the 33 idle biases: the 1.55 M that the field gives for this network.
    assert counts[4] + 33 * 64 == 1_549_462


def test_the_papers_discriminator_has_the_papers_parameters() -> None:
    pairs = [(64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512), (512, 512)]
    convolutions = 3 * 64 * 9 + 64 + sum(a * b * 9 + 2 * b for a, b in pairs)
    with torch.device("meta"):
        crop_96 = SrResNetFamily.discriminator(section(), (3, 96, 96))
        crop_88 = SrResNetFamily.discriminator(section(), (3, 88, 88))
        pooled = SrResNetFamily.discriminator(section(discriminator={"pool": 2}), (3, 88, 88))
    last = 1024 + 1
    assert count(crop_96) == convolutions + (512 * 6 * 6 * 1024 + 1024) + last
    assert count(crop_88) == convolutions + (512 * 6 * 6 * 1024 + 1024) + last  # 5.5 fields: 6
    assert count(pooled) == convolutions + (512 * 2 * 2 * 1024 + 1024) + last


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("norm", ["batch", "none"])
def test_any_image_is_enlarged(scale: int, norm: str) -> None:
    network = generator(scale, num_blocks=2, width=8, norm=norm)
    for height, width in ((7, 12), (24, 24), (1, 3)):
        made = network(torch.randn(2, 3, height, width))
        assert made.shape == (2, 3, height * scale, width * scale)


@pytest.mark.parametrize("size", [16, 22, 33])
@pytest.mark.parametrize("pool", [None, 1, 3])
@pytest.mark.parametrize("norm", ["batch", "none"])
def test_the_discriminator_takes_any_crop(size: int, pool: int | None, norm: str) -> None:
    own = section(discriminator={"width": 4, "pool": pool, "norm": norm})
    network = SrResNetFamily.discriminator(own, (3, size, size))
    logits = network(torch.randn(5, 3, size, size))
    assert logits.shape == (5, 1)
    trunk = SrResNetFamily.trunk(own, (3, size, size))
    assert trunk(torch.randn(5, 3, size, size)).shape == (5, trunk.num_features)


def test_slopes_begin_at_a_quarter() -> None:
    slopes = [each for each in generator(4).modules() if isinstance(each, torch.nn.PReLU)]
    assert len(slopes) == 1 + 16 + 2
    assert all(each.weight.tolist() == [0.25] for each in slopes)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_nothing_beyond_its_reach_counts_and_the_edge_of_it_does(scale: int) -> None:
    torch.manual_seed(scale)
    network = generator(scale, num_blocks=2, width=4).double().eval()
    middle, reach = 40, network.reach
    low = torch.zeros(1, 3, 1, 2 * middle + 1).double().requires_grad_()
    made = network(low)[..., middle * scale : (middle + 1) * scale]
    (gradient,) = torch.autograd.grad(made.square().sum() + made.sum(), low)
    seen = gradient.abs().sum((0, 1, 2)).nonzero().flatten()
    assert middle - reach <= int(seen.min())
    assert int(seen.max()) <= middle + reach
    assert int(seen.max() - seen.min()) >= 2 * reach - 2  # not far too large, either


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_with_the_skip_it_begins_as_bicubic_interpolation(scale: int) -> None:
    low = torch.randn(1, 3, 9, 11)
    network = generator(scale, num_blocks=1, width=4, skip="bicubic")
    assert torch.equal(network(low), enlarged(low, scale))


def test_bicubic_interpolation_by_hand() -> None:
    """Keys 1981, a = -1/2, half a sample between two: weights -1/16, 9/16, 9/16, -1/16."""
    low = torch.tensor([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]).double().expand(1, 1, 8, 8)
    made = enlarged(low, 3)[0, 0, 12]
    third = [1 - 2.5 * x**2 + 1.5 * x**3 for x in (1 / 3,)]
    assert made[10].item() == pytest.approx(1.0)
    assert made[11].item() == pytest.approx(third[0])


@pytest.mark.parametrize("shapes", [((3, 8, 8), (3, 8, 8)), ((3, 8, 8), (3, 40, 40)),
                                    ((1, 8, 8), (3, 16, 16)), ((2,), (3, 16, 16))])  # fmt: skip
def test_other_shapes_are_refused(shapes: tuple[Any, Any]) -> None:
    with pytest.raises(ValueError, match="2, 3 or 4 times as large"):
        SrResNetFamily.generator(section(), *shapes)
