"""Second derivatives without ReLUs' zeros: the same numbers, less to compute."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gan_runner.losses.penalties import r1
from gan_runner.losses.straight import STRAIGHT, StraightLines

SHAPE = (4, 3)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    "function",
    [
        F.relu,
        F.leaky_relu,
        lambda x: F.leaky_relu(x, 0.3),
        lambda x: F.leaky_relu(x, negative_slope=0.3),
        nn.ReLU(inplace=True),
        nn.LeakyReLU(0.1, inplace=True),
    ],
)
def test_value_and_slope_are_pytorchs(
    function: Callable[[Tensor], Tensor], dtype: torch.dtype
) -> None:
    given = torch.tensor([-2.0, -0.7, 0.0, 0.3, 5.0], dtype=dtype)

    def value_and_slope() -> tuple[Tensor, Tensor]:
        x = given.clone().requires_grad_()
        made = function(x * 1.0)  # in place only what is no leaf
        (slope,) = torch.autograd.grad(made.sum(), x)
        return made.detach(), slope

    expected = value_and_slope()
    with StraightLines():
        found = value_and_slope()
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == dtype
        assert torch.equal(ours, theirs)


def critic() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(3, 5), nn.LeakyReLU(0.2, inplace=True), nn.Linear(5, 5), nn.ReLU(),
        nn.Linear(5, 1), nn.Softplus(),
    ).double()  # fmt: skip


def test_a_penaltys_gradient_is_autograds() -> None:
    network, real = critic(), torch.randn(SHAPE, dtype=torch.float64)
    parameters = list(network.parameters())
    ours = torch.autograd.grad(r1(network, real, real, {}, {}), parameters)
    x = real.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(network(x).sum(), x, create_graph=True)
    theirs = torch.autograd.grad(0.5 * gradient.square().sum(1).mean(), parameters)
    for mine, autograds in zip(ours, theirs, strict=True):
        assert torch.allclose(mine, autograds, rtol=1e-12, atol=0)
        assert mine.abs().sum() > 0  # Softplus bends, so biases count too


def test_no_zeros_are_carried_back() -> None:
    network = critic()[:5]  # straight lines alone
    real = torch.randn(SHAPE, dtype=torch.float64)
    names, parameters = zip(*network.named_parameters(), strict=True)
    found = torch.autograd.grad(r1(network, real, real, {}, {}), parameters, allow_unused=True)
    for name, gradient in zip(names, found, strict=True):
        assert (gradient is None) == name.endswith("bias")


def test_nothing_is_replaced_outside() -> None:
    with StraightLines():
        pass
    made = F.relu(torch.ones(1, requires_grad=True))
    assert type(made.grad_fn).__name__ == "ReluBackward0"
    assert set(STRAIGHT) == {F.relu, F.leaky_relu}
