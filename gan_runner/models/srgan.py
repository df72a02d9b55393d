"""SRGAN: G maps low-dimensional data to their high-dimensional pairs.

Ledig et al. 2017 for images; Sinha 2020 (anatomizing) for vectors, equations 2, 3, 5 and 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial, reduce
from operator import add
from typing import Any

from torch import Tensor

from gan_runner.game import Batch, Move, Numbers, Player, Recipe, Stage, Terms
from gan_runner.losses.adversarial import AdversarialLoss
from gan_runner.losses.reconstruction import RECONSTRUCTIONS, Reconstruction
from gan_runner.models import adversarial
from gan_runner.models.context import Context
from gan_runner.models.passes import Critic, Fake
from gan_runner.models.players import Make, built, sampler, with_average
from gan_runner.networks.features import Features


def content_only(
    nets: Any, batch: Batch, h: Numbers, *, fake: Fake, content: Reconstruction
) -> Terms:
    """The content loss (anatomizing, eq. 5)."""
    return {"content": content(fake(nets, batch), batch["real"])}


def in_features(
    nets: Any, samples: Tensor, real: Tensor, h: Numbers, *, content: Reconstruction
) -> Tensor:
    """The content loss of the frozen network F's maps [N, d, h, w] (Ledig et al. 2017, eq. 5).

    Of several layers, its mean over them.
    """
    scale = h["model.content_scale"]
    maps = zip(nets.F(samples), nets.F(real), strict=True)
    losses = [content(scale * made, scale * wanted) for made, wanted in maps]
    return reduce(add, losses) / len(losses)


def perceptual(
    nets: Any,
    batch: Batch,
    h: Numbers,
    *,
    fake: Fake,
    critic: Critic,
    pack: int,
    loss: AdversarialLoss,
    content: Reconstruction,
    features: bool,
) -> Terms:
    """The perceptual loss: content + lambda x adversarial (anatomizing, eq. 6).

    features: the content is that of F's features; else of the samples.
    """
    generated = fake(nets, batch)
    score = partial(critic, nets, batch)
    against_d = adversarial.against(score, generated, batch["real"], h, pack=pack, loss=loss)
    look = partial(in_features, nets, h=h, content=content) if features else content
    return {
        "content": look(generated, batch["real"]),
        "adversarial": h["model.lambda_adversarial"] * against_d,
    }


def upscale(nets: Any, batch: Batch) -> Tensor:
    """G's high-dimensional data."""
    return nets.G(batch["low"])  # type: ignore[no-any-return]


def pretraining(player: Player, model: Mapping[str, Any], content: Reconstruction) -> Stage:
    """A first stage of G on the content loss alone (Ledig et al. 2017, section 3.2)."""
    return Stage(
        name="content",
        players=(player,),
        moves=(Move(player="G", objective=partial(content_only, fake=upscale, content=content)),),
        share=model["pretrain_share"],
    )


def build(context: Context) -> Recipe:
    """The recipe of `algorithm: srgan`."""
    model, data = context.model, context.dataset
    assert data.low_shape is not None
    content = RECONSTRUCTIONS[model["content"]]
    letter = sampler(model)
    inputs = data.low_shape
    name = model["content_features"]
    if name and data.kind != "images":
        raise ValueError(f"model.content_features={name}: {data.name} has no images; null fits it")

    def sample(nets: Any, batch: Batch) -> Tensor:
        return getattr(nets, letter)(batch["low"])  # type: ignore[no-any-return]

    networks: dict[str, Make] = {
        "G": lambda: context.generator(inputs, data.shape),
        "D": lambda: context.discriminator(data.shape),
    }
    game = adversarial.play(
        context,
        networks=networks,
        make_fake=upscale,
        critic=adversarial.score,
        priors={},
        share=1 - model["pretrain_share"],
        generator_terms=partial(perceptual, content=content, features=bool(name)),
    )
    if name:
        networks["F"] = lambda: Features(
            name, model["content_layer"].split("+"), key="model.content_features"
        )
        built(networks["F"])  # refuses a layer that is not there
    first = (pretraining(game.players[1], model, content),) if model["pretrain_share"] > 0 else ()
    probabilities = context.adversarial_loss.probabilities
    return Recipe(
        **with_average(model, networks),
        stages=(*first, game),
        sample=sample,
        data=("real", "low"),
        monitor=partial(
            adversarial.monitor,
            fake=upscale,
            critic=adversarial.score,
            pack=1,
            probabilities=probabilities,
        ),
        probabilities=probabilities,
    )
