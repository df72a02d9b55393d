"""Trains a sweep's jobs in stacks: groups them, splits the groups to fit memory, runs the rest.

Imports torch where something is trained.
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gan_runner import stackable
from gan_runner.errors import Interrupted
from gan_runner.run_folder import plain_config, read_config
from gan_runner.sweep_jobs import SweepJob, failures_noted, remove_empty, run, standing

log = logging.getLogger("hydra.stacked")


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A job that is to be trained. is_begun: from its checkpoint on."""

    job: SweepJob
    config: dict[str, Any]
    is_begun: bool


def train(jobs: Sequence[SweepJob], *, width: int, memory: float | None) -> None:
    """Train a sweep's jobs; each leaves what it would leave if it were run by itself.

    Args:
        jobs: of one sweep, with folders of their own.
        width: replicas in a stack at most.
        memory: GiB for a stack, as estimated; None: half of what is free.

    Raises:
        Stop: the process was asked to stop.
    """
    try:
        for group in grouped(list(_waiting(jobs))):
            most = _most(group[0].config, width, memory) if len(group) > 1 else 1
            for part in split(group, most):
                if len(part) == 1:
                    run(part[0].job)
                else:
                    _train_together(part)
    finally:
        for job in jobs:
            remove_empty(job.folder)  # of a job that was not begun


def _waiting(jobs: Sequence[SweepJob]) -> Iterator[Waiting]:
    """The jobs that are to be trained, as far as each can be; the finished are left out."""
    taken: dict[Any, int] = {}
    for job in jobs:
        with failures_noted(job):
            config = job.config()
            if (first := taken.setdefault(job.folder, job.number)) != job.number:
                raise ValueError(f"{job.folder} is job {first}'s too; see hydra.sweep.subdir")
            state = standing(job, config)
            if state == "finished":
                job.note("completed")
                continue
            is_begun = state == "begun"
            plain = read_config(job.folder) if is_begun else plain_config(config)
            yield Waiting(job=job, config=plain, is_begun=is_begun)


def grouped(waiting: Sequence[Waiting]) -> list[list[Waiting]]:
    """Jobs of one structure together, in the order of their first; those for no stack singly."""
    groups: dict[Any, list[Waiting]] = {}
    reasons: dict[str, None] = {}
    for each in waiting:
        key: Any = (stackable.structure(each.config), each.is_begun)
        if (reason := _reason_not(each.config)) is not None:
            reasons[reason] = None
            key = each.job.folder
        groups.setdefault(key, []).append(each)
    for reason in reasons:
        log.info("Some jobs run one by one: %s", reason)
    return list(groups.values())


def _reason_not(config: dict[str, Any]) -> str | None:
    if config["training"]["seeds"] > 1:
        return f"training.seeds={config['training']['seeds']} is a stack of its own"
    return stackable.reason_not(config)


def split(group: Sequence[Waiting], most: int) -> list[Sequence[Waiting]]:
    """A group in as few parts as may be, as equal as may be, none larger than `most`."""
    num_parts = math.ceil(len(group) / most)
    ends = [round(len(group) * part / num_parts) for part in range(num_parts + 1)]
    return [group[start:end] for start, end in itertools.pairwise(ends)]


def _most(config: dict[str, Any], width: int, memory: float | None) -> int:
    from gan_runner import stack_memory

    fitting = stack_memory.replicas_that_fit(config, memory)
    return width if fitting is None else max(1, min(width, fitting))


def _train_together(part: Sequence[Waiting]) -> None:
    """Train jobs as a stack, and note how each has ended.

    Raises:
        Stop: the process was asked to stop.
    """
    from gan_runner.stack import Job, execute_jobs, resume_jobs

    numbers = ", ".join(str(each.job.number) for each in part)
    log.info("Stack of %d: jobs %s", len(part), numbers)
    waiting = {each.job.folder: each.job for each in part}
    is_begun = part[0].is_begun
    jobs = [
        Job(config=each.config, folder=each.job.folder, overrides=each.job.overrides)
        for each in part
    ]
    try:
        for job, outcome in resume_jobs(jobs) if is_begun else execute_jobs(jobs, width=len(jobs)):
            done = waiting.pop(job.folder)
            if isinstance(outcome, Exception):
                done.failed(outcome)
            else:
                done.ended(outcome)
    except (Interrupted, KeyboardInterrupt):
        with failures_noted(*waiting.values()):
            raise
    except Exception as error:
        for left in waiting.values():
            if is_begun or not (left.folder / "config.yaml").is_file():
                run(left)  # its own turn had not come, or its checkpoint is there still
            else:
                left.failed(error, is_logged=False)  # the stack has no folder
