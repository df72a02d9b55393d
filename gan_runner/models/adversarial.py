"""The adversarial game: G maps noise to data, D tells data from G's output.

Goodfellow et al. 2014; its variants differ in the loss, the penalty, the optimizer and n_critic,
all of it config: LSGAN, WGAN, WGAN-GP, hinge, relativistic with R1 and R2, packing. The objectives
and `play` also serve `srgan.py` and `conditional.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gan_runner.game import Batch, Hook, Move, Numbers, Player, Recipe, Shared, Stage, Terms
from gan_runner.losses.adversarial import AdversarialLoss
from gan_runner.losses.penalties import Penalty
from gan_runner.models.context import Context
from gan_runner.models.hooks import average, clip_weights
from gan_runner.priors import Prior, Uniform, latent

Fake = Callable[[Any, Batch], Tensor]  # (nets, batch) -> G's output
Critic = Callable[[Any, Batch, Tensor], Tensor]  # (nets, batch, samples as D sees them) -> logits
Score = Callable[[Tensor], Tensor]  # samples as D sees them -> logits
GeneratorObjective = Callable[..., Terms]


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
    real, generated = packed(batch["real"], pack), packed(fake(nets, batch), pack)
    if joint:  # one pass through D instead of two
        logits = critic(nets, batch, torch.cat([real, generated]))
        real_logits, fake_logits = torch.split(logits, [len(real), len(generated)])
    else:
        real_logits, fake_logits = critic(nets, batch, real), critic(nets, batch, generated)
    terms = {"adversarial": loss.discriminator(real_logits, fake_logits, h)}
    if penalty is not None:
        score = partial(critic, nets, batch)
        value = penalty.function(score, real, generated, h, packed_draws(batch, pack))
        terms["penalty"] = h["penalty.weight"] * value
    return terms


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
    real, generated = packed(batch["real"], pack), packed(fake(nets, batch), pack)
    score = partial(critic, nets, batch)
    value = penalty.function(score, real, generated, h, packed_draws(batch, pack))
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
    generated = fake(nets, batch)
    score = partial(critic, nets, batch)
    return {"adversarial": against(score, generated, batch["real"], h, pack=pack, loss=loss)}


def against(
    score: Score, generated: Tensor, real: Tensor, h: Numbers, *, pack: int, loss: AdversarialLoss
) -> Tensor:
    """The loss of samples that G has made, 0-dim; relativistic ones look at real samples too."""
    real_logits = score(packed(real, pack)) if loss.relativistic else None
    return loss.generator(score(packed(generated, pack)), h, real_logits)


def packed(samples: Tensor, pack: int) -> Tensor:
    """Groups of `pack` samples joined along their first dimension (PacGAN, Lin et al. 2018).

    [N, C, ...] -> [N / pack, pack C, ...].
    """
    if pack == 1:
        return samples
    return samples.reshape(-1, pack * samples.shape[1], *samples.shape[2:])


def packed_draws(batch: Batch, pack: int) -> Batch:
    """A penalty's draws for packed samples: one mixing number a pack."""
    if pack == 1:
        return batch
    draws = dict(batch)
    if "mix" in batch:
        draws["mix"] = batch["mix"].reshape(-1, pack)[:, 0]
    if "perturbation" in batch:
        draws["perturbation"] = packed(batch["perturbation"], pack)
    return draws


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
        "output/fake": critic(nets, batch, packed(fake(nets, batch), pack)),
    }
    return {
        name: (logits.sigmoid() if probabilities else logits).mean()
        for name, logits in outputs.items()
    }


# --- the game --------------------------------------------------------------------------------


def score(nets: Any, batch: Batch, samples: Tensor) -> Tensor:
    """D's logits of samples, in full precision under autocast."""
    return full_precision(nets.D(samples))


def full_precision(logits: Tensor) -> Tensor:
    """Logits of an autocast network as float32; others as they are."""
    return logits.float() if logits.dtype is torch.bfloat16 else logits


def shared_fake(nets: Any, batch: Batch) -> Tensor:
    """The step's fake batch, made once for all moves."""
    return batch["fake"]


def mixes_samples(network: nn.Module) -> bool:
    """Whether a network's output for a sample depends on the batch's others."""
    return any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in network.modules())


