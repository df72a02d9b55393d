"""The form that any set of images can be asked for in, and how a set takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_runner.datasets.dataset import Dataset, Rows, stream
from gan_runner.datasets.sources import ImageSource, Pixels, Resized

_GIB = 2**30


@dataclass(frozen=True, kw_only=True)
class Form:
    """What every set of images lets one choose.

    classes: labels that are kept, in the order of their new numbers; None: all.
    size: the side that images are resized to; None: as they are. pad: black pixels added on every
    side. flip: training images are mirrored at random. seed: of the split.
    memory_limit: GiB of bytes above which images are made while training, by `workers` processes.
    """

    classes: Sequence[int] | None = None
    size: int | None = None
    pad: int = 0
    flip: bool = False
    seed: int = 0
    memory_limit: float = 4.0
    workers: int = 2

    def fits(self, sources: Mapping[str, ImageSource]) -> bool:
        """Whether all images of a set may be resident."""
        return sum(source.numel() for source in sources.values()) <= self.memory_limit * _GIB


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """Some of a set's images by number, int64 [N], with their labels, int64 [N]."""

    pixels: Pixels
    rows: Tensor
    labels: Tensor | None = None

    def of_classes(self, kept: tuple[int, ...] | None) -> Part:
        """The images of the classes that are kept."""
        rows, labels = of_classes(self.rows, self.labels, kept)
        return Part(pixels=self.pixels, rows=rows, labels=labels)


def split(num: int, held: Mapping[str, int], seed: int, name: str) -> tuple[Tensor, ...]:
    """Return the row numbers of each held-out part, in their order, and of the rest.

    held: numbers of rows by the option that asks for them. name: of the data set.

    Raises:
        ValueError: nothing is left.
    """
    if sum(held.values()) >= num:
        said = " and ".join(f"dataset.{key}={value}" for key, value in held.items())
        raise ValueError(f"{said}: nothing is left to train on of {name}'s {num:,} images")
    order = torch.randperm(num, generator=stream(seed, "split"))
    return torch.split(order, [*held.values(), num - sum(held.values())])


def kept_classes(form: Form, classes: tuple[str, ...] | None, name: str) -> tuple[int, ...] | None:
    """Return the classes that are kept, by number; None: all of them, in their own order.

    Raises:
        ValueError: there is no such class, or one is named twice.
    """
    if form.classes is None:
        return None
    said = f"dataset.classes={list(form.classes)}"
    if classes is None:
        raise ValueError(f"{said}: dataset={name} has no classes; leave it null")
    if not form.classes or len(set(form.classes)) < len(form.classes):
        raise ValueError(f"{said}: must name at least one class, and each once")
    if not all(0 <= each < len(classes) for each in form.classes):
        raise ValueError(f"{said}: {name} has the classes 0 to {len(classes) - 1}")
    return tuple(form.classes)


def of_classes(
    rows: Tensor, labels: Tensor | None, kept: tuple[int, ...] | None
) -> tuple[Tensor, Tensor | None]:
    """Return the rows of the classes that are kept, and their labels, numbered in their order."""
    if kept is None or labels is None:
        return rows, labels
    renumbered = torch.full_like(labels, -1)
    for new, old in enumerate(kept):
        renumbered[labels == old] = new
    chosen = renumbered >= 0
    return rows[chosen], renumbered[chosen]


def resized(pixels: Pixels, form: Form) -> Pixels:
    """Return images in the size asked for."""
    if form.size is None or pixels.shape[:2] == (form.size, form.size):
        return pixels
    return Resized(pixels, form.size)


def known_by(classifier: str | None, pixels: Pixels, form: Form) -> str | None:
    """Return the classifier of a set, which knows its images in their own size only."""
    return classifier if resized(pixels, form) is pixels else None


def source(part: Part, form: Form) -> ImageSource:
    """Return a part's images in the size and with the border asked for."""
    return ImageSource(resized(part.pixels, form), part.rows, form.pad)


def published(
    name: str,
    parts: Mapping[str, Part],
    classes: tuple[str, ...],
    form: Form,
    *,
    classifier: str | None = None,
) -> Dataset:
    """Return a published set in the form asked for, resident if it fits the limit.

    classifier: the shipped one that knows the set's images as they are published.

    Raises:
        ValueError: a class is not there, or a split is empty.
    """
    kept = kept_classes(form, classes, name)
    parts = {key: part.of_classes(kept) for key, part in parts.items()}
    sources = {key: source(part, form) for key, part in parts.items()}
    fits = form.fits(sources)
    images = {key: each.resident() if fits else each for key, each in sources.items()}
    labels = {key: part.labels for key, part in parts.items()}
    return image_dataset(
        name,
        images,
        labels,
        classes,
        kept,
        form,
        classifier=known_by(classifier, parts["train"].pixels, form),
        lazy=not fits,
    )


def image_dataset(
    name: str,
    images: Mapping[str, Rows],
    labels: Mapping[str, Tensor | None],
    classes: tuple[str, ...] | None,
    kept: tuple[int, ...] | None,
    form: Form,
    *,
    classifier: str | None = None,
    lazy: bool,
) -> Dataset:
    """Return the data set of images by split. lazy: workers are to read them.

    Raises:
        ValueError: a split is empty.
    """
    splits: dict[str, dict[str, Rows]] = {}
    for key, rows in images.items():
        if not len(rows):
            raise ValueError(f"dataset={name}: no image is left in the {key} split")
        splits[key] = {"real": rows}
        label = labels.get(key)
        if label is not None:
            splits[key]["label"] = label
    return Dataset(
        name=name,
        kind="images",
        splits=splits,
        classes=classes if classes is None or kept is None else tuple(classes[k] for k in kept),
        original_classes=kept,
        classifier=classifier,
        pad=form.pad,
        flip=form.flip,
        workers=form.workers if lazy else 0,
    )
