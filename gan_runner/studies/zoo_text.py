"""The zoo's table as Markdown and as a page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from gan_runner.studies import page, tables
from gan_runner.studies.formats import counted, listed
from gan_runner.studies.tables import Table
from gan_runner.studies.zoo_choices import Choice, Refusal
from gan_runner.studies.zoo_runs import DISTANCE, RULE, Row, mean_and_sd

COLUMNS: Mapping[str, tuple[str, int]] = {  # metric: its heading and decimals
    DISTANCE: ("Fréchet distance", 2),
    "classifier_score": ("score", 2),
    "recall": ("recall", 2),
    "label_agreement": ("label agreement", 2),
}
_WORDS = {"learns": "better", "fails": "worse", "collapses": "worse", "unstable": "worse"}


@dataclass(frozen=True, kw_only=True)
class Zoo:
    """All that is told. mnist: None where it is no part of the scale. absent: reasons by name."""

    heading: str
    rule: str
    caption: Sequence[str]
    choice: Choice
    digits: Sequence[Row]
    mnist: Sequence[Row] | None = None
    absent: Mapping[str, str] | None = None


def sorted_rows(rows: Iterable[Row]) -> list[Row]:
    """The best first; what failed with every seed last."""
    return sorted(rows, key=lambda each: each.order)


def quality(rows: Sequence[Row]) -> Table:
    """Settings by their distance, between what real images score and what untrained networks do."""
    agreed = any(each.of("label_agreement") for each in rows)
    shown = {key: each for key, each in COLUMNS.items() if agreed or key != "label_agreement"}
    rows = [each for each in rows if each.num]
    header = (
        "model, loss, penalty", "verdict", "n", *(name for name, _ in shown.values()),
        "s / 1,000 steps", "failed", "collapsed",
    )  # fmt: skip
    body = [_limit("*real test images (floor)*", [each.floor for each in rows], shown)]
    body += [_cells(each, shown) for each in sorted_rows(rows)]
    body.append(_limit("*untrained networks (ceiling)*", [each.ceiling for each in rows], shown))
    return Table(header=header, rows=tuple(body))


def counts(rows: Sequence[Row]) -> Table:
    """How many settings have which verdict, and how many runs failed or collapsed."""
    verdicts = [each.verdict for each in rows if each.num]
    words = ("learns", "hardly learns", "does not learn", "unstable", "collapses", "fails")
    failed = sum(len(each.failed) for each in rows)
    collapsed = sum(len(each.collapsed) for each in rows)
    body = [(word, f"{verdicts.count(word)}") for word in words]
    missing = len(rows) - len(verdicts)
    body += [("not run yet", f"{missing}")] if missing else []
    body += [("*all settings*", f"{len(rows)}"), ("*runs*", f"{sum(each.num for each in rows)}")]
    body += [("*runs that failed*", f"{failed}"), ("*runs that collapsed*", f"{collapsed}")]
    return Table(header=("verdict", "settings"), rows=tuple(body))


def refusals(found: Sequence[Refusal]) -> Table:
    """What does not compose, with the composer's words."""
    body = tuple((each.what, each.reason, f"{each.count}") for each in found)
    return Table(header=("refused", "why", "combinations"), rows=body)


def failures(rows: Sequence[Row]) -> list[str]:
    """Every run that failed, with its reason."""
    return [
        f"{each.label}, seed {seed}: {reason}"
        for each in sorted_rows(rows) for seed, reason in each.failed.items()
    ]  # fmt: skip


def markdown(zoo: Zoo) -> str:
    """The whole as Markdown."""
    parts = [f"# {zoo.heading}"]
    for title, lines, given in _sections(zoo):
        parts += [f"## {title}"] if title else []
        parts += lines if len(lines) < 2 else ["\n".join(f"- {each}" for each in lines)]
        parts += [tables.piped(each) for each in given]
    return "\n\n".join(parts) + "\n"


