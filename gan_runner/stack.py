"""Trains jobs together: those that differ in seeds and numbers alone become one stacked model.

Each job leaves what it would have left alone: its run folder with result, checkpoints, samples and
TensorBoard run.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_runner import api, checkpoint, evaluation, stackable
from gan_runner.callbacks.callback import Callback
from gan_runner.callbacks.pictures import Pictures
from gan_runner.callbacks.progress import Progress
from gan_runner.callbacks.tensorboard import TensorBoard
from gan_runner.dispatch import Run, dispatch, replicate
from gan_runner.errors import Interrupted, RunFailed
from gan_runner.loading import start_from
from gan_runner.process import process_settings, threads
from gan_runner.run_folder import begin, check_unused, log_file, with_absolute_paths, write_config
from gan_runner.stack_trainer import StackTrainer
from gan_runner.stacked_step import CannotStackError
from gan_runner.trainer import Trainer

log = logging.getLogger("gan_runner")
WIDTH = 64  # replicas in a stack at most, unless asked for otherwise


@dataclass(frozen=True, kw_only=True)
class Job:
    """A run to come: its checked, plain config, its folder, and what was typed for it.

    pictures: samples and curves are drawn too, which takes longer than training a small network.
    """

    config: dict[str, Any]
    folder: Path
    overrides: tuple[str, ...] = ()
    pictures: bool = True


Ended = tuple[Job, "api.Result | Exception"]


def execute_jobs(jobs: Sequence[Job], *, width: int = WIDTH) -> Iterator[Ended]:
    """Train jobs, as many at once as may be; each ends with its result or what kept it from one.

    Args:
        jobs: with different folders.
        width: replicas in a stack at most.

    Raises:
        Interrupted: the process was asked to stop; jobs not begun are not begun.
    """
    for group in grouped(jobs, width):
        reason = stackable.reason_not(group[0].config)
        if len(group) == 1 or reason is not None:
            if reason is not None and len(jobs) > 1:
                log.warning("runs one by one: %s", reason)
            yield from (_alone(job) for job in group)
            continue
        try:
            yield from _together(group)
        except CannotStackError as error:
            log.warning("cannot be stacked, runs one by one: %s", error)
            yield from (_alone(job) for job in group)


def grouped(jobs: Sequence[Job], width: int) -> list[list[Job]]:
    """Jobs by what decides their structure, in their order, at most `width` together."""
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        groups.setdefault(stackable.structure(job.config), []).append(job)
    return [
        group[start : start + width]
        for group in groups.values()
        for start in range(0, len(group), width)
    ]


def _alone(job: Job) -> Ended:
    try:
        return job, api.execute(job.config, job.folder, list(job.overrides))
    except Interrupted:
        raise
    except Exception as error:  # noted with the job; the others go on
        return job, error


def _together(jobs: Sequence[Job]) -> list[Ended]:
    """Train jobs of one structure as a stack.

    Raises:
        CannotStackError: nothing was written.
    """
    started = time.perf_counter()
    with process_settings(jobs[0].config):
        try:
            for job in jobs:
                check_unused(job.folder)
            trainers = started_trainers(jobs)
        except ValueError as error:
            return [(job, error) for job in jobs]
        for job in jobs:
            api.warn_of_unused(job.config, job.overrides)
        stack = StackTrainer(trainers, compiles=compiles(trainers[0].run))

        def ready() -> None:
            for job in jobs:
                begin(job.folder)
                write_config(job.folder, job.config, job.overrides)

        ended = carry_out(stack, started, ready)
    return list(zip(jobs, ended, strict=True))


def compiles(run: Run) -> str:
    return str(run.config["device"]["compile"]).lower()


def replicas(configs: Sequence[Mapping[str, Any]]) -> list[Run]:
    """Runs of configs of one structure, which share their data.

    Raises:
        ValueError: the data, the device or a metric cannot be used.
    """
    plain = [with_absolute_paths(dict(config)) for config in configs]
    first = dispatch(plain[0])
    api.check_select(first)
    evaluation.check(first)
    return [first, *(replicate(first, config) for config in plain[1:])]


def started_trainers(jobs: Sequence[Job]) -> list[Trainer]:
    """A trainer for each job of one structure, at its first weights.

    Raises:
        ValueError: as `replicas`, or the weights to start from do not fit.
    """
    trainers = make_trainers(replicas([job.config for job in jobs]), jobs)
    for job, trainer in zip(jobs, trainers, strict=True):
        if job.config["training"]["init_from"] is not None:
            start_from(trainer, Path(job.config["training"]["init_from"]))
    return trainers


def make_trainers(runs: Sequence[Run], jobs: Sequence[Job]) -> list[Trainer]:
    """A trainer for each run, without a progress bar of its own; the data are the first one's."""
    trainers: list[Trainer] = []
    for run, job in zip(runs, jobs, strict=True):
        left_out = (Progress,) if job.pictures else (Progress, Pictures)
        callbacks = [each for each in api.new_callbacks(run) if not isinstance(each, left_out)]
        if not job.pictures:
            callbacks = [_undrawn(each) for each in callbacks]
        shared = trainers[0].data if trainers else None
        trainers.append(Trainer(run, job.folder, callbacks, job.overrides, train=shared))
    return trainers


