"""Rewrites a traced step so that features, not samples, are the outer dimension of its rows.

Perceptrons map [S, N, d] to [S, N, h]; computed as (W x')' both ends are transposed views. Between
two layers stand element-wise operations, which do not care: moved before them, the transpositions
meet and vanish, and what is left reads and writes memory in order. Nothing else changes: the same
numbers go through the same operations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.fx import Graph, GraphModule, Node

aten = torch.ops.aten
_ELEMENTWISE = frozenset(
    {
        aten._to_copy, aten.abs, aten.add, aten.clamp, aten.clamp_max, aten.clamp_min, aten.div,
        aten.elu, aten.elu_backward, aten.eq, aten.exp, aten.ge, aten.gt, aten.le, aten.leaky_relu,
        aten.leaky_relu_backward, aten.log, aten.log1p, aten.lt, aten.maximum, aten.minimum,
        aten.mul, aten.neg, aten.ones_like, aten.pow, aten.reciprocal, aten.relu, aten.sigmoid,
        aten.sigmoid_backward, aten.softplus, aten.softplus_backward, aten.sqrt, aten.sub,
        aten.tanh, aten.tanh_backward, aten.threshold_backward, aten.where, aten.zeros_like,
    }
)  # fmt: skip
_SAME_SHAPE = frozenset({aten.alias, aten.detach, aten.expand, aten.view, aten._unsafe_view})


def features_outermost(traced: GraphModule) -> GraphModule:
    """The same step, its transpositions moved through element-wise operations until they meet."""
    graph = traced.graph
    nodes: list[Any] = list(graph.nodes)
    for node in nodes:
        if node.op != "call_function":
            continue
        packet = getattr(node.target, "overloadpacket", None)
        if packet in _SAME_SHAPE and _shape(node) == _shape(node.args[0]):
            node.replace_all_uses_with(node.args[0])
        elif _is_transpose(node) and _is_transpose(node.args[0]):
            node.replace_all_uses_with(node.args[0].args[0])
        elif packet is aten.bmm:
            _swap(graph, node)
        elif packet in _ELEMENTWISE:
            _move(graph, node, lambda each: each)
        elif packet in (aten.cat, aten.slice) and _dimension(node) == 1:
            _move(graph, node, _along_last)
    graph.eliminate_dead_code()
    traced.recompile()
    return traced


def _shape(value: Any) -> tuple[int, ...] | None:
    meta: Any = value.meta.get("tensor_meta") if isinstance(value, Node) else None
    return tuple(meta.shape) if hasattr(meta, "shape") else None


def _is_rows(value: Any) -> bool:
    """Whether a node is a stack of rows, [S, N, d]."""
    shape = _shape(value)
    return shape is not None and len(shape) == 3


def _is_transpose(value: Any) -> bool:
    return bool(
        hasattr(value, "target")
        and value.target is aten.transpose.int
        and _is_rows(value)
        and {dim % 3 for dim in value.args[1:]} == {1, 2}
    )


def _dimension(node: Any) -> int | None:
    dim = node.args[1] if len(node.args) > 1 else 0
    return dim % 3 if _is_rows(node) and isinstance(dim, int) else None


def _along_last(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments of `cat` and `slice` for dimension 2 instead of 1."""
    return (arguments[0], 2, *arguments[2:])


def _swap(graph: Graph, node: Any) -> None:
    """Take the product of a line and a transposed matrix as (matrix line')', along memory."""
    line, matrix = node.args
    if (_shape(line) or (0, 0))[1] != 1 or not _is_transpose(matrix):
        return
    with graph.inserting_before(node):
        column = _turned(graph, line)
        made = graph.call_function(aten.bmm.default, (matrix.args[0], column))
        _note(made, node)
        back = graph.call_function(aten.transpose.int, (made, 1, 2))
        back.meta = dict(node.meta)
    node.replace_all_uses_with(back)


def _move(graph: Graph, node: Any, changed: Callable[[tuple[Any, ...]], tuple[Any, ...]]) -> None:
    """Let an operation work on transposed operands, and transpose what it gives."""
    if not _is_rows(node):
        return
    operands = [each for each in node.all_input_nodes if _is_rows(each)]
    if not any(map(_is_transpose, operands)) or not all(map(_turns, operands)):
        return
    others = [each for each in node.all_input_nodes if each not in operands]
    if any(
        (_shape(each) or ()) != () for each in others
    ):  # of fewer dimensions: aligned at the end
        return
    with graph.inserting_before(node):
        turned = {each: _turned(graph, each) for each in operands}
        arguments = torch.fx.map_arg(node.args, lambda each: turned.get(each, each))
        made = graph.call_function(
            node.target,
            changed(arguments),
            torch.fx.map_arg(node.kwargs, lambda each: turned.get(each, each)),
        )
        _note(made, node)
        back = graph.call_function(aten.transpose.int, (made, 1, 2))
        back.meta = dict(node.meta)
    node.replace_all_uses_with(back)


def _turns(value: Node) -> bool:
    """Whether transposing costs nothing: a transposition already, features outermost, or a line."""
    if _is_transpose(value):
        return True
    meta = value.meta["tensor_meta"]
    return 1 in meta.shape[1:] or meta.stride[1] < meta.stride[2]


def _turned(graph: Graph, value: Any) -> Node:
    if _is_transpose(value):
        source: Node = value.args[0]
        return source
    made = graph.call_function(aten.transpose.int, (value, 1, 2))
    _note(made, value)
    return made


def _note(made: Node, of: Node) -> None:
    """What is known of a node that is another one transposed."""
    meta = of.meta["tensor_meta"]
    seeds, rows, columns = meta.shape
    strides = (meta.stride[0], meta.stride[2], meta.stride[1])
    shape = torch.Size((seeds, columns, rows))
    made.meta = {"tensor_meta": meta._replace(shape=shape, stride=strides)}
