"""What `gan-sample` and `gan-eval` share: arguments, one-line errors, exit codes. Without torch."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from gan_runner import __version__
from gan_runner.allocation import keep_freed_memory
from gan_runner.errors import ConfigError

SPLITS = ("test", "validation", "train")
DEVICES = ("auto", "cpu", "cuda", "mps")
DEBUG = "GAN_RUNNER_DEBUG"  # set to 1, it shows tracebacks


class LineParser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line."""

    def __init__(self, program: str, description: str) -> None:
        super().__init__(prog=program, description=description, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Refuse a command line.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(message)


class Parser(LineParser):
    """A parser of a run folder and options."""

    def __init__(self, program: str, description: str) -> None:
        super().__init__(program, description)
        self.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
        self.add_argument("folder", type=Path, metavar="RUN_FOLDER", help="folder of a run")


def at_least(low: int) -> Callable[[str], int]:
    """A type of arguments: whole numbers from `low` on."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if value < low:
            raise argparse.ArgumentTypeError(f"{text}: a whole number of at least {low} is wanted")
        return value

    return read


def number_between(low: float, high: float) -> Callable[[str], float]:
    """A type of arguments: numbers from `low` to `high`."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text}: a number from {low} to {high} is wanted")
        return value

    return read


def answer(program: str, command: Callable[[Sequence[str]], None], argv: Sequence[str]) -> int:
    """Carry out a command.

    Returns:
        0; 2 where it is refused; 1 where something else went wrong; 130 after Ctrl-C.
    """
    keep_freed_memory()
    try:
        command(argv)
    except SystemExit as end:  # --help, --version
        return int(end.code or 0)
    except (Exception, KeyboardInterrupt) as error:
        if os.environ.get(DEBUG, "") not in ("", "0"):
            traceback.print_exc()
        message, code = _worded(error)
        say(program, message)
        return code
    return 0


def _worded(error: BaseException) -> tuple[str, int]:
    """What to say about an exception, and the exit code."""
    if isinstance(error, KeyboardInterrupt):
        return "stopped by SIGINT", 130
    if isinstance(error, ValueError):
        return f"error: {error}", 2
    if isinstance(error, OSError) and error.filename is not None:  # nowhere to write, say
        return f"error: {error.filename}: {error.strerror}", 2
    return f"error: {type(error).__name__}: {error}", 1


def say(program: str, message: str) -> None:
    """Print one line to stderr."""
    print(f"{program}: {' '.join(message.split())}", file=sys.stderr)
