"""What of a protocol must agree."""

from __future__ import annotations

from typing import Any

import pytest

from gan_runner.studies.protocols import conflict, distinct, sentence

CLASSIFIER = {"name": "mnist", "hash": "494b", "features": 9}
CARD: dict[str, Any] = {
    "num_real": 5000, "num_generated": 10000, "split": "test", "checkpoint": "last",
    "units": "data", "seed": 1,
    "details": {"method": "m", "k": 5, "classifier": CLASSIFIER},
}  # fmt: skip


def other(**changes: Any) -> dict[str, Any]:
    return {**CARD, **changes}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"num_generated": 2500}, "num_generated 10,000 | 2,500"),
        ({"split": "train"}, "split test | train"),
        (
            {"checkpoint": "best mse on validation, step 7"},
            "checkpoint last | best mse on validation",
        ),
        ({"units": "scaled"}, "units data | scaled"),
        ({"details": {**CARD["details"], "k": 3}}, "k 5 | 3"),
        (
            {"details": {**CARD["details"], "classifier": {"name": "mnist", "hash": "ffff"}}},
            "classifier mnist (494b) | mnist (ffff)",
        ),
    ],
)
def test_what_makes_numbers_differ(changes: dict[str, Any], said: str) -> None:
    assert conflict(distinct([CARD, other(**changes)])) == said


@pytest.mark.parametrize("changes", [{"seed": 2}, {}])
def test_what_makes_no_difference(changes: dict[str, Any]) -> None:
    assert conflict(distinct([CARD, other(**changes)])) is None


def test_the_step_of_the_best_weights_makes_no_difference() -> None:
    best = [other(checkpoint=f"best mse on validation, step {at}") for at in (3, 9)]
    assert conflict(distinct(best)) is None


def test_the_sentence() -> None:
    assert sentence(distinct([CARD])) == (
        "10,000 generated, 5,000 real, test split, checkpoint last, k 5, classifier mnist (494b)"
    )
    both = sentence(distinct([CARD, other(num_generated=100)]))
    assert both.startswith("10,000 | 100 generated, 5,000 real, ")
