"""Training: rows, events, schedules, failures, and draws that nothing else disturbs."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gan_runner import api, checkpoint, evaluation, loading
from gan_runner.callbacks.callback import Callback
from gan_runner.errors import RunFailed
from gan_runner.game import Batch
from gan_runner.hosts import Solo
from gan_runner.losses.adversarial import LOSSES
from gan_runner.metrics.protocol import Measurement, Protocol
from gan_runner.trainer import Trainer
from gan_runner.turns import stage_ends

MakeTrainer = Callable[..., Trainer]
TinyRun = Callable[..., api.Result]
Weights = Callable[[Solo], dict[str, Tensor]]
Same = Callable[[Any, Any], bool]


def trained(make_trainer: MakeTrainer, *overrides: str, **options: Any) -> Trainer:
    trainer = make_trainer(*overrides, **options)
    trainer.train()
    return trainer


class Each(Callback):
    """Calls a function after every step."""

    def __init__(self, function: Callable[[int], None]) -> None:
        self.function = function

    def on_step(self, step: int) -> None:
        self.function(step)


# --- draws ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["vgan", "wgan_gp", "srgan", "cgan"])
def test_the_global_generators_decide_nothing(
    model: str, make_trainer: MakeTrainer, scrambler: Callback, weights: Weights, same: Same
) -> None:
    options = (f"model={model}", "training.steps=12", "training.log_every=3")
    calm = trained(make_trainer, *options)
    scrambled = trained(make_trainer, *options, callbacks=[scrambler])
    assert same(weights(calm.host), weights(scrambled.host))


def test_a_run_leaves_the_global_generators_alone(tiny_run: TinyRun) -> None:
    tiny_run("model=vgan", "training.steps=1")  # what imports and first calls draw is not ours
    before = torch.get_rng_state(), np.random.get_state(), random.getstate()
    tiny_run(
        "model=wgan_gp", "model.ema=0.9", "metrics.every=2", "metrics.num_generated=30",
        "metrics.num_real=30", "metrics.names=[modes,sliced_wasserstein,wasserstein,mmd]",
    )  # fmt: skip
    after = torch.get_rng_state(), np.random.get_state(), random.getstate()
    assert torch.equal(before[0], after[0])
    assert before[1][0] == after[1][0]
    assert all(np.array_equal(a, b) for a, b in zip(before[1][1:], after[1][1:], strict=True))
    assert before[2] == after[2]


@pytest.mark.parametrize(
    "seldom_or_often",
    [
        ("training.log_every=1",),
        ("training.sample_every=1", "training.num_samples=50"),
        ("training.checkpoint_every=1",),
        ("metrics.names=[modes,sliced_wasserstein]", "metrics.every=1", "metrics.num_generated=30"),
        ("training.num_samples=7",),
    ],
)
@pytest.mark.parametrize("model", ["vgan", "wgan_gp", "cgan"])
def test_looking_more_often_changes_no_weight(
    model: str, seldom_or_often: tuple[str, ...], make_trainer: MakeTrainer,
    weights: Weights, same: Same,
) -> None:  # fmt: skip
    if model == "cgan" and "modes" in seldom_or_often[0]:
        seldom_or_often = ("metrics.names=[mse]", *seldom_or_often[1:])
    calm = trained(make_trainer, f"model={model}", "training.steps=9")
    other = trained(make_trainer, f"model={model}", "training.steps=9", *seldom_or_often)
    assert same(weights(calm.host), weights(other.host))
    assert same(calm.streams.state_dict(), other.streams.state_dict())


def first_batch(trainer: Trainer) -> Batch:
    trainer.host.enter(trainer.run.recipe.stages[0], trainer.run.make_optimizer)
    batch = trainer.batches()
    return {**batch, **trainer.host.draw(trainer.run.recipe.stages[0].priors, len(batch["real"]))}


def test_a_pinned_stream_keeps_its_draws_over_seeds(
    make_trainer: MakeTrainer, weights: Weights, same: Same
) -> None:
    def draws(*overrides: str) -> dict[str, Any]:
        trainer = make_trainer("model=vgan", "training.batch_size=9", *overrides)
        initial = weights(trainer.host)
        batch = first_batch(trainer)
        return {"init": initial, "order": batch["real"], "noise": batch["z"]}

    plain = draws("training.seed=0")
    other = draws("training.seed=1")
    assert not any(same(plain[key], other[key]) for key in plain)
    for pinned in plain:
        held = draws("training.seed=1", f"training.streams.{pinned}=0")
        for key in plain:
            assert same(held[key], plain[key] if key == pinned else other[key]), (pinned, key)


def test_training_draws_are_the_first_of_their_streams(make_trainer: MakeTrainer) -> None:
    """What is drawn for rows, pictures and metrics comes from elsewhere."""
    trainer = make_trainer("model=vgan", "training.steps=2", "training.log_every=1",
                           "training.sample_every=1", "training.batch_size=9")  # fmt: skip
    seen: list[Batch] = []
    gradient = trainer.host.gradient

    def spied(move: Any, batch: Batch) -> Any:
        seen.append(batch)
        return gradient(move, batch)

    trainer.host.gradient = spied  # type: ignore[method-assign]
    trainer.train()
    noise, order = trainer.streams.fresh("noise"), trainer.streams.fresh("order")
    for batch in seen:
        assert torch.equal(batch["z"], torch.randn(9, 2, generator=noise))
    rows = torch.randperm(60, generator=order)[:18].view(2, 9)
    real = trainer.run.tensors("train", torch.float32)["real"]
    for batch, index in zip(seen, rows.repeat_interleave(2, 0), strict=True):
        assert torch.equal(batch["real"], real[index])


def test_progress_runs_from_zero_to_one(make_trainer: MakeTrainer) -> None:
    seen: list[float] = []
    trainer = make_trainer("model=wgan_gp", "training.steps=8")
    drawn = trainer._next_batch

    def spied() -> Batch:
        batch = drawn()
        seen.append(batch["progress"].item())
        return batch

    trainer._next_batch = spied  # type: ignore[method-assign]
    trainer.train()
    assert seen == [step / 8 for step in range(8)]


# --- rows and events -----------------------------------------------------------------------------


def test_a_row_holds_means_since_the_last(make_trainer: MakeTrainer, recorder: Any) -> None:
    options = ("model=wgan_gp", "training.steps=10")
    trained(make_trainer, *options, "training.log_every=1", callbacks=[recorder])
    singles, recorder.rows = recorder.rows, {}
    trained(make_trainer, *options, "training.log_every=4", callbacks=[recorder])
    assert list(recorder.rows) == [4, 8, 10]
    for first, last in ((1, 4), (5, 8), (9, 10)):
        row = recorder.rows[last]
        for tag in ("loss/D", "terms/D/adversarial", "terms/D/penalty", "loss/G"):
            values = [singles[k][tag] for k in range(first, last + 1) if tag in singles[k]]
            if values:
                assert row[tag] == pytest.approx(sum(values) / len(values), rel=1e-6)
            assert (tag in row) is bool(values)
    assert [("loss/G" in row) for row in singles.values()] == [k % 5 == 1 for k in range(1, 11)]


def test_what_a_row_holds(make_trainer: MakeTrainer, recorder: Any) -> None:
    trained(
        make_trainer, "model=vgan", "training.steps=6", "training.log_every=2",
        "optimizer.generator_lr=0.003", "optimizer.discriminator_lr=0.001", callbacks=[recorder],
    )  # fmt: skip
    for step, row in recorder.rows.items():
        assert set(row) == {
            "loss/D", "loss/G", "gradient_norm/D", "gradient_norm/G", "learning_rate/D",
            "learning_rate/G", "updates/D", "updates/G", "output/real", "output/fake",
        }  # fmt: skip
        assert (row["updates/D"], row["updates/G"]) == (step, step)
        assert (row["learning_rate/G"], row["learning_rate/D"]) == (0.003, 0.001)
        assert 0 < row["output/real"] < 1
        assert row["gradient_norm/D"] > 0


@pytest.mark.parametrize("log_every", [1, 3, 4, 7, 100])
def test_every_row_has_the_gradient_norms_of_its_moves(
    log_every: int, make_trainer: MakeTrainer, recorder: Any
) -> None:
    """The last row and a stage's last row too, though they come before their turn."""
    trained(
        make_trainer, "model=srgan", "model.pretrain_share=0.5", "training.steps=18",
        f"training.log_every={log_every}", callbacks=[recorder],
    )  # fmt: skip
    assert {9, 18} <= set(recorder.rows)
    for step, row in recorder.rows.items():
        players = {"G"} if step <= 9 else {"D", "G"}
        assert {tag for tag in row if "norm" in tag} == {f"gradient_norm/{p}" for p in players}