def play(
    context: Context,
    *,
    make_fake: Fake,
    critic: Critic,
    make_discriminator: Callable[[], nn.Module],
    priors: Mapping[str, Prior],
    name: str = "adversarial",
    share: float = 1.0,
    generator_terms: GeneratorObjective = generator,
) -> Stage:
    """The stage of an adversarial game of D and G, from the options of `schema.GameModel`."""
    model, loss, penalty = context.model, context.adversarial_loss, context.penalty
    pack = model.get("pack", 1)
    view = {"fake": make_fake, "critic": critic, "pack": pack}
    if model["share_fakes"]:
        view["fake"] = shared_fake
    with torch.device("meta"):
        joint = not mixes_samples(make_discriminator())
    lazy = penalty is not None and context.penalty_every > 1
    moves = [
        Move(
            player="D",
            objective=partial(
                discriminator, **view, joint=joint, loss=loss, penalty=None if lazy else penalty
            ),
        ),
        Move(
            player="G",
            objective=partial(generator_terms, **view, loss=loss),
            every=model["critic_steps"],
            in_eval=("D",) if model["discriminator_in_eval"] else (),
        ),
    ]
    if penalty is not None and lazy:
        every = context.penalty_every
        objective = partial(lazy_penalty, **view, every=every, penalty=penalty)
        moves.insert(1, Move(player="D", objective=objective, every=every, label="D_lazy"))
    return Stage(
        name=name,
        players=players(model),
        moves=tuple(moves),
        priors={**priors, **penalty_priors(penalty, context.dataset.shape)},
        share=share,
        update=model["update"],
        shared=Shared(make=partial(_share, make_fake), owner="G") if model["share_fakes"] else None,
    )


def _share(make_fake: Fake, nets: Any, batch: Batch, h: Numbers) -> Batch:
    return {"fake": make_fake(nets, batch)}


def players(model: Mapping[str, Any]) -> tuple[Player, ...]:
    """D, with clipping if asked for, and G, with its moving average if asked for."""
    clip: tuple[Hook, ...] = () if model["clip"] is None else (partial(clip_weights, names=("D",)),)
    return (
        Player(name="D", networks=("D",), role="discriminator", after=clip),
        Player(name="G", networks=("G",), role="generator", after=averaging(model)),
    )


def averaging(model: Mapping[str, Any]) -> tuple[Hook, ...]:
    """The hook that keeps G's moving average, if the model has one."""
    return () if model["ema"] is None else (partial(average, source="G", target="G_ema"),)


def penalty_priors(penalty: Penalty | None, shape: tuple[int, ...]) -> dict[str, Prior]:
    """What a penalty draws: mixing numbers, one a sample, and perturbations of the data's shape."""
    drawn: dict[str, Prior] = {"mix": Uniform(), "perturbation": Uniform(shape)}
    return {} if penalty is None else {name: drawn[name] for name in penalty.draws}


def with_average(
    model: Mapping[str, Any], networks: dict[str, Callable[[], nn.Module]]
) -> dict[str, Any]:
    """A recipe's networks and copies, with G's moving average if the model has one."""
    if model["ema"] is None:
        return {"networks": networks}
    return {"networks": {**networks, "G_ema": networks["G"]}, "copies": {"G_ema": "G"}}


def sampler(model: Mapping[str, Any]) -> str:
    """The network that samples are drawn from."""
    return "G" if model["ema"] is None else "G_ema"


def build(context: Context) -> Recipe:
    """The recipe of `algorithm: adversarial`."""
    model, shape = context.model, context.dataset.shape
    size = model["latent_size"] or (shape[0] if len(shape) == 1 else 100)
    pack = model["pack"]
    seen = (pack * shape[0], *shape[1:])
    priors = {"z": latent(model["prior"], size)}
    letter = sampler(model)

    def make_fake(nets: Any, batch: Batch) -> Tensor:
        return nets.G(batch["z"])  # type: ignore[no-any-return]

    def sample(nets: Any, batch: Batch) -> Tensor:
        return getattr(nets, letter)(batch["z"])  # type: ignore[no-any-return]

    def make_discriminator() -> nn.Module:
        return context.discriminator(seen)

    stage = play(
        context,
        make_fake=make_fake,
        critic=score,
        make_discriminator=make_discriminator,
        priors=priors,
    )
    probabilities = context.adversarial_loss.probabilities
    return Recipe(
        **with_average(
            model,
            {"G": lambda: context.generator((size,), shape), "D": make_discriminator},
        ),
        stages=(stage,),
        sample=sample,
        sample_priors=priors,
        monitor=partial(
            monitor, fake=make_fake, critic=score, pack=pack, probabilities=probabilities
        ),
        probabilities=probabilities,
    )
