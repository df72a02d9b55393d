"""How much of G's codes a network Q reads off its samples: lower bounds in nats, to be maximised.

Chen et al. 2016 (InfoGAN), equations 4 and 5: for a code c that G was given and a model Q of
p(c | x), I(c; G(z, c)) >= H(c) + E log Q(c | G(z, c)). Both functions are differentiable in Q's
outputs, through which the gradient reaches Q and G alike. H(c) is a constant of the prior: it moves
nothing, and makes the value a number of nats that can be judged.
"""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional as F


def categorical_bound(logits: Tensor, category: Tensor) -> Tensor:
    """ln K + E log Q(c | x) for a code that is uniform over K values.

    Args:
        logits: Q's, [N, K].
        category: the code that each sample was made with, int64 [N] in [0, K).

    Returns:
        Nats, 0-dim; at most ln K, 0 for a Q that says nothing, without a lower end.
    """
    return math.log(logits.shape[1]) - F.cross_entropy(logits, category)


def continuous_bound(mean: Tensor, log_variance: Tensor, codes: Tensor) -> Tensor:
    """J ln 2 + E log N(c; mean, variance), summed over J codes that are uniform on [-1, 1].

    Args:
        mean, log_variance: Q's for each code, [N, J]; the codes are independent to it.
        codes: those that each sample was made with, [N, J].

    Returns:
        Nats, 0-dim; as the density of a code has no upper end, neither has the bound but by that
        of the log-variance.
    """
    squares = (codes - mean).square() * (-log_variance).exp()
    log_density = -0.5 * (squares + log_variance + math.log(2 * math.pi))  # [N, J]
    return codes.shape[1] * math.log(2) + log_density.sum(1).mean()
