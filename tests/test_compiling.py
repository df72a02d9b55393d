"""Compiling: who decides, by what arithmetic, and what happens where it cannot be done."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx

from gan_runner import checkpoint, compiling
from gan_runner.compiling import LOOKED_AT, MARGIN, SAVED, SECONDS, SKIPPED, Compiler
from gan_runner.stack import replicas
from gan_runner.stack_trainer import StackTrainer
from gan_runner.trainer import Trainer

Compose = Callable[..., dict[str, Any]]
STEP = 0.25  # seconds, by the clock below


def graph() -> GraphModule:
    """x += 1, then the sum of x."""

    def step(x: Tensor) -> list[Tensor]:
        x.add_(1.0)
        return [x.sum()]

    return make_fx(step)(torch.zeros(3))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that advances by `STEP` between two looks."""
    now = [0.0]

    def look() -> float:
        now[0] += STEP
        return now[0]

    monkeypatch.setattr(compiling, "time", SimpleNamespace(perf_counter=look))


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is handed to torch's compiler, which gives functions that answer -1."""
    given: list[Any] = []

    def compile_step(traced: Any, **options: Any) -> Callable[..., list[Tensor]]:
        given.append((traced, options))
        return lambda *inputs: [torch.tensor(-1.0)]

    monkeypatch.setattr(torch, "compile", compile_step)
    return given


def run(compiler: Compiler, traced: GraphModule, remaining: int = 1) -> float:
    (found,) = compiler.run(traced, [torch.zeros(3)], remaining)
    return found.item()


def test_false_runs_steps_as_they_are(compiled: list[Any]) -> None:
    compiler = Compiler("false")
    assert compiler.decided is False
    assert [run(compiler, graph(), 10**9) for _ in range(SKIPPED + LOOKED_AT + 5)] == [3.0] * 65
    assert compiled == []


def test_true_compiles_each_graph_once(compiled: list[Any]) -> None:
    compiler, first, second = Compiler("true"), graph(), graph()
    assert compiler.decided is True
    assert [run(compiler, each) for each in (first, first, second, first, second)] == [-1.0] * 5
    assert [traced for traced, _ in compiled] == [first, second]
    assert all(options["dynamic"] is False for _, options in compiled)


