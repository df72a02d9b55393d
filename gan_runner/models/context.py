"""What an algorithm is given to build its recipe from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from gan_runner.datasets.dataset import Dataset
from gan_runner.losses.adversarial import AdversarialLoss
from gan_runner.losses.penalties import Penalty
from gan_runner.networks.heads import head

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Context:
    """The config's choices, looked up.

    `generator(inputs, outputs, num_classes=None)`, `discriminator(inputs, num_classes=None)` and
    `trunk(inputs)` build networks of the chosen family for shapes without the batch's dimension.
    With `num_classes` a network is called with samples and their int64 labels [N]. A trunk is the
    discriminator without its last layer: [N, *inputs] -> features [N, trunk.num_features].
    """

    model: Mapping[str, Any]
    network: Mapping[str, Any]
    dataset: Dataset
    loss: AdversarialLoss | None
    penalty: Penalty | None
    penalty_every: int
    generator: Callable[..., nn.Module]
    discriminator: Callable[..., nn.Module]
    trunk: Callable[[Shape], nn.Module]

    @property
    def adversarial_loss(self) -> AdversarialLoss:
        """The loss, for algorithms that are registered as adversarial."""
        assert self.loss is not None
        return self.loss

    def head(self, num_features: int, num_outputs: int) -> nn.Module:
        """A last layer for a trunk: [N, num_features] -> [N, num_outputs]."""
        return head(self.network["discriminator"], num_features, num_outputs)
