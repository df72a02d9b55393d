"""Published sets of small images: scikit-learn's digits, MNIST and its kin, CIFAR-10.

Images stay the bytes that they are published as; `as_floats` scales a batch of them to [-1, 1].
In each builder `form` stands for the fields of `forms.Form`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from gan_runner.datasets import cifar, downloads, idx
from gan_runner.datasets.dataset import Dataset, Rows, stream
from gan_runner.datasets.forms import (
    Form,
    Part,
    image_dataset,
    known_by,
    published,
    resized,
    source,
    split,
)
from gan_runner.datasets.sources import ArrayPixels, ImageSource, Stacked

_DIGITS = tuple("0123456789")
_CLOTHES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
    "Ankle boot",
)  # fmt: skip


def digits(*, num_validation: int = 200, num_test: int = 500, **form: Any) -> Dataset:
    """Return scikit-learn's 1,797 digits of 8 x 8 pixels, whose 17 greys become 0..255.

    Raises:
        ValueError: the split leaves nothing to train on, or a class is not there.
    """
    from sklearn.datasets import load_digits

    asked, found = Form(**form), load_digits()
    grey = np.round(found.images * (255 / 16)).astype(np.uint8)
    pixels, labels = ArrayPixels(grey[..., None]), torch.from_numpy(found.target.astype(np.int64))
    held = {"num_test": num_test, "num_validation": num_validation}
    test, validation, train = split(len(labels), held, asked.seed, "digits")
    rows = {"train": train, "validation": validation, "test": test}
    parts = {key: Part(pixels=pixels, rows=each, labels=labels[each]) for key, each in rows.items()}
    return published("digits", parts, _DIGITS, asked, classifier="digits")


def mnist(
    *, num_validation: int = 5000, path: str | None = None, download: bool = True, **form: Any
) -> Dataset:
    """Return MNIST (LeCun et al. 1998): 70,000 digits, 28 x 28 grey.

    num_validation: images held out of the 60,000 for training. path: the folder in which MNIST/raw
    holds the files; None: $GAN_RUNNER_DATA, else ~/.cache/gan_runner/data. download: fetch them.

    Raises:
        ValueError: the files are not there, the split leaves nothing, or a class is not there.
    """
    asked = Form(**form)
    files = downloads.idx_files("mnist", "MNIST", path, download=download)
    parts = _idx_parts("mnist", files, num_validation, asked)
    return published("mnist", parts, _DIGITS, asked, classifier="mnist")


def fashion_mnist(
    *, num_validation: int = 5000, path: str | None = None, download: bool = True, **form: Any
) -> Dataset:
    """Return Fashion-MNIST (Xiao et al. 2017): 70,000 clothes, 28 x 28 grey; as `mnist`.

    Raises:
        ValueError: as `mnist`.
    """
    asked = Form(**form)
    files = downloads.idx_files("fashion_mnist", "FashionMNIST", path, download=download)
    parts = _idx_parts("fashion_mnist", files, num_validation, asked)
    return published("fashion_mnist", parts, _CLOTHES, asked, classifier="fashion_mnist")


def cifar10(
    *, num_validation: int = 5000, path: str | None = None, download: bool = True, **form: Any
) -> Dataset:
    """Return CIFAR-10 (Krizhevsky 2009): 60,000 images of 10 classes, 32 x 32 RGB.

    num_validation, path, download: as for `mnist`; `cifar.read` tells which files are read.

    Raises:
        ValueError: as `mnist`.
    """
    asked = Form(**form)
    train, test = cifar.read(path, download=download)
    held = {"num_validation": num_validation}
    validation_rows, train_rows = split(len(train.labels), held, asked.seed, "cifar10")
    parts = {
        "train": train.part(train_rows),
        "validation": train.part(validation_rows),
        "test": test.part(torch.arange(len(test.labels))),
    }
    return published("cifar10", parts, cifar.CLASSES, asked, classifier="cifar10")


def stacked_mnist(
    *,
    num_samples: int = 128_000,
    num_validation: int = 5000,
    num_test: int = 26_000,
    path: str | None = None,
    download: bool = True,
    **form: Any,
) -> Dataset:
    """Return images whose three channels are random MNIST digits: 1,000 modes (Metz et al. 2017).

    Training images are stacked from MNIST's training digits, less the num_validation digits that
    as many validation images are stacked from; test images from the test digits. Digits are drawn
    with replacement, by the seed. Images are stacked when asked for.

    Raises:
        ValueError: as `mnist`; or classes are asked for, which stacks have not.
    """
    asked = Form(**form)
    if asked.classes is not None:
        raise ValueError(
            f"dataset.classes={list(asked.classes)}: stacked_mnist has all digits; leave it null"
        )
    files = downloads.idx_files("stacked_mnist", "MNIST", path, download=download)
    parts = _idx_parts("stacked_mnist", files, num_validation, asked)
    sources = {key: source(part, asked) for key, part in parts.items()}
    fits = asked.fits(sources)  # the digits, that is: their stacks are never held
    numbers = {"train": num_samples, "validation": num_validation, "test": num_test}
    images: dict[str, Rows] = {}
    for key, num in numbers.items():
        pixels, rows = resized(parts[key].pixels, asked), parts[key].rows
        if fits:
            held = ImageSource(pixels, rows).resident()[:, 0]  # [M, H, W]
            pixels, rows = ArrayPixels(held.numpy()[..., None]), torch.arange(len(rows))
        triples = rows[torch.randint(len(rows), (num, 3), generator=stream(asked.seed, key))]
        images[key] = ImageSource(Stacked(pixels, triples.numpy()), torch.arange(num), asked.pad)
    classifier = known_by("mnist", parts["train"].pixels, asked)
    return image_dataset(
        "stacked_mnist", images, {}, None, None, asked, classifier=classifier, lazy=not fits
    )


def _idx_parts(
    name: str, files: dict[str, idx.Files], num_validation: int, form: Form
) -> dict[str, Part]:
    """Return the parts of a set in MNIST's files; validation is held out of their training set."""
    train, train_labels = files["train"].pixels(), files["train"].labels()
    test, test_labels = files["test"].pixels(), files["test"].labels()
    held = {"num_validation": num_validation}
    validation_rows, train_rows = split(len(train_labels), held, form.seed, name)
    return {
        "train": Part(pixels=train, rows=train_rows, labels=train_labels[train_rows]),
        "validation": Part(
            pixels=train, rows=validation_rows, labels=train_labels[validation_rows]
        ),
        "test": Part(pixels=test, rows=torch.arange(len(test_labels)), labels=test_labels),
    }
