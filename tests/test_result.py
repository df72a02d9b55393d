"""result.json and the table at a run's end."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gan_runner import __version__
from gan_runner.result import (
    KEYS,
    SCHEMA_VERSION,
    config_hash,
    environment,
    git_commit,
    read_result,
    table,
    write_atomic,
    write_result,
)

PROTOCOL = {
    "num_real": 2500, "num_generated": 2500, "split": "test", "checkpoint": "last",
    "units": "data", "seed": 0, "details": {},
}  # fmt: skip


def result(folder: Path = Path("outputs/run"), **changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "status": "completed",
        "error": None,
        "name": "vgan_ring8",
        "metrics": {
            "modes_covered": {"value": 8.0, "protocol": PROTOCOL},
            "wasserstein": {"value": 0.0123456, "protocol": PROTOCOL},
        },
        "step": 20000,
        "steps": 20000,
        "epochs": 20.0,
        "updates": {"D": 20000, "G": 20000},
        "timings": {"seconds_training": 70.5, "seconds_total": 75.0, "steps_per_second": 283.7},
        "versions": {"python": "3.11.9"},
        "git_commit": None,
        "device": {"type": "cpu", "name": "a CPU", "threads": 1, "precision": "fp32"},
        "config_hash": "0" * 64,
        "health": [],
        "folder": str(folder),
    }
    return {**base, **changes}


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


# --- the file --------------------------------------------------------------------------------


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_result(path, result(floor={"wasserstein": 0.01}))
    expected = {"schema_version": 1, **result(floor={"wasserstein": 0.01}), "not_finite": {}}
    assert read_result(path) == read_result(tmp_path) == expected
    assert [file.name for file in tmp_path.iterdir()] == ["result.json"]


def test_numbers_that_json_cannot_hold_become_null_and_are_named(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    metrics = {"mmd": {"value": float("nan"), "protocol": {**PROTOCOL, "details": [1.0, -np.inf]}}}
    timings = {"steps_per_second": np.float64("inf"), "seconds_total": np.float64(2.5)}
    write_result(path, result(metrics=metrics, timings=timings))
    content = json.loads(path.read_text(), parse_constant=refuse)
    assert content["metrics"]["mmd"]["value"] is None
    assert content["metrics"]["mmd"]["protocol"]["details"] == [1.0, None]
    assert content["timings"] == {"steps_per_second": None, "seconds_total": 2.5}
    assert content["not_finite"] == {
        "metrics.mmd.value": "nan",
        "metrics.mmd.protocol.details.1": "-inf",
        "timings.steps_per_second": "inf",
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"status": "done"}, "status='done' is none of completed, interrupted, failed"),
        ({"updates": {"D": torch.tensor(3)}}, "updates.D is a Tensor, not plain data"),
        ({"health": {1}}, "health is a set"),
    ],
)
def test_what_is_no_result_is_refused(
    tmp_path: Path, changes: Mapping[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        write_result(tmp_path / "result.json", result(**changes))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_needed(tmp_path: Path, key: str) -> None:
    content = result()
    del content[key]
    with pytest.raises(ValueError, match=f"missing {key};"):
        write_result(tmp_path / "result.json", content)


@pytest.mark.parametrize("text", ['{"schema_version": 2}', "{}", "[1]", '{"schema_ver', ""])
def test_other_files_and_versions_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "result.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"result\.json: ") as caught:
        read_result(path)
    if text == '{"schema_version": 2}':
        assert str(caught.value).endswith("schema_version=2, this version reads 1")
    assert "\n" not in str(caught.value)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "made" / "result.json"
    write_atomic(path, b"old")

    def fail(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert [file.name for file in path.parent.iterdir()] == ["result.json"]


# --- what a number depends on ----------------------------------------------------------------


def test_config_hash() -> None:
    config = {"name": "a", "resume": None, "model": {"lr": 0.1, "widths": [1, 2]}, "seed": 0}
    # sha256 of {"model":{"lr":0.1,"widths":[1,2]},"seed":0}
    expected = "a497bab00b1832ba743994e17e0d63ac0554ad6956ce63f642f39612ca137cf8"
    assert config_hash(config) == expected
    assert config_hash({"seed": 0, "model": {"widths": [1, 2], "lr": 0.1}, "name": "b"}) == expected
    assert config_hash({**config, "seed": 1}) != expected
    assert config_hash({**config, "model": {"lr": 0.1, "widths": [2, 1]}}) != expected
    assert config_hash({**config, "model": {**config["model"], "name": "x"}}) != expected


def test_environment_is_plain_and_complete(tmp_path: Path) -> None:
    found = environment("cpu", precision="fp64")
    write_result(tmp_path / "result.json", result(**found))
    assert found["versions"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert found["versions"]["gan_runner"] == __version__
    assert {"python", "numpy", "hydra-core", "omegaconf"} <= found["versions"].keys()
    device = found["device"]
    assert device["type"] == "cpu"
    assert device["name"]
    assert device["threads"] == torch.get_num_threads()
    assert device["precision"] == "fp64"
    assert set(found) == {"versions", "git_commit", "device"}


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_git_commit(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init")
    assert git_commit(tmp_path) is None  # no commit yet
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-m", "m")
    git("tag", "v1")
    commit = git("rev-parse", "HEAD")
    assert len(commit) == 40
    assert git_commit(tmp_path) == commit
    (tmp_path / "untracked").touch()
    assert git_commit(tmp_path) == commit
    (tmp_path / "file").write_text("2")
    assert git_commit(tmp_path) == f"{commit}-dirty"


def test_git_commit_never_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_commit(tmp_path) is None
    assert git_commit(tmp_path / "not there") is None
    monkeypatch.setenv("PATH", "")
    assert git_commit(tmp_path) is None

    def hang(*_: Any, **options: Any) -> None:
        raise subprocess.TimeoutExpired("git", options["timeout"])

    monkeypatch.setattr(subprocess, "run", hang)
    assert git_commit(tmp_path) is None


# --- the table -------------------------------------------------------------------------------


def test_table(tmp_path: Path) -> None:
    for name in ("samples/step_00010000.png", "samples/step_00020000.png", "losses.png",
                 "checkpoints/last.pt", "tb/events"):  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    text = table(result(tmp_path))
    assert (
        text
        == f"""\
