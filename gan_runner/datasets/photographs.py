"""Photographs of any size: random crops to train on, whole ones to test on, each with a small one.

Small images are made by bicubic, antialiased down-sampling in 8 bits (Pillow's, which computes in
integers: the same on every machine). The small crop is cut from the small photograph: its pixels
at the border know what lies beyond, as they do in a whole photograph.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gan_runner.datasets.decoding import read_image
from gan_runner.datasets.sources import Bytes, Numbers

BICUBIC = Image.Resampling.BICUBIC
Box = tuple[int, int, int, int]  # left, top, right, bottom


class Photos(Protocol):
    """Photographs by number."""

    @property
    def channels(self) -> int:
        """1 (grey) or 3 (RGB)."""
        ...

    def size(self, number: int) -> tuple[int, int]:
        """(width, height) of one."""
        ...

    def image(self, number: int) -> Image.Image:
        """One of them."""
        ...


@dataclass(frozen=True, eq=False)
class HeldPhotos:
    """Photographs in memory."""

    images: Sequence[Image.Image]
    channels: int

    def size(self, number: int) -> tuple[int, int]:
        """(width, height) of one."""
        return self.images[number].size

    def image(self, number: int) -> Image.Image:
        """One of them."""
        return self.images[number]


@dataclass(frozen=True, eq=False)
class FilePhotos:
    """Photographs in files, decoded when asked for; sizes: (width, height) of each."""

    paths: Sequence[Path]
    sizes: Sequence[tuple[int, int]]
    channels: int

    def size(self, number: int) -> tuple[int, int]:
        """(width, height) of one."""
        return self.sizes[number]

    def image(self, number: int) -> Image.Image:
        """One of them.

        Raises:
            UnreadableError: the file cannot be read.
        """
        return read_image(self.paths[number], self.channels)


def as_array(image: Image.Image) -> Bytes:
    """An image as [H, W, C]."""
    pixels = np.asarray(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def as_tensor(image: Image.Image) -> Tensor:
    """An image as uint8 [C, H, W]."""
    return torch.from_numpy(np.moveaxis(as_array(image), 2, 0).copy())


def as_image(pixels: Tensor) -> Image.Image:
    """Pillow's image of uint8 [C, H, W]."""
    array = np.moveaxis(pixels.numpy(), 0, 2)
    return Image.fromarray(np.ascontiguousarray(array[..., 0] if array.shape[2] == 1 else array))


def smaller(image: Image.Image, scale: int, box: Box | None = None) -> Image.Image:
    """A part of an image at 1/scale, bicubic and antialiased; beyond the box the image goes on."""
    left, top, right, bottom = box or (0, 0, *image.size)
    size = ((right - left) // scale, (bottom - top) // scale)
    return image.resize(size, BICUBIC, box=(left, top, right, bottom))


def larger(image: Image.Image, scale: int) -> Image.Image:
    """An image enlarged bicubically: the baseline of super-resolution."""
    return image.resize((image.width * scale, image.height * scale), BICUBIC)


def whole_multiple(image: Image.Image, scale: int) -> Image.Image:
    """The upper left part whose sides are multiples of the scale, as evaluation asks for."""
    return image.crop((0, 0, image.width // scale * scale, image.height // scale * scale))


@dataclass(frozen=True, eq=False)
class Crops:
    """Square crops of photographs at 1/scale, by number: `sources.Pixels`.

    places: int64 [M, 3], of each crop the photograph's number, its left and its upper border.
    crop: the side in the photograph. scale: 1 for the crop itself.
    """

    photos: Photos
    places: Numbers
    crop: int
    scale: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        return self.crop // self.scale, self.crop // self.scale, self.photos.channels

    def take(self, numbers: Numbers) -> Bytes:
        """Crops [n, H, W, C].

        Raises:
            UnreadableError: a file cannot be read.
        """
        made = np.empty((len(numbers), *self.shape), dtype=np.uint8)
        for row, number in enumerate(numbers):
            photo, left, top = (int(each) for each in self.places[number])
            image, box = self.photos.image(photo), (left, top, left + self.crop, top + self.crop)
            part = image.crop(box) if self.scale == 1 else smaller(image, self.scale, box)
            made[row] = as_array(part)
        return made


def places(
    photos: Photos, numbers: Sequence[int], crop: int, num: int, generator: torch.Generator
) -> Numbers:
    """Where `num` crops lie [num, 3]: photographs in turn, each crop anywhere in its own."""
    where = np.empty((num, 3), dtype=np.int64)
    drawn = torch.rand(num, 2, generator=generator, dtype=torch.float64).numpy()
    for row in range(num):
        photo = int(numbers[row % len(numbers)])
        width, height = photos.size(photo)
        where[row] = (
            photo,
            int(drawn[row, 0] * (width - crop + 1)),
            int(drawn[row, 1] * (height - crop + 1)),
        )
    return where


@dataclass(frozen=True, kw_only=True, eq=False)
class Whole:
    """A photograph to test on, uint8 [C, H, W]: itself, its small form, and that enlarged again.

    real's sides are multiples of the scale. bicubic: [C, H, W], low enlarged.
    """

    name: str
    real: Tensor
    low: Tensor
    bicubic: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Wholes:
    """The whole photographs of a split, made when asked for."""

    photos: Photos
    numbers: Sequence[int]
    names: Sequence[str]
    scale: int

    def __len__(self) -> int:
        """How many there are."""
        return len(self.numbers)

    def __iter__(self) -> Iterator[Whole]:
        """One after the other."""
        return (self[place] for place in range(len(self)))

    def __getitem__(self, place: int) -> Whole:
        """One of them, by its place in the split."""
        image = whole_multiple(self.photos.image(self.numbers[place]), self.scale)
        low = smaller(image, self.scale)
        return Whole(
            name=self.names[place],
            real=as_tensor(image),
            low=as_tensor(low),
            bicubic=as_tensor(larger(low, self.scale)),
        )
