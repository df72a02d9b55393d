"""Samples to look at."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gan_runner.dispatch import Run
from gan_runner.draws import chosen_rows, generate
from gan_runner.game import Batch
from gan_runner.hosts import Solo
from gan_runner.latent import Arrange, both


def of_step(run: Run, host: Solo) -> dict[str, Tensor]:
    """What a picture of a step shows: `generated`, `real`, `low` where there is one, on the CPU.

    Rows and noise come from streams of their own, so they are the same at every step. `generated`
    and `real` are in data units.
    """
    num, streams = run.config["training"]["num_samples"], run.streams()
    rows = torch.Generator().manual_seed(streams.seed("metrics/samples/rows"))
    data = chosen_rows(run.tensors("test", host.dtype), num, rows, host.dtype)
    given = {"low": data["low"]} if run.recipe.paired else None
    noise = streams.fresh("metrics/samples/noise")
    made, _ = generate(run, host, num, noise, data=given)
    found = {
        "generated": run.dataset.unscale(made).cpu(),
        "real": run.dataset.unscale(data["real"]).cpu(),
    }
    return found | ({"low": data["low"].cpu()} if "low" in data else {})


@dataclass(frozen=True, kw_only=True)
class Source:
    """A run, its networks, and the generator of the noise, on the networks' device.

    alter: changes the draws of every picture, after the picture's own arrangement.
    """

    run: Run
    host: Solo
    generator: torch.Generator
    alter: Arrange | None = None

    def draw(self, num: int, arrange: Arrange | None = None) -> tuple[Tensor, Batch]:
        """Samples [N, C, H, W] in [-1, 1] on the CPU, and what they were made from."""
        arrange = both(arrange, self.alter)
        made, drawn = generate(self.run, self.host, num, self.generator, arrange=arrange)
        return made.cpu(), drawn

    def at(self, z: Tensor) -> Tensor:
        """Samples G(z) [N, C, H, W] on the CPU; z: [N, L]."""
        return self.draw(len(z), lambda drawn: {**drawn, "z": z})[0]
