"""Figures of introduction (Aminian 2022): its text has claims and no numbers; figures are ours.

Those that judge claims by many runs stand in `introduction_claims`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gan_runner.figures import digits, drawing, judging
from gan_runner.figures.anatomizing import mean
from gan_runner.figures.figure import Arm, Drawing, Figure, Material, Trained, Verdict
from gan_runner.figures.introduction_claims import CLAIM_FIGURES

Array = np.ndarray[Any, np.dtype[Any]]
STEPS, RATE, R1 = 2000, 0.05, 0.2  # of the game v(a, b) = ab
CONVERGES = 0.5  # claim I1: a distance below this share of the first one
SEED = 1  # of the noise that samples are made from, here
TIMES_CHANCE = 2.0  # claim I5
SHOWN = 9  # images in a row of a sum: the mean, and draws towards it


# --- costs -----------------------------------------------------------------------------------


def generator_costs(output: Array) -> dict[str, Array]:
    """G's cost of one sample against D(G(z)) in (0, 1), by name; nats, the last without unit.

    Goodfellow et al. 2014, equation 1 and section 3; Goodfellow 2016, equation 13.
    """
    return {
        "minimax, log(1 - D)": np.log1p(-output),
        "heuristic, -log D": -np.log(output),
        "maximum likelihood, -D / (2 - 2 D)": -output / (1 - output) / 2,
    }


def generator_slopes(output: Array) -> dict[str, Array]:
    """The size of the costs' derivatives with respect to D's logit, by the same names."""
    values = (output, 1 - output, output / (1 - output) / 2)
    return dict(zip(generator_costs(output), values, strict=True))


def costs(material: Material) -> Drawing:
    """G's three costs, and how strongly each pulls, against D(G(z))."""
    canvas, (left, right) = drawing.canvas("What one generated sample costs G", 1, 2)
    output = np.linspace(1e-3, 1 - 1e-3, 999)
    slopes = generator_slopes(output)
    for (name, cost), colour in zip(generator_costs(output).items(), drawing.COLOURS, strict=False):
        left.plot(output, cost, color=colour, label=name)
        right.plot(output, slopes[name], color=colour)
    left.set(xlabel="D(G(z))", ylabel="cost of G (nats)", ylim=(-20, 5), xlim=(0, 1))
    right.set(xlabel="D(G(z))", ylabel="|d cost / d logit of D|", ylim=(0, 2), xlim=(0, 1))
    left.legend(loc="lower left")
    sure = np.array([0.01])
    numbers = {
        f"pull at D(G(z)) = 0.01, {name}": f"{each[0]:.3g}"
        for name, each in generator_slopes(sure).items()
    }
    return Drawing(canvas=canvas, numbers=numbers)


# --- orbits ----------------------------------------------------------------------------------


def path(run: Trained) -> tuple[Array, Array]:
    """a and b of a run of the game, from its start on, one point a step."""
    found = run.series()
    start = _start(run)
    a, b = (
        np.array([first, *found.get(tag, ([], []))[1]])
        for first, tag in zip(start, ("point/a", "point/b"), strict=True)
    )
    return a, b


def _start(run: Trained) -> tuple[float, float]:
    from gan_runner.studies import runs

    first, second = runs.read(run.folder).config["model"]["start"]
    return float(first), float(second)


def distances(run: Trained) -> Array:
    """The players' distance from the equilibrium, one a step, the first at the start."""
    found: Array = np.hypot(*path(run))
    return found


def orbits(material: Material) -> Drawing:
    """Where a and b go by four ways of play and in the limit of small steps; claim I1."""
    canvas, panels = drawing.canvas("The game v(a, b) = ab from (1, 1)", 2, 3, size=(3.3, 3.1))
    angle = np.linspace(0, 2 * math.pi, 200)
    panels[0].plot(math.sqrt(2) * np.cos(angle), math.sqrt(2) * np.sin(angle), color=drawing.INK)
    panels[0].set_title("infinitesimal steps")
    ratios: dict[str, float] = {}
    for axes, arm, colour in zip(panels[1:5], material.runs, drawing.COLOURS, strict=False):
        run = material.first(arm)
        a, b = path(run)
        far = distances(run)
        ratios[arm] = float(far[-1] / far[0])
        axes.plot(a, b, color=colour, linewidth=0.9)
        axes.set_title(arm)
        panels[5].plot(np.arange(len(far)), far, color=colour, label=arm)
    for axes in panels[:5]:
        axes.plot([0], [0], "+", color=drawing.INK, ms=9, mew=1.5)
        axes.plot([1], [1], "o", color=drawing.INK, ms=4)
        axes.set(xlabel="a", ylabel="b")
        axes.set_aspect("equal", adjustable="datalim")
    panels[5].set(xlabel="step", ylabel="distance from (0, 0)", yscale="log",
                  title="distance")  # fmt: skip
    panels[5].legend(loc="lower left")
    num = min(len(distances(material.first(arm))) - 1 for arm in material.runs)
    return Drawing(
        canvas=canvas,
        numbers={
            f"{arm}: distance after {num:,} steps over that at the start": f"{each:.3g}"
            for arm, each in ratios.items()
        },
        verdicts={"I1": not_converging(ratios, num)},
    )


def not_converging(ratios: dict[str, float], num: int) -> Verdict:
    """Claim I1's verdict from distances after `num` steps over those at the start."""
    played = ("simultaneous", "alternating")
    why = f"after {num:,} steps " + ", ".join(f"{ratios[arm]:.3g} ({arm})" for arm in played)
    if num < STEPS:
        return Verdict(word="cannot be told", why=f"{why}; it takes {STEPS:,}")
    converges = any(ratios[arm] < CONVERGES for arm in played)
    return Verdict(word="does not hold" if converges else "holds", why=why)


