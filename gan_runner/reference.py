"""Writes docs/configuration.md: every option, what it sets, every key with its range and meaning.

`python -m gan_runner.reference` writes the page anew, and the made parts of docs/models; `--check`
says which pages are stale. All of it comes from the YAML files, from `schema.py` and, for numbers,
from docs/results.md. Imports no torch.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import yaml  # type: ignore[import-untyped,unused-ignore]

from gan_runner import conf_files, explain, help_page, model_pages, schema
from gan_runner.checks import as_typed
from gan_runner.result import leaves

PAGE = Path(__file__).resolve().parents[1] / "docs" / "configuration.md"
_COMMAND = "python -m gan_runner.reference"
_START = f"""# Configuration

<!-- Made by `{_COMMAND}` (`make docs`) from conf/ and gan_runner/schema.py: do not edit. -->

Every group with its options, and every key with its type, default, range and meaning. The page is
made from the files that a run is composed of, so it lists all there is; `gan-run --help <group>`
shows the same in the terminal, and `--cfg job` the config that a command line comes to.

A command line chooses one option of each group (`model=dcgan`) and sets single keys
(`model.ema=0.999`). Later entries beat earlier ones: a model may choose options of other groups, an
experiment beats the model, the command line beats all. The column "sets" is what an option's file
writes: the option that it builds on, options of other groups, and values in place of the keys'
defaults. `null` stands for "none" or for what the meaning says.
"""
_TITLES = {
    "model": "the game", "dataset": "the data", "experiment": "whole settings",
    "network": "the networks", "loss": "the adversarial loss", "penalty": "the penalty on D",
    "optimizer": "how weights are moved", "training": "length, batches, seeds",
    "device": "where it computes", "metrics": "what is measured",
}  # fmt: skip


def main(words: Sequence[str] | None = None) -> int:
    """Write the pages, or with `--check` name the stale ones; 0, or 1 where there are any."""
    parser = argparse.ArgumentParser(prog=_COMMAND, description="make the made pages of docs/")
    parser.add_argument("--check", action="store_true", help="only say which pages are stale")
    check = parser.parse_args(words).check
    if not PAGE.parent.is_dir():
        print(f"there is no folder {PAGE.parent}: a checkout is wanted", file=sys.stderr)
        return 1
    found = stale()
    for path, made in found.items():
        if check:
            print(f"{path} is stale: write it anew with `make docs`", file=sys.stderr)
        else:
            path.write_text(made, encoding="utf-8")
            print(path)
    return int(check and bool(found))


def stale() -> dict[Path, str]:
    """The pages that are not as they would be written now, with what they would hold."""
    wanted = {PAGE: text(), **model_pages.pages()}
    return {
        path: made
        for path, made in wanted.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != made
    }


def text() -> str:
    """The whole page."""
    groups = conf_files.groups()
    lines = [_START, *(f"- [{group}](#{group}): {_TITLES.get(group, '')}" for group in groups)]
    lines += ["- [keys without a group](#keys-without-a-group)", ""]
    for group in groups:
        lines += _group(group)
    lines += ["## keys without a group", "", *_table(schema.Run, "", only=("name", "resume"))]
    return "\n".join(lines).rstrip() + "\n"


def _group(group: str) -> Iterator[str]:
    """A group's options, and the keys of the schemas that they stand on."""
    yield from (f"## {group}", "", f"| `{group}=` | what it is | sets |", "| --- | --- | --- |")
    for option, comment in conf_files.options(group).items():
        sets = ", ".join(_code(each) for each in written(group, option))
        yield f"| `{option}` | {_cell(comment)} | {sets} |"
    yield ""
    users = help_page.users_of_schemas(group)
    for name, options in users.items():
        kind = schema.SCHEMAS[group][name]
        yield from (f"### Keys of {_called(group, options)}", "")
        listed = "each option" if len(users) == 1 else ", ".join(f"`{each}`" for each in options)
        yield from (f"{' '.join((kind.__doc__ or '').split())} For {listed}.", "")
        yield from _table(kind, f"{group}.")


def _called(group: str, options: Sequence[str]) -> str:
    """Options in a heading: the first of them, and how many more."""
    more = f" and {len(options) - 1} more" if len(options) > 1 else ""
    return f"`{group}={options[0]}`{more}"


def written(group: str, option: str) -> Iterator[str]:
    """What an option's file writes, as it would be typed: `loss=hinge`, `training.epochs=8`."""
    path = conf_files.conf_dir() / group / f"{option}.yaml"
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    for entry in content.pop("defaults", []):
        if isinstance(entry, dict):
            ((name, choice),) = entry.items()
            yield f"{name.removeprefix('override ').strip('/').partition('@')[0]}={choice}"
        elif entry != "_self_" and not entry.startswith(("/schema/", "/preset/")):
            yield f"{group}={entry}"
    prefix = "" if group == "experiment" else f"{group}."
    for key, value in leaves(content, prefix):
        if (key, value) not in (("name", option), (f"{group}.name", option)):
            yield f"{key}={as_typed(value)}"


def _table(kind: type, prefix: str, only: Sequence[str] = ()) -> Iterator[str]:
    """A schema's keys, those of its sections after them."""
    yield from ("| key | type | default | range | meaning |", "| --- | --- | --- | --- | --- |")
    yield from _rows(kind, prefix, only)
    yield ""


def _rows(kind: type, prefix: str, only: Sequence[str] = ()) -> Iterator[str]:
    hints = get_type_hints(kind)
    sections = []
    for entry in fields(kind):
        if only and entry.name not in only:
            continue
        if is_dataclass(hints[entry.name]):
            sections.append(entry)
            continue
        default = help_page.default(entry)
        cells = (
            _code(f"{prefix}{entry.name}"),
            explain.wanted(hints[entry.name]),
            "must be given" if default == "..." else _code(default),
            "; ".join(help_page.limits(entry)),
            _cell(entry.metadata["meaning"]),
        )
        yield f"| {' | '.join(cells)} |"
    for entry in sections:
        section: Any = hints[entry.name]
        yield from _rows(section, f"{prefix}{entry.name}.")


def _cell(words: str) -> str:
    """Prose in a table's cell, where a bar would end it, <...> be a tag and $...$ mathematics."""
    return words.replace("|", "\\|").replace("<", "&lt;").replace("$", "&#36;")


def _code(words: str) -> str:
    """Code in a table's cell."""
    return "`{}`".format(words.replace("|", "\\|"))


if __name__ == "__main__":
    sys.exit(main())
