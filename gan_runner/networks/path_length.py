"""Path-length regularisation's memory: the running mean of lengths (Karras et al. 2020)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

TRACKING = 0.01  # share of a batch in the running mean


class PathLength(nn.Module):
    """The running mean of path lengths. No player owns it."""

    running_length: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("running_length", torch.zeros(()))

    def forward(self, lengths: Tensor) -> Tensor:
        """The mean, 0-dim, moved by lengths [N] in training."""
        seen = lengths.detach().mean().to(self.running_length.dtype)
        mean = torch.lerp(self.running_length, seen, TRACKING)
        if self.training:
            self.running_length.copy_(mean)
        return mean
