"""Runs of a study: made, read, and not made twice."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from gan_runner.errors import ConfigError
from gan_runner.run_folder import read_config
from gan_runner.studies.experiments import Arm, Outcomes, is_finished, train

SHORT = ("experiment=anatomizing_mlp", "training.steps=2", "metrics.names=[mse]")
ARM = Arm(name="mlp", overrides=SHORT, seeds=(0, 3))


def _times(folder: Path) -> dict[int, int]:
    return {seed: (folder / f"mlp/{seed}/result.json").stat().st_mtime_ns for seed in ARM.seeds}


def test_trains_reads_and_reuses(tmp_path: Path) -> None:
    found = train([ARM], tmp_path, width=8)["mlp"]
    assert sorted(found.values) == [0, 3]
    assert not found.failed
    assert 0 < found.of("mse")[0] != found.of("mse")[3]
    # Not `auto`: a clock would decide how numbers are rounded.
    assert read_config(tmp_path / "mlp/0")["device"]["compile"] is False
    assert not list(tmp_path.rglob("*.png"))  # pictures would take longer than training
    before = _times(tmp_path)
    again = train([ARM], tmp_path, width=8)["mlp"]
    assert again == found
    assert _times(tmp_path) == before

    (tmp_path / "mlp/3/result.json").unlink()  # as of a run that was killed
    assert train([ARM], tmp_path, width=8)["mlp"].of("mse")[3] == pytest.approx(found.of("mse")[3])
    after = _times(tmp_path)
    assert after[0] == before[0]
    assert after[3] > before[3]


def test_a_run_of_another_config_is_replaced(tmp_path: Path) -> None:
    one = Arm(name="mlp", overrides=SHORT, seeds=(0,))
    train([one], tmp_path, width=8)
    longer = Arm(name="mlp", overrides=(*SHORT, "training.batch_size=100"), seeds=(0,))
    train([longer], tmp_path, width=8)
    assert read_config(tmp_path / "mlp/0")["training"]["batch_size"] == 100


def test_is_finished(tmp_path: Path) -> None:
    train([Arm(name="mlp", overrides=SHORT, seeds=(0,))], tmp_path, width=8)
    folder = tmp_path / "mlp/0"
    config = read_config(folder)
    assert is_finished(folder, config)
    assert is_finished(folder, {**config, "name": "another"})  # computes the same
    assert not is_finished(folder, {**config, "training": {**config["training"], "seed": 1}})
    assert not is_finished(tmp_path / "mlp/1", config)
    path = folder / "result.json"
    content = json.loads(path.read_text())
    for status, finished in (("failed", True), ("interrupted", False)):
        path.write_text(json.dumps({**content, "status": status}))
        assert is_finished(folder, config) == finished
    path.write_text("half of a res")
    assert not is_finished(folder, config)


def test_a_wrong_setting_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    wrong = Arm(name="b", overrides=("model.no_such=1",), seeds=(0,))
    with pytest.raises(ConfigError, match="no_such"):
        train([ARM, wrong], tmp_path, width=8)
    assert not list(tmp_path.iterdir())


def test_outcomes_leave_out_what_is_not_finite() -> None:
    values = {0: {"mse": 1.0}, 1: {"mse": math.nan}, 2: {"other": 2.0}, 3: {"mse": math.inf}}
    assert Outcomes(values=values, failed={4: "why"}).of("mse") == {0: 1.0}


def test_nothing_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a picture was drawn")

    monkeypatch.setattr("gan_runner.callbacks.tensorboard.png", refuse)
    assert len(train([ARM], tmp_path, width=8)["mlp"].values) == 2
