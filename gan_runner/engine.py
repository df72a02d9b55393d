"""One step of a game."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import torch
from torch import Tensor

from gan_runner.game import Batch, Move, Shared, Stage, Terms
from gan_runner.optimizers import Gradients
from gan_runner.priors import Prior

NextBatch = Callable[[], Batch]
PACK = 1024  # terms that a watch keeps one by one
Report = Callable[[Move, int, Terms, Gradients], None]


class Host(Protocol):
    """Where the parameters of one replica or of many live: `hosts.Solo`, `ensemble.Board`."""

    def playing(self) -> AbstractContextManager[None]:
        """Within, a step is played."""

    def length(self, batch: Batch) -> int:
        """Samples in a batch."""

    def draw(self, priors: Mapping[str, Prior], num: int) -> Batch:
        """Draw a stage's priors."""

    def share(self, shared: Shared, batch: Batch) -> Batch:
        """Make a step's shared tensors, with the graph to their owner's parameters."""

    def gradient(self, move: Move, batch: Batch) -> tuple[Terms, Gradients]:
        """A move's terms, and the gradient of their sum for its player's parameters."""

    def update(self, player: str, gradients: Gradients, *, hooks: bool = True) -> None:
        """Carry out a player's update, and its hooks."""

    def snapshot(self, player: str) -> list[Tensor]:
        """A copy of a player's parameters, to come back to."""

    def restore(self, player: str, snapshot: Sequence[Tensor]) -> None:
        """Put a player's parameters back."""


def is_due(move: Move, step: int) -> bool:
    """Whether a move is carried out in a step."""
    return step % move.every == 0


def play_step(stage: Stage, host: Host, next_batch: NextBatch, step: int, report: Report) -> None:
    """Carry out the moves that are due in a step, in order.

    Args:
        stage: the rules.
        host: the networks.
        next_batch: gives the next batch of data, with `progress`.
        step: the step, counted from 0.
        report: is told each move's terms and gradients.
    """
    moves = [move for move in stage.moves if is_due(move, step)]
    with host.playing():
        if stage.update == "alternating":
            _alternate(stage, host, moves, next_batch, report)
        elif stage.update == "simultaneous":
            _move_together(stage, host, moves, next_batch(), report)
        else:
            _extrapolate(stage, host, moves, next_batch(), report)


def _draw(stage: Stage, host: Host, batch: Batch) -> Batch:
    return {**batch, **host.draw(stage.priors, host.length(batch))}


def batch_length(batch: Batch) -> int:
    """Samples in a batch; 1 where there is no data."""
    return next((value.shape[0] for value in batch.values() if value.dim() > 0), 1)


def _detached(made: Batch) -> Batch:
    return {name: value.detach() for name, value in made.items()}


def _see(shared: Shared | None, made: Batch, move: Move) -> Batch:
    owns = shared is not None and shared.owner == move.player
    return made if owns else _detached(made)


def _alternate(
    stage: Stage, host: Host, moves: list[Move], next_batch: NextBatch, report: Report
) -> None:
    """Each move sees what the moves before it changed."""
    batch = next_batch()
    made: Batch = {}
    if stage.shared is not None:
        batch = _draw(stage, host, batch)
        made = host.share(stage.shared, batch)
    for move in moves:
        for turn in range(move.repeat):
            data = next_batch() if turn else batch
            if stage.shared is None:
                data = _draw(stage, host, data)
            else:
                data = {**data, **_see(stage.shared, made, move)}
            terms, gradients = host.gradient(move, data)
            host.update(move.player, gradients)
            report(move, turn, terms, gradients)


def _move_together(
    stage: Stage, host: Host, moves: list[Move], batch: Batch, report: Report
) -> None:
    """Every gradient is taken where the step began, then every player moves."""
    taken = []
    for move in moves:
        terms, gradients = host.gradient(move, _draw(stage, host, batch))
        taken.append((move, terms, gradients))
    for move, terms, gradients in taken:
        host.update(move.player, gradients)
        report(move, 0, terms, gradients)


def _extrapolate(stage: Stage, host: Host, moves: list[Move], batch: Batch, report: Report) -> None:
    """Every player looks one update ahead, comes back, and moves by the gradient seen there.

    Source: Korpelevich 1976; with an adaptive optimizer, whose moments take both gradients, this is
    ExtraAdam (Gidel et al. 2019, algorithm 4). Both gradients are taken on the same batch.
    """
    draws = [_draw(stage, host, batch) for _ in moves]
    start = {move.player: host.snapshot(move.player) for move in moves}
    ahead = [host.gradient(move, draw)[1] for move, draw in zip(moves, draws, strict=True)]
    for move, gradients in zip(moves, ahead, strict=True):
        host.update(move.player, gradients, hooks=False)
    taken = [host.gradient(move, draw) for move, draw in zip(moves, draws, strict=True)]
    for player, parameters in start.items():
        host.restore(player, parameters)
    for move, (terms, gradients) in zip(moves, taken, strict=True):
        host.update(move.player, gradients)
        report(move, 0, terms, gradients)


def total_norm(gradients: Gradients) -> Tensor:
    """The Euclidean norm of a gradient over all its tensors, 0-dim."""
    present = [gradient for gradient in gradients if gradient is not None]
    return torch.nn.utils.get_total_norm(present)


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
