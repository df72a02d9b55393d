"""README.md's commands, configs, code, tables and links, taken out of the page and tried."""

from __future__ import annotations

import os
import re
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_runner import conf_files, registry
from gan_runner.compose import Composer
from gan_runner.sweeps import plan

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
CATALOGUE = (ROOT / "docs/catalogue.md").read_text(encoding="utf-8")
SHELL = re.findall(r"^```bash\n(.*?)^```", PAGE, re.S | re.M)
LINES = [line for block in SHELL for line in block.splitlines()]
RUNS = [line for line in LINES if line.startswith("gan-run")]
(PYTHON,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.S | re.M)
((OPTION_PATH, OPTION),) = re.findall(
    r"`(my_conf/\S+\.yaml)`:\n\n```yaml\n(.*?)^```", PAGE, re.S | re.M
)
PAGES = (
    "README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/results.md",
    "docs/run-folder.md", "docs/catalogue.md", "docs/zoo.md",
)  # fmt: skip

# Stands in for an installed command: the same words, but short runs.
COMMAND = """import re, sys
sys.path.insert(0, {root!r})
words = [re.sub(r"^(training.steps=)([0-9]+)00$", r"\\1\\2", word) for word in sys.argv[1:]]
words = [re.sub(r"^(training.epochs=).*$", r"\\g<1>2", word) for word in words]
told = any(word.startswith(("-sc", "--help", "--cfg", "resume=")) for word in words)
if {name!r} == "gan-run" and not told:
    words += ["metrics.num_generated=200", "metrics.num_real=200", "training.sample_every=1000"]
    if not any(word.startswith(("training.steps", "training.epochs")) for word in words):
        words.append("training.steps=20")
if {name!r} == "gan-figures" and "--list" not in words:
    words += ["--scale", "smoke", "--seeds", "1"]
sys.argv = [{name!r}, *words]
from gan_runner.{module} import main
sys.exit(main())
"""
TENSORBOARD = """#!/bin/sh
test "$1" = --logdir && find "$2" -name 'events.out.tfevents.*' | grep -q .
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with what the README's reader has: an own option and points."""
    option = tmp_path / OPTION_PATH
    option.parent.mkdir(parents=True)
    option.write_text(OPTION, encoding="utf-8")
    rows = [f"{i % 7},{i % 11},{i % 7 + i % 11}" for i in range(200)]
    (tmp_path / "points.csv").write_text("\n".join(["x,y,z", *rows]) + "\n", encoding="utf-8")
    pixels = np.random.default_rng(0).integers(0, 256, (8, 12, 11, 3), dtype=np.uint8)
    (tmp_path / "photos").mkdir()
    for number, each in enumerate(pixels):
        photo = Image.fromarray(each).resize((132, 120))
        photo.save(tmp_path / "photos" / f"{number}.png")
    photo.save(tmp_path / "photo.png")
    return tmp_path


