"""Data sets of super-resolution: photographs, and digits, with their small forms."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from gan_runner.data_paths import find
from gan_runner.datasets import images
from gan_runner.datasets.dataset import Dataset, Rows, resident, stream
from gan_runner.datasets.decoding import UnreadableError, header, in_threads, read_image
from gan_runner.datasets.folders import ENDINGS
from gan_runner.datasets.photographs import (
    Crops,
    FilePhotos,
    HeldPhotos,
    Photos,
    Wholes,
    as_array,
    as_image,
    places,
    smaller,
)
from gan_runner.datasets.sources import ImageSource

_GIB = 2**30
_SAMPLE_SHARES = {"train": (0.0, 0.6), "validation": (0.6, 0.8), "test": (0.8, 1.0)}
_NAMED = 5  # files in a message
_MOST = 500  # digits of a split that are tested on as whole images


@dataclass(frozen=True, kw_only=True)
class _Split:
    """Photographs of a split, by number in `photos`, with their names."""

    photos: Photos
    numbers: Sequence[int]
    names: Sequence[str]


def superres(
    *,
    path: str | None = None,
    test_path: str | None = None,
    scale: int = 4,
    crop: int = 96,
    num_crops: int = 10_000,
    num_held_crops: int = 64,
    channels: int = 3,
    validation_share: float = 0.05,
    test_share: float = 0.15,
    flip: bool = True,
    seed: int = 0,
    memory_limit: float = 4.0,
    workers: int = 2,
) -> Dataset:
    """Pairs of photographs and their small forms: `real` and `low`, both bytes, both in [-1, 1].

    path: a folder of images of any sizes, at any depth; None: scikit-learn's two photographs, of
    which the left 60 % are trained on and the right 20 % tested. Relative paths that are not there
    are looked for in $GAN_RUNNER_DATA. test_path: another folder to test on.
    scale: 2, 3 or 4. crop: side of the crops of the photographs, a multiple of it.
    num_crops: random crops in an epoch, drawn once by `seed`, as many of each photograph.
    num_held_crops: crops of the validation and test splits, for pictures; numbers are measured on
    whole photographs. channels: 3 (RGB) or 1 (grey). flip: training crops are mirrored at random.
    memory_limit: GiB of pixels above which files are decoded while training, by `workers`.

    Raises:
        ValueError: there is no such folder, no or too few images in it, one cannot be read or is
            smaller than a crop, or the crop is no multiple of the scale.
    """
    if crop % scale:
        raise ValueError(
            f"dataset.crop={crop}: must be a multiple of dataset.scale={scale}, "
            f"as {crop - crop % scale} is"
        )
    if channels not in (1, 3):
        raise ValueError(f"dataset.channels={channels}: must be 1 (grey) or 3 (RGB)")
    limit = memory_limit * _GIB
    if path is None:
        splits = _samples(channels)
    else:
        files = _files("dataset.path", path)
        shares = {"test": 0.0 if test_path else test_share, "validation": validation_share}
        splits = _parted(_read("dataset.path", files, channels, limit), files, shares, seed)
    if test_path is not None:
        files = _files("dataset.test_path", test_path)
        photos = _read("dataset.test_path", files, channels, limit)
        splits["test"] = _Split(photos=photos, numbers=range(len(files)), names=_names(files))
    made: dict[str, dict[str, Rows]] = {}
    for key, part in splits.items():
        num = num_crops if key == "train" else num_held_crops
        _large_enough(key, part, crop)
        where = places(part.photos, part.numbers, crop, num, stream(seed, f"crops/{key}"))
        rows = torch.arange(num)
        made[key] = {
            "real": ImageSource(Crops(part.photos, where, crop, 1), rows),
            "low": ImageSource(Crops(part.photos, where, crop, scale), rows),
        }
        if key != "train":
            made[key] = {name: resident(each) for name, each in made[key].items()}
    lazy = isinstance(splits["train"].photos, FilePhotos)
    return _dataset(
        "superres",
        made,
        {
            key: Wholes(photos=each.photos, numbers=each.numbers, names=each.names, scale=scale)
            for key, each in splits.items()
        },
        flip=flip,
        workers=workers if lazy else 0,
    )


def superres_digits(
    *,
    scale: int = 4,
    num_validation: int = 5000,
    path: str | None = None,
    download: bool = True,
    **form: Any,
) -> Dataset:
    """MNIST's digits and their small forms, 7 x 7 (scale 4) or 14 x 14 (scale 2).

    num_validation, path, download: as for `images.mnist`; form: the other fields of `forms.Form`.

    Raises:
        ValueError: as `images.mnist`; or 28 is no multiple of the scale.
    """
    if scale not in (2, 4):
        raise ValueError(f"dataset.scale={scale}: must be 2 (14 -> 28) or 4 (7 -> 28)")
    given = images.mnist(num_validation=num_validation, path=path, download=download, **form)
    return _paired(given, scale)


def superres_digits_small(
    *, scale: int = 2, num_validation: int = 200, num_test: int = 500, **form: Any
) -> Dataset:
    """scikit-learn's digits of 8 x 8 pixels and their small forms of 4 x 4: offline.

    Raises:
        ValueError: as `images.digits`; or the scale is not 2.
    """
    if scale != 2:
        raise ValueError(f"dataset.scale={scale}: must be 2 (4 -> 8)")
    return _paired(images.digits(num_validation=num_validation, num_test=num_test, **form), scale)


def _paired(given: Dataset, scale: int) -> Dataset:
    """A set of small images, each with its smaller form beside it."""
    height, width = given.shape[1:]
    if height % scale or width % scale:
        raise ValueError(
            f"dataset.scale={scale}: images of {height} x {width} pixels are no multiples of it"
        )
    made: dict[str, dict[str, Rows]] = {}
    wholes = {}
    for key, split in given.splits.items():
        real = resident(split["real"])
        found = [as_image(each) for each in real]
        low = np.stack([as_array(smaller(each, scale)) for each in found])
        made[key] = {**split, "real": real, "low": torch.from_numpy(np.moveaxis(low, 3, 1).copy())}
        tested = found[:_MOST]
        wholes[key] = Wholes(
            photos=HeldPhotos(tested, real.shape[1]),
            numbers=range(len(tested)),
            names=[str(number) for number in range(len(tested))],
            scale=scale,
        )
    return replace(given, splits=made, wholes=wholes, workers=0)  # all of it is in memory


def _dataset(
    name: str,
    splits: Mapping[str, Mapping[str, Rows]],
    wholes: Mapping[str, Wholes],
    *,
    flip: bool,
    workers: int,
) -> Dataset:
    return Dataset(
        name=name,
        kind="images",
        splits=splits,
        flip=flip,
        workers=workers,
        wholes=wholes,
    )


def wholes_of(key: str, path: str, *, channels: int, scale: int) -> Wholes:
    """A folder's photographs, whole, to test on. key: of whoever asks, for refusals.

    Raises:
        ValueError: there is no such folder, no image in it, or one that cannot be read or is too
            small.
    """
    files = _files(key, path)
    photos, names = _read(key, files, channels, _GIB), _names(files)
    for number, file in enumerate(files):
        width, height = photos.size(number)
        if min(width, height) // scale <= 2:  # all of it is border
            raise ValueError(f"{key}: {file} is too small: {width} x {height} pixels, x {scale}")
    return Wholes(photos=photos, numbers=range(len(files)), names=names, scale=scale)


def _files(key: str, path: str) -> list[Path]:
    root = find(path)
    if root.is_file():
        raise ValueError(f"{key}={path}: no folder")
    if not root.is_dir():
        raise ValueError(f"{key}={path}: there is no such folder, here or in $GAN_RUNNER_DATA")
    found = sorted(
        each
        for each in root.rglob("*")
        if each.suffix.lower() in ENDINGS
        and not any(part.startswith(".") for part in each.relative_to(root).parts)
    )
    if not found:
        raise ValueError(f"{key}={path}: no image in it (files that end in {', '.join(ENDINGS)})")
    return found


def _read(key: str, files: Sequence[Path], channels: int, limit: float) -> Photos:
    """The photographs of files, in memory where they fit the limit (bytes)."""
    heads = list(in_threads(lambda number: header(files[number]), len(files)))
    reason = "{} is not an image that can be read"
    bad = [reason.format(file) for file, head in zip(files, heads, strict=True) if head is None]
    _check_readable(key, bad, len(files))
    sizes = [(head.width, head.height) for head in heads if head is not None]
    if sum(width * height for width, height in sizes) * channels > limit:
        return FilePhotos(files, sizes, channels)

    def tried(number: int) -> Image.Image | str:
        try:
            return read_image(files[number], channels)
        except UnreadableError as error:
            return str(error)

    found = list(in_threads(tried, len(files)))
    _check_readable(key, [each for each in found if isinstance(each, str)], len(files))
    return HeldPhotos([each for each in found if not isinstance(each, str)], channels)


def _check_readable(key: str, bad: Sequence[str], num: int) -> None:
    """Refuse a folder with files that cannot be read. bad: what is said of each. num: of all."""
    if len(bad) == 1:
        raise ValueError(f"{key}: {bad[0]}; take it away")
    if bad:
        more = f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
        said = "; ".join(bad[:_NAMED])
        raise ValueError(f"{key}: {len(bad)} of {num} files: {said}{more}; take them away")


def _names(files: Sequence[Path]) -> list[str]:
    """A name for each file, none twice: without its folder and ending, where that tells apart."""
    stems = [each.stem for each in files]
    if len(set(stems)) == len(files):
        return stems
    root = os.path.commonpath([each.parent for each in files])
    return [each.relative_to(root).as_posix() for each in files]


def _parted(
    photos: Photos, files: Sequence[Path], shares: Mapping[str, float], seed: int
) -> dict[str, _Split]:
    """The splits of a folder's photographs, at random by the seed."""
    num = len(files)
    held = {key: max(1, round(num * share)) for key, share in shares.items() if share > 0}
    if sum(held.values()) >= num:
        raise ValueError(
            f"dataset.path={files[0].parent}: {num} images are too few for one to train on beside "
            + " and ".join(f"{count} for {key}" for key, count in held.items())
        )
    called = _names(files)
    order = torch.randperm(num, generator=stream(seed, "split")).tolist()
    found, start = {}, 0
    for key, count in {**held, "train": num - sum(held.values())}.items():
        numbers = sorted(order[start : start + count])
        names = [called[number] for number in numbers]
        found[key] = _Split(photos=photos, numbers=numbers, names=names)
        start += count
    return found


def _samples(channels: int) -> dict[str, _Split]:
    """scikit-learn's two photographs, cut into splits from left to right."""
    from sklearn.datasets import load_sample_images

    found = load_sample_images()
    names = [Path(name).stem for name in found.filenames]
    splits = {}
    for key, (start, end) in _SAMPLE_SHARES.items():
        parts = []
        for array in found.images:
            image = Image.fromarray(array).convert("L" if channels == 1 else "RGB")
            left, right = round(start * image.width), round(end * image.width)
            parts.append(image.crop((left, 0, right, image.height)))
        splits[key] = _Split(
            photos=HeldPhotos(parts, channels), numbers=range(len(parts)), names=names
        )
    return splits


def _large_enough(key: str, part: _Split, crop: int) -> None:
    for number, name in zip(part.numbers, part.names, strict=True):
        width, height = part.photos.size(number)
        if min(width, height) < crop:
            raise ValueError(
                f"dataset.crop={crop}: {name}, in the {key} split, is {width} x {height} pixels"
            )
