"""Training in lockstep: events, failures, stages, checkpoints, and what is closed at the end."""

from __future__ import annotations

import dataclasses
import math
import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from gan_runner import api, checkpoint
from gan_runner.callbacks.callback import Callback
from gan_runner.callbacks.progress import Progress
from gan_runner.dispatch import Run, dispatch
from gan_runner.errors import Interrupted
from gan_runner.result import read_result
from gan_runner.stack import replicas
from gan_runner.stack_trainer import StackTrainer
from gan_runner.trainer import Trainer

Compose = Callable[..., dict[str, Any]]
Same = Callable[[Any, Any], bool]

VGAN = (
    "model=vgan", "dataset=ring8", "network.generator.widths=[8]",
    "network.discriminator.widths=[8]", "training.batch_size=12",
)  # fmt: skip


class Diary(Callback):
    """Writes down what it is told, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []

    def on_start(self, start: Any) -> None:
        self.told.append(("start", start.first_step))

    def on_log(self, step: int, scalars: Mapping[str, float]) -> None:
        self.told.append(("log", step))

    def on_samples(self, step: int, samples: Any) -> None:
        self.told.append(("samples", step))

    def on_metrics(self, step: int, measurements: Any) -> None:
        self.told.append(("metrics", step))


def configs_of(compose: Compose, *options: str, num: int = 2) -> list[dict[str, Any]]:
    return [compose(*options, f"training.seed={seed}") for seed in range(num)]


def stack_of(
    configs: Sequence[Any], folder: Path, *, change: Callable[[Run], Run] = lambda run: run
) -> StackTrainer:
    members: list[Trainer] = []
    for number, run in enumerate(map(change, replicas(configs))):
        data = members[0].data if members else None
        members.append(Trainer(run, folder / f"{number}", [Diary()], train=data))
    return StackTrainer(members)


def diary(member: Trainer) -> list[tuple[str, int]]:
    (kept,) = member.callbacks
    assert isinstance(kept, Diary)
    return kept.told


def last(folder: Path, name: str = "last") -> dict[str, Any]:
    return checkpoint.load(folder / "checkpoints" / f"{name}.pt")


def close(found: Any, expected: Any) -> None:
    """Equal to rounding in float64, keys and all else exactly."""
    if isinstance(expected, torch.Tensor):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    elif isinstance(expected, Mapping):
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            close(found[key], value)
    elif isinstance(expected, list):
        for one, other in zip(found, expected, strict=True):
            close(one, other)
    else:
        assert found == expected


# --- events ----------------------------------------------------------------------------------


def test_every_replica_is_told_what_it_would_be_told_alone(
    compose: Compose, tmp_path: Path
) -> None:
    options = (
        *VGAN, "training.steps=13", "training.log_every=4", "training.sample_every=5",
        "training.checkpoint_every=6", "metrics.names=[sliced_wasserstein]", "metrics.every=3",
        "metrics.num_generated=20",
    )  # fmt: skip
    configs = configs_of(compose, *options)
    stack = stack_of(configs, tmp_path / "stack")
    saved: list[tuple[int, int, str]] = []
    for index, member in enumerate(stack.members):
        save = member.save

        def noted(name: str = "last", *, index: int = index, save: Any = save) -> None:
            saved.append((index, stack.members[index].step, name))
            save(name)

        member.save = noted  # type: ignore[method-assign]
    stack.train()
    solo = Trainer(dispatch(configs[0]), tmp_path / "solo", [Diary()])
    solo.train()
    assert diary(stack.members[0]) == diary(stack.members[1]) == diary(solo)
    assert [step for what, step in diary(solo) if what == "log"] == [4, 8, 12, 13]
    assert [step for what, step in diary(solo) if what == "metrics"] == [3, 6, 9, 12]
    assert [(index, step) for index, step, name in saved if name == "last"] == [
        (0, 6), (1, 6), (0, 12), (1, 12), (0, 13), (1, 13),
    ]  # fmt: skip
    assert stack.step == stack.members[1].step == 13
    assert stack.members[1].updates == solo.updates == {"D": 13, "G": 13}


def test_the_best_checkpoint_is_whole(compose: Compose, tmp_path: Path) -> None:
    """Measured between two other checkpoints: moments and rates are those of its step."""
    options = (
        *VGAN, "training.steps=9", "training.checkpoint_every=7", "training.log_every=9",
        "metrics.names=[sliced_wasserstein]", "metrics.every=4", "metrics.num_generated=20",
        "optimizer.schedule.name=cosine", "device.precision=fp64",
    )  # fmt: skip
    configs = configs_of(compose, *options)
    stack_of(configs, tmp_path / "stack").train()
    for number, config in enumerate(configs):
        Trainer(dispatch(config), tmp_path / f"solo{number}", []).train()
        best = [last(each, "best") for each in
                (tmp_path / "stack" / f"{number}", tmp_path / f"solo{number}")]  # fmt: skip
        assert best[0]["step"] == best[1]["step"]
        assert best[1]["step"] in (4, 8)
        close(best[0]["host"], best[1]["host"])
        assert best[0]["best"]["value"] == pytest.approx(best[1]["best"]["value"], rel=1e-9)


def test_a_stack_of_one(compose: Compose, tmp_path: Path) -> None:
    configs = configs_of(compose, *VGAN, "training.steps=9", "device.precision=fp64", num=1)
    stack_of(configs, tmp_path / "stack").train()
    Trainer(dispatch(configs[0]), tmp_path / "solo", []).train()
    close(last(tmp_path / "stack" / "0")["host"], last(tmp_path / "solo")["host"])


def test_the_width_changes_no_replica(compose: Compose, tmp_path: Path) -> None:
    configs = configs_of(compose, *VGAN, "training.steps=9", "device.precision=fp64", num=5)
    stack_of(configs, tmp_path / "five").train()
    stack_of(configs[:2], tmp_path / "two").train()
    for number in range(2):
        found = [last(tmp_path / each / f"{number}")["host"] for each in ("two", "five")]
        close(found[0], found[1])


def test_the_global_generators_decide_nothing(compose: Compose, same: Same, tmp_path: Path) -> None:
    configs = configs_of(
        compose, *VGAN, "training.steps=6", "network.discriminator.dropout=0.3",
        "training.log_every=1",
    )  # fmt: skip
    calm, scrambled = (stack_of(configs, tmp_path / each) for each in ("calm", "scrambled"))

    class Scramble(Callback):
        def on_log(self, step: int, scalars: Mapping[str, float]) -> None:
            torch.manual_seed(step)

    calm.train()
    before = torch.get_rng_state()
    for member in scrambled.members:
        member.callbacks = [Scramble()]
    scrambled.train()
    assert not torch.equal(before, torch.get_rng_state())
    for one, other in zip(calm.members, scrambled.members, strict=True):
        assert same(one.host.state_dict(), other.host.state_dict())
        assert same(one.streams.state_dict(), other.streams.state_dict())


def test_time_is_shared_out(compose: Compose, tmp_path: Path) -> None:
    """Sums over replicas are the time that passed; a resumed stack goes on counting."""
    configs = configs_of(compose, *VGAN, "training.steps=4", num=3)
    stack = stack_of(configs, tmp_path)
    stack.train()
    assert stack.seconds > 0
    for member in stack.members:
        assert 3 * member.seconds == pytest.approx(stack.seconds, rel=1e-9)
    saved = last(tmp_path / "0")["seconds"]
    assert 0 < saved <= stack.members[0].seconds
    again = stack_of(configs, tmp_path / "again")
    for member in again.members:
        member.load_state_dict(last(tmp_path / "0"))
    assert StackTrainer(again.members).seconds == pytest.approx(3 * saved, rel=1e-9)


# --- failures --------------------------------------------------------------------------------


def spoilt(run: Run, *, stage: str, player: str) -> Run:
    """The run with NaN in a player's objective in a stage, for seed 1."""

    def objective(inner: Callable[..., Any], nets: Any, batch: Any, h: Any) -> Any:
        terms, is_bad = inner(nets, batch, h), h["test.bad"] > 0
        return {name: torch.where(is_bad, math.nan, each) for name, each in terms.items()}

    stages = tuple(
        dataclasses.replace(
            each,
            moves=tuple(
                dataclasses.replace(move, objective=partial(objective, move.objective))
                if (each.name, move.player) == (stage, player)
                else move
                for move in each.moves
            ),
        )
        for each in run.recipe.stages
    )
    return dataclasses.replace(
        run,
        recipe=dataclasses.replace(run.recipe, stages=stages),
        numbers={**run.numbers, "test.bad": float(run.config["training"]["seed"] == 1)},
    )


