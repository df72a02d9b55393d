"""The regression baseline: SRGAN's generator learns from the content loss alone.

With the same seed it starts from the same weights and sees the same batches as SRGAN, since both
draw them from the streams `init/G` and `order` (anatomizing, section 3.3).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor

from gan_runner.game import Batch, Move, Player, Recipe, Stage
from gan_runner.losses.reconstruction import RECONSTRUCTIONS
from gan_runner.models.context import Context
from gan_runner.models.players import Make, averaging, built, iterating, sampler, with_average
from gan_runner.models.srgan import content_only, upscale


def build(context: Context) -> Recipe:
    """The recipe of `algorithm: regression`."""
    model, data = context.model, context.dataset
    assert data.low_shape is not None
    inputs, outputs = data.low_shape, data.shape
    content = RECONSTRUCTIONS[model["content"]]
    letter = sampler(model)
    networks: dict[str, Make] = {"G": lambda: context.generator(inputs, outputs)}

    def sample(nets: Any, batch: Batch) -> Tensor:
        return getattr(nets, letter)(batch["low"])  # type: ignore[no-any-return]

    stage = Stage(
        name="content",
        players=(
            Player(
                name="G",
                networks=("G",),
                role="generator",
                after=(*iterating({"G": built(networks["G"])}, ("G",)), *averaging(model)),
            ),
        ),
        moves=(Move(player="G", objective=partial(content_only, fake=upscale, content=content)),),
    )
    return Recipe(
        **with_average(model, networks),
        stages=(stage,),
        sample=sample,
        data=("real", "low"),
    )
