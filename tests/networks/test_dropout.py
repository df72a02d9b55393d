"""Dropout: which units, by how much, and from whose bits."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from gan_runner.networks.dropout import (
    Dropout,
    DropoutMasks,
    Masks,
    masks_from,
    stacked_masks,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def dropped(p: float, shape: tuple[int, ...], seed: int = 0) -> Tensor:
    with DropoutMasks(masks_from(generator(seed))):
        out: Tensor = Dropout(p)(torch.ones(shape, dtype=torch.float64))
    return out


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5, 0.9])
def test_share_of_zeros_and_scale_of_the_rest(p: float) -> None:
    out = dropped(p, (400, 500))
    share = float((out == 0).double().mean())
    assert share == pytest.approx(p, abs=5 * math.sqrt(p * (1 - p) / out.numel()))
    assert out[out != 0].unique().tolist() == [1 / (1 - p)]  # in float64, not float32


def test_units_are_dropped_independently() -> None:
    kept = (dropped(0.3, (100_001, 4)) != 0).double()
    correlation = torch.corrcoef(kept.T) - torch.eye(4)  # neighbours share a 64-bit draw
    assert float(correlation.abs().max()) < 0.02


@pytest.mark.parametrize(("p", "num"), [(1e-9, 0), (2**-16, 1), (1 - 2**-16, 2**16 - 1),
                                        (1 - 1e-9, 2**16 - 1)])  # fmt: skip
def test_the_smallest_and_largest_p(p: float, num: int) -> None:
    values = torch.arange(-(2**15), 2**15).to(torch.int16)  # every draw once
    with DropoutMasks(lambda like, threshold: values >= threshold):
        out = Dropout(p)(torch.ones(2**16))
    assert int((out == 0).sum()) == num


def test_evaluation_is_the_identity_and_needs_no_bits() -> None:
    layer, x = Dropout(0.5).eval(), torch.randn(3, 4)
    assert layer(x) is x
    assert Dropout(0.0)(x) is x


def test_the_same_generator_gives_the_same_mask() -> None:
    before = torch.get_rng_state()
    assert torch.equal(dropped(0.5, (7, 9), 3), dropped(0.5, (7, 9), 3))
    assert not torch.equal(dropped(0.5, (7, 9), 3), dropped(0.5, (7, 9), 4))
    assert torch.equal(before, torch.get_rng_state())


def test_masks_differ_from_call_to_call() -> None:
    layer = Dropout(0.5)
    with DropoutMasks(masks_from(generator())):
        assert not torch.equal(layer(torch.ones(50)), layer(torch.ones(50)))


def test_an_error_outside_of_a_run() -> None:
    with pytest.raises(RuntimeError, match="source of masks"):
        Dropout(0.5)(torch.ones(3))


def test_the_innermost_source_serves_and_is_put_back() -> None:
    ones: Masks = lambda like, threshold: torch.ones(like.shape, dtype=torch.bool)  # noqa: E731
    none: Masks = lambda like, threshold: torch.zeros(like.shape, dtype=torch.bool)  # noqa: E731
    layer = Dropout(0.5)

    def fail() -> None:
        with DropoutMasks(none):
            assert layer(torch.ones(2)).tolist() == [0.0, 0.0]
            raise KeyError

    with DropoutMasks(ones):
        with pytest.raises(KeyError):
            fail()
        assert layer(torch.ones(2)).tolist() == [2.0, 2.0]
    with pytest.raises(RuntimeError):
        layer(torch.ones(2))


@pytest.mark.parametrize("shape", [(1,), (3,), (4,), (5, 3), (2, 3, 5)])
def test_masks_have_the_shape_asked_for(shape: tuple[int, ...]) -> None:
    kept = masks_from(generator())(torch.ones(shape), 0)
    assert kept.shape == shape
    assert kept.dtype == torch.bool


@pytest.mark.parametrize("shape", [(3,), (5, 3), (2, 3, 5)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_stacked_masks_are_each_generators_own(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    threshold = -3000
    stacked = stacked_masks(
        torch.Size(shape), threshold, [generator(seed) for seed in (1, 2, 3)], dtype
    )
    assert stacked.dtype == dtype
    assert stacked.shape == (3, *shape)
    for seed, mine in zip((1, 2, 3), stacked, strict=True):
        alone = masks_from(generator(seed))(torch.ones(shape), threshold)
        assert torch.equal(mine, alone.to(dtype))


def test_stacked_masks_go_on_where_they_stopped() -> None:
    own, other = generator(5), generator(5)
    draw = masks_from(other)
    for _ in range(3):
        (mine,) = stacked_masks(torch.Size((7, 3)), 100, [own])
        assert torch.equal(mine, draw(torch.ones(7, 3), 100).float())


def test_gradient_passes_through_kept_units_only() -> None:
    x = torch.ones(100, requires_grad=True)
    with DropoutMasks(masks_from(generator())):
        out = Dropout(0.3)(x)
    (gradient,) = torch.autograd.grad(out.sum(), x)
    assert torch.equal(gradient, out.detach())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_dtype_is_kept(dtype: torch.dtype) -> None:
    with DropoutMasks(masks_from(generator())):
        assert Dropout(0.3)(torch.ones(8, dtype=dtype)).dtype == dtype
