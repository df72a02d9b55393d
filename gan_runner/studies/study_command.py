"""The command line that studies share: where, at which scale, over how many seeds."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gan_runner.arguments import LineParser, answer, at_least, say
from gan_runner.errors import Interrupted

log = logging.getLogger("gan_runner.studies")
Scale = Literal["smoke", "cpu", "full"]
SCALES: tuple[Scale, ...] = ("smoke", "cpu", "full")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked of a study. seeds: None is the scale's own number. flags: its own, given."""

    out: Path
    scale: Scale
    seeds: int | None
    flags: frozenset[str] = frozenset()

    @property
    def runs(self) -> Path:
        """Where run folders go."""
        return self.out / "runs" / self.scale

    @property
    def compiled(self) -> bool:
        """Whether steps are compiled: for a few of them it does not pay."""
        return self.scale != "smoke"


def run_command(
    program: str,
    description: str,
    study: Callable[[Request], str],
    argv: Sequence[str],
    flags: Mapping[str, str] | None = None,
) -> int:
    """Carry out a study's command line, and print what it found.

    flags: names of a study's own switches, such as "digits-only", with their help.

    Returns:
        The exit code: 0; 2 where it is refused; 1 where something went wrong; 128 + n after
        signal n.
    """

    def command(arguments: Sequence[str]) -> None:
        parser = _parser(program, description)
        for name, meaning in (flags or {}).items():
            parser.add_argument(f"--{name}", dest=name, action="store_true", help=meaning)
        given = parser.parse_args(arguments)
        on = frozenset(name for name in flags or () if getattr(given, name))
        _log_to_stderr()
        print(study(Request(out=given.out, scale=given.scale, seeds=given.seeds, flags=on)))

    try:
        return answer(program, _stoppable(command), argv)
    except _Stopped as stop:
        say(program, "stopped; the same command goes on with what is not finished")
        return 128 + stop.signum


class _Stopped(BaseException):
    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


def _stoppable(command: Callable[[Sequence[str]], None]) -> Callable[[Sequence[str]], None]:
    """A command that ends in `_Stopped` where a run was interrupted: it is no error."""

    def stoppable(argv: Sequence[str]) -> None:
        try:
            command(argv)
        except Interrupted as stop:
            raise _Stopped(stop.signum) from None

    return stoppable


def _parser(program: str, description: str) -> LineParser:
    parser = LineParser(program, description)
    name = program.rpartition(".")[2]
    parser.add_argument(
        "--out", type=Path, default=Path("outputs") / "studies" / name, metavar="FOLDER",
        help=f"of the runs, the tables and the figures (default: outputs/studies/{name})",
    )  # fmt: skip
    parser.add_argument(
        "--seeds", type=at_least(1), default=None, metavar="N", help="default: the scale's own"
    )
    parser.add_argument(
        "--scale", choices=SCALES, default="cpu",
        help="smoke: under a minute, tells nothing; cpu: two cores; full: as long as the papers'",
    )  # fmt: skip
    return parser


def _log_to_stderr() -> None:
    if not log.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