@pytest.mark.parametrize(
    ("stage", "player", "step", "term"),
    [("content", "G", 1, "G/content"), ("adversarial", "D", 5, "D/adversarial"),
     ("adversarial", "G", 5, "G/content")],
)  # fmt: skip
def test_a_failure_is_kept_through_stages(
    stage: str, player: str, step: int, term: str, compose: Compose, same: Same, tmp_path: Path
) -> None:
    options = ("model=srgan", "model.pretrain_share=0.5", "training.steps=8",
               "training.log_every=2", "training.checkpoint_every=2")  # fmt: skip
    configs = configs_of(compose, *options, num=3)
    stack = stack_of(
        configs, tmp_path / "broken", change=partial(spoilt, stage=stage, player=player)
    )
    stack.train()
    assert list(stack.failures) == [1]
    assert str(stack.failures[1]).startswith(f"step {step}: the term {term} is not finite. ")
    sane = stack_of(configs, tmp_path / "sane")
    sane.train()
    for number in (0, 2):
        states = [last(tmp_path / each / f"{number}") for each in ("broken", "sane")]
        assert same(states[0]["host"], states[1]["host"])
        assert states[0]["step"] == 8
    # What the failed one was before it failed, nothing of it is lost or added.
    path = tmp_path / "broken" / "1"
    assert [told for told in diary(stack.members[1]) if told[0] == "log"] == [
        ("log", at) for at in range(2, step, 2)
    ]
    if step == 1:
        assert not (path / "checkpoints").exists()
    else:
        assert last(path)["step"] == 4
    assert stack.members[1].host.all_finite()


