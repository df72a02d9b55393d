"""What the five papers claim, numbered, with the test and the rule of each, fixed before any run.

A figure judges the claims that it names; the rules are those of `judging`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gan_runner.figures.figure import Paper
from gan_runner.studies.claims import RULE

FAILED = "a run that failed counts as the worst value of all that are compared"
BETTER = f"Better means: {RULE}; {FAILED}"
EACH = "each part is tested alone, for all must hold"
ABOVE = (
    "Above (or below) a bound means: the whole 95 % interval of the mean over at least 3 seeds is; "
    "wholly on the other side, the claim does not hold; with runs that failed it never holds"
)
SHARE = "At least 80 % of six or more seeds: it holds; at most 20 %: it does not"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A paper's claim. test: what is compared. rule: how that is judged."""

    paper: Paper
    says: str
    test: str
    rule: str


CLAIMS: Mapping[str, Claim] = {
    "A1": Claim(
        paper="anatomizing",
        says="SRGAN's mean squared error is below that of its generator trained on it alone (MLP).",
        test="MSE of SRGAN and MLP on test points, paired by seed.",
        rule=BETTER,
    ),
    "A2": Claim(
        paper="anatomizing",
        says="vGAN's samples resemble the data.",
        test="Share of seeds with all 3 modes, at least 90 % of samples within 3 sd of one, and a "
        "Wasserstein distance of at most 3 times the floor (real points against real points).",
        rule=SHARE,
    ),
    "A3": Claim(
        paper="anatomizing",
        says="The losses fluctuate most at the start of training.",
        test="Logarithm of a loss's variance in the first fifth of a run over that in the last, of "
        "both players, for vGAN and SRGAN.",
        rule=f"{ABOVE}: above 0, for each",
    ),
    "A4": Claim(
        paper="anatomizing",
        says="For G, minimising -log D(G(z)) is better than minimising log(1 - D(G(z))).",
        test="Wasserstein distance of vGAN with either loss, paired by seed.",
        rule=BETTER,
    ),
    "I1": Claim(
        paper="introduction",
        says="Gradient play on v(a, b) = ab orbits and does not converge.",
        test="Distance from the equilibrium after 2,000 steps over that at the start, simultaneous "
        "and alternating.",
        rule="It holds if neither is below 0.5; it does not if one of them is",
    ),
    "I2": Claim(
        paper="introduction",
        says="The heuristic (non-saturating) cost is better than minimax and maximum likelihood.",
        test="Sliced Wasserstein or Fréchet classifier distance by cost, paired by seed, on ring8 "
        "and on digits.",
        rule=f"{BETTER}; better than both, on both sets; {EACH}",
    ),
    "I3": Claim(
        paper="introduction",
        says="Dropout in D matters: without it, or off while G learns, results are worse.",
        test="Fréchet classifier distance of dropout in D against the two others, by seed.",
        rule=f"{BETTER}; better than both",
    ),
    "I4": Claim(
        paper="introduction",
        says="At the end D gives 1/2 everywhere.",
        test="Share of seeds in which the mean of D over the last tenth of a run lies in 0.45 to "
        "0.55, on real and on generated samples; on ring8 and on digits.",
        rule=f"{SHARE}; on both sets. A mean at 1/2 is needed, and not enough: so the claim can be "
        "refuted, or cannot be told",
    ),
    "I5": Claim(
        paper="introduction",
        says="Arithmetic in z makes arithmetic of meanings.",
        test="Share of G(mean of a - mean of b + mean of c) that a classifier reads as the class "
        "foretold, over the share of all samples that it reads so; on MNIST and on digits. A "
        "run that makes none of a class counts as failed.",
        rule=f"{ABOVE}: above 2 times chance, on both sets",
    ),
    "O1": Claim(
        paper="overview",
        says="Conditions give control over what is made.",
        test="Share of samples that a classifier reads as the label asked for, cGAN and cDCGAN.",
        rule=f"{ABOVE}: above 0.9, for both",
    ),
    "O2": Claim(
        paper="overview",
        says="cDCGAN's samples are more realistic than cGAN's.",
        test="Fréchet classifier distance on MNIST after as many epochs, paired by seed.",
        rule=BETTER,
    ),
    "O3": Claim(
        paper="overview",
        says="A D or a G that is too weak stops progress.",
        test="Fréchet classifier distance with one player at its smallest width against the "
        "preset's, paired by seed; each player in turn.",
        rule=f"{BETTER}; the preset is better than both",
    ),
    "S1": Claim(
        paper="study",
        says="DCGAN improves on the basic GAN.",
        test="Fréchet classifier distance on MNIST after as many epochs, paired by seed.",
        rule=BETTER,
    ),
    "S2": Claim(
        paper="study",
        says="Spectral normalisation of G and D, and two rates, help convergence.",
        test="Fréchet classifier distance at the end and its mean along training, of SN and of "
        "SN + TTUR against the baseline, paired by seed.",
        rule=f"{BETTER}; better in both, for each; {EACH}",
    ),
    "S3": Claim(
        paper="study",
        says="Labels (cGAN, ACGAN) improve quality and stability.",
        test="Fréchet classifier distance on MNIST of ACGAN and cDCGAN against DCGAN, as many "
        "epochs of each, paired by seed. Stability enters by runs that fail.",
        rule=f"{BETTER}; better for each; {EACH}",
    ),
    "S4": Claim(
        paper="study",
        says="SRGAN shows more detail than SRResNet, at lower PSNR.",
        test="PSNR down and perceptual distance down, SRGAN against SRResNet, from one first stage "
        "and for as many steps, paired by seed.",
        rule=f"{BETTER}; for each of the two; {EACH}",
    ),
    "M1": Claim(
        paper="mnist",
        says="WGAN's loss follows the quality of its samples.",
        test="Rank correlation of the critic's loss and the Fréchet classifier distance along a "
        "run.",
        rule=f"{ABOVE}: above 0.5",
    ),
    "M2": Claim(
        paper="mnist",
        says="WGAN does not converge with batch normalisation.",
        test="Fréchet classifier distance without against with it, paired by seed.",
        rule=BETTER,
    ),
    "M3": Claim(
        paper="mnist",
        says="LSGAN is more stable than the standard loss.",
        test="Standard deviation over seeds of the Fréchet classifier distance, and failed runs.",
        rule="It holds if the 95 % bootstrap interval of log(sd of LSGAN / sd of the standard "
        "loss) lies below 0 and LSGAN fails no more often; it does not if it lies above 0",
    ),
    "M4": Claim(
        paper="mnist",
        says="InfoGAN's category is the digit, and its codes are rotation and thickness.",
        test="Accuracy of the category under the best matching; correlation of either code with "
        "the slant and with the stroke's width of the samples.",
        rule=f"{ABOVE}: accuracy above 0.9, and slant and width each have a code of their own "
        "whose absolute correlation with it is above 0.3",
    ),
    "M5": Claim(
        paper="mnist",
        says="Mixing regularisation localises styles.",
        test="How much a down-sampled image changes when only fine styles are swapped, over the "
        "change when all are; with mixing regularisation against without, paired by seed.",
        rule=BETTER,
    ),
    "M6": Claim(
        paper="mnist",
        says="Where supports part, KL explodes and the earth mover's distance does not.",
        test="Two parallel lines at distance t: KL, JS and W1 against t, by closed form and from "
        "histograms and sorted samples.",
        rule="It holds if at every t > 0 KL is infinite, JS is ln 2, and W1 is t to 1 %",
    ),
}  # fmt: skip
