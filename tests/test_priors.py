"""Priors: moments, ranges, shapes, and draws that only their generator decides."""

from __future__ import annotations

import math

import pytest
import torch

from gan_runner.priors import Normal, Prior, Uniform, latent

CPU = torch.device("cpu")
N = 40_000


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("prior", "mean", "sd"),
    [
        (Normal((2,)), 0.0, 1.0),
        (Uniform((2,)), 0.5, 1 / math.sqrt(12)),
        (Uniform((2,), -1.0, 1.0), 0.0, 2 / math.sqrt(12)),
        (Uniform((), 3.0, 5.0), 4.0, 2 / math.sqrt(12)),
    ],
)
def test_moments(prior: Prior, mean: float, sd: float) -> None:
    drawn = prior.draw(N, generator(), CPU, torch.float64)
    error = sd / math.sqrt(drawn.numel())
    assert float(drawn.mean()) == pytest.approx(mean, abs=5 * error)
    assert float(drawn.std()) == pytest.approx(sd, rel=0.02)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 1.0), (2.0, 2.5)])
def test_uniform_fills_its_range(low: float, high: float) -> None:
    drawn = Uniform((3,), low, high).draw(N, generator(), CPU, torch.float64)
    assert low <= float(drawn.min()) < low + 0.001 * (high - low)
    assert high - 0.001 * (high - low) < float(drawn.max()) < high


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("prior", "shape"),
    [
        (Normal((2,)), (5, 2)),
        (Normal((3, 4, 4)), (5, 3, 4, 4)),
        (Uniform(), (5,)),
        (Uniform((3,), -1.0, 1.0), (5, 3)),
    ],
)
def test_shape_dtype_and_device(prior: Prior, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    drawn = prior.draw(5, generator(), CPU, dtype)
    assert drawn.shape == shape
    assert drawn.dtype == dtype
    meta = prior.draw(5, generator(), torch.device("meta"), dtype)
    assert (meta.shape, meta.dtype, meta.device.type) == (shape, dtype, "meta")


@pytest.mark.parametrize("prior", [Normal((2,)), Uniform((2,), -1.0, 1.0)])
def test_only_the_generator_decides(prior: Prior) -> None:
    before = torch.get_rng_state()
    first = prior.draw(8, generator(3), CPU, torch.float32)
    torch.rand(9)
    assert torch.equal(first, prior.draw(8, generator(3), CPU, torch.float32))
    assert not torch.equal(first, prior.draw(8, generator(4), CPU, torch.float32))
    torch.set_rng_state(before)


def test_latent_by_name() -> None:
    assert latent("normal", 4) == Normal((4,))
    assert latent("uniform", 4) == Uniform((4,), -1.0, 1.0)
