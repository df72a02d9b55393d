"""Adversarial losses against values worked out by hand, and under the transforms they serve.

The logits are made of L = ln 3, since sigma(L) = 3/4, sigma(-L) = 1/4, sigma(0) = 1/2,
sigma(2 L) = 9/10 and sigma(-2 L) = 1/10.
"""

from __future__ import annotations

import inspect
import math

import pytest
import torch
from torch.func import grad, grad_and_value, vmap

from gan_runner.losses import adversarial
from gan_runner.losses.adversarial import LOSSES

L = math.log(3.0)
LN = math.log

NAMES = sorted(LOSSES)
DEFAULTS = {
    "real_label": 1.0,
    "fake_label": 0.0,
    "generator_label": 1.0,
    "a": 0.0,
    "b": 1.0,
    "c": 1.0,
}
SMOOTHED = {
    "real_label": 0.9,
    "fake_label": 0.1,
    "generator_label": 0.8,
    "a": -1.0,
    "b": 1.5,
    "c": 0.5,
}


def logits(*values, dtype=torch.float64):
    return torch.tensor(values, dtype=dtype)


def numbers(values, dtype=torch.float64):
    return {f"loss.{name}": torch.tensor(value, dtype=dtype) for name, value in values.items()}


def both(name, real, fake, h):
    """The two losses of a pair."""
    loss = LOSSES[name]
    return loss.discriminator(real, fake, h), loss.generator(fake, h, real)


# --- golden values ---------------------------------------------------------------------------


def test_minimax_is_equation_1():
    real, fake = logits(0.0, L), logits(-L, 0.0)  # D(x) = 1/2, 3/4; D(G(z)) = 1/4, 1/2
    d = adversarial.minimax_discriminator(real, fake)
    g = adversarial.minimax_generator(fake)
    # -(ln 1/2 + ln 3/4)/2 - (ln 3/4 + ln 1/2)/2 = -ln 3/8
    assert d.item() == pytest.approx(LN(8 / 3), abs=1e-14)
    # (ln 3/4 + ln 1/2)/2
    assert g.item() == pytest.approx(LN(3 / 8) / 2, abs=1e-14)
    # D(x) and D(G(z)) do not play the same part: 3/4 twice is not 1/4 twice.
    # -ln 3/4 - ln(1 - 1/4) = 2 ln 4/3, and with the roles exchanged 2 ln 4
    assert adversarial.minimax_discriminator(logits(L), logits(-L)).item() == pytest.approx(
        2 * LN(4 / 3), abs=1e-14
    )
    assert adversarial.minimax_discriminator(logits(-L), logits(L)).item() == pytest.approx(
        2 * LN(4), abs=1e-14
    )


def test_nonsaturating_generator_is_minus_log_d():
    fake = logits(-L, 0.0)
    # -(ln 1/4 + ln 1/2)/2 = (ln 8)/2
    assert adversarial.nonsaturating_generator(fake).item() == pytest.approx(LN(8) / 2, abs=1e-14)


@pytest.mark.parametrize("family", ["minimax", "nonsaturating", "maximum_likelihood"])
def test_label_smoothing_of_the_discriminator(family):
    real, fake = logits(0.0, L), logits(-L, -2 * L)
    h = numbers({"real_label": 0.9, "fake_label": 0.2, "generator_label": 1.0})
    # x: D = 1/2: ln 2 for any label; D = 3/4: -0.9 ln 3/4 - 0.1 ln 1/4
    of_real = (LN(2) - 0.9 * LN(3 / 4) - 0.1 * LN(1 / 4)) / 2
    # G(z): D = 1/4: -0.2 ln 1/4 - 0.8 ln 3/4; D = 1/10: -0.2 ln 1/10 - 0.8 ln 9/10
    of_fake = (-0.2 * LN(1 / 4) - 0.8 * LN(3 / 4) - 0.2 * LN(1 / 10) - 0.8 * LN(9 / 10)) / 2
    d = LOSSES[family].discriminator(real, fake, h)
    assert d.item() == pytest.approx(of_real + of_fake, abs=1e-14)
    assert d.item() == pytest.approx(0.5453452 + 0.5261049, abs=2e-7)


