"""A report as one HTML page: no script, nothing from elsewhere, for phones, by day and by night."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from gan_runner import __version__
from gan_runner.studies import svg, tables
from gan_runner.studies.curves import Curve, curves
from gan_runner.studies.evidence import GroupSummary, MetricEvidence, Report
from gan_runner.studies.formats import Scale, counted
from gan_runner.studies.groups import Group, text_of
from gan_runner.studies.tables import Table

MOST_CURVES = 12  # groups in the plots of learning curves
_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--soft:#f5f6f8;--rule:#d9dde3;
--good:#00734f;--bad:#b34700}
@media(prefers-color-scheme:dark){:root{--ink:#e4e7eb;--paper:#14171b;--soft:#1d2126;
--rule:#363c44;--good:#3dc79a;--bad:#ff9a5c}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem 1rem 4rem;max-width:66rem;background:var(--paper);
color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
h1{font-size:1.5rem;line-height:1.25;margin:.5rem 0 1rem}
h2{font-size:1.2rem;margin:3rem 0 .75rem;padding-top:1.25rem;border-top:1px solid var(--rule)}
h3{font-size:1rem;margin:1.75rem 0 .5rem}
p,ul,ol{margin:.5rem 0;max-width:46rem}
ul,ol{padding-left:1.25rem}
li{margin:.3rem 0;overflow-wrap:anywhere}
nav a{display:inline-block;margin:0 .9rem .25rem 0;color:inherit}
.note{opacity:.75;font-size:.9rem}
.warning{border-left:3px solid var(--bad);padding-left:.75rem}
.better{color:var(--good);font-weight:600}
.worse{color:var(--bad);font-weight:600}
.scroll{overflow-x:auto;margin:.75rem 0}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{padding:.35rem .75rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--rule)}
th{font-weight:600;background:var(--soft)}
th:first-child,td:first-child{text-align:left}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,20rem),1fr));gap:1.5rem}
figure{margin:.75rem 0;max-width:30rem}
figcaption{font-size:.9rem;margin-bottom:.25rem}
figure svg{display:block;width:100%;height:auto}
.legend{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;font-size:.9rem}
.key{margin-right:.4rem}
details{margin:.75rem 0}
summary{cursor:pointer}
"""


def html(report: Report) -> str:
    """The whole page."""
    title = f"gan-report: {tables.headline(report)}"
    sections = [_metric(each, report) for each in report.metrics]
    return document(title, [_summary(report), *sections, _learning(report), _about(report)])


def document(title: str, sections: Iterable[str]) -> str:
    """A page of HTML sections, empty ones left out, with the style of all pages."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(part for part in sections if part)
        + "\n</body>\n</html>\n"
    )


def _summary(report: Report) -> str:
    """What comes first: how many runs, the verdicts, the groups, what failed, what was left out."""
    parts = [f"<h1>{escape(tables.headline(report))}</h1>"]
    links = [(f"#{each.name}", each.name) for each in report.metrics]
    links += [("#learning", "learning curves"), ("#about", "how to read this")]
    anchors = (f'<a href="{escape(to)}">{escape(name)}</a>' for to, name in links)
    parts.append(f"<nav>{''.join(anchors)}</nav>")
    verdicts = [
        f"<li>{escape(each.name)}: {_coloured(line)}</li>"
        for each in report.metrics for line in tables.verdict_lines(each)
    ]  # fmt: skip
    if verdicts:
        parts.append(f"<h3>Verdicts</h3><ul>{''.join(verdicts)}</ul>")
    parts += ["<h3>Groups</h3>", table(tables.groups_table(report))]
    settings = tables.settings_lines(report)
    if settings:
        heading = tables.settings_heading(report)
        parts.append(f"<details><summary>{heading}</summary>{_list(settings)}</details>")
    failed = tables.failures(report)
    if failed:
        parts.append(f"<h3>Failed or unfinished</h3>{_list(failed)}")
    if report.notes:
        parts.append(f"<h3>Left out</h3>{_list(report.notes)}")
    return "\n".join(parts)


def _metric(evidence: MetricEvidence, report: Report) -> str:
    """A metric's plots, tables and verdicts."""
    styles = _styles(report.groups)
    heading = tables.metric_heading(evidence, tables.metric_scale(evidence))
    plots = [_seeds(evidence, report, styles)]
    if any(each.differences for each in evidence.comparisons):
        plots.append(_differences(evidence, report, styles))
    plots += _responses(evidence, report)
    parts = [
        f'<h2 id="{escape(evidence.name)}">{escape(heading)}</h2>',
        f'<div class="plots">{"".join(plots)}</div>',
        table(tables.metric_table(evidence, report)),
        *(
            f'<p class="{"warning" if line.startswith("Warning") else "note"}">{escape(line)}</p>'
            for line in tables.footnotes(evidence)
        ),
    ]
    if evidence.comparisons:
        verdicts = "".join(f"<li>{_coloured(each)}</li>" for each in tables.verdict_lines(evidence))
        parts.append(f"<h3>{escape(tables.comparison_heading(evidence))}</h3>")
        parts.append(table(tables.comparison_table(evidence, report)))
        parts.append(f"<ul>{verdicts}</ul>")
    return "\n".join(parts)


