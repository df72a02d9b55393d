"""Pictures of points and losses: drawing only, without pyplot and without global state.

Colours are of Okabe and Ito's palette, which colour-blind people can tell apart.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import EllipseCollection, PathCollection
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator
from PIL import Image
from torch import Tensor

from gan_runner.datasets.dataset import Dataset, Modes, Rows, as_floats, resident
from gan_runner.result import write_atomic

Array = np.ndarray[Any, np.dtype[Any]]
Curves = Mapping[str, Sequence[tuple[int, float]]]  # tag -> (step, value)

REAL, GENERATED = "#0072B2", "#D55E00"
MORE = ("#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
INK, FAINT = "#333333", "#777777"
OUTPUTS = {"output/real": "D(x), real", "output/fake": "D(G(z)), generated"}
MARGIN = 0.1  # of the real points' range, left free around them
SMOOTH_FROM = 200  # points of a curve from which on its running mean is drawn over it
DPI = 120


# --- points ----------------------------------------------------------------------------------


def draw_points(samples: Mapping[str, Tensor], dataset: Dataset, title: str) -> Figure:
    """Draw generated points against real ones, both in data units.

    One dimension: histograms with the same bins; two: a scatter plot; three: a panel each, seen
    from the same side; more: the first two principal components of the real points. The axes are
    those of the real points and a margin, so that pictures of a run can be compared; how many
    generated points lie outside is written above. Where two dimensions are drawn as they are, known
    modes are circles of 3 standard deviations.

    samples: `generated` [N, d], and perhaps `real` [M, d]; without it the data set's test (else
    training) points stand for the real ones.
    """
    generated = _array(samples["generated"])
    finite = np.isfinite(generated).all(axis=1)
    found = real_points(samples, dataset, len(generated))
    real = None if found is None else _array(found)
    points = _Points(
        generated=generated[finite], real=real, num_not_finite=int((~finite).sum()),
        modes=dataset.modes,
    )  # fmt: skip
    if generated.shape[1] > 3:
        points = _principal(points)
    draw = {1: _histogram, 2: _plane, 3: _space}[points.generated.shape[1]]
    return draw(points, title)


def real_points(samples: Mapping[str, Tensor], dataset: Dataset, num: int) -> Tensor | None:
    """Return the real points that samples are held against, at most so many; None: there are none.

    They are `real` of the samples, else of the test split, else of the training split, in data
    units; where there are too many, rows evenly spread, for sets may be sorted by mode.
    """
    if "real" in samples:
        return _evenly(samples["real"], num)
    for split in ("test", "train"):
        if split in dataset.splits and len(dataset.splits[split]["real"]):
            return dataset.unscale(_evenly(dataset.splits[split]["real"], num))
    return None


@dataclass(frozen=True, kw_only=True, eq=False)
class _Points:
    """What is drawn: generated [N, d], real [M, d], their modes and the axes' names."""

    generated: Array
    real: Array | None
    num_not_finite: int
    modes: Modes | None
    names: tuple[str, ...] = ("x1", "x2", "x3")

    def limits(self) -> list[tuple[float, float]]:
        """Return each axis's ends: the real points' range and a margin."""
        shown = self.generated if self.real is None else self.real
        if not len(shown):
            return [(-1.0, 1.0)] * shown.shape[1]
        low, high = shown.min(axis=0), shown.max(axis=0)
        free = np.where(high > low, MARGIN * (high - low), 0.5)
        return list(zip((low - free).tolist(), (high + free).tolist(), strict=True))

    def note(self) -> str:
        """Tell how many generated points the axes do not show; empty if they show all."""
        low, high = np.array(self.limits()).T
        seen = ((self.generated >= low) & (self.generated <= high)).all(axis=1)
        total = len(self.generated) + self.num_not_finite
        parts = []
        if not seen.all():
            parts.append(f"{int((~seen).sum()):,} of {total:,} generated points lie outside")
        if self.num_not_finite:
            parts.append(f"{self.num_not_finite:,} of {total:,} are not finite")
        return ", ".join(parts)


def _histogram(points: _Points, title: str) -> Figure:
    figure, axes = _figure(title, points.note(), (6.4, 4.2))
    (ends,) = points.limits()
    bins = np.linspace(*ends, 61)
    style = {"bins": bins, "density": True, "histtype": "stepfilled"}
    if points.real is not None:
        axes.hist(points.real[:, 0], color=REAL, alpha=0.4, label=_label("real", points.real),
                  **style)  # fmt: skip
    # The share is that of all generated points, so those outside make the rest lower.
    weights = np.full(len(points.generated), 1 / max(1, len(points.generated)) / np.diff(bins)[0])
    axes.hist(points.generated[:, 0], color=GENERATED, linewidth=1.6, histtype="step", bins=bins,
              weights=weights, label=_label("generated", points.generated))  # fmt: skip
    axes.set(xlim=ends, xlabel=points.names[0], ylabel="density")
    _legend(figure)
    return figure


