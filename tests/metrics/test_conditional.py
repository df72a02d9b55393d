"""The share of samples that show what was asked for."""

from __future__ import annotations

import math

import pytest
import torch

from gan_runner.metrics.conditional import label_agreement


def test_the_share_is_counted() -> None:
    logits = torch.tensor([[3.0, 1.0], [0.0, 2.0], [5.0, 4.0], [-1.0, -2.0]])
    assert label_agreement(logits, torch.tensor([0, 1, 0, 0])) == 1
    assert label_agreement(logits, torch.tensor([0, 1, 1, 1])) == 0.5
    assert label_agreement(logits, torch.tensor([1, 0, 1, 1])) == 0


def test_what_is_not_finite_has_no_number() -> None:
    logits = torch.tensor([[3.0, 1.0], [math.nan, 2.0]])
    assert math.isnan(label_agreement(logits, torch.tensor([0, 1])))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"logits \(4, 2\) and labels \(3,\) must be \[N, K\]"):
        label_agreement(torch.zeros(4, 2), torch.zeros(3, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"labels from 0 to 2 must be in \[0, 2\)$"):
        label_agreement(torch.zeros(2, 2), torch.tensor([0, 2]))
    with pytest.raises(ValueError, match="labels from -1 to 1"):
        label_agreement(torch.zeros(2, 2), torch.tensor([-1, 1]))
