"""Verdicts on values made by hand."""

from __future__ import annotations

import pytest

from gan_runner.studies.claims import RULE, difference_table, differences

SEEDS = range(10)


def _shifted(shift: float) -> tuple[dict[int, float], dict[int, float]]:
    """Pairs whose first lies `shift` and a little beside the second."""
    theirs = {seed: 1.0 + 0.1 * seed for seed in SEEDS}
    return {seed: theirs[seed] + shift + 0.01 * (seed % 3) for seed in SEEDS}, theirs


@pytest.mark.parametrize(
    ("shift", "lower_is_better", "verdict"),
    [
        (-0.5, True, "holds"),
        (0.5, True, "does not hold"),
        (-0.5, False, "does not hold"),
        (0.5, False, "holds"),
        (-0.01, True, "cannot be told"),
    ],
)
def test_verdict(shift: float, lower_is_better: bool, verdict: str) -> None:
    (found,) = differences({"a against b": _shifted(shift)}, lower_is_better=lower_is_better)
    assert found.verdict == verdict
    assert found.paired.n == 10
    assert found.differences[0] == pytest.approx(shift)


def test_five_pairs_are_too_few() -> None:
    ours, theirs = _shifted(-0.5)
    (found,) = differences({"a": ({seed: ours[seed] for seed in range(5)}, theirs)})
    assert (found.paired.n, found.verdict) == (5, "cannot be told")
    assert found.reason == "too few: 5, 6 are needed"


def test_pairs_are_of_equal_seeds() -> None:
    (found,) = differences({"a": ({1: 2.0, 2: 5.0}, {2: 3.0, 9: 0.0}), "none": ({1: 1.0}, {})})
    assert dict(found.differences) == {2: 2.0}
    assert found.verdict == "cannot be told"


def test_several_pairs_are_corrected_together() -> None:
    ours, theirs = _shifted(-0.5)
    (alone,) = differences({"a": (ours, theirs)})
    assert alone.p == pytest.approx(2 / 2**10)  # all ten on one side, either side
    three = differences(dict.fromkeys("abc", (ours, theirs)))
    assert [each.p for each in three] == pytest.approx([3 * 2 / 2**10] * 3)


def test_table() -> None:
    found = differences({"a against b": _shifted(-0.5), "c against d": _shifted(0.5)})
    text = difference_table(found, what="MSE")
    assert "| a against b | 10 | 10 of 10 | -0.49" in text
    assert "| better |" in text
    assert "| worse |" in text


def test_the_rule_says_its_numbers() -> None:
    assert "at least 6 pairs" in RULE
    assert "95 %" in RULE
    assert "below 0.05" in RULE
