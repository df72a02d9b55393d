"""Pictures: what is drawn, read back from the figures and pixels."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.collections import EllipseCollection, PathCollection
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from gan_runner import plots
from gan_runner.datasets.dataset import Dataset, Modes, none


def points(num: int, d: int, *, seed: int = 0) -> Tensor:
    return torch.rand(num, d, generator=torch.Generator().manual_seed(seed))


def dataset(real: Tensor, *, modes: Modes | None = None) -> Dataset:
    """Return a set whose data are ten times the scaled values, plus one."""
    d = real.shape[1]
    return Dataset(
        name="made",
        kind="vectors",
        splits={"train": {"real": points(5, d)}, "test": {"real": real}},
        offset=torch.ones(d),
        scale=torch.full((d,), 10.0),
        modes=modes,
    )


def texts(figure: Figure) -> list[str]:
    """Return all titles, labels and legend entries."""
    found = [figure.get_suptitle()]
    for axes in figure.axes:
        found += [axes.get_title(loc=loc) for loc in ("left", "center", "right")]
        found += [axes.get_xlabel(), axes.get_ylabel()]
        legend = axes.get_legend()
        found += [text.get_text() for text in legend.get_texts()] if legend else []
    for legend in figure.legends:
        found += [text.get_text() for text in legend.get_texts()]
    return [text for text in found if text]


def clouds(axes: Any) -> list[np.ndarray[Any, Any]]:
    return [
        np.asarray(entry.get_offsets())
        for entry in axes.collections
        if isinstance(entry, PathCollection)
    ]


def size(figure: Figure) -> tuple[int, int]:
    with Image.open(io.BytesIO(plots.png(figure))) as picture:
        picture.load()
        return picture.size


# --- points ----------------------------------------------------------------------------------


def test_plane() -> None:
    real = torch.tensor([[0.0, 0.0], [1.0, 1.0], [0.5, 0.25]])  # data: 1 to 11
    modes = Modes(centres=torch.tensor([[3.0, 4.0], [6.0, 7.0]]), sds=torch.tensor([0.5, 1.0]))
    generated = torch.tensor([[5.0, 5.0], [12.5, 5.0], [5.0, -3.0], [float("nan"), 0.0]])
    figure = plots.draw_points({"generated": generated}, dataset(real, modes=modes), "made, step 3")
    (axes,) = figure.axes
    assert axes.get_xlim() == axes.get_ylim() == pytest.approx((0, 12))  # a tenth on each side
    assert axes.get_aspect() == 1
    drawn_real, drawn_generated = clouds(axes)
    np.testing.assert_allclose(drawn_real, [[1, 1], [11, 11], [6, 3.5]], rtol=1e-6)
    np.testing.assert_allclose(drawn_generated, generated[:3])
    (circles,) = [entry for entry in axes.collections if isinstance(entry, EllipseCollection)]
    np.testing.assert_allclose(circles.get_widths(), [3, 6])  # diameters of 3-sd circles
    np.testing.assert_allclose(circles.get_offsets(), [[3, 4], [6, 7]])
    assert texts(figure) == [
        "made, step 3",
        "2 of 4 generated points lie outside, 1 of 4 are not finite",
        "x1",
        "x2",
        "real (3)",
        "generated (3)",
        "modes (3 sd)",
    ]
    assert min(size(figure)) > 400


def test_no_note_when_every_point_is_seen() -> None:
    figure = plots.draw_points({"generated": points(50, 2) * 10 + 1}, dataset(points(99, 2)), "t")
    assert texts(figure) == ["t", "x1", "x2", "real (50)", "generated (50)"]


def test_real_points_are_taken_evenly() -> None:
    real = torch.arange(100.0)[:, None].expand(-1, 2) / 100  # sorted, as sets of modes are
    drawn = plots.real_points({}, dataset(real), 5)
    assert drawn is not None
    np.testing.assert_allclose(drawn[:, 0], [1, 3.5, 6, 8.4, 10.9], rtol=1e-6)


def test_given_real_points_come_first_and_no_data_gives_none() -> None:
    own = points(4, 2)
    assert plots.real_points({"real": own}, dataset(points(9, 2)), 4) is own
    assert plots.real_points({"generated": own}, none(), 4) is None
    figure = plots.draw_points({"generated": own}, none(), "t")
    assert "generated (4)" in texts(figure)
    assert "real" not in " ".join(texts(figure))


def test_sliver_is_not_drawn_to_scale() -> None:
    real = points(50, 2) * torch.tensor([1.0, 0.01])
    figure = plots.draw_points({"generated": real * 10 + 1}, dataset(real), "t")
    assert figure.axes[0].get_aspect() == "auto"
    assert 0.5 < size(figure)[1] / size(figure)[0] < 1.5


def test_histogram_counts_all_generated_points() -> None:
    generated = torch.cat([points(75, 1) * 10 + 1, torch.full((25, 1), 100.0)])
    figure = plots.draw_points({"generated": generated}, dataset(points(500, 1)), "t")
    assert "25 of 100 generated points lie outside" in texts(figure)
    real, drawn = (patch.get_path().vertices for patch in figure.axes[0].patches)

    def area(outline: Any) -> float:
        x, y = np.asarray(outline).T
        return abs(float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2)))

    assert area(drawn) == pytest.approx(0.75, abs=1e-6)
    assert real[:, 0].min() == drawn[:, 0].min()  # the same bins
    assert min(size(figure)) > 400


def test_space_has_two_panels_with_the_same_limits() -> None:
    real = points(60, 3)
    generated = torch.cat([points(58, 3, seed=1), torch.full((2, 3), 50.0)])
    figure = plots.draw_points({"generated": generated, "real": real}, dataset(real), "t")
    left, right = figure.axes
    for axis in "xyz":
        assert getattr(left, f"get_{axis}lim")() == getattr(right, f"get_{axis}lim")()
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["real (60)", "generated (60)\n2 of 60 generated points lie outside"]
    assert len(right.collections[0]._offsets3d[0]) == 58  # the others would hang in the air
    assert min(size(figure)) > 400


def test_many_dimensions_are_drawn_in_the_real_principal_plane() -> None:
    generator = torch.Generator().manual_seed(0)
    sds = torch.tensor([0.1, 3.0, 0.1, 1.0, 0.1])
    real = torch.randn(4000, 5, generator=generator) * sds
    step = torch.tensor([[0.0, 2.0, 0.0, 0.0, 0.0], [0.0, 0.0, 9.0, 0.0, 0.0]])
    generated = (real.mean(dim=0) + step).repeat(2000, 1)  # as many as real ones
    figure = plots.draw_points({"generated": generated, "real": real}, dataset(real), "t")
    drawn = clouds(figure.axes[0])[-1]
    assert abs(drawn[0, 0]) == pytest.approx(2, abs=0.1)  # along the widest axis
    assert math.hypot(*drawn[1]) < 0.6  # across the plane
    assert figure.axes[0].get_xlabel().startswith("PC 1 of the real points (")


@pytest.mark.parametrize("d", [1, 2, 3, 7])
@pytest.mark.parametrize("case", ["one", "constant", "none finite"])
def test_odd_samples_are_drawn(d: int, case: str) -> None:
    generated = {
        "one": points(1, d), "constant": torch.ones(20, d),
        "none finite": torch.full((20, d), float("nan")),
    }[case]  # fmt: skip
    real = torch.zeros(9, d) if case == "constant" else points(9, d)
    figure = plots.draw_points({"generated": generated}, dataset(real), "t")
    assert min(size(figure)) > 300


# --- losses ----------------------------------------------------------------------------------


def test_panels_and_axes() -> None:
    rows = {
        "loss/D": [(10, 1.0), (20, float("nan")), (30, 0.5)],
        "loss/G": [(10, 2.0), (20, 3.0), (30, 4.0)],
        "output/real": [(10, 0.9), (20, 0.8), (30, 0.7)],
        "output/fake": [(10, 0.1), (20, 0.2), (30, 0.3)],
        "terms/D/penalty": [(10, 7.0), (20, 7.0), (30, 7.0)],
        "metrics/mmd": [(15, 0.5), (30, 0.25)],
        "metrics/wasserstein": [(30, 0.25)],  # one point is no curve
    }
    figure = plots.draw_losses(rows, steps_per_epoch=5)
    losses, outputs, mmd = figure.axes
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["Losses", "Output of D", "mmd"]
    lines = {line.get_label(): line for line in losses.lines}
    assert lines.keys() == {"D", "G"}
    np.testing.assert_allclose(lines["D"].get_xydata(), [[2, 1], [6, 0.5]])
    np.testing.assert_allclose(lines["G"].get_xydata(), [[2, 2], [4, 3], [6, 4]])
    assert [line.get_label() for line in outputs.lines] == ["D(x), real", "D(G(z)), generated"]
    np.testing.assert_allclose(mmd.lines[0].get_xydata(), [[3, 0.5], [6, 0.25]])
    assert {axes.get_xlabel() for axes in figure.axes} == {"epoch"}
    assert min(size(figure)) > 400


def test_steps_where_there_are_no_epochs() -> None:
    figure = plots.draw_losses({"loss/a": [(1, 1.0), (2, 3.0)], "loss/b": [(1, -1.0)]})
    (axes,) = figure.axes
    assert axes.get_xlabel() == "step"
    np.testing.assert_allclose(axes.lines[0].get_xdata(), [1, 2])


def test_long_curves_have_their_running_mean() -> None:
    rows = {"loss/G": [(step, float(step % 2)) for step in range(1, 1001)]}
    (axes,) = plots.draw_losses(rows).axes
    raw, mean = axes.lines
    assert (raw.get_alpha(), mean.get_label()) == (0.3, "G")
    assert len(raw.get_xdata()) == 1000
    np.testing.assert_allclose(mean.get_ydata(), 0.5)
    assert axes.get_title(loc="right") == "lines: means of 20 rows"


def test_a_few_extreme_values_do_not_flatten_the_rest() -> None:
    rows = {"loss/G": [(step, math.sin(step)) for step in range(1000)] + [(1000, 1e6)]}
    (axes,) = plots.draw_losses(rows).axes
    low, high = axes.get_ylim()
    assert -2 < low < -0.9
    assert 0.9 < high < 2
    assert "1 values beyond the axis" in axes.get_title(loc="right")


def test_whole_numbers_have_whole_ticks() -> None:
    (axes,) = plots.draw_losses({"metrics/modes": [(1, 6.0), (2, 8.0)]}).axes
    assert all(tick == round(tick) for tick in axes.get_yticks())


@pytest.mark.parametrize("rows", [{}, {"loss/D": [(1, float("inf"))]}])
def test_nothing_to_draw_is_an_empty_picture(rows: Any) -> None:
    assert min(size(plots.draw_losses(rows))) > 300


def test_is_drawn() -> None:
    tags = ("loss/D", "output/real", "output/fake", "metrics/mmd", "output/x", "terms/D/a", "loss")
    assert [plots.is_drawn(tag) for tag in tags] == [True] * 4 + [False] * 3


# --- files -----------------------------------------------------------------------------------


def test_save_is_whole_and_repeatable(tmp_path: Path) -> None:
    path = tmp_path / "made" / "picture.png"
    written = []
    for _ in range(2):
        figure = plots.draw_points({"generated": points(9, 2)}, dataset(points(9, 2)), "t")
        plots.save(figure, path)
        written.append(path.read_bytes())
    assert written[0] == written[1]
    assert [file.name for file in path.parent.iterdir()] == ["picture.png"]
    assert path.read_bytes().startswith(b"\x89PNG")


def test_no_global_state_of_matplotlib() -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    plots.png(plots.draw_losses({"loss/D": [(1, 1.0), (2, 2.0)]}))
    assert dict(mpl.rcParams) == before
