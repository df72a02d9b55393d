"""The page of figures and claims: no script, nothing from elsewhere; for phones and by night."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path

from gan_runner.figures.catalogue import FIGURES
from gan_runner.figures.claims import CLAIMS, Claim
from gan_runner.figures.figure import PAPERS, Paper
from gan_runner.figures.records import MARKS, Record, scaled_by
from gan_runner.figures.sheets import SHEET
from gan_runner.result import write_atomic

_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--soft:#f5f6f8;--rule:#d9dde3;
--good:#00734f;--bad:#b34700}
@media(prefers-color-scheme:dark){:root{--ink:#e4e7eb;--paper:#14171b;--soft:#1d2126;
--rule:#363c44;--good:#3dc79a;--bad:#ff9a5c}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem 1rem 4rem;max-width:76rem;background:var(--paper);
color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:3rem;border-top:1px solid var(--rule);
padding-top:1rem}h3{font-size:1rem;margin:1.5rem 0 .25rem}
p,li{overflow-wrap:anywhere}
.claim{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr));gap:1.5rem;
border-top:1px solid var(--rule);padding:1rem 0}
img{max-width:100%;height:auto;background:#fff;border-radius:4px}
.holds{color:var(--good);font-weight:600}.not{color:var(--bad);font-weight:600}
.open{font-weight:600;opacity:.8}
.note{opacity:.75;font-size:.9rem}
table{border-collapse:collapse;font-size:.9rem}td,th{padding:.25rem .75rem;text-align:left;
border-bottom:1px solid var(--rule)}
"""
_CLASSES = {"holds": "holds", "does not hold": "not", "cannot be told": "open"}


def write(made: Mapping[str, Record], folder: Path) -> Path:
    """Write `index.html` from the records of the figures that are there; returns its path."""
    path = folder / "index.html"
    write_atomic(path, html(made).encode())
    return path


def html(made: Mapping[str, Record]) -> str:
    """The whole page."""
    title = "gan_runner: five papers' figures and claims"
    judged = {
        claim: (one, one.verdicts[claim])
        for one in made.values() for claim in one.verdicts
    }  # fmt: skip
    rows = []
    for claim, known in CLAIMS.items():
        word = judged[claim][1].word if claim in judged else "not run"
        rows.append(
            f'<tr><td><a href="#{claim}">{claim}</a></td><td>{escape(known.says)}</td>'
            f'<td class="{_CLASSES.get(word, "open")}">{word}</td></tr>'
        )
    parts = [
        f"<h1>{title}</h1>", _scales(made),
        f"<table><tr><th></th><th>claim</th><th>verdict</th></tr>{''.join(rows)}</table>",
    ]  # fmt: skip
    for paper, name in PAPERS.items():
        parts.append(f'<h2 id="{paper}">{paper}: {escape(name)}</h2>')
        if any(each.paper == paper for each in made.values()):
            parts.append(
                f'<p class="note"><a href="{paper}/{SHEET}">All figures on one sheet</a></p>'
            )
        parts += _of_paper(paper, made)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="icon" href="data:,">\n<title>{title}</title>\n<style>{_STYLE}</style>\n'
        "</head>\n<body>\n" + "\n".join(parts) + "\n</body>\n</html>\n"
    )


def _scales(made: Mapping[str, Record]) -> str:
    found = sorted({each.scale for each in made.values()})
    told = "Scale smoke tells nothing: its runs are of a few steps. " if "smoke" in found else ""
    return f'<p class="note">Scale: {", ".join(found) or "none"}. {told}{len(made)} figures.</p>'


def _of_paper(paper: Paper, made: Mapping[str, Record]) -> list[str]:
    """The claims with the figures that judge them, then the other figures."""
    parts, shown = [], set[str]()
    for claim, known in CLAIMS.items():
        if known.paper == paper:
            parts.append(_claim(claim, known, made))
            shown |= {each.id for each in made.values() if claim in each.verdicts}
    for figure in FIGURES:
        if figure.paper == paper and figure.id in made and figure.id not in shown:
            one = made[figure.id]
            parts.append(
                f'<div class="claim"><div>{_figure(one)}</div><div>{_numbers(one)}</div></div>'
            )
    return parts


def _claim(claim: str, known: Claim, made: Mapping[str, Record]) -> str:
    """A claim beside its figure, its numbers and its verdict."""
    one = next((each for each in made.values() if claim in each.verdicts), None)
    head = (
        f'<h3 id="{claim}">{claim}. {escape(known.says)}</h3><p>{escape(known.test)}</p>'
        f'<p class="note">Rule: {escape(known.rule)}.</p>'
    )
    if one is None:
        judges = [each.id for each in FIGURES if claim in each.claims]
        how = " or ".join(f"<code>make figure-{each}</code>" for each in judges)
        said = f"Judged by {how}." if judges else "No figure judges it in this version."
        return f'<div class="claim"><div>{head}</div><div><p>Not run. {said}</p></div></div>'
    verdict = one.verdicts[claim]
    words = (
        f'<p class="{_CLASSES[verdict.word]}">{verdict.word.capitalize()}</p>'
        f"<p>{escape(verdict.why)}.</p>"
    )
    return (
        f'<div class="claim"><div>{head}{words}{_numbers(one)}</div><div>{_figure(one)}</div></div>'
    )


def _figure(one: Record) -> str:
    """A picture with what it shows, and folded: how it differs, and its runs."""
    name = one.id.removeprefix(f"{one.paper}-")
    place = f"{one.paper}/{name}"
    return (
        f'<a href="{place}.pdf"><img src="{place}.png" alt="{escape(one.shows)}" loading="lazy">'
        f'</a><p class="note">{escape(one.id)} ({one.scale}): {escape(one.shows)} '
        f'<a href="{place}.txt">Caption</a>.</p>{_runs(one)}'
    )


def _runs(one: Record) -> str:
    rows = "".join(f"<li>{escape(each)}</li>" for each in one.runs)
    marks = f"<p>{escape(MARKS)}</p><ul>{rows}</ul>" if rows else ""
    scaled = "".join(f"<p>{escape(each)}</p>" for each in scaled_by(one))
    return (
        '<details class="note"><summary>How it was made, and differs from the paper</summary>'
        f"<p>{escape(one.differs)}</p>{scaled}{marks}</details>"
    )


def _numbers(one: Record) -> str:
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(text)}</td></tr>"
        for name, text in one.numbers.items()
    )
    return f"<table>{rows}</table>" if rows else ""
