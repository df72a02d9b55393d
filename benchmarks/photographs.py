"""Training steps of StyleGAN and SRGAN against loops written by hand, in one process.

Two games, each with the same networks, data and batch both ways:

stylegan  StyleGAN without growing on images of MNIST's shape padded to 32 x 32: widths from 16,
          styles of 64 numbers, R1 on every step, mixed styles, the moving average of G; batch 32
srgan     SRGAN on scikit-learn's two photographs, crops of 64 pixels from 16: a small SRResNet
          without BatchNorm, the absolute error and 0.005 times the adversarial loss; batch 16

plain       what a tutorial shows: a DataLoader with PIL transforms, default Adam, `backward()`,
            NCHW, nothing frozen, nothing folded, two passes through D. StyleGAN: nearest doubling,
            the 3 x 3 convolution and a depthwise blur one after the other, `nn.InstanceNorm2d`,
            R1 by `autograd.grad` from the pass that the loss looks at, the moving average in a
            Python loop. SRGAN: a photograph is opened for each of its crops; D's and G's moves on
            the same fakes.
gan_runner  the engine itself, with the watch on its terms; for SRGAN the same fakes for both moves.

The ways alternate in short blocks, so that noise of a shared machine hits all alike; the ratios of
their medians are printed, and how much of a step of each way its data take. MNIST's images are
random bytes: the time does not depend on what they show.
Run: `python benchmarks/photographs.py [--blocks 12] [--steps 6] [--threads 1]`.
"""

from __future__ import annotations

import argparse
import copy
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from images import images
from loops import ENDLESS, engine, in_turn, medians, trainer_of
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from gan_runner.trainer import Trainer

BATCH = {"stylegan": 32, "srgan": 16}
STYLE = 64
CHANNELS = (128, 64, 32, 16)  # at 4 x 4, 8 x 8, 16 x 16, 32 x 32
LAYERS = 2 * len(CHANNELS)
CROP, SCALE, NUM_CROPS = 64, 4, 10_000
TYPED = {
    "stylegan": [
        "model=stylegan", "dataset=mnist", "dataset.pad=2", "dataset.num_validation=1000",
        "network.generator.width=16", "network.discriminator.width=16",
        f"network.mapping.style_size={STYLE}", f"model.latent_size={STYLE}", "model.grows=false",
        "penalty=r1_stylegan", "penalty.weight=10", "penalty.every=1",
    ],
    "srgan": [
        "model=srgan_photos", "dataset=superres", "network=srresnet_cpu", f"dataset.crop={CROP}",
        "model.content=absolute_error", "model.pretrain_share=0.0",
        "model.lambda_adversarial=0.005",
    ],
}  # fmt: skip


# --- StyleGAN's networks ---------------------------------------------------------------------


class EqualLinear(nn.Linear):
    """A linear layer whose weight is scaled when it is used."""

    def __init__(
        self, inputs: int, outputs: int, gain: float = 2**0.5, multiplier: float = 1.0
    ) -> None:
        super().__init__(inputs, outputs)
        nn.init.normal_(self.weight, 0.0, 1 / multiplier)
        nn.init.zeros_(self.bias)
        self.scale, self.multiplier = gain / inputs**0.5 * multiplier, multiplier

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs] -> [N, outputs]."""
        return F.linear(x, self.weight * self.scale, self.bias * self.multiplier)


class EqualConv2d(nn.Conv2d):
    """The same for a convolution."""

    def __init__(
        self, inputs: int, outputs: int, side: int, gain: float = 2**0.5, bias: bool = True
    ) -> None:
        super().__init__(inputs, outputs, side, padding=side // 2, bias=bias)
        nn.init.normal_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)
        self.scale = gain / (inputs * side * side) ** 0.5

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H, W]."""
        return F.conv2d(x, self.weight * self.scale, self.bias, padding=self.padding)