def test_the_norm_is_that_of_the_last_update(make_trainer: MakeTrainer, recorder: Any) -> None:
    options = ("model=wgan_gp", "training.steps=20")
    trained(make_trainer, *options, "training.log_every=1", callbacks=[recorder])
    singles, recorder.rows = recorder.rows, {}
    trained(make_trainer, *options, "training.log_every=10", callbacks=[recorder])
    for step in (10, 20):
        row = recorder.rows[step]
        assert row["gradient_norm/D"] == singles[step]["gradient_norm/D"]
        assert row["gradient_norm/G"] == singles[step - 4]["gradient_norm/G"]  # steps 6 and 16


def test_a_run_that_never_logs_before_its_end(make_trainer: MakeTrainer, recorder: Any) -> None:
    trained(make_trainer, "model=vgan", f"training.log_every={10**12}", callbacks=[recorder])
    assert list(recorder.rows) == [4]


def test_when_samples_and_checkpoints_come(make_trainer: MakeTrainer, recorder: Any) -> None:
    saved: list[int] = []
    trainer = make_trainer(
        "model=vgan", "training.steps=23", "training.sample_every=10",
        "training.checkpoint_every=7", callbacks=[recorder],
    )  # fmt: skip
    save = trainer.save

    def noted(name: str = "last") -> None:
        saved.append(trainer.step)
        save(name)

    trainer.save = noted  # type: ignore[method-assign]
    trainer.train()
    assert list(recorder.samples) == [0, 10, 20, 23]
    assert saved == [7, 14, 21, 23]


