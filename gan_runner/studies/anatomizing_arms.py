"""The runs of the study of anatomizing (Sinha 2020): its settings, seeds and scales."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gan_runner.result import write_atomic
from gan_runner.studies.experiments import Arm
from gan_runner.studies.study_command import Scale

PUBLISHED = {"srgan": 3.4555e-5, "mlp": 4.3432e-5}  # Sinha 2020, section 4.3: one run each
LAMBDAS = (0, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.125, 0.25, 0.5, 1, 1.5, 2, 10)
RATES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
RATE_SEEDS = 100  # the first seed of the search for rates: none that is judged
WIDTH = 64
METRICS = "metrics.names=[mse]"
# Total and HDL cholesterol -> LDL, total / HDL, logarithm of the triglycerides.
INPUTS, OUTPUTS = ("s1", "s3"), ("s2", "s4", "s5")

LABELS = {
    "srgan": "SRGAN, lambda 1",
    "mlp": "MLP",
    "srgan_tuned": "SRGAN, its own rate",
    "mlp_tuned": "MLP, its own rate",
    "srgan_fixed": "SRGAN, one weight set",
    "mlp_fixed": "MLP, one weight set",
    "cgan": "cGAN (eq. 7-10)",
    "srgan_diabetes": "SRGAN, diabetes",
    "mlp_diabetes": "MLP, diabetes",
}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is run. length: the override that shortens a run, if any; tuned: of tuned arms."""

    seeds: int
    orders: int
    rate_seeds: int
    rates: tuple[float, ...] = RATES
    lambdas: tuple[float, ...] = LAMBDAS
    length: tuple[str, ...] = ()
    tuned: tuple[str, ...] = ("training.epochs=500",)
    table: tuple[str, ...] = ("training.steps=15000",)  # as many as 1,000 epochs of gauss3d


_SHORT = ("training.steps=30",)
PLANS: dict[Scale, Plan] = {
    "smoke": Plan(
        seeds=2, orders=2, rate_seeds=2, rates=(1e-2, 3e-2), lambdas=(0, 1, 10), length=_SHORT,
        tuned=_SHORT, table=_SHORT,
    ),
    "cpu": Plan(seeds=32, orders=16, rate_seeds=8),
    "full": Plan(seeds=128, orders=64, rate_seeds=16),
}  # fmt: skip


def main_arms(plan: Plan, seeds: tuple[int, ...], rates: Mapping[str, float]) -> list[Arm]:
    """SRGAN, the MLP, both at their own rates; and from one initial weight set."""
    orders = tuple(range(plan.orders))
    fixed = (*plan.length, METRICS, "training.streams.init=0")
    arms = []
    for model in ("srgan", "mlp"):
        printed = (experiment(model), *plan.length, METRICS)
        arms += [
            Arm(name=model, overrides=printed, seeds=seeds),
            Arm(name=f"{model}_fixed", overrides=(experiment(model), *fixed), seeds=orders),
            Arm(
                name=f"{model}_tuned", overrides=tuned(model, rates[model], plan), seeds=seeds
            ),
        ]  # fmt: skip
    return arms


def sweep_arms(plan: Plan, seeds: tuple[int, ...]) -> list[Arm]:
    """SRGAN with each lambda but 1, which is of the main arms."""
    return [
        Arm(
            name=lambda_arm(each),
            overrides=(
                experiment("srgan"), *plan.length, METRICS, f"model.lambda_adversarial={each:g}"
            ),
            seeds=seeds,
        )
        for each in plan.lambdas if each != 1
    ]  # fmt: skip


def further_arms(plan: Plan, seeds: tuple[int, ...], path: Path) -> list[Arm]:
    """The cGAN of equations 7-10, and SRGAN and the MLP on a real table."""
    table = (
        "dataset=table", f"dataset.path={path.absolute()}",
        f"dataset.condition=[{','.join(INPUTS)}]", "network=mlp_anatomizing",
        "training=anatomizing_srgan", *plan.table, METRICS,
    )  # fmt: skip
    return [
        Arm(
            name="cgan", overrides=("experiment=anatomizing_cgan", *plan.length, METRICS),
            seeds=seeds,
        ),
        *(
            Arm(name=f"{model}_diabetes", overrides=(f"model={model}", *table), seeds=seeds)
            for model in ("srgan", "mlp")
        ),
    ]  # fmt: skip


def rate_arms(plan: Plan) -> dict[tuple[str, float], Arm]:
    """Each model at each constant rate, judged on validation points, on seeds not judged else."""
    return {
        (model, rate): Arm(
            name=f"{model}_rate_{rate:g}",
            overrides=(*tuned(model, rate, plan), "metrics.split=validation"),
            seeds=tuple(range(RATE_SEEDS, RATE_SEEDS + plan.rate_seeds)),
        )
        for model in ("mlp", "srgan") for rate in plan.rates
    }  # fmt: skip


def lambda_arm(value: float) -> str:
    """The name of a lambda's arm."""
    return f"srgan_lambda_{value:g}"


def write_table(path: Path) -> None:
    """Write five blood values of scikit-learn's 442 diabetes patients (Efron et al. 2004)."""
    from sklearn.datasets import load_diabetes

    data = load_diabetes()
    columns = [data.feature_names.index(name) for name in (*INPUTS, *OUTPUTS)]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*INPUTS, *OUTPUTS))
    writer.writerows([[f"{value:.9g}" for value in row] for row in data.data[:, columns].tolist()])
    write_atomic(path, text.getvalue().encode())


def experiment(model: str) -> str:
    return f"experiment=anatomizing_{'fig4' if model == 'srgan' else 'mlp'}"


def tuned(model: str, rate: float, plan: Plan) -> tuple[str, ...]:
    """A model at one constant rate."""
    return (
        experiment(model), "optimizer=adam", f"optimizer.lr={rate:g}", *plan.tuned, METRICS
    )  # fmt: skip
