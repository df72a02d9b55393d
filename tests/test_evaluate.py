"""`gan-eval`: the run's own numbers again, other settings beside them, and what it refuses."""

from __future__ import annotations

import json
import math
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from gan_runner import api, checkpoint, evaluation, registry
from gan_runner.callbacks.progress import Progress
from gan_runner.dispatch import Run
from gan_runner.errors import Interrupted
from gan_runner.evaluate import main
from gan_runner.metrics.protocol import floor
from gan_runner.result import add_evaluation, read_result, write_result

Make = Callable[..., Path]
SMALL = ["device.name=cpu", "training.num_samples=16", "training.steps=6"]
GAUSS2D = ["dataset=gauss2d", "dataset.num_per_mode=20", "dataset.num_validation=70",
           "metrics.names=[modes,mmd]", "metrics.num_generated=50", *SMALL]  # fmt: skip
GAUSS3D = ["dataset=gauss3d", "dataset.num_per_mode=20", "dataset.num_test=21",
           "dataset.num_validation=21", *SMALL]  # fmt: skip
IMAGES = ["dataset=digits", "network=mlp", "training.epochs=null", "training.batch_size=16",
          "metrics.num_generated=40", "metrics.num_real=30", *SMALL]  # fmt: skip
OTHER = ("--metrics", "mmd", "--number", "60", "--num-real", "40", "--split", "validation")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return api.run(GAUSS2D, folder=tmp_path_factory.mktemp("runs") / "plain").folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    """A copy of the trained run, to be changed."""
    return shutil.copytree(trained, tmp_path / "run")


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """`refused(arguments)`: the one line said; the exit code is checked."""

    def refuse(*arguments: object) -> str:
        capsys.readouterr()
        assert main([str(each) for each in arguments]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("gan-eval: error: ")
        assert said.err.count("\n") == 1
        return said.err.removeprefix("gan-eval: error: ").strip()

    return refuse


def evaluations(folder: Path, *options: str) -> list[dict[str, Any]]:
    """What stands in the result after an evaluation."""
    assert main([str(folder), *options]) == 0
    found: list[dict[str, Any]] = read_result(folder)["evaluations"]
    return found


# --- the run's own numbers -------------------------------------------------------------------


@pytest.mark.parametrize(
    "overrides",
    [
        GAUSS2D,
        [*GAUSS2D, "metrics.every=4", "metrics.checkpoint=best", "metrics.split=validation"],
        [*GAUSS3D, "model=cgan"],
        [*GAUSS3D, "model=vgan"],  # no pairs, though the data have them
        ["model=bilinear", "training.steps=6", "device.name=cpu"],
        [*IMAGES, "model=vgan"],
        [*IMAGES, "model=infogan", "dataset.classes=[0,1,4]"],
        [*IMAGES, "model=acgan", "dataset.pad=4", "metrics.every=2", "metrics.checkpoint=best"],
    ],
    ids=["noise", "best", "paired", "unpaired", "toy", "images", "codes", "labels"],
)
def test_without_options_the_runs_own_numbers_come_out(
    tmp_path: Path, overrides: list[str]
) -> None:
    folder = api.run(overrides, folder=tmp_path / "run").folder
    before = read_result(folder)
    assert before["metrics"]
    torch.set_num_threads(2)  # another process may have others than the run
    try:
        (entry,) = evaluations(folder)
    finally:
        torch.set_num_threads(1)
    assert entry["metrics"] == before["metrics"]
    assert entry["floor"] == before["floor"]
    assert entry.get("ceiling") == before.get("ceiling")
    assert ("ceiling" in before) == ("dataset=digits" in overrides)
    assert entry["device"] == before["device"]
    after = read_result(folder)
    assert {**after, "evaluations": None} == {**before, "evaluations": None}


def test_the_best_checkpoint_is_judged_where_the_run_did(tmp_path: Path) -> None:
    overrides = [*GAUSS2D, "metrics.every=4", "metrics.checkpoint=best"]
    folder = api.run(overrides, folder=tmp_path / "run").folder
    (entry,) = evaluations(folder)
    assert entry["options"]["checkpoint"] == "best modes_covered on validation, step 4"
    assert entry["step"] == 4
    last = evaluations(folder, "--checkpoint", "last")[1]
    assert (last["options"]["checkpoint"], last["step"]) == ("last", 6)
    assert last["metrics"]["mmd"]["value"] != entry["metrics"]["mmd"]["value"]


def test_a_run_without_a_best_checkpoint_judges_its_last(tmp_path: Path) -> None:
    overrides = [*GAUSS2D, "metrics.every=100", "metrics.checkpoint=best"]
    result = api.run(overrides, folder=tmp_path / "run")
    assert result.details["metrics"]["mmd"]["protocol"]["checkpoint"] == "last"
    (entry,) = evaluations(result.folder)
    assert entry["metrics"] == result.details["metrics"]


# --- other settings --------------------------------------------------------------------------


def test_other_settings_stand_beside_the_runs_own(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = read_result(folder)
    (entry,) = evaluations(folder, *OTHER)
    said = capsys.readouterr()
    assert entry["options"] == {
        "metrics": ["mmd"], "number": 60, "num_real": 40, "split": "validation",
        "checkpoint": "last", "device": "cpu",
    }  # fmt: skip
    assert list(entry["metrics"]) == list(entry["floor"]) == ["mmd"]
    protocol = entry["metrics"]["mmd"]["protocol"]
    assert (protocol["num_generated"], protocol["num_real"]) == (60, 40)
    assert (protocol["split"], protocol["checkpoint"]) == ("validation", "last")
    assert entry["metrics"]["mmd"]["value"] != before["metrics"]["mmd"]["value"]
    assert entry["versions"] == before["versions"]
    assert read_result(folder)["metrics"] == before["metrics"]
    lines = said.out.splitlines()
    assert lines[0] == "vgan_gauss2d: step 6, cpu"
    assert lines[2] == "Metrics on the validation split, checkpoint: last"
    assert lines[5].split()[0] == "mmd"
    assert lines[5].split()[3:] == ["60", "40"]
    assert lines[-1] == f"  Written to    {folder / 'result.json'} (evaluations)"
    assert said.err == ""


def test_the_same_options_replace_their_entry(folder: Path) -> None:
    first = evaluations(folder, *OTHER)[0]
    second = evaluations(folder, "--metrics", "wasserstein,modes")[1]
    assert second["options"]["metrics"] == ["modes", "wasserstein"]
    content = read_result(folder)
    content["evaluations"][0]["metrics"]["mmd"]["value"] = 123.0
    write_result(folder / "result.json", content)
    assert evaluations(folder, *OTHER) == [first, second]
    assert evaluations(folder, "--metrics", " modes , wasserstein,modes") == [first, second]
    # What is typed as the run has it is the run's own.
    assert len(evaluations(folder, "--number", "50", "--split", "test")) == 3
    assert len(evaluations(folder)) == 3


def test_numbers_that_json_cannot_hold_stay_named(folder: Path) -> None:
    path = folder / "checkpoints" / "last.pt"
    state = checkpoint.load(path)
    for value in state["host"]["networks"]["G"].values():
        value.fill_(math.nan)
    del state["format_version"]
    checkpoint.save(path, state)
    content = read_result(folder)
    content["metrics"]["mmd"]["value"] = -math.inf
    write_result(folder / "result.json", content)
    (entry,) = evaluations(folder, "--metrics", "mmd")
    assert entry["metrics"]["mmd"]["value"] is None
    own = {"metrics.mmd.value": "-inf", "evaluations.0.metrics.mmd.value": "nan"}
    assert read_result(folder)["not_finite"] == own
    evaluations(folder, "--metrics", "wasserstein")
    more = {**own, "evaluations.1.metrics.wasserstein.value": "nan"}
    assert read_result(folder)["not_finite"] == more


def test_a_floor_has_as_many_points_as_are_generated(make_run: Callable[..., Run]) -> None:
    run = make_run("dataset=ring8", "dataset.num_samples=90", "dataset.num_validation=20")
    dataset = run.dataset
    section = {"names": ["wasserstein"], "num_generated": 90, "num_real": 1000}
    found = evaluation.measure_floor(run, section, split="test")
    data = {name: dataset.unscale(dataset.splits[name]["real"]) for name in dataset.splits}
    assert found == floor("wasserstein", data["train"], data["test"])
    few = evaluation.measure_floor(run, {**section, "num_generated": 20}, split="test")
    assert few == floor("wasserstein", data["validation"], data["test"])


def test_adding_an_evaluation_keeps_all_else(folder: Path) -> None:
    before = json.loads((folder / "result.json").read_text())
    for value, expected in ((1.0, [1.0]), (2.0, [2.0]), (3.0, [2.0, 3.0])):
        options = {"number": 10 if value < 3 else 20}
        add_evaluation(folder / "result.json", {"options": options, "value": value})
        after = json.loads((folder / "result.json").read_text())
        assert [each["value"] for each in after["evaluations"]] == expected
        del after["evaluations"]
        assert after == before


# --- images ----------------------------------------------------------------------------------


def test_images_are_judged_between_floor_and_ceilings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = api.run(IMAGES, folder=tmp_path / "run").folder
    before = read_result(folder)
    assert before["ceiling"].keys() == {"noise", "untrained"}
    capsys.readouterr()
    (entry,) = evaluations(folder, "--metrics", "coverage,classifier_score", "--number", "50")
    found = ["classifier_score", "precision", "recall", "density", "coverage"]
    assert list(entry["metrics"]) == found
    assert sorted(entry["floor"]) == sorted(found)
    assert all(list(values) == found for values in entry["ceiling"].values())
    protocol = entry["metrics"]["recall"]["protocol"]
    assert (protocol["num_generated"], protocol["num_real"]) == (50, 30)
    assert protocol["details"]["classifier"]["name"] == "digits"
    said = capsys.readouterr().out
    assert "Real data     Noise   Untrained" in said
    assert "Features of the classifier digits" in said


def test_metrics_of_images_that_do_not_fit(tmp_path: Path, refused: Callable[..., str]) -> None:
    none = [*IMAGES, "metrics.names=[]"]
    folder = api.run(none, folder=tmp_path / "run").folder
    fitting = (
        "metrics that fit: wasserstein, sliced_wasserstein, mmd, classifier_score, "
        "frechet_classifier_distance, kernel_classifier_distance, coverage, inception"
    )
    for name in ("modes", "class_modes", "label_agreement", "information"):
        message = f"--metrics={name}: does not fit vgan_digits; {fitting}"
        assert refused(folder, "--metrics", name) == message


# --- runs that did not end well --------------------------------------------------------------


def test_an_interrupted_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(self: Progress, step: int) -> None:
        if step == 3:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Progress, "on_step", stop)
    folder = tmp_path / "run"
    with pytest.raises(Interrupted):
        api.run(GAUSS2D, folder=folder)
    (entry,) = evaluations(folder)
    assert (entry["step"], entry["options"]["checkpoint"]) == (3, "step 3")
    after = read_result(folder)
    assert (after["status"], after["metrics"]) == ("interrupted", {})
    monkeypatch.undo()
    resumed = api.resume(folder)  # the entry was of weights that are no more
    assert "evaluations" not in read_result(folder)
    assert evaluations(folder)[0]["metrics"] == resumed.details["metrics"]


def test_a_run_without_a_result(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "result.json").unlink()
    assert main([str(folder)]) == 0
    said = capsys.readouterr()
    assert "mmd" in said.out
    assert said.err.startswith(f"gan-eval: nothing is written: {folder} has no result.json (")
    assert not (folder / "result.json").exists()


# --- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--metrics", "mse"], "--metrics=mse: does not fit vgan_gauss2d; metrics that fit: modes, "
                               "wasserstein, sliced_wasserstein, mmd"),
        (["--metrics", "modes,distance"], "--metrics=distance: does not fit vgan_gauss2d; metrics "
                                          "that fit: modes, wasserstein, sliced_wasserstein, mmd"),
        (["--metrics", "mode"], "argument --metrics: no metric 'mode'. Did you mean 'modes'? "
                                f"Metrics: {', '.join(registry.METRICS)}"),
        (["--metrics", ","], "argument --metrics: names are wanted, of "
                             f"{', '.join(registry.METRICS)}"),
        (["--number", "1"], "argument --number: 1: a whole number of at least 2 is wanted"),
        (["--checkpoint", "best"], "{} has no checkpoint 'best'; it has last"),
    ],
)  # fmt: skip
def test_refusals_leave_the_result_as_it_was(
    folder: Path, refused: Callable[..., str], options: list[str], message: str
) -> None:
    before = (folder / "result.json").read_bytes()
    assert refused(folder, *options) == message.format(folder)
    assert (folder / "result.json").read_bytes() == before


