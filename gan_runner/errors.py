"""What can go wrong in a run, by who can put it right; the command's exit codes follow from it."""

from __future__ import annotations

import shlex
import signal
from pathlib import Path


class ConfigError(ValueError):
    """The config cannot be run as it was typed (exit code 2). The message is one line."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


def retold(error: BaseException) -> ConfigError | None:
    """What PyTorch refuses of a config, in the config's words."""
    if isinstance(error, ValueError) and "more than 1 value per channel" in str(error):
        return ConfigError("training.batch_size=1: BatchNorm needs at least 2 samples a batch")
    return None


class RunFailed(RuntimeError):  # noqa: N818 - a name, not a category of errors
    """The run started and could not be finished (exit code 1). The message is one line."""


class Interrupted(RuntimeError):  # noqa: N818 - as above
    """A signal stopped the run after its state was saved (exit code 128 + signum).

    signum: the signal's number. folder: the run folder that `resume=` continues, if there is one.
    """

    def __init__(self, signum: int, folder: Path | None = None) -> None:
        super().__init__(signum, folder)  # the arguments as they are: workers pickle this
        self.signum = signum
        self.folder = folder

    def __str__(self) -> str:
        """Name the signal, and how to go on where that is possible."""
        names = {int(known): known.name for known in signal.Signals}
        text = f"stopped by {names.get(self.signum, f'signal {self.signum}')}"
        if self.folder is None:
            return text
        return f"{text}; continue with: gan-run {shlex.quote(f'resume={self.folder}')}"
