"""How far generated features lie among the real ones, and how many of the real ones they reach."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gan_runner.metrics.distances import _finite, _points, _thin

_CHUNK = 1024  # rows of a matrix of distances held at once


def precision_recall_density_coverage(
    real: Tensor, generated: Tensor, *, k: int = 5, max_points: int = 5000
) -> dict[str, float]:
    """Compare two sets by the balls that reach from each point to its k-th nearest neighbour.

    precision: share of generated points within the ball of at least one real point; recall: share
        of real points within the ball of at least one generated point (Kynkaanniemi et al. 2019,
        equations 1 and 2). In [0, 1].
    density: how many real balls hold a generated point, averaged over them and divided by k; about
        1 where the distributions are equal, and may exceed 1. coverage: share of real points whose
        ball holds at least one generated point, in [0, 1] (Naeem et al. 2020, equations 5 and 6).

    A ball holds its border. Neighbours are sought within the point's own set, the point itself left
    out. All four depend on k and on the numbers of points. NaN where a point is not finite.

    real: [N, d]; generated: [M, d]. max_points: a larger set is thinned to this many evenly spaced
    rows.

    Raises:
        ValueError: k is below 1, a set does not have more than k points, or widths differ.
    """
    name = "precision_recall_density_coverage"
    real, generated = _points(real, generated, name)
    x, y = _thin(real, max_points), _thin(generated, max_points)
    if k < 1 or min(len(x), len(y)) <= k:
        raise ValueError(
            f"{name}: k={k!r} must be at least 1 and below the numbers of points, "
            f"{len(x)} and {len(y)}"
        )
    if not _finite(real, generated):
        nothing = ("precision", "recall", "density", "coverage")
        return dict.fromkeys(nothing, math.nan)
    centre = x.mean(dim=0)  # squared distances by products round less near the origin
    x, y = x - centre, y - centre
    return _compare(x, y, _radii(x, k), _radii(y, k), k)


def _compare(x: Tensor, y: Tensor, radii_x: Tensor, radii_y: Tensor, k: int) -> dict[str, float]:
    """Count who lies in whose ball; radii are squared."""
    holders = torch.zeros(len(y), dtype=torch.int64)  # real balls around each generated point
    recalled, covered = 0, 0
    for rows, radii in zip(torch.split(x, _CHUNK), torch.split(radii_x, _CHUNK), strict=True):
        distances = _squared(rows, y)  # [n, M]
        within = distances <= radii[:, None]
        holders += within.sum(dim=0)
        covered += int(within.any(dim=1).sum())
        recalled += int((distances <= radii_y).any(dim=1).sum())
    return {
        "precision": float((holders > 0).double().mean()),
        "recall": recalled / len(x),
        "density": float(holders.double().mean()) / k,
        "coverage": covered / len(x),
    }


def _radii(x: Tensor, k: int) -> Tensor:
    """Return the squared distance [N] of each point to its k-th nearest neighbour."""
    found = []
    for start in range(0, len(x), _CHUNK):
        distances = _squared(x[start : start + _CHUNK], x)
        rows = torch.arange(len(distances))
        distances[rows, rows + start] = math.inf  # itself
        found.append(distances.kthvalue(k, dim=1).values)
    return torch.cat(found)


def _squared(x: Tensor, y: Tensor) -> Tensor:
    """Return squared Euclidean distances [N, M]."""
    lengths = x.square().sum(dim=1)[:, None] + y.square().sum(dim=1)
    return torch.addmm(lengths, x, y.T, alpha=-2).clamp_(min=0)
