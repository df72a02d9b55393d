"""StyleGAN's game: stages, styles, objectives, what it remembers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from gan_runner import api
from gan_runner.dispatch import Run
from gan_runner.draws import generate
from gan_runner.losses.penalties import r1
from gan_runner.models.growing import Resolution, timeline
from gan_runner.models.stylegan import at_weight, path_length, sample, styles
from gan_runner.networks.path_length import PathLength
from gan_runner.trainer import Trainer
from gan_runner.walk import walk

MakeRun = Callable[..., Run]
MakeTrainer = Callable[..., Trainer]
SMALL = (
    "network.mapping.style_size=8", "network.mapping.layers=2", "model.latent_size=8",
    "training.batch_size=8",
)  # fmt: skip
GROWING = ("model=stylegan", "dataset.size=16", "model.first_size=4", *SMALL)
SECOND = ("model=stylegan2", "penalty.every=2", "model.path_every=2", *SMALL)
AUGMENTED = ("model.augment=[flip,rotate,translate,geometry,colour]", "model.augment_images=100")


# --- stages ----------------------------------------------------------------------------------


def model(**changes: Any) -> Mapping[str, Any]:
    return {"first_size": 8, "grows": True, "growth_share": 0.5, "fade_share": 0.5, **changes}


def test_a_stage_for_each_resolution() -> None:
    found = timeline(model(), 3)  # 8, 16, 32
    assert [at.size for at, _ in found] == [8, 16, 32]
    assert [share for _, share in found] == [0.25, 0.25, 0.5]
    assert [(at.start, at.length) for at, _ in found] == [(0.0, 0.0), (0.25, 0.125), (0.5, 0.125)]


def test_one_stage_where_nothing_grows() -> None:
    for changes in ({"grows": False}, {"first_size": 32}, {"first_size": 64}):
        ((at, share),) = timeline(model(**changes), 3)
        assert (at.size, at.length, share) == (32, 0.0, 1.0)
    with pytest.raises(ValueError, match=r"model.first_size=12: must be 4, 8, 16"):
        timeline(model(first_size=12), 3)


def test_stages_draw_noise_up_to_their_resolution(make_run: MakeRun) -> None:
    stages = make_run(*GROWING).recipe.stages
    assert [each.name for each in stages] == ["4x4", "8x8", "16x16"]
    for number, stage in enumerate(stages):
        noises = {name for name in stage.priors if name.startswith("noise_")}
        assert noises == {f"noise_{4 * 2**level}" for level in range(number + 1)}


def test_the_share_follows_progress_within_a_stage() -> None:
    at = Resolution(level=2, top=3, start=0.25, length=0.5)
    assert float(at.share({"progress": torch.tensor(0.5)})) == 0.5  # type: ignore[arg-type]
    assert Resolution(level=2, top=3).share({"progress": torch.tensor(0.5)}) is None


# --- styles ----------------------------------------------------------------------------------


def test_styles_change_over_at_one_layer_with_the_probability_of_mixing() -> None:
    num, layers = 4000, 6
    draw = torch.Generator().manual_seed(0)
    batch = {
        "z": torch.zeros(num, 1),
        "z_mix": torch.ones(num, 1),
        "crossover": torch.rand(num, 2, generator=draw),
    }
    found = styles(lambda z: z, batch, layers, 0.9)[:, :, 0]  # [N, layers] of zeros and ones
    assert bool((found[:, 1:] >= found[:, :-1]).all())  # once changed over, it stays
    count = found.sum(1)
    assert float((count > 0).float().mean()) == pytest.approx(0.9, abs=0.02)
    assert not found[:, 0].any()  # the first layer is always the first z's
    for number in range(1, layers):  # each place is as likely
        assert float((count == number).float().mean()) == pytest.approx(0.18, abs=0.02)
    assert not styles(lambda z: z, {"z": batch["z"]}, layers, 0.9).any()


def fake_nets(**more: Any) -> Any:
    """F doubles z, S gives back the layers' styles."""

    def mapping(z: Tensor) -> Tensor:
        return 2 * z

    mapping.running_mean = torch.full((3,), 0.2)  # type: ignore[attr-defined]
    return SimpleNamespace(F=mapping, S=lambda w, noise, **_: w, **more)


