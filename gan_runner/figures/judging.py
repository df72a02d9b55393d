"""Rules by which claims are judged; a claim's own rule names one of them, before any run.

`better`: an arm against another, paired by seed, by the rule of `studies.claims`. `above`: values
against a bound. `share`: how many seeds do. A run that failed counts against its arm. With too few
seeds nothing can be told.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from gan_runner.figures.figure import Material, Verdict, Word
from gan_runner.studies.claims import differences
from gan_runner.studies.comparison import FEWEST
from gan_runner.studies.directions import direction
from gan_runner.studies.statistics import summary

FEWEST_ABOVE = 3  # values that a bound is held against


def better(material: Material, first: str, others: Sequence[str], metric: str) -> Verdict:
    """Whether an arm is better than every other one in a metric, by seed; p's are Holm's."""
    lower = direction(metric) != "higher"
    values = {arm: material.of(arm, metric) for arm in (first, *others)}
    return better_among(material, first, values, worded(metric), lower_is_better=lower)


def worded(metric: str) -> str:
    """A metric's name in a sentence."""
    return {"mse": "MSE"}.get(metric, metric.replace("frechet", "Fréchet").replace("_", " "))


def better_among(
    material: Material,
    first: str,
    values: Mapping[str, Mapping[int, float]],
    what: str,
    *,
    lower_is_better: bool,
) -> Verdict:
    """The same of values by arm and seed.

    A run that has none (it failed, or the value is not finite) counts as the worst of all of them.
    """
    known = [value for own in values.values() for value in own.values() if math.isfinite(value)]
    if not known:
        return Verdict(word="cannot be told", why=f"{what}: no run has a value")
    worst = max(known) if lower_is_better else min(known)
    filled, lost = dict[str, dict[int, float]](), []
    for arm, own in values.items():
        finite = {seed: value for seed, value in own.items() if math.isfinite(value)}
        filled[arm] = {each.seed: worst for each in material.runs[arm]} | finite
        if len(filled[arm]) > len(finite):
            num = len(filled[arm]) - len(finite)
            lost.append(f"{arm}: {num} of {len(filled[arm])} runs failed, counted as {worst:.3g}")
    pairs = {arm: (filled[first], own) for arm, own in filled.items() if arm != first}
    found = _judged(first, pairs, what, lower_is_better=lower_is_better)
    return Verdict(word=found.word, why="; ".join([found.why, *lost]))


def above(
    values: Sequence[float], bound: float, what: str, *, below: bool = False, failed: int = 0
) -> Verdict:
    """Whether values lie above a bound (or below): the whole interval of their mean does.

    failed: runs without a value; with any of them it does not hold.
    """
    own = [each for each in values if math.isfinite(each)]
    sign = -1.0 if below else 1.0
    side = "below" if below else "above"
    if len(own) < FEWEST_ABOVE:
        why = f"{what}: {len(own)} of the {FEWEST_ABOVE} seeds that it takes"
        return Verdict(word="cannot be told", why=why)
    found = summary(own)
    why = (
        f"{what}: {found.mean:.3g} [{found.low:.3g}, {found.high:.3g}] over {found.n} seeds, "
        f"wanted {side} {bound:g}"
    ) + (f", {failed} more failed" if failed else "")
    if not failed and min(sign * found.low, sign * found.high) > sign * bound:
        return Verdict(word="holds", why=why)
    if max(sign * found.low, sign * found.high) < sign * bound:
        return Verdict(word="does not hold", why=why)
    return Verdict(word="cannot be told", why=why)


def share(successes: Sequence[bool], what: str, *, wanted: float = 0.8) -> Verdict:
    """Whether most seeds do: at least `wanted` of them it holds, at most 1 - wanted it does not."""
    num = len(successes)
    why = f"{what}: {sum(successes)} of {num} seeds, wanted {100 * wanted:.0f} %"
    if num < FEWEST:
        return Verdict(word="cannot be told", why=f"{why}; it takes {FEWEST} seeds")
    part = sum(successes) / num
    word: Word = (
        "holds"
        if part >= wanted
        else "does not hold"
        if part <= round(1 - wanted, 12)
        else "cannot be told"
    )
    return Verdict(word=word, why=why)


def both(*found: Verdict) -> Verdict:
    """A claim of several parts: it holds if all do; it does not if one does not."""
    return Verdict(
        word=_of_all(each.word for each in found), why="; ".join(each.why for each in found)
    )


def _of_all(verdicts: Iterable[str]) -> Word:
    """The word of several: one that does not hold refutes them, and all must hold."""
    words = set(verdicts)
    if "does not hold" in words:
        return "does not hold"
    return "holds" if words == {"holds"} else "cannot be told"


def _judged(
    first: str,
    pairs: Mapping[str, tuple[Mapping[int, float], Mapping[int, float]]],
    what: str,
    *,
    lower_is_better: bool,
) -> Verdict:
    """Values (first's, other's) by seed: it holds if the first is better than each other.

    It does not hold if it is worse than one.
    """
    found = differences(pairs, lower_is_better=lower_is_better)
    if len(found) < len(pairs):
        return Verdict(word="cannot be told", why=f"{what}: an arm has no value")
    parts = [
        f"{first} against {each.name}: {what} {each.paired.difference:+.3g} "
        f"{_interval(each.paired.low, each.paired.high)}better in {each.paired.wins} of "
        f"{each.paired.n} pairs, p {each.p:.2g}" + (f" ({each.reason})" if each.reason else "")
        for each in found
    ]  # fmt: skip
    return Verdict(word=_of_all(each.verdict for each in found), why="; ".join(parts))


def _interval(low: float, high: float) -> str:
    """An interval in words; of one pair there is none."""
    return f"[{low:.3g}, {high:.3g}], " if math.isfinite(low) and math.isfinite(high) else ""
