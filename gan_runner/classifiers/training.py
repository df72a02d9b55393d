"""How the shipped classifiers are trained: `python -m gan_runner.classifiers.training mnist`.

Each set's recipe is one `Recipe` below. For a seed, a number of threads and a version of torch the
weights come out the same. Choices were made on the validation images; the test images give the
accuracy that is recorded, and nothing else.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_runner import registry
from gan_runner.classifiers.classifier import FOLDER, Classifier, save
from gan_runner.classifiers.network import ConvClassifier
from gan_runner.datasets.dataset import Dataset, as_floats, resident
from gan_runner.networks.initialisation import initialise
from gan_runner.streams import Streams, seeded_globally


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a classifier is made of and how it is trained.

    stages: channels of the convolutions (`ConvClassifier`). epochs, batch_size, learning_rate
    (the peak), weight_decay: SGD with Nesterov momentum 0.9; the rate rises from 0 to the peak over
    the first `warm_up` share of the steps and falls to 0 in a straight line.
    shift (pixels), rotation (degrees), scaling, shear (shares): the largest random change of a
    training image, either way. flip: mirrored with probability 1/2. erase: side of a square of
    black put at a random place, in pixels.
    """

    stages: tuple[tuple[int, ...], ...]
    epochs: int
    batch_size: int = 128
    learning_rate: float = 0.1
    weight_decay: float = 5e-4
    warm_up: float = 0.25
    shift: float = 0.0
    rotation: float = 0.0
    scaling: float = 0.0
    shear: float = 0.0
    flip: bool = False
    erase: int = 0
    seed: int = 0


RECIPES = {
    "mnist": Recipe(
        stages=((32,), (48, 64), (96, 128)),
        epochs=12, shift=2.0, rotation=10.0, scaling=0.1, shear=0.1,
    ),
    "fashion_mnist": Recipe(
        stages=((32,), (48, 64), (96, 128)), epochs=14, shift=1.5, scaling=0.05, flip=True,
    ),
    "cifar10": Recipe(
        stages=((32,), (48, 64), (96, 128)), epochs=16, shift=3.0, scaling=0.1, flip=True, erase=8,
    ),
    "digits": Recipe(
        stages=((32, 48), (64, 64)), epochs=60, batch_size=64, shift=0.7, rotation=10.0,
        scaling=0.1, shear=0.1,
    ),
}  # fmt: skip


