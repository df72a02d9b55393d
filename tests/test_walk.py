"""The walk without memory: every size, and no tensor on a wrong device."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from gan_runner import api
from gan_runner.dispatch import Run
from gan_runner.game import Move, Recipe, Stage
from gan_runner.schema import INITIALISATIONS
from gan_runner.walk import DeviceGuard, WrongDeviceError, walk

MakeRun = Callable[..., Run]


def changed(run: Run, objective: Callable[..., Any]) -> Run:
    """The run with something planted into D's objective."""
    (stage,) = run.recipe.stages
    moves = tuple(
        dataclasses.replace(move, objective=partial(objective, move.objective))
        if move.player == "D"
        else move
        for move in stage.moves
    )
    recipe = dataclasses.replace(run.recipe, stages=(dataclasses.replace(stage, moves=moves),))
    return dataclasses.replace(run, recipe=recipe)


def plant(mixed: Callable[[Tensor], Tensor]) -> Callable[..., Any]:
    def objective(inner: Callable[..., Any], nets: Any, batch: Any, h: Any) -> Any:
        real = mixed(batch["real"])
        return inner(nets, {**batch, "real": real}, h)

    return objective


def test_a_summary_of_networks_samples_and_moves(make_run: MakeRun) -> None:
    text = walk(make_run("model=wgan_gp", "device.name=meta", "training.batch_size=7"))
    # G 2-10-10-2 and D 2-10-1 of anatomizing.
    assert text.splitlines() == [
        "G: 162 parameters",
        "D: 41 parameters",
        "samples: (7, 2)",
        "in all: 203 parameters",
        "walked: adversarial/D, adversarial/G",
    ]


def test_every_stage_and_every_lazy_move_is_walked(make_run: MakeRun) -> None:
    text = walk(
        make_run(
            "model=srgan", "device.name=meta", "model.pretrain_share=0.5", "model.ema=0.9",
            "penalty=r1", "penalty.every=16", "model.critic_steps=5", "model.share_fakes=false",
        )
    )  # fmt: skip
    assert text.endswith("walked: content/G, adversarial/D, adversarial/D_lazy, adversarial/G")


def test_repeated_moves_are_walked(make_run: MakeRun) -> None:
    run = make_run("model=vgan", "device.name=meta")
    (stage,) = run.recipe.stages
    moves = tuple(dataclasses.replace(move, repeat=3) for move in stage.moves)
    recipe = dataclasses.replace(run.recipe, stages=(dataclasses.replace(stage, moves=moves),))
    text = walk(dataclasses.replace(run, recipe=recipe))
    assert text.endswith("walked: " + ", ".join(["adversarial/D"] * 3 + ["adversarial/G"] * 3))


def test_a_network_larger_than_any_memory(make_run: MakeRun) -> None:
    width = 1_000_000
    run = make_run(
        "model=vgan", "device.name=meta",
        f"network.generator.widths=[{width},{width}]", f"network.discriminator.widths=[{width}]",
    )  # fmt: skip
    assert f"D: {2 * width + width + width + 1:,} parameters" in walk(run)
    assert f"G: {width * width + 2 * width + 2 * width + 2 * width + 2:,}" in walk(run)


@pytest.mark.parametrize("scheme", INITIALISATIONS)
def test_every_initialisation_walks(scheme: str, make_run: MakeRun) -> None:
    before = torch.get_rng_state()
    walk(make_run("model=vgan", "device.name=meta", f"network.generator.initialisation={scheme}"))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("precision", ["fp32", "fp64", "bf16", "tf32"])
def test_every_precision_walks(precision: str, make_run: MakeRun) -> None:
    walk(make_run("model=wgan_gp", "device.name=meta", f"device.precision={precision}"))


def test_a_compiled_run_walks(make_run: MakeRun) -> None:
    walk(make_run("model=vgan", "device.name=meta", "device.compile=true"))


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop_wgan", "sgd"])
def test_every_optimizer_walks(optimizer: str, make_run: MakeRun) -> None:
    walk(make_run("model=vgan", "device.name=meta", f"optimizer={optimizer}"))


