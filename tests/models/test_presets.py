"""The presets of the image models choose what their papers say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gan_runner.compose import Composer

# model: dataset, network's option, loss, learning rates of D and G, betas, critic steps
PAPERS = {
    "dcgan": ("digits", "dcgan", "nonsaturating", 2e-4, 2e-4, (0.5, 0.999), 1),
    "pacgan": ("digits", "dcgan", "nonsaturating", 2e-4, 2e-4, (0.5, 0.999), 1),
    "sngan": ("digits", "dcgan_sn", "hinge", 2e-4, 2e-4, (0.5, 0.999), 1),
    "sagan": ("digits", "sagan", "hinge", 4e-4, 1e-4, (0.0, 0.9), 1),
    "cdcgan": ("digits", "dcgan", "nonsaturating", 2e-4, 2e-4, (0.5, 0.999), 1),
    "acgan": ("digits", "dcgan", "nonsaturating", 2e-4, 2e-4, (0.5, 0.999), 1),
    "infogan": ("digits", "dcgan_infogan", "nonsaturating", 2e-4, 1e-3, (0.5, 0.999), 1),
}
OPTIMIZERS = {  # learning rates of D and G, betas
    "adam_sngan": (2e-4, 2e-4, 0.0, 0.9),
    "adam_sagan": (4e-4, 1e-4, 0.0, 0.9),
    "adam_infogan": (2e-4, 1e-3, 0.5, 0.999),
    "adam_mnist": (1e-4, 1e-4, 0.5, 0.999),
    "adam_wgan_gp_images": (1e-4, 1e-4, 0.0, 0.9),
}


@pytest.fixture(scope="module")
def composer() -> Composer:
    return Composer()


def rates(optimizer: Any) -> tuple[float, float]:
    lr: float = optimizer.lr
    return optimizer.discriminator_lr or lr, optimizer.generator_lr or lr


@pytest.mark.parametrize("model", PAPERS)
def test_image_models(model: str, composer: Composer) -> None:
    found = composer.compose([f"model={model}"])
    dataset, network, loss, lr_d, lr_g, betas, steps = PAPERS[model]
    config, choices = found.config, found.choices
    assert (choices["dataset"], choices["network"], choices["loss"]) == (dataset, network, loss)
    assert rates(config.optimizer) == (lr_d, lr_g)
    assert (config.optimizer.beta1, config.optimizer.beta2) == betas
    assert config.model.critic_steps == steps
    assert config.model.get("pack", 1) == (2 if model == "pacgan" else 1)
    assert config.training.batch_size == 64  # the data's own training


@pytest.mark.parametrize("model", PAPERS)
def test_another_data_set_can_be_chosen(model: str, composer: Composer) -> None:
    config = composer.compose([f"model={model}", "dataset=fashion_mnist"]).config
    assert config.dataset.name == "fashion_mnist"
    assert config.training.steps is None  # that of images, not of digits


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name: str, composer: Composer) -> None:
    section = composer.compose(["model=vgan", f"optimizer={name}"]).config.optimizer
    assert (*rates(section), section.beta1, section.beta2) == OPTIMIZERS[name]


@pytest.mark.parametrize(
    ("model", "network"),
    [
        ("vgan", "dcgan"), ("lsgan", "dcgan"), ("wgan", "dcgan_critic"),
        ("wgan_gp", "dcgan_critic"), ("r3gan", "dcgan_critic"), ("cgan", "dcgan"),
    ],
)  # fmt: skip
def test_the_other_models_on_images(model: str, network: str, composer: Composer) -> None:
    assert composer.compose([f"model={model}", "dataset=digits"]).choices["network"] == network


@pytest.mark.parametrize("model", ["dcgan", "cdcgan", "acgan", "infogan", "pacgan"])
def test_a_penalty_takes_batch_normalisation_out_of_d(model: str, composer: Composer) -> None:
    found = composer.compose([f"model={model}", "penalty=r1"])
    assert found.choices["network"] == "dcgan_critic"


@pytest.mark.parametrize("model", ["cgan", "acgan", "infogan"])
def test_they_play_on_points_too(model: str, composer: Composer) -> None:
    assert composer.compose([f"model={model}", "dataset=ring8"]).choices["network"] == "mlp"


def test_cgan_on_pairs_is_as_before(make_run: Callable[..., Any]) -> None:
    run = make_run("model=cgan", "dataset=gauss3d")
    assert set(run.recipe.networks) == {"G", "D"}
    assert run.recipe.paired
