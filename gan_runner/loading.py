"""Weights of earlier runs: to sample from, to measure, to start from."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gan_runner import checkpoint, draws, latent
from gan_runner.datasets.dataset import as_floats, resident
from gan_runner.dispatch import Run, dispatch
from gan_runner.hosts import Solo
from gan_runner.priors import Labels
from gan_runner.run_folder import read_config
from gan_runner.trainer import Trainer

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A run's networks, ready to sample.

    Attributes:
        networks: by letter, in evaluation mode.
        config: the run's config, plain.
        step: the step that the weights are of.
        checkpoint: whose weights they are, as protocols say it.
        threads: CPU threads that the run computed with.
        prepared: the run's data and game.
        host: what holds the networks.
    """

    networks: dict[str, nn.Module]
    config: dict[str, Any]
    step: int
    checkpoint: str
    threads: int
    prepared: Run
    host: Solo

    def sample(
        self,
        num: int | None = None,
        *,
        seed: int = 0,
        split: str = "test",
        low: Tensor | None = None,
        label: int | str | None = None,
        truncation: float | None = None,
        noise: bool = True,
    ) -> Tensor:
        """Samples [N, ...] in data units, on the CPU.

        Args:
            num: how many: 1000 if None, or all of `low`; for paired games at most one for each
                input.
            seed: of the noise.
            split: where a paired game's inputs are from: its rows, evenly spread.
            low: a paired game's inputs [N, L] of your own, in data units.
            label: the class of all samples, by name or number, for games whose G takes one; None:
                drawn.
            truncation: of StyleGAN's styles: 1 changes nothing, 0 gives the mean style.
            noise: False: without the noise of StyleGAN's pixels.

        Raises:
            ValueError: the game has no samples, or what is asked for does not fit it.
        """
        name, recipe = self.config["name"], self.prepared.recipe
        if recipe.sample is None:
            raise ValueError(f"{name} is a game without samples")
        if num is not None and num < 1:
            raise ValueError(f"num={num}: must be at least 1")
        if low is not None and not recipe.paired:
            raise ValueError(f"{name} makes its samples from noise alone: it takes no inputs")
        given = {"low": self._inputs(num, split, low)} if recipe.paired else None
        generator = torch.Generator(self.host.device).manual_seed(seed)
        made, _ = draws.generate(
            self.prepared,
            self.host,
            1000 if num is None else num,
            generator,
            data=given,
            arrange=latent.both(
                None if label is None else latent.of_class(self.class_number(label)),
                self.styling(truncation, noise=noise),
            ),
        )
        return self.prepared.dataset.unscale(made).cpu()

    def styling(self, truncation: float | None, *, noise: bool) -> latent.Arrange | None:
        """What truncation and noise ask of the draws; None where they ask for nothing.

        Raises:
            ValueError: the game has no styles.
        """
        found = latent.styled(truncation, noise=noise)
        if found is not None:
            self.check_styled("--no-noise" if truncation is None else "--truncation")
        return found

    def check_styled(self, option: str) -> None:
        """Refuse an option that games without styles do not have.

        Raises:
            ValueError: this is one.
        """
        if not self.prepared.recipe.styled:
            raise ValueError(f"{option}: {self.config['name']} has no styles, as StyleGAN has")

    def class_number(self, label: int | str) -> int:
        """The number of a class that G can be asked for.

        Raises:
            ValueError: G takes no class, or not this one.
        """
        name, prior = self.config["name"], self.prepared.recipe.sample_priors.get("label")
        if not isinstance(prior, Labels):
            raise ValueError(f"class {label}: {name} makes its samples without a class")
        names = latent.class_names(self.prepared.dataset)
        found = latent.find_class(label, names) if isinstance(label, str) else label
        if found is None or not 0 <= found < prior.num_classes:
            raise ValueError(f"class {label}: must be one of {', '.join(names)}")
        return found

    def _inputs(self, num: int | None, split: str, low: Tensor | None) -> Tensor:
        """A paired game's inputs, scaled, on the host's device."""
        dataset, host = self.prepared.dataset, self.host
        if low is not None:
            wanted = dataset.low_shape
            if not len(low) or tuple(low.shape[1:]) != wanted:
                shape = ", ".join(map(str, wanted or ()))
                raise ValueError(f"inputs: shape {tuple(low.shape)}, must be [N, {shape}], N > 0")
            return dataset.scale_low(low[:num].cpu().double()).to(host.dtype).to(host.device)
        if split not in dataset.splits:
            raise ValueError(f"split={split!r}: must be one of {', '.join(dataset.splits)}")
        rows = as_floats(resident(self.prepared.tensors(split, host.dtype)["low"]), host.dtype)
        num = 1000 if num is None else num
        if num >= len(rows):
            return rows
        # Not the first ones: a set may be sorted by mode.
        index = torch.linspace(0, len(rows) - 1, num, dtype=torch.float64).round().long()
        return rows[index.to(rows.device)]


