"""What the claims of mnist are judged by: arms over many seeds, and measures of their runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gan_runner.figures import digits, drawing, judging
from gan_runner.figures.anatomizing import mean
from gan_runner.figures.figure import Arm, Drawing, Material, Trained, Verdict, Word
from gan_runner.figures.study import DISTANCE, LABELS, against
from gan_runner.studies.comparison import FEWEST

if TYPE_CHECKING:
    from gan_runner.game import Batch

WITHOUT, WITH = "without BatchNorm", "with BatchNorm"
LSGAN, STANDARD = "LSGAN", "standard loss"
MIXED, NEVER = "with mixing", "without mixing"
RESAMPLES, LEVEL = 10_000, 0.95
DRAWN, SEED = 2000, 1  # samples that codes are correlated with
SWAPPED, COARSE = 256, 4  # pairs whose styles are swapped; the side of an image's coarse content
STYLES = "styles_*.png"
_PARTS = (0.5, 1.0, 2.0)


def _wgan(network: str) -> Arm:
    return Arm(
        overrides=(
            "model=wgan", "dataset=digits", f"network={network}", "optimizer=rmsprop_wgan",
            "optimizer.lr=5e-4", "network.generator.width=32", "network.discriminator.width=32",
            "training.steps=2500",
        ),
    )  # fmt: skip


def _stylegan(mixing: float) -> Arm:
    return Arm(
        overrides=(
            "model=stylegan", "dataset=digits", "dataset.size=16", f"model.mixing={mixing:g}",
            "model.latent_size=32", "network.mapping.style_size=32", "network.generator.width=8",
            "network.discriminator.width=8", "optimizer=adam_stylegan2", "optimizer.lr=1e-2",
            "optimizer.schedule.name=cosine", "penalty.every=4", "training.steps=1500",
            "training.batch_size=32",
        ),
    )  # fmt: skip


BATCHNORM = {WITHOUT: _wgan("dcgan_plain"), WITH: _wgan("dcgan")}
STABILITY = {
    LSGAN: digits.convolutions("network=dcgan", "optimizer=adam_dcgan", "loss=least_squares"),
    STANDARD: digits.DCGAN,
}
MIXING = {MIXED: _stylegan(0.9), NEVER: _stylegan(0.0)}


def batchnorm(material: Material) -> Drawing:
    """WGAN without and with BatchNorm over seeds; claim M2."""
    return against(
        material, title="WGAN by clipping, on digits", claim="M2", first=WITHOUT, all_of=False
    )


def stability(material: Material) -> Drawing:
    """LSGAN and the standard loss over seeds: spread and failures; claim M3."""
    canvas, (axes,) = drawing.canvas("DCGAN by its loss, on digits", size=(6.4, 2.4))
    values = {arm: list(material.of(arm, DISTANCE).values()) for arm in material.runs}
    drawing.by_seed(axes, values, label=LABELS[DISTANCE])
    failed = {arm: material.failed(arm) for arm in material.runs}
    numbers = {f"{arm}: {LABELS[DISTANCE]}": mean(each) for arm, each in values.items()}
    numbers |= {f"{arm}: failed runs": f"{each}" for arm, each in failed.items()}
    verdict = steadier(values[LSGAN], values[STANDARD], failed[LSGAN], failed[STANDARD])
    return Drawing(canvas=canvas, numbers=numbers, verdicts={"M3": verdict})


def steadier(
    first: Sequence[float], other: Sequence[float], failed: int, other_failed: int
) -> Verdict:
    """Whether values are less spread than others: the interval of log(sd / sd) lies below 0."""
    if min(len(first), len(other)) < FEWEST:
        why = f"spread: {min(len(first), len(other))} of the {FEWEST} seeds that it takes"
        return Verdict(word="cannot be told", why=why)
    generator = np.random.default_rng(0)
    spreads = [
        np.std(np.asarray(each)[generator.integers(len(each), size=(RESAMPLES, len(each)))],
               axis=1, ddof=1)
        for each in (first, other)
    ]  # fmt: skip
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.log(spreads[0] / spreads[1])
    low, high = np.nanquantile(ratios, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    ratio = math.log(np.std(first, ddof=1) / np.std(other, ddof=1))
    word: Word = (
        "holds" if high < 0 and failed <= other_failed
        else "does not hold" if low > 0 else "cannot be told"
    )  # fmt: skip
    why = (
        f"log of the ratio of standard deviations {ratio:.2f} [{low:.2f}, {high:.2f}], failed "
        f"{failed} against {other_failed}"
    )
    return Verdict(word=word, why=why)


def correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Spearman's rank correlation of pairs that are finite; NaN of fewer than three."""
    from scipy.stats import spearmanr

    pairs = [
        (a, b) for a, b in zip(first, second, strict=True) if math.isfinite(a) and math.isfinite(b)
    ]
    if len(pairs) < 3:
        return math.nan
    return float(spearmanr([a for a, _ in pairs], [b for _, b in pairs]).statistic)


