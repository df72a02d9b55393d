"""The user's own images: classes, splits, sizes, and files that cannot be read."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from gan_runner import registry, schema
from gan_runner.datasets import Dataset, ImageSource
from gan_runner.datasets.folders import folder
from gan_runner.datasets.forms import Form

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """`make({"a": 5, "b": 3}, size=(12, 12))`: a folder of grey images, one grey each.

    Keys are sub-folders ("" is the folder itself); images of a key get the greys 0, 1, ... plus
    50 times the key's place.
    """

    def write(counts: dict[str, int], size: tuple[int, int] = (12, 12), mode: str = "L") -> Path:
        for place, (name, count) in enumerate(counts.items()):
            where = tmp_path / "images" / name
            where.mkdir(parents=True, exist_ok=True)
            for index in range(count):
                grey = 50 * place + index
                colour = grey if mode == "L" else (grey, grey, grey)
                Image.new(mode, size, colour).save(where / f"{index:03d}.png")
        return tmp_path / "images"

    return write


def greys(dataset: Dataset, split: str) -> list[int]:
    return dataset.splits[split]["real"][:][:, 0, 5, 5].tolist()


def every_grey(dataset: Dataset) -> list[int]:
    return sorted(grey for split in dataset.splits for grey in greys(dataset, split))


def test_every_option_of_the_schema_is_taken() -> None:
    section = vars(schema.FolderImages())
    taken = {
        each.name: each.default
        for each in inspect.signature(folder).parameters.values()
        if each.kind is inspect.Parameter.KEYWORD_ONLY and each.name != "path"
    }
    expected = {key: value for key, value in section.items() if key not in ("name", "builder")}
    del expected["path"]
    assert {**vars(Form()), **taken} == expected


def test_images_without_classes(make: Make) -> None:
    dataset = folder(path=str(make({"": 40})), size=16, pad=1, flip=True)
    assert (dataset.name, dataset.kind, dataset.shape) == ("folder", "images", (1, 18, 18))
    sizes = {split: len(tensors["real"]) for split, tensors in dataset.splits.items()}
    assert sizes == {"train": 32, "validation": 2, "test": 6}
    assert every_grey(dataset) == list(range(40))
    assert all(tuple(tensors) == ("real",) for tensors in dataset.splits.values())
    assert (dataset.classes, dataset.num_classes, dataset.classifier) == (None, None, None)
    assert (dataset.pad, dataset.flip, dataset.workers) == (1, True, 0)
    real = dataset.splits["train"]["real"][:]
    assert int(real[:, :, 0].max()) == int(real[..., -1].max()) == 0


def test_sub_folders_are_classes_in_the_order_of_their_names(make: Make) -> None:
    root = make({"zebra": 12, "ant/young/small": 6, "ant/old": 4, "Bee": 10})
    dataset = folder(path=str(root), size=8)
    assert dataset.classes == ("Bee", "ant", "zebra")
    assert dataset.original_classes is None
    of_place = torch.tensor([2, 1, 1, 0])  # zebra's greys start at 0, small's at 50, ...
    for tensors in dataset.splits.values():
        place = tensors["real"][:][:, 0, 0, 0].long() // 50
        assert torch.equal(of_place[place], tensors["label"][:])
    assert len(every_grey(dataset)) == 32


def test_some_classes(make: Make) -> None:
    root = make({"a": 10, "b": 10, "c": 10})
    dataset = folder(path=str(root), size=8, classes=[2, 0])
    assert (dataset.classes, dataset.original_classes) == (("c", "a"), (2, 0))
    assert every_grey(dataset) == [*range(10), *range(100, 110)]
    for tensors in dataset.splits.values():
        of_c = tensors["real"][:][:, 0, 0, 0] >= 100
        assert torch.equal(tensors["label"][:] == 0, of_c)
    with pytest.raises(
        ValueError, match=r"dataset.classes=\[3\]: folder .* has the classes 0 to 2"
    ):
        folder(path=str(root), classes=[3])
    with pytest.raises(ValueError, match=r"dataset.classes=\[0\]: .* has no classes"):
        folder(path=str(root / "a"), classes=[0])


def test_the_seed_draws_the_split(make: Make) -> None:
    root = str(make({"": 40}))
    assert greys(folder(path=root, seed=3), "train") == greys(folder(path=root, seed=3), "train")
    assert greys(folder(path=root, seed=3), "test") != greys(folder(path=root, seed=4), "test")


@pytest.mark.parametrize("size", [None, 8])
def test_above_the_limit_the_same_set_is_read_from_the_files(
    make: Make, size: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    root = make({"a": 30, "b": 20})
    (root / "a" / "005.png").write_bytes(b"no image")
    form: dict[str, Any] = {"path": str(root), "size": size, "pad": 2, "max_unreadable": 0.1}
    here, there = folder(**form), folder(**form, memory_limit=1e-9, workers=3)
    assert isinstance(here.splits["train"]["real"], Tensor)
    assert isinstance(there.splits["train"]["real"], ImageSource)
    assert (here.workers, there.workers) == (0, 3)
    assert here.content_hash() == there.content_hash()
    assert len(every_grey(here)) == 49
    first, second = (record.message for record in caplog.records)
    assert first == second


@pytest.mark.parametrize(
    ("mode", "channels", "expected"),
    [("L", None, 1), ("RGB", None, 3), ("L", 3, 3), ("RGB", 1, 1)],
)
def test_channels(make: Make, mode: str, channels: int | None, expected: int) -> None:
    dataset = folder(path=str(make({"": 9}, mode=mode)), channels=channels)
    assert dataset.shape == (expected, 64, 64)
    assert every_grey(dataset) == list(range(9))


def test_one_coloured_file_makes_all_rgb(make: Make) -> None:
    root = make({"": 30})
    Image.new("RGB", (12, 12), (9, 0, 0)).save(root / "zz.png")
    assert folder(path=str(root), size=8).shape == (3, 8, 8)


def test_hidden_and_other_files_are_passed_over(make: Make) -> None:
    root = make({"": 9})
    (root / "README.txt").write_text("hello")
    (root / "Thumbs.db").write_bytes(b"x")
    (root / "._000.png").write_bytes(b"x")
    (root / ".cache").mkdir()
    (root / ".cache" / "a.png").write_bytes(b"x")
    Image.new("L", (12, 12), 200).save(root / "UPPER.PNG")
    assert every_grey(folder(path=str(root))) == [*range(9), 200]


def test_empty_classes_and_images_beside_them_are_told(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    root = make({"a": 9, "b": 9, "": 3})
    (root / "empty").mkdir()
    dataset = folder(path=str(root))
    assert dataset.classes == ("a", "b")
    assert len(every_grey(dataset)) == 18
    assert "no image in the sub-folders empty" in caplog.text
    assert "3 images beside the sub-folders, which are classes, are left out" in caplog.text


def test_the_registry_and_the_builder_agree_on_labels(make: Make, tmp_path: Path) -> None:
    provides = registry.lookup("datasets", "folder").provides
    plain = make({"": 9})
    (plain / ".cache").mkdir()
    assert provides({"path": str(plain)}) == set(folder(path=str(plain)).splits["train"])
    classes = make({"a": 9})
    assert provides({"path": str(classes)}) == set(folder(path=str(classes)).splits["train"])


def test_one_size_is_kept(make: Make) -> None:
    dataset = folder(path=str(make({"": 9}, size=(20, 10))), size=None)
    assert dataset.shape == (1, 10, 20)


def test_sizes_that_differ_need_one_given(make: Make) -> None:
    root = make({"": 9}, size=(20, 10))
    Image.new("L", (10, 20)).save(root / "zz.png")
    with pytest.raises(
        ValueError,
        match=r"dataset.size=null: .*000\.png is 20 x 10 pixels and .*zz\.png 10 x 20; give",
    ) as refused:
        folder(path=str(root), size=None)
    assert "\n" not in str(refused.value)
    assert folder(path=str(root), size=8).shape == (1, 8, 8)


def test_unreadable_files_are_counted_and_the_first_named(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    root = make({"a": 50, "b": 50})
    for name in ("a/001.png", "a/030.png", "b/002.png", "b/017.png", "b/049.png"):
        (root / name).write_bytes(b"x")
    dataset = folder(path=str(root), max_unreadable=0.05)
    assert len(every_grey(dataset)) == 95
    missing = {1, 30, 52, 67, 99}
    assert set(every_grey(dataset)) == set(range(100)) - missing
    for tensors in dataset.splits.values():
        grey = tensors["real"][:][:, 0, 0, 0]
        assert torch.equal(tensors["label"][:], (grey >= 50).long())
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "5 of 100 files cannot be read" in caplog.text
    named = [name in caplog.text for name in ("001.png", "030.png", "002.png", "017.png")]
    assert named == [True, True, True, False]
    assert "and 2 more; they are left out" in caplog.text


def test_too_many_unreadable_files_are_refused(make: Make) -> None:
    root = make({"": 50})
    (root / "007.png").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"dataset.max_unreadable=0.01: 1 of 50 files cannot be r"
                       r"ead: .*007\.png: is not an image") as refused:  # fmt: skip
        folder(path=str(root))
    assert "\n" not in str(refused.value)
    with pytest.raises(ValueError, match=r"max_unreadable=0.0: 1 of 50"):
        folder(path=str(root), size=8, channels=1, max_unreadable=0.0, memory_limit=1e-9)
    assert len(every_grey(folder(path=str(root), max_unreadable=0.02))) == 49


def test_no_readable_file(make: Make) -> None:
    root = make({"": 9})
    for path in root.iterdir():
        path.write_bytes(b"x")
    with pytest.raises(ValueError, match="none of its 9 files can be read"):
        folder(path=str(root), max_unreadable=1.0)
    with pytest.raises(ValueError, match="0 images are too few"):
        folder(path=str(root), size=8, channels=1, max_unreadable=1.0)


@pytest.mark.parametrize("memory_limit", [4.0, 1e-9])
def test_a_split_whose_files_are_all_unreadable_is_refused(make: Make, memory_limit: float) -> None:
    root = make({"": 9})
    order = greys(folder(path=str(root)), "validation")
    (root / f"{order[0]:03d}.png").write_bytes(b"x")
    with pytest.raises(ValueError, match="8 images are too few for at least 2 to train on"):
        folder(path=str(root), max_unreadable=0.5, memory_limit=memory_limit)


@pytest.mark.parametrize(
    ("counts", "options", "message"),
    [
        ({"": 0}, {}, r"dataset.path=.*images: no image in it \(files that end in .bmp, .*\)$"),
        ({"a": 0, "b": 0}, {}, "no image in its sub-folders, which are classes"),
        ({"": 3}, {}, "3 images are too few for at least 2 to train on, one for validation"),
        ({"": 9}, {"channels": 2}, r"dataset.channels=2: must be 1 \(grey\), 3 \(RGB\) or null"),
        (
            {"": 9},
            {"validation_share": 0.5, "test_share": 0.5},
            "dataset.validation_share=0.5 and dataset.test_share=0.5: must sum to less than 1",
        ),
        ({"": 9}, {"validation_share": 0.1, "test_share": 0.89}, "9 images are too few"),
    ],
)
def test_refusals(
    make: Make, counts: dict[str, int], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        folder(path=str(make(counts)), **options)
    assert "\n" not in str(refused.value)


def test_four_images_are_enough(make: Make) -> None:
    assert folder(path=str(make({"": 4}))).num_train == 2


def test_refuses_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"dataset.path=.*nowhere: there is no such folder"):
        folder(path=str(tmp_path / "nowhere"))
    file = tmp_path / "file.png"
    file.write_bytes(b"x")
    with pytest.raises(ValueError, match=r"dataset.path=.*file.png: no folder"):
        folder(path=str(file))


def test_true_faces(real_data: Path) -> None:
    if not (real_data / "orl_faces").is_dir():
        pytest.skip("no faces there")
    dataset = folder(path=str(real_data / "orl_faces"), size=32)
    assert dataset.shape == (1, 32, 32)
    assert dataset.num_classes == 40
    labels = torch.cat([tensors["label"][:] for tensors in dataset.splits.values()])
    assert labels.bincount().tolist() == [10] * 40
    assert 60 < dataset.splits["train"]["real"][:].double().mean() < 160


def test_true_pictures_of_all_sizes(real_data: Path) -> None:
    if not (real_data / "sr" / "Set14").is_dir():
        pytest.skip("no super-resolution images there")
    dataset = folder(path=str(real_data / "sr" / "Set14"), size=48, crop=False)
    assert dataset.shape == (3, 48, 48)  # one of them is grey
    assert sum(len(tensors["real"]) for tensors in dataset.splits.values()) == 13
    assert np.std(dataset.splits["train"]["real"][:].numpy()) > 30
