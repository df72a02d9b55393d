"""Spectral normalisation: sigma against the SVD, its gradient, purity, and what is normalised."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from gan_runner.networks.conditioning import ConditionalBatchNorm2d, JoinedLatent, Projection
from gan_runner.networks.spectral import (
    SpectralNormalisation,
    finished,
    has_spectral,
    iterate,
    normalise_weights,
)
from gan_runner.networks.upsampling import PooledConv2d, TransposedConv2d, UpsampledConv2d
from gan_runner.streams import seeded_globally

# Each layer, and the dimension of its weight that counts outputs.
LAYERS = {
    "linear": (lambda: nn.Linear(5, 7), 0),
    "conv": (lambda: nn.Conv2d(3, 6, 4, 2, 1), 0),
    "transposed": (lambda: TransposedConv2d(3, 6), 1),
    "upsampled": (lambda: UpsampledConv2d(3, 6), 0),
    "pooled": (lambda: PooledConv2d(3, 6), 0),
    "projection": (lambda: Projection(9, 4), 0),
}
EACH = pytest.mark.parametrize("name", LAYERS)


def made(name: str) -> tuple[nn.Module, int]:
    build, outputs = LAYERS[name]
    with seeded_globally(0):
        return normalise_weights(build().double()), outputs


def original(layer: nn.Module) -> Tensor:
    return layer.parametrizations.weight.original  # type: ignore[union-attr, return-value]


def step_of(layer: nn.Module) -> SpectralNormalisation:
    return layer.parametrizations.weight[0]  # type: ignore[union-attr, index, return-value]


def largest(weight: Tensor, outputs: int) -> Tensor:
    matrix = weight.detach().movedim(outputs, 0).flatten(1)
    return torch.linalg.svdvals(matrix)[0]


@EACH
def test_the_weight_over_its_largest_singular_value(name: str) -> None:
    layer, outputs = made(name)
    iterate(layer, 500)
    sigma = largest(original(layer), outputs)
    torch.testing.assert_close(layer.weight, original(layer) / sigma, rtol=1e-9, atol=1e-12)
    assert float(largest(layer.weight, outputs)) == pytest.approx(1, abs=1e-9)  # type: ignore[arg-type]


@EACH
def test_the_first_iterations_come_close(name: str) -> None:
    layer, outputs = made(name)
    assert float(largest(layer.weight, outputs)) == pytest.approx(1, rel=0.05)  # type: ignore[arg-type]
    assert float(largest(layer.weight, outputs)) >= 1 - 1e-12  # type: ignore[arg-type]


def test_u_and_v_are_unit_singular_vectors() -> None:
    layer, _ = made("conv")
    iterate(layer, 500)
    step, matrix = step_of(layer), original(layer).detach().permute(0, 2, 3, 1).flatten(1)
    sigma = largest(original(layer), 0)
    torch.testing.assert_close(matrix @ step.v, sigma * step.u)
    torch.testing.assert_close(matrix.T @ step.u, sigma * step.v)
    assert float(step.u.norm()) == pytest.approx(1)
    assert step.v.shape == (3 * 16,)


def test_one_iteration_follows_algorithm_1() -> None:
    layer, _ = made("linear")
    step, matrix = step_of(layer), original(layer).detach()
    with torch.no_grad():
        step.u.copy_(torch.eye(7)[0])
    iterate(layer)
    v = matrix[0] / matrix[0].norm()
    u = matrix @ v / (matrix @ v).norm()
    torch.testing.assert_close(step.v, v)
    torch.testing.assert_close(step.u, u)
    torch.testing.assert_close(layer.weight, matrix / (u @ matrix @ v))


def test_the_gradient_passes_through_sigma() -> None:
    """Equation 12: (dL/dW_SN - <dL/dW_SN, W_SN> u v') / sigma."""
    layer, _ = made("linear")
    iterate(layer, 500)
    step, outer = step_of(layer), torch.randn(7, 5, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((layer.weight * outer).sum(), original(layer))  # type: ignore[operator]
    normalised = layer.weight.detach()  # type: ignore[union-attr, operator]
    inner = (outer * normalised).sum()
    sigma = largest(original(layer), 0)
    wanted = (outer - inner * torch.outer(step.u, step.v)) / sigma
    torch.testing.assert_close(gradient, wanted)


def network() -> nn.Module:
    with seeded_globally(0):
        inner = nn.Sequential(nn.Conv2d(1, 4, 4, 2, 1), nn.LeakyReLU(0.2), nn.Flatten())
        return normalise_weights(nn.Sequential(inner, nn.Linear(64, 1)).double())


def test_the_forward_pass_changes_no_buffer() -> None:
    net = network()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    for _ in range(2):
        net(torch.randn(2, 1, 8, 8, dtype=torch.float64)).sum().backward()
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_inside_func_grad_and_differentiable_once_more() -> None:
    net, x = network(), torch.randn(3, 1, 8, 8, dtype=torch.float64)
    inner = torch.func.grad(lambda x: net(x).sum())(x)
    leaf = x.clone().requires_grad_()
    (wanted,) = torch.autograd.grad(net(leaf).sum(), leaf, create_graph=True)
    torch.testing.assert_close(inner, wanted)
    for got, known in zip(
        torch.autograd.grad(inner.square().sum(), list(net.parameters()), allow_unused=True),
        torch.autograd.grad(wanted.square().sum(), list(net.parameters()), allow_unused=True),
        strict=True,
    ):
        assert (got is None) == (known is None)  # biases
        if got is not None and known is not None:
            torch.testing.assert_close(got, known)


def test_under_vmap_each_replica_is_its_solo() -> None:
    nets = [network(), network()]
    with torch.no_grad():
        for parameter in nets[1].parameters():
            parameter.add_(0.3)
    iterate(nets[1], 3)
    parameters, buffers = torch.func.stack_module_state(nets)
    x = torch.randn(2, 3, 1, 8, 8, dtype=torch.float64)

    def call(parameters: Any, buffers: Any, x: Tensor) -> Tensor:
        out: Tensor = torch.func.functional_call(nets[0], (parameters, buffers), (x,))
        return out

    out = torch.func.vmap(call)(parameters, buffers, x)
    for each, net in enumerate(nets):
        torch.testing.assert_close(out[each], net(x[each]))


def test_copies_and_states() -> None:
    net = network()
    twin, other = copy.deepcopy(net), network()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1)
    iterate(net, 2)
    x = torch.randn(2, 1, 8, 8, dtype=torch.float64)
    assert not torch.equal(twin(x), net(x))
    other.load_state_dict(net.state_dict())
    assert torch.equal(other(x), net(x))


def test_dtype_and_device_follow() -> None:
    with torch.device("meta"):
        net = normalise_weights(nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 1, 3)))
    assert net(torch.empty(2, 1, 8, 8, device="meta")).device.type == "meta"
    iterate(net)
    low = network().float()
    assert low(torch.randn(2, 1, 8, 8)).dtype is torch.float32
    assert step_of(low[1]).u.dtype is torch.float32  # type: ignore[index]


