"""Batches: samples in a shuffled order, from memory or from a source that workers read."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from gan_runner.datasets.dataset import Rows, as_floats
from gan_runner.datasets.reading import Reader
from gan_runner.errors import RunFailed
from gan_runner.game import Batch


class Order:
    """Endless row numbers, shuffled anew each epoch, and which of the rows are mirrored.

    Both are drawn on the CPU, so they are the same on every device. A batch may straddle two
    epochs, so its length never changes.

    Args:
        num: rows.
        batch_size: rows in a batch.
        generator: of the shuffles.
        flip: of the mirroring; None: no row is mirrored.
        device: where the numbers are wanted.
    """

    def __init__(
        self,
        num: int,
        batch_size: int,
        generator: torch.Generator,
        flip: torch.Generator | None,
        device: torch.device,
    ) -> None:
        self._num = num
        self._size = batch_size
        self._generators = [generator] if flip is None else [generator, flip]
        self._device = device
        self._before = [each.get_state() for each in self._generators]
        self._epoch: list[Tensor] = []
        self._position = 0

    def __call__(self) -> list[Tensor]:
        """The next batch's row numbers int64 [N] and, with `flip`, bool [N]."""
        if not self._epoch:
            self._epoch = self._shuffle()
        end = self._position + self._size
        if end <= self._num:
            taken = [each[self._position : end] for each in self._epoch]
            self._position = end
            return taken
        parts, wanted = [[each[self._position :] for each in self._epoch]], end - self._num
        while wanted > 0:  # more than once only where a batch is larger than the data
            self._epoch = self._shuffle()
            parts.append([each[:wanted] for each in self._epoch])
            self._position = min(wanted, self._num)
            wanted -= self._position
        return [torch.cat(each) for each in zip(*parts, strict=True)]

    def copy(self) -> Order:
        """An order that goes on from here without moving this one or its generators."""
        flip = None if len(self._generators) == 1 else torch.Generator()
        copied = Order(self._num, self._size, torch.Generator(), flip, torch.device("cpu"))
        copied.load_state_dict(self.state_dict())
        for mine, its in zip(self._generators, copied._generators, strict=True):
            its.set_state(mine.get_state())
        return copied

    def _shuffle(self) -> list[Tensor]:
        self._before = [each.get_state() for each in self._generators]
        drawn = [torch.randperm(self._num, generator=self._generators[0])]
        for flip in self._generators[1:]:
            drawn.append(torch.randint(2, (self._num,), generator=flip, dtype=torch.bool))
        return [each.to(self._device) for each in drawn]

    def state_dict(self) -> dict[str, Any]:
        """The position in the epoch, and the generators' states before its shuffle."""
        state: dict[str, Any] = {
            "before": self._before[0],
            "position": self._position,
            "started": bool(self._epoch),
        }
        return state if len(self._before) == 1 else {**state, "before_flip": self._before[1]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a position; the generators themselves are restored with the streams."""
        after = [each.get_state() for each in self._generators]
        self._epoch = []
        if state["started"]:
            before = [state["before"], state.get("before_flip")]
            for each, its in zip(self._generators, before, strict=False):
                if its is not None:
                    each.set_state(its.cpu())
            self._epoch = self._shuffle()
        self._position = state["position"]
        for each, its in zip(self._generators, after, strict=True):
            each.set_state(its)


class StackedOrder:
    """The row numbers of S orders of one length, [S, N]: epochs are stacked, not batches."""

    def __init__(self, orders: Sequence[Order]) -> None:
        self._orders = orders
        self._seen: list[Tensor] = []
        self._epochs: list[Tensor] = []

    def __call__(self) -> list[Tensor]:
        """The next batches' row numbers int64 [S, N] and, with flips, bool [S, N]."""
        first = self._orders[0]
        start, end = first._position, first._position + first._size
        if not first._epoch or end > first._num:  # an epoch begins
            parts = [order() for order in self._orders]
            return [torch.stack(each) for each in zip(*parts, strict=True)]
        if self._seen is not first._epoch:
            epochs = [order._epoch for order in self._orders]
            self._epochs = [torch.stack(each) for each in zip(*epochs, strict=True)]
            self._seen = first._epoch
        for order in self._orders:
            order._position = end
        return [each[:, start:end] for each in self._epochs]


class StackedBatches:
    """The batches of S replicas that train on the same data, as [S, N, ...]."""

    def __init__(self, members: Sequence[Batches]) -> None:
        self._members = members
        self._order = StackedOrder([each._order for each in members])

    def __call__(self) -> Batch:
        """The next batch of each replica."""
        first = self._members[0]
        if not first._keys:
            return {}
        if first._sources:
            parts = [each() for each in self._members]
            return {key: torch.stack([each[key] for each in parts]) for key in first._keys}
        index, *flipped = self._order()
        batch: Batch = {}
        for key, rows in first._resident.items():
            taken = rows.index_select(0, index.reshape(-1).to(rows.device))
            mask = [each.reshape(-1) for each in flipped]
            batch[key] = first._finish(taken, mask).view(*index.shape, *rows.shape[1:])
        return {key: features_first(batch[key]) for key in first._keys}


def features_first(rows: Tensor) -> Tensor:
    """Rows of features [S, N, d], the samples of a feature next to each other in memory.

    Products of small matrices are fastest so (see `ensemble`).
    """
    return rows.mT.contiguous().mT if rows.dim() == 3 else rows


class Batches:
    """Endless batches of equal size; every sample is seen once an epoch.

    Resident or read by workers, mirrored or not, the same generators give the same batches. A
    state is of the batches that were handed out, however many were read ahead. `close`, or the
    end of a `with`, ends the workers.

    Args:
        tensors: samples by key, each [N, ...], on their device; sources are read. None for a game
            without data, whose batches are empty.
        batch_size: samples in a batch.
        generator: the CPU generator of the stream `order`.
        dtype: of floats, and of the images in [-1, 1] that bytes become.
        device: of the batches; None: that of the tensors.
        flip: the CPU generator of the stream `flip`; None: images are not mirrored.
        workers: processes that read sources; 0: this one does.
    """

    def __init__(
        self,
        tensors: Mapping[str, Rows],
        batch_size: int,
        generator: torch.Generator,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | None = None,
        flip: torch.Generator | None = None,
        workers: int = 0,
    ) -> None:
        self._resident = {key: rows for key, rows in tensors.items() if isinstance(rows, Tensor)}
        self._sources = {key: rows for key, rows in tensors.items() if not isinstance(rows, Tensor)}
        self._keys = tuple(tensors)
        self._size = batch_size
        self._dtype = dtype
        self._num = len(next(iter(tensors.values()))) if tensors else 0
        self._device = device or next(
            (rows.device for rows in self._resident.values()), torch.device("cpu")
        )
        # Daemons (some process pools) may not have processes of their own.
        alone = multiprocessing.current_process().daemon or self._device.type == "meta"
        self._workers = 0 if alone else workers
        # Sources are read by numbers on the CPU; fetching those from a GPU would wait for it.
        where = torch.device("cpu") if self._sources else self._device
        self._order = Order(self._num, batch_size, generator, flip, where)
        self._reader: Reader | None = None

    @property
    def steps_per_epoch(self) -> float:
        """Batches in a pass over the data; 0 without data."""
        return self._num / self._size

    def __call__(self) -> Batch:
        """The next batch.

        Raises:
            RunFailed: an image cannot be read any more, or a worker has died.
        """
        if not self._keys:
            return {}
        if self._sources and self._workers and self._reader is None:
            self._reader = self._read_ahead()
        index, *flipped = self._order()
        found = self._read(index) if self._sources else {}
        for key, rows in self._resident.items():
            found[key] = rows.index_select(0, index.to(rows.device))
        return {key: self._finish(found[key], flipped) for key in self._keys}

    def _read_ahead(self) -> Reader:
        ahead = self._order.copy()
        return Reader(
            self._sources,
            lambda: ahead()[0],
            self._workers,
            pinned=self._device.type == "cuda",
        )

    def _read(self, index: Tensor) -> dict[str, Tensor]:
        try:
            if self._reader is not None:
                found = self._reader()
            elif self._device.type == "meta":  # shapes are all that is wanted
                return {
                    key: torch.empty((len(index), *rows.shape[1:]), dtype=rows.dtype, device="meta")
                    for key, rows in self._sources.items()
                }
            else:
                found = {key: rows.index_select(0, index) for key, rows in self._sources.items()}
        except (ValueError, RuntimeError) as error:
            raise RunFailed(" ".join(str(error).split())) from error
        return {key: rows.to(self._device, non_blocking=True) for key, rows in found.items()}

    def _finish(self, rows: Tensor, flipped: list[Tensor]) -> Tensor:
        """Rows [N, ...] as the networks see them; images, which have rows of pixels, mirrored."""
        if flipped and rows.ndim == 4:
            mask = flipped[0].to(rows.device).view(-1, 1, 1, 1)
            rows = torch.where(mask, rows.flip(-1), rows)
        return as_floats(rows, self._dtype)

    def state_dict(self) -> dict[str, Any]:
        """The position in the epoch, and the generators' states before its shuffle."""
        return self._order.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a position; the generators themselves are restored with the streams."""
        self.close()
        self._order.load_state_dict(state)

    def close(self) -> None:
        """End the workers; the next batch starts others."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def __enter__(self) -> Batches:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
