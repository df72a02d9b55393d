"""A step of a stack: what it will draw is found once, the step is traced once, then replayed.

Walking through `vmap` and autograd in Python costs more than the arithmetic of small networks, so
a step is recorded as a flat list of tensor operations (`make_fx`) and that list is what runs, as it
is or compiled. Steps in which other moves are due are other lists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._pytree import tree_flatten, tree_unflatten

from gan_runner.batches import features_first
from gan_runner.board import Board
from gan_runner.compiling import Compiler
from gan_runner.datasets.dataset import Rows
from gan_runner.engine import is_due, play_step
from gan_runner.ensemble import Ensemble
from gan_runner.game import Batch, Move, Shared, Stage, Terms
from gan_runner.hosts import Solo
from gan_runner.layout import features_outermost
from gan_runner.networks.dropout import DropoutMasks, stacked_masks
from gan_runner.optimizers import Gradients, MakeOptimizer
from gan_runner.priors import Prior
from gan_runner.streams import Streams

Moves = list[tuple[Move, tuple[str, ...]]]  # in order, with the names of their terms


class CannotStackError(Exception):
    """A step cannot be played for many replicas at once; none has been played."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a step asks for, in order.

    Attributes:
        num_batches: batches of data.
        draws: (priors, number of samples) of each drawing.
        masks: (shape, threshold) of the dropout masks of each mapped call.
    """

    num_batches: int
    draws: list[tuple[Mapping[str, Prior], int]]
    masks: list[list[tuple[torch.Size, int]]]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a move of a step came to in each replica: terms [T, S], gradient norms [S]."""

    move: Move
    names: tuple[str, ...]
    terms: Tensor
    norms: Tensor


