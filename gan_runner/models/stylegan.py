"""StyleGAN: F maps z to styles, S makes images from styles and noise; both grow with D.

Karras et al. 2019; growing: Karras et al. 2018; path lengths and lazy terms: Karras et al. 2020
(StyleGAN2); augmentation of what D sees: Karras et al. 2020 (ADA). G's player owns F and S. What
the game remembers besides weights are buffers of networks that nobody owns: R (how far resolutions
have come in), P (the mean path length), A (the augmentation's p).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from gan_runner.game import Batch, Move, Numbers, Objective, Player, Recipe, Stage, Terms
from gan_runner.losses.adversarial import AdversarialLoss
from gan_runner.losses.penalties import Penalty
from gan_runner.losses.straight import StraightLines
from gan_runner.models import adversarial, style_grids
from gan_runner.models.context import Context
from gan_runner.models.growing import COARSEST, Resolution, timeline
from gan_runner.models.passes import Critic, Fake, apart, full_precision, seen
from gan_runner.models.players import Make, with_average
from gan_runner.networks.augmentation import NUM_DRAWS, Augmentation
from gan_runner.networks.growth import Growth, shrunken
from gan_runner.networks.path_length import PathLength
from gan_runner.networks.stylegan import STYLEGAN, square_side
from gan_runner.networks.styles import num_levels, truncated
from gan_runner.priors import Normal, Prior, Uniform, latent

# --- what the networks make ------------------------------------------------------------------


def styles(F: Any, batch: Batch, layers: int, mixing: float) -> Tensor:
    """Each layer's w, [N, layers, L]; with probability `mixing` from two z (section 3.1).

    The layers from a uniformly drawn one on are then given the second's.
    """
    if "z_mix" not in batch:
        w: Tensor = F(batch["z"])
        return w[:, None].expand(-1, layers, -1)
    first, second = F(torch.cat([batch["z"], batch["z_mix"]])).chunk(2)
    chance, place = batch["crossover"].unbind(1)  # [N] each
    cut = torch.where(chance < mixing, 1 + (place * (layers - 1)).floor(), layers)
    layer = torch.arange(layers, device=cut.device)
    from_second = layer >= cut[:, None]  # [N, layers]
    return torch.where(from_second[..., None], second[:, None], first[:, None])


def noise_of(batch: Batch, levels: int) -> list[Tensor]:
    """The noise of each level, as far as it was drawn: [N, 2, H, W] each."""
    names = (f"noise_{COARSEST * 2**level}" for level in range(levels))
    return [batch[name] for name in names if name in batch]


def make_fake(nets: Any, batch: Batch, *, at: Resolution, mixing: float) -> Tensor:
    """G's images at a stage's resolution, as D sees them: augmented, if the game does that."""
    levels = at.level + 1
    w = styles(nets.F, batch, 2 * levels, mixing)
    share = at.share(batch)
    images: Tensor = nets.S(w, noise_of(batch, levels), top=at.level, share=share)
    return images if "augment" not in batch else nets.A(images, batch["augment"])


def make_grown(nets: Any, batch: Batch, *, levels: int, mixing: float) -> Tensor:
    """G's images at the data's resolution, as far as it has grown."""
    w = styles(nets.F, batch, 2 * levels, mixing)
    return nets.S(w, noise_of(batch, levels), share=shares(nets))  # type: ignore[no-any-return]


def shares(nets: Any) -> Tensor | None:
    """How far each level has come in, [levels]; None where nothing grows."""
    return nets.R() if hasattr(nets, "R") else None


def sample(nets: Any, batch: Batch, *, F: str, S: str, levels: int) -> Tensor:
    """Images of the data's shape, in [-1, 1], from draws that may ask for more than z.

    `z_mix` [N, L] with `mixed`, bool [N, layers]: these layers take its styles; with `toward` [N]:
    w is that far on the way to its w. `psi` [N]: the truncation.
    """
    mapping = getattr(nets, F)
    w = mapping(batch["z"])[:, None].expand(-1, 2 * levels, -1)
    if "z_mix" in batch:
        other = mapping(batch["z_mix"])[:, None]
        if "mixed" in batch:
            w = torch.where(batch["mixed"][..., None], other, w)
        if "toward" in batch:
            w = torch.lerp(w, other.expand_as(w), batch["toward"][:, None, None].to(w.dtype))
    if "psi" in batch:
        w = truncated(w, mapping.running_mean, batch["psi"])
    images: Tensor = getattr(nets, S)(w, noise_of(batch, levels), share=shares(nets))
    return images.clamp(-1, 1)


# --- objectives ------------------------------------------------------------------------------


def score(nets: Any, batch: Batch, samples: Tensor, *, at: Resolution | None) -> Tensor:
    """D's logits of images at a stage's resolution; None: at the data's own, as far as it grew."""
    share = shares(nets) if at is None else at.share(batch)
    return full_precision(nets.D(samples, share=share))


