"""The adversarial game: its terms by hand, its passes, packing, laziness and averages."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gan_runner.datasets.dataset import as_floats
from gan_runner.dispatch import Run
from gan_runner.engine import play_step
from gan_runner.game import Batch, Move, Terms
from gan_runner.hosts import Solo
from gan_runner.models.passes import packed
from gan_runner.trainer import Trainer

MakeRun = Callable[..., Run]
PLAIN = ("device.precision=fp64", "network=mlp", "network.generator.widths=[6]",
         "network.discriminator.widths=[5]")  # fmt: skip
N = 12


def ready(run: Run) -> tuple[Solo, Batch]:
    """The run's host in its last stage, and a batch with its draws."""
    host = run.host(run.streams())
    stage = run.recipe.stages[-1]
    host.enter(stage, run.make_optimizer)
    rows = run.tensors("train", host.dtype).items()
    tensors = {key: as_floats(value[:N], host.dtype) for key, value in rows}
    batch = {**tensors, **host.draw(stage.priors, N), "progress": torch.zeros((), dtype=host.dtype)}
    return host, batch


def moves(run: Run) -> dict[str, Move]:
    return {move.name: move for move in run.recipe.stages[-1].moves}


def value(terms: Terms) -> float:
    return sum(float(term.detach()) for term in terms.values())


# --- terms -----------------------------------------------------------------------------------


def test_the_terms_of_the_first_gan_by_hand(make_run: MakeRun) -> None:
    run = make_run("model=vgan", *PLAIN)
    host, batch = ready(run)
    with torch.no_grad():
        fake = host.networks["G"](batch["z"])
        real_logits, fake_logits = host.networks["D"](batch["real"]), host.networks["D"](fake)
    terms, _ = host.gradient(moves(run)["D"], batch)
    expected = -real_logits.sigmoid().log().mean() - (1 - fake_logits.sigmoid()).log().mean()
    assert list(terms) == ["adversarial"]
    assert value(terms) == pytest.approx(float(expected), rel=1e-13)
    terms, _ = host.gradient(moves(run)["G"], batch)
    assert value(terms) == pytest.approx(float(-fake_logits.sigmoid().log().mean()), rel=1e-13)


def test_the_terms_of_wgan_gp_by_hand(make_run: MakeRun) -> None:
    run = make_run("model=wgan_gp", *PLAIN)
    host, batch = ready(run)
    D, G = host.networks["D"], host.networks["G"]
    fake = G(batch["z"]).detach()
    mix = batch["mix"].unsqueeze(1)
    between = (mix * batch["real"] + (1 - mix) * fake).requires_grad_()
    (slope,) = torch.autograd.grad(D(between).sum(), between)
    penalty = 10.0 * (slope.norm(dim=1) - 1).square().mean()
    terms, _ = host.gradient(moves(run)["D"], batch)
    critic = D(fake).mean() - D(batch["real"]).mean()
    assert terms["adversarial"].item() == pytest.approx(critic.item(), rel=1e-12)
    assert terms["penalty"].item() == pytest.approx(penalty.item(), rel=1e-12)


@pytest.mark.parametrize("loss", ["relativistic", "relativistic_average"])
def test_a_relativistic_generator_sees_the_data(loss: str, make_run: MakeRun) -> None:
    run = make_run("model=vgan", f"loss={loss}", *PLAIN)
    host, batch = ready(run)
    with torch.no_grad():
        real = host.networks["D"](batch["real"])
        fake = host.networks["D"](host.networks["G"](batch["z"]))
        if loss == "relativistic":
            expected = F.softplus(real - fake).mean()
        else:
            expected = F.softplus(real.mean() - fake).mean() + F.softplus(real - fake.mean()).mean()
    terms, _ = host.gradient(moves(run)["G"], batch)
    assert value(terms) == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.parametrize("model", ["vgan", "wgan_gp", "r3gan", "lsgan"])
@pytest.mark.parametrize("pack", [1, 3])
def test_one_pass_equals_two(model: str, pack: int, make_run: MakeRun) -> None:
    """D sees data and fakes in one pass where no layer mixes samples."""
    options = (f"model={model}", f"model.pack={pack}", "training.batch_size=12", *PLAIN)
    run = make_run(*options)
    apart = make_run(*options, "network.discriminator.norm=layer")
    host, batch = ready(run)
    move = moves(run)["D"]
    assert move.objective.keywords["joint"] is True  # type: ignore[attr-defined]
    assert moves(apart)["D"].objective.keywords["joint"] is True  # type: ignore[attr-defined]
    two = Move(player="D", objective=copy.copy(move.objective))
    two.objective.keywords["joint"] = False  # type: ignore[attr-defined]
    terms, gradients = host.gradient(move, batch)
    move.objective.keywords["joint"] = False  # type: ignore[attr-defined]
    others, slopes = host.gradient(two, batch)
    assert value(terms) == pytest.approx(value(others), rel=1e-13)
    for gradient, slope in zip(gradients, slopes, strict=True):
        torch.testing.assert_close(gradient, slope, rtol=1e-11, atol=1e-13)


