"""Numbers as text."""

from __future__ import annotations

import math

import pytest

from gan_runner.studies.formats import Scale, counted, listed, p_text, scale_of


@pytest.mark.parametrize(
    ("values", "spreads", "exponent", "decimals"),
    [
        ([4.12e-5, 3.7e-5], [1.1e-6], -5, 2),  # 4.12 with a spread of 0.11
        ([0.0995, 0.0966], [0.0065], 0, 4),
        ([123456.0], [1000.0], 5, 3),
        ([10.04, 10.16], [0.28], 0, 2),
        ([25.0, 24.0], [], 0, 0),
        ([0.8678], [], 0, 4),
        ([math.nan, 0.0], [0.1], 0, 0),
        ([1.0], [1e-12], 0, 6),
        ([5000.0, 5.0, 5.0], [0.5], 0, 2),
    ],
)
def test_scales(values: list[float], spreads: list[float], exponent: int, decimals: int) -> None:
    assert scale_of(values, spreads) == Scale(exponent=exponent, decimals=decimals)


def test_numbers_in_units_of_the_scale() -> None:
    scale = Scale(exponent=-5, decimals=2)
    assert (scale.unit, scale.suffix) == ("1e-5", "e-5")
    assert scale.text(4.125e-5, sign=True) == "+4.12"
    assert scale.text(-4e-6) == "-0.40"
    assert scale.interval(1e-6, 8e-6) == "[0.10, 0.80]"
    assert scale.text(1e-9) == "1.0e-04"
    assert scale.text(1e3) == "1.0e+08"
    assert scale.text(0.0, sign=True) == "0.00"
    assert scale.text(math.nan) == scale.interval(math.nan, 1.0) == "-"
    assert Scale().unit == Scale().suffix == ""


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (None, "-"),
        (math.nan, "-"),
        (0.00005, "<0.0001"),
        (0.0123, "0.012"),
        (0.5, "0.5"),
        (1.0, "1"),
    ],
)
def test_probabilities(p: float | None, text: str) -> None:
    assert p_text(p) == text


def test_words() -> None:
    assert (counted(1, "run"), counted(1000, "run")) == ("1 run", "1,000 runs")
    assert listed([1, 2, 3]) == "1, 2, 3"
    assert listed(range(12), most=4) == "0, 1, 2 and 9 more"
