"""What families of convolutional networks have in common: how their networks are put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from torch import nn

from gan_runner.networks.conditioning import Discriminator, check_condition
from gan_runner.networks.levels import Shape, image_shape
from gan_runner.networks.spectral import finished

Section = Mapping[str, Any]
ImageShape = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class ConvFamily:
    """A registered family of networks for images.

    name: under which it is registered. make_generator: (section, numbers in z, image's shape,
    number of classes or None) -> a module of z and labels. make_trunk: (section, image's shape) ->
    a module [N, C, H, W] -> [N, num_features].
    """

    name: str
    make_generator: Callable[[Section, int, ImageShape, int | None], nn.Module]
    make_trunk: Callable[[Section, ImageShape], nn.Module]

    def generator(
        self, section: Section, inputs: Shape, outputs: Shape, num_classes: int | None = None
    ) -> nn.Module:
        """[N, *inputs] (and labels [N]) -> [N, *outputs]."""
        own = section["generator"]
        check_condition(own)
        shape = image_shape(outputs, self.name)
        return finished(self.make_generator(own, prod(inputs), shape, num_classes), own)

    def discriminator(
        self, section: Section, inputs: Shape, num_classes: int | None = None
    ) -> nn.Module:
        """[N, *inputs] (and labels [N]) -> logits [N, 1]."""
        own = section["discriminator"]
        shape = image_shape(inputs, self.name)
        network = Discriminator(
            lambda seen: self.make_trunk(own, seen), shape, num_classes, own["condition"]
        )
        return finished(network, own)

    def trunk(self, section: Section, inputs: Shape) -> nn.Module:
        """[N, *inputs] -> features [N, num_features]."""
        own = section["discriminator"]
        return finished(self.make_trunk(own, image_shape(inputs, self.name)), own)
