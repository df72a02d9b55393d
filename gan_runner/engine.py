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
