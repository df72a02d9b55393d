"""Networks that are one number: a parameter, for games whose course is known, and a count."""

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


class Count(nn.Module):
    """A number that no gradient moves: how often something was done."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("value", torch.zeros(()))
