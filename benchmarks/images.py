"""Training steps on 28 x 28 images against loops written by hand, in one process.

Three games, each with the same networks, data and batch of 64 both ways:

dcgan_nearest     the DCGAN whose generator up-samples by nearest x 2 and a 3 x 3 convolution
dcgan_transposed  the DCGAN of transposed convolutions
critic            the critic's step of WGAN-GP with perceptrons (overview's widths)

plain       what a tutorial shows: a DataLoader with PIL transforms, default Adam, `backward()`,
            NCHW, nothing frozen, nothing folded, D's and G's moves on the same fakes, two passes
            through D.
gan_runner  the engine itself, with the watch on its terms and, as the plain loop, the same fakes
            for both moves (`model.share_fakes`); data loading is timed apart.

The ways alternate in short blocks, so that noise of a shared machine hits all alike; the ratios of
their medians are printed. Images are random bytes of MNIST's shape: the time does not depend on
what they show. Run: `python benchmarks/images.py [--blocks 12] [--steps 6] [--threads 1]`.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from loops import ENDLESS, engine, in_turn, medians, trainer_of
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

BATCH = 64
WAYS = ("plain", "gan_runner")
WANTED = {"dcgan_nearest": 2.2, "dcgan_transposed": 1.3, "critic": 2.0}
NUM_IMAGES = {"train": 12_000, "t10k": 1_000}


class PilImages(Dataset[Tensor]):
    """Images as torchvision gives them: a PIL image, `ToTensor`, `Normalize`."""

    def __init__(self, pixels: np.ndarray) -> None:
        from torchvision import transforms

        self._pixels = pixels
        self._transform = transforms.Compose(
            [transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))]
        )

    def __len__(self) -> int:
        return len(self._pixels)

    def __getitem__(self, index: int) -> Tensor:
        return self._transform(Image.fromarray(self._pixels[index], mode="L"))  # type: ignore[no-any-return]


def images(folder: Path) -> np.ndarray:
    """Write random images as MNIST's files; the training ones are returned."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    made = {}
    for split, num in NUM_IMAGES.items():
        made[split] = np.random.default_rng(0).integers(0, 256, (num, 28, 28), dtype=np.uint8)
        labels = (np.arange(num) % 10).astype(np.uint8)
        sizes = np.array([num, 28, 28], dtype=">i4")
        contents = {
            "images-idx3": b"\0\0\x08\x03" + sizes.tobytes() + made[split].tobytes(),
            "labels-idx1": b"\0\0\x08\x01" + sizes[:1].tobytes() + labels.tobytes(),
        }
        for kind, content in contents.items():
            (raw / f"{split}-{kind}-ubyte").write_bytes(content)
    return made["train"]


def up(form: str, inputs: int, outputs: int, *, bias: bool) -> list[nn.Module]:
    """The layers that double a map."""
    if form == "transposed":
        return [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=bias)]
    return [nn.Upsample(scale_factor=2), nn.Conv2d(inputs, outputs, 3, 1, 1, bias=bias)]


def dcgan(form: str) -> tuple[nn.Module, nn.Module]:
    """The generator and discriminator of `network=dcgan` at 28 x 28, layer by layer."""
    generator = nn.Sequential(
        nn.Linear(100, 128 * 49, bias=False), nn.Unflatten(1, (128, 7, 7)),
        nn.BatchNorm2d(128), nn.ReLU(), *up(form, 128, 64, bias=False),
        nn.BatchNorm2d(64), nn.ReLU(), *up(form, 64, 1, bias=True), nn.Tanh(),
    )  # fmt: skip
    critic = nn.Sequential(
        nn.Conv2d(1, 64, 4, 2, 1), nn.LeakyReLU(0.2),
        nn.Conv2d(64, 128, 4, 2, 1, bias=False), nn.BatchNorm2d(128), nn.LeakyReLU(0.2),
        nn.Flatten(), nn.Linear(128 * 49, 1),
    )  # fmt: skip
    return generator, critic


def perceptrons() -> tuple[nn.Module, nn.Module]:
    """G 128-256-512-1024 with BatchNorm after all but the first, D 512-256."""
    layers: list[nn.Module] = [nn.Linear(100, 128), nn.LeakyReLU(0.2)]
    for before, after in ((128, 256), (256, 512), (512, 1024)):
        layers += [nn.Linear(before, after, bias=False), nn.BatchNorm1d(after), nn.LeakyReLU(0.2)]
    generator = nn.Sequential(
        *layers, nn.Linear(1024, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28))
    )
    critic = nn.Sequential(
        nn.Flatten(), nn.Linear(784, 512), nn.LeakyReLU(0.2), nn.Linear(512, 256),
        nn.LeakyReLU(0.2), nn.Linear(256, 1),
    )  # fmt: skip
    return generator, critic


