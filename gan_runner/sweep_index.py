"""`index.csv` at a sweep's root: a row for each job that has ended, however it ended.

Jobs of one sweep may end in many processes, on many machines: who adds rows holds a lock, reads the
file and writes it anew, whole. Imports no torch.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gan_runner.result import read_result, write_atomic

FILE = "index.csv"
COLUMNS = ("job", "folder", "overrides", "status", "error", "seconds", "step")  # then the metrics
_LOCK = ".index.lock"
Row = dict[str, str]  # column -> text; an absent column is an empty cell


def row(
    sweep: Path,
    *,
    job: int,
    folder: Path,
    overrides: Sequence[str],
    status: str,
    error: str | None = None,
) -> Row:
    """What the index says of a job: what its `result.json` says, else what is given here.

    Args:
        sweep: the sweep's folder.
        job: its number.
        folder: the run folder.
        overrides: as typed for the job.
        status, error: how it ended, where that is not written in its folder.

    Returns:
        Texts by column. `seconds` is the time of training, of a stack the job's share; a metric
        that is not finite is `nan`, `inf` or `-inf`.
    """
    result: dict[str, Any] = {"status": status, "error": error}
    if (folder / "result.json").is_file():
        result = read_result(folder)
    cells = {
        "job": str(job),
        "folder": _relative(folder, sweep),
        "overrides": " ".join(overrides),
        "status": result["status"],
        "error": " ".join((result["error"] or "").split()),
        "seconds": _text(result.get("timings", {}).get("seconds_training")),
        "step": _text(result.get("step")),
    }
    lost = result.get("not_finite", {})
    for name, entry in result.get("metrics", {}).items():
        value = entry["value"]
        cells[name] = lost.get(f"metrics.{name}.value", "") if value is None else _text(value)
    return {column: text for column, text in cells.items() if text}


def add(sweep: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Add rows to a sweep's index; a row of a folder takes the place of an older one."""
    from filelock import FileLock

    sweep.mkdir(parents=True, exist_ok=True)
    with FileLock(sweep / _LOCK):
        by_folder = {each["folder"]: each for each in (*read(sweep), *rows)}
        write_atomic(sweep / FILE, _as_csv(list(by_folder.values())).encode())


def read(sweep: Path) -> list[Row]:
    """The rows of a sweep's index, by number of job; none where there is no index."""
    path = sweep / FILE
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [
            {column: text for column, text in each.items() if text} for each in csv.DictReader(file)
        ]


def _as_csv(rows: list[Mapping[str, str]]) -> str:
    rows.sort(key=lambda each: (int(each["job"]), each["folder"]))
    columns = list(dict.fromkeys([*COLUMNS, *(column for each in rows for column in each)]))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _relative(folder: Path, sweep: Path) -> str:
    folder, sweep = Path(os.path.abspath(folder)), Path(os.path.abspath(sweep))
    inside = folder.is_relative_to(sweep)
    return (folder.relative_to(sweep) if inside else folder).as_posix()


def _text(value: Any) -> str:
    """A number that reads back exactly; nothing for None."""
    return "" if value is None else repr(value)
