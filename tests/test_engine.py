"""One step of a game: who moves when, on which batch, from where."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_runner import schema
from gan_runner.engine import batch_length, is_due, play_step, total_norm
from gan_runner.game import Batch, Move, Numbers, Player, Recipe, Shared, Stage, Terms
from gan_runner.hosts import Solo
from gan_runner.networks.scalars import Scalar
from gan_runner.optimizers import OPTIMIZERS, optimizer_maker
from gan_runner.priors import Normal, Prior, Uniform
from gan_runner.streams import Streams
from gan_runner.watch import PACK, Watch

LR = 0.1
SGD = dataclasses.asdict(schema.Sgd(name="sgd", lr=LR))
ADAM = dataclasses.asdict(schema.Adam(name="adam", lr=LR))


def host_of(
    networks: Mapping[str, Callable[[], nn.Module]],
    stage: Stage,
    section: Mapping[str, Any] = SGD,
    numbers: Mapping[str, float] | None = None,
) -> Solo:
    """A host in float64 that has entered a stage."""
    recipe = Recipe(networks=networks, stages=(stage,))
    host = Solo(recipe, numbers or {}, Streams(0, {}), torch.device("cpu"), precision="fp64")
    host.enter(stage, optimizer_maker(OPTIMIZERS[section["name"]], section))
    return host


def ignore(move: Move, turn: int, terms: Terms, gradients: Any) -> None:
    """No report."""


def empty() -> Batch:
    """The batch of a game without data."""
    return {"progress": torch.zeros((), dtype=torch.float64)}


# --- the bilinear game against its iterates by hand --------------------------------------------


def bilinear(update: str, **stage: Any) -> Stage:
    def minimise(nets: Any, batch: Batch, h: Numbers) -> Terms:
        return {"value": nets.a() * nets.b()}

    def maximise(nets: Any, batch: Batch, h: Numbers) -> Terms:
        return {"value": -nets.a() * nets.b()}

    return Stage(
        name="play",
        players=(
            Player(name="a", networks=("a",), role=""),
            Player(name="b", networks=("b",), role=""),
        ),
        moves=(Move(player="a", objective=minimise), Move(player="b", objective=maximise)),
        update=update,
        **stage,
    )


def orbit(update: str, steps: int, section: Mapping[str, Any] = SGD) -> list[tuple[float, float]]:
    stage = bilinear(update)
    host = host_of({"a": lambda: Scalar(1.0), "b": lambda: Scalar(0.5)}, stage, section)
    points = []
    for step in range(steps):
        play_step(stage, host, empty, step, ignore)
        a, b = (float(host.networks[name]().detach()) for name in ("a", "b"))
        points.append((a, b))
    return points


def by_hand(update: str, steps: int) -> list[tuple[float, float]]:
    a, b, points = 1.0, 0.5, []
    for _ in range(steps):
        if update == "alternating":
            a = a - LR * b
            b = b + LR * a
        elif update == "simultaneous":
            a, b = a - LR * b, b + LR * a
        else:
            ahead_a, ahead_b = a - LR * b, b + LR * a
            a, b = a - LR * ahead_b, b + LR * ahead_a
        points.append((a, b))
    return points


@pytest.mark.parametrize("update", schema.UPDATES)
def test_iterates_by_hand(update: str) -> None:
    for ours, expected in zip(orbit(update, 200), by_hand(update, 200), strict=True):
        assert ours == pytest.approx(expected, rel=1e-12, abs=1e-13)


def test_simultaneous_steps_spiral_outward() -> None:
    radii = [math.hypot(1.0, 0.5), *(math.hypot(*point) for point in orbit("simultaneous", 100))]
    for before, after in itertools.pairwise(radii):
        assert after / before == pytest.approx(math.sqrt(1 + LR**2), rel=1e-12)


def test_alternating_steps_stay_on_an_ellipse() -> None:
    def conserved(a: float, b: float) -> float:
        return a**2 + b**2 - LR * a * b

    points = orbit("alternating", 1000)
    for point in points:
        assert conserved(*point) == pytest.approx(conserved(1.0, 0.5), rel=1e-11)
    radii = [math.hypot(*point) for point in points]
    assert 1.0 < min(radii) < max(radii) < 1.25


def test_extragradient_steps_contract() -> None:
    radii = [math.hypot(1.0, 0.5), *(math.hypot(*point) for point in orbit("extragradient", 100))]
    for before, after in itertools.pairwise(radii):
        assert after / before == pytest.approx(math.sqrt(1 - LR**2 + LR**4), rel=1e-12)


def test_extragradient_with_adam_by_hand() -> None:
    """Algorithm 4 of Gidel et al. 2019: each half step updates the moments."""
    ours = orbit("extragradient", 20, ADAM)
    parameters = [nn.Parameter(torch.tensor(value, dtype=torch.float64)) for value in (1.0, 0.5)]
    optimizers = [torch.optim.Adam([parameter], LR) for parameter in parameters]

    def half() -> None:
        a, b = (parameter.detach().clone() for parameter in parameters)
        parameters[0].grad, parameters[1].grad = b, -a
        for optimizer in optimizers:
            optimizer.step()

    for point in ours:
        start = [parameter.detach().clone() for parameter in parameters]
        half()
        a, b = (parameter.detach().clone() for parameter in parameters)
        with torch.no_grad():
            for parameter, value in zip(parameters, start, strict=True):
                parameter.copy_(value)
        parameters[0].grad, parameters[1].grad = b, -a
        for optimizer in optimizers:
            optimizer.step()
        assert point == pytest.approx([each.item() for each in parameters], rel=1e-11)


# --- a game that writes down what it sees ------------------------------------------------------


class Linear(nn.Module):
    """y = w x, one number a sample."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(start))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as x."""
        return self.w * x


