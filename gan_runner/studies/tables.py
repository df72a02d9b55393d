"""A report as text, for the terminal and as Markdown; and the tables that the page shows too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gan_runner.studies.comparison import FEWEST, Comparison, seeds_text
from gan_runner.studies.evidence import GroupSummary, MetricEvidence, Report
from gan_runner.studies.formats import Scale, counted, p_text, scale_of
from gan_runner.studies.groups import Group, Replica, label_of

_MOST_FAILURES = 5  # named in the terminal
_MOST_WITHOUT_SEEDS = 5  # verdicts that say no more than that seeds are few


@dataclass(frozen=True, kw_only=True)
class Table:
    """Cells as text; all columns but the first are numbers, and flush right."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def groups_table(report: Report) -> Table:
    """Each group: how many runs it has, and which failed."""
    rows = []
    for each in report.groups:
        done = len(each.runs) - len(each.failed)
        failed = failures_text(each) or "0"
        rows.append((each.short, f"{len(each.runs)}", f"{done}", failed))
    return Table(header=("Group", "Runs", "Completed", "Failed or unfinished"), rows=tuple(rows))


def settings_lines(report: Report) -> list[str]:
    """What of each group differs and does not stand in its name, a line for each."""
    grouping, numbered = report.grouping, is_numbered(report)
    keys = (*(grouping.keys if numbered else ()), *grouping.further)
    return [f"{each.short}: {label_of(each.settings, keys)}" for each in report.groups if keys]


def settings_heading(report: Report) -> str:
    """What `settings_lines` tell."""
    return "What they are" if is_numbered(report) else "What goes along"


def is_numbered(report: Report) -> bool:
    """Whether groups are called by numbers, for their labels are long."""
    return any(each.short != each.label for each in report.groups)


def verdict_lines(evidence: MetricEvidence) -> list[str]:
    """A metric's verdicts; those for want of seeds are one line where there are many."""
    told = [each for each in evidence.comparisons if each.num_values >= FEWEST]
    if len(evidence.comparisons) - len(told) <= _MOST_WITHOUT_SEEDS:
        told = list(evidence.comparisons)
    lines = [each.verdict for each in told]
    few = len(evidence.comparisons) - len(told)
    return [*lines, f"{few} more cannot be told: fewer than {FEWEST} pairs"] if few else lines


def failures_text(group: Group) -> str:
    """How many of a group's runs have no final metrics, by status, with their seeds."""
    by_status: dict[str, list[Replica]] = {}
    for seed, run in group.failed.items():
        by_status.setdefault(run.status, []).append(seed)
    return ", ".join(
        f"{status}: {len(seeds)} ({seeds_text(seeds)})" for status, seeds in by_status.items()
    )


def failures(report: Report) -> list[str]:
    """Every run without final metrics: its group, seed, what happened, and where it is."""
    return [
        f"{each.short}, seed {seed}: {run.status}{f', {run.error}' if run.error else ''} "
        f"({run.folder})"
        for each in report.groups
        for seed, run in each.failed.items()
    ]


def metric_scale(evidence: MetricEvidence) -> Scale:
    """The scale of a metric's means."""
    found = [each.summary for each in evidence.summaries]
    return scale_of(
        [each.mean for each in found], [(each.high - each.low) / 2 for each in found]
    )  # fmt: skip


def metric_table(evidence: MetricEvidence, report: Report) -> Table:
    """Each group's n, mean, spread and interval in a metric."""
    scale = metric_scale(evidence)
    header = ["Group", "n", "Mean", "sd", "Median", f"{percent(report)} of the mean"]
    missing = [_missing(each) for each in evidence.summaries]
    header += ["Not in it"] if any(missing) else []
    rows = []
    for each, why in zip(evidence.summaries, missing, strict=True):
        found = each.summary
        rows.append((
            each.group.short, f"{found.n}", scale.text(found.mean), scale.text(found.sd),
            scale.text(found.median), scale.interval(found.low, found.high),
            *([why or "0"] if any(missing) else []),
        ))  # fmt: skip
    return Table(header=tuple(header), rows=tuple(rows))


def comparison_table(evidence: MetricEvidence, report: Report) -> Table:
    """Each comparison's pairs, wins, difference and p's in a metric."""
    compared = evidence.comparisons
    scale = difference_scale(evidence)
    several = len({id(each.reference) for each in compared}) > 1
    not_paired = any(each.unpaired for each in compared)
    wins = "Lower in" if evidence.direction is None else "Better in"
    header = ["Group", *(["Against"] if several else []), "Pairs", wins, "Difference"]
    header += [percent(report), "Sign p", "Wilcoxon p", "Flip p"]
    header += ["Mann-Whitney p"] if not_paired else []
    header += [*(["Holm p"] if len(compared) > 1 else []), "Verdict"]
    rows = []
    for each in compared:
        test = each.found
        cells = [each.group.short, *([each.reference.short] if several else [])]
        cells += _wins(each)
        cells += [scale.text(test.difference, sign=True) if test else "-"]
        cells += [scale.interval(test.low, test.high) if test else "-"]
        ps = each.paired and (each.paired.p_sign, each.paired.p_wilcoxon, each.paired.p_permutation)
        cells += [p_text(p) for p in ps or (None, None, None)]
        if not_paired:
            cells += [p_text(each.unpaired.p_mann_whitney if each.unpaired else None)]
        cells += [p_text(each.p_holm)] if len(compared) > 1 else []
        rows.append((*cells, each.word))
    return Table(header=tuple(header), rows=tuple(rows))


