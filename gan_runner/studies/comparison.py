"""Groups against a reference group: paired by seed where seeds match, with a verdict in words.

The rule of the verdict: a group is better than its reference if there are at least `FEWEST` pairs,
the interval of the mean difference lies on the better side of 0, and the permutation p, corrected
by Holm's method for all comparisons of the metric, is below 1 - level. Worse likewise. All else
cannot be told. So both the size of the difference and its surprise are asked for, and with fewer
than six pairs no two-sided permutation p can be below 0.05 (2 / 2^5 = 0.0625).

Not paired, each group needs `FEWEST` values, and the p is Mann and Whitney's. Numbers that were
measured under different protocols do not compare, and get no verdict.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Literal

from gan_runner.studies.formats import counted, listed, p_text, scale_of
from gan_runner.studies.groups import Group, Grouping, Replica, text_of
from gan_runner.studies.protocols import conflict, distinct
from gan_runner.studies.statistics import LEVEL, RESAMPLES, Paired, Unpaired, holm, paired, unpaired

FEWEST = 6
Outcome = Literal["better", "worse", "cannot be told"]
_UNDIRECTED = {"better": "lower", "worse": "higher"}


@dataclass(frozen=True, kw_only=True)
class Options:
    """level: of intervals. resamples, seed: of the bootstrap and of random flips."""

    level: float = LEVEL
    resamples: int = RESAMPLES
    seed: int = 0

    @property
    def alpha(self) -> float:
        """1 - level: the bound of the corrected p."""
        return round(1 - self.level, 12)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A group against a reference in one metric.

    direction: "lower" or "higher" is better; None: neither. seeds: of the pairs. differences:
    group minus reference, of each pair. paired, unpaired: one of them, or neither where a group
    has no value. p: of the permutation (or Mann-Whitney) test. p_holm: corrected.
    outcome: by the module's rule. reason: why it cannot be told. left_out: how many runs are not
    in it, by group and why.
    """

    metric: str
    direction: str | None
    group: Group
    reference: Group
    seeds: tuple[Replica, ...] = ()
    differences: tuple[float, ...] = ()
    paired: Paired | None = None
    unpaired: Unpaired | None = None
    p: float | None = None
    p_holm: float | None = None
    outcome: Outcome = "cannot be told"
    reason: str | None = None
    left_out: tuple[str, ...] = ()

    @property
    def found(self) -> Paired | Unpaired | None:
        """The test that there is."""
        return self.paired or self.unpaired

    @property
    def num_values(self) -> int:
        """Pairs, or values of the smaller group."""
        if self.unpaired is not None:
            return min(self.unpaired.n_a, self.unpaired.n_b)
        return self.paired.n if self.paired is not None else 0

    @property
    def word(self) -> str:
        """The outcome; "lower" or "higher" of a metric that is better neither way."""
        if self.direction is None:
            return _UNDIRECTED.get(self.outcome, self.outcome)
        return self.outcome

    @property
    def verdict(self) -> str:
        """One line: wins, difference with interval, p, outcome and what was left out."""
        return f"{self.group.short} against {self.reference.short}: {_sentence(self)}"


def compare(
    metric: str,
    direction: str | None,
    pairs: Sequence[tuple[Group, Group]],
    options: Options | None = None,
) -> tuple[Comparison, ...]:
    """Compare (group, reference) pairs in a metric; p's are corrected for all of them."""
    chosen = options or Options()
    found = [_tested(metric, direction, group, against, chosen) for group, against in pairs]
    known = [index for index, each in enumerate(found) if each.p is not None]
    corrected = dict(zip(known, holm([found[index].p or 0.0 for index in known]), strict=True))
    return tuple(
        _judged(dataclasses.replace(each, p_holm=corrected.get(index)), chosen)
        for index, each in enumerate(found)
    )


def outcome(
    *, n: int, low: float, high: float, p: float, lower_is_better: bool, alpha: float = 0.05
) -> tuple[Outcome, str | None]:
    """Apply the module's rule to a difference's interval and corrected p.

    Returns:
        The outcome, and the reason where it cannot be told.
    """
    if n < FEWEST:
        return "cannot be told", f"too few: {n}, {FEWEST} are needed"
    reasons = []
    if not (low > 0 or high < 0):
        reasons.append("the interval holds 0")
    if not p < alpha:
        reasons.append(f"p is not below {alpha:g}")
    if reasons:
        return "cannot be told", " and ".join(reasons)
    return ("better" if (high < 0) == lower_is_better else "worse"), None


def references(grouping: Grouping, text: str | None = None) -> list[tuple[Group, Group]]:
    """Pair each group with the one that it is compared with, on the same data set.

    text: None is the first group (of each data set); else a label or number, settings as typed
    (`model=mlp`), a value alone, or a part of a label. Where several groups have the settings, a
    group is paired with the one whose label agrees with its own in all else, if there is one.

    Raises:
        ValueError: no group is meant, or it is not clear which.
    """
    strata: dict[Any, list[Group]] = {}
    for each in grouping.groups:
        strata.setdefault(each.settings.get("dataset"), []).append(each)
    pairs: list[tuple[Group, Group]] = []
    any_meant = False
    for stratum in strata.values():
        meant, keys = _meant(stratum, text)
        any_meant |= bool(meant)
        others = [each for each in stratum if each not in meant]
        for each in others if meant else ():
            alike = meant
            if len(meant) > 1 and keys:
                rest = [key for key in grouping.keys if not _spoken_of(key, keys)]
                alike = [one for one in meant if _agree(one, each, rest)]
            if len(alike) > 1:
                labels = listed(one.label for one in alike)
                raise ValueError(f"reference={text}: may be any of {labels}")
            pairs += [(each, one) for one in alike]
    if not any_meant:
        labels = listed(each.label for each in grouping.groups)
        raise ValueError(f"reference={text}: no such group; groups: {labels}")
    return pairs


