"""Whole images of any size through a network that enlarges: in overlapping tiles, without seams."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from math import isqrt
from typing import Any

import torch
from torch import Tensor

from gan_runner.datasets.dataset import as_floats
from gan_runner.datasets.photographs import Whole
from gan_runner.dispatch import Run
from gan_runner.hosts import Solo
from gan_runner.metrics.photographs import Enlarged

LIMIT = 2.0  # GiB that the maps of one tile may take
MAPS = 4  # as large as the largest, at once
SMALLEST = 8  # side of a tile's own part at least, in pixels of the small image
_GIB = 2**30


def tile_side(network: Any, limit: float, *, bytes_each: int = 4) -> int:
    """The side of a tile's own part, in pixels of the small image, under a limit in GiB."""
    pixels = int(limit * _GIB / (MAPS * bytes_each * network.numbers_a_pixel))
    return max(SMALLEST, isqrt(pixels) - 2 * int(network.reach))


def tiled(
    enlarge: Callable[[Tensor], Tensor], low: Tensor, *, scale: int, reach: int, side: int
) -> Tensor:
    """Enlarge [1, C, h, w] tile by tile: equal to doing it at once, up to rounding.

    Each tile is enlarged with `reach` pixels around it, which are cut off: a pixel of the output
    depends on none farther away, and at the image's own border the network pads as it always does.

    Returns:
        [1, C, scale h, scale w], on the device of `low`.
    """
    height, width = low.shape[-2:]
    made: Tensor | None = None
    for top, bottom in _spans(height, side):
        for left, right in _spans(width, side):
            up, start = max(0, top - reach), max(0, left - reach)
            part = low[..., up : bottom + reach, start : right + reach]
            out = enlarge(part)[
                ...,
                (top - up) * scale : (bottom - up) * scale,
                (left - start) * scale : (right - start) * scale,
            ]
            if made is None:
                made = out.new_empty(*out.shape[:-2], height * scale, width * scale)
            made[..., top * scale : bottom * scale, left * scale : right * scale] = out
    assert made is not None, "an image has pixels"
    return made


def _spans(length: int, side: int) -> Iterator[tuple[int, int]]:
    """Parts of nearly equal length, none above `side`."""
    num = -(-length // side)
    edges = [round(length * each / num) for each in range(num + 1)]
    yield from pairwise(edges)


def whole_image(run: Run, host: Solo, low: Tensor, *, limit: float = LIMIT) -> Tensor:
    """A run's enlargement of one image, uint8 [C, h, w] -> uint8 [C, scale h, scale w], on the CPU.

    Raises:
        ValueError: the game does not enlarge images, or only those of one size, or of other
            channels.
    """
    wanted, sample = run.dataset.low_shape, run.recipe.sample
    if sample is None or not run.recipe.paired or wanted is None or len(wanted) != 3:
        raise ValueError(f"{run.config['name']} does not enlarge images")
    if low.shape[0] != wanted[0]:
        raise ValueError(f"an image of {low.shape[0]} channels, where {wanted[0]} are wanted")
    network: Any = host.networks["G"]
    given = as_floats(low[None].to(host.device), host.dtype)
    with host.evaluating() as nets:

        def enlarge(part: Tensor) -> Tensor:
            return sample(nets, {"low": part}).float()

        if hasattr(network, "reach"):
            side = tile_side(network, limit, bytes_each=host.dtype.itemsize)
            made = tiled(
                enlarge,
                given,
                scale=network.scale,
                reach=network.reach,
                side=side,
            )
        elif tuple(low.shape) == wanted:
            made = enlarge(given)
        else:
            raise ValueError(
                f"{run.config['name']}'s G takes images {list(wanted)}, not {list(low.shape)}; "
                "network=srresnet takes any size"
            )
    return as_bytes(made[0]).cpu()


def as_bytes(images: Tensor) -> Tensor:
    """Images in [-1, 1] as the nearest of 256 values."""
    return images.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)


def enlarged(run: Run, host: Solo, whole: Whole, *, limit: float = LIMIT) -> Enlarged:
    """A run's enlargement of one of a data set's whole photographs, beside the original."""
    made = whole_image(run, host, whole.low, limit=limit)
    return Enlarged(name=whole.name, made=made, real=whole.real, scale=_scale(whole))


def bicubic(whole: Whole) -> Enlarged:
    """Bicubic interpolation in the place of a run."""
    return Enlarged(name=whole.name, made=whole.bicubic, real=whole.real, scale=_scale(whole))


def _scale(whole: Whole) -> int:
    return int(whole.real.shape[-1] // whole.low.shape[-1])
