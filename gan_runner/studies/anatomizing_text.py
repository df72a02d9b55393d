"""What the study of anatomizing found: its verdict, tables and figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gan_runner.studies import tables
from gan_runner.studies.anatomizing_arms import (
    INPUTS,
    LABELS,
    OUTPUTS,
    PUBLISHED,
    RATE_SEEDS,
    Plan,
    lambda_arm,
)
from gan_runner.studies.claims import RULE, Difference, difference_table, differences
from gan_runner.studies.experiments import Outcomes
from gan_runner.studies.formats import Scale as Numbers
from gan_runner.studies.statistics import summary
from gan_runner.studies.study_command import Scale
from gan_runner.studies.tables import Table

CLAIM = "A1: SRGAN's mean squared error on the test set is below the MLP's"
IN_1E5 = Numbers(exponent=-5, decimals=2)


@dataclass(frozen=True, kw_only=True)
class Found:
    """All that came of a study. rates: the best of each model. searched: mean MSE by arm."""

    scale: Scale
    plan: Plan
    rates: Mapping[str, float]
    searched: Mapping[str, float]
    outcomes: Mapping[str, Outcomes]

    def mse(self, name: str) -> dict[int, float]:
        """An arm's MSE by seed."""
        return self.outcomes[name].of("mse") if name in self.outcomes else {}

    def pairs(self, *names: tuple[str, str]) -> list[Difference]:
        """Arms against others, corrected together."""
        return differences(
            {f"{LABELS[a]} against {LABELS[b]}": (self.mse(a), self.mse(b)) for a, b in names}
        )

    @property
    def claim(self) -> Difference:
        """The claim's one comparison: as printed, random initial weights.

        Raises:
            ValueError: no seed has both.
        """
        found = self.pairs(("srgan", "mlp"))
        if not found:
            raise ValueError("no seed has a finite MSE of both SRGAN and the MLP")
        return found[0]

    @property
    def others(self) -> list[Difference]:
        """What else is compared, a family of its own."""
        return self.pairs(
            ("srgan_fixed", "mlp_fixed"), ("srgan", "mlp_tuned"), ("srgan_tuned", "mlp_tuned"),
            ("mlp_tuned", "mlp"), ("cgan", "mlp"), ("srgan_diabetes", "mlp_diabetes"),
        )  # fmt: skip

    @property
    def sweep(self) -> list[Difference]:
        """Each lambda against 0, a family of its own."""
        none = self.mse(lambda_arm(0))
        return differences(
            {
                f"lambda {each:g} against 0": (self.mse(lambda_arm(each)), none)
                for each in self.plan.lambdas if each
            }
        )  # fmt: skip


def verdict(found: Found) -> str:
    """The claim, its comparison, and what it comes to."""
    claim = found.claim
    test = claim.paired
    reason = f" ({claim.reason})" if claim.reason else ""
    smoke = " This is the smoke scale: runs of a few steps, which tell nothing." * (
        found.scale == "smoke"
    )
    return (
        f"{CLAIM}: **{claim.verdict}**{reason}. SRGAN is better in {test.wins} of {test.n} seeds; "
        f"mean difference {IN_1E5.text(test.difference, sign=True)}e-5, 95 % interval "
        f"{IN_1E5.interval(test.low, test.high)}e-5, permutation p {claim.p:.2g}, sign test p "
        f"{test.p_sign:.2g}.{smoke}"
    )


def markdown(found: Found) -> str:
    """The study as Markdown."""
    rates = ", ".join(f"{LABELS[f'{model}_tuned']} {rate:g}" for model, rate in found.rates.items())
    parts = [
        "# Anatomizing: does SRGAN beat the MLP?",
        verdict(found),
        f"Rule, fixed before the runs: {RULE}. The claim rests on one comparison, as printed and "
        "from random initial weights; a pair shares initial weights and batches. Mean squared "
        "error is over points and coordinates of the test set, at the last step; nothing is "
        "selected.",
        "## Mean squared error, in 1e-5",
        mse_table(found),
        f"Own rates: constant, {' '.join(found.plan.tuned)}, the best of "
        f"{', '.join(f'{each:g}' for each in found.plan.rates)} on validation points over seeds "
        f"{RATE_SEEDS} to {RATE_SEEDS + found.plan.rate_seeds - 1}: {rates}.",
        rates_table(found),
        "## The claim",
        difference_table([found.claim], what="MSE"),
        "## Other comparisons",
        difference_table(found.others, what="MSE"),
        "## Lambda",
        sweep_table(found),
        difference_table(found.sweep, what="MSE"),
        f"One weight set: `training.streams.init=0`, {found.plan.orders} orders of batches. "
        f"Diabetes: {', '.join(INPUTS)} -> {', '.join(OUTPUTS)} of scikit-learn's set, scaled to "
        "[0, 1].",
        "Figures: [seeds](figures/seeds.png), [differences](figures/differences.png), "
        "[lambda](figures/lambda.png). [One page of the main arms](study.html).",
    ]
    return "\n\n".join(parts) + "\n"


