"""`gan-eval`: computes a run's metrics anew, as in the run or with other settings.

`--help` imports no torch.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_runner.arguments import DEVICES, SPLITS, Parser, answer, at_least, number_between, say

if TYPE_CHECKING:
    from gan_runner.dispatch import Run
    from gan_runner.loading import Loaded

PROGRAM = "gan-eval"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0; 2 where it is refused; 1 where something else went wrong; 130 after Ctrl-C.
    """
    return answer(PROGRAM, _command, sys.argv[1:] if argv is None else argv)


def _parser() -> Parser:
    parser = Parser(
        PROGRAM,
        "Compute a run's metrics anew and add them to `evaluations` in its result.json. What is "
        "not given is as in the run: without options, the run's own numbers come out again.",
    )
    add = parser.add_argument
    add("--metrics", type=_names, metavar="NAMES", help="such as modes,wasserstein")
    add(
        "--number",
        type=at_least(2),
        metavar="N",
        help="generated samples; not for models of paired data, which make one for each real point",
    )
    add("--num-real", type=at_least(2), metavar="N", help="real points at most")
    add("--split", choices=SPLITS, help="where the real points are from")
    add(
        "--checkpoint", metavar="NAME", help="last, best, or another name in the run's checkpoints/"
    )
    add(
        "--truncation", type=number_between(-2, 2), metavar="PSI",
        help="of StyleGAN's styles: 1 changes nothing, 0 gives the mean style; default: as drawn",
    )  # fmt: skip
    add(
        "--photographs", metavar="FOLDER",
        help="instead, of a run that enlarges: PSNR and SSIM of a folder's photographs, and of "
        "bicubic ones",
    )  # fmt: skip
    add("--output", type=Path, metavar="FILE.csv", help="with --photographs: a row for each")
    add("--device", choices=DEVICES, help="where to compute")
    return parser  # fmt: skip


