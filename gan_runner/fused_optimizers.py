"""Optimizers of large networks: `torch.optim`'s, with their fused kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gan_runner.flat_optimizers import Gradients, Section, shaped

# torch.optim's names of moments, and ours.
MOMENTS = {
    "exp_avg": "mean",
    "exp_avg_sq": "square",
    "square_avg": "square",
    "momentum_buffer": "velocity",
}


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
            parts = shaped(moments[MOMENTS[theirs]], self._parameters)
            for index, part in enumerate(parts):
                kept[index][theirs] = part.clone()
        self.load_state_dict({**known, "state": kept, "num_steps": num_steps})

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
