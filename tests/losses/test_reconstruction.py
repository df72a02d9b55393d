"""Reconstruction losses against values worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch.func import grad_and_value, vmap

from gan_runner.losses.reconstruction import (
    RECONSTRUCTIONS,
    absolute_error,
    squared_error,
    squared_norm,
)

NAMES = sorted(RECONSTRUCTIONS)


def test_golden_values():
    prediction = torch.tensor([[2.0, 1.0, 0.0], [4.0, 4.0, 4.0]])
    target = torch.tensor([[1.0, 3.0, -3.0], [4.0, 4.0, 4.0]])
    # Differences (1, -2, 3) and (0, 0, 0): squares sum to 14 and 0, magnitudes to 6 and 0.
    assert squared_error(prediction, target).item() == pytest.approx(14 / 6, rel=1e-6)
    assert squared_norm(prediction, target).item() == 7.0  # (14 + 0) / 2
    assert absolute_error(prediction, target).item() == 1.0  # 6 / 6


@pytest.mark.parametrize("shape", [(5,), (5, 1), (5, 3), (5, 2, 4, 3)])
def test_squared_norm_is_squared_error_times_coordinates(shape):
    generator = torch.Generator().manual_seed(0)
    prediction, target = torch.randn(2, *shape, generator=generator, dtype=torch.float64)
    coordinates = prediction[0].numel()
    error, norm = squared_error(prediction, target), squared_norm(prediction, target)
    assert error.shape == norm.shape == absolute_error(prediction, target).shape == ()
    assert norm.item() == pytest.approx(coordinates * error.item(), rel=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_derivatives_match_finite_differences(name):
    generator = torch.Generator().manual_seed(1)
    prediction, target = torch.randn(2, 3, 2, generator=generator, dtype=torch.float64)
    prediction.requires_grad_()
    assert torch.autograd.gradcheck(lambda p: RECONSTRUCTIONS[name](p, target), (prediction,))


@pytest.mark.parametrize("name", NAMES)
def test_replicas_equal_a_loop(name):
    generator = torch.Generator().manual_seed(2)
    prediction, target = torch.randn(2, 4, 3, 2, generator=generator, dtype=torch.float64)
    f = grad_and_value(RECONSTRUCTIONS[name])
    slopes, values = vmap(f)(prediction, target)
    for s in range(4):
        slope, value = f(prediction[s], target[s])
        torch.testing.assert_close(values[s], value, rtol=0, atol=1e-15)
        torch.testing.assert_close(slopes[s], slope, rtol=0, atol=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_shapes_that_would_broadcast_are_refused(name):
    with pytest.raises(ValueError, match=r"\(3, 1\).*\(3,\)"):
        RECONSTRUCTIONS[name](torch.zeros(3, 1), torch.zeros(3))


def test_the_registry():
    assert {
        "squared_error": squared_error,
        "squared_norm": squared_norm,
        "absolute_error": absolute_error,
    } == RECONSTRUCTIONS
