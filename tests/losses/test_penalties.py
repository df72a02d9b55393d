"""Penalties on the critic's gradient, against critics whose gradient is known in closed form.

Linear critic D(x) = w.x: the gradient is w everywhere. Quadratic critic D(x) = a/2 |x|^2: the
gradient is a x, so that the penalty shows the point at which it was taken.
"""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, grad_and_value, stack_module_state, vmap

from gan_runner.losses.penalties import PENALTIES

NAMES = sorted(PENALTIES)
TARGETED = sorted(name for name, penalty in PENALTIES.items() if "target" in penalty.numbers)


def points(values):
    return torch.tensor(values, dtype=torch.float64)


def target(value):
    return {"penalty.target": torch.tensor(value, dtype=torch.float64)}


def draws(samples, seed=0):
    """Uniform numbers for every penalty, of the samples' size."""
    generator = torch.Generator().manual_seed(seed)
    uniform = {"generator": generator, "dtype": samples.dtype}
    return {
        "mix": torch.rand(len(samples), **uniform),
        "perturbation": torch.rand(samples.shape, **uniform),
    }


def linear(w):
    return lambda x: x @ w


def quadratic(a=1.0):
    return lambda x: 0.5 * a * x.square().flatten(1).sum(1, keepdim=True)


class SmoothCritic(nn.Module):
    """A small critic with curvature everywhere, so that finite differences hold."""

    def __init__(self, seed, num_inputs=3):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(num_inputs, 5), nn.Tanh(), nn.Linear(5, 1)).double()
        generator = torch.Generator().manual_seed(seed)
        for parameter in self.parameters():
            nn.init.normal_(parameter, generator=generator)

    def forward(self, x):
        return self.layers(x)


# --- golden values ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "wanted", "value"),
    [
        # |w| = 5 for w = (3, 4).
        ("gradient_penalty", 1.0, 16.0),  # (5 - 1)^2
        ("gradient_penalty", 6.0, 1.0),  # (5 - 6)^2
        ("gradient_penalty_one_sided", 1.0, 16.0),
        ("gradient_penalty_one_sided", 6.0, 0.0),  # 5 < 6 costs nothing
        ("dragan", 1.0, 16.0),
        ("dragan", 6.0, 1.0),
        ("r1", 1.0, 12.5),  # 25 / 2
        ("r2", 1.0, 12.5),
        ("r1_r2", 1.0, 25.0),
    ],
)
def test_linear_critic(name, wanted, value):
    real, fake = points([[1.0, 2.0], [0.0, -1.0]]), points([[5.0, 5.0], [1.0, 1.0]])
    h, batch = target(wanted), draws(real)

    def f(w):
        return PENALTIES[name].function(linear(w), real, fake, h, batch)

    w = points([3.0, 4.0])
    assert f(w).shape == ()
    assert f(w).item() == pytest.approx(value, abs=1e-13)
    # d/dw (|w| - t)^2 = 2 (|w| - t) w / |w|;  d/dw |w|^2 / 2 = w
    if name.startswith("r"):
        slope = w * value / 12.5
    elif value == 0.0:
        slope = torch.zeros_like(w)
    else:
        slope = 2 * (5.0 - wanted) * w / 5.0
    torch.testing.assert_close(grad(f)(w), slope, rtol=0, atol=1e-13)


def test_gradient_penalty_is_taken_between_the_pair():
    # x_hat = 0.6 (3, 4) + 0.4 (0, 0) = (1.8, 2.4), norm 3; the second pair's own mix 0.5 gives
    # (0.5 (6, 8) + 0.5 (0, 0)) = (3, 4), norm 5: ((3 - 1)^2 + (5 - 1)^2) / 2 = 10.
    real, fake = points([[3.0, 4.0], [6.0, 8.0]]), torch.zeros(2, 2, dtype=torch.float64)
    batch = {"mix": points([0.6, 0.5])}
    for name in ("gradient_penalty", "gradient_penalty_one_sided"):
        value = PENALTIES[name].function(quadratic(), real, fake, target(1.0), batch)
        assert value.item() == pytest.approx(10.0, abs=1e-13)
    # target 4: two-sided (1 + 1) / 2, one-sided (0 + 1) / 2: the cut is made for each sample.
    two = PENALTIES["gradient_penalty"].function(quadratic(), real, fake, target(4.0), batch)
    one = PENALTIES["gradient_penalty_one_sided"].function(
        quadratic(), real, fake, target(4.0), batch
    )
    assert two.item() == pytest.approx(1.0, abs=1e-13)
    assert one.item() == pytest.approx(0.5, abs=1e-13)