def _meant(groups: Sequence[Group], text: str | None) -> tuple[list[Group], set[str]]:
    """The groups that a text means, and the settings that it speaks of."""
    if not text:
        return [groups[0]], set()
    exact = [each for each in groups if text in (each.label, each.short)]
    if exact:
        return exact, set()
    words, found, keys = text.split(), [], set()
    for each in groups:
        own = [_key_meant(word, each.settings) for word in words]
        if None not in own:
            found.append(each)
            keys |= {key for key in own if key is not None}
    if found:
        return found, keys
    return [each for each in groups if text in each.label], set()


def _spoken_of(key: str, keys: Set[str]) -> bool:
    """Whether a key is among some, or a field of an option among them."""
    return any(key == each or key.startswith(f"{each}.") for each in keys)


def _key_meant(word: str, settings: Mapping[str, Any]) -> str | None:
    """The setting that `key=value`, or a value alone, is."""
    key, equals, value = word.partition("=")
    if equals:
        return key if key in settings and _is(settings[key], value) else None
    return next((key for key, each in settings.items() if _is(each, word)), None)


def _is(value: Any, typed: str) -> bool:
    """Whether a value is what was typed; of a number, in any way of writing."""
    if text_of(value) == typed:
        return True
    try:
        return type(value) in (int, float) and float(typed) == value
    except ValueError:
        return False


def _agree(one: Group, other: Group, keys: Sequence[str]) -> bool:
    return all(one.settings[key] == other.settings[key] for key in keys)


def _tested(
    metric: str, direction: str | None, group: Group, against: Group, options: Options
) -> Comparison:
    """The tests of a comparison, before correction."""
    own, other = group.values(metric), against.values(metric)
    seeds = tuple(seed for seed in own if seed in other)
    left_out = [*_left_out(metric, group), *_left_out(metric, against)]
    found = Comparison(metric=metric, direction=direction, group=group, reference=against)
    how: dict[str, Any] = dataclasses.asdict(options)
    if not own or not other:
        found = dataclasses.replace(found, reason="a group has no value")
    elif 2 * len(seeds) < min(len(own), len(other)):
        apart = unpaired(list(own.values()), list(other.values()), **how)
        found = dataclasses.replace(found, unpaired=apart, p=apart.p_mann_whitney)
    else:
        a, b = [own[seed] for seed in seeds], [other[seed] for seed in seeds]
        matched = paired(a, b, lower_is_better=direction != "higher", **how)
        found = dataclasses.replace(
            found,
            seeds=seeds,
            differences=tuple(x - y for x, y in zip(a, b, strict=True)),
            paired=matched,
            p=matched.p_permutation,
        )
        lone = len(set(own) - set(against.runs)) + len(set(other) - set(group.runs))
        if lone:
            left_out.append(f"{counted(lone, 'value')} without a partner of the same seed")
    return dataclasses.replace(found, left_out=tuple(left_out))


def _left_out(metric: str, group: Group) -> list[str]:
    found = [
        (list(group.failed), "failed or unfinished"),
        (group.not_finite(metric), "not finite"),
        (group.without(metric), "without the metric"),
    ]
    return [
        f"{len(seeds)} {why} of {group.short}"
        for seeds, why in found if seeds
    ]  # fmt: skip


def seeds_text(seeds: Sequence[Replica]) -> str:
    """Name seeds."""
    return f"seed{'' if len(seeds) == 1 else 's'} {listed(seeds)}"


def _judged(found: Comparison, options: Options) -> Comparison:
    """The comparison with its outcome."""
    test, p = found.found, found.p_holm
    if test is None or p is None:
        return found
    sides = (found.group, found.reference)
    protocols = [
        run.protocols[found.metric]
        for side in sides for run in side.runs.values() if found.metric in run.protocols
    ]  # fmt: skip
    differs = conflict(distinct(protocols))
    if differs:
        return dataclasses.replace(found, reason=f"measured differently: {differs}")
    low, high = (0.0, 0.0) if math.isnan(test.low) else (test.low, test.high)
    word, reason = outcome(
        n=found.num_values, low=low, high=high, p=p,
        lower_is_better=found.direction != "higher", alpha=options.alpha,
    )  # fmt: skip
    return dataclasses.replace(found, outcome=word, reason=reason)


def _sentence(found: Comparison) -> str:
    test = found.found
    parts = []
    if found.paired is not None:
        ties = f" ({counted(found.paired.ties, 'tie')})" if found.paired.ties else ""
        verb = "lower" if found.direction is None else "better"
        seeds = "seed" if found.paired.n == 1 else "seeds"
        parts.append(f"{verb} in {found.paired.wins} of {found.paired.n} {seeds}{ties}")
    elif found.unpaired is not None:
        parts.append(f"not paired ({found.unpaired.n_a} and {found.unpaired.n_b} values)")
    if test is not None:
        scale = scale_of((test.difference, test.low, test.high), ((test.high - test.low) / 2,))
        bounds = scale.interval(test.low, test.high)
        shown = "" if bounds == "-" else f" {bounds}{scale.suffix}"
        parts.append(f"difference {scale.text(test.difference, sign=True)}{scale.suffix}{shown}")
        corrected = "" if found.p_holm == found.p else " corrected"
        parts.append(f"p {p_text(found.p_holm)}{corrected}")
    reason = f" ({found.reason})" if found.reason else ""
    parts.append(f"{found.word}{reason}")
    parts += [f"left out: {'; '.join(found.left_out)}"] if found.left_out else []
    return "; ".join(parts)
