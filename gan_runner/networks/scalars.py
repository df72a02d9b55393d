"""A network that is one number, for games whose course is known by hand."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Scalar(nn.Module):
    """A single parameter; calling the network returns it."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(float(start)))

    def forward(self) -> Tensor:
        """The number, 0-dim."""
        return self.value
