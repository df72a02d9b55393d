"""Errors of a prediction against its paired target."""

from __future__ import annotations

import math

from torch import Tensor


def mse(prediction: Tensor, target: Tensor) -> float:
    """Return the squared error averaged over samples and coordinates.

    Sinha (2020) reports this mean; the paper's equation 5 sums over coordinates instead, which is
    d times as much.

    prediction, target: [N, ...] of one shape, scaled as the networks see them.

    Raises:
        ValueError: the shapes differ or hold nothing.
    """
    if prediction.shape != target.shape or not target.numel():
        raise ValueError(
            f"mse: prediction {tuple(prediction.shape)} and target {tuple(target.shape)} "
            "must have one shape and hold at least one number"
        )
    difference = prediction.detach().cpu().double() - target.detach().cpu().double()
    return float(difference.square().mean())


def psnr(prediction: Tensor, target: Tensor, *, data_range: float = 1.0) -> float:
    """Return the peak signal-to-noise ratio 10 log10(data_range^2 / mse) in dB, over all samples.

    data_range: the width of the interval that holds the target's values. Infinite where the
    prediction is exact.

    Raises:
        ValueError: the shapes differ or hold nothing, or data_range is not above 0.
    """
    if not (math.isfinite(data_range) and data_range > 0):
        raise ValueError(f"psnr: data_range={data_range!r} must be a finite number above 0")
    error = mse(prediction, target)
    if error == 0:
        return math.inf
    # A difference of logarithms: the quotient of an infinite error has none.
    return 20 * math.log10(data_range) - 10 * math.log10(error)
