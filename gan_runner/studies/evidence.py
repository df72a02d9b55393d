"""The evidence in some runs: groups, summaries of each metric, comparisons, what was left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gan_runner.studies.comparison import Comparison, Options, compare, references
from gan_runner.studies.directions import direction
from gan_runner.studies.formats import counted, listed
from gan_runner.studies.groups import Group, Grouping, Replica, group
from gan_runner.studies.protocols import conflict, distinct, sentence
from gan_runner.studies.runs import COMPLETED, Collection, Run, collect
from gan_runner.studies.statistics import LEVEL, RESAMPLES, Summary, summary

_MOST_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class GroupSummary:
    """A group in one metric.

    values: finite ones, by seed. not_finite, without: seeds of completed runs whose value is NaN or
    infinite, or is not there.
    """

    group: Group
    values: Mapping[Replica, float]
    summary: Summary
    not_finite: tuple[Replica, ...]
    without: tuple[Replica, ...]


@dataclass(frozen=True, kw_only=True)
class MetricEvidence:
    """A metric over all groups that have it, or whose every run failed.

    direction: whether "lower" or "higher" is better; None where neither is.
    protocol: how it was measured, in words. conflict: in what protocols differ, if they do.
    """

    name: str
    direction: str | None
    summaries: tuple[GroupSummary, ...]
    comparisons: tuple[Comparison, ...]
    protocol: str
    conflict: str | None

    @property
    def better(self) -> str:
        """The direction in words."""
        return f"{self.direction} is better" if self.direction else "neither way is better"


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that is known of some runs; `tables` and `page` write it down.

    notes: what was ignored or left out, a line each.
    """

    grouping: Grouping
    metrics: tuple[MetricEvidence, ...]
    collection: Collection
    options: Options
    notes: tuple[str, ...]

    @property
    def groups(self) -> tuple[Group, ...]:
        """The groups, in order of their first run."""
        return self.grouping.groups

    @property
    def summaries(self) -> dict[str, tuple[GroupSummary, ...]]:
        """Of each metric."""
        return {each.name: each.summaries for each in self.metrics}

    @property
    def comparisons(self) -> dict[str, tuple[Comparison, ...]]:
        """Of each metric."""
        return {each.name: each.comparisons for each in self.metrics}

    @property
    def verdicts(self) -> tuple[str, ...]:
        """Every comparison in a line."""
        return tuple(
            f"{each.name}: {one.verdict}" for each in self.metrics for one in each.comparisons
        )


def report(
    folders: Sequence[Path | str],
    metrics: Sequence[str] | None = None,
    reference: str | None = None,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Report:
    """Read all runs in folders, group them by what differs in their configs, compare the groups.

    metrics: those to report; None is all. reference: the group that the others are compared with,
    as `comparison.references` takes it; None is the first. level: of intervals. resamples, seed:
    of the bootstrap and of random permutations.

    Raises:
        ValueError: a folder does not exist, there is no run or no such metric or reference, or
            an option makes no sense.
    """
    collection = collect(folders)
    grouping = group(collection.runs)
    names = _chosen(collection.runs, metrics)
    options = Options(level=level, resamples=resamples, seed=seed)
    pairs = references(grouping, reference)
    evidence = tuple(_evidence(name, grouping, pairs, options) for name in names)
    return Report(
        grouping=grouping,
        metrics=evidence,
        collection=collection,
        options=options,
        notes=(*_notes(collection, grouping), *_unmatched(grouping, pairs, reference)),
    )


def _chosen(runs: Sequence[Run], metrics: Sequence[str] | None) -> tuple[str, ...]:
    """The metrics to report, in the order in which they were asked for or appear."""
    known = dict.fromkeys(name for run in runs for name in run.values)
    for name in metrics or ():
        if name not in known:
            there = f"metrics found: {', '.join(known)}" if known else "no run has any metric"
            raise ValueError(f"metric={name}: not found; {there}")
    return tuple(dict.fromkeys(metrics)) if metrics else tuple(known)


def _evidence(
    metric: str, grouping: Grouping, pairs: Sequence[tuple[Group, Group]], options: Options
) -> MetricEvidence:
    measured = [each for each in grouping.groups if _belongs(each, metric)]
    has = {id(each) for each in measured}
    found = distinct(
        run.protocols[metric]
        for each in measured
        for run in each.runs.values()
        if metric in run.values
    )
    both = [pair for pair in pairs if {id(each) for each in pair} <= has]
    return MetricEvidence(
        name=metric,
        direction=direction(metric),
        summaries=tuple(_summary(metric, each, options) for each in measured),
        comparisons=compare(metric, direction(metric), both, options),
        protocol=sentence(found),
        conflict=conflict(found),
    )


def _belongs(each: Group, metric: str) -> bool:
    """Whether a run of a group has a metric, or all have failed that might have."""
    runs = each.runs.values()
    return any(metric in run.values for run in runs) or len(each.failed) == len(runs)


def _summary(metric: str, each: Group, options: Options) -> GroupSummary:
    values = each.values(metric)
    return GroupSummary(
        group=each,
        values=values,
        summary=summary(
            list(values.values()),
            level=options.level,
            resamples=options.resamples,
            seed=options.seed,
        ),
        not_finite=each.not_finite(metric),
        without=each.without(metric),
    )


def _notes(collection: Collection, grouping: Grouping) -> list[str]:
    """What was ignored or counted once, each kind in a few lines at most."""
    ignored = [f"ignored {each.folder}: {each.reason}" for each in collection.ignored]
    doubled = [
        f"{each.group}, seed {each.seed}: {counted(len(each.left_out) + 1, 'run')}, kept the "
        f"newest, {each.kept.folder}, left out {listed(map(_with_status, each.left_out))}"
        for each in grouping.duplicates
    ]
    notes = []
    for kind, lines in (("ignored folders", ignored), ("seeds with several runs", doubled)):
        notes += lines[:_MOST_NAMED]
        if len(lines) > _MOST_NAMED:
            notes.append(f"and {len(lines) - _MOST_NAMED} more {kind}")
    return notes


def _with_status(run: Run) -> str:
    return str(run.folder) if run.status == COMPLETED else f"{run.folder} ({run.status})"


def _unmatched(
    grouping: Grouping, pairs: Sequence[tuple[Group, Group]], reference: str | None
) -> list[str]:
    """Groups that a chosen reference leaves without a partner."""
    if reference is None:
        return []
    paired = {id(each) for pair in pairs for each in pair}
    alone = [each.short for each in grouping.groups if id(each) not in paired]
    if not alone:
        return []
    return [f"not compared, for no group of {reference} is like it: {listed(alone)}"]
