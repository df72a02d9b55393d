"""Adversarial losses: pure functions of a discriminator's (critic's) logits.

Every function takes logits of any shape ([N], [N, 1], a patch map [N, 1, H, W], ...), returns the
mean over all of them as a 0-dim tensor, and is minimised. Every logit counts as one sample.
Labels and targets are floats or 0-dim tensors: nothing branches on their values, so that under
`torch.func.vmap` each replica may have its own. `LOSSES` is the registry.

Below, sigma is the logistic function, D = sigma(logit), and
-log D = softplus(-logit), -log(1 - D) = softplus(logit).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

Number = float | Tensor


def _softplus(x: Tensor) -> Tensor:
    """log(1 + exp(x)), exact to rounding in float64 too, with the right first two derivatives."""
    # torch's default replaces x > 20 by the line, which is off by 2e-9 and visible in float64.
    return F.softplus(x, threshold=40.0)


def _cross_entropy(logits: Tensor, label: Number) -> Tensor:
    """Mean of -label log D - (1 - label) log(1 - D), for a label in [0, 1]."""
    # One kernel each way, where the formula written out takes eight.
    labels = label if isinstance(label, Tensor) else logits.new_full((), label)
    return F.binary_cross_entropy_with_logits(logits, labels.expand_as(logits))


# --- cross-entropy: the zero-sum game and its two non-zero-sum relatives -----------------------


def minimax_discriminator(
    real: Tensor, fake: Tensor, *, real_label: Number = 1.0, fake_label: Number = 0.0
) -> Tensor:
    """-E log D(x) - E log(1 - D(G(z))), or cross-entropy against smoothed labels.

    Goodfellow et al. 2014, equation 1 (D maximises its negative); smoothing: Salimans et al. 2016,
    section 3.4. Labels in [0, 1].
    """
    return _cross_entropy(real, real_label) + _cross_entropy(fake, fake_label)


def minimax_generator(fake: Tensor, real: Tensor | None = None) -> Tensor:
    """E log(1 - D(G(z))), the saturating loss: Goodfellow et al. 2014, equation 1."""
    return -_softplus(fake).mean()


def nonsaturating_discriminator(
    real: Tensor, fake: Tensor, *, real_label: Number = 1.0, fake_label: Number = 0.0
) -> Tensor:
    """The same loss as `minimax_discriminator`: the two games differ in the generator's only."""
    return minimax_discriminator(real, fake, real_label=real_label, fake_label=fake_label)


def nonsaturating_generator(
    fake: Tensor, real: Tensor | None = None, *, generator_label: Number = 1.0
) -> Tensor:
    """-E log D(G(z)), or cross-entropy against a smoothed label.

    Goodfellow et al. 2014, end of section 3. The label is in [0, 1].
    """
    return _cross_entropy(fake, generator_label)


def maximum_likelihood_discriminator(
    real: Tensor, fake: Tensor, *, real_label: Number = 1.0, fake_label: Number = 0.0
) -> Tensor:
    """The same loss as `minimax_discriminator`.

    The likelihood argument for the generator's loss holds for the optimal D under the labels 1
    and 0, whose logit is log p_data - log p_G; smoothed labels give that up.
    """
    return minimax_discriminator(real, fake, real_label=real_label, fake_label=fake_label)


def maximum_likelihood_generator(fake: Tensor, real: Tensor | None = None) -> Tensor:
    """-1/2 E exp(sigma^-1(D(G(z)))) = -1/2 E exp(logit): Goodfellow 2014 (tutorial: 2016).

    The formula itself passes float32's range above logits of 88; up to 80 it is right for any
    number of logits.
    """
    # Divided before it is summed: a patch map has enough logits for the sum to overflow.
    return -(fake.exp() / (2 * fake.numel())).sum()


# --- other scores of single logits -------------------------------------------------------------


def least_squares_discriminator(
    real: Tensor, fake: Tensor, *, a: Number = 0.0, b: Number = 1.0
) -> Tensor:
    """1/2 E (D(x) - b)^2 + 1/2 E (D(G(z)) - a)^2 on raw logits: Mao et al. 2017, equation 2.

    `a` is the target for fakes, `b` for real data. (a, b, c) = (-1, 1, 0) gives Pearson's chi^2.
    """
    return 0.5 * (real - b).square().mean() + 0.5 * (fake - a).square().mean()


def least_squares_generator(fake: Tensor, real: Tensor | None = None, *, c: Number = 1.0) -> Tensor:
    """1/2 E (D(G(z)) - c)^2 on raw logits: Mao et al. 2017, equation 2."""
    return 0.5 * (fake - c).square().mean()


def wasserstein_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """E D(G(z)) - E D(x), the negative of the critic's estimate: Arjovsky et al. 2017, eq. 2."""
    return fake.mean() - real.mean()


