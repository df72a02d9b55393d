"""Which losses and penalties find all modes of a ring and of a lattice, and what packing does.

`python -m gan_runner.studies.modes` trains each over seeds, and prints modes, share of high quality
and reverse KL (2,500 samples; mean and standard error) beside the tables of VEEGAN (Srivastava et
al. 2017) and PacGAN (Lin et al. 2018). Whether packing helps is compared seed by seed.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gan_runner.result import write_atomic
from gan_runner.studies import page, report, tables
from gan_runner.studies.claims import RULE, Difference, difference_table, differences
from gan_runner.studies.experiments import Arm, Outcomes, train
from gan_runner.studies.statistics import summary
from gan_runner.studies.study_command import Request, Scale, run_command
from gan_runner.studies.tables import Table

MODES = {"ring8": 8, "grid25": 25}
PACKS = (1, 2, 3, 4)
METRICS = ("modes_covered", "high_quality", "reverse_kl")
# VEEGAN, table 1 (5 runs) and PacGAN, table 1 (10 runs): modes, its standard error, high quality,
# reverse KL; NaN where nothing is given.
PUBLISHED: Mapping[str, Mapping[str, tuple[float, float, float, float]]] = {
    "ring8": {
        "GAN (VEEGAN)": (1, math.nan, 0.993, math.nan),
        "unrolled GAN (VEEGAN)": (7.6, math.nan, 0.356, math.nan),
        "VEEGAN (VEEGAN)": (8, math.nan, 0.529, math.nan),
        "GAN (PacGAN)": (6.3, 0.5, 0.982, math.nan),
        "PacGAN4 (PacGAN)": (7.8, 0.1, 0.959, math.nan),
    },
    "grid25": {
        "GAN (VEEGAN)": (3.3, math.nan, 0.005, math.nan),
        "unrolled GAN (VEEGAN)": (23.6, math.nan, 0.16, math.nan),
        "VEEGAN (VEEGAN)": (24.6, math.nan, 0.40, math.nan),
        "GAN (PacGAN)": (17.3, 0.8, 0.948, 0.70),
        "PacGAN4 (PacGAN)": (24.8, 0.2, 0.936, 0.04),
    },
}
GAMES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "nonsaturating": ("ns", ()),
    "least squares": ("ns", ("loss=least_squares",)),
    "hinge, spectral norm": ("ns", ("loss=hinge", "network.discriminator.spectral=true")),
    "nonsaturating, R1": ("r1", ()),
    "relativistic, R1 + R2": ("r3gan", ()),
    "WGAN-GP": ("wgan_gp", ()),
}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is run.

    steps: of each run; None: as its experiment has it. packed: the games that are packed too; D
    of the others sees one sample at a time. recipe: PacGAN's own recipe as well.
    """

    seeds: int
    steps: int | None
    packed: tuple[str, ...]
    recipe: bool = False
    games: tuple[str, ...] = tuple(GAMES)
    packs: tuple[int, ...] = PACKS
    batch: int = 240  # which 1, 2, 3 and 4 divide


PLANS: dict[Scale, Plan] = {
    "smoke": Plan(
        seeds=2, steps=10, packed=("nonsaturating",), games=("nonsaturating", "WGAN-GP"),
        packs=(1, 2), batch=24,
    ),
    "cpu": Plan(seeds=10, steps=1500, packed=("nonsaturating",)),
    "full": Plan(seeds=10, steps=None, packed=tuple(GAMES), recipe=True),
}  # fmt: skip
WIDTH = 20


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A row of the tables: a data set, a game and its packing. label: without the data set."""

    dataset: str
    label: str
    pack: int
    arm: Arm


@dataclass(frozen=True, kw_only=True)
class Found:
    """What came of a study's settings."""

    scale: Scale
    plan: Plan
    settings: Sequence[Setting]
    outcomes: Mapping[str, Outcomes]

    def of(self, setting: Setting, metric: str) -> dict[int, float]:
        """A metric's finite values by seed."""
        return self.outcomes[setting.arm.name].of(metric)

    def packing(self, dataset: str, metric: str) -> list[Difference]:
        """Packed against not packed, by seed; a data set's and a metric's are one family."""
        mine = [each for each in self.settings if each.dataset == dataset]
        alone = {each.label: each for each in mine if each.pack == 1}
        pairs = {
            f"{each.label}, {each.pack} packed against 1": (
                self.of(each, metric), self.of(alone[each.label], metric)
            )
            for each in mine if each.pack > 1
        }  # fmt: skip
        return differences(pairs, lower_is_better=metric == "reverse_kl")


def study(request: Request) -> str:
    """Train what is missing, write the tables and the figure, and return the text."""
    plan = PLANS[request.scale]
    found = tuple(settings(plan, tuple(range(request.seeds or plan.seeds))))
    outcomes = train(
        [each.arm for each in found], request.runs, width=WIDTH, compiled=request.compiled
    )
    done = Found(scale=request.scale, plan=plan, settings=found, outcomes=outcomes)
    text = markdown(done)
    write_atomic(request.out / "study.md", text.encode())
    evidence = report([request.runs / each.arm.name for each in found])
    write_atomic(request.out / "study.html", page.html(evidence).encode())
    draw(done, request.out / "figures")
    return text


