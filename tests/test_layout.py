"""Moving transpositions: fewer of them, and the same numbers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, stack_module_state, vmap
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx

from gan_runner.layout import features_outermost

aten = torch.ops.aten
S, N = 3, 7


def values(*shapes: tuple[int, ...]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]


def traced(function: Callable[..., Tensor], inputs: list[Tensor]) -> GraphModule:
    """With shapes noted at each node, as a step's trace has them."""
    graph = make_fx(function)(*inputs)
    torch.fx.passes.shape_prop.ShapeProp(graph).propagate(*inputs)  # type: ignore[no-untyped-call]
    return graph


def count(graph: GraphModule, target: object = aten.transpose.int) -> int:
    return sum(node.target is target for node in graph.graph.nodes)


def rewritten(function: Callable[..., Tensor], inputs: list[Tensor]) -> tuple[int, int]:
    """The numbers of transpositions before and after; what is computed must stay, to the bit."""
    graph = traced(function, inputs)
    before, expected = count(graph), function(*inputs)
    found = features_outermost(graph)(*inputs)
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-13)
    return before, count(graph)


def turned(x: Tensor) -> Tensor:
    return x.transpose(1, 2)


def test_two_transpositions_meet() -> None:
    inputs = values((S, N, 4))
    assert rewritten(lambda x: turned(turned(x)) + 1, inputs) == (2, 0)
    assert rewritten(lambda x: x.transpose(-1, -2).transpose(2, 1) + 1, inputs) == (2, 0)


@pytest.mark.parametrize(
    "between",
    [
        torch.relu,
        lambda x: torch.nn.functional.leaky_relu(x, 0.2) * 2.0 + 1.0,
        lambda x: torch.tanh(x) * torch.sigmoid(x),
        lambda x: torch.where(x > 0, x, -x),
        lambda x: torch.nn.functional.softplus(x).neg(),
    ],
)
def test_they_meet_through_elementwise_operations(between: Callable[[Tensor], Tensor]) -> None:
    assert rewritten(lambda x: turned(between(turned(x))), values((S, 4, N))) == (2, 0)


def test_rows_that_are_joined_and_parted() -> None:
    """D's real and generated samples pass in one call."""

    def step(x: Tensor, y: Tensor) -> Tensor:
        both = torch.cat([turned(x), turned(y)], 1)
        return turned(torch.relu(both)[:, 2:9])

    assert rewritten(step, values((S, 4, N), (S, 4, N))) == (3, 0)


def test_a_line_times_a_transposed_matrix() -> None:
    """The gradient of a bias: a line of ones times rows that lie as columns."""

    def step(line: Tensor, x: Tensor) -> Tensor:
        return turned(torch.bmm(line, turned(x)))

    before, after = rewritten(step, values((S, 1, N), (S, 4, N)))
    graph = features_outermost(traced(step, values((S, 1, N), (S, 4, N))))
    (product,) = [node for node in graph.graph.nodes if node.target is aten.bmm.default]
    assert product.args[0].op == "placeholder"  # the matrix, as it lies
    assert after <= before


@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        # A vector is aligned with the last dimension, which a transposition would change.
        (lambda x, b: turned(torch.relu(turned(x) + b)), [(S, 4, N), (4,)]),
        # A stack of rows in memory's order is not turned for the sake of another.
        (lambda x, y: torch.relu(turned(x) + y), [(S, 4, N), (S, N, 4)]),
        # Along other dimensions than rows.
        (lambda x: turned(torch.cat([turned(x), turned(x)], 2)), [(S, 4, N)]),
        (lambda x: turned(turned(x).sum(1, keepdim=True).expand(S, N, 4)), [(S, 4, N)]),
        (lambda x: x.transpose(0, 1).transpose(1, 2), [(S, 4, N)]),
        # Images and vectors are none of its business.
        (lambda x: torch.relu(x.transpose(1, 3)).transpose(1, 3), [(S, 4, N, 2)]),
        (lambda x: torch.relu(x.transpose(0, 1)).transpose(0, 1), [(4, N)]),
    ],
)
def test_what_stays(function: Callable[..., Tensor], shapes: list[tuple[int, ...]]) -> None:
    before, after = rewritten(function, values(*shapes))
    assert before == after > 0


def test_a_line_that_is_broadcast() -> None:
    """A bias of every replica, [S, 1, d], turns for nothing; a scalar does not turn at all."""
    biased = values((S, 4, N), (S, 1, 4))
    graph = features_outermost(traced(lambda x, b: turned(torch.relu(turned(x) + b)), biased))
    torch.testing.assert_close(
        graph(*biased), torch.relu(biased[0] + turned(biased[1])), rtol=0, atol=0
    )
    scaled = [*values((S, 4, N)), torch.tensor(2.0, dtype=torch.float64)]
    assert rewritten(lambda x, s: turned(torch.relu(turned(x) * s)), scaled) == (2, 0)


def test_a_whole_step_of_perceptrons() -> None:
    """Gradients of stacked networks in both layouts, and most transpositions gone."""
    torch.manual_seed(0)
    networks = [
        nn.Sequential(nn.Linear(5, 8), nn.LeakyReLU(0.2), nn.Linear(8, 6), nn.Tanh(),
                      nn.Linear(6, 1)).double()
        for _ in range(S)
    ]  # fmt: skip
    parameters, buffers = stack_module_state(networks)  # type: ignore[arg-type]
    names = list(parameters)

    def loss(own: dict[str, Tensor], x: Tensor) -> Tensor:
        return nn.functional.softplus(functional_call(networks[0], own, (x,))).mean()

    def step(x: Tensor, *own: Tensor) -> list[Tensor]:
        gradients, value = vmap(grad_and_value(loss))(dict(zip(names, own, strict=True)), x)
        return [value, *gradients.values()]

    inputs = [*values((S, N, 5)), *(each.detach() for each in parameters.values())]
    graph = make_fx(step)(*inputs)
    torch.fx.passes.shape_prop.ShapeProp(graph).propagate(*inputs)  # type: ignore[no-untyped-call]
    before = count(graph)
    found = features_outermost(graph)(*inputs)
    for one, other in zip(found, step(*inputs), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    assert count(graph) < before
    assert buffers == {}


def test_what_is_written_in_place_stays_written() -> None:
    """A trace has no output for weights that an optimizer moved: they are in their tensors."""

    def step(x: Tensor, w: Tensor) -> Tensor:
        w.add_(turned(turned(x)))
        return w.sum()

    x, w = values((S, N, 4), (S, N, 4))
    expected = w + x
    features_outermost(traced(step, [x, w.clone()]))(x, w)
    torch.testing.assert_close(w, expected, rtol=0, atol=0)
