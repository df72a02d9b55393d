"""Which runs a figure wants, which are there, and the commands that make the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gan_runner import result
from gan_runner.figures.figure import Arm, Drawing, Figure, Material
from gan_runner.figures.runs import (
    Job,
    Request,
    Store,
    Wanted,
    changed,
    jobs,
    key,
    ready,
    wanted,
    words,
)


def _figure(**arms: Arm) -> Figure:
    def draw(material: Material) -> Drawing:
        raise AssertionError

    return Figure(
        paper="overview", name="x", shows="x", arms=arms, draw=draw, differs="", minutes=1
    )


def _run(folder: Path, config: dict[str, Any], status: str = "completed") -> Path:
    """A run folder, as far as a store looks."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    content = dict.fromkeys(result.KEYS)
    error = None if status == "completed" else "loss is NaN"
    metrics = {"mse": {"value": 0.5, "protocol": {}}}
    result.write_result(
        folder / "result.json",
        {**content, "status": status, "error": error, "metrics": metrics, "step": 7},
    )
    return folder


CONFIG: dict[str, Any] = {
    "name": "a", "training": {"seed": 3}, "device": {"name": "cpu", "precision": "fp32"},
}  # fmt: skip


def test_the_device_does_not_count_and_the_precision_does() -> None:
    same = {**CONFIG, "name": "b", "device": {"name": "cuda", "threads": 4, "precision": "fp32"}}
    assert key(same) == key(CONFIG)
    assert key({**CONFIG, "device": {"name": "cpu", "precision": "fp64"}}) != key(CONFIG)
    assert key({**CONFIG, "training": {"seed": 4}}) != key(CONFIG)


def test_an_option_that_came_later_does_not_count_while_it_is_null() -> None:
    later = {**CONFIG, "metrics": None, "training": {"seed": 3, "new": None}}
    assert key(later) == key(CONFIG)
    assert key({**CONFIG, "training": {"seed": 3, "new": 0}}) != key(CONFIG)


def test_words_follow_the_scale(tmp_path: Path) -> None:
    arm = Arm(experiment="mnist_fig4", cpu=("training.epochs=1",))
    small = words(arm, Request(out=tmp_path, scale="cpu"))
    assert small[:2] == ("experiment=mnist_fig4_cpu", "device=cpu")
    assert small[-1] == "training.epochs=1"
    full = words(arm, Request(out=tmp_path, scale="full", device="cuda"))
    assert full == ("experiment=mnist_fig4", "device=cuda")
    assert "training.steps=10" in words(arm, Request(out=tmp_path, scale="smoke"))
    # Points have one form for all scales.
    points = Arm(experiment="anatomizing_fig3")
    assert words(points, Request(out=tmp_path))[0] == "experiment=anatomizing_fig3"


def test_a_figure_wants_every_seed_of_every_arm(tmp_path: Path) -> None:
    figure = _figure(
        a=Arm(experiment="anatomizing_fig3", stacked=True),
        b=Arm(experiment="anatomizing_fig3", overrides=("loss=minimax",)),
    )
    found = wanted(figure, Request(out=tmp_path))
    assert [each.seed for each in found["a"]] == [0, 1, 2]
    assert len({one.key for each in found.values() for one in each}) == 6
    assert len(wanted(figure, Request(out=tmp_path, seeds=7))["b"]) == 7
    assert len(wanted(figure, Request(out=tmp_path, scale="smoke"))["b"]) == 1


def test_runs_are_looked_for_under_outputs_alone(tmp_path: Path) -> None:
    named = tmp_path / "outputs" / "mine" / "figures"
    assert Request(out=named).roots == (named, tmp_path / "outputs")
    assert Request(out=tmp_path / "elsewhere").roots == (tmp_path / "elsewhere",)


