"""Activations by name."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "elu": nn.ELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
    "identity": nn.Identity,
}


def activation(name: str, slope: float, *, in_place: bool = False) -> nn.Module:
    """The activation of a name; `slope` is LeakyReLU's.

    `in_place` lets the two ReLUs write over their input, which nothing else may then need: large
    maps cost more to move than to compute.
    """
    if name == "leaky_relu":
        return nn.LeakyReLU(slope, inplace=in_place)
    return nn.ReLU(inplace=in_place) if name == "relu" else ACTIVATIONS[name]()
