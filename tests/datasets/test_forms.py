"""The form of a set of images: classes, splits, and resident or not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gan_runner.datasets.forms import (
    Form,
    Part,
    image_dataset,
    kept_classes,
    of_classes,
    published,
    split,
)
from gan_runner.datasets.sources import ArrayPixels, ImageSource

NAMES = ("a", "b", "c")


def parts(num: int = 30) -> dict[str, Part]:
    """Images 8 x 8 whose bytes are their number; the class of the i-th is i % 3."""
    array = np.arange(num, dtype=np.uint8).reshape(num, 1, 1, 1) + np.zeros((1, 8, 8, 1), np.uint8)
    pixels, rows = ArrayPixels(array), torch.arange(num)
    cut = {"train": rows[:-12], "validation": rows[-12:-6], "test": rows[-6:]}
    return {key: Part(pixels=pixels, rows=each, labels=each % 3) for key, each in cut.items()}


def test_split_holds_out_without_overlap() -> None:
    test, validation, train = split(50, {"num_test": 10, "num_validation": 5}, 0, "x")
    assert (len(test), len(validation), len(train)) == (10, 5, 35)
    assert sorted(torch.cat([test, validation, train]).tolist()) == list(range(50))
    assert test.tolist() != sorted(test.tolist())


def test_split_depends_on_the_seed_alone() -> None:
    def drawn(seed: int) -> Tensor:
        return torch.cat(split(50, {"num_test": 10}, seed, "x"))

    assert torch.equal(drawn(3), drawn(3))
    assert not torch.equal(drawn(3), drawn(4))


@pytest.mark.parametrize("num_test", [45, 60])
def test_split_refuses_to_leave_nothing(num_test: int) -> None:
    held = {"num_test": num_test, "num_validation": 5}
    with pytest.raises(
        ValueError,
        match=rf"dataset.num_test={num_test} and dataset.num_validation=5: nothing is left to "
        "train on of x's 50 images",
    ):
        split(50, held, 0, "x")
    assert len(split(51, {**held, "num_test": 45}, 0, "x")[2]) == 1


def test_classes_are_numbered_in_the_order_given() -> None:
    rows, labels = of_classes(torch.tensor([10, 11, 12, 13]), torch.tensor([0, 1, 2, 0]), (2, 0))
    assert labels is not None
    assert rows.tolist() == [10, 12, 13]
    assert labels.tolist() == [1, 0, 1]


def test_all_classes_stay_as_they_are() -> None:
    rows, labels = torch.arange(3), torch.tensor([2, 0, 1])
    assert of_classes(rows, labels, None) == (rows, labels)
    assert of_classes(rows, None, None) == (rows, None)
    assert kept_classes(Form(), NAMES, "x") is None


@pytest.mark.parametrize(
    ("classes", "names", "message"),
    [
        ([3], NAMES, r"dataset.classes=\[3\]: x has the classes 0 to 2"),
        ([0, -1], NAMES, r"dataset.classes=\[0, -1\]: x has the classes 0 to 2"),
        ([1, 1], NAMES, r"dataset.classes=\[1, 1\]: must name at least one class, and each once"),
        ([], NAMES, r"dataset.classes=\[\]: must name at least one class"),
        ([0], None, r"dataset.classes=\[0\]: dataset=x has no classes; leave it null"),
    ],
)
def test_refuses_classes(classes: list[int], names: tuple[str, ...] | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kept_classes(Form(classes=classes), names, "x")


def test_published_describes_itself() -> None:
    dataset = published("x", parts(), NAMES, Form(pad=2, flip=True), classifier="digits")
    assert (dataset.name, dataset.kind, dataset.classifier) == ("x", "images", "digits")
    assert (dataset.shape, dataset.num_train, dataset.num_classes) == ((1, 12, 12), 18, 3)
    assert (dataset.pad, dataset.flip, dataset.workers) == (2, True, 0)
    assert (dataset.classes, dataset.original_classes) == (NAMES, None)
    images = torch.rand(2, 1, 12, 12)
    assert torch.equal(dataset.unscale(images), images)
    real, label = dataset.splits["train"]["real"], dataset.splits["train"]["label"]
    assert isinstance(real, Tensor)
    assert real.dtype == torch.uint8
    assert real[:, 0, 5, 5].tolist() == list(range(18))
    assert label[:].tolist() == [each % 3 for each in range(18)]


def test_published_keeps_the_classes_asked_for() -> None:
    dataset = published("x", parts(), NAMES, Form(classes=[2, 0]))
    assert (dataset.classes, dataset.original_classes) == (("c", "a"), (2, 0))
    for tensors in dataset.splits.values():
        of_class = tensors["real"][:, 0, 0, 0] % 3
        assert torch.equal(torch.tensor([2, 0])[tensors["label"][:]], of_class.long())
    assert dataset.num_train == 12


def test_a_classifier_knows_the_images_in_their_own_size_only() -> None:
    def found(**form: Any) -> str | None:
        return published("x", parts(), NAMES, Form(**form), classifier="digits").classifier

    assert found() == found(size=8) == found(pad=4) == found(classes=[1]) == "digits"
    assert found(size=16) is None


def test_resizing_applies_only_where_the_size_differs() -> None:
    assert published("x", parts(), NAMES, Form(size=16, pad=1)).shape == (1, 18, 18)
    plain = published("x", parts(), NAMES, Form()).content_hash()
    assert published("x", parts(), NAMES, Form(size=8)).content_hash() == plain


def test_the_limit_counts_every_image_with_its_border() -> None:
    gib = 30 * 12 * 12 / 2**30
    at = published("x", parts(), NAMES, Form(pad=2, memory_limit=gib, workers=3))
    above = published("x", parts(), NAMES, Form(pad=2, memory_limit=gib * 0.999, workers=3))
    assert isinstance(at.splits["train"]["real"], Tensor)
    assert at.workers == 0
    for tensors in above.splits.values():
        assert isinstance(tensors["real"], ImageSource)
        assert isinstance(tensors["label"], Tensor)
    assert above.workers == 3
    assert above.content_hash() == at.content_hash()
    assert above.shape == at.shape


def test_refuses_a_split_without_images() -> None:
    images = {"train": torch.zeros(3, 1, 8, 8), "test": torch.zeros(0, 1, 8, 8)}
    with pytest.raises(ValueError, match="dataset=x: no image is left in the test split"):
        image_dataset("x", images, {}, None, None, Form(), lazy=False)
