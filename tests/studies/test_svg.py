"""Plots as SVG: well-formed, with as many marks as there are numbers, in the right places."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import pytest

from gan_runner.studies.svg import COLOURS, Line, Strip, key, lines, responses, strips

STRIP = Strip(
    label="a<b>&c", values=[("seed 0", 1.0), ("seed 1", 3.0)], mean=2.0, low=1.5, high=2.5,
    text="2 [1.5, 2.5]", style=0,
)  # fmt: skip


def line(**changes: object) -> Line:
    given = {
        "label": "g", "x": [1, 2, 3], "y": [1, 2, 3], "low": [0, 1, 2], "high": [2, 3, 4],
        "style": 0, **changes,
    }  # fmt: skip
    return Line(**given)  # type: ignore[arg-type]


def circles(text: str) -> list[ET.Element]:
    return list(ET.fromstring(text).iter("circle"))


def test_a_strip_has_a_point_for_each_value_in_order() -> None:
    text = strips([STRIP, STRIP], title='one "title"')
    root = ET.fromstring(text)
    assert root.get("aria-label") == 'one "title"'
    assert root.get("viewBox") == "0 0 360 130"
    assert [each.text for each in root.iter("text")][:2] == ["a<b>&c", "2 [1.5, 2.5]"]
    first, second, *others = circles(text)
    assert len(others) == 2
    assert float(first.get("cx", "")) < float(second.get("cx", ""))
    assert [each.text for each in root.iter("title")][:2] == ["seed 0: 1", "seed 1: 3"]


def test_points_of_one_place_stand_apart_within_their_row() -> None:
    many = Strip(
        label="g", values=[(str(i), 1.0) for i in range(200)], mean=1.0, low=1.0, high=1.0,
        text="", style=7,
    )  # fmt: skip
    found = circles(strips([many], title="t"))
    heights = [float(each.get("cy", "")) for each in found]
    assert len(set(heights)) > 50
    assert 18 <= min(heights) < max(heights) <= 50
    assert {each.get("fill") for each in found} == {COLOURS[1]}


def test_differences_have_a_line_at_0() -> None:
    below = Strip(**{**vars(STRIP), "values": [("0", -1.0), ("1", 3.0)]})
    text = strips([below, below], title="t", zero=True)
    left, right = (float(each.get("cx", "")) for each in circles(text)[:2])
    wanted = left + (right - left) / 4
    found = [
        each.get("d", "") for each in ET.fromstring(text).iter("path")
        if each.get("stroke-opacity") == "0.5"
    ]  # fmt: skip
    assert len(found) == 2
    assert float(found[0][1:].split()[0]) == pytest.approx(wanted, abs=0.2)


def test_distances_of_different_sizes_get_a_logarithmic_axis() -> None:
    wide = Strip(
        label="g", values=[("0", 1e-4), ("1", 1e-2), ("2", 1.0)], mean=1e-2, low=1e-4, high=1.0,
        text="", style=0,
    )  # fmt: skip
    places = [float(each.get("cx", "")) for each in circles(strips([wide], title="t", log=True))]
    assert places[1] - places[0] == pytest.approx(places[2] - places[1], abs=0.2)


def test_a_value_alone_has_no_mean_beside_it() -> None:
    alone = Strip(label="g", values=[("0", 1.0)], mean=1.0, low=math.nan, high=math.nan, text="1",
                  style=0)  # fmt: skip
    assert 'stroke-width="2.5"' not in strips([alone], title="t")
    assert 'stroke-width="2.5"' in strips([STRIP], title="t")


def test_curves_have_a_line_and_a_band_and_break_where_numbers_are_lost() -> None:
    text = lines([line(), line(y=[1, math.nan, 3], style=6)], title="t", x_label="step")
    paths = [each.get("d", "") for each in ET.fromstring(text).iter("path")]
    assert sum(path.endswith("Z") for path in paths) == 2
    assert any(path.count("M") == 2 and "L" not in path for path in paths)
    assert f'stroke="{COLOURS[0]}" stroke-dasharray="6 3"' in text
    bare = lines([line(low=[math.nan] * 3, high=[math.nan] * 3)], title="t", x_label="step")
    assert "Z" not in bare.replace('Z"', 'Z"') or bare.count('Z"') == 0


def test_responses_have_points_with_bars() -> None:
    text = responses([line(x=[1e-4, 1e-3, 1e-2])], title="t", x_label="lr")
    places = [float(each.get("cx", "")) for each in circles(text)]
    assert places[1] - places[0] == pytest.approx(places[2] - places[1], abs=0.2)
    assert text.count("V") >= 3


def test_keys_are_wellformed() -> None:
    assert ET.fromstring(key(13)).get("width") == "26"
