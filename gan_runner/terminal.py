"""What `gan-run` says on stderr: its one line about an error, and the log as plain messages."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import traceback
from collections.abc import Iterator

DEBUG = "GAN_RUNNER_DEBUG"  # set to 1, it shows tracebacks
_TELLING = ("hydra", "hydra_plugins")  # loggers whose information is shown too


class _Message(logging.Formatter):
    """A log record as its message alone: tracebacks are for the log file."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the message."""
        return record.getMessage()


@contextlib.contextmanager
def console() -> Iterator[None]:
    """Show the log of the package and of Hydra on stderr, but for errors: `main` words those."""
    root, telling = logging.getLogger(), [logging.getLogger(name) for name in _TELLING]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Message())
    handler.addFilter(
        lambda record: record.levelno < logging.ERROR or not record.name.startswith("gan_runner")
    )
    levels = [each.level for each in telling]
    root.addHandler(handler)
    for each in telling:
        each.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        for each, level in zip(telling, levels, strict=True):
            each.setLevel(level)


def debugging() -> bool:
    """Whether tracebacks were asked for."""
    return os.environ.get(DEBUG, "") not in ("", "0")


def say(text: str, error: BaseException | None = None) -> None:
    """Print one line; the traceback of an exception before it where that was asked for."""
    if error is not None and debugging():
        traceback.print_exception(error)
    print(f"gan-run: {' '.join(text.split())}", file=sys.stderr)
