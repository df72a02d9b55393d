"""Samples of a run's networks, and rows of its data."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from gan_runner.datasets.dataset import Dataset, Rows, as_floats
from gan_runner.dispatch import Run
from gan_runner.game import Batch
from gan_runner.hosts import Solo

CHUNK = 10_000  # samples drawn at once, and points that a network takes at once
IMAGES = 500  # images that a network takes at once, at most
NOISE = 2**28  # numbers drawn at once, at most
PIXELS = 2**20  # numbers in them, at most: a network's layers are far larger than its images


def generate(
    run: Run,
    host: Solo,
    num: int,
    generator: torch.Generator,
    *,
    data: Mapping[str, Tensor] | None = None,
    arrange: Callable[[Batch], Batch] | None = None,
) -> tuple[Tensor, Batch]:
    """Draw samples, scaled as the networks see them, and what they were made from.

    Args:
        run: the run.
        host: its networks.
        num: how many, where the game draws them from noise alone.
        generator: of the noise, on the host's device.
        data: what G takes beside noise (`low` [N, L]); then one sample is drawn for each row.
        arrange: changes the draws of all samples together, as `game.Grid` does.

    Returns:
        Samples [N, ...] and the batch that G was given (`z`, `label`, ...), on the host's device.
    """
    sample = run.recipe.sample
    assert sample is not None, "this game has no samples"
    most = _most_at_once(run, host)
    if data is None and arrange is None and num > most:
        return _in_parts(run, host, num, generator, most)
    drawn: Batch = dict(data or {})
    count = len(next(iter(drawn.values()))) if drawn else num
    for name, prior in run.recipe.sample_priors.items():
        # Drawn in chunks: a sample's noise must not depend on how many are drawn with it.
        sizes = [min(CHUNK, count - start) for start in range(0, count, CHUNK)]
        parts = [prior.draw(size, generator, host.device, host.dtype) for size in sizes]
        drawn[name] = torch.cat(parts)
    if arrange is not None:
        drawn = arrange(drawn)
    size = chunk_size(run.dataset)
    made: Tensor | None = None  # filled part by part: joining them at the end takes twice the room
    with host.evaluating() as nets:
        for start in range(0, count, size):
            batch = {key: value[start : start + size] for key, value in drawn.items()}
            part = sample(nets, batch).to(host.dtype)
            if made is None:
                made = part if count <= size else part.new_empty(count, *part.shape[1:])
            if made is not part:
                made[start : start + size] = part
    assert made is not None, "nothing to draw"
    return made, drawn


def _most_at_once(run: Run, host: Solo) -> int:
    """Samples whose noise fits: that of an image's pixels is larger than the image."""
    aside = torch.Generator(host.device if host.device.type != "meta" else "cpu")
    one = (
        prior.draw(1, aside, host.device, host.dtype) for prior in run.recipe.sample_priors.values()
    )
    return max(1, NOISE // max(1, sum(each.numel() for each in one)))


def _in_parts(
    run: Run, host: Solo, num: int, generator: torch.Generator, size: int
) -> tuple[Tensor, Batch]:
    """`generate` in parts of `size`; of what was drawn, no noise of pixels is given back."""
    parts = [
        generate(run, host, min(size, num - start), generator) for start in range(0, num, size)
    ]
    small = [key for key, value in parts[0][1].items() if value.dim() < 3]
    drawn = {key: torch.cat([each[key] for _, each in parts]) for key in small}
    return torch.cat([made for made, _ in parts]), drawn


def draw_samples(
    run: Run,
    host: Solo,
    num: int,
    generator: torch.Generator,
    *,
    data: Mapping[str, Tensor] | None = None,
) -> Tensor:
    """The samples [N, ...] of `generate` alone."""
    return generate(run, host, num, generator, data=data)[0]


def chunk_size(dataset: Dataset) -> int:
    """Samples that a network takes at once."""
    if dataset.kind != "images":
        return CHUNK
    return max(1, min(IMAGES, PIXELS // max(1, torch.Size(dataset.shape).numel())))


def chosen_rows(
    tensors: Mapping[str, Rows],
    num: int,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
) -> Batch:
    """At most `num` rows of a split, the same ones for the same generator.

    Images become floats of the given dtype, in [-1, 1]; all else keeps its dtype.
    """
    total = len(tensors["real"])
    index = None if total <= num else torch.randperm(total, generator=generator)[:num]
    return {key: _floats(_taken(rows, index), dtype) for key, rows in tensors.items()}


def _taken(rows: Rows, index: Tensor | None) -> Tensor:
    if index is not None:
        return rows[index.to(rows.device)]
    return rows if isinstance(rows, Tensor) else rows[:]


def _floats(rows: Tensor, dtype: torch.dtype) -> Tensor:
    return as_floats(rows, dtype) if rows.dtype == torch.uint8 else rows
