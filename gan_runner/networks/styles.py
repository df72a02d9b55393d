"""The parts of StyleGAN's generator: the mapping network, and layers that are given a style.

Karras et al. 2019, figure 1 (b); weight demodulation: Karras et al. 2020, section 2.2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from gan_runner.networks.equalised import (
    GAIN,
    EqualConv2d,
    EqualLinear,
    blurred,
    convolved,
    pixel_norm,
    rectified,
)
from gan_runner.networks.upsampling import doubled

Section = Mapping[str, Any]
TRACKING = 0.005  # share of a batch in the running mean of w (the authors' w_avg_beta 0.995)
TRUNCATED_LAYERS = 8  # up to 32 x 32, as in figure 8 of the paper


class MappingNetwork(nn.Module):
    """F: normalised z through fully connected layers to w, [N, latent] -> [N, style_size].

    In training it keeps the running mean of w, to which truncation leads back.
    """

    running_mean: Tensor

    def __init__(self, section: Section, latent: int) -> None:
        super().__init__()
        size, multiplier = section["style_size"], section["multiplier"]
        sizes = [latent, *[size] * section["layers"]]
        self.layers = nn.ModuleList(
            EqualLinear(before, after, multiplier=multiplier) for before, after in pairwise(sizes)
        )
        self.register_buffer("running_mean", torch.zeros(size))

    def forward(self, z: Tensor) -> Tensor:
        """[N, latent] -> [N, style_size]."""
        w = pixel_norm(z.flatten(1))
        for layer in self.layers:
            w = rectified(layer(w))
        if self.training:
            seen = w.detach().mean(0).to(self.running_mean.dtype)
            self.running_mean.copy_(torch.lerp(self.running_mean, seen, TRACKING))
        return w


def truncated(w: Tensor, mean: Tensor, psi: Tensor) -> Tensor:
    """mean + psi (w - mean) in the layers up to 32 x 32 (Karras et al. 2019, appendix B).

    Args:
        w: [N, layers, L].
        mean: [L].
        psi: [N]; 1 changes nothing, 0 gives the mean.
    """
    coarse, fine = w[:, :TRUNCATED_LAYERS], w[:, TRUNCATED_LAYERS:]
    return torch.cat([mean + psi[:, None, None] * (coarse - mean), fine], 1)


def normalised(x: Tensor) -> Tensor:
    """Each sample's channels with mean 0 and variance 1 over H and W: [N, C, H, W] -> the same."""
    # By hand: on maps whose channels lie together torch's own variance takes eight times as long.
    centred = x - x.mean((2, 3), keepdim=True)
    variance: Tensor = centred.square().mean((2, 3), keepdim=True)
    return centred * (variance + 1e-8).rsqrt()


