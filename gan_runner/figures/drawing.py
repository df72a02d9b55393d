"""What figures are drawn with: curves with bands, values by seed, images, points.

The look is that of `gan_runner.mplstyle`. No pyplot, no global state beyond a `styled` block.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from gan_runner.figures.figure import Trained
from gan_runner.result import write_atomic
from gan_runner.studies.curves import band
from gan_runner.studies.figures import round_ticks
from gan_runner.studies.statistics import summary

STYLE = Path(__file__).with_name("gan_runner.mplstyle")
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
REAL, GENERATED, INK, FAINT = "#0072B2", "#D55E00", "#333333", "#999999"
_SMOOTH = 25  # points of a curve that its running mean is taken over, where it has 8 times as many
Array = np.ndarray[Any, np.dtype[Any]]


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the house's look."""
    with mpl.rc_context(), style.context(STYLE):
        yield


def canvas(
    title: str, rows: int = 1, columns: int = 1, *, size: tuple[float, float] = (4.2, 3.2)
) -> tuple[Figure, list[Any]]:
    """An empty figure of panels of a size (inches), row by row."""
    figure = Figure(figsize=(size[0] * columns, size[1] * rows + 0.3))
    FigureCanvasAgg(figure)
    figure.suptitle(title, color=INK)
    return figure, list(figure.subplots(rows, columns, squeeze=False).ravel())


def parts(
    title: str, *, size: tuple[float, float], heights: Sequence[float]
) -> tuple[Figure, list[Any]]:
    """An empty figure of parts, one under another, each with panels of its own."""
    figure = Figure(figsize=size)
    FigureCanvasAgg(figure)
    figure.suptitle(title, color=INK)
    found: Any = figure.subfigures(len(heights), 1, height_ratios=heights)
    return figure, list(found)


def curves(
    axes: Any,
    runs: Sequence[Trained],
    tags: Mapping[str, str],
    *,
    x: str = "step",
    colours: Sequence[str] = COLOURS,
    smooth: bool = True,
) -> None:
    """Draw logged numbers against steps (or epochs): the median of runs, their 10-90 % band.

    tags: tag -> name in the legend; a tag that no run has is left out. smooth: long curves are
    drawn as their running mean, with the values as they were behind it.
    """
    found = [run.series() for run in runs]
    for (tag, name), colour in zip(tags.items(), colours, strict=False):
        drawn = band([each[tag] for each in found if tag in each]) if _any(found, tag) else None
        if drawn is None:
            continue
        step, (low, middle, high) = drawn
        places = np.interp(step, *found[0][x]) if x != "step" else step
        is_long = smooth and len(step) >= 8 * _SMOOTH
        if is_long:
            axes.plot(places, middle, color=colour, alpha=0.25, linewidth=0.7)
            low, middle, high = (_running(each) for each in (low, middle, high))
        if len(runs) > 1:
            axes.fill_between(places, low, high, color=colour, alpha=0.18, linewidth=0)
        axes.plot(places, middle, color=colour, label=name)
    axes.set_xlabel({"step": "step of G", "epoch": "epoch"}.get(x, x))
    axes.margins(x=0)


def by_seed(
    axes: Any, values: Mapping[str, Sequence[float]], *, label: str, log: bool = False
) -> None:
    """Draw a row of points for each name: one a seed, the mean and its 95 % interval."""
    names = list(values)
    for height, (name, colour) in enumerate(zip(reversed(names), _cycled(names), strict=True)):
        own = [each for each in values[name] if math.isfinite(each)]
        if not own:
            continue
        strewn = 0.22 * (2 * ((np.arange(len(own)) * 0.618034) % 1) - 1)
        axes.plot(own, height + strewn - 0.08, "o", color=colour, ms=3.5, alpha=0.45, mew=0)
        found = summary(own)
        if not math.isnan(found.low):
            axes.plot([found.low, found.high], [height + 0.3] * 2, color=colour, linewidth=2.5)
        axes.plot([found.mean], [height + 0.3], "D", color=colour, ms=5, mec="white")
    axes.set_yticks(range(len(names)), list(reversed(names)))
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_xlabel(label)
    if log:
        axes.set_xscale("log")
        round_ticks(axes.xaxis)


def mark(axes: Any, value: float, name: str, *, vertical: bool = False, style: str = "--") -> None:
    """Draw a published or ideal value as a line across."""
    draw = axes.axvline if vertical else axes.axhline
    draw(value, color=INK, linewidth=1.0, linestyle=style, label=name, zorder=0)