def _undrawn(callback: Callback) -> Callback:
    """A callback that draws nothing; of the others, itself."""
    return TensorBoard(draws=False) if isinstance(callback, TensorBoard) else callback


def carry_out(
    stack: StackTrainer, started: float, ready: Callable[[], None]
) -> list[api.Result | Exception]:
    """Train a stack, measure its replicas, and write down how each ended.

    ready: called when it is known that the stack can be played.
    """
    first = stack.members[0]
    with threads(first.threads):
        try:
            stack.train(ready)
        except (Interrupted, KeyboardInterrupt) as stop:
            for index, member in enumerate(stack.members):
                if index in stack.failures:
                    _failed(stack, index, started)
                    continue
                text = f"stopped at once; gan-run resume={member.folder} goes on from a checkpoint"
                if isinstance(stop, Interrupted):
                    text = str(Interrupted(stop.signum, member.folder))
                api.close(member, started, "interrupted", error=text)
            raise
        except CannotStackError:
            raise
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
            for member in stack.members:
                with log_file(member.folder / "run.log"):
                    log.exception("The stack failed")
                api.close(member, started, "failed", error=text)
            raise
        return [_ended(stack, index, started) for index in range(len(stack.members))]


def _ended(stack: StackTrainer, index: int, started: float) -> api.Result | Exception:
    """Measure a replica that has got to the end; the reason where it has not."""
    member = stack.members[index]
    with log_file(member.folder / "run.log"):
        if index not in stack.failures:
            try:
                judged = api.judge(member)
            except RunFailed as error:
                stack.failures[index] = error
            else:
                return api.finished(member, started, judged)
    return _failed(stack, index, started)


def _failed(stack: StackTrainer, index: int, started: float) -> RunFailed:
    """Write down a replica that has failed."""
    member, failure = stack.members[index], stack.failures[index]
    with log_file(member.folder / "run.log"):
        log.error("%s", failure)
        api.close(member, started, "failed", error=str(failure))
    return failure


def resume_jobs(jobs: Sequence[Job]) -> Iterator[Ended]:
    """Go on with jobs of one structure from their checkpoints."""
    started = time.perf_counter()
    if not jobs:
        return
    runs = replicas([job.config for job in jobs])
    with process_settings(runs[0].config):
        by_step: dict[int, list[tuple[Job, Trainer]]] = {}
        for job, trainer in zip(jobs, make_trainers(runs, jobs), strict=True):
            state = checkpoint.load(job.folder / "checkpoints" / "last.pt", runs[0].device)
            api.check_device(state["device"], runs[0], job.folder)
            trainer.load_state_dict(state)
            write_config(job.folder, job.config, job.overrides)
            by_step.setdefault(trainer.step, []).append((job, trainer))
        for group in by_step.values():
            stack = StackTrainer([trainer for _, trainer in group], compiles=compiles(runs[0]))
            ended = carry_out(stack, started, lambda: None)
            yield from zip((job for job, _ in group), ended, strict=True)
