"""Which runs can be one stacked model: what decides structure, and what does not."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from gan_runner import schema, stackable
from gan_runner.dispatch import collect_numbers, dispatch
from gan_runner.optimizers import OPTIMIZERS
from gan_runner.stackable import reason_not, structure
from gan_runner.stacked_optimizers import STACKED

Compose = Callable[..., dict[str, Any]]

FULL = ("model=vgan", "dataset=ring8", "penalty=gradient_penalty", "model.ema=0.9",
        "model.clip=0.1", "model.output_noise=0.1", "optimizer.generator_lr=1e-3")  # fmt: skip
ALIKE = (
    "training.seed=7", "training.streams.init=3", "training.streams.metrics=3", "name=other",
    "training.init_from=/somewhere", "training.seeds=5",
    "model.ema=0.5", "model.ema=0", "model.clip=3.0", "model.output_noise=7.0",
    "loss.real_label=0.9", "loss.fake_label=0.1", "loss.generator_label=0.5",
    "penalty.weight=3", "penalty.weight=0", "penalty.target=0",
    "optimizer.lr=1", "optimizer.generator_lr=1", "optimizer.generator_lr=null",
    "optimizer.discriminator_lr=1", "optimizer.beta1=0", "optimizer.beta2=0.1",
    "optimizer.eps=0.1", "optimizer.weight_decay=0.1",
)  # fmt: skip
DIFFERENT = (
    "model.ema=null", "model.clip=null", "model.output_noise=0", "model.pack=2",
    "model.latent_size=5", "model.prior=uniform", "model.update=simultaneous",
    "model.critic_steps=3", "model.share_fakes=true", "model.discriminator_in_eval=true",
    "loss=hinge", "penalty=none", "penalty=r1", "penalty.every=2",
    "network.generator.widths=[8]", "network.discriminator.activation=tanh",
    "network.generator.slope=0.1", "network.discriminator.dropout=0.1",
    "dataset.num_samples=61", "dataset.sd=0.1", "dataset.seed=1", "dataset=gauss2d",
    "optimizer=sgd", "optimizer.schedule.name=cosine",
    "training.batch_size=7", "training.steps=5", "training.log_every=3",
    "training.checkpoint_every=3", "training.num_samples=7",
    "device.precision=fp64", "device.compile=true", "device.threads=2",
    "metrics.every=3", "metrics.names=[mmd]",
)  # fmt: skip


@pytest.mark.parametrize("option", ALIKE)
def test_seeds_rates_and_numbers_do_not_decide(option: str, compose: Compose) -> None:
    plain, changed = compose(*FULL), compose(*FULL, option)
    assert changed != plain
    assert structure(changed) == structure(plain)


@pytest.mark.parametrize("option", DIFFERENT)
def test_code_and_shapes_decide(option: str, compose: Compose) -> None:
    assert structure(compose(*FULL, option)) != structure(compose(*FULL))


def test_a_number_and_null_differ_each_way(compose: Compose) -> None:
    """No moving average is another game than one of decay 0; no noise is noise of size 0."""
    found = [structure(compose(*FULL, f"model.ema={ema}")) for ema in ("null", "0", "0.9")]
    assert found[1] == found[2] != found[0]
    noise = [structure(compose(*FULL, f"model.output_noise={sd}")) for sd in ("0", "0.0", "1e-9")]
    assert noise[0] == noise[1] != noise[2]
    weight = [structure(compose(*FULL, f"penalty.weight={each}")) for each in ("0", "1")]
    assert weight[0] == weight[1]


@pytest.mark.parametrize(
    "overrides",
    [("model=vgan",), ("model=r3gan",), ("model=wgan",), ("model=srgan",), ("model=lsgan",),
     ("model=infogan",), ("model=acgan",), ("model=cgan",), ("model=bilinear",)],
)  # fmt: skip
def test_what_is_left_out_is_what_objectives_read(
    overrides: tuple[str, ...], compose: Compose
) -> None:
    """Every number of a run may differ, and nothing else of model, loss and penalty may."""
    config = compose(*overrides)
    before = structure(config)
    for group in ("model", "loss", "penalty"):
        marked = {
            each.name
            for section in schema.SCHEMAS[group].values()
            for each in dataclasses.fields(section)
            if each.metadata["is_number"]
        }
        for key, value in config[group].items():
            other = 0.123 if isinstance(value, float) else f"{value} changed"
            changed = {**config, group: {**config[group], key: other}}
            may_differ = key in marked and value is not None and (key, value) != ("output_noise", 0)
            assert (structure(changed) == before) is may_differ, (group, key)
            if may_differ:
                assert f"{group}.{key}" in collect_numbers(config)


def test_a_zero_that_is_none_builds_another_game(compose: Compose) -> None:
    """What `zero_is_none` marks: with 0 the draws differ."""
    marked = [
        (group, each.name)
        for group in ("model", "loss", "penalty")
        for section in schema.SCHEMAS[group].values()
        for each in dataclasses.fields(section)
        if each.metadata["zero_is_none"]
    ]
    assert set(marked) == {("model", "output_noise"), ("model", "path_weight")}
    priors = [
        set(dispatch(compose("model=vgan", f"model.output_noise={sd}")).recipe.stages[0].priors)
        for sd in (0, 0.1)
    ]
    assert priors[1] - priors[0] == {"output_noise"}
    narrow = ("network.mapping.style_size=8", "model.latent_size=8")
    lengths = [
        dispatch(compose("model=stylegan", *narrow, f"model.path_weight={weight}")).recipe
        for weight in (0, 0.1)
    ]
    drawn = [set(each.stages[0].priors) for each in lengths]
    assert drawn[1] - drawn[0] == {"path_noise"}


@pytest.mark.parametrize("group", ["model", "loss", "penalty"])
def test_no_name_is_a_number_here_and_structure_there(group: str) -> None:
    kinds: dict[str, set[bool]] = {}
    for section in schema.SCHEMAS[group].values():
        for each in dataclasses.fields(section):
            kinds.setdefault(each.name, set()).add(each.metadata["is_number"])
    assert [name for name, found in kinds.items() if len(found) > 1] == []


def test_which_optimizers_have_a_stacked_form(compose: Compose) -> None:
    assert set(stackable.OPTIMIZERS) == set(STACKED) == set(OPTIMIZERS)
    used = {name for each in STACKED.values() for name in each.numbers}
    assert used | {"lr", "generator_lr", "discriminator_lr"} == set(stackable._RATES)


def test_why_a_run_cannot_be_stacked(compose: Compose) -> None:
    config = compose("model=vgan")
    assert reason_not(config) is None
    other = {**config, "optimizer": {**config["optimizer"], "name": "lbfgs"}}
    assert reason_not(other) == "optimizer=lbfgs has no stacked form"
    assert reason_not(compose("model=vgan", "device.name=meta")) == "device=meta only walks"
    refused = reason_not(compose("model=stylegan"))
    assert refused == "model.algorithm=stylegan has no stacked form"


def test_torch_is_not_needed() -> None:
    """A sweep is grouped in a process that may train nothing."""
    code = "import sys; import gan_runner.stackable; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
