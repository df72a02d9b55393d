"""The conditional GAN: who sees the condition or the label, and the L1 term by hand."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gan_runner.dispatch import Run
from gan_runner.game import Batch
from gan_runner.hosts import Solo

PLAIN = ("model=cgan", "device.precision=fp64", "network=mlp")
LABELS = (*PLAIN, "dataset=ring8", "network.generator.widths=[6]",
          "network.discriminator.widths=[5]")  # fmt: skip


def ready(run: Run) -> tuple[Solo, Batch]:
    host = run.host(run.streams())
    (stage,) = run.recipe.stages
    host.enter(stage, run.make_optimizer)
    data = run.tensors("train", host.dtype)
    return host, {**data, **host.draw(stage.priors, len(data["real"]))}


@pytest.mark.parametrize("latent", [1, 4])
def test_sizes(latent: int, make_run: Callable[..., Run]) -> None:
    host, batch = ready(make_run(*PLAIN, f"model.latent_size={latent}"))
    assert batch["z"].shape == (60, latent)
    assert host.networks["G"][0].in_features == 2 + latent  # type: ignore[index, union-attr]
    assert host.networks["D"][0].in_features == 2 + 3  # type: ignore[index, union-attr]


def test_the_terms_by_hand(make_run: Callable[..., Run]) -> None:
    run = make_run(*PLAIN, "model.lambda_l1=0.3")
    host, batch = ready(run)
    G, D, low = host.networks["G"], host.networks["D"], batch["low"]
    with torch.no_grad():
        made = G(torch.cat([low, batch["z"]], 1))
        fake = D(torch.cat([low, made], 1))
        real = D(torch.cat([low, batch["real"]], 1))
    for_d, for_g = run.recipe.stages[0].moves
    terms, _ = host.gradient(for_d, batch)
    expected = F.softplus(-real).mean() + F.softplus(fake).mean()
    assert terms["adversarial"].item() == pytest.approx(float(expected), rel=1e-13)
    terms, _ = host.gradient(for_g, batch)
    assert terms["adversarial"].item() == pytest.approx(float(F.softplus(-fake).mean()), rel=1e-13)
    l1 = 0.3 * (made - batch["real"]).abs().mean()
    assert terms["l1"].item() == pytest.approx(float(l1), rel=1e-13)


def test_a_penalty_is_on_the_sample_not_the_condition(make_run: Callable[..., Run]) -> None:
    run = make_run(*PLAIN, "penalty=r1", "penalty.weight=2")
    host, batch = ready(run)
    x = batch["real"].clone().requires_grad_()
    scores = host.networks["D"](torch.cat([batch["low"], x], 1))
    (slope,) = torch.autograd.grad(scores.sum(), x)
    terms, _ = host.gradient(run.recipe.stages[0].moves[0], batch)
    expected = 2 * 0.5 * slope.square().sum(1).mean()
    assert terms["penalty"].item() == pytest.approx(expected.item(), rel=1e-12)


def test_samples_keep_their_conditions(make_run: Callable[..., Run]) -> None:
    run = make_run(*PLAIN)
    host, batch = ready(run)
    assert run.recipe.sample is not None
    with host.evaluating() as nets:
        made = run.recipe.sample(nets, {"low": batch["low"], "z": batch["z"]})
        flipped = run.recipe.sample(nets, {"low": batch["low"].flip(0), "z": batch["z"].flip(0)})
    torch.testing.assert_close(made, flipped.flip(0))
    assert made.shape == (60, 3)


def test_two_numbers_in_z_beside_a_pair(make_run: Callable[..., Run]) -> None:
    run = make_run(*PLAIN)
    assert run.config["model"]["latent_size"] is None
    assert run.recipe.sample_priors["z"].shape == (2,)  # type: ignore[attr-defined]
    assert run.recipe.data == ("real", "low")
    assert run.recipe.paired


# --- labels ----------------------------------------------------------------------------------


def test_pairs_come_before_labels(make_run: Callable[..., Run]) -> None:
    """gauss3d has both."""
    assert "label" in make_run(*PLAIN).dataset.splits["train"]
    assert "label" not in make_run(*PLAIN).recipe.sample_priors
    recipe = make_run(*LABELS).recipe
    assert recipe.data == ("real", "label")
    assert not recipe.paired
    assert recipe.sample_priors["label"].num_classes == 8  # type: ignore[attr-defined]
    assert set(recipe.stages[0].priors) == {"z"}  # labels are the batch's own


@pytest.mark.parametrize(("given", "size"), [("null", 2), ("5", 5)])
def test_the_latent_size_follows_the_data(
    given: str, size: int, make_run: Callable[..., Run]
) -> None:
    run = make_run(*LABELS, f"model.latent_size={given}")
    assert run.recipe.sample_priors["z"].shape == (size,)  # type: ignore[attr-defined]


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_the_terms_with_labels_by_hand(norm: str, make_run: Callable[..., Run]) -> None:
    run = make_run(*LABELS, f"network.discriminator.norm={norm}", "model.lambda_l1=7")
    host, batch = ready(run)
    D, G = (copy.deepcopy(host.networks[letter]) for letter in "DG")
    with torch.no_grad():
        fake = D(G(batch["z"], batch["label"]), batch["label"])
        real = D(batch["real"], batch["label"])
    for_d, for_g = run.recipe.stages[0].moves
    assert for_d.objective.keywords["joint"] is (norm == "none")  # type: ignore[attr-defined]
    terms, _ = host.gradient(for_d, batch)
    expected = F.softplus(-real).mean() + F.softplus(fake).mean()
    assert terms["adversarial"].item() == pytest.approx(float(expected), rel=1e-12)
    terms, _ = host.gradient(for_g, batch)
    assert set(terms) == {"adversarial"}  # no pair, no L1
    assert terms["adversarial"].item() == pytest.approx(float(F.softplus(-fake).mean()), rel=1e-12)


@pytest.mark.parametrize("penalty", ["r1", "r1_r2", "gradient_penalty"])
def test_a_penalty_is_on_samples_of_their_labels(
    penalty: str, make_run: Callable[..., Run]
) -> None:
    run = make_run(*LABELS, f"penalty={penalty}", "penalty.weight=2")
    host, batch = ready(run)
    D, G, label = host.networks["D"], host.networks["G"], batch["label"]

    def squares(samples: Tensor) -> Tensor:
        x = samples.detach().requires_grad_()
        (slope,) = torch.autograd.grad(D(x, label).sum(), x)
        return slope.square().sum(1)

    real, fake = batch["real"], G(batch["z"], label)
    if penalty == "gradient_penalty":
        mix = batch["mix"][:, None]
        expected = (squares(mix * real + (1 - mix) * fake).sqrt() - 1).square().mean()
    else:
        expected = 0.5 * squares(real).mean()
        expected = expected + (0.5 * squares(fake).mean() if penalty == "r1_r2" else 0)
    terms, _ = host.gradient(run.recipe.stages[0].moves[0], batch)
    assert terms["penalty"].item() == pytest.approx(2 * expected.item(), rel=1e-11)


def test_labels_decide_samples(make_run: Callable[..., Run]) -> None:
    run = make_run(*LABELS)
    host, _ = ready(run)
    assert run.recipe.sample is not None
    drawn = host.draw(run.recipe.sample_priors, 6)
    with host.evaluating() as nets:
        made = run.recipe.sample(nets, drawn)
        assert torch.equal(made, nets.G(drawn["z"], drawn["label"]))
        other = run.recipe.sample(nets, {**drawn, "label": (drawn["label"] + 1) % 8})
    assert bool((made != other).any(1).all())


def test_the_grid_of_classes(make_run: Callable[..., Run]) -> None:
    grids = make_run(*LABELS).recipe.grids
    assert {name: (grid.rows, grid.columns) for name, grid in grids.items()} == {"classes": (8, 10)}
    assert not make_run(*PLAIN).recipe.grids
