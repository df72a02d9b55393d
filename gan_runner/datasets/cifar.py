"""CIFAR-10's files: the published pickles, or JPEG streams in an .npz."""

from __future__ import annotations

import hashlib
import io
import logging
import pickle
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gan_runner.data_paths import data_folder
from gan_runner.datasets import downloads
from gan_runner.datasets.forms import Part
from gan_runner.datasets.sources import ArrayPixels, Bytes, Numbers, Pixels

log = logging.getLogger(__name__)

CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
FILES = {  # the published md5 of each
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
_JPEG = ("cifar10_train_jpeg.npz", "cifar10_test_jpeg.npz")
_SIDE = 32


@dataclass(frozen=True, kw_only=True, eq=False)
class Half:
    """The training or the test images with their labels, int64 [N]."""

    pixels: Pixels
    labels: Tensor

    def part(self, rows: Tensor) -> Part:
        """Some of them, by number."""
        return Part(pixels=self.pixels, rows=rows, labels=self.labels[rows])


@dataclass(frozen=True, eq=False)
class JpegPixels:
    """JPEG streams of 32 x 32 RGB images, joined: the i-th lies from offsets[i] to offsets[i + 1].

    data: bytes; offsets: int64 [M + 1].
    """

    data: Bytes
    offsets: Numbers

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        return _SIDE, _SIDE, 3

    def take(self, numbers: Numbers) -> Bytes:
        """Images [n, H, W, C]."""
        made = np.empty((len(numbers), *self.shape), dtype=np.uint8)
        for row, number in enumerate(numbers):
            coded = self.data[self.offsets[number] : self.offsets[number + 1]]
            made[row] = np.asarray(Image.open(io.BytesIO(coded.tobytes())))
        return made


def read(path: str | None, *, download: bool) -> tuple[Half, Half]:
    """Return the training and the test half.

    In the folder (`data_paths.data_folder`) these are read: `cifar-10-batches-py/`, the published
    pickles in torchvision's place, if it is there; else `cifar10/cifar10_{train,test}_jpeg.npz`
    with `data` (joined JPEG streams), `offsets` and `labels`, whose pixels are not the published
    ones; else torchvision fetches the former.

    Raises:
        ValueError: none is there or can be had, or a file is damaged.
    """
    root = data_folder(path)
    pickles = root / "cifar-10-batches-py"
    coded = [root / "cifar10" / name for name in _JPEG]
    if not _complete(pickles):
        if all(each.is_file() for each in coded):
            log.warning(
                "dataset=cifar10: read from %s, whose pixels are JPEG-coded: "
                "distances to them do not compare with published ones",
                coded[0].parent,
            )
            train, test = (_coded(each) for each in coded)
            return train, test
        downloads.fetch("cifar10", "CIFAR10", root, pickles, download=download)
        if not _complete(pickles):
            raise ValueError(f"dataset=cifar10: {pickles} does not hold all of its files")
    names = list(FILES)
    return _unpickled(pickles, names[:-1]), _unpickled(pickles, names[-1:])


def _complete(folder: Path) -> bool:
    return all((folder / name).is_file() for name in FILES)


def _coded(path: Path) -> Half:
    try:
        with np.load(path, allow_pickle=False) as found:
            data, offsets, labels = found["data"], found["offsets"], found["labels"]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error) as error:
        raise ValueError(f"{path}: cannot be read ({' '.join(str(error).split())})") from None
    if len(offsets) != len(labels) + 1 or offsets[-1] != len(data):
        raise ValueError(f"{path}: its offsets, labels and data do not belong together")
    return Half(
        pixels=JpegPixels(data, offsets.astype(np.int64)),
        labels=torch.from_numpy(labels.astype(np.int64)),
    )


def _unpickled(folder: Path, names: list[str]) -> Half:
    batches = [_batch(folder / name, FILES[name]) for name in names]
    planes = np.concatenate([data for data, _ in batches]).reshape(-1, 3, _SIDE, _SIDE)
    labels = torch.tensor([label for _, labels in batches for label in labels])
    return Half(pixels=ArrayPixels(np.moveaxis(planes, 1, 3)), labels=labels)


def _batch(path: Path, md5: str) -> tuple[Bytes, list[int]]:
    """Return a file's images [N, 3072] and labels."""
    data = path.read_bytes()
    # Pickles can run code: these are the published ones to the byte, and read as data alone.
    if hashlib.md5(data, usedforsecurity=False).hexdigest() != md5:
        raise ValueError(f"{path}: is not the published file (its md5 differs); delete it")
    found = _ArrayUnpickler(io.BytesIO(data), encoding="latin1").load()
    return found["data"], found["labels"]


class _ArrayUnpickler(pickle.Unpickler):
    """Makes plain containers and numpy arrays, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if name == "_reconstruct" and module.endswith("core.multiarray"):
            return super().find_class(module, name)
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        raise pickle.UnpicklingError(f"{module}.{name} does not belong in a file of images")