def test_ten_pictures_and_checkpoints_by_default(make_trainer: MakeTrainer, recorder: Any) -> None:
    trained(make_trainer, "model=vgan", "training.steps=40", "training.sample_every=null",
            callbacks=[recorder])  # fmt: skip
    assert list(recorder.samples) == list(range(0, 41, 4))


def test_pictures_use_the_same_noise_and_rows(make_trainer: MakeTrainer, recorder: Any) -> None:
    trainer = trained(
        make_trainer, "model=vgan", "training.steps=4", "training.sample_every=2",
        "optimizer.lr=1e-12", callbacks=[recorder],
    )  # fmt: skip
    first, last = recorder.samples[0], recorder.samples[4]
    assert torch.equal(first["real"], last["real"])
    torch.testing.assert_close(first["generated"], last["generated"], atol=1e-4, rtol=1e-4)
    real = trainer.run.dataset.splits["test"]["real"]
    lowest = trainer.run.dataset.unscale(real).amin(0)
    assert bool((first["real"] >= lowest).all())  # in data units


@pytest.mark.parametrize(
    ("shares", "steps", "ends"),
    [((1.0,), 7, [7]), ((0.5, 0.5), 11, [6, 11]), ((0.3, 0.7), 10, [3, 10]),
     ((1, 1, 2), 8, [2, 4, 8]), ((0.5, 0.5), 1, [0, 1]), ((0.1,) * 10, 1000,
     list(range(100, 1001, 100)))],
)  # fmt: skip
def test_stage_ends(
    shares: tuple[float, ...], steps: int, ends: list[int], make_trainer: MakeTrainer
) -> None:
    (stage,) = make_trainer("model=vgan").run.recipe.stages
    stages = [dataclasses.replace(stage, share=share) for share in shares]
    assert stage_ends(stages, steps) == ends


def test_a_stage_without_a_step_is_passed_over(make_trainer: MakeTrainer) -> None:
    trainer = trained(make_trainer, "model=srgan", "model.pretrain_share=0.1", "training.steps=2")
    assert trainer.updates == {"D": 2, "G": 2}


# --- rates ---------------------------------------------------------------------------------------


