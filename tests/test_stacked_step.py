"""A step of a stack: what it will ask for, its trace, and no tensor on a wrong device."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gan_runner import stacked_step
from gan_runner.board import Board
from gan_runner.dispatch import Run
from gan_runner.engine import play_step
from gan_runner.ensemble import Ensemble
from gan_runner.game import Batch, Move, Terms
from gan_runner.hosts import Solo
from gan_runner.optimizers import Gradients
from gan_runner.stack import replicas
from gan_runner.stack_trainer import StackTrainer
from gan_runner.stacked_optimizers import STACKED
from gan_runner.stacked_step import CannotStackError, Plan, Recorder, record, shapes_of
from gan_runner.trainer import Trainer
from gan_runner.walk import DeviceGuard, WrongDeviceError

Compose = Callable[..., dict[str, Any]]
MakeRun = Callable[..., Run]
META = torch.device("meta")
RING = ("dataset=ring8", "network.generator.widths=[8]", "network.discriminator.widths=[8]",
        "training.batch_size=12")  # fmt: skip


def plan_of(run: Run, step: int = 0, stage: int = 0) -> Plan:
    host = Recorder(run.recipe, run.numbers, run.streams(), META)
    batch = shapes_of(run.tensors("train", torch.float32), 12, torch.float32)
    return record(host, run.recipe.stages[stage], run.make_optimizer, batch, step)


def drawn(plan: Plan) -> list[tuple[list[str], int]]:
    return [(sorted(priors), num) for priors, num in plan.draws]


# --- what a step asks for --------------------------------------------------------------------


def test_shapes_of_batches() -> None:
    images = torch.zeros((7, 1, 8, 8), dtype=torch.uint8)
    found = shapes_of(
        {"real": images, "low": torch.zeros(7, 2), "label": torch.arange(7)}, 5, torch.float64
    )
    assert {key: (value.shape, value.dtype) for key, value in found.items()} == {
        "real": ((5, 1, 8, 8), torch.float64),
        "low": ((5, 2), torch.float64),
        "label": ((5,), torch.int64),
    }
    assert all(value.device == META for value in found.values())


@pytest.mark.parametrize(
    ("options", "step", "expected"),
    [
        ((), 0, [["z"], ["z"]]),  # D's noise, then G's
        (("model.share_fakes=true",), 0, [["z"]]),
        (("model.critic_steps=5",), 0, [["z"], ["z"]]),
        (("model.critic_steps=5",), 1, [["z"]]),
        (("model.update=simultaneous",), 0, [["z"], ["z"]]),
        (("model.update=extragradient",), 0, [["z"], ["z"]]),
        (("penalty=gradient_penalty",), 0, [["mix", "z"], ["mix", "z"]]),
        (("model.output_noise=0.1",), 0, [["output_noise", "z"]] * 2),
        (("penalty=r1", "penalty.every=4"), 0, [["z"]] * 3),
        (("penalty=r1", "penalty.every=4"), 4, [["z"]] * 3),
        (("penalty=r1", "penalty.every=4"), 3, [["z"]] * 2),
    ],
)
def test_what_is_drawn(
    options: tuple[str, ...], step: int, expected: list[list[str]], make_run: MakeRun
) -> None:
    plan = plan_of(make_run("model=vgan", *RING, *options), step)
    assert drawn(plan) == [(names, 12) for names in expected]
    assert plan.num_batches == 1


def test_repeated_moves_take_batches_of_their_own(make_run: MakeRun) -> None:
    run = make_run("model=vgan", *RING)
    (stage,) = run.recipe.stages
    first, last = stage.moves
    stages = (dataclasses.replace(stage, moves=(dataclasses.replace(first, repeat=3), last)),)
    run = dataclasses.replace(run, recipe=dataclasses.replace(run.recipe, stages=stages))
    plan = plan_of(run)
    assert plan.num_batches == 3
    assert len(plan.draws) == len(plan.masks) == 4


def test_a_game_without_data_or_draws(make_run: MakeRun) -> None:
    plan = plan_of(make_run("model=bilinear"))
    assert (plan.num_batches, plan.draws, plan.masks) == (1, [({}, 1), ({}, 1)], [[], []])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), [[(24, 8)], [(12, 8)]]),  # real and generated in one pass, then G's
        (("model.discriminator_in_eval=true",), [[(24, 8)], []]),
        (("network.discriminator.widths=[8,5]",), [[(24, 8), (24, 5)], [(12, 8), (12, 5)]]),
        (("model.share_fakes=true",), [[], [(24, 8)], [(12, 8)]]),
        (("model.update=extragradient",), [[(24, 8)], [(12, 8)]] * 2),
        (("network.discriminator.dropout=0",), [[], []]),
    ],
)
def test_which_masks_are_drawn(
    options: tuple[str, ...], expected: list[list[tuple[int, int]]], make_run: MakeRun
) -> None:
    plan = plan_of(make_run("model=vgan", *RING, "network.discriminator.dropout=0.25", *options))
    assert [[tuple(shape) for shape, _ in call] for call in plan.masks] == expected
    thresholds = {threshold for call in plan.masks for _, threshold in call}
    assert thresholds <= {-(2**15) + 2**14}  # a quarter of the int16


def test_stages_ask_for_what_is_theirs(make_run: MakeRun) -> None:
    run = make_run("model=srgan", "model.pretrain_share=0.5", "network.discriminator.dropout=0.3")
    assert [len(plan_of(run, stage=stage).masks) for stage in (0, 1)] == [1, 3]
    assert [sum(map(len, plan_of(run, stage=stage).masks)) for stage in (0, 1)] == [0, 2]


# --- playing ---------------------------------------------------------------------------------


def stack_of(
    compose: Compose, folder: Path, *options: str,
    change: Callable[[Run], Run] = lambda run: run,
) -> StackTrainer:  # fmt: skip
    configs = [compose("model=vgan", *RING, *options, f"training.seed={s}") for s in range(2)]
    runs = [change(run) for run in replicas(configs)]
    return StackTrainer([Trainer(run, folder / f"{n}", []) for n, run in enumerate(runs)])


def changed(run: Run, objective: Callable[..., Any]) -> Run:
    """The run with something planted into D's objective, in each stage."""
    stages = tuple(
        dataclasses.replace(
            stage,
            moves=tuple(
                dataclasses.replace(move, objective=partial(objective, move.objective))
                if move.player == "D"
                else move
                for move in stage.moves
            ),
        )
        for stage in run.recipe.stages
    )
    return dataclasses.replace(run, recipe=dataclasses.replace(run.recipe, stages=stages))


