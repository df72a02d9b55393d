"""`gan-report`: what it prints and writes, what it refuses, and what it does not import."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gan_runner import __version__, api
from gan_runner.report import main
from gan_runner.studies import report, tables

ROOT = Path(__file__).parents[1]
GAME = ["model=bilinear", "dataset=none", "device.name=cpu", "training.epochs=null",
        "training.steps=5"]  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real runs of a game of two scalars: two ways of update, two seeds each."""
    folder = tmp_path_factory.mktemp("runs")
    for update in ("simultaneous", "extragradient"):
        for seed in (0, 1):
            typed = [*GAME, f"model.update={update}", f"training.seed={seed}"]
            api.run(typed, folder=folder / f"{update}{seed}")
    return folder


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """`refused(arguments)`: the one line said; the exit code is checked."""

    def refuse(*arguments: object) -> str:
        capsys.readouterr()
        assert main([str(each) for each in arguments]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("gan-report: error: ")
        assert said.err.count("\n") == 1
        return said.err.removeprefix("gan-report: error: ").strip()

    return refuse


def test_real_runs_are_reported(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(runs)]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out == tables.text(report([runs]))
    assert "4 runs in 2 groups\n" in said.out
    assert "\ndistance (lower is better)\n" in said.out
    # Simultaneous steps leave the equilibrium, extragradient ones come nearer (Gidel et al. 2019).
    verdict = "model.update=simultaneous against model.update=extragradient: better in 0 of 2 seeds"
    assert verdict in said.out


def test_files_are_written(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = {"--markdown": "a/r.md", "--csv": "g.csv", "--runs-csv": "r.csv", "--html": "p.html"}
    options = [word for key, name in names.items() for word in (key, str(tmp_path / name))]
    assert main([str(runs), *options]) == 0
    assert capsys.readouterr().err.count("gan-report: wrote ") == 4
    starts = {name: (tmp_path / name).read_text("utf-8")[:9] for name in names.values()}
    assert starts == {
        "a/r.md": "# 4 runs ", "g.csv": "metric,be", "r.csv": "folder,gr", "p.html": "<!DOCTYPE"
    }  # fmt: skip


def test_options_are_heard(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--metric", "distance", "--against", "simultaneous", "--level", "0.8",
               "--resamples", "200", "--seed", "3"]  # fmt: skip
    assert main([str(runs), *options]) == 0
    wanted = report([runs], ["distance"], "simultaneous", level=0.8, resamples=200, seed=3)
    assert capsys.readouterr().out == tables.text(wanted)
    assert "80 % of the mean" in tables.text(wanted)


def test_mistakes_are_one_line(runs: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    assert refused(tmp_path / "none") == f"{tmp_path / 'none'} does not exist"
    assert refused(tmp_path).startswith(f"no run found in {tmp_path}: ")
    assert refused(runs, "--metric", "fid") == "metric=fid: not found; metrics found: distance"
    assert "no such group; groups: model.update=" in refused(runs, "--reference", "model=x")
    assert "folder" in refused().lower()
    assert "a share between 0 and 1" in refused(runs, "--level", "95")
    assert "at least 100" in refused(runs, "--resamples", "10")
    assert "unrecognized arguments: --metrics" in refused(runs, "--metrics")


def test_a_file_that_cannot_be_written_is_refused(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(runs), "--html", str(tmp_path)]) == 2
    assert (
        capsys.readouterr().err == f"gan-report: error: {tmp_path} is a folder; a file is wanted\n"
    )


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "--reference" in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"gan-report {__version__}\n"


@pytest.mark.parametrize("options", [["--help"], ["--html"]])
def test_neither_torch_nor_hydra_is_imported(
    options: list[str], runs: Path, tmp_path: Path
) -> None:
    heavy = {"torch", "hydra", "omegaconf", "scipy", "matplotlib", "sklearn"}
    if options == ["--help"]:
        heavy |= {"numpy", "yaml"}
    else:
        options = [*options, str(tmp_path / "page.html")]
    code = (
        "import sys; from gan_runner.report import main; "
        f"assert main({[str(runs), *options]!r}) == 0; "
        f"assert not {heavy!r} & set(sys.modules), {heavy!r} & set(sys.modules)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
