"""A run that was stopped and goes on equals one that was not, bit for bit."""

from __future__ import annotations

import copy
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from gan_runner import api, checkpoint, run_folder
from gan_runner.callbacks.callback import Callback, RunStart
from gan_runner.callbacks.csv_file import CsvFile
from gan_runner.errors import Interrupted
from gan_runner.resuming import changed_config
from gan_runner.trainer import Trainer

MakeTrainer = Callable[..., Trainer]
Same = Callable[[Any, Any], bool]
STEPS = 23
LENGTH = (f"training.steps={STEPS}", "training.log_every=4", "training.batch_size=14",
          "training.sample_every=9", "training.checkpoint_every=6")  # fmt: skip

GAMES: dict[str, tuple[str, ...]] = {
    "dropout": ("model=vgan",),  # gauss2d's D has dropout 0.3
    "critic": ("model=wgan_gp", "model.ema=0.9"),
    "critic_long_rows": ("model=wgan_gp", "model.ema=0.9", "training.log_every=10"),
    "clip": ("model=wgan", "optimizer.momentum=0.5"),
    "stages": ("model=srgan", "model.pretrain_share=0.5", "model.ema=0.9"),
    "photographs": ("model=srgan_photos", "dataset=superres", "model.ema=0.9",
                    "training.batch_size=5"),
    "photographs_features": ("model=srgan_photos", "dataset=superres_digits_small",
                             "model.content_features=digits", "network.generator.num_blocks=1",
                             "model.content_layer=convolutions.0", "training.batch_size=5"),
    "restart": ("model=mlp",),  # ten times the rate from half on, moments emptied
    "stages_restart": ("model=srgan", "model.pretrain_share=0.3"),
    "cosine": ("model=vgan", "optimizer.schedule.name=cosine"),
    "linear": ("model=vgan", "optimizer.schedule.name=linear", "optimizer.schedule.start=0.3"),
    "rates_back": ("model=vgan", "optimizer.schedule.name=piecewise",
                   "optimizer.schedule.boundaries=[0.5]", "optimizer.schedule.factors=[10,1]"),
    "lazy": ("model=vgan", "penalty=r1", "penalty.every=4"),
    "dragan": ("model=vgan", "penalty=dragan", "model.share_fakes=true"),
    "packed": ("model=vgan", "model.pack=2"),
    "norm": ("model=vgan", "network.generator.norm=batch"),
    "simultaneous": ("model=vgan", "model.update=simultaneous", "optimizer=sgd",
                     "optimizer.momentum=0.9"),
    "extragradient": ("model=cgan", "model.update=extragradient"),
    "double": ("model=lsgan", "device.precision=fp64"),
    "bf16": ("model=vgan", "device.precision=bf16"),
    "large_batch": ("model=vgan", "training.batch_size=130"),
    "measured": ("model=vgan", "metrics.names=[modes,sliced_wasserstein]", "metrics.every=5",
                 "metrics.num_generated=40", "metrics.num_real=40"),
    "no_data": ("model=bilinear", "training.batch_size=1", "optimizer.momentum=0.5"),
}  # fmt: skip
AT = {  # the steps to stop after, where not 1, 11 and 22
    "critic_long_rows": (2, 4, 7, 17, 21),
    "clip": (11,),
    "stages": (1, 10, 11, 12, 13),
    "photographs": (1, 10, 11, 12, 13),
    "photographs_features": (10, 11, 12),
    "restart": (10, 11, 12, 13),
    "stages_restart": (6, 7, 8, 15),
    "cosine": (13,),
    "linear": (9,),
    "rates_back": (11, 12, 13),
    "double": (11,),
    "bf16": (11,),
    "measured": (4, 5, 11),
    "no_data": (11,),
}
CASES = [(name, at) for name in GAMES for at in AT.get(name, (1, 11, 22))]


class Killer(Callback):
    """Sends this process a signal after a step."""

    def __init__(self, at: int, signum: int = signal.SIGTERM) -> None:
        self.at, self.signum = at, signum

    def on_step(self, step: int) -> None:
        if step == self.at:
            os.kill(os.getpid(), self.signum)


def state_of(trainer: Trainer) -> dict[str, Any]:
    """All of a trainer's state but its clock."""
    state = trainer.state_dict()
    del state["seconds"]
    return copy.deepcopy(state)


def overrides_of(name: str) -> tuple[str, ...]:
    given = {each.split("=")[0] for each in GAMES[name]}
    return (*(each for each in LENGTH if each.split("=")[0] not in given), *GAMES[name])