def code_correlations(run: Trained) -> dict[str, list[float]]:
    """Correlation of slant and of stroke width with each of InfoGAN's continuous codes.

    Both depend on the digit, so they are taken less their means over samples of one category.
    """
    import torch

    from gan_runner import draws, load
    from gan_runner.metrics.information import slant, stroke_width

    loaded = load(run.folder)
    generator = torch.Generator(loaded.host.device).manual_seed(SEED)
    made, batch = draws.generate(loaded.prepared, loaded.host, DRAWN, generator)
    category = batch["category"].cpu().numpy()
    given = batch["codes"].cpu().numpy()
    measured = {"slant": slant(made).numpy(), "stroke": stroke_width(made).numpy()}
    return {
        name: [within(values, given[:, code], category) for code in range(given.shape[1])]
        for name, values in measured.items()
    }


def within(
    values: np.ndarray[Any, np.dtype[Any]],
    code: np.ndarray[Any, np.dtype[Any]],
    category: np.ndarray[Any, np.dtype[Any]],
) -> float:
    """Pearson's correlation of values [N] with a code [N], each less its category's mean."""
    known = np.isfinite(values)
    values, code, category = values[known].copy(), code[known].copy(), category[known]
    for each in np.unique(category):
        own = category == each
        values[own] -= values[own].mean()
        code[own] -= code[own].mean()
    scale = math.sqrt(float((values**2).sum() * (code**2).sum()))
    return float((values * code).sum()) / scale if scale else 0.0


def mixing(material: Material) -> Drawing:
    """How much fine styles change of an image's coarse content; claim M5."""
    canvas, panels = drawing.canvas("Mixing regularisation, on digits at 16 x 16", 1, 3,
                                    size=(4.4, 4.0))  # fmt: skip
    shares = {
        arm: {run.seed: coarse_share(run) for run in material.completed(arm)}
        for arm in material.runs
    }
    values = {arm: [each for each in own.values() if math.isfinite(each)]
              for arm, own in shares.items()}  # fmt: skip
    drawing.by_seed(panels[0], values, label="coarse change by fine styles / by all")
    for axes, arm in zip(panels[1:], material.runs, strict=True):
        runs = material.completed(arm)[:1]
        found = [file for run in runs for file in sorted((run.folder / "samples").glob(STYLES))]
        if found:
            drawing.picture(axes, found[-1], arm)
        else:
            drawing.nothing(axes, "no picture", arm)
    numbers = {f"{arm}: share of the coarse change": mean(each) for arm, each in values.items()}
    numbers |= {
        f"{arm}: {LABELS[DISTANCE]}": mean(list(material.of(arm, DISTANCE).values()))
        for arm in material.runs if material.of(arm, DISTANCE)
    }  # fmt: skip
    verdict = judging.better_among(
        material, MIXED, shares, "share of the coarse change", lower_is_better=True
    )
    return Drawing(canvas=canvas, numbers=numbers, verdicts={"M5": verdict})


