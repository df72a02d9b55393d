"""The published sets: what they hold, from made-up files of their formats and from true ones."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gan_runner import registry, schema
from gan_runner.datasets import Dataset, ImageSource, as_floats, images
from gan_runner.datasets.forms import Form

TINY = 1e-9  # GiB, below any set's size


def numbers(dataset: Dataset, split: str) -> list[tuple[int, int]]:
    """The first two bytes of each image: its number and its file's seed."""
    real = dataset.splits[split]["real"][:]
    return [tuple(each) for each in real[:, 0, 0, :2].tolist()]


@pytest.mark.parametrize("name", ["digits", "mnist", "fashion_mnist", "cifar10", "stacked_mnist"])
def test_every_option_of_the_schema_is_taken(name: str) -> None:
    """Builders take the schema's fields, with the same defaults."""
    node = {"digits": "digits", "stacked_mnist": "stacked"}.get(name, "downloaded")
    section = vars(schema.SCHEMAS["dataset"][node]())
    builder = registry.load("datasets", name)
    taken = {
        each.name: each.default
        for each in inspect.signature(builder).parameters.values()
        if each.kind is inspect.Parameter.KEYWORD_ONLY
    }
    expected = {key: value for key, value in section.items() if key not in ("name", "builder")}
    assert {**vars(Form()), **taken} == expected


def test_digits() -> None:
    dataset = images.digits()
    sizes = {split: len(tensors["real"]) for split, tensors in dataset.splits.items()}
    assert sizes == {"train": 1097, "validation": 200, "test": 500}
    assert dataset.shape == (1, 8, 8)
    assert dataset.classes == tuple("0123456789")
    assert dataset.classifier == "digits"
    every = torch.cat([tensors["real"][:] for tensors in dataset.splits.values()])
    assert every.dtype == torch.uint8
    assert sorted(every.unique().tolist()) == [round(each * 255 / 16) for each in range(17)]


def test_digits_are_scikit_learns() -> None:
    from sklearn.datasets import load_digits

    dataset, found = images.digits(), load_digits()
    parts = [dataset.splits[split] for split in ("test", "validation", "train")]
    known = {
        image.tobytes(): label for image, label in zip(found.images, found.target, strict=True)
    }
    assert sum(len(part["real"]) for part in parts) == len(found.images)
    for part in parts:
        grey = (part["real"][:].double() * 16 / 255).round().numpy()[:, 0]
        labels = [known[each.tobytes()] for each in grey]
        assert labels == part["label"][:].tolist()


def test_digits_of_some_classes_are_the_same_images_in_the_same_splits() -> None:
    whole, sevens = images.digits(), images.digits(classes=[7])
    assert sevens.classes == ("7",)
    assert sevens.original_classes == (7,)
    assert sevens.num_classes == 1
    for split, tensors in sevens.splits.items():
        of_seven = whole.splits[split]["label"][:] == 7
        assert torch.equal(tensors["real"][:], whole.splits[split]["real"][of_seven])


def test_the_seed_draws_the_split() -> None:
    hashes = {images.digits(seed=seed).content_hash() for seed in (0, 0, 1)}
    assert len(hashes) == 2


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("name", "folder", "first"),
    [("mnist", "MNIST", "0"), ("fashion_mnist", "FashionMNIST", "T-shirt/top")],
)
def test_idx_sets(
    idx_folder: Callable[..., Path], name: str, folder: str, first: str, compressed: bool
) -> None:
    path = idx_folder(folder, compressed=compressed)
    dataset = getattr(images, name)(num_validation=10, path=str(path))
    assert (dataset.name, dataset.classifier, dataset.shape) == (name, name, (1, 28, 28))
    assert dataset.classes is not None
    assert dataset.classes[0] == first
    assert len(dataset.classes) == 10
    assert numbers(dataset, "test") == [(each, 2) for each in range(20)]  # the official order
    held, kept = numbers(dataset, "validation"), numbers(dataset, "train")
    assert (len(held), len(kept)) == (10, 50)
    assert sorted(held + kept) == [(each, 1) for each in range(60)]
    for split, tensors in dataset.splits.items():
        expected = [number % 10 for number, _ in numbers(dataset, split)]
        assert tensors["label"][:].tolist() == expected
        assert tensors["label"].dtype == torch.int64


