"""tb/: read back with TensorBoard's own readers."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.context import RequestContext
from tensorboard.plugins import base_plugin
from tensorboard.plugins.hparams import (
    api_pb2,
    backend_context,
    get_experiment,
    list_session_groups,
)

from gan_runner.callbacks.callback import Panel, RunStart
from gan_runner.callbacks.pictures import Pictures
from gan_runner.callbacks.tensorboard import TensorBoard, _wait_for_a_later_name, flatten
from gan_runner.datasets.dataset import Dataset, Modes, none
from gan_runner.metrics.protocol import Measurement, Protocol

CONFIG = {
    "name": "srgan_gauss3d",
    "model": {"name": "srgan", "lambda_adversarial": 0.5, "clip": None, "share_fakes": True},
    "network": {"generator": {"widths": [16, 16]}},
    "metrics": {"names": ["modes", "mmd"]},
    "resume": None,
}
PROTOCOL = Protocol(
    num_real=10, num_generated=10, split="test", checkpoint="last", units="data", seed=0
)


def begin(folder: Path, **changes: Any) -> RunStart:
    start = {
        "folder": folder, "config": CONFIG, "overrides": (), "dataset": none(), "first_step": 0,
        "num_steps": 100, "steps_per_epoch": 0, "players": ("D", "G"),
    }  # fmt: skip
    return RunStart(**{**start, **changes})


def train(callback: TensorBoard, steps: range) -> None:
    for step in steps:
        callback.on_log(step, {"loss/D": step / 2, "loss/G": -step})
        if step % 10 == 0:
            measurement = Measurement(value=1 / step, protocol=PROTOCOL)
            callback.on_metrics(step, {"mmd": measurement})


def read(folder: Path) -> EventAccumulator:
    accumulator = EventAccumulator(str(folder / "tb"), size_guidance={"scalars": 0, "images": 0})
    accumulator.Reload()
    return accumulator


def scalars(folder: Path, tag: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in read(folder).Scalars(tag)]


def hparams_rows(folder: Path) -> tuple[Any, Any]:
    """Return the experiment and the rows that the HParams tab shows for a folder of runs."""
    multiplexer = plugin_event_multiplexer.EventMultiplexer()
    multiplexer.AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    provider = data_provider.MultiplexerDataProvider(multiplexer, str(folder))
    context = backend_context.Context(base_plugin.TBContext(data_provider=provider))
    ask = RequestContext()
    experiment = get_experiment.Handler(
        ask, context, "", api_pb2.GetExperimentRequest(include_metrics=True)
    ).run()
    request = api_pb2.ListSessionGroupsRequest(
        allowed_statuses=api_pb2.Status.values(), start_index=0, slice_size=100
    )
    for info in experiment.metric_infos:
        request.col_params.add(metric=info.name)
    groups = list_session_groups.Handler(ask, context, "", request).run()
    return experiment, groups.session_groups


def test_scalars_and_metrics_read_back(tmp_path: Path) -> None:
    callback = TensorBoard()
    callback.on_start(begin(tmp_path))
    train(callback, range(1, 21))
    # Before the end, as after a kill: nothing may wait in a queue.
    assert scalars(tmp_path, "loss/D") == [(step, step / 2) for step in range(1, 21)]
    assert scalars(tmp_path, "loss/G")[-1] == (20, -20)
    assert scalars(tmp_path, "metrics/mmd") == [(10, pytest.approx(0.1)), (20, pytest.approx(0.05))]
    callback.on_end(20, {"status": "completed"})
    assert sorted(read(tmp_path).Tags()["scalars"]) == ["loss/D", "loss/G", "metrics/mmd"]
    assert len(list((tmp_path / "tb").iterdir())) == 1  # no child run


def test_a_resume_hides_what_the_checkpoint_does_not_know(tmp_path: Path) -> None:
    for folder, parts in {"whole": [(0, 60)], "resumed": [(0, 45), (30, 52), (40, 60)]}.items():
        for first, last in parts:
            callback = TensorBoard()
            callback.on_start(begin(tmp_path / folder, first_step=first))
            train(callback, range(first + 1, last + 1))
            if last == 60:
                callback.on_end(last, {"status": "completed"})
    for tag in ("loss/D", "loss/G", "metrics/mmd"):
        assert scalars(tmp_path / "resumed", tag) == scalars(tmp_path / "whole", tag)
    assert len(scalars(tmp_path / "whole", "loss/D")) == 60
    # The reader behind TensorBoard's own server takes the first session mark differently.
    multiplexer = plugin_event_multiplexer.EventMultiplexer()
    multiplexer.AddRunsFromDirectory(str(tmp_path / "resumed"))
    multiplexer.Reload()
    events = multiplexer.Tensors("tb", "loss/D")
    assert [event.step for event in events] == list(range(1, 61))


@pytest.mark.parametrize(("newest", "slept"), [(1005, 40), (999, 0), (2000, 50)])
def test_a_resumed_file_sorts_after_the_older_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, newest: int, slept: int
) -> None:
    now = [1004.0]
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        now[0] += seconds

    monkeypatch.setattr("gan_runner.callbacks.tensorboard.time.time", lambda: now[0] + 1e-6)
    monkeypatch.setattr("gan_runner.callbacks.tensorboard.time.sleep", sleep)
    for second in (998, newest):
        (tmp_path / f"events.out.tfevents.{second}.my.host.17.0").touch()
    _wait_for_a_later_name(tmp_path)
    assert len(naps) == slept  # of 50 ms; a clock that is far ahead is not waited for


def test_pictures_are_images(tmp_path: Path) -> None:
    points = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    dataset = Dataset(
        name="points", kind="vectors", splits={"train": {"real": points}},
        offset=torch.zeros(2), scale=torch.ones(2),
        modes=Modes(centres=torch.zeros(1, 2), sds=torch.ones(1)),
    )  # fmt: skip
    start = begin(tmp_path, dataset=dataset)
    pictures, callback = Pictures(), TensorBoard()
    pictures.on_start(start)
    callback.on_start(start)
    callback.on_samples(10, {"generated": points})  # drawn here
    pictures.on_samples(20, {"generated": points})
    callback.on_samples(20, {"generated": points})  # taken from the file
    callback.on_end(20, {"status": "completed"})
    images = read(tmp_path).Images("samples")
    assert [image.step for image in images] == [10, 20]
    saved = (tmp_path / "samples" / "step_00000020.png").read_bytes()
    assert images[1].encoded_image_string == saved
    assert images[0].encoded_image_string != saved  # another title
    assert (images[0].width, images[0].height) == (images[1].width, images[1].height)
    assert int.from_bytes(saved[16:20], "big") == images[1].width > 100


def test_panels_are_images_under_their_names(tmp_path: Path) -> None:
    start = begin(tmp_path)
    pictures, callback = Pictures(), TensorBoard()
    pictures.on_start(start)
    callback.on_start(start)
    panels = [Panel(images=torch.full((4, 1, 8, 8), level), columns=2) for level in (-1.0, 1.0)]
    callback.on_panel(10, "samples/classes", panels[0])  # drawn here
    pictures.on_panel(20, "samples/classes", panels[1])
    callback.on_panel(20, "samples/classes", panels[1])  # taken from the file
    pictures.on_panel(20, "pictures/neighbours", panels[0])
    callback.on_panel(20, "pictures/neighbours", panels[0])
    callback.on_end(20, {"status": "completed"})
    found = read(tmp_path)
    assert sorted(found.Tags()["images"]) == ["pictures/neighbours", "samples/classes"]
    grids, ends = found.Images("samples/classes"), found.Images("pictures/neighbours")
    assert [image.step for image in grids] == [10, 20]
    assert [image.step for image in ends] == [20]
    saved = (tmp_path / "samples" / "classes_00000020.png").read_bytes()
    assert grids[1].encoded_image_string == saved != grids[0].encoded_image_string
    assert grids[0].encoded_image_string == ends[0].encoded_image_string
    assert (grids[0].width, grids[0].height) == (105, 105)


def test_hparams_are_one_row_a_run(tmp_path: Path) -> None:
    for index in range(2):
        config = {**CONFIG, "model": {**CONFIG["model"], "lambda_adversarial": float(index)}}
        callback = TensorBoard()
        callback.on_start(begin(tmp_path / str(index), config=config))
        train(callback, range(1, 21))
        callback.on_end(20, {"status": "completed" if index == 0 else "interrupted"})
    experiment, rows = hparams_rows(tmp_path)
    metrics = [info.name.tag for info in experiment.metric_infos]
    assert metrics == [
        "metrics/modes_covered", "metrics/high_quality", "metrics/reverse_kl", "metrics/mmd"
    ]  # fmt: skip
    assert len(rows) == 2
    rows = sorted(rows, key=lambda row: row.hparams["model.lambda_adversarial"].number_value)
    for index, row in enumerate(rows):
        assert row.hparams["model.lambda_adversarial"].number_value == index
        assert row.hparams["network.generator.widths"].string_value == "[16, 16]"
        assert [value.value for value in row.metric_values] == [pytest.approx(0.05)]
    statuses = [row.sessions[0].status for row in rows]
    assert statuses == [api_pb2.STATUS_SUCCESS, api_pb2.STATUS_UNKNOWN]


def test_a_resumed_run_stays_one_row(tmp_path: Path) -> None:
    for first, last in ((0, 15), (10, 20)):
        callback = TensorBoard()
        callback.on_start(begin(tmp_path / "run", first_step=first))
        train(callback, range(first + 1, last + 1))
    callback.on_end(20, {"status": "completed"})
    _, rows = hparams_rows(tmp_path)
    assert len(rows) == 1
    assert [session.status for session in rows[0].sessions] == [api_pb2.STATUS_SUCCESS]


def test_messages_are_text(tmp_path: Path) -> None:
    callback = TensorBoard()
    callback.on_start(begin(tmp_path))
    callback.on_message(7, "step 7: D wins")
    callback.on_end(7, {"status": "failed"})
    (event,) = read(tmp_path).Tensors("health/text_summary")
    assert (event.step, event.tensor_proto.string_val[0]) == (7, b"step 7: D wins")


def test_an_end_without_a_start_is_let_be() -> None:
    TensorBoard().on_end(0, {"status": "failed"})


def test_flatten_keeps_numbers_and_leaves_nulls_out() -> None:
    assert flatten(CONFIG) == {
        "name": "srgan_gauss3d",
        "model.name": "srgan",
        "model.lambda_adversarial": 0.5,
        "model.share_fakes": "true",
        "network.generator.widths": "[16, 16]",
        "metrics.names": '["modes", "mmd"]',
    }
    assert flatten({"resume": "outputs/x", "a": {"resume": 1}}) == {"a.resume": 1}


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, logger="tensorboard")


def test_the_axis_counts_images_if_so_chosen(tmp_path: Path) -> None:
    config = {**CONFIG, "tensorboard_axis": "images", "training": {"batch_size": 64}}
    callback = TensorBoard()
    callback.on_start(begin(tmp_path, config=config))
    train(callback, range(1, 11))
    callback.on_end(10, {"status": "completed"})
    assert [step for step, _ in scalars(tmp_path, "loss/D")] == [64 * each for each in range(1, 11)]
    assert scalars(tmp_path, "metrics/mmd")[0][0] == 640


def test_a_resume_hides_as_many_images(tmp_path: Path) -> None:
    config = {**CONFIG, "tensorboard_axis": "images", "training": {"batch_size": 64}}
    for first, last in ((0, 8), (5, 10)):
        callback = TensorBoard()
        callback.on_start(begin(tmp_path, config=config, first_step=first))
        train(callback, range(first + 1, last + 1))
    callback.on_end(10, {"status": "completed"})
    found = [step for step, _ in scalars(tmp_path, "loss/D")]
    assert found == [64 * each for each in range(1, 11)]
