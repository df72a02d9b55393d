"""Reads images ahead of their use, in processes of its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from gan_runner.datasets.sources import ImageSource, Numbers

_AHEAD = 3  # batches that each worker has ready


class Reader:
    """Batches of sources, read by workers in the order asked for; `close` ends the workers.

    Draws nothing from the global generators of this process.

    Args:
        sources: images by key.
        order: gives the row numbers int64 [n] of one batch after the other, without end.
        workers: processes, 1 or more.
        pinned: batches lie in page-locked memory, for an accelerator to fetch.
    """

    def __init__(
        self,
        sources: Mapping[str, ImageSource],
        order: Callable[[], Tensor],
        workers: int,
        *,
        pinned: bool = False,
    ) -> None:
        affinity = getattr(os, "sched_getaffinity", None)
        cores = len(affinity(0)) if affinity else os.cpu_count() or 1
        loader = DataLoader(
            _Fetch(dict(sources)),
            batch_size=None,  # whole batches are asked for, not rows
            sampler=_Asked(order),
            num_workers=min(workers, cores),
            prefetch_factor=_AHEAD,
            collate_fn=_as_is,
            worker_init_fn=_start,
            pin_memory=pinned,
            generator=torch.Generator(),  # the workers' seeds, which nothing uses
        )
        self._iterator: Any = iter(loader)

    def __call__(self) -> dict[str, Tensor]:
        """Images [n, C, H, W] of the next batch, by key, on the CPU.

        Raises:
            ValueError: an image cannot be read any more.
            RuntimeError: a worker has died.
        """
        try:
            found = next(self._iterator)
        except (RuntimeError, OSError, EOFError) as error:
            raise RuntimeError(
                f"a process that reads images has died ({error}); memory may be short: "
                "dataset.workers=0 reads without"
            ) from error
        if isinstance(found, ValueError):
            raise found
        read: dict[str, Tensor] = found
        return read

    def close(self) -> None:
        """End the workers."""
        # Its destructor does the same, but an exception's traceback may keep it alive.
        shut_down = getattr(self._iterator, "_shutdown_workers", None)
        self._iterator = iter(())
        if shut_down is not None:
            shut_down()


class _Fetch(Dataset[Any]):
    def __init__(self, sources: Mapping[str, ImageSource]) -> None:
        self._sources = sources

    def __getitem__(self, numbers: Numbers) -> dict[str, Tensor] | ValueError:
        index = torch.from_numpy(numbers)
        try:
            return {key: source.index_select(0, index) for key, source in self._sources.items()}
        except ValueError as error:  # raised where it is read, in one line
            return error


class _Asked(Sampler[Any]):
    def __init__(self, order: Callable[[], Tensor]) -> None:
        self._order = order

    def __iter__(self) -> Iterator[Numbers]:
        while True:
            # As an array: a tensor would go to the worker by a file descriptor.
            yield self._order().numpy()


def _as_is(batch: Any) -> Any:
    return batch


def _start(_worker: int) -> None:
    """Leave Ctrl-C to the run: it ends its workers after its last step."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
