"""The conditional GAN: G maps a condition and noise to data, D scores the pair.

On paired data the condition is the pair's input: Isola et al. 2017 in the form of Sinha 2020
(anatomizing), equations 7 to 10, with lambda times the L1 distance to the pair. Else it is the
sample's label: Mirza and Osindero 2014, equation 2.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from gan_runner.game import Batch, Numbers, Recipe, Terms
from gan_runner.losses.adversarial import AdversarialLoss
from gan_runner.losses.reconstruction import absolute_error
from gan_runner.models import adversarial, grids
from gan_runner.models.context import Context
from gan_runner.models.passes import Critic, Fake, full_precision, repeated, seen
from gan_runner.priors import Labels, latent

PAIRED_LATENT = 2  # numbers in z beside a paired input, where none are asked for


# --- paired data -----------------------------------------------------------------------------


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
    """The adversarial loss + lambda x L1 (anatomizing, eq. 9 and 10)."""
    generated = fake(nets, batch)
    of_pairs, real = partial(critic, nets, batch), batch["real"]
    against_d = adversarial.against(
        of_pairs, seen(generated, batch, h), real, h, pack=pack, loss=loss
    )
    return {
        "adversarial": against_d,
        "l1": h["model.lambda_l1"] * absolute_error(generated, real),
    }


def pair_score(nets: Any, batch: Batch, samples: Tensor) -> Tensor:
    """D's logits of (condition, sample); a doubled batch repeats its conditions."""
    pairs = torch.cat([repeated(batch["low"], samples), samples], dim=1)
    return full_precision(nets.D(pairs))


def translate(G: Callable[..., Tensor], batch: Batch) -> Tensor:
    """G's output for (condition, noise)."""
    return G(torch.cat([batch["low"], batch["z"]], dim=1))


def paired(context: Context) -> Recipe:
    """The game on paired vectors."""
    model, data = context.model, context.dataset
    assert data.low_shape is not None
    size = model["latent_size"] or PAIRED_LATENT
    (condition,), (outputs,) = data.low_shape, data.shape
    return adversarial.recipe(
        context,
        networks={
            "G": lambda: context.generator((condition + size,), data.shape),
            "D": lambda: context.discriminator((condition + outputs,)),
        },
        generate=translate,
        critic=pair_score,
        generator_terms=generator,
        priors={"z": latent(model["prior"], size)},
        data=("real", "low"),
    )


# --- labels ----------------------------------------------------------------------------------


def score(nets: Any, batch: Batch, samples: Tensor) -> Tensor:
    """D's logits of (sample, label); a doubled batch repeats its labels."""
    return full_precision(nets.D(samples, repeated(batch["label"], samples)))


def make_of_class(G: Callable[..., Tensor], batch: Batch) -> Tensor:
    """G's output for (noise, label)."""
    return G(batch["z"], batch["label"])


def labelled(context: Context) -> Recipe:
    """The game on data with labels: fakes are asked for the labels of the batch's data."""
    model, shape, num_classes = context.model, context.dataset.shape, context.dataset.num_classes
    assert num_classes is not None
    size = adversarial.latent_size(model, shape)
    z = latent(model["prior"], size)
    return adversarial.recipe(
        context,
        networks={
            "G": lambda: context.generator((size,), shape, num_classes=num_classes),
            "D": lambda: context.discriminator(shape, num_classes=num_classes),
        },
        generate=make_of_class,
        critic=score,
        priors={"z": z},
        sample_priors={"z": z, "label": Labels(num_classes)},
        data=("real", "label"),
        grids={"classes": grids.by_class(num_classes, "label")},
    )


def build(context: Context) -> Recipe:
    """The recipe of `algorithm: conditional`."""
    data = context.dataset
    pairs = data.kind == "vectors" and data.low_shape is not None
    return paired(context) if pairs else labelled(context)
