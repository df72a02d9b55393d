"""Photographs and their small forms: crops, pairs, splits, batches, whole images, mistakes."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gan_runner import data_paths, registry, schema
from gan_runner.batches import Batches
from gan_runner.datasets import superres as sets
from gan_runner.datasets.dataset import Dataset, resident
from gan_runner.datasets.photographs import FilePhotos, as_image, as_tensor, larger, smaller

SMALL: dict[str, Any] = {"crop": 16, "num_crops": 40, "num_held_crops": 5}


def picture(width: int, height: int, seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    rough = rng.integers(0, 256, (height // 4 + 1, width // 4 + 1, 3), dtype=np.uint8)
    return Image.fromarray(rough).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight photographs of different sizes, one of them in a sub-folder."""
    where = tmp_path / "photos"
    (where / "more").mkdir(parents=True)
    for number in range(8):
        name = "more/7.png" if number == 7 else f"{number}.png"
        picture(40 + 3 * number, 50 - 2 * number, number).save(where / name)
    (where / "notes.txt").write_text("no image")
    return where


def made(folder: Path | None = None, **options: Any) -> Dataset:
    return sets.superres(path=None if folder is None else str(folder), **{**SMALL, **options})


@pytest.mark.parametrize("builder", ["superres", "superres_digits", "superres_digits_small"])
def test_the_builder_has_the_options_of_the_schema(builder: str) -> None:
    taken = set(inspect.signature(getattr(sets, builder)).parameters) - {"form"}
    node = schema.SCHEMAS["dataset"][builder]
    fields = set(node.__dataclass_fields__) - {"name", "builder"}  # type: ignore[attr-defined]
    assert taken <= fields
    if builder == "superres":
        assert taken == fields
    provided = registry.table("datasets")[builder].provides({})
    assert {"real", "low"} <= provided


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_crops_are_parts_of_photographs_and_small_ones_of_small_photographs(
    folder: Path, scale: int
) -> None:
    data = made(folder, scale=scale, crop=24)
    train = data.splits["train"]
    assert tuple(train["real"].shape) == (40, 3, 24, 24)
    assert tuple(train["low"].shape) == (40, 3, 24 // scale, 24 // scale)
    crops = train["real"]._pixels  # type: ignore[union-attr]
    for row in range(40):
        number, left, top = crops.places[row].tolist()
        photo = crops.photos.image(number)
        whole = as_tensor(photo)[:, top : top + 24, left : left + 24]
        assert torch.equal(train["real"][row : row + 1][0], whole)
        if left % scale == top % scale == 0 and photo.width % scale == photo.height % scale == 0:
            small = as_tensor(smaller(photo, scale))
            x, y, side = left // scale, top // scale, 24 // scale
            part = small[:, y : y + side, x : x + side].int()
            assert (train["low"][row : row + 1][0].int() - part).abs().max() <= 1


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_small_and_large_are_aligned(scale: int) -> None:
    """A ramp is its own enlargement away from the border: a shift would show at once."""
    side = 20 * scale
    ramp = np.tile(np.arange(side) * (250 / side), (side, 1)).round().astype(np.uint8)
    image = Image.fromarray(ramp)
    back = np.asarray(larger(smaller(image, scale), scale)).astype(int)
    inner = (slice(2 * scale, -2 * scale),) * 2
    assert abs((back - ramp)[inner]).max() <= 2
    assert abs((back - ramp)[inner].mean()) < 0.2


def test_mirrored_pairs_stay_pairs(folder: Path) -> None:
    """What is mirrored and then made small is what is made small and then mirrored."""
    image = picture(48, 48, 3)
    mirrored = as_tensor(smaller(as_image(as_tensor(image).flip(-1)), 4))
    assert (mirrored.int() - as_tensor(smaller(image, 4)).flip(-1).int()).abs().max() <= 1
    data = made(folder)
    flip = torch.Generator().manual_seed(1)
    rows = dict(data.splits["train"])
    batches = Batches(rows, 40, torch.Generator().manual_seed(2), flip=flip)
    plain = Batches(rows, 40, torch.Generator().manual_seed(2))
    with_flips, without = batches(), plain()
    mask = torch.tensor([
        not torch.equal(a, b) for a, b in zip(with_flips["real"], without["real"], strict=True)
    ])  # fmt: skip
    assert 5 < int(mask.sum()) < 35
    for key in ("real", "low"):
        assert torch.equal(with_flips[key][mask], without[key][mask].flip(-1))
        assert torch.equal(with_flips[key][~mask], without[key][~mask])
        assert -1 <= float(without[key].min()) < -0.5 < 0.5 < float(without[key].max()) <= 1


def test_the_seed_draws_the_crops_and_the_split(folder: Path) -> None:
    hashes = [made(folder, seed=seed).content_hash() for seed in (0, 0, 1)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_splits_share_no_photograph_and_test_may_be_a_folder_of_its_own(folder: Path) -> None:
    data = made(folder, validation_share=0.2, test_share=0.3)
    assert data.wholes is not None
    names = {key: set(each.names) for key, each in data.wholes.items()}
    assert {key: len(each) for key, each in names.items()} == {
        "train": 4, "validation": 2, "test": 2,
    }  # fmt: skip
    assert len(set.union(*names.values())) == 8
    other = made(folder, test_path=str(folder / "more"))
    assert other.wholes is not None
    assert [len(other.wholes[key]) for key in ("train", "validation", "test")] == [7, 1, 1]


def test_whole_photographs_are_cut_to_multiples(folder: Path) -> None:
    data = made(folder, scale=3, crop=18)
    assert data.wholes is not None
    for whole in data.wholes["train"]:
        channels, height, width = whole.low.shape
        assert whole.real.shape == whole.bicubic.shape == (channels, 3 * height, 3 * width)
        image = Image.open(next(folder.rglob(f"{whole.name}.png")))
        assert (width, height) == (image.width // 3, image.height // 3)


def test_photographs_beyond_the_limit_are_read_from_files(folder: Path) -> None:
    held, lazy = made(folder), made(folder, memory_limit=1e-9, workers=2)
    assert isinstance(lazy.splits["train"]["real"]._pixels.photos, FilePhotos)  # type: ignore[union-attr]
    assert held.content_hash() == lazy.content_hash()
    assert (held.workers, lazy.workers) == (0, 2)


def test_the_photographs_of_scikit_learn_need_no_folder() -> None:
    data = made()
    assert data.wholes is not None
    assert data.wholes["test"].names == ["china", "flower"]
    sizes = {key: [tuple(w.real.shape) for w in each] for key, each in data.wholes.items()}
    assert sizes["train"] == [(3, 424, 384)] * 2
    assert sizes["test"] == sizes["validation"] == [(3, 424, 128)] * 2
    assert made(channels=1).shape == (1, 16, 16)


def test_folders_are_looked_for_beside_the_published_sets(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GAN_RUNNER_DATA", str(tmp_path))
    monkeypatch.chdir("/")
    assert data_paths.find("photos") == folder
    assert sets.superres(path="photos", **SMALL).num_train == 40


@pytest.mark.parametrize(("options", "reason"), [
    ({"crop": 18}, "dataset.crop=18: must be a multiple of dataset.scale=4, as 16 is"),
    ({"crop": 400}, "dataset.crop=400: "),
    ({"channels": 2}, "dataset.channels=2"),
    ({"path": "nowhere"}, "dataset.path=nowhere: there is no such folder"),
    ({"test_path": "nowhere"}, "dataset.test_path=nowhere: there is no such folder"),
    ({"test_share": 0.6, "validation_share": 0.6}, "are too few"),
])  # fmt: skip
def test_mistakes_are_refused(folder: Path, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        sets.superres(**{"path": str(folder), **SMALL, **options})


def test_a_damaged_file_is_named(folder: Path) -> None:
    (folder / "bad.png").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"bad\.png is not an image"):
        made(folder)


def test_digits_of_eight_pixels() -> None:
    data = sets.superres_digits_small(num_validation=20, num_test=600)
    assert data.shape == (1, 8, 8)
    assert data.low_shape == (1, 4, 4)
    assert data.wholes is not None
    assert len(data.wholes["test"]) == 500
    real, low = (resident(data.splits["test"][key]) for key in ("real", "low"))
    assert torch.equal(low[3], as_tensor(smaller(as_image(real[3]), 2)))


@pytest.mark.parametrize(("scale", "side"), [(2, 14), (4, 7)])
def test_digits_of_mnist(idx_folder: Any, scale: int, side: int) -> None:
    data = sets.superres_digits(scale=scale, num_validation=5, path=str(idx_folder()))
    assert data.shape == (1, 28, 28)
    assert data.low_shape == (1, side, side)
    assert data.classifier == "mnist"


def test_other_scales_of_digits_are_refused() -> None:
    with pytest.raises(ValueError, match="14 -> 28"):
        sets.superres_digits(scale=3)
    with pytest.raises(ValueError, match="4 -> 8"):
        sets.superres_digits_small(scale=4)
