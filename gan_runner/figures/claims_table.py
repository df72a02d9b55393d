"""All claims with their verdicts as Markdown, made beside the page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gan_runner.figures.catalogue import FIGURES
from gan_runner.figures.claims import CLAIMS
from gan_runner.figures.figure import PAPERS
from gan_runner.figures.records import Record
from gan_runner.result import write_atomic


def write(made: Mapping[str, Record], folder: Path) -> Path:
    """Write `claims.md` from the records that are there; returns its path."""
    path = folder / "claims.md"
    write_atomic(path, markdown(made).encode())
    return path


def markdown(made: Mapping[str, Record]) -> str:
    """A table of the claims a paper, and under it each claim's test, rule and numbers."""
    judged = {claim: one for one in made.values() for claim in one.verdicts}
    parts = [
        "# Claims of five papers, tested",
        "Each with a test and a rule that stood in code before the runs "
        "(`gan_runner/figures/claims.py`), judged by `gan-figures`.",
    ]
    for paper, name in PAPERS.items():
        own = {claim: known for claim, known in CLAIMS.items() if known.paper == paper}
        rows = [
            f"| {claim} | {known.says} | {_word(claim, judged)} | {_figure(claim, judged)} |"
            for claim, known in own.items()
        ]
        table = "\n".join(["| | claim | verdict | figure |", "| --- | --- | --- | --- |", *rows])
        parts += [f"## {name}", table]
        for claim, known in own.items():
            if claim in judged:
                one = judged[claim]
                parts.append(
                    f"**{claim}.** {known.test} *Rule:* {known.rule}. "
                    f"*Found* (scale {one.scale}): {one.verdicts[claim].why}."
                )
    return "\n\n".join(parts) + "\n"


def _word(claim: str, judged: Mapping[str, Record]) -> str:
    return f"**{judged[claim].verdicts[claim].word}**" if claim in judged else "not run"


def _figure(claim: str, judged: Mapping[str, Record]) -> str:
    names = [judged[claim].id] if claim in judged else [
        each.id for each in FIGURES if claim in each.claims
    ]  # fmt: skip
    return ", ".join(f"`{each}`" for each in names) or "none yet"
