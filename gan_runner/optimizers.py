"""Optimizers by name.

Small networks are moved as one flat vector in a handful of operations: for a tiny GAN the time of
`torch.optim` is its walk over the parameters, not its arithmetic. Large ones go to `torch.optim`'s
fused kernels, which pass over memory once. Both give the same numbers to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor, nn

from gan_runner.flat_optimizers import FlatAdam, FlatRmsProp, FlatSgd, Gradients, Section
from gan_runner.fused_optimizers import Fused, adam, rmsprop, sgd

FLAT_LIMIT = 200_000  # parameters up to which one flat vector is faster


class Optimizer(Protocol):
    """Moves a player's parameters against a gradient."""

    initial_lr: float
    lr: float

    def step(self, gradients: Gradients) -> None:
        """One update; a parameter without a gradient is taken to have a zero one."""

    def restart(self) -> None:
        """Forget all moments, as if made anew."""

    def moments(self) -> tuple[int, dict[str, Tensor]]:
        """The updates so far, and the moments by name, [P] each: what a stack of replicas keeps."""

    def put_moments(self, num_steps: int, moments: Mapping[str, Tensor]) -> None:
        """The inverse of `moments`."""

    def state_dict(self) -> dict[str, Any]:
        """Moments and rate, for a checkpoint."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put moments and rate back."""


__all__ = ["OPTIMIZERS", "Gradients", "MakeOptimizer", "Optimizer", "optimizer_maker"]
DECAYS = ("beta1", "beta2", "alpha")  # of averages over updates


class MakeOptimizer(Protocol):
    """Makes the optimizer of a player."""

    def __call__(self, parameters: Sequence[nn.Parameter], role: str, lazy: int = 1) -> Optimizer:
        """The optimizer of parameters for a role; `lazy` as in `game.Player`."""


# The flat form and the large one of each name.
OPTIMIZERS = {"adam": (FlatAdam, adam), "rmsprop": (FlatRmsProp, rmsprop), "sgd": (FlatSgd, sgd)}


def corrected(section: Section, lazy: int) -> tuple[float, Section]:
    """A factor of the learning rate, and the section whose averages reach back as many steps.

    With an update more every `lazy` steps there are (lazy + 1) / lazy of them a step, so rate and
    logarithms of decays are multiplied by lazy / (lazy + 1) (Karras et al. 2020, appendix B).
    """
    if lazy == 1:
        return 1.0, section
    factor = lazy / (lazy + 1)
    return factor, {
        key: value**factor if key in DECAYS else value for key, value in section.items()
    }


def optimizer_maker(forms: tuple[type[Any], Callable[..., Any]], section: Section) -> MakeOptimizer:
    """What makes a player's optimizer: its role picks the rate (TTUR, Heusel et al. 2017)."""
    flat, large = forms

    def make(parameters: Sequence[nn.Parameter], role: str, lazy: int = 1) -> Optimizer:
        own = section.get(f"{role}_lr")
        factor, used = corrected(section, lazy)
        lr = factor * (section["lr"] if own is None else own)
        if sum(parameter.numel() for parameter in parameters) <= FLAT_LIMIT:
            optimizer: Optimizer = flat(parameters, lr, used)
            return optimizer
        return Fused(large(parameters, lr, used), parameters, lr)

    return make
