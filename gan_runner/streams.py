"""Random streams: one generator per (seed, name), so that no draw disturbs another.

Streams are named `init/<network>`, `order`, `flip`, `noise`, `dropout` and `metrics/<purpose>`. The
name's first part can be pinned to a seed of its own (`training.streams.init=0`). Two runs that
share a seed share every stream that both use: SRGAN and its MLP baseline start from the same
weights and see the same batches. The global generator is never drawn from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

_ON_CPU = ("init", "order", "flip")  # the same weights and batches whatever the device


def stream_seed(seed: int, name: str) -> int:
    """A 63-bit seed from a hash of seed and name, the same on every platform."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


class Streams:
    """The generators of one replica."""

    def __init__(
        self, seed: int, pins: Mapping[str, int | None], device: torch.device | str = "cpu"
    ) -> None:
        self._seed = seed
        self._pins = dict(pins)
        # A meta tensor is drawn with a CPU generator: it has a shape and no numbers.
        self._device = torch.device("cpu" if torch.device(device).type == "meta" else device)
        self._generators: dict[str, torch.Generator] = {}

    def seed(self, name: str) -> int:
        """The seed of a stream, pinned or derived."""
        pin = self._pins.get(name.partition("/")[0])
        return stream_seed(self._seed if pin is None else pin, name)

    def fresh(self, name: str) -> torch.Generator:
        """A generator at the start of its stream: the same draws every time."""
        on_cpu = name.partition("/")[0] in _ON_CPU
        generator = torch.Generator(device="cpu" if on_cpu else self._device)
        generator.manual_seed(self.seed(name))
        return generator

    def __getitem__(self, name: str) -> torch.Generator:
        """The stream's running generator."""
        if name not in self._generators:
            self._generators[name] = self.fresh(name)
        return self._generators[name]

    def state_dict(self) -> dict[str, Any]:
        """Every running generator's state, for a checkpoint."""
        return {name: generator.get_state() for name, generator in self._generators.items()}

    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        """Put every generator back where a checkpoint found it."""
        for name, value in state.items():
            self[name].set_state(value.cpu())


@contextmanager
def seeded_globally(seed: int) -> Iterator[None]:
    """Lend the global CPU generator, seeded, and give it back as it was.

    `nn.Module` constructors draw their weights from the global generator and take no other; this
    makes any module's initial weights a function of its own stream, without leaving a trace.
    """
    state = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(state)
