"""Plots as SVG text, 360 wide, so that they are read on a phone; text has the page's colour.

Colours are those of Okabe and Ito (2008) that stand out from white and from black alike; after six,
lines are dashed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from gan_runner.studies.axes import Axis, axis, spans_decades, tick_text

WIDTH = 360
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
DASHES = ("", "6 3", "2 3")
_ROW, _STRIP, _FOOT = 50, 28, 30
_LEFT, _RIGHT, _TOP = 50, 12, 10
_LABEL, _BESIDE = 48, 44  # characters of a label, and of label and text side by side, that fit


@dataclass(frozen=True, kw_only=True)
class Strip:
    """A row of points with their mean and its interval.

    values: and what each is called. text: what the mean is, in words. style: number of the colour.
    """

    label: str
    values: Sequence[tuple[str, float]]
    mean: float
    low: float
    high: float
    text: str
    style: int


@dataclass(frozen=True, kw_only=True)
class Line:
    """Points (x, y) of a group, with a bound on either side; NaN where there is none."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    style: int


def strips(rows: Sequence[Strip], *, title: str, zero: bool = False, log: bool = False) -> str:
    """Rows of points over one axis, with a line at 0 for differences.

    log: the axis may be logarithmic, and is where the values span three decades.
    """
    values = [value for row in rows for _, value in row.values]
    values += [each for row in rows for each in (row.mean, row.low, row.high)]
    is_log = log and spans_decades(values, 1000)
    across = axis(values, _RIGHT, WIDTH - _RIGHT, log=is_log, zero=zero)
    height = _ROW * len(rows) + _FOOT
    parts = []
    for place, row in enumerate(rows):
        if zero:
            parts.append(
                _vertical(across.at(0), _ROW * (place + 1) - _STRIP, _ROW * (place + 1), "0.5")
            )
        parts.append(_strip(row, across, _ROW * place))
    parts.append(_foot(across, height - _FOOT))
    return _drawing(parts, height, title)


def lines(found: Sequence[Line], *, title: str, x_label: str) -> str:
    """Curves with bands, on a logarithmic axis where they span decades."""
    height = 210
    x = [each for line in found for each in line.x]
    y = [each for line in found for side in (line.y, line.low, line.high) for each in side]
    across = axis(x, _LEFT, WIDTH - _RIGHT)
    up = axis(y, height - _FOOT - 12, _TOP, log=spans_decades(y, 100))
    parts = [*_grid(up), _foot(across, height - _FOOT - 12), _x_label(x_label, height)]
    parts += [_band(line, across, up) for line in found]
    parts += [_curve(line, across, up) for line in found]
    return _drawing(parts, height, title)


def responses(found: Sequence[Line], *, title: str, x_label: str, log: bool = False) -> str:
    """Means with intervals against a number, on a logarithmic axis where it spans decades.

    log: the means' axis may be logarithmic too.
    """
    height = 230
    x = [each for line in found for each in line.x]
    y = [each for line in found for side in (line.y, line.low, line.high) for each in side]
    across = axis(x, _LEFT, WIDTH - _RIGHT, log=spans_decades(x))
    up = axis(y, height - _FOOT - 12, _TOP, log=log and spans_decades(y, 1000))
    parts = [*_grid(up), _foot(across, height - _FOOT - 12), _x_label(x_label, height)]
    parts += [_curve(line, across, up) for line in found]
    parts += [_points(line, across, up) for line in found]
    return _drawing(parts, height, title)


def key(style: int) -> str:
    """A piece of a group's line, for a legend."""
    return (
        f'<svg class="key" viewBox="0 0 26 10" width="26" height="10" aria-hidden="true">'
        f'<path d="M1 5H25" {_stroke(style)} stroke-width="3"/></svg>'
    )


def _strip(row: Strip, across: Axis, top: float) -> str:
    """A row: its name, its points as a swarm, and its mean with the interval."""
    middle = top + _ROW - _STRIP / 2 - 2
    colour = COLOURS[row.style % len(COLOURS)]
    radius = 3.0 if len(row.values) <= 60 else 2.0
    label = row.label if len(row.label) <= _LABEL else f"{row.label[: _LABEL - 1]}…"
    parts = [_text(label, _RIGHT, top + 16)]
    if len(label) + len(row.text) <= _BESIDE:
        parts.append(_text(row.text, WIDTH - _RIGHT, top + 16, anchor="end", faint=True))
    places = [across.at(value) for _, value in row.values]
    for (name, value), x, y in zip(
        row.values, places, _swarm(places, radius), strict=True
    ):  # fmt: skip
        parts.append(
            f'<circle cx="{x:.1f}" cy="{middle + y:.1f}" r="{radius:g}" fill="{colour}" '
            f'fill-opacity="0.55"><title>{escape(name)}: {value:.6g}</title></circle>'
        )
    if math.isfinite(row.low) and math.isfinite(row.high):
        low, high = across.at(row.low), across.at(row.high)
        parts.append(
            f'<path d="M{low:.1f} {middle:.1f}H{high:.1f}" stroke="currentColor" stroke-width="2"/>'
        )
    if len(row.values) > 1:
        parts.append(_vertical(across.at(row.mean), middle - 9, middle + 9, "1", width=2.5))
    return "".join(parts)