def reads_a_number(inner: Callable[..., Any], nets: Any, batch: Batch, h: Any) -> Terms:
    terms: Terms = inner(nets, batch, h)
    return terms if terms["adversarial"].item() < 1e9 else {}


def branches(inner: Callable[..., Any], nets: Any, batch: Batch, h: Any) -> Terms:
    return inner(nets, batch, h) if bool(batch["real"].sum() < 1e9) else {}  # type: ignore[no-any-return]


@pytest.mark.parametrize("objective", [reads_a_number, branches])
def test_an_objective_that_cannot_be_mapped(
    objective: Callable[..., Any], compose: Compose, weights: Callable[[Solo], Any],
    same: Callable[..., bool], tmp_path: Path,
) -> None:  # fmt: skip
    """Found before anything is written, drawn or moved."""
    stack = stack_of(compose, tmp_path, change=lambda run: changed(run, objective))
    before = [weights(each.host) for each in stack.members]
    streams = [each.streams.state_dict() for each in stack.members]
    told: list[None] = []
    with pytest.raises(CannotStackError) as caught:
        stack.train(lambda: told.append(None))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) > 5
    assert told == []
    assert list(tmp_path.iterdir()) == []
    assert same([weights(each.host) for each in stack.members], before)
    assert same([each.streams.state_dict() for each in stack.members], streams)


def test_tracing_moves_nothing(
    compose: Compose, weights: Callable[[Solo], Any], same: Callable[..., bool], tmp_path: Path
) -> None:
    """What the trace would do is done when it is played."""
    stack = stack_of(
        compose, tmp_path, "network.generator.norm=batch", "network.discriminator.dropout=0.3",
        "model.ema=0.9",
    )  # fmt: skip
    before = [weights(each.host) for each in stack.members]
    streams = [each.streams.state_dict() for each in stack.members]

    class Stop(Exception):  # noqa: N818
        pass

    def stop() -> None:
        raise Stop

    with pytest.raises(Stop):
        stack.train(stop)
    assert same([weights(each.host) for each in stack.members], before)
    assert same([each.streams.state_dict() for each in stack.members], streams)
    assert stack.step == 0


