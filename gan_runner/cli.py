"""`gan-run`: checks what was typed, lets Hydra make run folders and sweeps, words what goes wrong.

Imports neither Hydra nor torch before they are needed: the help page comes at once, and a config is
printed or refused without torch.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import logging
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_runner import __version__, conf_files, help_page
from gan_runner.command_line import Words, hand_to_hydra, no_job, read_words
from gan_runner.errors import ConfigError, Interrupted, RunFailed

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from gan_runner.compose import Composer

log = logging.getLogger("gan_runner.cli")
DEBUG = "GAN_RUNNER_DEBUG"  # set to 1, it shows tracebacks
FAILED_JOBS = "failed_jobs.txt"  # in a sweep's folder: a line for each job that failed


class _Stop(BaseException):  # no Exception: Hydra would catch it
    """Carries an interruption through Hydra, which would go on to a sweep's next job."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0; 2 where the config is refused; 1 where a run failed; 130 after Ctrl-C, 143 after SIGTERM.
    """
    try:
        return _answer(list(sys.argv[1:] if argv is None else argv))
    except BrokenPipeError:  # who read our output has gone: `gan-run --help | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # as a shell words SIGPIPE, which not every system has
    except (Exception, KeyboardInterrupt) as error:
        return _say(*_worded(error))


def _answer(words: list[str]) -> int:
    if {"-h", "--help"} & set(words):
        print(help_page.answer(words))
        return 0
    if "--version" in words:
        print(f"gan-run {__version__}")
        return 0
    os.environ["HYDRA_FULL_ERROR"] = "1"  # else Hydra prints errors and exits by itself
    line = read_words(words)
    if line.hydra_only:
        return hand_to_hydra(line, line.overrides, no_job)
    with _console():
        return _command(line)


def _worded(error: BaseException) -> tuple[str, int]:
    """What to say about an exception, and the exit code."""
    if isinstance(error, Interrupted):
        return str(error), 128 + error.signum
    if isinstance(error, KeyboardInterrupt):
        return "stopped by SIGINT", 128 + signal.SIGINT
    if isinstance(error, RunFailed):
        return f"error: {error}", 1
    if isinstance(error, ValueError):
        return f"error: {error}", 2
    hint = "" if _debugging() else f" ({DEBUG}=1 shows where)"
    return f"error: {type(error).__name__}: {error}{hint}", 1


def _command(line: Words) -> int:
    _composer.cache_clear()
    composer = _composer(tuple(each.resolve() for each in line.config_dirs))
    for folder in line.config_dirs:
        for path in conf_files.shadowed(folder):
            log.warning(
                "gan-run: warning: %s is ignored: the package has an option of that name", path
            )
    if not line.shows_config and (resumed := _resumed(line)) is not None:
        print(_api().resume(*resumed))
        return 0
    return _sweep(line, composer) if line.multirun else _single(line, composer)


@functools.lru_cache(maxsize=1)
def _composer(config_dirs: tuple[Path, ...]) -> Composer:
    """One for a sweep's jobs in this process: it remembers what it has composed."""
    from gan_runner.compose import Composer

    return Composer(config_dirs)


# --- one run ---------------------------------------------------------------------------------


def _single(line: Words, composer: Composer) -> int:
    """Check the config, let Hydra make the folder, train. Or print the config (`--cfg`)."""
    from gan_runner.overrides import as_texts, parse

    parsed = parse(line.overrides)
    composed = composer.compose(line.overrides)
    for_hydra = [*as_texts(parsed), *composed.settled]
    if line.shows_config:
        return hand_to_hydra(line, for_hydra, no_job)
    typed = as_texts([each for each in parsed if not each.is_hydra_override()])
    failures: list[BaseException] = []
    outcomes: list[Any] = []

    def job(_: DictConfig) -> None:
        from hydra.core.hydra_config import HydraConfig

        folder = Path(HydraConfig.get().runtime.output_dir)
        # Kept, not raised: Hydra would print about it.
        try:
            outcomes.append(_execute(composed.config, folder, typed))
        except Exception as error:
            failures.append(error)

    hand_to_hydra(line, for_hydra, job)
    if failures:
        raise failures[0]
    print(*outcomes, sep="\n")
    return 0


def _execute(config: DictConfig, folder: Path, overrides: list[str]) -> Any:
    """Train, and leave no empty folder where nothing was written.

    Raises:
        ValueError: there is a run in the folder, which would be lost.
    """
    from gan_runner.run_folder import check_unused

    check_unused(folder)  # before torch is imported
    try:
        return _api().execute(config, folder, overrides)
    finally:
        _remove_empty(folder)