@pytest.mark.parametrize("compressed", [False, True])
def test_images_and_labels_that_are_not_as_many(
    idx_folder: Callable[..., Path], compressed: bool
) -> None:
    path = idx_folder(compressed=compressed)
    end = ".gz" if compressed else ""
    raw = path / "MNIST" / "raw"
    (raw / f"train-labels-idx1-ubyte{end}").write_bytes(
        (raw / f"t10k-labels-idx1-ubyte{end}").read_bytes()
    )
    with pytest.raises(ValueError, match=r"20 labels, and train-images\S* has 60 images"):
        images.mnist(num_validation=10, path=str(path))


@pytest.mark.parametrize("compressed", [False, True])
def test_above_the_limit_the_same_set_is_read_from_the_file(
    idx_folder: Callable[..., Path], compressed: bool
) -> None:
    form: dict[str, Any] = {
        "num_validation": 10, "path": str(idx_folder(compressed=compressed)), "classes": [3, 1],
        "size": 12, "pad": 2, "flip": True,
    }  # fmt: skip
    here, there = images.mnist(**form), images.mnist(**form, memory_limit=TINY, workers=1)
    assert isinstance(here.splits["train"]["real"], Tensor)
    assert isinstance(there.splits["train"]["real"], ImageSource)
    assert (here.workers, there.workers) == (0, 1)
    assert here.content_hash() == there.content_hash()
    assert here.shape == there.shape == (1, 16, 16)
    assert here.flip
    assert there.flip


def test_files_are_looked_for_in_the_environments_folder(
    idx_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAN_RUNNER_DATA", str(idx_folder()))
    assert images.mnist(num_validation=1).num_train == 59


def test_stacked_mnist(idx_folder: Callable[..., Path]) -> None:
    def make(**form: Any) -> Dataset:
        return images.stacked_mnist(
            num_samples=300, num_validation=10, num_test=40, path=str(idx_folder()), **form
        )

    dataset = make()
    assert dataset.shape == (3, 28, 28)
    assert (dataset.classifier, dataset.classes, dataset.workers) == ("mnist", None, 0)
    assert all(tuple(tensors) == ("real",) for tensors in dataset.splits.values())
    plain = images.mnist(num_validation=10, path=str(idx_folder()))
    used = {}
    for split, num in (("train", 300), ("validation", 10), ("test", 40)):
        stacks = dataset.splits[split]["real"]
        assert isinstance(stacks, ImageSource)
        assert stacks.shape == (num, 3, 28, 28)
        channels = stacks[:].reshape(-1, 1, 28, 28)
        base = {each.numpy().tobytes() for each in plain.splits[split]["real"][:]}
        found = [each.numpy().tobytes() for each in channels]
        assert set(found) <= base
        used[split] = len(set(found)) / len(base)
    assert used["train"] == 1.0  # 900 draws of 50 digits: each with probability 1 - 1e-8
    triples = dataset.splits["train"]["real"][:][:, :, 0, 0]
    assert len(triples.unique(dim=0)) > 290  # of 125,000
    assert not torch.equal(triples[:, 0], triples[:, 1])
    assert make().content_hash() == dataset.content_hash()
    assert make(seed=1).content_hash() != dataset.content_hash()


def test_stacked_mnist_above_the_limit_and_in_another_form(idx_folder: Callable[..., Path]) -> None:
    form: dict[str, Any] = {
        "num_samples": 30, "num_validation": 10, "num_test": 4, "path": str(idx_folder()),
        "size": 14, "pad": 1,
    }  # fmt: skip
    here = images.stacked_mnist(**form)
    there = images.stacked_mnist(**form, memory_limit=TINY, workers=2)
    assert here.shape == there.shape == (3, 16, 16)
    assert here.content_hash() == there.content_hash()
    assert (here.workers, there.workers) == (0, 2)
    plain = images.mnist(num_validation=10, path=str(idx_folder()), size=14, pad=1)
    base = {each.numpy().tobytes() for each in plain.splits["train"]["real"][:][:, 0]}
    assert {each.numpy().tobytes() for each in here.splits["train"]["real"][:][:, 1]} <= base


def test_stacked_mnist_refuses_classes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"dataset.classes=\[1\]: stacked_mnist has all digits"):
        images.stacked_mnist(classes=[1], path=str(tmp_path))


