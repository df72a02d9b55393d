"""Figures of studies, drawn without pyplot and without global state.

Colours are of Okabe and Ito's palette, which colour-blind people can tell apart.
"""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gan_runner.result import write_atomic
from gan_runner.studies.axes import tick_text
from gan_runner.studies.statistics import Summary, summary

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
INK, FAINT = "#333333", "#999999"
DPI = 110
_SPREAD = 0.28  # of a row's height, over which its points are strewn


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of points: one value a seed, with their mean and its interval."""

    label: str
    values: Sequence[float]
    summary: Summary
    colour: str


def rows(values: Mapping[str, Sequence[float]], colours: Sequence[str] = COLOURS) -> list[Row]:
    """Rows of values by label, with a colour each; those without any value are left out."""
    return [
        Row(label=label, values=list(found), summary=summary(found), colour=colour)
        for (label, found), colour in zip(values.items(), itertools.cycle(colours), strict=False)
        if len(found)
    ]


def swarm(
    found: Sequence[Row],
    *,
    title: str,
    x_label: str,
    marked: Mapping[str, float] | None = None,
    log: bool = False,
    zero: float | None = None,
) -> Figure:
    """One point a seed, a row an arm; the mean and its interval above; marked values as lines.

    zero: of differences; a line at 0, and an axis that is linear up to so much on either side and
    logarithmic beyond.
    """
    figure, axes = _figure(title, (7.2, 1.3 + 0.55 * len(found)))
    for height, row in enumerate(reversed(found)):
        axes.plot(
            row.values, height + _strewn(len(row.values)) - 0.1, "o", color=row.colour,
            markersize=3.5, alpha=0.45, markeredgewidth=0,
        )  # fmt: skip
        _interval(axes, row, height + 0.3)
    for (name, value), style in zip((marked or {}).items(), ("--", ":", "-."), strict=False):
        axes.axvline(value, color=INK, linewidth=1.1, linestyle=style, label=name, zorder=0)
    if zero is not None:
        axes.axvline(0, color=INK, linewidth=1.1, zorder=0)
        axes.set_xscale("symlog", linthresh=zero)
        axes.xaxis.set_major_formatter(lambda value, _: tick_text(value))
    axes.set_yticks(range(len(found)), [row.label for row in reversed(found)])
    axes.set_ylim(-0.6, len(found) - 0.35)
    axes.set_xlabel(x_label)
    if log:
        axes.set_xscale("log")
        round_ticks(axes.xaxis)
    if marked:
        figure.legend(loc="outside lower center", frameon=False, fontsize=8, ncols=2)
    return figure


def response(
    x: Sequence[float],
    values: Sequence[Sequence[float]],
    *,
    title: str,
    x_label: str,
    y_label: str,
    marked: Mapping[str, float] | None = None,
) -> Figure:
    """The mean and median over seeds against a setting, with the mean's interval as a band.

    x: ascending, from 0 on; places are even, for values span decades and 0 has no logarithm.
    """
    figure, axes = _figure(title, (7.2, 4.2))
    found = [summary(each) for each in values]
    places = np.arange(len(x))
    for place, each in zip(places, values, strict=True):
        axes.plot(
            place + 0.6 * _strewn(len(each)), each, "o", color=COLOURS[0], markersize=2.5,
            alpha=0.3, markeredgewidth=0,
        )  # fmt: skip
    axes.fill_between(
        places, [each.low for each in found], [each.high for each in found],
        color=COLOURS[1], alpha=0.25, linewidth=0, label="95 % interval of the mean",
    )  # fmt: skip
    axes.plot(places, [each.mean for each in found], "o-", color=COLOURS[1], label="mean")
    axes.plot(places, [each.median for each in found], "s--", color=COLOURS[2], label="median")
    for (name, value), style in zip((marked or {}).items(), ("--", ":", "-."), strict=False):
        axes.axhline(value, color=INK, linewidth=1.1, linestyle=style, label=name, zorder=0)
    axes.set_xticks(places, [f"{each:g}" for each in x])
    axes.set(xlabel=x_label, ylabel=y_label, yscale="log")
    round_ticks(axes.yaxis)
    figure.legend(loc="outside lower center", frameon=False, fontsize=8, ncols=3)
    return figure


def bars(
    panels: Mapping[str, Mapping[str, tuple[float, float]]], *, title: str, most: Mapping[str, int]
) -> Figure:
    """Means with standard errors, a panel a data set; `most` is each panel's right end."""
    num = max((len(each) for each in panels.values()), default=1)
    figure = Figure(figsize=(8.0, 1.2 + 0.3 * num), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=10, color=INK)
    every = figure.subplots(1, max(len(panels), 1), squeeze=False)[0]
    for axes, (name, found) in zip(every, panels.items(), strict=False):
        heights = np.arange(len(found))[::-1]
        colours = [FAINT if "published" in label else COLOURS[0] for label in found]
        axes.barh(heights, [mean for mean, _ in found.values()], color=colours, height=0.7)
        errors = [0.0 if math.isnan(error) else error for _, error in found.values()]
        axes.errorbar(
            [mean for mean, _ in found.values()], heights, xerr=errors,
            fmt="none", ecolor=INK, elinewidth=1, capsize=2,
        )  # fmt: skip
        axes.set_yticks(heights, list(found), fontsize=8)
        axes.set_xlim(0, most[name] * 1.05)
        axes.axvline(most[name], color=INK, linewidth=0.8, linestyle=":")
        axes.set_xlabel(name, fontsize=9)
        _plain(axes)
    return figure


