"""Facts about a run, as the config tells them and as the run has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gan_runner import registry
from gan_runner.dispatch import dispatch
from gan_runner.facts import facts_of_config, facts_of_run

OVERRIDES = {
    "model=vgan dataset=ring8": "samples vectors modes",
    "model=vgan dataset=gauss3d": "samples vectors",  # pairs are not the game's
    "model=srgan dataset=gauss3d": "samples vectors pairs",
    "model=cgan dataset=gauss3d": "samples vectors pairs",
    "model=cgan dataset=gauss2d": "samples vectors modes labels",
    "model=infogan dataset=swissroll": "samples vectors codes",
    "model=bilinear": "toy",
    "model=dcgan dataset=digits": "samples images classifier",
    "model=dcgan dataset=digits dataset.size=8 dataset.pad=4": "samples images classifier",
    "model=dcgan dataset=digits dataset.size=16": "samples images",
    "model=dcgan dataset=digits dataset.size=16 metrics.classifier=digits":
        "samples images classifier",
    "model=cgan dataset=digits": "samples images classifier labels",
    "model=acgan dataset=digits dataset.classes=[3,5]": "samples images classifier labels",
    "model=infogan dataset=digits": "samples images classifier codes",
    "model=srresnet dataset=superres metrics.features=digits":
        "samples images pairs photographs features",
}  # fmt: skip


@pytest.mark.parametrize(("overrides", "words"), OVERRIDES.items())
def test_config_and_run_agree(
    compose: Callable[..., dict[str, Any]], overrides: str, words: str
) -> None:
    config = compose(*overrides.split())
    assert facts_of_config(config) == set(words.split())
    assert facts_of_run(dispatch(config)) == set(words.split())


def test_stacked_images(compose: Callable[..., dict[str, Any]]) -> None:
    config = compose("model=dcgan", "dataset=stacked_mnist")
    assert facts_of_config(config) == {"samples", "images", "classifier", "stacked"}
    assert registry.lookup("datasets", "stacked_mnist").stacked
    assert not registry.lookup("datasets", "mnist").stacked


def test_every_need_is_a_fact() -> None:
    words = {word for each in OVERRIDES.values() for word in each.split()} | {"stacked"}
    assert {need for metric in registry.METRICS.values() for need in metric.needs} <= words
