"""`tb/`: scalars, sample pictures and the hyperparameters' table for TensorBoard."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from gan_runner.callbacks.callback import Callback, Panel, RunStart
from gan_runner.callbacks.pictures import draw_samples, panel_path, picture_path
from gan_runner.facts import facts_of_config
from gan_runner.image_plots import draw_panel
from gan_runner.metrics.protocol import METRICS, Measurement, applicable
from gan_runner.plots import png

FOLDER = "tb"
CHARTS = {
    "losses": ["loss/.*"],
    "D's outputs": ["output/.*"],
    "gradient norms": ["gradient_norm/.*"],
    "learning rates": ["learning_rate/.*"],
}


class TensorBoard(Callback):
    """Writes event files into `tb/`.

    Scalars stand under their tags, metrics under `metrics/<name>`, pictures under `samples` and the
    names of panels, warnings in the text tab under `health`. The run is one row of the HParams tab:
    its config under dotted names, lists as text, nulls left out; the row says "success" once the
    run is completed. Events are on the disk when a log event ends, so that a killed run has in
    `tb/` what its checkpoint knows; a resume hides what was logged after the checkpoint.

    The custom scalars' tab puts players' losses, D's outputs and gradients side by side, and each
    metric along training beside its value at the end.
    The axis counts steps, or with `tensorboard_axis: images` the real images that D has seen.

    A picture that `Pictures` has saved before this callback's turn is taken from its file.

    Args:
        draws: pictures are written; without them a small network's run takes a tenth of the time.
    """

    def __init__(self, *, draws: bool = True) -> None:
        self._writer: Any = None  # the run may end before it has started
        self._draws = draws

    def on_start(self, start: RunStart) -> None:
        from torch.utils.tensorboard import SummaryWriter  # takes two seconds

        self._start = start
        self._unit = _unit(start.config)
        folder = start.folder / FOLDER
        _wait_for_a_later_name(folder)
        # Readers take the first session of a run for a start, a later one for a restart, so the
        # first must be marked too.
        self._writer = SummaryWriter(str(folder), purge_step=start.first_step * self._unit + 1)
        experiment, session, self._session_end = _hparams(start)
        self._add(experiment)
        self._add(session)
        self._add(_layout(_metric_names(start)))
        self._writer.flush()

    def on_log(self, step: int, scalars: Mapping[str, float]) -> None:
        self._add(_scalar_summary(scalars), step)
        self._writer.flush()

    def on_samples(self, step: int, samples: Mapping[str, Tensor]) -> None:
        if not self._draws:
            return
        saved = picture_path(self._start.folder, step)
        if saved.exists():
            data = saved.read_bytes()
        else:
            data = png(draw_samples(samples, self._start.dataset, step))
        self._add(_image_summary("samples", data), step)
        self._writer.flush()

    def on_panel(self, step: int, name: str, panel: Panel) -> None:
        if not self._draws:
            return
        saved = panel_path(self._start.folder, name, step)
        data = saved.read_bytes() if saved.exists() else png(draw_panel(panel))
        self._add(_image_summary(name, data), step)
        self._writer.flush()

    def on_metrics(self, step: int, measurements: Mapping[str, Measurement]) -> None:
        self.on_log(step, {f"metrics/{name}": found.value for name, found in measurements.items()})

    def on_message(self, step: int, message: str) -> None:
        self._writer.add_text("health", message, step * self._unit)

    def on_end(self, step: int, result: Mapping[str, Any]) -> None:
        if self._writer is None:
            return
        if result.get("status") == "completed":
            self._add(self._session_end)
        self._writer.close()

    def _add(self, summary: Any, step: int | None = None) -> None:
        on_axis = None if step is None else step * self._unit
        self._writer.file_writer.add_summary(summary, on_axis)


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, float | str]:
    """Return a config under dotted names, with values that the HParams tab accepts.

    Numbers stay numbers; booleans and lists become text; nulls are left out, so that a column
    keeps one type over runs; `resume` is left out, for it is no choice of the run's.
    """
    flat: dict[str, float | str] = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        if value is None or name == "resume":
            continue
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{name}.")
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            flat[name] = value
        else:
            flat[name] = json.dumps(value, default=str)
    return flat


def _unit(config: Mapping[str, Any]) -> int:
    """How much of the axis a step is: one, or a batch of images."""
    if config.get("tensorboard_axis", "steps") == "steps":
        return 1
    return int(config["training"]["batch_size"])


def _layout(metrics: Sequence[str]) -> Any:
    """What the custom scalars' tab shows: charts of several tags each, by regular expressions.

    A metric has a chart of its own, along training and at the end, for each has another scale.
    """
    from torch.utils.tensorboard import summary

    custom: Any = summary.custom_scalars  # its types are not given
    layout = {title: {title: ["Multiline", list(tags)]} for title, tags in CHARTS.items()}
    if metrics:
        layout["metrics"] = {
            name: ["Multiline", [f"metrics/(validation/)?{name}$"]] for name in metrics
        }
    return custom(layout)


def _hparams(start: RunStart) -> tuple[Any, Any, Any]:
    """Return the three summaries of the HParams tab: experiment, session start, session end.

    `SummaryWriter.add_hparams` would put them into a run of their own.
    """
    from torch.utils.tensorboard import summary

    hparams: Any = summary.hparams  # its types are not given
    metrics = dict.fromkeys((f"metrics/{name}" for name in _metric_names(start)), 0.0)
    experiment, session, end = hparams(flatten(start.config), metrics)
    return experiment, session, end


def _metric_names(start: RunStart) -> list[str]:
    """Name the numbers that the run will measure, as far as the config tells."""
    chosen = (start.config.get("metrics") or {}).get("names")
    if chosen is None:
        chosen = applicable(facts_of_config(start.config))
    return [value for name in chosen if name in METRICS for value in METRICS[name].values]


def _scalar_summary(scalars: Mapping[str, float]) -> Any:
    """Put all scalars into one event: a third of the time of `add_scalar` for each."""
    from tensorboard.compat.proto.summary_pb2 import Summary

    return Summary(value=[Summary.Value(tag=tag, simple_value=x) for tag, x in scalars.items()])


def _image_summary(tag: str, data: bytes) -> Any:
    """Wrap a PNG as it is; `add_image` would decode and compress it again."""
    from tensorboard.compat.proto.summary_pb2 import Summary

    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))  # the IHDR chunk
    image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=data)
    return Summary(value=[Summary.Value(tag=tag, image=image)])


def _wait_for_a_later_name(folder: Path) -> None:
    """Wait for the next second if an event file bears this one.

    Readers take event files in the order of their names, which start with the second of their
    making; a resumed run's file must come after the one that it goes on from.
    """
    names = (path.name.split(".") for path in folder.glob("events.out.tfevents.*"))
    newest = max((int(parts[3]) for parts in names if parts[3].isdigit()), default=0)
    for _ in range(50):  # at most 2.5 s: another machine's clock may be ahead
        if int(time.time()) > newest:
            return
        time.sleep(0.05)
