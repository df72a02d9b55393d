"""Claim A1 of anatomizing (Sinha 2020): SRGAN's mean squared error is below the MLP's.

`python -m gan_runner.studies.anatomizing` trains SRGAN and the MLP over paired seeds and says what
comes of the claim; then the sweep of lambda, one initial weight set with many orders of batches,
both at rates of their own, the cGAN that the paper leaves out, and a real table. What is compared,
and by which rule, stands in `anatomizing_text.Found` and `claims`, fixed before any run.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

from gan_runner.result import write_atomic
from gan_runner.studies import page, report
from gan_runner.studies.anatomizing_arms import (
    PLANS,
    WIDTH,
    Plan,
    further_arms,
    lambda_arm,
    main_arms,
    rate_arms,
    sweep_arms,
    write_table,
)
from gan_runner.studies.anatomizing_text import Found, draw, markdown, verdict
from gan_runner.studies.experiments import train
from gan_runner.studies.statistics import summary
from gan_runner.studies.study_command import Request, run_command


def study(request: Request) -> str:
    """Train what is missing, write tables and figures, and return the text."""
    plan = PLANS[request.scale]
    seeds = tuple(range(request.seeds or plan.seeds))
    rates, searched = search_rates(request, plan)
    outcomes = dict(
        train(main_arms(plan, seeds, rates), request.runs, width=WIDTH, compiled=request.compiled)
    )
    first = Found(
        scale=request.scale, plan=plan, rates=rates, searched=searched, outcomes=outcomes
    )  # fmt: skip
    print(verdict(first), flush=True)  # the rest takes longer
    outcomes |= train(sweep_arms(plan, seeds), request.runs, width=WIDTH, compiled=request.compiled)
    outcomes[lambda_arm(1)] = outcomes["srgan"]  # it is lambda 1 of the sweep
    path = request.out / "diabetes.csv"
    write_table(path)
    outcomes |= train(
        further_arms(plan, seeds, path), request.runs, width=WIDTH, compiled=request.compiled
    )
    found = Found(
        scale=request.scale, plan=plan, rates=rates, searched=searched, outcomes=outcomes
    )  # fmt: skip
    text = markdown(found)
    write_atomic(request.out / "study.md", text.encode())
    folders = [request.runs / name for name in ("mlp", "srgan", "mlp_tuned", "srgan_tuned")]
    evidence = report(folders, ["mse"], "model=mlp")
    write_atomic(request.out / "study.html", page.html(evidence).encode())
    draw(found, request.out / "figures")
    return text


def search_rates(request: Request, plan: Plan) -> tuple[dict[str, float], dict[str, float]]:
    """Find each model's rate: the lowest mean MSE on validation points, on seeds never judged.

    Returns:
        The best rate by model, and the mean MSE by arm; a rate of which a run failed has none.

    Raises:
        ValueError: runs failed at every rate.
    """
    arms = rate_arms(plan)
    found = train(list(arms.values()), request.runs, width=WIDTH, compiled=request.compiled)
    means: dict[str, float] = {}
    best: dict[str, tuple[float, float]] = {}  # model -> (mean, rate)
    for (model, rate), arm in arms.items():
        values = list(found[arm.name].of("mse").values())
        if len(values) == len(arm.seeds):
            means[arm.name] = summary(values).mean
            best[model] = min((means[arm.name], rate), best.get(model, (math.inf, rate)))
    for model in ("mlp", "srgan"):
        if model not in best:
            raise ValueError(f"{model}: runs failed at every rate of {plan.rates}")
    return {model: rate for model, (_, rate) in best.items()}, means


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    return run_command(
        "gan_runner.studies.anatomizing",
        "Does SRGAN beat the MLP at super-resolution of points (Sinha 2020)? Over paired seeds.",
        study,
        sys.argv[1:] if argv is None else argv,
    )


if __name__ == "__main__":
    sys.exit(main())
