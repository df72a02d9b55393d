"""What the names in a config stand for.

Every choice is a `"module:attribute"` string and a few facts that can be checked before anything
heavy is imported. A third party adds to these tables by installing a package with an entry point
(groups `gan_runner.algorithms`, `.datasets`, `.networks`, `.losses`, `.penalties`) that loads an
entry of the same kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

Keys = frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Algorithm:
    """A game: `target(context) -> Recipe`, and what it asks of the rest of the config."""

    target: str
    needs: Keys = frozenset({"real"})  # keys of the data's batches
    networks: Keys = frozenset({"mlp"})  # families that it can be played with
    adversarial: bool = True  # uses `loss` and `penalty`


@dataclass(frozen=True, kw_only=True)
class DatasetBuilder:
    """A data set: `target(**fields of the config) -> Dataset`."""

    target: str
    kind: str  # "vectors", "images" or "none"
    provides: Callable[[Mapping[str, Any]], Keys]  # batch keys, from the config's fields
    has_modes: bool = False  # the mixture that the points are from is known


@dataclass(frozen=True, kw_only=True)
class NetworkFamily:
    """A family of networks: `target` is an object with `generator` and `discriminator`."""

    target: str
    kinds: Keys = field(default_factory=lambda: frozenset({"vectors"}))  # of data it can take


@dataclass(frozen=True, kw_only=True)
class Function:
    """A loss, penalty or optimizer; `targets` is the dict that holds it under its name."""

    targets: str


@dataclass(frozen=True, kw_only=True)
class Metric(Function):
    """A metric; `needs` of the run: "samples", "modes", "pairs", or "toy" (a game without data)."""

    needs: Keys = frozenset({"samples"})


def _always(*keys: str) -> Callable[[Mapping[str, Any]], Keys]:
    return lambda _section: frozenset(keys)


def _table_keys(section: Mapping[str, Any]) -> Keys:
    keys = {"real"}
    if section.get("condition"):
        keys.add("low")
    if section.get("label") is not None:
        keys.add("label")
    return frozenset(keys)


_GAUSSIANS = "gan_runner.datasets.gaussians"
_LOSSES = "gan_runner.losses.adversarial:LOSSES"
_PENALTIES = "gan_runner.losses.penalties:PENALTIES"
_METRIC_TABLE = "gan_runner.metrics.protocol:METRICS"

METRICS: dict[str, Metric] = {
    "modes": Metric(targets=_METRIC_TABLE, needs=frozenset({"samples", "modes"})),
    "wasserstein": Metric(targets=_METRIC_TABLE),
    "sliced_wasserstein": Metric(targets=_METRIC_TABLE),
    "mmd": Metric(targets=_METRIC_TABLE),
    "mse": Metric(targets=_METRIC_TABLE, needs=frozenset({"pairs"})),
    "psnr": Metric(targets=_METRIC_TABLE, needs=frozenset({"pairs"})),
    "distance": Metric(targets=_METRIC_TABLE, needs=frozenset({"toy"})),
}

_BUILT_IN: dict[str, dict[str, Any]] = {
    "algorithms": {
        "adversarial": Algorithm(target="gan_runner.models.adversarial:build"),
        "srgan": Algorithm(
            target="gan_runner.models.srgan:build", needs=frozenset({"real", "low"})
        ),
        "regression": Algorithm(
            target="gan_runner.models.regression:build",
            needs=frozenset({"real", "low"}),
            adversarial=False,
        ),
        "conditional": Algorithm(
            target="gan_runner.models.conditional:build", needs=frozenset({"real", "low"})
        ),
        "bilinear": Algorithm(
            target="gan_runner.models.bilinear:build",
            needs=frozenset(),
            networks=frozenset({"scalars"}),
            adversarial=False,
        ),
    },
    "datasets": {
        "none": DatasetBuilder(
            target="gan_runner.datasets.dataset:none", kind="none", provides=_always()
        ),
        "gauss2d": DatasetBuilder(
            target=f"{_GAUSSIANS}:gauss2d",
            kind="vectors",
            provides=_always("real", "label"),
            has_modes=True,
        ),
        "gauss3d": DatasetBuilder(
            target=f"{_GAUSSIANS}:gauss3d", kind="vectors", provides=_always("real", "low", "label")
        ),
        "ring": DatasetBuilder(
            target=f"{_GAUSSIANS}:ring",
            kind="vectors",
            provides=_always("real", "label"),
            has_modes=True,
        ),
        "grid": DatasetBuilder(
            target=f"{_GAUSSIANS}:grid",
            kind="vectors",
            provides=_always("real", "label"),
            has_modes=True,
        ),
        "swissroll": DatasetBuilder(
            target=f"{_GAUSSIANS}:swissroll", kind="vectors", provides=_always("real")
        ),
        "table": DatasetBuilder(
            target="gan_runner.datasets.table:table", kind="vectors", provides=_table_keys
        ),
    },
    "networks": {
        "mlp": NetworkFamily(target="gan_runner.networks.mlp:MlpFamily"),
        "scalars": NetworkFamily(
            target="gan_runner.networks.scalars:Scalar", kinds=frozenset({"none"})
        ),
    },
    "losses": {
        name: Function(targets=_LOSSES)
        for name in (
            "minimax",
            "nonsaturating",
            "maximum_likelihood",
            "least_squares",
            "wasserstein",
            "hinge",
            "relativistic",
            "relativistic_average",
        )
    },
    "penalties": {
        name: Function(targets=_PENALTIES)
        for name in (
            "gradient_penalty",
            "gradient_penalty_one_sided",
            "r1",
            "r2",
            "r1_r2",
            "dragan",
        )
    },
    "optimizers": {
        name: Function(targets="gan_runner.optimizers:OPTIMIZERS")
        for name in ("adam", "rmsprop", "sgd")
    },
}

AUTO_NETWORKS = {"vectors": "mlp", "none": "scalars"}  # what network=auto becomes


@cache
def table(kind: str) -> dict[str, Any]:
    """The registered names of a kind ("algorithms", "datasets", ...) with their entries."""
    found = dict(_BUILT_IN[kind])
    for point in entry_points(group=f"gan_runner.{kind}"):
        found[point.name] = point.load()
    return found


def lookup(kind: str, name: str) -> Any:
    """The entry of a name.

    Raises:
        ValueError: no such name is registered.
    """
    names = table(kind)
    if name not in names:
        raise ValueError(f"{kind}: '{name}' is not registered; known: {', '.join(sorted(names))}")
    return names[name]


def load(kind: str, name: str) -> Any:
    """The object that a name stands for; imports its module."""
    entry = lookup(kind, name)
    if isinstance(entry, Function):
        return resolve(entry.targets)[name]
    return resolve(entry.target) if hasattr(entry, "target") else entry


def resolve(target: str) -> Any:
    """Import `"module:attribute"`."""
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)
