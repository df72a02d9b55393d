"""Layers with an equalised learning rate, and blurred resampling.

A weight is kept with unit variance and scaled at run time by He's constant, so that Adam, whose
updates do not depend on a gradient's size, moves all layers at one relative rate (Karras et al.
2018, section 4.1). With a multiplier m the kept weight is 1 / m as large and scaled by m: its
layer learns m times as fast (Karras et al. 2019, appendix C).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gan_runner.networks.upsampling import doubling, widened

GAIN = math.sqrt(2)  # He et al. 2015: what a rectifier takes away
SLOPE = 0.2


def rectified(x: Tensor) -> Tensor:
    """LeakyReLU with the slope of all of StyleGAN's layers."""
    return F.leaky_relu(x, SLOPE)


def pixel_norm(x: Tensor) -> Tensor:
    """The d features of a sample, or of each of its places, over their root mean square.

    [N, d, ...] -> [N, d, ...] (Karras et al. 2018).
    """
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


def blurred(x: Tensor) -> Tensor:
    """The binomial filter (1, 2, 1) / 4 along H and W: [N, C, H, W] -> the same (Zhang 2019).

    After nearest doubling it makes bilinear up-sampling. Zeros lie beyond the borders.
    """
    # ones made on the device: numbers of a list would be copied to it in every call
    box = torch.ones(1, 1, 2, 2, dtype=x.dtype, device=x.device)
    kernel = F.conv2d(box, box, padding=1) / 16  # [1, 1, 3, 3]
    channels = x.shape[1]
    return F.conv2d(x, kernel.expand(channels, 1, 3, 3), padding=1, groups=channels)


class EqualLinear(nn.Module):
    """A linear layer with an equalised learning rate: [N, inputs] -> [N, outputs].

    gain: of the weight's standard deviation over 1 / sqrt(inputs). multiplier: of the learning
    rate. bias: the first value.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        gain: float = GAIN,
        multiplier: float = 1.0,
        bias: float = 0.0,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        nn.init.normal_(self.weight, 0.0, 1 / multiplier)
        self.bias = nn.Parameter(torch.full((outputs,), bias / multiplier))
        self.scale = gain / math.sqrt(inputs) * multiplier
        self.multiplier = multiplier

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs] -> [N, outputs]."""
        bias = self.bias if self.multiplier == 1.0 else self.bias * self.multiplier
        return F.linear(x, self.weight * self.scale, bias)


class EqualConv2d(nn.Module):
    """A convolution with an equalised learning rate, which may double or halve H and W.

    `up`: nearest doubling, the 3 x 3 convolution, the blur (Karras et al. 2019, appendix C; the
    convolution and the blur change places with each other but for the borders). `down`: the blur,
    the 3 x 3 convolution, 2 x 2 mean pooling. Doubling and pooling are folded into the kernel (see
    `upsampling`).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        side: int = 3,
        *,
        resample: str = "none",
        gain: float = GAIN,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, side, side))
        nn.init.normal_(self.weight)
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.scale = gain / math.sqrt(inputs * side * side)
        self.resample = resample

    def kernel(self) -> Tensor:
        """The weight as it is used, [outputs, inputs, side, side]."""
        return self.weight * self.scale

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H, W], or 2 H, 2 W, or H / 2, W / 2."""
        out = convolved(x, self.kernel(), self.resample)
        return out if self.bias is None else out + self.bias[:, None, None]


def convolved(x: Tensor, kernel: Tensor, resample: str) -> Tensor:
    """A convolution [N, I, H, W] -> [N, O, ...] with a kernel [O, I, side, side], resampled."""
    if resample == "up":
        return blurred(doubling(x, widened(kernel.flip(2, 3)).transpose(0, 1), None))
    if resample == "down":
        return F.conv2d(blurred(x), widened(kernel) / 4, stride=2, padding=1)
    return F.conv2d(x, kernel, padding=kernel.shape[-1] // 2)
