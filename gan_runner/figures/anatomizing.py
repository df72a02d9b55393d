"""Figures of anatomizing (Sinha 2020), and ours about its claims.

Its tables and figures come from one run each; ours are of many seeds.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from gan_runner.figures import drawing, judging
from gan_runner.figures.figure import Arm, Drawing, Figure, Material, Trained
from gan_runner.result import read_result
from gan_runner.studies.formats import scale_of
from gan_runner.studies.statistics import summary

PUBLISHED = {"SRGAN, published": 3.4555e-5, "MLP, published": 4.3432e-5}
LAMBDAS = (0, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.125, 0.25, 0.5, 1, 1.5, 2, 10)  # the author's plan
FLOORS, GOOD = 3.0, 0.9  # of claim A2
PARTS = 5  # of claim A3: the first and the last fifth
LOSSES = {"loss/D": "D", "loss/G": "G"}
VGAN = Arm(experiment="anatomizing_fig3", stacked=True)
SRGAN = Arm(experiment="anatomizing_fig4", stacked=True)
MLP = Arm(experiment="anatomizing_mlp", stacked=True)


def losses(material: Material, *, title: str) -> Drawing:
    """Both players' losses against epochs."""
    canvas, (axes,) = drawing.canvas(title, size=(6.4, 3.4))
    (runs,) = material.runs.values()
    drawing.curves(axes, runs, LOSSES, x="epoch")
    axes.set_ylabel("loss (nats)")
    axes.legend()
    return Drawing(canvas=canvas, numbers=_ends(runs))


