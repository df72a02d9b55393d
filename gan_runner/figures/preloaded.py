"""Imported by the server of `processes` alone: all that every run needs.

The server has to outlive its commands, for it tells how they ended. A scheduler that ends a job
signals all its processes; this one never takes that signal, and ends when the command that started
it does. The signal is blocked, not ignored: a command that is asked to end while it is being forked
still has it before it once it unblocks it. Threads that libraries start inherit what is blocked, so
that comes first.
"""

from __future__ import annotations

import importlib
import signal

NEEDED = (
    "gan_runner.api", "gan_runner.compose", "gan_runner.figures.command",
    "hydra.main", "torch._dynamo", "torch.utils.tensorboard",
)  # fmt: skip

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
for name in NEEDED:
    importlib.import_module(name)