def test_label_smoothing_of_the_generator():
    # D = 1/4: -0.9 ln 1/4 - 0.1 ln 3/4 = 1.2476649 + 0.0287682
    g = adversarial.nonsaturating_generator(logits(-L), generator_label=0.9)
    assert g.item() == pytest.approx(1.2764331, abs=1e-7)
    # The loss is smallest where D equals the label: sigma(2 L) = 0.9.
    slope = grad(lambda x: adversarial.nonsaturating_generator(x, generator_label=0.9))
    assert slope(logits(2 * L)).item() == pytest.approx(0.0, abs=1e-15)


def test_maximum_likelihood_is_half_the_mean_exponential():
    # exp(-L) = 1/3, exp(0) = 1: -1/2 (1/3 + 1)/2 = -1/3
    g = adversarial.maximum_likelihood_generator(logits(-L, 0.0))
    assert g.item() == pytest.approx(-1 / 3, abs=1e-15)


def test_least_squares_targets():
    real, fake = logits(0.0, 2.0), logits(1.0, -3.0)
    # 1/2 (1 + 1)/2 + 1/2 (1 + 9)/2 = 3;  1/2 (0 + 16)/2 = 4
    assert adversarial.least_squares_discriminator(real, fake).item() == 3.0
    assert adversarial.least_squares_generator(fake).item() == 4.0
    # Pearson's (a, b, c) = (-1, 1, 0): 1/2 + 1/2 (4 + 4)/2 = 2.5;  1/2 (1 + 9)/2 = 2.5
    pearson = numbers({"a": -1.0, "b": 1.0, "c": 0.0})
    assert LOSSES["least_squares"].discriminator(real, fake, pearson).item() == 2.5
    assert LOSSES["least_squares"].generator(fake, pearson).item() == 2.5
    # b and c moved too: 1/2 (4 + 0)/2 = 1, plus 1/2 (4 + 4)/2 = 2;  1/2 (9 + 1)/2 = 2.5
    moved = numbers({"a": -1.0, "b": 2.0, "c": -2.0})
    assert LOSSES["least_squares"].discriminator(real, fake, moved).item() == 3.0
    assert LOSSES["least_squares"].generator(fake, moved).item() == 2.5


def test_wasserstein_is_a_difference_of_means():
    real, fake = logits(0.0, 2.0), logits(1.0, -3.0)
    assert adversarial.wasserstein_discriminator(real, fake).item() == -2.0  # -1 - 1
    assert adversarial.wasserstein_generator(fake).item() == 1.0


def test_hinge_costs_inside_the_margin_only():
    real, fake = logits(0.0, 2.0), logits(1.0, -3.0)
    # (max(0, 1) + max(0, -1))/2 + (max(0, 2) + max(0, -2))/2 = 1/2 + 1
    assert adversarial.hinge_discriminator(real, fake).item() == 1.5
    assert adversarial.hinge_generator(fake).item() == 1.0


def test_relativistic_compares_pairs():
    real, fake = logits(L, 0.0), logits(0.0, 0.0)  # differences L, 0
    # D: -(ln 3/4 + ln 1/2)/2;  G: -(ln 1/4 + ln 1/2)/2
    assert adversarial.relativistic_discriminator(real, fake).item() == pytest.approx(
        LN(8 / 3) / 2, abs=1e-14
    )
    assert adversarial.relativistic_generator(fake, real).item() == pytest.approx(
        LN(8) / 2, abs=1e-14
    )
    # Each x is paired with its own fake: equal logits give ln 2, exchanged ones do not.
    same = adversarial.relativistic_discriminator(logits(L, 0.0), logits(L, 0.0))
    exchanged = adversarial.relativistic_discriminator(logits(L, 0.0), logits(0.0, L))
    assert same.item() == pytest.approx(LN(2), abs=1e-14)
    assert exchanged.item() == pytest.approx((LN(4 / 3) + LN(4)) / 2, abs=1e-14)


def test_relativistic_average_compares_with_means():
    real, fake = logits(L, -L), logits(0.0, 2 * L)  # means 0 and L
    # x - mean fake: 0, -2 L -> 1/2, 1/10;  fake - mean x: 0, 2 L -> 1/2, 9/10
    # D: -(ln 1/2 + ln 1/10)/2 - (ln(1 - 1/2) + ln(1 - 9/10))/2 = ln 20
    d = adversarial.relativistic_average_discriminator(real, fake)
    assert d.item() == pytest.approx(LN(20), abs=1e-14)
    # G: -(ln 1/2 + ln 9/10)/2 - (ln(1 - 1/2) + ln(1 - 1/10))/2 = -ln 9/20
    g = adversarial.relativistic_average_generator(fake, real)
    assert g.item() == pytest.approx(-LN(9 / 20), abs=1e-14)


