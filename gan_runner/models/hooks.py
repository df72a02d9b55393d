"""What happens to a player's weights after its update."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from gan_runner.game import Numbers
from gan_runner.networks import spectral


def clip_weights(networks: Mapping[str, nn.Module], h: Numbers, *, names: tuple[str, ...]) -> None:
    """Clip every weight to [-c, c] (WGAN, Arjovsky et al. 2017, algorithm 1, line 7)."""
    bound = h["model.clip"]
    for name in names:
        for parameter in networks[name].parameters():
            parameter.copy_(torch.clamp(parameter, -bound, bound))  # vmap cannot batch clamp_


def average(
    networks: Mapping[str, nn.Module], h: Numbers, *, source: str, target: str, count: str
) -> None:
    """Move the target's weights towards the source's: target = d target + (1 - d) source.

    d is `model.ema`, at first less: min(ema, (1 + n) / (10 + n)) after n updates, which the network
    `count` counts. The average reaches about n / 9 updates back, so that in a short run it does not
    hold on to initial weights. Buffers (BatchNorm's statistics) are averages already: copied.
    """
    num_updates = networks[count].get_buffer("value")
    share = torch.maximum(1 - h["model.ema"], 9 / (10 + num_updates))
    num_updates.copy_(num_updates + 1)
    averaged, current = networks[target], networks[source]
    for kept, new in zip(averaged.parameters(), current.parameters(), strict=True):
        kept.copy_(torch.lerp(kept, new, share))  # vmap cannot batch lerp_
    for held, seen in zip(averaged.buffers(), current.buffers(), strict=True):
        held.copy_(seen)


def power_iteration(
    networks: Mapping[str, nn.Module], h: Numbers, *, names: tuple[str, ...]
) -> None:
    """One power iteration on every spectrally normalised weight (Miyato et al. 2018, algorithm 1).

    Here after the update, so that the next forward pass finds its singular vectors ready; in the
    paper before it.
    """
    for name in names:
        spectral.iterate(networks[name])
