"""Figures of study (Das, Biyani, Pal and Suthar 2019), and ours about its claims."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from gan_runner.figures import digits, drawing, judging
from gan_runner.figures.anatomizing import mean
from gan_runner.figures.digits import BRIEFLY, brief
from gan_runner.figures.figure import ALONG, Arm, Drawing, Figure, Material, Trained
from gan_runner.figures.superres import SUPERRES_FIGURES

LOSSES = {"loss/D": "D", "loss/G": "G"}
DISTANCE, SCORE = "frechet_classifier_distance", "classifier_score"
LABELS = {DISTANCE: "Fréchet classifier distance", SCORE: "classifier score"}
PANELS, SHOWN, SEED = 4, 64, 1
BASELINE, SN, TTUR = "baseline (SN on D)", "SN on G and D", "SN on G and D, TTUR"


def losses(material: Material, *, title: str) -> Drawing:
    """Both players' losses over epochs."""
    canvas, (axes,) = drawing.canvas(title, size=(6.4, 3.4))
    (arm,) = material.runs
    drawing.curves(axes, material.completed(arm), LOSSES, x="epoch")
    axes.set_ylabel("loss")
    axes.legend()
    return Drawing(canvas=canvas, numbers=numbers(material))


def epochs(material: Material, *, title: str) -> Drawing:
    """Samples of one noise over epochs."""
    (arm,) = material.runs
    run = material.first(arm)
    found = drawing.sample_pictures(run, PANELS)
    canvas, panels = drawing.canvas(title, 1, PANELS, size=(2.9, 2.9))
    for axes in panels:
        axes.set_axis_off()
    for axes, (step, file) in zip(panels, found, strict=False):
        axes.set_axis_on()
        drawing.picture(axes, file, f"epoch {drawing.epoch(run, step):.3g}")
    return Drawing(canvas=canvas, numbers=numbers(material))


def samples(material: Material, *, title: str, columns: int = 8) -> Drawing:
    """A grid of each arm's samples."""
    num = len(material.runs)
    canvas, panels = drawing.canvas(title, 1, num, size=(3.6, 3.7))
    for axes, arm in zip(panels, material.runs, strict=True):
        grid(axes, material, arm, columns=columns, title=arm if num > 1 else "")
    return Drawing(canvas=canvas, numbers=numbers(material))


def grid(axes: Any, material: Material, arm: str, *, columns: int = 8, title: str = "") -> None:
    """Samples of an arm's first run that got to its end, or that none did."""
    if material.completed(arm):
        drawing.images(axes, drawn(material.first(arm), SHOWN), columns=columns, title=title)
    else:
        drawing.nothing(axes, "every run failed", title)


def drawn(run: Trained, num: int) -> np.ndarray[Any, np.dtype[Any]]:
    """Samples [num, C, H, W] of a run in [-1, 1]."""
    from gan_runner import load

    return np.asarray(load(run.folder).sample(num, seed=SEED).numpy())


def numbers(material: Material) -> dict[str, str]:
    """Each arm's distance and score over seeds, in words."""
    return {
        f"{arm}: {label}": mean(list(material.of(arm, metric).values()))
        for arm in material.runs for metric, label in LABELS.items() if material.of(arm, metric)
    }  # fmt: skip


def convergence(material: Material) -> Drawing:
    """Distance and score along training, a band over seeds; with enough of them, claim S2."""
    canvas, panels = drawing.canvas("Fig. 9: spectral normalisation and two rates", 1, 2,
                                    size=(5.0, 3.3))  # fmt: skip
    found: dict[str, str] = {}
    for axes, (metric, label) in zip(panels, LABELS.items(), strict=True):
        for arm, colour in zip(material.runs, drawing.COLOURS, strict=False):
            drawing.curves(axes, material.completed(arm), {f"{ALONG}{metric}": arm},
                           x="epoch", colours=(colour,))  # fmt: skip
        axes.set_ylabel(label)
        if metric == DISTANCE and axes.lines:
            axes.set_yscale("log")
    if panels[1].lines:
        panels[1].legend()
    along = {arm: areas(material.completed(arm)) for arm in material.runs}
    for arm, each in along.items():
        found[f"{arm}: mean distance along training"] = mean(list(each.values()))
    parts = []
    for arm in (SN, TTUR):
        parts.append(judging.better(material, arm, [BASELINE], DISTANCE))
        parts.append(judging.better_among(
            material, arm, {each: along[each] for each in (arm, BASELINE)},
            "mean distance along training", lower_is_better=True,
        ))  # fmt: skip
    return Drawing(
        canvas=canvas, numbers=numbers(material) | found, verdicts={"S2": judging.both(*parts)}
    )


def areas(runs: tuple[Trained, ...]) -> dict[int, float]:
    """The mean over steps of the distance along training, by seed: the area under its curve."""
    found: dict[int, float] = {}
    for run in runs:
        steps, values = run.series().get(f"{ALONG}{DISTANCE}", ([], []))
        if len(steps) > 1:
            found[run.seed] = float(np.trapezoid(values, steps) / (steps[-1] - steps[0]))
    return found