vgan_ring8: completed
  step 20,000 of 20,000 | 20 epochs | 1 min 15 s | 284 steps/s | cpu, 1 thread

Metrics on the test split, checkpoint: last
  Metric            Value   Generated    Real
  -------------------------------------------
  modes_covered         8       2,500   2,500
  wasserstein     0.01235       2,500   2,500

  Run folder    {tmp_path}
  Picture       {tmp_path}/samples/step_00020000.png
  Picture       {tmp_path}/losses.png
  Checkpoint    {tmp_path}/checkpoints/last.pt
  TensorBoard   tensorboard --logdir {tmp_path}"""
    )


def test_table_of_a_failed_run() -> None:
    text = table(
        result(
            status="failed",
            error="loss/G is not finite at step 300",
            metrics={},
            step=300,
            epochs=0,
            timings={"seconds_training": None, "seconds_total": 3700.0, "steps_per_second": None},
            device={"type": "cuda", "name": "a GPU", "threads": 4, "precision": "bf16"},
            health=["step 200: D wins completely: " + "very " * 30 + "much"],
        )
    )
    lines = text.splitlines()
    assert lines[:3] == [
        "vgan_ring8: failed",
        "  step 300 of 20,000 | 1 h 1 min | cuda, 4 threads",
        "  loss/G is not finite at step 300",
    ]
    assert lines[4:6] == ["Health", "  step 200: D wins completely: " + "very " * 13 + "very"]
    assert max(map(len, lines)) <= 100
    assert text.endswith("  Run folder    outputs/run")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (8.0, "8"), (0.0, "0"), (0.5, "0.5000"), (0.0123456, "0.01235"), (23.4567, "23.46"),
        (12345.678, "12346"), (-0.98765, "-0.9877"), (1.23456e-5, "1.235e-05"),
        (2.5e7, "2.500e+07"), (0.000123456, "0.0001235"), (None, "not finite"),
        (float("nan"), "nan"),
    ],
)  # fmt: skip
def test_values_have_four_digits(value: float | None, text: str) -> None:
    metrics = {"x": {"value": value, "protocol": PROTOCOL}}
    line = table(result(metrics=metrics)).splitlines()[6]
    assert line.split()[1:-2] == text.split()


def test_floor_and_lost_numbers_in_the_table(tmp_path: Path) -> None:
    metrics = {
        "mmd": {"value": float("-inf"), "protocol": PROTOCOL},
        "psnr": {"value": 31.0, "protocol": PROTOCOL},
    }
    write_result(tmp_path / "result.json", result(tmp_path, metrics=metrics, floor={"mmd": 0.25}))
    lines = table(read_result(tmp_path)).splitlines()
    assert lines[4].split()[:3] == ["Metric", "Value", "Floor"]
    assert lines[6].split() == ["mmd", "-inf", "0.2500", "2,500", "2,500"]
    assert lines[7].split() == ["psnr", "31", "2,500", "2,500"]
    assert lines[6].index("2,500") == lines[7].index("2,500")


CLASSIFIER = {"name": "mnist", "hash": "0123456789ab", "accuracy": 0.99437, "features": 128}


def of_images(**changes: Any) -> dict[str, Any]:
    seen = {**PROTOCOL, "num_generated": 10000, "num_real": 10000,
            "details": {"classifier": CLASSIFIER}}  # fmt: skip
    metrics = {
        "frechet_classifier_distance": {"value": 48.25, "protocol": seen},
        "recall": {"value": 0.5, "protocol": {**seen, "num_generated": 5000, "num_real": 5000}},
        "code_1_effect": {"value": 0.25, "protocol": {**seen, "details": {}}},
    }
    ceiling = {
        "noise": {"frechet_classifier_distance": 1859.0, "recall": 0.0},
        "untrained": {
            "frechet_classifier_distance": float("inf"), "recall": 0.0, "code_1_effect": 0.125
        },
    }  # fmt: skip
    floor = {"frechet_classifier_distance": 0.875, "recall": 0.95}
    return result(**{"metrics": metrics, "floor": floor, "ceiling": ceiling, **changes})


def test_images_stand_between_real_ones_and_noise(tmp_path: Path) -> None:
    write_result(tmp_path / "result.json", of_images(folder=str(tmp_path)))
    assert read_result(tmp_path)["not_finite"] == {
        "ceiling.untrained.frechet_classifier_distance": "inf"
    }
    text = table(read_result(tmp_path))
    lines = text.split("Metrics on the ")[1].splitlines()
    assert [line.split() for line in lines[1:6]] == [
        ["Metric", "Value", "Real", "data", "Noise", "Untrained", "Generated", "Real"],
        ["-" * len(lines[2].strip())],
        ["frechet_classifier_distance", "48.25", "0.8750", "1859", "inf", "10,000", "10,000"],
        ["recall", "0.5000", "0.9500", "0", "0", "5,000", "5,000"],
        ["code_1_effect", "0.2500", "0.1250", "10,000", "10,000"],
    ]
    # A value that is not there leaves its own column empty.
    assert lines[5].index("0.1250") + 6 == lines[1].index("Untrained") + len("Untrained")
    notes = " ".join(" ".join(lines[6:]).split())
    assert notes.startswith("Real data: real images in the place of generated ones. Noise: uniform")
    assert "Features of the classifier mnist (0123456789ab, accuracy 99.44%); other" in notes
    assert max(map(len, lines[:6])) <= 100


def test_vectors_have_neither_ceilings_nor_notes() -> None:
    text = table(result(floor={"wasserstein": 0.01}))
    assert "Floor" in text
    for word in ("Noise", "Untrained", "Real data", "classifier"):
        assert word not in text


def test_a_classifier_is_named_once_a_table() -> None:
    del (content := of_images())["ceiling"]
    text = table(content)
    assert text.count("Features of the classifier") == 1
    assert "Real data" not in text
    assert "Floor" in text


def test_metrics_are_grouped_by_what_they_judged() -> None:
    best = {**PROTOCOL, "checkpoint": "best wasserstein on validation, step 1200"}
    metrics = {
        "mmd": {"value": 0.5, "protocol": best},
        "modes_covered": {"value": 8.0, "protocol": PROTOCOL},
        "reverse_kl": {"value": 0.25, "protocol": best},
    }
    text = table(result(metrics=metrics))
    first, second = text.split("Metrics on the ")[1:]
    assert first.startswith("test split, checkpoint: best wasserstein on validation, step 1200\n")
    assert [line.split()[0] for line in first.splitlines()[3:5]] == ["mmd", "reverse_kl"]
    assert second.startswith("test split, checkpoint: last\n")
    assert max(map(len, text.splitlines())) <= 100


def test_the_documented_schema_is_the_written_one(tmp_path: Path) -> None:
    """docs/run-folder.md has a row for every key, and for no other."""
    text = (Path(__file__).parents[1] / "docs" / "run-folder.md").read_text(encoding="utf-8")
    section = text.split("## `result.json`")[1].split("\n## ")[0]
    documented = {line.split("`")[1] for line in section.splitlines() if line.startswith("| `")}
    write_result(tmp_path / "result.json", result(floor={}, ceiling={}, evaluations=[]))
    assert {key.split(".")[0] for key in documented} == set(read_result(tmp_path))
    assert f"Schema version {SCHEMA_VERSION}" in section
