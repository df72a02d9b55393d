"""A progress bar on a terminal; a few lines where there is none."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from gan_runner.callbacks.callback import Callback, RunStart

log = logging.getLogger(__name__)
SECONDS = 0.1  # from one look at the clock to the next
LINES = 10  # in a run without a terminal


class Progress(Callback):
    """Shows rate, remaining time and the players' losses.

    On a terminal a bar, with log lines printed above it; elsewhere at most ten lines in the log,
    evenly spread. Most steps cost one comparison: the bar is told only every so many steps, a
    number that follows the run's speed.
    """

    def __init__(self) -> None:
        self._bar: tqdm[Any] = tqdm(disable=True)  # until the start, which may never come
        self._told = 0
        self._cleanup = ExitStack()

    def on_start(self, start: RunStart) -> None:
        self._num_steps = start.num_steps
        self._steps_per_epoch = start.steps_per_epoch
        self._bar = tqdm(
            total=start.num_steps,
            initial=start.first_step,
            desc=str(start.config.get("name") or "training"),
            unit="step",
            disable=None,  # quiet unless stderr is a terminal
            dynamic_ncols=True,
        )
        self._told, self._stride = start.first_step, 1
        self._next = float("inf") if self._bar.disable else start.first_step + 1
        self._next_line = self._line_after(start.first_step)
        self._clock = time.monotonic()
        if not self._bar.disable:
            self._cleanup.enter_context(logging_redirect_tqdm())

    def on_step(self, step: int) -> None:
        if step >= self._next:
            self._tell(step)

    def on_log(self, step: int, scalars: Mapping[str, float]) -> None:
        losses = ", ".join(
            f"{tag} {value:.4g}" for tag, value in scalars.items() if tag.startswith("loss/")
        )
        if not self._bar.disable:
            self._bar.set_postfix_str(losses.replace("loss/", ""), refresh=False)
        elif step >= self._next_line:
            self._next_line = self._line_after(step)
            epoch = ""
            if self._steps_per_epoch > 0:
                epoch = f" (epoch {step / self._steps_per_epoch:.4g})"
            tail = f": {losses}" if losses else ""
            log.info("step %d of %d%s%s", step, self._num_steps, epoch, tail)

    def on_end(self, step: int, result: Mapping[str, Any]) -> None:
        self._bar.update(step - self._told)  # does nothing where there is no bar
        self._told = step
        self._bar.close()
        self._cleanup.close()

    def _tell(self, step: int) -> None:
        self._bar.update(step - self._told)
        now = time.monotonic()
        # Twice as many steps while they pass in less than the time wanted, half while in more.
        factor = SECONDS / max(now - self._clock, 1e-6)
        self._stride = max(1, round(self._stride * min(2.0, max(0.5, factor))))
        self._told, self._clock, self._next = step, now, step + self._stride

    def _line_after(self, step: int) -> float:
        """Return the first tenth of the run after a step; beyond the end there is none."""
        tenth = step * LINES // self._num_steps + 1 if self._num_steps else 1
        return tenth * self._num_steps / LINES
