"""The container: shapes, the way back to data units, the hash, the streams."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch

from gan_runner.datasets import Dataset, ImageSource, Modes, as_floats
from gan_runner.datasets.dataset import minmax, none, resident, stream
from gan_runner.datasets.sources import ArrayPixels


def _dataset() -> Dataset:
    real = torch.tensor([[0.0, 1.0], [0.5, 0.0], [1.0, 0.25]])
    train = {"real": real, "low": real[:, :1].clone(), "label": torch.tensor([0, 1, 2])}
    return Dataset(
        name="toy",
        kind="vectors",
        splits={"train": train, "test": {"real": real[:2], "label": torch.tensor([0, 3])}},
        offset=torch.tensor([10.0, -1.0], dtype=torch.float64),
        scale=torch.tensor([2.0, 4.0], dtype=torch.float64),
        modes=Modes(centres=torch.zeros(4, 2), sds=torch.ones(4)),
    )


def test_describes_itself() -> None:
    dataset = _dataset()
    assert dataset.shape == (2,)
    assert dataset.low_shape == (1,)
    assert dataset.num_train == 3
    assert dataset.num_classes == 4  # class 3 stands in the test split alone
    assert replace(dataset, classes=("a", "b", "c", "d", "e")).num_classes == 5


def test_images_keep_their_shape() -> None:
    splits = {"train": {"real": torch.zeros(5, 1, 8, 8)}}
    dataset = replace(_dataset(), kind="images", splits=splits, modes=None)
    assert dataset.shape == (1, 8, 8)
    assert dataset.low_shape is None
    assert dataset.num_classes is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_unscale_gives_data_units_in_the_samples_dtype(dtype: torch.dtype) -> None:
    data = _dataset().unscale(torch.tensor([[0.0, 0.0], [1.0, 0.5]], dtype=dtype))
    assert data.dtype == dtype
    assert data.tolist() == [[10.0, -1.0], [12.0, 1.0]]


def test_unscale_stays_on_the_samples_device() -> None:
    assert _dataset().unscale(torch.zeros(4, 2, device="meta")).device.type == "meta"


def test_scale_low_takes_data_units_to_what_the_networks_see() -> None:
    plain = _dataset()
    x = torch.tensor([[10.0], [12.0]])
    assert plain.scale_low(x) is x
    offset, scale = torch.tensor([11.0]).double(), torch.tensor([4.0]).double()
    dataset = replace(plain, low_offset=offset, low_scale=scale)
    for dtype in (torch.float32, torch.float64):
        scaled = dataset.scale_low(x.to(dtype))
        assert scaled.dtype == dtype
        assert scaled.tolist() == [[-0.25], [0.25]]
    assert dataset.scale_low(torch.zeros(4, 1, device="meta")).device.type == "meta"


def test_hash_repeats_and_sees_every_tensor() -> None:
    dataset = _dataset()
    first = dataset.content_hash()
    assert len(first) == 64
    assert int(first, 16) >= 0
    assert _dataset().content_hash() == first
    train = dict(dataset.splits["train"])
    changed = [
        replace(dataset, offset=dataset.offset + 1e-9),
        replace(dataset, scale=dataset.scale.float()),
        replace(dataset, low_offset=torch.zeros(1), low_scale=torch.ones(1)),
        replace(dataset, low_offset=torch.zeros(1), low_scale=2 * torch.ones(1)),
        replace(dataset, modes=None),
        replace(dataset, modes=Modes(centres=torch.zeros(4, 2), sds=2 * torch.ones(4))),
        replace(dataset, splits={"train": train}),
        replace(dataset, splits={**dataset.splits, "train": {**train, "low": train["low"] + 1}}),
        replace(
            dataset, splits={**dataset.splits, "train": {**train, "real": train["real"].flip(0)}}
        ),
    ]
    assert len({first, *(other.content_hash() for other in changed)}) == 1 + len(changed)


def test_hash_ignores_the_order_of_the_keys() -> None:
    dataset = _dataset()
    turned = {
        split: dict(reversed(list(tensors.items())))
        for split, tensors in reversed(list(dataset.splits.items()))
    }
    assert replace(dataset, splits=turned).content_hash() == dataset.content_hash()


def test_none_is_empty() -> None:
    dataset = none()
    assert (dataset.name, dataset.kind, dict(dataset.splits)) == ("none", "none", {})
    assert (dataset.shape, dataset.low_shape) == ((), None)
    assert (dataset.num_classes, dataset.num_train) == (None, 0)
    assert dataset.modes is None
    assert len(dataset.content_hash()) == 64


def test_refuses_unequal_rows() -> None:
    splits = {"train": {"real": torch.zeros(3, 2), "low": torch.zeros(2, 1)}}
    with pytest.raises(ValueError, match=r"split train has unequal rows: .*3.*2"):
        replace(_dataset(), splits=splits)


@pytest.mark.parametrize(("centres", "sds"), [((3, 2), (2,)), ((3,), (3,)), ((3, 2), (3, 2))])
def test_modes_refuse_other_shapes(centres: tuple[int, ...], sds: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Modes(centres=torch.zeros(centres), sds=torch.ones(sds))


def test_stream_is_seeded_by_the_hash_of_seed_and_name() -> None:
    expected = int.from_bytes(hashlib.sha256(b"7/train").digest()[:8], "big")
    assert stream(7, "train").initial_seed() == expected
    draws = {
        torch.rand(1, generator=stream(seed, name)).item()
        for seed in (0, 1)
        for name in ("train", "test")
    }
    assert len(draws) == 4


def test_minmax_keeps_a_constant_feature_invertible() -> None:
    x = torch.tensor([[3.0, 7.0], [5.0, 7.0]])
    offset, scale = minmax(x)
    assert offset.tolist() == [3.0, 7.0]
    assert scale.tolist() == [2.0, 1.0]
    assert ((x - offset) / scale).tolist() == [[0.0, 0.0], [1.0, 0.0]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bytes_become_floats_in_minus_one_to_one(dtype: torch.dtype) -> None:
    grey = torch.tensor([[0, 51, 102, 204, 255]], dtype=torch.uint8)
    floats = as_floats(grey, dtype)
    assert floats.dtype == dtype
    assert floats.tolist()[0] == pytest.approx([-1.0, -0.6, -0.2, 0.6, 1.0], abs=1e-7)
    assert grey.tolist() == [[0, 51, 102, 204, 255]]
    every = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(((as_floats(every, dtype) + 1) * 127.5).round().byte(), every)


def test_floats_change_their_dtype_and_integers_nothing() -> None:
    floats, labels = torch.tensor([3.0, -7.5]), torch.tensor([5, 6])
    assert as_floats(floats, torch.float64).tolist() == [3.0, -7.5]
    assert as_floats(floats, torch.float64).dtype == torch.float64
    assert as_floats(labels, torch.float64) is labels
    assert as_floats(torch.zeros(2, dtype=torch.uint8, device="meta"), torch.float32).is_meta


def _images(num: int) -> tuple[Dataset, Dataset]:
    """Images as a tensor and as a source."""
    array = np.random.default_rng(0).integers(0, 256, (num, 3, 3, 1)).astype(np.uint8)
    source = ImageSource(ArrayPixels(array), torch.randperm(num))
    made = [
        Dataset(
            name="x",
            kind="images",
            splits={"train": {"real": rows, "label": torch.arange(num)}},
            offset=torch.zeros(()),
            scale=torch.ones(()),
        )
        for rows in (source.resident(), source)
    ]
    return made[0], made[1]


@pytest.mark.parametrize("num", [3, 2500])  # the latter is hashed in parts
def test_hash_is_that_of_the_bytes_resident_or_not(num: int) -> None:
    here, there = _images(num)
    assert here.content_hash() == there.content_hash()
    digest, train = hashlib.sha256(), here.splits["train"]
    digest.update(f"train/label:<i8:({num},);".encode() + train["label"][:].numpy().tobytes())
    digest.update(f"train/real:|u1:({num}, 1, 3, 3);".encode() + train["real"][:].numpy().tobytes())
    for name, value in (("offset", 0.0), ("scale", 1.0)):
        digest.update(f"{name}:<f4:();".encode() + np.float32(value).tobytes())
    assert here.content_hash() == digest.hexdigest()


def test_a_data_set_of_a_source_describes_itself() -> None:
    here, there = _images(5)
    for dataset in (here, there):
        assert (dataset.shape, dataset.num_train, dataset.num_classes) == ((1, 3, 3), 5, 5)
    real = there.splits["train"]["real"]
    assert torch.equal(resident(real), resident(here.splits["train"]["real"]))
    x = torch.rand(2, 1, 3, 3)
    assert torch.equal(there.unscale(x), x)
