"""Initial weights: their spread by the paper's formula, zero biases, and one stream only."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from gan_runner.networks.initialisation import SCHEMES, initialise
from gan_runner.networks.mlp import Maxout
from gan_runner.schema import INITIALISATIONS
from gan_runner.streams import seeded_globally

IN, OUT = 300, 200


def initialised(scheme: str, seed: int = 0) -> nn.Linear:
    with seeded_globally(seed):
        network = initialise(nn.Sequential(nn.Linear(IN, OUT)), scheme)
    layer = network[0]  # type: ignore[index]
    assert isinstance(layer, nn.Linear)
    return layer


@pytest.mark.parametrize(
    ("scheme", "sd"),
    [
        ("torch", 1 / math.sqrt(3 * IN)),  # U(-1/sqrt(IN), 1/sqrt(IN))
        ("xavier", math.sqrt(2 / (IN + OUT))),
        ("he", math.sqrt(2 / IN)),
        ("normal", 0.02),
        ("orthogonal", 1 / math.sqrt(IN)),
    ],
)
def test_spread(scheme: str, sd: float) -> None:
    weight = initialised(scheme).weight.detach()
    assert float(weight.std()) == pytest.approx(sd, rel=0.02)
    assert float(weight.mean()) == pytest.approx(0, abs=5 * sd / math.sqrt(IN * OUT))


def test_xavier_is_uniform_and_he_is_normal() -> None:
    bound = math.sqrt(6 / (IN + OUT))
    assert float(initialised("xavier").weight.detach().abs().max()) <= bound
    assert float(initialised("he").weight.detach().abs().max()) > 3 * math.sqrt(2 / IN)


def test_orthogonal_rows() -> None:
    weight = initialised("orthogonal").weight.detach()
    assert torch.allclose(weight @ weight.T, torch.eye(OUT), atol=1e-5)


@pytest.mark.parametrize("scheme", ["xavier", "he", "normal", "orthogonal"])
def test_biases_are_zero(scheme: str) -> None:
    assert not initialised(scheme).bias.detach().any()


def test_torch_keeps_what_the_constructor_drew() -> None:
    with seeded_globally(3):
        plain = nn.Linear(IN, OUT)
    assert torch.equal(plain.weight, initialised("torch", 3).weight)
    assert torch.equal(plain.bias, initialised("torch", 3).bias)


@pytest.mark.parametrize("scheme", INITIALISATIONS)
def test_the_stream_decides(scheme: str) -> None:
    assert torch.equal(initialised(scheme, 1).weight, initialised(scheme, 1).weight)
    assert not torch.equal(initialised(scheme, 1).weight, initialised(scheme, 2).weight)


@pytest.mark.parametrize("scheme", ["xavier", "he", "normal", "orthogonal"])
def test_layers_within_layers_and_without_bias(scheme: str) -> None:
    before = nn.Sequential(Maxout(3, 4, 2), nn.Linear(4, 2, bias=False))
    drawn = before[0].linear.weight.detach().clone()  # type: ignore[union-attr]
    initialise(before, scheme)
    assert not torch.equal(drawn, before[0].linear.weight)  # type: ignore[union-attr]


def test_every_named_scheme_is_known() -> None:
    assert {*SCHEMES, "torch"} == set(INITIALISATIONS)


def test_normal_draws_the_gains_of_batch_normalisation() -> None:
    """Radford et al. 2016: gains from N(1, 0.02), biases 0; no other scheme touches them."""
    with seeded_globally(0):
        network = nn.Sequential(nn.BatchNorm2d(5000), nn.BatchNorm1d(5000), nn.GroupNorm(1, 8))
        initialise(network, "normal")
    for layer in (network[0], network[1]):
        gain = layer.weight.detach()  # type: ignore[union-attr]
        assert float(gain.mean()) == pytest.approx(1, abs=0.002)
        assert float(gain.std()) == pytest.approx(0.02, rel=0.05)
        assert not layer.bias.detach().any()  # type: ignore[union-attr]
    assert bool((network[2].weight == 1).all())
    for scheme in ("torch", "xavier", "he", "orthogonal"):
        layer = initialise(nn.BatchNorm2d(5), scheme)
        assert bool((layer.weight == 1).all())
    initialise(nn.BatchNorm2d(5, affine=False), "normal")
