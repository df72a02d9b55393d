"""MSE and PSNR by hand."""

from __future__ import annotations

import math

import pytest
import torch

from gan_runner.metrics.superres import mse, psnr

TARGET = torch.zeros(2, 3)
PREDICTION = torch.tensor([[0.3, 0.0, 0.0], [0.0, 0.0, 0.4]])


def test_mse_is_the_mean_over_points_and_coordinates() -> None:
    assert mse(PREDICTION.double(), TARGET.double()) == pytest.approx(0.25 / 6, rel=1e-6)
    assert mse(TARGET, PREDICTION) == pytest.approx(0.25 / 6, rel=1e-6)
    assert mse(TARGET, TARGET) == 0


def test_mse_is_taken_in_float64() -> None:
    # In float32 the squares would be lost beside 1.
    prediction = torch.tensor([[1.0], [1e-5]])
    assert mse(prediction, torch.tensor([[0.0], [0.0]])) == pytest.approx(0.5 + 5e-11, abs=1e-14)


def test_psnr_by_hand() -> None:
    prediction = torch.full((4, 3), 0.1, dtype=torch.float64)
    target = torch.zeros(4, 3)
    assert psnr(prediction, target) == pytest.approx(20, abs=1e-9)
    assert psnr(prediction, target, data_range=2.0) == pytest.approx(
        20 + 20 * math.log10(2), abs=1e-9
    )
    assert psnr(target, target) == math.inf


def test_psnr_is_of_the_mean_error_not_the_mean_of_psnrs() -> None:
    prediction = torch.tensor([[0.1], [0.3]], dtype=torch.float64)
    assert psnr(prediction, torch.zeros(2, 1)) == pytest.approx(
        -10 * math.log10((0.01 + 0.09) / 2), abs=1e-9
    )


def test_a_diverged_prediction_is_told() -> None:
    prediction = torch.full((2, 3), math.nan)
    assert math.isnan(mse(prediction, TARGET))
    assert math.isnan(psnr(prediction, TARGET))
    prediction[0, 0], prediction[1:] = math.inf, 0
    prediction[0, 1:] = 0
    assert mse(prediction, TARGET) == math.inf
    assert psnr(prediction, TARGET) == -math.inf


def test_refuses() -> None:
    with pytest.raises(ValueError, match=r"prediction \(2, 3\) and target \(1, 3\)"):
        mse(PREDICTION, TARGET[:1])
    with pytest.raises(ValueError, match="hold at least one number"):
        mse(TARGET[:0], TARGET[:0])
    with pytest.raises(ValueError, match=r"data_range=0.0 must be"):
        psnr(PREDICTION, TARGET, data_range=0.0)
