"""The information bounds: by hand, against other formulas, their limits and gradients."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from gan_runner.losses.information import categorical_bound, continuous_bound
from gan_runner.metrics import information as measured

F64 = torch.float64


def draws(num: int = 7) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)

    def normal(size: int) -> Tensor:
        return torch.randn(num, size, generator=generator, dtype=F64)

    category = torch.randint(4, (num,), generator=generator)
    return 2 * normal(4), category, normal(3), normal(3), 2 * torch.rand(num, 3, dtype=F64) - 1


# --- a category ------------------------------------------------------------------------------


def test_a_category_by_hand() -> None:
    # Q = (3/4, 1/4) and (1/2, 1/2), codes 0 and 1: ln 2 + (ln 3/4 + ln 1/2) / 2 = 0.202733
    logits = torch.tensor([[math.log(3.0), 0.0], [5.0, 5.0]], dtype=F64)
    found = categorical_bound(logits, torch.tensor([0, 1]))
    assert found.shape == ()
    assert found.item() == pytest.approx(0.2027325541, abs=1e-10)


@pytest.mark.parametrize("num_categories", [2, 10])
def test_the_ends_of_a_categorys_bound(num_categories: int) -> None:
    category = torch.arange(num_categories)
    silent = torch.zeros(num_categories, num_categories, dtype=F64)
    assert categorical_bound(silent, category).item() == pytest.approx(0.0, abs=1e-14)
    sure = 100 * torch.eye(num_categories, dtype=F64)
    assert categorical_bound(sure, category).item() == pytest.approx(math.log(num_categories))
    wrong = categorical_bound(sure, category.roll(1)).item()
    assert wrong == pytest.approx(math.log(num_categories) - 100)


def test_a_category_is_invariant_to_a_shift_of_logits() -> None:
    logits, category, *_ = draws()
    shifted = categorical_bound(logits + 3.0, category)
    assert shifted.item() == pytest.approx(categorical_bound(logits, category).item(), rel=1e-13)


# --- continuous codes ------------------------------------------------------------------------


def test_a_continuous_code_by_hand() -> None:
    # ln 2 - ln(2 pi) / 2 - ln(1/4) / 2 - (1/2)^2 / (1/4) / 2 = 2 x 0.693147 - 0.918939 - 0.5
    quarter = torch.tensor([[math.log(0.25)]], dtype=F64)
    zero, half = torch.zeros(1, 1, dtype=F64), torch.full((1, 1), 0.5, dtype=F64)
    found = continuous_bound(zero, quarter, half)
    assert found.shape == ()
    assert found.item() == pytest.approx(-0.0326441721, abs=1e-10)


def test_codes_are_summed_and_samples_averaged() -> None:
    _, _, mean, log_variance, codes = draws()
    one_by_one = Normal(mean, (0.5 * log_variance).exp()).log_prob(codes) + math.log(2)
    found = continuous_bound(mean, log_variance, codes)
    assert found.item() == pytest.approx(one_by_one.sum(1).mean().item(), rel=1e-13)


def test_the_bound_is_below_the_information() -> None:
    """c + noise of sd s tells I = H(c + noise) - H(noise); the true Gaussian Q gives less."""
    generator = torch.Generator().manual_seed(1)
    codes = 2 * torch.rand(200_000, 1, generator=generator, dtype=F64) - 1
    noise = 0.1 * torch.randn(200_000, 1, generator=generator, dtype=F64)
    log_variance = torch.full_like(codes, math.log(0.01))
    found = continuous_bound(codes + noise, log_variance, codes).item()
    # ln 2 - ln(0.1) - (ln 2 pi e) / 2 = 1.57679; H(c + noise) is a little above ln 2
    assert found == pytest.approx(1.57679, abs=0.01)


# --- both ------------------------------------------------------------------------------------


def test_they_are_what_the_metrics_report() -> None:
    logits, category, mean, log_variance, codes = draws()
    assert categorical_bound(logits, category).item() == pytest.approx(
        measured.categorical_bound(logits, category), rel=1e-13
    )
    assert continuous_bound(mean, log_variance, codes).item() == pytest.approx(
        measured.continuous_bound(mean, log_variance, codes), rel=1e-13
    )


def test_gradients_against_finite_differences() -> None:
    logits, category, mean, log_variance, codes = draws()
    for each in (logits, mean, log_variance):
        each.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: categorical_bound(x, category), (logits,))
    assert torch.autograd.gradcheck(
        lambda m, v: continuous_bound(m, v, codes), (mean, log_variance)
    )
    # Softmax minus one-hot, over N: known in closed form.
    (slope,) = torch.autograd.grad(categorical_bound(logits, category), logits)
    expected = torch.nn.functional.one_hot(category, 4) - logits.softmax(1)
    torch.testing.assert_close(slope, expected / len(logits), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("extreme", [-100.0, 100.0])
def test_extreme_outputs_are_finite(extreme: float) -> None:
    logits = torch.tensor([[extreme, 0.0, -extreme]], requires_grad=True)
    value = categorical_bound(logits, torch.tensor([1]))
    value.backward()
    assert value.isfinite()
    assert logits.grad is not None
    assert bool(logits.grad.isfinite().all())
