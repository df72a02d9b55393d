"""Residual networks for images of any size from 8 x 8 up; at 32 x 32 those of SNGAN.

Gulrajani et al. 2017 (WGAN-GP, appendix C) and Miyato et al. 2018 (SNGAN, table 4). Doubling before
a convolution and mean pooling after one are folded into it; a shortcut's 1 x 1 convolution, which
may change places with either, is computed on the smaller map.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import Tensor, nn

from gan_runner.networks.activations import activation
from gan_runner.networks.attention import SelfAttention
from gan_runner.networks.conditioning import (
    JoinedLatent,
    normalisation,
    normalise,
    takes_bias,
)
from gan_runner.networks.conv_family import ConvFamily
from gan_runner.networks.dropout import Dropout
from gan_runner.networks.levels import (
    Size,
    crop,
    level_channels,
    nearest_level,
    pixels,
    sizes_down,
    sizes_up,
)
from gan_runner.networks.upsampling import PooledConv2d, doubled, halved, upsampling

Section = Mapping[str, Any]
COARSEST = 7  # the discriminator halves a side as long as it stays at least this long: 28 and 32
NUM_PLAIN = 2  # blocks of the discriminator that do not halve


def _conv(inputs: int, outputs: int, side: int, *, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, side, padding=side // 2, bias=bias)


class UpBlock(nn.Module):
    """norm, activation, doubling, 3 x 3, norm, activation, 3 x 3; plus the doubled input, 1 x 1."""

    def __init__(
        self, section: Section, inputs: int, outputs: int, size: Size, num_classes: int | None
    ) -> None:
        super().__init__()
        norm = section["norm"]
        # Blocks begin with a normalisation and the last is followed by one: a constant added
        # anywhere between never shows.
        bias = takes_bias(norm)
        self.size = size
        self.norm_1 = normalisation(norm, inputs, num_classes)
        self.up = upsampling(section["upsampling"], inputs, outputs, bias=bias)
        self.norm_2 = normalisation(norm, outputs, num_classes)
        self.conv = _conv(outputs, outputs, 3, bias=bias)
        self.shortcut = _conv(inputs, outputs, 1, bias=bias)
        in_place = norm != "none"  # else it would write into what the shortcut takes
        self.activation = activation(section["activation"], section["slope"], in_place=in_place)

    def forward(self, x: Tensor, label: Tensor | None) -> Tensor:
        """[N, inputs, h, w] -> [N, outputs, *size]."""
        inner = self.activation(normalise(self.norm_1, x, label))
        inner = crop(self.up(inner), self.size)
        inner = self.conv(self.activation(normalise(self.norm_2, inner, label)))
        out: Tensor = inner + crop(doubled(self.shortcut(x)), self.size)
        return out


class Generator(nn.Module):
    """z to a coarse map by a linear layer, residual doublings, and a 3 x 3 convolution.

    Args:
        section: a `schema.ConvGenerator` section.
        latent: numbers in z.
        shape: C, H, W of the image.
        num_classes: None where there are no labels.
    """

    def __init__(
        self, section: Section, latent: int, shape: tuple[int, int, int], num_classes: int | None
    ) -> None:
        super().__init__()
        image_channels, height, width = shape
        channels = level_channels(section, height, width, "generator")
        self.sizes = sizes_up(height, width, len(channels))
        self.channels = channels[0]
        form, norm = section["condition"], section["norm"]
        self.join = None
        if num_classes is not None and form != "batch_norm":
            self.join = JoinedLatent(latent, num_classes, form)
            latent = self.join.num_outputs
        in_norm = num_classes if form == "batch_norm" else None
        side = self.sizes[0]
        self.project = nn.Linear(latent, channels[0] * side[0] * side[1])
        self.blocks = nn.ModuleList(
            UpBlock(section, before, after, size, in_norm)
            for before, after, size in zip(
                [channels[0], *channels], channels, self.sizes[1:], strict=False
            )
        )
        self.attended = nearest_level(self.sizes[1:], section["attention"])
        if self.attended is not None:
            self.attention = SelfAttention(channels[self.attended])
        self.norm = normalisation(norm, channels[-1])
        self.activation = activation(section["activation"], section["slope"])
        self.conv = _conv(channels[-1], image_channels, 3)
        self.output = activation(section["output"], section["slope"])

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """[N, latent] (and labels [N]) -> [N, C, H, W]."""
        z = z.flatten(1)
        if self.join is not None:
            z = self.join(z, label)
        x = pixels(self.project(z), self.channels, self.sizes[0])
        for level, block in enumerate(self.blocks):
            x = block(x, label)
            if level == self.attended:
                x = self.attention(x)
        out: Tensor = self.output(self.conv(self.activation(self.norm(x))))
        return out


class FirstBlock(nn.Module):
    """3 x 3, activation, 3 x 3, mean pooling; plus the pooled image, 1 x 1.

    The image itself is neither normalised nor passed through an activation.
    """

    def __init__(self, section: Section, inputs: int, outputs: int) -> None:
        super().__init__()
        bias = takes_bias(section["norm"])  # every later use begins with the normalisation
        self.conv = _conv(inputs, outputs, 3)
        self.down = PooledConv2d(outputs, outputs, bias=bias)
        self.shortcut = _conv(inputs, outputs, 1, bias=bias)
        self.activation = activation(section["activation"], section["slope"], in_place=True)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H // 2, W // 2]."""
        out: Tensor = self.down(self.activation(self.conv(x))) + self.shortcut(halved(x))
        return out


