"""The rate over a run, by hand."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from gan_runner import schema
from gan_runner.schedules import Schedule


def schedule(horizon: int, **section: Any) -> Schedule:
    return Schedule(dataclasses.asdict(schema.Schedule(**section)), horizon)


def factors(made: Schedule, steps: int) -> list[float]:
    return [made.factor(step) for step in range(steps)]


def test_constant() -> None:
    assert factors(schedule(10), 12) == [1.0] * 12


def test_linear() -> None:
    assert factors(schedule(4, name="linear"), 6) == [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    made = schedule(10, name="linear", start=0.5, final=0.2)
    assert factors(made, 6) == [1.0] * 6
    assert made.factor(7) == pytest.approx(1 - 0.8 * 2 / 5)
    assert made.factor(10) == pytest.approx(0.2)
    assert made.factor(99) == pytest.approx(0.2)


def test_cosine() -> None:
    made = schedule(8, name="cosine", final=0.1)
    assert made.factor(0) == 1.0
    assert made.factor(4) == pytest.approx(0.55)
    assert made.factor(2) == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi / 4)) / 2)
    assert made.factor(8) == made.factor(20) == pytest.approx(0.1)


def test_the_pieces_of_anatomizing_meet_at_half() -> None:
    made = schedule(15_000, name="piecewise", boundaries=[0.5], factors=[1.0, 10.0], restart=True)
    assert (made.factor(0), made.factor(7499)) == (1.0, 1.0)
    assert (made.factor(7500), made.factor(14_999)) == (10.0, 10.0)
    assert [step for step in range(15_000) if made.restarts(step)] == [7500]


def test_several_pieces_without_restart() -> None:
    made = schedule(10, name="piecewise", boundaries=[0.2, 0.6], factors=[1.0, 0.5, 2.0])
    assert factors(made, 10) == [1.0] * 2 + [0.5] * 4 + [2.0] * 4
    assert not any(made.restarts(step) for step in range(10))


def test_a_run_of_one_step() -> None:
    for section in (
        {"name": "linear"},
        {"name": "cosine", "start": 0.9},
        {"name": "piecewise", "boundaries": [0.5], "factors": [1.0, 10.0], "restart": True},
    ):
        assert math.isfinite(schedule(1, **section).factor(0))