class NoiseAndBias(nn.Module):
    """x + scale x noise + bias, one scale and bias a channel; the scales start at 0."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, noise: Tensor | None) -> Tensor:
        """[N, C, H, W] and noise [N, 1, H, W] or None -> [N, C, H, W]."""
        added = self.bias[:, None, None]
        if noise is not None:
            added = added + self.scale[:, None, None] * noise
        return x + added


class Adain(nn.Module):
    """Adaptive instance normalisation: a channel's new scale and mean are an affine map of w.

    Huang and Belongie 2017; Karras et al. 2019, equation 1: (y_s + 1) normalised(x) + y_b, where
    y starts near 0.
    """

    def __init__(self, style_size: int, channels: int) -> None:
        super().__init__()
        self.affine = EqualLinear(style_size, 2 * channels, gain=1.0)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """[N, C, H, W] and w [N, L] -> [N, C, H, W]."""
        style: Tensor = self.affine(w)[:, :, None, None]
        scale, shift = style.chunk(2, 1)
        return normalised(x) * (scale + 1) + shift


class AdainLayer(nn.Module):
    """A 3 x 3 convolution, noise, bias, LeakyReLU, AdaIN. `conv=False`: without the convolution."""

    def __init__(
        self, style_size: int, inputs: int, outputs: int, *, resample: str, conv: bool = True
    ) -> None:
        super().__init__()
        self.conv = (
            EqualConv2d(inputs, outputs, resample=resample, bias=False) if conv else nn.Identity()
        )
        self.noise = NoiseAndBias(outputs)
        self.style = Adain(style_size, outputs)

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        """[N, inputs, H, W], w [N, L], noise [N, 1, H', W'] -> [N, outputs, H', W']."""
        out: Tensor = self.style(rectified(self.noise(self.conv(x), noise)), w)
        return out


class Modulated(nn.Module):
    """A convolution whose input channels are scaled by a style, an affine map of w.

    With `demodulate` each output channel is divided by the norm of its scaled weights. Scaling
    the input and the output gives what scaled weights would, without kernels of each sample's own
    (Karras et al. 2020, equations 1 and 3).
    """

    def __init__(
        self,
        style_size: int,
        inputs: int,
        outputs: int,
        side: int = 3,
        *,
        resample: str = "none",
        demodulate: bool = True,
    ) -> None:
        super().__init__()
        self.affine = EqualLinear(style_size, inputs, gain=1.0, bias=1.0)
        self.conv = EqualConv2d(inputs, outputs, side, resample=resample, gain=1.0, bias=False)
        self.demodulate = demodulate

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """[N, inputs, H, W] and w [N, L] -> [N, outputs, H', W']."""
        style: Tensor = self.affine(w)  # [N, I]
        kernel = self.conv.kernel()  # [O, I, side, side]
        out = convolved(x * style[:, :, None, None], kernel, self.conv.resample)
        if not self.demodulate:
            return out
        squares = style.square() @ kernel.square().sum((2, 3)).t()  # [N, O]
        return out * (squares + 1e-8).rsqrt()[:, :, None, None]


class DemodulatedLayer(nn.Module):
    """A modulated and demodulated 3 x 3 convolution, noise, bias, LeakyReLU (StyleGAN2)."""

    def __init__(self, style_size: int, inputs: int, outputs: int, *, resample: str) -> None:
        super().__init__()
        self.conv = Modulated(style_size, inputs, outputs, resample=resample)
        self.noise = NoiseAndBias(outputs)

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        """[N, inputs, H, W], w [N, L], noise [N, 1, H', W'] -> [N, outputs, H', W']."""
        out: Tensor = GAIN * rectified(self.noise(self.conv(x, w), noise))
        return out


class ToImage(nn.Module):
    """A 1 x 1 convolution to the image's channels; `modulated` by the style in StyleGAN2."""

    def __init__(self, style_size: int, inputs: int, channels: int, *, modulated: bool) -> None:
        super().__init__()
        self.plain, self.modulated = None, None
        if modulated:
            self.modulated = Modulated(style_size, inputs, channels, 1, demodulate=False)
            self.bias = nn.Parameter(torch.zeros(channels))
        else:
            self.plain = EqualConv2d(inputs, channels, 1, gain=1.0)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """[N, inputs, H, W] and w [N, L] -> [N, C, H, W]."""
        if self.modulated is None:
            assert self.plain is not None
            return self.plain(x)  # type: ignore[no-any-return]
        return self.modulated(x, w) + self.bias[:, None, None]  # type: ignore[no-any-return]


def enlarged(image: Tensor) -> Tensor:
    """An image with twice the height and width, bilinearly: [N, C, H, W] -> [N, C, 2 H, 2 W].

    The blur has zeros beyond the border; dividing by its sum there would cost more than it shows.
    """
    return blurred(doubled(image))


def num_levels(size: int) -> int:
    """Resolutions from 4 to `size`, each twice the last.

    Raises:
        ValueError: `size` is no power of two from 8 to 1024.
    """
    levels = round(math.log2(size)) - 1
    if size not in (4 * 2**level for level in range(1, 9)):
        raise ValueError(
            f"images of side {size}: network=stylegan takes 8, 16, 32, ... or 1024 "
            "(dataset.size or dataset.pad makes them so)"
        )
    return levels
