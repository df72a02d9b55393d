"""Progressive growing as stages: which resolution is trained when (Karras et al. 2018, 2019)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from gan_runner.game import Batch
from gan_runner.networks.growth import fade

COARSEST = 4


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """A stage's resolution: level 0 is 4 x 4, `top` the data's own.

    It comes in from `start` on, for `length`, both shares of the run; with length 0 it is there.
    """

    level: int
    top: int
    start: float = 0.0
    length: float = 0.0

    @property
    def size(self) -> int:
        """Pixels of a side."""
        return COARSEST * int(2**self.level)

    def share(self, batch: Batch) -> Tensor | None:
        """How far it has come in, 0-dim; None: wholly."""
        return None if self.length == 0 else fade(batch["progress"], self.start, self.length)


def timeline(model: Mapping[str, Any], top: int) -> list[tuple[Resolution, float]]:
    """The resolutions of a game's stages with their shares of the run.

    Those before the last take `growth_share` in equal parts; each but the first comes in during
    `fade_share` of such a part.

    Raises:
        ValueError: the first resolution is no power of two.
    """
    first = round(math.log2(model["first_size"])) - 2
    if COARSEST * 2**first != model["first_size"]:
        raise ValueError(f"model.first_size={model['first_size']}: must be 4, 8, 16, ... or 1024")
    if not model["grows"] or first >= top:
        return [(Resolution(level=top, top=top), 1.0)]
    part = model["growth_share"] / (top - first)
    fading = model["fade_share"] * part
    found = []
    for number, level in enumerate(range(first, top + 1)):
        length = fading if number > 0 else 0.0
        at = Resolution(level=level, top=top, start=number * part, length=length)
        found.append((at, part if level < top else 1 - model["growth_share"]))
    return found