def execute(program: list[str], here: Path) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder, with the project's commands on its path."""
    scripts = here / "scripts"
    scripts.mkdir(exist_ok=True)
    commands = {
        "gan-run": "cli", "gan-sample": "sample", "gan-eval": "evaluate", "gan-report": "report",
        "gan-figures": "figures.command",
    }  # fmt: skip
    for name, module in commands.items():
        text = COMMAND.format(python=sys.executable, root=str(ROOT), name=name, module=module)
        (scripts / f"{name}.py").write_text(text, encoding="utf-8")
        start = f"#!/bin/sh\nexec '{sys.executable}' '{scripts / name}.py' \"$@\"\n"
        (scripts / name).write_text(start, encoding="utf-8")
    (scripts / "tensorboard").write_text(TENSORBOARD, encoding="utf-8")
    for script in scripts.iterdir():
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
    env = {
        **os.environ,
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(program, cwd=here, env=env, capture_output=True, text=True, check=False)


# --- fast: every command line is one that would run ----------------------------------------------


@pytest.mark.parametrize("line", RUNS)
def test_every_command_composes(line: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(here)
    words = shlex.split(line, comments=True)[1:]
    if "--help" in words:
        assert set(words) <= {"--help", *conf_files.GROUPS}
        return
    folders = []
    if "--config-dir" in words:
        at = words.index("--config-dir")
        folders = [Path(words[at + 1])]
        del words[at : at + 2]
    overrides = [word for word in words if not word.startswith("resume=")]
    composer = Composer(folders)
    if "-m" in overrides:
        assert plan(composer, [word for word in overrides if word != "-m"]).num_jobs > 1
        return
    if "--cfg" in overrides:
        del overrides[overrides.index("--cfg") :]
    composer.compose(overrides)


def test_the_page_shows_every_use() -> None:
    text = "\n".join(LINES)
    for use in (" -m ", "resume=", "--config-dir", "--cfg job", "device=meta", "gan-sample ",
                "gan-eval ", "gan-report ", "gan-figures ", "tensorboard ", "dataset.path=",
                "-sc install=bash"):  # fmt: skip
        assert use in text, f"no example of {use}"
    assert len(RUNS) > 12


def test_the_refusal_shown_is_the_real_one() -> None:
    command, message = re.search(r"\$ (gan-run .*)\n(gan-run: error: .*)\n", PAGE).groups()
    with pytest.raises(ValueError, match="no option") as refusal:
        Composer().compose(shlex.split(command)[1:])
    assert message == f"gan-run: error: {refusal.value}"


def names_in_table(head: str) -> set[str]:
    """The names in backticks in the first column of the table under a head."""
    table = CATALOGUE.partition(f"| {head} |")[2].partition("\n\n")[0]
    rows = [row for row in table.splitlines() if row.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}


@pytest.mark.parametrize("group", ["model", "loss", "penalty", "dataset", "experiment"])
def test_tables_list_every_option(group: str) -> None:
    options = set(conf_files.options(group))
    small = {name for name in options if group == "experiment" and name.endswith("_cpu")}
    assert names_in_table(f"`{group}=`") == options - small
    assert {name.removesuffix("_cpu") for name in small} < options  # the page says so of all


def test_the_table_of_networks_names_options() -> None:
    assert names_in_table("`network=`") <= set(conf_files.options("network"))


def test_the_table_lists_every_metric() -> None:
    assert names_in_table("metric") == set(registry.METRICS)


def test_the_architecture_names_every_module() -> None:
    tree = (ROOT / "docs/architecture.md").read_text(encoding="utf-8").split("```")[1]
    modules = {path.name for path in (ROOT / "gan_runner").glob("*.py") if path.name[0] != "_"}
    folders = {path.parent.name for path in (ROOT / "gan_runner").glob("*/__init__.py")}
    assert set(re.findall(r"\w+\.py", tree)) == modules
    assert folders <= set(re.findall(r"(\w+)/", tree))


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?://)([^)#\s]+)", text)
    for link in links:
        assert ((ROOT / page).parent / link).exists(), f"{page}: {link}"
    assert links or page in ("docs/run-folder.md", "docs/catalogue.md")


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_exist(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    text = (ROOT / page).read_text(encoding="utf-8")
    for name in re.findall(r"(?:`|^)make ([a-z-]+)", text, re.M):
        rules = re.escape(name), f"{name.partition('-')[0]}-%"
        assert any(re.search(rf"^{rule}:", makefile, re.M) for rule in rules), f"{page}: {name}"


# --- slow: the commands, block by block, each in a folder of its own ------------------------------


SEEDS = "training.seeds="


def runs_made(lines: list[str]) -> int:
    """How many runs the commands leave behind."""
    total = 0
    for line in lines:
        words = shlex.split(line, comments=True)
        others = ("resume=", "--help", "--cfg", "device=meta")
        if words[0] == "gan-run" and not any(word.startswith(others) for word in words):
            swept = [word for word in words[1:] if word != "-m"]
            seeds = [int(word.partition("=")[2]) for word in swept if word.startswith(SEEDS)]
            total += (plan(Composer(), swept).num_jobs or 0) if "-m" in words else 1 + sum(seeds)
    return total


@pytest.mark.slow
@pytest.mark.parametrize("block", [block for block in SHELL if "-sc " not in block])
def test_every_block_runs(block: str, here: Path) -> None:
    made, used = set(re.findall(r"run.dir=(\S+)", block)), set(re.findall(r"outputs/\w+", block))
    before = [other for other in SHELL if set(re.findall(r"run.dir=(\S+)", other)) & (used - made)]
    if "--logdir" in block:
        before = ["gan-run\n"]
    lines = [line for part in (*before, block) for line in part.splitlines()]
    run = execute(["bash", "-c", "set -euo pipefail\n" + "\n".join(lines)], here)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    made_runs = {*here.glob("outputs/**/result.json")} - {*here.glob("outputs/figures/**/*.json")}
    assert len(made_runs) == runs_made(lines)
    assert (here / "outputs/figures/smoke/index.html").is_file() == ("gan-figures" in block)
    assert ("walked: adversarial/D, adversarial/G" in run.stdout) == ("device=meta" in block)
    for name in re.findall(r"--output (\S+)", block):
        assert (here / name).stat().st_size > 0


def test_tab_completion(here: Path) -> None:
    (block,) = (block for block in SHELL if "-sc " in block)
    asked = "COMP_POINT=16 COMP_LINE='gan-run model=vg' gan-run -sc query=bash"
    run = execute(["bash", "-c", f"set -eu\n{block}complete -p gan-run\n{asked}"], here)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1].strip() == "model=vgan"


@pytest.mark.slow
def test_the_python_example_runs(here: Path) -> None:
    short = PYTHON.replace("training.steps=2000", "training.steps=20")
    assert short != PYTHON
    check = "assert tuple(points.shape) == (1000, 2)"
    run = execute([sys.executable, "-c", f"{short}\n{check}"], here)
    assert run.returncode == 0, run.stderr


def test_importing_the_package_does_not_import_torch(here: Path) -> None:
    code = "import sys, gan_runner; sys.exit('torch' in sys.modules)"
    assert execute([sys.executable, "-c", code], here).returncode == 0


def test_the_catalogue_is_counted() -> None:
    numbers = re.search(
        r"(\d+) models, (\d+) losses, (\d+) penalties, (\d+) data sets", PAGE
    ).groups()
    groups = ("model", "loss", "penalty", "dataset")
    assert [int(each) for each in numbers] == [len(conf_files.options(each)) for each in groups]