def test_options_that_mean_nothing_for_a_game(tmp_path: Path, refused: Callable[..., str]) -> None:
    toy = tmp_path / "toy"
    api.run(["model=bilinear", "training.steps=2", "device.name=cpu"], folder=toy)
    for option in ("--number", "--num-real"):
        assert refused(toy, option, 5) == f"{option}: bilinear_none is a game without samples"
    assert refused(toy, "--split", "test") == "--split: bilinear_none is a game without samples"
    message = "--metrics=mmd: does not fit bilinear_none; metrics that fit: distance"
    assert refused(toy, "--metrics", "mmd") == message

    paired = api.run(["model=mlp", *GAUSS3D, "metrics.names=[]"], folder=tmp_path / "mlp").folder
    message = "--number: mlp_gauss3d makes one sample for each real point (--num-real)"
    assert refused(paired, "--metrics", "mse", "--number", 5) == message
    assert refused(paired).startswith("mlp_gauss3d measures nothing; --metrics of wasserstein, ")
    (entry,) = evaluations(paired, "--metrics", "mse", "--num-real", "5")
    protocol = entry["metrics"]["mse"]["protocol"]
    assert (protocol["num_real"], protocol["num_generated"]) == (5, 5)
    assert (entry["options"]["number"], entry["options"]["num_real"]) == (None, 5)


def test_a_result_that_cannot_be_read(folder: Path, refused: Callable[..., str]) -> None:
    path = folder / "result.json"
    path.write_text('{"schema_version": 99}')
    assert refused(folder) == f"{path}: schema_version=99, this version reads 1"
    assert path.read_text() == '{"schema_version": 99}'
    assert refused(folder.parent).endswith("is no run folder: it has no config.yaml")
