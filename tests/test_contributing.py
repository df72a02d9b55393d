"""CONTRIBUTING.md's examples, taken out of the page and carried out in a copy of the package."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"<!-- (file|change): (\S+) -->\n```\w+\n(.*?)\n```\n", PAGE, re.S)
COMMANDS = [
    shlex.split(line, comments=True)
    for block in re.findall(r"```bash\n(.*?)```\n", PAGE, re.S)
    for line in block.splitlines()
]


def apply(root: Path, kind: str, path: str, body: str) -> None:
    """Carry out a block: a whole file, or a change of one given as a diff without line numbers."""
    target = root / path
    if kind == "file":
        assert not target.exists(), f"{path} exists already: choose another example"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(f"{body}\n", encoding="utf-8")
        return
    lines = body.split("\n")
    before = "".join(f"{line[1:]}\n" for line in lines if line[0] in " -")
    after = "".join(f"{line[1:]}\n" for line in lines if line[0] in " +")
    text = target.read_text(encoding="utf-8")
    assert text.count(before) == 1, f"the change's context must stand once in {path}:\n{before}"
    target.write_text(text.replace(before, after), encoding="utf-8")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with the page's examples."""
    root = tmp_path_factory.mktemp("contributing")
    for name in ("gan_runner", "conf", "tests"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    for kind, path, body in BLOCKS:
        apply(root, kind, path, body)
    return root


def python(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run this Python in a copy of the package, away from the package under test."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    env |= {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *words], cwd=root, env=env, capture_output=True, text=True, check=False
    )


def test_the_examples_are_the_ones_expected() -> None:
    assert [(kind, path) for kind, path, _ in BLOCKS] == [
        ("file", "conf/model/ragan.yaml"),
        ("file", "gan_runner/models/d2gan.py"),
        ("change", "gan_runner/schema.py"),
        ("change", "gan_runner/schema.py"),
        ("change", "gan_runner/registry.py"),
        ("file", "conf/model/d2gan.yaml"),
        ("file", "tests/models/test_d2gan.py"),
    ]
    assert [words[:2] for words in COMMANDS] == [["gan-run", "model=d2gan"]] * 2


def test_presets_compose_and_are_listed(copy: Path) -> None:
    shown = python(copy, "-m", "gan_runner", "--help")
    assert "relativistic average GAN (Jolicoeur-Martineau 2018)" in shown.stdout
    assert "dual discriminator GAN (Nguyen et al. 2017)" in shown.stdout
    printed = python(copy, "-m", "gan_runner", "model=ragan", "dataset=ring8", "--cfg", "job")
    assert printed.returncode == 0, printed.stderr
    config = OmegaConf.create(printed.stdout)
    assert (config.model.name, config.model.algorithm) == ("ragan", "adversarial")
    assert config.loss.name == "relativistic_average"
    printed = python(copy, "-m", "gan_runner", "model=ragan", "loss=hinge", "--cfg", "job")
    assert OmegaConf.create(printed.stdout).loss.name == "hinge"


def test_options_are_checked(copy: Path) -> None:
    refused = python(copy, "-m", "gan_runner", "model=d2gan", "model.alpha=2", "--cfg", "job")
    assert refused.returncode == 2
    assert "model.alpha=2" in refused.stderr
    assert "at most 1" in refused.stderr


@pytest.mark.slow
def test_the_example_trains_as_shown(copy: Path) -> None:
    for words in [*COMMANDS, ["gan-run", "model=ragan", "training.steps=20"]]:
        run = python(copy, "-m", "gan_runner", *words[1:])
        assert run.returncode == 0, run.stderr
    results = sorted(path.parent.name for path in (copy / "outputs").rglob("result.json"))
    assert [name.split("_", 1)[1] for name in results] == ["d2gan_ring8", "ragan_gauss2d"]


@pytest.mark.slow
def test_the_example_passes_its_test_and_those_of_every_model(copy: Path) -> None:
    files = ["tests/models/test_d2gan.py", "tests/test_conf.py", "tests/models/test_every_model.py"]
    run = python(
        copy, "-m", "pytest", "-v", "-p", "no:cacheprovider", "-k", "ragan or d2gan", *files
    )
    assert run.returncode == 0, run.stdout[-3000:]
    passed = [line.split()[0] for line in run.stdout.splitlines() if " PASSED" in line]
    assert {line.partition("::")[0] for line in passed} == set(files)
    for name in ("ragan", "d2gan"):
        assert f"tests/test_conf.py::test_option_composes[model-{name}]" in passed
        assert f"tests/models/test_every_model.py::test_two_steps_of_a_whole_run[{name}]" in passed


def test_the_example_keeps_the_house_style(copy: Path) -> None:
    files = ["gan_runner/models/d2gan.py", "tests/models/test_d2gan.py"]
    for words in (["check"], ["format", "--check"]):
        run = python(copy, "-m", "ruff", *words, *files)
        assert run.returncode == 0, run.stdout
