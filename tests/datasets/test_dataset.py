"""The container: shapes, the way back to data units, the hash, the streams."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
import torch

from gan_runner.datasets import Dataset, Modes
from gan_runner.datasets.dataset import minmax, none, stream


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
