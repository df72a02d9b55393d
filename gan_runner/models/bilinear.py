"""The game v(a, b) = a b of two scalars: a minimises v, b maximises it.

Its only equilibrium is (0, 0). Simultaneous gradient steps spiral away from it, alternating ones
stay on a closed orbit, extragradient ones reach it (Gidel et al. 2019, section 3).

It is also the Dirac-GAN of Mescheder et al. 2018 (definition 2.1, with a linear loss): data at 0, a
generator at a, a discriminator D(x) = b x. R1, 1/2 |grad D|^2 at the data, is then b^2 / 2, which
is the square of dv/da, and draws both players to the equilibrium.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from gan_runner.game import Batch, Move, Numbers, Player, Recipe, Stage, Terms
from gan_runner.models.context import Context
from gan_runner.networks.scalars import Scalar


def minimise(nets: Any, batch: Batch, h: Numbers) -> Terms:
    """a's cost, v."""
    return {"value": nets.a() * nets.b()}


def maximise(nets: Any, batch: Batch, h: Numbers) -> Terms:
    """b's cost, -v."""
    return {"value": -nets.a() * nets.b()}


def penalised(nets: Any, batch: Batch, h: Numbers) -> Terms:
    """b's cost, -v, and R1: half the square of dv/da = b (Mescheder et al. 2018, equation 9)."""
    b = nets.b()
    return {"value": -nets.a() * b, "penalty": h["model.r1"] * 0.5 * b**2}


def where(nets: Any, batch: Batch, h: Numbers) -> Terms:
    """The players' point and its distance from the equilibrium."""
    a, b = nets.a(), nets.b()
    return {"point/a": a, "point/b": b, "point/radius": torch.hypot(a, b)}


def measure(networks: Mapping[str, nn.Module]) -> dict[str, float]:
    """The distance from the equilibrium at the end."""
    a, b = (float(networks[name]().detach()) for name in ("a", "b"))
    return {"distance": math.hypot(a, b)}


def build(context: Context) -> Recipe:
    """The recipe of `algorithm: bilinear`."""
    first, second = context.model["start"]
    against = maximise if context.model["r1"] is None else penalised
    return Recipe(
        networks={"a": lambda: Scalar(first), "b": lambda: Scalar(second)},
        stages=(
            Stage(
                name="play",
                players=(
                    Player(name="a", networks=("a",), role="generator"),
                    Player(name="b", networks=("b",), role="discriminator"),
                ),
                moves=(
                    Move(player="a", objective=minimise),
                    Move(player="b", objective=against),
                ),
                update=context.model["update"],
            ),
        ),
        data=(),
        monitor=where,
        measure=measure,
    )