def at_resolution(
    nets: Any, batch: Batch, h: Numbers, *, objective: Objective, at: Resolution
) -> Terms:
    """An objective on data at a stage's resolution, augmented if the game does that."""
    share = at.share(batch)
    if hasattr(nets, "R"):
        nets.R(at.level, torch.ones_like(batch["progress"]) if share is None else share)
    real = shrunken(batch["real"], at.top - at.level, share)
    if "augment" in batch:
        real = nets.A(real, batch["augment"])
    terms: Terms = objective(nets, {**batch, "real": real}, at_weight(h, at))
    return terms


def at_weight(h: Numbers, at: Resolution) -> Numbers:
    """The numbers with the penalty's weight at a resolution, where that is to depend on it.

    A pixel of a coarse image stands for (R / r)^2 pixels of the data, and moves D by as much more.
    The squared gradient, summed over as many fewer pixels, is (R / r)^2 times as large for a D that
    tells the same things apart: exponent 2 takes that away.
    """
    if "model.penalty_exponent" not in h:
        return h
    ratio = 2.0 ** (at.level - at.top)  # r / R
    return {**h, "penalty.weight": h["penalty.weight"] * ratio ** h["model.penalty_exponent"]}


def discriminator(
    nets: Any,
    batch: Batch,
    h: Numbers,
    *,
    fake: Fake,
    critic: Critic,
    pack: int,
    joint: bool,
    loss: AdversarialLoss,
    penalty: Penalty | None,
) -> Terms:
    """D's adversarial loss and its penalty; the augmentation's p follows its outputs on data."""
    read = partial(critic, nets, batch)
    generated = seen(fake(nets, batch), batch, h)
    real_logits, fake_logits = apart(read, batch["real"], generated, joint=joint)
    if "augment" in batch and "model.augment_target" in h:
        nets.A.observe(real_logits, h["model.augment_target"], h["model.augment_images"])
    terms = {"adversarial": loss.discriminator(real_logits, fake_logits, h)}
    if penalty is not None:
        terms["penalty"] = adversarial.penalised(
            penalty, read, batch["real"], generated, batch, h, pack=pack
        )
    return terms


def path_length(
    nets: Any, batch: Batch, h: Numbers, *, at: Resolution, mixing: float, every: int
) -> Terms:
    """E (||J^T y|| - a)^2 for S's Jacobian J in w, unit noise y in images, a the running mean.

    Karras et al. 2020, equation 4, on every `every`-th step and weighted up by it. The norm is
    over a layer's w, its square a mean over layers. y is divided by the side, so that lengths do
    not depend on the resolution.
    """
    levels = at.level + 1
    w, noise = styles(nets.F, batch, 2 * levels, mixing), noise_of(batch, levels)
    direction = batch["path_noise"] / at.size

    def along(given: Tensor) -> Tensor:
        with StraightLines():
            images: Tensor = nets.S(given, noise, top=at.level, share=at.share(batch))
        return (images * direction).sum()

    gradient: Tensor = torch.func.grad(along)(w)  # [N, layers, L]
    lengths = (gradient.square().sum(2).mean(1) + 1e-12).sqrt()  # [N]
    penalty = (lengths - nets.P(lengths)).square().mean()
    return {"path_length": every * h["model.path_weight"] * penalty}


# --- the game --------------------------------------------------------------------------------


