"""SRGAN: the perceptual loss by hand, pre-training, and what it shares with its baseline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gan_runner.callbacks.callback import Callback
from gan_runner.dispatch import Run
from gan_runner.engine import play_step
from gan_runner.game import Batch
from gan_runner.hosts import Solo
from gan_runner.trainer import Trainer

PLAIN = ("model=srgan", "device.precision=fp64", "network=mlp")
Weights = Callable[[Solo], dict[str, Tensor]]


@pytest.mark.parametrize(
    ("content", "by_hand"),
    [
        ("squared_error", lambda d: d.square().mean()),
        ("squared_norm", lambda d: d.square().sum(1).mean()),
        ("absolute_error", lambda d: d.abs().mean()),
    ],
)
def test_the_perceptual_loss_by_hand(
    content: str, by_hand: Callable[[Tensor], Tensor], make_run: Callable[..., Run]
) -> None:
    run = make_run(*PLAIN, f"model.content={content}", "model.lambda_adversarial=0.25")
    host = run.host(run.streams())
    (stage,) = run.recipe.stages
    host.enter(stage, run.make_optimizer)
    data = run.tensors("train", host.dtype)
    with torch.no_grad():
        made = host.networks["G"](data["low"])
        logits = host.networks["D"](made)
        real = host.networks["D"](data["real"])
    for_d, for_g = stage.moves
    terms, _ = host.gradient(for_g, {**data, "fake": host.networks["G"](data["low"])})
    assert set(terms) == {"content", "adversarial"}
    assert terms["content"].item() == pytest.approx(float(by_hand(made - data["real"])), rel=1e-13)
    adversarial = 0.25 * F.softplus(-logits).mean()
    assert terms["adversarial"].item() == pytest.approx(float(adversarial), rel=1e-13)
    terms, _ = host.gradient(for_d, {**data, "fake": made})
    smoothed = (  # labels 0.95 and 0.05
        0.95 * F.softplus(-real) + 0.05 * F.softplus(real)
    ).mean() + (0.05 * F.softplus(-logits) + 0.95 * F.softplus(logits)).mean()
    assert terms["adversarial"].item() == pytest.approx(float(smoothed), rel=1e-13)


def test_shared_fakes_change_no_number(
    make_trainer: Callable[..., Trainer], weights: Weights
) -> None:
    found = []
    for share in ("true", "false"):
        trainer = make_trainer(*PLAIN, f"model.share_fakes={share}", "training.steps=8")
        trainer.train()
        found.append(weights(trainer.host))
    for name, value in found[0].items():
        torch.testing.assert_close(value, found[1][name], rtol=1e-9, atol=1e-12)


class Watching(Callback):
    """Keeps the weights after every step."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.kept: list[dict[str, Tensor]] = []
        self.trainer: Trainer | None = None

    def on_step(self, step: int) -> None:
        assert self.trainer is not None
        self.kept.append(self.weights(self.trainer.host))


def test_d_rests_in_the_first_half(
    make_trainer: Callable[..., Trainer], weights: Weights, recorder: Any
) -> None:
    watching = Watching(weights)
    trainer = make_trainer(
        "model=srgan", "model.pretrain_share=0.5", "training.steps=11", "training.log_every=1",
        callbacks=[watching, recorder],
    )  # fmt: skip
    watching.trainer = trainer
    start = weights(trainer.host)
    trainer.train()
    d_rests, g_rests = [], []
    for before, after in zip([start, *watching.kept], watching.kept, strict=False):
        d_rests.append(all(torch.equal(before[k], after[k]) for k in after if k[0] == "D"))
        g_rests.append(all(torch.equal(before[k], after[k]) for k in after if k[0] == "G"))
    border = round(11 * 0.5)
    assert d_rests == [True] * border + [False] * (11 - border)
    assert not any(g_rests)
    assert trainer.updates == {"G": 11, "D": 11 - border}
    for step, row in recorder.rows.items():
        assert ("loss/D" in row) is (step > border)
        assert ("terms/G/adversarial" in row) is (step > border)


def test_the_first_stage_is_regression(
    make_trainer: Callable[..., Trainer], weights: Weights, same: Callable[..., bool]
) -> None:
    """Up to the border SRGAN with pre-training is its baseline, bit for bit."""
    constant = ("optimizer=adam", "dataset=gauss3d")
    srgan = make_trainer("model=srgan", "model.pretrain_share=0.5", "training.steps=12", *constant)
    while srgan.step < 6:
        srgan._play()
    baseline = make_trainer("model=mlp", "training.steps=6", *constant)
    baseline.train()
    ours = {key: value for key, value in weights(srgan.host).items() if key.startswith("G.")}
    assert same(ours, weights(baseline.host))


def test_srgan_and_its_baseline_share_initial_weights_and_batches(
    make_trainer: Callable[..., Trainer], weights: Weights, same: Callable[..., bool]
) -> None:
    trainers = [make_trainer(f"model={name}", "training.batch_size=7") for name in ("srgan", "mlp")]
    first, second = (weights(trainer.host) for trainer in trainers)
    assert same({key: first[key] for key in second}, second)
    seen: list[list[Tensor]] = [[], []]
    for trainer, batches in zip(trainers, seen, strict=True):
        drawn = trainer.batches

        def spied(batches: list[Tensor] = batches, drawn: Callable[[], Batch] = drawn) -> Batch:
            batch = drawn()
            batches.append(batch["low"])
            return batch

        trainer.batches = spied  # type: ignore[assignment]
        trainer.host.enter(trainer.run.recipe.stages[0], trainer.run.make_optimizer)
        for step in range(20):  # more than two epochs
            play_step(
                trainer.run.recipe.stages[0], trainer.host, trainer._next_batch, step,
                lambda *told: None,
            )  # fmt: skip
    assert same(seen[0], seen[1])


def test_pretraining_moves_the_average_too(make_trainer: Callable[..., Trainer]) -> None:
    trainer = make_trainer(
        "model=srgan", "model.pretrain_share=0.5", "model.ema=0.5", "training.steps=4"
    )
    before = [each.detach().clone() for each in trainer.host.networks["G_ema"].parameters()]
    trainer._play()
    after = list(trainer.host.networks["G_ema"].parameters())
    assert not any(torch.equal(a, b) for a, b in zip(before, after, strict=True))