def against(material: Material, *, title: str, claim: str, first: str, all_of: bool) -> Drawing:
    """Distance by arm over seeds, with a sample grid of each; whether `first` is better.

    all_of: instead, whether each other arm is better than `first`.
    """
    arms = list(material.runs)
    canvas, panels = drawing.canvas(title, 1, 1 + len(arms), size=(3.0, 2.9))
    values = {arm: list(material.of(arm, DISTANCE).values()) for arm in arms}
    drawing.by_seed(panels[0], values, label=LABELS[DISTANCE])
    for axes, arm in zip(panels[1:], arms, strict=True):
        grid(axes, material, arm, title=arm)
    others = [arm for arm in arms if arm != first]
    verdict = (
        judging.both(*(judging.better(material, arm, [first], DISTANCE) for arm in others))
        if all_of else judging.better(material, first, others, DISTANCE)
    )  # fmt: skip
    failed = {f"{arm}: failed runs": f"{material.failed(arm)}" for arm in arms}
    return Drawing(
        canvas=canvas, numbers=numbers(material) | failed, verdicts={claim: verdict}
    )  # fmt: skip


_AS_PRINTED = "in nothing, at scale full."
_DIGITS = "small networks on digits of 8 x 8 pixels, where many seeds are affordable"


def _sn(network: str, optimizer: str) -> Arm:
    return digits.convolutions(
        f"network={network}", f"optimizer={optimizer}", "model.critic_steps=1",
        "metrics.every=500", model="sngan", along=True,
    )  # fmt: skip


FIGURES = (
    Figure(
        paper="study", name="fig1", shows="DCGAN's losses on MNIST",
        arms={"DCGAN": Arm(experiment="study_fig1")}, minutes=12,
        draw=partial(losses, title="Fig. 1: losses of DCGAN"), differs=_AS_PRINTED,
    ),
    Figure(
        paper="study", name="fig2", shows="digits of the basic GAN",
        arms={"GAN": Arm(experiment="study_fig2")}, minutes=14,
        draw=partial(samples, title="Fig. 2: digits of the basic GAN"), differs=_AS_PRINTED,
    ),
    Figure(
        paper="study", name="fig3", shows="DCGAN's digits by epoch",
        arms={"DCGAN": Arm(experiment="study_fig1")}, minutes=12,
        draw=partial(epochs, title="Fig. 3: digits of DCGAN by epoch"), differs=_AS_PRINTED,
    ),
    *SUPERRES_FIGURES,
    Figure(
        paper="study", name="fig9", shows="SN and TTUR against the baseline on MNIST",
        arms={
            BASELINE: Arm(experiment="study_fig9_baseline", along=True),
            SN: Arm(experiment="study_fig9_sn", along=True),
            TTUR: Arm(experiment="study_fig9_sn_ttur", along=True),
        },
        seeds=1, minutes=9, draw=convergence, differs="MNIST and our classifier's scores, where "
        "the figure has IS and FID of ImageNet; one seed, where fig9-seeds has ten.",
    ),
    Figure(
        paper="study", name="fig9-seeds", shows="SN and TTUR against the baseline, over seeds",
        arms={
            BASELINE: _sn("dcgan_sn", "adam_sngan"), SN: _sn("dcgan_sn_both", "adam_sngan"),
            TTUR: _sn("dcgan_sn_both", "adam_sagan"),
        },
        seeds=10, minutes=12, draw=convergence, claims=("S2",), differs=f"{_DIGITS}.",
    ),
    Figure(
        paper="study", name="gan-dcgan", shows="DCGAN against the basic GAN, over seeds",
        arms={"DCGAN": brief("study_fig1"), "GAN": brief("study_fig2")}, seeds=6, minutes=8,
        draw=partial(against, title="Basic GAN and DCGAN, on MNIST", claim="S1", first="DCGAN",
                     all_of=False),
        claims=("S1",), differs=BRIEFLY,
    ),
    Figure(
        paper="study", name="labels", shows="ACGAN and cDCGAN against DCGAN, over seeds",
        arms={
            "DCGAN": brief("study_fig1"), "cDCGAN": brief("overview_cdcgan"),
            "ACGAN": brief("study_acgan"),
        },
        seeds=6, minutes=15,
        draw=partial(against, title="What labels do, on MNIST", claim="S3", first="DCGAN",
                     all_of=True),
        claims=("S3",), differs=BRIEFLY,
    ),
    Figure(
        paper="study", name="models", shows="samples of InfoGAN, CGAN, ACGAN and SAGAN on MNIST",
        arms={
            "InfoGAN": Arm(experiment="study_infogan"), "CGAN": Arm(experiment="study_cgan"),
            "ACGAN": Arm(experiment="study_acgan"), "SAGAN": Arm(experiment="study_sagan"),
        },
        seeds=1, minutes=15, draw=partial(samples, title="Samples on MNIST"),
        differs="the paper describes them without a result.",
    ),
)  # fmt: skip
