"""The rules of the house: what no file may do."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from gan_runner import conf_files, registry

PACKAGE = Path(__file__).parents[1] / "gan_runner"
CONF = Path(__file__).parents[1] / "conf"
FILES = sorted(PACKAGE.rglob("*.py"))
CORE = ("engine.py", "hosts.py", "trainer.py", "dispatch.py")
DRAWS = {
    f"torch.{name}"
    for name in ("randn", "rand", "randint", "randperm", "normal", "bernoulli", "multinomial")
}
LENGTH = 330
LONGER = {"schema.py": 1040, "plots.py": 400}  # lists of options and of pictures


def code(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def words() -> set[str]:
    """Every name of a model: options of `conf/model` and registered algorithms."""
    return {*conf_files.options("model", ()), *registry.table("algorithms")}


@pytest.mark.parametrize("name", CORE)
def test_the_core_names_no_model(name: str) -> None:
    # `algorithm.adversarial` is a registered fact about an algorithm, not the name of one.
    text = code(PACKAGE / name).replace("algorithm.adversarial", "")
    found = [word for word in words() if re.search(rf"(?i)\b{re.escape(word)}\b", text)]
    assert found == []


@pytest.mark.parametrize("name", CORE)
def test_the_core_imports_no_model_loss_or_data_set(name: str) -> None:
    imported = re.findall(r"^\s*(?:from|import) (gan_runner[\w.]*)", code(PACKAGE / name), re.M)
    allowed = {  # containers and protocols that every choice of their kind fills
        "gan_runner.models.context", "gan_runner.datasets.dataset", "gan_runner.networks.dropout",
        "gan_runner.metrics.protocol", "gan_runner.callbacks.callback",
    }  # fmt: skip
    kinds = ("models", "losses", "networks", "datasets", "metrics", "callbacks")
    choices = [each for each in imported if each.split(".")[1:2] and each.split(".")[1] in kinds]
    assert set(choices) <= allowed


def test_the_core_is_small() -> None:
    lines = sum(len(code(PACKAGE / name).splitlines()) for name in CORE[:3])
    assert lines < 800


def test_conf_is_data() -> None:
    found = [path for path in CONF.rglob("*.yaml") if "_target_" in code(path)]
    assert found == []
    assert len(list(CONF.rglob("*.yaml"))) > 40


def test_nothing_is_instantiated_from_a_config() -> None:
    assert [path for path in FILES if re.search(r"hydra\.utils|instantiate\(", code(path))] == []


STEPS = [  # files whose code runs within a training step
    *(PACKAGE / f"{name}.py" for name in ("engine", "hosts", "optimizers", "priors", "batches")),
    *(path for folder in ("losses", "models", "networks") for path in (PACKAGE / folder).glob("*")
      if path.suffix == ".py"),
]  # fmt: skip


@pytest.mark.parametrize("path", STEPS, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_step_reads_a_number_from_the_device(path: Path) -> None:
    assert not re.search(r"\.item\(\)", code(path))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_global_generators_are_not_used(path: Path) -> None:
    """Draws take a generator; only `streams.py` lends the global one, and gives it back."""
    text = code(path)
    drawn = re.findall(
        r"\b(?:torch\.manual_seed|torch\.seed|np\.random\.(?!default_rng|Generator|SeedSequence)\w+"
        r"|random\.(?:random|seed|shuffle|choice|randint)|torch\.cuda\.manual_seed\w*)\(",
        text,
    )
    assert drawn == []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in DRAWS:
            given = {keyword.arg for keyword in node.keywords}
            assert "generator" in given, ast.unparse(node)


def test_no_drawers_for_everything() -> None:
    names = {"utils", "util", "helpers", "helper", "common", "misc"}
    assert [path for path in FILES if path.stem in names or path.parent.name in names] == []
    classes = [
        (path.name, name)
        for path in FILES
        for name in re.findall(r"^class (\w+)", code(path), re.M)
        if name.startswith("Base") or name.endswith("Manager")
    ]
    assert classes == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_are_short(path: Path) -> None:
    limit = LONGER.get(str(path.relative_to(PACKAGE)), LENGTH)
    assert len(code(path).splitlines()) <= limit


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_say_what_they_are(path: Path) -> None:
    text = code(path)
    assert text.startswith('"""') or not text.strip()
    assert re.search(r"/(?:work|home|root|Users)/", text) is None
