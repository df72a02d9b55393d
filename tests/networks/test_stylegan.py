"""StyleGAN's networks: sizes of the paper, exact growing, groups."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gan_runner.networks.stylegan import STYLEGAN, MinibatchDeviation, channels_of

ANY = {"width": None, "max_width": 512}
PAPER: dict[str, Any] = {
    "mapping": {"layers": 8, "style_size": 512, "multiplier": 0.01},
    "generator": {**ANY, "styles": "adain", "architecture": "plain", "output": None},
    "discriminator": {**ANY, "architecture": "plain", "group": 4, "dense": None},
}
SMALL: dict[str, Any] = {
    "mapping": {"layers": 2, "style_size": 6, "multiplier": 0.01},
    "generator": {**PAPER["generator"], "width": 3},
    "discriminator": {**PAPER["discriminator"], "width": 3},
}
SECOND: dict[str, Any] = {
    **SMALL,
    "generator": {**SMALL["generator"], "styles": "demodulation", "architecture": "skip"},
    "discriminator": {**SMALL["discriminator"], "architecture": "residual"},
}


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def filled(network: nn.Module) -> nn.Module:
    network = network.double()
    for number, parameter in enumerate(network.parameters()):
        parameter.data = normal(*parameter.shape, seed=number)
    return network


def noises(num: int, levels: int) -> list[Tensor]:
    return [normal(num, 2, 4 * 2**at, 4 * 2**at, seed=100 + at) for at in range(levels)]


def size_of(*networks: nn.Module) -> int:
    return sum(each.numel() for network in networks for each in network.parameters())


def test_the_size_at_1024_is_the_papers() -> None:
    """26.2 M parameters (Karras et al. 2019, section 2.1): 26,219,627 by the paper's layers."""
    with torch.device("meta"):
        mapping = STYLEGAN.mapping(PAPER, 512)
        synthesis = STYLEGAN.synthesis(PAPER, (3, 1024, 1024), grows=True)
    assert size_of(mapping) == 8 * (512 * 512 + 512)
    assert size_of(mapping, synthesis) == 26_219_627


def test_channels_at_1024_and_at_other_sizes() -> None:
    paper = [512, 512, 512, 512, 256, 128, 64, 32, 16]
    assert channels_of(ANY, 1024) == paper
    assert channels_of(ANY, 64) == paper[:5]
    assert channels_of({"width": 16, "max_width": 100}, 32) == [100, 64, 32, 16]


@pytest.mark.parametrize("section", [SMALL, SECOND], ids=["first", "second"])
@pytest.mark.parametrize("size", [8, 16, 64])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_shapes(section: dict[str, Any], size: int, channels: int) -> None:
    shape = (channels, size, size)
    synthesis = STYLEGAN.synthesis(section, shape, grows=False).double()
    discriminator = STYLEGAN.discriminator(section, shape).double()
    levels = size.bit_length() - 2
    images = synthesis(normal(5, 2 * levels, 6), noises(5, levels))
    assert images.shape == (5, *shape)
    assert discriminator(images).shape == (5, 1)


@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 16, 32), (1, 2048, 2048)])
def test_other_shapes_are_refused(shape: tuple[int, int, int]) -> None:
    for make in (STYLEGAN.synthesis, STYLEGAN.discriminator):
        with pytest.raises(ValueError, match="network=stylegan takes"):
            make(SMALL, shape, grows=False)


# --- growing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("top", [1, 2])
def test_a_generator_that_begins_to_grow_makes_the_old_images_doubled(top: int) -> None:
    network = filled(STYLEGAN.synthesis(SMALL, (2, 16, 16), grows=True))
    w, noise = normal(3, 6, 6), noises(3, 3)
    old = network(w, noise, top=top - 1, share=torch.ones(()))
    new = network(w, noise, top=top, share=torch.zeros((), dtype=torch.float64))
    assert torch.equal(new, F.interpolate(old, scale_factor=2, mode="nearest"))
    grown = network(w, noise, top=top, share=torch.ones((), dtype=torch.float64))
    assert torch.equal(grown, network(w, noise, top=top))
    half = network(w, noise, top=top, share=torch.full((), 0.5, dtype=torch.float64))
    assert torch.allclose(half, (new + grown) / 2)
    assert not torch.allclose(new, grown)


@pytest.mark.parametrize("top", [1, 2])
def test_a_discriminator_that_begins_to_grow_judges_pooled_images(top: int) -> None:
    network = filled(STYLEGAN.discriminator(SMALL, (2, 16, 16), grows=True))
    images = normal(4, 2, 4 * 2**top, 4 * 2**top)
    old = network(F.avg_pool2d(images, 2))
    new = network(images, share=torch.zeros((), dtype=torch.float64))
    assert torch.equal(new, old)
    grown = network(images, share=torch.ones((), dtype=torch.float64))
    assert torch.equal(grown, network(images))
    assert not torch.allclose(new, grown)


