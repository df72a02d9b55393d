"""The user's own images, in a folder."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan_runner.datasets.dataset import Dataset, Rows, stream
from gan_runner.datasets.decoding import FilePixels, UnreadableError, header, in_threads
from gan_runner.datasets.forms import Form, image_dataset, kept_classes, of_classes
from gan_runner.datasets.sources import ImageSource

log = logging.getLogger(__name__)

ENDINGS = (
    ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif",
    ".tiff", ".webp",
)  # fmt: skip
_MIN_TRAIN = 2
_NAMED = 3  # unreadable files that are named
_MANY = 20_000  # files whose reading is announced


@dataclass(frozen=True, kw_only=True)
class _Listed:
    """The files of a folder, sorted, and their classes: names, and a number for each file."""

    paths: list[Path]
    classes: tuple[str, ...] | None
    labels: Tensor | None  # int64 [N]


def folder(
    *,
    path: str,
    size: int | None = 64,
    crop: bool = True,
    channels: int | None = None,
    validation_share: float = 0.05,
    test_share: float = 0.15,
    max_unreadable: float = 0.01,
    **form: Any,
) -> Dataset:
    """Read a folder of images and split them at random.

    path: the folder; its sub-folders, if there are any, are classes in the order of their names,
    and images lie in them at any depth. Hidden files and folders are passed over.
    size: the side of the square that images become; None: all have one size, and keep it.
    crop: the centre square is cut out before resizing; otherwise images are bent.
    channels: 1 (grey), 3 (RGB) or None: RGB if any file has colour. See `decoding.FilePixels` for
    what becomes of other kinds of files.
    validation_share, test_share: shares of the files, in (0, 1), together below 1.
    max_unreadable: share of files above which those that cannot be read are an error; below it
    they are named in a warning. All files are read once for this, resident or not.
    form: the other fields of `forms.Form`.

    Raises:
        ValueError: there is no such folder or no image in it, sizes differ and none is given, too
            many files cannot be read, too few remain, or an option is out of its range.
    """
    _check(channels, validation_share, test_share)
    asked = Form(size=size, **form)
    root = Path(path).expanduser()
    listed = _list(root)
    kept = kept_classes(asked, listed.classes, f"folder {root}")
    numbers, labels = of_classes(torch.arange(len(listed.paths)), listed.labels, kept)
    paths = [listed.paths[number] for number in numbers.tolist()]
    shape = _shape(root, paths, size, channels)
    pixels = FilePixels(tuple(paths), shape, resized=size is not None, crop=crop)
    rows = _split(root, len(paths), validation_share, test_share, asked.seed)
    fits = asked.fits({key: ImageSource(pixels, each, asked.pad) for key, each in rows.items()})
    if len(paths) > _MANY:
        log.info("reading %s images in %s", f"{len(paths):,}", root)
    failures: dict[int, UnreadableError] = {}
    images = {
        key: _read(pixels, each, asked.pad, failures, keep=fits) for key, each in rows.items()
    }
    _report(root, failures, len(paths), max_unreadable)
    good = {key: _without(each, failures) for key, each in rows.items()}
    _enough(root, {key: len(each) for key, each in good.items()})
    return image_dataset(
        "folder",
        images,
        {key: None if labels is None else labels[each] for key, each in good.items()},
        listed.classes,
        kept,
        asked,
        lazy=not fits,
    )


def _check(channels: int | None, validation_share: float, test_share: float) -> None:
    if channels not in (None, 1, 3):
        raise ValueError(f"dataset.channels={channels}: must be 1 (grey), 3 (RGB) or null")
    if validation_share + test_share >= 1:
        raise ValueError(
            f"dataset.validation_share={validation_share} and dataset.test_share={test_share}: "
            "must sum to less than 1"
        )


def _list(root: Path) -> _Listed:
    """Return the image files of a folder.

    Raises:
        ValueError: there is no such folder, or no image in it.
    """
    if not root.is_dir():
        raise ValueError(
            f"dataset.path={root}: {'no folder' if root.exists() else 'there is no such folder'}"
        )
    entries = sorted(each for each in root.iterdir() if not each.name.startswith("."))
    folders = [each for each in entries if each.is_dir()]
    beside = [each for each in entries if _is_image(each.name) and each.is_file()]
    if not folders:
        if not beside:
            raise ValueError(f"dataset.path={root}: no image in it ({_endings()})")
        return _Listed(paths=beside, classes=None, labels=None)
    found = {each.name: _walk(each) for each in folders}
    empty = [name for name, paths in found.items() if not paths]
    if len(empty) == len(folders):
        raise ValueError(
            f"dataset.path={root}: no image in its sub-folders, which are classes ({_endings()})"
        )
    if empty:
        log.warning("%s: no image in the sub-folders %s", root, _some(empty))
    if beside:
        log.warning(
            "%s: %d images beside the sub-folders, which are classes, are left out",
            root,
            len(beside),
        )
    full = {name: paths for name, paths in found.items() if paths}
    counts = torch.tensor([len(paths) for paths in full.values()])
    return _Listed(
        paths=[path for paths in full.values() for path in paths],
        classes=tuple(full),
        labels=torch.arange(len(full)).repeat_interleave(counts),
    )


def _walk(folder: Path) -> list[Path]:
    """Return the images in a folder at any depth, sorted."""
    found: list[Path] = []
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [each for each in folders if not each.startswith(".")]
        found += [Path(parent, name) for name in names if _is_image(name)]
    return sorted(found)


def _is_image(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in ENDINGS


def _endings() -> str:
    return "files that end in " + ", ".join(ENDINGS)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _shape(
    root: Path, paths: Sequence[Path], size: int | None, channels: int | None
) -> tuple[int, int, int]:
    """Return the (H, W, C) that the images will have.

    Raises:
        ValueError: they differ in size and none is given, or no file can be read.
    """
    if size is not None and channels is not None:
        return size, size, channels
    found = [
        (path, each)
        for path, each in zip(
            paths, in_threads(lambda number: header(paths[number]), len(paths)), strict=True
        )
        if each is not None
    ]
    if not found:
        raise ValueError(f"dataset.path={root}: none of its {len(paths):,} files can be read")
    if channels is None:
        channels = 3 if any(each.has_colour for _, each in found) else 1
    if size is not None:
        return size, size, channels
    first_path, first = found[0]
    for path, each in found:
        if (each.width, each.height) != (first.width, first.height):
            raise ValueError(
                f"dataset.size=null: {first_path} is {first.width} x {first.height} pixels and "
                f"{path} {each.width} x {each.height}; give the size that all are to have"
            )
    return first.height, first.width, channels


def _split(
    root: Path, num: int, validation_share: float, test_share: float, seed: int
) -> dict[str, Tensor]:
    """Return the numbers of each split's files, in a random order."""
    num_test = max(1, round(num * test_share))
    num_validation = max(1, round(num * validation_share))
    num_train = num - num_test - num_validation
    _enough(root, {"train": num_train, "validation": num_validation, "test": num_test})
    order = torch.randperm(num, generator=stream(seed, "split"))
    test, validation, train = torch.split(order, [num_test, num_validation, num_train])
    return {"train": train, "validation": validation, "test": test}