def _plane(points: _Points, title: str) -> Figure:
    (left, right), (low, high) = points.limits()
    ratio = (high - low) / (right - left)
    is_equal = 0.25 < ratio < 4  # else one axis would be a sliver
    height = 5.6 * min(1.6, max(0.45, ratio if is_equal else 0.8)) + 1.1
    figure, axes = _figure(title, points.note(), (6.2, height))
    if points.real is not None:
        axes.scatter(*points.real.T, s=9, color=REAL, alpha=_alpha(points.real), linewidths=0,
                     label=_label("real", points.real))  # fmt: skip
    axes.scatter(*points.generated.T, s=9, color=GENERATED, alpha=_alpha(points.generated),
                 linewidths=0, label=_label("generated", points.generated))  # fmt: skip
    if points.modes is not None:
        _circles(axes, points.modes)
    axes.set(xlim=(left, right), ylim=(low, high), xlabel=points.names[0], ylabel=points.names[1])
    if is_equal:
        axes.set_aspect("equal")
    _legend(figure)
    return figure


def _circles(axes: Any, modes: Modes) -> None:
    """Draw a circle of 3 standard deviations around each mode."""
    sizes = 6 * _array(modes.sds[:, None])[:, 0]
    axes.add_collection(
        EllipseCollection(
            sizes, sizes, np.zeros_like(sizes), units="xy", offsets=_array(modes.centres),
            offset_transform=axes.transData, facecolors="none", edgecolors=INK, linewidths=0.9,
        )
    )  # fmt: skip
    style = {"marker": "o", "markersize": 4.5, "markerfacecolor": "none", "color": INK}
    axes.plot([], [], linestyle="none", label="modes (3 sd)", **style)  # for the legend


def _space(points: _Points, title: str) -> Figure:
    figure = _empty((9.6, 4.9), title)
    panels = [("real", points.real, REAL), ("generated", points.generated, GENERATED)]
    shown = [panel for panel in panels if panel[1] is not None]
    limits = points.limits()
    for index, (name, cloud, colour) in enumerate(shown):
        assert cloud is not None
        axes = figure.add_subplot(1, len(shown), index + 1, projection="3d")
        ends = np.array(limits)
        inside = ((cloud >= ends[:, 0]) & (cloud <= ends[:, 1])).all(axis=1)  # 3-d axes do not clip
        axes.scatter(*cloud[inside].T, s=8, color=colour, alpha=_alpha(cloud), linewidths=0)
        axes.set(**{f"{axis}lim": end for axis, end in zip("xyz", limits, strict=True)})
        axes.set(**{f"{axis}label": text for axis, text in zip("xyz", points.names, strict=True)})
        axes.view_init(elev=22, azim=-60)
        axes.set_box_aspect(None, zoom=0.9)
        note = points.note() if name == "generated" else ""
        axes.set_title("\n".join(filter(None, [_label(name, cloud), note])), fontsize=10, color=INK)
        axes.tick_params(labelsize=8, colors=FAINT)
        for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
            axis.set_pane_color((0.97, 0.97, 0.97, 1.0))
            axis.label.set(size=10, color=INK)
    return figure


def _principal(points: _Points) -> _Points:
    """Project everything on the first two principal components of the real points."""
    basis_points = points.generated if points.real is None else points.real
    centre = basis_points.mean(axis=0)
    offsets = basis_points - centre
    variances, vectors = np.linalg.eigh(offsets.T @ offsets)  # ascending
    shares = variances[::-1] / max(float(variances.sum()), 1e-300)
    basis = vectors[:, :-3:-1]  # [d, 2]
    names = tuple(f"PC {i + 1} of the real points ({shares[i]:.0%})" for i in range(2))
    return _Points(
        generated=(points.generated - centre) @ basis,
        real=None if points.real is None else (points.real - centre) @ basis,
        num_not_finite=points.num_not_finite,
        modes=None,
        names=names,
    )


# --- losses ----------------------------------------------------------------------------------


def is_drawn(tag: str) -> bool:
    """Tell whether `draw_losses` has a place for a tag."""
    return tag.startswith(("loss/", "metrics/")) or tag in OUTPUTS


def draw_losses(rows: Curves, *, steps_per_epoch: float = 0) -> Figure:
    """Draw the players' losses, D's outputs, and each metric that was measured more than once.

    rows: (step, value) pairs under `loss/<player>`, `output/real`, `output/fake`,
    `metrics/<name>`; other tags are ignored. steps_per_epoch: 0 draws against steps.
    """
    losses = {tag.removeprefix("loss/"): rows[tag] for tag in rows if tag.startswith("loss/")}
    outputs = {name: rows[tag] for tag, name in OUTPUTS.items() if tag in rows}
    panels = [("Losses", losses), ("Output of D", outputs)]
    for tag in rows:
        if tag.startswith("metrics/") and len(rows[tag]) > 1:
            name = tag.removeprefix("metrics/")
            panels.append((name, {name: rows[tag]}))
    panels = [panel for panel in panels if panel[1]] or [("Losses", {})]
    columns = min(2, len(panels))
    lines = math.ceil(len(panels) / columns)
    figure = _empty((5.6 * columns, 3.3 * lines))
    for index, (name, curves) in enumerate(panels):
        axes = figure.add_subplot(lines, columns, index + 1)
        _dress(axes)
        _curves(axes, curves, 1 / steps_per_epoch if steps_per_epoch > 0 else 1.0)
        axes.set_title(name, loc="left", fontsize=11, fontweight="bold", color=INK)
        axes.set_xlabel("epoch" if steps_per_epoch > 0 else "step")
        if len(curves) > 1:
            axes.legend(frameon=False, fontsize=9, labelcolor=INK)
    return figure