class DownBlock(nn.Module):
    """norm, activation, 3 x 3, norm, activation, 3 x 3, mean pooling; plus the pooled input, 1 x 1.

    A block that does not halve adds its input as it is, where the channels are as many.
    """

    def __init__(self, section: Section, inputs: int, outputs: int, *, halves: bool) -> None:
        super().__init__()
        norm = section["norm"]
        bias = takes_bias(norm)
        self.halves = halves
        self.norm_1 = normalisation(norm, inputs)
        self.conv = _conv(inputs, inputs, 3, bias=bias)
        self.norm_2 = normalisation(norm, inputs)
        last = (
            partial(PooledConv2d, inputs, outputs) if halves else partial(_conv, inputs, outputs, 3)
        )
        self.last = last(bias=bias)
        learned = halves or inputs != outputs
        self.shortcut = _conv(inputs, outputs, 1, bias=bias) if learned else nn.Identity()
        self.activation = activation(section["activation"], section["slope"])

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H // 2, W // 2], or H, W where it does not halve."""
        inner = self.conv(self.activation(self.norm_1(x)))
        inner = self.last(self.activation(self.norm_2(inner)))
        out: Tensor = inner + self.shortcut(halved(x) if self.halves else x)
        return out


class Trunk(nn.Module):
    """Residual halvings, two blocks more, and the sum over pixels."""

    def __init__(self, section: Section, shape: tuple[int, int, int]) -> None:
        super().__init__()
        image_channels, height, width = shape
        channels = level_channels(section, height, width, "discriminator", coarsest=COARSEST)
        sizes = sizes_down(height, width, len(channels))[1:]
        attended = nearest_level(sizes, section["attention"])
        layers: list[nn.Module] = []
        before = image_channels
        for level, after in enumerate([*channels, *[channels[-1]] * NUM_PLAIN]):
            if level == 0:
                layers.append(FirstBlock(section, before, after))
            else:
                layers.append(DownBlock(section, before, after, halves=level < len(channels)))
            if level == attended:
                layers.append(SelfAttention(after))
            if section["dropout"] > 0:
                layers.append(Dropout(section["dropout"]))
            before = after
        self.layers = nn.Sequential(*layers)
        self.norm = normalisation(section["norm"], before)
        self.activation = activation(section["activation"], section["slope"])
        self.num_features = before

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, num_features]."""
        features: Tensor = self.activation(self.norm(self.layers(x)))
        return features.sum((2, 3))


RESNET = ConvFamily(name="resnet", make_generator=Generator, make_trunk=Trunk)
