"""InfoGAN: its terms by hand, and the information's gradient down to G's and Q's weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gan_runner.dispatch import Run
from gan_runner.game import Batch, Move, Numbers, Objective, Terms
from gan_runner.hosts import Nets, Solo
from gan_runner.models import infogan

MakeRun = Callable[..., Run]
PLAIN = ("model=infogan", "dataset=ring8", "device.precision=fp64", "network=mlp",
         "network.generator.widths=[6]", "network.discriminator.widths=[5]",
         "model.latent_size=3", "model.num_categories=4")  # fmt: skip
SMOOTH = ("network.generator.activation=tanh", "network.discriminator.activation=tanh")
N = 12


def ready(run: Run) -> tuple[Solo, Batch]:
    host = run.host(run.streams())
    (stage,) = run.recipe.stages
    host.enter(stage, run.make_optimizer)
    data = {key: value[:N] for key, value in run.tensors("train", host.dtype).items()}
    return host, {**data, **host.draw(stage.priors, N)}


def moves(run: Run) -> dict[str, Move]:
    return {move.name: move for move in run.recipe.stages[-1].moves}


# --- who is who ------------------------------------------------------------------------------


def test_networks_and_players(make_run: MakeRun) -> None:
    run = make_run(*PLAIN)
    host, batch = ready(run)
    assert list(host.networks) == ["G", "T", "D", "Q"]
    assert {each.name: each.networks for each in host.players.values()} == {
        "D": ("T", "D"), "G": ("G", "Q"),
    }  # fmt: skip
    assert host.players["G"].role == "generator"
    assert host.networks["G"][0].in_features == 3 + 4 + 2  # type: ignore[index, union-attr]
    assert batch["z"].shape == (N, 3)
    assert batch["codes"].shape == (N, 2)
    assert (batch["category"].shape, batch["category"].dtype) == ((N,), torch.int64)


@pytest.mark.parametrize("given", ["62", "null"])
def test_z_has_62_numbers(given: str, make_run: MakeRun) -> None:
    run = make_run("model=infogan", "dataset=ring8", f"model.latent_size={given}")
    assert run.recipe.sample_priors["z"].shape == (62,)  # type: ignore[attr-defined]
    assert make_run("model=infogan", "dataset=ring8").config["model"]["latent_size"] == 62


def test_the_papers_rates(make_run: MakeRun) -> None:
    host, _ = ready(make_run("model=infogan", "dataset=ring8"))
    assert host.rates() == {"D": 2e-4, "G": 1e-3}


def test_codes_are_drawn_alike_in_training_and_sampling(make_run: MakeRun) -> None:
    run = make_run(*PLAIN)
    host, _ = ready(run)
    assert run.recipe.sample_priors == run.recipe.stages[0].priors
    drawn = host.draw(run.recipe.sample_priors, 4000)
    assert torch.bincount(drawn["category"]).tolist() == pytest.approx([1000] * 4, abs=150)
    assert -1 <= float(drawn["codes"].min()) < -0.99
    assert 0.99 < float(drawn["codes"].max()) < 1
    assert float(drawn["codes"].mean()) == pytest.approx(0, abs=0.03)


# --- terms -----------------------------------------------------------------------------------


def by_hand(host: Solo, batch: Batch) -> dict[str, float]:
    """The values of both moves, written out."""
    nets = host.networks
    with torch.no_grad():
        category = F.one_hot(batch["category"], 4).to(batch["z"])
        made = nets["G"](torch.cat([batch["z"], category, batch["codes"]], 1))
        features = nets["T"](made)
        logits, mean, log_variance = nets["Q"](features)
        fake, real = nets["D"](features), nets["D"](nets["T"](batch["real"]))
        chosen = logits.softmax(1)[torch.arange(N), batch["category"]]
        density = (-((batch["codes"] - mean) ** 2) / (2 * log_variance.exp())).exp()
        density = density / (2 * math.pi * log_variance.exp()).sqrt()
    return {
        "D": float(F.softplus(-real).mean() + F.softplus(fake).mean()),
        "G": float(F.softplus(-fake).mean()),
        "categorical": math.log(4) + float(chosen.log().mean()),
        "continuous": 2 * math.log(2) + float(density.log().sum(1).mean()),
    }


def test_the_terms_by_hand(make_run: MakeRun) -> None:
    run = make_run(*PLAIN, "model.lambda_categorical=0.7", "model.lambda_continuous=0.2")
    host, batch = ready(run)
    expected = by_hand(host, batch)
    terms, _ = host.gradient(moves(run)["D"], batch)
    assert {name: each.item() for name, each in terms.items()} == {
        "adversarial": pytest.approx(expected["D"], rel=1e-12)
    }
    terms, _ = host.gradient(moves(run)["G"], batch)
    assert {name: each.item() for name, each in terms.items()} == {
        "adversarial": pytest.approx(expected["G"], rel=1e-12),
        "categorical": pytest.approx(-0.7 * expected["categorical"], rel=1e-12),
        "continuous": pytest.approx(-0.2 * expected["continuous"], rel=1e-12),
    }


def test_the_bounds_are_logged_in_nats(make_run: MakeRun) -> None:
    """Whatever their weights."""
    run = make_run(*PLAIN, "model.lambda_categorical=0.7", "model.lambda_continuous=0.2")
    host, batch = ready(run)
    monitor = run.recipe.monitor
    assert monitor is not None
    with host.evaluating() as nets:
        found = monitor(nets, batch, host.numbers)
        expected = by_hand(host, batch)
        for kind in ("categorical", "continuous"):
            value = float(found[f"information/{kind}"])
            assert value == pytest.approx(expected[kind], rel=1e-12)
    assert {"output/real", "output/fake"} <= set(found)


@pytest.mark.parametrize("loss", ["relativistic", "relativistic_average"])
def test_a_relativistic_generator_sees_the_data(loss: str, make_run: MakeRun) -> None:
    run = make_run(*PLAIN, f"loss={loss}")
    host, batch = ready(run)
    with host.evaluating() as nets:
        fake = nets.D(nets.T(infogan.make_of_codes(nets.G, batch, num_categories=4)))
        real = nets.D(nets.T(batch["real"]))
        against = real - fake if loss == "relativistic" else real.mean() - fake
        expected = F.softplus(against).mean()
        if loss == "relativistic_average":
            expected = expected + F.softplus(real - fake.mean()).mean()
    terms, _ = host.gradient(moves(run)["G"], batch)
    assert terms["adversarial"].item() == pytest.approx(float(expected), rel=1e-12)


def test_without_continuous_codes(make_run: MakeRun) -> None:
    run = make_run(*PLAIN, "model.num_continuous=0")
    host, batch = ready(run)
    assert "codes" not in batch
    assert set(host.gradient(moves(run)["G"], batch)[0]) == {"adversarial", "categorical"}
    assert host.networks["G"][0].in_features == 3 + 4  # type: ignore[index, union-attr]
    assert set(run.recipe.grids) == {"categories"}
    assert run.recipe.probe is not None
    with host.evaluating() as nets:
        assert set(run.recipe.probe(nets, batch["real"])) == {"category"}


def test_a_penalty_is_on_the_trunk_and_d(make_run: MakeRun) -> None:
    run = make_run(*PLAIN, "penalty=r1", "penalty.weight=2")
    host, batch = ready(run)
    x = batch["real"].clone().requires_grad_()
    (slope,) = torch.autograd.grad(host.networks["D"](host.networks["T"](x)).sum(), x)
    terms, _ = host.gradient(moves(run)["D"], batch)
    expected = 2 * 0.5 * slope.square().sum(1).mean()
    assert terms["penalty"].item() == pytest.approx(expected.item(), rel=1e-12)
    assert expected.item() > 0


# --- the gradient of the information ---------------------------------------------------------


def information_alone(objective: Objective) -> Objective:
    def terms(nets: Any, batch: Batch, h: Numbers) -> Terms:
        found = objective(nets, batch, h)
        return {name: each for name, each in found.items() if name != "adversarial"}

    return terms


def slopes(host: Solo, batch: Batch, objective: Objective, letter: str) -> tuple[float, float]:
    """The slope of the objective along a random direction of one network's weights: by autograd,
    and by central differences.
    """
    move = Move(player="G", objective=objective)
    mine = {id(each) for each in host.networks[letter].parameters()}
    weights = [p for name in ("G", "Q") for p in host.networks[name].parameters()]
    generator = torch.Generator().manual_seed(3)
    direction = [
        torch.randn(p.shape, generator=generator, dtype=p.dtype) * (id(p) in mine) for p in weights
    ]
    _, gradients = host.gradient(move, batch)
    by_autograd = sum(
        float((slope * way).sum())
        for slope, way in zip(gradients, direction, strict=True)
        if slope is not None
    )
    values = []
    for sign in (1, -1):
        with torch.no_grad():
            for p, way in zip(weights, direction, strict=True):
                p.add_(way, alpha=sign * 1e-6)
            terms = objective(host.nets, batch, host.numbers)
            values.append(sum(float(term) for term in terms.values()))
            for p, way in zip(weights, direction, strict=True):
                p.sub_(way, alpha=sign * 1e-6)
    return by_autograd, (values[0] - values[1]) / 2e-6


def keeps_the_gradient(run: Run, objective: Objective, letter: str) -> bool:
    """Whether the gradient that a move takes is the slope of what it minimises, and not zero."""
    host, batch = ready(run)
    by_autograd, by_differences = slopes(host, batch, objective, letter)
    assert abs(by_differences) > 1e-3  # there is something to be lost
    return by_autograd == pytest.approx(by_differences, rel=1e-5)


@pytest.mark.parametrize("letter", ["G", "Q"])
@pytest.mark.parametrize("kind", ["categorical", "continuous"])
def test_the_informations_gradient_is_whole(kind: str, letter: str, make_run: MakeRun) -> None:
    other = "continuous" if kind == "categorical" else "categorical"
    run = make_run(*PLAIN, *SMOOTH, f"model.lambda_{other}=0", f"model.lambda_{kind}=1")
    assert keeps_the_gradient(run, information_alone(moves(run)["G"].objective), letter)


@pytest.mark.parametrize("letter", ["G", "Q"])
def test_both_terms_together_as_they_are_weighted(letter: str, make_run: MakeRun) -> None:
    run = make_run(*PLAIN, *SMOOTH)
    assert keeps_the_gradient(run, moves(run)["G"].objective, letter)


def lost(part: str, nets: Any, batch: Batch, h: Numbers, *, objective: Objective) -> Terms:
    """The objective with a slip that costs the information's gradient: see the test below."""

    def detached(*outputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(each.detach() for each in outputs)

    networks: dict[str, Any] = dict(vars(nets))
    if part == "q":
        networks["Q"] = lambda features: detached(*nets.Q(features))
    else:
        networks["Q"] = lambda features: nets.Q(features.detach())
    return objective(Nets(networks), batch, h)


@pytest.mark.parametrize(
    ("slip", "letter", "found"),
    [
        ("q", "G", False),  # Q's outputs detached: nothing is left
        ("q", "Q", False),
        ("features", "G", False),  # T's features detached: Q learns, G does not
        ("features", "Q", True),
    ],
)
def test_a_lost_gradient_is_seen(slip: str, letter: str, found: bool, make_run: MakeRun) -> None:
    run = make_run(*PLAIN, *SMOOTH)
    whole = moves(run)["G"].objective
    slipped = information_alone(partial(lost, slip, objective=whole))
    if slip == "q":  # with nothing to differentiate, autograd would refuse: keep the graph

        def objective(nets: Any, batch: Batch, h: Numbers) -> Terms:
            zero = 0 * whole(nets, batch, h)["adversarial"]
            return {**slipped(nets, batch, h), "zero": zero}

        assert keeps_the_gradient(run, objective, letter) is found
    else:
        assert keeps_the_gradient(run, slipped, letter) is found


# --- what the rest of the house reads --------------------------------------------------------


def test_what_is_read_off_samples(make_run: MakeRun) -> None:
    run = make_run(*PLAIN)
    host, batch = ready(run)
    assert run.recipe.probe is not None
    with host.evaluating() as nets:
        found = run.recipe.probe(nets, batch["real"])
        logits, mean, log_variance = nets.Q(nets.T(batch["real"]))
    assert torch.equal(found["category"], logits)
    assert torch.equal(found["continuous_mean"], mean)
    assert torch.equal(found["continuous_log_variance"], log_variance)
    assert (logits.shape, mean.shape) == ((N, 4), (N, 2))


def test_samples_are_made_of_their_codes(make_run: MakeRun) -> None:
    run = make_run(*PLAIN, "model.ema=0.5")
    host, _ = ready(run)
    batch = host.draw(run.recipe.sample_priors, 5)
    assert run.recipe.sample is not None
    with host.evaluating() as nets:
        made = run.recipe.sample(nets, batch)
        category = F.one_hot(batch["category"], 4).to(batch["z"])
        joined = torch.cat([batch["z"], category, batch["codes"]], 1)
        assert torch.equal(made, host.networks["G_ema"](joined))


def test_grids(make_run: MakeRun) -> None:
    grids = make_run(*PLAIN, "model.num_continuous=3").recipe.grids
    assert list(grids) == ["categories", "code_1", "code_2", "code_3"]
    assert {(grid.rows, grid.columns) for grid in grids.values()} == {(4, 10)}
