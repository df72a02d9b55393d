"""What a logged row holds: means of terms since the last row, and D's outputs on one batch."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from gan_runner.batches import Batches
from gan_runner.datasets.dataset import Rows
from gan_runner.engine import batch_length
from gan_runner.game import Batch, Objective, Stage
from gan_runner.hosts import Solo
from gan_runner.streams import Streams
from gan_runner.watch import Watch


def terms(watches: Mapping[str, Watch]) -> tuple[dict[str, float], list[tuple[int, str]]]:
    """Each move's loss and terms since the last row, and the first (step, term) not finite.

    Empties the watches.
    """
    scalars: dict[str, float] = {}
    broken: list[tuple[int, str]] = []
    for name, watch in watches.items():
        means, bad = watch.read()
        if bad is not None:
            broken.append((bad[0], f"{name}/{bad[1]}"))
        if means:
            scalars[f"loss/{name}"] = sum(means.values())
        if len(means) > 1:
            scalars |= {f"terms/{name}/{term}": value for term, value in means.items()}
    return scalars, broken


def outputs(monitor: Objective | None, host: Solo, batch: Batch) -> dict[str, float]:
    """What a game's monitor says of a batch."""
    if monitor is None:
        return {}
    with host.evaluating() as nets:
        values = monitor(nets, batch, host.numbers)
    return {name: float(value.detach()) for name, value in values.items()}


def monitored(
    stage: Stage, host: Solo, streams: Streams, data: Mapping[str, Rows], num: int
) -> Batch:
    """The batch that D's outputs are logged on: the same one throughout a stage.

    It is drawn from streams of its own, so looking more often changes no draw of the training.
    num: as many rows as in training, for packs must fit.
    """
    rows = torch.Generator().manual_seed(streams.seed("metrics/monitor/rows"))
    noise = streams.fresh("metrics/monitor/noise")
    batch = Batches(data, num, rows, dtype=host.dtype, device=host.device)()
    for name, prior in stage.priors.items():
        batch[name] = prior.draw(batch_length(batch), noise, host.device, host.dtype)
    return batch
