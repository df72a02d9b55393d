"""`index.csv` says of every job how it ended, whoever adds it."""

from __future__ import annotations

import csv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gan_runner import registry, sweep_index
from gan_runner.result import KEYS, write_result


def write(folder: Path, **parts: Any) -> Path:
    """A run folder with a `result.json`."""
    empty = dict.fromkeys(KEYS) | {"status": "completed", "metrics": {}, "timings": {}}
    write_result(folder / "result.json", empty | parts)
    return folder


def cells(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_a_row_says_what_the_result_says(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "3",
        step=50,
        timings={"seconds_training": 0.1, "seconds_total": 9.0},
        metrics={"fid": {"value": 1 / 3}, "reverse_kl": {"value": float("inf")}},
    )
    row = sweep_index.row(
        tmp_path, job=3, folder=folder, overrides=["a=1", "b=[1,2]"], status="failed", error="x"
    )
    assert row == {
        "job": "3", "folder": "3", "overrides": "a=1 b=[1,2]", "status": "completed",
        "seconds": "0.1", "step": "50", "fid": repr(1 / 3), "reverse_kl": "inf",
    }  # fmt: skip


def test_a_row_of_a_job_without_a_result(tmp_path: Path) -> None:
    made = sweep_index.row(
        tmp_path / "sweep", job=0, folder=tmp_path / "0", overrides=[], status="failed",
        error="no\n such file",
    )  # fmt: skip
    assert made == {
        "job": "0", "folder": (tmp_path / "0").as_posix(), "status": "failed",
        "error": "no such file",
    }  # fmt: skip


def test_rows_are_by_job_and_columns_the_union(tmp_path: Path) -> None:
    def row(job: int, **more: str) -> dict[str, str]:
        return {"job": f"{job}", "folder": f"{job}", "overrides": "a=1,2 'x'"} | more

    sweep_index.add(tmp_path, [row(10, status="completed", fid="1.5")])
    sweep_index.add(tmp_path, [row(2, status="failed", error='a, "b"')])
    sweep_index.add(tmp_path, [row(0, status="completed", mmd="nan")])
    head, *rows = cells(tmp_path / "index.csv")
    assert head == [
        "job", "folder", "overrides", "status", "error", "seconds", "step", "mmd", "fid"
    ]  # fmt: skip
    assert rows == [
        ["0", "0", "a=1,2 'x'", "completed", "", "", "", "nan", ""],
        ["2", "2", "a=1,2 'x'", "failed", 'a, "b"', "", "", "", ""],
        ["10", "10", "a=1,2 'x'", "completed", "", "", "", "", "1.5"],
    ]
    assert sweep_index.read(tmp_path)[1] == row(2, status="failed", error='a, "b"')

    sweep_index.add(tmp_path, [row(10, status="interrupted")])  # its only metric goes with it
    head, *rows = cells(tmp_path / "index.csv")
    assert (head[-1], rows[2][3], len(rows)) == ("mmd", "interrupted", 3)


def test_no_index_is_an_empty_one(tmp_path: Path) -> None:
    assert sweep_index.read(tmp_path) == []


def test_no_row_is_lost_where_many_add(tmp_path: Path) -> None:
    def add(job: int) -> None:
        sweep_index.add(tmp_path, [{"job": str(job), "folder": str(job), "status": "completed"}])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    assert [each["job"] for each in sweep_index.read(tmp_path)] == [str(job) for job in range(40)]
    assert {path.name for path in tmp_path.iterdir()} <= {"index.csv", ".index.lock"}


@pytest.mark.parametrize("name", sorted(registry.METRICS))
def test_no_metric_is_called_like_a_column(name: str) -> None:
    assert name not in sweep_index.COLUMNS
