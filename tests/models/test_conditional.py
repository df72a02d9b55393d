"""The conditional GAN: who sees the condition, and the L1 term by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch.nn import functional as F

from gan_runner.dispatch import Run
from gan_runner.game import Batch
from gan_runner.hosts import Solo

PLAIN = ("model=cgan", "device.precision=fp64", "network=mlp")


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
