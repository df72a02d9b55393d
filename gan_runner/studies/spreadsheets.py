"""A report as CSV, numbers in full: a row for each group and metric, or for each run."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from gan_runner.studies.comparison import Comparison
from gan_runner.studies.evidence import GroupSummary, MetricEvidence, Report
from gan_runner.studies.groups import text_of
from gan_runner.studies.runs import COMPLETED


def groups_csv(report: Report) -> str:
    """One row for each group and metric, numbers in full."""
    keys = (*report.grouping.keys, *report.grouping.further)
    rows = []
    for evidence in report.metrics:
        compared = {id(each.group): each for each in evidence.comparisons}
        for each in evidence.summaries:
            row = _summary_row(evidence, each)
            row |= {key: text_of(each.group.settings[key]) for key in keys}
            row |= _comparison_row(compared.get(id(each.group)))
            rows.append(row)
    return _csv(rows)


def runs_csv(report: Report) -> str:
    """One row for each run that was counted."""
    names = [each.name for each in report.metrics]
    rows: list[dict[str, Any]] = []
    for group in report.groups:
        for seed, run in group.runs.items():
            row: dict[str, Any] = {
                "folder": str(run.folder), "group": group.label, "seed": seed,
                "status": run.status, "error": run.error or "",
                "overrides": " ".join(run.overrides),
            }  # fmt: skip
            rows.append(
                row | {name: repr(run.values[name]) for name in names if name in run.values}
            )
    return _csv(rows, last=names)


def _summary_row(evidence: MetricEvidence, each: GroupSummary) -> dict[str, Any]:
    found, runs = each.summary, each.group.runs.values()
    return {
        "metric": evidence.name, "better": evidence.direction or "", "group": each.group.label,
        "runs": len(runs), "completed": sum(run.status == COMPLETED for run in runs),
        "failed": len(each.group.failed), "not_finite": len(each.not_finite),
        "without": len(each.without), "n": found.n, "mean": found.mean, "sd": found.sd,
        "median": found.median, "low": found.low, "high": found.high,
    }  # fmt: skip


def _comparison_row(each: Comparison | None) -> dict[str, Any]:
    if each is None:
        return {}
    test = each.found
    row: dict[str, Any] = {"reference": each.reference.label}
    if test is not None:
        row |= {"difference": test.difference, "difference_low": test.low}
        row |= {"difference_high": test.high}
    if each.paired is not None:
        found = each.paired
        row |= {"pairs": found.n, "wins": found.wins, "ties": found.ties, "p_sign": found.p_sign}
        row |= {"p_wilcoxon": found.p_wilcoxon, "p_permutation": found.p_permutation}
    if each.unpaired is not None:
        row |= {"pairs": 0, "p_mann_whitney": each.unpaired.p_mann_whitney}
    return row | {"p_holm": each.p_holm, "verdict": each.word, "reason": each.reason or ""}


def _csv(rows: Sequence[Mapping[str, Any]], last: Sequence[str] = ()) -> str:
    """Rows under all columns that any has, some of them last; NaN and None are empty cells."""
    columns = list(dict.fromkeys(key for row in rows for key in row if key not in last))
    columns += last
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({
            key: "" if value is None or value != value else value  # noqa: PLR0124 - NaN
            for key, value in row.items()
        })  # fmt: skip
    return buffer.getvalue()
