"""What a callback may react to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from gan_runner.datasets.dataset import Dataset
from gan_runner.metrics.protocol import Measurement


@dataclass(frozen=True, kw_only=True)
class RunStart:
    """What a callback is told when training starts or goes on."""

    folder: Path
    config: Mapping[str, Any]  # resolved, plain containers
    overrides: tuple[str, ...]
    dataset: Dataset
    first_step: int  # 0, or the step that a resumed run continues after
    num_steps: int  # step at which the run ends
    steps_per_epoch: float  # 0 where there is no data
    players: tuple[str, ...]  # in the order of their moves


@dataclass(frozen=True, kw_only=True, eq=False)
class Panel:
    """Images laid out in rows, and the words around them.

    images: [N, C, H, W] in [-1, 1], row by row. columns: images in a row. title: what it shows, and
    what was found. rows, heads: labels on the left and above; lines after the first are remarks.
    gaps: columns with more space before them.
    """

    images: Tensor
    columns: int
    title: str = ""
    rows: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    gaps: tuple[int, ...] = ()


class Callback:
    """Reacts to a run's events; each method does nothing unless overridden.

    `step` counts finished steps: 1 after the first. Scalars are plain floats, under tags such as
    `loss/D`, `terms/D/adversarial`, `output/real`, `gradient_norm/G`, `learning_rate/G`,
    `updates/G`. Samples are in data units, on the CPU.
    """

    def on_start(self, start: RunStart) -> None:
        """Training starts, or goes on after a resume."""

    def on_step(self, step: int) -> None:
        """A step has ended; called every step, so it must cost next to nothing."""

    def on_log(self, step: int, scalars: Mapping[str, float]) -> None:
        """The scalars of a logged step."""

    def on_samples(self, step: int, samples: Mapping[str, Tensor]) -> None:
        """Samples were drawn: `generated` [N, ...], and `real`, `low` where they exist."""

    def on_panel(self, step: int, name: str, panel: Panel) -> None:
        """A further picture of images: `samples/<name>` of a step, `pictures/<name>` of the end."""

    def on_metrics(self, step: int, measurements: Mapping[str, Measurement]) -> None:
        """Metrics were computed; the names are those of `result.json`."""

    def on_message(self, step: int, message: str) -> None:
        """A line of warning about the run's health."""

    def on_end(self, step: int, result: Mapping[str, Any]) -> None:
        """The run ended, completed or not; `result` is what stands in `result.json`."""
