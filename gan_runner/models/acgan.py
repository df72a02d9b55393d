"""The auxiliary classifier GAN: D also tells the class, and G makes samples of a class.

Odena et al. 2017, equations 2 and 3: D maximises L_S + L_C and G maximises L_C - L_S, where L_S is
the likelihood of the right source and L_C that of the right class, of data and of G's output. As in
Chen et al. 2016 the two heads D (source) and C (class) share a trunk T. Further than the paper, L_C
has a weight, lambda_class, and any loss may stand for L_S.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from gan_runner.game import Batch, Numbers, Recipe, Terms
from gan_runner.losses.adversarial import AdversarialLoss
from gan_runner.losses.penalties import Penalty
from gan_runner.models import adversarial, grids
from gan_runner.models.adversarial import against_features, penalised, trunk_score
from gan_runner.models.conditional import make_of_class
from gan_runner.models.context import Context
from gan_runner.models.passes import Critic, Fake, apart, full_precision, seen
from gan_runner.models.players import num_trunk_features
from gan_runner.priors import Labels, latent


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
    """-L_S - lambda L_C, and D's penalty."""
    real, generated = batch["real"], seen(fake(nets, batch), batch, h)
    real_features, fake_features = apart(nets.T, real, generated, joint=joint)
    real_logits, fake_logits = (
        full_precision(nets.D(features)) for features in (real_features, fake_features)
    )
    weight, label = h["model.lambda_class"], batch["label"]
    terms = {
        "adversarial": loss.discriminator(real_logits, fake_logits, h),
        "class_real": weight * class_loss(nets, real_features, label),
        "class_fake": weight * class_loss(nets, fake_features, label),
    }
    if penalty is not None:
        score = partial(critic, nets, batch)
        terms["penalty"] = penalised(penalty, score, real, generated, batch, h, pack=pack)
    return terms


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
    """G's adversarial loss - lambda L_C of its output."""
    features = nets.T(seen(fake(nets, batch), batch, h))
    return {
        "adversarial": against_features(nets, features, batch, h, critic=critic, loss=loss),
        "class": h["model.lambda_class"] * class_loss(nets, features, batch["label"]),
    }


def class_loss(nets: Any, features: Tensor, label: Tensor) -> Tensor:
    """-E log P(label | features), 0-dim."""
    return F.cross_entropy(full_precision(nets.C(features)), label)


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
    """Means of D's output, and the shares of data and of G's output that C reads as labelled."""
    outputs = adversarial.monitor(
        nets, batch, h, fake=fake, critic=critic, pack=pack, probabilities=probabilities
    )
    samples = {"real": batch["real"], "fake": seen(fake(nets, batch), batch, h)}
    for name, each in samples.items():
        right = nets.C(nets.T(each)).argmax(1) == batch["label"]
        outputs[f"class_accuracy/{name}"] = right.float().mean()
    return outputs


def probe(nets: Any, samples: Tensor) -> dict[str, Tensor]:
    """C's logits [N, K] of samples."""
    return {"class": full_precision(nets.C(nets.T(samples)))}


def build(context: Context) -> Recipe:
    """The recipe of `algorithm: acgan`."""
    model, shape, num_classes = context.model, context.dataset.shape, context.dataset.num_classes
    assert num_classes is not None
    size = adversarial.latent_size(model, shape)
    z = latent(model["prior"], size)
    num_features = num_trunk_features(context)
    return adversarial.recipe(
        context,
        networks={
            "G": lambda: context.generator((size,), shape, num_classes=num_classes),
            "T": lambda: context.trunk(shape),
            "D": lambda: context.head(num_features, 1),
            "C": lambda: context.head(num_features, num_classes),
        },
        discriminator_networks=("T", "D", "C"),
        generate=make_of_class,
        critic=trunk_score,
        discriminator_terms=discriminator,
        generator_terms=generator,
        watch=monitor,
        priors={"z": z},
        sample_priors={"z": z, "label": Labels(num_classes)},
        data=("real", "label"),
        grids={"classes": grids.by_class(num_classes, "label")},
        probe=probe,
    )