def build(context: Context) -> Recipe:
    """The recipe of `algorithm: stylegan`."""
    model, section, shape = context.model, context.network, context.dataset.shape
    if model["clip"] is not None:
        raise ValueError(
            f"model.clip={model['clip']}: StyleGAN's weights have variance 1; choose a penalty"
        )
    if model["penalty_exponent"] is not None and context.penalty is None:
        raise ValueError(
            f"model.penalty_exponent={model['penalty_exponent']:g}: there is no penalty; "
            "penalty=r1_stylegan fits it"
        )
    levels = num_levels(square_side(shape))
    size, grows = model["latent_size"] or 512, model["grows"]
    priors: dict[str, Prior] = {"z": latent(model["prior"], size)}
    noises = noise_priors(levels)
    networks: dict[str, Make] = {
        "F": lambda: STYLEGAN.mapping(section, size),
        "S": lambda: STYLEGAN.synthesis(section, shape, grows=grows),
        "D": lambda: STYLEGAN.discriminator(section, shape, grows=grows),
    }
    stages = tuple(
        stage(context, networks, priors, noises, at, share)
        for at, share in timeline(model, levels - 1)
    )
    found = with_average(model, networks, ("F", "S"))
    found["networks"] |= dict(memories(model, levels))
    suffix = "" if model["ema"] is None else "_ema"
    probabilities = context.adversarial_loss.probabilities
    return Recipe(
        **found,
        stages=stages,
        sample=partial(sample, F=f"F{suffix}", S=f"S{suffix}", levels=levels),
        sample_priors=priors | noises,
        monitor=partial(
            adversarial.monitor,
            fake=partial(make_grown, levels=levels, mixing=model["mixing"]),
            critic=partial(score, at=None),
            pack=1,
            probabilities=probabilities,
        ),
        probabilities=probabilities,
        grids={"styles": style_grids.by_style(levels)},
        styled=True,
    )


def noise_priors(levels: int) -> dict[str, Prior]:
    """One prior a resolution, for its two layers: `noise_4` [2, 4, 4], `noise_8` [2, 8, 8], ..."""
    sizes = [COARSEST * 2**level for level in range(levels)]
    return {f"noise_{size}": Normal((2, size, size)) for size in sizes}


def memories(model: Mapping[str, Any], levels: int) -> Iterator[tuple[str, Make]]:
    """The networks without a player that the options ask for."""
    if model["grows"]:
        yield "R", lambda: Growth(levels, timeline(model, levels - 1)[0][0].level)
    if model["augment"]:
        yield "A", lambda: Augmentation(model["augment"], model["augment_p"])
    if model["path_weight"]:
        yield "P", PathLength


def stage(
    context: Context,
    networks: Mapping[str, Make],
    priors: Mapping[str, Prior],
    noises: Mapping[str, Prior],
    at: Resolution,
    share: float,
) -> Stage:
    """The game at one resolution."""
    model = context.model
    shape = (context.dataset.shape[0], at.size, at.size)
    drawn: dict[str, Prior] = {**priors, **dict(list(noises.items())[: at.level + 1])}
    if model["mixing"]:
        drawn |= {"z_mix": priors["z"], "crossover": Uniform((2,))}
    if model["augment"]:
        drawn["augment"] = Uniform((NUM_DRAWS,))
    if model["path_weight"]:
        drawn["path_noise"] = Normal(shape)
    game = adversarial.play(
        context,
        networks=networks,
        make_fake=partial(make_fake, at=at, mixing=model["mixing"]),
        critic=partial(score, at=at),
        priors=drawn,
        generator_networks=("F", "S"),
        averaged=("F", "S"),
        discriminator_terms=discriminator,
        name=f"{at.size}x{at.size}",
        share=share,
        shape=shape,
    )
    moves = [
        replace(move, objective=partial(at_resolution, objective=move.objective, at=at))
        for move in game.moves
    ]
    if model["path_weight"]:
        every = model["path_every"]
        objective = partial(path_length, at=at, mixing=model["mixing"], every=every)
        moves.append(Move(player="G", objective=objective, every=every, label="G_lazy"))
    return replace(game, moves=tuple(moves), players=lazily(context, game))


def lazily(context: Context, game: Stage) -> tuple[Player, ...]:
    """The stage's players, told of their lazy terms if those are to be corrected for."""
    model = context.model
    lazy = {
        "D": 1 if context.penalty is None else context.penalty_every,
        "G": model["path_every"] if model["path_weight"] else 1,
    }
    if not model["lazy_correction"]:
        return game.players
    return tuple(replace(each, lazy=lazy[each.name]) for each in game.players)
