"""Penalties on a critic's gradient with respect to its input.

Every function has the signature `penalty(critic, real, fake, h, batch)` and returns an unweighted
0-dim tensor; the objective multiplies it by `h["penalty.weight"]`. `critic` maps samples
[N, ...] to logits of any shape whose first dimension is N, and must treat its samples apart: the
gradient of the sum of all logits then holds each sample's own gradient. A critic with BatchNorm
does not, and one whose forward pass writes buffers fails inside `torch.func.grad`.

Random numbers come from the batch, so penalties are pure: `mix` [N] and `perturbation` (of
`real`'s shape), both uniform on [0, 1). `torch.func.grad` is used throughout, so penalties work
under ordinary autograd and under `torch.func.vmap` and `grad`, and are differentiable with
respect to the critic's parameters. `PENALTIES` is the registry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from gan_runner.losses.straight import StraightLines

Critic = Callable[[Tensor], Tensor]
PenaltyFunction = Callable[
    [Critic, Tensor, Tensor, Mapping[str, Tensor], Mapping[str, Tensor]], Tensor
]


def gradient_penalty(
    critic: Critic,
    real: Tensor,
    fake: Tensor,
    h: Mapping[str, Tensor],
    batch: Mapping[str, Tensor],
) -> Tensor:
    """E (||grad D(x_hat)||_2 - target)^2 at points between real and fake samples.

    Gulrajani et al. 2017, equation 3, where the target is 1; x_hat as in their algorithm 1.
    Raises ValueError if `real` and `fake` differ in shape or `mix` is not one number a sample.
    """
    norms = _norms(_squared_norms(critic, _mixed(real, fake, batch["mix"])))  # [N]
    return (norms - h["penalty.target"]).square().mean()


def gradient_penalty_one_sided(
    critic: Critic,
    real: Tensor,
    fake: Tensor,
    h: Mapping[str, Tensor],
    batch: Mapping[str, Tensor],
) -> Tensor:
    """E max(0, ||grad D(x_hat)||_2 - target)^2: only norms above the target cost.

    Weighed against the two-sided form in Gulrajani et al. 2017, section 4; Petzka et al. 2018
    (WGAN-LP).
    Raises ValueError as `gradient_penalty` does.
    """
    norms = _norms(_squared_norms(critic, _mixed(real, fake, batch["mix"])))  # [N]
    return F.relu(norms - h["penalty.target"]).square().mean()


def r1(
    critic: Critic,
    real: Tensor,
    fake: Tensor,
    h: Mapping[str, Tensor],
    batch: Mapping[str, Tensor],
) -> Tensor:
    """1/2 E ||grad D(x)||_2^2 on real data: Mescheder et al. 2018, equation 9 over gamma."""
    return 0.5 * _squared_norms(critic, real).mean()


def r2(
    critic: Critic,
    real: Tensor,
    fake: Tensor,
    h: Mapping[str, Tensor],
    batch: Mapping[str, Tensor],
) -> Tensor:
    """1/2 E ||grad D(G(z))||_2^2 on fakes: Mescheder et al. 2018, equation 10 over gamma."""
    return 0.5 * _squared_norms(critic, fake).mean()


def r1_r2(
    critic: Critic,
    real: Tensor,
    fake: Tensor,
    h: Mapping[str, Tensor],
    batch: Mapping[str, Tensor],
) -> Tensor:
    """The sum of `r1` and `r2`: Huang et al. 2024 (R3GAN), gamma / 2 each with gamma the weight."""
    return r1(critic, real, fake, h, batch) + r2(critic, real, fake, h, batch)


def dragan(
    critic: Critic,
    real: Tensor,
    fake: Tensor,
    h: Mapping[str, Tensor],
    batch: Mapping[str, Tensor],
) -> Tensor:
    """E (||grad D(x + delta)||_2 - target)^2 around real data: Kodali et al. 2017.

    delta = 0.5 * std * perturbation, with perturbation uniform on [0, 1) and std the population
    standard deviation of all numbers of the batch together, as in the authors' published code
    (the paper's text has Gaussian delta). That code then also shrinks each sample's delta by a
    uniform number of its own, which the paper's formula has not; here delta is taken whole.
    D is the logit. Raises ValueError if `perturbation` is not of `real`'s shape.
    """
    perturbation = batch["perturbation"]
    if perturbation.shape != real.shape:
        raise ValueError(
            f"batch['perturbation'] has shape {tuple(perturbation.shape)}, "
            f"must be the real data's: {tuple(real.shape)}"
        )
    perturbed = real + 0.5 * real.std(correction=0) * perturbation
    norms = _norms(_squared_norms(critic, perturbed))  # [N]
    return (norms - h["penalty.target"]).square().mean()


def _mixed(real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """mix * real + (1 - mix) * fake, with one number a sample: a point on each pair's segment."""
    if real.shape != fake.shape:
        raise ValueError(
            f"gradient penalty: real {tuple(real.shape)} and fake {tuple(fake.shape)} "
            f"must have one shape"
        )
    if mix.shape != real.shape[:1]:
        raise ValueError(
            f"batch['mix'] has shape {tuple(mix.shape)}, must be one number a sample: "
            f"{tuple(real.shape[:1])}"
        )
    mix = mix.reshape(-1, *[1] * (real.ndim - 1))  # [N, 1, ...]
    return mix * real + (1.0 - mix) * fake


def _squared_norms(critic: Critic, samples: Tensor) -> Tensor:
    """||grad D||_2^2 of each sample, over all dimensions but the first: [N]."""

    def total(x: Tensor) -> Tensor:
        with StraightLines():
            return critic(x).sum()

    gradient: Tensor = torch.func.grad(total)(samples)  # [N, ...]
    return gradient.square().reshape(samples.shape[0], -1).sum(dim=1)


def _norms(squared: Tensor) -> Tensor:
    """The square root, exact, with derivative 0 (a subgradient of the norm) at 0."""
    # Both branches of a `where` are differentiated, so the root must not see the zero at all.
    positive = squared > 0
    root = torch.where(positive, squared, torch.ones_like(squared)).sqrt()
    return torch.where(positive, root, torch.zeros_like(squared))


@dataclass(frozen=True, kw_only=True)
class Penalty:
    """A penalty, the draws that it reads from the batch, and its numbers `h["penalty.<name>"]`."""

    function: PenaltyFunction
    draws: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()


PENALTIES: dict[str, Penalty] = {
    "gradient_penalty": Penalty(function=gradient_penalty, draws=("mix",), numbers=("target",)),
    "gradient_penalty_one_sided": Penalty(
        function=gradient_penalty_one_sided, draws=("mix",), numbers=("target",)
    ),
    "r1": Penalty(function=r1),
    "r2": Penalty(function=r2),
    "r1_r2": Penalty(function=r1_r2),
    "dragan": Penalty(function=dragan, draws=("perturbation",), numbers=("target",)),
}
