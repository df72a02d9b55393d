"""Progressive growing: how far each resolution has come in (Karras et al. 2018, figure 2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gan_runner.networks.upsampling import doubled, halved


def fade(progress: Tensor, start: float, length: float) -> Tensor:
    """How far a resolution has come in, 0-dim in [0, 1]: linear in the run's progress."""
    if length == 0:
        return torch.ones_like(progress)
    return ((progress - start) / length).clamp(0, 1)


def shrunken(images: Tensor, halvings: int, share: Tensor | None) -> Tensor:
    """Data as a discriminator that is fading in should see them.

    Mean pooling, then share x images + (1 - share) x the same images pooled once more and doubled,
    as G's images are made meanwhile (Karras et al. 2018, figure 2).

    Args:
        images: [N, C, H, W].
        halvings: how often they are halved.
        share: how far the resolution has come in, 0-dim; None: wholly.
    """
    for _ in range(halvings):
        images = halved(images)
    if share is None:
        return images
    return torch.lerp(doubled(halved(images)), images, share.to(images.dtype))


class Growth(nn.Module):
    """Remembers how far each resolution has come in, for pictures and metrics between steps.

    No player owns it. Levels from 4 x 4 on; a game begins with those up to `first`.
    """

    running_share: Tensor
    levels: Tensor

    def __init__(self, num_levels: int, first: int) -> None:
        super().__init__()
        levels = torch.arange(num_levels)
        self.register_buffer("levels", levels, persistent=False)
        self.register_buffer("running_share", (levels <= first).float())

    def forward(self, level: int | None = None, share: Tensor | None = None) -> Tensor:
        """The shares [levels]; in training those of a stage at `level` are kept first."""
        if self.training and level is not None and share is not None:
            known = self.running_share
            now = torch.where(self.levels < level, torch.ones_like(known), torch.zeros_like(known))
            now = torch.where(self.levels == level, share.to(known.dtype), now)
            known.copy_(now)
        return self.running_share
