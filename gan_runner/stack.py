"""Trains jobs together: those that differ in seeds and numbers alone become one stacked model.

Each job leaves what it would have left alone: its run folder with result, checkpoints, samples and
TensorBoard run. `training.seeds=32` is such a stack in one folder, with a summary above it.
"""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_runner import api, checkpoint, evaluation, result, stackable
from gan_runner.callbacks.pictures import Pictures
from gan_runner.callbacks.progress import Progress
from gan_runner.dispatch import Run, dispatch, replicate
from gan_runner.errors import Interrupted, RunFailed
from gan_runner.loading import start_from
from gan_runner.process import process_settings, threads
from gan_runner.resuming import changed_config
from gan_runner.run_folder import begin, log_file, read_config, read_overrides, write_config
from gan_runner.stack_trainer import StackTrainer
from gan_runner.stacked_step import CannotStackError
from gan_runner.studies.statistics import summary
from gan_runner.trainer import Trainer

log = logging.getLogger("gan_runner")
SEEDS = "seeds"  # the folder of the replicas' run folders
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
    except (ValueError, RunFailed) as error:
        return job, error


def _together(jobs: Sequence[Job]) -> list[Ended]:
    """Train jobs of one structure as a stack.

    Raises:
        CannotStackError: nothing was written.
    """
    started = time.perf_counter()
    try:
        runs = replicas([job.config for job in jobs])
    except ValueError as error:
        return [(job, error) for job in jobs]
    with process_settings(runs[0].config):
        trainers = make_trainers(runs, jobs)
        for job, trainer in zip(jobs, trainers, strict=True):
            if job.config["training"]["init_from"] is not None:
                start_from(trainer, Path(job.config["training"]["init_from"]))
        stack = StackTrainer(trainers, compiles=_compiles(runs[0]))

        def ready() -> None:
            for job in jobs:
                begin(job.folder)
                write_config(job.folder, job.config, job.overrides)

        ended = carry_out(stack, started, ready)
    return list(zip(jobs, ended, strict=True))


def _compiles(run: Run) -> str:
    return str(run.config["device"]["compile"]).lower()


def replicas(configs: Sequence[Mapping[str, Any]]) -> list[Run]:
    """Runs of configs of one structure, which share their data.

    Raises:
        ValueError: the data, the device or a metric cannot be used.
    """
    plain = [api.with_absolute_paths(dict(config)) for config in configs]
    first = dispatch(plain[0])
    api.check_select(first)
    evaluation.check(first)
    return [first, *(replicate(first, config) for config in plain[1:])]


def make_trainers(runs: Sequence[Run], jobs: Sequence[Job]) -> list[Trainer]:
    """A trainer for each run, without a progress bar of its own; the data are the first one's."""
    trainers: list[Trainer] = []
    for run, job in zip(runs, jobs, strict=True):
        left_out = (Progress,) if job.pictures else (Progress, Pictures)
        callbacks = [each for each in api.new_callbacks(run) if not isinstance(each, left_out)]
        shared = trainers[0].data if trainers else None
        trainers.append(Trainer(run, job.folder, callbacks, job.overrides, train=shared))
    return trainers


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
            for member in stack.members:
                api.close(member, started, "interrupted", error=str(stop) or "stopped at once")
            raise
        except CannotStackError:
            raise
        except BaseException as error:
            log.exception("The stack failed")
            text = f"{type(error).__name__}: {error}"
            for member in stack.members:
                api.close(member, started, "failed", error=text)
            raise
        return [_ended(stack, index, started) for index in range(len(stack.members))]


def _ended(stack: StackTrainer, index: int, started: float) -> api.Result | Exception:
    """Measure a replica that has got to the end; the reason where it has not."""
    member = stack.members[index]
    with log_file(member.folder / "run.log"):
        failure = stack.failures.get(index)
        if failure is None:
            try:
                judged = api.judge(member)
            except RunFailed as error:
                failure = error
            else:
                return api.finished(member, started, judged)
        log.error("%s", failure)
        api.close(member, started, "failed", error=str(failure))
        return failure


# --- one folder for many seeds -----------------------------------------------------------------


def execute_seeds(config: Mapping[str, Any], folder: Path, overrides: Sequence[str]) -> api.Result:
    """Train `training.seeds` replicas into one run folder, and summarise them.

    Raises:
        ValueError: the data, the device or the folder cannot be used.
        RunFailed: every replica has failed.
    """
    started = time.perf_counter()
    jobs = _jobs(config, folder)
    replicas([jobs[0].config])  # refused before anything is written
    begin(folder)
    write_config(folder, config, overrides)
    return _summarised(list(execute_jobs(jobs, width=len(jobs))), config, folder, started)


