"""Images that are made when asked for: pixels by number, which of them, and their form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]
_CHUNK = 1000  # images made at once


class Pixels(Protocol):
    """Images of one shape, by number. Workers get a copy, which should therefore be small.

    shape: (H, W, C).
    """

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        ...

    def take(self, numbers: Numbers) -> Bytes:
        """Images [n, H, W, C] of the given numbers, in memory of their own."""
        ...


@dataclass(frozen=True, eq=False)
class ArrayPixels:
    """Images that are in memory as they are, [M, H, W, C]."""

    array: Bytes

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        _, height, width, channels = self.array.shape
        return height, width, channels

    def take(self, numbers: Numbers) -> Bytes:
        """Images [n, H, W, C]."""
        return self.array[numbers]


@dataclass(frozen=True)
class Resized:
    """Images resized to a square, bilinearly and antialiased.

    Pillow computes in integers, so a set is the same on every machine.
    """

    pixels: Pixels
    size: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        return self.size, self.size, self.pixels.shape[2]

    def take(self, numbers: Numbers) -> Bytes:
        """Images [n, H, W, C]."""
        made = np.empty((len(numbers), *self.shape), dtype=np.uint8)
        for row, image in enumerate(self.pixels.take(numbers)):
            grey = image.shape[2] == 1
            resized = resize(Image.fromarray(image[:, :, 0] if grey else image), self.size)
            made[row] = np.asarray(resized).reshape(self.shape)
        return made


@dataclass(frozen=True, eq=False)
class Stacked:
    """Images whose channels are grey images; triples [M, 3] holds the numbers of each one's."""

    pixels: Pixels
    triples: Numbers

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        height, width, _ = self.pixels.shape
        return height, width, self.triples.shape[1]

    def take(self, numbers: Numbers) -> Bytes:
        """Images [n, H, W, C]."""
        height, width, channels = self.shape
        planes = self.pixels.take(self.triples[numbers].reshape(-1))
        return np.moveaxis(planes.reshape(len(numbers), channels, height, width), 1, 3)


def resize(image: Image.Image, size: int) -> Image.Image:
    """Return the image [size, size], resized bilinearly and antialiased."""
    if image.size == (size, size):
        return image
    return image.resize((size, size), Image.Resampling.BILINEAR)


class ImageSource:
    """Images uint8 [N, C, H, W] that are made when asked for, with what is used of a tensor.

    Args:
        pixels: images by number.
        rows: int64 [N], the numbers of this source's images.
        pad: black pixels added on every side.
    """

    dtype = torch.uint8
    device = torch.device("cpu")

    def __init__(self, pixels: Pixels, rows: Tensor, pad: int = 0) -> None:
        self._pixels = pixels
        self._rows = rows.numpy()
        self._pad = pad
        height, width, channels = pixels.shape
        self.shape = torch.Size((len(rows), channels, height + 2 * pad, width + 2 * pad))

    def __len__(self) -> int:
        """N."""
        return len(self._rows)

    @property
    def ndim(self) -> int:
        """Four."""
        return len(self.shape)

    def numel(self) -> int:
        """Number of bytes that the images would take."""
        return self.shape.numel()

    def index_select(self, dim: int, index: Tensor) -> Tensor:
        """Images [n, C, H, W] of the given rows, on the CPU; dim is 0."""
        assert dim == 0, "images are taken by row"
        return self._make(self._rows[index.cpu().numpy()])

    def __getitem__(self, rows: Tensor | slice) -> Tensor:
        """Images [n, C, H, W] of a slice, or of a tensor of row numbers."""
        if isinstance(rows, Tensor):
            return self.index_select(0, rows)
        return self._make(self._rows[rows])

    def resident(self) -> Tensor:
        """All images, in memory."""
        made = torch.empty(self.shape, dtype=self.dtype)
        for start in range(0, len(self), _CHUNK):
            made[start : start + _CHUNK] = self[start : start + _CHUNK]
        return made

    def _make(self, numbers: Numbers) -> Tensor:
        images = torch.from_numpy(np.moveaxis(self._pixels.take(numbers), 3, 1))  # [n, C, H, W]
        if self._pad:
            images = torch.nn.functional.pad(images, (self._pad,) * 4)
        return images.contiguous()
