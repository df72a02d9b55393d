"""What holds for every option of `conf/model`, those to come included, and for images too."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gan_runner import api, conf_files, registry
from gan_runner.dispatch import Run
from gan_runner.engine import play_step
from gan_runner.game import Move, Terms
from gan_runner.hosts import Solo
from gan_runner.trainer import Trainer

Game = tuple[str, ...]
MODELS = conf_files.options("model", ())


def plays_with_images(model: str) -> bool:
    """Whether a model that `conftest.py` gives points can be given images."""
    if conf_files.value_of("model", model, "  - override /dataset@_global_.dataset"):
        return False  # it has data of its own
    name = conf_files.value_of("model", model, "algorithm")
    algorithm = registry.lookup("algorithms", name or "")
    return "dcgan" in algorithm.networks and "low" not in algorithm.needs


# Each model on its own data set or on points, and on images where it can be.
GAMES = [pytest.param((f"model={model}",), id=model) for model in MODELS]
GAMES += [
    pytest.param((f"model={model}", "dataset=digits"), id=f"{model}-digits")
    for model in MODELS
    if plays_with_images(model)
]
EACH = pytest.mark.parametrize("game", GAMES)
VARIANTS = {  # what else a model may be played with, by its kind
    "game": (
        (),
        ("model.ema=0.9", "model.critic_steps=2", "model.share_fakes=false"),
        ("model.share_fakes=true", "model.critic_steps=1"),
        ("model.update=simultaneous", "model.share_fakes=false"),
        ("model.update=extragradient", "model.share_fakes=false"),
        ("network.generator.norm=batch", "network.discriminator.norm=layer"),
        ("model.clip=0.02", "optimizer=rmsprop_wgan"),
        ("penalty=r1", "penalty.every=2", "model.update=simultaneous", "model.share_fakes=false"),
    ),
    "other": ((),),
}
Weights = Callable[[Solo], dict[str, Tensor]]


def variants(config: Mapping[str, Any]) -> list[tuple[str, ...]]:
    found = VARIANTS["game" if "critic_steps" in config["model"] else "other"]
    unfit = [] if "norm" in config["network"].get("generator", {}) else ["generator.norm=batch"]
    unfit += ["share_fakes=true"] if config["model"].get("path_weight") else []
    unfit += ["clip="] if config["network"]["name"] == "stylegan" else []
    return [each for each in found if not any(word in " ".join(each) for word in unfit)]


def moved(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    """Networks of which a parameter or buffer has changed."""
    return {
        name.split(".")[0] for name, value in before.items() if not torch.equal(value, after[name])
    }


def is_statistic(name: str) -> bool:
    return any(part in name for part in ("running_", "num_batches_tracked"))


@EACH
def test_two_steps_of_a_whole_run(game: Game, tiny_run: Callable[..., api.Result]) -> None:
    result = tiny_run(*game, "training.steps=2", "training.log_every=1")
    assert result.details["status"] == "completed"
    assert result.details["step"] == 2
    for network in result.networks.values():
        for parameter in network.parameters():
            assert bool(parameter.isfinite().all())
            assert not parameter.requires_grad
    for name in ("metrics.csv", "result.json", "config.yaml", "checkpoints/last.pt"):
        assert (result.folder / name).is_file(), name


@EACH
def test_a_move_changes_its_own_players_networks_alone(
    game: Game, make_run: Callable[..., Run], weights: Weights
) -> None:
    for overrides in variants(make_run(*game).config):
        run = make_run(*game, *overrides)
        host = run.host(run.streams())
        trainer = Trainer(run, Path("unused"), ())
        changed: list[tuple[str, set[str], set[str]]] = []
        original = Solo.update

        def update(
            self: Solo, player: str, *given: Any, hooks: bool = True,
            changed: list[Any] = changed, original: Any = original,
        ) -> None:  # fmt: skip
            before = weights(self)
            original(self, player, *given, hooks=hooks)
            allowed = set(self.players[player].networks)
            if self.players[player].after:  # moving averages
                copies = {f"{each}_ema" for each in allowed}
                allowed |= (copies | {f"{each}_updates" for each in copies}) & set(self.networks)
            changed.append((player, moved(before, weights(self)), allowed))

        for stage in run.recipe.stages:
            host.enter(stage, run.make_optimizer)
            host.update = update.__get__(host)  # type: ignore[method-assign]
            start = weights(host)
            for step in range(2):
                play_step(stage, host, trainer._next_batch, step, lambda *told: None)
            players = {player for player, *_ in changed}
            assert players == {move.player for move in stage.moves}
            for player, networks, allowed in changed:
                assert networks <= allowed, (overrides, player)
                assert networks & set(host.players[player].networks), (overrides, player)
            # What no update touched may have changed in its statistics only.
            touched = set().union(*(allowed for *_, allowed in changed))
            for name, value in weights(host).items():
                if name.split(".")[0] not in touched and not is_statistic(name):
                    assert torch.equal(value, start[name]), (overrides, name)
            changed.clear()


@EACH
def test_terms_are_finite_scalars_and_d_moves_before_g(
    game: Game, make_trainer: Callable[..., Trainer]
) -> None:
    trainer = make_trainer(*game)
    run = trainer.run
    order: list[str] = []

    def report(move: Move, turn: int, terms: Terms, gradients: Any) -> None:
        order.append(move.player)
        for term in terms.values():
            assert term.shape == ()
            assert math.isfinite(term.item())
        assert any(gradient is not None and bool(gradient.any()) for gradient in gradients)

    for stage in run.recipe.stages:
        trainer.host.enter(stage, run.make_optimizer)
        order.clear()  # a stage of pre-training has no D
        play_step(stage, trainer.host, trainer._next_batch, 0, report)
        if "D" in order:
            assert order.index("D") < order.index("G")


@EACH
def test_it_walks_without_memory(
    game: Game, tiny_run: Callable[..., api.Result], make_run: Callable[..., Run], tmp_path: Path
) -> None:
    for overrides in variants(make_run(*game).config):
        folder = tmp_path / "walked"
        result = tiny_run(*game, "device.name=meta", *overrides, folder=folder)
        assert result.details["status"] == "walked"
        assert not folder.exists()
        assert "walked: " in result.details["report"]


@EACH
@pytest.mark.parametrize("precision", ["fp64", "bf16", "tf32"])
def test_two_steps_in_every_precision(
    game: Game, precision: str, make_trainer: Callable[..., Trainer]
) -> None:
    trainer = make_trainer(*game, f"device.precision={precision}", "training.steps=2")
    trainer.train()
    assert trainer.host.all_finite()
    for network in trainer.host.networks.values():
        for parameter in network.parameters():
            expected = torch.float64 if precision == "fp64" else torch.float32
            assert parameter.dtype == expected


@EACH
def test_the_seed_decides_every_weight(
    game: Game, make_trainer: Callable[..., Trainer], weights: Weights, same: Callable[..., bool]
) -> None:
    found = []
    for seed in (3, 3, 4):
        trainer = make_trainer(*game, f"training.seed={seed}", "training.steps=2")
        trainer.train()
        found.append(weights(trainer.host))
    assert same(found[0], found[1])
    if game != ("model=bilinear",):
        assert not same(found[0], found[2])