def train(dataset: Dataset, recipe: Recipe, *, quiet: bool = False) -> ConvClassifier:
    """Return a classifier of the data set's training images, in evaluation mode."""
    streams = Streams(recipe.seed, {})
    images = resident(dataset.splits["train"]["real"])  # uint8 [N, C, H, W]
    labels = resident(dataset.splits["train"]["label"])
    num_steps = recipe.epochs * (len(images) // recipe.batch_size)
    with seeded_globally(streams.seed("init/classifier")):
        network = ConvClassifier(
            channels=images.shape[1], stages=recipe.stages, num_classes=dataset.num_classes or 0
        )
        initialise(network, "he")
    network.to(memory_format=torch.channels_last)
    optimizer = _optimizer(network, recipe)
    began = time.perf_counter()
    for step, rows in enumerate(_batches(len(images), recipe, streams["order"])):
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * ramp(step / num_steps, recipe.warm_up)
        x = augment(as_floats(images[rows], torch.float32), recipe, streams["augmentation"])
        _, logits = network(x.contiguous(memory_format=torch.channels_last))
        loss = F.cross_entropy(logits, labels[rows])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if not quiet and (step + 1) % (num_steps // recipe.epochs) == 0:
            seconds = time.perf_counter() - began
            print(f"step {step + 1:,} of {num_steps:,}  {seconds:5.0f} s", flush=True)
    return network.eval()


def _optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    # Only matrices and kernels shrink: BatchNorm's scales and shifts and the biases are few.
    parts = {
        decays: [p for p in network.parameters() if (p.ndim > 1) == decays]
        for decays in (True, False)
    }
    return torch.optim.SGD(
        [
            {"params": parts[True], "weight_decay": recipe.weight_decay},
            {"params": parts[False], "weight_decay": 0.0},
        ],
        lr=recipe.learning_rate,
        momentum=0.9,
        nesterov=True,
    )


def _batches(num: int, recipe: Recipe, generator: torch.Generator) -> Iterator[Tensor]:
    """Row numbers of every batch of every epoch; an epoch's rest is left out."""
    for _ in range(recipe.epochs):
        order = torch.randperm(num, generator=generator)
        for batch in torch.split(order, recipe.batch_size):
            if len(batch) == recipe.batch_size:
                yield batch


def ramp(progress: float, warm_up: float) -> float:
    """Return the share of the peak rate at `progress` in [0, 1): a straight rise and fall."""
    return min(progress / warm_up, (1 - progress) / (1 - warm_up))


def augment(images: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Return images [N, C, H, W] in [-1, 1], each turned, scaled, sheared, moved, ... at random."""
    num, _, height, width = images.shape

    def uniform(*shape: int) -> Tensor:
        return torch.rand(num, *shape, generator=generator) * 2 - 1

    angle = uniform() * math.radians(recipe.rotation)
    scale = 1 + uniform() * recipe.scaling
    shear = uniform() * recipe.shear
    mirror = 1 - 2.0 * (uniform() < 0) * recipe.flip
    cos, sin = angle.cos() / scale, angle.sin() / scale
    rows = torch.stack(  # of the matrix that maps an output's place to the input's
        [mirror * cos, mirror * (shear * cos - sin), sin, shear * sin + cos], dim=1
    ).reshape(num, 2, 2)
    shift = uniform(2, 1) * recipe.shift * torch.tensor([[2 / width], [2 / height]])
    grid = F.affine_grid(torch.cat([rows, shift], dim=2), list(images.shape), align_corners=False)
    # Outside is black, which is 0 only for images in [0, 2].
    moved = F.grid_sample(images + 1, grid, padding_mode="zeros", align_corners=False) - 1
    return _erase(moved, recipe.erase, generator) if recipe.erase else moved


def _erase(images: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Blacken one square of each image, whose centre is anywhere."""
    num, _, height, width = images.shape

    def inside(length: int) -> Tensor:  # [N, length]
        centre = torch.randint(length, (num, 1), generator=generator)
        return (torch.arange(length) - centre).abs() * 2 < side

    hidden = inside(height)[:, :, None] & inside(width)[:, None, :]
    return images.masked_fill(hidden[:, None], -1.0)


def count_errors(classifier: Classifier, tensors: dict[str, Tensor]) -> int:
    """Return how many of a split's images are read wrongly."""
    _, logits = classifier(as_floats(tensors["real"], torch.float32))
    return int((logits.argmax(1) != tensors["label"]).sum())


def make(name: str, recipe: Recipe, folder: Path, *, path: str | None = None) -> Classifier:
    """Train a classifier, write its weights and its record into `folder`, and return it."""
    place = {} if name == "digits" else {"path": path}
    dataset: Dataset = registry.load("datasets", name)(**place)
    network = train(dataset, recipe)
    held = {
        split: {key: resident(rows) for key, rows in dataset.splits[split].items()}
        for split in ("validation", "test")
    }
    shape = dataset.shape
    untested = Classifier(
        network=network, name=name, shape=shape, num_classes=dataset.num_classes or 0
    )
    errors = {split: count_errors(untested, tensors) for split, tensors in held.items()}
    num = {split: len(tensors["label"]) for split, tensors in held.items()}
    record = {
        "accuracy": 1 - errors["test"] / num["test"],
        "errors": errors["test"],
        "num_test": num["test"],
        "validation_accuracy": 1 - errors["validation"] / num["validation"],
        "classes": list(dataset.classes or ()),
        "recipe": {
            **asdict(recipe),
            "optimizer": "SGD, Nesterov momentum 0.9, rate linear up and down",
            "loss": "cross-entropy, no label smoothing",
            "num_train": dataset.num_train,
            "data": dataset.content_hash(),
            "torch": torch.__version__.partition("+")[0],
            "threads": torch.get_num_threads(),
            "command": f"python -m gan_runner.classifiers.training {name}",
        },
    }
    return save(network, name=name, shape=shape, stages=recipe.stages, record=record, folder=folder)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train the named classifiers and say how good they are."""
    parser = argparse.ArgumentParser(prog="gan_runner.classifiers.training", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(RECIPES)}")
    parser.add_argument("--seed", type=int, default=0, help="of weights, order, augmentation")
    parser.add_argument("--threads", type=int, default=1, help="they change rounding, so weights")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    parser.add_argument("--path", help="folder of the image files; default: as for gan-run")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the files are written")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.names if name not in RECIPES]
    if unknown:
        parser.error(f"no recipe for {', '.join(unknown)}; there are {', '.join(RECIPES)}")
    torch.set_num_threads(given.threads)
    torch.use_deterministic_algorithms(True)
    for name in given.names or RECIPES:
        recipe = replace(
            RECIPES[name], seed=given.seed, epochs=given.epochs or RECIPES[name].epochs
        )
        try:
            made = make(name, recipe, given.folder, path=given.path)
        except ValueError as error:  # the files of the set are not there, say
            raise SystemExit(f"{parser.prog}: error: {error}") from None
        print(f"{name}: {made.accuracy:.2%} of the test images, sha256 {made.hash}", flush=True)


if __name__ == "__main__":
    main()
