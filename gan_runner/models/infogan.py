"""InfoGAN: G is given codes that a network Q can read off its samples.

Chen et al. 2016, equation 6: G and Q minimise and D maximises V(D, G) - lambda L_I(G, Q), where
L_I is a lower bound on the information that samples hold on their codes: one category, and
continuous codes from U(-1, 1). D and Q share a trunk T that D's moves alone train, as the equation
has it; the authors' code trains it on L_I, too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from gan_runner.game import Batch, Numbers, Recipe, Terms
from gan_runner.losses.adversarial import AdversarialLoss
from gan_runner.losses.information import categorical_bound, continuous_bound
from gan_runner.models import adversarial, grids
from gan_runner.models.adversarial import against_features, trunk_score
from gan_runner.models.context import Context
from gan_runner.models.passes import Critic, Fake, full_precision, seen
from gan_runner.models.players import num_trunk_features
from gan_runner.networks.conditioning import one_hot
from gan_runner.networks.heads import CodeHead
from gan_runner.priors import Labels, Prior, Uniform, latent


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
    """The loss of G and Q: adversarial - lambda x information, a lambda for each kind of code."""
    features = nets.T(seen(fake(nets, batch), batch, h))
    terms = {"adversarial": against_features(nets, features, batch, h, critic=critic, loss=loss)}
    for kind, bound in information(nets, features, batch).items():
        terms[kind] = -h[f"model.lambda_{kind}"] * bound
    return terms


def information(nets: Any, features: Tensor, batch: Batch) -> Terms:
    """The bounds on what T's features of G's output tell of its codes, in nats, 0-dim each.

    Nothing is detached: through Q and T they are differentiated down to G's weights.
    """
    logits, mean, log_variance = (full_precision(each) for each in nets.Q(features))
    bounds = {"categorical": categorical_bound(logits, batch["category"])}
    if "codes" in batch:
        bounds["continuous"] = continuous_bound(mean, log_variance, batch["codes"])
    return bounds


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
    """Means of D's output, and the bounds of `information` in nats."""
    outputs = adversarial.monitor(
        nets, batch, h, fake=fake, critic=critic, pack=pack, probabilities=probabilities
    )
    bounds = information(nets, nets.T(seen(fake(nets, batch), batch, h)), batch)
    return outputs | {f"information/{kind}": bound for kind, bound in bounds.items()}


def probe(nets: Any, samples: Tensor) -> dict[str, Tensor]:
    """What Q reads off samples: logits [N, K], means and log-variances [N, J]."""
    logits, mean, log_variance = (full_precision(each) for each in nets.Q(nets.T(samples)))
    read = {"category": logits}
    if mean.shape[1]:
        read |= {"continuous_mean": mean, "continuous_log_variance": log_variance}
    return read


def make_of_codes(G: Callable[..., Tensor], batch: Batch, *, num_categories: int) -> Tensor:
    """G's output for z, the category as zeros and a one, and the continuous codes, joined."""
    z = batch["z"]
    parts = [z, one_hot(batch["category"], num_categories, z)]
    if "codes" in batch:
        parts.append(batch["codes"])
    return G(torch.cat(parts, 1))


def build(context: Context) -> Recipe:
    """The recipe of `algorithm: infogan`."""
    model, shape = context.model, context.dataset.shape
    num_categories, num_continuous = model["num_categories"], model["num_continuous"]
    size = model["latent_size"] or 62  # appendix C.1
    inputs = size + num_categories + num_continuous
    num_features = num_trunk_features(context)
    priors: dict[str, Prior] = {
        "z": latent(model["prior"], size),
        "category": Labels(num_categories),
    }
    if num_continuous:
        priors["codes"] = Uniform((num_continuous,), -1.0, 1.0)
    of_codes = {
        f"code_{code + 1}": grids.by_code(num_categories, code) for code in range(num_continuous)
    }
    return adversarial.recipe(
        context,
        networks={
            "G": lambda: context.generator((inputs,), shape),
            "T": lambda: context.trunk(shape),
            "D": lambda: context.head(num_features, 1),
            "Q": lambda: CodeHead(num_features, num_categories, num_continuous),
        },
        discriminator_networks=("T", "D"),
        generator_networks=("G", "Q"),
        generate=partial(make_of_codes, num_categories=num_categories),
        critic=trunk_score,
        generator_terms=generator,
        watch=monitor,
        priors=priors,
        grids={"categories": grids.by_class(num_categories, "category"), **of_codes},
        probe=probe,
    )
