"""The bar on a terminal, the lines elsewhere."""

from __future__ import annotations

import io
import itertools
import logging
import re
from pathlib import Path

import pytest

from gan_runner.callbacks.callback import RunStart
from gan_runner.callbacks.progress import Progress
from gan_runner.datasets.dataset import none


class Terminal(io.StringIO):
    """A stderr that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def begin(*, first_step: int = 0, num_steps: int = 1000, steps_per_epoch: float = 10) -> Progress:
    callback = Progress()
    callback.on_start(
        RunStart(
            folder=Path(),
            config={"name": "vgan_ring8"},
            overrides=(),
            dataset=none(),
            first_step=first_step,
            num_steps=num_steps,
            steps_per_epoch=steps_per_epoch,
            players=("D", "G"),
        )
    )
    return callback


def train(callback: Progress, first: int, last: int, *, log_every: int = 1) -> None:
    for step in range(first + 1, last + 1):
        callback.on_step(step)
        if step % log_every == 0:
            callback.on_log(step, {"loss/D": 1.25, "loss/G": 0.75, "terms/D/penalty": 9.0})
    callback.on_end(last, {})


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.name.endswith("progress")]


def test_ten_lines_without_a_terminal(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    train(begin(), 0, 1000)
    assert lines(caplog)[0] == "step 100 of 1000 (epoch 10): loss/D 1.25, loss/G 0.75"
    assert [int(line.split()[1]) for line in lines(caplog)] == list(range(100, 1001, 100))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("first", "num", "every", "expected"),
    [
        (0, 1000, 70, [140, 210, 350, 420, 560, 630, 700, 840, 910]),
        (450, 1000, 1, [500, 600, 700, 800, 900, 1000]),  # resumed
        (0, 3, 1, [1, 2, 3]),
        (0, 1000, 2000, []),
    ],
)
def test_lines_are_spread_over_the_run(
    caplog: pytest.LogCaptureFixture, first: int, num: int, every: int, expected: list[int]
) -> None:
    caplog.set_level(logging.INFO)
    train(begin(first_step=first, num_steps=num), first, num, log_every=every)
    assert [int(line.split()[1]) for line in lines(caplog)] == expected


def test_no_epoch_without_data_and_no_colon_without_losses(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    callback = begin(num_steps=1, steps_per_epoch=0)
    callback.on_log(1, {"updates/G": 1.0})
    callback.on_end(1, {})
    assert lines(caplog) == ["step 1 of 1"]


def test_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    callback = begin(first_step=200)
    train(callback, 200, 1000)
    last = re.split(r"[\r\n]+", terminal.getvalue().strip())[-1]
    assert last.startswith("vgan_ring8: 100%")
    assert "1000/1000" in last
    assert "D 1.25, G 0.75" in last
    assert "step/s" in last


def test_an_interrupted_bar_stands_where_the_run_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    train(begin(), 0, 373)
    assert "373/1000" in re.split(r"[\r\n]+", terminal.getvalue().strip())[-1]


def test_most_steps_do_not_reach_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", Terminal())
    now = [0.0]
    monkeypatch.setattr("gan_runner.callbacks.progress.time.monotonic", lambda: now[0])
    callback = begin(num_steps=100_000)
    told: list[int] = []
    tell = callback._tell

    def spy(step: int) -> None:
        told.append(step)
        tell(step)

    monkeypatch.setattr(callback, "_tell", spy)
    for step in range(1, 100_001):
        now[0] += 0.001  # a millisecond a step
        callback.on_step(step)
    callback.on_end(100_000, {})
    between = [later - earlier for earlier, later in itertools.pairwise(told[20:])]
    assert set(between) == {100}  # a tenth of a second


def test_an_end_without_a_start_is_let_be(capsys: pytest.CaptureFixture[str]) -> None:
    Progress().on_end(0, {"status": "failed"})
    assert capsys.readouterr().err == ""


def test_log_lines_and_handlers_survive_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    root = logging.getLogger()
    handler = logging.StreamHandler(terminal)
    root.addHandler(handler)
    try:
        before = list(root.handlers)
        callback = begin()
        callback.on_step(1)
        root.warning("a word of warning")
        callback.on_end(1, {})
        assert root.handlers == before
    finally:
        root.removeHandler(handler)
    assert re.search(r"(^|[\r\n])a word of warning\n", terminal.getvalue())
