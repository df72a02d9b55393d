"""How near enlarged photographs are to the originals: PSNR, SSIM, and a distance of features.

Both images are bytes; Y is ITU-R BT.601's luma in studio range, as MATLAB's rgb2ycbcr has it, not
rounded; `scale` pixels are cut off at each border; values are means over images. Grey images are Y.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor
from torch.nn import functional

Look = Callable[[Tensor], list[Tensor]]  # [1, C, H, W] in [-1, 1] -> maps [1, d, h, w] of layers

LUMA = (65.481, 128.553, 24.966)  # of R, G and B in [0, 1]
BLACK = 16.0
PEAK = 255.0
SIDE, SIGMA = 11, 1.5  # SSIM's window (Wang et al. 2004)
K1, K2 = 0.01, 0.03


@dataclass(frozen=True, kw_only=True, eq=False)
class Enlarged:
    """An enlarged image and the original, both uint8 [C, H, W]."""

    name: str
    made: Tensor
    real: Tensor
    scale: int

    def __post_init__(self) -> None:
        """Refuse images that cannot be compared.

        Raises:
            ValueError: they are no bytes, differ in shape, or nothing is left without the border.
        """
        if self.made.dtype != torch.uint8 or self.real.dtype != torch.uint8:
            raise ValueError(f"{self.name}: images must be bytes")
        if self.made.shape != self.real.shape or min(self.real.shape[1:]) <= 2 * self.scale:
            raise ValueError(
                f"{self.name}: images {list(self.made.shape)} and {list(self.real.shape)} must "
                f"have one shape and more than {2 * self.scale} pixels a side"
            )


def luma(image: Tensor) -> Tensor:
    """Y of uint8 [C, H, W], float64 [H, W]: in [16, 235] of RGB; a grey image is Y itself."""
    if image.shape[0] == 1:
        return image[0].double()
    weights = torch.tensor(LUMA, dtype=torch.float64)
    return BLACK + (weights[:, None, None] * image.double()).sum(0) / PEAK


def _cut(image: Tensor, border: int) -> Tensor:
    return image[..., border:-border, border:-border]


def _pair(pair: Enlarged) -> tuple[Tensor, Tensor]:
    return _cut(luma(pair.made), pair.scale), _cut(luma(pair.real), pair.scale)


def psnr_y(pairs: Sequence[Enlarged]) -> float:
    """Mean over images of 10 log10(255^2 / MSE) in dB, on Y without the border."""
    return fmean(_psnr(*_pair(each)) for each in pairs)


def _psnr(made: Tensor, real: Tensor) -> float:
    error = float((made - real).square().mean())
    return 10 * math.log10(PEAK**2 / error) if error else math.inf


def ssim_y(pairs: Sequence[Enlarged]) -> float:
    """Mean over images of the structural similarity (Wang et al. 2004), on Y without the border."""
    return fmean(ssim(*_pair(each)) for each in pairs)


def ssim(a: Tensor, b: Tensor) -> float:
    """SSIM of [H, W] in [0, 255]: Gaussian windows of 11 x 11 that lie inside, sigma 1.5.

    Images smaller than a window have one as large as their shorter side allows.
    """
    side = min(SIDE, *(each - (1 - each % 2) for each in a.shape))
    where = torch.arange(side, dtype=torch.float64) - side // 2
    window = torch.exp(-where.square() / (2 * SIGMA**2))
    window = window / window.sum()

    def blurred(x: Tensor) -> Tensor:
        rows = functional.conv2d(x[None, None], window.view(1, 1, -1, 1))
        return functional.conv2d(rows, window.view(1, 1, 1, -1))[0, 0]

    a, b = a.double(), b.double()
    mean_a, mean_b = blurred(a), blurred(b)
    var_a, var_b = blurred(a * a) - mean_a**2, blurred(b * b) - mean_b**2
    both = blurred(a * b) - mean_a * mean_b
    c1, c2 = (K1 * PEAK) ** 2, (K2 * PEAK) ** 2
    likeness = (2 * mean_a * mean_b + c1) * (2 * both + c2)
    return float((likeness / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean())


def perceptual_distance(pairs: Sequence[Enlarged], look: Look) -> float:
    """Mean over images of the distance of a network's features, without the border.

    At each pixel of a layer the d features are scaled to length 1; the squared distance is averaged
    over pixels, then over layers. (As Zhang et al. 2018 do, without their learned weights and with
    another network: it is no LPIPS.)
    """
    return fmean(_distance(each, look) for each in pairs)


def _distance(pair: Enlarged, look: Look) -> float:
    made, real = (
        look(_cut(each, pair.scale)[None].float() / 127.5 - 1) for each in (pair.made, pair.real)
    )
    parts = [
        float(
            (functional.normalize(a, dim=1) - functional.normalize(b, dim=1)).square().sum(1).mean()
        )
        for a, b in zip(made, real, strict=True)
    ]
    return fmean(parts)
