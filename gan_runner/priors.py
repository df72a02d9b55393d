"""Priors: what is drawn into a batch, so that objectives draw nothing themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Prior(Protocol):
    """Draws `num` values."""

    def draw(
        self, num: int, generator: torch.Generator, device: torch.device, dtype: torch.dtype
    ) -> Tensor:
        """Values [num, ...] on a device."""


@dataclass(frozen=True)
class Normal:
    """N(0, 1) in each coordinate of `shape`."""

    shape: tuple[int, ...]

    def draw(
        self, num: int, generator: torch.Generator, device: torch.device, dtype: torch.dtype
    ) -> Tensor:
        """Values [num, *shape]."""
        return torch.randn((num, *self.shape), generator=generator, device=device, dtype=dtype)


@dataclass(frozen=True)
class Uniform:
    """U[low, high) in each coordinate of `shape`."""

    shape: tuple[int, ...] = ()
    low: float = 0.0
    high: float = 1.0

    def draw(
        self, num: int, generator: torch.Generator, device: torch.device, dtype: torch.dtype
    ) -> Tensor:
        """Values [num, *shape]."""
        unit = torch.rand((num, *self.shape), generator=generator, device=device, dtype=dtype)
        return (
            unit
            if (self.low, self.high) == (0.0, 1.0)
            else torch.lerp(torch.full_like(unit, self.low), torch.full_like(unit, self.high), unit)
        )


@dataclass(frozen=True)
class Labels:
    """Classes 0 to `num_classes` - 1, each equally likely."""

    num_classes: int

    def draw(
        self, num: int, generator: torch.Generator, device: torch.device, dtype: torch.dtype
    ) -> Tensor:
        """Values [num], int64."""
        return torch.randint(self.num_classes, (num,), generator=generator, device=device)


def latent(name: str, size: int) -> Normal | Uniform:
    """The prior of z: `normal` is N(0, 1), `uniform` U[-1, 1)."""
    return Normal((size,)) if name == "normal" else Uniform((size,), -1.0, 1.0)
