"""Claims judged: two arms compared seed by seed, and the rule by which it is told what that means.

A claim says that an arm is better than another. It holds where the first is better by the rule of
`comparison`, does not hold where it is worse, and else cannot be told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gan_runner.studies import tables
from gan_runner.studies.comparison import FEWEST, Outcome, outcome
from gan_runner.studies.formats import p_text, scale_of
from gan_runner.studies.statistics import LEVEL, RESAMPLES, Paired, holm, paired
from gan_runner.studies.tables import Table

VERDICTS: Mapping[Outcome, str] = {
    "better": "holds", "worse": "does not hold", "cannot be told": "cannot be told",
}  # fmt: skip
RULE = (
    f"at least {FEWEST} pairs of equal seeds, the whole {100 * LEVEL:g} % interval of the mean "
    f"difference (BCa, {RESAMPLES:,} resamples) on one side of 0, and a two-sided permutation p "
    f"below {1 - LEVEL:.2g}, corrected by Holm's method within a table"
)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """An arm against another, seed by seed. differences: of each pair."""

    name: str
    differences: Mapping[int, float]
    paired: Paired
    p: float
    outcome: Outcome
    reason: str | None

    @property
    def verdict(self) -> str:
        """What it means for the claim that the first is better."""
        return VERDICTS[self.outcome]


def differences(
    pairs: Mapping[str, tuple[Mapping[int, float], Mapping[int, float]]],
    *,
    lower_is_better: bool = True,
) -> list[Difference]:
    """Compare values (ours, theirs) by seed; the p's are corrected for all of the pairs.

    Pairs without a common seed are left out.
    """
    tested: list[tuple[str, dict[int, float], Paired]] = []
    for name, (ours, theirs) in pairs.items():
        seeds = [seed for seed in ours if seed in theirs]
        if seeds:
            a, b = [ours[seed] for seed in seeds], [theirs[seed] for seed in seeds]
            found = {seed: x - y for seed, x, y in zip(seeds, a, b, strict=True)}
            tested.append((name, found, paired(a, b, lower_is_better=lower_is_better)))
    corrected = holm([test.p_permutation for _, _, test in tested])
    return [
        _judged(name, found, test, p, lower_is_better=lower_is_better)
        for (name, found, test), p in zip(tested, corrected, strict=True)
    ]


def _judged(
    name: str, found: Mapping[int, float], test: Paired, p: float, *, lower_is_better: bool
) -> Difference:
    low, high = (test.low, test.high) if test.n > 1 else (0.0, 0.0)
    word, reason = outcome(
        n=test.n, low=low, high=high, p=p, lower_is_better=lower_is_better,
        alpha=round(1 - LEVEL, 12),
    )  # fmt: skip
    return Difference(
        name=name, differences=found, paired=test, p=p, outcome=word, reason=reason
    )  # fmt: skip


def difference_table(found: Sequence[Difference], *, what: str) -> str:
    """Differences as Markdown. what: is compared, with its unit left open, such as "MSE"."""
    scale = scale_of(
        [value for each in found for value in (each.paired.low, each.paired.high)],
        [(each.paired.high - each.paired.low) / 2 for each in found],
    )
    unit = f", in {scale.unit}" if scale.unit else ""
    rows = tuple(
        (
            each.name, f"{each.paired.n}", f"{each.paired.wins} of {each.paired.n}",
            scale.text(each.paired.difference, sign=True),
            scale.interval(each.paired.low, each.paired.high),
            p_text(each.paired.p_sign), p_text(each.p),
            each.outcome + (f" ({each.reason})" if each.reason else ""),
        )
        for each in found
    )  # fmt: skip
    header = (
        "first against second", "pairs", "better in", f"difference of {what}{unit}",
        f"{100 * LEVEL:g} % interval", "sign p", "permutation p", "the first is",
    )  # fmt: skip
    return tables.piped(Table(header=header, rows=rows))
