"""Small networks on the features of a discriminator's trunk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gan_runner.networks.spectral import finished


def head(section: Mapping[str, Any], num_features: int, num_outputs: int) -> nn.Module:
    """The last layer of a discriminator: [N, num_features] -> [N, num_outputs].

    With the initial weights and the spectral normalisation that `section`, a discriminator's, asks
    for; where it says nothing of them, torch's weights and none.
    """
    own = {"initialisation": "torch", "spectral": False, **section}
    return finished(nn.Linear(num_features, num_outputs), own)


class CodeHead(nn.Module):
    """Q, which reads InfoGAN's codes: [N, num_features] -> category, means, log-variances.

    Chen et al. 2016, appendix C.1: 128 units with BatchNorm and LeakyReLU 0.1, then a linear layer.
    The log-variances are 4 tanh(raw / 4), so a standard deviation is between 0.135 and 7.4 and is
    1 where the layer says 0: unbounded, a code that G writes exactly would be worth any number of
    nats. (The paper does not bound it; the authors' code fixes it at 1 for MNIST.)
    """

    WIDTH = 128
    LIMIT = 4.0

    def __init__(self, num_features: int, num_categories: int, num_continuous: int) -> None:
        super().__init__()
        self.sizes = [num_categories, num_continuous, num_continuous]
        self.layers = nn.Sequential(
            nn.Linear(num_features, self.WIDTH, bias=False),
            nn.BatchNorm1d(self.WIDTH),
            nn.LeakyReLU(0.1),
            nn.Linear(self.WIDTH, sum(self.sizes)),
        )

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits [N, K], means [N, J] and log-variances [N, J]."""
        logits, mean, raw = torch.split(self.layers(features), self.sizes, dim=1)
        return logits, mean, self.LIMIT * torch.tanh(raw / self.LIMIT)