def save(figure: Figure, folder: Path, name: str) -> Path:
    """Write a figure as PNG and PDF; returns the PNG."""
    for suffix in ("png", "pdf"):
        file = io.BytesIO()
        # Without the date, equal figures are equal files.
        metadata = {"CreationDate": None} if suffix == "pdf" else None
        figure.savefig(file, format=suffix, metadata=metadata)
        write_atomic(folder / f"{name}.{suffix}", file.getvalue())
    return folder / f"{name}.png"


def _figure(title: str, size: tuple[float, float]) -> tuple[Figure, Any]:
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_title(title, fontsize=10, color=INK, loc="left")
    _plain(axes)
    return figure, axes


def _plain(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8, colors=INK)


def _interval(axes: Any, row: Row, height: float) -> None:
    found = row.summary
    if not math.isnan(found.low):
        axes.plot([found.low, found.high], [height, height], color=row.colour, linewidth=2.5)
    axes.plot([found.mean], [height], "D", color=row.colour, markersize=5, markeredgecolor="white")


def round_ticks(axis: Any) -> None:
    """Write round numbers of a logarithmic axis as they are, more of them the less it spans."""

    def between(value: float, _: int | None) -> str:
        low, high = sorted(axis.get_view_interval())
        digits = _written(low, high)
        return tick_text(value) if digits is None or _leading(value) in digits else ""

    axis.set_major_formatter(lambda value, _: tick_text(value))
    axis.set_minor_formatter(between)
    axis.set_tick_params(which="minor", labelsize=8)


def _written(low: float, high: float) -> tuple[int, ...] | None:
    """First digits of the numbers between powers of ten that are written; None: all ticks are."""
    if low <= 0 or high / low >= 300:
        return ()
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((2, 5), (2, 3, 5, 7), tuple(range(2, 10))):
        seen = [digit * 10.0**power for power in powers for digit in (1, *digits)]
        if sum(low <= each <= high for each in seen) >= 3:
            return digits
    return None


def _leading(value: float) -> int:
    """The first digit of a positive number."""
    return round(value / 10.0 ** math.floor(math.log10(value) + 1e-9))


def _strewn(num: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Offsets that keep a row's points apart: multiples of the golden ratio, modulo 1."""
    places = [(each * 0.6180339887498949) % 1 for each in range(num)]
    return _SPREAD * (2 * np.array(places, dtype=np.float64) - 1)
