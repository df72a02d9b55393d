"""Figures of introduction (Aminian 2022) that judge claims by many runs: I2, I3 and I4."""

from __future__ import annotations

import math

import numpy as np

from gan_runner.figures import digits, drawing, judging
from gan_runner.figures.anatomizing import mean
from gan_runner.figures.figure import Arm, Drawing, Figure, Material, Trained, Verdict

COSTS = {
    "-log D": "nonsaturating", "log(1 - D)": "minimax", "max. likelihood": "maximum_likelihood",
}  # fmt: skip
SETS = {
    "ring8": ("sliced_wasserstein", "sliced Wasserstein distance (units of x)"),
    "digits": (digits.METRIC, digits.LABEL),
}
RATE = 0.5  # of dropout: the text speaks of weights divided by two
OUTPUTS = {"output/real": "real", "output/fake": "generated"}
LOW, HIGH, LAST = 0.45, 0.55, 10  # claim I4: D's mean over the last tenth of a run


def heuristic(material: Material) -> Drawing:
    """How far samples are from the data by G's cost, on two sets; claim I2."""
    canvas, panels = drawing.canvas("By G's cost, one point a seed", 1, 2, size=(4.4, 2.4))
    verdicts, numbers = [], dict[str, str]()
    for axes, (name, (metric, label)) in zip(panels, SETS.items(), strict=True):
        arms = {cost: f"{name}, {cost}" for cost in COSTS}
        values = {cost: list(material.of(arm, metric).values()) for cost, arm in arms.items()}
        drawing.by_seed(axes, values, label=label, log=True)
        axes.set_title(name)
        first, *others = arms.values()
        verdicts.append(judging.better(material, first, others, metric))
        for cost, arm in arms.items():
            numbers[f"{arm}: {label}"] = mean(values[cost])
            if material.failed(arm):
                numbers[f"{arm}: failed"] = f"{material.failed(arm)} of {len(material.runs[arm])}"
    return Drawing(canvas=canvas, numbers=numbers, verdicts={"I2": judging.both(*verdicts)})


def dropout(material: Material) -> Drawing:
    """Distance from the data, and D's output, with dropout in D and without; claim I3."""
    canvas, (left, right) = drawing.canvas("Dropout in D, on digits", 1, 2, size=(4.4, 2.8))
    values = {arm: list(material.of(arm, digits.METRIC).values()) for arm in material.runs}
    drawing.by_seed(left, values, label=digits.LABEL)
    for arm, colour in zip(material.runs, drawing.COLOURS, strict=False):
        drawing.curves(right, material.completed(arm), {"output/real": arm}, colours=(colour,))
    right.set(ylabel="mean of D on real samples", ylim=(0, 1))
    drawing.mark(right, 0.5, "1/2")
    right.legend(loc="lower right")
    first, *others = material.runs
    return Drawing(
        canvas=canvas,
        numbers={f"{arm}: {digits.LABEL}": mean(each) for arm, each in values.items()},
        verdicts={"I3": judging.better(material, first, others, digits.METRIC)},
    )


def at_the_end(run: Trained, tag: str) -> float:
    """A logged number's mean over the last tenth of a run; NaN if it has none."""
    values = run.series().get(tag, ([], []))[1]
    return float(np.mean(values[-max(1, len(values) // LAST) :])) if values else math.nan


def is_half(run: Trained) -> bool:
    """Whether D cannot tell at the end: its mean output is near 1/2 on both kinds of samples."""
    return all(LOW <= at_the_end(run, tag) <= HIGH for tag in OUTPUTS)


def only_refuted(found: Verdict) -> Verdict:
    """A necessary condition's verdict on a claim: met, it does not show that the claim holds."""
    if found.word != "holds":
        return found
    why = f"{found.why}; whether each single output is near it, a mean does not say"
    return Verdict(word="cannot be told", why=why)


def half(material: Material) -> Drawing:
    """D's mean outputs along training and at the end of it, by seed; claim I4."""
    canvas, panels = drawing.canvas("Mean of D's output", 2, 2, size=(4.4, 2.4))
    colours = (drawing.REAL, drawing.GENERATED)
    verdicts, numbers = [], dict[str, str]()
    for arm, above, below in zip(material.runs, panels[:2], panels[2:], strict=True):
        runs = material.completed(arm)
        drawing.curves(above, runs, OUTPUTS, colours=colours)
        above.set(title=arm, ylim=(0, 1), ylabel="mean of D")
        drawing.mark(above, 0.5, "1/2")
        ends = {name: [at_the_end(run, tag) for run in runs] for tag, name in OUTPUTS.items()}
        drawing.by_seed(below, ends, label="mean of D over the last tenth of a run")
        below.axvspan(LOW, HIGH, color=drawing.FAINT, alpha=0.25, linewidth=0)
        below.set_xlim(0, 1)
        numbers |= {f"{arm}, D on {name} samples": mean(each) for name, each in ends.items()}
        successes = [is_half(run) for run in runs] + [False] * material.failed(arm)
        verdicts.append(only_refuted(judging.share(successes, f"{arm}, D at 1/2")))
    panels[1].legend(loc="lower right", ncols=3)
    return Drawing(canvas=canvas, numbers=numbers, verdicts={"I4": judging.both(*verdicts)})


def _ring(loss: str) -> Arm:
    return Arm(
        experiment="ring8_ns", stacked=True,
        overrides=(f"loss={loss}",) if loss != "nonsaturating" else (),
    )  # fmt: skip


def _digits(loss: str) -> Arm:
    return digits.perceptron(f"loss={loss}") if loss != "nonsaturating" else digits.VGAN


_DROPOUT = f"network.discriminator.dropout={RATE}"
_SMALL = "the text asserts it without an experiment; here small perceptrons on digits of 8 x 8 "
CLAIM_FIGURES = (
    Figure(
        paper="introduction", name="heuristic", shows="three costs of G on two sets, over seeds",
        arms={
            **{f"ring8, {cost}": _ring(loss) for cost, loss in COSTS.items()},
            **{f"digits, {cost}": _digits(loss) for cost, loss in COSTS.items()},
        },
        seeds=10, minutes=13, draw=heuristic, claims=("I2",),
        differs=f"{_SMALL}pixels, and on a ring of 8 Gaussians.",
    ),
    Figure(
        paper="introduction", name="dropout",
        shows="dropout in D: on, off while G learns, never",
        arms={
            "on": digits.perceptron(_DROPOUT),
            "off in G's step": digits.perceptron(_DROPOUT, "model.discriminator_in_eval=true"),
            "never": digits.VGAN,
        },
        seeds=10, minutes=6, draw=dropout, claims=("I3",), differs=f"{_SMALL}pixels.",
    ),
    Figure(
        paper="introduction", name="half", shows="whether D gives 1/2 at the end",
        arms={"ring8": _ring("nonsaturating"), "digits": digits.VGAN}, seeds=10, minutes=6,
        draw=half, claims=("I4",), differs=f"{_SMALL}pixels, and on a ring of 8 Gaussians.",
    ),
)  # fmt: skip
