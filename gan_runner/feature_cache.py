"""What is computed of real data once, kept on the disk: features, logits, floors.

Files are named by a hash of all that their content depends on, the code that makes it included, so
none is ever out of date. A cache that cannot be read or written costs time and nothing else.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import zipfile
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gan_runner.result import write_atomic

log = logging.getLogger(__name__)
VARIABLE = "GAN_RUNNER_CACHE"
_CODE = ("feature_cache.py", "classifiers/network.py", "classifiers/classifier.py", "metrics/*.py")
_UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


def folder() -> Path:
    """Return where the files are: `features` in $GAN_RUNNER_CACHE, else in ~/.cache/gan_runner."""
    root = os.environ.get(VARIABLE)
    return (Path(root) if root else Path.home() / ".cache" / "gan_runner") / "features"


def content_hash(tensor: Tensor) -> str:
    """Return the sha256 (hex) of a tensor's dtype, shape and bytes."""
    array = tensor.detach().cpu().contiguous().numpy()
    digest = hashlib.sha256(f"{array.dtype.str}:{array.shape};".encode())
    digest.update(array.data)
    return digest.hexdigest()


def key(*parts: object) -> str:
    """Return a file's name (hex) for all that its content depends on, each with a stable repr."""
    return hashlib.sha256(repr((code_hash(), *parts)).encode()).hexdigest()


@cache
def code_hash() -> str:
    """Return the sha256 (hex) of the code that features and metrics are computed by."""
    here, digest = Path(__file__).parent, hashlib.sha256()
    for pattern in _CODE:
        for path in sorted(here.glob(pattern)):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def remembered(name: str, compute: Callable[[], Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return tensors from the file of a name, or compute and keep them.

    compute: tensors by name, on the CPU; they come back bit for bit.
    """
    try:
        path = folder() / f"{name}.npz"
    except RuntimeError:  # no home folder
        return dict(compute())
    found = _read(path)
    if found is not None:
        return found
    computed = dict(compute())
    _write(path, computed)
    return computed


def _read(path: Path) -> dict[str, Tensor] | None:
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            return {name: torch.from_numpy(file[name]) for name in file.files}
    except FileNotFoundError:
        return None
    except _UNREADABLE as error:
        log.warning("%s cannot be read (%s): computed anew", path, _reason(error))
        return None


def _write(path: Path, tensors: Mapping[str, Tensor]) -> None:
    buffer = io.BytesIO()
    arrays = {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    try:
        write_atomic(path, buffer.getvalue())
    except OSError as error:
        log.warning("%s cannot be written (%s): the next run computes it again", path, error)


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
