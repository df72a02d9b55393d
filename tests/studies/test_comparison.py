"""References, comparisons and the rule of the verdict."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gan_runner.studies.comparison import Comparison, Options, compare, outcome, references
from gan_runner.studies.groups import Grouping, group
from gan_runner.studies.runs import collect
from gan_runner.studies.statistics import paired, sign_test

Make = Callable[..., Path]
Grouped = Callable[[list[dict[str, Any]]], Grouping]


@pytest.fixture
def grouped(make: Make, tmp_path: Path) -> Grouped:
    def write(runs: list[dict[str, Any]]) -> Grouping:
        for place, settings in enumerate(runs):
            make(str(place), **settings)
        return group(collect([tmp_path]).runs)

    return write


def of(values: dict[str, list[float]], **settings: Any) -> list[dict[str, Any]]:
    """Runs of models with seeds 0, 1, ... and an mse each."""
    return [
        {"model": model, "seed": seed, "mse": value, **settings}
        for model, found in values.items() for seed, value in enumerate(found)
    ]  # fmt: skip


def one(found: Grouping, metric: str = "mse", way: str | None = "lower", **how: Any) -> Comparison:
    (only,) = compare(metric, way, references(found), Options(**how))
    return only


def pairs(found: Grouping, text: str | None = None) -> list[tuple[str, str]]:
    return [(own.label, against.label) for own, against in references(found, text)]


RULE = {"n": 6, "low": -2.0, "high": -1.0, "p": 0.03, "lower_is_better": True}


@pytest.mark.parametrize(
    ("changes", "word", "reason"),
    [
        ({}, "better", None),
        ({"lower_is_better": False}, "worse", None),
        ({"low": 1.0, "high": 2.0}, "worse", None),
        ({"low": 1.0, "high": 2.0, "lower_is_better": False}, "better", None),
        ({"n": 5}, "cannot be told", "too few: 5, 6 are needed"),
        ({"high": 0.1}, "cannot be told", "the interval holds 0"),
        ({"high": 0.0}, "cannot be told", "the interval holds 0"),
        ({"p": 0.05}, "cannot be told", "p is not below 0.05"),
        ({"p": 0.049}, "better", None),
        ({"p": 0.03, "alpha": 0.01}, "cannot be told", "p is not below 0.01"),
        ({"p": 0.2, "high": 1.0}, "cannot be told", "the interval holds 0 and p is not below 0.05"),
    ],
)
def test_the_rule(changes: dict[str, Any], word: str, reason: str | None) -> None:
    assert outcome(**{**RULE, **changes}) == (word, reason)


def test_a_clear_difference_of_pairs(grouped: Grouped) -> None:
    base = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    less = [0.9, 1.7, 2.8, 3.9, 4.8, 5.7, 6.9]
    found = one(grouped(of({"mlp": base, "srgan": less})))
    assert (found.group.label, found.reference.label) == ("model=srgan", "model=mlp")
    assert found.paired == paired(less, base, lower_is_better=True)
    assert found.differences == pytest.approx([-0.1, -0.3, -0.2, -0.1, -0.2, -0.3, -0.1])
    assert found.p == found.p_holm == pytest.approx(2 / 128)
    assert (found.outcome, found.word, found.reason) == ("better", "better", None)
    assert found.verdict == (
        "model=srgan against model=mlp: better in 7 of 7 seeds; "
        "difference -0.186 [-0.257, -0.129]; p 0.016; better"
    )


def test_the_other_way_round_is_worse(grouped: Grouped) -> None:
    runs = grouped(of({"mlp": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], "srgan": [1, 2, 3, 4, 5, 6]}))
    assert one(runs).outcome == "worse"
    assert one(runs, way="higher").outcome == "better"
    undirected = one(runs, way=None)
    assert undirected.word == "higher"
    assert "lower in 0 of 6 seeds" in undirected.verdict


def test_five_pairs_tell_nothing(grouped: Grouped) -> None:
    found = one(grouped(of({"mlp": [1, 2, 3, 4, 5], "srgan": [0, 1, 2, 3, 4]})))
    assert (found.outcome, found.reason) == ("cannot be told", "too few: 5, 6 are needed")


def test_ties_are_named(grouped: Grouped) -> None:
    found = one(grouped(of({"mlp": [1, 2, 3, 4, 5, 6], "srgan": [1, 2, 4, 3, 4, 5]})))
    assert "better in 3 of 6 seeds (2 ties)" in found.verdict
    assert found.paired is not None
    assert found.paired.p_sign == sign_test(1, 3)


def test_p_is_corrected_for_all_comparisons_of_a_metric(grouped: Grouped) -> None:
    base = np.arange(8.0)
    runs = of({"mlp": list(base), "srgan": list(base - 1), "vgan": list(base + [0.1, -0.1] * 4)})
    runs = [{**run, "mse": float(run["mse"])} for run in runs]
    found = compare("mse", "lower", references(grouped(runs)))
    assert [each.p for each in found] == pytest.approx([2 / 256, 1.0])
    assert [each.p_holm for each in found] == pytest.approx([4 / 256, 1.0])
    assert "p 0.016 corrected; better" in found[0].verdict


def test_failures_are_named_and_leave_their_pair_out(grouped: Grouped) -> None:
    runs = of({"mlp": [1.0, 2.0, 3.0, 4.0], "srgan": [1.1, math.nan, 2.9]})
    found = one(grouped([*runs, {"model": "srgan", "seed": 3, "status": "failed"}]))
    assert found.seeds == (0, 2)
    assert found.left_out == (
        "1 failed or unfinished of model=srgan", "1 not finite of model=srgan"
    )  # fmt: skip
    assert found.verdict.endswith("left out: " + "; ".join(found.left_out))


def test_values_without_a_partner_are_counted(grouped: Grouped) -> None:
    found = one(grouped(of({"mlp": [1.0, 2.0, 3.0, 4.0], "srgan": [1.1, 2.2]})))
    assert found.seeds == (0, 1)
    assert found.left_out == ("2 values without a partner of the same seed",)


def test_other_seeds_are_not_paired(grouped: Grouped) -> None:
    runs = [{"model": "mlp", "seed": seed, "mse": seed / 10} for seed in range(7)]
    runs += [{"model": "srgan", "seed": 50 + seed, "mse": 5 + seed / 10} for seed in range(8)]
    found = one(grouped(runs))
    assert found.paired is None
    assert found.unpaired is not None
    assert found.unpaired.difference == pytest.approx(5.05)
    assert found.p == found.unpaired.p_mann_whitney == pytest.approx(2 / math.comb(15, 7))
    assert found.outcome == "worse"
    assert "not paired (8 and 7 values)" in found.verdict


@pytest.mark.parametrize("shared", [1, 2])
def test_half_of_the_seeds_must_match(grouped: Grouped, shared: int) -> None:
    runs = [{"model": "mlp", "seed": seed, "mse": seed} for seed in range(4)]
    runs += [{"model": "srgan", "seed": 4 - shared + seed, "mse": 1.0} for seed in range(4)]
    assert (one(grouped(runs)).paired is None) == (shared == 1)


def test_groups_without_values_are_compared_in_words(grouped: Grouped) -> None:
    runs = [*of({"mlp": [1.0, 2.0]}), {"model": "srgan", "seed": 0, "status": "failed"}]
    found = one(grouped(runs))
    assert (found.found, found.p, found.p_holm) == (None, None, None)
    assert "cannot be told (a group has no value)" in found.verdict


def test_other_protocols_get_no_verdict(grouped: Grouped) -> None:
    runs = of({"mlp": [1, 2, 3, 4, 5, 6]})
    runs += of({"srgan": [0, 1, 2, 3, 4, 5]}, protocol={"num_generated": 50})
    found = one(grouped(runs))
    assert found.outcome == "cannot be told"
    assert found.reason == "measured differently: num_generated 50 | 600"


def test_the_level_is_that_of_interval_and_p(grouped: Grouped) -> None:
    runs = grouped(of({"mlp": [1, 2, 3, 4, 5, 6], "srgan": [0, 1, 2, 3, 4, 5.5]}))
    assert one(runs).outcome == "better"  # p is 2 / 64
    assert one(runs, level=0.99).reason == "p is not below 0.01"


GRID = [
    {"model": model, "optimizer.lr": lr}
    for model in ("srgan", "mlp") for lr in (0.1, 0.2)
]  # fmt: skip
A, B, C, D = (f"model={each['model']} optimizer.lr={each['optimizer.lr']}" for each in GRID)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (None, [(B, A), (C, A), (D, A)]),
        (C, [(A, C), (B, C), (D, C)]),
        ("model=mlp optimizer.lr=2e-1", [(A, D), (B, D), (C, D)]),
        ("model=mlp", [(A, C), (B, D)]),
        ("mlp", [(A, C), (B, D)]),
        ("optimizer.lr=0.20", [(A, B), (C, D)]),
        ("0.1", [(B, A), (D, C)]),
        ("mlp optimizer.lr=0.1", [(A, C), (B, C), (D, C)]),
    ],
)
def test_references(grouped: Grouped, text: str | None, wanted: list[tuple[str, str]]) -> None:
    assert pairs(grouped(GRID), text) == wanted


def test_a_group_without_its_like_is_not_compared(grouped: Grouped) -> None:
    more = {"model": "srgan", "optimizer.lr": 0.3}
    assert pairs(grouped([*GRID, more]), "model=mlp") == [(A, C), (B, D)]


def test_the_only_group_of_a_model_is_compared_with_all(grouped: Grouped) -> None:
    assert pairs(grouped(GRID[:3]), "model=mlp") == [(A, C), (B, C)]


def test_data_sets_are_not_compared_with_each_other(grouped: Grouped) -> None:
    runs = [
        {"model": model, "dataset.name": name}
        for name in ("ring8", "grid25") for model in ("vgan", "wgan")
    ]  # fmt: skip
    found = grouped(runs)
    first = [("model=wgan dataset=ring8", "model=vgan dataset=ring8"),
             ("model=wgan dataset=grid25", "model=vgan dataset=grid25")]  # fmt: skip
    assert pairs(found) == first
    assert pairs(found, "model=vgan") == first
    assert pairs(found, "wgan dataset=grid25") == [first[1][::-1]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model=dcgan", f"reference=model=dcgan: no such group; groups: {A}, {B}, {C}, {D}"),
        ("lr=0.1", f"reference=lr=0.1: may be any of {A}, {C}"),
    ],
)
def test_unclear_references_are_refused(grouped: Grouped, text: str, said: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the whole message is compared
        references(grouped(GRID), text)
    assert str(refused.value) == said


def test_one_group_is_compared_with_nothing(grouped: Grouped) -> None:
    assert references(grouped([{"seed": 0}])) == []
