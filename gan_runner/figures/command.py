"""The command line: which figures, at which scale, over how many seeds."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from gan_runner.arguments import LineParser, answer, at_least, say
from gan_runner.errors import Interrupted
from gan_runner.figures import claims_table, drawing, page, records, sheets
from gan_runner.figures.catalogue import FIGURES, chosen
from gan_runner.figures.figure import Figure, Paper
from gan_runner.figures.runs import Job, Request, Store, Wanted, changed, jobs, ready, wanted
from gan_runner.figures.training import train
from gan_runner.studies.formats import counted
from gan_runner.studies.study_command import SCALES

log = logging.getLogger("gan_runner.figures")
PROGRAM = "gan-figures"


def make(figures: Sequence[Figure], request: Request) -> dict[str, str]:
    """Train what is missing and draw figures, each as soon as its runs are there.

    Returns:
        Why a figure could not be made, by its id.

    Raises:
        Interrupted: the process was asked to stop; the same request goes on with the rest.
    """
    store = Store(*request.roots)
    refused: dict[str, str] = {}
    needed: dict[str, dict[str, tuple[Wanted, ...]]] = {}
    for figure in figures:
        try:
            needed[figure.id] = wanted(figure, request)
        except ValueError as error:
            refused[figure.id] = " ".join(str(error).split())
    every = [one for arms in needed.values() for each in arms.values() for one in each]
    waiting = jobs(every, store, request.out / "runs" / request.scale)
    log.info("%s, %s, %s to carry out", counted(len(needed), "figure"),
             counted(len({each.key for each in every}), "run"),
             counted(len(waiting), "command"))  # fmt: skip
    open_ = {each.id: each for each in figures if each.id in needed}
    _draw_ready(open_, needed, store, request, refused)
    lost: dict[str, str] = {}  # key -> why
    for ended in train(waiting, at_once=request.at_once, ready=lambda job: ready(job, store)):
        store.add(ended.job.folder)
        if ended.refusal is not None:
            lost |= dict.fromkeys(_not_there(ended.job, store), ended.refusal)
        _draw_ready(open_, needed, store, request, refused)
    for name in open_:
        reasons = [
            lost[one.key] for each in needed[name].values() for one in each if one.key in lost
        ]
        refused[name] = reasons[0] if reasons else "a run is missing"
    return refused


def _not_there(job: Job, store: Store) -> list[str]:
    return [key for key in job.keys if store.get(key) is None]


def _draw_ready(
    open_: dict[str, Figure],
    needed: Mapping[str, Mapping[str, Sequence[Wanted]]],
    store: Store,
    request: Request,
    refused: dict[str, str],
) -> None:
    """Draw the figures whose runs are all there, and take them off the list."""
    for name, figure in list(open_.items()):
        material = store.material(needed[name], request.scale)
        if material is None:
            continue
        del open_[name]
        folder = request.folder / figure.paper
        try:
            with drawing.styled():
                drawn = figure.draw(material)
                place = drawing.save(drawn.canvas, folder, figure.name)
        except ValueError as error:  # every run of an arm failed, say
            refused[name] = " ".join(str(error).split())
            continue
        changes = {label: changed(arm, request) for label, arm in figure.arms.items()}
        made = records.record(figure, material, needed[name], drawn, changes)
        records.write(made, folder)
        said = [f"{claim} {verdict.word}" for claim, verdict in drawn.verdicts.items()]
        log.info("%s", "; ".join([str(place), *said]))


def assemble(request: Request) -> Path:
    """Write contact sheets, page and table of all figures that are there; returns the page."""
    made = records.read_all(request.folder)
    papers: dict[Paper, list[tuple[str, Path]]] = {}
    for figure in FIGURES:
        path = request.folder / figure.paper / f"{figure.name}.png"
        if figure.id in made and path.is_file():
            papers.setdefault(figure.paper, []).append((figure.id, path))
    for paper, pictures in papers.items():
        sheets.contact_sheet(pictures, request.folder / paper / sheets.SHEET)
    claims_table.write(made, request.folder)
    return page.write(made, request.folder)


def listing() -> str:
    """Every figure: its id, what it shows, its runs and its time."""
    lines = []
    for each in FIGURES:
        num = len(each.arms) * each.seeds
        cost = f"{counted(num, 'run')}, {each.minutes:g} min" if num else "no run"
        told = f" (claim {', '.join(each.claims)})" if each.claims else ""
        lines.append(f"{each.id:26} {cost:>18}  {each.shows}{told}")
    return "\n".join([*lines, "", "Minutes are those of SCALE=cpu on two cores."])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0; 2 where something is refused or a figure cannot be made; 128 + n after signal n.
    """
    return answer(PROGRAM, _stoppable, sys.argv[1:] if argv is None else argv)


def _stoppable(argv: Sequence[str]) -> None:
    try:
        _command(argv)
    except Interrupted as stop:
        say(PROGRAM, "stopped; the same command goes on with what is not finished")
        raise SystemExit(128 + stop.signum) from None


def _command(argv: Sequence[str]) -> None:
    given = _parser().parse_args(argv)
    if given.list:
        print(listing())
        return
    _log_to_stderr()
    request = Request(
        out=given.out, scale=given.scale, seeds=given.seeds, device=given.device,
        at_once=given.jobs or (os.cpu_count() or 1 if given.device == "cpu" else 1),
    )  # fmt: skip
    figures = chosen(given.figures)
    if request.device != "cpu":
        _check(request.device)
    refused = make(figures, request)
    print(assemble(request))
    for name, reason in refused.items():
        say(PROGRAM, f"{name} cannot be made: {reason}")
    if refused:
        raise SystemExit(2)


def _check(device: str) -> None:
    """Whether a device is there, before any run asks for it.

    Raises:
        ValueError: it is not.
    """
    from gan_runner.dispatch import find_device  # imports torch

    find_device({"name": device, "index": 0, "precision": "fp32"})


def _parser() -> LineParser:
    parser = LineParser(PROGRAM, "Make papers' figures from runs.")
    parser.add_argument("figures", nargs="*", metavar="NAME",
                        help="a paper, a figure such as mnist-fig6, a claim such as M1; "
                        "default: all")  # fmt: skip
    parser.add_argument("--list", action="store_true", help="say which there are")
    parser.add_argument(
        "--scale", choices=SCALES, default="cpu",
        help="smoke: a few steps, tells nothing; cpu: two cores; full: the papers' own epochs",
    )  # fmt: skip
    parser.add_argument(
        "--seeds", type=at_least(1), default=None, metavar="N", help="default: each figure's own"
    )
    parser.add_argument(
        "--jobs", type=at_least(1), default=None, metavar="N",
        help="runs at the same time; default: one a core, on a GPU one",
    )  # fmt: skip
    parser.add_argument("--device", choices=("cpu", "cuda", "mps"), default="cpu")
    parser.add_argument(
        "--out", type=Path, default=Path("outputs") / "figures", metavar="FOLDER",
        help="of figures and runs (default: outputs/figures)",
    )  # fmt: skip
    return parser


def _log_to_stderr() -> None:
    if not log.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
