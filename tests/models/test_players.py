"""Who moves which networks, and what follows an update."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from gan_runner.dispatch import Run
from gan_runner.engine import play_step
from gan_runner.game import Hook
from gan_runner.models.hooks import average, clip_weights, power_iteration
from gan_runner.models.players import built, players, sampler, with_average
from gan_runner.networks.spectral import normalise_weights
from gan_runner.trainer import Trainer

PLAIN = {"clip": None, "ema": None}


def plain() -> nn.Module:
    return nn.Linear(3, 2)


def spectral() -> nn.Module:
    return normalise_weights(nn.Linear(3, 2))


def named(hooks: tuple[Hook, ...]) -> list[tuple[Any, dict[str, Any]]]:
    found = []
    for hook in hooks:
        assert isinstance(hook, partial)
        found.append((hook.func, hook.keywords))
    return found


def test_without_hooks() -> None:
    d, g = players(PLAIN, {"G": plain(), "D": plain()})
    assert (d.name, d.networks, d.role, d.after) == ("D", ("D",), "discriminator", ())
    assert (g.name, g.networks, g.role, g.after) == ("G", ("G",), "generator", ())


def test_hooks_follow_the_networks_and_options() -> None:
    networks = {
        "G": built(spectral), "Q": plain(), "T": spectral(), "D": spectral(), "C": plain(),
    }  # fmt: skip
    model = {"clip": 0.1, "ema": 0.9}
    d, g = players(model, networks, ("T", "D", "C"), ("G", "Q"))
    assert (d.networks, g.networks) == (("T", "D", "C"), ("G", "Q"))
    assert named(d.after) == [
        (clip_weights, {"names": ("T", "D", "C")}),
        (power_iteration, {"names": ("T", "D")}),
    ]
    # The average comes last: it copies the singular vectors.
    assert named(g.after) == [
        (power_iteration, {"names": ("G",)}),
        (average, {"source": "G", "target": "G_ema", "count": "G_ema_updates"}),
    ]


def test_networks_are_looked_at_without_memory() -> None:
    assert all(each.is_meta for each in built(spectral).parameters())
    state = torch.get_rng_state()
    built(spectral)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(("ema", "letter"), [(None, "G"), (0.9, "G_ema")])
def test_where_samples_come_from(ema: float | None, letter: str) -> None:
    model = {**PLAIN, "ema": ema}
    assert sampler(model) == letter
    found = with_average(model, {"G": plain, "D": plain})
    assert set(found["networks"]) == {"G", "D", letter, *(["G_ema_updates"] if ema else [])}
    assert found.get("copies", {}) == ({"G_ema": "G"} if ema else {})


def vectors(network: nn.Module) -> list[torch.Tensor]:
    return [
        step.u.clone()  # type: ignore[operator, union-attr]
        for held in network.modules()
        if isinstance(held, parametrize.ParametrizationList)
        for step in held
    ]


@pytest.mark.parametrize(
    ("options", "of"),
    [
        (("model=vgan",), {"D": ("D",), "G": ("G",)}),
        (("model=acgan", "dataset=ring8"), {"D": ("T", "D", "C"), "G": ("G",)}),
        (("model=infogan", "dataset=ring8"), {"D": ("T", "D"), "G": ("G",)}),
        (("model=cgan", "dataset=ring8"), {"D": ("D",), "G": ("G",)}),
        (("model=srgan",), {"D": ("D",), "G": ("G",)}),
        (("model=mlp",), {"G": ("G",)}),
    ],
)
def test_singular_vectors_follow_their_players_updates(
    options: tuple[str, ...],
    of: dict[str, tuple[str, ...]],
    make_trainer: Callable[..., Trainer],
) -> None:
    both = [f"network.{role}.spectral=true" for role in ("generator", "discriminator")]
    trainer = make_trainer(*options, "network=mlp", *both, "optimizer.lr=0.05",
                           "model.share_fakes=false" if "mlp" not in options[0] else
                           "training.seed=0")  # fmt: skip
    host, (stage,) = trainer.host, trainer.run.recipe.stages
    host.enter(stage, trainer.run.make_optimizer)
    all_of = {letter for letters in of.values() for letter in letters}
    before = {letter: vectors(host.networks[letter]) for letter in all_of}
    assert all(before.values())
    moved: list[tuple[str, set[str]]] = []
    update = host.update

    def watched(player: str, *given: Any, **options: Any) -> None:
        held = {letter: vectors(host.networks[letter]) for letter in all_of}
        update(player, *given, **options)
        now = {letter: vectors(host.networks[letter]) for letter in all_of}
        changed = {
            letter
            for letter in all_of
            if not all(torch.equal(a, b) for a, b in zip(held[letter], now[letter], strict=True))
        }
        moved.append((player, changed))

    host.update = watched  # type: ignore[method-assign]
    for step in range(3):
        play_step(stage, host, trainer._next_batch, step, lambda *told: None)
    for player, letters in of.items():
        union = set().union(*(changed for name, changed in moved if name == player))
        # A head of one output has u = +-1, which never turns.
        wide = {each for each in letters if any(len(u) > 1 for u in before[each])}
        assert wide <= union <= set(letters)


def test_networks_without_spectral_weights_have_no_hook(make_run: Callable[..., Run]) -> None:
    for player in make_run("model=vgan").recipe.stages[0].players:
        assert player.after == ()
