"""Codes that are read back, and strokes that are drawn here."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from gan_runner.metrics.information import (
    categorical_bound,
    code_accuracy,
    continuous_bound,
    slant,
    stroke_width,
)

SURE = 60.0


def _read_as(codes: list[int], num_codes: int) -> Tensor:
    return torch.nn.functional.one_hot(torch.tensor(codes), num_codes).float()


def _stroke(width: float, lean: float, *, size: int = 60, length: float = 40.0) -> Tensor:
    """An image [1, 1, size, size] of one straight stroke with soft edges.

    width: across the stroke. lean: pixels to the right for each pixel up.
    """
    places = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    up, right = -places[:, None], places[None, :]
    across = (right - lean * up) / math.hypot(1, lean)  # distance from the axis
    ink = (width / 2 - across.abs() + 0.5).clamp(0, 1) * (length / 2 - up.abs() + 0.5).clamp(0, 1)
    return (2 * ink - 1)[None, None]


def test_codes_in_any_order_are_matched() -> None:
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    assert code_accuracy(_read_as([2, 2, 0, 0, 1, 1], 3), labels) == 1
    assert code_accuracy(_read_as([2, 2, 0, 0, 1, 0], 3), labels) == pytest.approx(5 / 6)
    assert code_accuracy(_read_as([1, 1, 1, 1, 1, 1], 3), labels) == pytest.approx(1 / 3)


def test_the_matching_is_the_best_and_not_greedy() -> None:
    # Code 0 has 3 of label 0 and 2 of label 1; code 1 has 2 of label 0 and none of label 1.
    codes, labels = [0, 0, 0, 0, 0, 1, 1], torch.tensor([0, 0, 0, 1, 1, 0, 0])
    assert code_accuracy(_read_as(codes, 2), labels) == pytest.approx(4 / 7)  # greedy: 3 / 7


def test_numbers_of_codes_and_labels_may_differ() -> None:
    labels = torch.tensor([0, 0, 1, 1])
    assert code_accuracy(_read_as([0, 1, 2, 2], 3), labels) == 0.75  # a code too many
    assert code_accuracy(_read_as([0, 0, 1, 1], 2), torch.tensor([0, 0, 1, 2])) == 0.75


def test_the_categorical_bound_by_hand() -> None:
    codes = torch.tensor([0, 1, 2, 3])
    assert categorical_bound(torch.zeros(4, 4), codes) == pytest.approx(0, abs=1e-12)
    sure = SURE * _read_as([0, 1, 2, 3], 4)
    assert categorical_bound(sure, codes) == pytest.approx(math.log(4), abs=1e-9)
    assert categorical_bound(sure, codes.flip(0)) == pytest.approx(math.log(4) - SURE, abs=1e-9)
    # Q = (3/4, 1/4): ln 2 + (ln 3/4 + ln 1/4) / 2.
    logits = torch.tensor([[math.log(3), 0.0], [math.log(3), 0.0]])
    expected = math.log(2) + 0.5 * (math.log(0.75) + math.log(0.25))
    assert categorical_bound(logits, torch.tensor([0, 1])) == pytest.approx(expected, abs=1e-7)


def test_the_continuous_bound_by_hand() -> None:
    zeros = torch.zeros(3, 1)
    at_mean = math.log(2) - 0.5 * math.log(2 * math.pi)
    assert continuous_bound(zeros, zeros, zeros) == pytest.approx(at_mean, abs=1e-12)
    # One sd of 1/2 away: ln 2 - 1/2 - ln(1/2) - ln(2 pi) / 2.
    variance = torch.full((3, 1), math.log(0.25))
    expected = math.log(2) - 0.5 + math.log(2) - 0.5 * math.log(2 * math.pi)
    half = torch.full((3, 1), 0.5)
    assert continuous_bound(zeros, variance, half) == pytest.approx(expected, abs=1e-7)
    assert continuous_bound(zeros, variance, -half) == pytest.approx(expected, abs=1e-7)
    # Codes add up.
    two = [torch.cat([each, each], dim=1) for each in (zeros, variance, half)]
    assert continuous_bound(*two) == pytest.approx(2 * expected, abs=1e-7)


def test_what_is_not_finite_has_no_number() -> None:
    bad, codes = torch.tensor([[0.0, math.nan]]), torch.tensor([0])
    assert math.isnan(code_accuracy(bad, codes))
    assert math.isnan(categorical_bound(bad, codes))
    assert math.isnan(continuous_bound(bad, bad, bad))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^code_accuracy: logits \(2, 3\) and labels \(3,\)"):
        code_accuracy(torch.zeros(2, 3), torch.zeros(3, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"^categorical_bound: labels from 3 to 3"):
        categorical_bound(torch.zeros(1, 3), torch.tensor([3]))
    with pytest.raises(
        ValueError, match=r"^continuous_bound: mean \(2, 3\), log_variance \(2, 1\)"
    ):
        continuous_bound(torch.zeros(2, 3), torch.zeros(2, 1), torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r"images \(4, 4\) must be \[N, C, H, W\]"):
        slant(torch.zeros(4, 4))


@pytest.mark.parametrize("lean", [-0.8, -0.25, 0.0, 0.5, 1.0])
def test_slant_is_pixels_to_the_right_for_each_up(lean: float) -> None:
    assert float(slant(_stroke(5, lean))[0]) == pytest.approx(lean, abs=0.01)


@pytest.mark.parametrize("lean", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("width", [2.0, 3.0, 4.5])
def test_stroke_width_is_that_of_the_stroke(width: float, lean: float) -> None:
    # The two ends, each as long as the stroke is wide, belong to the perimeter too.
    length = 40 * math.hypot(1, lean)
    expected = 2 * width * length / (2 * length + 2 * width * math.hypot(1, lean))
    error = 0.03 if width > 2 or lean < 1 else 0.11  # thin diagonals have few pixels across
    assert float(stroke_width(_stroke(width, lean))[0]) == pytest.approx(expected, rel=error)


def test_stroke_width_of_a_ring_and_of_a_paler_one() -> None:
    places = torch.arange(48, dtype=torch.float64) - 23.5
    radius = torch.hypot(places[:, None], places[None, :])
    ink = (2 - (radius - 15).abs() + 0.5).clamp(0, 1)[None, None]  # [1, 1, 48, 48]
    assert float(stroke_width(2 * ink - 1)[0]) == pytest.approx(4, rel=0.02)
    assert float(stroke_width(ink - 1)[0]) == pytest.approx(4, rel=0.02)


def test_a_stroke_at_the_border_has_an_edge_there() -> None:
    image = -torch.ones(1, 1, 20, 20)
    image[..., :, :3] = 1
    # Rows end at the border: perimeter 2 (20 + 3), less what the corners cut off.
    assert float(stroke_width(image)[0]) == pytest.approx(2 * 60 / 46, rel=0.05)


def test_strokes_are_measured_one_by_one() -> None:
    images = torch.cat([_stroke(2, 0.0), _stroke(4, 0.5), -torch.ones(1, 1, 60, 60)]).float()
    alone = [(slant(image[None]), stroke_width(image[None])) for image in images]
    found = slant(images), stroke_width(images)
    assert found[0].shape == found[1].shape == (3,)
    for number in range(2):
        assert float(found[0][number]) == float(alone[number][0][0])
        assert float(found[1][number]) == float(alone[number][1][0])
    assert found[0][2].isnan()
    assert found[1][2].isnan()


def test_ink_in_one_row_has_no_slant() -> None:
    image = -torch.ones(1, 1, 9, 9)
    image[..., 4, :] = 1
    assert slant(image)[0].isnan()
    assert slant(torch.full((1, 1, 9, 9), math.nan))[0].isnan()
