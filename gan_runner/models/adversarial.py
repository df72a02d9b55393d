"""The adversarial game: G maps noise to data, D tells data from G's output.

Goodfellow et al. 2014; its variants differ in the loss, the penalty, the optimizer and n_critic,
all of it config: LSGAN, WGAN, WGAN-GP, hinge, relativistic with R1 and R2, packing. The objectives,
`play` and `recipe` also serve the models whose D or G is more than one network or is given more
than noise: `conditional.py`, `acgan.py`, `infogan.py`, `srgan.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import Tensor

from gan_runner.game import (
    Batch,
    Grid,
    Move,
    Numbers,
    Recipe,
    Shared,
    Stage,
    Terms,
)
from gan_runner.losses.adversarial import AdversarialLoss
from gan_runner.losses.penalties import Penalty
from gan_runner.models.context import Context
from gan_runner.models.passes import (
    Critic,
    Fake,
    Score,
    apart,
    full_precision,
    mixes_samples,
    packed,
    packed_draws,
    seen,
)
from gan_runner.models.players import Make, built, players, sampler, with_average
from gan_runner.priors import Normal, Prior, Uniform, latent

Generate = Callable[[Callable[..., Tensor], Batch], Tensor]  # (G, batch) -> G's output
Objective = Callable[..., Terms]


# --- objectives ------------------------------------------------------------------------------


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
    """D's adversarial loss, and its penalty."""
    real, generated = packed(batch["real"], pack), packed(seen(fake(nets, batch), batch, h), pack)
    of_samples = partial(critic, nets, batch)
    real_logits, fake_logits = apart(of_samples, real, generated, joint=joint)
    terms = {"adversarial": loss.discriminator(real_logits, fake_logits, h)}
    if penalty is not None:
        terms["penalty"] = penalised(penalty, of_samples, real, generated, batch, h, pack=pack)
    return terms


def penalised(
    penalty: Penalty,
    score: Score,
    real: Tensor,
    generated: Tensor,
    batch: Batch,
    h: Numbers,
    *,
    pack: int,
) -> Tensor:
    """The weighted penalty on D's gradient, 0-dim; samples as D sees them."""
    value = penalty.function(score, real, generated, h, packed_draws(batch, pack))
    return h["penalty.weight"] * value


def lazy_penalty(
    nets: Any,
    batch: Batch,
    h: Numbers,
    *,
    fake: Fake,
    critic: Critic,
    pack: int,
    every: int,
    penalty: Penalty,
) -> Terms:
    """The penalty alone, on every `every`-th step, weighted up by it (Karras et al. 2020, B)."""
    real, generated = packed(batch["real"], pack), packed(seen(fake(nets, batch), batch, h), pack)
    of_samples = partial(critic, nets, batch)
    value = penalty.function(of_samples, real, generated, h, packed_draws(batch, pack))
    return {"penalty": every * h["penalty.weight"] * value}


def generator(
    nets: Any,
    batch: Batch,
    h: Numbers,
    *,
    fake: Fake,
    critic: Critic,
    pack: int,
    loss: AdversarialLoss,
) -> Terms:
    """G's adversarial loss."""
    generated = seen(fake(nets, batch), batch, h)
    of_samples = partial(critic, nets, batch)
    return {"adversarial": against(of_samples, generated, batch["real"], h, pack=pack, loss=loss)}


def against(
    score: Score, generated: Tensor, real: Tensor, h: Numbers, *, pack: int, loss: AdversarialLoss
) -> Tensor:
    """The loss of samples that G has made, 0-dim; relativistic ones look at real samples too."""
    real_logits = score(packed(real, pack)) if loss.relativistic else None
    return loss.generator(score(packed(generated, pack)), h, real_logits)


def against_features(
    nets: Any, features: Tensor, batch: Batch, h: Numbers, *, critic: Critic, loss: AdversarialLoss
) -> Tensor:
    """The same loss, 0-dim, of a trunk's features of samples, which other heads read, too."""
    real_logits = critic(nets, batch, batch["real"]) if loss.relativistic else None
    return loss.generator(full_precision(nets.D(features)), h, real_logits)


def monitor(
    nets: Any,
    batch: Batch,
    h: Numbers,
    *,
    fake: Fake,
    critic: Critic,
    pack: int,
    probabilities: bool,
) -> Terms:
    """Means of D's output on data and on G's output: probabilities, or a critic's raw scores."""
    outputs = {
        "output/real": critic(nets, batch, packed(batch["real"], pack)),
        "output/fake": critic(nets, batch, packed(seen(fake(nets, batch), batch, h), pack)),
    }
    return {
        name: (logits.sigmoid() if probabilities else logits).mean()
        for name, logits in outputs.items()
    }


# --- the game --------------------------------------------------------------------------------


def score(nets: Any, batch: Batch, samples: Tensor) -> Tensor:
    """D's logits of samples, in full precision under autocast."""
    return full_precision(nets.D(samples))


def trunk_score(nets: Any, batch: Batch, samples: Tensor) -> Tensor:
    """The same where D is a trunk T, which other networks share, and a head D on its features."""
    return full_precision(nets.D(nets.T(samples)))


def shared_fake(nets: Any, batch: Batch) -> Tensor:
    """The step's fake batch, made once for all moves."""
    return batch["fake"]


