"""Every option of every group has a comment line and composes; so does every experiment."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from gan_runner import conf_files, registry, schema
from gan_runner.compose import Composer

OPTIONS = [(group, name) for group in conf_files.groups() for name in conf_files.options(group)]
IMAGE_NETWORKS = [
    name
    for name in conf_files.options("network")
    if name.startswith(("dcgan", "cdcgan", "resnet", "sagan", "srresnet"))
]
NEEDS = {  # what an option needs of the other groups to make sense
    "model=srgan": ["dataset=gauss3d"],
    "model=mlp": ["dataset=gauss3d"],
    "model=srgan_photos": ["dataset=superres"],
    "model=srresnet": ["dataset=superres"],
    "model=cgan": ["dataset=gauss3d"],
    "dataset=none": ["model=bilinear"],
    "dataset=table": ["dataset.path=points.csv"],
    "dataset=folder": ["dataset.path=images"],
    "network=scalars": ["model=bilinear"],
    **{
        f"network={name}": ["model=srresnet", "dataset=superres"]
        if name.startswith("srresnet")
        else ["dataset=digits"]
        for name in IMAGE_NETWORKS
    },
    "network=stylegan": ["model=stylegan"],
    "network=stylegan2": ["model=stylegan2"],
    "metrics=superres": ["model=srgan", "dataset=gauss3d"],
    "metrics=classifier": ["dataset=digits"],
    "metrics=inception": ["dataset=digits"],
}


@pytest.fixture(scope="module")
def composer() -> Composer:
    return Composer()


def test_groups_are_those_with_schemas() -> None:
    groups = [name for name in conf_files.groups() if not name.startswith("hydra/")]
    assert set(groups) == {*schema.SCHEMAS, "experiment"}


@pytest.mark.parametrize(("group", "name"), OPTIONS)
def test_option_composes(composer: Composer, group: str, name: str) -> None:
    choice = f"{group}={name}"
    composed = composer.compose([choice, *NEEDS.get(choice, [])])
    if (group, name) != ("network", "auto"):
        assert composed.choices[group] == name
    if group in ("model", "dataset"):
        assert composed.config[group].name == name
    if group == "experiment":
        assert composed.config.name == name


@pytest.mark.parametrize(("group", "name"), OPTIONS)
def test_option_has_a_comment(group: str, name: str) -> None:
    comment = conf_files.options(group)[name]
    assert 4 <= len(comment) <= 86, comment  # fits a line of the help page
    assert not comment.endswith(".")


@pytest.mark.parametrize(("group", "name"), [each for each in OPTIONS if each[0] != "experiment"])
def test_option_stands_on_a_schema(group: str, name: str) -> None:
    assert conf_files.schema_of(group, name) in schema.SCHEMAS[group]


@pytest.mark.parametrize("name", conf_files.options("training"))
def test_training_presets_give_one_length(name: str) -> None:
    section = OmegaConf.load(conf_files.conf_dir() / "training" / f"{name}.yaml")
    assert {"steps", "epochs"} <= set(section)
    assert (section.steps is None) != (section.epochs is None)


def test_no_instantiation() -> None:
    for path in conf_files.conf_dir().rglob("*.yaml"):
        if "hydra" not in path.parts:
            assert "_target_" not in path.read_text(), path


def test_registered_names_are_in_use() -> None:
    """An option for each registered name, so that all can be chosen."""
    for group, kind in (("loss", "losses"), ("penalty", "penalties"), ("optimizer", "optimizers")):
        used = {conf_files.value_of(group, name, "name") for name in conf_files.options(group)}
        assert set(registry.table(kind)) <= used
    options = conf_files.options("dataset")
    builders = {conf_files.value_of("dataset", name, "builder") for name in options}
    assert builders == set(registry.table("datasets"))


def test_registered_targets_exist() -> None:
    for kind in ("algorithms", "datasets", "networks", "losses", "penalties", "optimizers"):
        for name in registry.table(kind):
            assert callable(registry.load(kind, name)) or registry.load(kind, name), name


def test_metrics_agree_with_those_computed() -> None:
    from gan_runner.metrics.protocol import METRICS

    known = {name: set(metric.needs) for name, metric in registry.METRICS.items()}
    assert known.pop("distance") == {"toy"}  # the bilinear game measures itself
    assert known == {name: set(metric.needs) for name, metric in METRICS.items()}


@pytest.mark.parametrize("name", ["gauss2d", "gauss3d", "ring8", "grid25", "swissroll"])
def test_builders_know_whether_there_are_modes(composer: Composer, name: str) -> None:
    section = OmegaConf.to_container(composer.compose([f"dataset={name}"]).config.dataset)
    assert isinstance(section, dict)
    builder = registry.lookup("datasets", section["builder"])
    options = {str(key): value for key, value in section.items() if key not in ("name", "builder")}
    if "num_samples" in options:
        options["num_samples"] = 100
    made = registry.resolve(builder.target)(**options)
    assert builder.has_modes == (made.modes is not None)
    assert builder.kind == made.kind
    assert builder.provides(section) == set(made.splits["train"])


# --- the files as texts ----------------------------------------------------------------------


def test_values_are_found_through_what_an_option_extends() -> None:
    assert conf_files.schema_of("model", "lsgan") == "adversarial"
    assert conf_files.value_of("model", "lsgan", "algorithm") == "adversarial"
    assert conf_files.value_of("model", "lsgan", "name") == "lsgan"
    assert conf_files.value_of("model", "vgan", "nothing") is None


def test_shadowed_files(tmp_path: Path) -> None:
    for name in ("model/vgan.yaml", "model/mine.yaml", "config.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("# mine\nname: x\n")
    assert conf_files.shadowed(tmp_path) == [
        tmp_path / "config.yaml",
        tmp_path / "model" / "vgan.yaml",
    ]
    found = conf_files.options("model", [tmp_path])
    assert found["mine"] == "mine"
    assert found["vgan"] != "mine"
