"""The report as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from gan_runner.studies import Report, report
from gan_runner.studies.spreadsheets import groups_csv, runs_csv

Make = Callable[..., Path]


@pytest.fixture
def found(make: Make, tmp_path: Path) -> Report:
    for seed in range(3):
        make(f"a/{seed}", seed=seed, mse=0.1 + seed, **{"optimizer.lr": 0.1})
        make(f"b/{seed}", seed=seed, mse=0.2 + seed, psnr=math.nan, **{"optimizer.lr": 0.2})
    make("b/3", seed=3, status="failed", error='said "no", twice', **{"optimizer.lr": 0.2})
    return report([tmp_path])


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_row_for_each_group_and_metric(found: Report) -> None:
    first, second, psnr = rows(groups_csv(found))
    assert (first["metric"], first["group"], first["optimizer.lr"]) == (
        "mse", "optimizer.lr=0.1", "0.1"
    )  # fmt: skip
    assert float(first["mean"]) == pytest.approx(1.1)
    assert first["reference"] == first["verdict"] == ""
    assert (second["runs"], second["failed"], second["n"]) == ("4", "1", "3")
    assert (second["pairs"], second["wins"], second["ties"]) == ("3", "0", "0")
    assert float(second["difference"]) == pytest.approx(0.1)
    assert second["reason"].startswith("too few: 3")
    assert (psnr["metric"], psnr["not_finite"], psnr["mean"]) == ("psnr", "3", "")


def test_a_row_for_each_run(found: Report, tmp_path: Path) -> None:
    table = rows(runs_csv(found))
    assert len(table) == 7
    assert table[0] == {
        "folder": str(tmp_path / "a" / "0"), "group": "optimizer.lr=0.1", "seed": "0",
        "status": "completed", "error": "", "overrides": "model=srgan training.seed=0",
        "mse": "0.1", "psnr": "",
    }  # fmt: skip
    assert table[3]["psnr"] == "nan"
    assert (table[6]["status"], table[6]["error"]) == ("failed", 'said "no", twice')
    assert table[6]["mse"] == ""