def loader(pixels: np.ndarray) -> DataLoader[Tensor]:
    """The tutorial's data."""
    return DataLoader(PilImages(pixels), batch_size=BATCH, shuffle=True, drop_last=True)


def plain_dcgan(form: str, pixels: np.ndarray) -> Iterator[None]:
    """The tutorial's loop."""
    generator, critic = dcgan(form)
    of_g = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    of_d = torch.optim.Adam(critic.parameters(), lr=2e-4, betas=(0.5, 0.999))
    loss = nn.BCEWithLogitsLoss()
    ones, zeros = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)
    while True:
        for real in loader(pixels):
            of_d.zero_grad()
            fake = generator(torch.randn(BATCH, 100))
            of_real = loss(critic(real), ones)
            of_real.backward()
            of_fake = loss(critic(fake.detach()), zeros)
            of_fake.backward()
            of_d.step()
            of_g.zero_grad()
            against = loss(critic(fake), ones)
            against.backward()
            of_g.step()
            yield


def plain_critic(pixels: np.ndarray) -> Iterator[None]:
    """The tutorial's critic step of WGAN-GP."""
    generator, critic = perceptrons()
    optimizer = torch.optim.Adam(critic.parameters(), lr=1e-4, betas=(0.5, 0.9))
    while True:
        for real in loader(pixels):
            optimizer.zero_grad()
            fake = generator(torch.randn(BATCH, 100))
            mix = torch.rand(BATCH, 1, 1, 1)
            mixed = (mix * real + (1 - mix) * fake.detach()).requires_grad_(True)
            scores = critic(mixed)
            (gradient,) = torch.autograd.grad(
                scores, mixed, torch.ones_like(scores), create_graph=True
            )
            penalty = 10 * (gradient.flatten(1).norm(dim=1) - 1).square().mean()
            (critic(fake.detach()).mean() - critic(real).mean() + penalty).backward()
            optimizer.step()
            yield


def ours(typed: list[str], folder: Path, loading: list[float]) -> Iterator[None]:
    """The engine; the seconds that each batch of data took go to `loading`."""
    always = [
        "dataset=mnist", f"dataset.path={folder}", "dataset.num_validation=1000",
        ENDLESS, f"training.batch_size={BATCH}", "device=cpu",
    ]  # fmt: skip
    return engine(trainer_of([*typed, *always]), loading)


def main() -> None:
    """Time every game both ways and print ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=12)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as name:
        measure(Path(name), options.blocks, options.steps)


def measure(folder: Path, blocks: int, steps: int) -> None:
    """Time in alternating blocks."""
    pixels = images(folder)
    loading: dict[str, list[float]] = {name: [] for name in WANTED}
    critic = ["model=wgan_gp", "network=mlp_overview", "model.critic_steps=1000000"]
    dcgan_typed = ["model=dcgan", "model.share_fakes=true", "optimizer=adam_dcgan"]
    ways: dict[str, tuple[Callable[[], Iterator[None]], Callable[[], Iterator[None]]]] = {
        "dcgan_nearest": (
            lambda: plain_dcgan("nearest", pixels),
            lambda: ours(
                [*dcgan_typed, "network=dcgan_upsample"], folder, loading["dcgan_nearest"]
            ),
        ),
        "dcgan_transposed": (
            lambda: plain_dcgan("transposed", pixels),
            lambda: ours([*dcgan_typed, "network=dcgan"], folder, loading["dcgan_transposed"]),
        ),
        "critic": (
            lambda: plain_critic(pixels),
            lambda: ours(critic, folder, loading["critic"]),
        ),
    }
    print(f"batch {BATCH}, {torch.get_num_threads()} threads")
    for name, makers in ways.items():
        loops = {way: make() for way, make in zip(WAYS, makers, strict=True)}
        # The first block, which is not counted, holds the critic game's one move of G.
        plain, own = medians(in_turn(loops, blocks=blocks, steps=steps)).values()
        share = statistics.median(loading[name]) / own
        print(
            f"{name:<17} plain {1e3 * plain:7.2f} ms, gan_runner {1e3 * own:7.2f} ms a step: "
            f"ratio {plain / own:.2f} (wanted: {WANTED[name]}), data {100 * share:.2f} % of a step"
        )


if __name__ == "__main__":
    main()
