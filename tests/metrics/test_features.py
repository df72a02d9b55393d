"""Scores and distances on features, against hand values, closed forms and torchmetrics."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from gan_runner.metrics.features import classifier_score, frechet_distance, kernel_distance

SURE = 40.0  # a logit beside which the others have the probability 4e-18


def _normal(num: int, width: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(num, width, generator=generator, dtype=torch.float64)


def _standard(num: int, width: int, seed: int) -> Tensor:
    """Points whose sample mean is 0 and whose unbiased covariance is the identity."""
    x = _normal(num, width, seed)
    x = x - x.mean(dim=0)
    whitened: Tensor = x @ torch.linalg.inv(torch.linalg.cholesky(x.T.cov())).T
    return whitened


def test_the_score_of_sure_and_even_samples_is_the_number_of_classes() -> None:
    assert classifier_score(SURE * torch.eye(7).repeat(3, 1)) == pytest.approx(7, abs=1e-9)


def test_the_score_of_one_class_and_of_no_opinion_is_one() -> None:
    one_class = torch.zeros(5, 4)
    one_class[:, 2] = SURE
    assert classifier_score(one_class) == pytest.approx(1, abs=1e-12)
    assert classifier_score(torch.full((5, 4), 3.0)) == pytest.approx(1, abs=1e-12)


def test_the_score_by_hand() -> None:
    # p(y|x) = (3/4, 1/4) and (1/4, 3/4); p(y) = (1/2, 1/2).
    logits = torch.tensor([[math.log(3), 0.0], [0.0, math.log(3)]])
    expected = math.exp(0.75 * math.log(1.5) + 0.25 * math.log(0.5))
    assert classifier_score(logits) == pytest.approx(expected, abs=1e-7)
    # Unequal classes: p = (1, 0), (1, 0), (0, 1) and p(y) = (2/3, 1/3).
    logits = SURE * torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    expected = math.exp((2 * math.log(3 / 2) + math.log(3)) / 3)
    assert classifier_score(logits) == pytest.approx(expected, abs=1e-9)


def test_the_score_of_extreme_logits_is_finite() -> None:
    logits = torch.tensor([[1e4, -1e4], [-1e4, 1e4]])
    assert classifier_score(logits) == pytest.approx(2, abs=1e-12)


def test_the_frechet_distance_of_a_shift_is_its_square() -> None:
    x = _normal(50, 3, 0)
    shift = torch.tensor([1.0, -2.0, 2.0])
    assert frechet_distance(x, x + shift) == pytest.approx(9, abs=1e-9)
    assert 0 <= frechet_distance(x, x) < 1e-9


def test_the_frechet_distance_of_scaled_covariances() -> None:
    # For commuting covariances it is the sum of (s_i - t_i)^2 over the axes' deviations.
    x = _standard(40, 3, 0)
    scales = torch.tensor([2.0, 0.5, 1.0], dtype=torch.float64)
    y = _standard(60, 3, 1) * scales
    assert frechet_distance(x, y) == pytest.approx(1 + 0.25, abs=1e-9)
    assert frechet_distance(y, x) == pytest.approx(1 + 0.25, abs=1e-9)


def test_the_frechet_distance_of_covariances_that_do_not_commute() -> None:
    # In two dimensions tr (AB)^(1/2) = (tr AB + 2 (det A det B)^(1/2))^(1/2).
    a = torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=torch.float64)
    b = torch.tensor([[1.0, -0.7], [-0.7, 3.0]], dtype=torch.float64)
    x = _standard(30, 2, 0) @ torch.linalg.cholesky(a).T
    y = _standard(30, 2, 1) @ torch.linalg.cholesky(b).T
    overlap = math.sqrt(float((a @ b).trace()) + 2 * math.sqrt(float(a.det() * b.det())))
    expected = float(a.trace() + b.trace()) - 2 * overlap
    assert frechet_distance(x, y) == pytest.approx(expected, abs=1e-9)


def test_the_frechet_distance_of_singular_covariances() -> None:
    # Fewer points than dimensions, and features that never fire.
    x = torch.cat([_standard(40, 2, 0), torch.zeros(40, 60)], dim=1)
    assert frechet_distance(x, 3 * x) == pytest.approx(2 * 4, abs=1e-6)
    few = _normal(5, 30, 2)
    assert frechet_distance(few, few + 1) == pytest.approx(30, abs=1e-5)
    constant = torch.ones(4, 62, dtype=torch.float64)
    assert frechet_distance(x, constant) == pytest.approx(2 + 62, abs=1e-9)


def test_the_kernel_distance_against_its_loop() -> None:
    x, y = _normal(7, 4, 0), _normal(5, 4, 1) + 0.5

    def kernel(a: Tensor, b: Tensor) -> float:
        return float((a @ b / 4 + 1) ** 3)

    def within(points: Tensor) -> float:
        pairs = [kernel(a, b) for i, a in enumerate(points) for j, b in enumerate(points) if i != j]
        return sum(pairs) / len(pairs)

    across = sum(kernel(a, b) for a in x for b in y) / 35
    assert kernel_distance(x, y) == pytest.approx(within(x) + within(y) - 2 * across, abs=1e-10)


def test_the_kernel_distance_by_hand() -> None:
    # d = 1: k(0, 0) = 1, k(1, 1) = 8, k(0, 1) = 1; between x = {0, 0}, y = {1, 1}: 1 + 8 - 2.
    assert kernel_distance(torch.zeros(2, 1), torch.ones(2, 1)) == pytest.approx(7, abs=1e-12)


def test_the_kernel_distance_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = _normal(30, 3, 0), _normal(20, 3, 1)
    whole = kernel_distance(x, y)
    monkeypatch.setattr("gan_runner.metrics.features._CHUNK", 7)
    assert kernel_distance(x, y) == pytest.approx(whole, abs=1e-12)


def test_the_kernel_distance_is_unbiased() -> None:
    values = [kernel_distance(_normal(20, 3, 2 * i), _normal(20, 3, 2 * i + 1)) for i in range(60)]
    assert min(values) < 0 < max(values)
    assert abs(sum(values) / 60) < 0.1
    assert kernel_distance(_normal(200, 3, 0), _normal(200, 3, 1) + 1) > 1


def test_what_is_not_finite_has_no_number() -> None:
    good, bad = torch.ones(3, 2), torch.tensor([[0.0, math.nan], [0.0, 0.0], [math.inf, 1.0]])
    assert math.isnan(classifier_score(bad))
    for function in (frechet_distance, kernel_distance):
        assert math.isnan(function(good, bad))
        assert math.isnan(function(bad, good))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^classifier_score: logits \(3,\) must be \[N, K\]$"):
        classifier_score(torch.zeros(3))
    for function in (frechet_distance, kernel_distance):
        with pytest.raises(ValueError, match=r"points \(3, 2\) and \(3, 4\) must be"):
            function(torch.zeros(3, 2), torch.zeros(3, 4))
        with pytest.raises(ValueError, match="3 and 1 rows; each set needs at least 2"):
            function(torch.zeros(3, 2), torch.zeros(1, 2))


class Pixels(nn.Module):
    """An image's pixels as its features, for torchmetrics."""

    num_features = 12

    def forward(self, images: Tensor) -> Tensor:
        """[N, 3, 2, 2] -> [N, 12]."""
        return images.double().flatten(1) / 64


