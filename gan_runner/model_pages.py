"""Fills the made parts of docs/models/*.md: a model's presets, and its rows of docs/results.md.

A made part lies between `<!-- made: presets -->` or `<!-- made: numbers -->` and `<!-- end -->`;
all else is written by hand. `python -m gan_runner.reference` fills them. Imports no torch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml  # type: ignore[import-untyped,unused-ignore]

from gan_runner import conf_files

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "models"
RESULTS = FOLDER.parent / "results.md"
_PART = re.compile(r"<!-- made: (\w+) -->\n.*?<!-- end -->", re.S)
_SMALL = "_cpu"


def pages(folder: Path = FOLDER) -> dict[Path, str]:
    """The text that each model's page should have, where there is a page."""
    found = ((folder / f"{model}.md", model) for model in conf_files.options("model"))
    return {
        path: filled(path.read_text(encoding="utf-8"), model)
        for path, model in found
        if path.is_file()
    }


def filled(page: str, model: str) -> str:
    """A page with its made parts written anew.

    Raises:
        KeyError: a part has no maker.
    """
    makers = {"presets": presets, "numbers": numbers}

    def part(found: re.Match[str]) -> str:
        kind = found.group(1)
        lines = "\n".join(makers[kind](model))
        return f"<!-- made: {kind} -->\n\n{lines}\n\n<!-- end -->"

    return _PART.sub(part, page)


def experiments(model: str) -> dict[str, dict[str, str]]:
    """The experiments that choose a model, each with its choices by group."""
    found = {}
    for name in conf_files.options("experiment"):
        path = conf_files.conf_dir() / "experiment" / f"{name}.yaml"
        defaults = yaml.safe_load(path.read_text(encoding="utf-8"))["defaults"]
        chosen = {
            key.removeprefix("override /"): str(option)
            for entry in defaults
            if isinstance(entry, dict)
            for key, option in entry.items()
        }
        if chosen.get("model") == model:
            found[name] = chosen
    return found


def presets(model: str) -> Iterator[str]:
    """A table of a model's experiments; a small form is named beside its large one."""
    chosen = experiments(model)
    if not chosen:
        yield "No experiment chooses it."
        return
    comments = conf_files.options("experiment")
    yield "| `experiment=` | what it is | data | networks | penalty | optimizer |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for name, groups in chosen.items():
        if name.endswith(_SMALL) and name.removesuffix(_SMALL) in chosen:
            continue
        small = chosen.get(f"{name}{_SMALL}", {})
        cells = [f"`{name}`" + (f", `{name}{_SMALL}`" if small else ""), comments[name]]
        for group in ("dataset", "network", "penalty", "optimizer"):
            option, other = groups.get(group, ""), small.get(group, "")
            both = [option, *([other] if other not in ("", option) else [])]
            cells.append(", ".join(f"`{each}`" for each in both if each))
        yield f"| {' | '.join(cells)} |"


def numbers(model: str, results: Path = RESULTS) -> Iterator[str]:
    """The rows of docs/results.md that stand for a model's experiments, under their own heads."""
    names = set(experiments(model))
    heading, found = "", False
    head: list[str] = []
    for line in results.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        if not line.startswith("|"):
            head = []
        elif len(head) < 2:
            head.append(line)
        elif names & set(re.findall(r"^[ *]*`(\w+)`", line.split("|")[1])):
            if head[-1]:
                where = f"From *{heading}* in [results](../results.md):"
                yield from (*([""] if found else []), where, "", *head)
                head.append("")  # the head is written once a table
                found = True
            yield line
    if not found:
        yield "Not measured yet."