def test_what_a_scale_changes_is_said(tmp_path: Path) -> None:
    arm = Arm(experiment="mnist_fig6")
    found = changed(arm, Request(out=tmp_path))
    assert "optimizer.lr 5e-05 to 0.0003" in found
    assert "training.epochs 900 to 150" in found
    assert "device" not in found
    assert changed(arm, Request(out=tmp_path, scale="full")) == ""
    assert changed(Arm(overrides=("model=bilinear",)), Request(out=tmp_path)) == ""


def test_a_refused_arm_says_why(tmp_path: Path) -> None:
    figure = _figure(a=Arm(overrides=("model=none_such",)))
    with pytest.raises(ValueError, match="none_such"):
        wanted(figure, Request(out=tmp_path))


def test_a_store_finds_finished_runs(tmp_path: Path) -> None:
    done = _run(tmp_path / "a", CONFIG)
    going = tmp_path / "b"
    going.mkdir()
    other = {**CONFIG, "training": {"seed": 9}}
    (going / "config.yaml").write_text(json.dumps(other), encoding="utf-8")
    store = Store(tmp_path, tmp_path / "not_there")
    found = store.get(key(CONFIG))
    assert found is not None
    assert (found.folder, found.seed, found.values["mse"], found.steps) == (done, 3, 0.5, 7)
    assert store.get(key(other)) is None


def test_a_completed_run_goes_before_a_failed_one(tmp_path: Path) -> None:
    _run(tmp_path / "a", CONFIG, "failed")
    store = Store(tmp_path)
    failed = store.get(key(CONFIG))
    assert failed is not None
    assert failed.error == "loss is NaN"
    assert not failed.values
    _run(tmp_path / "later" / "b", {**CONFIG, "name": "b"})
    store.add(tmp_path / "later")
    found = store.get(key(CONFIG))
    assert found is not None
    assert found.error is None


def _wanted(seed: int, *, stacked: bool, arm: str = "a") -> Wanted:
    return Wanted(
        key=f"{arm}{seed}", seed=seed, words=(arm,), label=f"overview-x, {arm}", stacked=stacked
    )


def test_stacks_are_one_command_and_shared_runs_are_made_once(tmp_path: Path) -> None:
    every = [_wanted(seed, stacked=True) for seed in (4, 2, 3, 2)]
    every += [_wanted(seed, stacked=False, arm="b") for seed in (0, 1, 1)]
    made = jobs(every, Store(), tmp_path)
    assert [each.words for each in made] == [
        ("a", "training.seed=2", "training.seeds=3"), ("b", "training.seed=0"),
        ("b", "training.seed=1"),
    ]  # fmt: skip
    assert sorted(made[0].keys) == ["a2", "a3", "a4"]
    assert len({each.folder for each in made}) == 3
    assert made[0].label == "overview-x, a, seeds 2 to 4"


def test_material_is_there_when_all_runs_are(tmp_path: Path) -> None:
    _run(tmp_path / "a", CONFIG)
    store = Store(tmp_path)
    there = Wanted(key=key(CONFIG), seed=3, words=(), label="", stacked=False)
    missing = Wanted(key="0", seed=4, words=(), label="", stacked=False)
    found = store.material({"arm": [there]}, "cpu")
    assert found is not None
    assert found.of("arm", "mse") == {3: 0.5}
    assert store.material({"arm": [there, missing]}, "cpu") is None


def test_a_source_of_weights_counts_by_what_it_computed(tmp_path: Path) -> None:
    def after(source: Path) -> dict[str, Any]:
        return {**CONFIG, "training": {"seed": 3, "init_from": str(source)}}

    first, same = _run(tmp_path / "a", CONFIG), _run(tmp_path / "b", {**CONFIG, "name": "b"})
    other = _run(tmp_path / "c", {**CONFIG, "training": {"seed": 4}})
    assert key(after(first)) == key(after(same))
    assert key(after(first)) != key(after(other))
    waiting = Job(words=("a",), folder=tmp_path / "d", keys=(), label="d", after=key(CONFIG))
    assert ready(waiting, Store()) is None
    begun = ready(waiting, Store(tmp_path / "a"))
    assert begun is not None
    assert begun.words == ("a", f"training.init_from={first.resolve()}")