@pytest.fixture(scope="module")
def _kept() -> dict[str, tuple[dict[str, Any], str]]:
    return {}


@pytest.fixture
def whole(
    make_trainer: MakeTrainer, _kept: dict[str, tuple[dict[str, Any], str]]
) -> Callable[[str], tuple[dict[str, Any], str]]:
    """`whole(game)`: the state and metrics.csv of the uninterrupted run."""

    def run(name: str) -> tuple[dict[str, Any], str]:
        if name not in _kept:
            trainer = make_trainer(*overrides_of(name), callbacks=[CsvFile()])
            trainer.train()
            _kept[name] = state_of(trainer), (trainer.folder / "metrics.csv").read_text()
        return _kept[name]

    return run


@pytest.mark.parametrize(("name", "at"), CASES)
def test_a_stopped_run_goes_on_bit_for_bit(
    name: str, at: int, make_trainer: MakeTrainer, same: Same,
    whole: Callable[[str], tuple[dict[str, Any], str]],
) -> None:  # fmt: skip
    overrides = overrides_of(name)
    stopped = make_trainer(*overrides, callbacks=[CsvFile(), Killer(at)])
    with pytest.raises(Interrupted) as caught:
        stopped.train()
    assert caught.value.signum == signal.SIGTERM
    state = checkpoint.load(stopped.folder / "checkpoints" / "last.pt")
    assert state["step"] == at

    resumed = make_trainer(*overrides, callbacks=[CsvFile()], folder=stopped.folder)
    resumed.load_state_dict(state)
    resumed.train()
    expected, csv = whole(name)
    found = state_of(resumed)
    for key, value in expected.items():
        assert same(value, found[key]), key
    assert (resumed.folder / "metrics.csv").read_text() == csv


@pytest.mark.parametrize("name", ["critic", "stages", "dropout"])
def test_stopped_after_every_step(
    name: str, make_trainer: MakeTrainer, same: Same, tmp_path: Path,
    whole: Callable[[str], tuple[dict[str, Any], str]],
) -> None:  # fmt: skip
    overrides, folder = overrides_of(name), tmp_path / "often"
    for at in range(1, STEPS + 1):
        trainer = make_trainer(*overrides, callbacks=[CsvFile(), Killer(at)], folder=folder)
        if at > 1:
            trainer.load_state_dict(checkpoint.load(folder / "checkpoints" / "last.pt"))
        with pytest.raises(Interrupted):
            trainer.train()
    expected, csv = whole(name)
    assert same({key: state_of(trainer)[key] for key in expected}, expected)
    assert (folder / "metrics.csv").read_text() == csv


# --- through the interface -------------------------------------------------------------------


