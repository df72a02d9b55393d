"""Carries out `gan-run` commands, several at once, each in a process of its own.

A run that was stopped goes on from its last checkpoint, bit for bit. A run that another process
makes is waited for.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

from filelock import FileLock, Timeout

from gan_runner.errors import Interrupted
from gan_runner.figures import processes
from gan_runner.figures.runs import FINISHED, Job
from gan_runner.signals import StopSignal
from gan_runner.studies import runs

log = logging.getLogger("gan_runner.figures")
_NEVER = "the run that it starts from was not made"
_EVERY = 0.2  # seconds between looks at the processes
_ERROR = "error:"  # in the line that says why a command was refused


@dataclass(kw_only=True)
class Process:
    """A command that goes on. lock: of its folder, against other processes with the same job."""

    job: Job
    lock: FileLock
    process: BaseProcess
    text: Path
    started: float = field(default_factory=time.perf_counter)


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A command that came to an end. refusal: its last error, where it made no run."""

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
    elsewhere: set[Path] = set()
    try:
        with StopSignal() as stop:
            while waiting or going:
                while len(going) < at_once and stop.signum is None:
                    found = _next(waiting, ready, elsewhere)
                    if found is None:
                        break
                    job, lock = found
                    if _is_finished(job.folder):  # by another process, while this one waited
                        lock.release()
                        yield Ended(job=job, refusal=None)
                    else:
                        going.append(_start(job, lock))
                if not going and not any(each.folder in elsewhere for each in waiting):
                    yield from (Ended(job=job, refusal=_NEVER) for job in waiting)
                    return
                if stop.signum is not None:
                    raise Interrupted(stop.signum)
                ended = [each for each in going if each.process.exitcode is not None]
                for each in ended:
                    going.remove(each)
                    yield _ended(each)
                if not ended:
                    time.sleep(_EVERY)
    finally:
        _stop(going)


def _next(
    waiting: list[Job], ready: Callable[[Job], Job | None], elsewhere: set[Path]
) -> tuple[Job, FileLock] | None:
    """Take the first command that can begin, with its folder's lock.

    elsewhere: folders of those that another process carries out; it is brought up to date.
    """
    for job in list(waiting):
        found = ready(job)
        if found is None:
            continue
        job.folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(job.folder.with_name(f".{job.folder.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if job.folder not in elsewhere:
                log.info("%s: another process makes it", job.label)
            elsewhere.add(job.folder)
            continue
        elsewhere.discard(job.folder)
        waiting.remove(job)
        return found, lock
    return None


def _is_finished(folder: Path) -> bool:
    """Whether every run of a folder, one or a stack's, got to its end or failed."""
    if not folder.is_dir():
        return False
    found = [runs.read(each) for each in runs.find([folder])]
    return bool(found) and all(each.status in FINISHED for each in found)


def _start(job: Job, lock: FileLock) -> Process:
    folder = job.folder.resolve()
    words = [*job.words, f"hydra.run.dir={folder}"]
    if (folder / "config.yaml").is_file() and list(folder.glob("**/checkpoints/last.pt")):
        words = [f"resume={folder}"]
    elif folder.exists():
        shutil.rmtree(folder)  # it never came to a checkpoint
    text = folder.with_name(f"{folder.name}.txt")
    log.info("%s", job.label)
    process = processes.start(words, text, on_cpu="device=cpu" in job.words)
    return Process(job=job, lock=lock, process=process, text=text)


def _stop(going: Sequence[Process]) -> None:
    """Ask runs to save themselves and end, and wait until they have."""
    for each in going:
        each.process.terminate()
    for each in going:
        each.process.join()
        each.lock.release()


def _ended(ended: Process) -> Ended:
    ended.lock.release()
    code = ended.process.exitcode
    seconds = time.perf_counter() - ended.started
    if code == 0 or _is_finished(ended.job.folder):
        ended.text.unlink(missing_ok=True)
        log.info("%s: %.0f s", ended.job.label, seconds)
        return Ended(job=ended.job, refusal=None)
    lines = ended.text.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    lines = [each for each in lines if _ERROR in each] or lines
    line = lines[-1] if lines else f"exit code {code}"
    log.info("%s: %s", ended.job.label, line)
    return Ended(job=ended.job, refusal=line)
