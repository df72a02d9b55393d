"""Convolutional networks without pooling: DCGAN, for images of any size from 8 x 8 up.

Radford et al. 2016. The generator projects z to a coarse map and doubles it to the image; the
discriminator halves the image by strided convolutions and takes a linear map of what is left.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from gan_runner.networks.activations import activation
from gan_runner.networks.attention import SelfAttention
from gan_runner.networks.conditioning import (
    JoinedLatent,
    normalisation,
    normalise,
    takes_bias,
)
from gan_runner.networks.conv_family import ConvFamily
from gan_runner.networks.dropout import Dropout
from gan_runner.networks.levels import (
    Size,
    crop,
    flattened,
    level_channels,
    nearest_level,
    pixels,
    sizes_down,
    sizes_up,
)
from gan_runner.networks.upsampling import upsampling

Section = Mapping[str, Any]


class Generator(nn.Module):
    """z to a coarse map by a linear layer, then doublings; the last gives the image.

    Args:
        section: a `schema.ConvGenerator` section.
        latent: numbers in z.
        shape: C, H, W of the image.
        num_classes: None where there are no labels.
    """

    def __init__(
        self, section: Section, latent: int, shape: tuple[int, int, int], num_classes: int | None
    ) -> None:
        super().__init__()
        image_channels, height, width = shape
        channels = level_channels(section, height, width, "generator")
        self.sizes = sizes_up(height, width, len(channels))
        self.channels = channels[0]
        form, norm = section["condition"], section["norm"]
        self.join = None
        if num_classes is not None and form != "batch_norm":
            self.join = JoinedLatent(latent, num_classes, form)
            latent = self.join.num_outputs
        in_norm = num_classes if form == "batch_norm" else None
        side = self.sizes[0]
        bias = takes_bias(norm)
        self.dense = None
        if section["dense"]:
            self.dense = dense(section, latent)
            latent = section["dense"]
        self.project = nn.Linear(latent, channels[0] * side[0] * side[1], bias=bias)
        self.norms = nn.ModuleList(normalisation(norm, each, in_norm) for each in channels)
        # Without a normalisation before it the activation would write into a view.
        in_place = norm != "none"
        self.activation = activation(section["activation"], section["slope"], in_place=in_place)
        ups = [
            upsampling(section["upsampling"], coarse, fine, bias=bias)
            for coarse, fine in pairwise(channels)
        ]
        last = upsampling(section["upsampling"], channels[-1], image_channels)
        self.ups = nn.ModuleList([*ups, last])
        self.attended = nearest_level(self.sizes[:-1], section["attention"])
        if self.attended is not None:
            self.attention = SelfAttention(channels[self.attended])
        self.output = activation(section["output"], section["slope"])

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """[N, latent] (and labels [N]) -> [N, C, H, W]."""
        z = z.flatten(1)
        if self.join is not None:
            z = self.join(z, label)
        if self.dense is not None:
            z = self.dense(z)
        x = pixels(self.project(z), self.channels, self.sizes[0])
        for level, (norm, up) in enumerate(zip(self.norms, self.ups, strict=True)):
            x = self.activation(normalise(norm, x, label))
            if level == self.attended:
                x = self.attention(x)
            x = crop(up(x), self.sizes[level + 1])
        out: Tensor = self.output(x)
        return out


class Trunk(nn.Module):
    """Strided 4 x 4 convolutions, the first without normalisation, and a flattening."""

    def __init__(self, section: Section, shape: tuple[int, int, int]) -> None:
        super().__init__()
        image_channels, height, width = shape
        channels = level_channels(section, height, width, "discriminator")
        sizes: list[Size] = sizes_down(height, width, len(channels))[1:]
        attended = nearest_level(sizes, section["attention"])
        layers: list[nn.Module] = []
        before = image_channels
        for level, after in enumerate(channels):
            norm = section["norm"] if level else "none"
            layers.append(nn.Conv2d(before, after, 4, 2, 1, bias=takes_bias(norm)))
            if norm != "none":
                layers.append(normalisation(norm, after))
            layers.append(activation(section["activation"], section["slope"], in_place=True))
            if section["dropout"] > 0:
                layers.append(Dropout(section["dropout"]))
            if level == attended:
                layers.append(SelfAttention(after))
            before = after
        self.layers = nn.Sequential(*layers)
        self.num_features = before * sizes[-1][0] * sizes[-1][1]
        self.dense = None
        if section["dense"]:
            self.dense = dense(section, self.num_features)
            self.num_features = section["dense"]

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, num_features]."""
        features = flattened(self.layers(x))
        return features if self.dense is None else self.dense(features)


def dense(section: Section, inputs: int) -> nn.Sequential:
    """A fully connected layer [N, inputs] -> [N, dense] (Chen et al. 2016, appendix C.1).

    Its normalisation is over the batch where that of the maps is; else it has none.
    """
    units, over_batch = section["dense"], section["norm"] == "batch"
    layers: list[nn.Module] = [nn.Linear(inputs, units, bias=not over_batch)]
    if over_batch:
        layers.append(nn.BatchNorm1d(units))
    return nn.Sequential(*layers, activation(section["activation"], section["slope"]))


DCGAN = ConvFamily(name="dcgan", make_generator=Generator, make_trunk=Trunk)