class Blur(nn.Module):
    """(1, 2, 1) / 4 along both axes, as a depthwise convolution."""

    kernel: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        line = torch.tensor([1.0, 2.0, 1.0]) / 4
        self.register_buffer("kernel", torch.outer(line, line).repeat(channels, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> the same."""
        return F.conv2d(x, self.kernel, padding=1, groups=x.shape[1])


class PixelNorm(nn.Module):
    """Features over their root mean square."""

    def forward(self, x: Tensor) -> Tensor:
        """[N, d] -> [N, d]."""
        return x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()


class Noise(nn.Module):
    """Noise with a scale for each channel, and a bias."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> the same."""
        noise = torch.randn(len(x), 1, *x.shape[2:])
        return x + self.scale * noise + self.bias


class Adain(nn.Module):
    """Adaptive instance normalisation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.InstanceNorm2d(channels, eps=1e-8)
        self.affine = EqualLinear(STYLE, 2 * channels, gain=1.0)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """[N, C, H, W] and [N, L] -> [N, C, H, W]."""
        scale, shift = self.affine(w)[:, :, None, None].chunk(2, 1)
        out: Tensor = (scale + 1) * self.norm(x) + shift
        return out


class StyledLayer(nn.Module):
    """Layers that change the map, then noise, LeakyReLU and AdaIN."""

    def __init__(self, channels: int, *change: nn.Module) -> None:
        super().__init__()
        self.change = nn.Sequential(*change)
        self.noise, self.activation = Noise(channels), nn.LeakyReLU(0.2)
        self.adain = Adain(channels)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """[N, inputs, h, w] and [N, L] -> [N, C, H, W]."""
        out: Tensor = self.adain(self.activation(self.noise(self.change(x))), w)
        return out


class Synthesis(nn.Module):
    """Styles to images of 32 x 32."""

    def __init__(self) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.ones(1, CHANNELS[0], 4, 4))
        layers = [StyledLayer(CHANNELS[0])]
        for before, after in pairwise((CHANNELS[0], *CHANNELS)):
            if len(layers) > 1:
                conv = EqualConv2d(before, after, 3, bias=False)
                layers.append(StyledLayer(after, nn.Upsample(scale_factor=2), conv, Blur(after)))
            layers.append(StyledLayer(after, EqualConv2d(after, after, 3, bias=False)))
        self.layers = nn.ModuleList(layers)
        self.to_image = EqualConv2d(CHANNELS[-1], 1, 1, gain=1.0)

    def forward(self, styles: list[Tensor]) -> Tensor:
        """Of each layer [N, L] -> [N, 1, 32, 32]."""
        x = self.constant.repeat(len(styles[0]), 1, 1, 1)
        for layer, w in zip(self.layers, styles, strict=True):
            x = layer(x, w)
        image: Tensor = self.to_image(x)
        return image


class MinibatchDeviation(nn.Module):
    """One more map: the mean standard deviation over groups of four."""

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, C + 1, H, W]."""
        groups = x.view(-1, 4, *x.shape[1:])  # [M, 4, C, H, W]
        deviation = (groups.var(1, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))  # [M]
        maps = deviation.repeat_interleave(4).view(-1, 1, 1, 1).expand(-1, 1, *x.shape[2:])
        return torch.cat([x, maps], 1)


def stylegan() -> dict[str, nn.Module]:
    """The mapping F, the synthesis S and the discriminator D."""
    mapping: list[nn.Module] = [PixelNorm()]
    for _ in range(8):
        mapping += [EqualLinear(STYLE, STYLE, multiplier=0.01), nn.LeakyReLU(0.2)]
    fine, coarse = CHANNELS[-1], CHANNELS[0]
    critic: list[nn.Module] = [EqualConv2d(1, fine, 1), nn.LeakyReLU(0.2)]
    for before, after in pairwise(reversed(CHANNELS)):
        critic += [
            EqualConv2d(before, before, 3), nn.LeakyReLU(0.2),
            Blur(before), EqualConv2d(before, after, 3), nn.AvgPool2d(2), nn.LeakyReLU(0.2),
        ]  # fmt: skip
    critic += [
        MinibatchDeviation(), EqualConv2d(coarse + 1, coarse, 3), nn.LeakyReLU(0.2), nn.Flatten(),
        EqualLinear(16 * coarse, coarse), nn.LeakyReLU(0.2), EqualLinear(coarse, 1, gain=1.0),
    ]  # fmt: skip
    return {"F": nn.Sequential(*mapping), "S": Synthesis(), "D": nn.Sequential(*critic)}


# --- SRGAN's networks ------------------------------------------------------------------------


class Residual(nn.Module):
    """A residual block of SRResNet."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 3, 1, 1), nn.PReLU(), nn.Conv2d(width, width, 3, 1, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """[N, width, h, w] -> the same."""
        out: Tensor = x + self.layers(x)
        return out


class Enlarger(nn.Module):
    """`network=srresnet_cpu`'s generator: five residual blocks of width 24 on bicubic images."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.Conv2d(3, width, 9, 1, 4), nn.PReLU())
        self.body = nn.Sequential(
            *(Residual(width) for _ in range(5)), nn.Conv2d(width, width, 3, 1, 1)
        )
        self.grow = nn.Sequential(
            nn.Conv2d(width, 4 * width, 3, 1, 1), nn.PixelShuffle(2), nn.PReLU(),
            nn.Conv2d(width, 4 * width, 3, 1, 1), nn.PixelShuffle(2), nn.PReLU(),
        )  # fmt: skip
        self.tail = nn.Conv2d(width, 3, 9, 1, 4)
        for parameter in self.tail.parameters():
            nn.init.zeros_(parameter)

    def forward(self, low: Tensor) -> Tensor:
        """[N, 3, h, w] -> [N, 3, 4 h, 4 w]."""
        first = self.head(low)
        bicubic = F.interpolate(low, scale_factor=SCALE, mode="bicubic", antialias=True)
        out: Tensor = self.tail(self.grow(first + self.body(first))) + bicubic
        return out


def srgan() -> dict[str, nn.Module]:
    """The generator G and the discriminator D."""
    critic: list[nn.Module] = []
    before = 3
    for width in (16, 32, 64, 128):
        critic += [
            nn.Conv2d(before, width, 3, 1, 1), nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(width, width, 3, 2, 1), nn.LeakyReLU(0.2, inplace=True),
        ]  # fmt: skip
        before = width
    critic += [
        nn.Flatten(), nn.Linear(128 * (CROP // 16) ** 2, 256), nn.LeakyReLU(0.2), nn.Linear(256, 1),
    ]  # fmt: skip
    return {"G": Enlarger(), "D": nn.Sequential(*critic)}


# --- data ------------------------------------------------------------------------------------


class Digits(Dataset[Tensor]):
    """Images padded to 32 x 32 as torchvision gives them."""

    def __init__(self, pixels: np.ndarray) -> None:
        from torchvision import transforms

        self._pixels = pixels
        self._transform = transforms.Compose(
            [transforms.Pad(2), transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))]
        )

    def __len__(self) -> int:
        return len(self._pixels)

    def __getitem__(self, index: int) -> Tensor:
        return self._transform(Image.fromarray(self._pixels[index], mode="L"))  # type: ignore[no-any-return]


class Crops(Dataset[tuple[Tensor, Tensor]]):
    """Crops of the left 60 % of scikit-learn's photographs, and their small forms."""

    def __init__(self) -> None:
        from sklearn import datasets
        from torchvision import transforms

        self._files = sorted((Path(datasets.__file__).parent / "images").glob("*.jpg"))
        assert len(self._files) == 2
        self._cut = transforms.Compose(
            [transforms.RandomCrop(CROP), transforms.RandomHorizontalFlip()]
        )
        self._shrink = transforms.Resize(CROP // SCALE, transforms.InterpolationMode.BICUBIC)
        self._scale = transforms.Compose(
            [transforms.ToTensor(), transforms.Normalize((0.5,) * 3, (0.5,) * 3)]
        )

    def __len__(self) -> int:
        return NUM_CROPS

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        photo = Image.open(self._files[index % len(self._files)]).convert("RGB")
        crop = self._cut(photo.crop((0, 0, round(0.6 * photo.width), photo.height)))
        return self._scale(crop), self._scale(self._shrink(crop))


def endless(data: Dataset[Any], batch: int, loading: list[float]) -> Iterator[Any]:
    """The tutorial's batches; the seconds that each took go to `loading`."""
    while True:
        batches = iter(DataLoader(data, batch_size=batch, shuffle=True, drop_last=True))
        while True:
            start = time.perf_counter()
            found = next(batches, None)
            if found is None:
                break
            loading.append(time.perf_counter() - start)
            yield found


# --- the loops -------------------------------------------------------------------------------


def styles(mapping: nn.Module, num: int) -> list[Tensor]:
    """Each layer's style, nine times in ten from two z."""
    first = mapping(torch.randn(num, STYLE))
    if random.random() >= 0.9:
        return [first] * LAYERS
    second, cut = mapping(torch.randn(num, STYLE)), random.randint(1, LAYERS - 1)
    return [first] * cut + [second] * (LAYERS - cut)


def plain_stylegan(networks: Mapping[str, nn.Module], batches: Iterator[Tensor]) -> Iterator[None]:
    """The tutorial's loop of StyleGAN."""
    generator, critic = nn.ModuleList([networks["F"], networks["S"]]), networks["D"]
    average = copy.deepcopy(generator)
    of_g = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.0, 0.99))
    of_d = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.0, 0.99))
    for real in batches:
        of_d.zero_grad()
        fake = networks["S"](styles(networks["F"], len(real)))
        real.requires_grad_(True)
        of_real, of_fake = critic(real), critic(fake.detach())
        (gradient,) = torch.autograd.grad(of_real.sum(), real, create_graph=True)
        penalty = 10 / 2 * gradient.flatten(1).square().sum(1).mean()
        total = F.softplus(-of_real).mean() + F.softplus(of_fake).mean() + penalty
        total.backward()  # type: ignore[no-untyped-call]
        of_d.step()
        of_g.zero_grad()
        fake = networks["S"](styles(networks["F"], len(real)))
        against = F.softplus(-critic(fake)).mean()
        against.backward()  # type: ignore[no-untyped-call]
        of_g.step()
        for kept, parameter in zip(average.parameters(), generator.parameters(), strict=True):
            kept.data.mul_(0.999).add_(parameter.data, alpha=0.001)
        yield


