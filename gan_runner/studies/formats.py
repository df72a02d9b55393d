"""Numbers as text: compact, with a common exponent and as many decimals as their spread bears."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

_MOST_DECIMALS = 6


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How a column's numbers are written: in units of 10^exponent, with so many decimals."""

    exponent: int = 0
    decimals: int = 3

    @property
    def unit(self) -> str:
        """What the numbers count, such as "1e-5"; nothing where it is 1."""
        return f"1e{self.exponent}" if self.exponent else ""

    @property
    def suffix(self) -> str:
        """What stands behind a number that is alone, such as "e-5"."""
        return f"e{self.exponent}" if self.exponent else ""

    def text(self, value: float, *, sign: bool = False) -> str:
        """A number in units of the exponent; one that would fill or empty the column, shortly."""
        if math.isnan(value):
            return "-"
        scaled = value / 10.0**self.exponent
        is_small = 0 < abs(scaled) < 0.5 * 10.0**-self.decimals
        form = ".1e" if abs(scaled) >= 1e6 or is_small else f".{self.decimals}f"
        return f"{scaled:{'+' if sign and value else ''}{form}}"

    def interval(self, low: float, high: float) -> str:
        """Two bounds in brackets."""
        if math.isnan(low) or math.isnan(high):
            return "-"
        return f"[{self.text(low)}, {self.text(high)}]"


def scale_of(values: Iterable[float], spreads: Iterable[float] = ()) -> Scale:
    """The scale that suits most of some values, to two digits of most of their spreads.

    Without spreads: four digits of the values, or none behind the point where all are whole.
    """
    sizes = [abs(value) for value in values if math.isfinite(value) and value != 0]
    if not sizes:
        return Scale(decimals=0)
    size = statistics.median(sizes)
    exponent = 0 if 1e-2 <= size < 1e5 else math.floor(math.log10(size))
    widths = [abs(each) for each in spreads if math.isfinite(each) and each != 0]
    if widths:
        decimals = exponent + 1 - math.floor(math.log10(statistics.median(widths)))
    elif exponent == 0 and all(each == int(each) for each in sizes):
        decimals = 0
    else:
        decimals = exponent + 3 - math.floor(math.log10(size))
    return Scale(exponent=exponent, decimals=min(max(decimals, 0), _MOST_DECIMALS))


def p_text(p: float | None) -> str:
    """A probability to two digits."""
    if p is None or math.isnan(p):
        return "-"
    if p < 1e-4:
        return "<0.0001"
    return f"{p:.2g}" if p < 0.995 else "1"


def listed(names: Iterable[object], most: int = 10) -> str:
    """Names with commas; of many, the first, and how many more."""
    words = [str(name) for name in names]
    if len(words) <= most:
        return ", ".join(words)
    return f"{', '.join(words[: most - 1])} and {len(words) - most + 1} more"


def counted(number: int, noun: str) -> str:
    """A number and its noun: 1 run, 2 runs."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
