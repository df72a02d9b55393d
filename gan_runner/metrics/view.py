"""A classifier's look at a run's images: cut to what it knows, in chunks, remembered on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gan_runner import feature_cache
from gan_runner.classifiers.classifier import Classifier
from gan_runner.metrics.inputs import Seen

CHUNK = 500  # images looked at at once: a classifier's layers are far larger than its images


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """How a run's images are looked at.

    pad: border that is cut off first, in pixels. stacked: each channel is an image of its own.
    device: where the classifier computes.
    """

    classifier: Classifier
    device: torch.device
    pad: int = 0
    stacked: bool = False

    def __call__(self, images: Tensor) -> Seen:
        """Look at images [N, C, H, W] in [-1, 1]."""
        return Seen(**self._look(images))

    def remembered(self, images: Tensor) -> Seen:
        """Look at real images, or at any others that come again."""
        name = feature_cache.key("seen", feature_cache.content_hash(images), *self.identity())
        return Seen(**feature_cache.remembered(name, lambda: self._look(images)))

    def identity(self) -> tuple[object, ...]:
        """Return all that features depend on beside the images."""
        return self.classifier.hash, self.pad, self.stacked, self.device.type

    def details(self) -> Mapping[str, Any]:
        """What a protocol says of the classifier."""
        return {
            "name": self.classifier.name,
            "hash": self.classifier.hash[:12],
            "accuracy": self.classifier.accuracy,
            "features": self.classifier.num_features,
        }

    def check(self, image: Tensor) -> None:
        """Refuse images that the classifier does not know, by one of them [C, H, W].

        Raises:
            ValueError: they have other channels or another size.
        """
        self._look(image[None])

    def _look(self, images: Tensor) -> dict[str, Tensor]:
        features, logits = [], []
        for start in range(0, len(images), CHUNK):
            part = images[start : start + CHUNK].to(torch.float32).to(self.device)
            num = len(part)
            if self.pad:
                part = part[..., self.pad : -self.pad, self.pad : -self.pad]
            if self.stacked:
                part = part.flatten(0, 1)[:, None]  # [N C, 1, H, W]
            seen, read = self.classifier(part.contiguous())
            features.append(seen.reshape(num, -1).float().cpu())
            logits.append(read.reshape(num, -1, read.shape[1]).float().cpu())
        return {"features": torch.cat(features), "part_logits": torch.cat(logits)}
