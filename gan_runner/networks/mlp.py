"""Multi-layer perceptrons."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from gan_runner.networks.activations import activation
from gan_runner.networks.conditioning import one_hot
from gan_runner.networks.dropout import Dropout
from gan_runner.networks.spectral import finished

Section = Mapping[str, Any]
Shape = tuple[int, ...]


class Maxout(nn.Module):
    """The largest of `pieces` linear maps, unit by unit (Goodfellow et al. 2013)."""

    def __init__(self, inputs: int, outputs: int, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces
        self.linear = nn.Linear(inputs, outputs * pieces)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs] -> [N, outputs]."""
        maps: Tensor = self.linear(x)
        return maps.reshape(len(x), -1, self.pieces).amax(-1)  # [N, outputs, pieces]


class Perceptron(nn.Sequential):
    """Layers one after the other, with less ado than `nn.Sequential` makes about each call."""

    def forward(self, x: Tensor) -> Tensor:
        """Like `nn.Sequential`'s; a layer without hooks is entered directly."""
        for layer in self._modules.values():
            assert layer is not None
            hooked = layer._forward_hooks or layer._forward_pre_hooks or layer._backward_hooks
            x = layer(x) if hooked else layer.forward(x)
        return x


class Conditional(nn.Module):
    """A perceptron that sees its flattened input with the class joined to it, a one among zeros.

    Source: Mirza and Osindero 2014.
    """

    def __init__(self, layers: nn.Module, num_classes: int) -> None:
        super().__init__()
        self.layers = layers
        self.num_classes = num_classes

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        """[N, *inputs] and labels [N] -> [N, *outputs]."""
        x = x.flatten(1)
        out: Tensor = self.layers(torch.cat([x, one_hot(label, self.num_classes, x)], 1))
        return out


class Trunk(Perceptron):
    """The hidden layers alone: [N, *inputs] -> [N, num_features]."""

    def __init__(self, *layers: nn.Module, num_features: int) -> None:
        super().__init__(*layers)
        self.num_features = num_features


def _hidden(section: Section, inputs: int, outputs: int, *, first: bool) -> list[nn.Module]:
    norm = section["norm"] if section["norm_first"] or not first else "none"
    if section["activation"] == "maxout":
        layers: list[nn.Module] = [Maxout(inputs, outputs, section["maxout_pieces"])]
    else:
        # A bias before a normalisation has no gradient, only rounding noise that Adam amplifies.
        layers = [nn.Linear(inputs, outputs, bias=norm != "batch")]
    if norm == "batch":
        layers.append(nn.BatchNorm1d(outputs))
    elif norm == "layer":
        layers.append(nn.LayerNorm(outputs))
    if section["activation"] != "maxout":
        layers.append(activation(section["activation"], section["slope"]))
    if section["dropout"] > 0:
        layers.append(Dropout(section["dropout"]))
    return layers


def _body(section: Section, inputs: Shape, joined: int = 0) -> list[nn.Module]:
    """A flattening where it is needed, and the hidden layers."""
    layers: list[nn.Module] = [nn.Flatten()] if len(inputs) > 1 and not joined else []
    widths = [prod(inputs) + joined, *section["widths"]]
    for place, (before, after) in enumerate(pairwise(widths)):
        layers += _hidden(section, before, after, first=place == 0)
    return layers


def _width(section: Section, inputs: Shape, joined: int = 0) -> int:
    """Units of the last hidden layer, or of the input where there is none."""
    return int(section["widths"][-1]) if section["widths"] else prod(inputs) + joined


def mlp(
    section: Section, inputs: Shape, outputs: Shape, num_classes: int | None = None
) -> nn.Module:
    """A perceptron from flattened `inputs` to `outputs`, by a `schema.Mlp` section.

    Returns:
        A module [N, *inputs] -> [N, *outputs]; with `num_classes` it takes labels [N] too.
    """
    joined = num_classes or 0
    layers = _body(section, inputs, joined)
    layers.append(nn.Linear(_width(section, inputs, joined), prod(outputs)))
    if section["output"] != "identity":
        layers.append(activation(section["output"], section["slope"]))
    if len(outputs) > 1:
        layers.append(nn.Unflatten(1, outputs))
    network: nn.Module = Perceptron(*layers)
    if num_classes is not None:
        network = Conditional(network, num_classes)
    return finished(network, section)


class MlpFamily:
    """The registered family `mlp`: a section has one `schema.Mlp` a role."""

    @staticmethod
    def generator(
        section: Section, inputs: Shape, outputs: Shape, num_classes: int | None = None
    ) -> nn.Module:
        """[N, *inputs] (and labels [N]) -> [N, *outputs]."""
        return mlp(section["generator"], inputs, outputs, num_classes)

    @staticmethod
    def discriminator(section: Section, inputs: Shape, num_classes: int | None = None) -> nn.Module:
        """[N, *inputs] (and labels [N]) -> logits [N, 1]."""
        return mlp(section["discriminator"], inputs, (1,), num_classes)

    @staticmethod
    def trunk(section: Section, inputs: Shape) -> nn.Module:
        """[N, *inputs] -> features [N, num_features]."""
        own = section["discriminator"]
        network = Trunk(*_body(own, inputs), num_features=_width(own, inputs))
        return finished(network, own)