def lengthened(path: Path, *, steps: int) -> dict[str, Any]:
    """A result without what time, place and length decide."""
    found: dict[str, Any] = json.loads(path.read_text())
    for key in ("timings", "folder", "health", "config_hash", "name"):
        found.pop(key)
    assert found["steps"] == steps
    return found


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_obeyed_after_the_step_and_the_run_can_go_on(
    signum: int, tiny_run: Callable[..., api.Result], same: Same, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    overrides = (
        "model=vgan", "training.steps=12", "training.log_every=5", "metrics.names=[modes]",
        "training.sample_every=6",
    )  # fmt: skip
    straight = tiny_run(*overrides)
    make = api.new_trainer

    def killed(*given: Any) -> Trainer:
        trainer = make(*given)
        trainer.callbacks = [*trainer.callbacks, Killer(7, signum)]
        return trainer

    folder = tmp_path / "stopped"
    before = signal.getsignal(signum)
    with monkeypatch.context() as patch:
        patch.setattr(api, "new_trainer", killed)
        with pytest.raises(Interrupted) as caught:
            tiny_run(*overrides, folder=folder)
    assert signal.getsignal(signum) is before
    assert (caught.value.signum, caught.value.folder) == (signum, folder)
    found = json.loads((folder / "result.json").read_text())
    assert (found["status"], found["step"]) == ("interrupted", 7)
    assert f"resume={folder}" in found["error"]
    assert checkpoint.load(folder / "checkpoints" / "last.pt")["step"] == 7

    resumed = api.resume(folder)
    assert resumed.details["status"] == "completed"
    assert resumed.metrics == straight.metrics
    for name, network in straight.networks.items():
        assert same(network.state_dict(), resumed.networks[name].state_dict())
    for file in ("metrics.csv", "config.yaml"):
        assert (folder / file).read_bytes() == (straight.folder / file).read_bytes()
    results = [lengthened(each.folder / "result.json", steps=12) for each in (straight, resumed)]
    assert results[0] == results[1]
    assert sorted(path.name for path in (folder / "samples").iterdir()) == sorted(
        path.name for path in (straight.folder / "samples").iterdir()
    )


def test_a_second_signal_acts_at_once(
    tiny_run: Callable[..., api.Result], same: Same, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    overrides = ("model=vgan", "training.steps=12", "training.checkpoint_every=5")
    straight = tiny_run(*overrides)
    make, folder = api.new_trainer, tmp_path / "stopped"

    def killed(*given: Any) -> Trainer:
        trainer = make(*given)
        trainer.callbacks = [*trainer.callbacks, Killer(7), Killer(7)]
        return trainer

    before = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patch:
        patch.setattr(api, "new_trainer", killed)
        with pytest.raises(KeyboardInterrupt):
            tiny_run(*overrides, folder=folder)
    assert signal.getsignal(signal.SIGTERM) is before
    found = json.loads((folder / "result.json").read_text())
    assert (found["status"], found["step"]) == ("interrupted", 7)
    assert f"resume={folder}" in found["error"]
    assert checkpoint.load(folder / "checkpoints" / "last.pt")["step"] == 5
    resumed = api.resume(folder)
    for name, network in straight.networks.items():
        assert same(network.state_dict(), resumed.networks[name].state_dict())


class Thief(Callback):
    """Puts a copy of the last checkpoint aside after a step, as a crash would leave it."""

    def __init__(self, at: int) -> None:
        self.at = at

    def on_start(self, start: RunStart) -> None:
        self.folder = start.folder

    def on_step(self, step: int) -> None:
        if step == self.at:
            for path in (self.folder / "checkpoints").iterdir():
                shutil.copy(path, self.folder / path.name)


@pytest.mark.usefixtures("quick_pictures")
def test_a_killed_run_goes_on_from_its_last_checkpoint(
    compose: Callable[..., Any], make_trainer: MakeTrainer, same: Same, tmp_path: Path
) -> None:
    """SIGKILL between checkpoints: rows later than the checkpoint, a torn last row."""
    overrides = (
        "model=vgan", "training.steps=20", "training.log_every=2", "training.checkpoint_every=5",
        "metrics.names=[modes]", "metrics.every=4", "metrics.num_generated=50",
    )  # fmt: skip
    config = compose(*overrides)
    straight = api.execute(config, tmp_path / "straight", list(overrides))
    folder = tmp_path / "killed"
    trainer = make_trainer(*overrides, callbacks=[CsvFile(), Thief(14)], folder=folder)
    trainer.train()  # past the step at which it was killed
    shutil.move(folder / "last.pt", folder / "checkpoints" / "last.pt")
    run_folder.write_config(folder, config, overrides)
    with (folder / "metrics.csv").open("a") as file:
        file.write("20,0.1")
    assert checkpoint.load(folder / "checkpoints" / "last.pt")["step"] == 10
    resumed = api.resume(folder)
    assert (folder / "metrics.csv").read_text() == (straight.folder / "metrics.csv").read_text()
    states = [
        checkpoint.load(each.folder / "checkpoints" / "last.pt") for each in (straight, resumed)
    ]
    for state in states:
        del state["seconds"]
    assert same(*states)
    assert resumed.metrics == straight.metrics
    best = [checkpoint.load(each.folder / "checkpoints" / "best.pt") for each in
            (straight, resumed)]  # fmt: skip
    assert best[0]["step"] == best[1]["step"] == states[0]["best"]["step"]


KILLED = """
import json, os, signal, sys
from pathlib import Path
from gan_runner import api
from gan_runner.callbacks.callback import Callback

class Killer(Callback):
    def on_step(self, step):
        if step == 8:
            os.kill(os.getpid(), signal.SIGKILL)

make = api.new_trainer
def killed(*given):
    trainer = make(*given)
    trainer.callbacks = [*trainer.callbacks, Killer()]
    return trainer
api.new_trainer = killed
api.execute(json.loads(sys.argv[1]), Path(sys.argv[2]), [])
"""


def test_sigkill(
    compose: Callable[..., Any], tiny_run: Callable[..., api.Result], same: Same, tmp_path: Path
) -> None:
    overrides = ("model=vgan", "training.steps=12", "training.log_every=2",
                 "training.checkpoint_every=5")  # fmt: skip
    straight, folder = tiny_run(*overrides), tmp_path / "killed"
    config = json.dumps(compose(*overrides))
    done = subprocess.run(
        [sys.executable, "-c", KILLED, config, str(folder)], check=False, capture_output=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (folder / "result.json").exists()
    assert checkpoint.load(folder / "checkpoints" / "last.pt")["step"] == 5
    resumed = api.resume(folder)
    for name, network in straight.networks.items():
        assert same(network.state_dict(), resumed.networks[name].state_dict())
    assert (folder / "metrics.csv").read_text() == (straight.folder / "metrics.csv").read_text()


def test_a_finished_run_resumes_to_the_same_end(tiny_run: Callable[..., api.Result]) -> None:
    first = tiny_run("model=vgan", "metrics.names=[modes]")
    text = (first.folder / "metrics.csv").read_text()
    again = api.resume(first.folder, ["training.steps=4"])
    assert again.metrics == first.metrics
    assert again.details["updates"] == first.details["updates"]
    assert (first.folder / "metrics.csv").read_text() == text


# --- what may be changed ---------------------------------------------------------------------


@pytest.mark.parametrize("model", ["vgan", "wgan_gp"])
def test_a_longer_run_equals_one_that_was_always_longer(
    model: str, tiny_run: Callable[..., api.Result], same: Same
) -> None:
    options = (f"model={model}", "training.log_every=3")
    short = tiny_run(*options, "training.steps=6")
    long = tiny_run(*options, "training.steps=15")
    resumed = api.resume(short.folder, ["training.steps=15"])
    assert resumed.details["step"] == resumed.details["steps"] == 15
    for name, network in long.networks.items():
        assert same(network.state_dict(), resumed.networks[name].state_dict())
    texts = [(each.folder / "metrics.csv").read_text() for each in (long, resumed)]
    assert texts[0] == texts[1]
    assert run_folder.read_config(short.folder)["training"]["steps"] == 15
    assert run_folder.read_overrides(short.folder)[-1] == "training.steps=15"


def test_a_longer_run_with_longer_rows(make_trainer: MakeTrainer, same: Same) -> None:
    """Its first stage was shorter than a row."""
    short = make_trainer("model=vgan", "training.steps=6", "training.log_every=10")
    short.train()
    state = checkpoint.load(short.folder / "checkpoints" / "last.pt")
    long = make_trainer("model=vgan", "training.steps=25", "training.log_every=10")
    long.load_state_dict(state)
    long.train()
    straight = make_trainer("model=vgan", "training.steps=25", "training.log_every=10")
    straight.train()
    assert same(state_of(long)["host"], state_of(straight)["host"])


def test_a_longer_run_by_epochs(tiny_run: Callable[..., api.Result], same: Same) -> None:
    options = ("model=vgan", "training.batch_size=20")
    short = tiny_run(*options, "training.epochs=2")
    long = tiny_run(*options, "training.epochs=4")
    assert (short.details["step"], long.details["step"]) == (6, 12)
    resumed = api.resume(short.folder, ["training.epochs=4"])
    for name, network in long.networks.items():
        assert same(network.state_dict(), resumed.networks[name].state_dict())


def test_a_schedule_with_a_horizon_may_be_followed_further(
    tiny_run: Callable[..., api.Result], same: Same
) -> None:
    options = ("model=mlp", "optimizer.schedule.horizon=8")
    short, long = tiny_run(*options, "training.steps=3"), tiny_run(*options, "training.steps=7")
    resumed = api.resume(short.folder, ["training.steps=7"])
    assert same(long.networks["G"].state_dict(), resumed.networks["G"].state_dict())


@pytest.mark.parametrize(
    ("options", "override", "message"),
    [
        (("model=vgan",), "optimizer.lr=0.1", "would change the run"),
        (("model=vgan",), "model=wgan", "would change the run"),
        (("model=vgan",), "training.seed=1", "would change the run"),
        (("model=vgan",), "device.threads=2", "would change the run"),
        (("model=vgan",), "training.steps=3", "shorter"),
        (("model=vgan",), "training.steps=abc", "number"),
        (("model=vgan",), "training.steps=4.5", "whole number"),
        (("model=vgan",), "training.steps=-4", "positive"),
        (("model=vgan",), "training.epochs=9", "training.steps=4"),
        (("model=vgan", "training.epochs=2"), "training.steps=9", "training.epochs=2"),
        (("model=mlp",), "training.steps=9", "piecewise schedule spans"),
        (("model=vgan", "optimizer.schedule.name=linear"), "training.steps=9", "linear schedule"),
        (("model=srgan", "optimizer=adam", "model.pretrain_share=0.5"), "training.steps=9",
         "first stage"),
    ],
)  # fmt: skip
def test_overrides_that_are_refused(
    options: tuple[str, ...], override: str, message: str,
    compose: Callable[..., Any], same: Same, tmp_path: Path,
) -> None:  # fmt: skip
    config = compose(*options)
    run_folder.write_config(tmp_path, config, list(options))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match=message) as caught:
        api.resume(tmp_path, [override])
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("resume: ")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_overrides_that_say_what_the_run_says(compose: Callable[..., Any], same: Same) -> None:
    config = compose("model=vgan", "loss=hinge")
    said = [
        "model=vgan", "loss=hinge", "training.seed=0", "training.steps=4", "model.ema=null",
        "optimizer.lr=2e-4", "device.compile=false", "training.epochs=null", "name=vgan_gauss2d",
    ]  # fmt: skip
    assert same(changed_config(config, said), config)


def test_what_was_typed_may_be_typed_again(compose: Callable[..., Any], same: Same) -> None:
    typed = ["model=vgan", "network=mlp_anatomizing"]  # the section's name is mlp
    config = compose(*typed)
    longer = changed_config(config, [*typed, "training.steps=9"], before=typed)
    assert longer["training"]["steps"] == 9
    assert same({**longer, "training": config["training"]}, config)
    with pytest.raises(ValueError, match="network=mlp_wgan_gp' would change the run"):
        changed_config(config, ["network=mlp_wgan_gp"], before=typed)


def test_the_saved_config_is_left_as_it_is(compose: Callable[..., Any], same: Same) -> None:
    config = compose("model=vgan")
    before = copy.deepcopy(config)
    changed = changed_config(config, ["training.steps=9"])
    assert same(config, before)
    assert changed["training"]["steps"] == 9


# --- what cannot be resumed ------------------------------------------------------------------


def test_no_run_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no config\.yaml"):
        api.resume(tmp_path)


def test_no_checkpoint_yet(compose: Callable[..., Mapping[str, Any]], tmp_path: Path) -> None:
    run_folder.write_config(tmp_path, compose("model=vgan"), [])
    with pytest.raises(ValueError, match="no checkpoint yet"):
        api.resume(tmp_path)


def test_a_torn_checkpoint(tiny_run: Callable[..., api.Result]) -> None:
    result = tiny_run("model=vgan")
    path = result.folder / "checkpoints" / "last.pt"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"last\.pt cannot be read as a checkpoint") as caught:
        api.resume(result.folder)
    assert "\n" not in str(caught.value)


def test_a_run_of_another_device(tiny_run: Callable[..., api.Result]) -> None:
    """`device=auto` took a GPU where the run started, and there is none here."""
    result = tiny_run("model=vgan", "training.steps=2")
    path = result.folder / "checkpoints" / "last.pt"
    checkpoint.save(path, {**checkpoint.load(path), "device": "cuda"})
    with pytest.raises(ValueError, match="the run is on cuda, and device=auto finds cpu") as caught:
        api.resume(result.folder)
    assert "\n" not in str(caught.value)


# --- threads ---------------------------------------------------------------------------------


def test_the_number_of_threads_is_saved_and_taken_up(
    tiny_run: Callable[..., api.Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[int] = []

    class Looking(Callback):
        def on_step(self, step: int) -> None:
            used.append(torch.get_num_threads())

    make = api.new_trainer

    def looked_at(*given: Any) -> Trainer:
        trainer = make(*given)
        trainer.callbacks = [*trainer.callbacks, Looking()]
        return trainer

    monkeypatch.setattr(api, "new_trainer", looked_at)
    before = torch.get_num_threads()
    result = tiny_run("model=vgan", "device.threads=2", "training.steps=2")
    assert used == [2, 2]
    assert result.details["device"]["threads"] == 2
    path = result.folder / "checkpoints" / "last.pt"
    state = checkpoint.load(path)
    assert state["threads"] == 2
    used.clear()
    # As if torch's own default had been 3 where the run started.
    checkpoint.save(path, {**state, "threads": 3, "step": 1})
    api.resume(result.folder)
    assert used == [3]
    assert torch.get_num_threads() == before