def difference_scale(evidence: MetricEvidence) -> Scale:
    """The scale of a metric's differences."""
    tests = [each.found for each in evidence.comparisons if each.found]
    return scale_of(
        [value for each in tests for value in (each.difference, each.low, each.high)],
        [(each.high - each.low) / 2 for each in tests],
    )


def percent(report: Report) -> str:
    """The level as text."""
    return f"{100 * report.options.level:g} %"


def text(report: Report) -> str:
    """The report for a terminal."""
    return _document(report, heading=_plain_heading, body=_aligned, bullet="  ") + "\n"


def markdown(report: Report) -> str:
    """The report as Markdown."""
    return _document(report, heading=_marked_heading, body=piped, bullet="- ") + "\n"


def metric_heading(evidence: MetricEvidence, scale: Scale) -> str:
    """A metric's name, its unit and its direction."""
    unit = f", in {scale.unit}" if scale.unit else ""
    return f"{evidence.name}{unit} ({evidence.better})"


def comparison_heading(evidence: MetricEvidence) -> str:
    """What a metric's groups are compared with, and in which unit."""
    labels = list(dict.fromkeys(each.reference.short for each in evidence.comparisons))
    against = labels[0] if len(labels) == 1 else "the reference of each"
    unit = difference_scale(evidence).unit
    return f"Differences from {against}{f', in {unit}' if unit else ''}"


def footnotes(evidence: MetricEvidence) -> list[str]:
    """How a metric was measured, and a warning where that was not always the same."""
    notes = [f"Measured with {evidence.protocol}."]
    if evidence.conflict:
        notes.append(
            f"Warning: measured differently ({evidence.conflict}); such numbers do not compare."
        )
    return notes


def headline(report: Report) -> str:
    """How many runs and groups there are."""
    num_runs = sum(len(each.runs) for each in report.groups)
    num_failed = sum(len(each.failed) for each in report.groups)
    failed = f", {num_failed} of them failed or unfinished" if num_failed else ""
    return f"{counted(num_runs, 'run')} in {counted(len(report.groups), 'group')}{failed}"


Rendered = Callable[[Table], str]


def _document(
    report: Report, *, heading: Callable[[str, int], str], body: Rendered, bullet: str
) -> str:
    parts = [heading(headline(report), 1), body(groups_table(report))]
    settings = settings_lines(report)
    parts += [heading(settings_heading(report), 3), _lines(bullet, settings)] if settings else []
    failed = _shortened(failures(report))
    for title, lines in (("Failed or unfinished", failed), ("Left out", report.notes)):
        parts += [heading(title, 3), _lines(bullet, lines)] if lines else []
    for evidence in report.metrics:
        parts.append(heading(metric_heading(evidence, metric_scale(evidence)), 2))
        parts.append(body(metric_table(evidence, report)))
        parts.append(_lines(bullet, footnotes(evidence)))
        if evidence.comparisons:
            parts.append(heading(comparison_heading(evidence), 3))
            parts.append(body(comparison_table(evidence, report)))
            parts.append(_lines(bullet, verdict_lines(evidence)))
    return "\n\n".join(part for part in parts if part)


def _shortened(lines: Sequence[str]) -> list[str]:
    if len(lines) <= _MOST_FAILURES:
        return list(lines)
    more = f"and {len(lines) - _MOST_FAILURES} more runs without final metrics"
    return [*lines[:_MOST_FAILURES], more]


def _lines(bullet: str, lines: Iterable[str]) -> str:
    return "\n".join(f"{bullet}{line}" for line in lines)


def _plain_heading(words: str, level: int) -> str:
    return f"  {words}" if level == 3 else words


def _marked_heading(words: str, level: int) -> str:
    return f"{'#' * level} {words}"


def _aligned(table: Table) -> str:
    """Pad the cells to columns, and rule off the header."""
    rows = (table.header, *table.rows)
    widths = [max(len(row[column]) for row in rows) for column in range(len(table.header))]
    lines = []
    for row in rows:
        cells = (
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append(("  " + "   ".join(cells)).rstrip())
    lines.insert(1, "  " + "-" * (sum(widths) + 3 * (len(widths) - 1)))
    return "\n".join(lines)


def piped(table: Table) -> str:
    """A table as Markdown."""
    rule = ("---", *("---:" for _ in table.header[1:]))
    rows = (table.header, rule, *table.rows)
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows)


def _missing(each: GroupSummary) -> str:
    """Runs of a group that are not in its mean, and why."""
    parts = [failures_text(each.group)]
    parts += [f"not finite: {len(each.not_finite)} ({seeds_text(each.not_finite)})"] * bool(
        each.not_finite
    )
    parts += [f"without it: {len(each.without)} ({seeds_text(each.without)})"] * bool(each.without)
    return ", ".join(part for part in parts if part)


def _wins(each: Comparison) -> list[str]:
    if each.paired is None:
        return ["not paired" if each.unpaired else "0", "-"]
    ties = f", {counted(each.paired.ties, 'tie')}" if each.paired.ties else ""
    return [f"{each.paired.n}", f"{each.paired.wins} of {each.paired.n}{ties}"]
