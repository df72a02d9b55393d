"""Learning curves: the middle and a band over a group's seeds, from the runs' metrics.csv."""

from __future__ import annotations

import csv
import io
import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gan_runner.studies.groups import Group
from gan_runner.studies.resampling import Array

FILE = "metrics.csv"
PREFIXES = ("loss/", "validation/", "metrics/", "output/")
NUM_POINTS = 200  # of a curve at most
BAND = (0.1, 0.5, 0.9)
Series = dict[str, tuple[list[float], list[float]]]  # tag -> steps, values


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A logged number of a group over training, all arrays [T].

    middle, low, high: median, 10th and 90th percentile over the runs that had come so far.
    num_runs: how many have it at all.
    """

    group: Group
    step: Array
    middle: Array
    low: Array
    high: Array
    num_runs: int


def curves(groups: Sequence[Group]) -> dict[str, list[Curve]]:
    """The curves of each logged number, of all groups that have it with two points or more."""
    found: dict[str, list[Curve]] = {}
    for group in groups:
        runs = [series(run.folder / FILE) for run in group.runs.values()]
        tags = dict.fromkeys(tag for run in runs for tag in run)
        for tag in tags:
            curve = _curve(group, [run[tag] for run in runs if tag in run])
            if curve is not None:
                found.setdefault(tag, []).append(curve)
    order = {prefix: place for place, prefix in enumerate(PREFIXES)}
    return dict(sorted(found.items(), key=lambda item: order[f"{item[0].partition('/')[0]}/"]))


def series(
    path: Path, *, prefixes: tuple[str, ...] = PREFIXES, most: int | None = NUM_POINTS
) -> Series:
    """The columns of a metrics.csv that begin with a prefix; none if it is not there or broken.

    most: points of each about; None: all. An unfinished last line, left by a run that was killed,
    is not read.
    """
    try:
        text = path.read_text(encoding="utf-8")
        header, *rows = csv.reader(io.StringIO(text[: text.rfind("\n") + 1], newline=""))
        columns = dict(zip(header, zip(*rows, strict=True), strict=True))
        steps = columns["step"]
        found: Series = {}
        for tag in filter(lambda name: name.startswith(prefixes), columns):
            cells = [pair for pair in zip(steps, columns[tag], strict=True) if pair[1]]
            if cells:
                found[tag] = _floats(_thinned(cells, most))
        return found
    except (OSError, ValueError, KeyError, csv.Error):
        return {}


def _thinned(pairs: list[tuple[str, str]], most: int | None) -> Iterable[tuple[str, str]]:
    """One pair of every few, and the last."""
    every = math.ceil(len(pairs) / most) if most else 1
    return [*pairs[:-1:every], pairs[-1]]


def _floats(pairs: Iterable[tuple[str, str]]) -> tuple[list[float], list[float]]:
    steps, values = zip(*pairs, strict=True)
    return [float(each) for each in steps], [float(each) for each in values]


def _curve(group: Group, runs: Sequence[tuple[list[float], list[float]]]) -> Curve | None:
    found = band(runs)
    if found is None:
        return None
    step, (low, middle, high) = found
    return Curve(group=group, step=step, middle=middle, low=low, high=high, num_runs=len(runs))


def band(runs: Sequence[tuple[list[float], list[float]]]) -> tuple[Array, Array] | None:
    """Steps [T] and the quantiles `BAND` [3, T] over runs; None of fewer than two points.

    Runs are put on the steps of the one with most points; each counts only as far as it went.
    """
    longest = max(runs, key=lambda run: (len(run[0]), run[0][-1]))[0]
    last = max(run[0][-1] for run in runs)
    step = np.asarray([*longest, *([last] if last > longest[-1] else [])])
    if len(step) < 2:
        return None
    values = np.stack([_at(step, *run) for run in runs])  # [S, T]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # steps that no run has a number at
        return step, np.nanquantile(values, BAND, axis=0)


def _at(step: Array, own: list[float], values: list[float]) -> Array:
    """A run's values [T] at steps; NaN outside its own ones, and where they are not finite."""
    found = np.asarray(values)
    found = np.where(np.isfinite(found), found, np.nan)
    if len(own) == len(step) and own == step.tolist():
        return found
    return np.asarray(np.interp(step, own, found, left=np.nan, right=np.nan))
