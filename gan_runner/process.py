"""Settings of the whole process, lent to a run and put back after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def threads(num: int) -> Iterator[None]:
    """Compute with a number of CPU threads, and put the process's own back."""
    before = torch.get_num_threads()
    torch.set_num_threads(num)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def process_settings(config: Mapping[str, Any]) -> Iterator[None]:
    """Set the process's matrix precision as `device.precision` asks, and put it back."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(
        "high" if config["device"]["precision"] == "tf32" else "highest"
    )
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
