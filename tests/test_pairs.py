"""Choices that do not fit each other are refused, and what would fit is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from gan_runner.compose import Composer, compose_run
from gan_runner.errors import ConfigError

PIECEWISE = "optimizer.schedule.name=piecewise"
REFUSED = [
    (
        ["model=srgan"],
        "model=srgan needs paired data (low), which dataset=gauss2d has not. "
        "Datasets that fit: gauss3d, superres, superres_digits, superres_digits_small, "
        "table (with dataset.condition)",
    ),
    (
        ["model=cgan", "dataset=table", "dataset.path=x.csv"],
        "model=cgan needs labels or paired data, which dataset=table has not. "
        "Datasets that fit: cifar10, digits, fashion_mnist, ",
    ),
    (
        ["model=cgan", "dataset=superres", "dataset.path=x"],
        "model=cgan needs labels or paired vectors, which dataset=superres has not. ",
    ),
    (
        ["model=cdcgan", "dataset=folder", "dataset.path=x"],
        "model=cdcgan needs labels or paired vectors, which dataset=folder has not. "
        "Datasets that fit: cifar10, digits, fashion_mnist, folder (with a sub-folder for each "
        "class), gauss2d",
    ),
    (["dataset=none"], "model=vgan needs data (real), which dataset=none has not. Datasets that"),
    (
        ["model=bilinear", "dataset=ring8"],
        "model=bilinear plays with no data, and dataset=ring8 has vectors. Datasets that fit: none",
    ),
    (
        ["model=bilinear", "network=mlp"],
        "network=mlp does not go with model=bilinear dataset=none. Networks that fit: scalars",
    ),
    (["network=scalars"], "network=scalars does not go with model=vgan dataset=gauss2d. Networks"),
    (
        ["model=bilinear", "training=default"],
        "training.epochs=1000: a game without data has no epochs; give training.steps",
    ),
    (
        ["metrics=modes", "dataset=swissroll"],
        "metrics.names=[modes] needs data whose modes are known, not model=vgan "
        "dataset=swissroll. Metrics that fit: wasserstein, sliced_wasserstein, mmd",
    ),
    (["metrics.names=[mse]"], "metrics.names=[mse] needs a model of paired data, not model=vgan"),
    (
        ["metrics.names=[distance]"],
        "metrics.names=[distance] needs a game without data, not model=vgan dataset=gauss2d",
    ),
    (
        ["metrics.names=[coverage]"],
        "metrics.names=[coverage] needs images that a classifier knows (metrics.classifier=<file>)"
        ", not model=vgan dataset=gauss2d. Metrics that fit: modes, wasserstein, ",
    ),
    (
        ["dataset=cifar10", "metrics=classifier"],
        "metrics.names=[classifier_score] needs images that a classifier knows (metrics.classifier="
        "<file>), not model=vgan dataset=cifar10. Metrics that fit: wasserstein, "
        "sliced_wasserstein, mmd, inception",
    ),
    (
        ["dataset=mnist", "dataset.size=32", "metrics.names=[coverage]"],
        "metrics.names=[coverage] needs images that a classifier knows",
    ),
    (
        ["dataset=mnist", "metrics.names=[class_modes]"],
        "metrics.names=[class_modes] needs stacked images, not model=vgan dataset=mnist. Metrics",
    ),
    (
        ["dataset=mnist", "metrics.names=[label_agreement]"],
        "metrics.names=[label_agreement] needs a model that is asked for classes, not model=vgan",
    ),
    (
        ["dataset=mnist", "metrics.names=[information]"],
        "metrics.names=[information] needs a model whose codes can be read back, not model=vgan",
    ),
    (["metrics=inception"], "metrics.names=[inception] needs images, not model=vgan"),
    (
        ["metrics.classifier=mnist"],
        "metrics.classifier=mnist: dataset=gauss2d has vectors, and classifiers know images",
    ),
    (
        ["metrics.checkpoint=best"],
        "metrics.checkpoint=best needs metrics.every=<steps> to pick from",
    ),
    (
        ["model.share_fakes=true", "model.critic_steps=2"],
        "model.share_fakes=true needs model.critic_steps=1, not 2",
    ),
    (
        ["model.share_fakes=true", "model.update=simultaneous"],
        "model.share_fakes=true needs model.update=alternating, not simultaneous",
    ),
    (["model.pack=3"], "model.pack=3: must divide training.batch_size=100 (as 99 would)"),
    (
        ["model=wgan_gp", "network.discriminator.norm=batch"],
        "network.discriminator.norm=batch does not go with penalty=gradient_penalty",
    ),
    (
        [PIECEWISE, "optimizer.schedule.boundaries=[0.5]", "optimizer.schedule.factors=[1]"],
        "optimizer.schedule.factors=[1]: 2 are wanted, one more than boundaries=[0.5]",
    ),
    (
        [
            PIECEWISE,
            "optimizer.schedule.boundaries=[0.5,0.5]",
            "optimizer.schedule.factors=[1,2,3]",
        ],
        "optimizer.schedule.boundaries=[0.5,0.5]: must increase",
    ),
    (
        ["optimizer.schedule.restart=true"],
        "optimizer.schedule.restart=true needs optimizer.schedule.name=piecewise, not constant",
    ),
    (
        ["experiment=anatomizing_fig3", "model=wgan"],
        "model.share_fakes=true needs model.critic_steps=1, not 5",
    ),
]
FITTING = [
    ["model=srgan", "dataset=table", "dataset.path=x.csv", "dataset.condition=[a,b]"],
    ["model=srgan", "dataset=gauss3d", "metrics.names=[mse,psnr,wasserstein]"],
    ["model=bilinear", "metrics.names=[distance]"],
    ["metrics=modes", "dataset=ring8"],
    ["metrics=classifier", "dataset=fashion_mnist", "dataset.pad=2"],
    ["metrics=classifier", "dataset=cifar10", "metrics.classifier=mine.safetensors"],
    ["metrics=inception", "dataset=cifar10"],
    ["metrics.names=[mmd,sliced_wasserstein]", "dataset=mnist"],
    ["metrics.names=[class_modes,classifier_score]", "dataset=stacked_mnist"],
    ["metrics.names=[label_agreement]", "dataset=digits", "model=acgan"],
    ["metrics.names=[label_agreement]", "dataset=digits", "model=cgan"],
    ["metrics.names=[information]", "dataset=ring8", "model=infogan"],
    ["metrics.checkpoint=best", "metrics.every=10"],
    ["model.pack=2"],
    ["model=wgan", "penalty=r1"],  # clipping and a penalty may go together
    ["model=wgan_gp", "network.discriminator.norm=layer"],
    ["network.discriminator.norm=batch"],
    ["model=mlp", "dataset=gauss3d", "penalty=r1", "network.discriminator.norm=batch"],  # no D
    [PIECEWISE, "optimizer.schedule.boundaries=[0.5]", "optimizer.schedule.factors=[1,2]"],
]


@pytest.fixture(scope="module")
def composer() -> Composer:
    return Composer()


@pytest.mark.parametrize(("overrides", "message"), REFUSED)
def test_refused(composer: Composer, overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        composer.compose(overrides)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("overrides", FITTING)
def test_fitting(composer: Composer, overrides: list[str]) -> None:
    composer.compose(overrides)


def test_own_datasets_are_named(tmp_path: Path) -> None:
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "mine.yaml").write_text("name: mine\nbuilder: gauss3d\nseed: 0\n")
    with pytest.raises(
        ConfigError, match=r"Datasets that fit: gauss3d, superres, .*table .*, mine$"
    ):
        compose_run(["model=srgan"], config_dirs=[tmp_path])