def load(
    folder: Path | str, *, checkpoint_name: str = "last", device: str | None = "cpu"
) -> Loaded:
    """The networks of a run folder.

    Args:
        folder: the run folder.
        checkpoint_name: "last", "best", or a file name in `checkpoints/`.
        device: where to put them; None: where the config has them.

    Raises:
        ValueError: no run or no such checkpoint there, or its data are not.
    """
    folder = Path(folder)
    config = read_config(folder)
    name = checkpoint_name.removesuffix(".pt")
    path = folder / "checkpoints" / f"{name}.pt"
    if not path.is_file():
        there = sorted(each.stem for each in path.parent.glob("[!.]*.pt"))
        if not there and (folder / "seeds").is_dir():
            raise ValueError(f"{folder} holds many seeds; choose one, such as {folder}/seeds/0")
        if not there:
            raise ValueError(f"{folder} has no checkpoint yet")
        raise ValueError(f"{folder} has no checkpoint {name!r}; it has {', '.join(there)}")
    where = {} if device is None else {"name": device}
    config["device"] = {**config["device"], **where, "compile": False}
    prepared = dispatch(config)
    state = checkpoint.load(path, prepared.device)
    host = prepared.host(prepared.streams())
    load_networks(host, state["host"]["networks"], path)
    for network in host.networks.values():
        network.eval().requires_grad_(False)
    return Loaded(
        networks=host.networks,
        config=config,
        step=state["step"],
        checkpoint=checkpoint_label(name, state),
        threads=state["threads"],
        prepared=prepared,
        host=host,
    )


def checkpoint_label(name: str, state: Mapping[str, Any]) -> str:
    """Whose weights a checkpoint holds, as protocols say it."""
    best = state["best"]
    if name == "best" and best is not None:
        return f"best {best['metric']} on validation, step {best['step']}"
    if name == "last" and state["step"] == state["num_steps"]:
        return "last"
    return f"{'' if name == 'last' else f'{name}, '}step {state['step']}"


def load_networks(host: Solo, networks: Mapping[str, Mapping[str, Tensor]], path: Path) -> None:
    """Put the weights of a checkpoint, `path`, into a host's networks, strictly.

    Raises:
        ValueError: one of the networks is not among them.
    """
    missing = sorted(set(host.networks) - set(networks))
    if missing:
        raise ValueError(
            f"{path} has no weights of {', '.join(missing)}: another gan_runner made it; "
            "train the run anew"
        )
    for name, network in host.networks.items():
        network.load_state_dict(networks[name])


def start_from(trainer: Trainer, source: Path) -> None:
    """Take another run's weights as the first ones, network by network.

    Raises:
        ValueError: no checkpoint there, no network in common, or other shapes.
    """
    path = source / "checkpoints" / "last.pt" if source.is_dir() else source
    key = f"training.init_from={source}"
    try:
        networks = checkpoint.load(path, trainer.host.device)["host"]["networks"]
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from error
    for copy, original in trainer.run.recipe.copies.items():
        if copy not in networks and original in networks:
            networks[copy] = networks[original]  # a copy starts as its original, here too
    common = [name for name in trainer.host.networks if name in networks]
    if not common:
        raise ValueError(
            f"{key}: it has the networks {', '.join(networks)}, "
            f"this run {', '.join(trainer.host.networks)}: none in common"
        )
    for name in common:
        try:
            trainer.host.networks[name].load_state_dict(networks[name])
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise ValueError(f"{key}: network {name} has another shape: {reason}") from error
    log.info("Starting from the weights of %s: %s", path, ", ".join(common))