def test_cifar10(jpeg_folder: Path) -> None:
    dataset = images.cifar10(num_validation=10, path=str(jpeg_folder))
    assert dataset.shape == (3, 32, 32)
    assert dataset.classifier == "cifar10"
    assert dataset.classes is not None
    assert dataset.classes[3:6] == ("cat", "deer", "dog")
    sizes = {split: len(tensors["real"]) for split, tensors in dataset.splits.items()}
    assert sizes == {"train": 50, "validation": 10, "test": 20}
    for tensors in dataset.splits.values():
        red, green, blue = tensors["real"][:].double().mean(dim=(2, 3)).T
        assert (green - 100).abs().max() < 3
        assert (blue - 200).abs().max() < 3
        assert torch.equal((red / 4).round().long() % 10, tensors["label"][:])
    lazy = images.cifar10(num_validation=10, path=str(jpeg_folder), memory_limit=TINY)
    assert isinstance(lazy.splits["train"]["real"], ImageSource)
    assert lazy.content_hash() == dataset.content_hash()


@pytest.mark.parametrize(
    ("name", "digest"), [("mnist", 33.3), ("fashion_mnist", 72.9)], ids=["mnist", "fashion_mnist"]
)
def test_true_idx_sets(real_data: Path, name: str, digest: float) -> None:
    """The mean of all training pixels is a published number of each set: 0.1307 and 0.2860."""
    dataset = getattr(images, name)(path=str(real_data))
    sizes = {split: len(tensors["real"]) for split, tensors in dataset.splits.items()}
    assert sizes == {"train": 55_000, "validation": 5_000, "test": 10_000}
    official = [dataset.splits[split]["real"] for split in ("train", "validation")]
    total = sum(int(each[:].sum(dtype=torch.int64)) for each in official)
    assert total / (60_000 * 784) == pytest.approx(digest, abs=0.06)
    labels = torch.cat([dataset.splits[split]["label"][:] for split in ("train", "validation")])
    counts = labels.bincount().tolist()
    known = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert counts == (known if name == "mnist" else [6000] * 10)


def test_true_mnist_by_its_first_test_digits(real_data: Path) -> None:
    test = images.mnist(path=str(real_data)).splits["test"]
    assert test["label"][:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    floats = as_floats(test["real"][:64], torch.float32)
    assert (float(floats.min()), float(floats.max())) == (-1.0, 1.0)


def test_true_stacked_mnist_has_about_all_modes(real_data: Path) -> None:
    dataset = images.stacked_mnist(path=str(real_data), num_samples=2000)
    first = dataset.splits["train"]["real"][torch.arange(100)]
    assert first.shape == (100, 3, 28, 28)
    assert 25 < first.double().mean() < 42


def test_true_cifar10(real_data: Path) -> None:
    if not (real_data / "cifar10").is_dir():
        pytest.skip("no JPEG-coded CIFAR-10 there")
    dataset = images.cifar10(path=str(real_data), memory_limit=0.01, num_validation=5000)
    test = dataset.splits["test"]
    assert test["label"][:10].tolist() == [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]
    means = np.asarray(test["real"][:500].double().mean(dim=(0, 2, 3))) / 255
    assert means == pytest.approx([0.494, 0.485, 0.450], abs=0.03)  # those of the whole set