def _swarm(places: Sequence[float], radius: float) -> list[float]:
    """Heights that keep points of one place apart, within the strip."""
    columns: dict[int, list[int]] = {}
    for index in sorted(range(len(places)), key=lambda each: places[each]):
        columns.setdefault(round(places[index] / (2 * radius)), []).append(index)
    heights = [0.0] * len(places)
    for column in columns.values():
        room = (_STRIP / 2 - radius) / max(1, len(column) // 2)
        step = min(2 * radius, room)
        for place, index in enumerate(column):
            heights[index] = step * ((place + 1) // 2) * (-1 if place % 2 else 1)
    return heights


def _curve(line: Line, across: Axis, up: Axis) -> str:
    path, pen = [], "M"
    for x, y in zip(line.x, line.y, strict=True):
        if not math.isfinite(y):
            pen = "M"
            continue
        path.append(f"{pen}{across.at(x):.1f} {up.at(y):.1f}")
        pen = "L"
    return (
        f'<path d="{"".join(path)}" fill="none" {_stroke(line.style)} stroke-width="1.8" '
        f'stroke-linejoin="round"><title>{escape(line.label)}</title></path>'
    )


def _band(line: Line, across: Axis, up: Axis) -> str:
    """The area between the bounds, where there are any."""
    known = [
        (across.at(x), up.at(low), up.at(high))
        for x, low, high in zip(line.x, line.low, line.high, strict=True)
        if math.isfinite(low) and math.isfinite(high)
    ]
    there = "L".join(f"{x:.1f} {high:.1f}" for x, _, high in known)
    back = "L".join(f"{x:.1f} {low:.1f}" for x, low, _ in reversed(known))
    if len(known) < 2:
        return ""
    colour = COLOURS[line.style % len(COLOURS)]
    return f'<path d="M{there}L{back}Z" fill="{colour}" fill-opacity="0.16"/>'


def _points(line: Line, across: Axis, up: Axis) -> str:
    """Points with their intervals as bars."""
    colour = COLOURS[line.style % len(COLOURS)]
    parts = []
    for x, y, low, high in zip(line.x, line.y, line.low, line.high, strict=True):
        if not math.isfinite(y):
            continue
        at = across.at(x)
        if math.isfinite(low) and math.isfinite(high):
            bar = f'd="M{at:.1f} {up.at(low):.1f}V{up.at(high):.1f}"'
            parts.append(f'<path {bar} stroke="{colour}" stroke-width="1.8"/>')
        parts.append(
            f'<circle cx="{at:.1f}" cy="{up.at(y):.1f}" r="3.5" fill="{colour}">'
            f"<title>{escape(line.label)}, {x:g}: {y:.6g}</title></circle>"
        )
    return "".join(parts)


def _stroke(style: int) -> str:
    colour = COLOURS[style % len(COLOURS)]
    dash = DASHES[style // len(COLOURS) % len(DASHES)]
    return f'stroke="{colour}"' + (f' stroke-dasharray="{dash}"' if dash else "")


def _foot(across: Axis, y: float) -> str:
    """The horizontal axis with its numbers, those left out that would touch."""
    parts = [
        f'<path d="M{across.start} {y}H{across.end}" stroke="currentColor" stroke-opacity="0.4"/>'
    ]
    last = -math.inf
    for value in across.ticks():
        x, label = across.at(value), tick_text(value)
        half = 3.4 * len(label)
        if x - half < last + 6:
            continue
        last = x + half
        parts.append(_vertical(x, y, y + 4, "0.4"))
        place = min(max(x, half + 1), WIDTH - half - 1)
        parts.append(_text(label, place, y + 17, anchor="middle", faint=True))
    return "".join(parts)


def _grid(up: Axis) -> Iterable[str]:
    """Numbers at the left, and faint lines from them."""
    for value in up.ticks():
        y = up.at(value)
        yield (
            f'<path d="M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}" stroke="currentColor" '
            'stroke-opacity="0.12"/>'
        )
        yield _text(tick_text(value), _LEFT - 6, y + 4, anchor="end", faint=True)


def _x_label(words: str, height: float) -> str:
    return _text(words, WIDTH - _RIGHT, height - 4, anchor="end", faint=True)


def _vertical(x: float, top: float, bottom: float, opacity: str, *, width: float = 1) -> str:
    return (
        f'<path d="M{x:.1f} {top:.1f}V{bottom:.1f}" stroke="currentColor" '
        f'stroke-opacity="{opacity}" stroke-width="{width:g}"/>'
    )


def _text(words: str, x: float, y: float, *, anchor: str = "start", faint: bool = False) -> str:
    opacity = ' fill-opacity="0.7"' if faint else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor"{opacity}>'
        f"{escape(words)}</text>"
    )


def _drawing(parts: Iterable[str], height: float, title: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{escape(title)}" '
        f'font-size="12" font-family="system-ui, sans-serif">{"".join(parts)}</svg>'
    )
