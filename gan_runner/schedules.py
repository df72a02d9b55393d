"""The learning rate over a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


class Schedule:
    """A stage's learning rate as a factor of the optimizer's `lr`.

    `horizon` is the number of steps that the form spans: the stage's own length unless the config
    fixes it.
    """

    def __init__(self, section: Mapping[str, Any], horizon: int) -> None:
        self._section = section
        self._horizon = horizon
        self._boundaries = [round(share * horizon) for share in section["boundaries"]]
        self._is_constant = section["name"] == "constant"

    def factor(self, step: int) -> float:
        """The factor in a stage's step (from 0)."""
        if self._is_constant:
            return 1.0
        section = self._section
        form = section["name"]
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
