"""The players of a game of G and D, and what happens after their updates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn

from gan_runner.game import Hook, Player
from gan_runner.models.context import Context
from gan_runner.models.hooks import average, clip_weights, power_iteration
from gan_runner.networks.scalars import Count
from gan_runner.networks.spectral import has_spectral

Make = Callable[[], nn.Module]


def built(make: Make) -> nn.Module:
    """A network without numbers, to see what it is made of."""
    with torch.device("meta"):
        return make()


def num_trunk_features(context: Context) -> int:
    """Features that the trunk of a discriminator gives for one sample of the data."""
    return int(built(lambda: context.trunk(context.dataset.shape)).num_features)  # type: ignore[arg-type]


def players(
    model: Mapping[str, Any],
    networks: Mapping[str, nn.Module],
    of_d: tuple[str, ...] = ("D",),
    of_g: tuple[str, ...] = ("G",),
    averaged: tuple[str, ...] = ("G",),
) -> tuple[Player, ...]:
    """D, with clipping if asked for, and G, with the moving average of `averaged` if asked for.

    Both with power iterations where they have spectrally normalised weights, as `networks`, which
    need have no numbers, tell.
    """
    clip: tuple[Hook, ...] = () if model["clip"] is None else (partial(clip_weights, names=of_d),)
    after_d = (*clip, *iterating(networks, of_d))
    after_g = (*iterating(networks, of_g), *averaging(model, averaged))
    return (
        Player(name="D", networks=of_d, role="discriminator", after=after_d),
        Player(name="G", networks=of_g, role="generator", after=after_g),
    )


def iterating(networks: Mapping[str, nn.Module], letters: tuple[str, ...]) -> tuple[Hook, ...]:
    """The hook of the power iteration, if any of the networks needs it."""
    names = tuple(letter for letter in letters if has_spectral(networks[letter]))
    return (partial(power_iteration, names=names),) if names else ()


def averaging(model: Mapping[str, Any], averaged: tuple[str, ...] = ("G",)) -> tuple[Hook, ...]:
    """The hooks that keep moving averages of networks, if the model has any."""
    if model["ema"] is None:
        return ()
    return tuple(
        partial(average, source=each, target=f"{each}_ema", count=f"{each}_ema_updates")
        for each in averaged
    )


def with_average(
    model: Mapping[str, Any], networks: Mapping[str, Make], averaged: tuple[str, ...] = ("G",)
) -> dict[str, Any]:
    """A recipe's networks and copies, with G's moving average if the model has one."""
    if model["ema"] is None:
        return {"networks": networks}
    copies = {f"{each}_ema": each for each in averaged}
    copied = {copy: networks[each] for copy, each in copies.items()}
    counts = {f"{copy}_updates": Count for copy in copies}
    return {"networks": {**networks, **copied, **counts}, "copies": copies}


def sampler(model: Mapping[str, Any]) -> str:
    """The network that samples are drawn from."""
    return "G" if model["ema"] is None else "G_ema"