def test_zero_centred_penalties_are_taken_on_their_own_data():
    real, fake = points([[3.0, 4.0], [0.0, 2.0]]), points([[1.0, 0.0], [0.0, 1.0]])
    value = {
        name: PENALTIES[name].function(quadratic(2.0), real, fake, {}, {}).item()
        for name in ("r1", "r2", "r1_r2")
    }
    # Gradient 2 x: r1 = (4 * 25 + 4 * 4) / 2 / 2 = 29;  r2 = (4 + 4) / 2 / 2 = 2
    assert value == pytest.approx({"r1": 29.0, "r2": 2.0, "r1_r2": 31.0}, abs=1e-13)


def test_dragan_perturbs_real_data_by_half_their_deviation():
    # All numbers 0, 0, 2, 2: population sd 1. Points (0, 0) + 0.5 * (0.6, 0.8) = (0.3, 0.4),
    # norm 0.5, and (2, 2) + 0.5 * (0.8, 0) = (2.4, 2), norm sqrt(9.76).
    real, fake = points([[0.0, 0.0], [2.0, 2.0]]), points([[9.0, 9.0], [9.0, 9.0]])
    batch = {"perturbation": points([[0.6, 0.8], [0.8, 0.0]])}
    value = PENALTIES["dragan"].function(quadratic(), real, fake, target(1.0), batch)
    assert value.item() == pytest.approx((0.25 + (9.76**0.5 - 1) ** 2) / 2, abs=1e-13)
    # The deviation is that of all numbers, not of each coordinate: (0, 2), (0, 2) again has
    # sd 1 together, and 0 within each coordinate.
    real = points([[0.0, 2.0], [0.0, 2.0]])
    value = PENALTIES["dragan"].function(quadratic(), real, fake, target(1.0), batch)
    # (0.3, 2.4): norm sqrt(5.85); (0.4, 2): norm sqrt(4.16)
    expected = ((5.85**0.5 - 1) ** 2 + (4.16**0.5 - 1) ** 2) / 2
    assert value.item() == pytest.approx(expected, abs=1e-13)


def test_the_norm_is_over_all_of_a_samples_numbers():
    # One image [2, 2, 2] of ones: norm sqrt(8). Over channels alone it would be sqrt(2).
    real = torch.ones(3, 2, 2, 2, dtype=torch.float64)
    batch = {"mix": points([0.1, 0.5, 0.9]), "perturbation": torch.zeros_like(real)}
    for name in TARGETED:
        value = PENALTIES[name].function(quadratic(), real, real, target(1.0), batch)
        assert value.item() == pytest.approx((8**0.5 - 1) ** 2, abs=1e-13)
    assert PENALTIES["r1"].function(quadratic(), real, real, {}, {}).item() == 4.0  # 8 / 2


@pytest.mark.parametrize("name", NAMES)
def test_any_shape_of_logits(name):
    """[N] and [N, 1] agree, and a patch map counts as the sum of its logits."""
    generator = torch.Generator().manual_seed(3)
    real, fake = torch.randn(2, 4, 2, 3, 3, generator=generator, dtype=torch.float64)
    weight = torch.randn(1, 2, 1, 1, generator=generator, dtype=torch.float64)
    h, batch = target(1.0), draws(real)

    def patch(x):
        return torch.tanh(nn.functional.conv2d(x, weight))  # [N, 1, 3, 3]

    def column(x):
        return patch(x).sum(dim=(1, 2, 3)).unsqueeze(1)  # [N, 1]

    def flat(x):
        return column(x).squeeze(1)  # [N]

    values = [
        PENALTIES[name].function(critic, real, fake, h, batch).item()
        for critic in (patch, column, flat)
    ]
    assert values[0] > 1e-3
    assert values[1] == pytest.approx(values[0], abs=1e-13)
    assert values[2] == pytest.approx(values[0], abs=1e-13)


def test_a_patch_maps_closed_form():
    # D(x) = w x at each of 4 positions: the gradient is (w, w, w, w), its norm 2 |w| = 6.
    real = torch.zeros(2, 1, 2, 2, dtype=torch.float64)
    batch = {"mix": points([0.2, 0.7])}
    value = PENALTIES["gradient_penalty"].function(
        lambda x: 3.0 * x, real, real, target(1.0), batch
    )
    assert value.item() == pytest.approx(25.0, abs=1e-13)