@pytest.mark.parametrize("pays", [False, True])
def test_auto_decides_by_what_is_left(
    pays: bool, clock: None, compiled: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Compiling saves SAVED of a step and costs SECONDS an operation; it must pay MARGIN times."""
    traced = graph()
    enough = MARGIN * SECONDS * len(traced.graph.nodes) / (SAVED * STEP)  # steps
    remaining = int(enough) + 1 if pays else int(enough)
    assert 0 < remaining < 100
    compiler = Compiler("auto")
    with caplog.at_level(logging.INFO):
        for number in range(SKIPPED + LOOKED_AT):
            assert compiler.decided is None
            last = number == SKIPPED + LOOKED_AT - 1
            assert run(compiler, traced, remaining if last else 10**9) == 3.0
    assert compiler.decided is pays
    assert compiled == []
    word = "compiling" if pays else "not compiling"
    assert f"device.compile=auto: {word}: a step takes {1000 * STEP:.2g} ms" in caplog.text
    assert f"{remaining} are left" in caplog.text
    assert run(compiler, traced) == (-1.0 if pays else 3.0)


def test_the_first_steps_are_not_looked_at(
    monkeypatch: pytest.MonkeyPatch, compiled: list[Any]
) -> None:
    """They warm up: an hour each would else make any compiling pay."""
    now, calls = [0.0], [0]

    def look() -> float:
        calls[0] += 1
        now[0] += 3600.0 if calls[0] <= SKIPPED else 1e-6
        return now[0]

    monkeypatch.setattr(compiling, "time", SimpleNamespace(perf_counter=look))
    compiler, traced = Compiler("auto"), graph()
    for _ in range(SKIPPED + LOOKED_AT):
        run(compiler, traced, 1000)
    assert compiler.decided is False


@pytest.mark.parametrize("when", ["made", "called"])
def test_a_compiler_that_fails(
    when: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Steps go on as they are, this one included, and a line says why."""
    tried: list[Any] = []

    def fail(*_: Any) -> list[Tensor]:
        raise RuntimeError("no C++ compiler\nwas found")

    def compile_step(traced: Any, **_: Any) -> Callable[..., list[Tensor]]:
        tried.append(traced)
        return fail() if when == "made" else fail  # type: ignore[return-value]

    monkeypatch.setattr(torch, "compile", compile_step)
    compiler, traced, x = Compiler("true"), graph(), torch.zeros(3)
    for number in range(1, 4):
        (found,) = compiler.run(traced, [x], 10)
        assert found.item() == 3.0 * number
    assert compiler.decided is False
    assert len(tried) == 1
    assert caplog.messages == [
        "device.compile: not compiled (no C++ compiler); steps run as they are"
    ]


def test_an_error_without_words(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise NotImplementedError

    monkeypatch.setattr(torch, "compile", fail)
    assert run(Compiler("true"), graph()) == 3.0
    assert "not compiled (NotImplementedError)" in caplog.text


# --- a stack ---------------------------------------------------------------------------------

TINY = (
    "model=vgan", "dataset=ring8", "network.generator.widths=[8]",
    "network.discriminator.widths=[8]", "network.discriminator.dropout=0.3",
    "training.batch_size=12", "device.precision=fp64", "model.ema=0.9",
)  # fmt: skip


def trained(
    compose: Compose, folder: Path, choice: str, *more: str, size: int = 3
) -> Sequence[dict[str, Any]]:
    """The last checkpoints of a stack."""
    configs = [compose(*TINY, *more, f"training.seed={seed}") for seed in range(size)]
    members = [
        Trainer(each, folder / f"{number}", []) for number, each in enumerate(replicas(configs))
    ]
    StackTrainer(members, compiles=choice).train()
    return [checkpoint.load(each.folder / "checkpoints" / "last.pt") for each in members]


def test_what_was_decided_is_kept(compose: Compose, compiled: list[Any], tmp_path: Path) -> None:
    """A run that goes on computes as it did: `auto` might decide otherwise for what is left."""
    states = trained(compose, tmp_path, "false", "training.steps=2")
    assert [state["compiled"] for state in states] == [False] * 3
    (config,) = [compose(*TINY, "training.steps=2")]
    for before, choice, expected in (
        (None, "auto", None), (None, "true", True), (False, "auto", False), (True, "false", True),
    ):  # fmt: skip
        (run_,) = replicas([config])
        trainer = Trainer(run_, tmp_path / "resumed", [])
        trainer.load_state_dict({**states[0], "compiled": before})
        assert StackTrainer([trainer], compiles=choice).compiler.decided is expected


def test_a_run_too_short_to_decide(compose: Compose, tmp_path: Path) -> None:
    states = trained(compose, tmp_path, "auto", "training.steps=3")
    assert [state["compiled"] for state in states] == [None] * 3


def test_a_stack_goes_on_where_the_compiler_fails(
    compose: Compose, monkeypatch: pytest.MonkeyPatch, same: Callable[..., bool], tmp_path: Path
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("no compiler")

    eager = trained(compose, tmp_path / "eager", "false", "training.steps=4")
    monkeypatch.setattr(torch, "compile", fail)
    other = trained(compose, tmp_path / "other", "true", "training.steps=4")
    for one, another in zip(eager, other, strict=True):
        assert same(one["host"], another["host"])
        assert another["compiled"] is False


@pytest.mark.slow
@pytest.mark.skipif(
    not any(map(shutil.which, ("c++", "g++", "clang++"))), reason="needs a C++ compiler"
)
@pytest.mark.parametrize("game", ["vgan", "srgan"])
def test_a_compiled_stack_gives_the_eager_numbers(
    game: str, compose: Compose, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """SRGAN has two stages: two graphs, one after the other."""
    options = ["training.steps=20", "training.log_every=3"]
    if game == "srgan":
        options += ["model=srgan", "dataset=gauss3d", "model.pretrain_share=0.5"]
    eager = trained(compose, tmp_path / "eager", "false", *options)
    with caplog.at_level(logging.INFO):
        states = trained(compose, tmp_path / "compiled", "true", *options)
    assert caplog.text.count("device.compile: compiled a step in") == (2 if game == "srgan" else 1)
    assert "not compiled" not in caplog.text
    for one, another in zip(eager, states, strict=True):
        assert another["compiled"] is True
        for letter, network in one["host"]["networks"].items():
            for name, value in network.items():
                found = another["host"]["networks"][letter][name]
                torch.testing.assert_close(found, value, rtol=1e-10, atol=1e-10)
        for player, optimizer in one["host"]["optimizers"].items():
            for name, value in optimizer["state"].items():
                found = another["host"]["optimizers"][player]["state"][name]
                torch.testing.assert_close(found, value, rtol=1e-10, atol=1e-10)
    networks = [state["host"]["networks"]["G"] for state in states[:2]]
    assert not any(torch.equal(networks[0][name], networks[1][name]) for name in networks[0])