def mse_table(found: Found) -> str:
    """Each arm's n, mean, spread and interval beside the published value."""
    rows = []
    for name, label in LABELS.items():
        values = list(found.mse(name).values())
        if not values and name not in found.outcomes:
            continue
        each, published = summary(values), PUBLISHED.get(name)
        rows.append((
            label, "-" if published is None else f"{published / 1e-5:.4f}", f"{each.n}",
            IN_1E5.text(each.mean), IN_1E5.text(each.sd), IN_1E5.text(each.median),
            IN_1E5.interval(each.low, each.high),
            f"{IN_1E5.text(min(values))} to {IN_1E5.text(max(values))}" if values else "-",
            f"{len(found.outcomes[name].failed)}",
        ))  # fmt: skip
    header = (
        "", "published (one run)", "n", "mean", "sd", "median", "95 % of the mean", "range",
        "failed",
    )  # fmt: skip
    return tables.piped(Table(header=header, rows=tuple(rows)))


def rates_table(found: Found) -> str:
    """The search for rates: mean MSE on validation points; a rate that failed has none."""
    rows = tuple(
        (
            f"{rate:g}",
            *(
                IN_1E5.text(found.searched[name]) if name in found.searched else "failed"
                for name in (f"mlp_rate_{rate:g}", f"srgan_rate_{rate:g}")
            ),
        )
        for rate in found.plan.rates
    )
    return tables.piped(Table(header=("rate", "MLP, in 1e-5", "SRGAN, in 1e-5"), rows=rows))


def sweep_table(found: Found) -> str:
    """Each lambda's mean, spread and interval, in 1e-5."""
    rows = []
    for each in found.plan.lambdas:
        there = summary(list(found.mse(lambda_arm(each)).values()))
        rows.append((
            f"{each:g}", f"{there.n}", IN_1E5.text(there.mean), IN_1E5.text(there.sd),
            IN_1E5.text(there.median), IN_1E5.interval(there.low, there.high),
        ))  # fmt: skip
    header = ("lambda", "n", "mean", "sd", "median", "95 % of the mean")
    return tables.piped(Table(header=header, rows=tuple(rows)))


def draw(found: Found, folder: Path) -> None:
    """Draw the seeds, the paired differences, and the response to lambda, in 1e-5."""
    from gan_runner.studies import figures

    def shown(name: str) -> list[float]:
        return [value / 1e-5 for value in found.mse(name).values()]

    published = {f"published, {LABELS[name]}": each / 1e-5 for name, each in PUBLISHED.items()}
    names = ("srgan", "mlp", "srgan_tuned", "mlp_tuned", "srgan_fixed", "mlp_fixed", "cgan")
    seeds = figures.rows(
        {LABELS[name]: shown(name) for name in names},
        [figures.COLOURS[("srgan", "mlp", "cgan").index(name.split("_")[0])] for name in names],
    )
    title = "Mean squared error on the test set: a point a seed, mean and 95 % interval"
    drawn = figures.swarm(seeds, title=title, x_label="MSE, 1e-5", marked=published, log=True)
    figures.save(drawn, folder, "seeds")
    compared = [found.claim, *(each for each in found.others if "diabetes" not in each.name)]
    apart = figures.rows(
        {
            each.name.replace(" against ", "\nagainst "): [
                value / 1e-5 for value in each.differences.values()
            ]
            for each in compared
        }
    )
    title = "Differences of MSE, seed by seed: left of 0 the first is better"
    drawn = figures.swarm(apart, title=title, x_label="difference of MSE, 1e-5", zero=1.0)
    figures.save(drawn, folder, "differences")
    values = {each: shown(lambda_arm(each)) for each in found.plan.lambdas}
    values = {each: there for each, there in values.items() if there}
    drawn = figures.response(
        list(values), list(values.values()), title="SRGAN's MSE against lambda, over seeds",
        x_label="lambda (weight of the adversarial term)", y_label="MSE, 1e-5",
        marked={**published, "MLP, mean": summary(shown("mlp")).mean},
    )  # fmt: skip
    figures.save(drawn, folder, "lambda")
