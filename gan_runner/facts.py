"""What a game and its data offer to metrics, in the words of `registry.Metric.needs`.

| word | there is or are |
| --- | --- |
| samples | samples drawn from G, and data to compare them with |
| toy | none of that: a game without data |
| vectors, images | data of that kind |
| modes | a known mixture |
| pairs | an input to each sample, and the target that belongs to it |
| classifier | a classifier that knows the images |
| photographs | whole images of any size, to be enlarged by G |
| features | a network whose features of them are compared |
| stacked | images whose channels are images of their own to that classifier |
| labels | classes that G is asked for |
| codes | codes that G is asked for, and a network that reads them back |

Imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gan_runner import registry
from gan_runner.registry import Keys

if TYPE_CHECKING:
    from gan_runner.dispatch import Run


def facts_of_config(config: Mapping[str, Any]) -> Keys:
    """The facts as far as a config tells them."""
    algorithm = registry.lookup("algorithms", config["model"]["algorithm"])
    builder = registry.lookup("datasets", config["dataset"]["builder"])
    if builder.kind == "none":
        return frozenset({"toy"})
    provided = algorithm.given(builder, config["dataset"])
    paired = "low" in (algorithm.needs | algorithm.needs_any) & provided
    own = config["metrics"].get("classifier") is not None
    return _there(
        builder.kind,
        modes=builder.has_modes,
        pairs=paired,
        classifier=builder.kind == "images" and (own or builder.classifier(config["dataset"])),
        stacked=builder.stacked,
        photographs=builder.wholes and paired,
        features=builder.wholes and paired,  # if its weights are there, which is told later
        labels="labels" in algorithm.offers and "label" in provided and not paired,
        codes="codes" in algorithm.offers,
    )


def facts_of_run(run: Run) -> Keys:
    """The facts of a run whose data and game are there."""
    recipe, dataset = run.recipe, run.dataset
    if recipe.sample is None:
        return frozenset({"toy"})
    builder = registry.lookup("datasets", run.config["dataset"]["builder"])
    own = run.config["metrics"].get("classifier") is not None
    return _there(
        dataset.kind,
        modes=dataset.modes is not None,
        # By the game, not the data: one that draws from noise alone makes no pairs of paired data.
        pairs=recipe.paired,
        classifier=dataset.kind == "images" and (own or dataset.classifier is not None),
        stacked=builder.stacked,
        photographs=dataset.wholes is not None and recipe.paired,
        features=dataset.wholes is not None and recipe.paired and features_name(run) is not None,
        labels="label" in recipe.sample_priors,
        codes="category" in recipe.sample_priors and recipe.probe is not None,
    )


def features_name(run: Run) -> str | None:
    """The network whose features are compared: that asked for, else EfficientNet-Lite0.

    None where neither is there, or where the game itself has learned from it.

    Raises:
        ValueError: the game has learned from the network asked for.
    """
    from gan_runner.networks.features import lite_weights

    asked = run.config["metrics"].get("features")
    used = run.config["model"].get("content_features")
    if asked is not None:
        if asked == used:
            raise ValueError(
                f"metrics.features={asked}: training uses it (model.content_features); a distance "
                "of features says something only of a network that training did not use"
            )
        return str(asked)
    default = "efficientnet_lite0"
    there = lite_weights(default) is not None and run.dataset.shape[0] in (1, 3)
    return default if there and used != default else None


def _there(kind: str, **found: bool) -> Keys:
    return frozenset({"samples", kind, *(name for name, there in found.items() if there)})
