"""What the names in a config stand for.

Every choice is a `"module:attribute"` string and a few facts that can be checked before anything
heavy is imported. A third party adds to these tables by installing a package with an entry point
(groups `gan_runner.algorithms`, `.datasets`, `.networks`, `.losses`, `.penalties`) that loads an
entry of the same kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from gan_runner.entries import Algorithm, DatasetBuilder, Function, Keys, Metric, NetworkFamily

__all__ = [
    "AUTO_NETWORKS", "METRICS", "Algorithm", "DatasetBuilder", "Function", "Keys", "Metric",
    "NetworkFamily", "load", "lookup", "resolve", "table", "wants_critic",
]  # fmt: skip


def _always(*keys: str) -> Callable[[Mapping[str, Any]], Keys]:
    return lambda _section: frozenset(keys)


def _of_size(size: int) -> Callable[[Mapping[str, Any]], bool]:
    return lambda section: section.get("size") in (None, size)


def _table_keys(section: Mapping[str, Any]) -> Keys:
    keys = {"real"}
    if section.get("condition"):
        keys.add("low")
    if section.get("label") is not None:
        keys.add("label")
    return frozenset(keys)


def _folder_keys(section: Mapping[str, Any]) -> Keys:
    """Sub-folders are classes."""
    path = section.get("path")
    try:
        inside = Path(path).iterdir() if path else iter(())
        has_classes = any(each.is_dir() and each.name[0] != "." for each in inside)
    except OSError:  # told in full by the builder
        has_classes = False
    return frozenset({"real", "label"} if has_classes else {"real"})


_LATENT = frozenset({"mlp", "dcgan", "resnet"})
_ENLARGING = frozenset({"mlp", "srresnet"})
_AUTO_ENLARGING = {"images": ("srresnet", "srresnet_critic")}
_GAUSSIANS = "gan_runner.datasets.gaussians"
_IMAGES = "gan_runner.datasets.images"
_SUPERRES = "gan_runner.datasets.superres"
_LOSSES = "gan_runner.losses.adversarial:LOSSES"
_PENALTIES = "gan_runner.losses.penalties:PENALTIES"
_METRIC_TABLE = "gan_runner.metrics.protocol:METRICS"
_CLASSIFIED = frozenset({"samples", "classifier"})

METRICS: dict[str, Metric] = {
    "modes": Metric(targets=_METRIC_TABLE, needs=frozenset({"samples", "modes"})),
    "wasserstein": Metric(targets=_METRIC_TABLE),
    "sliced_wasserstein": Metric(targets=_METRIC_TABLE),
    "mmd": Metric(targets=_METRIC_TABLE),
    "mse": Metric(targets=_METRIC_TABLE, needs=frozenset({"pairs"})),
    "psnr": Metric(targets=_METRIC_TABLE, needs=frozenset({"pairs"})),
    "psnr_y": Metric(targets=_METRIC_TABLE, needs=frozenset({"photographs"})),
    "ssim_y": Metric(targets=_METRIC_TABLE, needs=frozenset({"photographs"})),
    "perceptual_distance": Metric(
        targets=_METRIC_TABLE, needs=frozenset({"photographs", "features"})
    ),
    "classifier_score": Metric(targets=_METRIC_TABLE, needs=_CLASSIFIED),
    "frechet_classifier_distance": Metric(targets=_METRIC_TABLE, needs=_CLASSIFIED),
    "kernel_classifier_distance": Metric(targets=_METRIC_TABLE, needs=_CLASSIFIED),
    "coverage": Metric(targets=_METRIC_TABLE, needs=_CLASSIFIED),
    "class_modes": Metric(targets=_METRIC_TABLE, needs=_CLASSIFIED | {"stacked"}),
    "label_agreement": Metric(targets=_METRIC_TABLE, needs=_CLASSIFIED | {"labels"}),
    "information": Metric(targets=_METRIC_TABLE, needs=frozenset({"samples", "codes"})),
    "inception": Metric(targets=_METRIC_TABLE, needs=frozenset({"samples", "images"})),
    "distance": Metric(targets=_METRIC_TABLE, needs=frozenset({"toy"})),
}

_BUILT_IN: dict[str, dict[str, Any]] = {
    "algorithms": {
        "adversarial": Algorithm(target="gan_runner.models.adversarial:build", networks=_LATENT),
        "srgan": Algorithm(
            target="gan_runner.models.srgan:build",
            needs=frozenset({"real", "low"}),
            networks=_ENLARGING,
            auto_networks=_AUTO_ENLARGING,
        ),
        "regression": Algorithm(
            target="gan_runner.models.regression:build",
            needs=frozenset({"real", "low"}),
            networks=_ENLARGING,
            auto_networks=_AUTO_ENLARGING,
            adversarial=False,
        ),
        "conditional": Algorithm(
            target="gan_runner.models.conditional:build",
            needs_any=frozenset({"low", "label"}),
            paired_kinds=frozenset({"vectors"}),
            networks=_LATENT,
            offers=frozenset({"labels"}),
        ),
        "acgan": Algorithm(
            target="gan_runner.models.acgan:build",
            needs=frozenset({"real", "label"}),
            networks=_LATENT,
            offers=frozenset({"labels"}),
        ),
        "infogan": Algorithm(
            target="gan_runner.models.infogan:build",
            networks=_LATENT,
            offers=frozenset({"codes"}),
            auto_networks={"images": ("dcgan_infogan", "dcgan_critic")},
        ),
        "stylegan": Algorithm(
            target="gan_runner.models.stylegan:build",
            networks=frozenset({"stylegan"}),
            stacks=False,
            auto_networks={"images": ("stylegan", "stylegan")},
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
        "digits": DatasetBuilder(
            target=f"{_IMAGES}:digits",
            kind="images",
            provides=_always("real", "label"),
            classifier=_of_size(8),
        ),
        "mnist": DatasetBuilder(
            target=f"{_IMAGES}:mnist",
            kind="images",
            provides=_always("real", "label"),
            classifier=_of_size(28),
        ),
        "fashion_mnist": DatasetBuilder(
            target=f"{_IMAGES}:fashion_mnist",
            kind="images",
            provides=_always("real", "label"),
            classifier=_of_size(28),
        ),
        "cifar10": DatasetBuilder(
            target=f"{_IMAGES}:cifar10", kind="images", provides=_always("real", "label")
        ),
        "stacked_mnist": DatasetBuilder(
            target=f"{_IMAGES}:stacked_mnist",
            kind="images",
            provides=_always("real"),
            classifier=_of_size(28),
            stacked=True,
        ),
        "folder": DatasetBuilder(
            target="gan_runner.datasets.folders:folder",
            kind="images",
            provides=_folder_keys,
            may_provide={"label": "with a sub-folder for each class"},
        ),
        "superres": DatasetBuilder(
            target=f"{_SUPERRES}:superres",
            kind="images",
            provides=_always("real", "low"),
            wholes=True,
        ),
        "superres_digits": DatasetBuilder(
            target=f"{_SUPERRES}:superres_digits",
            kind="images",
            provides=_always("real", "low", "label"),
            classifier=_of_size(28),
            wholes=True,
        ),
        "superres_digits_small": DatasetBuilder(
            target=f"{_SUPERRES}:superres_digits_small",
            kind="images",
            provides=_always("real", "low", "label"),
            classifier=_of_size(8),
            wholes=True,
        ),
    },
    "networks": {
        "mlp": NetworkFamily(
            target="gan_runner.networks.mlp:MlpFamily", kinds=frozenset({"vectors", "images"})
        ),
        "dcgan": NetworkFamily(
            target="gan_runner.networks.dcgan:DCGAN", kinds=frozenset({"images"})
        ),
        "resnet": NetworkFamily(
            target="gan_runner.networks.resnet:RESNET", kinds=frozenset({"images"})
        ),
        "stylegan": NetworkFamily(
            target="gan_runner.networks.stylegan:STYLEGAN", kinds=frozenset({"images"})
        ),
        "srresnet": NetworkFamily(
            target="gan_runner.networks.srresnet:SrResNetFamily", kinds=frozenset({"images"})
        ),
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

# What network=auto becomes: the option for a kind of data, and the one whose critic has no
# normalisation over the batch, for Wasserstein losses and gradient penalties.
AUTO_NETWORKS = {
    "vectors": ("mlp", "mlp"),
    "images": ("dcgan", "dcgan_critic"),
    "none": ("scalars", "scalars"),
}


def wants_critic(config: Mapping[str, Any]) -> bool:
    """Whether a game's D should score samples one by one: no BatchNorm in it."""
    loss, penalty = config["loss"].get("name"), config["penalty"].get("name")
    return loss == "wasserstein" or penalty not in (None, "none")


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
