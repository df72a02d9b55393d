"""Figures of overview (Cosci 2022): four GANs on MNIST, and ours about three of its claims.

Its chapter on results is empty: settings are those of the author's public code.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from matplotlib.ticker import NullLocator

from gan_runner.figures import digits, drawing, judging
from gan_runner.figures.anatomizing import mean
from gan_runner.figures.figure import Arm, Drawing, Figure, Material, Trained
from gan_runner.studies.figures import round_ticks
from gan_runner.studies.statistics import summary

LOSSES = {"loss/D": "D", "loss/G": "G"}
METRICS = {
    digits.METRIC: digits.LABEL, "precision": "precision", "recall": "recall",
    "label_agreement": "share read as the label asked for",
}  # fmt: skip
PANELS, PER_CLASS, SEED = 5, 10, 1
AGREES, CHANCE = 0.9, 0.1  # claim O1; ten classes
WIDTHS = (2, 8, 32)  # of one player in figure weak, beside the preset's
PRESET = "preset"


def training(material: Material, *, title: str) -> Drawing:
    """Samples over epochs, final samples by class where there are labels, and the losses."""
    (arm,) = material.runs
    runs, run = material.completed(arm), material.first(arm)
    canvas, (above, below) = drawing.parts(title, size=(10.5, 5.2), heights=(1, 1.25))
    panels = above.subplots(1, PANELS)
    for axes in panels:
        axes.set_axis_off()
    for axes, (step, file) in zip(panels, drawing.sample_pictures(run, PANELS), strict=False):
        axes.set_axis_on()
        drawing.picture(axes, file, f"epoch {drawing.epoch(run, step):.3g}")
    by_class = _by_class(run)
    if by_class is None:
        axes = below.subplots()
    else:
        grid, axes = below.subplots(1, 2, width_ratios=(1, 2.4))
        rows_of_classes(grid, by_class, "a row a class")
    drawing.curves(axes, runs, LOSSES, x="epoch")
    axes.set_ylabel("loss (nats)")
    axes.legend()
    numbers = {
        label: mean(list(material.of(arm, metric).values()))
        for metric, label in METRICS.items() if material.of(arm, metric)
    }  # fmt: skip
    return Drawing(canvas=canvas, numbers=numbers)


def _by_class(run: Trained) -> np.ndarray[Any, np.dtype[Any]] | None:
    """Samples [10 PER_CLASS, C, H, W] class by class; None of a game without labels."""
    from gan_runner import latent, load

    loaded = load(run.folder)
    names = latent.class_names(loaded.prepared.dataset)
    try:
        made = [loaded.sample(PER_CLASS, seed=SEED, label=each) for each in range(len(names))]
    except ValueError:
        return None
    return np.concatenate([each.numpy() for each in made])


def rows_of_classes(axes: Any, samples: np.ndarray[Any, np.dtype[Any]], title: str) -> None:
    """Lay samples [10 PER_CLASS, C, H, W] out, each row with its class."""
    drawing.images(axes, samples, columns=PER_CLASS, title=title)
    drawing.row_names(axes, [f"{each}" for each in range(len(samples) // PER_CLASS)])


def control(material: Material) -> Drawing:
    """How often a sample is read as the label that was asked for; claim O1."""
    canvas, (axes,) = drawing.canvas("Control by labels, one point a seed", size=(6.4, 2.6))
    values = {arm: list(material.of(arm, "label_agreement").values()) for arm in material.runs}
    drawing.by_seed(axes, values, label="share of samples read as the label asked for")
    axes.set_xlim(0, 1.02)
    drawing.mark(axes, CHANCE, "chance", vertical=True, style=":")
    drawing.mark(axes, AGREES, "wanted", vertical=True)
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.25), ncols=2)
    parts = [
        judging.above(each, AGREES, arm, failed=material.failed(arm))
        for arm, each in values.items()
    ]
    return Drawing(
        canvas=canvas, numbers={arm: mean(each) for arm, each in values.items()},
        verdicts={"O1": judging.both(*parts)},
    )  # fmt: skip


def realism(material: Material) -> Drawing:
    """Distance from the data of cDCGAN and cGAN, and samples of both; claim O2."""
    canvas, panels = drawing.canvas("Perceptrons and convolutions, on MNIST", 1, 3,
                                    size=(3.4, 2.8))  # fmt: skip
    values = {arm: list(material.of(arm, digits.METRIC).values()) for arm in material.runs}
    drawing.by_seed(panels[0], values, label=digits.LABEL)
    for axes, arm in zip(panels[1:], material.runs, strict=True):
        runs = material.completed(arm)
        made = _by_class(runs[0]) if runs else None
        if made is None:
            drawing.nothing(axes, "every run failed", arm)
        else:
            rows_of_classes(axes, made, f"{arm}, a row a class")
    first, *others = material.runs
    return Drawing(
        canvas=canvas,
        numbers={f"{arm}: {digits.LABEL}": mean(each) for arm, each in values.items()},
        verdicts={"O2": judging.better(material, first, others, digits.METRIC)},
    )


def weak(material: Material) -> Drawing:
    """Distance from the data by the width of one player, the other's kept; claim O3."""
    canvas, (axes,) = drawing.canvas("One player made narrower, on digits", size=(6.0, 3.2))
    numbers: dict[str, str] = {}
    widths = (*WIDTHS, digits.WIDTH)
    for player, colour in (("G", drawing.GENERATED), ("D", drawing.REAL)):
        found = [list(material.of(name(player, width), digits.METRIC).values()) for width in widths]
        for width, own in zip(widths, found, strict=True):
            numbers[f"{player} of width {width}: {digits.LABEL}"] = mean(own)
            axes.plot([width] * len(own), own, "o", color=colour, ms=3, alpha=0.35, mew=0)
        every = [summary(own) for own in found]
        axes.fill_between(widths, [each.low for each in every], [each.high for each in every],
                          color=colour, alpha=0.2, linewidth=0)  # fmt: skip
        axes.plot(widths, [each.mean for each in every], "o-", color=colour, label=player)
    axes.set(xscale="log", yscale="log", ylabel=digits.LABEL,
             xlabel="units of that player's narrower layer")  # fmt: skip
    axes.set_xticks(widths, [f"{each}" for each in widths])
    axes.xaxis.set_minor_locator(NullLocator())
    round_ticks(axes.yaxis)
    axes.legend(title="width varied of")
    smallest = [name(player, WIDTHS[0]) for player in ("G", "D")]
    verdict = judging.better(material, PRESET, smallest, digits.METRIC)
    return Drawing(canvas=canvas, numbers=numbers, verdicts={"O3": verdict})