def test_each_player_moves_at_its_own_rate(
    make_trainer: MakeTrainer, weights: Weights, same: Same
) -> None:
    """With plain SGD a first step is the rate times the gradient."""
    moved = {}
    for lr in ("0.5", "0.25"):
        trainer = make_trainer(
            "model=vgan", "model.update=simultaneous", "optimizer=sgd", "training.steps=1",
            f"optimizer.generator_lr={lr}", "optimizer.discriminator_lr=0.125",
            "device.precision=fp64",
        )  # fmt: skip
        before = weights(trainer.host)
        trainer.train()
        after = weights(trainer.host)
        moved[lr] = {key: after[key] - before[key] for key in before}
    for key in moved["0.5"]:
        factor = 2.0 if key.startswith("G") else 1.0
        torch.testing.assert_close(
            moved["0.5"][key], factor * moved["0.25"][key], rtol=1e-9, atol=1e-15
        )


def test_the_schedule_of_anatomizing(
    make_trainer: MakeTrainer, recorder: Any, weights: Weights
) -> None:
    """Rate 1e-4, then 1e-3 from exactly half on, with the moments emptied there."""
    states: dict[int, dict[str, Any]] = {}
    trainer = make_trainer("model=mlp", "training.steps=12", "training.log_every=1")
    trainer.callbacks = [
        recorder,
        Each(lambda step: states.update({step: trainer.host.state_dict()["optimizers"]["G"]
                                         | {"weights": weights(trainer.host)}})),
    ]  # fmt: skip
    trainer.train()
    rates = [row["learning_rate/G"] for row in recorder.rows.values()]
    assert rates == pytest.approx([1e-4] * 6 + [1e-3] * 6, rel=1e-12)
    assert [states[step]["num_steps"] for step in range(1, 13)] == [*range(1, 7), *range(1, 7)]
    # Adam's first step after the restart is the rate times the gradient's sign (nearly).
    first = {
        key: (states[7]["weights"][key] - states[6]["weights"][key]).abs().max().item()
        for key in states[7]["weights"]
    }
    assert max(first.values()) == pytest.approx(1e-3, rel=1e-3)


def test_a_stage_has_its_own_schedule(make_trainer: MakeTrainer, recorder: Any) -> None:
    trained(
        make_trainer, "model=srgan", "model.pretrain_share=0.5", "training.steps=8",
        "training.log_every=1", callbacks=[recorder],
    )  # fmt: skip
    rates = [row["learning_rate/G"] for row in recorder.rows.values()]
    assert rates == pytest.approx([1e-4, 1e-4, 1e-3, 1e-3] * 2, rel=1e-12)


def test_a_horizon_beyond_the_run(make_trainer: MakeTrainer, recorder: Any) -> None:
    trained(
        make_trainer, "model=vgan", "optimizer.schedule.name=linear", "optimizer.lr=1",
        "optimizer.schedule.horizon=10", "training.steps=4", "training.log_every=1",
        callbacks=[recorder],
    )  # fmt: skip
    rates = [row["learning_rate/D"] for row in recorder.rows.values()]
    assert rates == pytest.approx([1.0, 0.9, 0.8, 0.7], rel=1e-12)


# --- failures ------------------------------------------------------------------------------------


def broken_at(call: int, value: float = math.nan) -> Any:
    """The non-saturating loss whose D part is not finite from a call on."""
    plain, calls = LOSSES["nonsaturating"], [0]

    def discriminator(real: Tensor, fake: Tensor, **numbers: Any) -> Tensor:
        calls[0] += 1
        found = plain.discriminator_function(real, fake, **numbers)
        return found * value if calls[0] == call else found

    return dataclasses.replace(plain, discriminator_function=discriminator)