def _enough(root: Path, counts: Mapping[str, int]) -> None:
    if counts["train"] < _MIN_TRAIN or not all(counts.values()):
        total = max(0, sum(counts.values()))
        raise ValueError(
            f"dataset.path={root}: {total} images are too few for at least {_MIN_TRAIN} to train "
            "on, one for validation and one for testing"
        )


def _read(
    pixels: FilePixels,
    rows: Tensor,
    pad: int,
    failures: dict[int, UnreadableError],
    *,
    keep: bool,
) -> Rows:
    """Read files once, and return their images: resident if they are kept, else a source.

    failures: is given the numbers of the files that cannot be read, which are left out.
    """
    held = torch.zeros(ImageSource(pixels, rows, pad).shape if keep else 0, dtype=torch.uint8)
    inner = held[..., pad : pad + pixels.shape[0], pad : pad + pixels.shape[1]] if keep else held
    numbers = rows.tolist()

    def read(place: int) -> UnreadableError | None:
        try:
            image = pixels.one(numbers[place])
        except UnreadableError as error:
            return error
        if keep:
            inner.numpy()[place] = np.moveaxis(image, 2, 0)
        return None

    failed = dict(zip(numbers, in_threads(read, len(numbers)), strict=True))
    failures |= {number: error for number, error in failed.items() if error is not None}
    good = torch.tensor([failed[number] is None for number in numbers])
    if not keep:
        return ImageSource(pixels, rows[good], pad)
    return held if good.all() else held[good]


def _without(rows: Tensor, failures: Mapping[int, UnreadableError]) -> Tensor:
    return rows[torch.tensor([number not in failures for number in rows.tolist()])]


def _report(root: Path, failures: Mapping[int, UnreadableError], num: int, most: float) -> None:
    """Name files that cannot be read.

    Raises:
        ValueError: their share is above `most`.
    """
    if not failures:
        return
    named = _some([str(failures[number]) for number in sorted(failures)])
    told = f"{len(failures):,} of {num:,} files cannot be read: {named}"
    if len(failures) > most * num:
        raise ValueError(f"dataset.path={root}, dataset.max_unreadable={most}: {told}")
    log.warning("%s: %s; they are left out", root, told)
