"""Where parameters live and how a gradient is taken."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_runner import optimizers, schema
from gan_runner.dispatch import Run
from gan_runner.game import Batch, Move, Numbers, Player, Recipe, Stage, Terms
from gan_runner.hosts import Solo
from gan_runner.models.hooks import average, power_iteration
from gan_runner.networks.dcgan import DCGAN
from gan_runner.networks.dropout import Dropout
from gan_runner.networks.mlp import mlp
from gan_runner.networks.scalars import Count
from gan_runner.optimizers import OPTIMIZERS, optimizer_maker
from gan_runner.priors import Normal
from gan_runner.streams import Streams

CPU = torch.device("cpu")
SGD = dataclasses.asdict(schema.Sgd(name="sgd", lr=0.1))
SECTION = dataclasses.asdict(schema.Mlp(widths=[5], activation="tanh"))
NUMBERS = {"model.weight": 0.7}


def discriminator(nets: Any, batch: Batch, h: Numbers) -> Terms:
    real, fake = nets.D(batch["real"]), nets.D(nets.G(batch["z"]))
    return {
        "real": nn.functional.softplus(-real).mean(),
        "fake": h["model.weight"] * nn.functional.softplus(fake).mean(),
    }


def generator(nets: Any, batch: Batch, h: Numbers) -> Terms:
    return {"adversarial": nn.functional.softplus(-nets.D(nets.G(batch["z"]))).mean()}


def stage(**changed: Any) -> Stage:
    parts: dict[str, Any] = {
        "name": "game",
        "players": (
            Player(name="D", networks=("D",), role="discriminator"),
            Player(name="G", networks=("G",), role="generator"),
        ),
        "moves": (
            Move(player="D", objective=discriminator),
            Move(player="G", objective=generator),
        ),
        "priors": {"z": Normal((2,))},
    }
    return Stage(**{**parts, **changed})


def recipe(**changed: Any) -> Recipe:
    networks: Mapping[str, Callable[[], nn.Module]] = {
        "G": lambda: mlp(SECTION, (2,), (2,)),
        "D": lambda: mlp(SECTION, (2,), (1,)),
    }
    return Recipe(**{"networks": networks, "stages": (stage(),), **changed})


def host_of(rules: Recipe, precision: str = "fp64", seed: int = 0) -> Solo:
    host = Solo(rules, NUMBERS, Streams(seed, {}), CPU, precision=precision)
    host.enter(rules.stages[0], optimizer_maker(OPTIMIZERS["sgd"], SGD))
    return host


def batch_of(host: Solo, num: int = 6) -> Batch:
    random = torch.Generator().manual_seed(1)
    real = torch.randn(num, 2, generator=random, dtype=host.dtype)
    return {"real": real, **host.draw({"z": Normal((2,))}, num)}


# --- gradients -------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [0, 1])
def test_gradient_against_finite_differences(index: int) -> None:
    host = host_of(recipe())
    batch, move = batch_of(host), stage().moves[index]
    terms, gradients = host.gradient(move, batch)
    total = sum(float(term.detach()) for term in terms.values())

    def value() -> float:
        found = move.objective(host.nets, batch, host.numbers)
        return sum(float(term.detach()) for term in found.values())

    assert value() == pytest.approx(total, rel=1e-14)
    step = 1e-6
    for parameter, gradient in zip(host.networks[move.player].parameters(), gradients, strict=True):
        assert gradient is not None
        flat, expected = parameter.detach().view(-1), gradient.reshape(-1)
        for i in range(len(flat)):
            flat[i] += step
            above = value()
            flat[i] -= 2 * step
            below = value()
            flat[i] += step
            assert (above - below) / (2 * step) == pytest.approx(float(expected[i]), abs=1e-8)


def test_terms_are_summed_with_their_numbers() -> None:
    host = host_of(recipe())
    batch = batch_of(host)
    terms, _ = host.gradient(stage().moves[0], batch)
    fake = host.nets.D(host.nets.G(batch["z"]))  # type: ignore[attr-defined]
    expected = 0.7 * nn.functional.softplus(fake).mean()
    assert float(terms["fake"].detach()) == pytest.approx(float(expected.detach()), rel=1e-14)


def test_a_network_that_the_objective_ignores_has_no_gradient() -> None:
    alone = Move(player="D", objective=lambda nets, batch, h: {"a": nets.D(batch["real"]).mean()})
    both = Player(name="D", networks=("D", "G"), role="discriminator")
    rules = recipe(stages=(stage(players=(both,), moves=(alone,)),))
    host = host_of(rules)
    before = {name: value.clone() for name, value in host.networks["G"].state_dict().items()}
    _, gradients = host.gradient(alone, batch_of(host))
    # The constant bias of D's last layer aside, D's gradients are there and G's are not.
    assert [gradient is None for gradient in gradients] == [False] * 4 + [True] * 4
    host.update("D", gradients)
    for name, value in host.networks["G"].state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize("index", [0, 1])
def test_only_the_player_requires_gradients_during_its_move(index: int) -> None:
    seen: dict[str, list[bool]] = {}

    def looking(nets: Any, batch: Batch, h: Numbers) -> Terms:
        for name in ("G", "D"):
            seen[name] = [each.requires_grad for each in getattr(nets, name).parameters()]
        return moves[index].objective(nets, batch, h)

    moves = stage().moves
    host = host_of(recipe())
    for move in moves:  # whatever moved before
        host.gradient(move, batch_of(host))
    move = dataclasses.replace(moves[index], objective=looking)
    host.gradient(move, batch_of(host))
    for name, flags in seen.items():
        assert flags == [name == move.player] * 4


def test_a_copy_starts_equal_and_is_never_differentiated() -> None:
    networks = {**recipe().networks, "G_ema": recipe().networks["G"]}
    host = host_of(recipe(networks=networks, copies={"G_ema": "G"}))
    for mine, its in zip(
        host.networks["G_ema"].parameters(), host.networks["G"].parameters(), strict=True
    ):
        assert torch.equal(mine, its)
        assert mine.data_ptr() != its.data_ptr()
    for move in stage().moves:
        host.gradient(move, batch_of(host))
        assert not any(each.requires_grad for each in host.networks["G_ema"].parameters())


def test_a_network_in_evaluation_during_a_move() -> None:
    modes: list[tuple[bool, bool]] = []

    def looking(nets: Any, batch: Batch, h: Numbers) -> Terms:
        modes.append((nets.D.training, nets.G.training))
        return generator(nets, batch, h)

    host = host_of(recipe())
    for in_eval in ((), ("D",)):
        host.gradient(Move(player="G", objective=looking, in_eval=in_eval), batch_of(host))
        assert host.networks["D"].training
    assert modes == [(True, True), (False, True)]


# --- initial weights -------------------------------------------------------------------------


def drawn(host: Solo, name: str) -> Tensor:
    return torch.cat([each.detach().reshape(-1) for each in host.networks[name].parameters()])


def test_initial_weights_depend_on_seed_and_letter_alone() -> None:
    first = host_of(recipe(), "fp32")
    torch.rand(100)
    assert torch.equal(drawn(first, "G"), drawn(host_of(recipe(), "fp32"), "G"))
    networks = recipe().networks
    renamed = recipe(networks={"D": networks["D"], "E": networks["D"], "G": networks["G"]})
    second = host_of(renamed, "fp32")
    assert torch.equal(drawn(first, "G"), drawn(second, "G"))
    assert torch.equal(drawn(first, "D"), drawn(second, "D"))
    assert not torch.equal(drawn(second, "D"), drawn(second, "E"))
    assert not torch.equal(drawn(first, "G"), drawn(host_of(recipe(), "fp32", seed=1), "G"))


def test_initial_weights_do_not_depend_on_the_precision() -> None:
    single, double = host_of(recipe(), "fp32"), host_of(recipe(), "fp64")
    assert torch.equal(drawn(single, "G").double(), drawn(double, "G"))
    assert drawn(double, "G").dtype == double.dtype == torch.float64


def test_building_leaves_the_global_generator() -> None:
    before = torch.get_rng_state()
    host_of(recipe())
    assert torch.equal(before, torch.get_rng_state())


def test_a_generator_is_on_the_device_of_the_parameters(make_run: Callable[..., Run]) -> None:
    run = make_run("model=wgan_gp")
    streams = run.streams()
    host = run.host(streams)
    for name in ("noise", "dropout", "metrics/generated"):
        for network in host.networks.values():
            for parameter in network.parameters():
                assert streams[name].device == parameter.device
    assert streams["order"].device == CPU


# --- updates ---------------------------------------------------------------------------------


def test_rates_are_scaled_from_their_first() -> None:
    section = {**SGD, "generator_lr": 0.3}
    host = host_of(recipe())
    host.enter(stage(), optimizer_maker(OPTIMIZERS["sgd"], section))
    for factor in (10.0, 0.5):
        host.set_rate(factor)
        assert host.rates() == pytest.approx({"D": 0.1 * factor, "G": 0.3 * factor})
    before = drawn(host, "G").clone()
    _, gradients = host.gradient(stage().moves[1], batch_of(host))
    host.update("G", gradients)
    flat = torch.cat([each.reshape(-1) for each in gradients if each is not None])
    torch.testing.assert_close(drawn(host, "G"), before - 0.15 * flat, rtol=1e-13, atol=1e-15)


def test_snapshot_and_restore() -> None:
    host = host_of(recipe())
    before, kept = drawn(host, "D").clone(), host.snapshot("D")
    _, gradients = host.gradient(stage().moves[0], batch_of(host))
    host.update("D", gradients)
    assert not torch.equal(before, drawn(host, "D"))
    host.restore("D", kept)
    assert torch.equal(before, drawn(host, "D"))


def test_entering_a_stage_makes_new_optimizers_and_keeps_weights() -> None:
    adam = dataclasses.asdict(schema.Adam(name="adam", lr=0.1))
    host = host_of(recipe())
    make = optimizer_maker(OPTIMIZERS["adam"], adam)
    host.enter(stage(), make)
    _, gradients = host.gradient(stage().moves[0], batch_of(host))
    host.update("D", gradients)
    before = drawn(host, "D").clone()
    host.enter(stage(), make)
    assert torch.equal(before, drawn(host, "D"))
    host.update("D", gradients)
    first = torch.cat([each.reshape(-1) for each in gradients if each is not None])
    expected = before - 0.1 * first / (first.abs() + 1e-8)  # Adam's first step from nothing
    torch.testing.assert_close(drawn(host, "D"), expected, rtol=1e-12, atol=1e-14)


# --- beside training -------------------------------------------------------------------------


def with_dropout() -> Recipe:
    networks = {
        "G": recipe().networks["G"],
        "D": lambda: nn.Sequential(nn.Linear(2, 50), Dropout(0.5), nn.Linear(50, 1)),
    }
    return recipe(networks=networks)


def test_evaluating_is_without_dropout_and_gradients_and_ends() -> None:
    host = host_of(with_dropout())
    x = torch.randn(3, 2, dtype=torch.float64)
    with host.evaluating() as nets:
        first: Tensor = nets.D(x)  # type: ignore[attr-defined]
        assert torch.equal(first, nets.D(x))  # type: ignore[attr-defined]
        assert not first.requires_grad
    assert host.networks["D"].training
    with pytest.raises(KeyError), host.evaluating():
        raise KeyError
    assert host.networks["D"].training
    assert torch.is_grad_enabled()


def test_dropout_draws_from_its_own_stream() -> None:
    host, move = host_of(with_dropout()), stage().moves[0]
    batch = batch_of(host)
    noise = host.streams["noise"].get_state()
    with host.playing():
        first = host.gradient(move, batch)[0]["real"]
        second = host.gradient(move, batch)[0]["real"]
    assert float(first.detach()) != float(second.detach())
    assert torch.equal(noise, host.streams["noise"].get_state())
    with pytest.raises(RuntimeError, match="source of masks"):
        host.gradient(move, batch)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_weight_or_buffer_that_is_not_finite_is_found(value: float) -> None:
    networks = {
        "G": lambda: nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)),
        "D": recipe().networks["D"],
    }
    host = host_of(recipe(networks=networks))
    assert host.all_finite()
    for tensor in (*host.networks["G"].parameters(), *host.networks["G"].buffers()):
        if not tensor.is_floating_point():
            continue
        kept = tensor.detach().clone()
        tensor.data.view(-1)[-1] = value
        assert not host.all_finite()
        tensor.data.copy_(kept)
    assert host.all_finite()


def test_bf16_is_autocast_over_single_precision_weights() -> None:
    seen: list[torch.dtype] = []

    def looking(nets: Any, batch: Batch, h: Numbers) -> Terms:
        seen.append(nets.G(batch["z"]).dtype)
        return generator(nets, batch, h)

    host = host_of(recipe(), "bf16")
    _, gradients = host.gradient(Move(player="G", objective=looking), batch_of(host))
    assert seen == [torch.bfloat16]
    assert {each.dtype for each in gradients if each is not None} == {torch.float32}
    assert drawn(host, "G").dtype == torch.float32


# --- images: memory layouts ------------------------------------------------------------------


def of_images() -> Recipe:
    """A DCGAN on 8 x 8 images, with G's moving average."""
    section = dataclasses.asdict(
        schema.DcganNetwork(
            generator=schema.DcganGenerator(width=6, upsampling="nearest"),
            discriminator=schema.DcganDiscriminator(
                width=6, norm="none", spectral=True, activation="leaky_relu", attention=4
            ),
        )
    )
    networks: Mapping[str, Callable[[], nn.Module]] = {
        "G": lambda: DCGAN.generator(section, (2,), (3, 8, 8)),
        "D": lambda: DCGAN.discriminator(section, (3, 8, 8)),
    }
    players = (
        Player(
            name="D",
            networks=("D",),
            role="discriminator",
            after=(partial(power_iteration, names=("D",)),),
        ),
        Player(
            name="G",
            networks=("G",),
            role="generator",
            after=(partial(average, source="G", target="G_ema", count="count"),),
        ),
    )
    return Recipe(
        networks={**networks, "G_ema": networks["G"], "count": Count},
        copies={"G_ema": "G"},
        stages=(stage(players=players),),
    )


