"""What a continuous code changes in a generator's samples."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from gan_runner.metrics.information import slant, stroke_width

Draws = dict[str, Tensor]
Redraw = Callable[[int, Callable[[Draws], Draws]], Tensor]
ENDS = (-2.0, 2.0)  # codes are drawn from U(-1, 1); Chen et al. (2016) draw their figures to 2
NUM = 500  # samples at each end


def code_effects(redraw: Redraw, num_codes: int, *, num: int = NUM) -> dict[str, float]:
    """Return what each continuous code changes from one end of its range to the other.

    code_<j>_effect: |G(c_j = 2) - G(c_j = -2)| averaged over samples that are equal in all else,
        over the same distance between samples that differ in z alone; without unit, at least 0.
    code_<j>_slant, code_<j>_stroke (one channel): how much the mean slant and stroke width of the
        samples at 2 exceed those at -2, in the units of `slant` and `stroke_width`.

    redraw: (num, arrange) -> samples [num, ...] of drawn `z` [num, L] and `codes` [num, J], which
    arrange has changed. num_codes: J.
    """
    found: dict[str, float] = {}
    for code in range(num_codes):
        samples = redraw(3 * num, partial(_ends, code=code))
        low, high, other = (samples[part * num : (part + 1) * num] for part in range(3))
        spread = _distance(low, other)
        name = f"code_{code + 1}"
        found[f"{name}_effect"] = _distance(low, high) / spread if spread else float("nan")
        if samples.ndim == 4 and samples.shape[1] == 1:
            found[f"{name}_slant"] = _mean(slant(high)) - _mean(slant(low))
            found[f"{name}_stroke"] = _mean(stroke_width(high)) - _mean(stroke_width(low))
    return found


def _ends(draws: Draws, code: int) -> Draws:
    """Arrange three parts: a code at its lower end, at its upper end, at the lower with other z."""
    num = len(draws["codes"]) // 3
    made = {name: _first_thrice(values, num) for name, values in draws.items()}
    made["z"] = torch.cat([draws["z"][:num], draws["z"][:num], draws["z"][num : 2 * num]])
    codes = made["codes"].clone()
    for part, end in enumerate((ENDS[0], ENDS[1], ENDS[0])):
        codes[part * num : (part + 1) * num, code] = end
    return {**made, "codes": codes}


def _first_thrice(values: Tensor, num: int) -> Tensor:
    return torch.cat([values[:num]] * 3)


def _distance(x: Tensor, y: Tensor) -> float:
    return float((x.double() - y.double()).flatten(1).norm(dim=1).mean())


def _mean(values: Tensor) -> float:
    """Return the mean of the finite ones: an empty image has no slant."""
    values = values.double()
    return float(values[values.isfinite()].mean())
