"""StyleGAN's synthesis network and discriminator, for square images of 8 to 1024 pixels a side.

Karras et al. 2019, figure 1 (b) and appendix C; Karras et al. 2018, table 2 (discriminator). The
options of StyleGAN2: Karras et al. 2020, figure 7. With them, unlike there, noise has a scale for
each channel and an image is made with the style of its level's second layer.

Networks that grow have a layer to or from images at every resolution. `share` says how far a
resolution has come in: 0, and the network is the one of the resolution before, its images doubled;
1, and that one's layer to (from) images is out of use.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from gan_runner.networks.activations import activation
from gan_runner.networks.equalised import SLOPE, EqualConv2d, EqualLinear, rectified
from gan_runner.networks.levels import Shape, image_shape
from gan_runner.networks.styles import (
    AdainLayer,
    DemodulatedLayer,
    MappingNetwork,
    ToImage,
    enlarged,
    num_levels,
)
from gan_runner.networks.upsampling import doubled, halved

Section = Mapping[str, Any]
PAPER = 16_384  # channels times side in the paper's networks, where that is below 512


def channels_of(section: Section, size: int) -> list[int]:
    """Channels at 4 x 4, 8 x 8, ... `size` x `size`: `width` at the finest, then twice as many."""
    width = section["width"] or PAPER // size
    levels = num_levels(size)
    return [min(width * 2 ** (levels - 1 - level), section["max_width"]) for level in range(levels)]


def share_at(share: Tensor | None, level: int, top: int) -> Tensor | None:
    """How far a level has come in, 0-dim; None: wholly.

    share: of the top level, 0-dim; or of each level, [levels]; or None.
    """
    if share is None or level == 0 or (share.dim() == 0 and level < top):
        return None
    return share if share.dim() == 0 else share[level]


class SynthesisBlock(nn.Module):
    """Two styled layers at one resolution: at 4 x 4 on the learned constant, else on a doubled map.

    With AdaIN the constant's first layer has no convolution; with demodulation there is no such
    layer.
    """

    def __init__(self, section: Section, style_size: int, inputs: int, outputs: int) -> None:
        super().__init__()
        is_first = inputs == 0
        self.first: nn.Module | None = None
        if section["styles"] == "demodulation":
            if not is_first:
                self.first = DemodulatedLayer(style_size, inputs, outputs, resample="up")
            self.second: nn.Module = DemodulatedLayer(style_size, outputs, outputs, resample="none")
            return
        before = outputs if is_first else inputs
        resample = "none" if is_first else "up"
        self.first = AdainLayer(style_size, before, outputs, resample=resample, conv=not is_first)
        self.second = AdainLayer(style_size, outputs, outputs, resample="none")

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        """[N, I, h, w], w [N, 2, L], noise [N, 2, H, W] -> [N, O, H, W]."""
        first, second = (None, None) if noise is None else torch.split(noise, 1, 1)  # [N, 1, H, W]
        if self.first is not None:
            x = self.first(x, w[:, 0], first)
        out: Tensor = self.second(x, w[:, 1], second)
        return out


class Synthesis(nn.Module):
    """S: styles and noise to images.

    Args:
        section: a `schema.StyleganGenerator` section.
        style_size: numbers in w.
        shape: C, H, W of the images.
        grows: whether it is used at all resolutions, one after the other.
    """

    def __init__(
        self, section: Section, style_size: int, shape: tuple[int, int, int], *, grows: bool
    ) -> None:
        super().__init__()
        image_channels, size = shape[0], square_side(shape)
        channels = channels_of(section, size)
        self.num_levels = len(channels)
        self.grows = grows
        self.skips = section["architecture"] == "skip"
        self.output = activation(section["output"] or "identity", SLOPE)
        self.constant = nn.Parameter(torch.ones(1, channels[0], 4, 4))
        if section["styles"] == "demodulation":
            nn.init.normal_(self.constant)  # ones would leave nothing to modulate
        self.blocks = nn.ModuleList(
            SynthesisBlock(section, style_size, before, after)
            for before, after in zip([0, *channels], channels, strict=False)
        )
        modulated = section["styles"] == "demodulation"
        first = 0 if grows or self.skips else self.num_levels - 1
        self.to_image = nn.ModuleDict(
            {
                str(level): ToImage(style_size, width, image_channels, modulated=modulated)
                for level, width in enumerate(channels)
                if level >= first
            }
        )

    def forward(
        self,
        w: Tensor,
        noise: Sequence[Tensor | None],
        *,
        top: int | None = None,
        share: Tensor | None = None,
    ) -> Tensor:
        """Images of the resolution of level `top` (null: of the last).

        Args:
            w: [N, layers, L], two layers a level.
            noise: of each level [N, 2, H, W]; levels beyond its end have none.
            top: the finest level that is used.
            share: how far levels have come in, see `share_at`.

        Returns:
            [N, C, 4 x 2^top, 4 x 2^top].
        """
        top = self.num_levels - 1 if top is None else top
        x = self.constant.expand(len(w), -1, -1, -1)
        image: Tensor | None = None
        for level in range(top + 1):
            styles = w[:, 2 * level : 2 * level + 2]
            x = self.blocks[level](x, styles, noise[level] if level < len(noise) else None)
            if not self._shows(level, top, share):
                continue
            made = self.to_image[str(level)](x, styles[:, 1])
            arrived = share_at(share, level, top)
            if self.skips:
                image = made if image is None else enlarged(image) + made
            elif arrived is None or image is None:
                image = made
            else:
                image = torch.lerp(doubled(image), made, arrived.to(made.dtype))
        assert image is not None
        out: Tensor = self.output(image)
        return out

    def _shows(self, level: int, top: int, share: Tensor | None) -> bool:
        """Whether a level's image is part of the result."""
        if self.skips or level == top:
            return True
        return share is not None and (share.dim() > 0 or level == top - 1)


