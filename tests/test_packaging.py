"""The wheel holds everything and works away from the repository."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from gan_runner import __version__

ROOT = Path(__file__).resolve().parents[1]


def command(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command without what would let it find this repository's package."""
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COV", "PYTHON", "VIRTUAL_ENV"))
    }
    env["OMP_NUM_THREADS"] = "1"
    run = subprocess.run(
        [str(word) for word in words],
        cwd=cwd, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    return run


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this repository."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder]
    command(*build, ROOT, cwd=folder)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts' folder of a new environment with the wheel.

    Its other packages are those of the environment that runs the tests, found behind its own. They
    are put there by a plain path, so that an editable install of ours among them stays without
    effect: only files of a site folder itself are read for further paths.
    """
    folder = tmp_path_factory.mktemp("installed") / "venv"
    command(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / "python"
    install = [sys.executable, "-m", "pip", "--python", python, "install"]
    command(*install, "--no-deps", "--no-index", wheel, cwd=folder.parent)
    asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = Path(command(python, "-c", asked, cwd=folder.parent).stdout.strip())
    paths = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (own / "zz_shared.pth").write_text("\n".join(sorted(paths)), encoding="utf-8")
    return scripts


@pytest.mark.slow
def test_the_wheel_holds_every_option(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    options = {path.relative_to(ROOT).as_posix() for path in (ROOT / "conf").rglob("*.yaml")}
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "gan_runner").rglob("*.py")}
    assert len(options) > 50
    assert {f"gan_runner/{name}" for name in options} <= names
    assert modules <= names
    assert f"gan_runner-{__version__}.dist-info/licenses/LICENSE" in names
    assert not [name for name in names if not name.startswith(("gan_runner/", "gan_runner-"))]


@pytest.mark.slow
def test_the_wheel_runs_from_another_folder(installed: Path, tmp_path: Path) -> None:
    asked = "import gan_runner, sys; print(gan_runner.__file__); print(gan_runner.__version__)"
    where, version = command(installed / "python", "-c", asked, cwd=tmp_path).stdout.split()
    assert Path(where).is_relative_to(installed.parent)
    assert version == __version__

    printed = command(installed / "gan-run", "model=wgan_gp", "--cfg", "job", cwd=tmp_path).stdout
    config = OmegaConf.create(printed)
    assert (config.name, config.penalty.name) == ("wgan_gp_gauss2d", "gradient_penalty")
    assert not list(tmp_path.iterdir())

    command(installed / "gan-run", "dataset=ring8", "training.steps=20", cwd=tmp_path)
    (folder,) = (path.parent for path in tmp_path.rglob("result.json"))
    assert OmegaConf.load(folder / "config.yaml").training.steps == 20
    words = ["training.seed=0,1", "hydra/launcher=stacked", "training.steps=5", "dataset=ring8"]
    said = command(
        installed / "gan-run", "-m", *words, "hydra.sweep.dir=sweep", cwd=tmp_path
    ).stderr  # fmt: skip
    assert "Stack of 2: jobs 0, 1" in said
    assert len((tmp_path / "sweep" / "index.csv").read_text().splitlines()) == 3
    for name in ("gan-sample", "gan-eval"):
        assert (installed / name).is_file()