@pytest.mark.slow
def test_torchmetrics_agrees() -> None:
    fid, kid, inception = (
        pytest.importorskip(f"torchmetrics.image.{name}") for name in ("fid", "kid", "inception")
    )
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(200, (90, 3, 2, 2), generator=generator).to(torch.uint8)
    y = torch.randint(60, 255, (70, 3, 2, 2), generator=generator).to(torch.uint8)
    seen_x, seen_y = Pixels()(x), Pixels()(y)

    frechet = fid.FrechetInceptionDistance(
        feature=Pixels(), normalize=False, input_img_size=(3, 2, 2)
    ).set_dtype(torch.float64)
    frechet.update(x, real=True)
    frechet.update(y, real=False)
    assert frechet_distance(seen_x, seen_y) == pytest.approx(float(frechet.compute()), rel=1e-6)

    kernel = kid.KernelInceptionDistance(feature=Pixels(), subsets=1, subset_size=70)
    kernel.update(x[:70], real=True)
    kernel.update(y, real=False)
    mean, _ = kernel.compute()
    assert kernel_distance(seen_x[:70], seen_y) == pytest.approx(float(mean), rel=1e-4)

    score = inception.InceptionScore(feature=Pixels(), splits=1)
    score.update(x)
    mean, _ = score.compute()
    assert classifier_score(seen_x) == pytest.approx(float(mean), rel=1e-5)
