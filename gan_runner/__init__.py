"""gan_runner: find out whether one GAN is really better than another.

`run(["model=srgan", "dataset=gauss3d"])` trains and measures, `load(folder)` gives a finished
run's networks. Both are imported on first use, so that `import gan_runner` does not import torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gan_runner.api import load, run

__version__ = "0.1.0"
__all__ = ["__version__", "load", "run"]


def __getattr__(name: str) -> Any:
    if name in ("load", "run"):
        from gan_runner import api

        return getattr(api, name)
    raise AttributeError(f"module 'gan_runner' has no attribute '{name}'")