def images(axes: Any, samples: Array, *, columns: int, title: str = "") -> None:
    """Lay images [N, C, H, W] in [-1, 1] out row by row."""
    axes.imshow(tiled(samples, columns), vmin=0, vmax=1, aspect="equal")
    _bare(axes, title)


def nothing(axes: Any, why: str, title: str = "") -> None:
    """Say in a panel why it is empty."""
    axes.text(0.5, 0.5, why, ha="center", va="center", transform=axes.transAxes, color=INK)
    _bare(axes, title)


def row_names(axes: Any, names: Sequence[str]) -> None:
    """Write a name beside each row of laid-out images."""
    height = axes.get_images()[0].get_array().shape[0] / len(names)
    axes.set_yticks([height * (row + 0.5) for row in range(len(names))], names)
    axes.tick_params(left=False)


def tiled(samples: Array, columns: int) -> Array:
    """Images [N, C, H, W] in [-1, 1] as one, [H, W] or [H, W, 3] in [0, 1], with white between."""
    values = (np.nan_to_num(samples.astype(np.float32), nan=-1.0).clip(-1, 1) + 1) / 2
    num, channels, height, width = values.shape
    rows = math.ceil(num / columns)
    gap = max(1, height // 16)
    whole = np.ones((rows * (height + gap) - gap, columns * (width + gap) - gap, channels))
    for index, each in enumerate(values):
        top, left = index // columns * (height + gap), index % columns * (width + gap)
        whole[top : top + height, left : left + width] = each.transpose(1, 2, 0)
    return whole[..., 0] if channels == 1 else whole


def picture(axes: Any, path: Path, title: str = "") -> None:
    """Show a PNG of a run folder, such as `samples/step_00001000.png`."""
    with Image.open(path) as opened:
        pixels = np.asarray(opened.convert("RGB"))
    axes.imshow(pixels, aspect="equal", interpolation="antialiased")
    _bare(axes, title)


def sample_pictures(run: Trained, num: int) -> list[tuple[int, Path]]:
    """So many of a run's sample pictures (step, file), evenly spread, with the first and last."""
    found = sorted((run.folder / "samples").glob("step_*.png"))
    chosen = sorted({round(each) for each in np.linspace(0, len(found) - 1, num)}) if found else []
    return [(int(found[each].stem.removeprefix("step_")), found[each]) for each in chosen]


def epoch(run: Trained, step: int) -> float:
    """Epochs of a run after so many steps, as its log has them."""
    steps, values = run.series().get("epoch", ([], []))
    return float(np.interp(step, [0.0, *steps], [0.0, *values]))


def points(axes: Any, samples: Array, *, colour: str, name: str) -> None:
    """Draw points [N, 2 or 3]; three coordinates want axes of that projection."""
    coordinates = [samples[:, each] for each in range(samples.shape[1])]
    axes.plot(*coordinates, "o", color=colour, ms=2, alpha=0.4, mew=0, label=name)


def in_space(figure: Figure, axes: Any) -> Any:
    """Put axes of three dimensions in the place of others."""
    place = axes.get_subplotspec()
    axes.remove()
    return figure.add_subplot(place, projection="3d")


def save(figure: Figure, folder: Path, name: str) -> Path:
    """Write a figure as PNG and PDF; returns the PNG. Equal figures are equal files."""
    for suffix in ("png", "pdf"):
        file = io.BytesIO()
        metadata = {"CreationDate": None} if suffix == "pdf" else {"Software": None}
        figure.savefig(file, format=suffix, metadata=metadata)
        write_atomic(folder / f"{name}.{suffix}", file.getvalue())
    return folder / f"{name}.png"


def _any(found: Sequence[Mapping[str, Any]], tag: str) -> bool:
    return any(tag in each for each in found)


def _cycled(names: Sequence[str]) -> list[str]:
    """A colour for each name, in the order from below."""
    return [COLOURS[index % len(COLOURS)] for index in reversed(range(len(names)))]


def _running(values: Array) -> Array:
    """The running mean, over fewer values at the ends."""
    weights = np.ones(_SMOOTH)
    known = np.isfinite(values)
    total = np.convolve(np.where(known, values, 0.0), weights, mode="same")
    with np.errstate(invalid="ignore"):
        mean: Array = total / np.convolve(known.astype(float), weights, mode="same")
    return mean


def _bare(axes: Any, title: str) -> None:
    axes.grid(visible=False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    if title:
        axes.set_title(title)