def test_batch_normalisation_in_d_keeps_two_passes(make_run: MakeRun) -> None:
    """Goodfellow's and Radford's D normalise data and fakes apart."""
    run = make_run("model=vgan", *PLAIN, "network.discriminator.norm=batch")
    host, batch = ready(run)
    assert moves(run)["D"].objective.keywords["joint"] is False  # type: ignore[attr-defined]
    D, G = copy.deepcopy(host.networks["D"]), copy.deepcopy(host.networks["G"])
    with torch.no_grad():
        expected = F.softplus(-D(batch["real"])).mean() + F.softplus(D(G(batch["z"]))).mean()
    terms, _ = host.gradient(moves(run)["D"], batch)
    assert value(terms) == pytest.approx(float(expected), rel=1e-13)


def test_d_in_evaluation_while_g_moves(make_run: MakeRun) -> None:
    options = ("model=vgan", *PLAIN, "network.discriminator.dropout=0.5")
    for in_eval in (False, True):
        run = make_run(*options, f"model.discriminator_in_eval={str(in_eval).lower()}")
        host, batch = ready(run)
        with host.playing():
            values = {value(host.gradient(moves(run)["G"], batch)[0]) for _ in range(3)}
        assert len(values) == (1 if in_eval else 3)


# --- noise on G's output ---------------------------------------------------------------------


@pytest.mark.parametrize("share", ["true", "false"])
def test_noise_stands_between_g_and_d(share: str, make_run: MakeRun) -> None:
    run = make_run(
        "model=vgan", *PLAIN, "model.output_noise=0.3", "penalty=r2", "penalty.weight=2",
        f"model.share_fakes={share}",
    )  # fmt: skip
    host, batch = ready(run)
    D, G = host.networks["D"], host.networks["G"]
    assert batch["output_noise"].shape == batch["real"].shape
    clean = G(batch["z"]).detach()
    noisy = (clean + 0.3 * batch["output_noise"]).requires_grad_()
    if share == "true":
        batch["fake"] = clean
    with torch.no_grad():
        real_logits, fake_logits = D(batch["real"]), D(noisy)
    (slope,) = torch.autograd.grad(D(noisy).sum(), noisy)
    terms, _ = host.gradient(moves(run)["D"], batch)
    expected = F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()
    assert terms["adversarial"].item() == pytest.approx(float(expected), rel=1e-13)
    squares = slope.square().sum(1).mean()
    assert terms["penalty"].item() == pytest.approx(2 * 0.5 * float(squares), rel=1e-12)
    if share == "false":
        terms, gradients = host.gradient(moves(run)["G"], batch)
        assert value(terms) == pytest.approx(float(F.softplus(-fake_logits).mean()), rel=1e-13)
        assert all(bool(gradient.any()) for gradient in gradients if gradient is not None)


def test_samples_are_clean(make_run: MakeRun) -> None:
    run = make_run("model=vgan", *PLAIN, "model.output_noise=0.3")
    host, batch = ready(run)
    assert run.recipe.sample is not None
    assert set(run.recipe.sample_priors) == {"z"}
    assert set(run.recipe.stages[0].priors) == {"z", "output_noise"}
    with host.evaluating() as nets:
        assert torch.equal(run.recipe.sample(nets, batch), nets.G(batch["z"]))


def test_no_noise_is_drawn_where_none_is_asked_for(make_run: MakeRun) -> None:
    run = make_run("model=vgan", *PLAIN)
    assert set(run.recipe.stages[0].priors) == {"z"}


@pytest.mark.parametrize("model", ["cgan", "acgan", "infogan"])
def test_noise_in_every_game_with_a_latent(model: str, make_run: MakeRun) -> None:
    """The value of G's move follows the noise, and with a weight of 0 it does not."""
    run = make_run(f"model={model}", "dataset=ring8", *PLAIN, "model.output_noise=0.5")
    host, batch = ready(run)
    other = {**batch, "output_noise": -batch["output_noise"]}
    for name, move in moves(run).items():
        assert value(host.gradient(move, batch)[0]) != value(host.gradient(move, other)[0]), name
    host.numbers = {**host.numbers, "model.output_noise": torch.zeros((), dtype=torch.float64)}
    for move in moves(run).values():
        assert value(host.gradient(move, batch)[0]) == value(host.gradient(move, other)[0])