def test_relativistic_average_takes_unequal_batches():
    d = adversarial.relativistic_average_discriminator(logits(0.0), logits(L, L, L))
    # x - L -> 1/4;  L - x -> 3/4: -ln 1/4 - ln 1/4
    assert d.item() == pytest.approx(2 * LN(4), abs=1e-14)


# --- any logits ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_shape_gives_the_same_scalar(name):
    generator = torch.Generator().manual_seed(0)
    real, fake = torch.randn(2, 24, generator=generator, dtype=torch.float64)
    h = numbers(SMOOTHED)
    expected = both(name, real, fake, h)
    for shape in [(24, 1), (2, 1, 3, 4), (24, 1, 1, 1), (4, 6)]:
        values = both(name, real.reshape(shape), fake.reshape(shape), h)
        for value, wanted in zip(values, expected, strict=True):
            assert value.shape == ()
            assert value.item() == pytest.approx(wanted.item(), abs=1e-13)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_extreme_logits_stay_finite(name, sign):
    size = 80.0 if name == "maximum_likelihood" else 100.0
    real = torch.tensor([sign * size, -sign * size, 0.0], requires_grad=True)
    fake = torch.tensor([-sign * size, sign * size, sign * size], requires_grad=True)
    for values in (DEFAULTS, SMOOTHED):
        for value in both(name, real, fake, numbers(values, torch.float32)):
            found = torch.autograd.grad(value, (real, fake), allow_unused=True)
            assert value.dtype == torch.float32
            assert value.isfinite()
            assert all(g.isfinite().all() for g in found if g is not None)


def test_extreme_values_are_right():
    high, low = torch.tensor([100.0]), torch.tensor([-100.0])
    # Far out, softplus(100) = 100 and softplus(-100) = exp(-100) = 3.7e-44, 0 beside 100.
    assert adversarial.minimax_discriminator(low, high).item() == 200.0
    assert adversarial.minimax_discriminator(high, low).item() == pytest.approx(0.0, abs=1e-40)
    assert adversarial.minimax_generator(high).item() == -100.0
    assert adversarial.minimax_generator(low).item() == pytest.approx(0.0, abs=1e-40)
    assert adversarial.nonsaturating_generator(low).item() == 100.0
    assert adversarial.relativistic_discriminator(low, high).item() == 200.0
    assert adversarial.relativistic_average_discriminator(low, high).item() == 400.0
    # Where D is sure of a fake, the saturating gradient dies and the other does not.
    assert grad(adversarial.minimax_generator)(low).item() == pytest.approx(0.0, abs=1e-40)
    assert grad(adversarial.nonsaturating_generator)(low).item() == -1.0


def test_softplus_is_exact_in_float64_beyond_twenty():
    # -log sigma(-25) = 25 + log(1 + exp(-25)); a line in its place is wrong by 1.4e-11.
    value = adversarial.nonsaturating_generator(logits(-25.0)).item()
    assert value - 25.0 == pytest.approx(math.log1p(math.exp(-25.0)), abs=1e-14)


def test_maximum_likelihood_at_eighty():
    value, slope = grad_and_value(adversarial.maximum_likelihood_generator)(
        torch.tensor([80.0, -80.0])
    )[::-1]
    assert value.item() == pytest.approx(-math.exp(80.0) / 4, rel=1e-6)
    assert slope[0].item() == pytest.approx(-math.exp(80.0) / 4, rel=1e-6)
    assert slope[1].item() == pytest.approx(-math.exp(-80.0) / 4, rel=1e-6)
    # A batch of patch maps: the plain sum of exponentials would pass float32's range.
    maps = torch.full((16, 1, 30, 30), 80.0)
    assert adversarial.maximum_likelihood_generator(maps).item() == pytest.approx(
        -math.exp(80.0) / 2, rel=1e-4
    )


def test_paired_logits_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(4, 1\).*\(4,\)"):
        adversarial.relativistic_discriminator(torch.zeros(4, 1), torch.zeros(4))


