"""samples/ and losses.png in a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from gan_runner import plots
from gan_runner.callbacks.callback import Panel, RunStart
from gan_runner.callbacks.csv_file import CsvFile
from gan_runner.callbacks.pictures import Pictures
from gan_runner.datasets.dataset import Dataset
from gan_runner.metrics.protocol import Measurement, Protocol

PROTOCOL = Protocol(
    num_real=10, num_generated=10, split="test", checkpoint="last", units="data", seed=0
)


def start(folder: Path, *, kind: str = "vectors", first_step: int = 0) -> RunStart:
    shape = (40, 2) if kind == "vectors" else (40, 1, 8, 8)
    real = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    dataset = Dataset(
        name="made", kind=kind, splits={"train": {"real": real}},
        offset=torch.zeros(shape[-1]), scale=torch.ones(shape[-1]),
    )  # fmt: skip
    return RunStart(
        folder=folder, config={}, overrides=(), dataset=dataset, first_step=first_step,
        num_steps=100, steps_per_epoch=2, players=("D", "G"),
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["vectors", "images"])
def test_a_picture_for_each_sampled_step(tmp_path: Path, kind: str) -> None:
    begun = start(tmp_path, kind=kind)
    callback = Pictures()
    callback.on_start(begun)
    generated = begun.dataset.splits["train"]["real"]
    for step in (1, 12345678):
        callback.on_samples(step, {"generated": generated})
    names = ["step_00000001.png", "step_12345678.png"]
    assert sorted(path.name for path in (tmp_path / "samples").iterdir()) == names
    with Image.open(tmp_path / "samples" / names[0]) as picture:
        picture.load()
        assert picture.size == (411, 258) if kind == "images" else min(picture.size) > 400


def test_a_resume_removes_later_pictures_only(tmp_path: Path) -> None:
    folder = tmp_path / "samples"
    folder.mkdir()
    kept = {
        "step_00000010", "step_00000020", "code_1_00000020", "step_by_step", "mine", "mine_30",
        "00000030",
    }  # fmt: skip
    for name in (*kept, "step_00000030", "classes_00000021", "code_1_100000000"):
        (folder / f"{name}.png").touch()
    Pictures().on_start(start(tmp_path, first_step=20))
    assert {path.stem for path in folder.iterdir()} == kept


def test_panels_of_a_step_and_of_the_end(tmp_path: Path) -> None:
    callback = Pictures()
    callback.on_start(start(tmp_path, kind="images"))
    for step in (10, 100):
        callback.on_panel(step, "samples/code_1", Panel(images=torch.zeros(4, 1, 8, 8), columns=2))
    callback.on_panel(100, "pictures/neighbours", Panel(images=torch.ones(4, 1, 8, 8), columns=4))
    names = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png"))
    assert names == [
        "pictures/neighbours.png", "samples/code_1_00000010.png", "samples/code_1_00000100.png",
    ]  # fmt: skip
    sizes = [Image.open(tmp_path / name).size for name in names]
    assert sizes == [(4 * 51 + 3, 54), (2 * 51 + 3, 105), (2 * 51 + 3, 105)]


def test_losses_of_a_resumed_run_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[Any, float]] = []
    draw = plots.draw_losses

    def spy(rows: Any, *, steps_per_epoch: float) -> Any:
        drawn.append(({tag: list(points) for tag, points in rows.items()}, steps_per_epoch))
        return draw(rows, steps_per_epoch=steps_per_epoch)

    monkeypatch.setattr(plots, "draw_losses", spy)
    for first, last in ((0, 9), (6, 12)):
        begun = start(tmp_path, first_step=first)
        table, pictures = CsvFile(), Pictures()
        callbacks = (table, pictures) if first == 0 else (pictures, table)  # either order will do
        for callback in callbacks:
            callback.on_start(begun)
        for step in range(first + 1, last + 1):
            scalars = {"loss/D": step / 4, "output/real": 0.5, "terms/D/penalty": 1.0}
            for callback in callbacks:
                callback.on_log(step, scalars)
                if step % 6 == 0:
                    measurement = Measurement(value=0.25, protocol=PROTOCOL)
                    callback.on_metrics(step, {"mmd": measurement})
    pictures.on_end(12, {"status": "completed"})
    ((rows, steps_per_epoch),) = drawn
    assert steps_per_epoch == 2
    assert rows == {
        "loss/D": [(step, step / 4) for step in range(1, 13)],
        "output/real": [(step, 0.5) for step in range(1, 13)],
        "metrics/mmd": [(6, 0.25), (12, 0.25)],
    }
    with Image.open(tmp_path / "losses.png") as picture:
        picture.load()
        assert min(picture.size) > 400


def test_no_picture_of_nothing(tmp_path: Path) -> None:
    Pictures().on_end(0, {"status": "failed"})  # not even started
    callback = Pictures()
    callback.on_start(start(tmp_path))
    callback.on_end(0, {"status": "failed"})
    assert not list(tmp_path.iterdir())