def test_sampling_takes_truncation_mixing_and_ways_in_w() -> None:
    z, other = torch.full((2, 3), 0.1), torch.full((2, 3), 0.3)
    run = {"F": "F", "S": "S", "levels": 2}
    assert torch.allclose(sample(fake_nets(), {"z": z}, **run), torch.full((2, 4, 3), 0.2))
    mixed = torch.tensor([[False, True, False, True], [False] * 4])
    out = sample(fake_nets(), {"z": z, "z_mix": other, "mixed": mixed}, **run)
    assert torch.allclose(out[0, :, 0], torch.tensor([0.2, 0.6, 0.2, 0.6]))
    assert torch.allclose(out[1], torch.full((4, 3), 0.2))
    out = sample(fake_nets(), {"z": z, "z_mix": other, "toward": torch.tensor([0.5, 1.0])}, **run)
    assert torch.allclose(out[:, 0, 0], torch.tensor([0.4, 0.6]))
    out = sample(fake_nets(), {"z": other, "psi": torch.tensor([0.5, 0.0])}, **run)
    assert torch.allclose(out[:, 0, 0], torch.tensor([0.4, 0.2]))


# --- objectives ------------------------------------------------------------------------------


def test_path_length_by_hand() -> None:
    """S(w) = 3 (sum of w) at every pixel: the gradient is 3 (sum of y) / side in each number."""
    at = Resolution(level=0, top=0)
    noise = torch.randn(5, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    nets = SimpleNamespace(
        F=lambda z: z,
        S=lambda w, noise, **_: 3 * w.sum((1, 2))[:, None, None, None].expand(-1, 1, 4, 4),
        P=PathLength().double(),
    )
    batch = {"z": torch.ones(5, 2, dtype=torch.float64), "path_noise": noise}
    h = {"model.path_weight": torch.tensor(2.0, dtype=torch.float64)}
    found = path_length(nets, batch, h, at=at, mixing=0.0, every=4)["path_length"]
    lengths = (3 * noise.sum((1, 2, 3)) / 4).abs() * math.sqrt(2)  # two numbers in a layer's w
    expected = 4 * 2.0 * (lengths - 0.01 * lengths.mean()).square().mean()
    assert torch.allclose(found, expected)
    assert torch.allclose(nets.P.running_length, 0.01 * lengths.mean())


def test_lazy_r1_is_r1_in_expectation() -> None:
    """On D(x) = a x^2 the mean step over sixteen is that of R1 on every step, for any data."""
    draw = torch.Generator().manual_seed(0)
    data = torch.randn(1600, 8, 1, dtype=torch.float64, generator=draw)
    h = {"penalty.weight": torch.tensor(10.0, dtype=torch.float64)}

    def gradient(real: Tensor) -> Tensor:
        a = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
        value = h["penalty.weight"] * r1(lambda x: a * x.square(), real, real, h, {})
        return torch.autograd.grad(value, a)[0]

    each = torch.stack([gradient(real) for real in data])
    lazy = 16 * each[::16]
    assert float(each.mean()) == pytest.approx(10 * 4 * 0.3, rel=0.05)  # gamma 4 a E x^2
    assert float(lazy.mean() / 16) == pytest.approx(float(each.mean()), rel=0.1)
    # and summed over a period of equal data it is the same to rounding
    same = gradient(data[0])
    assert torch.allclose(16 * same, sum(gradient(data[0]) for _ in range(16)))  # type: ignore[arg-type]


def test_the_lazy_move_is_r1_times_its_distance(make_trainer: MakeTrainer) -> None:
    plain = make_trainer(*SECOND, "penalty.every=1")
    lazy = make_trainer(*SECOND, "penalty.every=16")
    seen: dict[str, dict[str, Tensor]] = {}
    for name, trainer in (("plain", plain), ("lazy", lazy)):
        stage = trainer.run.recipe.stages[0]
        trainer.host.enter(stage, trainer.run.make_optimizer)
        batch = trainer._next_batch() | trainer.host.draw(stage.priors, 8)
        moves = {move.name: move for move in stage.moves}
        move = moves["D" if name == "plain" else "D_lazy"]
        seen[name] = trainer.host.gradient(move, batch)[0]
    assert torch.allclose(seen["lazy"]["penalty"], 16 * seen["plain"]["penalty"], rtol=1e-4)


@pytest.mark.parametrize("every", [1, 4])
def test_a_penaltys_weight_may_depend_on_the_resolution(
    make_trainer: MakeTrainer, every: int
) -> None:
    found = []
    for exponent in ("null", "2"):
        trainer = make_trainer(
            *GROWING, f"penalty.every={every}", f"model.penalty_exponent={exponent}"
        )
        found.append([])
        for stage in trainer.run.recipe.stages:  # 4 x 4, 8 x 8, 16 x 16
            trainer.host.enter(stage, trainer.run.make_optimizer)
            batch = trainer._next_batch() | trainer.host.draw(stage.priors, 8)
            move = next(each for each in stage.moves if each.name == ("D", "D_lazy")[every > 1])
            terms = trainer.host.gradient(move, {**batch, "progress": torch.tensor(1.0)})[0]
            found[-1].append(float(terms["penalty"].detach()))
    plain, scaled = found
    assert scaled == pytest.approx([plain[0] / 16, plain[1] / 4, plain[2]], rel=1e-4)


def test_exponent_2_is_one_penalty_for_what_tells_the_same_apart() -> None:
    """D of pooled images has a quarter of the squared gradient that it has in the pooled pixels."""
    draw = torch.Generator().manual_seed(0)
    weight, images = torch.randn(4, 4, generator=draw), torch.randn(8, 1, 8, 8, generator=draw)

    def coarse(x: Tensor) -> Tensor:
        return (x[:, 0] * weight).sum((1, 2)).tanh()

    def fine(x: Tensor) -> Tensor:
        return coarse(torch.nn.functional.avg_pool2d(x, 2))

    h = {"penalty.weight": torch.tensor(1.0), "model.penalty_exponent": torch.tensor(2.0)}
    factor = at_weight(h, Resolution(level=0, top=1))["penalty.weight"]
    pooled = torch.nn.functional.avg_pool2d(images, 2)
    assert torch.allclose(
        factor * r1(coarse, pooled, pooled, h, {}), r1(fine, images, images, h, {})
    )


def test_an_exponent_without_a_penalty_is_refused(make_run: MakeRun) -> None:
    with pytest.raises(ValueError, match=r"model.penalty_exponent=2: there is no penalty"):
        make_run("model=stylegan", "penalty=none", "model.penalty_exponent=2", *SMALL)


def test_rates_and_betas_are_corrected_for_lazy_terms(make_trainer: MakeTrainer) -> None:
    """D: 2 / 3 for every = 2; G: 4 / 5 for path lengths every 4 (Karras et al. 2020, B)."""
    rates = {}
    for corrected in ("true", "false"):
        trainer = make_trainer(
            *SECOND, "model.path_every=4", f"model.lazy_correction={corrected}",
            "training.steps=1",
        )  # fmt: skip
        trainer.train()
        rates[corrected] = trainer.host.rates()
    assert rates["false"] == {"D": 2e-3, "G": 2e-3}
    assert rates["true"] == {"D": pytest.approx(2e-3 * 2 / 3), "G": pytest.approx(2e-3 * 4 / 5)}


# --- what it remembers -----------------------------------------------------------------------


def test_pictures_between_steps_show_the_stage(make_trainer: MakeTrainer) -> None:
    """At the end of a stage the samples are those of its resolution, doubled."""
    trainer = make_trainer(*GROWING, "training.steps=8")
    for _ in range(2):  # the first of three stages: 4 x 4
        trainer._play()
    images, _ = generate(trainer.run, trainer.host, 3, torch.Generator().manual_seed(0))
    assert images.shape == (3, 1, 16, 16)
    blocks = images.unfold(2, 4, 4).unfold(3, 4, 4)  # [N, 1, 4, 4, 4, 4]
    assert torch.equal(blocks, blocks[..., :1, :1].expand_as(blocks))
    trainer.train()
    images, _ = generate(trainer.run, trainer.host, 3, torch.Generator().manual_seed(0))
    assert not torch.equal(images[..., ::2], images[..., 1::2])
    assert trainer.host.networks["R"].running_share.tolist() == [1.0, 1.0, 1.0]  # type: ignore[union-attr, operator]


def test_only_averages_and_memories_move_beside_a_players_networks(
    make_trainer: MakeTrainer, weights: Callable[..., dict[str, Tensor]]
) -> None:
    trainer = make_trainer(*SECOND, *AUGMENTED, "training.steps=8")
    before = weights(trainer.host)
    trainer.train()
    after = weights(trainer.host)
    moved = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert {"A.running_p", "P.running_length", "F.running_mean", "F_ema.running_mean"} <= moved
    assert 0 < float(after["A.running_p"]) <= 1 or float(after["A.running_signs"].abs().sum()) > 0


def test_growing_goes_with_plain_networks_alone(make_run: MakeRun) -> None:
    with pytest.raises(ValueError, match="architecture=skip: does not go with"):
        make_run("model=stylegan2", "model.grows=true", *SMALL)


def test_clipping_is_refused(make_run: MakeRun) -> None:
    with pytest.raises(ValueError, match=r"model.clip=0.1: StyleGAN's weights have variance 1"):
        make_run("model=stylegan", "model.clip=0.1", *SMALL)


def test_images_that_are_no_power_of_two_are_refused(make_run: MakeRun) -> None:
    with pytest.raises(ValueError, match="network=stylegan takes 8, 16, 32"):
        make_run("model=stylegan", "dataset.size=12", *SMALL)


@pytest.mark.parametrize(
    "overrides",
    [
        ("loss=wasserstein", "penalty=gradient_penalty"),
        ("penalty=dragan",),
        ("loss=relativistic", "penalty=r1_r2"),
        ("model.mixing=0",),
        ("model.fade_share=0",),
        ("model.path_weight=2",),
        AUGMENTED,
        ("model.ema=null",),
        ("network.generator.styles=demodulation", "network.discriminator.group=1"),
    ],
    ids=" ".join,
)
def test_options_train_and_walk_at_every_resolution(
    overrides: tuple[str, ...], make_trainer: MakeTrainer, make_run: MakeRun
) -> None:
    trainer = make_trainer(*GROWING, *overrides, "training.steps=6")
    trainer.train()
    assert trainer.host.all_finite()
    assert "4x4/D" in walk(make_run(*GROWING, *overrides, "device.name=meta"))


@pytest.mark.parametrize("game", [(*GROWING, *AUGMENTED), (*SECOND, *AUGMENTED)], ids=["1", "2"])
@pytest.mark.parametrize("stop", [3, 5])
def test_a_resumed_run_goes_on_bit_for_bit(
    game: tuple[str, ...],
    stop: int,
    make_trainer: MakeTrainer,
    weights: Callable[..., dict[str, Tensor]],
    same: Callable[..., bool],
) -> None:
    """Within a stage and across its borders: 8 steps are stages of 2, 2 and 4."""
    whole = make_trainer(*game, "training.steps=8")
    whole.train()
    first = make_trainer(*game, "training.steps=8")
    for _ in range(stop):
        first._play()
    state = first.state_dict()
    second = make_trainer(*game, "training.steps=8")
    second.load_state_dict(state)
    second.train()
    assert same(weights(whole.host), weights(second.host))
    assert same(whole.state_dict()["host"], second.state_dict()["host"])


@pytest.mark.slow
def test_the_whole_1024_network_walks(make_run: MakeRun) -> None:
    run = make_run(
        "model=stylegan", "dataset.size=1024", "device.name=meta", "training.batch_size=4",
        "network.generator.width=null", "network.discriminator.width=null",
        "dataset.classes=[0]", "dataset.num_test=850", "dataset.num_validation=850",
        "model.path_weight=2", "model.first_size=8",
    )  # fmt: skip
    text = walk(run)
    # One grey channel instead of three: 2 (channels + 1) fewer numbers at each level's end.
    channels = (512, 512, 512, 512, 256, 128, 64, 32, 16)
    lines = dict(line.split(": ", 1) for line in text.splitlines())
    assert lines["F"] == "2,101,248 parameters"
    expected = 24_118_379 - sum(2 * (each + 1) for each in channels)
    assert lines["S"] == f"{expected:,} parameters"
    assert lines["samples"] == "(4, 1, 1024, 1024)"
    assert "8x8/D, 8x8/G, 8x8/G_lazy, 16x16/D" in lines["walked"]
    assert "1024x1024/G_lazy" in lines["walked"]


def test_a_whole_run_has_its_grid_of_styles(
    tiny_run: Callable[..., api.Result], make_run: MakeRun
) -> None:
    result = tiny_run(*GROWING, "training.steps=3", "training.sample_every=3")
    assert (Path(result.folder) / "samples" / "styles_00000003.png").is_file()
    stage = make_run(*GROWING).recipe.stages[-1]
    assert [player.networks for player in stage.players] == [("D",), ("F", "S")]
