"""metrics.csv: what is written reads back; a resumed run's file is that of an unbroken one."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from gan_runner.callbacks.callback import RunStart
from gan_runner.callbacks.csv_file import CsvFile, read_metrics_csv
from gan_runner.datasets.dataset import none
from gan_runner.metrics.protocol import Measurement, Protocol

PROTOCOL = Protocol(
    num_real=10, num_generated=10, split="test", checkpoint="last", units="data", seed=0
)


def begin(folder: Path, *, first_step: int = 0, steps_per_epoch: float = 4) -> CsvFile:
    callback = CsvFile()
    callback.on_start(
        RunStart(
            folder=folder,
            config={},
            overrides=(),
            dataset=none(),
            first_step=first_step,
            num_steps=100,
            steps_per_epoch=steps_per_epoch,
            players=("D", "G"),
        )
    )
    return callback


def measured(**values: float) -> dict[str, Measurement]:
    return {name: Measurement(value=value, protocol=PROTOCOL) for name, value in values.items()}


def train(callback: CsvFile, steps: range) -> None:
    """Log every second step; measure every tenth, `late` only from step 40 on."""
    for step in steps:
        if step % 2 == 0:
            callback.on_log(
                step, {"loss/D": 1 / step, "loss/G": math.sqrt(step), "updates/G": step}
            )
        if step % 10 == 0:
            callback.on_metrics(step, measured(mmd=0.1 * step))
        if step >= 40 and step % 20 == 0:
            callback.on_metrics(step, measured(late=step / 7))


def test_layout_of_the_file(tmp_path: Path) -> None:
    callback = begin(tmp_path)
    callback.on_log(1, {"loss/D": 0.1, "updates/G": 50.0})
    assert (tmp_path / "metrics.csv").read_text() == (
        "step,epoch,loss/D,updates/G\n1,0.25,0.1,50\n"
    )
    callback.on_metrics(1, measured(mmd=0.5))
    callback.on_log(2, {"loss/D": float("nan"), "updates/G": 100.0})
    assert (tmp_path / "metrics.csv").read_text() == (
        "step,epoch,loss/D,updates/G,metrics/mmd\n1,0.25,0.1,50,0.5\n2,0.5,nan,100,\n"
    )


def test_metrics_before_the_scalars_of_their_step_share_its_row(tmp_path: Path) -> None:
    callback = begin(tmp_path)
    callback.on_metrics(3, measured(mmd=0.5))
    for value, text in ((0.25, "0.25"), (2.0, "2")):  # longer, then shorter
        callback.on_log(3, {"metrics/mmd": value})
        expected = f"step,epoch,metrics/mmd\n3,0.75,{text}\n"
        assert (tmp_path / "metrics.csv").read_text() == expected


def test_epoch_is_empty_without_data(tmp_path: Path) -> None:
    callback = begin(tmp_path, steps_per_epoch=0)
    callback.on_log(1, {"loss/a": 2.0})
    assert (tmp_path / "metrics.csv").read_text() == "step,epoch,loss/a\n1,,2\n"


def test_numbers_read_back_exactly(tmp_path: Path) -> None:
    callback = begin(tmp_path)
    values = [0.1 + 0.2, 1e-300, -2.5e17, 1 / 3, 3.0]
    for step, value in enumerate(values, start=1):
        callback.on_log(step, {"x": value})
    rows = read_metrics_csv(tmp_path / "metrics.csv")
    assert rows["x"] == list(enumerate(values, start=1))
    assert rows["epoch"][2] == (3, 0.75)


def test_an_older_step_is_filed_where_it_belongs(tmp_path: Path) -> None:
    callback = begin(tmp_path)
    for step in (2, 4, 6):
        callback.on_log(step, {"x": step})
    callback.on_metrics(4, measured(mmd=0.5))  # the best checkpoint's
    callback.on_metrics(3, measured(mmd=0.25))
    callback.on_log(8, {"x": 8})
    rows = read_metrics_csv(tmp_path / "metrics.csv")
    assert rows["x"] == [(2, 2), (4, 4), (6, 6), (8, 8)]
    assert rows["metrics/mmd"] == [(3, 0.25), (4, 0.5)]


@pytest.mark.parametrize("killed_after", [31, 39, 40, 57])
def test_a_resumed_file_equals_an_uninterrupted_one(tmp_path: Path, killed_after: int) -> None:
    whole = tmp_path / "whole"
    train(begin(whole), range(1, 81))
    resumed = tmp_path / "resumed"
    train(begin(resumed), range(1, killed_after + 1))
    train(begin(resumed, first_step=30), range(31, 81))
    assert (resumed / "metrics.csv").read_bytes() == (whole / "metrics.csv").read_bytes()
    assert len(read_metrics_csv(whole / "metrics.csv")["metrics/late"]) == 3


def test_an_unfinished_last_line_is_dropped(tmp_path: Path) -> None:
    train(begin(tmp_path), range(1, 31))
    expected = (tmp_path / "metrics.csv").read_bytes()
    with (tmp_path / "metrics.csv").open("ab") as file:
        file.write(b"30,7.5,0.03")
    assert read_metrics_csv(tmp_path / "metrics.csv")["loss/D"][-1] == (30, 1 / 30)
    begin(tmp_path, first_step=30)
    assert (tmp_path / "metrics.csv").read_bytes() == expected


def test_a_run_from_the_start_begins_a_new_file(tmp_path: Path) -> None:
    train(begin(tmp_path), range(1, 31))
    begin(tmp_path)
    assert (tmp_path / "metrics.csv").read_text() == "step,epoch\n"
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.csv"]  # nothing temporary