def html(zoo: Zoo) -> str:
    """The whole as a page."""
    parts = [f"<h1>{escape(zoo.heading)}</h1>"]
    for title, lines, given in _sections(zoo):
        parts += [f"<h2>{escape(title)}</h2>"] if title else []
        parts += [f"<ul>{''.join(f'<li>{escape(_plain(each))}</li>' for each in lines)}</ul>"]
        parts += [_coloured(page.table(_unmarked(each))) for each in given]
    return page.document(zoo.heading, parts)


def _sections(zoo: Zoo) -> Iterable[tuple[str, list[str], list[Table]]]:
    """Titles, lines and tables."""
    yield "", [*zoo.caption, f"Verdicts: {RULE}."], []
    yield "Digits, 8 x 8", [_chosen(zoo)], [counts(zoo.digits), quality(zoo.digits)]
    lines = failures([*zoo.digits, *(zoo.mnist or ())])
    if zoo.mnist is not None:
        commits = {each.commit for each in zoo.mnist if each.num}
        said = [f"{name}: {reason}" for name, reason in (zoo.absent or {}).items()]
        note = (
            "Each experiment as `gan-run experiment=<name> device.threads=1` makes it; one seed, "
            "so no spread. A finished run of the same config counts, whichever version of the code "
            f"made it ({listed(sorted(commits)) or 'none is there'})."
        )
        yield "MNIST, for two cores", [note, *said], [_mnist(zoo.mnist)] if zoo.mnist else []
    if lines:
        yield "Runs that failed", lines, []
    yield "Refused", ["What the composer refuses, in its words."], [refusals(zoo.choice.refusals)]


def _chosen(zoo: Zoo) -> str:
    choice = zoo.choice
    merged = f"; merged with an equal one: {choice.same}" if choice.same else ""
    left = f"; {choice.left_out:,} are not in the rule" if choice.left_out else ""
    return (
        f"{counted(len(choice.combinations), 'combination')}: {zoo.rule}. {choice.refused} "
        f"combinations are refused (below){merged}{left}. A model's own setting is bold."
    )


def _mnist(rows: Sequence[Row]) -> Table:
    """As `quality`, with the whole time."""
    found = quality(rows)
    by_label = {each.label: each for each in rows}
    header = ("experiment", *found.header[1:], "s of training")
    body = []
    for cells in found.rows:
        each = by_label.get(cells[0])
        body.append((*cells, f"{each.seconds:,.0f}" if each and each.values else ""))
    return Table(header=header, rows=tuple(body))


def _cells(each: Row, shown: Mapping[str, tuple[str, int]]) -> tuple[str, ...]:
    label = f"**{each.label}**" if each.own else each.label
    label += "".join(f" (= {other})" for other in each.also)
    rate = mean_and_sd(each.rates.values())[0]
    return (
        label, each.verdict, f"{each.num}",
        *(_value(each.of(key).values(), places) for key, (_, places) in shown.items()),
        "-" if math.isnan(rate) else f"{rate:.1f}",
        f"{len(each.failed)}", f"{len(each.collapsed)}",
    )  # fmt: skip


def _limit(
    label: str,
    found: Iterable[Mapping[int, Mapping[str, float]]],
    shown: Mapping[str, tuple[str, int]],
) -> tuple[str, ...]:
    """The mean over all runs of what stands beside their metrics."""
    values = [each for seeds in found for each in seeds.values()]
    cells = []
    for key, (_, places) in shown.items():
        mean, _ = mean_and_sd([each[key] for each in values if key in each])
        cells.append("-" if math.isnan(mean) else f"{mean:.{places}f}")
    return (label, "", "", *cells, "", "", "")


def _value(values: Iterable[float], places: int) -> str:
    mean, sd = mean_and_sd(values)
    if math.isnan(mean):
        return "-"
    shown = f"{mean:.{places}f}"
    return shown if math.isnan(sd) else f"{shown} ± {sd:.{places}f}"


def _unmarked(given: Table) -> Table:
    rows = tuple(tuple(_plain(cell) for cell in cells) for cells in given.rows)
    return Table(header=given.header, rows=rows)


def _plain(text: str) -> str:
    return text.replace("*", "").replace("`", "")


def _coloured(table: str) -> str:
    for word, style in _WORDS.items():
        table = table.replace(f"<td>{word}</td>", f'<td><span class="{style}">{word}</span></td>')
    return table
