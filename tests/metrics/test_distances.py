"""Distances against closed forms."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gan_runner.metrics.distances import mmd, sliced_wasserstein, wasserstein


def _normal(num: int, width: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(num, width, generator=generator, dtype=torch.float64)


def _quantiles(num: int) -> Tensor:
    """N(0, 1) as its num mid-quantiles [num, 1]."""
    return torch.special.ndtri((torch.arange(num).double() + 0.5) / num)[:, None]


def test_wasserstein_of_a_shift_is_the_shift() -> None:
    x = _normal(60, 1, 0)
    assert wasserstein(x, x + 0.7) == pytest.approx(0.7, abs=1e-12)
    assert wasserstein(x, x) == pytest.approx(0, abs=1e-12)
    plane = _normal(60, 2, 1)
    # Any coupling moves the mean by the shift, so no plan beats moving every point by it.
    assert wasserstein(plane, plane + torch.tensor([3.0, 4.0])) == pytest.approx(5, abs=1e-12)


def test_wasserstein_of_point_masses_is_their_distance() -> None:
    x, y = torch.zeros(3, 2), torch.tensor([[3.0, 4.0]])
    assert wasserstein(x, y) == pytest.approx(5, abs=1e-12)
    assert wasserstein(y, x) == pytest.approx(5, abs=1e-12)


def test_wasserstein_of_unequal_sizes_splits_the_mass() -> None:
    x, y = torch.tensor([[0.0]]), torch.tensor([[0.0], [1.0], [4.0]])
    assert wasserstein(x, y) == pytest.approx(5 / 3, abs=1e-12)


def test_wasserstein_of_two_normals_of_one_mean() -> None:
    # In one dimension W1 = int |F^-1 - G^-1| = E|(s - 1) Z| = |s - 1| sqrt(2 / pi).
    x = _quantiles(500)
    expected = 1.5 * math.sqrt(2 / math.pi)
    assert wasserstein(x, 2.5 * x) == pytest.approx(expected, rel=5e-3)


def test_wasserstein_cost_is_euclidean() -> None:
    x = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    y = torch.tensor([[0.0, 1.0], [1.0, 1.0]])
    # Crossed would cost sqrt(2) each.
    assert wasserstein(x, y) == pytest.approx(1, abs=1e-12)


def test_wasserstein_thins_evenly() -> None:
    sorted_by_class = torch.cat([torch.zeros(50, 1), torch.ones(50, 1)])
    y = torch.tensor([[0.0], [1.0]])
    assert wasserstein(sorted_by_class, y, max_points=10) == pytest.approx(0, abs=1e-12)
    x = _normal(40, 2, 0)
    assert wasserstein(x, x + 1, max_points=40) == wasserstein(x, x + 1)
    alone = wasserstein(x, x[:1], max_points=1)
    assert alone == pytest.approx(0, abs=1e-12)  # the first row stays


def test_sliced_wasserstein_of_a_shift() -> None:
    # SW2^2 = E <s, theta>^2 = |s|^2 / d over the unit sphere.
    x = _normal(50, 3, 0)
    shift = torch.tensor([2.0, -1.0, 2.0])
    found = sliced_wasserstein(x, x + shift, num_projections=20_000)
    assert found == pytest.approx(3 / math.sqrt(3), rel=0.02)
    line = _normal(50, 1, 0)
    assert sliced_wasserstein(line, line + 0.3, num_projections=2) == pytest.approx(0.3, abs=1e-9)


def test_sliced_wasserstein_of_a_stretch() -> None:
    # Along any line of d = 1, W2 between N(0, 1) and N(0, s^2) is |s - 1|.
    x = _quantiles(2000)
    assert sliced_wasserstein(x, 3 * x, num_projections=1) == pytest.approx(2, rel=5e-3)


def test_sliced_wasserstein_draws_from_its_own_seed() -> None:
    x, y = _normal(30, 2, 0), _normal(20, 2, 1) + 1
    before = torch.random.get_rng_state()
    first = sliced_wasserstein(x, y, num_projections=8)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(5)
    assert sliced_wasserstein(x, y, num_projections=8) == first
    assert sliced_wasserstein(x, y, num_projections=8, seed=1) != first


def test_mmd_of_point_masses() -> None:
    x, y = torch.zeros(3, 2), torch.tensor([3.0, 4.0]).repeat(5, 1)
    expected = 2 - math.exp(-25 / (2 * 4)) - math.exp(-25 / (2 * 9))
    assert mmd(x, y, bandwidths=[2.0, 3.0]) == pytest.approx(expected, abs=1e-12)


def test_mmd_by_hand_leaves_out_the_diagonal() -> None:
    x, y = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [2.0]])
    near, far = math.exp(-0.5), math.exp(-2)
    expected = near + far - 2 * (1 + far + near + near) / 4
    assert mmd(x, y, bandwidths=[1.0]) == pytest.approx(expected, abs=1e-12)


def test_mmd_bandwidths_are_the_real_median_times_five_factors() -> None:
    x, y = _normal(6, 1, 0), torch.tensor([[0.0], [1.0], [3.0]])  # distances 1, 2, 3
    assert mmd(x, y) == pytest.approx(mmd(x, y, bandwidths=[0.5, 1, 2, 4, 8]), abs=1e-15)


def test_mmd_of_two_normals() -> None:
    # E k = s / sqrt(s^2 + 2) exp(-delta^2 / (2 s^2 + 4)) for unit variances in one dimension.
    delta, width = 1.5, 0.8
    peak = width / math.sqrt(width**2 + 2)
    expected = 2 * peak * (1 - math.exp(-(delta**2) / (2 * width**2 + 4)))
    found = mmd(_normal(3000, 1, 0), _normal(2500, 1, 1) + delta, bandwidths=[width])
    assert found == pytest.approx(expected, rel=0.06)


def test_mmd_is_unbiased() -> None:
    values = torch.tensor(
        [mmd(_normal(12, 2, 2 * i), _normal(9, 2, 2 * i + 1), bandwidths=[1.0]) for i in range(400)]
    )
    assert abs(values.mean()) < 4 * values.std() / math.sqrt(400)
    assert values.std() > 0.01
    assert values.min() < 0


def test_mmd_in_blocks_is_the_whole_matrix() -> None:
    x, y = _normal(1500, 2, 0), _normal(1100, 2, 1) + 0.5

    def mean(a: Tensor, b: Tensor, distinct: bool) -> float:
        kernel = torch.exp(-torch.cdist(a, b).square() / 2)
        if distinct:
            return float((kernel.sum() - len(a)) / (len(a) * (len(a) - 1)))
        return float(kernel.mean())

    expected = mean(x, x, True) + mean(y, y, True) - 2 * mean(x, y, False)
    assert mmd(x, y, bandwidths=[1.0]) == pytest.approx(expected, abs=1e-9)


DISTANCES: list[Callable[[Tensor, Tensor], float]] = [wasserstein, sliced_wasserstein, mmd]


@pytest.mark.parametrize("distance", DISTANCES)
def test_float32_with_a_graph_is_taken_as_it_is(
    distance: Callable[[Tensor, Tensor], float],
) -> None:
    x, y = _normal(20, 2, 0), _normal(30, 2, 1) + 1
    found = distance(x.float().requires_grad_(), y.float())
    assert isinstance(found, float)
    assert found == pytest.approx(distance(x, y), rel=1e-5)


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_diverged_sample_gives_nan(
    distance: Callable[[Tensor, Tensor], float], bad: float
) -> None:
    x, y = _normal(5, 2, 0), _normal(5, 2, 1)
    x[2, 1] = bad
    assert math.isnan(distance(x, y))


@pytest.mark.parametrize("distance", DISTANCES)
def test_distances_refuse_other_shapes(distance: Callable[[Tensor, Tensor], float]) -> None:
    good = _normal(5, 2, 0)
    for bad in (_normal(5, 3, 0), good[:0], good[:, 0]):
        with pytest.raises(ValueError, match=r"must be \[N, d\]"):
            distance(good, bad)
        with pytest.raises(ValueError, match=r"must be \[N, d\]"):
            distance(bad, good)


def test_distances_refuse_other_options() -> None:
    x = _normal(5, 2, 0)
    with pytest.raises(ValueError, match="max_points=0 must be at least 1"):
        wasserstein(x, x, max_points=0)
    with pytest.raises(ValueError, match="num_projections=0 must be at least 1"):
        sliced_wasserstein(x, x, num_projections=0)
    with pytest.raises(ValueError, match="5 and 1 points; each set needs at least 2"):
        mmd(x, x[:1])
    with pytest.raises(ValueError, match=r"bandwidths=\[0.0\] must be"):
        mmd(x, x, bandwidths=[0.0])
    with pytest.raises(ValueError, match=r"bandwidths=\[\] must be"):
        mmd(x, x, bandwidths=[])
    with pytest.raises(ValueError, match="median distance between the real points is 0"):
        mmd(x, torch.zeros(4, 2))