def with_loss(make_trainer: MakeTrainer, loss: Any, *overrides: str, **options: Any) -> Trainer:
    trainer = make_trainer(*overrides, **options)
    for move in trainer.run.recipe.stages[0].moves:
        move.objective.keywords["loss"] = loss  # type: ignore[attr-defined]
    return trainer


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("log_every", [1, 4, 100])
@pytest.mark.parametrize("checkpoint_every", [3, 5])
def test_a_loss_that_is_not_finite_is_named(
    value: float, log_every: int, checkpoint_every: int, make_trainer: MakeTrainer
) -> None:
    trainer = with_loss(
        make_trainer, broken_at(8, value), "model=vgan", "training.steps=20",
        f"training.log_every={log_every}", f"training.checkpoint_every={checkpoint_every}",
    )  # fmt: skip
    with pytest.raises(RunFailed) as caught:
        trainer.train()
    text, path = str(caught.value), trainer.folder / "checkpoints" / "last.pt"
    assert text.startswith("step 8: the term D/adversarial is not finite. ")
    good = 6 if checkpoint_every == 3 else 5
    assert f"The last good checkpoint is {path} (step {good})" in text
    assert "\n" not in text
    state = checkpoint.load(path)
    assert state["step"] == good
    for network in state["host"]["networks"].values():
        assert all(bool(tensor.isfinite().all()) for tensor in network.values())


def test_without_a_checkpoint_it_is_said(make_trainer: MakeTrainer) -> None:
    trainer = with_loss(
        make_trainer, broken_at(2), "model=vgan", "training.steps=50", "training.log_every=4"
    )
    with pytest.raises(RunFailed, match=r"step 2: .* There is no checkpoint yet"):
        trainer.train()
    assert not (trainer.folder / "checkpoints").exists()


def test_a_term_among_several_is_named(make_trainer: MakeTrainer) -> None:
    trainer = make_trainer("model=cgan", "training.steps=4")
    trainer.host.numbers["model.lambda_l1"].fill_(math.inf)  # type: ignore[index]
    with pytest.raises(RunFailed, match="step 1: the term G/l1 is not finite"):
        trainer.train()


def test_a_weight_that_is_not_finite_is_never_saved(make_trainer: MakeTrainer) -> None:
    """A gradient may be NaN where the loss is finite: found when the state is to be saved."""
    trainer = make_trainer("model=vgan", "training.steps=6", "training.log_every=6",
                           "training.checkpoint_every=3")  # fmt: skip

    def poison(step: int) -> None:
        if step == 6:
            with torch.no_grad():
                next(iter(trainer.host.networks["G"].parameters())).fill_(math.nan)

    trainer.callbacks = [Each(poison)]
    with pytest.raises(RunFailed, match=r"step 6: a weight is not finite\. The last good .*step 3"):
        trainer.train()
    assert checkpoint.load(trainer.folder / "checkpoints" / "last.pt")["step"] == 3


@pytest.mark.parametrize("every", [1, 1000])
def test_a_run_whose_rate_is_too_high_fails_with_a_result(
    every: int, tiny_run: TinyRun, tmp_path: Path
) -> None:
    folder = tmp_path / "failed"
    with pytest.raises(RunFailed, match=r"step \d+: the term \S+ is not finite"):
        tiny_run(
            "model=lsgan", "optimizer=sgd", "optimizer.lr=1e12", "training.steps=40",
            "training.log_every=5", "training.checkpoint_every=1000",
            f"training.sample_every={every}", f"metrics.every={every}",
            "metrics.names=[modes,sliced_wasserstein,mmd]", "metrics.num_generated=20",
            folder=folder,
        )  # fmt: skip
    found = json.loads((folder / "result.json").read_text())
    assert found["status"] == "failed"
    assert "is not finite" in found["error"]
    assert found["metrics"] == {}
    assert not list(folder.glob("checkpoints/*.pt"))
    assert "is not finite" in (folder / "run.log").read_text()
    with (folder / "metrics.csv").open() as file:
        assert all(int(row["step"]) <= found["step"] for row in csv.DictReader(file))


def test_batchnorm_of_one_sample_is_told_in_our_words(tmp_path: Path) -> None:
    typed = ["model=infogan", "dataset=digits", "training.batch_size=1", "metrics=none",
             "training.epochs=null", "training.steps=2"]  # fmt: skip
    with pytest.raises(ValueError, match=r"^training\.batch_size=1: BatchNorm needs at least 2"):
        api.run(typed, folder=tmp_path / "run")
    found = json.loads((tmp_path / "run" / "result.json").read_text())
    assert found["status"] == "failed"
    assert "BatchNorm needs" in found["error"]


