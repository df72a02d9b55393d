"""The auxiliary classifier GAN: its terms by hand, its passes, and what is read off it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import pytest
import torch
from torch.nn import functional as F

from gan_runner.dispatch import Run
from gan_runner.game import Batch, Move
from gan_runner.hosts import Nets, Solo
from gan_runner.losses.adversarial import LOSSES
from gan_runner.models import acgan
from gan_runner.models.adversarial import trunk_score

MakeRun = Callable[..., Run]
PLAIN = ("model=acgan", "dataset=ring8", "device.precision=fp64", "network=mlp",
         "network.generator.widths=[6]", "network.discriminator.widths=[5]")  # fmt: skip
N = 12


def ready(run: Run) -> tuple[Solo, Batch]:
    host = run.host(run.streams())
    (stage,) = run.recipe.stages
    host.enter(stage, run.make_optimizer)
    data = {key: value[:N] for key, value in run.tensors("train", host.dtype).items()}
    return host, {**data, **host.draw(stage.priors, N)}


def moves(run: Run) -> dict[str, Move]:
    return {move.name: move for move in run.recipe.stages[-1].moves}


def test_networks_and_players(make_run: MakeRun) -> None:
    run = make_run(*PLAIN)
    host, batch = ready(run)
    assert list(host.networks) == ["G", "T", "D", "C"]
    assert {each.name: each.networks for each in host.players.values()} == {
        "D": ("T", "D", "C"), "G": ("G",),
    }  # fmt: skip
    assert set(batch) == {"real", "label", "z"}
    assert set(run.recipe.sample_priors) == {"z", "label"}
    assert run.recipe.sample_priors["label"].num_classes == 8  # type: ignore[attr-defined]


def test_silent_networks_by_hand() -> None:
    """With logits of 0: ln 2 twice for the source, lambda ln 4 for each class term."""
    nets = Nets(
        {
            "G": lambda z, label: z,
            "T": lambda x: x,
            "D": lambda f: f.new_zeros(len(f), 1),
            "C": lambda f: f.new_zeros(len(f), 4),
        }
    )
    batch = {"real": torch.ones(3, 2), "z": torch.ones(3, 2), "label": torch.tensor([0, 3, 1])}
    h = {
        "model.lambda_class": torch.tensor(0.5),
        "loss.real_label": torch.tensor(1.0),
        "loss.fake_label": torch.tensor(0.0),
        "loss.generator_label": torch.tensor(1.0),
    }
    view = {
        "fake": lambda nets, batch: nets.G(batch["z"], batch["label"]),
        "critic": trunk_score,
        "pack": 1,
        "loss": LOSSES["nonsaturating"],
    }
    found = acgan.discriminator(nets, batch, h, joint=True, penalty=None, **view)  # type: ignore[arg-type]
    assert {name: float(term) for name, term in found.items()} == pytest.approx(
        {"adversarial": 1.3862944, "class_real": 0.6931472, "class_fake": 0.6931472}
    )
    found = acgan.generator(nets, batch, h, **view)  # type: ignore[arg-type]
    assert {name: float(term) for name, term in found.items()} == pytest.approx(
        {"adversarial": 0.6931472, "class": 0.6931472}
    )


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_the_terms_by_hand(norm: str, make_run: MakeRun) -> None:
    run = make_run(*PLAIN, "model.lambda_class=0.3", f"network.discriminator.norm={norm}")
    host, batch = ready(run)
    nets = {letter: copy.deepcopy(network) for letter, network in host.networks.items()}
    label, rows = batch["label"], torch.arange(N)
    with torch.no_grad():
        made = nets["G"](batch["z"], label)
        real, fake = nets["T"](batch["real"]), nets["T"](made)
        source_real, source_fake = nets["D"](real), nets["D"](fake)
        class_real = -nets["C"](real).softmax(1)[rows, label].log().mean()
        class_fake = -nets["C"](fake).softmax(1)[rows, label].log().mean()
        source = F.softplus(-source_real).mean() + F.softplus(source_fake).mean()
    # Data and fakes are normalised apart.
    assert moves(run)["D"].objective.keywords["joint"] is (norm == "none")  # type: ignore[attr-defined]
    terms, _ = host.gradient(moves(run)["D"], batch)
    assert {name: each.item() for name, each in terms.items()} == {
        "adversarial": pytest.approx(float(source), rel=1e-12),
        "class_real": pytest.approx(0.3 * float(class_real), rel=1e-12),
        "class_fake": pytest.approx(0.3 * float(class_fake), rel=1e-12),
    }
    terms, _ = host.gradient(moves(run)["G"], batch)
    assert {name: each.item() for name, each in terms.items()} == {
        "adversarial": pytest.approx(float(F.softplus(-source_fake).mean()), rel=1e-12),
        "class": pytest.approx(0.3 * float(class_fake), rel=1e-12),
    }


def test_one_pass_equals_two(make_run: MakeRun) -> None:
    run = make_run(*PLAIN, "penalty=gradient_penalty")
    host, batch = ready(run)
    move = moves(run)["D"]
    two = Move(player="D", objective=copy.copy(move.objective))
    two.objective.keywords["joint"] = False  # type: ignore[attr-defined]
    _, gradients = host.gradient(move, batch)
    move.objective.keywords["joint"] = False  # type: ignore[attr-defined]
    _, slopes = host.gradient(two, batch)
    for gradient, slope in zip(gradients, slopes, strict=True):
        torch.testing.assert_close(gradient, slope, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("loss", ["relativistic", "relativistic_average"])
def test_a_relativistic_generator_sees_the_data(loss: str, make_run: MakeRun) -> None:
    run = make_run(*PLAIN, f"loss={loss}")
    host, batch = ready(run)
    with host.evaluating() as nets:
        fake = nets.D(nets.T(nets.G(batch["z"], batch["label"])))
        real = nets.D(nets.T(batch["real"]))
        if loss == "relativistic":
            expected = F.softplus(real - fake).mean()
        else:
            expected = F.softplus(real.mean() - fake).mean() + F.softplus(real - fake.mean()).mean()
    terms, _ = host.gradient(moves(run)["G"], batch)
    assert terms["adversarial"].item() == pytest.approx(float(expected), rel=1e-12)


def test_a_penalty_is_on_the_source_alone(make_run: MakeRun) -> None:
    run = make_run(*PLAIN, "penalty=r1", "penalty.weight=2")
    host, batch = ready(run)
    x = batch["real"].clone().requires_grad_()
    (slope,) = torch.autograd.grad(host.networks["D"](host.networks["T"](x)).sum(), x)
    terms, _ = host.gradient(moves(run)["D"], batch)
    expected = 2 * 0.5 * slope.square().sum(1).mean()
    assert terms["penalty"].item() == pytest.approx(expected.item(), rel=1e-12)
    assert expected.item() > 0


def test_outputs_and_accuracies_are_reported(make_run: MakeRun) -> None:
    run = make_run(*PLAIN)
    host, batch = ready(run)
    monitor = run.recipe.monitor
    assert monitor is not None
    with host.evaluating() as nets:
        found = monitor(nets, batch, host.numbers)
        for name, samples in (
            ("real", batch["real"]), ("fake", nets.G(batch["z"], batch["label"])),
        ):  # fmt: skip
            features = nets.T(samples)
            right = nets.C(features).argmax(1).eq(batch["label"]).double().mean()
            assert float(found[f"class_accuracy/{name}"]) == pytest.approx(float(right), abs=1e-7)
            output = nets.D(features).sigmoid().mean()
            assert float(found[f"output/{name}"]) == pytest.approx(float(output), rel=1e-12)


def test_what_is_read_and_shown(make_run: MakeRun) -> None:
    run = make_run(*PLAIN)
    host, batch = ready(run)
    assert run.recipe.probe is not None
    with host.evaluating() as nets:
        found = run.recipe.probe(nets, batch["real"])
        assert torch.equal(found["class"], nets.C(nets.T(batch["real"])))
    assert set(found) == {"class"}
    assert set(run.recipe.grids) == {"classes"}
    assert (run.recipe.grids["classes"].rows, run.recipe.grids["classes"].columns) == (8, 10)


def test_d_in_evaluation_is_all_of_d(make_run: MakeRun) -> None:
    run = make_run(*PLAIN, "model.discriminator_in_eval=true")
    assert moves(run)["G"].in_eval == ("T", "D", "C")
    assert math.isclose(run.numbers["model.lambda_class"], 1.0)