def plain_srgan(
    networks: Mapping[str, nn.Module], batches: Iterator[tuple[Tensor, Tensor]]
) -> Iterator[None]:
    """The tutorial's loop of SRGAN."""
    generator, critic = networks["G"], networks["D"]
    of_g = torch.optim.Adam(generator.parameters(), lr=1e-4)
    of_d = torch.optim.Adam(critic.parameters(), lr=1e-4)
    loss, content = nn.BCEWithLogitsLoss(), nn.L1Loss()
    ones, zeros = torch.ones(BATCH["srgan"], 1), torch.zeros(BATCH["srgan"], 1)
    for real, low in batches:
        of_d.zero_grad()
        fake = generator(low)
        (loss(critic(real), ones) + loss(critic(fake.detach()), zeros)).backward()
        of_d.step()
        of_g.zero_grad()
        (content(fake, real) + 0.005 * loss(critic(fake), ones)).backward()
        of_g.step()
        yield


def check_equal(networks: Mapping[str, nn.Module], trainer: Trainer) -> None:
    """Each plain network has as many weights as the engine's, in tensors of the same lengths."""
    for letter, network in networks.items():
        plain, ours = (
            sorted(each.numel() for each in found.parameters())
            for found in (network, trainer.host.networks[letter])
        )
        assert sum(plain) == sum(ours), f"{letter}: {sum(plain)} weights, not {sum(ours)}"
        assert plain == ours, f"{letter}: weights in other tensors"


