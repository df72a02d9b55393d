"""Spectral normalisation: each weight divided by its largest singular value.

The forward pass is pure, so it works inside `torch.func` and under `vmap`; the power iteration
that keeps the singular vectors up to date runs apart, in `models/hooks.py`'s `power_iteration`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from gan_runner.networks.conditioning import Projection
from gan_runner.networks.initialisation import initialise

FIRST_ITERATIONS = 15


def _matrix(weight: Tensor, outputs: int) -> Tensor:
    """A weight as [outputs, everything else], a view where it is laid out channels last."""
    if weight.dim() == 2:
        return weight.T if outputs else weight
    pixelwise = weight.permute(0, 2, 3, 1)
    return pixelwise.flatten(0, 2).T if outputs else pixelwise.flatten(1)


class SpectralNormalisation(nn.Module):
    """weight / sigma with sigma = u' W v (Miyato et al. 2018, equations 8 and 9, algorithm 1).

    The gradient passes through sigma with u and v held fixed (equation 12). u [outputs] and
    v [rest] are buffers: unit vectors near the singular vectors of the largest singular value.
    """

    u: Tensor
    v: Tensor

    def __init__(self, weight: Tensor, outputs: int = 0) -> None:
        super().__init__()
        self.outputs = outputs
        matrix = _matrix(weight.detach(), outputs)
        # Nothing to compute on the meta device, where drawing normals takes a second of imports.
        draw = torch.empty_like if weight.is_meta else torch.randn_like
        self.register_buffer("u", F.normalize(draw(matrix[:, 0]), dim=0))
        self.register_buffer("v", torch.zeros_like(matrix[0]))
        self.iterate(weight, 0 if weight.is_meta else FIRST_ITERATIONS)

    def forward(self, weight: Tensor) -> Tensor:
        """The weight over its spectral norm, of the same shape."""
        # Not as matrix products: autocast would round those.
        outer = self.u[:, None] * self.v
        return weight / (_matrix(weight, self.outputs) * outer).sum()

    @torch.no_grad()
    def iterate(self, weight: Tensor, num: int = 1) -> None:
        """Move u and v towards the weight's first singular vectors, in place."""
        matrix = _matrix(weight.detach(), self.outputs)
        for _ in range(num):
            self.v.copy_(F.normalize(torch.mv(matrix.T, self.u), dim=0))
            self.u.copy_(F.normalize(torch.mv(matrix, self.v), dim=0))


def normalise_weights(network: nn.Module) -> nn.Module:
    """Put spectral normalisation on every linear and convolutional weight and on a projection's.

    Tables that only say which class is meant stay as they are: their size is no part of how fast
    the output changes with the samples. Runs inside the constructor's random stream, after
    the weights have their initial values.
    """
    layers = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, Projection)
    for layer in [each for each in network.modules() if isinstance(each, layers)]:
        outputs = 1 if isinstance(layer, nn.ConvTranspose2d) else 0  # the dimension of outputs
        parametrize.register_parametrization(
            layer, "weight", SpectralNormalisation(layer.weight, outputs)
        )
    return network


def finished(network: nn.Module, section: Mapping[str, Any]) -> nn.Module:
    """A network with its initial weights, and spectral normalisation where it is asked for."""
    initialise(network, section["initialisation"])
    return normalise_weights(network) if section["spectral"] else network


def _normalised(network: nn.Module) -> list[tuple[SpectralNormalisation, Tensor]]:
    return [
        (step, held.original)
        for held in network.modules()
        if isinstance(held, parametrize.ParametrizationList)
        for step in held
        if isinstance(step, SpectralNormalisation)
    ]


def has_spectral(network: nn.Module) -> bool:
    """Whether any weight of a network is spectrally normalised."""
    return bool(_normalised(network))


def iterate(network: nn.Module, num: int = 1) -> None:
    """`num` power iterations on every spectrally normalised weight of a network."""
    for step, weight in _normalised(network):
        step.iterate(weight, num)