def _seeds(evidence: MetricEvidence, report: Report, styles: Mapping[int, int]) -> str:
    scale = tables.metric_scale(evidence)
    rows = [
        svg.Strip(
            label=each.group.short,
            values=[(f"seed {seed}", value) for seed, value in each.values.items()],
            mean=each.summary.mean,
            low=each.summary.low,
            high=each.summary.high,
            text=_in_words(each, scale),
            style=styles[id(each.group)],
        )
        for each in evidence.summaries if each.values
    ]  # fmt: skip
    title = f"{evidence.name}: one point a seed; mean and {tables.percent(report)} interval"
    log = evidence.direction == "lower"  # distances, not shares
    return _figure(title, svg.strips(rows, title=title, log=log)) if rows else ""


def _in_words(each: GroupSummary, scale: Scale) -> str:
    found = each.summary
    if math.isnan(found.low):
        return f"{scale.text(found.mean)}{scale.suffix}"
    return f"{scale.text(found.mean)} {scale.interval(found.low, found.high)}{scale.suffix}"


def _differences(evidence: MetricEvidence, report: Report, styles: Mapping[int, int]) -> str:
    scale = tables.difference_scale(evidence)
    references = {each.reference.short for each in evidence.comparisons}
    rows = []
    for each in evidence.comparisons:
        if each.paired is None:
            continue
        found = each.paired
        rows.append(
            svg.Strip(
                label=each.group.short,
                values=[
                    (f"seed {seed}", value)
                    for seed, value in zip(each.seeds, each.differences, strict=True)
                ],
                mean=found.difference,
                low=found.low,
                high=found.high,
                text=f"{scale.text(found.difference, sign=True)}{scale.suffix}",
                style=styles[id(each.group)],
            )
        )
    side = {"lower": "left", "higher": "right"}.get(evidence.direction or "")
    better = f"; {side} of the line is better" if side else ""
    minus = f" minus {references.pop() if len(references) == 1 else 'its reference'}"
    title = f"{evidence.name}{minus}, seed by seed{better}"
    return _figure(title, svg.strips(rows, title=title, zero=True))


def _responses(evidence: MetricEvidence, report: Report) -> Iterable[str]:
    """A plot for each number that was swept: one line for each choice of all else."""
    keys = report.grouping.keys
    for key in keys:
        rest = [each for each in keys if each != key]
        families: dict[str, list[GroupSummary]] = {}
        for each in evidence.summaries:
            value = each.group.settings[key]
            if type(value) in (int, float) and each.summary.n:
                name = " ".join(f"{one}={text_of(each.group.settings[one])}" for one in rest)
                families.setdefault(name, []).append(each)
        several = {name: found for name, found in families.items() if len(found) > 1}
        if not several or len(several) > MOST_CURVES:
            continue
        lines = [_line(name or evidence.name, found, key, style)
                 for style, (name, found) in enumerate(several.items())]  # fmt: skip
        title = f"{evidence.name} against {key}: mean and {tables.percent(report)} interval"
        legend = _legend(list(several)) if len(several) > 1 else ""
        log = evidence.direction == "lower"
        yield _figure(title, svg.responses(lines, title=title, x_label=key, log=log) + legend)


