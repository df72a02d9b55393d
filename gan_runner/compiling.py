"""Runs a stack's traced steps, as they are or compiled, and decides which of the two pays."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule

log = logging.getLogger(__name__)
SKIPPED, LOOKED_AT = 20, 40  # steps before and while `auto` measures
SAVED = 0.4  # share of a step's time that compiling is expected to save
SECONDS = 0.03  # of compiling, for each operation of a step
MARGIN = 2.0  # so many times its cost must compiling save


class Compiler:
    """What becomes of traced steps.

    Args:
        choice: "false": they run as they are; "true": compiled; "auto": after the first steps, it
            is estimated whether compiling pays for those that are left.
    """

    def __init__(self, choice: str) -> None:
        self.decided: bool | None = {"false": False, "true": True}.get(choice)
        self._compiled: dict[int, Any] = {}
        self._num = 0
        self._seconds = 0.0

    def run(self, traced: GraphModule, inputs: Sequence[Tensor], remaining: int) -> list[Tensor]:
        """Carry out a step; `remaining` are those that are left, with this one."""
        if self.decided is None:
            return self._measure(traced, inputs, remaining)
        if self.decided:
            return self._run_compiled(traced, inputs)
        found: list[Tensor] = traced(*inputs)
        return found

    def _run_compiled(self, traced: GraphModule, inputs: Sequence[Tensor]) -> list[Tensor]:
        key = id(traced)
        if key not in self._compiled:
            # The inputs are always alike, so looking at each before every step is for nothing.
            options: dict[str, Any] = {"guard_filter_fn": torch.compiler.skip_all_guards_unsafe}
            start = time.perf_counter()
            try:
                self._compiled[key] = torch.compile(traced, dynamic=False, options=options)
                found: list[Tensor] = self._compiled[key](*inputs)
            except Exception as error:
                # Nothing has been computed: compiling comes first.
                reason = next(iter(str(error).splitlines()), "") or type(error).__name__
                log.warning("device.compile: not compiled (%s); steps run as they are", reason)
                self.decided = False
                return list(traced(*inputs))
            log.info("device.compile: compiled a step in %.0f s", time.perf_counter() - start)
            return found
        return list(self._compiled[key](*inputs))

    def _measure(
        self, traced: GraphModule, inputs: Sequence[Tensor], remaining: int
    ) -> list[Tensor]:
        start = time.perf_counter()
        found: list[Tensor] = traced(*inputs)
        self._num += 1
        if self._num > SKIPPED:
            self._seconds += time.perf_counter() - start
        if self._num == SKIPPED + LOOKED_AT:
            step = self._seconds / LOOKED_AT
            gain, cost = SAVED * step * remaining, SECONDS * len(traced.graph.nodes)
            self.decided = gain > MARGIN * cost
            log.info(
                "device.compile=auto: %s: a step takes %.2g ms and %d are left, so compiling would "
                "save about %.0f s and cost about %.0f s",
                "compiling" if self.decided else "not compiling",
                1000 * step, remaining, gain, cost,
            )  # fmt: skip
        return found