def _ends(runs: tuple[Trained, ...]) -> dict[str, str]:
    """The mean of each loss over the last tenth of a run, over seeds."""
    found: dict[str, str] = {}
    for tag, name in LOSSES.items():
        every = [run.series().get(tag, ([], []))[1] for run in runs]
        ends = [float(np.mean(each[-max(1, len(each) // 10) :])) for each in every if each]
        found[f"{name}'s loss over the last tenth"] = mean(ends)
    return found


def mean(values: list[float]) -> str:
    """Mean and standard deviation of values, in words."""
    found = summary(values)
    if found.n == 0:
        return "none"
    scale = scale_of([found.mean], [found.sd if found.n > 1 else 0.0])
    unit = f" {scale.unit}" if scale.unit else ""
    spread = f" ± {scale.text(found.sd)}" if found.n > 1 else ""
    return f"{scale.text(found.mean)}{spread}{unit} (n = {found.n})"


def points(material: Material) -> Drawing:
    """Data and samples of vGAN; SRGAN's output on training and test points."""
    from gan_runner import load

    vgan, srgan = material.first("vGAN"), material.first("SRGAN")
    canvas, (a, b, c, d) = drawing.canvas(
        "Fig. 5: real points (blue) and generated ones (orange)", 2, 2
    )
    plane = load(vgan.folder)
    data = plane.prepared.dataset
    real = _real(data, "train")
    drawing.points(a, real, colour=drawing.REAL, name="real")
    made = _array(plane.sample(len(real), seed=1))
    drawing.points(b, made, colour=drawing.GENERATED, name="generated")
    for axes, title in ((a, "(a) data"), (b, "(b) vGAN's samples")):
        axes.set(title=title, xlabel="x1", ylabel="x2", xlim=a.get_xlim(), ylim=a.get_ylim())
    space = load(srgan.folder)
    data = space.prepared.dataset
    for place, split, title in ((c, "train", "(c) SRGAN, training set"), (d, "test", "(d) SRGAN, "
                                "test set")):  # fmt: skip
        axes = drawing.in_space(canvas, place)
        real = _real(data, split)
        made = _array(space.sample(split=split))
        drawing.points(axes, real, colour=drawing.REAL, name="real")
        drawing.points(axes, made, colour=drawing.GENERATED, name="generated")
        axes.set(title=title, xlabel="x1", ylabel="x2", zlabel="x3")
    numbers = {f"vGAN, {name}": f"{value:.3g}" for name, value in vgan.values.items()}
    numbers["SRGAN, test MSE"] = f"{srgan.values['mse']:.3e}"
    return Drawing(canvas=canvas, numbers=numbers)


def _real(data: Any, split: str) -> np.ndarray[Any, np.dtype[Any]]:
    return _array(data.unscale(data.splits[split]["real"]))


def _array(points: Any) -> np.ndarray[Any, np.dtype[Any]]:
    return np.asarray(points.detach().cpu().numpy())


def errors(material: Material) -> Drawing:
    """MSE on test points by seed, beside the published runs; claim A1."""
    canvas, (axes,) = drawing.canvas("Test MSE, one point a seed", size=(6.6, 2.6))
    found = {arm: material.of(arm, "mse") for arm in material.runs}
    drawing.by_seed(
        axes, {arm: list(each.values()) for arm, each in found.items()},
        label="mean squared error (scaled coordinates)", log=True,
    )  # fmt: skip
    published(axes)
    numbers = {f"{arm}: MSE": mean(list(each.values())) for arm, each in found.items()}
    verdicts = {"A1": judging.better(material, "SRGAN", ["MLP"], "mse")}
    return Drawing(canvas=canvas, numbers=numbers, verdicts=verdicts)


def published(axes: Any) -> None:
    """Mark the published errors."""
    for (name, value), style in zip(PUBLISHED.items(), ("--", ":"), strict=True):
        drawing.mark(axes, value, name, vertical=True, style=style)
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.25), ncols=2)


def resemblance(material: Material) -> Drawing:
    """Modes, share of high quality and distance of vGAN by seed; claim A2."""
    canvas, panels = drawing.canvas("vGAN on three Gaussians, one point a seed", 1, 3,
                                    size=(3.4, 2.0))  # fmt: skip
    arm = "vGAN"
    floors = [read_result(each.folder)["floor"]["wasserstein"] for each in material.completed(arm)]
    floor = float(np.mean(floors)) if floors else math.nan
    labels = {
        "modes_covered": "modes covered, of 3", "high_quality": "share within 3 sd of a mode",
        "wasserstein": "Wasserstein distance (units of x)",
    }  # fmt: skip
    for axes, (metric, label) in zip(panels, labels.items(), strict=True):
        drawing.by_seed(axes, {arm: list(material.of(arm, metric).values())}, label=label)
    drawing.mark(panels[1], GOOD, "wanted", vertical=True)
    drawing.mark(panels[2], floor, "real against real", vertical=True, style=":")
    drawing.mark(panels[2], FLOORS * floor, "at most wanted", vertical=True)
    for axes in panels[1:]:
        axes.legend()
    each_ok = [
        run.values["modes_covered"] == 3 and run.values["high_quality"] >= GOOD
        and run.values["wasserstein"] <= FLOORS * floor
        for run in material.completed(arm)
    ]  # fmt: skip
    each_ok += [False] * material.failed(arm)
    numbers = {
        label: mean(list(material.of(arm, metric).values())) for metric, label in labels.items()
    } | {"Wasserstein distance, real against real": f"{floor:.3g}"}
    return Drawing(
        canvas=canvas, numbers=numbers,
        verdicts={"A2": judging.share(each_ok, "vGAN resembles the data")},
    )  # fmt: skip


def fluctuations(material: Material) -> Drawing:
    """How much more the losses vary in the first fifth of a run than in the last; claim A3."""
    canvas, (axes,) = drawing.canvas("Variance of the losses: first fifth over last fifth",
                                     size=(6.4, 2.8))  # fmt: skip
    values: dict[str, list[float]] = {}
    for arm in material.runs:
        for tag, name in LOSSES.items():
            found = [log_ratio(run, tag) for run in material.completed(arm)]
            values[f"{arm}, {name}"] = [each for each in found if math.isfinite(each)]
    drawing.by_seed(axes, values, label="log10 of the variances' ratio")
    drawing.mark(axes, 0, "equal", vertical=True)
    axes.legend()
    parts = [judging.above(each, 0, name) for name, each in values.items()]
    return Drawing(
        canvas=canvas, numbers={name: mean(each) for name, each in values.items()},
        verdicts={"A3": judging.both(*parts)},
    )  # fmt: skip


def log_ratio(run: Trained, tag: str) -> float:
    """log10 of a logged number's variance in the first part of a run over that in the last."""
    values = run.series().get(tag, ([], []))[1]
    num = len(values) // PARTS
    if num < 2:
        return math.nan
    first, last = float(np.var(values[:num])), float(np.var(values[-num:]))
    return math.log10(first / last) if first > 0 and last > 0 else math.nan


def costs(material: Material) -> Drawing:
    """vGAN's distance from the data with either cost of G, by seed; claim A4."""
    canvas, panels = drawing.canvas("vGAN by G's cost, one point a seed", 1, 2, size=(4.4, 2.2))
    for axes, metric, label in zip(
        panels, ("wasserstein", "modes_covered"),
        ("Wasserstein distance (units of x)", "modes covered, of 3"), strict=True,
    ):  # fmt: skip
        drawing.by_seed(
            axes, {arm: list(material.of(arm, metric).values()) for arm in material.runs},
            label=label,
        )  # fmt: skip
    numbers = {
        f"{arm}: Wasserstein distance": mean(list(material.of(arm, "wasserstein").values()))
        for arm in material.runs
    }
    verdict = judging.better(material, "-log D", ["log(1 - D)"], "wasserstein")
    return Drawing(canvas=canvas, numbers=numbers, verdicts={"A4": verdict})


def sweep(material: Material) -> Drawing:
    """MSE against lambda: mean, interval and points over seeds."""
    canvas, (axes,) = drawing.canvas("Test MSE by the weight of the adversarial term",
                                     size=(6.8, 3.4))  # fmt: skip
    places = np.arange(len(LAMBDAS))
    found = [list(material.of(f"lambda {each:g}", "mse").values()) for each in LAMBDAS]
    summaries = [summary(each) for each in found]
    for place, each in zip(places, found, strict=True):
        strewn = 0.15 * (2 * ((np.arange(len(each)) * 0.618034) % 1) - 1)
        axes.plot(place + strewn, each, "o", color=drawing.REAL, ms=2.5, alpha=0.35, mew=0)
    axes.fill_between(
        places, [each.low for each in summaries], [each.high for each in summaries],
        color=drawing.GENERATED, alpha=0.25, linewidth=0, label="95 % interval of the mean",
    )  # fmt: skip
    axes.plot(places, [each.mean for each in summaries], "o-", color=drawing.GENERATED,
              label="mean")  # fmt: skip
    for (name, value), style in zip(PUBLISHED.items(), ("--", ":"), strict=True):
        drawing.mark(axes, value, name, style=style)
    axes.set_xticks(places, [f"{each:g}" for each in LAMBDAS])
    axes.set(xlabel="lambda", ylabel="mean squared error", yscale="log")
    axes.legend(ncols=2)
    numbers = {f"lambda {each:g}: MSE": mean(own) for each, own in zip(LAMBDAS, found, strict=True)}
    return Drawing(canvas=canvas, numbers=numbers)


def conditional(material: Material) -> Drawing:
    """MSE of the cGAN that the paper leaves out, beside SRGAN and MLP."""
    canvas, (axes,) = drawing.canvas("Test MSE: the cGAN of equations 7 to 10", size=(6.6, 2.8))
    values = {arm: list(material.of(arm, "mse").values()) for arm in material.runs}
    drawing.by_seed(axes, values, label="mean squared error (scaled coordinates)", log=True)
    published(axes)
    return Drawing(
        canvas=canvas, numbers={f"{arm}: MSE": mean(each) for arm, each in values.items()}
    )


def _lambda(value: float) -> Arm:
    return Arm(
        experiment="anatomizing_fig4", stacked=True,
        overrides=(f"model.lambda_adversarial={value:g}",) if value != 1 else (),
    )  # fmt: skip


_SEEDS = "many seeds on data drawn afresh, where the paper has one run; nothing is selected"
FIGURES = (
    Figure(
        paper="anatomizing", name="fig3", shows="vGAN's losses on three Gaussians",
        arms={"vGAN": VGAN}, seeds=10, minutes=1,
        draw=partial(losses, title="Fig. 3: losses of vGAN"),
        differs=f"{_SEEDS}; the learning rate is 2e-4 (printed 20^-4).",
    ),
    Figure(
        paper="anatomizing", name="fig4", shows="SRGAN's losses at super-resolution of points",
        arms={"SRGAN": SRGAN}, seeds=32, minutes=2,
        draw=partial(losses, title="Fig. 4: losses of SRGAN"), differs=f"{_SEEDS}.",
    ),
    Figure(
        paper="anatomizing", name="fig5", shows="real and generated points of vGAN and SRGAN",
        arms={"vGAN": VGAN, "SRGAN": SRGAN}, seeds=1, minutes=0.5, draw=points,
        differs="seed 0 on data drawn afresh.",
    ),
    Figure(
        paper="anatomizing", name="mse", shows="MSE of SRGAN and of the MLP over paired seeds",
        arms={"SRGAN": SRGAN, "MLP": MLP}, seeds=32, minutes=2, draw=errors, claims=("A1",),
        differs=f"{_SEEDS}. The published MSEs are of one run each, and of the best of nine.",
    ),
    Figure(
        paper="anatomizing", name="resemblance", shows="whether vGAN's samples resemble the data",
        arms={"vGAN": VGAN}, seeds=10, minutes=1, draw=resemblance, claims=("A2",),
        differs="the paper shows a picture; here are numbers over seeds.",
    ),
    Figure(
        paper="anatomizing", name="fluctuations",
        shows="when the losses fluctuate most", arms={"vGAN": VGAN, "SRGAN": SRGAN}, seeds=10,
        minutes=2, draw=fluctuations, claims=("A3",), differs="a number for each run.",
    ),
    Figure(
        paper="anatomizing", name="costs", shows="vGAN with either cost of G",
        arms={
            "-log D": Arm(
                experiment="anatomizing_fig3", overrides=("loss=nonsaturating",), stacked=True
            ),
            "log(1 - D)": Arm(
                experiment="anatomizing_fig3", overrides=("loss=minimax",), stacked=True
            ),
        },
        seeds=10, minutes=1, draw=costs, claims=("A4",),
        differs="the paper states it without an experiment.",
    ),
    Figure(
        paper="anatomizing", name="lambda", shows="MSE against lambda, the author's planned sweep",
        arms={f"lambda {each:g}": _lambda(each) for each in LAMBDAS}, seeds=10, minutes=8,
        draw=sweep, differs="planned in the paper, not made there.",
    ),
    Figure(
        paper="anatomizing", name="cgan", shows="MSE of the conditional GAN of eq. 7-10",
        arms={
            "cGAN": Arm(experiment="anatomizing_cgan", stacked=True), "SRGAN": SRGAN, "MLP": MLP,
        },
        seeds=10, minutes=2, draw=conditional,
        differs="named a shortfall in the paper, which leaves it to others.",
    ),
)  # fmt: skip