def _jobs(config: Mapping[str, Any], folder: Path) -> list[Job]:
    """The replicas of a run of many seeds; the first one has pictures."""
    first, jobs = config["training"]["seed"], []
    for seed in range(first, first + config["training"]["seeds"]):
        own = copy.deepcopy(dict(config))
        own["training"] |= {"seed": seed, "seeds": 1}
        jobs.append(Job(config=own, folder=folder / SEEDS / str(seed), pictures=seed == first))
    return jobs


def resume_seeds(folder: Path, overrides: Sequence[str] = ()) -> api.Result:
    """Continue a folder of many seeds, bit for bit as if it had not stopped.

    A replica that has failed stays so. Replicas whose last checkpoints are of different steps (the
    process was killed while they were written) go on apart.

    Raises:
        ValueError: a replica has no checkpoint yet, or an override changes the run.
    """
    started = time.perf_counter()
    config = changed_config(read_config(folder), overrides, before=read_overrides(folder))
    jobs, ended = [], []
    for job in _jobs(config, folder):
        found = job.folder / "result.json"
        if found.is_file() and result.read_result(found)["status"] == "failed":
            ended.append((job, RunFailed(str(result.read_result(found)["error"]))))
        elif not (job.folder / "checkpoints" / "last.pt").is_file():
            raise ValueError(
                f"resume={folder}: seed {job.folder.name} has no checkpoint yet; start the "
                f"run again (its options are in {folder / 'overrides.yaml'})"
            )
        else:
            jobs.append(job)
    write_config(folder, config, [*read_overrides(folder), *overrides])
    return _summarised([*ended, *_resumed(jobs)], config, folder, started)


def _resumed(jobs: Sequence[Job]) -> Iterator[Ended]:
    """Go on with jobs of one structure from their checkpoints."""
    started = time.perf_counter()
    if not jobs:
        return
    runs = replicas([job.config for job in jobs])
    with process_settings(runs[0].config):
        by_step: dict[int, list[tuple[Job, Trainer]]] = {}
        for job, trainer in zip(jobs, make_trainers(runs, jobs), strict=True):
            state = checkpoint.load(job.folder / "checkpoints" / "last.pt", runs[0].device)
            trainer.load_state_dict(state)
            write_config(job.folder, job.config, job.overrides)
            by_step.setdefault(trainer.step, []).append((job, trainer))
        for group in by_step.values():
            stack = StackTrainer([trainer for _, trainer in group], compiles=_compiles(runs[0]))
            ended = carry_out(stack, started, lambda: None)
            yield from zip((job for job, _ in group), ended, strict=True)


def _summarised(
    ended: Sequence[Ended], config: Mapping[str, Any], folder: Path, started: float
) -> api.Result:
    """Write the summary of many seeds, and give it as a result.

    Raises:
        RunFailed: every replica has failed.
        ValueError: every replica was refused.
    """
    results = {
        job.config["training"]["seed"]: each for job, each in ended if isinstance(each, api.Result)
    }
    failures = {
        job.config["training"]["seed"]: str(each)
        for job, each in ended
        if not isinstance(each, api.Result)
    }
    if not results:
        raise next(each for _, each in ended if not isinstance(each, api.Result))
    one = next(iter(results.values())).details
    values = {
        name: {seed: each.metrics[name] for seed, each in sorted(results.items())}
        for name in next(iter(results.values())).metrics
    }
    details = {
        **one,
        "status": "completed",
        "error": None,
        "name": config["name"],
        "metrics": {
            name: _spread(one["metrics"][name], of_seeds) for name, of_seeds in values.items()
        },
        "seeds": sorted(results),
        "failed_seeds": {str(seed): text for seed, text in sorted(failures.items())},
        "timings": {
            "seconds_training": sum(
                each.details["timings"]["seconds_training"] for each in results.values()
            ),
            "seconds_total": time.perf_counter() - started,
            "steps_per_second": None,
        },
        "config_hash": result.config_hash(config),
        "health": _warnings(results),
        "folder": str(folder),
    }
    result.write_result(folder / "result.json", details)
    means = {name: entry["value"] for name, entry in details["metrics"].items()}
    networks = next(iter(results.values())).networks
    return api.Result(folder=folder, metrics=means, details=details, networks=networks)


def _warnings(results: Mapping[int, api.Result]) -> list[str]:
    """How many seeds have been warned of, and what was said first: 32 lists would not be read."""
    told = {
        seed: each.details["health"] for seed, each in results.items() if each.details["health"]
    }
    if not told:
        return []
    seed = min(told)
    return [f"{len(told)} of {len(results)} seeds; seed {seed}: {told[seed][0]}"]


def _spread(entry: Mapping[str, Any], of_seeds: Mapping[int, float]) -> dict[str, Any]:
    """A metric over seeds: its mean in the place of a value, and its spread beside it."""
    found = summary(list(of_seeds.values()))
    return {
        **entry,
        "value": found.mean,
        "n": found.n,
        "sd": found.sd,
        "median": found.median,
        "interval": [found.low, found.high],
        "seeds": {str(seed): value for seed, value in of_seeds.items()},
    }