def _line(name: str, found: Sequence[GroupSummary], key: str, style: int) -> svg.Line:
    ordered = sorted(found, key=lambda each: float(each.group.settings[key]))
    return svg.Line(
        label=name,
        x=[float(each.group.settings[key]) for each in ordered],
        y=[each.summary.mean for each in ordered],
        low=[each.summary.low for each in ordered],
        high=[each.summary.high for each in ordered],
        style=style,
    )


def _learning(report: Report) -> str:
    """The learning curves of the first groups."""
    shown = report.groups[:MOST_CURVES]
    wanted = {f"metrics/{each.name}" for each in report.metrics}
    found = {
        tag: lines for tag, lines in curves(shown).items()
        if not tag.startswith("metrics/") or tag in wanted
    }  # fmt: skip
    if not found:
        return ""
    styles = _styles(shown)
    rest = len(report.groups) - len(shown)
    more = f" The first {len(shown)} of {len(report.groups)} groups." if rest else ""
    figures = (_figure(tag, _curves(tag, lines, styles)) for tag, lines in found.items())
    return (
        '<h2 id="learning">Learning curves</h2>\n<p class="note">Median over the seeds, and the '
        f"band from the 10th to the 90th percentile.{more}</p>\n"
        f'{_legend([each.short for each in shown])}\n<div class="plots">{"".join(figures)}</div>'
    )


def _curves(tag: str, found: Sequence[Curve], styles: Mapping[int, int]) -> str:
    lines = [
        svg.Line(
            label=f"{each.group.short}, {counted(each.num_runs, 'run')}",
            x=each.step.tolist(),
            y=each.middle.tolist(),
            low=each.low.tolist(),
            high=each.high.tolist(),
            style=styles[id(each.group)],
        )
        for each in found if any(map(math.isfinite, each.middle))
    ]  # fmt: skip
    return svg.lines(lines, title=tag, x_label="step")


def _about(report: Report) -> str:
    """How the numbers were made."""
    options = report.options
    lines = [
        f"Intervals are {tables.percent(report)} bootstrap intervals of the mean (BCa, "
        f"{options.resamples:,} resamples, seed {options.seed}); with few seeds they are somewhat "
        "too narrow.",
        "Where seeds match, groups are compared seed by seed: the mean difference, an exact sign "
        "test, Wilcoxon's signed ranks, and the permutation of the differences' signs (flip). "
        "Holm's correction is for all comparisons of a metric. Elsewhere: not paired, with the "
        "test of Mann and Whitney.",
        "Better means: at least 6 pairs, the whole interval of the difference on the better side "
        f"of 0, and the corrected p below {options.alpha:g}. Worse likewise. All else cannot be "
        "told.",
        "Runs that failed, were interrupted or have no result are counted, and are not in the "
        "means; nor are metrics that are not finite.",
        f"Made by gan-report {__version__}.",
    ]
    return f'<h2 id="about">How to read this</h2>\n{_list(lines)}'


def _styles(groups: Sequence[Group]) -> dict[int, int]:
    return {id(each): place for place, each in enumerate(groups)}


def _legend(names: Sequence[str]) -> str:
    keys = (f"<li>{svg.key(style)}{escape(name)}</li>" for style, name in enumerate(names))
    return f'<ul class="legend">{"".join(keys)}</ul>'


def _figure(caption: str, drawing: str) -> str:
    return f"<figure><figcaption>{escape(caption)}</figcaption>{drawing}</figure>"


def table(given: Table) -> str:
    """A table that scrolls sideways where it is wider than the page."""

    def row(cells: Iterable[Any], tag: str) -> str:
        return f"<tr>{''.join(f'<{tag}>{_coloured(str(cell))}</{tag}>' for cell in cells)}</tr>"

    rows = "".join(row(cells, "td") for cells in given.rows)
    head = row(given.header, "th").replace("<th>", '<th scope="col">')
    return f'<div class="scroll"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>'


def _coloured(line: str) -> str:
    """A verdict with its outcome in colour."""
    for word in ("better", "worse"):
        if line == word or f"; {word}" in line:
            marked = f'<span class="{word}">{word}</span>'
            return marked if line == word else escape(line).replace(f"; {word}", f"; {marked}", 1)
    return escape(line)


def _list(lines: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"
