"""Up- and down-sampling by two with a 3 x 3 convolution, each computed as one 4 x 4 one.

Nearest up-sampling repeats pixels and mean pooling adds them, so a 3 x 3 convolution after or
before it is a 4 x 4 one of stride 2 whose weights are sums of the nine: 4 multiplications a pixel
and pair of channels instead of 9, and no large map between.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


def widened(weight: Tensor) -> Tensor:
    """Each axis of a 3 x 3 kernel w to (w0, w0 + w1, w1 + w2, w2): [..., 3, 3] -> [..., 4, 4]."""
    padded = F.pad(weight, (1, 1, 1, 1))
    rows = padded[..., 1:, :] + padded[..., :-1, :]
    return rows[..., 1:] + rows[..., :-1]


FEW = 4  # outputs up to which a doubling is faster as a convolution and a shuffling of pixels


def doubling(x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    """The transposed 4 x 4 convolution of stride 2 and padding 1.

    y[2i + t - 1] takes kernel[t] x[i] along an axis. With t = 2a + b and s = i + a that is
    y[2s + b - 1]: a 2 x 2 convolution with four outputs for one, whose maps are the pixels with
    b = 0 and 1. Transposed kernels are slow for the few channels of an image.

    Args:
        x: [N, I, H, W].
        kernel: [I, O, 4, 4].
        bias: [O] or None.

    Returns:
        [N, O, 2 H, 2 W].
    """
    inputs, outputs = kernel.shape[:2]
    if outputs > FEW:
        return F.conv_transpose2d(x, kernel, bias, stride=2, padding=1)
    parts = kernel.reshape(inputs, outputs, 2, 2, 2, 2).flip(2, 4)  # [I, O, a, b, a', b']
    phases = parts.permute(1, 3, 5, 0, 2, 4).reshape(4 * outputs, inputs, 2, 2)
    biases = None if bias is None else bias.repeat_interleave(4)
    shuffled = F.pixel_shuffle(F.conv2d(x, phases, biases, padding=1), 2)
    return shuffled[..., 1:-1, 1:-1]


class TransposedConv2d(nn.ConvTranspose2d):
    """A 4 x 4 transposed convolution of stride 2 and padding 1 (Radford et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True) -> None:
        super().__init__(inputs, outputs, 4, stride=2, padding=1, bias=bias)

    def forward(self, input: Tensor) -> Tensor:  # type: ignore[override]
        """[N, inputs, H, W] -> [N, outputs, 2 H, 2 W]."""
        return doubling(input, self.weight, self.bias)


class UpsampledConv2d(nn.Conv2d):
    """Nearest up-sampling by two, then a 3 x 3 convolution with padding 1 (Odena et al. 2016).

    Along an axis y[2i + p] takes k = (w2, w1 + w2, w0 + w1, w0) as a transposed convolution. The
    parameters are the plain `nn.Conv2d`'s.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True) -> None:
        super().__init__(inputs, outputs, 3, padding=1, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, 2 H, 2 W]."""
        kernel = widened(self.weight.flip(2, 3)).transpose(0, 1)  # [I, O, 4, 4]
        return doubling(input, kernel, self.bias)


class PooledConv2d(nn.Conv2d):
    """A 3 x 3 convolution with padding 1, then 2 x 2 mean pooling (Gulrajani et al. 2017).

    An odd last row or column is left out, as `nn.AvgPool2d` does. The parameters are the plain
    `nn.Conv2d`'s.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True) -> None:
        super().__init__(inputs, outputs, 3, padding=1, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H // 2, W // 2]."""
        return F.conv2d(input, widened(self.weight) / 4, self.bias, stride=2, padding=1)


UPSAMPLINGS: dict[str, type[TransposedConv2d] | type[UpsampledConv2d]] = {
    "transposed": TransposedConv2d,
    "nearest": UpsampledConv2d,
}


def doubled(x: Tensor) -> Tensor:
    """Nearest up-sampling by two: [N, C, H, W] -> [N, C, 2 H, 2 W]."""
    return F.interpolate(x, scale_factor=2, mode="nearest")


def halved(x: Tensor) -> Tensor:
    """The mean of each 2 x 2 block: [N, C, H, W] -> [N, C, H // 2, W // 2]."""
    return F.avg_pool2d(x, 2)


def upsampling(name: str, inputs: int, outputs: int, *, bias: bool = True) -> nn.Module:
    """The layer of a name that doubles H and W: `transposed` or `nearest`."""
    return UPSAMPLINGS[name](inputs, outputs, bias=bias)
