"""Figures of studies: what is on them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from gan_runner.studies import figures

VALUES = {"SRGAN": [3e-5, 5e-5, 9e-5], "MLP": [4e-5, 4.5e-5, 5e-5], "none": []}


def test_rows_leave_out_what_has_no_value() -> None:
    found = figures.rows(VALUES, ["#000000", "#ffffff"])
    assert [(each.label, each.colour) for each in found] == [
        ("SRGAN", "#000000"), ("MLP", "#ffffff"),
    ]  # fmt: skip
    assert found[0].summary.mean == pytest.approx(17e-5 / 3)


def test_swarm_shows_every_seed_and_the_published_values() -> None:
    found = figures.rows(VALUES)
    drawn = figures.swarm(
        found, title="t", x_label="MSE", marked={"published, SRGAN": 3.4555e-5}, log=True
    )
    axes = drawn.axes[0]
    assert axes.get_xscale() == "log"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["MLP", "SRGAN"]
    shown = [list(line.get_xdata()) for line in axes.lines]
    assert VALUES["SRGAN"] in shown
    assert VALUES["MLP"] in shown
    assert [3.4555e-5, 3.4555e-5] in shown
    assert drawn.legends[0].get_texts()[0].get_text() == "published, SRGAN"


def test_response_has_a_band_and_even_places() -> None:
    drawn = figures.response(
        [0, 1e-5, 10], [[1.0, 2.0], [2.0, 3.0], [4.0]], title="t", x_label="lambda", y_label="MSE"
    )
    axes = drawn.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "1e-05", "10"]
    mean = next(line for line in axes.lines if line.get_label() == "mean")
    assert np.asarray(mean.get_xydata()).tolist() == [[0, 1.5], [1, 2.5], [2, 4]]
    assert len(axes.collections) == 1


def test_bars_have_a_panel_each() -> None:
    panels = {"ring8": {"GAN": (5.0, 0.5), "VEEGAN, published": (8.0, math.nan)}}
    drawn = figures.bars(panels, title="t", most={"ring8": 8})
    (axes,) = drawn.axes
    assert [patch.get_width() for patch in axes.patches] == [5.0, 8.0]


@pytest.mark.parametrize(("low", "high"), [(1, 1000), (3, 30), (3.1, 8.9), (3.1, 3.9), (22, 24)])
def test_logarithmic_axes_have_numbers_however_little_they_span(low: float, high: float) -> None:
    figure = Figure()
    axes = figure.subplots()
    axes.set_xscale("log")
    figures.round_ticks(axes.xaxis)
    axes.plot([low, high], [0, 1])  # after the ticks were chosen
    axes.set_xlim(low, high)
    figure.canvas.draw()
    labels = axes.get_xticklabels(which="both")
    shown = [one for one in labels if one.get_text() and low <= one.get_position()[0] <= high]
    assert 2 <= len(shown) <= 12


def test_saved_figures_are_equal_files(tmp_path: Path) -> None:
    def drawn() -> figures.Figure:
        return figures.swarm(figures.rows(VALUES), title="t", x_label="x")

    path = figures.save(drawn(), tmp_path / "a", "f")
    figures.save(drawn(), tmp_path / "b", "f")
    assert path == tmp_path / "a/f.png"
    with Image.open(path) as image:
        assert image.width == 792
    for name in ("f.png", "f.pdf"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
