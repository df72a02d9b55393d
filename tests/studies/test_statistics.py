"""Intervals and tests over seeds, against values worked out by hand and SciPy's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from gan_runner.studies.statistics import (
    holm,
    interval,
    paired,
    sign_test,
    signed_ranks,
    summary,
    unpaired,
)

SKEWED = np.random.default_rng(1).gamma(2, size=15)
OTHER = np.random.default_rng(2).normal(1, 1, size=12)


def test_summary_by_hand() -> None:
    found = summary([4.0, 1.0, 3.0, 2.0])
    assert (found.n, found.mean, found.median) == (4, 2.5, 2.5)
    assert found.sd == pytest.approx(math.sqrt(5 / 3))
    assert 1 <= found.low < 2.5 < found.high <= 4


def test_summary_is_of_the_finite_values() -> None:
    assert summary([1.0, math.nan, 2.0, 4.0, -math.inf]) == summary([1.0, 2.0, 4.0])
    assert summary([math.nan]).n == 0


def test_interval_is_that_of_scipy() -> None:
    wanted = stats.bootstrap(
        (SKEWED,), np.mean, n_resamples=20_000, method="BCa", random_state=3
    ).confidence_interval
    assert interval(SKEWED, resamples=20_000) == pytest.approx(tuple(wanted), abs=0.03)
    narrow = interval(SKEWED, level=0.5)
    assert wanted.low < narrow[0] < SKEWED.mean() < narrow[1] < wanted.high


def test_interval_moves_with_its_values() -> None:
    low, high = interval(SKEWED)
    moved = interval(7 + 1e-5 * SKEWED)
    assert moved == pytest.approx((7 + 1e-5 * low, 7 + 1e-5 * high), rel=1e-12)
    assert interval(SKEWED) == (low, high)
    assert interval(SKEWED, seed=1) != (low, high)


@pytest.mark.parametrize(("n", "least", "most"), [(6, 0.80, 0.92), (20, 0.89, 0.97)])
def test_interval_holds_the_mean_about_as_often_as_it_says(
    n: int, least: float, most: float
) -> None:
    draws = np.random.default_rng(n).normal(3, 2, size=(600, n))
    held = 0
    for values in draws:
        low, high = interval(values, resamples=1000)
        held += low <= 3 <= high
    assert least < held / 600 < most


def test_few_values_have_no_interval() -> None:
    assert summary([]).n == 0
    assert math.isnan(summary([]).mean)
    one = summary([2.0])
    assert (one.n, one.mean, one.median) == (1, 2.0, 2.0)
    assert all(map(math.isnan, (one.sd, one.low, one.high)))
    equal = summary([2.0, 2.0, 2.0])
    assert (equal.sd, equal.low, equal.high) == (0.0, 2.0, 2.0)


@pytest.mark.parametrize(
    ("less", "greater", "p"),
    [
        (2, 8, 2 * (1 + 10 + 45) / 1024),
        (8, 2, 2 * (1 + 10 + 45) / 1024),
        (0, 6, 2 / 64),
        (0, 5, 2 / 32),
        (3, 3, 1.0),
        (0, 0, 1.0),
        (0, 1, 1.0),
    ],
)
def test_sign_test_by_hand(less: int, greater: int, p: float) -> None:
    assert sign_test(less, greater) == pytest.approx(p, rel=1e-12)
    if less + greater:
        assert p == pytest.approx(stats.binomtest(less, less + greater).pvalue)


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ([1, 2, 3, 4, 5], 2 / 32),  # all positive: one pattern of 32 on each side
        ([-1, 2, 3], 2 * 2 / 8),  # rank sums of 5 and 6: two patterns of 8
        ([1, 1, -1], 1.0),  # ties: each of rank 2, a sum of 4 or more in half of the patterns
        ([-1, 1, 2, 3], 2 * 3 / 16),  # ranks 1.5, 1.5, 3, 4: none or one of the first two below 0
        ([0, 0, 1, 2, 3], 2 / 8),  # zeros are left out
        ([0, 0], 1.0),
    ],
)
def test_signed_ranks_by_hand(differences: list[float], p: float) -> None:
    assert signed_ranks(differences) == pytest.approx(min(1.0, p), rel=1e-12)


@pytest.mark.parametrize("n", [5, 20, 50, 130])
def test_signed_ranks_are_those_of_scipy(n: int) -> None:
    found = np.random.default_rng(n).normal(0.3, 1, size=n)
    assert signed_ranks(found) == pytest.approx(stats.wilcoxon(found).pvalue, rel=1e-9)


def test_holm_by_hand() -> None:
    # 0.005 x 4, 0.01 x 3, 0.03 x 2, and 0.04 x 1 raised to the one before
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


@pytest.mark.parametrize("wrong", [-0.1, 1.1, math.nan])
def test_holm_takes_probabilities(wrong: float) -> None:
    with pytest.raises(ValueError, match=r"a number in \[0, 1\]"):
        holm([0.5, wrong])


def test_paired_by_hand() -> None:
    found = paired([1, 2, 3, 9], [2, 2, 5, 8], lower_is_better=True)
    assert (found.n, found.wins, found.ties) == (4, 2, 1)
    assert found.difference == -0.5
    assert found.p_sign == 1.0  # two against one
    assert found.p_permutation == pytest.approx(12 / 16)  # |2| or |4| of sums of 1, 2, 1
    assert found.exact
    assert -2 <= found.low < -0.5 < found.high <= 1
    assert paired([1, 2, 3, 9], [2, 2, 5, 8], lower_is_better=False).wins == 1


def test_paired_interval_is_of_the_differences() -> None:
    a, b = SKEWED[:12], OTHER
    found = paired(a, b, lower_is_better=True)
    assert (found.low, found.high) == interval(a - b)
    # What both share does not widen it.
    common = 100 * np.random.default_rng(5).normal(size=12)
    again = paired(a + common, b + common, lower_is_better=True)
    assert (again.low, again.high) == pytest.approx((found.low, found.high), rel=1e-9)


def test_unpaired_is_that_of_scipy() -> None:
    found = unpaired(SKEWED, OTHER, resamples=20_000)
    wanted = stats.bootstrap(
        (SKEWED, OTHER), lambda x, y, axis: x.mean(axis) - y.mean(axis),
        n_resamples=20_000, method="BCa", random_state=3,
    ).confidence_interval  # fmt: skip
    assert (found.low, found.high) == pytest.approx(tuple(wanted), abs=0.04)
    assert found.difference == pytest.approx(SKEWED.mean() - OTHER.mean())
    assert found.p_mann_whitney == stats.mannwhitneyu(SKEWED, OTHER).pvalue
    assert (found.n_a, found.n_b) == (15, 12)


def test_unpaired_samples_are_drawn_apart() -> None:
    found = unpaired(SKEWED, SKEWED)
    width = np.sqrt(2) * SKEWED.std(ddof=1) / np.sqrt(15) * 2 * 1.96
    assert found.high - found.low == pytest.approx(width, rel=0.1)
    assert found.p_mann_whitney == 1.0


def test_unpaired_of_equal_or_single_values() -> None:
    assert unpaired([1.0, 1.0], [1.0, 1.0]).p_mann_whitney == 1.0
    assert math.isnan(unpaired([1.0], [2.0, 3.0]).low)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: interval([1.0, math.nan]), "values: a vector of finite"),
        (lambda: summary([[1.0]]), "values: a vector of finite"),
        (lambda: paired([1.0], [1.0, 2.0], lower_is_better=True), "1 values and b 2"),
        (lambda: paired([], [], lower_is_better=True), "0 values and b 0"),
        (lambda: unpaired([], [1.0]), "at least one value"),
        (lambda: summary([1.0], level=1.0), "level=1.0"),
        (lambda: summary([1.0], resamples=10), "resamples=10"),
    ],
)
def test_what_makes_no_sense_is_refused(call: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        call()
