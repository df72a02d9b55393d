"""Dropout that draws from a stream of ours.

`torch.nn.Dropout` takes no generator: its masks come from the global one, and differ from a solo
run's when replicas are stacked. This layer asks whoever runs the network for random bits.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

Bits = Callable[[Tensor], Tensor]  # a tensor's like -> random int16 of its shape, on its device

_LEVELS = 2**16
_source: list[Bits] = []


class DropoutBits:
    """Within `with DropoutBits(bits):`, `bits` is the source of every `Dropout`.

    A class, not a generator function: it is entered once a step, and steps of small networks are
    counted in microseconds.
    """

    def __init__(self, bits: Bits) -> None:
        self._bits = bits

    def __enter__(self) -> None:
        _source.append(self._bits)

    def __exit__(self, *error: object) -> None:
        _source.pop()


def bits_from(generator: torch.Generator) -> Bits:
    """Bits drawn one call after the other from a generator."""

    def draw(like: Tensor) -> Tensor:
        # Four 16-bit values from each 64-bit draw: several times as fast as one bernoulli a unit.
        words = torch.empty(-(-like.numel() // 4), dtype=torch.int64, device=like.device)
        words.random_(-(2**63), None, generator=generator)
        return words.view(torch.int16)[: like.numel()].view(like.shape)

    return draw


class Dropout(nn.Module):
    """Zeroes each unit with probability p in training and scales the rest by 1 / (1 - p).

    Source: Srivastava et al. 2014, with the scale at training time. p is rounded to a multiple of
    2^-16.

    Raises:
        RuntimeError: called in training mode outside of `DropoutBits`.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self._threshold = min(round(p * _LEVELS), _LEVELS - 1) - _LEVELS // 2  # an int16
        self._scale = 1 / (1 - p)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as x."""
        if not self.training or self.p == 0:
            return x
        if not _source:
            raise RuntimeError("Dropout needs a source of random bits: call it inside DropoutBits")
        kept = _source[-1](x) >= self._threshold
        # In x's dtype: a boolean times a number is float32, whatever x is.
        return x * (kept.to(x.dtype) * self._scale)

    def extra_repr(self) -> str:
        """p, for printing."""
        return f"p={self.p}"
