"""Carries out `gan-run` commands, several at once, each in a process of its own.

A run that was stopped goes on from its last checkpoint, bit for bit.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gan_runner.errors import Interrupted
from gan_runner.figures.runs import Job
from gan_runner.signals import StopSignal

log = logging.getLogger("gan_runner.figures")
_NEVER = "the run that it starts from was not made"
_EVERY = 0.2  # seconds between looks at the processes


@dataclass(kw_only=True)
class Process:
    """A command that goes on."""

    job: Job
    process: subprocess.Popen[bytes]
    text: Path
    started: float = field(default_factory=time.perf_counter)


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A command that came to an end. refusal: its last line, where it made no run."""

    job: Job
    refusal: str | None


def train(
    jobs: Sequence[Job], *, at_once: int, ready: Callable[[Job], Job | None] = lambda job: job
) -> Iterator[Ended]:
    """Carry out commands, so many at once, and yield each as it ends.

    ready: a job as it can begin, or None while it must wait for another; what waits for one that
    never comes is refused.

    Raises:
        Interrupted: a signal came; the runs that go on were asked to save themselves first.
    """
    waiting, going = list(jobs), list[Process]()
    try:
        with StopSignal() as stop:
            while waiting or going:
                while len(going) < at_once and stop.signum is None:
                    job = _next(waiting, ready)
                    if job is None:
                        break
                    going.append(_start(job))
                if not going:
                    yield from (Ended(job=job, refusal=_NEVER) for job in waiting)
                    return
                if stop.signum is not None:
                    raise Interrupted(stop.signum)
                ended = [each for each in going if each.process.poll() is not None]
                for each in ended:
                    going.remove(each)
                    yield _ended(each)
                if not ended:
                    time.sleep(_EVERY)
    finally:
        _stop(going)


def _next(waiting: list[Job], ready: Callable[[Job], Job | None]) -> Job | None:
    """Take the first command that can begin."""
    for job in list(waiting):
        found = ready(job)
        if found is not None:
            waiting.remove(job)
            return found
    return None


def _start(job: Job) -> Process:
    folder = job.folder.resolve()
    words = [*job.words, f"hydra.run.dir={folder}"]
    if (folder / "config.yaml").is_file() and list(folder.glob("**/checkpoints/last.pt")):
        words = [f"resume={folder}"]
    elif folder.exists():
        shutil.rmtree(folder)  # it never came to a checkpoint
    folder.parent.mkdir(parents=True, exist_ok=True)
    text = folder.with_name(f"{folder.name}.txt")
    log.info("%s", job.label)
    with text.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "gan_runner", *words],
            stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1"}, start_new_session=True,
        )  # fmt: skip
    return Process(job=job, process=process, text=text)


def _stop(going: Sequence[Process]) -> None:
    """Ask runs to save themselves and end, and wait until they have."""
    for each in going:
        each.process.terminate()
    for each in going:
        each.process.wait()


def _ended(ended: Process) -> Ended:
    code = ended.process.returncode
    seconds = time.perf_counter() - ended.started
    if code == 0 or (ended.job.folder / "result.json").is_file():
        ended.text.unlink(missing_ok=True)
        log.info("%s: %.0f s", ended.job.label, seconds)
        return Ended(job=ended.job, refusal=None)
    lines = ended.text.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    line = lines[-1] if lines else f"exit code {code}"
    log.info("%s: %s", ended.job.label, line)
    return Ended(job=ended.job, refusal=line)
