"""The rules by which claims are judged."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from gan_runner.figures import judging
from gan_runner.figures.figure import Material, Trained, Verdict


def _material(**arms: list[float]) -> Material:
    runs = {
        arm: tuple(
            Trained(folder=Path(arm), seed=seed, config_hash="0", values={"mse": value})
            for seed, value in enumerate(values)
        )
        for arm, values in arms.items()
    }
    return Material(scale="cpu", runs=runs)


LOW = [1.0, 1.1, 0.9, 1.05, 0.95, 1.02, 0.98]
HIGH = [each + 1 + 0.01 * seed for seed, each in enumerate(LOW)]


@pytest.mark.parametrize(
    ("ours", "theirs", "word"),
    [(LOW, HIGH, "holds"), (HIGH, LOW, "does not hold"), (LOW, LOW[::-1], "cannot be told"),
     (LOW[:5], HIGH[:5], "cannot be told")],
)  # fmt: skip
def test_better(ours: list[float], theirs: list[float], word: str) -> None:
    found = judging.better(_material(a=ours, b=theirs), "a", ["b"], "mse")
    assert found.word == word


def test_better_than_several_is_better_than_each() -> None:
    middle = [each + 0.5 + 0.01 * seed for seed, each in enumerate(LOW)]
    material = _material(a=LOW, b=HIGH, c=middle)
    assert judging.better(material, "a", ["b", "c"], "mse").word == "holds"
    assert judging.better(material, "c", ["a", "b"], "mse").word == "does not hold"
    assert judging.better(_material(a=LOW, b=HIGH, c=[]), "a", ["b", "c"], "mse").word == (
        "cannot be told"
    )


@pytest.mark.parametrize(
    ("values", "bound", "below", "word"),
    [([0.9, 0.95, 0.92], 0.5, False, "holds"), ([0.1, 0.2, 0.15], 0.5, False, "does not hold"),
     ([0.1, 0.9, 0.5], 0.5, False, "cannot be told"), ([0.9, 0.95], 0.5, False, "cannot be told"),
     ([0.1, 0.2, math.nan, 0.15], 0.5, True, "holds"),
     ([0.9, 0.95, 0.92], 0.5, True, "does not hold")],
)  # fmt: skip
def test_above(values: list[float], bound: float, below: bool, word: str) -> None:
    assert judging.above(values, bound, "it", below=below).word == word


@pytest.mark.parametrize(
    ("successes", "num", "word"),
    [(10, 10, "holds"), (8, 10, "holds"), (7, 10, "cannot be told"), (2, 10, "does not hold"),
     (5, 5, "cannot be told")],
)  # fmt: skip
def test_share(successes: int, num: int, word: str) -> None:
    found = judging.share([each < successes for each in range(num)], "it")
    assert found.word == word
    assert f"{successes} of {num} seeds" in found.why


def test_both() -> None:
    yes, no = Verdict(word="holds", why="a"), Verdict(word="does not hold", why="b")
    open_ = Verdict(word="cannot be told", why="c")
    assert judging.both(yes, yes).word == "holds"
    assert judging.both(yes, open_).word == "cannot be told"
    assert judging.both(yes, no, open_).word == "does not hold"
    assert judging.both(yes, no).why == "a; b"
