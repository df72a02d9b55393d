"""The terms of the steps between two logged rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

PACK = 1024  # terms that a watch keeps one by one


class Watch:
    """The terms of a move's last steps, kept on the device and read seldom.

    Reading a number from a GPU stops it, so terms are kept as they are and read when a row is
    logged: their means are the row, and the first non-finite one tells step and term.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.steps: list[int] = []
        self._latest: list[Tensor] = []  # 0-dim, step after step
        self._packed: list[Tensor] = []  # [PACK], where rows are far apart

    def add(self, step: int, terms: Mapping[str, Tensor]) -> None:
        """Keep a step's terms."""
        self.names = list(terms)
        self.steps.append(step)
        self._latest += [term.detach() for term in terms.values()]
        if len(self._latest) >= PACK:
            self._pack()

    def _pack(self) -> None:
        if self._latest:
            self._packed.append(torch.stack(self._latest))
            self._latest = []

    def take(self, names: Sequence[str], steps: Sequence[int], values: Tensor) -> None:
        """Keep the terms of several steps, [steps, terms]: those of one replica of a stack."""
        self._pack()
        self.names = list(names)
        self.steps += steps
        self._packed.append(values.reshape(-1))

    def read(self) -> tuple[dict[str, float], tuple[int, str] | None]:
        """Means since the last reading, and the first non-finite (step, term); empties the watch.

        The one place where training waits for the device.
        """
        if not self.steps:
            return {}, None
        self._pack()
        values = torch.cat(self._packed).double().cpu().reshape(len(self.steps), -1)
        steps = self.steps
        self.steps, self._packed = [], []
        bad = (~values.isfinite()).nonzero()
        first = (steps[int(bad[0, 0])], self.names[int(bad[0, 1])]) if len(bad) else None
        return dict(zip(self.names, values.mean(0).tolist(), strict=True)), first

    def state_dict(self) -> dict[str, object]:
        """For a checkpoint between two readings."""
        self._pack()
        kept = torch.cat(self._packed) if self._packed else None
        return {"names": list(self.names), "steps": list(self.steps), "values": kept}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Put the terms back."""
        self.names = list(state["names"])  # type: ignore[call-overload]
        self.steps = list(state["steps"])  # type: ignore[call-overload]
        values = state["values"]
        self._latest, self._packed = [], [values] if isinstance(values, Tensor) else []
