"""`gan-run`: checks what was typed, lets Hydra make run folders and sweeps, words what goes wrong.

Imports neither Hydra nor torch before they are needed: the help page comes at once, and a config is
printed or refused without torch.
"""

from __future__ import annotations

import logging
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_runner import __version__, conf_files, help_page
from gan_runner.allocation import keep_freed_memory
from gan_runner.command_line import Words, hand_to_hydra, no_job, read_words
from gan_runner.errors import ConfigError, Interrupted, RunFailed
from gan_runner.sweep_jobs import FAILED_JOBS, TASKS, Stop, api, composer_for, execute
from gan_runner.terminal import DEBUG, console, debugging, say

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from gan_runner.compose import Composer
    from gan_runner.sweeps import Sweep

__all__ = ["DEBUG", "FAILED_JOBS", "main"]
log = logging.getLogger("gan_runner.cli")


class _SweepInterrupted(Interrupted):
    """A signal stopped a sweep. folder: the sweep's."""

    def __str__(self) -> str:
        """Name the signal, and how to go on."""
        folder = shlex.quote(f"hydra.sweep.dir={self.folder}")
        return f"{Interrupted(self.signum)}; continue with: gan-run -m sweep=resume {folder}"


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
        text, code = _worded(error)
        say(text, error)
        return code


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
    keep_freed_memory()
    with console():
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
    hint = "" if debugging() else f" ({DEBUG}=1 shows where)"
    return f"error: {type(error).__name__}: {error}{hint}", 1


def _command(line: Words) -> int:
    composer_for.cache_clear()
    composer = composer_for(tuple(each.resolve() for each in line.config_dirs))
    for folder in line.config_dirs:
        for path in conf_files.shadowed(folder):
            log.warning(
                "gan-run: warning: %s is ignored: the package has an option of that name", path
            )
    if not line.shows_config and (resumed := _resumed(line)) is not None:
        print(api().resume(*resumed))
        return 0
    return _sweep(line, composer) if line.multirun else _single(line, composer)


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
            outcomes.append(execute(composed.config, folder, typed))
        except Exception as error:
            failures.append(error)

    hand_to_hydra(line, for_hydra, job)
    if failures:
        raise failures[0]
    print(*outcomes, sep="\n")
    return 0


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
        raise ConfigError(
            f"resume={text}: one run is resumed at a time, without --multirun; for a sweep write "
            "sweep=resume"
        )
    if not text or text == "null":
        raise ConfigError(f"resume={text}: a run folder is wanted, such as outputs/2026-01-31/...")
    folder = Path(text).expanduser()
    if not (folder / "config.yaml").is_file():
        where = shlex.quote(f"hydra.sweep.dir={text}")
        hint = f"; it is a sweep's: gan-run -m sweep=resume {where}"
        is_sweep = (folder / "multirun.yaml").is_file()
        raise ConfigError(
            f"resume={text}: no run folder: it has no config.yaml{hint if is_sweep else ''}"
        )
    return folder, [each for each in line.overrides if each not in found]


# --- sweeps ----------------------------------------------------------------------------------


def _sweep(line: Words, composer: Composer) -> int:
    """Check all jobs, then let Hydra run them; a job's failure does not stop the others."""
    from gan_runner.sweeps import plan

    if line.resumes_sweep:
        sweep = _sweep_to_resume(line, composer)
    else:
        sweep = plan(composer, line.overrides)
    ledger = sweep.folder / FAILED_JOBS
    before = _num_lines(ledger)
    try:
        hand_to_hydra(line, list(sweep.overrides), TASKS[line.resumes_sweep])
    except Stop as stop:
        raise _SweepInterrupted(stop.args[0], sweep.folder) from None
    except KeyboardInterrupt:  # at once, or between two jobs
        if not sweep.folder.is_dir():
            raise
        raise _SweepInterrupted(signal.SIGINT, sweep.folder) from None
    if num_failed := _num_lines(ledger) - before:
        total = f" of {sweep.num_jobs}" if sweep.num_jobs else ""
        raise RunFailed(f"{num_failed}{total} jobs failed; {ledger} lists them")
    return 0


def _sweep_to_resume(line: Words, composer: Composer) -> Sweep:
    """The sweep of `sweep=resume`. Jobs that failed are tried again, so their list is begun anew.

    Raises:
        ConfigError: there is none, or its jobs are others.
    """
    from gan_runner import sweep_resume
    from gan_runner.sweeps import plan

    overrides = sweep_resume.completed(line.overrides)
    sweep = sweep_resume.located(plan(composer, overrides), overrides)
    total = f" of {sweep.num_jobs}" if sweep.num_jobs else ""
    done = sweep_resume.num_finished(sweep)
    say(f"{sweep.folder}: {done}{total} jobs are finished already")
    (sweep.folder / FAILED_JOBS).unlink(missing_ok=True)
    return sweep


def _num_lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines()) if path.is_file() else 0
