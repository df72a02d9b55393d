"""Self-attention against its formula written as loops, and its start as the identity."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from gan_runner.networks.attention import SelfAttention


def layer(channels: int, *, pooled: bool, gamma: float = 0.7) -> SelfAttention:
    made = SelfAttention(channels, pooled=pooled).double()
    with torch.no_grad():
        made.gamma.fill_(gamma)
    return made


def at(weight: Tensor, x: Tensor) -> list[float]:
    """A 1 x 1 convolution at one pixel."""
    return [
        sum(float(w) * float(v) for w, v in zip(row, x, strict=True)) for row in weight[:, :, 0, 0]
    ]


def blocks(x: Tensor, weight: Tensor, *, pooled: bool) -> list[list[float]]:
    """Keys or values: of every pixel, or the maxima over each 2 x 2 block, row by row."""
    _, height, width = x.shape
    if not pooled:
        return [at(weight, x[:, i, j]) for i in range(height) for j in range(width)]
    found = []
    for i in range(0, height - 1, 2):
        for j in range(0, width - 1, 2):
            four = [at(weight, x[:, i + a, j + b]) for a in (0, 1) for b in (0, 1)]
            found.append([max(values) for values in zip(*four, strict=True)])
    return found


@pytest.mark.parametrize("pooled", [True, False])
@torch.no_grad()
def test_the_formula_in_loops(pooled: bool) -> None:
    attention = layer(16, pooled=pooled)
    image = torch.randn(2, 16, 4, 5, dtype=torch.float64)
    out = attention(image)
    for n, x in enumerate(image):
        keys = blocks(x, attention.key.weight, pooled=pooled)
        values = blocks(x, attention.value.weight, pooled=pooled)
        for i in range(4):
            for j in range(5):
                query = at(attention.query.weight, x[:, i, j])
                scores = [sum(a * b for a, b in zip(query, key, strict=True)) for key in keys]
                total = sum(math.exp(score) for score in scores)
                mixed = torch.zeros(8, dtype=torch.float64)
                for score, value in zip(scores, values, strict=True):
                    mixed += math.exp(score) / total * torch.tensor(value, dtype=torch.float64)
                wanted = x[:, i, j] + 0.7 * attention.out.weight[:, :, 0, 0] @ mixed
                torch.testing.assert_close(out[n, :, i, j], wanted)


def test_gamma_starts_at_zero_and_learns() -> None:
    attention = SelfAttention(16)
    x = torch.randn(2, 16, 4, 4)
    assert torch.equal(attention(x), x)
    attention(x).square().sum().backward()
    assert attention.gamma.grad is not None
    assert float(attention.gamma.grad.abs()) > 0


def test_channels_of_the_maps() -> None:
    attention = SelfAttention(64)
    sizes = {name: tuple(p.shape) for name, p in attention.named_parameters()}
    assert sizes == {
        "gamma": (), "key.weight": (8, 64, 1, 1), "query.weight": (8, 64, 1, 1),
        "value.weight": (32, 64, 1, 1), "out.weight": (64, 32, 1, 1),
    }  # fmt: skip
    assert SelfAttention(4).key.weight.shape == (1, 4, 1, 1)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 3), (5, 4)])
def test_any_size(size: tuple[int, int]) -> None:
    x = torch.randn(3, 8, *size, dtype=torch.float64)
    assert layer(8, pooled=True)(x).shape == x.shape


def test_samples_are_apart_and_layouts_agree() -> None:
    attention = layer(8, pooled=True)
    x = torch.randn(3, 8, 4, 6, dtype=torch.float64)
    out = attention(x)
    torch.testing.assert_close(attention(x[1:2]), out[1:2])
    torch.testing.assert_close(attention(x.to(memory_format=torch.channels_last)), out)


def test_second_derivatives() -> None:
    attention = layer(2, pooled=True)
    x = torch.randn(1, 2, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(attention, (x,))