def wasserstein_generator(fake: Tensor, real: Tensor | None = None) -> Tensor:
    """-E D(G(z)): Arjovsky et al. 2017, algorithm 1."""
    return -fake.mean()


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))).

    Lim and Ye 2017; Miyato et al. 2018, equation 16.
    """
    return F.relu(1.0 - real).mean() + F.relu(1.0 + fake).mean()


def hinge_generator(fake: Tensor, real: Tensor | None = None) -> Tensor:
    """-E D(G(z)): Miyato et al. 2018, equation 17."""
    return -fake.mean()


# --- scores of real and fake logits against each other -----------------------------------------


def relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """-E log sigma(D(x) - D(G(z))) over the pairs that the batch makes.

    Jolicoeur-Martineau 2018 (RSGAN); Huang et al. 2024 (R3GAN). Logits of one shape.
    Raises ValueError if the shapes differ: broadcasting would pair every x with every fake.
    """
    if real.shape != fake.shape:
        raise ValueError(
            f"relativistic loss: real logits {tuple(real.shape)} and fake logits "
            f"{tuple(fake.shape)} must have one shape, since they are paired"
        )
    return _softplus(fake - real).mean()


def relativistic_generator(fake: Tensor, real: Tensor | None = None) -> Tensor:
    """-E log sigma(D(G(z)) - D(x)), the discriminator's loss with the roles exchanged.

    Raises ValueError without `real`.
    """
    return relativistic_discriminator(fake, _needed(real, "relativistic"))


def relativistic_average_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """-E log sigma(D(x) - E D(G(z))) - E log(1 - sigma(D(G(z)) - E D(x))).

    Jolicoeur-Martineau 2018 (RaSGAN, the sum of the two, not their half). The inner expectations
    are over all of the batch's logits, positions of a patch map included. The two numbers of
    samples may differ.
    """
    return _softplus(fake.mean() - real).mean() + _softplus(fake - real.mean()).mean()


def relativistic_average_generator(fake: Tensor, real: Tensor | None = None) -> Tensor:
    """The loss of `relativistic_average_discriminator` with the roles exchanged.

    Raises ValueError without `real`.
    """
    return relativistic_average_discriminator(fake, _needed(real, "relativistic_average"))


def _needed(real: Tensor | None, loss: str) -> Tensor:
    if real is None:
        raise ValueError(f"real=None: the generator's loss {loss!r} needs the real data's logits")
    return real


# --- the registry ------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class AdversarialLoss:
    """A pair of losses and the numbers that each takes from `h["loss.<name>"]`."""

    discriminator_function: Callable[..., Tensor]
    generator_function: Callable[..., Tensor]
    discriminator_numbers: tuple[str, ...] = ()
    generator_numbers: tuple[str, ...] = ()
    relativistic: bool = False
    """The generator's loss needs the logits of real data."""
    probabilities: bool = False
    """The logistic function of a logit is D's probability that a sample is real."""

    @property
    def numbers(self) -> tuple[str, ...]:
        """Names of all numbers, without their prefix; each once, the discriminator's first."""
        return tuple(dict.fromkeys(self.discriminator_numbers + self.generator_numbers))

    def discriminator(self, real: Tensor, fake: Tensor, h: Mapping[str, Tensor]) -> Tensor:
        """The discriminator's loss of its logits, a 0-dim tensor."""
        numbers = {name: h[f"loss.{name}"] for name in self.discriminator_numbers}
        return self.discriminator_function(real, fake, **numbers)

    def generator(
        self, fake: Tensor, h: Mapping[str, Tensor], real: Tensor | None = None
    ) -> Tensor:
        """The generator's loss of the discriminator's logits, a 0-dim tensor.

        Raises ValueError if the loss is relativistic and `real` is None.
        """
        numbers = {name: h[f"loss.{name}"] for name in self.generator_numbers}
        if self.relativistic:
            return self.generator_function(fake, real, **numbers)
        return self.generator_function(fake, **numbers)


LOSSES: dict[str, AdversarialLoss] = {
    "minimax": AdversarialLoss(
        probabilities=True,
        discriminator_function=minimax_discriminator,
        generator_function=minimax_generator,
        discriminator_numbers=("real_label", "fake_label"),
    ),
    "nonsaturating": AdversarialLoss(
        probabilities=True,
        discriminator_function=nonsaturating_discriminator,
        generator_function=nonsaturating_generator,
        discriminator_numbers=("real_label", "fake_label"),
        generator_numbers=("generator_label",),
    ),
    "maximum_likelihood": AdversarialLoss(
        probabilities=True,
        discriminator_function=maximum_likelihood_discriminator,
        generator_function=maximum_likelihood_generator,
        discriminator_numbers=("real_label", "fake_label"),
    ),
    "least_squares": AdversarialLoss(
        discriminator_function=least_squares_discriminator,
        generator_function=least_squares_generator,
        discriminator_numbers=("a", "b"),
        generator_numbers=("c",),
    ),
    "wasserstein": AdversarialLoss(
        discriminator_function=wasserstein_discriminator,
        generator_function=wasserstein_generator,
    ),
    "hinge": AdversarialLoss(
        discriminator_function=hinge_discriminator, generator_function=hinge_generator
    ),
    "relativistic": AdversarialLoss(
        discriminator_function=relativistic_discriminator,
        generator_function=relativistic_generator,
        relativistic=True,
    ),
    "relativistic_average": AdversarialLoss(
        discriminator_function=relativistic_average_discriminator,
        generator_function=relativistic_average_generator,
        relativistic=True,
    ),
}