def test_a_replica_that_fails_in_its_own_look(compose: Compose, tmp_path: Path) -> None:
    """A weight that is not finite, found when it is to be saved."""
    options = ("training.steps=6", "training.checkpoint_every=3", "training.log_every=3")
    configs = configs_of(compose, *VGAN, *options)
    stack = stack_of(configs, tmp_path)

    class Poison(Callback):
        def on_log(self, step: int, scalars: Mapping[str, float]) -> None:
            if step == 3:
                network = stack.members[0].host.networks["G"]
                network.get_parameter("0.weight").data.fill_(math.nan)

    stack.members[0].callbacks = [Poison()]
    stack.train()
    assert list(stack.failures) == [0]
    assert str(stack.failures[0]) == (
        "step 3: a weight is not finite. There is no checkpoint yet (training.checkpoint_every)."
    )
    assert stack.ensemble.alive.tolist() == [False, True]
    assert last(tmp_path / "1")["step"] == 6
    assert not (tmp_path / "0" / "checkpoints").exists()


def test_another_error_ends_every_replica(
    compose: Compose, monkeypatch: pytest.MonkeyPatch, quick_pictures: None, tmp_path: Path
) -> None:
    def play(*given: Any) -> None:
        raise MemoryError("out of memory")

    monkeypatch.setattr("gan_runner.stacked_step.Steps.play", play)
    with pytest.raises(MemoryError):
        api.execute(compose(*VGAN, "training.seeds=2"), tmp_path / "many", [])
    for seed in ("0", "1"):
        child = tmp_path / "many" / "seeds" / seed
        found = read_result(child)
        assert (found["status"], found["error"]) == ("failed", "MemoryError: out of memory")
        assert "Traceback" in (child / "run.log").read_text()


# --- stopping and going on -------------------------------------------------------------------


def signals(monkeypatch: pytest.MonkeyPatch, *steps: int) -> None:
    def stop(self: Progress, step: int) -> None:
        for _ in range(steps.count(step)):
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Progress, "on_step", stop)


@pytest.mark.parametrize("at", [2, 3, 5])
def test_a_signal_stops_a_stack_whose_states_are_saved(
    at: int, compose: Compose, monkeypatch: pytest.MonkeyPatch, same: Same, tmp_path: Path
) -> None:
    """In float32, bit for bit, in and between stages and rows, with a schedule and lazy moves."""
    configs = configs_of(
        compose, "model=srgan", "model.pretrain_share=0.5", "training.steps=6", "penalty=r1",
        "penalty.every=2", "model.critic_steps=2", "model.share_fakes=false", "model.ema=0.9",
        "training.log_every=4", num=3,
    )  # fmt: skip
    straight = stack_of(configs, tmp_path / "straight")
    straight.train()
    stack = stack_of(configs, tmp_path / "stopped")
    before = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patch:
        signals(patch, at)
        with pytest.raises(Interrupted) as caught:
            stack.train()
    assert signal.getsignal(signal.SIGTERM) is before
    assert (caught.value.signum, stack.step) == (signal.SIGTERM, at)
    resumed = stack_of(configs, tmp_path / "resumed")
    for number, member in enumerate(resumed.members):
        state = last(tmp_path / "stopped" / f"{number}")
        assert state["step"] == at
        member.load_state_dict(state)
    StackTrainer(resumed.members).train()
    for number in range(3):
        states = [last(tmp_path / each / f"{number}") for each in ("straight", "resumed")]
        for state in states:
            del state["seconds"]
        assert same(states[0], states[1])


