"""From a config to a run: looks names up and hands every part its section. Knows no model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gan_runner import registry
from gan_runner.datasets.dataset import Dataset, Rows
from gan_runner.game import Recipe
from gan_runner.hosts import Solo
from gan_runner.models.context import Context
from gan_runner.optimizers import MakeOptimizer, optimizer_maker
from gan_runner.streams import Streams

Config = Mapping[str, Any]
SMALL = 500_000  # parameters below which a second thread costs more than it brings


@dataclass(frozen=True, kw_only=True)
class Run:
    """Everything that a trainer needs, and the config it was made from (plain containers)."""

    config: Config
    recipe: Recipe
    dataset: Dataset
    numbers: Mapping[str, float]
    make_optimizer: MakeOptimizer
    device: torch.device
    num_steps: int

    def streams(self) -> Streams:
        """The random streams of the run's seed, at their beginnings."""
        training = self.config["training"]
        return Streams(training["seed"], training["streams"], self.device)

    def host(self, streams: Streams) -> Solo:
        """The run's networks, at their initial weights."""
        device = self.config["device"]
        return Solo(
            self.recipe,
            self.numbers,
            streams,
            self.device,
            precision=device["precision"],
            compile_networks=device["compile"] is True,
        )

    def tensors(self, split: str, dtype: torch.dtype) -> dict[str, Rows]:
        """What the game reads of a split, on the run's device; empty where there is no data.

        Images are bytes still (see `datasets.as_floats`), and a source stays what it is.
        """
        return {
            key: self._moved(value, dtype)
            for key, value in self.dataset.splits.get(split, {}).items()
            if key in self.recipe.data
        }

    def _moved(self, rows: Rows, dtype: torch.dtype) -> Rows:
        if not isinstance(rows, Tensor):
            return rows
        return rows.to(self.device, dtype if rows.is_floating_point() else rows.dtype)


def dispatch(config: Config) -> Run:
    """Build a run from a checked, resolved config.

    Raises:
        ValueError: the data cannot be read, the device is not there, or a size does not fit.
    """
    device = find_device(config["device"])
    dataset = make_dataset(config["dataset"])
    recipe = make_recipe(config, dataset)
    section = config["optimizer"]
    maker = optimizer_maker(registry.load("optimizers", section["name"]), section)
    return Run(
        config=config,
        recipe=recipe,
        dataset=dataset,
        numbers=collect_numbers(config),
        make_optimizer=maker,
        device=device,
        num_steps=count_steps(config["training"], dataset.num_train),
    )


def replicate(first: Run, config: Config) -> Run:
    """A run of a config that differs from another run's in seeds and numbers: data are shared.

    See `stackable`.
    """
    section = config["optimizer"]
    maker = optimizer_maker(registry.load("optimizers", section["name"]), section)
    return dataclasses.replace(
        first, config=config, numbers=collect_numbers(config), make_optimizer=maker
    )


def make_dataset(section: Config) -> Dataset:
    """The data set of a config's section."""
    options = {key: value for key, value in section.items() if key not in ("name", "builder")}
    dataset: Dataset = registry.load("datasets", section["builder"])(**options)
    return dataclasses.replace(dataset, name=section["name"])


def make_recipe(config: Config, dataset: Dataset) -> Recipe:
    """The game of a config's algorithm, with its loss, penalty and networks."""
    algorithm = registry.lookup("algorithms", config["model"]["algorithm"])
    family = registry.load("networks", config["network"]["name"])
    penalty = config["penalty"]
    penalised = algorithm.adversarial and penalty["name"] != "none"
    context = Context(
        model=config["model"],
        network=config["network"],
        dataset=dataset,
        loss=registry.load("losses", config["loss"]["name"]) if algorithm.adversarial else None,
        penalty=registry.load("penalties", penalty["name"]) if penalised else None,
        penalty_every=penalty.get("every", 1),
        # Third-party families need not know of classes: those are handed over only where there are.
        generator=partial(_build, family, "generator", config["network"]),
        discriminator=partial(_build, family, "discriminator", config["network"]),
        trunk=lambda inputs: family.trunk(config["network"], inputs),
    )
    recipe: Recipe = registry.resolve(algorithm.target)(context)
    return recipe


def _build(
    family: Any,
    role: str,
    section: Config,
    *shapes: tuple[int, ...],
    num_classes: int | None = None,
) -> nn.Module:
    classes = {} if num_classes is None else {"num_classes": num_classes}
    network: nn.Module = getattr(family, role)(section, *shapes, **classes)
    return network


def collect_numbers(config: Config) -> dict[str, float]:
    """The floats of model, loss and penalty by config path: what objectives read through h."""
    return {
        f"{group}.{key}": value
        for group in ("model", "loss", "penalty")
        for key, value in config[group].items()
        if isinstance(value, float)
    }


def count_steps(training: Config, num_train: int) -> int:
    """The run's length in steps.

    Raises:
        ValueError: the length is given in epochs and there is no data.
    """
    if training["steps"] is not None:
        return int(training["steps"])
    if num_train == 0:
        raise ValueError("training.epochs: this game has no data; give training.steps")
    steps: float = training["epochs"] * num_train / training["batch_size"]
    return max(1, round(steps))


def find_device(section: Config) -> torch.device:
    """The device that a config names.

    Raises:
        ValueError: it is not there, or cannot compute in the precision asked for.
    """
    name, index, precision = section["name"], section["index"], section["precision"]
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
        if name == "cpu" and torch.backends.mps.is_available() and precision != "fp64":
            name = "mps"
    if name == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if index >= count:
            found = f"{count} found" if count else "none found"
            raise ValueError(f"device=cuda, device.index={index}: {found}; device=cpu works here")
        return torch.device("cuda", index)
    if name == "mps":
        if not torch.backends.mps.is_available():
            raise ValueError("device=mps: no Apple GPU found; device=cpu works here")
        if precision == "fp64":
            raise ValueError("device.precision=fp64: Apple GPUs have no float64; use device=cpu")
    return torch.device(name)


def num_parameters(host: Solo) -> int:
    """Parameters of all networks."""
    return sum(
        parameter.numel()
        for network in host.networks.values()
        for parameter in network.parameters()
    )


def num_threads(section: Config, host: Solo) -> int:
    """CPU threads of a run: those asked for, one for small networks, else torch's default."""
    if section["threads"] is not None:
        return int(section["threads"])
    default: int = torch.get_num_threads()
    return 1 if num_parameters(host) < SMALL else default