def test_shares_of_all_levels_give_what_a_stage_gives_doubled() -> None:
    """What pictures and metrics see between steps is what the stage at that moment makes."""
    synthesis = filled(STYLEGAN.synthesis(SMALL, (2, 16, 16), grows=True))
    discriminator = filled(STYLEGAN.discriminator(SMALL, (2, 16, 16), grows=True))
    w, noise = normal(4, 6, 6), noises(4, 3)
    part = torch.full((), 0.3, dtype=torch.float64)
    stage = synthesis(w, noise[:2], top=1, share=part)
    shares = torch.tensor([1.0, 0.3, 0.0], dtype=torch.float64)
    whole = synthesis(w, noise, share=shares)
    doubled = F.interpolate(stage, scale_factor=2, mode="nearest")
    assert torch.allclose(whole, doubled)
    assert torch.allclose(discriminator(doubled, share=shares), discriminator(stage, share=part))
    assert torch.equal(synthesis(w, noise, share=torch.ones(3)), synthesis(w, noise))


def test_bounded_images_are_those_without_bounds_through_tanh_while_growing_too() -> None:
    bounded = {**SMALL, "generator": {**SMALL["generator"], "output": "tanh"}}
    plain, network = (
        filled(STYLEGAN.synthesis(section, (2, 16, 16), grows=True)) for section in (SMALL, bounded)
    )
    w, noise = normal(3, 6, 6), noises(3, 3)
    for share in (0.0, 0.3, 1.0):
        part = torch.full((), share, dtype=torch.float64)
        raw = plain(w, noise, share=part)
        assert raw.abs().max() > 1
        assert torch.equal(network(w, noise, share=part), torch.tanh(raw))
    old = network(w, noise, top=1)
    new = network(w, noise, top=2, share=torch.zeros((), dtype=torch.float64))
    assert torch.equal(new, F.interpolate(old, scale_factor=2, mode="nearest"))


def test_levels_beyond_the_noise_go_without() -> None:
    network = filled(STYLEGAN.synthesis(SMALL, (2, 16, 16), grows=True))
    w, noise = normal(2, 6, 6), noises(2, 3)
    assert not torch.equal(network(w, noise), network(w, noise[:2]))
    zero = [*noise[:2], torch.zeros_like(noise[2])]
    assert torch.equal(network(w, zero), network(w, noise[:2]))


def test_the_dense_layer_has_the_units_asked_for() -> None:
    section = {**SMALL, "discriminator": {**SMALL["discriminator"], "dense": 7}}
    published, wide = (STYLEGAN.discriminator(each, (1, 16, 16)) for each in (SMALL, section))
    features = 12 * 16  # of the 12 channels at 4 x 4
    assert size_of(published.dense, published.output) == (features + 1) * 12 + 12 + 1
    assert size_of(wide.dense, wide.output) == (features + 1) * 7 + 7 + 1
    assert wide(normal(4, 1, 16, 16).float()).shape == (4, 1)


def test_networks_that_do_not_grow_have_no_layers_for_it() -> None:
    for section, sizes in ((SMALL, {"2"}), (SECOND, {"0", "1", "2"})):
        synthesis = STYLEGAN.synthesis(section, (1, 16, 16), grows=False)
        assert set(synthesis.to_image) == sizes  # type: ignore[arg-type]
        discriminator = STYLEGAN.discriminator(section, (1, 16, 16))
        assert set(discriminator.from_image) == {"2"}  # type: ignore[arg-type]


def test_skips_add_the_images_of_all_levels() -> None:
    network = filled(STYLEGAN.synthesis(SECOND, (1, 8, 8), grows=False))
    w, noise = normal(2, 4, 6), noises(2, 2)
    whole = network(w, noise)
    layer = network.to_image["1"]  # type: ignore[index]
    layer.bias.data += 1.0
    assert torch.allclose(network(w, noise), whole + 1.0)
    network.to_image["0"].bias.data += 1.0  # type: ignore[index]
    inside = (network(w, noise) - whole)[..., 1:-1, 1:-1]
    assert torch.allclose(inside, torch.full_like(inside, 2.0))


# --- the deviation over a group --------------------------------------------------------------


def test_deviation_by_hand() -> None:
    x = torch.tensor([0.0, 2.0, 5.0, 5.0])[:, None, None, None]
    out = MinibatchDeviation(2)(x)
    assert out.shape == (4, 2, 1, 1)
    assert out[:, 1].flatten().tolist() == pytest.approx([1.0, 1.0, 1e-4, 1e-4])
    assert torch.equal(out[:, :1], x)


@pytest.mark.parametrize(("num", "size"), [(8, 4), (6, 3), (5, 1), (2, 2)])
def test_groups_divide_the_batch(num: int, size: int) -> None:
    x = normal(num, 3, 4, 4)
    out = MinibatchDeviation(4)(x)[:, 3]
    for start in range(0, num, size):
        group = x[start : start + size]
        expected = (group.var(0, correction=0) + 1e-8).sqrt().mean()
        assert torch.allclose(out[start : start + size], expected)