MIXTURES: dict[str, Callable[[Tensor], Tensor]] = {
    "matmul": lambda real: real @ torch.eye(2),
    "add": lambda real: real + torch.zeros(2),
    "cat": lambda real: torch.cat([real, torch.zeros(len(real), 2)])[: len(real)],
    "index": lambda real: real[torch.arange(len(real))],
    "where": lambda real: torch.where(torch.ones(2, dtype=torch.bool), real, real),
    "linear": lambda real: torch.nn.functional.linear(real, torch.eye(2)),
    "noise": lambda real: real + torch.randn(real.shape),
}


@pytest.mark.parametrize("mixture", MIXTURES)
def test_a_tensor_on_the_cpu_is_found(mixture: str, make_run: MakeRun) -> None:
    run = changed(make_run("model=vgan", "device.name=meta"), plant(MIXTURES[mixture]))
    with pytest.raises(WrongDeviceError, match=r"device=meta: .*'cpu'"):
        walk(run)


@pytest.mark.parametrize("mixture", MIXTURES)
def test_a_tensor_that_was_made_before_is_found(mixture: str, make_run: MakeRun) -> None:
    """A constant of a module: no operation within the walk makes it, only one that uses it."""
    eye, zeros, index = torch.eye(2), torch.zeros(100, 2), torch.arange(100)
    constants: dict[str, Callable[[Tensor], Tensor]] = {
        "matmul": lambda real: real @ eye,
        "add": lambda real: real + zeros,
        "cat": lambda real: torch.cat([real, zeros])[:100],
        "index": lambda real: real[index],
        "where": lambda real: torch.where(zeros > 0, real, real),
        "linear": lambda real: torch.nn.functional.linear(real, eye),
        "noise": lambda real: real.copy_(zeros),
    }
    run = changed(make_run("model=vgan", "device.name=meta"), plant(constants[mixture]))
    with pytest.raises((WrongDeviceError, RuntimeError), match="meta"):
        walk(run)


def test_a_term_on_the_cpu_is_found(make_run: MakeRun) -> None:
    def objective(inner: Callable[..., Any], nets: Any, batch: Any, h: Any) -> Any:
        return {**inner(nets, batch, h), "constant": torch.zeros(())}

    with pytest.raises(ValueError, match="a term of D"):
        walk(changed(make_run("model=vgan", "device.name=meta"), objective))


def test_numbers_and_progress_may_be_mixed_in(make_run: MakeRun) -> None:
    def objective(inner: Callable[..., Any], nets: Any, batch: Any, h: Any) -> Any:
        real = batch["real"] * 2.0 + torch.tensor(1.0) * batch["progress"]
        return inner(nets, {**batch, "real": real}, h)

    walk(changed(make_run("model=vgan", "device.name=meta"), objective))


def test_the_guard_ends() -> None:
    with pytest.raises(WrongDeviceError), DeviceGuard():
        torch.zeros(3)
    assert torch.zeros(3).shape == (3,)


def test_nothing_is_written(tiny_run: Callable[..., api.Result], tmp_path: Any) -> None:
    result = tiny_run("model=vgan", "device.name=meta", folder=tmp_path / "walk")
    assert result.metrics == {}
    assert not (tmp_path / "walk").exists()


def test_sampling_is_walked(make_run: MakeRun) -> None:
    run = make_run("model=vgan", "device.name=meta")

    def sample(nets: Any, batch: Any) -> Tensor:
        return nets.G(batch["z"]) @ torch.eye(2)  # type: ignore[no-any-return]

    recipe: Recipe = dataclasses.replace(run.recipe, sample=sample)
    with pytest.raises(WrongDeviceError):
        walk(dataclasses.replace(run, recipe=recipe))


def test_hooks_are_walked(make_run: MakeRun) -> None:
    run = make_run("model=vgan", "device.name=meta")
    (stage,) = run.recipe.stages

    def hook(networks: Any, h: Any) -> None:
        for parameter in networks["D"].parameters():
            parameter.add_(torch.zeros(parameter.shape))

    players = tuple(dataclasses.replace(player, after=(hook,)) for player in stage.players)
    stages: tuple[Stage, ...] = (dataclasses.replace(stage, players=players),)
    assert all(isinstance(move, Move) for move in stage.moves)
    with pytest.raises(WrongDeviceError):
        walk(dataclasses.replace(run, recipe=dataclasses.replace(run.recipe, stages=stages)))