def main() -> None:
    """Time every game both ways and print ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=12)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    random.seed(0)
    print(f"{torch.get_num_threads()} threads")
    with tempfile.TemporaryDirectory() as name:
        pixels = images(Path(name))
        for game in TYPED:
            measure(game, Path(name), pixels, options.blocks, options.steps)


def measure(game: str, folder: Path, pixels: np.ndarray, blocks: int, steps: int) -> None:
    """Time a game in alternating blocks."""
    batch = BATCH[game]
    typed = [
        *TYPED[game], ENDLESS, f"training.batch_size={batch}", "device=cpu",
    ]  # fmt: skip
    if game == "stylegan":
        typed.append(f"dataset.path={folder}")
    trainer = trainer_of(typed)
    networks = {"stylegan": stylegan, "srgan": srgan}[game]()
    check_equal(networks, trainer)
    loading: list[list[float]] = [[], []]
    if game == "stylegan":
        plain_loop = plain_stylegan(networks, endless(Digits(pixels), batch, loading[0]))
    else:
        plain_loop = plain_srgan(networks, endless(Crops(), batch, loading[0]))
    loops = {"plain": plain_loop, "gan_runner": engine(trainer, loading[1])}
    plain, ours = medians(in_turn(loops, blocks=blocks, steps=steps)).values()
    shares = [statistics.median(each) / of for each, of in zip(loading, (plain, ours), strict=True)]
    print(
        f"{game:<8} batch {batch}: plain {1e3 * plain:7.2f} ms, gan_runner {1e3 * ours:7.2f} ms "
        f"a step: ratio {plain / ours:.2f}, data {100 * shares[0]:.2f} % and "
        f"{100 * shares[1]:.2f} % of a step"
    )


if __name__ == "__main__":
    main()
