"""`samples/`, `pictures/` and `losses.png`: what the generator makes, and how the losses went."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from gan_runner import image_plots, plots
from gan_runner.callbacks.callback import Callback, Panel, RunStart
from gan_runner.callbacks.csv_file import FILE, read_metrics_csv
from gan_runner.datasets.dataset import Dataset
from gan_runner.metrics.protocol import Measurement

OF_A_STEP = re.compile(r"[a-z]\w*_(\d{8,})\.png")


class Pictures(Callback):
    """Saves `samples/step_<8 digits>.png`, and `losses.png` when the run ends, completed or not.

    Panels of a step stand beside it as `samples/<name>_<8 digits>.png`, those of the end as
    `pictures/<name>.png`. On a resume the pictures after the checkpoint's step are removed, those
    in `pictures/` are left until the new end writes over them, and the losses from before are read
    from `metrics.csv`.
    """

    def __init__(self) -> None:
        self._rows: dict[str, list[tuple[int, float]]] = {}

    def on_start(self, start: RunStart) -> None:
        self._start = start
        for path in picture_path(start.folder, 0).parent.glob("*.png"):
            found = OF_A_STEP.fullmatch(path.name)
            if found is not None and int(found[1]) > start.first_step:
                path.unlink()
        self._rows = {}
        file = start.folder / FILE
        if start.first_step > 0 and file.exists():
            for tag, points in read_metrics_csv(file).items():
                kept = [point for point in points if point[0] <= start.first_step]
                if plots.is_drawn(tag) and kept:
                    self._rows[tag] = kept

    def on_log(self, step: int, scalars: Mapping[str, float]) -> None:
        for tag, value in scalars.items():
            if plots.is_drawn(tag):
                self._rows.setdefault(tag, []).append((step, value))

    def on_metrics(self, step: int, measurements: Mapping[str, Measurement]) -> None:
        values = {f"metrics/{name}": found.value for name, found in measurements.items()}
        self.on_log(step, values)

    def on_samples(self, step: int, samples: Mapping[str, Tensor]) -> None:
        picture = draw_samples(samples, self._start.dataset, step)
        plots.save(picture, picture_path(self._start.folder, step))

    def on_panel(self, step: int, name: str, panel: Panel) -> None:
        path = panel_path(self._start.folder, name, step)
        plots.save(image_plots.draw_panel(panel), path)

    def on_end(self, step: int, result: Mapping[str, Any]) -> None:
        if self._rows:
            figure = plots.draw_losses(self._rows, steps_per_epoch=self._start.steps_per_epoch)
            plots.save(figure, self._start.folder / "losses.png")


def picture_path(folder: Path, step: int) -> Path:
    """Return where the picture of a step's samples stands in a run folder."""
    return panel_path(folder, "samples/step", step)


def panel_path(folder: Path, name: str, step: int) -> Path:
    """Return where a panel stands; only those of `samples/` are kept of every step."""
    return folder / (f"{name}_{step:08d}.png" if name.startswith("samples/") else f"{name}.png")


def draw_samples(
    samples: Mapping[str, Tensor], dataset: Dataset, step: int
) -> Figure | Image.Image:
    """Draw generated samples: a grid of images, or points against the real ones."""
    if dataset.kind == "images":
        return image_plots.draw_grid(samples["generated"])
    return plots.draw_points(samples, dataset, f"{dataset.name}, step {step}")
