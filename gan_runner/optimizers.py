"""Optimizers by name, and the learning rate over a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

MakeOptimizer = Callable[[Sequence[nn.Parameter], str], torch.optim.Optimizer]


def _fused(parameters: Sequence[nn.Parameter]) -> bool:
    return all(parameter.device.type in ("cpu", "cuda") for parameter in parameters)


def adam(
    parameters: Sequence[nn.Parameter], lr: float, section: Mapping[str, Any]
) -> torch.optim.Optimizer:
    """Adam (Kingma and Ba 2015), fused where the device can."""
    return torch.optim.Adam(
        parameters,
        lr=lr,
        betas=(section["beta1"], section["beta2"]),
        eps=section["eps"],
        weight_decay=section["weight_decay"],
        fused=_fused(parameters),
    )


def rmsprop(
    parameters: Sequence[nn.Parameter], lr: float, section: Mapping[str, Any]
) -> torch.optim.Optimizer:
    """RMSProp (Tieleman and Hinton 2012)."""
    return torch.optim.RMSprop(
        parameters,
        lr=lr,
        alpha=section["alpha"],
        eps=section["eps"],
        momentum=section["momentum"],
        weight_decay=section["weight_decay"],
    )


def sgd(
    parameters: Sequence[nn.Parameter], lr: float, section: Mapping[str, Any]
) -> torch.optim.Optimizer:
    """Stochastic gradient descent, fused where the device can."""
    return torch.optim.SGD(
        parameters,
        lr=lr,
        momentum=section["momentum"],
        weight_decay=section["weight_decay"],
        fused=_fused(parameters),
    )


OPTIMIZERS = {"adam": adam, "rmsprop": rmsprop, "sgd": sgd}


def optimizer_maker(build: Callable[..., Any], section: Mapping[str, Any]) -> MakeOptimizer:
    """What makes a player's optimizer: its role picks the rate (TTUR, Heusel et al. 2017)."""

    def make(parameters: Sequence[nn.Parameter], role: str) -> torch.optim.Optimizer:
        own = section.get(f"{role}_lr")
        optimizer: torch.optim.Optimizer = build(
            parameters, section["lr"] if own is None else own, section
        )
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
        return optimizer

    return make


class Schedule:
    """A stage's learning rate as a factor of the optimizer's `lr`.

    `horizon` is the number of steps that the form spans: the stage's own length unless the config
    fixes it.
    """

    def __init__(self, section: Mapping[str, Any], horizon: int) -> None:
        self._section = section
        self._horizon = horizon
        self._boundaries = [round(share * horizon) for share in section["boundaries"]]

    def factor(self, step: int) -> float:
        """The factor in a stage's step (from 0)."""
        section = self._section
        form = section["name"]
        if form == "constant":
            return 1.0
        if form == "piecewise":
            piece = sum(step >= boundary for boundary in self._boundaries)
            return float(section["factors"][piece])
        start, final = section["start"] * self._horizon, section["final"]
        fallen = min(max((step - start) / max(self._horizon - start, 1), 0.0), 1.0)
        if form == "cosine":
            fallen = (1 - math.cos(math.pi * fallen)) / 2
        return float(1 + (final - 1) * fallen)

    def restarts(self, step: int) -> bool:
        """Whether the optimizers are made anew before a stage's step."""
        return bool(self._section["restart"]) and step in self._boundaries
