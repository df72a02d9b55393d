"""Drawing: curves, values by seed, images, files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_runner.figures import drawing
from gan_runner.figures.figure import Trained
from gan_runner.figures.sheets import COLUMNS, GAP, WIDTH, contact_sheet


def _run(folder: Path, values: list[float], seed: int = 0) -> Trained:
    folder.mkdir(parents=True)
    rows = [f"{10 * step},{step / 4},{value}" for step, value in enumerate(values, 1)]
    text = "\n".join(["step,epoch,loss/D", *rows]) + "\n"
    (folder / "metrics.csv").write_text(text, encoding="utf-8")
    return Trained(folder=folder, seed=seed, config_hash="0")


def test_curves_show_the_median_and_a_band(tmp_path: Path) -> None:
    runs = [_run(tmp_path / str(seed), [seed, seed + 1.0], seed) for seed in range(3)]
    with drawing.styled():
        _, (axes,) = drawing.canvas("x")
        drawing.curves(axes, runs, {"loss/D": "D", "loss/G": "G"})
    (line,) = axes.lines
    assert line.get_xdata().tolist() == [10, 20]
    assert line.get_ydata().tolist() == [1, 2]
    (band,) = axes.collections
    low, high = (band.get_paths()[0].vertices[:, 1].min(), band.get_paths()[0].vertices[:, 1].max())
    assert (low, high) == pytest.approx((0.2, 2.8))  # 10 and 90 % of 0, 1, 2 and of 1, 2, 3


def test_curves_against_epochs(tmp_path: Path) -> None:
    _, (axes,) = drawing.canvas("x")
    drawing.curves(axes, [_run(tmp_path / "a", [3.0, 4.0, 5.0])], {"loss/D": "D"}, x="epoch")
    assert axes.lines[0].get_xdata().tolist() == [0.25, 0.5, 0.75]
    assert axes.get_xlabel() == "epoch"


def test_long_curves_are_smoothed_over_what_they_are(tmp_path: Path) -> None:
    values = [each % 2 for each in range(400)]
    _, (axes,) = drawing.canvas("x")
    drawing.curves(axes, [_run(tmp_path / "a", values)], {"loss/D": "D"})
    raw, smooth = axes.lines
    assert np.ptp(raw.get_ydata()) == 1
    assert np.ptp(smooth.get_ydata()[20:-20]) < 0.1


def test_a_run_without_points_is_left_out(tmp_path: Path) -> None:
    _, (axes,) = drawing.canvas("x")
    drawing.curves(axes, [_run(tmp_path / "a", [1.0])], {"loss/D": "D"})
    assert not axes.lines


def test_values_by_seed_are_drawn_with_their_mean() -> None:
    _, (axes,) = drawing.canvas("x")
    drawing.by_seed(axes, {"a": [1.0, 3.0], "b": [float("nan")]}, label="mse (1)")
    assert [each.get_text() for each in axes.get_yticklabels()] == ["b", "a"]
    assert axes.lines[0].get_xdata().tolist() == [1.0, 3.0]
    assert list(axes.lines[-1].get_xdata()) == [2.0]


def test_images_are_tiled_with_white_between() -> None:
    samples = np.stack([np.full((1, 4, 4), -1.0), np.full((1, 4, 4), 1.0), np.zeros((1, 4, 4))])
    found = drawing.tiled(samples, 2)
    assert found.shape == (9, 9)
    assert (found[:4, :4] == 0).all()
    assert (found[:4, 5:] == 1).all()
    assert (found[4] == 1).all()
    assert (found[5:, :4] == 0.5).all()
    assert (found[5:, 5:] == 1).all()  # no image
    assert drawing.tiled(np.zeros((2, 3, 4, 4)), 2).shape == (4, 9, 3)


def test_sample_pictures_are_spread(tmp_path: Path) -> None:
    (tmp_path / "samples").mkdir()
    for step in range(0, 1100, 100):
        Image.new("L", (4, 4)).save(tmp_path / "samples" / f"step_{step:08d}.png")
    run = Trained(folder=tmp_path, seed=0, config_hash="0")
    assert [step for step, _ in drawing.sample_pictures(run, 3)] == [0, 500, 1000]
    assert drawing.sample_pictures(Trained(folder=tmp_path / "b", seed=0, config_hash="0"), 3) == []


def test_equal_figures_are_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with drawing.styled():
            canvas, (axes,) = drawing.canvas("x")
            axes.plot([0, 1], [0, 1])
            drawing.save(canvas, tmp_path, name)
    for suffix in ("png", "pdf"):
        first, second = ((tmp_path / f"{name}.{suffix}").read_bytes() for name in ("a", "b"))
        assert first == second
        assert len(first) > 1000


def test_a_contact_sheet_holds_all(tmp_path: Path) -> None:
    for index, height in enumerate((100, 300, 100)):
        Image.new("RGB", (200, height), (255, 0, 0)).save(tmp_path / f"{index}.png")
    pictures = [(str(index), tmp_path / f"{index}.png") for index in range(3)]
    contact_sheet(pictures, tmp_path / "sheet.png")
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert sheet.shape[1] == COLUMNS * (WIDTH + GAP) + GAP
    red = int((sheet == (255, 0, 0)).all(axis=2).sum())
    assert red == WIDTH * (WIDTH // 200 * 100 + 10) * 5  # 310 + 930 + 310 rows