def test_both_memory_layouts_have_one_sigma() -> None:
    for name in ("conv", "transposed", "upsampled"):
        layer, _ = made(name)
        wanted = layer.weight.detach().clone()  # type: ignore[union-attr, operator]
        layer.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        torch.testing.assert_close(layer.weight.detach(), wanted)  # type: ignore[union-attr, operator]
        iterate(layer)


def test_what_is_normalised_and_what_is_not() -> None:
    net = nn.ModuleList(
        [nn.Linear(3, 3), nn.BatchNorm2d(3), ConditionalBatchNorm2d(3, 4), Projection(3, 4),
         JoinedLatent(3, 4, "embedding"), nn.GroupNorm(1, 3)]
    )  # fmt: skip
    assert not has_spectral(net)
    normalise_weights(net)
    assert has_spectral(net)
    held = [name for name, each in net.named_modules() if parametrize.is_parametrized(each)]
    assert held == ["0", "3"]


def test_finished_draws_first_and_normalises_after() -> None:
    section = {"initialisation": "normal", "spectral": True}
    with seeded_globally(0):
        plain = finished(nn.Linear(50, 60), {**section, "spectral": False})
        spectral = finished(nn.Linear(50, 60), section)
    assert not has_spectral(plain)
    assert float(original(spectral).detach().std()) == pytest.approx(0.02, rel=0.05)
    assert float(largest(spectral.weight, 0)) == pytest.approx(1, rel=0.05)  # type: ignore[arg-type]
    with seeded_globally(0):
        finished(nn.Linear(50, 60), {**section, "spectral": False})
        again = finished(nn.Linear(50, 60), section)
    assert torch.equal(step_of(again).u, step_of(spectral).u)
