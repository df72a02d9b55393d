"""Optimizers of a stack of replicas: one vector a replica, and rates and betas of its own.

Every tensor has the replicas in its first dimension, and every operation is element-wise, so what
one replica does depends on its own row alone. They are written on tensors that are handed over, not
kept, so that a step can be traced; numbers are float64 [S] until they meet the parameters, because
1 - beta^t is small.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

Section = Mapping[str, Any]
State = dict[str, Tensor]


class StackedOptimizer(Protocol):
    """Moves the rows of a stack of parameter vectors against their gradients."""

    @property
    def moments(self) -> tuple[str, ...]:
        """Names of what is kept, [S, P] each, as `optimizers.Flat` names them."""

    @property
    def numbers(self) -> tuple[str, ...]:
        """Names of the numbers of the config's section that are used, [S] each."""

    def move(self, vector: Tensor, gradient: Tensor, state: State, rate: Tensor) -> None:
        """One update, in place.

        Args:
            vector: the parameters [S, P].
            gradient: of the same shape.
            state: the moments [S, P], the numbers float64 [S], and `num_steps` float64 [S], which
                counts this update already.
            rate: float64 [S].
        """


def _column(numbers: Tensor, like: Tensor) -> Tensor:
    """Numbers [S] as a column [S, 1] in the parameters' dtype."""
    return numbers.to(like.dtype).unsqueeze(1)


class StackedAdam:
    """Adam (Kingma and Ba 2015, algorithm 1)."""

    moments = ("mean", "square")
    numbers = ("beta1", "beta2", "eps", "weight_decay")

    def move(self, vector: Tensor, gradient: Tensor, state: State, rate: Tensor) -> None:
        """One update."""
        beta1, beta2, num = state["beta1"], state["beta2"], state["num_steps"]
        mean, square = state["mean"], state["square"]
        mean.lerp_(gradient, _column(1 - beta1, vector))
        square.lerp_(gradient * gradient, _column(1 - beta2, vector))
        correction = (1 - beta2**num).sqrt()
        scale = square.sqrt().add_(_column(state["eps"] * correction, vector))
        vector.sub_(mean / scale * _column(rate * correction / (1 - beta1**num), vector))


class StackedRmsProp:
    """RMSProp (Tieleman and Hinton 2012), with `torch.optim.RMSprop`'s form of momentum."""

    moments = ("square", "velocity")
    numbers = ("alpha", "momentum", "eps", "weight_decay")

    def move(self, vector: Tensor, gradient: Tensor, state: State, rate: Tensor) -> None:
        """One update."""
        square, velocity = state["square"], state["velocity"]
        square.lerp_(gradient * gradient, _column(1 - state["alpha"], vector))
        scale = square.sqrt().add_(_column(state["eps"], vector))
        velocity.mul_(_column(state["momentum"], vector)).add_(gradient / scale)
        vector.sub_(velocity * _column(rate, vector))


class StackedSgd:
    """Stochastic gradient descent, with `torch.optim.SGD`'s form of momentum."""

    moments = ("velocity",)
    numbers = ("momentum", "weight_decay")

    def move(self, vector: Tensor, gradient: Tensor, state: State, rate: Tensor) -> None:
        """One update."""
        velocity = state["velocity"]
        velocity.mul_(_column(state["momentum"], vector)).add_(gradient)
        vector.sub_(velocity * _column(rate, vector))


STACKED: dict[str, StackedOptimizer] = {
    "adam": StackedAdam(),
    "rmsprop": StackedRmsProp(),
    "sgd": StackedSgd(),
}


def numbers_of(
    optimizer: StackedOptimizer, sections: Sequence[Section], device: torch.device
) -> State:
    """The replicas' numbers, float64 [S] each."""
    return {
        name: torch.tensor([each[name] for each in sections], dtype=torch.float64, device=device)
        for name in optimizer.numbers
    }
