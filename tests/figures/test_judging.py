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


@pytest.mark.parametrize("lost", [[math.nan] * 7, [*HIGH[:5], math.nan, math.nan]])
def test_a_run_that_failed_counts_as_the_worst(lost: list[float]) -> None:
    found = judging.better(_material(a=LOW, b=lost), "a", ["b"], "mse")
    assert found.word == "holds"
    num = sum(math.isnan(each) for each in lost)
    worst = max(each for each in (*LOW, *lost) if not math.isnan(each))
    assert f"b: {num} of 7 runs failed, counted as {worst:.3g}" in found.why


def test_an_arm_that_fails_is_not_the_better_one() -> None:
    half = [math.nan if seed % 2 else value for seed, value in enumerate(LOW)]
    assert judging.better(_material(a=half, b=HIGH), "a", ["b"], "mse").word == "cannot be told"
    gone = [math.nan] * 7
    nothing = judging.better(_material(a=gone, b=gone), "a", ["b"], "mse")
    assert nothing == Verdict(word="cannot be told", why="MSE: no run has a value")


def test_above_never_holds_with_failed_runs() -> None:
    found = judging.above([0.9, 0.95, 0.92], 0.5, "it", failed=1)
    assert found.word == "cannot be told"
    assert found.why.endswith("wanted above 0.5, 1 more failed")
    assert judging.above([0.1, 0.2, 0.15], 0.5, "it", failed=1).word == "does not hold"


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