@pytest.mark.parametrize("name", ["relativistic", "relativistic_average"])
def test_relativistic_generators_need_real_logits(name):
    with pytest.raises(ValueError, match=name):
        LOSSES[name].generator(torch.zeros(4), {})


# --- derivatives and transforms --------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", [0, 1], ids=["discriminator", "generator"])
def test_derivatives_match_finite_differences(name, side):
    generator = torch.Generator().manual_seed(1)
    real, fake = 2 * torch.randn(2, 5, 1, generator=generator, dtype=torch.float64)
    real.requires_grad_()
    fake.requires_grad_()
    h = numbers(SMOOTHED)

    def f(real, fake):
        return both(name, real, fake, h)[side]

    assert torch.autograd.gradcheck(f, (real, fake))
    assert torch.autograd.gradgradcheck(f, (real, fake), atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_replicas_with_their_own_numbers_equal_a_loop(name):
    generator = torch.Generator().manual_seed(2)
    num_seeds = 4
    real, fake = 3 * torch.randn(2, num_seeds, 6, 1, generator=generator, dtype=torch.float64)
    h = {
        f"loss.{key}": torch.rand(num_seeds, generator=generator, dtype=torch.float64)
        for key in LOSSES[name].numbers
    }

    for side in (0, 1):

        def of_logits(real, fake, h, side=side):
            return both(name, real, fake, h)[side]

        f = grad_and_value(of_logits, argnums=(0, 1))
        (real_slopes, fake_slopes), values = vmap(f)(real, fake, h)
        for s in range(num_seeds):
            one = {key: value[s] for key, value in h.items()}
            (real_slope, fake_slope), value = f(real[s], fake[s], one)
            torch.testing.assert_close(values[s], value, rtol=0, atol=1e-14)
            torch.testing.assert_close(real_slopes[s], real_slope, rtol=0, atol=1e-14)
            torch.testing.assert_close(fake_slopes[s], fake_slope, rtol=0, atol=1e-14)
        if LOSSES[name].generator_numbers if side else LOSSES[name].discriminator_numbers:
            shared = vmap(f, in_dims=(0, 0, None))(real, fake, one)[1]
            assert not torch.allclose(values[:-1], shared[:-1])  # the numbers do differ


def test_a_number_may_be_a_float_or_a_tensor():
    real, fake = logits(0.3, -1.2), logits(0.7, 0.1)
    as_floats = adversarial.least_squares_discriminator(real, fake, a=-1.0, b=0.5)
    as_tensors = adversarial.least_squares_discriminator(
        real, fake, a=torch.tensor(-1.0), b=torch.tensor(0.5)
    )
    assert as_floats.item() == as_tensors.item()
    assert as_tensors.dtype == torch.float64  # a 0-dim number does not change the logits' type


# --- the registry ----------------------------------------------------------------------------


def test_the_eight_families():
    assert set(LOSSES) == {
        "minimax",
        "nonsaturating",
        "maximum_likelihood",
        "least_squares",
        "wasserstein",
        "hinge",
        "relativistic",
        "relativistic_average",
    }
    assert LOSSES["nonsaturating"].numbers == ("real_label", "fake_label", "generator_label")
    assert LOSSES["least_squares"].numbers == ("a", "b", "c")
    assert LOSSES["hinge"].numbers == ()
    relativistic = {name for name, loss in LOSSES.items() if loss.relativistic}
    assert relativistic == {"relativistic", "relativistic_average"}


@pytest.mark.parametrize("name", NAMES)
def test_declared_numbers_are_the_functions_keywords(name):
    loss = LOSSES[name]
    for function, declared, side in [
        (loss.discriminator_function, loss.discriminator_numbers, "discriminator"),
        (loss.generator_function, loss.generator_numbers, "generator"),
    ]:
        assert function is getattr(adversarial, f"{name}_{side}")
        keywords = {
            key: parameter.default
            for key, parameter in inspect.signature(function).parameters.items()
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY
        }
        assert tuple(keywords) == declared
        assert keywords == {key: DEFAULTS[key] for key in declared}


@pytest.mark.parametrize("name", [n for n in NAMES if LOSSES[n].numbers])
def test_a_missing_number_is_named(name):
    with pytest.raises(KeyError, match=f"loss.{LOSSES[name].discriminator_numbers[0]}"):
        LOSSES[name].discriminator(torch.zeros(2), torch.zeros(2), {})