# --- what is drawn ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gradient_penalty", "gradient_penalty_one_sided"])
def test_one_mixing_number_per_sample(name):
    generator = torch.Generator().manual_seed(4)
    real, fake = torch.randn(2, 5, 2, 4, 4, generator=generator, dtype=torch.float64)
    batch = draws(real)
    seen = []

    def critic(x):
        seen.append(torch.func.debug_unwrap(x, recurse=True).detach().clone())
        return x.square().flatten(1).sum(1)

    PENALTIES[name].function(critic, real, fake, target(1.0), batch)
    share = (seen[0] - fake) / (real - fake)  # [N, C, H, W], each pixel's place on its segment
    wanted = batch["mix"].reshape(5, 1, 1, 1).expand_as(share)
    torch.testing.assert_close(share, wanted, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", ["gradient_penalty", "gradient_penalty_one_sided"])
@pytest.mark.parametrize("shape", [(5, 2), (5, 1), (1,), (2,), ()])
def test_another_number_of_mixing_numbers_is_refused(name, shape):
    real = torch.ones(5, 2)
    with pytest.raises(ValueError, match=r"batch\['mix'\].*\(5,\)"):
        PENALTIES[name].function(quadratic(), real, real, target(1.0), {"mix": torch.ones(shape)})


def test_shapes_that_would_broadcast_are_refused():
    real = torch.ones(5, 2)
    with pytest.raises(ValueError, match=r"\(5, 2\).*\(1, 2\)"):
        PENALTIES["gradient_penalty"].function(
            quadratic(), real, real[:1], target(1.0), draws(real)
        )
    with pytest.raises(ValueError, match=r"batch\['perturbation'\].*\(5, 1\).*\(5, 2\)"):
        PENALTIES["dragan"].function(
            quadratic(), real, real, target(1.0), {"perturbation": real[:, :1]}
        )


# --- derivatives and transforms --------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_derivatives_match_finite_differences(name):
    """With respect to the critic's parameters: a double backward, in ordinary autograd."""
    generator = torch.Generator().manual_seed(5)
    real, fake = torch.randn(2, 4, 3, generator=generator, dtype=torch.float64)
    critic = SmoothCritic(seed=6)
    names, parameters = zip(*critic.named_parameters(), strict=True)
    batch = draws(real)

    def f(*values):
        weights = dict(zip(names, values, strict=True))

        def with_weights(x):
            return functional_call(critic, weights, (x,))

        return PENALTIES[name].function(with_weights, real, fake, target(0.3), batch)

    assert f(*parameters).item() > 1e-2
    # The last bias shifts all logits alike: its derivative is zero by nature, the others' not.
    assert torch.autograd.gradcheck(f, parameters)
    slopes = torch.autograd.grad(f(*parameters), parameters, allow_unused=True)
    assert all(slope.abs().max() > 1e-4 for slope in slopes[:-1])


@pytest.mark.parametrize("name", NAMES)
def test_the_transforms_derivative_is_ordinary_autograds(name):
    generator = torch.Generator().manual_seed(7)
    real, fake = torch.randn(2, 4, 3, generator=generator, dtype=torch.float64)
    critic = SmoothCritic(seed=8)
    h, batch = target(0.3), draws(real)
    penalty = PENALTIES[name].function

    value = penalty(critic, real, fake, h, batch)
    value.backward()

    weights = {key: p.detach().clone() for key, p in critic.named_parameters()}
    slopes, again = grad_and_value(
        lambda w: penalty(lambda x: functional_call(critic, w, (x,)), real, fake, h, batch)
    )(weights)
    torch.testing.assert_close(again, value.detach(), rtol=0, atol=1e-14)
    for key, parameter in critic.named_parameters():
        ordinary = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        torch.testing.assert_close(slopes[key], ordinary, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_replicas_equal_a_loop(name):
    """Each with its own critic, data, draws and target; values and derivatives."""
    num_seeds = 3
    generator = torch.Generator().manual_seed(9)
    real, fake = torch.randn(2, num_seeds, 4, 3, generator=generator, dtype=torch.float64)
    critics = [SmoothCritic(seed=seed) for seed in range(num_seeds)]
    weights, _ = stack_module_state(critics)
    weights = {key: value.detach() for key, value in weights.items()}
    h = {"penalty.target": points([0.3, 1.0, 2.0])}
    each = [draws(real[s], seed=s) for s in range(num_seeds)]
    batch = {key: torch.stack([draw[key] for draw in each]) for key in each[0]}

    def f(weights, real, fake, h, batch):
        def critic(x):
            return functional_call(critics[0], weights, (x,))

        return PENALTIES[name].function(critic, real, fake, h, batch)

    both = grad_and_value(f)
    slopes, values = vmap(both)(weights, real, fake, h, batch)
    assert values.shape == (num_seeds,)
    for s in range(num_seeds):
        own = [{k: v[s] for k, v in group.items()} for group in (weights, h, batch)]
        slope, value = both(own[0], real[s], fake[s], own[1], own[2])
        torch.testing.assert_close(values[s], value, rtol=0, atol=1e-13)
        for key, found in slope.items():
            torch.testing.assert_close(slopes[key][s], found, rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", NAMES)
def test_stacked_parameters_under_ordinary_autograd(name):
    """The sum over replicas of a vmapped penalty, differentiated by `backward`."""
    generator = torch.Generator().manual_seed(10)
    real, fake = torch.randn(2, 2, 4, 3, generator=generator, dtype=torch.float64)
    w = torch.randn(2, 3, 1, generator=generator, dtype=torch.float64, requires_grad=True)
    h, each = target(0.3), [draws(real[s], seed=s) for s in range(2)]
    batch = {key: torch.stack([draw[key] for draw in each]) for key in each[0]}

    def f(w, real, fake, batch):
        return PENALTIES[name].function(lambda x: torch.tanh(x @ w), real, fake, h, batch)

    (found,) = torch.autograd.grad(vmap(f)(w, real, fake, batch).sum(), w)
    for s in range(2):
        expected = grad(f)(w[s].detach(), real[s], fake[s], each[s])
        torch.testing.assert_close(found[s], expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", NAMES)
def test_a_critic_without_slope_has_a_finite_derivative(name, dtype):
    real, fake = torch.ones(4, 3, dtype=dtype), torch.zeros(4, 3, dtype=dtype)
    h = {"penalty.target": torch.tensor(2.0, dtype=dtype)}
    batch = draws(real)
    w = torch.zeros(3, dtype=dtype, requires_grad=True)

    def f(w):
        return PENALTIES[name].function(linear(w), real, fake, h, batch)

    value = f(w)
    value.backward()
    # |w| = 0: (0 - 2)^2 two-sided, else nothing; 0 is a subgradient of the norm at 0.
    assert value.item() == (4.0 if name in ("gradient_penalty", "dragan") else 0.0)
    assert torch.equal(w.grad, torch.zeros_like(w))
    # A flat replica beside a steep one does not spoil it.
    stacked = torch.stack([torch.zeros(3, dtype=dtype), torch.full((3,), 2.0, dtype=dtype)])
    slopes = vmap(grad(f))(stacked)
    assert torch.equal(slopes[0], torch.zeros_like(w))
    torch.testing.assert_close(slopes[1], grad(f)(stacked[1]))
    assert slopes[1].abs().min() > 0.1
    # The derivative of the derivative is finite as well.
    assert torch.func.jacrev(grad(f))(w.detach()).isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_the_value_is_available_without_a_graph(name):
    real, fake = points([[3.0, 4.0]]), points([[1.0, 1.0]])
    f = PENALTIES[name].function
    expected = f(quadratic(), real, fake, target(1.0), draws(real))
    with torch.no_grad():
        found = f(quadratic(), real, fake, target(1.0), draws(real))
    assert found.item() == expected.item()
    assert found.item() > 0.1


# --- the registry ----------------------------------------------------------------------------


def test_the_registry():
    assert {name: (p.draws, p.numbers) for name, p in PENALTIES.items()} == {
        "gradient_penalty": (("mix",), ("target",)),
        "gradient_penalty_one_sided": (("mix",), ("target",)),
        "r1": ((), ()),
        "r2": ((), ()),
        "r1_r2": ((), ()),
        "dragan": (("perturbation",), ("target",)),
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_penalty_reads_what_it_declares_and_no_more(name):
    penalty = PENALTIES[name]
    real, fake = points([[3.0, 4.0], [0.0, 1.0]]), points([[1.0, 1.0], [2.0, 2.0]])
    batch = {key: value for key, value in draws(real).items() if key in penalty.draws}
    h = {f"penalty.{key}": torch.tensor(1.0) for key in penalty.numbers}
    assert penalty.function(quadratic(), real, fake, h, batch).isfinite()
    for key in penalty.draws:
        with pytest.raises(KeyError, match=key):
            penalty.function(quadratic(), real, fake, h, {})
    for key in penalty.numbers:
        with pytest.raises(KeyError, match=f"penalty.{key}"):
            penalty.function(quadratic(), real, fake, {}, batch)
