"""Axes: from numbers to places, and round numbers to put beside them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_MOST_TICKS = 6


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Numbers from low to high at places from start to end, in units of a drawing."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """The place of a number; one beyond the ends is put just outside them."""
        low, high, value = (self._scaled(each) for each in (self.low, self.high, value))
        share = (value - low) / (high - low)
        return self.start + (self.end - self.start) * min(max(share, -0.02), 1.02)

    def ticks(self) -> list[float]:
        """Round numbers within the axis."""
        return _decades(self.low, self.high) if self.log else _round(self.low, self.high)

    def _scaled(self, value: float) -> float:
        if not self.log:
            return value
        return math.log10(value) if value > 0 else -math.inf


def axis(
    values: Iterable[float], start: float, end: float, *, log: bool = False, zero: bool = False
) -> Axis:
    """An axis for some numbers, with a little air; with 0 on it where it is asked for.

    log: as asked, if the numbers are positive.
    """
    found = [value for value in values if math.isfinite(value)]
    if zero or not found:
        found.append(0.0)
    low, high = min(found), max(found)
    if log and low > 0:
        air = (high / low) ** 0.05 if high > low else 2.0
        return Axis(low=low / air, high=high * air, start=start, end=end, log=True)
    air = 0.05 * (high - low) or 0.1 * abs(high) or 1.0
    return Axis(low=low - air, high=high + air, start=start, end=end)


def spans_decades(values: Iterable[float], ratio: float = 10.0) -> bool:
    """Whether numbers are positive and of very different sizes."""
    found = [value for value in values if math.isfinite(value)]
    return bool(found) and min(found) > 0 and max(found) / min(found) >= ratio


def tick_text(value: float) -> str:
    """A number beside an axis."""
    if value == 0:
        return "0"
    if 1e-4 <= abs(value) < 1e6:
        return f"{value:,.6g}".replace("-", "−")
    mantissa, _, power = f"{value:.2e}".partition("e")
    mantissa = mantissa.rstrip("0").rstrip(".").replace("-", "−")
    raised = f"10{str(int(power)).translate(_RAISED)}"
    return raised if mantissa == "1" else f"{mantissa}·{raised}"


def _round(low: float, high: float) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / _MOST_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(each * power for each in (1, 2, 5, 10) if each * power >= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [float(f"{place * step:.12g}") for place in range(first, last + 1)]


def _decades(low: float, high: float) -> list[float]:
    """Powers of ten, or also their multiples by 2 and 5 where those are few."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    tens = [10.0**power for power in range(first, last + 1)]
    found = [ten for ten in tens if low <= ten <= high]
    if len(found) > _MOST_TICKS:
        return found[:: math.ceil(len(found) / _MOST_TICKS)]
    if len(found) < 2:
        found = [ten * each for ten in tens for each in (1, 2, 5) if low <= ten * each <= high]
    return found if len(found) > 1 else [low, high]
