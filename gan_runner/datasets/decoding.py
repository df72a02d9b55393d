"""Image files of any kind, as bytes of one shape."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from gan_runner.datasets.sources import Bytes, Numbers, resize

T = TypeVar("T")
_QUEUE = 2048
_GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N", "F")
_DEEP = ("I", "I;16", "I;16B", "I;16L", "I;16N")  # 16 bits a pixel
_SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that swap height and width
_ORIENTATION = 0x0112
_PALETTE = 256  # colours of a palette at most
_MARGIN = 4  # a JPEG is decoded at a fraction that is at least so many times the size wanted


class UnreadableError(ValueError):
    """A file is no image, is damaged, or is not of the set's shape. The message is one line."""


@dataclass(frozen=True)
class FilePixels:
    """Images in files, decoded when asked for.

    Grey or RGB as `shape` says; 16 bits become 8; what is transparent becomes white; the camera's
    orientation is obeyed; of an animation the first picture is taken.

    paths: of the files. shape: (H, W, C). resized: images are brought to (H, W), which else they
    must have. crop: their centre square is cut out first; else they are bent.
    """

    paths: Sequence[Path]
    shape: tuple[int, int, int]
    resized: bool
    crop: bool

    def take(self, numbers: Numbers) -> Bytes:
        """Images [n, H, W, C].

        Raises:
            UnreadableError: a file cannot be read.
        """
        made = np.empty((len(numbers), *self.shape), dtype=np.uint8)
        for row, number in enumerate(numbers):
            made[row] = self.one(int(number))
        return made

    def one(self, number: int) -> Bytes:
        """One image [H, W, C].

        Raises:
            UnreadableError: the file cannot be read.
        """
        path = self.paths[number]
        height, width, channels = self.shape
        try:
            with Image.open(path) as opened:
                if self.resized:
                    # Far larger JPEGs are decoded at 1/2, 1/4 or 1/8, three times as fast.
                    opened.draft(None, (_MARGIN * width, _MARGIN * height))
                image = _plain(ImageOps.exif_transpose(opened), channels)
        except Exception as error:  # Pillow's readers raise all sorts on damaged files
            raise UnreadableError(f"{path}: {_reason(error)}") from None
        if self.resized:
            image = resize(_centre(image) if self.crop else image, height)
        if image.size != (width, height):
            raise UnreadableError(
                f"{path}: is {image.width} x {image.height} pixels, not {width} x {height}"
            )
        return np.asarray(image).reshape(self.shape)


def read_image(path: Path, channels: int) -> Image.Image:
    """Return a file's image in its own size, grey (1) or RGB (3), read as `FilePixels` reads.

    Raises:
        UnreadableError: the file cannot be read.
    """
    try:
        with Image.open(path) as opened:
            return _plain(ImageOps.exif_transpose(opened), channels)
    except Exception as error:  # Pillow's readers raise all sorts on damaged files
        raise UnreadableError(f"{path}: {_reason(error)}") from None


@dataclass(frozen=True)
class Header:
    """What a file says of its image before it is decoded."""

    width: int
    height: int
    has_colour: bool


def header(path: Path) -> Header | None:
    """Return what a file says of its image; None: it cannot be read."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            if image.getexif().get(_ORIENTATION) in _SIDEWAYS:
                width, height = height, width
            return Header(width, height, _has_colour(image))
    except Exception:  # told, by whoever decodes it
        return None


def in_threads(work: Callable[[int], T], num: int) -> Iterator[T]:
    """Yield work(0), ..., work(num - 1), done by as many threads as there are cores.

    Pillow decodes outside of Python's lock.
    """
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for start in range(0, num, _QUEUE):  # each waiting piece of work takes memory
            yield from pool.map(work, range(start, min(start + _QUEUE, num)))


def _has_colour(image: Image.Image) -> bool:
    if image.mode in ("P", "PA"):
        colours = image.convert("RGB").getcolors(_PALETTE) or []
        return any(len(set(colour)) > 1 for _, colour in colours if isinstance(colour, tuple))
    return image.mode not in _GREY


def _plain(image: Image.Image, channels: int) -> Image.Image:
    """Return the image in 8 bits, grey (1) or RGB (3)."""
    if image.mode == "F":
        raise ValueError("its floats have no known range")
    if image.mode in _DEEP:
        deep: npt.NDArray[np.float64] = np.asarray(image).astype(np.float64)
        image = Image.fromarray(np.round(deep.clip(0, 65535) / 257).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image).convert("RGB")
    return image.convert("L" if channels == 1 else "RGB")


def _centre(image: Image.Image) -> Image.Image:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "is not an image"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return " ".join(str(error).split()) or type(error).__name__
