"""docs/: every link, preset, command and quoted line is true, and the site builds."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from gan_runner import conf_files, model_pages
from gan_runner.callbacks import health
from gan_runner.compose import Composer

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
MODELS = list(conf_files.options("model"))
GROUP = "|".join(conf_files.GROUPS)


def name_of(path: Path) -> str:
    return str(path.relative_to(DOCS))


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def slug(heading: str) -> str:
    """A heading's anchor, where GitHub's and MkDocs' agree."""
    plain = re.sub(r"[`*]", "", heading).strip().lower()
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", plain))


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_and_pictures_lead_somewhere(path: Path) -> None:
    for link in re.findall(r"\]\((?!https?://)([^)\s]+)\)", text_of(path)):
        target, _, anchor = link.partition("#")
        place = (path.parent / target).resolve() if target else path
        assert place.is_file(), link
        if anchor:
            headings = re.findall(r"^#+ (.+)$", text_of(place), re.M)
            assert anchor in map(slug, headings), link


# --- pages of models -----------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_every_model_has_its_page(model: str) -> None:
    page = text_of(DOCS / "models" / f"{model}.md")
    assert f"model={model}`" in page
    assert re.search(r"\d{4}, \*", page), "no paper"
    assert "$$\n" in page, "no equation"
    assert [line for line in page.splitlines() if line.startswith("## ")][:2] == [
        "## The game", "## Options and presets",
    ]  # fmt: skip
    assert "\n## Numbers\n" in page
    assert "<!-- made: presets -->" in page
    for name in model_pages.experiments(model):
        assert f"`{name}`" in page
    assert f"({model}.md)" in text_of(DOCS / "models" / "index.md")


def test_there_are_no_pages_of_other_models() -> None:
    assert {path.stem for path in (DOCS / "models").glob("*.md")} == {*MODELS, "index"}


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_options_that_are_named_exist(path: Path) -> None:
    for group, option in re.findall(rf"`({GROUP})=(\w+)`", text_of(path)):
        assert option in conf_files.options(group), f"{group}={option}"
    named = re.findall(r"`(\w+_(?:mnist|cbsd68|fig\d+|faces)(?:_cpu)?)`", text_of(path))
    assert set(named) <= {name for group in conf_files.GROUPS for name in conf_files.options(group)}


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_commands_compose(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    composer = Composer()
    for block in re.findall(r"^```bash\n(.*?)^```", text_of(path), re.S | re.M):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0] == "gan-run":
                composer.compose(words[1:])


@pytest.mark.parametrize("model", MODELS)
def test_numbers_stand_in_the_results(model: str) -> None:
    """A row of numbers is one of docs/results.md; StyleGAN's pages are themselves their place."""
    numbers = text_of(DOCS / "models" / f"{model}.md").partition("\n## Numbers\n")[2]
    lines = numbers.splitlines()
    heads = {line for line, below in pairwise(lines) if below.startswith("| ---")}
    rows = [line for line in lines if re.match(r"\|.*\d", line) and line not in heads]
    if model not in ("stylegan", "stylegan2"):
        measured = text_of(DOCS / "results.md")
        assert [row for row in rows if row not in measured and "](../images/" not in row] == []
    made = "made: numbers" in numbers
    assert rows or made


def test_rows_are_taken_from_the_results(tmp_path: Path) -> None:
    results = tmp_path / "results.md"
    head = "| `experiment=` | score |\n| --- | --- |\n"
    results.write_text(
        f"# R\n\n## Here\n\n{head}| `dcgan_mnist` | 1 |\n| `lsgan_mnist` | 2 |\n"
        f"| **`dcgan_mnist_cpu`** | 3 |\n| as `dcgan_mnist` | 4 |\n",
        encoding="utf-8",
    )
    assert list(model_pages.numbers("dcgan", results)) == [
        "From *Here* in [results](../results.md):", "", *head.splitlines(),
        "| `dcgan_mnist` | 1 |", "| **`dcgan_mnist_cpu`** | 3 |",
    ]  # fmt: skip
    assert list(model_pages.numbers("acgan", results)) == ["Not measured yet."]


def test_a_made_part_is_replaced_and_the_rest_kept() -> None:
    page = "a\n<!-- made: presets -->\nold\n<!-- end -->\nb"
    once = model_pages.filled(page, "pacgan")
    assert once.startswith("a\n<!-- made: presets -->\n\n| `experiment=`")
    assert once.endswith("<!-- end -->\nb")
    assert "`pacgan_mnist`, `pacgan_mnist_cpu`" in once
    assert "old" not in once
    assert model_pages.filled(once, "pacgan") == once
    with pytest.raises(KeyError):
        model_pages.filled("<!-- made: no -->\n<!-- end -->", "pacgan")


# --- troubleshooting -----------------------------------------------------------------------------


def templates() -> list[str]:
    """Every text of the package's code, with ... for what is put in."""
    found = []
    for path in (ROOT / "gan_runner").rglob("*.py"):
        for node in ast.walk(ast.parse(text_of(path))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(re.sub(r"%\w", "...", node.value))
            elif isinstance(node, ast.JoinedStr):
                parts = (
                    str(part.value) if isinstance(part, ast.Constant) else "..."
                    for part in node.values
                )
                found.append("".join(parts))
    return found


def test_the_lines_that_are_quoted_are_in_the_code() -> None:
    known = templates()
    blocks = re.findall(r"^```text\n(.*?)^```", text_of(DOCS / "troubleshooting.md"), re.S | re.M)
    lines = [line for block in blocks for line in block.splitlines()]
    assert len(lines) > 15
    for line in lines:
        for part in re.split(
            r"\.\.\.|; |\. |dataset\.path is|\(a folder|: give dataset\.path=", line
        ):
            words = part.strip(" :;,.()")
            assert any(words in each for each in known), f"{words!r} of {line!r}"


def test_every_warning_of_a_runs_health_is_explained() -> None:
    page = text_of(DOCS / "troubleshooting.md")
    for hint in health.HINTS.values():
        assert hint in page


# --- the site ------------------------------------------------------------------------------------


@pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("mkdocs", "l2m4m"))), reason="needs the extra docs"
)
def test_the_site_builds_without_warnings(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    run = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "WARNING" not in run.stderr
    for path in PAGES:
        page = text_of(tmp_path / path.relative_to(DOCS).with_suffix(".html"))
        assert "$$" not in page
        assert ("<math" in page) == ("$$" in text_of(path) or "$\\" in text_of(path))
    tour = text_of(tmp_path / "tour.html")
    assert 'href="models/stylegan.html"' in tour
    assert 'href="contributing.html"' in tour
    assert not re.search(r'(?:src|href)="https?://[^"]+\.(?:js|css)"', tour), "needs a network"
    assert not list(tmp_path.rglob("*.py"))
