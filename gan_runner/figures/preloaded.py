"""Imported by the server of `processes` alone: all that every run needs.

The server has to outlive its commands, for it tells how they ended. A scheduler that ends a job
signals all its processes; this one ignores that, and ends when the command that started it does.
"""

from __future__ import annotations

import importlib
import signal

NEEDED = (
    "gan_runner.api", "gan_runner.compose", "gan_runner.figures.command",
    "hydra.main", "torch._dynamo", "torch.utils.tensorboard",
)  # fmt: skip

for name in NEEDED:
    importlib.import_module(name)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
