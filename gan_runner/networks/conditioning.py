"""How a class goes into a network, and the normalisations that may take one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn


def one_hot(label: Tensor, num_classes: int, like: Tensor) -> Tensor:
    """[N] -> [N, num_classes] of zeros and ones, on the label's device and of `like`'s dtype."""
    classes = torch.arange(num_classes, device=label.device)
    return (label[:, None] == classes).to(like.dtype)


# --- normalisation ---------------------------------------------------------------------------


class ConditionalBatchNorm2d(nn.Module):
    """Batch normalisation with a gain and a bias for each class.

    Source: de Vries et al. 2017 and Dumoulin et al. 2017, as in Miyato and Koyama 2018.
    """

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain = nn.Embedding(num_classes, channels)
        self.bias = nn.Embedding(num_classes, channels)
        nn.init.ones_(self.gain.weight)
        nn.init.zeros_(self.bias.weight)

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        """[N, channels, H, W], [N] -> [N, channels, H, W]."""
        gain, bias = self.gain(label)[:, :, None, None], self.bias(label)[:, :, None, None]
        return torch.addcmul(bias, self.norm(x), gain)


def normalisation(name: str, channels: int, num_classes: int | None = None) -> nn.Module:
    """The normalisation of a name; with `num_classes` it is to be called with labels too."""
    if num_classes is not None:
        return ConditionalBatchNorm2d(channels, num_classes)
    if name == "batch":
        return nn.BatchNorm2d(channels)
    if name == "none":
        return nn.Identity()
    # Ulyanov et al. 2016: a group a channel; Ba et al. 2016: one group.
    return nn.GroupNorm(channels if name == "instance" else 1, channels)


def normalise(layer: nn.Module, x: Tensor, label: Tensor | None) -> Tensor:
    """Call a layer that may want labels."""
    out: Tensor = layer(x, label) if isinstance(layer, ConditionalBatchNorm2d) else layer(x)
    return out


def takes_bias(norm: str) -> bool:
    """Whether a layer before a normalisation has a bias.

    One that a channel's mean takes away again has no gradient, only rounding noise that Adam
    amplifies.
    """
    return norm in ("none", "layer")


# --- inputs ----------------------------------------------------------------------------------


class JoinedLatent(nn.Module):
    """z with the class joined to it: as zeros and a one, or as a learned vector of z's length.

    Source: Mirza and Osindero 2014; the learned vector as in Brock et al. 2019, appendix C.
    """

    def __init__(self, latent: int, num_classes: int, form: str) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.embedding = nn.Embedding(num_classes, latent) if form == "embedding" else None
        self.num_outputs = latent + (num_classes if form == "concat" else latent)

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        """[N, latent], [N] -> [N, num_outputs]."""
        if self.embedding is not None:
            return torch.cat([z, self.embedding(label)], 1)
        return torch.cat([z, one_hot(label, self.num_classes, z)], 1)


class JoinedImage(nn.Module):
    """Images with the class joined as further channels.

    `concat`: one plane a class, of zeros or ones (Mirza and Osindero 2014, Radford et al. 2016);
    `embedding`: one learned plane a class (Denton et al. 2015, section 3.3).
    """

    def __init__(self, shape: tuple[int, int, int], num_classes: int, form: str) -> None:
        super().__init__()
        channels, self.height, self.width = shape
        self.num_classes = num_classes
        self.planes = (
            nn.Embedding(num_classes, self.height * self.width) if form == "embedding" else None
        )
        self.num_outputs = channels + (num_classes if form == "concat" else 1)

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        """[N, C, H, W], [N] -> [N, num_outputs, H, W]."""
        if self.planes is not None:
            planes = self.planes(label).reshape(-1, 1, self.height, self.width)
        else:
            ones = one_hot(label, self.num_classes, x)[:, :, None, None]
            planes = ones.expand(-1, -1, self.height, self.width)
        return torch.cat([x, planes], 1)


class Projection(nn.Embedding):
    """<e(y), features>, added to the logit (Miyato and Koyama 2018, equation 3)."""

    def __init__(self, num_features: int, num_classes: int) -> None:
        super().__init__(num_classes, num_features)
        nn.init.xavier_uniform_(self.weight)  # as the authors' code has it

    def forward(self, features: Tensor, label: Tensor) -> Tensor:  # type: ignore[override]
        """[N, num_features], [N] -> [N, 1]."""
        return (super().forward(label) * features).sum(1, keepdim=True)


class Discriminator(nn.Module):
    """A trunk, a linear map to the logit, and the class where there is one.

    Args:
        make_trunk: (image's shape) -> module [N, C, H, W] -> [N, num_features].
        shape: C, H, W.
        num_classes: None where there are no labels.
        form: `concat`, `embedding` (`JoinedImage`) or `projection`.
    """

    def __init__(
        self,
        make_trunk: Callable[[tuple[int, int, int]], nn.Module],
        shape: tuple[int, int, int],
        num_classes: int | None,
        form: str,
    ) -> None:
        super().__init__()
        joins = num_classes is not None and form != "projection"
        self.join = JoinedImage(shape, num_classes, form) if joins and num_classes else None
        channels = shape[0] if self.join is None else self.join.num_outputs
        self.trunk = make_trunk((channels, *shape[1:]))
        num_features: int = self.trunk.num_features  # type: ignore[assignment]
        self.logit = nn.Linear(num_features, 1)
        projects = num_classes is not None and form == "projection"
        self.project = Projection(num_features, num_classes) if projects and num_classes else None

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """[N, C, H, W] (and labels [N]) -> logits [N, 1]."""
        if self.join is not None:
            x = self.join(x, label)
        features = self.trunk(x)
        logit: Tensor = self.logit(features)
        return logit if self.project is None else logit + self.project(features, label)


def check_condition(section: Mapping[str, Any]) -> None:
    """Refuse conditional batch normalisation where there is no batch normalisation.

    Raises:
        ValueError: that.
    """
    if section["condition"] == "batch_norm" and section["norm"] != "batch":
        raise ValueError(
            "network.generator.condition=batch_norm needs network.generator.norm=batch, "
            f"not {section['norm']}"
        )
