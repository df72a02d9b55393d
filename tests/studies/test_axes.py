"""Axes and their numbers."""

from __future__ import annotations

import pytest

from gan_runner.studies.axes import axis, spans_decades, tick_text


def test_places_are_linear_with_air() -> None:
    found = axis([0.0, 10.0], 0, 110)
    assert (found.low, found.high) == (-0.5, 10.5)
    assert found.at(5.0) == pytest.approx(55)
    assert found.at(0.0) == pytest.approx(5)
    assert found.at(1e9) == pytest.approx(112.2)
    assert axis([1.0, 2.0], 0, 1, zero=True).low < 0


def test_places_are_logarithmic_where_asked_for() -> None:
    found = axis([1e-4, 1e-2], 0, 100, log=True)
    assert found.at(1e-3) == pytest.approx(50)
    assert found.ticks() == pytest.approx([1e-4, 1e-3, 1e-2])
    assert not axis([0.0, 1.0], 0, 1, log=True).log


@pytest.mark.parametrize("values", [[], [3.0], [0.0], [float("nan"), -2.0], [1e-300, 2e-300]])
def test_any_numbers_have_an_axis(values: list[float]) -> None:
    found = axis(values, 0, 100)
    assert found.low < found.high
    for value in values:
        assert value != value or -2 <= found.at(value) <= 102  # noqa: PLR0124 - NaN


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 10.0, [0, 2, 4, 6, 8, 10]),
        (0.088, 0.114, [0.09, 0.095, 0.1, 0.105, 0.11]),
        (-1.0, 1.0, [-1, -0.5, 0, 0.5, 1]),
    ],
)
def test_ticks_are_round(low: float, high: float, ticks: list[float]) -> None:
    air = (high - low) / 22
    assert axis([low + air / 1.1, high - air / 1.1], 0, 1).ticks() == pytest.approx(ticks)


def test_logarithmic_ticks() -> None:
    assert axis([1e-9, 1e9], 0, 1, log=True).ticks()[1] / 1e-9 == pytest.approx(1e4)
    assert axis([2.0, 30.0], 0, 1, log=True).ticks() == pytest.approx([2, 5, 10, 20])


def test_spans_decades() -> None:
    assert spans_decades([1e-4, 1e-3])
    assert not spans_decades([1e-4, 9e-4])
    assert not spans_decades([0.0, 1.0])
    assert not spans_decades([])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (0.0005, "0.0005"), (-1.5, "−1.5"), (20000.0, "20,000"), (1e-7, "10⁻⁷"),
        (2.5e-7, "2.5·10⁻⁷"), (-3e8, "−3·10⁸"),
    ],
)  # fmt: skip
def test_tick_text(value: float, text: str) -> None:
    assert tick_text(value) == text
