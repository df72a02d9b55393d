"""Batches: resident tensors and one shuffled index."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from gan_runner.game import Batch


class Batches:
    """Endless batches of equal size; every sample is seen once an epoch.

    A batch may straddle two epochs, so its shape never changes. The index is shuffled on the CPU
    with the stream `order`, the same on every device.

    Args:
        tensors: samples by key, each [N, ...], already on their device; none for a game without
            data, whose batches are empty.
        batch_size: samples in a batch.
        generator: the CPU generator of the stream `order`.
    """

    def __init__(
        self, tensors: Mapping[str, Tensor], batch_size: int, generator: torch.Generator
    ) -> None:
        self._tensors = dict(tensors)
        self._size = batch_size
        self._generator = generator
        self._num = len(next(iter(self._tensors.values()))) if self._tensors else 0
        self._before = generator.get_state()
        self._index: Tensor | None = None
        self._position = 0

    @property
    def steps_per_epoch(self) -> float:
        """Batches in a pass over the data; 0 without data."""
        return self._num / self._size

    def __call__(self) -> Batch:
        """The next batch."""
        if not self._tensors:
            return {}
        index = self._next_index()
        return {key: value.index_select(0, index) for key, value in self._tensors.items()}

    def _shuffle(self) -> Tensor:
        self._before = self._generator.get_state()
        index = torch.randperm(self._num, generator=self._generator)
        return index.to(next(iter(self._tensors.values())).device)

    def _next_index(self) -> Tensor:
        if self._index is None:
            self._index = self._shuffle()
        end = self._position + self._size
        if end <= self._num:
            index = self._index[self._position : end]
            self._position = end
            return index
        parts, wanted = [self._index[self._position :]], end - self._num
        while wanted > 0:  # more than once only where a batch is larger than the data
            self._index = self._shuffle()
            parts.append(self._index[:wanted])
            self._position = min(wanted, self._num)
            wanted -= self._position
        return torch.cat(parts)

    def state_dict(self) -> dict[str, Any]:
        """The position in the epoch, and the generator's state before its shuffle."""
        return {
            "before": self._before,
            "position": self._position,
            "started": self._index is not None,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a position; the generator itself is restored with the streams."""
        after = self._generator.get_state()
        if state["started"]:
            self._generator.set_state(state["before"].cpu())
            self._index = self._shuffle()
        self._position = state["position"]
        self._generator.set_state(after)
