"""Names of the registry resolve, and an installed package adds to them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gan_runner import registry
from gan_runner.compose import compose_run

KINDS = ("algorithms", "datasets", "networks", "losses", "penalties", "optimizers")

PACKAGE = """
from gan_runner.registry import Algorithm

twin = Algorithm(target="gan_runner.models.adversarial:build")
"""


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k in KINDS for n in registry.table(k)])
def test_every_name_resolves(kind: str, name: str) -> None:
    assert registry.load(kind, name) is not None


def test_an_unknown_name() -> None:
    with pytest.raises(ValueError, match=r"losses: 'hing' is not registered; known: .*hinge"):
        registry.lookup("losses", "hing")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package with an entry point, as pip would leave it, and its YAML."""
    site, options = tmp_path / "site", tmp_path / "options" / "model"
    info = site / "twins-1.0.dist-info"
    for folder in (info, options):
        folder.mkdir(parents=True)
    (site / "twins.py").write_text(PACKAGE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: twins\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[gan_runner.algorithms]\ntwin = twins:twin\n")
    (options / "twin.yaml").write_text(
        "# a model of a package\ndefaults:\n  - /schema/model/adversarial@_here_\n  - _self_\n"
        "name: twin\nalgorithm: twin\n"
    )
    monkeypatch.syspath_prepend(site)
    registry.table.cache_clear()
    yield options.parent
    registry.table.cache_clear()


def test_an_installed_package_adds_an_algorithm(installed: Path) -> None:
    assert registry.lookup("algorithms", "twin").needs == {"real"}
    config = compose_run(["model=twin", "dataset=ring8"], config_dirs=[installed])
    assert (config.model.algorithm, config.network.name) == ("twin", "mlp")