class Script:
    """Objectives whose every call is written down: player, batch, G's and D's weights."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Batch, float, float]] = []
        self.num_batches = 0

    def objective(self, player: str) -> Callable[[Any, Batch, Numbers], Terms]:
        def play(nets: Any, batch: Batch, h: Numbers) -> Terms:
            self.seen.append((player, batch, nets.G.w.item(), nets.D.w.item()))
            fake = batch["fake"] if "fake" in batch else nets.G(batch["z"])
            sign = 1.0 if player == "D" else -1.0
            return {"value": (sign * nets.D(fake)).mean()}

        return play

    def next_batch(self) -> Batch:
        self.num_batches += 1
        return {"real": torch.full((4,), float(self.num_batches), dtype=torch.float64)}

    def moves(self, **of: Mapping[str, Any]) -> tuple[Move, ...]:
        return tuple(
            Move(player=player, objective=self.objective(player), **options)
            for player, options in of.items()
        )

    def numbers(self) -> list[int]:
        """Which batch each call saw."""
        return [int(batch["real"][0]) for _, batch, _, _ in self.seen]


PLAYERS = (
    Player(name="D", networks=("D",), role="discriminator"),
    Player(name="G", networks=("G",), role="generator"),
)
NETWORKS = {"G": lambda: Linear(0.5), "D": lambda: Linear(2.0)}
PRIORS: dict[str, Prior] = {"z": Normal(())}


def stage_of(script: Script, **changed: Any) -> Stage:
    parts: dict[str, Any] = {
        "name": "game",
        "players": PLAYERS,
        "moves": script.moves(D={}, G={}),
        "priors": PRIORS,
    }
    return Stage(**{**parts, **changed})


@pytest.mark.parametrize("every", [1, 2, 5])
def test_every(every: int) -> None:
    script = Script()
    stage = stage_of(script, moves=script.moves(D={}, G={"every": every}))
    host = host_of(NETWORKS, stage)
    moved: list[tuple[int, str]] = []
    for step in range(11):
        play_step(
            stage, host, script.next_batch, step,
            lambda move, turn, terms, grads, step=step: moved.append((step, move.player)),
        )  # fmt: skip
    assert [step for step, player in moved if player == "D"] == list(range(11))
    assert [step for step, player in moved if player == "G"] == list(range(0, 11, every))
    assert script.num_batches == 11
    assert [is_due(stage.moves[1], step) for step in range(3)] == [
        step % every == 0 for step in range(3)
    ]


def test_repeat_draws_fresh_batches() -> None:
    script = Script()
    stage = stage_of(script, moves=script.moves(D={"repeat": 3}, G={}))
    turns = []
    host = host_of(NETWORKS, stage)
    for step in range(2):
        play_step(
            stage, host, script.next_batch, step, lambda move, turn, *rest: turns.append(turn)
        )
    assert [player for player, *_ in script.seen] == ["D", "D", "D", "G"] * 2
    assert turns == [0, 1, 2, 0] * 2
    assert script.numbers() == [1, 2, 3, 1, 4, 5, 6, 4]
    assert script.num_batches == 6
    noises = [batch["z"] for _, batch, _, _ in script.seen]
    assert len({float(noise[0]) for noise in noises}) == len(noises)


def test_alternating_moves_see_each_other() -> None:
    script = Script()
    stage = stage_of(script)
    host = host_of(NETWORKS, stage)
    play_step(stage, host, script.next_batch, 0, ignore)
    (_, first, g_first, d_first), (_, _, g_second, d_second) = script.seen
    assert (g_first, d_first) == (0.5, 2.0)
    moved = 2.0 - LR * 0.5 * float(first["z"].mean())  # d/dD of mean(D G z)
    assert d_second == pytest.approx(moved, rel=1e-14)
    assert g_second == 0.5


def test_simultaneous_moves_do_not_see_each_other() -> None:
    script = Script()
    stage = stage_of(script, update="simultaneous")
    host = host_of(NETWORKS, stage)
    play_step(stage, host, script.next_batch, 0, ignore)
    assert [(g, d) for _, _, g, d in script.seen] == [(0.5, 2.0)] * 2
    assert script.numbers() == [1, 1]
    noises = [float(batch["z"].mean()) for _, batch, _, _ in script.seen]
    assert host.networks["D"].w.item() == pytest.approx(2.0 - LR * 0.5 * noises[0])
    assert host.networks["G"].w.item() == pytest.approx(0.5 + LR * 2.0 * noises[1])


def test_extragradient_looks_ahead_on_the_same_draws_and_comes_back() -> None:
    calls: list[str] = []

    def hook(networks: Mapping[str, nn.Module], h: Numbers) -> None:
        calls.append("hook")

    script = Script()
    players = (dataclasses.replace(PLAYERS[0], after=(hook,)), PLAYERS[1])
    stage = stage_of(script, update="extragradient", players=players)
    host = host_of(NETWORKS, stage)
    reported = []
    play_step(stage, host, script.next_batch, 0, lambda move, *rest: reported.append(move.player))
    assert [player for player, *_ in script.seen] == ["D", "G", "D", "G"]
    assert reported == ["D", "G"]
    assert calls == ["hook"]
    z_d, z_g, *again = (batch["z"] for _, batch, _, _ in script.seen)
    assert torch.equal(z_d, again[0])
    assert torch.equal(z_g, again[1])
    d_mean, g_mean = float(z_d.mean()), float(z_g.mean())
    ahead_d, ahead_g = 2.0 - LR * 0.5 * d_mean, 0.5 + LR * 2.0 * g_mean
    assert [(g, d) for _, _, g, d in script.seen[2:]] == [
        pytest.approx((ahead_g, ahead_d), rel=1e-14)
    ] * 2
    assert host.networks["D"].w.item() == pytest.approx(2.0 - LR * ahead_g * d_mean, rel=1e-13)
    assert host.networks["G"].w.item() == pytest.approx(0.5 + LR * ahead_d * g_mean, rel=1e-13)


def test_hooks_run_in_order_after_each_update_of_their_player() -> None:
    calls: list[tuple[str, float]] = []

    def first(networks: Mapping[str, nn.Module], h: Numbers) -> None:
        calls.append(("first", networks["D"].w.item()))
        networks["D"].w.mul_(0.0)

    def second(networks: Mapping[str, nn.Module], h: Numbers) -> None:
        calls.append(("second", networks["D"].w.item()))

    script = Script()
    players = (dataclasses.replace(PLAYERS[0], after=(first, second)), PLAYERS[1])
    stage = stage_of(script, players=players, moves=script.moves(D={"repeat": 2}, G={}))
    play_step(stage, host_of(NETWORKS, stage), script.next_batch, 0, ignore)
    assert [name for name, _ in calls] == ["first", "second"] * 2
    assert calls[0][1] != 2.0
    assert calls[1][1] == calls[3][1] == 0.0


# --- shared tensors ----------------------------------------------------------------------------


def share(nets: Any, batch: Batch, h: Numbers) -> Batch:
    return {"fake": nets.G(batch["z"])}


def shared_stage(script: Script) -> Stage:
    return stage_of(script, shared=Shared(make=share, owner="G"))


def test_shared_tensors_carry_their_graph_to_their_owner_only() -> None:
    script = Script()
    stage = shared_stage(script)
    play_step(stage, host_of(NETWORKS, stage), script.next_batch, 0, ignore)
    (_, for_d, _, _), (_, for_g, _, _) = script.seen
    assert not for_d["fake"].requires_grad
    assert for_g["fake"].requires_grad
    assert torch.equal(for_d["fake"], for_g["fake"])
    assert torch.equal(for_d["z"], for_g["z"])


def test_shared_tensors_give_the_values_and_gradients_of_separate_ones() -> None:
    shared, apart = Script(), Script()
    stage = shared_stage(shared)
    host = host_of(NETWORKS, stage)
    separate = stage_of(apart)
    other = host_of(NETWORKS, separate)
    for step in range(5):
        found: list[Any] = []
        told = found.append
        play_step(stage, host, shared.next_batch, step, lambda *row, told=told: told(row[2:]))
        for player, (terms, gradients) in zip(("D", "G"), found, strict=True):
            _, batch, _, _ = shared.seen[-2 if player == "D" else -1]
            plain = {key: value for key, value in batch.items() if key != "fake"}
            (move,) = (move for move in separate.moves if move.player == player)
            expected, slopes = other.gradient(move, plain)
            assert terms["value"].item() == pytest.approx(expected["value"].item(), rel=1e-14)
            assert float(gradients[0]) == pytest.approx(float(slopes[0]), rel=1e-14)
            assert float(gradients[0]) != 0.0
            other.update(player, slopes)
    for name in NETWORKS:
        mine, its = host.networks[name].w.item(), other.networks[name].w.item()
        assert mine == pytest.approx(its, rel=1e-13)


def test_shared_tensors_are_made_once_a_step() -> None:
    made = []

    def counted(nets: Any, batch: Batch, h: Numbers) -> Batch:
        made.append(batch)
        return share(nets, batch, h)

    script = Script()
    stage = stage_of(script, shared=Shared(make=counted, owner="G"))
    host = host_of(NETWORKS, stage)
    for step in range(3):
        play_step(stage, host, script.next_batch, step, ignore)
    assert len(made) == 3
    assert script.num_batches == 3


# --- stages that cannot be played --------------------------------------------------------------


def test_stages_that_are_refused() -> None:
    script = Script()
    owner = Shared(make=share, owner="G")
    cases: list[tuple[str, dict[str, Any]]] = [
        ("no player 'E'", {"moves": script.moves(E={})}),
        ("alternating", {"shared": owner, "update": "simultaneous"}),
        ("repeated", {"shared": owner, "moves": script.moves(D={"repeat": 2}, G={})}),
        ("last", {"shared": owner, "moves": script.moves(G={}, D={})}),
        ("last", {"shared": owner, "moves": script.moves(D={})}),
        ("repeat", {"update": "simultaneous", "moves": script.moves(D={"repeat": 2}, G={})}),
        ("repeat", {"update": "extragradient", "moves": script.moves(D={}, G={"repeat": 2})}),
        ("two moves", {"moves": (*script.moves(D={}), *script.moves(D={}))}),
        ("two players", {"players": (*PLAYERS, Player(name="E", networks=("G",), role=""))}),
    ]
    for word, changed in cases:
        with pytest.raises(ValueError, match=word) as caught:
            stage_of(script, **changed)
        assert "stage game" in str(caught.value)


def test_two_moves_of_a_player_need_a_label() -> None:
    script = Script()
    lazy = dataclasses.replace(script.moves(D={"every": 4})[0], label="D_lazy")
    stage = stage_of(script, moves=(*script.moves(D={}), lazy, *script.moves(G={})))
    names = []
    host = host_of(NETWORKS, stage)
    for step in range(5):
        play_step(stage, host, script.next_batch, step, lambda move, *rest: names.append(move.name))
    assert names == ["D", "D_lazy", "G", *["D", "G"] * 3, "D", "D_lazy", "G"]


# --- small parts -------------------------------------------------------------------------------


def test_batch_length() -> None:
    progress = torch.zeros(())
    assert batch_length({"progress": progress}) == 1
    assert batch_length({}) == 1
    assert batch_length({"progress": progress, "real": torch.zeros(7, 2)}) == 7


def test_priors_are_drawn_to_the_batch_in_their_order() -> None:
    script = Script()
    stage = stage_of(script, priors={"z": Normal(()), "mix": Uniform()})
    host = host_of(NETWORKS, stage)
    play_step(stage, host, script.next_batch, 0, ignore)
    noise = Streams(0, {})["noise"]
    for _, batch, _, _ in script.seen:
        assert torch.equal(batch["z"], torch.randn(4, generator=noise, dtype=torch.float64))
        assert torch.equal(batch["mix"], torch.rand(4, generator=noise, dtype=torch.float64))


def test_total_norm() -> None:
    parts = [torch.tensor([3.0, 0.0]), None, torch.tensor([[4.0], [12.0]])]
    assert float(total_norm(parts)) == pytest.approx(13.0)
    assert float(total_norm([None])) == 0.0


def terms(**values: float) -> Terms:
    return {name: torch.tensor(value) for name, value in values.items()}


def test_watch_means_and_emptying() -> None:
    watch = Watch()
    assert watch.read() == ({}, None)
    for step, value in ((1, 1.0), (2, 2.0), (3, 6.0)):
        watch.add(step, terms(a=value, b=-value))
    assert watch.read() == ({"a": 3.0, "b": -3.0}, None)
    assert watch.read() == ({}, None)
    watch.add(4, terms(a=5.0, b=7.0))
    assert watch.read() == ({"a": 5.0, "b": 7.0}, None)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_watch_names_the_first_bad_term(bad: float) -> None:
    watch = Watch()
    watch.add(7, terms(a=1.0, b=1.0))
    watch.add(9, terms(a=1.0, b=bad))
    watch.add(11, terms(a=bad, b=bad))
    assert watch.read()[1] == (9, "b")
    watch.add(12, terms(a=1.0, b=1.0))
    assert watch.read() == ({"a": 1.0, "b": 1.0}, None)


def test_watch_keeps_no_graph() -> None:
    watch, weight = Watch(), torch.ones((), requires_grad=True)
    watch.add(1, {"a": weight * 2})
    state = watch.state_dict()["values"]
    assert isinstance(state, Tensor)
    assert not state.requires_grad
    means, _ = watch.read()
    assert means == {"a": 2.0}


@pytest.mark.parametrize("num_before", [0, 1, 3, PACK])  # 2 PACK terms: packed twice
def test_watch_state_goes_on(num_before: int) -> None:
    watch = Watch()
    for step in range(num_before):
        watch.add(step, terms(a=float(step), b=2.0))
    other = Watch()
    other.load_state_dict(copy.deepcopy(watch.state_dict()))
    for each in (watch, other):
        each.add(8, terms(a=0.25, b=math.inf))
    assert watch.read() == other.read()
    assert watch.read() == other.read() == ({}, None)
