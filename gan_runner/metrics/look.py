"""A frozen network's look at photographs: the features that a perceptual distance compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from gan_runner.networks.features import Features, find


@dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """Features of images [1, C, H, W] in [-1, 1]: maps [1, d, h, w] of each layer, on the CPU.

    name, layers: as in `networks.features`; no layers: every other convolution.
    device: where the network computes.
    """

    name: str
    layers: Sequence[str]
    device: torch.device

    @cached_property
    def _features(self) -> Features:
        layers = self.layers or _convolutions(find(self.name, key="metrics.features").network)
        return Features(self.name, layers, key="metrics.features").to(self.device)

    @torch.no_grad()
    def __call__(self, images: Tensor) -> list[Tensor]:
        """[1, C, H, W] -> maps of each layer."""
        return [each.cpu() for each in self._features(images.to(self.device))]

    def details(self) -> Mapping[str, Any]:
        """What a protocol says of the network."""
        return {"name": self.name, "layers": list(self._features.paths)}


def _convolutions(network: nn.Module) -> list[str]:
    """Every other convolution of a network."""
    found = [name for name, each in network.named_modules() if isinstance(each, nn.Conv2d)]
    return found[1::2] or found
