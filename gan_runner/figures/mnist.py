"""Figures of mnist (Seetharaman and Premkumar 2022); ours about its claims: `mnist_claims`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import permutations

from gan_runner.figures import drawing, judging
from gan_runner.figures.anatomizing import mean
from gan_runner.figures.figure import ALONG, Arm, Drawing, Figure, Material, Trained
from gan_runner.figures.mnist_claims import (
    BATCHNORM,
    MIXING,
    STABILITY,
    batchnorm,
    correlation,
    distances,
    mixing,
    stability,
)
from gan_runner.figures.study import DISTANCE, LABELS, epochs, numbers, samples

LOSSES = {"loss/D": "D", "loss/G": "G"}
FOLLOWS = 0.5  # of claim M1: the rank correlation that is wanted
ACCURATE, MOVES = 0.9, 0.3  # of claim M4
CODES = {"slant": "slant (pixels a pixel)", "stroke": "stroke width (pixels)"}


def losses(material: Material, *, title: str, label: str = "loss") -> Drawing:
    """Both players' losses over epochs."""
    canvas, (axes,) = drawing.canvas(title, size=(6.4, 3.4))
    (arm,) = material.runs
    drawing.curves(axes, material.completed(arm), LOSSES, x="epoch")
    axes.set_ylabel(label)
    axes.legend()
    return Drawing(canvas=canvas, numbers=numbers(material))


def follows(material: Material) -> Drawing:
    """WGAN's losses, and the critic's loss against the distance along training; claim M1."""
    canvas, (left, right) = drawing.canvas("Fig. 6: WGAN on the 7s", 1, 2, size=(5.0, 3.3))
    (arm,) = material.runs
    runs = material.completed(arm)
    drawing.curves(left, runs, LOSSES, x="epoch")
    left.set_ylabel("critic's and generator's loss")
    left.legend()
    found: dict[int, float] = {}
    for run, colour in zip(runs, drawing.COLOURS, strict=False):
        distance, estimate = along(run)
        right.plot(estimate, distance, "o-", color=colour, ms=3.5, label=f"seed {run.seed}")
        found[run.seed] = correlation(estimate, distance)
    right.set(xlabel="critic's estimate of the distance (-loss of D)", ylabel=LABELS[DISTANCE])
    if runs:
        right.legend()
    told = {"rank correlation along training": mean(list(found.values()))}
    verdict = judging.above(
        list(found.values()), FOLLOWS, "rank correlation", failed=material.failed(arm)
    )
    return Drawing(canvas=canvas, numbers=numbers(material) | told, verdicts={"M1": verdict})


def along(run: Trained) -> tuple[list[float], list[float]]:
    """The distance at each measurement, and the critic's estimate about it: minus its loss.

    The estimate is the mean over the logged steps since the measurement before.
    """
    logged = run.series()
    steps, distance = logged.get(f"{ALONG}{DISTANCE}", ([], []))
    at, loss = logged.get("loss/D", ([], []))
    estimates, before = [], 0.0
    for step in steps:
        own = [value for when, value in zip(at, loss, strict=True) if before < when <= step]
        estimates.append(-sum(own) / len(own) if own else float("nan"))
        before = step
    return distance, estimates


def categories(material: Material, *, picture: str, title: str) -> Drawing:
    """InfoGAN's grid of a code: a category a row."""
    (arm,) = material.runs
    run = material.first(arm)
    found = sorted((run.folder / "samples").glob(f"{picture}_*.png"))
    canvas, (axes,) = drawing.canvas(title, size=(5.6, 5.6))
    if found:
        drawing.picture(axes, found[-1])
    return Drawing(canvas=canvas, numbers=codes(material, arm))


def moved(material: Material, *, title: str, thickness: bool) -> Drawing:
    """InfoGAN's grid of the code that turns digits most, or of the one that thickens them."""
    (arm,) = material.runs
    run = material.first(arm)
    turning = turning_code(run.values)
    code = {1: 2, 2: 1}[turning] if thickness else turning
    name = f"{title} (code {code} of seed {run.seed}), from -2 to 2"
    return categories(material, picture=f"code_{code}", title=name)


