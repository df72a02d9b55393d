"""Checkpoints: written whole or not at all, read strictly, tensors and plain data only."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

FORMAT_VERSION = 1


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Write a checkpoint so that a crash at any moment leaves the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            torch.save({"format_version": FORMAT_VERSION, **_alone(state)}, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _alone(state: Mapping[str, Any]) -> dict[str, Any]:
    """The state with memory of its own: a view is written with all that it is a view of."""
    alone: dict[str, Any] = tree_map_only(Tensor, _copied, dict(state))
    return alone


def _copied(tensor: Tensor) -> Tensor:
    own = tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()
    return tensor if own else tensor.clone()


def _sync_folder(folder: Path) -> None:
    # Without this a power cut may undo the rename; Windows has no such call.
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def load(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Read a checkpoint.

    Raises:
        ValueError: no such file, not a checkpoint of ours, or of another format version.
    """
    if not path.is_file():
        raise ValueError(f"no checkpoint at {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # torch.load does not look at the checksums
        if damaged is not None:
            raise ValueError(f"{damaged} in it is damaged")
        state = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # a damaged file can make any: IndexError, KeyError, ...
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise ValueError(f"{path} cannot be read as a checkpoint: {reason}") from error
    version = state.get("format_version") if isinstance(state, dict) else None
    if version != FORMAT_VERSION:
        raise ValueError(
            f"{path} has checkpoint format {version}; this version reads {FORMAT_VERSION}"
        )
    return dict(state)
