"""Synthetic vectors: Gaussian mixtures in the plane, the super-resolution triples, the swiss roll.

Points are drawn in float64 by a CPU generator per split, seeded from (seed, split), and stored
scaled, in float32. A split's size therefore never changes another split's points.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gan_runner.datasets.dataset import Dataset, Modes, minmax, stream

_SPLITS = ("train", "validation", "test")


def gauss2d(
    *,
    means: Sequence[float] = (1.0, 6.0, 11.0),
    sds: Sequence[float] = (0.5, 0.6, 1.0),
    num_per_mode: int = 500,
    num_validation: int = 1500,
    same_test: bool = True,
    normalise: bool = True,
    seed: int = 0,
) -> Dataset:
    """Draw the plane mixture of Sinha (2020), section 4.1: mode k is N((m_k, m_k), s_k^2 I).

    Modes hold equally many points, in the order of the modes; label is the mode's index.

    means, sds: per mode, in data units. normalise: map each feature to [0, 1] by the training
    range; otherwise data stay as drawn. same_test: the test set is the training set, as in the
    paper; otherwise as many points are drawn afresh. Validation is always drawn afresh.

    Raises:
        ValueError: a number is out of its range, or means and sds differ in length.
    """
    centres, spread = _diagonal(means, sds)
    _count("num_per_mode", num_per_mode)
    _count("num_validation", num_validation)
    num_train = len(centres) * num_per_mode
    names = _SPLITS[:2] if same_test else _SPLITS
    counts = {"train": num_train, "validation": num_validation, "test": num_train}
    points, labels = {}, {}
    for split in names:
        labels[split] = _balanced(counts[split], len(centres))
        points[split] = _mixture(centres, spread, labels[split], stream(seed, split))
    offset, scale = _unscaled(2)
    if normalise:
        offset, scale = minmax(points["train"])
    splits = {
        split: {"real": _apply(points[split], offset, scale), "label": labels[split]}
        for split in names
    }
    if same_test:
        splits["test"] = splits["train"]
    return Dataset(
        name="gauss2d",
        kind="vectors",
        splits=splits,
        offset=offset,
        scale=scale,
        modes=Modes(centres=centres, sds=spread),
    )


def gauss3d(
    *,
    means: Sequence[float] = (20.0, 40.0, 80.0),
    sds: Sequence[float] = (1.0, 3.0, 5.0),
    num_per_mode: int = 1000,
    num_test: int = 600,
    num_validation: int = 600,
    third_coordinate: str = "after_scaling",
    test_scaling: str = "train",
    seed: int = 0,
) -> Dataset:
    """Draw the super-resolution pairs of Sinha (2020), section 4.1: (x1, x2) -> (x1, x2, x3).

    Mode k of (x1, x2) is N((m_k, m_k), s_k^2 I) and x3 = 0.25 x1 + 0.75 x2 has no noise. low is
    (x1, x2) [N, 2] and real is (x1, x2, x3) [N, 3], both scaled; label is the mode's index.

    third_coordinate: "after_scaling" (the author's code) makes x3 from the scaled pair and leaves
    it unscaled, so its offset is 0 and its scale 1; "before_scaling" (the paper's text) makes it
    from the data and then maps all three features to [0, 1].
    test_scaling: "train" maps the test set by the training range; "own" (the author's code) by the
    test set's own, and then `unscale` of test points gives the data only up to the two ranges'
    difference. Validation is always mapped by the training range.

    Raises:
        ValueError: a number or a choice is not allowed, or means and sds differ in length.
    """
    centres, spread = _diagonal(means, sds)
    _choice("third_coordinate", third_coordinate, ("after_scaling", "before_scaling"))
    _choice("test_scaling", test_scaling, ("train", "own"))
    for key, value in (
        ("num_per_mode", num_per_mode),
        ("num_test", num_test),
        ("num_validation", num_validation),
    ):
        _count(key, value)
    counts = {
        "train": len(centres) * num_per_mode,
        "validation": num_validation,
        "test": num_test,
    }
    points, labels = {}, {}
    for split in _SPLITS:
        labels[split] = _balanced(counts[split], len(centres))
        pair = _mixture(centres, spread, labels[split], stream(seed, split))  # [N, 2]
        points[split] = torch.cat([pair, _third(pair)], dim=1)  # [N, 3]
    after = third_coordinate == "after_scaling"
    offset, scale = _triple_range(points["train"], after)
    splits = {}
    for split in _SPLITS:
        used = (offset, scale)
        if split == "test" and test_scaling == "own":
            used = _triple_range(points[split], after)
        scaled = (points[split] - used[0]) / used[1]
        if after:
            scaled = torch.cat([scaled[:, :2], _third(scaled)], dim=1)
        real = scaled.float()
        splits[split] = {"real": real, "low": real[:, :2].clone(), "label": labels[split]}
    return Dataset(
        name="gauss3d",
        kind="vectors",
        splits=splits,
        offset=offset,
        scale=scale,
        low_offset=offset[:2],
        low_scale=scale[:2],
    )


def ring(
    *,
    num_modes: int = 8,
    radius: float = 2.0,
    sd: float = 0.02,
    num_samples: int = 100_000,
    num_validation: int = 2500,
    num_test: int = 2500,
    divide: float = 1.0,
    seed: int = 0,
) -> Dataset:
    """Draw a mixture whose means stand evenly on a circle, each mode equally likely.

    Gulrajani et al. (2017), toy "8 Gaussians": radius 2, sd 0.02, divide 1.414. Lin et al. (2018),
    PacGAN's released code: radius 1, sd 0.01, which is the same shape at half the size.

    radius, sd: data units. divide: the networks see data / divide. num_samples: training points.

    Raises:
        ValueError: a number is out of its range.
    """
    _count("num_modes", num_modes)
    _positive("radius", radius)
    angles = 2 * math.pi * torch.arange(num_modes, dtype=torch.float64) / num_modes
    centres = radius * torch.stack([angles.cos(), angles.sin()], dim=1)  # [K, 2]
    counts = {"train": num_samples, "validation": num_validation, "test": num_test}
    return _even_mixture("ring", centres, counts, sd=sd, divide=divide, seed=seed)


def grid(
    *,
    side: int = 5,
    spacing: float = 2.0,
    sd: float = 0.05,
    num_samples: int = 100_000,
    num_validation: int = 2500,
    num_test: int = 2500,
    divide: float = 1.0,
    seed: int = 0,
) -> Dataset:
    """Draw a mixture whose means form a centred square grid, each mode equally likely.

    Lin et al. (2018), PacGAN: side 5, spacing 2 (means {-4, -2, 0, 2, 4}^2), sd 0.05. Gulrajani et
    al. (2017), toy "25 Gaussians": the same with divide 2.828, and with exactly equal modes where
    ours are drawn at random.

    spacing, sd: data units. divide: the networks see data / divide. num_samples: training points.

    Raises:
        ValueError: a number is out of its range.
    """
    _count("side", side)
    _positive("spacing", spacing)
    ticks = spacing * (torch.arange(side, dtype=torch.float64) - (side - 1) / 2)
    centres = torch.cartesian_prod(ticks, ticks).reshape(-1, 2)  # [side * side, 2]
    counts = {"train": num_samples, "validation": num_validation, "test": num_test}
    return _even_mixture("grid", centres, counts, sd=sd, divide=divide, seed=seed)


def swissroll(
    *,
    num_samples: int = 100_000,
    num_validation: int = 2500,
    num_test: int = 2500,
    noise: float = 0.25,
    divide: float = 7.5,
    seed: int = 0,
) -> Dataset:
    """Draw the flat swiss roll of Gulrajani et al. (2017): noise 0.25, divided by 7.5.

    With u ~ U(0, 1) and t = 1.5 pi (1 + 2u), a point is (t cos t, t sin t) plus N(0, noise^2) on
    both coordinates: the first and third coordinates of scikit-learn's roll, drawn from our own
    generator, so the distribution is the same and the points are not. The paper draws every batch
    afresh; here the training points are a fixed set. No modes and no labels.

    noise: data units. divide: the networks see data / divide.

    Raises:
        ValueError: a number is out of its range.
    """
    if not (math.isfinite(noise) and noise >= 0):
        raise ValueError(f"dataset.noise={noise!r}: must be a finite number of at least 0")
    _positive("divide", divide)
    counts = {"num_samples": num_samples, "num_validation": num_validation, "num_test": num_test}
    offset, scale = _unscaled(2, divide)
    splits = {}
    for split, (key, num) in zip(_SPLITS, counts.items(), strict=True):
        _count(key, num)
        generator = stream(seed, split)
        u = torch.rand(num, generator=generator, dtype=torch.float64)
        t = 1.5 * math.pi * (1 + 2 * u)
        points = torch.stack([t * t.cos(), t * t.sin()], dim=1)  # [N, 2]
        points += noise * torch.randn(num, 2, generator=generator, dtype=torch.float64)
        splits[split] = {"real": _apply(points, offset, scale)}
    return Dataset(name="swissroll", kind="vectors", splits=splits, offset=offset, scale=scale)


def _even_mixture(
    name: str,
    centres: Tensor,
    counts: Mapping[str, int],
    *,
    sd: float,
    divide: float,
    seed: int,
) -> Dataset:
    """Build ring and grid: labels drawn uniformly, one sd for all modes, data / divide."""
    _positive("sd", sd)
    _positive("divide", divide)
    spread = torch.full((len(centres),), sd, dtype=torch.float64)
    offset, scale = _unscaled(centres.shape[1], divide)
    splits = {}
    for split, num in counts.items():
        _count("num_samples" if split == "train" else f"num_{split}", num)
        generator = stream(seed, split)
        label = torch.randint(len(centres), (num,), generator=generator)
        points = _mixture(centres, spread, label, generator)
        splits[split] = {"real": _apply(points, offset, scale), "label": label}
    modes = Modes(centres=centres, sds=spread)
    return Dataset(
        name=name, kind="vectors", splits=splits, offset=offset, scale=scale, modes=modes
    )


def _diagonal(means: Sequence[float], sds: Sequence[float]) -> tuple[Tensor, Tensor]:
    """Return centres (m_k, m_k) [K, 2] and sds [K], checked."""
    if len(means) != len(sds) or not len(means):
        raise ValueError(
            f"dataset.sds={list(sds)!r}: needs one number for each of means={list(means)!r}"
        )
    for mean in means:
        if not math.isfinite(mean):
            raise ValueError(f"dataset.means={list(means)!r}: must be finite numbers")
    for sd in sds:
        _positive("sds", sd)
    centres = torch.tensor(means, dtype=torch.float64)[:, None].repeat(1, 2)  # [K, 2]
    return centres, torch.tensor(sds, dtype=torch.float64)


def _balanced(num: int, num_modes: int) -> Tensor:
    """Return num labels in the order of the modes, whose counts differ by one at most."""
    return torch.arange(num) * num_modes // num


def _mixture(centres: Tensor, sds: Tensor, label: Tensor, generator: torch.Generator) -> Tensor:
    """Draw one point [N, d] from the mode that each label [N] names."""
    noise = torch.randn(len(label), centres.shape[1], generator=generator, dtype=torch.float64)
    return centres[label] + sds[label, None] * noise


def _third(pair: Tensor) -> Tensor:
    """Return x3 = 0.25 x1 + 0.75 x2 as a column [N, 1]."""
    return 0.25 * pair[:, 0:1] + 0.75 * pair[:, 1:2]


def _triple_range(points: Tensor, after: bool) -> tuple[Tensor, Tensor]:
    """Return offset and scale [3]; the third feature stays unscaled where it is made afterwards."""
    offset, scale = minmax(points)
    if after:
        offset[2], scale[2] = 0.0, 1.0
    return offset, scale


def _unscaled(num_features: int, divide: float = 1.0) -> tuple[Tensor, Tensor]:
    offset = torch.zeros(num_features, dtype=torch.float64)
    return offset, torch.full_like(offset, divide)


def _apply(points: Tensor, offset: Tensor, scale: Tensor) -> Tensor:
    return ((points - offset) / scale).float()


def _count(key: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"dataset.{key}={value!r}: must be at least 1")


def _positive(key: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"dataset.{key}={value!r}: must be a finite number above 0")


def _choice(key: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"dataset.{key}={value!r}: must be one of {', '.join(allowed)}")
