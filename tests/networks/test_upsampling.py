"""Folded resampling against the two layers that it stands for, in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gan_runner.networks.upsampling import (
    FEW,
    PooledConv2d,
    TransposedConv2d,
    UpsampledConv2d,
    doubled,
    doubling,
    halved,
    widened,
)

SIZES = [(1, 1), (1, 2), (2, 2), (3, 5), (4, 7), (8, 6)]
OUTPUTS = [1, FEW, FEW + 1, 7]  # both ways of computing a doubling


def same_values_and_gradients(layer: nn.Conv2d, plain: nn.Module, x: Tensor) -> None:
    """Values, and gradients of a curved function of them, in input, weight and bias."""
    x = x.requires_grad_()
    inputs = [x, *layer.parameters()]
    out, expected = layer(x), plain(x)
    assert out.shape == expected.shape
    torch.testing.assert_close(out, expected, rtol=1e-12, atol=1e-12)
    weights = torch.linspace(-1, 1, out.numel(), dtype=x.dtype).reshape(out.shape)
    for got, wanted in zip(
        torch.autograd.grad((weights * out.square()).sum(), inputs),
        torch.autograd.grad((weights * expected.square()).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(got, wanted, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("outputs", OUTPUTS)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_upsampling_then_convolution(
    size: tuple[int, int], outputs: int, memory_format: torch.memory_format
) -> None:
    layer = UpsampledConv2d(3, outputs).double().to(memory_format=memory_format)
    up = nn.Upsample(scale_factor=2, mode="nearest")

    def plain(x: Tensor) -> Tensor:
        return F.conv2d(up(x), layer.weight, layer.bias, padding=1)

    x = torch.randn(2, 3, *size, dtype=torch.float64).to(memory_format=memory_format)
    same_values_and_gradients(layer, plain, x)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(2, 2), (3, 5), (4, 7), (9, 6)])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_convolution_then_mean_pooling(
    size: tuple[int, int], memory_format: torch.memory_format
) -> None:
    layer = PooledConv2d(3, 4).double().to(memory_format=memory_format)
    pool = nn.AvgPool2d(2)

    def plain(x: Tensor) -> Tensor:
        return pool(F.conv2d(x, layer.weight, layer.bias, padding=1))  # type: ignore[no-any-return]

    x = torch.randn(2, 3, *size, dtype=torch.float64).to(memory_format=memory_format)
    same_values_and_gradients(layer, plain, x)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("outputs", OUTPUTS)
@pytest.mark.parametrize("bias", [True, False])
def test_the_transposed_convolution_is_torchs(
    size: tuple[int, int], outputs: int, bias: bool
) -> None:
    layer = TransposedConv2d(3, outputs, bias=bias).double()
    plain = nn.ConvTranspose2d(3, outputs, 4, stride=2, padding=1, bias=bias).double()
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    same_values_and_gradients(
        layer,  # type: ignore[arg-type]
        lambda x: F.conv_transpose2d(x, layer.weight, layer.bias, stride=2, padding=1),
        x,
    )
    torch.testing.assert_close(layer(x), plain(x), rtol=1e-12, atol=1e-12)


def test_parameters_are_the_plain_layers() -> None:
    for layer in (UpsampledConv2d(3, 5), PooledConv2d(3, 5)):
        plain = nn.Conv2d(3, 5, 3, padding=1)
        shapes = {name: value.shape for name, value in layer.state_dict().items()}
        assert shapes == {name: value.shape for name, value in plain.state_dict().items()}


def test_a_kernel_by_hand() -> None:
    ones = widened(torch.tensor([[1.0, 2, 3], [0, 0, 0], [0, 0, 0]]))
    assert ones.tolist() == [[1, 3, 5, 3], [1, 3, 5, 3], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_few_outputs_are_the_many_outputs_first_ones() -> None:
    x, kernel = torch.randn(2, 3, 4, 5).double(), torch.randn(3, FEW + 1, 4, 4).double()
    many = doubling(x, kernel, None)
    torch.testing.assert_close(doubling(x, kernel[:, :FEW], None), many[:, :FEW])


def test_resampling_alone() -> None:
    x = torch.tensor([[[[1.0, 2.0, 9.0], [3.0, 4.0, 9.0]]]])
    assert doubled(x)[0, 0, 0].tolist() == [1, 1, 2, 2, 9, 9]
    assert halved(x).tolist() == [[[[2.5]]]]  # an odd last column is left out


def test_second_derivatives() -> None:
    for layer in (UpsampledConv2d(2, 1), UpsampledConv2d(2, 5), PooledConv2d(2, 2)):
        x = torch.randn(1, 2, 2, 3, dtype=torch.float64, requires_grad=True)
        weight = layer.double().weight

        def curved(x: Tensor, weight: Tensor, layer: nn.Module = layer) -> Tensor:
            out = torch.func.functional_call(layer, {"weight": weight}, (x,))
            return out.tanh()  # type: ignore[no-any-return]

        assert torch.autograd.gradgradcheck(curved, (x, weight))
