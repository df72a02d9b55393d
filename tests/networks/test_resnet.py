"""Residual networks: SNGAN's parameter counts, shapes, and blocks against plain layers."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gan_runner.networks.conditioning import ConditionalBatchNorm2d, Discriminator
from gan_runner.networks.resnet import (
    RESNET,
    DownBlock,
    FirstBlock,
    Generator,
    Trunk,
    UpBlock,
)
from gan_runner.networks.spectral import has_spectral
from gan_runner.schema import ConvDiscriminator, ConvGenerator, ResnetNetwork

SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 45, 70), (2, 9, 15), (1, 64, 33)]


def section(generator: Any = None, discriminator: Any = None) -> dict[str, Any]:
    """Narrow networks, with changes."""
    small = {"width": 4, "max_width": 8, "upsampling": "nearest", "initialisation": "xavier"}
    critic = {"width": 4, "max_width": 8, "norm": "none", "initialisation": "xavier"}
    return dataclasses.asdict(
        ResnetNetwork(
            generator=ConvGenerator(**{**small, **(generator or {})}),
            discriminator=ConvDiscriminator(**{**critic, **(discriminator or {})}),
        )
    )


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_papers_parameters_at_32() -> None:
    """SNGAN, table 4, with z of 128: less the biases that its normalisations take away."""
    own = dataclasses.asdict(ResnetNetwork())
    block = 2 * (256 * 256 * 9 + 256) + 256 * 256 + 256 + 2 * 2 * 256
    paper = 128 * 4 * 4 * 256 + 4 * 4 * 256 + 3 * block + 2 * 256 + 256 * 3 * 9 + 3
    assert paper == 4_276_739
    generator = RESNET.generator(own, (128,), (3, 32, 32))
    assert count(generator) == paper - 3 * 3 * 256
    first = 3 * 128 * 9 + 128 + 128 * 128 * 9 + 128 + 3 * 128 + 128
    plain = 2 * (128 * 128 * 9 + 128)
    down = plain + 128 * 128 + 128
    discriminator = RESNET.discriminator(own, (3, 32, 32))
    assert count(discriminator) == first + down + 2 * plain + 128 + 1 == 1_053_825


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("upsampling", ["transposed", "nearest"])
def test_any_size(shape: tuple[int, int, int], upsampling: str) -> None:
    own = section({"upsampling": upsampling, "attention": 16}, {"attention": 16})
    images = RESNET.generator(own, (5,), shape)(torch.randn(3, 5))
    assert images.shape == (3, *shape)
    assert float(images.detach().abs().max()) <= 1
    assert RESNET.discriminator(own, shape)(images).shape == (3, 1)
    trunk = RESNET.trunk(own, shape)
    assert trunk(images).shape == (3, trunk.num_features)


@pytest.mark.parametrize(("side", "downs"), [(8, 1), (28, 2), (32, 2), (64, 3)])
def test_the_discriminators_blocks(side: int, downs: int) -> None:
    trunk = RESNET.trunk(section(), (1, side, side))
    assert isinstance(trunk, Trunk)
    first, *others = trunk.layers
    assert isinstance(first, FirstBlock)
    assert [each.halves for each in others] == [True] * (downs - 1) + [False, False]


def up_plain(block: UpBlock, x: Tensor, size: tuple[int, int]) -> Tensor:
    """The paper's order: doubled, then convolved, on both ways."""

    def norm(x: Tensor, layer: Any) -> Tensor:
        return F.batch_norm(x, None, None, layer.weight, layer.bias, training=True).relu()

    def doubled(x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2, mode="nearest")

    def cropped(x: Tensor) -> Tensor:
        return x[..., : size[0], : size[1]]

    inner = cropped(F.conv2d(doubled(norm(x, block.norm_1)), block.up.weight, padding=1))
    inner = F.conv2d(norm(inner, block.norm_2), block.conv.weight, padding=1)
    return inner + cropped(F.conv2d(doubled(x), block.shortcut.weight))


@pytest.mark.parametrize("size", [(8, 10), (7, 9)])
def test_an_up_block_against_plain_layers(size: tuple[int, int]) -> None:
    block = UpBlock(section()["generator"], 3, 6, size, None).double()
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    torch.testing.assert_close(block(x, None), up_plain(block, x, size))