def _api() -> Any:
    """The part that trains; imports torch."""
    return importlib.import_module("gan_runner.api")


def _remove_empty(folder: Path) -> None:
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


def _resumed(line: Words) -> tuple[Path, list[str]] | None:
    """The folder of `resume=<folder>` and the other overrides; None where it was not typed.

    Raises:
        ConfigError: no run is there, or it was typed with `-m`.
    """
    found = [each for each in line.overrides if each.lstrip("+").startswith("resume=")]
    if not found:
        return None
    text = found[-1].partition("=")[2].strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1]
    if line.multirun:
        raise ConfigError(f"resume={text}: one run is resumed at a time, without --multirun")
    if not text or text == "null":
        raise ConfigError(f"resume={text}: a run folder is wanted, such as outputs/2026-01-31/...")
    folder = Path(text).expanduser()
    if not (folder / "config.yaml").is_file():
        raise ConfigError(f"resume={text}: no run folder: it has no config.yaml")
    return folder, [each for each in line.overrides if each not in found]


# --- sweeps ----------------------------------------------------------------------------------


def _sweep(line: Words, composer: Composer) -> int:
    """Check all jobs, then let Hydra run them; a job's failure does not stop the others."""
    from gan_runner.sweeps import plan

    sweep = plan(composer, line.overrides)
    ledger = sweep.folder / FAILED_JOBS
    before = _num_lines(ledger)
    try:
        hand_to_hydra(line, list(sweep.overrides), sweep_job)
    except _Stop as stop:
        (signum, folder) = stop.args
        raise Interrupted(signum, folder) from None
    if num_failed := _num_lines(ledger) - before:
        total = f" of {sweep.num_jobs}" if sweep.num_jobs else ""
        raise RunFailed(f"{num_failed}{total} jobs failed; {ledger} lists them")
    return 0


def sweep_job(_: DictConfig) -> None:
    """One job of a sweep, in this process or a launcher's worker. Hydra hands it its own config.

    A failure is written down, not raised: Hydra would drop the batches that come after it.
    """
    from hydra.core.hydra_config import HydraConfig

    from gan_runner.sweeps import plain

    mine = HydraConfig.get()
    folder = Path(mine.runtime.output_dir)
    overrides = [plain(text) for text in mine.overrides.task]
    sources = mine.runtime.config_sources
    added = tuple(Path(each.path) for each in sources if each.provider == "command-line")
    try:
        config = _composer(added).compose(overrides).config
        print(_execute(config, folder, overrides), end="\n\n")
    except Interrupted as stop:
        raise _Stop(stop.signum, stop.folder) from None
    except Exception as error:
        _write_down(error, folder, Path(mine.sweep.dir), f"{mine.job.num}", overrides)


def _write_down(
    error: Exception, folder: Path, sweep: Path, number: str, overrides: list[str]
) -> None:
    """Log a job's failure in its folder, and list it in the sweep's."""
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    if not (folder / "run.log").exists():  # else the run has logged it
        folder.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(folder / "run.log", encoding="utf-8")
        log.addHandler(handler)
        try:
            log.exception("Job %s failed", number)
        finally:
            log.removeHandler(handler)
            handler.close()
    with (sweep / FAILED_JOBS).open("a", encoding="utf-8") as ledger:
        ledger.write(f"{number}\t{' '.join(overrides)}\t{reason}\n")
    _say(f"job {number} failed: {reason}", 1)


def _num_lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines()) if path.is_file() else 0


# --- the terminal ----------------------------------------------------------------------------


class _Console(logging.Formatter):
    """A log record as its message alone: tracebacks are for the log file."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the message."""
        return record.getMessage()


@contextlib.contextmanager
def _console() -> Iterator[None]:
    """Show the log of the package and of Hydra on stderr, but for errors: `main` words those."""
    root, hydra = logging.getLogger(), logging.getLogger("hydra")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Console())
    handler.addFilter(
        lambda record: record.levelno < logging.ERROR or not record.name.startswith("gan_runner")
    )
    level = hydra.level
    root.addHandler(handler)
    hydra.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        hydra.setLevel(level)


def _debugging() -> bool:
    return os.environ.get(DEBUG, "") not in ("", "0")


def _say(text: str, code: int) -> int:
    """Print one line about the exception being handled; its traceback too where asked for."""
    if _debugging():
        traceback.print_exc()
    print(f"gan-run: {' '.join(text.split())}", file=sys.stderr)
    return code
