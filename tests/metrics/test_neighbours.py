"""Precision, recall, density and coverage against their formulas."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from gan_runner.metrics.neighbours import precision_recall_density_coverage

NAMES = ["precision", "recall", "density", "coverage"]


def _normal(num: int, width: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(num, width, generator=generator, dtype=torch.float64)


def _formulas(real: Tensor, generated: Tensor, k: int) -> dict[str, float]:
    """The four definitions, point by point."""

    def radius(points: Tensor, i: int) -> float:
        others = [float((points[i] - p).norm()) for j, p in enumerate(points) if j != i]
        return sorted(others)[k - 1]

    real_radii = [radius(real, i) for i in range(len(real))]
    generated_radii = [radius(generated, j) for j in range(len(generated))]
    holds = [
        [float((x - y).norm()) <= r for y in generated]
        for x, r in zip(real, real_radii, strict=True)
    ]
    caught = [
        any(float((x - y).norm()) <= r for y, r in zip(generated, generated_radii, strict=True))
        for x in real
    ]
    n, m = len(real), len(generated)
    return {
        "precision": sum(any(holds[i][j] for i in range(n)) for j in range(m)) / m,
        "recall": sum(caught) / n,
        "density": sum(sum(row) for row in holds) / (k * m),
        "coverage": sum(any(row) for row in holds) / n,
    }


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("chunk", [4, 1024])
def test_the_formulas(k: int, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan_runner.metrics.neighbours._CHUNK", chunk)
    real, generated = _normal(17, 3, 0) + 100, 0.8 * _normal(13, 3, 1) + 100.9
    found = precision_recall_density_coverage(real, generated, k=k)
    expected = _formulas(real, generated, k)
    assert list(found) == NAMES
    assert found == pytest.approx(expected, abs=1e-12)
    assert 0 < expected["recall"] < 1  # the case says something


def test_points_on_a_line_by_hand() -> None:
    # Real radii (k = 1): 1, 1, 3; generated: 0.5, 0.5. 1.5 is in two balls, 2.0 also in 5's.
    real = torch.tensor([[0.0], [1.0], [4.0]])
    generated = torch.tensor([[1.5], [2.0]])
    found = precision_recall_density_coverage(real, generated, k=1)
    # 0 reaches to 1; 1 reaches to 2 (both); 4 reaches to 1 (both). 1 is 0.5 from 1.5.
    assert found == {"precision": 1.0, "recall": 1 / 3, "density": 4 / 2, "coverage": 2 / 3}


def test_a_collapsed_generator_is_precise_and_covers_little() -> None:
    real = _normal(200, 4, 0)
    generated = real[:1] + 1e-3 * _normal(100, 4, 1)
    found = precision_recall_density_coverage(real, generated)
    assert found["precision"] == 1
    assert found["recall"] <= 1 / 200
    assert found["coverage"] < 0.15


def test_noise_is_neither_precise_nor_recalled() -> None:
    found = precision_recall_density_coverage(_normal(100, 4, 0), _normal(90, 4, 1) + 50)
    assert found == dict.fromkeys(NAMES, 0.0)


def test_equal_distributions() -> None:
    found = precision_recall_density_coverage(_normal(600, 3, 0), _normal(600, 3, 1))
    assert 0.9 < found["precision"] < 1
    assert 0.9 < found["recall"] < 1
    assert found["density"] == pytest.approx(1, abs=0.1)
    # Naeem et al. (2020), equation 10: 1 - 2^-k for equal numbers, less a little.
    assert found["coverage"] == pytest.approx(1 - 2**-5, abs=0.03)


def test_large_sets_are_thinned_evenly() -> None:
    real, generated = _normal(40, 2, 0), _normal(60, 2, 1)
    thinned = precision_recall_density_coverage(real[::2], generated[::3], k=2)
    assert precision_recall_density_coverage(real, generated, k=2, max_points=20) == thinned


def test_what_is_not_finite_has_no_number() -> None:
    bad = _normal(20, 2, 0)
    bad[3, 1] = math.nan
    for pair in ((bad, _normal(20, 2, 1)), (_normal(20, 2, 1), bad)):
        found = precision_recall_density_coverage(*pair)
        assert list(found) == NAMES
        assert all(math.isnan(value) for value in found.values())


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"k=5 must be at least 1 and below .* 9 and 5$"):
        precision_recall_density_coverage(torch.zeros(9, 2), torch.zeros(5, 2))
    with pytest.raises(ValueError, match="k=0 must be"):
        precision_recall_density_coverage(torch.zeros(9, 2), torch.zeros(9, 2), k=0)
    with pytest.raises(ValueError, match=r"points \(9, 2\) and \(9, 3\)"):
        precision_recall_density_coverage(torch.zeros(9, 2), torch.zeros(9, 3))