def test_a_failed_run_resumes_from_its_last_good_checkpoint(
    tiny_run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, same: Same
) -> None:
    options = ("model=vgan", "training.steps=12", "training.log_every=2",
               "training.checkpoint_every=4")  # fmt: skip
    straight = tiny_run(*options)
    folder = tmp_path / "failed"
    with monkeypatch.context() as patch:
        patch.setitem(LOSSES, "nonsaturating", broken_at(10))
        with pytest.raises(RunFailed, match=r"step 10: .* \(step 8\)"):
            tiny_run(*options, folder=folder)
    resumed = api.resume(folder)
    assert resumed.details["status"] == "completed"
    for name, network in straight.networks.items():
        assert same(network.state_dict(), resumed.networks[name].state_dict())
    assert (folder / "metrics.csv").read_text() == (straight.folder / "metrics.csv").read_text()


def test_another_error_is_written_down(
    tiny_run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def play(*given: Any) -> None:
        raise MemoryError("out of memory")

    monkeypatch.setattr("gan_runner.trainer.play_step", play)
    with pytest.raises(MemoryError):
        tiny_run("model=vgan", folder=tmp_path / "failed")
    found = json.loads((tmp_path / "failed" / "result.json").read_text())
    assert (found["status"], found["error"]) == ("failed", "MemoryError: out of memory")
    assert "Traceback" in (tmp_path / "failed" / "run.log").read_text()


def test_an_error_before_the_first_step_is_the_one_that_is_raised(
    tiny_run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Callbacks that have not started have nothing to end."""

    def full(self: Any, start: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("gan_runner.callbacks.pictures.Pictures.on_start", full)
    with pytest.raises(OSError, match="no space left"):
        tiny_run("model=vgan", folder=tmp_path / "failed")
    found = json.loads((tmp_path / "failed" / "result.json").read_text())
    assert found["error"] == "OSError: no space left on device"


# --- init_from -----------------------------------------------------------------------------------


@pytest.fixture
def first_weights(make_trainer: MakeTrainer) -> Callable[..., dict[str, Any]]:
    """`first_weights(folder, ...)`: those that a run starts with from another's folder or file."""

    def take(source: Path, *overrides: str) -> dict[str, Any]:
        trainer = make_trainer(*overrides)
        loading.start_from(trainer, source)
        return {name: network.state_dict() for name, network in trainer.host.networks.items()}

    return take


def test_weights_of_another_run_are_the_first(
    first_weights: Callable[..., dict[str, Any]], make_trainer: MakeTrainer, same: Same
) -> None:
    source = trained(make_trainer, "model=vgan")
    weights = {name: network.state_dict() for name, network in source.host.networks.items()}
    for path in (source.folder, source.folder / "checkpoints" / "last.pt"):
        assert same(first_weights(path, "model=vgan", "training.seed=5"), weights)
    assert not same(first_weights(source.folder, "model=vgan", "device.precision=fp64"), weights)


def test_a_whole_run_from_another(tiny_run: TinyRun, same: Same) -> None:
    source = tiny_run("model=vgan")
    vanishing = ("training.steps=1", "optimizer=sgd", "optimizer.lr=1e-30")
    started = tiny_run(f"training.init_from={source.folder}", "model=vgan", *vanishing)
    for name, network in source.networks.items():
        assert same(network.state_dict(), started.networks[name].state_dict())


def test_networks_in_common_are_taken(
    first_weights: Callable[..., dict[str, Any]], make_trainer: MakeTrainer, same: Same
) -> None:
    """SRGAN from its baseline: G is taken, D starts as it would have."""
    baseline = trained(make_trainer, "model=mlp")
    fresh = make_trainer("model=srgan").host.networks["D"].state_dict()
    taken = first_weights(baseline.folder, "model=srgan")
    assert same(taken["G"], baseline.host.networks["G"].state_dict())
    assert same(taken["D"], fresh)


@pytest.mark.parametrize("had_average", [False, True])
def test_the_average_starts_as_its_network(
    had_average: bool, first_weights: Callable[..., dict[str, Any]],
    make_trainer: MakeTrainer, same: Same,
) -> None:  # fmt: skip
    average = ["model.ema=0.5"] if had_average else []
    source = trained(make_trainer, "model=vgan", *average)
    taken = first_weights(source.folder, "model=vgan", "model.ema=0.5")
    expected = source.host.networks
    assert same(taken["G"], expected["G"].state_dict())
    assert same(taken["G_ema"], expected["G_ema" if had_average else "G"].state_dict())


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("model=vgan", "network=mlp"), "network G has another shape"),
        (("model=bilinear",), "none in common"),
        (("model=vgan", "training.init_from=/nowhere"), "no checkpoint at /nowhere"),
    ],
)
def test_weights_that_cannot_be_taken(
    overrides: tuple[str, ...], message: str, make_trainer: MakeTrainer, tiny_run: TinyRun,
    tmp_path: Path,
) -> None:  # fmt: skip
    source = trained(make_trainer, "model=vgan")
    given = () if "init_from" in overrides[-1] else (f"training.init_from={source.folder}",)
    with pytest.raises(ValueError, match=message) as caught:
        tiny_run(*given, *overrides, folder=tmp_path / "new")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("training.init_from=")
    assert not (tmp_path / "new").exists()


