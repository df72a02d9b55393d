"""Draws of the bootstrap and of permutations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gan_runner.studies import resampling
from gan_runner.studies.resampling import bca, resampled_means, sign_flip

DRAWS = {"resamples": 2000, "seed": 0}


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ([1.0, 2.0, 3.0], 2 / 8),  # only both ends are as far as 6
        ([3.0, -1.0], 4 / 4),  # |2| is the least of |4|, |2|, |-2|, |-4|
        ([3.0, 1.0], 2 / 4),
        ([1.0, 1.0, 1.0, 1.0, -1.0], 12 / 32),  # |3| or |5|: 5 + 1 patterns on each side
        ([0.1, 0.2, -0.3], 1.0),  # a sum of 0 but for rounding
        ([0.0, 0.0], 1.0),
        ([5.0], 1.0),
    ],
)
def test_all_flips_are_counted(differences: list[float], p: float) -> None:
    assert sign_flip(np.array(differences), **DRAWS) == (pytest.approx(p, abs=1e-15), True)


def test_exact_flips_are_those_of_scipy() -> None:
    found = np.random.default_rng(3).normal(0.4, 1, size=11)
    wanted = stats.permutation_test((found,), np.mean, permutation_type="samples", n_resamples=1e6)
    assert sign_flip(found, **DRAWS) == (pytest.approx(wanted.pvalue, abs=1e-12), True)


def test_random_flips_come_near_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    found = np.random.default_rng(4).normal(0.5, 1, size=12)
    all_of_them, _ = sign_flip(found, **DRAWS)
    monkeypatch.setattr(resampling, "EXACT_FLIPS", 0)
    random, exact = sign_flip(found, resamples=20_000, seed=1)
    assert not exact
    assert random == pytest.approx(all_of_them, abs=0.01)


def test_random_flips_never_give_0() -> None:
    assert sign_flip(np.ones(60), **DRAWS) == (1 / 2001, False)


@pytest.mark.parametrize("kept", [0, 10**9])
def test_means_are_of_samples_with_replacement(kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resampling, "_KEPT", kept)
    monkeypatch.setattr(resampling, "_AT_ONCE", 64)
    values = np.array([0.0, 1.0, 5.0, 10.0])
    means = resampled_means(values, 4000, seed=5, stream=0)
    assert means.shape == (4000,)
    assert set(np.unique(means * 4)) <= set(range(41))
    assert means.mean() == pytest.approx(4.0, abs=0.15)
    assert means.std() == pytest.approx(values.std() / 2, rel=0.05)


def test_means_are_the_same_kept_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=17)
    kept = resampled_means(values, 1000, seed=8, stream=0)
    monkeypatch.setattr(resampling, "_KEPT", 0)
    monkeypatch.setattr(resampling, "_AT_ONCE", 100)
    assert np.allclose(resampled_means(values, 1000, seed=8, stream=0), kept, rtol=0, atol=1e-12)
    assert not np.allclose(resampled_means(values, 1000, seed=9, stream=0), kept)
    assert not np.allclose(resampled_means(values, 1000, seed=8, stream=1), kept)


def test_without_bias_and_skew_bca_is_the_percentiles() -> None:
    estimates = np.linspace(-1, 1, 10_001)
    low, high = bca(estimates, 0.0, np.array([-1.0, 1.0]), 0.9)
    assert (low, high) == (pytest.approx(-0.9, abs=1e-3), pytest.approx(0.9, abs=1e-3))


def test_skew_moves_bca_as_the_formula_says() -> None:
    influence = np.array([-1.0, -1.0, 2.0])
    a = 6 / (6 * 6**1.5)  # sum of cubes 6, of squares 6
    z = stats.norm.ppf(0.95)
    wanted = [stats.norm.cdf(s * z / (1 - a * s * z)) for s in (-1, 1)]
    estimates = np.linspace(-1, 1, 10_001)
    found = bca(estimates, 0.0, influence, 0.9)
    assert found == pytest.approx([2 * share - 1 for share in wanted], abs=1e-3)
    assert found[0] > -0.9
    assert found[1] > 0.9
