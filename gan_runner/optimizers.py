"""Optimizers by name.

Small networks are moved as one flat vector in a handful of operations: for a tiny GAN the time of
`torch.optim` is its walk over the parameters, not its arithmetic. Large ones go to `torch.optim`'s
fused kernels, which pass over memory once. Both give the same numbers to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

Gradients = Sequence[Tensor | None]
Section = Mapping[str, Any]
FLAT_LIMIT = 200_000  # parameters up to which one flat vector is faster
# torch.optim's names of moments, and ours.
MOMENTS = {
    "exp_avg": "mean",
    "exp_avg_sq": "square",
    "square_avg": "square",
    "momentum_buffer": "velocity",
}


class Optimizer(Protocol):
    """Moves a player's parameters against a gradient."""

    initial_lr: float
    lr: float

    def step(self, gradients: Gradients) -> None:
        """One update; a parameter without a gradient is taken to have a zero one."""

    def restart(self) -> None:
        """Forget all moments, as if made anew."""

    def moments(self) -> tuple[int, dict[str, Tensor]]:
        """The updates so far, and the moments by name, [P] each: what a stack of replicas keeps."""

    def put_moments(self, num_steps: int, moments: Mapping[str, Tensor]) -> None:
        """The inverse of `moments`."""

    def state_dict(self) -> dict[str, Any]:
        """Moments and rate, for a checkpoint."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put moments and rate back."""


MakeOptimizer = Callable[[Sequence[nn.Parameter], str], Optimizer]


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
            buffer.copy_(self._joined(_shaped(moments[name], self._parameters)))

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


class Fused:
    """An optimizer of `torch.optim`, with its fused kernel where the device has one."""

    def __init__(
        self, optimizer: torch.optim.Optimizer, parameters: Sequence[nn.Parameter], lr: float
    ) -> None:
        self.initial_lr = lr
        self._optimizer = optimizer
        self._parameters = parameters
        self._num_steps = 0
        self._kinds = _kept_by(optimizer)

    @property
    def lr(self) -> float:
        """The learning rate."""
        return float(self._optimizer.param_groups[0]["lr"])

    @lr.setter
    def lr(self, value: float) -> None:
        self._optimizer.param_groups[0]["lr"] = value

    def step(self, gradients: Gradients) -> None:
        """One update."""
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            part = torch.zeros_like(parameter) if gradient is None else gradient
            parameter.grad = _laid_out_as(parameter, part)
        self._optimizer.step()
        self._num_steps += 1

    def restart(self) -> None:
        """Forget all moments."""
        self._optimizer.state.clear()
        self._num_steps = 0

    def moments(self) -> tuple[int, dict[str, Tensor]]:
        """The updates so far, and the moments [P] with each parameter in the common order."""
        state = [self._optimizer.state.get(each, {}) for each in self._parameters]
        found: dict[str, Tensor] = {}
        for theirs, ours in MOMENTS.items():
            if all(isinstance(each.get(theirs), Tensor) for each in state):
                found[ours] = torch.cat([each[theirs].reshape(-1) for each in state])
        return self._num_steps, found

    def put_moments(self, num_steps: int, moments: Mapping[str, Tensor]) -> None:
        """The inverse of `moments`."""
        self.restart()
        self._num_steps = num_steps
        if num_steps == 0:
            return
        known = self._optimizer.state_dict()
        kept: dict[int, dict[str, Any]] = {
            index: {"step": torch.tensor(float(num_steps))}
            for index in range(len(self._parameters))
        }
        for theirs in self._kinds:
            parts = _shaped(moments[MOMENTS[theirs]], self._parameters)
            for index, part in enumerate(parts):
                kept[index][theirs] = part.clone()
        self.load_state_dict({**known, "state": kept})

    def state_dict(self) -> dict[str, Any]:
        """Moments and rate."""
        return {**self._optimizer.state_dict(), "num_steps": self._num_steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put moments and rate back."""
        own = dict(state)
        self._num_steps = own.pop("num_steps")
        self._optimizer.load_state_dict(own)
        for parameter, moments in self._optimizer.state.items():
            for name, value in moments.items():
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    moments[name] = _laid_out_as(parameter, value)


def _kept_by(optimizer: torch.optim.Optimizer) -> tuple[str, ...]:
    """The moments that an optimizer of `torch.optim` keeps, by its names."""
    group = optimizer.param_groups[0]
    if "betas" in group:
        return ("exp_avg", "exp_avg_sq")
    velocity = ("momentum_buffer",) if group["momentum"] else ()
    return ("square_avg", *velocity) if "alpha" in group else velocity


def _shaped(vector: Tensor, parameters: Sequence[nn.Parameter]) -> list[Tensor]:
    """A vector [P] as tensors of the parameters' shapes, each in the common order."""
    parts = torch.split(vector, [parameter.numel() for parameter in parameters])
    return [part.view(each.shape) for part, each in zip(parts, parameters, strict=True)]


def _laid_out_as(parameter: Tensor, value: Tensor) -> Tensor:
    """The value in the parameter's memory layout: fused kernels do not look at strides."""
    if value.stride() == parameter.stride():
        return value
    return torch.empty_like(parameter).copy_(value)


def _has_fused(parameters: Sequence[nn.Parameter]) -> bool:
    return all(parameter.device.type in ("cpu", "cuda") for parameter in parameters)


def adam(parameters: Sequence[nn.Parameter], lr: float, section: Section) -> torch.optim.Optimizer:
    """Adam for large networks."""
    return torch.optim.Adam(
        parameters,
        lr=lr,
        betas=(section["beta1"], section["beta2"]),
        eps=section["eps"],
        weight_decay=section["weight_decay"],
        fused=_has_fused(parameters),
    )


def rmsprop(
    parameters: Sequence[nn.Parameter], lr: float, section: Section
) -> torch.optim.Optimizer:
    """RMSProp for large networks."""
    return torch.optim.RMSprop(
        parameters,
        lr=lr,
        alpha=section["alpha"],
        eps=section["eps"],
        momentum=section["momentum"],
        weight_decay=section["weight_decay"],
    )


def sgd(parameters: Sequence[nn.Parameter], lr: float, section: Section) -> torch.optim.Optimizer:
    """Stochastic gradient descent for large networks."""
    return torch.optim.SGD(
        parameters,
        lr=lr,
        momentum=section["momentum"],
        weight_decay=section["weight_decay"],
        fused=_has_fused(parameters),
    )


# The flat form and the large one of each name.
OPTIMIZERS = {"adam": (FlatAdam, adam), "rmsprop": (FlatRmsProp, rmsprop), "sgd": (FlatSgd, sgd)}


def optimizer_maker(
    forms: tuple[type[Flat], Callable[..., Any]], section: Section
) -> MakeOptimizer:
    """What makes a player's optimizer: its role picks the rate (TTUR, Heusel et al. 2017)."""
    flat, large = forms

    def make(parameters: Sequence[nn.Parameter], role: str) -> Optimizer:
        own = section.get(f"{role}_lr")
        lr = section["lr"] if own is None else own
        if sum(parameter.numel() for parameter in parameters) <= FLAT_LIMIT:
            return flat(parameters, lr, section)
        return Fused(large(parameters, lr, section), parameters, lr)

    return make
