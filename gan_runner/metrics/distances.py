"""Distances between two sets of points.

All of them copy to the CPU, compute in float64, and return NaN where a point is not finite, as a
diverged generator's are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

MAX_POINTS = 2500  # of a set that the exact distance looks at
_CHUNK = 1024  # rows of a kernel matrix held at once
_MAX_MEDIAN_POINTS = 4096
_BANDWIDTH_FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)


def wasserstein(x: Tensor, y: Tensor, *, max_points: int = MAX_POINTS) -> float:
    """Return the exact 1-Wasserstein distance between two point sets, with Euclidean cost.

    min over couplings P of sum_ij P_ij |x_i - y_j|, uniform marginals (Villani 2009, definition
    6.1), solved by POT's network simplex. In the units of the points.

    x: [N, d]; y: [M, d]. max_points: a larger set is thinned to this many evenly spaced rows,
    since the cost grows as their cube. Two finite samples of one distribution are a positive
    distance apart, which grows as max_points falls: compare with a floor of the same sizes.

    Raises:
        ValueError: a set is empty, widths differ, or max_points is below 1.
    """
    x, y = _points(x, y, "wasserstein")
    if max_points < 1:
        raise ValueError(f"wasserstein: max_points={max_points!r} must be at least 1")
    if not _finite(x, y):
        return math.nan
    import ot  # only here: slow to import

    x, y = _thin(x, max_points), _thin(y, max_points)
    cost = torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").numpy()
    uniform_x, uniform_y = ot.unif(len(x)), ot.unif(len(y))
    return float(ot.emd2(uniform_x, uniform_y, cost, numItermax=10_000_000))


def sliced_wasserstein(x: Tensor, y: Tensor, *, num_projections: int = 128, seed: int = 0) -> float:
    """Return the sliced 2-Wasserstein distance between two point sets.

    sqrt of the mean of W_2^2 over random directions of the unit sphere (Bonneel et al. 2015), in
    the units of the points; a shift by s in d dimensions is |s| / sqrt(d) away in expectation.

    x: [N, d]; y: [M, d]. seed: of the directions, so that two distances can share them.

    Raises:
        ValueError: a set is empty, widths differ, or num_projections is below 1.
    """
    x, y = _points(x, y, "sliced_wasserstein")
    if num_projections < 1:
        raise ValueError(
            f"sliced_wasserstein: num_projections={num_projections!r} must be at least 1"
        )
    if not _finite(x, y):
        return math.nan
    import ot  # only here: slow to import

    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(x.shape[1], num_projections, generator=generator, dtype=torch.float64)
    directions /= directions.norm(dim=0, keepdim=True)  # [d, num_projections]
    distance = ot.sliced_wasserstein_distance(
        x.numpy(), y.numpy(), projections=directions.numpy(), p=2
    )
    return float(distance)


def mmd(x: Tensor, y: Tensor, *, bandwidths: Sequence[float] | None = None) -> float:
    """Return the unbiased squared maximum mean discrepancy under a mixture of RBF kernels.

    Gretton et al. (2012), equation 3, with k(a, b) the mean over the bandwidths s of
    exp(-|a - b|^2 / (2 s^2)). Without units, at most 2; may be slightly below 0 for equal
    distributions, since it is unbiased.

    x: [N, d]; y: [M, d], the real points. bandwidths: in the units of the points; by default the
    median distance between the real points (of at most 4096 evenly spaced rows) times 0.25, 0.5,
    1, 2 and 4.

    Raises:
        ValueError: a set has fewer than two points, widths differ, a bandwidth is not above 0, or
            the median is zero and no bandwidths are given.
    """
    x, y = _points(x, y, "mmd")
    if min(len(x), len(y)) < 2:
        raise ValueError(f"mmd: {len(x)} and {len(y)} points; each set needs at least 2")
    if not _finite(x, y):
        return math.nan
    widths = _median_bandwidths(y) if bandwidths is None else tuple(bandwidths)
    if not widths or not all(math.isfinite(width) and width > 0 for width in widths):
        raise ValueError(f"mmd: bandwidths={list(widths)!r} must be finite numbers above 0")
    n, m = len(x), len(y)
    # The diagonal holds k(a, a) = 1, which the unbiased form leaves out.
    within_x = (_kernel_sum(x, x, widths) - n) / (n * (n - 1))
    within_y = (_kernel_sum(y, y, widths) - m) / (m * (m - 1))
    return within_x + within_y - 2 * _kernel_sum(x, y, widths) / (n * m)


def _kernel_sum(x: Tensor, y: Tensor, bandwidths: Sequence[float]) -> float:
    """Return the sum of the mixture kernel over all pairs, in blocks of rows."""
    total = 0.0
    for start in range(0, len(x), _CHUNK):
        rows = x[start : start + _CHUNK]
        squared = torch.cdist(rows, y, compute_mode="donot_use_mm_for_euclid_dist").square()
        for width in bandwidths:
            total += float(torch.exp(squared / (-2 * width**2)).sum())
    return total / len(bandwidths)


def _median_bandwidths(y: Tensor) -> tuple[float, ...]:
    median = float(torch.pdist(_thin(y, _MAX_MEDIAN_POINTS)).median())
    if median <= 0:
        raise ValueError("mmd: the median distance between the real points is 0; give bandwidths")
    return tuple(factor * median for factor in _BANDWIDTH_FACTORS)


def _points(x: Tensor, y: Tensor, metric: str) -> tuple[Tensor, Tensor]:
    """Return both sets as float64 on the CPU, checked."""
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or not len(x) or not len(y):
        raise ValueError(
            f"{metric}: points {tuple(x.shape)} and {tuple(y.shape)} must be [N, d] and [M, d]"
        )
    return x.detach().cpu().double(), y.detach().cpu().double()


def _finite(x: Tensor, y: Tensor) -> bool:
    return bool(x.isfinite().all()) and bool(y.isfinite().all())


def _thin(x: Tensor, max_points: int) -> Tensor:
    """Keep at most max_points rows, evenly spaced: files and mixtures may be sorted by class."""
    if len(x) <= max_points:
        return x
    return x[torch.arange(max_points) * len(x) // max_points]
