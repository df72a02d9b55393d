"""Every option is documented and its default allowed."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import MISSING, Field, asdict, fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from gan_runner import schema
from gan_runner.checks import check_values
from gan_runner.compose import compose_run
from gan_runner.result import config_hash
from gan_runner.run_folder import completed, plain_config, read_config, write_config

SECTIONS = sorted(
    {
        kind
        for kind in vars(schema).values()
        if is_dataclass(kind) and isinstance(kind, type) and kind.__module__ == schema.__name__
    },
    key=lambda kind: kind.__name__,
)


def entries() -> Iterator[tuple[type, Field[Any]]]:
    for kind in SECTIONS:
        for entry in fields(kind):
            yield kind, entry


NAMES = [f"{kind.__name__}.{entry.name}" for kind, entry in entries()]


@pytest.mark.parametrize(("kind", "entry"), list(entries()), ids=NAMES)
def test_field_is_documented(kind: type, entry: Field[Any]) -> None:
    assert entry.metadata["meaning"].strip()
    assert not entry.metadata["meaning"].endswith(".")
    hint = get_type_hints(kind)[entry.name]
    bounds = [entry.metadata[key] for key in ("low", "high", "above", "below")]
    if entry.metadata["choices"]:
        assert hint in (str, str | None, bool | str, list[str])
        assert bounds == [None] * 4
    if entry.metadata["is_number"]:
        assert hint in (float, float | None)  # read through h as a 0-dim tensor
    if any(bound is not None for bound in bounds):
        lists = (list[int], list[float], list[int] | None)
        assert hint in (int, float, int | None, float | None, *lists)


@pytest.mark.parametrize(
    "kind", [kind for kind in SECTIONS if kind is not schema.Run], ids=lambda kind: kind.__name__
)
def test_defaults_lie_in_their_ranges(kind: type) -> None:
    config = OmegaConf.create({"name": "x", "section": OmegaConf.structured(kind)})
    for key in OmegaConf.missing_keys(config):
        OmegaConf.update(config, key, "x")
    check_values(config)


def test_defaults_are_not_shared() -> None:
    first, second = schema.Mlp(), schema.Mlp()
    first.widths.append(1)
    assert second.widths == [128, 128, 128]


def test_option_and_number() -> None:
    entry = schema.option([1], "x", low=1)
    assert entry.default is MISSING
    assert entry.default_factory() == [1]
    assert (entry.metadata["low"], entry.metadata["is_number"]) == (1, False)
    assert schema.number(0.5, "x", low=0).metadata["is_number"]


def test_numbers_stand_in_the_groups_that_objectives_read() -> None:
    marked = {
        group
        for group, schemas in schema.SCHEMAS.items()
        for kind in schemas.values()
        for entry in fields(kind)
        if entry.metadata["is_number"]
    }
    assert marked == {"model", "loss", "penalty"}


def test_schemas_stay_out_of_the_groups() -> None:
    schema.register()
    store = ConfigStore.instance().repo
    assert "run_schema.yaml" in store
    assert set(store["schema"]) == set(schema.SCHEMAS)
    assert not set(schema.SCHEMAS) & set(store)


# --- configs of older versions ---------------------------------------------------------------


def saved(*overrides: str) -> dict[str, Any]:
    return plain_config(compose_run(overrides))


@pytest.mark.parametrize("experiment", ["stylegan_mnist_cpu", "srgan_cbsd68_cpu", "wgan_gp_mnist"])
def test_options_that_a_saved_config_does_not_know_have_their_defaults(experiment: str) -> None:
    config = saved(f"experiment={experiment}")
    older, wanted = copy.deepcopy(config), copy.deepcopy(config)
    for group, key in (("training", "seeds"), ("model", "ema"), ("optimizer", "schedule")):
        del older[group][key]
    wanted["training"]["seeds"] = 1
    wanted["model"]["ema"] = None
    wanted["optimizer"]["schedule"] = asdict(schema.Schedule())
    assert completed(older) == wanted
    assert completed(config) == config


def test_an_older_run_is_recognised_where_it_computes_the_same() -> None:
    config = saved("model=vgan", "training.steps=5")
    older = copy.deepcopy(config)
    del older["training"]["seeds"]
    assert config_hash(completed(older)) == config_hash(config)
    several = saved("model=vgan", "training.steps=5", "training.seeds=3")  # the older run had one
    assert config_hash(completed(older)) != config_hash(several)
    longer = saved("model=vgan", "training.steps=6")
    assert config_hash(completed(older)) != config_hash(longer)


def test_a_section_that_fits_no_schema_stays_as_it_is() -> None:
    config = {"training": {"seed": 3, "unknown": 1}, "name": "x"}
    assert completed(config) == config


def test_a_run_folder_of_an_older_version_is_read(tmp_path: Path) -> None:
    config = saved("model=stylegan")
    older = copy.deepcopy(config)
    del older["network"]["discriminator"]["dense"]
    write_config(tmp_path, older, [])
    assert read_config(tmp_path) == config