# --- other ---------------------------------------------------------------------------------------


def test_a_run_in_another_thread(make_trainer: MakeTrainer) -> None:
    """Signal handlers can be set in the main thread only."""
    trainer, errors = make_trainer("model=vgan", "training.steps=2"), []

    def work() -> None:
        try:
            trainer.train()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert errors == []
    assert trainer.step == 2


def test_a_run_is_not_written_over(tiny_run: TinyRun, tmp_path: Path) -> None:
    folder = tmp_path / "twice"
    tiny_run("model=vgan", folder=folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(ValueError, match="twice holds a run already; resume="):
        tiny_run("model=wgan", folder=folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_folder_with_other_files_can_be_used(tiny_run: TinyRun, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert tiny_run("model=vgan", folder=tmp_path).details["status"] == "completed"
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_nan_is_never_the_best(
    make_trainer: MakeTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = iter([math.nan, 3.0, math.nan, 2.0])

    def measure(*_: Any, **__: Any) -> dict[str, Measurement]:
        card = Protocol(
            num_real=1, num_generated=1, split="validation", checkpoint="", units="data", seed=0
        )
        return {"mmd": Measurement(value=next(values), protocol=card)}

    monkeypatch.setattr(evaluation, "measure", measure)
    trainer = make_trainer("model=vgan", "training.steps=4", "metrics.every=1")
    trainer.train()
    assert trainer.best == {"metric": "mmd", "value": 2.0, "step": 4}


def test_the_best_checkpoint_is_what_is_judged(tiny_run: TinyRun) -> None:
    result = tiny_run(
        "model=vgan", "optimizer.lr=0.05", "training.steps=12", "metrics.every=2",
        "metrics.names=[sliced_wasserstein]", "metrics.checkpoint=best", "metrics.split=validation",
        "metrics.num_generated=60", "metrics.num_real=60",
    )  # fmt: skip
    with (result.folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    tag = "metrics/validation/sliced_wasserstein"
    seen = {int(row["step"]): float(row[tag]) for row in rows if row.get(tag)}
    assert list(seen) == [2, 4, 6, 8, 10, 12]
    best = min(seen, key=lambda step: seen[step])
    assert checkpoint.load(result.folder / "checkpoints" / "best.pt")["step"] == best
    assert result.metrics["sliced_wasserstein"] == seen[best]
    protocol = result.details["metrics"]["sliced_wasserstein"]["protocol"]
    assert protocol["checkpoint"].endswith(f"step {best}")
    assert best != 12, "the test needs a run that gets worse"


@pytest.mark.slow
@pytest.mark.parametrize("model", ["vgan", "wgan_gp"])
def test_a_compiled_run_gives_the_eager_numbers(
    model: str, make_trainer: MakeTrainer, weights: Weights
) -> None:
    found = []
    for compiled in ("false", "true"):
        trainer = trained(
            make_trainer, f"model={model}", "training.steps=2", f"device.compile={compiled}",
            "device.precision=fp64",
        )  # fmt: skip
        found.append(weights(trainer.host))
    assert found[0].keys() == found[1].keys()
    for key, value in found[0].items():
        torch.testing.assert_close(value, found[1][key], rtol=1e-9, atol=1e-12)
