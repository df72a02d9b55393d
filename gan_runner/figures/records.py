"""What a figure leaves beside its pictures: a caption, and a record that pages are made from."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gan_runner.figures.claims import CLAIMS
from gan_runner.figures.figure import PAPERS, Drawing, Figure, Material, Trained, Verdict
from gan_runner.figures.runs import Wanted
from gan_runner.result import write_atomic

WIDTH = 100  # of a caption's lines
MARKS = (
    "Where seeds are drawn: a point is the value of one, a diamond the mean, its bar the 95 % "
    "interval of the mean (BCa bootstrap). Where curves are: the line is the median of the seeds, "
    "the band their 10 to 90 % range."
)


@dataclass(frozen=True, kw_only=True)
class Record:
    """A made figure. runs: lines, one an arm. verdicts: by claim. changed: by scale, of arms."""

    id: str
    paper: str
    shows: str
    differs: str
    scale: str
    runs: tuple[str, ...]
    numbers: Mapping[str, str]
    verdicts: Mapping[str, Verdict]
    changed: Mapping[str, str] = field(default_factory=dict)


def record(
    figure: Figure,
    material: Material,
    needed: Mapping[str, Sequence[Wanted]],
    drawing: Drawing,
    changed: Mapping[str, str],
) -> Record:
    """The record of a drawn figure. changed: what its scale changes, by arm."""
    return Record(
        id=figure.id,
        paper=figure.paper,
        shows=figure.shows,
        differs=figure.differs,
        scale=material.scale,
        runs=tuple(
            _arm(label, material.runs[label], wanted[0], figure.arms[label].after)
            for label, wanted in needed.items()
        ),
        numbers=drawing.numbers,
        verdicts={name: each for name, each in drawing.verdicts.items() if name in figure.claims},
        changed=changed,
    )


def _arm(label: str, runs: Sequence[Trained], wanted: Wanted, after: str | None) -> str:
    seeds = [each.seed for each in runs]
    shown = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {seeds[0]} to {seeds[-1]}"
    steps = sorted({each.steps for each in runs})
    length = " or ".join(f"{each:,}" for each in steps) + " steps"
    failed = sum(each.error is not None for each in runs)
    typed = " ".join(wanted.words)
    if after is not None:
        typed += f" training.init_from=<run of {after}, same seed>"
    parts = [
        f"{label}: gan-run {typed}", shown, length,
        f"config {runs[0].config_hash[:12]}",
    ]  # fmt: skip
    if failed:
        parts.append(f"{failed} of {len(runs)} failed")
    return ", ".join(parts)


def write(made: Record, folder: Path) -> None:
    """Write a figure's caption (.txt) and record (.json)."""
    content = json.dumps(asdict(made), indent=2, ensure_ascii=False) + "\n"
    name = made.id.removeprefix(f"{made.paper}-")
    write_atomic(folder / f"{name}.txt", caption(made).encode())
    write_atomic(folder / f"{name}.json", content.encode())


def caption(made: Record) -> str:
    """A figure's caption as text."""
    lines = [
        f"{made.id}: {made.shows}", f"After {PAPERS[made.paper]}.",  # type: ignore[index]
        f"Scale: {made.scale}" + (
            ", runs of a few steps that tell nothing." if made.scale == "smoke" else "."
        ),
        "", f"Differs from the paper: {made.differs}", *scaled_by(made), "", "Runs:",
        *(f"- {each}" for each in made.runs),
    ]  # fmt: skip
    if made.runs:
        lines += ["", MARKS]
    if made.numbers:
        lines += ["", "Numbers:", *(f"- {name}: {text}" for name, text in made.numbers.items())]
    for claim, verdict in made.verdicts.items():
        known = CLAIMS[claim]
        lines += [
            "", f"Claim {claim}: {known.says} {verdict.word.capitalize()}: {verdict.why}.",
            f"Test: {known.test} Rule: {known.rule}.",
        ]  # fmt: skip
    wrapped = [
        textwrap.fill(
            each, WIDTH, subsequent_indent="  " if each.startswith("- ") else "",
            break_long_words=False, break_on_hyphens=False,
        )
        for each in lines
    ]  # fmt: skip
    return "\n".join(wrapped) + "\n"


def scaled_by(made: Record) -> list[str]:
    """What a scale changes, a line for each different change."""
    arms: dict[str, list[str]] = {}
    for arm, change in made.changed.items():
        if change:
            arms.setdefault(change, []).append(arm)
    return [f"At scale {made.scale}, {', '.join(own)}: {change}." for change, own in arms.items()]


def read_all(folder: Path) -> dict[str, Record]:
    """The records of all figures in a folder of figures, by id; those of other files left out."""
    found: dict[str, Record] = {}
    for path in sorted(folder.glob("*/*.json")):
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            verdicts = {claim: Verdict(**each) for claim, each in content["verdicts"].items()}
            one = Record(**{**content, "runs": tuple(content["runs"]), "verdicts": verdicts})
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            continue
        found[one.id] = one
    return found