# --- epochs ----------------------------------------------------------------------------------


def epochs(material: Material) -> Drawing:
    """Samples of the same z as training goes on."""
    run = material.first("DCGAN")
    found = drawing.sample_pictures(run, 6)
    canvas, panels = drawing.canvas("Samples of the same z over epochs", 2, 3, size=(2.6, 2.6))
    for axes in panels:
        axes.set_axis_off()
    for axes, (step, file) in zip(panels, found, strict=False):
        axes.set_axis_on()
        drawing.picture(axes, file, f"epoch {drawing.epoch(run, step):.3g}")
    return Drawing(canvas=canvas, numbers={
        name: f"{value:.3g}" for name, value in run.values.items() if name == digits.METRIC
    })  # fmt: skip


# --- arithmetic ------------------------------------------------------------------------------


def sums(run: Trained) -> tuple[Array, tuple[str, ...], float, float]:
    """A sum of classes in z.

    Returns:
        images [4 x SHOWN, C, H, W] of the three classes and the sum, their names, the share of
        draws towards the sum that is read as the class foretold, and that of all samples.

    Raises:
        ValueError: no sample is read as one of the classes.
    """
    import torch

    from gan_runner import arithmetic, load
    from gan_runner.sampling import Source

    loaded = load(run.folder)

    def source() -> Source:
        generator = torch.Generator(loaded.host.device).manual_seed(SEED)
        return Source(run=loaded.prepared, host=loaded.host, generator=generator)

    panel = arithmetic.arithmetic(source())
    share, usual = arithmetic.foretold(source())
    names = tuple(each.partition("\n")[0] for each in panel.rows)
    return panel.images.numpy(), names, share, usual


def arithmetic(material: Material) -> Drawing:
    """Sums of classes in z, and how often they are read as the class foretold; claim I5."""
    canvas, (left, middle, right) = drawing.canvas(
        "Arithmetic in z: a 7 without its 1, and a 4, should be a 9", 1, 3, size=(3.8, 2.2)
    )
    shares: dict[str, list[float]] = {}
    verdicts, numbers = [], dict[str, str]()
    for axes, arm in zip((left, middle), material.runs, strict=True):
        found = [_sum(each) for each in material.completed(arm)]
        known = [each for each in found if each is not None]
        if not known:
            axes.set_axis_off()
            axes.set_title(f"{arm}: no samples of these classes")
        else:
            images, names, *_ = known[0]
            drawing.images(axes, images, columns=SHOWN, title=f"{arm}: mean, and draws near it")
            drawing.row_names(axes, names)
        shares[f"{arm}, sum"] = [share for _, _, share, _ in known]
        shares[f"{arm}, any"] = [usual for _, _, _, usual in known]
        times = [share / usual for _, _, share, usual in known if usual > 0]
        lost = material.failed(arm) + len(found) - len(times)
        what = f"{arm}, share over chance"
        verdicts.append(judging.above(times, TIMES_CHANCE, what, failed=lost))
        numbers |= {
            f"{arm}: share of draws towards 7 - 1 + 4 read as 9": mean(shares[f"{arm}, sum"]),
            f"{arm}: share of all samples read as 9": mean(shares[f"{arm}, any"]),
            f"{arm}: seeds without one of the classes": str(len(found) - len(known)),
        }
    drawing.by_seed(right, shares, label="share read as 9")
    return Drawing(
        canvas=canvas, numbers=numbers, verdicts={"I5": judging.both(*verdicts)}
    )  # fmt: skip


def _sum(run: Trained) -> tuple[Array, tuple[str, ...], float, float] | None:
    """The sum, if the run makes all three classes."""
    try:
        return sums(run)
    except ValueError:
        return None


# --- the figures -----------------------------------------------------------------------------


def _game(update: str, *further: str) -> Arm:
    return Arm(
        overrides=(
            "model=bilinear", f"model.update={update}", f"optimizer.lr={RATE}",
            f"training.steps={STEPS}", "device.precision=fp64", *further,
        )
    )  # fmt: skip


DCGAN = Arm(experiment="overview_dcgan")
FIGURES = (
    Figure(
        paper="introduction", name="costs", shows="G's three costs against D's output",
        arms={}, draw=costs, minutes=0.1,
        differs="the paper describes the three costs in words.",
    ),
    Figure(
        paper="introduction", name="orbits", shows="where players of v(a, b) = ab go",
        arms={
            "simultaneous": _game("simultaneous"),
            "alternating": _game("alternating"),
            "extragradient": _game("extragradient"),
            "simultaneous, R1": _game("simultaneous", f"model.r1={R1}"),
        },
        seeds=1, minutes=0.5, draw=orbits, claims=("I1",),
        differs="the paper speaks of infinitesimal steps and shows no figure; steps here are of "
        f"{RATE}. Extragradient and R1 (weight {R1}) are ours.",
    ),
    Figure(
        paper="introduction", name="epochs", shows="samples on MNIST over epochs",
        arms={"DCGAN": DCGAN}, seeds=1, minutes=6, draw=epochs,
        differs="the paper shows panels of a convolutional GAN without its settings; here it is "
        "that of overview.",
    ),
    *CLAIM_FIGURES,
    Figure(
        paper="introduction", name="arithmetic", shows="arithmetic in z on labelled averages",
        arms={"MNIST": DCGAN, "digits": digits.VGAN}, seeds=3, minutes=13, draw=arithmetic,
        claims=("I5",),
        differs="the paper names faces; here digits, whose classes a classifier reads. Means are "
        "over all samples read as a class, and draws are turned half way towards the sum.",
    ),
)  # fmt: skip
