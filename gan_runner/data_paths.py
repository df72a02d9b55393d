"""Where data lie on disk. Imports no torch."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = "GAN_RUNNER_DATA"  # environment variable: the folder of all published sets


def data_folder(path: str | None) -> Path:
    """Return the folder given, else that of the environment variable, else the cache's."""
    return Path(path or os.environ.get(FOLDER) or "~/.cache/gan_runner/data").expanduser()


def find(path: str) -> Path:
    """Return a path as given, or in the data folder where it is relative and only there."""
    given = Path(path).expanduser()
    if given.exists() or given.is_absolute():
        return given
    there = data_folder(None) / given
    return there if there.exists() else given
