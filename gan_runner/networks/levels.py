"""The levels of a convolutional network: how often an image is halved, and what each level has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

Shape = tuple[int, ...]
Size = tuple[int, int]
Section = Mapping[str, Any]

COARSEST = 4  # a side is halved as long as it stays at least this long
SMALLEST = 8


def image_shape(shape: Shape, family: str) -> tuple[int, int, int]:
    """C, H, W of images that a convolutional family can take.

    Raises:
        ValueError: not images, or images of fewer than 8 pixels a side.
    """
    if len(shape) != 3 or min(shape[1:]) < SMALLEST:
        raise ValueError(
            f"network={family} takes images [C, H, W] of {SMALLEST} x {SMALLEST} pixels or more, "
            f"not samples of shape {list(shape)}"
        )
    return shape[0], shape[1], shape[2]


def num_halvings(height: int, width: int, coarsest: int = COARSEST) -> int:
    """The largest n with min(H, W) / 2^n >= coarsest, at least 1. With 4: 28 -> 2, 32 -> 3."""
    halvings = 1
    while min(height, width) >= coarsest * 2 ** (halvings + 1):
        halvings += 1
    return halvings


def level_channels(
    section: Section, height: int, width: int, role: str, coarsest: int = COARSEST
) -> list[int]:
    """Channels of each level as the network has them: coarse to fine in G, fine to coarse in D.

    Raises:
        ValueError: `channels` has more levels than the image can be halved.
    """
    given = list(section["channels"])
    if given:
        limit = min(height, width).bit_length() - 1
        if len(given) > limit:
            raise ValueError(
                f"network.{role}.channels={given}: {len(given)} levels halve an image of "
                f"{height} x {width} away; at most {limit} fit"
            )
        return given
    halvings = num_halvings(height, width, coarsest)
    fine = [min(section["width"] * 2**level, section["max_width"]) for level in range(halvings)]
    return fine if role == "discriminator" else fine[::-1]


def sizes_up(height: int, width: int, halvings: int) -> list[Size]:
    """H and W of a generator's levels, coarse to fine, the image's own last: halves rounded up."""
    return [(-(-height // 2**level), -(-width // 2**level)) for level in range(halvings, -1, -1)]


def sizes_down(height: int, width: int, halvings: int) -> list[Size]:
    """H and W of a discriminator's levels, the image's own first: halves rounded down."""
    return [(height // 2**level, width // 2**level) for level in range(halvings + 1)]


def nearest_level(sizes: Sequence[Size], side: int | None) -> int | None:
    """The level whose shorter side is nearest to `side`, the finer of two; None where none is."""
    if side is None:
        return None
    return min(
        range(len(sizes)), key=lambda level: (abs(min(sizes[level]) - side), -min(sizes[level]))
    )


def crop(x: Tensor, size: Size) -> Tensor:
    """The upper left part: a doubled level may be one row or column too large."""
    return x if x.shape[-2:] == size else x[..., : size[0], : size[1]]


def pixels(x: Tensor, channels: int, size: Size) -> Tensor:
    """[N, H W C] -> [N, C, H, W], laid out channels last without a copy."""
    return x.reshape(len(x), *size, channels).permute(0, 3, 1, 2)


def flattened(x: Tensor) -> Tensor:
    """[N, C, H, W] -> [N, H W C], without a copy where the memory is laid out channels last."""
    return x.permute(0, 2, 3, 1).flatten(1)
