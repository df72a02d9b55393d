"""Self-attention over the pixels of a map."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SelfAttention(nn.Module):
    """x + gamma v(sum_i beta_i h(x_i)), beta the softmax over i of f(x_i)' g(x_j).

    Source: Zhang et al. 2019 (SAGAN), equations 1 to 3; gamma starts at 0. The maps f, g, h and v
    are 1 x 1 convolutions without bias. As in the authors' code f and g have C / 8 channels, h has
    C / 2 (the text: C / 8), and where `pooled` keys f and values h are the maxima of 2 x 2 blocks.
    """

    def __init__(self, channels: int, *, pooled: bool = True) -> None:
        super().__init__()
        keys, values = max(1, channels // 8), max(1, channels // 2)
        self.pooled = pooled
        self.key = nn.Conv2d(channels, keys, 1, bias=False)  # f
        self.query = nn.Conv2d(channels, keys, 1, bias=False)  # g
        self.value = nn.Conv2d(channels, values, 1, bias=False)  # h
        self.out = nn.Conv2d(values, channels, 1, bias=False)  # v
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, C, H, W]."""
        query, key, value = self.query(x), self.key(x), self.value(x)
        if self.pooled and min(x.shape[-2:]) > 1:
            key, value = F.max_pool2d(key, 2), F.max_pool2d(value, 2)
        # [N, H W, keys] @ [N, keys, H' W'] -> weights of every H' W' for each of H W
        beta = torch.softmax(query.flatten(2).transpose(1, 2) @ key.flatten(2), -1)
        mixed = value.flatten(2) @ beta.transpose(1, 2)  # [N, values, H W]
        attended: Tensor = self.out(mixed.reshape(*mixed.shape[:2], *x.shape[-2:]))
        return torch.addcmul(x, self.gamma, attended)
