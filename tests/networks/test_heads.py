"""The last layer on a trunk, and Q: sizes, bounds, initial weights."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from gan_runner.networks.heads import CodeHead, head
from gan_runner.networks.spectral import has_spectral


def test_a_head_is_one_linear_layer() -> None:
    network = head({}, 7, 3)
    assert isinstance(network, nn.Linear)
    assert not has_spectral(network)
    assert network(torch.zeros(4, 7)).shape == (4, 3)


@torch.no_grad()
def test_a_head_is_as_the_discriminator_asks_for() -> None:
    plain = head({"initialisation": "normal", "spectral": False}, 500, 40)
    assert float(plain.weight.std()) == pytest.approx(0.02, rel=0.05)
    assert not plain.bias.any()
    normalised = head({"initialisation": "normal", "spectral": True}, 500, 40)
    assert has_spectral(normalised)
    assert float(torch.linalg.matrix_norm(normalised.weight, 2)) == pytest.approx(1.0, rel=0.02)


@pytest.mark.parametrize(("categories", "continuous"), [(10, 2), (3, 0), (2, 5)])
def test_what_q_reads(categories: int, continuous: int) -> None:
    network = CodeHead(6, categories, continuous)
    logits, mean, log_variance = network(torch.randn(9, 6))
    assert logits.shape == (9, categories)
    assert mean.shape == log_variance.shape == (9, continuous)


def test_log_variances_are_bounded_smoothly() -> None:
    network = CodeHead(6, 3, 1).double().eval()
    last = network.layers[-1]
    with torch.no_grad():
        last.weight.zero_()
        for raw, expected in [(0.0, 0.0), (0.001, 0.001), (4.0, 4 * math.tanh(1)), (1e4, 4.0),
                              (-1e4, -4.0)]:  # fmt: skip
            last.bias.copy_(torch.tensor([1.0, 2.0, 3.0, 0.25, raw]))
            logits, mean, log_variance = network(torch.randn(2, 6, dtype=torch.float64))
            assert logits[0].tolist() == [1.0, 2.0, 3.0]
            assert mean[0].tolist() == [0.25]
            assert float(log_variance[0]) == pytest.approx(expected, abs=1e-9)