def name(player: str, width: int) -> str:
    """The arm of figure weak in which a player has a width."""
    return PRESET if width == digits.WIDTH else f"{player} {width}"


def _weak_arms() -> dict[str, Arm]:
    arms = {PRESET: digits.VGAN}
    for width in WIDTHS:
        arms[name("G", width)] = digits.perceptron(g=width)
        arms[name("D", width)] = digits.perceptron(d=width)
    return arms


CGAN, CDCGAN = Arm(experiment="overview_cgan"), Arm(experiment="overview_cdcgan")
_EMPTY = "the paper's chapter on results is empty; settings are those of its author's code"

FIGURES = (
    Figure(
        paper="overview", name="gan", shows="GAN of perceptrons on MNIST over epochs",
        arms={"GAN": Arm(experiment="overview_gan")}, minutes=14,
        draw=partial(training, title="GAN on MNIST"), differs=f"{_EMPTY}.",
    ),
    Figure(
        paper="overview", name="dcgan", shows="DCGAN on MNIST over epochs",
        arms={"DCGAN": Arm(experiment="overview_dcgan")}, minutes=12,
        draw=partial(training, title="DCGAN on MNIST"),
        differs=f"{_EMPTY}; 28 x 28 pixels in place of 64 x 64.",
    ),
    Figure(
        paper="overview", name="cgan", shows="cGAN of perceptrons on MNIST over epochs, by class",
        arms={"cGAN": CGAN}, minutes=12, draw=partial(training, title="cGAN on MNIST"),
        differs=f"{_EMPTY}.",
    ),
    Figure(
        paper="overview", name="cdcgan", shows="cDCGAN on MNIST over epochs, by class",
        arms={"cDCGAN": CDCGAN}, minutes=13, draw=partial(training, title="cDCGAN on MNIST"),
        differs=f"{_EMPTY}.",
    ),
    Figure(
        paper="overview", name="control", shows="whether samples are of the label asked for",
        arms={
            # fewer epochs than the papers' presets for two cores, three seeds of which take longer
            "cGAN": Arm(experiment="overview_cgan", cpu=("training.epochs=14",)),
            "cDCGAN": Arm(experiment="overview_cdcgan", cpu=("training.epochs=6",)),
        },
        minutes=13, draw=control, claims=("O1",),
        differs=f"{_EMPTY}. A classifier reads the samples.",
    ),
    Figure(
        paper="overview", name="realism", shows="cDCGAN against cGAN on MNIST, over seeds",
        arms={
            "cDCGAN": digits.brief("overview_cdcgan"), "cGAN": digits.brief("overview_cgan"),
        },
        seeds=6, minutes=8, draw=realism, claims=("O2",), differs=digits.BRIEFLY,
    ),
    Figure(
        paper="overview", name="weak", shows="one player made narrower, over seeds",
        arms=_weak_arms(), seeds=10, minutes=10, draw=weak, claims=("O3",),
        differs="the paper states it without an experiment; here small perceptrons on digits.",
    ),
)  # fmt: skip
