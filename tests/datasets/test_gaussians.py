"""Synthetic vectors: their statistics, their scaling, and what a seed pins."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gan_runner.datasets import Dataset
from gan_runner.datasets.gaussians import gauss2d, gauss3d, grid, ring, swissroll

SMALL: list[tuple[Callable[..., Dataset], dict[str, Any]]] = [
    (gauss2d, {"num_per_mode": 20, "num_validation": 30, "same_test": False}),
    (gauss3d, {"num_per_mode": 20, "num_test": 30, "num_validation": 30}),
    (ring, {"num_samples": 60, "num_test": 30, "num_validation": 30}),
    (grid, {"num_samples": 60, "num_test": 30, "num_validation": 30}),
    (swissroll, {"num_samples": 60, "num_test": 30, "num_validation": 30}),
]
IDS = [builder.__name__ for builder, _ in SMALL]


def _data(dataset: Dataset, split: str) -> Tensor:
    return dataset.unscale(dataset.splits[split]["real"].double())


def _assert_mode_statistics(dataset: Dataset, split: str, sds: list[float]) -> None:
    """Means within 5 and sds within 5 of their standard errors, for each mode and coordinate."""
    assert dataset.modes is not None
    data, label = _data(dataset, split), dataset.splits[split]["label"]
    for mode, sd in enumerate(sds):
        points = data[label == mode]
        error = sd / math.sqrt(len(points))
        centre = dataset.modes.centres[mode]
        assert (points.mean(dim=0) - centre).abs().max() < 5 * error
        assert (points.std(dim=0) - sd).abs().max() < 5 * error / math.sqrt(2)
        assert dataset.modes.sds[mode] == sd


@pytest.mark.parametrize(("builder", "arguments"), SMALL, ids=IDS)
def test_a_seed_pins_every_point(
    builder: Callable[..., Dataset], arguments: dict[str, Any]
) -> None:
    before = torch.random.get_rng_state()
    hashes = [builder(**arguments, seed=seed).content_hash() for seed in (0, 0, 1)]
    assert hashes[0] == hashes[1] != hashes[2]
    assert torch.equal(torch.random.get_rng_state(), before)  # the global generator is not used


@pytest.mark.parametrize(("builder", "arguments"), SMALL, ids=IDS)
def test_the_splits_differ_and_are_float32(
    builder: Callable[..., Dataset], arguments: dict[str, Any]
) -> None:
    dataset = builder(**arguments)
    reals = [dataset.splits[split]["real"] for split in ("train", "validation", "test")]
    assert all(real.dtype == torch.float32 and bool(real.isfinite().all()) for real in reals)
    points = torch.cat(reals)
    assert len(points.unique(dim=0)) == len(points)
    assert all(
        tensors["label"].dtype == torch.int64
        for tensors in dataset.splits.values()
        if "label" in tensors
    )


@pytest.mark.parametrize("key", ["num_test", "num_validation"])
@pytest.mark.parametrize(("builder", "arguments"), SMALL, ids=IDS)
def test_train_does_not_depend_on_the_other_splits(
    builder: Callable[..., Dataset], arguments: dict[str, Any], key: str
) -> None:
    if builder is gauss2d and key == "num_test":
        more = {**arguments, "same_test": True}
    else:
        more = {**arguments, key: 77}
    small, large = builder(**arguments), builder(**more)
    for name, tensor in small.splits["train"].items():
        assert torch.equal(tensor, large.splits["train"][name])
    assert torch.equal(small.offset, large.offset)
    assert torch.equal(small.scale, large.scale)
    if key == "num_test":
        assert torch.equal(small.splits["validation"]["real"], large.splits["validation"]["real"])


def test_gauss2d_is_the_papers() -> None:
    dataset = gauss2d()
    assert (dataset.name, dataset.kind, dataset.shape) == ("gauss2d", "vectors", (2,))
    assert (dataset.num_train, dataset.num_classes, dataset.low_shape) == (1500, 3, None)
    assert dataset.splits["train"]["label"].bincount().tolist() == [500, 500, 500]
    assert dataset.splits["validation"]["label"].bincount().tolist() == [500, 500, 500]
    assert dataset.modes is not None
    assert dataset.modes.centres.tolist() == [[1.0, 1.0], [6.0, 6.0], [11.0, 11.0]]
    real = dataset.splits["train"]["real"]
    assert real.amin(dim=0).tolist() == [0.0, 0.0]
    assert real.amax(dim=0).tolist() == [1.0, 1.0]
    for split in ("train", "validation"):
        _assert_mode_statistics(dataset, split, [0.5, 0.6, 1.0])


def test_gauss2d_tests_on_its_training_set() -> None:
    dataset = gauss2d(num_per_mode=10, num_validation=10)
    assert dataset.splits["test"] is dataset.splits["train"]
    fresh = gauss2d(num_per_mode=10, num_validation=10, same_test=False)
    assert fresh.splits["test"]["real"].shape == (30, 2)
    assert not torch.equal(fresh.splits["test"]["real"], fresh.splits["train"]["real"])


def test_gauss2d_scaling_is_by_the_training_range_and_invertible() -> None:
    raw = gauss2d(normalise=False, same_test=False)
    scaled = gauss2d(normalise=True, same_test=False)
    assert raw.offset.tolist() == [0.0, 0.0]
    assert raw.scale.tolist() == [1.0, 1.0]
    train = raw.splits["train"]["real"].double()
    low, width = train.amin(dim=0), train.amax(dim=0) - train.amin(dim=0)
    for split in ("train", "validation", "test"):
        data = raw.splits[split]["real"]
        expected = ((data.double() - low) / width).float()
        torch.testing.assert_close(scaled.splits[split]["real"], expected, atol=1e-6, rtol=0)
        torch.testing.assert_close(
            scaled.unscale(scaled.splits[split]["real"]), data, atol=5e-6, rtol=0
        )


def test_counts_that_modes_do_not_divide() -> None:
    dataset = gauss2d(num_per_mode=4, num_validation=11)
    assert sorted(dataset.splits["validation"]["label"].bincount().tolist()) == [3, 4, 4]


def test_gauss3d_is_the_authors() -> None:
    dataset = gauss3d()
    assert (dataset.shape, dataset.low_shape, dataset.num_classes) == ((3,), (2,), 3)
    assert dataset.num_train == 3000
    assert dataset.modes is None
    assert dataset.splits["train"]["label"].bincount().tolist() == [1000, 1000, 1000]
    assert dataset.splits["test"]["label"].bincount().tolist() == [200, 200, 200]
    data, label = _data(dataset, "train")[:, :2], dataset.splits["train"]["label"]
    for mode, (mean, sd) in enumerate([(20, 1), (40, 3), (80, 5)]):
        points = data[label == mode]
        assert (points.mean(dim=0) - mean).abs().max() < 5 * sd / math.sqrt(1000)
        assert (points.std(dim=0) - sd).abs().max() < 5 * sd / math.sqrt(2000)


@pytest.mark.parametrize("test_scaling", ["train", "own"])
def test_gauss3d_third_coordinate_after_scaling(test_scaling: str) -> None:
    dataset = gauss3d(third_coordinate="after_scaling", test_scaling=test_scaling)
    assert dataset.offset[2] == 0
    assert dataset.scale[2] == 1
    for tensors in dataset.splits.values():
        real, low = tensors["real"], tensors["low"]
        assert torch.equal(real[:, :2], low)
        expected = 0.25 * low[:, 0] + 0.75 * low[:, 1]
        torch.testing.assert_close(real[:, 2], expected, atol=1e-6, rtol=0)
    train = dataset.splits["train"]["real"]
    assert train[:, :2].amin(dim=0).tolist() == [0.0, 0.0]
    assert train[:, :2].amax(dim=0).tolist() == [1.0, 1.0]
    assert train[:, 2].min() > 0  # not scaled: no point is the least in both coordinates
    assert train[:, 2].max() < 1


@pytest.mark.parametrize("third", ["after_scaling", "before_scaling"])
def test_gauss3d_low_has_the_scale_of_the_first_two_features(third: str) -> None:
    dataset = gauss3d(third_coordinate=third)
    for split in ("train", "validation", "test"):
        low = dataset.splits[split]["low"]
        data = _data(dataset, split)[:, :2]
        torch.testing.assert_close(dataset.scale_low(data).float(), low, atol=1e-6, rtol=0)
    centres = dataset.scale_low(torch.tensor([[20.0, 20.0], [40.0, 40.0], [80.0, 80.0]]))
    means = torch.stack([dataset.splits["train"]["low"][i : i + 1000].mean(0) for i in (0, 1000)])
    torch.testing.assert_close(centres[:2], means, atol=0.005, rtol=0)


def test_gauss3d_third_coordinate_before_scaling() -> None:
    dataset = gauss3d(third_coordinate="before_scaling")
    for split in ("train", "validation", "test"):
        data = _data(dataset, split)
        expected = 0.25 * data[:, 0] + 0.75 * data[:, 1]
        torch.testing.assert_close(data[:, 2], expected, atol=2e-5, rtol=0)
    train = dataset.splits["train"]["real"]
    assert train.amin(dim=0).tolist() == [0.0, 0.0, 0.0]
    assert train.amax(dim=0).tolist() == [1.0, 1.0, 1.0]
    after = gauss3d(third_coordinate="after_scaling").splits["train"]
    assert torch.equal(train[:, :2], after["low"])  # the same pairs under both options
    assert (train[:, 2] - after["real"][:, 2]).abs().max() > 1e-3


@pytest.mark.parametrize("third", ["after_scaling", "before_scaling"])
def test_gauss3d_test_scaling(third: str) -> None:
    by_train = gauss3d(third_coordinate=third, test_scaling="train")
    by_own = gauss3d(third_coordinate=third, test_scaling="own")
    for split in ("train", "validation"):
        assert torch.equal(by_train.splits[split]["real"], by_own.splits[split]["real"])
    low, own = by_train.splits["test"]["low"], by_own.splits["test"]["low"]
    assert own.amin(dim=0).tolist() == [0.0, 0.0]
    assert own.amax(dim=0).tolist() == [1.0, 1.0]
    assert (low - own).abs().max() > 1e-3
    width = low.amax(dim=0) - low.amin(dim=0)
    torch.testing.assert_close((low - low.amin(dim=0)) / width, own, atol=1e-5, rtol=0)
    if third == "before_scaling":
        assert by_own.splits["test"]["real"][:, 2].max() == 1


def test_ring_is_the_wgan_gp_toy() -> None:
    dataset = ring(num_samples=40_000, divide=1.414)
    assert dataset.modes is not None
    centres = dataset.modes.centres
    half = math.sqrt(2)
    expected = [[2, 0], [half, half], [0, 2], [-half, half], [-2, 0]]
    torch.testing.assert_close(centres[:5], torch.tensor(expected, dtype=torch.float64))
    torch.testing.assert_close(centres[4:], -centres[:4])
    assert dataset.scale.tolist() == [1.414, 1.414]
    assert dataset.offset.tolist() == [0.0, 0.0]
    _assert_mode_statistics(dataset, "train", [0.02] * 8)
    counts = dataset.splits["train"]["label"].bincount(minlength=8)
    assert (counts - 5000).abs().max() < 5 * math.sqrt(40_000 * (1 / 8) * (7 / 8))
    plain = ring(num_samples=40_000, divide=1.0)
    torch.testing.assert_close(
        dataset.splits["train"]["real"] * 1.414, plain.splits["train"]["real"]
    )


def test_grid_is_pacgans() -> None:
    dataset = grid(num_samples=25_000)
    assert dataset.modes is not None
    ticks = (-4.0, -2.0, 0.0, 2.0, 4.0)
    assert {tuple(c) for c in dataset.modes.centres.tolist()} == {
        (x, y) for x in ticks for y in ticks
    }
    _assert_mode_statistics(dataset, "train", [0.05] * 25)
    assert dataset.splits["test"]["real"].shape == (2500, 2)
    assert dataset.num_classes == 25
    scaled = grid(num_samples=100, divide=2.828)
    assert _data(scaled, "train").abs().max() > 3.8
    assert scaled.splits["train"]["real"].abs().max() < 1.6


def test_grid_of_an_even_side_is_centred() -> None:
    dataset = grid(side=2, spacing=3.0, num_samples=10)
    assert dataset.modes is not None
    centres = {tuple(c) for c in dataset.modes.centres.tolist()}
    assert centres == {(-1.5, -1.5), (-1.5, 1.5), (1.5, -1.5), (1.5, 1.5)}


def test_swissroll_without_noise_lies_on_the_roll() -> None:
    dataset = swissroll(num_samples=20_000, noise=0.0)
    data = _data(dataset, "train")
    t = data.norm(dim=1)
    torch.testing.assert_close(
        torch.stack([t * t.cos(), t * t.sin()], dim=1), data, atol=2e-4, rtol=0
    )
    low, width = 1.5 * math.pi, 3 * math.pi
    assert t.min() > low - 1e-5
    assert t.max() < low + width + 1e-5
    assert abs(t.mean() - (low + width / 2)) < 5 * width / math.sqrt(12 * 20_000)
    assert abs(t.std() - width / math.sqrt(12)) < 0.05
    assert dataset.scale.tolist() == [7.5, 7.5]
    assert dataset.modes is None
    assert dataset.num_classes is None


def test_swissroll_matches_scikit_learns_distribution() -> None:
    from sklearn.datasets import make_swiss_roll

    ours = _data(swissroll(num_samples=20_000, noise=1.0), "train").numpy()
    theirs = make_swiss_roll(n_samples=20_000, noise=1.0, random_state=0)[0][:, [0, 2]]
    for power in (1, 2, 4):  # raw moments of both coordinates, by their standard errors
        difference = (ours**power).mean(axis=0) - (theirs**power).mean(axis=0)
        error = np.sqrt(2 * (theirs**power).var(axis=0) / 20_000)
        assert (np.abs(difference) < 5 * error).all()


@pytest.mark.parametrize(
    ("builder", "arguments", "message"),
    [
        (gauss2d, {"sds": (0.5, 0.6)}, r"dataset.sds=\[0.5, 0.6\]: needs one number for each"),
        (gauss2d, {"means": (), "sds": ()}, r"dataset.sds=\[\]"),
        (gauss2d, {"means": (1.0, math.inf, 2.0)}, "dataset.means=.*must be finite"),
        (gauss2d, {"sds": (0.5, 0.0, 1.0)}, "dataset.sds=0.0: must be a finite number above 0"),
        (gauss2d, {"num_per_mode": 0}, "dataset.num_per_mode=0: must be at least 1"),
        (gauss3d, {"num_test": 0}, "dataset.num_test=0: must be at least 1"),
        (
            gauss3d,
            {"third_coordinate": "later"},
            "dataset.third_coordinate='later': must be one of after_scaling, before_scaling",
        ),
        (
            gauss3d,
            {"test_scaling": "both"},
            "dataset.test_scaling='both': must be one of train, own",
        ),
        (ring, {"num_modes": 0}, "dataset.num_modes=0"),
        (ring, {"radius": -1.0}, "dataset.radius=-1.0"),
        (ring, {"num_samples": 0}, "dataset.num_samples=0"),
        (grid, {"divide": 0.0}, "dataset.divide=0.0"),
        (grid, {"sd": math.nan}, "dataset.sd=nan"),
        (swissroll, {"noise": -0.1}, "dataset.noise=-0.1: must be a finite number of at least 0"),
        (swissroll, {"num_validation": 0}, "dataset.num_validation=0"),
    ],
)
def test_refuses_in_one_line(
    builder: Callable[..., Dataset], arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        builder(**arguments)
    assert "\n" not in str(caught.value)
