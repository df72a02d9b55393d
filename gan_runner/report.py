"""`gan-report`: what many runs say, over seeds: intervals, paired comparisons, verdicts.

Imports neither torch nor Hydra, and `--help` not even numpy.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gan_runner import __version__
from gan_runner.arguments import LineParser, answer, at_least

if TYPE_CHECKING:
    from gan_runner.studies import Report

PROGRAM = "gan-report"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0; 2 where it is refused; 1 where something else went wrong; 130 after Ctrl-C.
    """
    return answer(PROGRAM, _command, sys.argv[1:] if argv is None else argv)


def _parser() -> LineParser:
    parser = LineParser(
        PROGRAM,
        "Group runs by what differs in their configs, and compare the groups over "
        "their seeds: means with bootstrap intervals, paired differences and tests, a verdict in "
        "words. Runs that failed are counted.",
    )
    add = parser.add_argument
    add("--version", action="version", version=f"%(prog)s {__version__}")
    add(
        "folders", nargs="+", type=Path, metavar="FOLDER",
        help="run folders, sweeps, or folders of them",
    )  # fmt: skip
    add(
        "--metric", action="append", metavar="NAME", help="report this one alone (may be repeated)"
    )  # fmt: skip
    add(
        "--reference", "--against", metavar="TEXT",
        help="what the others are compared with, such as model=mlp; else the first group",
    )  # fmt: skip
    add("--level", type=_level, default=0.95, help="of intervals and verdicts (default: 0.95)")
    add(
        "--resamples", type=at_least(100), default=10_000, metavar="N",
        help="of the bootstrap and of permutations (default: 10000)",
    )  # fmt: skip
    add("--seed", type=at_least(0), default=0, help="of resampling (default: 0)")
    add("--markdown", type=Path, metavar="FILE", help="write the tables as Markdown")
    add("--csv", type=Path, metavar="FILE", help="write a row for each group and metric")
    add("--runs-csv", type=Path, metavar="FILE", help="write a row for each run")
    add("--html", type=Path, metavar="FILE", help="write one page with plots and tables")
    return parser


def _level(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text}: a share between 0 and 1 is wanted")
    return value


def _command(argv: Sequence[str]) -> None:
    given = _parser().parse_args(argv)
    from gan_runner.studies import report, tables

    found = report(
        given.folders, given.metric, given.reference,
        level=given.level, resamples=given.resamples, seed=given.seed,
    )  # fmt: skip
    _print(tables.text(found))
    for path in _write(found, given):
        print(f"{PROGRAM}: wrote {path}", file=sys.stderr)


def _print(text: str) -> None:
    """Print the report, to a reader that may have seen enough (`gan-report ... | head`)."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write(found: Report, given: argparse.Namespace) -> list[Path]:
    """Write the files that are asked for."""
    from gan_runner.result import write_atomic
    from gan_runner.studies import page, spreadsheets, tables

    forms = {
        given.markdown: tables.markdown,
        given.csv: spreadsheets.groups_csv,
        given.runs_csv: spreadsheets.runs_csv,
        given.html: page.html,
    }
    wanted = {path: form for path, form in forms.items() if path is not None}
    for path, form in wanted.items():
        if path.is_dir():
            raise ValueError(f"{path} is a folder; a file is wanted")
        write_atomic(path, form(found).encode())
    return list(wanted)


if __name__ == "__main__":
    sys.exit(main())
