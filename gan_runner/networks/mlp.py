"""Multi-layer perceptrons."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

from torch import Tensor, nn

from gan_runner.networks.dropout import Dropout
from gan_runner.networks.initialisation import initialise

Shape = tuple[int, ...]

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "elu": nn.ELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
    "identity": nn.Identity,
}


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


def _activation(name: str, slope: float) -> nn.Module:
    return nn.LeakyReLU(slope) if name == "leaky_relu" else ACTIVATIONS[name]()


def _hidden(section: Mapping[str, Any], inputs: int, outputs: int) -> list[nn.Module]:
    norm = section["norm"]
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
        layers.append(_activation(section["activation"], section["slope"]))
    if section["dropout"] > 0:
        layers.append(Dropout(section["dropout"]))
    return layers


def mlp(section: Mapping[str, Any], inputs: Shape, outputs: Shape) -> nn.Module:
    """A perceptron from flattened `inputs` to `outputs`, by a `schema.Mlp` section.

    Returns:
        A module [N, *inputs] -> [N, *outputs].
    """
    width = prod(inputs)
    layers: list[nn.Module] = [nn.Flatten()] if len(inputs) > 1 else []
    for units in section["widths"]:
        layers += _hidden(section, width, units)
        width = units
    layers.append(nn.Linear(width, prod(outputs)))
    if section["output"] != "identity":
        layers.append(_activation(section["output"], section["slope"]))
    if len(outputs) > 1:
        layers.append(nn.Unflatten(1, outputs))
    return initialise(Perceptron(*layers), section["initialisation"])


class MlpFamily:
    """The registered family `mlp`: a section has one `schema.Mlp` a role."""

    @staticmethod
    def generator(section: Mapping[str, Any], inputs: Shape, outputs: Shape) -> nn.Module:
        """[N, *inputs] -> [N, *outputs]."""
        return mlp(section["generator"], inputs, outputs)

    @staticmethod
    def discriminator(section: Mapping[str, Any], inputs: Shape) -> nn.Module:
        """[N, *inputs] -> logits [N, 1]."""
        return mlp(section["discriminator"], inputs, (1,))
