"""The regression baseline: one player, one term."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from gan_runner import api
from gan_runner.trainer import Trainer


def test_one_player_and_one_term(make_trainer: Callable[..., Trainer], recorder: Any) -> None:
    trainer = make_trainer(
        "model=mlp", "training.steps=3", "training.log_every=1", "device.precision=fp64",
        "training.batch_size=60", callbacks=[recorder],
    )  # fmt: skip
    data = trainer.run.tensors("train", trainer.host.dtype)
    with torch.no_grad():
        first = (trainer.host.networks["G"](data["low"]) - data["real"]).square().mean()
    trainer.train()
    assert set(trainer.host.networks) == {"G"}
    assert trainer.updates == {"G": 3}
    losses = [row["loss/G"] for row in recorder.rows.values()]
    assert losses[0] == pytest.approx(float(first), rel=1e-13)  # the whole data set in a batch
    assert losses[2] < losses[0]
    assert not any(tag.startswith("output/") for row in recorder.rows.values() for tag in row)


def test_the_mse_is_that_of_the_test_pairs(tiny_run: Callable[..., api.Result]) -> None:
    result = tiny_run("model=mlp", "training.steps=3", "metrics.names=[mse]")
    loaded = api.load(result.folder)
    data = loaded.prepared.tensors("test", torch.float32)
    with torch.no_grad():
        error = (loaded.networks["G"](data["low"]) - data["real"]).double().square().mean()
    assert result.metrics["mse"] == pytest.approx(float(error), rel=1e-5)


def test_the_average_is_what_predicts(tiny_run: Callable[..., api.Result]) -> None:
    result = tiny_run("model=mlp", "model.ema=0.9", "training.steps=3", "metrics.names=[mse]")
    loaded = api.load(result.folder)
    data = loaded.prepared.tensors("test", torch.float32)
    errors = {}
    for name in ("G", "G_ema"):
        with torch.no_grad():
            made = loaded.networks[name](data["low"])
        errors[name] = float((made - data["real"]).double().square().mean())
    assert result.metrics["mse"] == pytest.approx(errors["G_ema"], rel=1e-5)
    assert errors["G"] != pytest.approx(errors["G_ema"], rel=1e-4)
