"""SRGAN: G maps low-dimensional data to their high-dimensional pairs.

Ledig et al. 2017 for images; Sinha 2020 (anatomizing) for vectors, equations 2, 3, 5 and 6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from gan_runner.networks.equalised import pixel_norm
from gan_runner.networks.features import Features

Look = Callable[[Any, Tensor, Tensor, Numbers], Tensor]  # networks, samples, data, h -> a loss


def content_only(
    nets: Any, batch: Batch, h: Numbers, *, fake: Fake, content: Reconstruction
) -> Terms:
    """The content loss (anatomizing, eq. 5)."""
    return {"content": content(fake(nets, batch), batch["real"])}


def in_features(
    nets: Any, samples: Tensor, real: Tensor, h: Numbers, *, content: Reconstruction, unit: bool
) -> Tensor:
    """The content loss of the frozen network F's maps [N, d, h, w] (Ledig et al. 2017, eq. 5).

    Of several layers, its mean over them. unit: each place's d features have a root mean square of
    1 first, so that faint structure counts as much as strong (after Zhang et al. 2018).
    """
    scale = h["model.content_scale"]
    made, wanted = nets.F(samples), nets.F(real)
    if unit:
        made, wanted = ([pixel_norm(each) for each in maps] for maps in (made, wanted))
    losses = [content(scale * a, scale * b) for a, b in zip(made, wanted, strict=True)]
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
    look: Look | None,
) -> Terms:
    """The perceptual loss: content + lambda x adversarial (anatomizing, eq. 6).

    look: the content in features; None: it is that of the samples. Beside one in features that of
    the samples may stand, with a weight of its own (Wang et al. 2018, ESRGAN, eq. 3).
    """
    generated = fake(nets, batch)
    score = partial(critic, nets, batch)
    against_d = adversarial.against(score, generated, batch["real"], h, pack=pack, loss=loss)
    if look is None:
        terms = {"content": content(generated, batch["real"])}
    else:
        terms = {"content": look(nets, generated, batch["real"], h)}
        if "model.lambda_pixels" in h:
            terms["pixels"] = h["model.lambda_pixels"] * content(generated, batch["real"])
    return {**terms, "adversarial": h["model.lambda_adversarial"] * against_d}


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


def _check(model: Mapping[str, Any]) -> None:
    """Refuse what only content in features has, where it is that of pixels.

    Raises:
        ValueError: names the option.
    """
    if not model["content_features"]:
        for key in ("content_norm", "lambda_pixels"):
            if model[key] is not None:
                raise ValueError(
                    f"model.{key}={model[key]} is for content in features; "
                    "model.content_features names the network, null is of pixels"
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
    _check(model)
    unit = model["content_norm"] == "unit"
    look = partial(in_features, content=content, unit=unit) if name else None

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
        generator_terms=partial(perceptual, content=content, look=look),
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