def settings(plan: Plan, seeds: tuple[int, ...]) -> list[Setting]:
    """All settings of a plan, data set by data set."""
    found = []
    for dataset in MODES:
        for label in plan.games:
            name, overrides = GAMES[label]
            length = () if plan.steps is None else (f"training.steps={plan.steps}",)
            for pack in plan.packs if label in plan.packed else (1,):
                typed = (
                    f"experiment={dataset}_{name}", *overrides, f"model.pack={pack}", *length,
                    f"training.batch_size={plan.batch}", "metrics.names=[modes]",
                )  # fmt: skip
                found.append(_setting(dataset, label, pack, typed, seeds))
        for pack in plan.packs if plan.recipe else ():
            found.append(_setting(dataset, "PacGAN's recipe", pack, _recipe(dataset, pack), seeds))
    return found


def _recipe(dataset: str, pack: int) -> tuple[str, ...]:
    """PacGAN's own: 400 epochs, batch 100 (99 in threes), Adam 1e-4, its networks."""
    data = "ring8_pacgan" if dataset == "ring8" else dataset
    return (
        "model=vgan", f"dataset={data}", "network=mlp_pacgan", "optimizer=adam_pacgan",
        "training.epochs=400", f"training.batch_size={100 - 100 % pack}", f"model.pack={pack}",
        "metrics.names=[modes]",
    )  # fmt: skip


def _setting(
    dataset: str, label: str, pack: int, typed: tuple[str, ...], seeds: tuple[int, ...]
) -> Setting:
    words = "".join(each if each.isalnum() else " " for each in label.lower()).split()
    arm = Arm(name=f"{dataset}_{'_'.join(words)}_{pack}", overrides=typed, seeds=seeds)
    return Setting(dataset=dataset, label=label, pack=pack, arm=arm)


# --- what came of it -----------------------------------------------------------------------------


def markdown(found: Found) -> str:
    """The study as Markdown."""
    plan = found.plan
    length = f"{plan.steps:,} steps each" if plan.steps else "as long as their experiments"
    parts = [
        "# Modes: losses, penalties, packing",
        "This is the smoke scale: runs of a few steps, which tell nothing."
        if found.scale == "smoke" else
        f"{length}, batch {plan.batch}; 2,500 samples at the last step; a sample within 3 sd of "
        "the nearest mode is of high quality; mean and standard error over seeds. Published rows "
        "are of other networks and budgets.",
        f"Better, by a rule fixed before the runs: {RULE}.",
    ]  # fmt: skip
    for dataset in MODES:
        parts += [f"## {dataset}", tables.piped(modes_table(found, dataset))]
        for metric in METRICS:
            compared = found.packing(dataset, metric)
            if compared:
                parts.append(difference_table(compared, what=metric.replace("_", " ")))
    parts.append("[Modes covered, as a figure](figures/modes.png).")
    return "\n\n".join(parts) + "\n"


def modes_table(found: Found, dataset: str) -> Table:
    """A data set's rows, ours and the published."""
    rows = []
    for each in found.settings:
        if each.dataset == dataset:
            cells = [_cell(found.of(each, metric), metric) for metric in METRICS]
            outcomes = found.outcomes[each.arm.name]
            rows.append((
                f"{each.label}, pack {each.pack}", f"{len(outcomes.values)}", *cells,
                f"{len(outcomes.failed)}",
            ))  # fmt: skip
    for name, (modes, error, good, kl) in PUBLISHED[dataset].items():
        covered = f"{modes:.1f}" + ("" if math.isnan(error) else f" ± {error:.1f}")
        shown = "-" if math.isnan(kl) else f"{kl:.2f}"
        rows.append((f"*{name}, published*", "", covered, f"{100 * good:.1f}", shown, ""))
    header = (
        "", "n", f"modes of {MODES[dataset]}", "high quality %", "reverse KL", "failed",
    )  # fmt: skip
    return Table(header=header, rows=tuple(rows))


def standard_error(values: Sequence[float]) -> float:
    """Standard deviation (n - 1) over the root of n, the papers' convention; NaN of one value."""
    return summary(values).sd / math.sqrt(len(values)) if values else math.nan


def _cell(values: Mapping[int, float], metric: str) -> str:
    if not values:
        return "-"
    factor, decimals = {"modes_covered": (1, 1), "high_quality": (100, 1)}.get(metric, (1, 3))
    found = [factor * each for each in values.values()]
    error = standard_error(found)
    shown = f"{summary(found).mean:.{decimals}f}"
    return shown if math.isnan(error) else f"{shown} ± {error:.{decimals}f}"


def draw(found: Found, folder: Path) -> None:
    """Draw modes covered of every setting, a panel a data set."""
    from gan_runner.studies import figures

    panels: dict[str, dict[str, tuple[float, float]]] = {}
    for dataset, num in MODES.items():
        bars = panels.setdefault(f"{dataset}: modes covered, of {num}", {})
        for each in found.settings:
            values = list(found.of(each, "modes_covered").values())
            if each.dataset == dataset and values:
                bars[f"{each.label}, pack {each.pack}"] = (
                    summary(values).mean, standard_error(values)
                )  # fmt: skip
        for name, (modes, error, *_) in PUBLISHED[dataset].items():
            bars[f"{name}, published"] = (modes, error)
    most = {f"{dataset}: modes covered, of {num}": num for dataset, num in MODES.items()}
    figures.save(figures.bars(panels, title="Mean and standard error over seeds", most=most),
                 folder, "modes")  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    return run_command(
        "gan_runner.studies.modes",
        "Which losses and penalties find all modes of ring8 and grid25, and what packing does.",
        study,
        sys.argv[1:] if argv is None else argv,
    )


if __name__ == "__main__":
    sys.exit(main())
