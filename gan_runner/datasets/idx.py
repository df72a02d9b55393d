"""The idx files of MNIST and its kin, read with numpy."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gan_runner.datasets.sources import ArrayPixels, Bytes, Numbers, Pixels

_BYTES = 0x08  # the idx code of unsigned bytes


def read(path: Path) -> npt.NDArray[np.uint8]:
    """Return the array of an idx file of bytes, or of its .gz form.

    The form: two zero bytes, the type's code, the number of dimensions, each dimension as a
    big-endian 32-bit number, the data.

    Raises:
        ValueError: it is no such file, or is cut short.
    """
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: cannot be read ({error})") from None
    start, shape = _header(path, data[:16], len(data))
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape)


def _header(path: Path, head: bytes, size: int) -> tuple[int, tuple[int, ...]]:
    """Return where the data start, and their shape."""
    if len(head) < 4 or head[:3] != bytes([0, 0, _BYTES]) or not 1 <= head[3] <= 3:
        raise ValueError(f"{path}: is not an idx file of bytes")
    start = 4 + 4 * head[3]
    shape = struct.unpack(f">{head[3]}I", head[4:start].ljust(start - 4, b"\0"))
    if size != start + math.prod(shape):
        raise ValueError(f"{path}: has {size:,} bytes, which is not what its header says")
    return start, shape


@dataclass(frozen=True)
class IdxPixels:
    """Grey images in an idx file, which is mapped into memory and not read whole.

    Raises:
        ValueError: it is no idx file of images.
    """

    path: Path

    def __post_init__(self) -> None:
        if len(self._layout()[1]) != 3:
            raise ValueError(f"{self.path}: holds no images")

    def _layout(self) -> tuple[int, tuple[int, ...]]:
        with self.path.open("rb") as file:
            return _header(self.path, file.read(16), self.path.stat().st_size)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        _, (_, height, width) = self._layout()
        return height, width, 1

    def take(self, numbers: Numbers) -> Bytes:
        """Images [n, H, W, C]."""
        start, shape = self._layout()
        # Opened anew each time: a mapping that goes to a worker process is copied whole.
        mapped = np.memmap(self.path, dtype=np.uint8, mode="r", offset=start, shape=shape)
        return np.asarray(mapped[numbers])[..., None]


@dataclass(frozen=True)
class Files:
    """The two files of a part of a set: its images and their labels, plain or .gz."""

    images: Path
    numbers: Path

    def pixels(self) -> Pixels:
        """The images; only those of a .gz file are read whole."""
        if self.images.suffix == ".gz":
            return ArrayPixels(read(self.images)[..., None])
        return IdxPixels(self.images)

    def labels(self) -> Tensor:
        """int64 [N].

        Raises:
            ValueError: it is no such file, or the images are not as many.
        """
        labels = read(self.numbers)
        with (gzip.open if self.images.suffix == ".gz" else open)(self.images, "rb") as file:
            (num_images,) = struct.unpack(">I", file.read(8)[4:].ljust(4, b"\0"))
        if len(labels) != num_images:
            raise ValueError(
                f"{self.numbers}: has {len(labels):,} labels, and {self.images.name} has "
                f"{num_images:,} images"
            )
        return torch.from_numpy(labels.astype(np.int64))