def turning_code(values: Mapping[str, float]) -> int:
    """The code that turns digits, 1 or 2, such that the other one thickens them best.

    The likelier of the two ways to give slant and stroke width a code each.
    """
    slant, stroke = ([abs(values.get(f"code_{code}_{what}", 0.0)) for code in (1, 2)]
                     for what in ("slant", "stroke"))  # fmt: skip
    return 1 if slant[0] * stroke[1] >= slant[1] * stroke[0] else 2


def codes(material: Material, arm: str) -> dict[str, str]:
    """What InfoGAN's codes came to over seeds, in words."""
    names = {
        "code_accuracy": "category as a classifier", "information_bound": "bound (nats)",
        "code_1_slant": "code 1's slant", "code_1_stroke": "code 1's stroke width",
        "code_2_slant": "code 2's slant", "code_2_stroke": "code 2's stroke width",
    }  # fmt: skip
    return {
        f"{label}": mean(list(material.of(arm, metric).values()))
        for metric, label in names.items() if material.of(arm, metric)
    }  # fmt: skip


def meaning(material: Material) -> Drawing:
    """InfoGAN's accuracy, and how far slant and stroke width go with a code; claim M4."""
    from gan_runner.figures.mnist_claims import code_correlations

    (arm,) = material.runs
    canvas, (left, right) = drawing.canvas("What InfoGAN's codes are", 1, 2, size=(4.6, 2.4))
    accuracy = material.of(arm, "code_accuracy")
    drawing.by_seed(left, {"category": list(accuracy.values())},
                    label="accuracy as a classifier of digits")  # fmt: skip
    drawing.mark(left, 0.95, "published", vertical=True)
    found = [code_correlations(run) for run in material.completed(arm)]
    strongest = own_codes(found)
    drawing.by_seed(right, strongest, label="|correlation| with a code of its own")
    drawing.mark(left, ACCURATE, "wanted", vertical=True, style=":")
    left.legend()
    drawing.mark(right, MOVES, "wanted", vertical=True, style=":")
    right.legend()
    failed = material.failed(arm)
    parts = [judging.above(list(accuracy.values()), ACCURATE, "accuracy", failed=failed)]
    parts += [
        judging.above(each, MOVES, f"{name}'s code", failed=failed)
        for name, each in strongest.items()
    ]
    told = {f"|correlation| of {name} with a code": mean(each) for name, each in strongest.items()}
    return Drawing(
        canvas=canvas, numbers=codes(material, arm) | told, verdicts={"M4": judging.both(*parts)}
    )


def own_codes(found: Sequence[Mapping[str, Sequence[float]]]) -> dict[str, list[float]]:
    """|correlation| of slant and of stroke width with a code of its own, of each run.

    Of the ways to give either another code, the one whose weaker correlation is the strongest.
    """
    chosen: dict[str, list[float]] = {name: [] for name in CODES}
    for each in found:
        num = len(each["slant"])
        ways = [
            {name: abs(each[name][code]) for name, code in zip(CODES, codes, strict=True)}
            for codes in permutations(range(num), len(CODES))
        ]
        best = max(ways, key=lambda way: min(way.values()), default=dict.fromkeys(CODES, math.nan))
        for name, value in best.items():
            chosen[name].append(value)
    return chosen


def _preset(name: str) -> dict[str, Arm]:
    """The arm of a preset, by its model."""
    return {MODELS[name]: Arm(experiment=f"mnist_{name}", along=name == "fig6")}


