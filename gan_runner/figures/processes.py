"""Starts `gan-run` commands in processes of their own, fast.

Importing torch and its company takes longer than a short run. On Linux each command is therefore
forked from a server that has imported them once. Elsewhere a forked process may not use the
system's libraries, and one forked from a process that has looked for GPUs may not use them; there
each command starts from nothing.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType

_ONE_THREAD = {"OMP_NUM_THREADS": "1"}  # read when torch is imported; commands run side by side


def start(words: Sequence[str], text: Path, *, on_cpu: bool) -> BaseProcess:
    """Start `gan-run` with words; what it says goes into a file.

    The process has a session of its own: Ctrl-C in the terminal does not reach it.
    """
    environment = {**os.environ, **_ONE_THREAD}
    arguments = (list(words), text, environment)
    process: BaseProcess
    if on_cpu and sys.platform == "linux":
        server = multiprocessing.get_context("forkserver")
        server.set_forkserver_preload(["gan_runner.figures.preloaded"])
        process = server.Process(target=_carry_out, args=arguments)
    else:
        process = multiprocessing.get_context("spawn").Process(target=_carry_out, args=arguments)
    with _added(_ONE_THREAD), _nameless():  # the server inherits the variables
        process.start()
    return process


@contextmanager
def _added(names: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for a while."""
    before = dict(os.environ)
    os.environ.update(names)
    try:
        yield
    finally:
        for name in names:
            if name in before:
                os.environ[name] = before[name]
            else:
                del os.environ[name]


@contextmanager
def _nameless() -> Iterator[None]:
    """A `__main__` that came from nowhere, for a while.

    A new process imports its parent's main module, for functions that stand there. Commands need
    none, and a script that makes figures at its top level would make them again, in each of them.
    """
    before = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = before


def _carry_out(words: list[str], text: Path, environment: Mapping[str, str]) -> None:
    """The command, in its own process."""
    if hasattr(os, "setsid"):
        os.setsid()
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})  # the server blocks it
    os.environ.clear()
    os.environ.update(environment)
    with text.open("wb") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    from gan_runner.cli import main

    sys.exit(main(words))