def images_host(limit: int, monkeypatch: pytest.MonkeyPatch) -> Solo:
    monkeypatch.setattr(optimizers, "FLAT_LIMIT", limit)
    rules = of_images()
    numbers = {**NUMBERS, "model.ema": 0.9}
    host = Solo(rules, numbers, Streams(0, {}), CPU)
    adam = dataclasses.asdict(schema.Adam(name="adam", lr=0.01, beta1=0.5))
    host.enter(rules.stages[0], optimizer_maker(OPTIMIZERS["adam"], adam))
    return host


def play_images(host: Solo, steps: range) -> None:
    for step in steps:
        random = torch.Generator().manual_seed(step)
        batch = {
            "real": torch.rand(4, 3, 8, 8, generator=random),
            "z": torch.randn(4, 2, generator=random),
        }
        for move in of_images().stages[0].moves:
            _, gradients = host.gradient(move, batch)
            host.update(move.player, gradients)


def strides(host: Solo) -> dict[str, tuple[int, ...]]:
    return {
        f"{letter}.{name}": value.stride()
        for letter, network in host.networks.items()
        for name, value in network.named_parameters()
    }


LIMITS = pytest.mark.parametrize("limit", [0, 10**9], ids=["fused", "flat"])


@LIMITS
def test_convolutions_lie_channels_last_and_stay_so(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = images_host(limit, monkeypatch)
    before = strides(host)
    weights = [
        parameter
        for network in host.networks.values()
        for parameter in network.parameters()
        if parameter.dim() == 4 and parameter.shape[1] > 1 and parameter.shape[2] > 1
    ]
    assert len(weights) == 3
    assert all(each.is_contiguous(memory_format=torch.channels_last) for each in weights)
    play_images(host, range(2))
    assert strides(host) == before


@LIMITS
def test_images_go_on_bit_for_bit(
    limit: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = images_host(limit, monkeypatch)
    play_images(whole, range(3))
    torch.save(whole.state_dict(), tmp_path / "state.pt")
    play_images(whole, range(3, 6))
    resumed = images_host(limit, monkeypatch)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    play_images(resumed, range(3, 6))
    assert strides(resumed) == strides(whole)
    for letter, network in whole.networks.items():
        other = resumed.networks[letter].state_dict()
        for name, value in network.state_dict().items():
            assert torch.equal(value, other[name]), (letter, name)


def test_both_forms_of_the_optimizer_agree_on_images(monkeypatch: pytest.MonkeyPatch) -> None:
    flat, fused = images_host(10**9, monkeypatch), images_host(0, monkeypatch)
    for host in (flat, fused):
        play_images(host, range(2))
    for letter, network in flat.networks.items():
        other = fused.networks[letter].state_dict()
        for name, value in network.state_dict().items():
            torch.testing.assert_close(value, other[name], rtol=1e-3, atol=1e-4)