@pytest.mark.parametrize("halves", [True, False])
@pytest.mark.parametrize("size", [(8, 6), (7, 5)])
def test_a_down_block_against_plain_layers(halves: bool, size: tuple[int, int]) -> None:
    block = DownBlock(section()["discriminator"], 3, 6, halves=halves).double()
    x = torch.randn(2, 3, *size, dtype=torch.float64)

    def convolved(x: Tensor, layer: Any) -> Tensor:
        return F.conv2d(x, layer.weight, layer.bias, padding=layer.weight.shape[-1] // 2)

    wanted = convolved(convolved(x.relu(), block.conv).relu(), block.last)
    wanted = wanted + convolved(x, block.shortcut)
    wanted = F.avg_pool2d(wanted, 2) if halves else wanted
    kept = x.clone()
    torch.testing.assert_close(block(x), wanted)
    assert torch.equal(x, kept)  # no activation writes over what the shortcut takes


def test_a_block_of_equal_channels_adds_its_input_itself() -> None:
    block = DownBlock(section()["discriminator"], 4, 4, halves=False)
    nn.init.zeros_(block.last.weight)
    nn.init.zeros_(block.last.bias)  # type: ignore[arg-type]
    x = torch.randn(2, 4, 5, 5)
    assert torch.equal(block(x), x)


def test_the_first_block_against_plain_layers() -> None:
    block = FirstBlock(section()["discriminator"], 2, 5).double()
    x = torch.randn(2, 2, 7, 8, dtype=torch.float64)
    inner = F.conv2d(x, block.conv.weight, block.conv.bias, padding=1).relu()
    inner = F.conv2d(inner, block.down.weight, block.down.bias, padding=1)
    wanted = F.avg_pool2d(inner + F.conv2d(x, block.shortcut.weight, block.shortcut.bias), 2)
    torch.testing.assert_close(block(x), wanted)


def test_features_are_summed_over_pixels() -> None:
    trunk = RESNET.trunk(section(), (1, 16, 16))
    assert isinstance(trunk, Trunk)
    x = torch.randn(2, 1, 16, 16)
    torch.testing.assert_close(trunk(x), trunk.layers(x).relu().sum((2, 3)))


@pytest.mark.parametrize("norm", ["none", "batch", "instance", "layer"])
def test_every_parameter_moves_its_output(norm: str) -> None:
    own = section({"norm": norm}, {"norm": norm})
    generator = RESNET.generator(own, (5,), (1, 16, 16)).double()
    discriminator = RESNET.discriminator(own, (1, 16, 16)).double()
    out = discriminator(generator(torch.randn(4, 5, dtype=torch.float64)))
    out.square().sum().backward()
    for network in (generator, discriminator):
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert float(parameter.grad.abs().max()) > 1e-12, name


def test_sagans_form() -> None:
    """Attention in both, spectral normalisation, conditional BatchNorm and projection."""
    own = section(
        {"spectral": True, "attention": 16, "condition": "batch_norm"},
        {"spectral": True, "attention": 16, "condition": "projection"},
    )
    generator = RESNET.generator(own, (5,), (3, 32, 32), 4)
    discriminator = RESNET.discriminator(own, (3, 32, 32), 4)
    assert isinstance(generator, Generator)
    assert generator.attended == 1
    assert generator.project.in_features == 5  # the class goes in by BatchNorm alone
    assert isinstance(discriminator, Discriminator)
    assert discriminator.project is not None
    assert has_spectral(generator)
    assert has_spectral(discriminator)
    norms = [each for each in generator.modules() if isinstance(each, ConditionalBatchNorm2d)]
    assert len(norms) == 2 * 3  # the last normalisation, before the image, is a plain one
    for norm in norms:
        nn.init.normal_(norm.gain.weight)
    z, label = torch.randn(4, 5), torch.tensor([0, 1, 2, 3])
    images = generator(z, label)
    assert not torch.equal(images, generator(z, label.flip(0)))
    out = discriminator(images, label)
    assert out.shape == (4, 1)
    out.sum().backward()
    attention = generator.attention
    assert attention.gamma.grad is not None
    assert float(attention.gamma.grad.abs()) > 0


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="network=resnet takes images"):
        RESNET.discriminator(section(), (1, 7, 7))
    own = section({"condition": "batch_norm", "norm": "layer"})
    with pytest.raises(ValueError, match="condition=batch_norm needs"):
        RESNET.generator(own, (5,), (1, 8, 8))
