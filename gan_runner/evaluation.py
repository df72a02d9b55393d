"""Draws samples from a run's networks and measures them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from gan_runner.datasets.dataset import Dataset
from gan_runner.dispatch import Run
from gan_runner.game import Batch
from gan_runner.hosts import Solo
from gan_runner.metrics.protocol import (
    METRICS,
    Measurement,
    MetricInputs,
    Protocol,
    applicable,
    evaluate,
    floor,
)

CHUNK = 10_000  # samples generated at once


def draw_samples(
    run: Run,
    host: Solo,
    num: int,
    generator: torch.Generator,
    *,
    data: Mapping[str, Tensor] | None = None,
) -> Tensor:
    """Draw samples, scaled as the networks see them.

    Args:
        run: the run.
        host: its networks.
        num: how many, where the game draws them from noise alone.
        generator: of the noise, on the host's device.
        data: what G takes beside noise (`low` [N, L]); then one sample is drawn for each row.

    Returns:
        [N, ...] on the host's device.
    """
    sample = run.recipe.sample
    assert sample is not None, "this game has no samples"
    inputs = dict(data or {})
    count = len(next(iter(inputs.values()))) if inputs else num
    with host.evaluating() as nets:
        parts = []
        for start in range(0, count, CHUNK):
            rows = min(CHUNK, count - start)
            batch: Batch = {key: value[start : start + rows] for key, value in inputs.items()}
            for name, prior in run.recipe.sample_priors.items():
                batch[name] = prior.draw(rows, generator, host.device, host.dtype)
            parts.append(sample(nets, batch).to(host.dtype))
    return torch.cat(parts)


def chosen_rows(tensors: Mapping[str, Tensor], num: int, generator: torch.Generator) -> Batch:
    """At most `num` rows of a split, the same ones for the same generator."""
    total = len(tensors["real"])
    if total <= num:
        return dict(tensors)
    index = torch.randperm(total, generator=generator)[:num]
    return {key: value[index.to(value.device)] for key, value in tensors.items()}


def names_to_measure(section: Mapping[str, Any], run: Run) -> tuple[str, ...]:
    """The metrics asked for, or those that fit the run."""
    if section["names"] is not None:
        return tuple(section["names"])
    # By the game, not the data: one that draws from noise alone makes no pairs of paired data.
    return applicable(run.dataset.modes is not None, run.recipe.paired, run.dataset.kind)


def measure(
    run: Run, host: Solo, section: Mapping[str, Any], *, split: str, checkpoint: str
) -> dict[str, Measurement]:
    """Compute a config's metrics.

    Args:
        run: the run.
        host: its networks, at the weights to judge.
        section: the config's `metrics`.
        split: where the real points are from.
        checkpoint: whose weights these are, for the protocol.

    Returns:
        Measurements by name, e.g. `modes_covered`.
    """
    seed = run.streams().seed("metrics/metric")
    if run.recipe.sample is None:
        card = Protocol(
            num_real=0, num_generated=0, split="none", checkpoint=checkpoint, units="data",
            seed=seed,
        )  # fmt: skip
        values = run.recipe.measure(host.networks) if run.recipe.measure else {}
        wanted = section["names"]
        return {
            name: Measurement(value=value, protocol=card)
            for name, value in values.items()
            if wanted is None or name in wanted
        }
    names = names_to_measure(section, run)
    if not names:
        return {}
    inputs = _inputs(run, host, section, split=split, seed=seed)
    num_real, num_generated = len(inputs.real), len(inputs.generated)
    found: dict[str, Measurement] = {}
    for name in names:
        metric = METRICS[name]
        most = metric.max_points or max(num_real, num_generated)
        card = Protocol(
            num_real=min(num_real, most),
            num_generated=min(num_generated, most),
            split=split,
            checkpoint=checkpoint,
            units=metric.units,
            seed=seed,
            details={"method": metric.description},
        )
        for key, value in evaluate(name, inputs).items():
            found[key] = Measurement(value=value, protocol=card)
    return found


def _inputs(
    run: Run, host: Solo, section: Mapping[str, Any], *, split: str, seed: int
) -> MetricInputs:
    streams = run.streams()
    rows_generator = torch.Generator().manual_seed(streams.seed("metrics/real"))
    rows = chosen_rows(run.tensors(split, host.dtype), section["num_real"], rows_generator)
    paired = {"low": rows["low"]} if run.recipe.paired else None
    made = draw_samples(
        run, host, section["num_generated"], streams.fresh("metrics/generated"), data=paired
    )
    return MetricInputs(
        generated=run.dataset.unscale(made).cpu(),
        real=run.dataset.unscale(rows["real"]).cpu(),
        modes=run.dataset.modes,
        predicted=made.cpu() if paired else None,
        target=rows["real"].cpu() if paired else None,
        seed=seed,
    )


def measure_floor(run: Run, section: Mapping[str, Any], *, split: str) -> dict[str, float]:
    """What real points score against real points: a perfect generator's values.

    As many points as are generated, where there are so many, come from a split that shares none
    with the judged one.
    Paired games have none: their points answer to inputs, and a second draw has other inputs.
    """
    if run.recipe.sample is None or run.recipe.paired:
        return {}
    apart = _apart(run.dataset, split, section["num_generated"])
    streams = run.streams()

    def points(name: str, num: int, purpose: str) -> Tensor:
        generator = torch.Generator().manual_seed(streams.seed(purpose))
        tensors = {"real": run.dataset.splits[name]["real"]}
        return run.dataset.unscale(chosen_rows(tensors, num, generator)["real"])

    real = points(split, section["num_real"], "metrics/real")
    fresh = points(apart, section["num_generated"], "metrics/floor")
    values: dict[str, float] = {}
    for name in names_to_measure(section, run):
        if "pairs" not in METRICS[name].needs:
            seed = streams.seed("metrics/metric")
            values |= floor(name, fresh, real, modes=run.dataset.modes, seed=seed)
    return values


def _apart(dataset: Dataset, split: str, num: int) -> str:
    """A split with other points: the first that has so many of them, else the largest."""
    reals = {name: dataset.splits[name]["real"] for name in ("validation", "train", "test")}
    judged = reals[split].data_ptr()  # gauss2d's test set is its training set
    sizes = {name: len(real) for name, real in reals.items() if real.data_ptr() != judged}
    enough = (name for name, size in sizes.items() if size >= num)
    return next(enough, max(sizes, key=lambda name: sizes[name]))


def is_better(name: str, value: float, than: float) -> bool:
    """Whether a metric's value is better than another."""
    return value > than if direction(name) == "higher" else value < than


def direction(name: str) -> str:
    """Whether a measured name is better "higher" or "lower"."""
    for metric in METRICS.values():
        if name in metric.better:
            return metric.better[name]
    return "lower"


def measured_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names of the numbers that metrics return."""
    return tuple(key for name in names for key in METRICS[name].values)
