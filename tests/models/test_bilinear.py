"""The game v(a, b) = a b, from the config to the metric."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from gan_runner import api
from gan_runner.trainer import Trainer

LR = 0.1


@pytest.mark.parametrize(
    ("update", "growth"),
    [("simultaneous", math.sqrt(1 + LR**2)), ("extragradient", math.sqrt(1 - LR**2 + LR**4))],
)
def test_the_radius_of_a_whole_run(
    update: str, growth: float, make_trainer: Callable[..., Trainer], recorder: Any
) -> None:
    trainer = make_trainer(
        "model=bilinear", f"model.update={update}", f"optimizer.lr={LR}", "training.steps=60",
        "device.precision=fp64", callbacks=[recorder],
    )  # fmt: skip
    trainer.train()
    for step, row in recorder.rows.items():
        assert row["point/radius"] == pytest.approx(math.sqrt(2) * growth**step, rel=1e-12)
        assert row["point/radius"] == pytest.approx(
            math.hypot(row["point/a"], row["point/b"]), rel=1e-14
        )
    assert len(recorder.rows) == 60


def test_r1_draws_both_players_in(make_trainer: Callable[..., Trainer], recorder: Any) -> None:
    trainer = make_trainer(
        "model=bilinear", "model.update=simultaneous", "model.r1=0.5", f"optimizer.lr={LR}",
        "training.steps=200", "device.precision=fp64", callbacks=[recorder],
    )  # fmt: skip
    trainer.train()
    a, b = 1.0, 1.0
    for row in recorder.rows.values():
        a, b = a - LR * b, b + LR * (a - 0.5 * b)
        assert (row["point/a"], row["point/b"]) == (
            pytest.approx(a, abs=1e-13), pytest.approx(b, abs=1e-13)
        )  # fmt: skip
    shrink = math.sqrt(1 - LR * 0.5 + LR**2)  # the root of a step's determinant
    assert 0.5 < math.hypot(a, b) / (math.sqrt(2) * shrink**200) < 2
    assert recorder.rows[1]["terms/b/penalty"] == pytest.approx(0.25)


def test_alternating_orbits(make_trainer: Callable[..., Trainer], recorder: Any) -> None:
    trainer = make_trainer(
        "model=bilinear", f"optimizer.lr={LR}", "training.steps=300", "device.precision=fp64",
        "model.start=[0.25,-0.5]", callbacks=[recorder],
    )  # fmt: skip
    trainer.train()
    conserved = 0.25**2 + 0.5**2 + LR * 0.25 * 0.5
    for row in recorder.rows.values():
        a, b = row["point/a"], row["point/b"]
        assert a**2 + b**2 - LR * a * b == pytest.approx(conserved, rel=1e-11)


def test_the_players_costs_are_opposite(
    make_trainer: Callable[..., Trainer], recorder: Any
) -> None:
    trainer = make_trainer(
        "model=bilinear", "model.update=simultaneous", "training.steps=1", callbacks=[recorder]
    )
    trainer.train()
    assert (recorder.rows[1]["loss/a"], recorder.rows[1]["loss/b"]) == (1.0, -1.0)


def test_each_player_has_its_own_rate(make_trainer: Callable[..., Trainer], recorder: Any) -> None:
    trainer = make_trainer(
        "model=bilinear", "model.update=simultaneous", "training.steps=1",
        "optimizer.generator_lr=0.5", "optimizer.discriminator_lr=0.25", callbacks=[recorder],
    )  # fmt: skip
    trainer.train()
    row = recorder.rows[1]
    assert (row["point/a"], row["point/b"]) == (0.5, 1.25)
    assert (row["learning_rate/a"], row["learning_rate/b"]) == (0.5, 0.25)


def test_the_metric_is_the_distance_at_the_end(tiny_run: Callable[..., api.Result]) -> None:
    result = tiny_run(
        "model=bilinear", "model.update=simultaneous", "training.steps=10", "metrics.names=null",
        "device.precision=fp64",
    )  # fmt: skip
    expected = math.sqrt(2) * (1 + LR**2) ** 5
    assert result.metrics == {"distance": pytest.approx(expected, rel=1e-12)}


def test_measuring_warns_of_nothing(
    tiny_run: Callable[..., api.Result], recwarn: pytest.WarningsRecorder
) -> None:
    tiny_run("model=bilinear", "training.steps=2", "metrics.names=null")
    assert [str(each.message) for each in recwarn if each.category is UserWarning] == []
