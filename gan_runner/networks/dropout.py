"""Dropout that draws from a stream of ours.

`torch.nn.Dropout` takes no generator: its masks come from the global one, and differ from a solo
run's when replicas are stacked. This layer asks whoever runs the network for masks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

Masks = Callable[[Tensor, int], Tensor]  # (a tensor's like, threshold) -> bool of its shape: kept

_LEVELS = 2**16
_source: list[Masks] = []


class DropoutMasks:
    """Within `with DropoutMasks(masks):`, `masks` is the source of every `Dropout`.

    A class, not a generator function: it is entered once a step, and steps of small networks are
    counted in microseconds.
    """

    def __init__(self, masks: Masks) -> None:
        self._masks = masks

    def __enter__(self) -> None:
        _source.append(self._masks)

    def __exit__(self, *error: object) -> None:
        _source.pop()


def masks_from(generator: torch.Generator) -> Masks:
    """Masks drawn one call after the other from a generator.

    A unit is kept where a random int16 reaches the threshold.
    """

    def draw(like: Tensor, threshold: int) -> Tensor:
        # Four 16-bit values from each 64-bit draw: several times as fast as one bernoulli a unit.
        words = torch.empty(-(-like.numel() // 4), dtype=torch.int64, device=like.device)
        words.random_(-(2**63), None, generator=generator)
        return words.view(torch.int16)[: like.numel()].view(like.shape) >= threshold

    return draw


def stacked_masks(
    shape: torch.Size,
    threshold: int,
    generators: Sequence[torch.Generator],
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """The masks that each of S generators would give for a tensor of a shape, 0 or 1 [S, *shape].

    Numbers, not truth values: compiled code reads those one by one. Masks of rows of features are
    laid out with a feature's samples next to each other in memory, as a stack's perceptrons are.
    """
    num, device = shape.numel(), generators[0].device
    words = torch.empty((len(generators), -(-num // 4)), dtype=torch.int64, device=device)
    for row, generator in zip(words.unbind(), generators, strict=True):
        row.random_(-(2**63), None, generator=generator)
    bits = words.view(torch.int16)[:, :num].view(len(generators), *shape)
    kept = torch.ge(bits, threshold, out=torch.empty(bits.shape, dtype=dtype, device=device))
    return kept.mT.contiguous().mT if len(shape) == 2 else kept


class Dropout(nn.Module):
    """Zeroes each unit with probability p in training and scales the rest by 1 / (1 - p).

    Source: Srivastava et al. 2014, with the scale at training time. p is rounded to a multiple of
    2^-16.

    Raises:
        RuntimeError: called in training mode outside of `DropoutMasks`.
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
            raise RuntimeError("Dropout needs a source of masks: call it inside DropoutMasks")
        kept = _source[-1](x, self._threshold)
        # In x's dtype: a boolean times a number is float32, whatever x is.
        return x * (kept.to(x.dtype) * self._scale)

    def extra_repr(self) -> str:
        """p, for printing."""
        return f"p={self.p}"
