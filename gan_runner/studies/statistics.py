"""Intervals and tests over seeds: pure functions of numpy arrays, float64 [n].

Intervals are bias-corrected and accelerated bootstrap intervals (BCa, Efron 1987) of a mean or of a
difference of means. Of few values they are too narrow, as all bootstrap intervals are: at 95 %, of
normal values, they held the mean in 86 % of 2,000 trials at n = 6, 92 % at 12, 94 % at 32. That
is why a verdict also asks for a permutation p, whose size is right at any n.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gan_runner.studies.resampling import Array, bca, resampled_means, sign_flip

LEVEL, RESAMPLES = 0.95, 10_000
EXACT_RANKS = 100  # pairs up to which the signed ranks' distribution is exact


@dataclass(frozen=True, kw_only=True)
class Summary:
    """n values in short.

    sd: the sample's standard deviation, divisor n - 1. low, high: the bootstrap interval of the
    mean. What n is too small for is NaN: all of none, sd and the interval of one value.
    """

    n: int
    mean: float
    sd: float
    median: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Paired:
    """n pairs (a, b) compared.

    wins: pairs in which a is better; ties: in which both are equal. difference: mean of a - b; low,
    high: its bootstrap interval, of whole pairs. p_sign, p_wilcoxon: two-sided, exact (Wilcoxon's
    normal approximation above `EXACT_RANKS` pairs). p_permutation: two-sided, of the mean
    difference under flips of the pairs' signs; exact says whether all of them were counted.
    """

    n: int
    wins: int
    ties: int
    difference: float
    low: float
    high: float
    p_sign: float
    p_wilcoxon: float
    p_permutation: float
    exact: bool


@dataclass(frozen=True, kw_only=True)
class Unpaired:
    """Two samples compared whose values do not belong together.

    difference: mean of a minus mean of b; low, high: its bootstrap interval, each sample drawn
    apart. p_mann_whitney: two-sided.
    """

    n_a: int
    n_b: int
    difference: float
    low: float
    high: float
    p_mann_whitney: float


def summary(
    values: npt.ArrayLike, *, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0
) -> Summary:
    """Summarise values; those that are NaN or infinite are left out, and n counts the others.

    Raises:
        ValueError: the values are no vector, or level or resamples make no sense.
    """
    given = np.asarray(values, dtype=np.float64)
    found = _vector(given[np.isfinite(given)] if given.ndim == 1 else given, "values")
    _check(level, resamples)
    n = len(found)
    if n == 0:
        lost = math.nan
        return Summary(n=0, mean=lost, sd=lost, median=lost, low=lost, high=lost)
    low, high = interval(found, level=level, resamples=resamples, seed=seed)
    return Summary(
        n=n,
        mean=float(found.mean()),
        sd=float(found.std(ddof=1)) if n > 1 else math.nan,
        median=float(np.median(found)),
        low=low,
        high=high,
    )


def paired(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    lower_is_better: bool,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Paired:
    """Compare a [n] with b [n], whose i-th values share a seed.

    Raises:
        ValueError: they are no finite vectors of one length of at least 1.
    """
    first, second = _vector(a, "a"), _vector(b, "b")
    if len(first) != len(second) or not len(first):
        raise ValueError(f"a has {len(first)} values and b {len(second)}: pairs are wanted")
    _check(level, resamples)
    difference = first - second
    low, high = interval(difference, level=level, resamples=resamples, seed=seed)
    lower, higher = int((difference < 0).sum()), int((difference > 0).sum())
    p_permutation, exact = sign_flip(difference, resamples=resamples, seed=seed)
    return Paired(
        n=len(difference),
        wins=lower if lower_is_better else higher,
        ties=len(difference) - lower - higher,
        difference=float(difference.mean()),
        low=low,
        high=high,
        p_sign=sign_test(lower, higher),
        p_wilcoxon=signed_ranks(difference),
        p_permutation=p_permutation,
        exact=exact,
    )


def unpaired(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Unpaired:
    """Compare a [n] with b [m], which have no seeds in common.

    Raises:
        ValueError: they are no finite vectors of at least one value.
    """
    first, second = _vector(a, "a"), _vector(b, "b")
    if not len(first) or not len(second):
        raise ValueError("a and b: at least one value each is wanted")
    _check(level, resamples)
    difference = float(first.mean() - second.mean())
    low = high = math.nan
    if len(first) > 1 and len(second) > 1:
        means = resampled_means(first, resamples, seed, 0)
        means = means - resampled_means(second, resamples, seed, 1)
        parts = ((first - first.mean()) / len(first), -(second - second.mean()) / len(second))
        low, high = bca(means, difference, np.concatenate(parts), level)
    return Unpaired(
        n_a=len(first),
        n_b=len(second),
        difference=difference,
        low=low,
        high=high,
        p_mann_whitney=_mann_whitney(first, second),
    )


def _mann_whitney(first: Array, second: Array) -> float:
    from scipy import stats  # slow to import, and most reports do not need it

    if np.ptp(np.concatenate((first, second))) == 0:
        return 1.0
    return float(stats.mannwhitneyu(first, second).pvalue)


def interval(
    values: npt.ArrayLike, *, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """The BCa bootstrap interval of the mean of values [n]; NaN of fewer than two."""
    found = _vector(values, "values")
    if len(found) < 2:
        return math.nan, math.nan
    means = resampled_means(found, resamples, seed, 0)
    return bca(means, float(found.mean()), found - found.mean(), level)


def sign_test(less: int, greater: int) -> float:
    """Two-sided exact p of `less` negative and `greater` positive signs, each as likely."""
    n, k = less + greater, min(less, greater)
    tail = sum(math.comb(n, each) for each in range(k + 1))
    return float(min(1.0, tail / 2 ** (n - 1))) if n else 1.0


def signed_ranks(differences: npt.ArrayLike) -> float:
    """Two-sided p of Wilcoxon's signed ranks (1945); zeros are left out, ties share a mean rank.

    Exact, ties or not: the rank sum's distribution over all signs is built up rank by rank.
    """
    found = _vector(differences, "differences")
    found = found[found != 0]
    if not len(found):
        return 1.0
    if len(found) > EXACT_RANKS:
        from scipy import stats

        return float(stats.wilcoxon(found).pvalue)
    _, inverse, counts = np.unique(np.abs(found), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    doubled = (2 * last - counts + 1)[inverse]  # twice a mean rank is whole
    share = np.zeros(int(doubled.sum()) + 1)
    share[0] = 1.0
    for rank in doubled:
        moved = np.zeros_like(share)
        moved[rank:] = share[: len(share) - rank]
        share = (share + moved) / 2
    positive = int(doubled[found > 0].sum())
    tails = share[: positive + 1].sum(), share[positive:].sum()
    return float(min(1.0, 2 * min(tails)))


def holm(ps: Sequence[float]) -> list[float]:
    """Correct the p's of a family of tests (Holm 1979), in their order.

    Raises:
        ValueError: one is no number in [0, 1].
    """
    wrong = [p for p in ps if not 0 <= p <= 1]
    if wrong:
        raise ValueError(f"p={wrong[0]}: a number in [0, 1] is wanted")
    corrected, running = [0.0] * len(ps), 0.0
    for place, index in enumerate(sorted(range(len(ps)), key=lambda each: ps[each])):
        running = max(running, min(1.0, (len(ps) - place) * ps[index]))
        corrected[index] = running
    return corrected


def _check(level: float, resamples: int) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level={level}: a share between 0 and 1 is wanted")
    if resamples < 100:
        raise ValueError(f"resamples={resamples}: at least 100 are wanted")


def _vector(values: npt.ArrayLike, name: str) -> Array:
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or not np.isfinite(found).all():
        raise ValueError(f"{name}: a vector of finite numbers is wanted")
    return found