def test_a_second_signal_acts_at_once(
    compose: Compose, monkeypatch: pytest.MonkeyPatch, quick_pictures: None, tmp_path: Path
) -> None:
    signals(monkeypatch, 3, 3)
    config = compose(*VGAN, "training.seeds=2", "training.steps=6", "training.checkpoint_every=2")
    with pytest.raises(KeyboardInterrupt):
        api.execute(config, tmp_path / "many", [])
    for seed in ("0", "1"):
        child = tmp_path / "many" / "seeds" / seed
        found = read_result(child)
        assert found["status"] == "interrupted"
        assert f"stopped at once; gan-run resume={child}" in found["error"]
        assert last(child)["step"] == 2


def test_replicas_whose_last_checkpoints_differ_go_on_apart(
    compose: Compose, monkeypatch: pytest.MonkeyPatch, quick_pictures: None, same: Same,
    tmp_path: Path,
) -> None:  # fmt: skip
    """As a kill leaves them that came while checkpoints were written."""
    config = compose(*VGAN, "training.seeds=3", "training.steps=6", "device.precision=fp64")
    straight, folder = tmp_path / "straight", tmp_path / "many"
    api.execute(config, straight, [])
    for at in (2, 4):
        with monkeypatch.context() as patch:
            signals(patch, at)
            with pytest.raises(Interrupted):
                api.execute(config, tmp_path / f"at{at}", [])
    (tmp_path / "at4").rename(folder)
    torn = Path("seeds") / "1" / "checkpoints" / "last.pt"
    (tmp_path / "at2" / torn).replace(folder / torn)
    stacks: list[list[str]] = []
    train = StackTrainer.train

    def watched(self: StackTrainer, *given: Any) -> None:
        stacks.append([each.folder.name for each in self.members])
        train(self, *given)

    monkeypatch.setattr(StackTrainer, "train", watched)
    resumed = api.resume(folder)
    assert sorted(stacks) == [["0", "2"], ["1"]]
    assert resumed.details["seeds"] == [0, 1, 2]
    for seed in range(3):
        found, expected = (last(each / "seeds" / f"{seed}")["host"] for each in (folder, straight))
        close(found, expected)


# --- data that are read while training -------------------------------------------------------

LAZY = ("model=vgan", "dataset=digits", "dataset.flip=true", "network=mlp",
        "network.generator.widths=[8]", "network.discriminator.widths=[8]")  # fmt: skip


def test_a_stack_is_the_same_resident_or_read(compose: Compose, same: Same, tmp_path: Path) -> None:
    found = []
    for limit, workers in (("4.0", 0), ("1e-9", 0), ("1e-9", 1)):
        options = (*LAZY, f"dataset.memory_limit={limit}", f"dataset.workers={workers}")
        configs = configs_of(compose, *options, "device.precision=fp64")
        folder = tmp_path / f"{limit}_{workers}"
        stack_of(configs, folder).train()
        assert multiprocessing.active_children() == []
        found.append([last(folder / f"{number}")["host"] for number in range(2)])
    close(found[0], found[1])
    assert same(found[1], found[2])
    Trainer(dispatch(compose(*LAZY, "device.precision=fp64")), tmp_path / "solo", []).train()
    close(found[0][0], last(tmp_path / "solo")["host"])


def test_a_stack_that_breaks_off_leaves_no_worker(compose: Compose, tmp_path: Path) -> None:
    options = (*LAZY, "dataset.memory_limit=1e-9", "dataset.workers=1", "training.log_every=1")
    stack = stack_of(configs_of(compose, *options), tmp_path)

    class Full(Callback):
        def on_log(self, step: int, scalars: Mapping[str, float]) -> None:
            assert len(multiprocessing.active_children()) == 2
            raise OSError("no space left on device")

    stack.members[1].callbacks = [Full()]
    with pytest.raises(OSError, match="no space left"):
        stack.train()
    assert multiprocessing.active_children() == []