def play(
    context: Context,
    *,
    networks: Mapping[str, Make],
    make_fake: Fake,
    critic: Critic,
    priors: Mapping[str, Prior],
    discriminator_networks: tuple[str, ...] = ("D",),
    generator_networks: tuple[str, ...] = ("G",),
    averaged: tuple[str, ...] = ("G",),
    discriminator_terms: Objective = discriminator,
    generator_terms: Objective = generator,
    name: str = "adversarial",
    share: float = 1.0,
    shape: tuple[int, ...] | None = None,
) -> Stage:
    """The stage of an adversarial game of D and G, from the options of `schema.GameModel`.

    shape: of what D sees in it; None: the data's.
    """
    model, loss, penalty = context.model, context.adversarial_loss, context.penalty
    pack = model.get("pack", 1)
    view = {"fake": make_fake, "critic": critic, "pack": pack}
    if model["share_fakes"]:
        view["fake"] = shared_fake
    looked_at = {letter: built(make) for letter, make in networks.items()}
    joint = not any(mixes_samples(looked_at[letter]) for letter in discriminator_networks)
    lazy = penalty is not None and context.penalty_every > 1
    for_d = partial(
        discriminator_terms, **view, joint=joint, loss=loss, penalty=None if lazy else penalty
    )
    moves = [
        Move(player="D", objective=for_d),
        Move(
            player="G",
            objective=partial(generator_terms, **view, loss=loss),
            every=model["critic_steps"],
            in_eval=discriminator_networks if model["discriminator_in_eval"] else (),
        ),
    ]
    if penalty is not None and lazy:
        every = context.penalty_every
        objective = partial(lazy_penalty, **view, every=every, penalty=penalty)
        moves.insert(1, Move(player="D", objective=objective, every=every, label="D_lazy"))
    shape = shape or context.dataset.shape
    return Stage(
        name=name,
        players=players(model, looked_at, discriminator_networks, generator_networks, averaged),
        moves=tuple(moves),
        priors={**priors, **noise_priors(model, shape), **penalty_priors(penalty, shape)},
        share=share,
        update=model["update"],
        shared=Shared(make=partial(_share, make_fake), owner="G") if model["share_fakes"] else None,
    )


def _share(make_fake: Fake, nets: Any, batch: Batch, h: Numbers) -> Batch:
    return {"fake": make_fake(nets, batch)}


def noise_priors(model: Mapping[str, Any], shape: tuple[int, ...]) -> dict[str, Prior]:
    """The noise on G's output where D sees it, if the model has any."""
    return {"output_noise": Normal(shape)} if model.get("output_noise") else {}


def penalty_priors(penalty: Penalty | None, shape: tuple[int, ...]) -> dict[str, Prior]:
    """What a penalty draws: mixing numbers, one a sample, and perturbations of the data's shape."""
    drawn: dict[str, Prior] = {"mix": Uniform(), "perturbation": Uniform(shape)}
    return {} if penalty is None else {name: drawn[name] for name in penalty.draws}


def latent_size(model: Mapping[str, Any], shape: tuple[int, ...]) -> int:
    """Numbers in z: as asked for, else 100 for images, else as many as a sample has."""
    default = shape[0] if len(shape) == 1 else 100
    return int(model["latent_size"] or default)


def recipe(
    context: Context,
    *,
    networks: Mapping[str, Make],
    generate: Generate,
    critic: Critic,
    priors: Mapping[str, Prior],
    watch: Objective = monitor,
    sample_priors: Mapping[str, Prior] | None = None,
    data: tuple[str, ...] = ("real",),
    grids: Mapping[str, Grid] | None = None,
    probe: Callable[[Any, Tensor], dict[str, Tensor]] | None = None,
    **stage: Any,
) -> Recipe:
    """The recipe of a game of one stage; `stage` has further options of `play`."""
    model, probabilities = context.model, context.adversarial_loss.probabilities
    letter = sampler(model)

    def make_fake(nets: Any, batch: Batch) -> Tensor:
        return generate(nets.G, batch)

    def sample(nets: Any, batch: Batch) -> Tensor:
        return generate(getattr(nets, letter), batch)

    view = {"fake": make_fake, "critic": critic, "pack": model.get("pack", 1)}
    game = play(
        context, networks=networks, make_fake=make_fake, critic=critic, priors=priors, **stage
    )
    return Recipe(
        **with_average(model, networks),
        stages=(game,),
        sample=sample,
        data=data,
        sample_priors=priors if sample_priors is None else sample_priors,
        monitor=partial(watch, **view, probabilities=probabilities),
        probabilities=probabilities,
        grids=grids or {},
        probe=probe,
    )


def build(context: Context) -> Recipe:
    """The recipe of `algorithm: adversarial`."""
    model, shape = context.model, context.dataset.shape
    size = latent_size(model, shape)
    seen_at_once = (model["pack"] * shape[0], *shape[1:])

    def generate(G: Callable[..., Tensor], batch: Batch) -> Tensor:
        return G(batch["z"])

    return recipe(
        context,
        networks={
            "G": lambda: context.generator((size,), shape),
            "D": lambda: context.discriminator(seen_at_once),
        },
        generate=generate,
        critic=score,
        priors={"z": latent(model["prior"], size)},
    )
