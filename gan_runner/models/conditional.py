"""The conditional GAN on paired data: G(condition, z), D(condition, sample).

Isola et al. 2017 in the form of Sinha 2020 (anatomizing), equations 7 to 10: the generator's
adversarial loss plus lambda times the L1 distance to the pair.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gan_runner.game import Batch, Numbers, Recipe, Terms
from gan_runner.losses.adversarial import AdversarialLoss
from gan_runner.losses.reconstruction import absolute_error
from gan_runner.models import adversarial
from gan_runner.models.adversarial import Critic, Fake
from gan_runner.models.context import Context
from gan_runner.priors import latent


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
    """The adversarial loss + lambda x L1 (eq. 9 and 10)."""
    generated = fake(nets, batch)
    of_pairs = partial(critic, nets, batch)
    return {
        "adversarial": adversarial.against(
            of_pairs, generated, batch["real"], h, pack=pack, loss=loss
        ),
        "l1": h["model.lambda_l1"] * absolute_error(generated, batch["real"]),
    }


def score(nets: Any, batch: Batch, samples: Tensor) -> Tensor:
    """D's logits of (condition, sample); a doubled batch repeats its conditions."""
    times = len(samples) // len(batch["low"])
    conditions = batch["low"] if times == 1 else torch.cat([batch["low"]] * times)
    return adversarial.full_precision(nets.D(torch.cat([conditions, samples], dim=1)))


def translate(nets: Any, batch: Batch) -> Tensor:
    """G's output for (condition, noise)."""
    return nets.G(torch.cat([batch["low"], batch["z"]], dim=1))  # type: ignore[no-any-return]


def build(context: Context) -> Recipe:
    """The recipe of `algorithm: conditional`."""
    model, data = context.model, context.dataset
    assert data.low_shape is not None
    priors = {"z": latent(model["prior"], model["latent_size"])}
    letter = adversarial.sampler(model)
    (condition,), (outputs,) = data.low_shape, data.shape
    inputs = condition + model["latent_size"]

    def sample(nets: Any, batch: Batch) -> Tensor:
        pair = torch.cat([batch["low"], batch["z"]], dim=1)
        return getattr(nets, letter)(pair)  # type: ignore[no-any-return]

    def make_discriminator() -> nn.Module:
        return context.discriminator((condition + outputs,))

    stage = adversarial.play(
        context,
        make_fake=translate,
        critic=score,
        make_discriminator=make_discriminator,
        priors=priors,
        generator_terms=generator,
    )
    probabilities = context.adversarial_loss.probabilities
    return Recipe(
        **adversarial.with_average(
            model,
            {"G": lambda: context.generator((inputs,), data.shape), "D": make_discriminator},
        ),
        stages=(stage,),
        sample=sample,
        data=("real", "low"),
        sample_priors=priors,
        monitor=partial(
            adversarial.monitor, fake=translate, critic=score, pack=1, probabilities=probabilities
        ),
        probabilities=probabilities,
    )