def _curves(axes: Any, curves: Curves, unit: float) -> None:
    """Draw the curves of a panel; a long one faintly, with its running mean over it."""
    colours = [REAL, GENERATED, *MORE] if len(curves) > 1 else [MORE[0]]
    shown = [np.zeros(0)]
    notes: dict[str, None] = {}  # an ordered set
    for index, (name, points) in enumerate(curves.items()):
        style = {"color": colours[index % len(colours)]}
        x, y = np.array(points, dtype=float).reshape(-1, 2).T
        x, y = x[np.isfinite(y)] * unit, y[np.isfinite(y)]
        shown.append(y)
        if len(y) < SMOOTH_FROM:
            marker = "o" if len(y) < 30 else None
            axes.plot(x, y, linewidth=1.4, marker=marker, markersize=3.5, label=name, **style)
            continue
        axes.plot(x, y, linewidth=0.7, alpha=0.3, **style)
        width = len(y) // 50
        mean = np.convolve(y, np.full(width, 1 / width), mode="valid")
        middle = x[width // 2 : width // 2 + len(mean)]
        axes.plot(middle, mean, linewidth=1.7, label=name, **style)
        notes[f"lines: means of {width} rows"] = None
    every = np.concatenate(shown)
    if len(every) and (every == every.round()).all():
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    if beyond := _clip_outliers(axes, every):
        notes[f"{beyond:,} values beyond the axis"] = None
    axes.set_title(", ".join(notes), loc="right", fontsize=8, color=FAINT)


def _clip_outliers(axes: Any, y: Array) -> int:
    """Keep a few extreme values from flattening all the others; return how many are not shown."""
    if len(y) < SMOOTH_FROM:
        return 0
    low, high = np.quantile(y, [0.005, 0.995])
    if not np.ptp(y) > 5 * (high - low) > 0:
        return 0
    low, high = low - 0.1 * (high - low), high + 0.1 * (high - low)
    axes.set_ylim(low, high)
    return int(((y < low) | (y > high)).sum())


# --- files and dress -------------------------------------------------------------------------


def png(picture: Figure | Image.Image) -> bytes:
    """Return a picture as a PNG, the same bytes for the same picture."""
    buffer = io.BytesIO()
    if isinstance(picture, Figure):
        FigureCanvasAgg(picture)
        picture.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    else:
        picture.save(buffer, format="PNG")
    return buffer.getvalue()


def save(picture: Figure | Image.Image, path: Path) -> None:
    """Write a picture as a PNG, whole or not at all; makes its folder."""
    write_atomic(path, png(picture))


def _figure(title: str, note: str, size: tuple[float, float]) -> tuple[Figure, Any]:
    figure = _empty(size, title)
    axes = figure.add_subplot()
    _dress(axes)
    axes.set_title(note, loc="left", fontsize=9, color=FAINT)
    return figure, axes


def _empty(size: tuple[float, float], title: str = "") -> Figure:
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12))
    if title:
        figure.suptitle(title, x=0.02, ha="left", fontsize=12, fontweight="bold", color=INK)
    return figure


def _legend(figure: Figure) -> None:
    legend = figure.legend(
        loc="outside lower center", ncols=3, frameon=False, fontsize=9, labelcolor=INK,
        markerscale=2,
    )  # fmt: skip
    for handle in legend.legend_handles:
        if isinstance(handle, PathCollection):  # of a scatter plot
            handle.set_alpha(1.0)


def _dress(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#BBBBBB")
    axes.tick_params(labelsize=9, colors=FAINT)
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set(size=10, color=INK)
    axes.grid(color="#E8E8E8", linewidth=0.8)
    axes.set_axisbelow(True)


def _label(name: str, points: Array) -> str:
    return f"{name} ({len(points):,})"


def _alpha(points: Array) -> float:
    """Let many points shine through each other."""
    return float(np.clip(20 / math.sqrt(max(1, len(points))), 0.15, 0.7))


def _array(tensor: Tensor) -> Array:
    """Return rows [N, d] as float64 on the CPU."""
    array: Array = tensor.detach().flatten(1).double().cpu().numpy()
    return array


def _evenly(rows: Rows, num: int) -> Tensor:
    """Floats of at most so many rows, evenly spread."""
    places = torch.linspace(0, len(rows) - 1, num, dtype=torch.float64).round().long()
    found = resident(rows) if len(rows) <= num else rows[places.to(rows.device)]
    return as_floats(found, found.dtype if found.is_floating_point() else torch.float32)