# --- shared fakes ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        ("model=vgan",),
        ("model=wgan_gp", "model.critic_steps=1"),
        ("model=r3gan",),
        ("model=vgan", "penalty=r1", "penalty.every=2"),
        ("model=vgan", "model.pack=2", "training.batch_size=12"),
    ],
)
def test_shared_fakes_are_the_fakes_of_the_same_noise(
    options: tuple[str, ...], make_trainer: Callable[..., Trainer]
) -> None:
    trainer = make_trainer(*options, *PLAIN, "model.share_fakes=true")
    apart = make_trainer(*options, *PLAIN)
    (stage,), (other_stage,) = trainer.run.recipe.stages, apart.run.recipe.stages
    trainer.host.enter(stage, trainer.run.make_optimizer)
    apart.host.enter(other_stage, apart.run.make_optimizer)
    separate = {move.name: move for move in other_stage.moves}
    seen: list[Batch] = []
    gradient = trainer.host.gradient

    def spied(move: Move, batch: Batch) -> tuple[Terms, Any]:
        seen.append(batch)
        return gradient(move, batch)

    trainer.host.gradient = spied  # type: ignore[method-assign]
    for step in range(4):
        found: list[tuple[Move, Terms, Any]] = []

        def report(
            move: Move, turn: int, terms: Terms, grads: Any, found: list[Any] = found
        ) -> None:
            found.append((move, terms, grads))

        seen.clear()
        play_step(stage, trainer.host, trainer._next_batch, step, report)
        assert len({batch["fake"].data_ptr() for batch in seen}) == 1
        for (move, terms, grads), batch in zip(found, seen, strict=True):
            assert batch["fake"].requires_grad is (move.player == "G")
            plain = {key: tensor for key, tensor in batch.items() if key != "fake"}
            others, slopes = apart.host.gradient(separate[move.name], plain)
            assert value(terms) == pytest.approx(value(others), rel=1e-11, abs=1e-14)
            for ours, theirs in zip(grads, slopes, strict=True):
                torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)
            apart.host.update(move.player, slopes)


# --- packing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("penalty", ["gradient_penalty", "r1_r2", "dragan"])
def test_a_packed_game_is_a_game_of_packs(penalty: str, make_run: MakeRun) -> None:
    run = make_run(
        "model=vgan", "model.pack=3", "training.batch_size=12", f"penalty={penalty}", *PLAIN
    )
    host, batch = ready(run)
    D, G = host.networks["D"], host.networks["G"]
    assert D[0].in_features == 6  # type: ignore[index, union-attr]
    with torch.no_grad():
        real = batch["real"].reshape(4, 6)
        fake = G(batch["z"]).reshape(4, 6)
        expected = F.softplus(-D(real)).mean() + F.softplus(D(fake)).mean()
    terms, _ = host.gradient(moves(run)["D"], batch)
    assert terms["adversarial"].item() == pytest.approx(float(expected), rel=1e-13)
    assert terms["penalty"].item() > 0


def test_packs_of_a_batch_larger_than_the_data(make_trainer: Callable[..., Trainer]) -> None:
    make_trainer(
        "model=vgan", "model.pack=2", "training.batch_size=130", "dataset.num_per_mode=7",
        "training.log_every=1", "training.steps=2",
    ).train()  # fmt: skip


# --- lazy penalties --------------------------------------------------------------------------


def test_a_lazy_penalty_is_rare_and_weighted_up(make_trainer: Callable[..., Trainer]) -> None:
    r1 = ("penalty=r1", "penalty.weight=3", "penalty.every=4")
    trainer = make_trainer("model=vgan", *r1, *PLAIN)
    (stage,) = trainer.run.recipe.stages
    trainer.host.enter(stage, trainer.run.make_optimizer)
    names: list[str] = []
    for step in range(9):
        play_step(
            stage, trainer.host, trainer._next_batch, step,
            lambda move, *rest: names.append(move.name),
        )  # fmt: skip
    assert [i for i, name in enumerate(names) if name == "D_lazy"] == [1, 10, 19]

    host, batch = ready(trainer.run)
    x = batch["real"].clone().requires_grad_()
    (slope,) = torch.autograd.grad(host.networks["D"](x).sum(), x)
    expected = 4 * 3.0 * 0.5 * slope.square().sum(1).mean()
    terms, _ = host.gradient(moves(trainer.run)["D_lazy"], batch)
    assert terms["penalty"].item() == pytest.approx(expected.item(), rel=1e-12)
    assert set(host.gradient(moves(trainer.run)["D"], batch)[0]) == {"adversarial"}


