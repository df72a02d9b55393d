"""Optimizers of small networks: one vector that all parameters are views of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

Gradients = Sequence[Tensor | None]
Section = Mapping[str, Any]


def shaped(vector: Tensor, parameters: Sequence[nn.Parameter]) -> list[Tensor]:
    """A vector [P] as tensors of the parameters' shapes, each in the common order."""
    parts = torch.split(vector, [parameter.numel() for parameter in parameters])
    return [part.view(each.shape) for part, each in zip(parts, parameters, strict=True)]


def _memory_order(tensor: Tensor) -> tuple[int, ...] | None:
    """The dimensions of a tensor as they lie in memory; None for the common order."""
    if tensor.is_contiguous():
        return None
    strides = tensor.stride()
    return tuple(sorted(range(len(strides)), key=lambda dim: -strides[dim]))


def _inverse(order: Sequence[int]) -> list[int]:
    return sorted(range(len(order)), key=order.__getitem__)


class Flat:
    """An element-wise optimizer on one vector that all parameters are views of.

    Buffers are [P] for P parameters in all, each parameter's numbers in the order in which they lie
    in memory; in a checkpoint they are in the common order. Subclasses give `_move`.
    """

    buffers: tuple[str, ...] = ()

    def __init__(self, parameters: Sequence[nn.Parameter], lr: float, section: Section) -> None:
        self.initial_lr = self.lr = lr
        self._section = section
        self._parameters = parameters
        self._sizes = [parameter.numel() for parameter in parameters]
        self._orders = [_memory_order(parameter) for parameter in parameters]
        self._vector = self._joined([parameter.detach() for parameter in parameters])
        for parameter, view in zip(parameters, self._parted(self._vector), strict=True):
            parameter.data = view
        self._num_steps = 0
        self._state = {name: torch.zeros_like(self._vector) for name in self.buffers}

    def _joined(self, parts: Sequence[Tensor]) -> Tensor:
        """Tensors of the parameters' shapes as one vector [P], in the parameters' memory order."""
        return torch.cat(
            [
                (part if order is None else part.permute(order)).reshape(-1)
                for part, order in zip(parts, self._orders, strict=True)
            ]
        )

    def _parted(self, vector: Tensor) -> list[Tensor]:
        """The inverse of `_joined`: views of the vector."""
        return [
            part.view(parameter.shape)
            if order is None
            else part.view([parameter.shape[dim] for dim in order]).permute(_inverse(order))
            for part, parameter, order in zip(
                torch.split(vector, self._sizes), self._parameters, self._orders, strict=True
            )
        ]

    def step(self, gradients: Gradients) -> None:
        """One update. Nothing here requires a gradient: the vector is no parameter."""
        self._num_steps += 1
        gradient = self._joined(
            [
                torch.zeros_like(parameter) if part is None else part
                for parameter, part in zip(self._parameters, gradients, strict=True)
            ]
        )
        if self._section["weight_decay"]:
            gradient.add_(self._vector, alpha=self._section["weight_decay"])
        self._move(gradient)

    def _move(self, gradient: Tensor) -> None:
        raise NotImplementedError

    def restart(self) -> None:
        """Forget all moments."""
        self._num_steps = 0
        for buffer in self._state.values():
            buffer.zero_()

    def moments(self) -> tuple[int, dict[str, Tensor]]:
        """The updates so far, and the moments [P] with each parameter in the common order."""
        found = {
            name: torch.cat([part.reshape(-1) for part in self._parted(buffer)])
            for name, buffer in self._state.items()
        }
        return self._num_steps, found

    def put_moments(self, num_steps: int, moments: Mapping[str, Tensor]) -> None:
        """The inverse of `moments`."""
        self._num_steps = num_steps
        for name, buffer in self._state.items():
            buffer.copy_(self._joined(shaped(moments[name], self._parameters)))

    def state_dict(self) -> dict[str, Any]:
        """Moments and rate."""
        num_steps, state = self.moments()
        return {"lr": self.lr, "num_steps": num_steps, "state": state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put moments and rate back."""
        self.lr = state["lr"]
        self.put_moments(state["num_steps"], state["state"])


class FlatAdam(Flat):
    """Adam (Kingma and Ba 2015, algorithm 1)."""

    buffers = ("mean", "square")

    def _move(self, gradient: Tensor) -> None:
        beta1, beta2 = self._section["beta1"], self._section["beta2"]
        mean, square = self._state["mean"], self._state["square"]
        mean.lerp_(gradient, 1 - beta1)
        square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        # The two bias corrections are moved into the rate and eps: two operations fewer.
        correction = math.sqrt(1 - beta2**self._num_steps)
        scale = square.sqrt().add_(self._section["eps"] * correction)
        rate = self.lr * correction / (1 - beta1**self._num_steps)
        self._vector.addcdiv_(mean, scale, value=-rate)


class FlatRmsProp(Flat):
    """RMSProp (Tieleman and Hinton 2012), with `torch.optim.RMSprop`'s form of momentum."""

    buffers = ("square", "velocity")

    def _move(self, gradient: Tensor) -> None:
        alpha, momentum = self._section["alpha"], self._section["momentum"]
        square = self._state["square"]
        square.mul_(alpha).addcmul_(gradient, gradient, value=1 - alpha)
        scale = square.sqrt().add_(self._section["eps"])
        if momentum:
            velocity = self._state["velocity"]
            velocity.mul_(momentum).addcdiv_(gradient, scale)
            self._vector.add_(velocity, alpha=-self.lr)
        else:
            self._vector.addcdiv_(gradient, scale, value=-self.lr)


class FlatSgd(Flat):
    """Stochastic gradient descent, with `torch.optim.SGD`'s form of momentum."""

    buffers = ("velocity",)

    def _move(self, gradient: Tensor) -> None:
        if self._section["momentum"]:
            velocity = self._state["velocity"]
            velocity.mul_(self._section["momentum"]).add_(gradient)
            gradient = velocity
        self._vector.add_(gradient, alpha=-self.lr)
