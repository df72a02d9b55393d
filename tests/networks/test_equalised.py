"""Equalised layers and blurred resampling, against plain forms."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gan_runner.networks.equalised import EqualConv2d, EqualLinear, blurred, pixel_norm


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def filled(network: nn.Module) -> nn.Module:
    """The network in float64, with weights of a fixed seed."""
    network = network.double()
    for number, parameter in enumerate(network.parameters()):
        parameter.data = normal(*parameter.shape, seed=number)
    return network


def test_weights_have_unit_variance_and_outputs_that_of_inputs() -> None:
    torch.manual_seed(0)
    layer = EqualLinear(400, 500, gain=1.0)
    assert float(layer.weight.std()) == pytest.approx(1.0, abs=0.01)
    out = layer(normal(200, 400).float())
    assert float(out.std()) == pytest.approx(1.0, abs=0.03)


def test_a_multiplier_scales_updates_and_not_outputs() -> None:
    torch.manual_seed(0)
    slow = EqualLinear(400, 500, gain=1.0, multiplier=0.01, bias=1.0)
    assert float(slow.weight.std()) == pytest.approx(100.0, rel=0.01)
    assert slow.bias.tolist() == [100.0] * 500
    out = slow(torch.zeros(1, 400))
    assert torch.allclose(out, torch.ones(1, 500))
    # A step of the same size on the kept weight moves the used one a hundredth as far.
    before = slow(torch.ones(1, 400))
    slow.weight.data += 1.0
    moved = slow(torch.ones(1, 400)) - before
    assert moved.mean().detach() == pytest.approx(0.01 * 400 / math.sqrt(400), rel=1e-3)


def test_pixel_norm_by_hand() -> None:
    x = torch.tensor([[3.0, 4.0]], dtype=torch.float64)
    assert torch.allclose(pixel_norm(x), x / math.sqrt(12.5))


def test_blur_by_hand() -> None:
    x = torch.zeros(1, 2, 5, 5)
    x[0, 0, 2, 2] = 16.0
    expected = torch.tensor([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]])
    assert torch.equal(blurred(x)[0, 0, 1:4, 1:4], expected)
    assert float(blurred(x).sum()) == 16.0
    assert not blurred(x)[0, 1].any()


def test_doubling_and_blur_are_bilinear_inside() -> None:
    x = normal(2, 3, 6, 6)
    doubled = F.interpolate(x, scale_factor=2, mode="nearest")
    bilinear = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    assert torch.allclose(blurred(doubled)[..., 1:-1, 1:-1], bilinear[..., 1:-1, 1:-1])


def test_up_equals_its_plain_form() -> None:
    layer = filled(EqualConv2d(3, 5, resample="up"))
    x = normal(2, 3, 4, 4, seed=9)
    doubled = F.interpolate(x, scale_factor=2, mode="nearest")
    plain = F.conv2d(doubled, layer.weight * math.sqrt(2 / 27), padding=1)  # type: ignore[operator]
    expected = blurred(plain) + layer.bias[:, None, None]  # type: ignore[index]
    assert torch.allclose(layer(x), expected)


def test_down_equals_its_plain_form() -> None:
    layer = filled(EqualConv2d(3, 5, resample="down"))
    x = normal(2, 3, 8, 8, seed=9)
    plain = F.conv2d(blurred(x), layer.weight * math.sqrt(2 / 27), padding=1)  # type: ignore[operator]
    expected = F.avg_pool2d(plain, 2) + layer.bias[:, None, None]  # type: ignore[index]
    assert torch.allclose(layer(x), expected)


@pytest.mark.parametrize("resample", ["none", "up", "down"])
def test_gradients(resample: str) -> None:
    layer = filled(EqualConv2d(2, 2, resample=resample))
    x = normal(1, 2, 4, 4, seed=5).requires_grad_()
    assert torch.autograd.gradcheck(layer, (x,))
    assert torch.autograd.gradgradcheck(layer, (x,))
