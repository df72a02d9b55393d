"""Mapping, AdaIN and demodulation, against explicit forms."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gan_runner.networks.styles import (
    Adain,
    AdainLayer,
    DemodulatedLayer,
    MappingNetwork,
    Modulated,
    NoiseAndBias,
    ToImage,
    normalised,
    num_levels,
    truncated,
)

MAPPING = {"layers": 3, "style_size": 6, "multiplier": 0.01}


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def filled(network: torch.nn.Module) -> torch.nn.Module:
    network = network.double()
    for number, parameter in enumerate(network.parameters()):
        parameter.data = normal(*parameter.shape, seed=number)
    return network


# --- mapping ---------------------------------------------------------------------------------


def test_only_the_direction_of_z_matters() -> None:
    network = filled(MappingNetwork(MAPPING, 4)).eval()
    z = normal(5, 4)
    assert torch.allclose(network(z), network(7 * z), rtol=1e-6)
    assert network(z).shape == (5, 6)


def test_the_mean_of_w_follows_in_training_alone() -> None:
    network = filled(MappingNetwork(MAPPING, 4))
    z = normal(50, 4)
    w = network(z)
    expected = 0.005 * w.detach().mean(0)
    assert torch.allclose(network.running_mean, expected)  # type: ignore[arg-type]
    network.eval()
    network(z)
    assert torch.allclose(network.running_mean, expected)  # type: ignore[arg-type]


def test_truncation_by_hand() -> None:
    w, mean = torch.full((3, 10, 2), 3.0), torch.tensor([1.0, 2.0])
    psi = torch.tensor([0.0, 0.5, 1.0])
    out = truncated(w, mean, psi)
    assert out[0, 0].tolist() == [1.0, 2.0]
    assert out[1, 7].tolist() == [2.0, 2.5]
    assert torch.equal(out[2], w[2])
    assert torch.equal(out[:, 8:], w[:, 8:])  # beyond 32 x 32 nothing is truncated


# --- AdaIN -----------------------------------------------------------------------------------


def test_normalised_is_instance_normalisation() -> None:
    x = normal(2, 3, 4, 4)
    assert torch.allclose(normalised(x), F.instance_norm(x, eps=1e-8))


def test_adain_sets_mean_and_deviation_from_the_style() -> None:
    layer = filled(Adain(4, 3))
    x, w = normal(2, 3, 8, 8, seed=5), normal(2, 4, seed=6)
    out = layer(x, w)
    scale, shift = (layer.affine.weight / 2 @ w.t() + layer.affine.bias[:, None]).t().chunk(2, 1)  # type: ignore[union-attr, index, operator]
    assert torch.allclose(out.mean((2, 3)), shift)
    assert torch.allclose(out.std((2, 3), correction=0), (scale + 1).abs(), rtol=1e-6)


def test_noise_is_scaled_by_channel_and_starts_at_nothing() -> None:
    layer = NoiseAndBias(2)
    x, noise = torch.zeros(1, 2, 1, 2), torch.tensor([[[[1.0, -2.0]]]])
    assert torch.equal(layer(x, noise), x)
    layer.scale.data, layer.bias.data = torch.tensor([1.0, 10.0]), torch.tensor([0.5, 0.0])
    assert layer(x, noise).flatten().tolist() == [1.5, -1.5, 10.0, -20.0]
    assert layer(x, None).flatten().tolist() == [0.5, 0.5, 0.0, 0.0]


def test_a_layer_doubles_where_it_should() -> None:
    layer = AdainLayer(4, 2, 3, resample="up")
    out = layer(torch.ones(1, 2, 4, 4), torch.ones(1, 4), torch.ones(1, 1, 8, 8))
    assert out.shape == (1, 3, 8, 8)


# --- demodulation ----------------------------------------------------------------------------


@pytest.mark.parametrize("resample", ["none", "up"])
def test_demodulation_equals_its_explicit_form(resample: str) -> None:
    """Weights of each sample's own, scaled and divided by their norms (StyleGAN2, eq. 1 and 3)."""
    layer = filled(Modulated(4, 3, 5, resample=resample))
    x, w = normal(2, 3, 4, 4, seed=7), normal(2, 4, seed=8)
    style = w @ layer.affine.weight.t() / 2 + layer.affine.bias  # type: ignore[union-attr, operator]
    plain = layer.conv.weight / math.sqrt(27)  # type: ignore[union-attr, operator]
    found = []
    for number in range(2):
        weight = plain * style[number][None, :, None, None]
        weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        given = x[number : number + 1]
        if resample == "up":
            given = F.interpolate(given, scale_factor=2, mode="nearest")
        out = F.conv2d(given, weight, padding=1)
        if resample == "up":
            kernel = torch.tensor([1.0, 2.0, 1.0], dtype=torch.float64) / 4
            box = torch.outer(kernel, kernel).expand(5, 1, 3, 3)
            out = F.conv2d(out, box, padding=1, groups=5)
        found.append(out)
    assert torch.allclose(layer(x, w), torch.cat(found))


def test_demodulated_outputs_have_unit_variance() -> None:
    torch.manual_seed(0)
    layer = Modulated(4, 64, 32)
    out = layer(torch.randn(8, 64, 16, 16), 5 * torch.randn(8, 4))
    assert float(out[..., 1:-1, 1:-1].std()) == pytest.approx(1.0, abs=0.05)


def test_without_demodulation_the_scale_of_the_style_remains() -> None:
    layer = filled(Modulated(4, 3, 5, 1, demodulate=False))
    x, w = normal(2, 3, 4, 4), normal(2, 4)
    style = layer.affine(w)  # type: ignore[operator]
    kernel = layer.conv.weight[:, :, 0, 0] / math.sqrt(3)  # type: ignore[union-attr, index]
    expected = torch.einsum("oi,ni,nihw->nohw", kernel, style, x)
    assert torch.allclose(layer(x, w), expected)


def test_demodulated_gradients() -> None:
    layer = filled(DemodulatedLayer(2, 2, 2, resample="up"))
    x, w = normal(1, 2, 2, 2).requires_grad_(), normal(1, 2, seed=1).requires_grad_()
    noise = normal(1, 1, 4, 4, seed=2)
    assert torch.autograd.gradcheck(lambda *given: layer(*given, noise), (x, w))


@pytest.mark.parametrize("modulated", [False, True])
def test_to_image(modulated: bool) -> None:
    layer = ToImage(4, 3, 1, modulated=modulated)
    assert layer(torch.ones(2, 3, 4, 4), torch.ones(2, 4)).shape == (2, 1, 4, 4)


def test_levels() -> None:
    assert [num_levels(4 * 2**level) for level in range(1, 9)] == list(range(2, 10))
    for size in (4, 28, 48, 2048):
        with pytest.raises(ValueError, match=f"side {size}: network=stylegan takes 8, 16, 32"):
            num_levels(size)