class DiscriminatorBlock(nn.Module):
    """3 x 3; blur, 3 x 3, halving; `residual`: plus the halved input, 1 x 1, over root 2."""

    def __init__(self, inputs: int, outputs: int, *, residual: bool) -> None:
        super().__init__()
        self.conv = EqualConv2d(inputs, inputs)
        self.down = EqualConv2d(inputs, outputs, resample="down")
        self.shortcut = EqualConv2d(inputs, outputs, 1, gain=1.0, bias=False) if residual else None

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H / 2, W / 2]."""
        out = rectified(self.down(rectified(self.conv(x))))
        if self.shortcut is None:
            return out
        both: Tensor = (out + self.shortcut(halved(x))) / math.sqrt(2)
        return both


class MinibatchDeviation(nn.Module):
    """One more map: the mean standard deviation of features over groups of samples.

    Karras et al. 2018, section 3. Groups are of consecutive samples, of the largest size up to
    `group` that divides the batch.
    """

    mixes_samples = True

    def __init__(self, group: int) -> None:
        super().__init__()
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, C + 1, H, W]."""
        size = next(each for each in range(min(self.group, len(x)), 0, -1) if len(x) % each == 0)
        groups = x.reshape(-1, size, *x.shape[1:])  # [M, G, C, H, W]
        variance = (groups - groups.mean(1, keepdim=True)).square().mean(1)
        deviation = (variance + 1e-8).sqrt().mean((1, 2, 3))  # [M]
        maps = deviation.repeat_interleave(size)[:, None, None, None]
        return torch.cat([x, maps.expand(-1, 1, *x.shape[2:])], 1)


class Discriminator(nn.Module):
    """D: images of any resolution that it has grown to, to logits.

    Args:
        section: a `schema.StyleganDiscriminator` section.
        shape: C, H, W of the images.
        grows: whether it is used at all resolutions, one after the other.
    """

    def __init__(self, section: Section, shape: tuple[int, int, int], *, grows: bool) -> None:
        super().__init__()
        image_channels, size = shape[0], square_side(shape)
        channels = channels_of(section, size)
        top = len(channels) - 1
        self.from_image = nn.ModuleDict(
            {
                str(level): EqualConv2d(image_channels, width, 1)
                for level, width in enumerate(channels)
                if grows or level == top
            }
        )
        residual = section["architecture"] == "residual"
        self.blocks = nn.ModuleList(
            DiscriminatorBlock(before, after, residual=residual)
            for after, before in pairwise(channels)
        )
        group = section["group"]
        self.deviation = MinibatchDeviation(group) if group > 1 else None
        self.conv = EqualConv2d(channels[0] + (group > 1), channels[0])
        dense = section["dense"] or channels[0]
        self.dense = EqualLinear(channels[0] * 16, dense)
        self.output = EqualLinear(dense, 1, gain=1.0)

    def forward(self, images: Tensor, *, share: Tensor | None = None) -> Tensor:
        """[N, C, H, W] -> logits [N, 1]; share: how far levels have come in, see `share_at`."""
        top = (images.shape[-1] // 4).bit_length() - 1
        x = rectified(self.from_image[str(top)](images))
        for level in range(top, 0, -1):
            x = self.blocks[level - 1](x)
            arrived = share_at(share, level, top)
            if arrived is not None:
                images = halved(images)
                before = rectified(self.from_image[str(level - 1)](images))
                x = torch.lerp(before, x, arrived.to(x.dtype))
        if self.deviation is not None:
            x = self.deviation(x)
        x = rectified(self.conv(x))
        logits: Tensor = self.output(rectified(self.dense(x.flatten(1))))
        return logits


def square_side(shape: Shape) -> int:
    """The side of square images.

    Raises:
        ValueError: they are not square.
    """
    if shape[-1] != shape[-2]:
        raise ValueError(
            f"images of {shape[-2]} x {shape[-1]}: network=stylegan takes square ones of 8, 16, "
            "32, ... or 1024 pixels a side (dataset.size, dataset.pad)"
        )
    return shape[-1]


class StyleganFamily:
    """The registered family: its networks have letters of their own, F and S for G."""

    def mapping(self, section: Section, latent: int) -> nn.Module:
        """F: [N, latent] -> w [N, style_size]."""
        return MappingNetwork(section["mapping"], latent)

    def synthesis(self, section: Section, shape: Shape, *, grows: bool) -> nn.Module:
        """S: w and noise to images."""
        shape = image_shape(shape, "stylegan")
        return Synthesis(section["generator"], section["mapping"]["style_size"], shape, grows=grows)

    def discriminator(self, section: Section, shape: Shape, *, grows: bool = False) -> nn.Module:
        """D: images to logits [N, 1]."""
        return Discriminator(section["discriminator"], image_shape(shape, "stylegan"), grows=grows)


STYLEGAN = StyleganFamily()
