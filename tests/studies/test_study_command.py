"""The command line that studies share."""

from __future__ import annotations

from pathlib import Path

import pytest

from gan_runner.errors import Interrupted
from gan_runner.studies.study_command import Request, run_command


def _run(argv: list[str]) -> tuple[int, list[Request]]:
    asked: list[Request] = []

    def study(request: Request) -> str:
        asked.append(request)
        return "what it found"

    return run_command("gan_runner.studies.modes", "About.", study, argv), asked


def test_hands_on_what_was_asked(capsys: pytest.CaptureFixture[str]) -> None:
    code, (request,) = _run(["--out", "there", "--seeds", "3", "--scale", "full"])
    assert code == 0
    assert request == Request(out=Path("there"), scale="full", seeds=3)
    assert request.runs == Path("there/runs/full")
    assert capsys.readouterr().out == "what it found\n"


def test_defaults() -> None:
    _, (request,) = _run([])
    assert request == Request(out=Path("outputs/studies/modes"), scale="cpu", seeds=None)


@pytest.mark.parametrize("argv", [["--scale", "huge"], ["--seeds", "0"], ["--sed", "1"]])
def test_refuses(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, asked = _run(argv)
    assert (code, asked) == (2, [])
    assert argv[0] in capsys.readouterr().err


@pytest.mark.parametrize(("error", "code"), [(ValueError("no"), 2), (RuntimeError("broken"), 1)])
def test_exit_codes(error: Exception, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    def study(_: Request) -> str:
        raise error

    assert run_command("p", "About.", study, []) == code
    assert str(error) in capsys.readouterr().err


def test_a_stopped_study_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    def study(_: Request) -> str:
        raise Interrupted(15)

    assert run_command("p", "About.", study, []) == 143
    assert "the same command goes on" in capsys.readouterr().err


def test_switches_of_a_study() -> None:
    asked: list[Request] = []

    def study(request: Request) -> str:
        asked.append(request)
        return ""

    for argv in (["--reuse"], []):
        assert run_command("p", "About.", study, argv, {"reuse": "train nothing"}) == 0
    assert [each.flags for each in asked] == [frozenset({"reuse"}), frozenset()]
    assert run_command("p", "About.", study, ["--reuse"]) == 2
