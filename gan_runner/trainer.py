"""Trains a run: stages, events, checkpoints, resume."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan_runner import checkpoint, evaluation, logged, panels, sampling
from gan_runner.batches import Batches
from gan_runner.callbacks.callback import Callback, RunStart
from gan_runner.datasets.dataset import Rows
from gan_runner.dispatch import Run, num_threads
from gan_runner.engine import play_step, total_norm
from gan_runner.errors import Interrupted, RunFailed
from gan_runner.game import Batch, Move, Terms
from gan_runner.metrics.protocol import Measurement
from gan_runner.optimizers import Gradients
from gan_runner.schedules import Schedule
from gan_runner.signals import StopSignal
from gan_runner.turns import Due, Told, Turn, events, stage_ends
from gan_runner.watch import Watch

log = logging.getLogger(__name__)


class Trainer:
    """The state of a run in training, and what moves it on.

    Args:
        run: what to train.
        folder: the run folder.
        callbacks: told of every event, in order.
        overrides: what the user typed, for the callbacks.
        train: the training data on the device, where another replica has them already.
    """

    def __init__(
        self,
        run: Run,
        folder: Path,
        callbacks: Sequence[Callback],
        overrides: Sequence[str] = (),
        *,
        train: Mapping[str, Rows] | None = None,
    ) -> None:
        training = run.config["training"]
        self.run = run
        self.folder = folder
        self.callbacks = callbacks
        self.overrides = tuple(overrides)
        self.streams = run.streams()
        self.host = run.host(self.streams)
        self.data = run.tensors("train", self.host.dtype) if train is None else train
        self.batches = Batches(
            self.data,
            training["batch_size"],
            self.streams["order"],
            dtype=self.host.dtype,
            device=self.host.device,
            flip=self.streams["flip"] if run.dataset.flip else None,
            workers=run.dataset.workers,
        )
        self.step = 0
        self.updates: dict[str, int] = {}
        self.best: dict[str, Any] | None = None
        self.started: list[Callback] = []  # those that have something to end
        self.seconds = 0.0
        self.compiled: bool | None = None  # whether a stack's steps are; None: not decided
        self.threads = num_threads(run.config["device"], self.host)
        self._log_every = training["log_every"]
        self._every = events(run.config, run.num_steps)
        self._ends = stage_ends(run.recipe.stages, run.num_steps)
        self._stage = -1
        self._factor = float("nan")
        self._progress = torch.zeros((), dtype=self.host.dtype, device=self.host.device)
        self._monitored: Batch = {}
        self._clock_start = 0.0
        self._watches: dict[str, Watch] = {}
        self._norms: dict[str, Tensor] = {}
        self._good = ""  # what is said of the last good checkpoint

    # --- the loop ----------------------------------------------------------------------------

    def train(self) -> None:
        """Train to the end of the run.

        Raises:
            RunFailed: a loss or a weight is not finite.
            Interrupted: the process was asked to stop; the state is saved.
        """
        steps = self.run.num_steps
        self.begin()
        with StopSignal() as stop, self._clock(), self.batches:
            while self.step < steps:
                self._play()
                for callback in self.callbacks:
                    callback.on_step(self.step)
                signum = stop.signum  # read once: a signal may come between two looks
                due = self.due(self.step)
                self.look(due if signum is None else replace(due, save=True))
                if signum is not None:
                    raise Interrupted(signum, self.folder)

    def begin(self) -> None:
        """Tell the callbacks of the start, and show the samples of an untrained generator."""
        for callback in self.callbacks:
            callback.on_start(self.run_start())
            self.started.append(callback)
        if self.step == 0:
            self._sample()

    def due(self, step: int) -> Due:
        """What is done after a step."""
        return Due.after(step, self._every, self._ends)

    def look(self, due: Due) -> None:
        """Log, draw, measure and save, as far as it is due.

        Raises:
            RunFailed: a loss or a weight is not finite.
        """
        if due.log:
            self._log()
        if due.sample:
            self._sample()
        if due.measure:
            self._measure()
        if due.save:
            self.save()

    def turn(self, step: int) -> Turn:
        """Begin a stage where the last one has ended; what precedes the step after `step`."""
        index = next(i for i, end in enumerate(self._ends) if step < end)
        entered = index != self._stage
        if entered:
            self.enter(index)
        local = step - self._start
        factor = self._schedule.factor(local)
        changed = factor != self._factor
        self._factor = factor
        return Turn(
            stage=index,
            entered=entered,
            step=local,
            restarts=self._schedule.restarts(local),
            factor=factor if changed else None,
        )

    def _play(self) -> None:
        turn = self.turn(self.step)
        if turn.restarts:
            self.host.restart_optimizers()
        if turn.factor is not None:
            self.host.set_rate(turn.factor)
        stage = self.run.recipe.stages[turn.stage]
        play_step(stage, self.host, self._next_batch, turn.step, self._report)
        self.step += 1

    def enter(self, index: int) -> None:
        """Begin a stage."""
        stage = self.run.recipe.stages[index]
        self.host.enter(stage, self.run.make_optimizer)
        self._stage = index
        self._start = 0 if index == 0 else self._ends[index - 1]
        section = self.run.config["optimizer"]["schedule"]
        self._schedule = Schedule(section, section["horizon"] or self._ends[index] - self._start)
        self._factor = 1.0
        num = self.run.config["training"]["batch_size"]
        self._monitored = logged.monitored(stage, self.host, self.streams, self.data, num)
        self._watches = {move.name: Watch() for move in stage.moves}

    @property
    def stage_end(self) -> int:
        """The step at which the present stage ends."""
        return self._ends[self._stage]

    def take(self, step: int, told: Mapping[str, Told], updates: Mapping[str, int]) -> None:
        """Go on to a step that a stack has played: what its moves told of this replica."""
        self.step, self.updates = step, dict(updates)
        for name, each in told.items():
            self._watches[name].take(each.names, each.steps, each.terms)
            self._norms[name] = each.norm

    def _next_batch(self) -> Batch:
        batch = self.batches()
        batch["progress"] = self._progress.fill_(self.step / self.run.num_steps)
        return batch

    def _report(self, move: Move, turn: int, terms: Terms, gradients: Gradients) -> None:
        self._watches[move.name].add(self.step + 1, terms)
        self.updates[move.player] = self.updates.get(move.player, 0) + 1
        # The move's last update before a row is logged; it need not be the row's own step.
        finished = self.step + 1
        if min(-finished % self._log_every, self._ends[self._stage] - finished) < move.every:
            self._norms[move.name] = total_norm(gradients)

    # --- events ------------------------------------------------------------------------------

    def _log(self) -> None:
        scalars, broken = logged.terms(self._watches)
        if broken:
            step, term = min(broken)
            raise RunFailed(f"step {step}: the term {term} is not finite. {self.last_good()}")
        scalars |= {f"gradient_norm/{name}": float(norm) for name, norm in self._norms.items()}
        self._norms = {}
        scalars |= {f"learning_rate/{name}": rate for name, rate in self.host.rates().items()}
        scalars |= {f"updates/{name}": float(num) for name, num in self.updates.items()}
        scalars |= logged.outputs(self.run.recipe.monitor, self.host, self._monitored)
        for callback in self.callbacks:
            callback.on_log(self.step, scalars)

    def _sample(self) -> None:
        if self.run.recipe.sample is None:
            return
        samples = sampling.of_step(self.run, self.host)
        for callback in self.callbacks:
            callback.on_samples(self.step, samples)
        is_last = self.step == self.run.num_steps
        for name, panel in panels.of_step(self.run, self.host, is_last=is_last):
            for callback in self.callbacks:
                callback.on_panel(self.step, name, panel)

    def _measure(self) -> None:
        section = self.run.config["metrics"]
        found = evaluation.measure(
            self.run, self.host, section, split="validation", checkpoint=f"step {self.step}"
        )
        self.announce({f"validation/{name}": value for name, value in found.items()})
        best = evaluation.best_of(found, section["select"], self.best, self.step)
        if best is not self.best:
            self.best = best
            self.save("best")

    def announce(self, measurements: Mapping[str, Measurement]) -> None:
        """Tell the callbacks of measurements."""
        for callback in self.callbacks:
            callback.on_metrics(self.step, measurements)

    # --- state -------------------------------------------------------------------------------

    def save(self, name: str = "last") -> None:
        """Write a checkpoint; never one with a weight that is not finite.

        Raises:
            RunFailed: a weight is not finite.
        """
        if not self.host.all_finite():
            self._log()  # names the term, if one is to blame
            raise RunFailed(f"step {self.step}: a weight is not finite. {self.last_good()}")
        path = self.folder / "checkpoints" / f"{name}.pt"
        checkpoint.save(path, self.state_dict())
        self._good = f"The last good checkpoint is {path} (step {self.step})."

    def last_good(self) -> str:
        """What is left of a run that fails."""
        return self._good or "There is no checkpoint yet (training.checkpoint_every)."

    def state_dict(self) -> dict[str, Any]:
        """All that a run needs to go on bit for bit."""
        return {
            "config": self.run.config,
            "step": self.step,
            "num_steps": self.run.num_steps,
            "stage": self._stage,
            "threads": self.threads,
            "compiled": self.compiled,
            "device": self.host.device.type,
            "seconds": self.seconds + self._since(),
            "updates": self.updates,
            "best": self.best,
            "host": self.host.state_dict(),
            "streams": self.streams.state_dict(),
            "batches": self.batches.state_dict(),
            "watches": {name: watch.state_dict() for name, watch in self._watches.items()},
            "norms": self._norms,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a checkpoint's state, to train on from there."""
        self.step, self.seconds = state["step"], state["seconds"]
        self.threads, self.compiled = state["threads"], state["compiled"]
        self.updates, self.best = dict(state["updates"]), state["best"]
        if state["stage"] >= 0:
            self.enter(state["stage"])
            # Saved rates are those of the last step: the schedule sets them anew.
            self._factor = float("nan")
        self.host.load_state_dict(state["host"])
        self.streams.load_state_dict(state["streams"])
        self.batches.load_state_dict(state["batches"])
        for name, watch in state["watches"].items():
            self._watches[name].load_state_dict(watch)
        self._norms = dict(state["norms"])
        self._good = f"The last good checkpoint is that of step {self.step}."

    def run_start(self) -> RunStart:
        """What callbacks are told when training starts or goes on."""
        return RunStart(
            folder=self.folder,
            config=self.run.config,
            overrides=self.overrides,
            dataset=self.run.dataset,
            first_step=self.step,
            num_steps=self.run.num_steps,
            steps_per_epoch=self.batches.steps_per_epoch,
            players=self.run.recipe.players,
        )

    def _since(self) -> float:
        return time.perf_counter() - self._clock_start if self._clock_start else 0.0

    @contextmanager
    def _clock(self) -> Iterator[None]:
        self._clock_start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += self._since()
            self._clock_start = 0.0
