"""What an algorithm is given to build its recipe from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from gan_runner.datasets.dataset import Dataset
from gan_runner.losses.adversarial import AdversarialLoss
from gan_runner.losses.penalties import Penalty

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Context:
    """The config's choices, looked up.

    `generator(inputs, outputs)` and `discriminator(inputs)` build networks of the chosen family
    for shapes without the batch's dimension.
    """

    model: Mapping[str, Any]
    dataset: Dataset
    loss: AdversarialLoss | None
    penalty: Penalty | None
    penalty_every: int
    generator: Callable[[Shape, Shape], nn.Module]
    discriminator: Callable[[Shape], nn.Module]

    @property
    def adversarial_loss(self) -> AdversarialLoss:
        """The loss, for algorithms that are registered as adversarial."""
        assert self.loss is not None
        return self.loss