MODELS = {
    "fig4": "DCGAN", "fig6": "WGAN", "algorithm1": "WGAN-GP", "fig10": "LSGAN",
    "fig13": "StyleGAN", "fig15": "InfoGAN",
}  # fmt: skip
_AS_PRINTED = "in nothing, at scale full."
_DIGITS = "small networks on digits of 8 x 8 pixels, where many seeds are affordable"
FIGURES = (
    Figure(
        paper="mnist", name="fig4", shows="DCGAN's samples", arms=_preset("fig4"), minutes=9,
        draw=partial(epochs, title="Fig. 4: samples of DCGAN"), differs=_AS_PRINTED,
    ),
    Figure(
        paper="mnist", name="fig6", shows="WGAN's losses on the 7s, and whether they tell quality",
        arms=_preset("fig6"), minutes=10, draw=follows, claims=("M1",),
        differs="a rate of 5e-5 at scale full (printed 000005).",
    ),
    Figure(
        paper="mnist", name="fig7", shows="WGAN's samples of the 7s by epoch",
        arms=_preset("fig6"), minutes=10,
        draw=partial(epochs, title="Fig. 7: samples of WGAN"), differs=_AS_PRINTED,
    ),
    Figure(
        paper="mnist", name="algorithm1", shows="WGAN-GP as the boxed algorithm has it, the 7s",
        arms=_preset("algorithm1"), minutes=13,
        draw=partial(losses, title="Algorithm 1: WGAN-GP on the 7s"),
        differs="the paper boxes WGAN-GP and describes clipping.",
    ),
    Figure(
        paper="mnist", name="fig10", shows="LSGAN's losses on the 5s", arms=_preset("fig10"),
        minutes=12, draw=partial(losses, title="Fig. 10: losses of LSGAN on the 5s"),
        differs="targets -1, 1, 0 (b - c = 1, b - a = 2), squares of differences.",
    ),
    Figure(
        paper="mnist", name="fig11", shows="LSGAN's samples of the 5s by epoch",
        arms=_preset("fig10"), minutes=12,
        draw=partial(epochs, title="Fig. 11: samples of LSGAN"), differs=_AS_PRINTED,
    ),
    Figure(
        paper="mnist", name="fig13", shows="StyleGAN's losses", arms=_preset("fig13"), seeds=1,
        minutes=28, draw=partial(losses, title="Fig. 13: losses of StyleGAN", label="loss (nats)"),
        differs="padded to 32 x 32; one seed, for a run takes half an hour.",
    ),
    Figure(
        paper="mnist", name="fig14", shows="StyleGAN's samples", arms=_preset("fig13"), seeds=1,
        minutes=28, draw=partial(samples, title="Fig. 14: samples of StyleGAN"),
        differs="padded to 32 x 32; one seed, for a run takes half an hour.",
    ),
    Figure(
        paper="mnist", name="fig15", shows="InfoGAN's losses", arms=_preset("fig15"), minutes=14,
        draw=partial(losses, title="Fig. 15: losses of InfoGAN"), differs=_AS_PRINTED,
    ),
    Figure(
        paper="mnist", name="fig16", shows="InfoGAN's categories", arms=_preset("fig15"),
        minutes=14, draw=partial(categories, picture="categories",
                                 title="Fig. 16: InfoGAN, a category a row"),
        differs=_AS_PRINTED,
    ),
    Figure(
        paper="mnist", name="fig17", shows="InfoGAN's code for rotation", arms=_preset("fig15"),
        minutes=14, draw=partial(moved, title="Fig. 17: InfoGAN's rotation", thickness=False),
        differs="of the two codes, the one that slants the samples; the other is figure 18's.",
    ),
    Figure(
        paper="mnist", name="fig18", shows="InfoGAN's code for thickness", arms=_preset("fig15"),
        minutes=14, draw=partial(moved, title="Fig. 18: InfoGAN's thickness", thickness=True),
        differs="of the two codes, the one that widens the strokes; the other is figure 17's.",
    ),
    Figure(
        paper="mnist", name="meaning", shows="what InfoGAN's category and codes are",
        arms={"InfoGAN": Arm(experiment="infogan_mnist")}, minutes=15, draw=meaning,
        claims=("M4",), differs="slant and stroke width are measured; our settings of InfoGAN on "
        "MNIST, since at scale cpu the paper's (figures 15 to 18) end at an accuracy of 0.8.",
    ),
    Figure(
        paper="mnist", name="batchnorm", shows="WGAN with and without batch normalisation",
        arms=BATCHNORM, seeds=10, minutes=10, draw=batchnorm, claims=("M2",),
        differs=f"{_DIGITS}.",
    ),
    Figure(
        paper="mnist", name="stability", shows="LSGAN and the standard loss over seeds",
        arms=STABILITY, seeds=10, minutes=8, draw=stability, claims=("M3",),
        differs=f"{_DIGITS}.",
    ),
    Figure(
        paper="mnist", name="mixing", shows="StyleGAN with and without mixing regularisation",
        arms=MIXING, seeds=6, minutes=15, draw=mixing, claims=("M5",),
        differs="small networks on digits at 16 x 16 pixels.",
    ),
    Figure(
        paper="mnist", name="distances", shows="KL, JS and W1 of two lines that part", arms={},
        minutes=0.1, draw=distances, claims=("M6",),
        differs="the paper states it; Arjovsky et al. 2017, example 1.",
    ),
)  # fmt: skip
