"""Every model x loss x penalty that composes on digits, over seeds, and MNIST's experiments: a zoo.

`python -m gan_runner.studies.zoo` trains what is missing and writes `study.md` and `study.html`:
quality (Frechet distance among a classifier's features, classifier score, recall, agreement with
the label asked for; mean and standard deviation over seeds) between what real images score and
what untrained networks do, time, and runs that failed or collapsed. What is tried at each scale
is a rule of `zoo_choices.RULES`; a new option of `conf/` joins by itself.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from gan_runner.compose import Composer
from gan_runner.result import write_atomic
from gan_runner.studies import zoo_text
from gan_runner.studies.experiments import COMMON, finished, train
from gan_runner.studies.study_command import Request, Scale, run_command
from gan_runner.studies.zoo_choices import RULES, SIZES, Choice, Rule, choose
from gan_runner.studies.zoo_runs import Row, mnist_rows, row
from gan_runner.studies.zoo_text import Zoo

WIDTH = 32  # replicas in a stack at most
REUSE = "reuse"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is run: seeds of each combination, steps of each run, what is tried, MNIST too."""

    seeds: int
    steps: int
    rule: Rule
    mnist: bool


PLANS: dict[Scale, Plan] = {
    "smoke": Plan(seeds=2, steps=8, rule="few", mnist=False),
    "cpu": Plan(seeds=3, steps=600, rule="families", mnist=True),
    "full": Plan(seeds=3, steps=5000, rule="all", mnist=True),
}


def common(plan: Plan) -> tuple[str, ...]:
    """What all runs on digits share."""
    return ("dataset=digits", f"training.steps={plan.steps}")


def study(request: Request) -> str:
    """Train what is missing, write the table after each part of it, and return the text."""
    plan = PLANS[request.scale]
    seeds = tuple(range(request.seeds or plan.seeds))
    composer = Composer()
    choice = choose(plan.rule, common(plan), lambda words: composer.compose([*COMMON, *words]))
    arms = {each.label: each.arm(seeds) for each in choice.combinations}
    # Never compiled: each structure has few steps, and compiling one takes longer than those.
    trains = REUSE not in request.flags
    if trains:
        train(list(arms.values()), request.runs, width=WIDTH, composer=composer)
    places = finished(list(arms.values()), request.runs, composer=composer)
    digits = [
        row(each.label, places[arms[each.label].name], also=each.also, own=each.own)
        for each in choice.combinations
    ]
    text = _write(request, _told(request, plan, len(seeds), choice, digits))
    if not plan.mnist:
        return text
    rows: list[Row] = []
    absent: dict[str, str] = {}
    folder = request.out / "runs" / "mnist"
    for name, found in mnist_rows(folder, trains=trains):
        if isinstance(found, str):
            absent[name] = found
        else:
            rows.append(found)
        text = _write(request, _told(request, plan, len(seeds), choice, digits, rows, absent))
    return text


def _write(request: Request, zoo: Zoo) -> str:
    text = zoo_text.markdown(zoo)
    write_atomic(request.out / "study.md", text.encode())
    write_atomic(request.out / "study.html", zoo_text.html(zoo).encode())
    return text


def _told(
    request: Request,
    plan: Plan,
    num_seeds: int,
    choice: Choice,
    digits: Sequence[Row],
    rows: Sequence[Row] | None = None,
    absent: dict[str, str] | None = None,
) -> Zoo:
    return Zoo(
        heading="The zoo: every model with every loss and penalty",
        rule=RULES[plan.rule],
        caption=_caption(request, plan, num_seeds),
        choice=choice,
        digits=digits,
        mnist=rows if rows is None else list(rows),
        absent=absent,
    )


def _caption(request: Request, plan: Plan, num_seeds: int) -> list[str]:
    """The protocol in words."""
    sizes = ", ".join(f"{key} {most}" for key, most in SIZES.items())
    size = f"Networks on digits are small: at most {sizes}."
    lines = [
        f"Made by `make zoo SCALE={request.scale}`. Digits: scikit-learn's, {plan.steps:,} steps "
        f"of 64, {num_seeds} seeds, each model with its own optimizer and rates. 1,000 generated "
        "images against 500 test images that nothing was trained on, at the last step.",
        "A step is one batch: where D moves five times for one move of G, as in WGAN, G has a "
        "fifth of the updates.",
        size,
        f"Mean ± standard deviation over the {num_seeds} seeds; so few seeds bear no claim that "
        "neighbours in the table differ. The order is that of the mean distance. A short run "
        "favours what learns fast: the order is one of this budget.",
        "Seconds for 1,000 steps are of one replica, those of one combination in one stack, on one "
        "thread of a machine that had other work too.",
        "Distances among the features of a small classifier of ours are no FID.",
    ]
    if request.scale == "smoke":
        lines.insert(0, "This is the smoke scale: runs of a few steps, which tell nothing.")
    return lines


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    return run_command(
        "gan_runner.studies.zoo",
        "Every model x loss x penalty that composes on digits, and MNIST's experiments: a table.",
        study,
        sys.argv[1:] if argv is None else argv,
        {REUSE: "train nothing: a table of the runs that are there"},
    )


if __name__ == "__main__":
    sys.exit(main())
