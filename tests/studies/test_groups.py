"""Groups: what differs, what does not count, how they are called, and one run a seed."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gan_runner.studies.groups import Grouping, group, relevant, text_of
from gan_runner.studies.runs import collect

Make = Callable[..., Path]


@pytest.fixture
def grouped(make: Make, tmp_path: Path) -> Callable[[list[dict[str, Any]]], Grouping]:
    """`grouped([settings, ...])`: runs in folders 0, 1, ... as groups."""

    def write(runs: list[dict[str, Any]]) -> Grouping:
        for place, settings in enumerate(runs):
            make(str(place), **settings)
        return group(collect([tmp_path]).runs)

    return write


Grouped = Callable[[list[dict[str, Any]]], Grouping]


def labels(found: Grouping) -> dict[str, list[Any]]:
    return {each.label: list(each.runs) for each in found.groups}


def test_a_sweep_of_rates_and_seeds(grouped: Grouped) -> None:
    found = grouped([{"optimizer.lr": lr, "seed": seed} for lr in (0.01, 2e-5) for seed in (10, 9)])
    assert labels(found) == {"optimizer.lr=0.01": [9, 10], "optimizer.lr=2e-05": [9, 10]}
    assert found.keys == ("optimizer.lr",)
    assert found.further == ()
    assert [each.settings for each in found.groups] == [
        {"optimizer.lr": 0.01},
        {"optimizer.lr": 2e-5},
    ]


def test_a_whole_option_is_called_by_its_name(grouped: Grouped) -> None:
    found = grouped(
        [{"model": model, "seed": seed} for model in ("srgan", "mlp") for seed in (0, 1)]
    )
    assert labels(found) == {"model=srgan": [0, 1], "model=mlp": [0, 1]}
    assert [each.settings for each in found.groups] == [{"model": "srgan"}, {"model": "mlp"}]


def test_a_field_within_an_option_is_named_too(grouped: Grouped) -> None:
    key = "model.lambda_adversarial"
    found = grouped([{"model": "srgan", key: 0.1}, {"model": "srgan", key: 1.0}, {"model": "mlp"}])
    assert list(labels(found)) == [f"model=srgan {key}=0.1", f"model=srgan {key}=1", "model=mlp"]


def test_options_and_rates_crossed(grouped: Grouped) -> None:
    found = grouped(
        [{"model": m, "optimizer.lr": lr} for m in ("srgan", "mlp") for lr in (0.1, 0.2)]
    )
    assert found.keys == ("model", "optimizer.lr")
    assert len(found.groups) == 4
    assert found.groups[3].label == "model=mlp optimizer.lr=0.2"


def test_what_goes_along_is_kept_out_of_the_label(grouped: Grouped) -> None:
    found = grouped([
        {"model": "srgan", "loss.real_label": 0.95, "training.steps": 10},
        {"model": "mlp", "loss.real_label": 1.0, "training.steps": 20},
    ])  # fmt: skip
    assert list(labels(found)) == ["model=srgan", "model=mlp"]
    assert found.further == ("loss.real_label", "training.steps")
    assert found.groups[0].settings == {
        "model": "srgan", "loss.real_label": 0.95, "training.steps": 10
    }  # fmt: skip


def test_one_group_is_called_by_the_runs_name(grouped: Grouped) -> None:
    assert labels(grouped([{"seed": 1}, {"seed": 0}])) == {"srgan_gauss3d": [0, 1]}


@pytest.mark.parametrize(
    "key",
    [
        "device.name", "device.threads", "training.log_every", "training.sample_every",
        "training.checkpoint_every", "training.seeds", "training.num_samples", "dataset.path",
        "dataset.workers", "metrics.names", "metrics.every", "resume",
    ],
)  # fmt: skip
def test_what_changes_no_number_is_no_difference(grouped: Grouped, key: str) -> None:
    assert len(grouped([{"seed": 0, key: 1}, {"seed": 1, key: 2}]).groups) == 1


@pytest.mark.parametrize(
    "key", ["device.precision", "metrics.num_generated", "dataset.seed", "training.streams.init"]
)
def test_what_changes_numbers_is_a_difference(grouped: Grouped, key: str) -> None:
    runs = [{"seed": seed, key: value} for value in (1, 2) for seed in (0, 1)]
    assert list(labels(grouped(runs))) == [f"{key}=1", f"{key}=2"]


def test_the_file_of_own_data_is_a_difference_and_its_folder_is_none() -> None:
    own = {"dataset": {"builder": "table", "path": "/some/where/a.csv"}}
    assert relevant(own)["dataset.path"] == "a.csv"
    assert "dataset.path" not in relevant({"dataset": {"builder": "mnist", "path": "/data"}})


def test_how_often_is_measured_matters_where_the_best_weights_are_judged(grouped: Grouped) -> None:
    best = {"metrics.checkpoint": "best"}
    found = grouped([{**best, "metrics.every": 10}, {**best, "metrics.every": 20}])
    assert list(labels(found)) == ["metrics.every=10", "metrics.every=20"]


def test_further_seeds_that_follow_the_seed_are_no_difference(grouped: Grouped) -> None:
    runs = [
        {"model": model, "seed": seed, "dataset.seed": seed, "training.streams.init": seed + 5}
        for model in ("srgan", "mlp") for seed in (0, 1, 2)
    ]  # fmt: skip
    assert labels(grouped(runs)) == {"model=srgan": [0, 1, 2], "model=mlp": [0, 1, 2]}


def test_a_stream_that_is_swept_alone_is_the_seed(grouped: Grouped) -> None:
    runs = [
        {"model": model, "seed": 4, "training.streams.init": init}
        for model in ("srgan", "mlp") for init in (9, 10)
    ]  # fmt: skip
    seeds = ["init=9", "init=10"]
    assert labels(grouped(runs)) == {"model=srgan": seeds, "model=mlp": seeds}


def test_a_pinned_stream_against_a_free_one_is_a_difference(grouped: Grouped) -> None:
    runs = [{"seed": s, "training.streams.init": pin} for pin in (0, None) for s in (0, 1, 2)]
    assert labels(grouped(runs)) == {
        "training.streams.init=0": [0, 1, 2], "training.streams.init=null": [0, 1, 2]
    }  # fmt: skip


def test_where_weights_came_from_is_whether_they_did(grouped: Grouped) -> None:
    key = "training.init_from"
    runs = [{"seed": seed, key: f"runs/{seed}"} for seed in (0, 1)]
    found = grouped([*runs, {"seed": 0}, {"seed": 1}])
    assert labels(found) == {f"{key}=given": [0, 1], f"{key}=null": [0, 1]}


def test_several_starts_of_one_seed_are_a_difference(grouped: Grouped) -> None:
    key = "training.init_from"
    runs = [{"seed": seed, key: start} for start in ("a.pt", "b.pt") for seed in (0, 1)]
    assert list(labels(grouped(runs))) == [f"{key}=a.pt", f"{key}=b.pt"]


def test_a_key_that_older_runs_lack_is_a_difference(grouped: Grouped) -> None:
    found = grouped([{}, {"network.generator.dense": 0}])
    key = "network.generator.dense"
    assert list(labels(found)) == [f"{key}=absent", f"{key}=0"]


def test_a_key_that_older_runs_lack_is_null_where_newer_ones_have_it_so(grouped: Grouped) -> None:
    key = "network.discriminator.dense"
    found = grouped([{"seed": 0}, {key: None, "seed": 1}, {key: 40, "seed": 0}])
    assert labels(found) == {f"{key}=null": [0, 1], f"{key}=40": [0]}


def test_a_null_of_another_option_fills_nothing(grouped: Grouped) -> None:
    key = "model.new_field"
    found = grouped([{"model": "srgan", key: None}, {"model": "srgan", key: 1}, {"model": "mlp"}])
    assert list(labels(found)) == [f"model=srgan {key}=null", f"model=srgan {key}=1", "model=mlp"]


def test_long_labels_give_way_to_numbers(grouped: Grouped) -> None:
    key = "network.generator.a_setting_with_quite_a_long_name_of_its_own"
    found = grouped([{key: 1}, {key: 2}])
    assert [each.short for each in found.groups] == ["group 1", "group 2"]
    assert found.groups[1].label == f"{key}=2"


def test_the_newest_run_of_a_seed_is_kept(grouped: Grouped) -> None:
    found = grouped([
        {"seed": 0, "mse": 1.0, "time": 300.0}, {"seed": 0, "mse": 2.0, "time": 100.0},
        {"seed": 0, "status": "missing"}, {"seed": 1, "mse": 3.0, "time": 50.0},
    ])  # fmt: skip
    (only,) = found.groups
    assert only.values("mse") == {0: 1.0, 1: 3.0}
    (doubled,) = found.duplicates
    assert (doubled.seed, doubled.kept.folder.name) == (0, "0")
    assert [run.folder.name for run in doubled.left_out] == ["2", "1"]


def test_failures_are_counted_by_their_seeds(grouped: Grouped) -> None:
    found = grouped([
        {"seed": 0, "mse": 1.0}, {"seed": 1, "mse": math.nan}, {"seed": 2, "psnr": 1.0},
        {"seed": 3, "status": "failed"}, {"seed": 4, "status": "interrupted", "mse": 7.0},
        {"seed": 5, "status": "missing"}, {"seed": 6, "mse": math.inf},
    ])  # fmt: skip
    (only,) = found.groups
    assert only.values("mse") == {0: 1.0}
    assert only.not_finite("mse") == (1, 6)
    assert only.without("mse") == (2,)
    statuses = {seed: run.status for seed, run in only.failed.items()}
    assert statuses == {3: "failed", 4: "interrupted", 5: "missing"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"), (True, "true"), (False, "false"), (0.001, "0.001"), (1e-8, "1e-08"),
        (2.0, "2"), (0.1234567, "0.1234567"), ((16, 2.5), "[16,2.5]"), ("adam", "adam"), (3, "3"),
    ],
)  # fmt: skip
def test_values_as_typed(value: Any, text: str) -> None:
    assert text_of(value) == text