class Recorder(Solo):
    """A host without numbers that notes what a step asks for."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.draws: list[tuple[Mapping[str, Prior], int]] = []
        self.masks: list[list[tuple[torch.Size, int]]] = []
        self._playing = DropoutMasks(self._note)

    def _note(self, like: Tensor, threshold: int) -> Tensor:
        self.masks[-1].append((like.shape, threshold))
        return torch.empty(like.shape, dtype=torch.bool, device=like.device)

    def draw(self, priors: Mapping[str, Prior], num: int) -> Batch:
        """Note a drawing."""
        self.draws.append((priors, num))
        return super().draw(priors, num)

    def share(self, shared: Shared, batch: Batch) -> Batch:
        """Note a mapped call."""
        self.masks.append([])
        return super().share(shared, batch)

    def gradient(self, move: Move, batch: Batch) -> tuple[Terms, Gradients]:
        """Note a mapped call."""
        self.masks.append([])
        return super().gradient(move, batch)


def record(
    host: Recorder, stage: Stage, make_optimizer: MakeOptimizer, batch: Batch, step: int
) -> Plan:
    """What a step of a stage asks for.

    host: on the meta device. batch: of data, on the meta device.
    """
    host.draws, host.masks = [], []
    host.enter(stage, make_optimizer)
    used = 0

    def next_batch() -> Batch:
        nonlocal used
        used += 1
        return {**batch, "progress": torch.zeros((), dtype=host.dtype, device=host.device)}

    play_step(stage, host, next_batch, step, lambda *_: None)
    return Plan(num_batches=used, draws=host.draws, masks=host.masks)


def shapes_of(tensors: Mapping[str, Rows], num: int, dtype: torch.dtype) -> Batch:
    """A batch without numbers: samples [num, ...] as networks see them."""
    return {
        key: torch.empty(
            (num, *rows.shape[1:]),
            dtype=dtype
            if rows.dtype == torch.uint8 or rows.dtype.is_floating_point
            else rows.dtype,
            device="meta",
        )
        for key, rows in tensors.items()
    }


@dataclass(eq=False)
class Steps:
    """Plays the steps of a stage on a stack.

    Attributes:
        ensemble: the stack, which has entered the stage.
        stage: the rules.
        recorder, make_optimizer, batch: for `record`.
        compiler: what becomes of traced steps.
        remaining: steps left in the stage.
    """

    ensemble: Ensemble
    stage: Stage
    recorder: Recorder
    make_optimizer: MakeOptimizer
    batch: Batch
    compiler: Compiler
    remaining: int
    _plans: dict[tuple[bool, ...], Plan] = field(default_factory=dict)
    _traced: dict[tuple[bool, ...], tuple[GraphModule, Moves]] = field(default_factory=dict)
    _state: list[Tensor] = field(default_factory=list)

    def due(self, step: int) -> tuple[bool, ...]:
        """Which of the stage's moves are due."""
        return tuple(is_due(move, step) for move in self.stage.moves)

    def plan(self, step: int) -> Plan:
        """What a step asks for."""
        due = self.due(step)
        if due not in self._plans:
            self._plans[due] = record(
                self.recorder, self.stage, self.make_optimizer, self.batch, step
            )
        return self._plans[due]

    def ready(self, step: int) -> None:
        """Trace a step before anything is played.

        Raises:
            CannotStackError: it cannot be mapped over replicas.
        """
        ensemble = self.ensemble
        scratch = [Streams(0, {}, ensemble.device) for _ in range(len(ensemble))]
        batch = {
            key: features_first(
                torch.zeros((len(ensemble), *rows.shape), dtype=rows.dtype, device=ensemble.device)
            )
            for key, rows in self.batch.items()
        }
        progress = torch.zeros((), dtype=ensemble.dtype, device=ensemble.device)
        try:
            plan = self.plan(step)
            batches = [{**batch, "progress": progress}] * plan.num_batches
            self._traced[self.due(step)] = self._trace(step, self.inputs(plan, batches, scratch))
        except Exception as error:
            reason = next(iter(str(error).splitlines()), "") or type(error).__name__
            raise CannotStackError(reason) from error

    def play(
        self, step: int, batches: Sequence[Batch], streams: Sequence[Streams]
    ) -> list[Outcome]:
        """Play a step (counted in the stage), on batches [S, N, ...]."""
        inputs = self.inputs(self.plan(step), batches, streams)
        due = self.due(step)
        if due not in self._traced:
            self._traced[due] = self._trace(step, inputs)
        traced, moves = self._traced[due]
        with torch.no_grad():
            found = self.compiler.run(traced, [*self._state, *inputs], self.remaining)
        self.remaining -= 1
        return [
            Outcome(move=move, names=names, terms=found[2 * place], norms=found[2 * place + 1])
            for place, (move, names) in enumerate(moves)
        ]

    def inputs(
        self, plan: Plan, batches: Sequence[Batch], streams: Sequence[Streams]
    ) -> list[Tensor]:
        """A step's data, noise and dropout masks, flat."""
        ensemble = self.ensemble
        noise = [each["noise"] for each in streams]
        drawn = [
            features_first(
                torch.stack(
                    [prior.draw(num, each, ensemble.device, ensemble.dtype) for each in noise]
                )
            )
            for priors, num in plan.draws
            for prior in priors.values()
        ]
        sources = [each["dropout"] for each in streams] if any(plan.masks) else []
        masks = [
            stacked_masks(*wanted, sources, ensemble.dtype)
            for call in plan.masks
            for wanted in call
        ]
        return [*(value for batch in batches for value in batch.values()), *drawn, *masks]

    def _trace(self, step: int, inputs: list[Tensor]) -> tuple[GraphModule, Moves]:
        """Record a step, on copies: what it would do is done when it is played."""
        plan, ensemble = self.plan(step), self.ensemble
        state, form = tree_flatten(ensemble.tensors())
        self._state = state
        keys = [*self.batch, "progress"]
        moves: Moves = []

        def run(*tensors: Tensor) -> list[Tensor]:
            moves.clear()
            rest = iter(tensors[len(state) :])
            batches = [{key: next(rest) for key in keys} for _ in range(plan.num_batches)]
            draws = [{name: next(rest) for name in priors} for priors, _ in plan.draws]
            masks = [[next(rest) for _ in call] for call in plan.masks]
            board = Board(ensemble, tree_unflatten(tensors[: len(state)], form), draws, masks)
            found: list[Tensor] = []

            def report(move: Move, turn: int, terms: Terms, gradients: Gradients) -> None:
                moves.append((move, tuple(terms)))
                (gradient,) = gradients
                assert gradient is not None
                found.append(torch.stack([*terms.values()]))
                found.append(torch.linalg.vector_norm(gradient, dim=1))

            with torch.enable_grad():
                play_step(self.stage, board, iter(batches).__next__, step, report)
            return found

        copies = [each.clone() for each in (*state, *inputs)]
        return features_outermost(make_fx(run)(*copies)), moves
