"""Learning curves from metrics.csv."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from gan_runner.studies.curves import NUM_POINTS, Curve, curves
from gan_runner.studies.groups import group
from gan_runner.studies.runs import collect

Make = Callable[..., Path]
HEAD = "step,epoch,loss/D,gradient_norm/D,output/real,metrics/mse\n"


@pytest.fixture
def drawn(make: Make, tmp_path: Path) -> Callable[[list[str | None]], dict[str, list[Curve]]]:
    """`drawn(texts)`: the curves of one group whose seeds logged these."""

    def write(texts: list[str | None]) -> dict[str, list[Curve]]:
        for seed, text in enumerate(texts):
            make(str(seed), seed=seed, csv=text)
        return curves(group(collect([tmp_path]).runs).groups)

    return write


Drawn = Callable[[list[str | None]], dict[str, list[Curve]]]


def rows(*cells: str) -> str:
    return HEAD + "".join(f"{row}\n" for row in cells)


def test_middle_and_band_over_seeds(drawn: Drawn) -> None:
    found = drawn([rows(f"10,1,{d},7,,", f"20,2,{2 * d},7,,") for d in (1.0, 2.0, 6.0)])
    assert list(found) == ["loss/D"]  # no other chosen column has a number
    (curve,) = found["loss/D"]
    assert curve.step.tolist() == [10, 20]
    assert curve.middle.tolist() == [2, 4]
    assert curve.low.tolist() == pytest.approx([1.2, 2.4])  # a fifth of the way from 1 to 2
    assert curve.high.tolist() == pytest.approx([5.2, 10.4])
    assert curve.num_runs == 3


def test_seldom_numbers_and_a_last_line_that_is_cut(drawn: Drawn) -> None:
    text = rows("10,1,1,,0.5,", "20,2,2,,,0.3", "30,3,3,,0.6,0.2") + "40,4,9"
    found = drawn([text])
    assert list(found) == ["loss/D", "metrics/mse", "output/real"]
    assert found["loss/D"][0].step.tolist() == [10, 20, 30]
    assert found["metrics/mse"][0].middle.tolist() == [0.3, 0.2]
    assert found["output/real"][0].step.tolist() == [10, 30]


def test_a_run_counts_as_far_as_it_went(drawn: Drawn) -> None:
    long = rows(*(f"{step},1,1,,," for step in (10, 20, 30)))
    found = drawn([long, rows("10,1,3,,,", "20,1,3,,,"), None, "broken"])
    (curve,) = found["loss/D"]
    assert curve.middle.tolist() == [2, 2, 1]
    assert curve.num_runs == 2


def test_other_intervals_are_interpolated_and_lost_numbers_left_out(drawn: Drawn) -> None:
    dense = rows(*(f"{step},1,0,,," for step in (10, 20, 30)))
    found = drawn([dense, rows("10,1,2,,,", "30,1,6,,,")])
    assert found["loss/D"][0].high.tolist() == pytest.approx([1.8, 3.6, 5.4])
    lost = drawn([rows("10,1,nan,,,", "20,1,5,,,"), rows("10,1,nan,,,", "20,1,inf,,,")])
    (curve,) = lost["loss/D"]
    assert math.isnan(curve.middle[0])
    assert curve.middle[1] == 5


def test_long_curves_are_thinned_to_first_and_last(drawn: Drawn) -> None:
    found = drawn([rows(*(f"{step},1,{step},,," for step in range(1, 1502)))])
    (curve,) = found["loss/D"]
    assert len(curve.step) <= NUM_POINTS + 1
    assert (curve.step[0], curve.step[-1]) == (1, 1501)
    assert curve.middle.tolist() == curve.step.tolist()


def test_one_point_is_no_curve(drawn: Drawn) -> None:
    assert drawn([rows("10,1,1,,,")]) == {}
