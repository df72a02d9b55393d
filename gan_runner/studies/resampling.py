"""Draws of the bootstrap and of permutations, on numpy arrays, float64 [n]."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
EXACT_FLIPS = 14  # pairs up to which all 2^n flips of signs are counted
_KEPT = 2**24  # numbers in a matrix of resamples that is kept, 32 MiB
_AT_ONCE = 2**20  # numbers of it that are worked on at once
_NORMAL = NormalDist()


def sign_flip(found: Array, *, resamples: int, seed: int) -> tuple[float, bool]:
    """Two-sided p of the mean of differences [n] under flips of their signs; is it exact?

    All 2^n flips are counted up to `EXACT_FLIPS`, else `resamples` random ones, the observed one
    among them, so that p is never 0 (Phipson and Smyth 2010).
    """
    exact = len(found) <= EXACT_FLIPS
    largest = np.abs(found).max(initial=0.0)
    scaled = found / largest if largest > 0 else found
    threshold = abs(scaled.sum()) - 1e-9  # sums of the same size differ by rounding
    if exact:
        return float((np.abs(_all_signs(len(found)) @ scaled) >= threshold).mean()), True
    as_far = sum(
        int((np.abs(signs @ scaled) >= threshold).sum())
        for signs in _matrices("signs", len(found), resamples, seed, 0)
    )
    return (1 + as_far) / (1 + resamples), False


def bca(estimates: Array, observed: float, influence: Array, level: float) -> tuple[float, float]:
    """Quantiles of the bootstrap's estimates [R], shifted for bias and skew (Efron 1987)."""
    spread = float((influence**2).sum())
    if spread == 0:
        return observed, observed
    acceleration = float((influence**3).sum()) / (6 * spread**1.5)
    slack = 1e-12 * (abs(observed) + math.sqrt(spread))  # equal means differ by rounding
    at_or_below = (estimates <= observed + slack).mean()
    below = float((at_or_below + (estimates < observed - slack).mean()) / 2)
    bias = _NORMAL.inv_cdf(below) if 0 < below < 1 else 0.0
    tail = (1 - level) / 2
    wanted = []
    for share in (tail, 1 - tail):
        moved = bias + _NORMAL.inv_cdf(share)
        wanted.append(_NORMAL.cdf(bias + moved / (1 - acceleration * moved)))
    low, high = np.quantile(estimates, wanted)
    return float(low), float(high)


def resampled_means(values: Array, resamples: int, seed: int, stream: int) -> Array:
    """Means [R] of samples of n drawn from values [n] with replacement."""
    n = len(values)
    return np.concatenate(
        [counts @ values / n for counts in _matrices("counts", n, resamples, seed, stream)]
    )


def _matrices(kind: str, n: int, resamples: int, seed: int, stream: int) -> Iterator[Array]:
    """Matrices [r, n] of R rows together; they are kept unless they are large, and come again."""
    generator = np.random.default_rng([seed, stream])
    is_kept = n * resamples <= _KEPT
    rows = max(1, _AT_ONCE // n)
    for start in range(0, resamples, rows):
        size = min(rows, resamples - start)
        if is_kept:
            drawn = _kept(kind, n, resamples, seed, stream)[start : start + size]
        else:
            drawn = _draw(kind, n, size, generator)
        yield drawn.astype(np.float64)


@lru_cache(maxsize=16)
def _kept(kind: str, n: int, rows: int, seed: int, stream: int) -> npt.NDArray[np.int16]:
    return _draw(kind, n, rows, np.random.default_rng([seed, stream]))


def _draw(kind: str, n: int, rows: int, generator: np.random.Generator) -> npt.NDArray[np.int16]:
    """How often each of n values is drawn, or random signs, [rows, n]."""
    if kind == "counts":
        drawn = generator.integers(0, n, size=(rows, n)) + np.arange(rows)[:, None] * n
        counts = np.bincount(drawn.ravel(), minlength=rows * n)
        return counts.reshape(rows, n).astype(np.int16)
    return generator.integers(0, 2, size=(rows, n), dtype=np.int16) * 2 - 1


@lru_cache(maxsize=EXACT_FLIPS)
def _all_signs(n: int) -> Array:
    """All patterns of n signs, [2^n, n]."""
    bits = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    return bits.astype(np.float64) * 2 - 1