def coarse_share(run: Trained) -> float:
    """Change of down-sampled images by others' fine styles, over the change by all styles.

    Fine ones are those of the upper half of the layers; the noise stays.
    """
    import torch
    from torch.nn.functional import adaptive_avg_pool2d

    from gan_runner import draws, load

    loaded = load(run.folder)

    def draw(layers: str) -> torch.Tensor:
        def arrange(drawn: Batch) -> Batch:
            num_layers = 2 * sum(name.startswith("noise_") for name in drawn)
            z = drawn["z"]
            mixed = torch.zeros(len(z), num_layers, dtype=torch.bool, device=z.device)
            if layers == "fine":
                mixed[:, mixed.shape[1] // 2 :] = True
            elif layers == "all":
                mixed[:] = True
            return {**drawn, "z_mix": z.roll(1, 0), "mixed": mixed}

        generator = torch.Generator(loaded.host.device).manual_seed(SEED)
        made, _ = draws.generate(loaded.prepared, loaded.host, SWAPPED, generator, arrange=arrange)
        return adaptive_avg_pool2d(made, COARSE)

    own = draw("none")
    change = {layers: float((draw(layers) - own).square().mean()) for layers in ("fine", "all")}
    return math.sqrt(change["fine"] / change["all"]) if change["all"] > 0 else math.nan


# --- distances of two parallel lines (Arjovsky et al. 2017, example 1) ----------------------------


def distances(material: Material) -> Drawing:
    """KL, JS and W1 of U on {0} x [0, 1] and on {t} x [0, 1] against t; claim M6."""
    places = np.linspace(-2, 2, 400)  # 0, where KL and JS jump, is not one of them
    canvas, panels = drawing.canvas("Two parallel lines at distance t", 1, 3, size=(3.1, 2.7))
    for axes, (name, function) in zip(panels, CLOSED.items(), strict=True):
        values = np.asarray([function(each) for each in places])
        finite = np.where(np.isfinite(values), values, np.nan)
        axes.plot(np.where(places < 0, places, np.nan), finite, color=drawing.REAL)
        axes.plot(np.where(places > 0, places, np.nan), finite, color=drawing.REAL,
                  label="closed form")  # fmt: skip
        axes.plot([0], [0], "o", color=drawing.REAL, ms=4)
        axes.set_xlim(-2.1, 2.1)
        if not np.isfinite(values).all():
            axes.set_ylim(-0.1, 1)
            axes.text(0.5, 0.85, "infinite for t other than 0", ha="center",
                      transform=axes.transAxes, fontsize=8)  # fmt: skip
        axes.set(xlabel="t", ylabel=f"{name}{'' if name == 'W1' else ' (nats)'}", title=name)
    estimates = {part: estimated(part) for part in _PARTS}
    for part, (_, js, distance) in estimates.items():
        panels[1].plot([part], [js], "x", color=drawing.GENERATED)
        panels[2].plot([part], [distance], "x", color=drawing.GENERATED,
                       label="from samples" if part == _PARTS[0] else None)  # fmt: skip
    panels[2].legend()
    agrees = all(
        math.isinf(kl) and abs(js - math.log(2)) < 0.01 and abs(distance - part) < 0.01 * part
        for part, (kl, js, distance) in estimates.items()
    )
    numbers = {
        f"t = {part:g}, from samples": f"KL {kl:g}, JS {js:.4f} nats, W1 {distance:.4f}"
        for part, (kl, js, distance) in estimates.items()
    }
    verdict = Verdict(word="holds" if agrees else "does not hold", why="; ".join(numbers.values()))
    return Drawing(canvas=canvas, numbers=numbers, verdicts={"M6": verdict})


CLOSED: Mapping[str, Callable[[float], float]] = {
    "KL": lambda t: 0.0 if t == 0 else math.inf,
    "JS": lambda t: 0.0 if t == 0 else math.log(2),
    "W1": abs,
}


def estimated(t: float, num: int = 400) -> tuple[float, float, float]:
    """KL and JS of histograms, and W1 by optimal transport, of `num` points on either line."""
    import ot

    heights = np.random.default_rng(0).random((2, num))
    first = np.stack([np.zeros(num), heights[0]], axis=1)
    second = np.stack([np.full(num, t), heights[1]], axis=1)
    edges = [np.linspace(-0.05, 2.05, 22), np.linspace(0, 1, 6)]
    p, q = (
        np.histogram2d(each[:, 0], each[:, 1], bins=edges)[0].ravel() / num
        for each in (first, second)
    )
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        kl = float(np.where(p > 0, p * np.log(p / q), 0).sum())
        js = sum(float(np.where(each > 0, each * np.log(each / middle), 0).sum()) / 2
                 for each in (p, q))  # fmt: skip
    weights = np.full(num, 1 / num)
    distance = float(ot.emd2(weights, weights, ot.dist(first, second, metric="euclidean")))
    return kl, js, distance
