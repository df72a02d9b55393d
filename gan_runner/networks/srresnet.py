"""SRResNet and the discriminator of SRGAN (Ledig et al. 2017, figure 4)."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from gan_runner.networks.initialisation import initialise
from gan_runner.networks.levels import Shape, flattened, image_shape

Section = Mapping[str, Any]
SCALES = (2, 3, 4)
START = 0.25  # of every PReLU's slope, one a layer (He et al. 2015)
ENDS = 9  # side of the first and the last convolution
STAGES = (1, 2, 4, 8)  # D's channels, in widths; two convolutions each, the second of stride 2
DENSE = 16  # units of D's dense layer, in widths


def _conv(inputs: int, outputs: int, side: int, *, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, side, stride=stride, padding=side // 2, bias=bias)


def _normed(norm: str, channels: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels)] if norm == "batch" else []


class Block(nn.Module):
    """3 x 3, norm, PReLU, 3 x 3, norm; plus the input."""

    def __init__(self, width: int, norm: str) -> None:
        super().__init__()
        bias = norm == "none"
        self.layers = nn.Sequential(
            _conv(width, width, 3, bias=bias),
            *_normed(norm, width),
            nn.PReLU(init=START),
            _conv(width, width, 3, bias=bias),
            *_normed(norm, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[N, width, h, w] -> the same."""
        out: Tensor = x + self.layers(x)
        return out


class Generator(nn.Module):
    """SRResNet: [N, C, h, w] -> [N, C, scale h, scale w], of any h and w.

    Sub-pixel convolutions (Shi et al. 2016) double twice for 4, else enlarge once. With `skip` the
    input, enlarged bicubically, is added at the end, and the last convolution begins at 0: G begins
    as bicubic interpolation (Kim et al. 2016, VDSR; not in the paper).

    Attributes:
        scale: G's output is so many times as large as its input.
        reach: pixels of the input, in each direction, that an output pixel may depend on.
        numbers_a_pixel: in the largest maps, for each pixel of the input.
    """

    def __init__(self, section: Section, channels: int, scale: int) -> None:
        super().__init__()
        width, norm = section["width"], section["norm"]
        self.scale = scale
        self.numbers_a_pixel = width * scale**2
        factors = (2, 2) if scale == 4 else (scale,)
        self.head = nn.Sequential(_conv(channels, width, ENDS), nn.PReLU(init=START))
        self.blocks = nn.Sequential(*(Block(width, norm) for _ in range(section["num_blocks"])))
        self.after = nn.Sequential(
            _conv(width, width, 3, bias=norm == "none"), *_normed(norm, width)
        )
        grown: list[nn.Module] = []
        for factor in factors:
            shuffled = _conv(width, width * factor**2, 3)
            grown += [shuffled, nn.PixelShuffle(factor), nn.PReLU(init=START)]
        self.grow = nn.Sequential(*grown)
        self.tail = _conv(width, channels, ENDS)
        initialise(self, section["initialisation"])
        self.skip = section["skip"]
        if self.skip == "bicubic":
            nn.init.zeros_(self.tail.weight)
            assert self.tail.bias is not None
            nn.init.zeros_(self.tail.bias)
        before = sum(1 / 2**turn for turn in range(len(factors)))
        self.reach = ceil(ENDS // 2 + 2 * section["num_blocks"] + 1 + before + ENDS // 2 / scale)

    def forward(self, low: Tensor) -> Tensor:
        """[N, C, h, w] -> [N, C, scale h, scale w]."""
        first = self.head(low)
        out: Tensor = self.tail(self.grow(first + self.after(self.blocks(first))))
        if self.skip == "bicubic":
            out = out + enlarged(low, self.scale)
        return out


def enlarged(low: Tensor, scale: int) -> Tensor:
    """Bicubic interpolation with Keys' a = -1/2: [N, C, h, w] -> [N, C, scale h, scale w]."""
    # torch's plain form has a = -3/4; its antialiased one has -1/2 and, enlarging, smooths nothing.
    return functional.interpolate(
        low, scale_factor=scale, mode="bicubic", align_corners=False, antialias=True
    )


class Trunk(nn.Module):
    """Eight convolutions, every other of stride 2, and a dense layer of 16 widths (1024).

    The dense layer takes all that is left of the image, so its size follows from the image's; with
    `pool` it takes the means over pool x pool fields, and the number of weights follows from none.
    """

    def __init__(self, section: Section, shape: tuple[int, int, int]) -> None:
        super().__init__()
        before, height, width = shape
        slope, norm = section["slope"], section["norm"]
        layers: list[nn.Module] = []
        for turn, times in enumerate(each for each in STAGES for _ in range(2)):
            after, stride = times * section["width"], 1 + turn % 2
            normed = _normed(norm, after) if turn else []
            layers += [_conv(before, after, 3, stride=stride, bias=not normed), *normed]
            layers.append(nn.LeakyReLU(slope, inplace=True))
            before = after
            height, width = -(-height // stride), -(-width // stride)
        self.layers = nn.Sequential(*layers)
        pool = section["pool"]
        self.pool = nn.Identity() if pool is None else nn.AdaptiveAvgPool2d(pool)
        fields = height * width if pool is None else pool**2
        self.num_features = DENSE * section["width"]
        self.dense = nn.Linear(before * fields, self.num_features)
        self.activation = nn.LeakyReLU(slope)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, num_features]."""
        features: Tensor = self.activation(self.dense(flattened(self.pool(self.layers(x)))))
        return features


class Discriminator(nn.Module):
    """A trunk and one linear unit: logits without the paper's sigmoid."""

    def __init__(self, section: Section, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.trunk = Trunk(section, shape)
        self.last = nn.Linear(self.trunk.num_features, 1)
        initialise(self, section["initialisation"])

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> logits [N, 1]."""
        logits: Tensor = self.last(self.trunk(x))
        return logits


class SrResNetFamily:
    """The registered family `srresnet`."""

    @staticmethod
    def generator(
        section: Section, inputs: Shape, outputs: Shape, num_classes: int | None = None
    ) -> nn.Module:
        """[N, *inputs] -> [N, *outputs], twice, three or four times as large.

        Raises:
            ValueError: the two are no images, or not of such a scale.
        """
        assert num_classes is None, "no model asks SRResNet for classes"
        channels, height, width = image_shape(outputs, "srresnet")
        scale = outputs[1] // inputs[1] if len(inputs) == 3 and inputs[1] else 0
        wanted = (channels, height // scale, width // scale) if scale in SCALES else ()
        if tuple(inputs) != wanted or height % scale or width % scale:
            raise ValueError(
                f"network=srresnet makes images 2, 3 or 4 times as large, "
                f"not {list(outputs)} of {list(inputs)}"
            )
        return Generator(section["generator"], channels, scale)

    @staticmethod
    def discriminator(section: Section, inputs: Shape, num_classes: int | None = None) -> nn.Module:
        """[N, *inputs] -> logits [N, 1]."""
        assert num_classes is None, "no model asks SRGAN's discriminator for classes"
        return Discriminator(section["discriminator"], image_shape(inputs, "srresnet"))

    @staticmethod
    def trunk(section: Section, inputs: Shape) -> nn.Module:
        """[N, *inputs] -> features [N, num_features]."""
        own = section["discriminator"]
        return initialise(Trunk(own, image_shape(inputs, "srresnet")), own["initialisation"])
