"""Hydra's plugins of this package, and how Hydra comes to know them.

Hydra takes plugins from the namespace package `hydra_plugins` alone. Its part here stands in a
folder of its own, since that folder is put on `sys.path`: on the package's own folder,
`import datasets` would find ours. Imports no torch.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path

WIDTH = 64  # replicas in a stack at most, unless asked for otherwise
STACKED = "stacked"  # the option of hydra/launcher
_MODULE, _CLASS = "hydra_plugins.gan_runner_stacked", "StackedLauncher"


@dataclass
class StackedLauncherConf:
    """The keys of `hydra/launcher=stacked`.

    width: replicas in a stack at most. memory: GiB for a stack, as estimated; null: half of what is
    free when it starts.
    """

    _target_: str = f"{_MODULE}.{_CLASS}"
    width: int = WIDTH
    memory: float | None = None


def register() -> None:
    """Let Hydra find the launcher, whether it has looked for plugins before or not."""
    from hydra.core.config_store import ConfigStore
    from hydra.core.plugins import Plugins

    folder = str(Path(__file__).resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    Plugins.instance().register(getattr(importlib.import_module(_MODULE), _CLASS))
    ConfigStore.instance().store(
        group="hydra/launcher", name=STACKED, node=StackedLauncherConf, provider="gan_runner"
    )