# --- whole runs ------------------------------------------------------------------------------


def test_d_moves_five_times_for_one_move_of_wgans_g(make_trainer: Callable[..., Trainer]) -> None:
    trainer = make_trainer("model=wgan", "training.steps=23")
    trainer.train()
    assert trainer.updates == {"D": 23, "G": 5}
    for parameter in trainer.host.networks["D"].parameters():
        assert float(parameter.detach().abs().max()) <= 0.01
    largest = max(float(p.detach().abs().max()) for p in trainer.host.networks["G"].parameters())
    assert largest > 0.1


def test_samples_come_from_the_average(make_trainer: Callable[..., Trainer]) -> None:
    trainer = make_trainer("model=vgan", "model.ema=0.5", "training.steps=3")
    trainer.train()
    run, host = trainer.run, trainer.host
    assert run.recipe.sample is not None
    batch = {"z": torch.randn(5, 2)}
    with host.evaluating() as nets:
        sampled: Tensor = run.recipe.sample(nets, batch)
        assert torch.equal(sampled, host.networks["G_ema"](batch["z"]))
        assert not torch.equal(sampled, host.networks["G"](batch["z"]))


def test_the_average_follows_every_update_of_g(make_trainer: Callable[..., Trainer]) -> None:
    decay, history = 0.8, []

    trainer = make_trainer("model=wgan_gp", "model.ema=0.8", "training.steps=11", *PLAIN)
    update = trainer.host.update

    def watched(player: str, *given: Any, **options: Any) -> None:
        update(player, *given, **options)
        if player == "G":
            history.append(torch.cat([p.detach().reshape(-1) for p in network.parameters()]))

    network = trainer.host.networks["G"]
    history.append(torch.cat([p.detach().reshape(-1).clone() for p in network.parameters()]))
    trainer.host.update = watched  # type: ignore[method-assign]
    trainer.train()
    assert len(history) == 1 + 3
    expected = history[0]
    for num_updates, current in enumerate(history[1:]):
        share = max(1 - decay, 9 / (10 + num_updates))
        expected = (1 - share) * expected + share * current
    averaged = trainer.host.networks["G_ema"]
    found = torch.cat([p.detach().reshape(-1) for p in averaged.parameters()])
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-15)
    assert not torch.allclose(found, history[-1], rtol=1e-5)


@pytest.mark.parametrize(("loss", "probabilities"), [("nonsaturating", True), ("hinge", False)])
def test_outputs_are_reported_in_ds_scale(
    loss: str, probabilities: bool, make_run: MakeRun
) -> None:
    run = make_run("model=vgan", f"loss={loss}", *PLAIN)
    assert run.recipe.probabilities is probabilities
    host, batch = ready(run)
    monitor = run.recipe.monitor
    assert monitor is not None
    with host.evaluating() as nets:
        found = monitor(nets, batch, host.numbers)
        logits = host.networks["D"](batch["real"])
        expected = (logits.sigmoid() if probabilities else logits).mean()
        assert float(found["output/real"]) == pytest.approx(float(expected), rel=1e-14)
    assert set(found) == {"output/real", "output/fake"}


@pytest.mark.parametrize(("given", "expected"), [("null", 2), ("7", 7)])
def test_the_latent_size_follows_the_data(given: str, expected: int, make_run: MakeRun) -> None:
    run = make_run("model=vgan", f"model.latent_size={given}", *PLAIN)
    host, batch = ready(run)
    assert batch["z"].shape == (N, expected)
    assert host.networks["G"][0].in_features == expected  # type: ignore[index, union-attr]


def test_images_have_a_latent_size_of_100(make_run: MakeRun) -> None:
    for model in ("dcgan", "cdcgan", "acgan"):
        z = make_run(f"model={model}").recipe.sample_priors["z"]
        assert z.shape == (100,)  # type: ignore[attr-defined]


def test_packs_of_images_are_channels(make_run: MakeRun) -> None:
    run = make_run("model=pacgan")
    host, batch = ready(run)
    assert packed(batch["real"], 2).shape == (N // 2, 2, 8, 8)
    assert host.networks["D"](packed(batch["real"], 2)).shape == (N // 2, 1)