@pytest.mark.parametrize(
    ("options", "steps", "num"),
    [((), 9, 1), (("model.critic_steps=5",), 12, 2),
     (("penalty=r1", "penalty.every=2", "model.critic_steps=3"), 12, 4)],
)  # fmt: skip
def test_each_set_of_due_moves_is_traced_once(
    options: tuple[str, ...], steps: int, num: int, compose: Compose,
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    traced: list[Any] = []
    make_fx = stacked_step.make_fx
    monkeypatch.setattr(
        stacked_step, "make_fx", lambda run, *given: traced.append(run) or make_fx(run, *given)
    )
    stack = stack_of(compose, tmp_path, *options, f"training.steps={steps}")
    stack.train()
    assert len(traced) == num


# --- devices ---------------------------------------------------------------------------------


def walk_stack(runs: list[Run]) -> list[str]:
    """Walk one step of every stage of a stack without memory; the moves that were made."""
    moved: list[str] = []

    def report(move: Move, turn: int, terms: Terms, gradients: Gradients) -> None:
        (gradient,) = gradients
        assert gradient is not None
        assert gradient.dim() == 2
        assert all(term.shape == (len(runs),) for term in terms.values())
        assert {each.device for each in (*terms.values(), gradient)} == {META}
        moved.append(move.name)

    def stacked(each: Tensor) -> Tensor:
        return torch.empty((len(runs), *each.shape), dtype=each.dtype, device=META)

    section = runs[0].config["optimizer"]
    for index, stage in enumerate(runs[0].recipe.stages):
        hosts = [run.host(run.streams()) for run in runs]
        for host, run in zip(hosts, runs, strict=True):
            host.enter(stage, run.make_optimizer)
        ensemble = Ensemble(hosts, STACKED[section["name"]], [section] * len(runs))
        ensemble.enter(stage)
        plan = plan_of(runs[0], stage=index)
        shapes = shapes_of(runs[0].tensors("train", torch.float32), 12, torch.float32)
        batch = {key: stacked(value) for key, value in shapes.items()}
        batch["progress"] = torch.zeros((), device=META)
        draws = [
            {name: stacked(value) for name, value in hosts[0].draw(priors, num).items()}
            for priors, num in plan.draws
        ]
        masks = [[stacked(torch.empty(shape)) for shape, _ in call] for call in plan.masks]
        with DeviceGuard():  # type: ignore[no-untyped-call]
            board = Board(ensemble, ensemble.tensors(), draws, masks)
            play_step(stage, board, lambda batch=batch: dict(batch), 0, report)
    return moved


WALKED = {
    "vgan": (("model=vgan", *RING), ["D", "G"]),
    "everything": (
        ("model=vgan", *RING, "penalty=dragan", "penalty.every=2", "model.share_fakes=true",
         "model.clip=0.1", "model.ema=0.9", "network.generator.norm=batch",
         "network.discriminator.dropout=0.3", "network.discriminator.spectral=true",
         "optimizer=rmsprop_wgan"),
        ["D", "D_lazy", "G"],
    ),
    "extragradient": (("model=wgan_gp", *RING, "model.update=extragradient"), ["D", "G"]),
    "bilinear": (("model=bilinear",), ["a", "b"]),
    "srgan": (
        ("model=srgan", "model.pretrain_share=0.5", "training.batch_size=12"), ["G", "D", "G"]
    ),
    "sagan": (("model=sagan", "network=sagan_dcgan"), ["D", "G"]),
    "infogan": (("model=infogan",), ["D", "G"]),
}  # fmt: skip


@pytest.mark.parametrize("game", WALKED)
def test_a_step_makes_no_tensor_on_a_wrong_device(game: str, make_run: MakeRun) -> None:
    options, moves = WALKED[game]
    runs = [make_run(*options, "device.name=meta", f"training.seed={seed}") for seed in range(2)]
    assert walk_stack(runs) == moves


@pytest.mark.parametrize(
    "mixed",
    [
        lambda real: real @ torch.eye(2),
        lambda real: torch.nn.functional.linear(real, torch.eye(2)),
        lambda real: real[torch.arange(12)],
    ],
    ids=["product", "linear", "index"],
)
def test_a_tensor_on_the_cpu_is_found(mixed: Callable[[Tensor], Tensor], make_run: MakeRun) -> None:
    def objective(inner: Callable[..., Any], nets: Any, batch: Batch, h: Any) -> Any:
        return inner(nets, {**batch, "real": mixed(batch["real"])}, h)

    run = changed(make_run("model=vgan", *RING, "device.name=meta"), objective)
    with pytest.raises(WrongDeviceError, match="'cpu'"):
        walk_stack([run, run])
