"""Trains replicas in lockstep: one stack plays the steps, each replica's trainer does the rest."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor

from gan_runner.batches import StackedBatches
from gan_runner.callbacks.progress import Progress
from gan_runner.compiling import Compiler
from gan_runner.ensemble import Ensemble
from gan_runner.errors import Interrupted, RunFailed
from gan_runner.game import Batch
from gan_runner.run_folder import log_file
from gan_runner.signals import StopSignal
from gan_runner.stacked_optimizers import STACKED
from gan_runner.stacked_step import Outcome, Recorder, Steps, shapes_of
from gan_runner.trainer import Trainer
from gan_runner.turns import Due, Told

log = logging.getLogger(__name__)


class StackTrainer:
    """Trains replicas as one stacked model.

    Each has a `Trainer` of its own, with its folder, callbacks, streams and checkpoints, at the
    same step. A replica that fails is frozen and its failure kept; the others go on.

    Args:
        members: the replicas' trainers, at the same step. Their runs differ in seeds and numbers.
        compiles: "false", "true", or "auto": where that pays (see `Compiler`).
    """

    def __init__(self, members: Sequence[Trainer], *, compiles: str = "false") -> None:
        first = members[0]
        run = first.run
        self.members = list(members)
        self.failures: dict[int, RunFailed] = {}
        self.step = first.step
        self.seconds = first.seconds * len(members)
        # A run that goes on computes as it did before: auto may decide otherwise now.
        before = first.compiled
        self.compiler = Compiler(compiles if before is None else str(before).lower())
        precision = run.config["device"]["precision"]
        self.ensemble = Ensemble(
            [each.host for each in members],
            STACKED[run.config["optimizer"]["name"]],
            [each.run.config["optimizer"] for each in members],
            precision=precision,
        )
        self._batches = StackedBatches([each.batches for each in members])
        self._streams = [each.streams for each in members]
        self._recorder = Recorder(
            run.recipe, run.numbers, run.streams(), torch.device("meta"), precision=precision
        )
        size = run.config["training"]["batch_size"]
        self._shapes = shapes_of(first.data, size, first.host.dtype)
        self._progress = torch.zeros((), dtype=first.host.dtype, device=first.host.device)
        self._told: dict[str, list[tuple[int, Outcome]]] = {}
        self._updates = dict(first.updates)
        self._steps: Steps | None = None
        self._since = time.perf_counter()

    @property
    def going(self) -> list[int]:
        """The replicas that have not failed."""
        return [index for index in range(len(self.members)) if index not in self.failures]

    # --- the loop ----------------------------------------------------------------------------

    def train(self, ready: Callable[[], None] = lambda: None) -> None:
        """Train to the end of the run, or until every replica has failed.

        ready: called before anything is written, when the first step is known to be playable.

        Raises:
            CannotStackError: the first step of the run cannot be played on a stack.
            Interrupted: the process was asked to stop; the states are saved.
        """
        first = self.members[0]
        begun, num_steps = self.step, first.run.num_steps
        progress = Progress()
        if self.step == num_steps:  # a run resumed at its end
            self._each(lambda member: member.begin())
            return
        self._prepare()
        assert self._steps is not None
        self._steps.ready(self._local)
        ready()
        self._each(lambda member: member.begin())
        progress.on_start(first.run_start())
        with StopSignal() as stop, self._clock():
            try:
                while self.step < num_steps and len(self.failures) < len(self.members):
                    if self.step > begun:
                        self._prepare()
                    self._play()
                    progress.on_step(self.step)
                    signum = stop.signum
                    due = first.due(self.step)
                    if signum is not None:
                        due = replace(due, save=True)
                    if due:
                        self._look(due)
                        progress.on_log(self.step, {})
                    if signum is not None:
                        raise Interrupted(signum, first.folder)
            finally:
                progress.on_end(self.step, {})
                for member in self.members:
                    member.batches.close()

    def _prepare(self) -> None:
        """What precedes a step: a new stage, new rates."""
        first = self.members[0]
        turn = first.turn(self.step)
        if turn.entered or self._steps is None:
            if turn.entered:
                for member in self.members[1:]:
                    member.enter(turn.stage)
            stage = first.run.recipe.stages[turn.stage]
            self.ensemble.enter(stage)
            self._steps = Steps(
                ensemble=self.ensemble,
                stage=stage,
                recorder=self._recorder,
                make_optimizer=first.run.make_optimizer,
                batch=self._shapes,
                compiler=self.compiler,
                remaining=first.stage_end - self.step,
            )
            self._told = {}
        if turn.restarts:
            self.ensemble.restart_optimizers()
        if turn.factor is not None:
            self.ensemble.set_rate(turn.factor)
        self._local = turn.step

    def _play(self) -> None:
        steps = self._steps
        assert steps is not None
        batches = [self._next_batch() for _ in range(steps.plan(self._local).num_batches)]
        outcomes = steps.play(self._local, batches, self._streams)
        self.step += 1
        for outcome in outcomes:
            self._told.setdefault(outcome.move.name, []).append((self.step, outcome))
            player = outcome.move.player
            self._updates[player] = self._updates.get(player, 0) + 1

    def _next_batch(self) -> Batch:
        batch = self._batches()
        num_steps = self.members[0].run.num_steps
        batch["progress"] = self._progress.fill_(self.step / num_steps)
        return batch

    # --- the replicas ------------------------------------------------------------------------

    def _look(self, due: Due) -> None:
        self._settle(saves=due.save or due.measure)  # measuring saves what is the best so far
        self._each(lambda member: member.look(due))

    def _settle(self, *, saves: bool) -> None:
        """Bring every replica's trainer to this step."""
        self.ensemble.hand_back_rates()
        if saves:
            self.ensemble.hand_back()
            for index in self.going:
                self.members[index].compiled = self.compiler.decided
        self._share_seconds()
        told = {name: _by_replica(each) for name, each in self._told.items() if each}
        self._told = {}
        for index in self.going:
            mine = {name: replicas[index] for name, replicas in told.items()}
            self.members[index].take(self.step, mine, self._updates)
        alive = self.ensemble.alive.tolist()
        for index in self.going:
            if not alive[index]:
                self._fail(index)

    def _fail(self, index: int) -> None:
        """Keep the failure of a replica that the stack has frozen."""
        member = self.members[index]
        try:
            member.look(Due(log=True))  # names the term, if one is to blame
            reason = f"step {self.step}: a gradient is not finite"
            raise RunFailed(f"{reason}. {member.last_good()}")
        except RunFailed as failure:
            self._note(index, failure)

    def _note(self, index: int, failure: RunFailed) -> None:
        self.failures[index] = failure
        self.ensemble.alive[index] = False
        seed = self.members[index].run.config["training"]["seed"]
        log.warning("seed %s has failed and is frozen: %s", seed, failure)

    def _each(self, do: Callable[[Trainer], None]) -> None:
        for index in self.going:
            member = self.members[index]
            with log_file(member.folder / "run.log"):
                try:
                    do(member)
                except RunFailed as failure:
                    self._note(index, failure)

    @contextmanager
    def _clock(self) -> Iterator[None]:
        self._since = time.perf_counter()
        try:
            yield
        finally:
            self._share_seconds()

    def _share_seconds(self) -> None:
        """Tell every replica its share of the time, so that sums over runs are true."""
        now = time.perf_counter()
        self.seconds, self._since = self.seconds + now - self._since, now
        for member in self.members:
            member.seconds = self.seconds / len(self.members)


def _by_replica(told: Sequence[tuple[int, Outcome]]) -> list[Told]:
    """What a move told over several steps, replica by replica."""
    steps = [step for step, _ in told]
    last = told[-1][1]
    terms: Tensor = torch.stack([outcome.terms for _, outcome in told])  # [steps, T, S]
    return [
        Told(names=last.names, steps=steps, terms=terms[:, :, index], norm=last.norms[index])
        for index in range(terms.shape[2])
    ]
