"""The jobs of a sweep: what Hydra's launchers call, in this process or a worker.

A job that fails is written down and does not stop the others. Imports neither Hydra nor torch
before they are needed.
"""

from __future__ import annotations

import functools
import importlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_runner.errors import Interrupted
from gan_runner.terminal import say

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from gan_runner.compose import Composer

log = logging.getLogger("gan_runner.sweep_jobs")
FAILED_JOBS = "failed_jobs.txt"  # in a sweep's folder: a line for each job that failed


class Stop(BaseException):  # no Exception: Hydra would catch it
    """Carries an interruption through Hydra, which would go on to a sweep's next job."""


@dataclass(frozen=True, kw_only=True)
class SweepJob:
    """A job as Hydra tells of it.

    Attributes:
        number: its number in the sweep.
        folder: its run folder.
        sweep: the sweep's folder.
        overrides: as typed, with this job's values.
        config_dirs: folders of the user's own options.
        resumes: goes on with what is in its folder.
    """

    number: int
    folder: Path
    sweep: Path
    overrides: tuple[str, ...]
    config_dirs: tuple[Path, ...] = ()
    resumes: bool = False

    def config(self) -> DictConfig:
        """The job's checked config.

        Raises:
            ConfigError: as `compose_run`.
        """
        return composer_for(self.config_dirs).compose(self.overrides).config

    def ended(self, outcome: Any) -> None:
        """Print a result's table and add it to the sweep's index."""
        print(outcome, end="\n\n")
        details = getattr(outcome, "details", {})
        self.note(details.get("status", "completed"))

    def failed(self, error: Exception, *, is_logged: bool | None = None) -> None:
        """Log a failure in the job's folder, list it in the sweep's, and say so.

        is_logged: the run has logged it; None: it has if there is a log.
        """
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        path = self.folder / "run.log"
        if not (path.exists() if is_logged is None else is_logged):
            self.folder.mkdir(parents=True, exist_ok=True)
            handler = logging.FileHandler(path, encoding="utf-8")
            log.addHandler(handler)
            try:
                log.error("Job %s failed", self.number, exc_info=error)
            finally:
                log.removeHandler(handler)
                handler.close()
        with (self.sweep / FAILED_JOBS).open("a", encoding="utf-8") as ledger:
            ledger.write(f"{self.number}\t{' '.join(self.overrides)}\t{reason}\n")
        self.note("failed", reason)
        say(f"job {self.number} failed: {reason}", error)

    def note(self, status: str, error: str | None = None) -> None:
        """Add the job to the sweep's index."""
        from gan_runner import sweep_index

        row = sweep_index.row(
            self.sweep,
            job=self.number,
            folder=self.folder,
            overrides=self.overrides,
            status=status,
            error=error,
        )
        sweep_index.add(self.sweep, [row])


def sweep_job(_: DictConfig) -> None:
    """Run a job. Hydra hands it its own config, which is not used."""
    run(current_job())


def resumed_sweep_job(_: DictConfig) -> None:
    """Go on with a job: skip it if it is finished."""
    run(current_job(resumes=True))


def current_job(*, resumes: bool = False) -> SweepJob:
    """The job that Hydra is at."""
    from hydra.core.hydra_config import HydraConfig

    from gan_runner.sweeps import plain

    mine = HydraConfig.get()
    sources = mine.runtime.config_sources
    return SweepJob(
        number=int(mine.job.num),
        folder=Path(mine.runtime.output_dir),
        sweep=Path(mine.runtime.cwd) / mine.sweep.dir,
        overrides=tuple(plain(text) for text in mine.overrides.task),
        config_dirs=tuple(Path(each.path) for each in sources if each.provider == "command-line"),
        resumes=resumes,
    )


def run(job: SweepJob) -> None:
    """Run a job by itself. A failure is written down, not raised: Hydra would drop later batches.

    Raises:
        Stop: the process was asked to stop.
    """
    with failures_noted(job):
        config = job.config()
        state = standing(job, config)
        if state == "finished":
            job.note("completed")
        elif state == "begun":
            job.ended(api().resume(job.folder, []))
        else:
            job.ended(execute(config, job.folder, list(job.overrides)))


@contextmanager
def failures_noted(*jobs: SweepJob) -> Iterator[None]:
    """Note how the jobs that are run within ended, where they did not get to their end.

    Raises:
        Stop: the process was asked to stop.
    """
    try:
        yield
    except Interrupted as stop:
        _note_stopped(jobs)
        raise Stop(stop.signum, stop.folder) from None
    except KeyboardInterrupt:
        _note_stopped(jobs)
        raise
    except Exception as error:
        for job in jobs:
            job.failed(error)


def _note_stopped(jobs: tuple[SweepJob, ...]) -> None:
    for job in jobs:
        if (job.folder / "config.yaml").is_file():  # else it had not begun
            job.note("interrupted")


def standing(job: SweepJob, config: DictConfig) -> str:
    """How far a job is: "new", or in a sweep that is resumed also "begun" or "finished".

    Raises:
        ValueError: another run is in its folder, or one that is not to be resumed.
    """
    from gan_runner.run_folder import check_unused

    if job.resumes:
        from gan_runner import sweep_resume

        return sweep_resume.standing(job, config)
    check_unused(job.folder)  # before torch is imported
    return "new"


@functools.lru_cache(maxsize=1)
def composer_for(config_dirs: tuple[Path, ...]) -> Composer:
    """One for a sweep's jobs in this process: it remembers what it has composed."""
    from gan_runner.compose import Composer

    return Composer(config_dirs)


def execute(config: DictConfig, folder: Path, overrides: list[str]) -> Any:
    """Train, and leave no empty folder where nothing was written.

    Raises:
        ValueError: there is a run in the folder, which would be lost.
    """
    from gan_runner.run_folder import check_unused

    check_unused(folder)  # before torch is imported
    try:
        return api().execute(config, folder, overrides)
    finally:
        remove_empty(folder)


def api() -> Any:
    """The part that trains; imports torch."""
    return importlib.import_module("gan_runner.api")


def remove_empty(folder: Path) -> None:
    """Remove a folder, and those above it within the current one, as far as they are empty."""
    here = Path.cwd().resolve()
    folder = folder.resolve()
    for each in (folder, *folder.parents):
        if each != folder and here not in each.parents:
            return
        try:
            each.rmdir()
        except FileNotFoundError:
            continue
        except OSError:  # not empty
            return


TASKS: dict[bool, Callable[[DictConfig], None]] = {False: sweep_job, True: resumed_sweep_job}