def _names(text: str) -> tuple[str, ...]:
    from gan_runner.registry import METRICS

    names = {name.strip() for name in text.split(",")} - {""}
    for name in sorted(names - set(METRICS)):
        near = difflib.get_close_matches(name, METRICS, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise argparse.ArgumentTypeError(f"no metric '{name}'.{hint} Metrics: {', '.join(METRICS)}")
    if not names:
        raise argparse.ArgumentTypeError(f"names are wanted, of {', '.join(METRICS)}")
    return _in_order(names)


def _in_order(names: Sequence[str] | set[str]) -> tuple[str, ...]:
    """Names once each, in the order of the registry: one order for one choice."""
    from gan_runner.registry import METRICS

    return tuple(name for name in METRICS if name in names)


def _command(argv: Sequence[str]) -> None:
    given = _parser().parse_args(argv)
    from gan_runner import result
    from gan_runner.loading import load

    _check_apart(given)
    file = given.folder / "result.json"
    loaded = load(given.folder, checkpoint_name=_checkpoint_name(given), device=given.device)
    if given.photographs is not None:
        _judge_photographs(loaded, given)
        return
    if file.is_file():
        result.read_result(file)  # refused before anything is computed
    entry = evaluate(loaded, options_of(loaded, given))
    if file.is_file():
        result.add_evaluation(file, entry)
    where = f"step {loaded.step:,}, {loaded.host.device.type}"
    print(f"{loaded.config['name']}: {where}\n\n{result.metrics_table(entry)}\n")
    if file.is_file():
        print(f"  Written to    {file} (evaluations)")
    else:
        reason = "the run goes on, or was killed"
        say(PROGRAM, f"nothing is written: {given.folder} has no result.json ({reason})")


def _check_apart(given: argparse.Namespace) -> None:
    """Refuse options that mean nothing together.

    Raises:
        ValueError: names them.
    """
    if given.photographs is None:
        if given.output is not None:
            raise ValueError("--output: goes with --photographs")
        return
    for option in ("metrics", "number", "num_real", "split", "truncation"):
        if getattr(given, option) is not None:
            raise ValueError(f"--{option.replace('_', '-')}: does not go with --photographs")
    if given.output is not None and given.output.suffix.lower() != ".csv":
        raise ValueError(f"--output={given.output}: a table is written as .csv")


def _judge_photographs(loaded: Loaded, given: argparse.Namespace) -> None:
    from gan_runner import photograph_pictures, photograph_table
    from gan_runner.result import write_atomic

    near, said = photograph_pictures.judge(loaded, given.photographs)
    print(f"{loaded.config['name']}: step {loaded.step:,}, {loaded.host.device.type}\n")
    print(f"{photograph_table.table(near)}\n\n{said}")
    if given.output is not None:
        write_atomic(given.output, photograph_table.as_csv(near).encode())
        print(f"\n  Written to    {given.output}")


def _checkpoint_name(given: argparse.Namespace) -> str:
    """What was asked for, else what the run judged itself by."""
    from gan_runner.run_folder import read_config

    if given.checkpoint is not None:
        return str(given.checkpoint).removesuffix(".pt")
    judged = str(read_config(given.folder)["metrics"]["checkpoint"])
    # A run that was never measured on the way has no best one, and judged its last.
    return judged if (given.folder / "checkpoints" / f"{judged}.pt").is_file() else "last"


def options_of(loaded: Loaded, given: argparse.Namespace) -> dict[str, Any]:
    """What is computed, in full: the options, and the run's own where none was given.

    Returns:
        `metrics`, `number`, `num_real`, `split`, `checkpoint`, `device`; None where a game has no
        such thing; `truncation` where it was given.

    Raises:
        ValueError: a metric does not fit the data, or an option the game.
    """
    run, section, name = loaded.prepared, loaded.config["metrics"], loaded.config["name"]
    options = {
        "metrics": list(given.metrics or own_metrics(run, section["names"])),
        "number": given.number or section["num_generated"],
        "num_real": given.num_real or section["num_real"],
        "split": given.split or section["split"],
        "checkpoint": loaded.checkpoint,
        "device": loaded.host.device.type,
    }
    if not options["metrics"]:
        raise ValueError(f"{name} measures nothing; --metrics of {', '.join(fitting(run))}")
    check_metrics(run, options["metrics"])
    if given.truncation is not None:
        loaded.check_styled("--truncation")
        options["truncation"] = given.truncation
    for option, reason in _without(run).items():
        if getattr(given, option) is not None:
            raise ValueError(f"--{option.replace('_', '-')}: {name} {reason}")
        options[option] = None
    return options


def _without(run: Run) -> dict[str, str]:
    """Options that mean nothing for a run, and why."""
    if run.recipe.sample is None:
        return dict.fromkeys(("number", "num_real", "split"), "is a game without samples")
    if run.recipe.paired:
        return {"number": "makes one sample for each real point (--num-real)"}
    return {}


def own_metrics(run: Run, names: Sequence[str] | None) -> tuple[str, ...]:
    """The metrics of the run's config, or those that fit it."""
    from gan_runner.evaluation import names_to_measure

    if run.recipe.sample is None:
        return fitting(run) if names is None else _in_order(names)
    return _in_order(names_to_measure(run.config["metrics"], run))


def check_metrics(run: Run, names: Sequence[str]) -> None:
    """Refuse metrics that do not fit a run.

    Raises:
        ValueError: names the first, and those that fit.
    """
    for name in names:
        if name not in fitting(run):
            raise ValueError(
                f"--metrics={name}: does not fit {run.config['name']}; "
                f"metrics that fit: {', '.join(fitting(run))}"
            )


def evaluate(loaded: Loaded, options: Mapping[str, Any]) -> dict[str, Any]:
    """Compute an entry of `evaluations`.

    Args:
        loaded: the run, at the weights to judge.
        options: as from `options_of`.

    Raises:
        ValueError: a metric needs more points than there are.
    """
    from gan_runner import evaluation, result
    from gan_runner.metrics.protocol import metrics_as_dict
    from gan_runner.process import process_settings, threads

    own = loaded.config["metrics"]
    section = {
        **own,
        "names": options["metrics"],
        "num_generated": options["number"] or own["num_generated"],
        "num_real": options["num_real"] or own["num_real"],
    }
    split = options["split"] or own["split"]
    evaluation.check_points(section, loaded.prepared)
    with process_settings(loaded.config), threads(loaded.threads):
        found = evaluation.measure(
            loaded.prepared, loaded.host, section, split=split, checkpoint=loaded.checkpoint,
            truncation=options.get("truncation"),
        )  # fmt: skip
        floors = evaluation.measure_floor(loaded.prepared, section, split=split)
        ceilings = evaluation.measure_ceiling(loaded.prepared, section, split=split)
        precision = loaded.config["device"]["precision"]
        environment = result.environment(loaded.host.device, precision=precision)
    return {
        "options": dict(options),
        "step": loaded.step,
        "metrics": metrics_as_dict(found),
        "floor": floors,
        **({"ceiling": ceilings} if ceilings else {}),
        **environment,
    }


def fitting(run: Run) -> tuple[str, ...]:
    """The metrics that a run offers all for."""
    from gan_runner.facts import facts_of_run
    from gan_runner.registry import METRICS

    facts = facts_of_run(run)
    return tuple(name for name, metric in METRICS.items() if metric.needs <= facts)


if __name__ == "__main__":
    sys.exit(main())
