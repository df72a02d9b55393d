"""How many replicas fit into memory, by an estimate made on the meta device."""

from __future__ import annotations

import logging
import os
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.weak import WeakIdKeyDictionary

from gan_runner.dispatch import dispatch, find_device, num_parameters
from gan_runner.walk import walk

log = logging.getLogger(__name__)
GIB = 2**30
# Weights in the stack and in the replica's own networks, a gradient, two moments, an average.
COPIES = 6
TRACED = 2  # a stack traces its step first, which keeps more of it alive than playing it does
SHARE = 0.5  # of the free memory, where no limit is given


def replicas_that_fit(config: Mapping[str, Any], limit: float | None) -> int | None:
    """Replicas of a run whose stack takes at most `limit` GiB; half of the free memory if None.

    Returns:
        At least 0; None where nothing can be said: the run cannot be walked on the meta device, or
        the system does not tell its free memory.
    """
    try:
        free = free_bytes(find_device(config["device"])) if limit is None else None
        one = bytes_of_replica(config)
    except Exception as error:
        log.debug("no estimate of memory: %s", error)  # the run itself will say what is wrong
        return None
    if limit is not None:
        return int(limit * GIB // one)
    return None if free is None else int(SHARE * free // one)


def bytes_of_replica(config: Mapping[str, Any]) -> int:
    """An estimate of what a replica of a run takes in a stack.

    Parameters count `COPIES` times; to these comes `TRACED` times the most that lives at once while
    one step of every move is walked without memory (batches, activations, the optimizers). Data are
    not counted, for a stack shares them. Stacks of dense and convolutional networks on a CPU took
    between a half and 1.2 times as much.
    """
    run = dispatch({**config, "device": {**config["device"], "name": "meta"}})
    host = run.host(run.streams())
    size = torch.empty((), dtype=host.dtype).element_size()
    peak = Peak()
    with peak:
        walk(run)
    return COPIES * size * num_parameters(host) + TRACED * peak.most


class Peak(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of the tensors that are made within; `most` is the most at one time."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.most = 0
        self._living = 0
        self._known = WeakIdKeyDictionary()  # by storage: a view takes nothing

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Carry out an operation and count what it has made."""
        given = kwargs or {}
        for value in tree_iter((args, given)):
            if isinstance(value, Tensor):
                self._known[value.untyped_storage()] = True  # made by someone else, or counted
        made = func(*args, **given)
        for value in tree_iter(made):
            if isinstance(value, Tensor) and value.untyped_storage() not in self._known:
                self._count(value.untyped_storage())
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        size = storage.nbytes()
        self._known[storage] = True
        self._living += size
        self.most = max(self.most, self._living)
        weakref.finalize(storage, self._forget, size)

    def _forget(self, size: int) -> None:
        self._living -= size


def free_bytes(device: torch.device) -> int | None:
    """Memory that a stack on a device could take; None where the system does not tell."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    found = [each for each in (_available(), _left_of_group()) if each is not None]
    return min(found, default=None)


def _available() -> int | None:
    """What the system could give without swapping; where it does not say, all that it has."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows
        return None


def _left_of_group() -> int | None:
    """What a container's limit leaves (cgroup v2)."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit = (folder / "memory.max").read_text(encoding="utf-8").strip()
        used = (folder / "memory.current").read_text(encoding="utf-8")
        return None if limit == "max" else max(0, int(limit) - int(used))
    except (OSError, ValueError):
        return None
