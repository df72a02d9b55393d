"""SRGAN: the perceptual loss by hand, pre-training, and what it shares with its baseline."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gan_runner.callbacks.callback import Callback
from gan_runner.classifiers import classifier as classifiers
from gan_runner.datasets.dataset import as_floats
from gan_runner.dispatch import Run
from gan_runner.engine import play_step
from gan_runner.facts import features_name
from gan_runner.game import Batch
from gan_runner.hosts import Solo
from gan_runner.networks.features import lite_weights
from gan_runner.trainer import Trainer
from gan_runner.walk import walk

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


# --- images ----------------------------------------------------------------------------------

DIGITS = (
    "dataset=superres_digits_small", "network.generator.num_blocks=1", "device.precision=fp64",
    "training.batch_size=6",
)  # fmt: skip


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ((3,), ()),
        ((3, 0), ()),
        ((3, 0), ("model.content_norm=unit",)),
        ((3,), ("model.lambda_pixels=0.3",)),
    ],
)
def test_content_in_features_by_hand(
    make_run: Callable[..., Run], layers: tuple[int, ...], words: tuple[str, ...]
) -> None:
    """Ledig et al. 2017, eq. 5, with the maps scaled by 1/12.75."""
    run = make_run(
        "model=srgan_photos", *DIGITS, "model.content_features=digits",
        f"model.content_layer={'+'.join(f'convolutions.{each}' for each in layers)}",
        "model.pretrain_share=0.5", *words,
    )  # fmt: skip
    host = run.host(run.streams())
    first, game = run.recipe.stages
    data = {
        key: as_floats(rows[:6], host.dtype)  # type: ignore[arg-type, index]
        for key, rows in run.tensors("train", host.dtype).items()
    }
    host.enter(first, run.make_optimizer)
    terms, _ = host.gradient(first.moves[0], data)
    with torch.no_grad():
        host.networks["G"].train()
        made = host.networks["G"](data["low"])
        # Pre-training is on pixels, whatever the game's content is.
        pixels = (made - data["real"]).square().mean()
    assert terms["content"].item() == pytest.approx(float(pixels), rel=1e-12)
    host.enter(game, run.make_optimizer)
    terms, gradients = host.gradient(game.moves[1], {**data, "fake": host.nets.G(data["low"])})
    network = classifiers.load("digits").network.double()
    by_hand = []
    for layer in layers:
        with torch.no_grad():
            a, b = (
                network.convolutions[: layer + 1]((each + 1) / 2)  # type: ignore[index, operator]
                for each in (made, data["real"])
            )
        if "model.content_norm=unit" in words:
            # A rectifier leaves some places without any feature.
            a, b = (each / (each.square().mean(1, keepdim=True) + 1e-8).sqrt() for each in (a, b))
        by_hand.append(float(((a - b) / 12.75).square().mean()))
    assert terms["content"].item() == pytest.approx(sum(by_hand) / len(layers), rel=1e-9)
    if "model.lambda_pixels=0.3" in words:
        assert terms.pop("pixels").item() == pytest.approx(0.3 * float(pixels), rel=1e-12)
    assert set(terms) == {"content", "adversarial"}
    assert all(each is not None and bool(each.isfinite().all()) for each in gradients)


def test_images_are_played_and_measured(tiny_run: Callable[..., Any]) -> None:
    result = tiny_run(
        "model=srgan_photos", "dataset=superres", "model.content_features=efficientnet_lite0"
        if lite_weights("efficientnet_lite0") is not None
        else "model.ema=0.9",
        "model.content_layer=_blocks.1", "metrics.names=[psnr_y,ssim_y,psnr]", "training.steps=4",
    )  # fmt: skip
    details = result.details
    assert details["status"] == "completed"
    assert set(details["ceiling"]["bicubic"]) == {"psnr_y", "ssim_y"}
    protocol = details["metrics"]["psnr_y"]["protocol"]
    assert protocol["num_generated"] == 2
    assert "BT.601" in protocol["details"]["method"]


@pytest.mark.parametrize(("words", "reason"), [
    (("model=srgan", "dataset=gauss3d", "model.content_features=mnist"), "gauss3d has no images"),
    (("model=srgan_photos", *DIGITS, "model.content_features=digits", "model.content_layer=x"),
     "model.content_features=digits: no layer 'x'"),
    (("model=srgan_photos", *DIGITS, "model.content_features=nothing"),
     "model.content_features=nothing: none of vgg19"),
    (("model=srgan_photos", *DIGITS, "model.lambda_pixels=1"),
     "model.lambda_pixels=1.0 is for content in features"),
    (("model=srgan", "dataset=gauss3d", "model.content_norm=unit"),
     "model.content_norm=unit is for content in features"),
])  # fmt: skip
def test_features_that_do_not_fit_are_refused(
    words: tuple[str, ...], reason: str, make_run: Callable[..., Run]
) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        make_run(*words)


def test_features_that_training_uses_measure_nothing(make_run: Callable[..., Run]) -> None:
    run = make_run(
        "model=srgan_photos", *DIGITS, "model.content_features=digits",
        "model.content_layer=convolutions.0", "metrics.features=digits",
    )  # fmt: skip
    with pytest.raises(ValueError, match="training uses it"):
        features_name(run)


@pytest.mark.parametrize("crop", [96, 88])
def test_the_papers_networks_walk_without_memory(crop: int, make_run: Callable[..., Run]) -> None:
    config = (
        "model=srgan_photos", "dataset=superres", "device.name=meta", "training.batch_size=16",
        "dataset.num_crops=20", f"dataset.crop={crop}", "network.generator.num_blocks=16",
        "network.generator.width=64", "network.discriminator.width=64",
    )  # fmt: skip
    text = walk(make_run(*config))
    assert "G: 1,547,350 parameters" in text
    assert "walked: content/G, adversarial/D, adversarial/G" in text
