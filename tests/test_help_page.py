"""The help page: one screen, quick, and true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from gan_runner import conf_files, help_page
from gan_runner.compose import compose_run
from gan_runner.errors import ConfigError


def test_page_is_one_screen() -> None:
    lines = help_page.page().splitlines()
    assert len(lines) <= help_page.LINES
    assert max(map(len, lines)) <= 100
    assert not [line for line in lines if line.endswith(("...", " "))]


def test_page_names_every_option() -> None:
    words = set(re.split(r"[\s=]+", help_page.page()))
    for word in [word for word in words if word.endswith("[_cpu]")]:
        words |= {word.removesuffix("[_cpu]"), word.replace("[_cpu]", "_cpu")}
    for group in conf_files.groups():
        assert group in words
        assert set(conf_files.options(group)) <= words


def test_page_shows_comments_of_models() -> None:
    text = help_page.page()
    for name, comment in conf_files.options("model").items():
        assert re.search(rf"^  {name} +{re.escape(comment)}$", text, re.MULTILINE)


def test_page_stays_a_screen_with_many_options(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    for number in range(40):
        (tmp_path / "model" / f"mine_{number}.yaml").write_text(f"# my own {number}\n")
    lines = help_page.page([tmp_path]).splitlines()
    assert len(lines) <= help_page.LINES
    assert "mine_39" in " ".join(lines)  # by name alone, for want of room


def test_page_gives_keys_and_examples_that_work() -> None:
    text = help_page.page()
    typed = re.findall(r"^  ((?:training|optimizer|metrics)\.\S+=\S+)", text, re.MULTILINE)
    assert len(typed) == 5
    for override in typed:
        compose_run([override])
    examples = re.findall(r"^  gan-run (.+)$", text, re.MULTILINE)
    assert len(examples) == 4
    for example in examples[:-1]:  # the last one resumes
        compose_run(example.split())
    assert examples[-1].startswith("resume=outputs/")


@pytest.mark.parametrize("group", conf_files.groups())
def test_group_page(group: str) -> None:
    text = help_page.group_page(group)
    assert max(map(len, text.splitlines())) <= 100
    assert text.startswith(f"{group}=<option>\n")
    for name in conf_files.options(group):
        assert re.search(rf"^  {name}\b", text, re.MULTILINE)


def test_group_page_explains_keys() -> None:
    text = " ".join(help_page.group_page("optimizer").split())
    assert "optimizer.lr=0.0002 learning rate (a number; above 0)" in text
    assert "optimizer.schedule.name=constant the form (one of constant, linear" in text
    assert "optimizer.schedule.horizon=null" in text
    assert "keys of optimizer=sgd," in text
    model = " ".join(help_page.group_page("model").split())
    assert "keys of model=dcgan, lsgan, pacgan, r3gan, sagan, sngan, vgan, wgan, wgan_gp," in model
    assert "model.ema=null decay of the generator's moving average" in model
    assert "(a number or null; at least 0 and below 1)" in model
    assert "model.name=..." in model
    training = " ".join(help_page.group_page("training").split())
    assert "training.log_every=50 from one logged row to the next (an integer; in steps" in training


@pytest.mark.parametrize(
    "words",
    [["--help", "penalty"], ["penalty", "-h"], ["penalty=r1", "--help"], ["-h", "penalty.weight"]],
)
def test_answer_finds_the_group(words: list[str]) -> None:
    assert help_page.answer(words) == help_page.group_page("penalty")


def test_answer_without_a_group_is_the_page(tmp_path: Path) -> None:
    assert help_page.answer(["--help"]) == help_page.page()
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "mine.yaml").write_text("# my own\n")
    assert help_page.answer(["-h", "--config-dir", str(tmp_path)]) == help_page.page([tmp_path])
    assert " mine " in help_page.page([tmp_path]).replace("\n", " ")


def test_answer_refuses_unknown_groups() -> None:
    with pytest.raises(ConfigError, match=r"^--help modl: no group 'modl'\. Did you mean 'model'"):
        help_page.answer(["--help", "modl"])


def test_page_imports_nothing_heavy() -> None:
    code = (
        "import sys; from gan_runner.cli import main; assert main(['--help']) == 0; "
        "print([name for name in ('hydra', 'omegaconf', 'torch', 'numpy') if name in sys.modules])"
    )
    root = Path(conf_files.__file__).parents[1]  # works uninstalled too
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert len(done.stdout.splitlines()) - 1 <= help_page.LINES
