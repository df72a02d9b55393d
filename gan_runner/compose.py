"""From overrides to a checked config: one way for `gan-run`, the jobs of its sweeps and Python.

Hydra composes the groups; values are put in one at a time, so that a refused one can be named;
`network=auto` and the run's length are settled; then everything is checked. Imports no torch.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import Override
from hydra.core.utils import setup_globals
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped,unused-ignore]

from gan_runner import checks, explain, plugins, registry, schema
from gan_runner.conf_files import conf_dir
from gan_runner.errors import ConfigError
from gan_runner.overrides import parse, value_text
from gan_runner.pairs import check_pairs

__all__ = ["VERSION_BASE", "Composed", "Composer", "compose_run", "conf_dir"]
VERSION_BASE = "1.3"
LENGTHS = ("steps", "epochs")


@dataclass(frozen=True, kw_only=True)
class Composed:
    """A checked, resolved config.

    config: without Hydra's node. settled: overrides that the rules added to those typed, such as
    `network=mlp` or `training.epochs=null`. choices: the option of each group.
    """

    config: DictConfig
    settled: tuple[str, ...]
    choices: dict[str, Any]


def compose_run(overrides: Sequence[str], *, config_dirs: Sequence[Path] = ()) -> DictConfig:
    """Compose, settle, resolve and check a run's config.

    Args:
        overrides: as typed, such as `model=srgan`, `training.steps=500`.
        config_dirs: folders of the user's own options.

    Raises:
        ConfigError: one line that names the key, the value and what is allowed.
    """
    return Composer(config_dirs).compose(overrides).config


class Composer:
    """Composes configs from the packaged options and those of `config_dirs`.

    It keeps each choice of groups that it has composed, so that the jobs of a sweep cost little.
    """

    def __init__(self, config_dirs: Sequence[Path] = ()) -> None:
        self.config_dirs = tuple(Path(each).resolve() for each in config_dirs)
        for folder in self.config_dirs:
            if not folder.is_dir():
                raise ConfigError(f"--config-dir {folder}: no such folder")
        schema.register()
        plugins.register()
        setup_globals()
        path = create_config_search_path(str(conf_dir()))
        for folder in self.config_dirs:
            path.prepend("command-line", f"file://{folder}", SearchPathQuery(provider="schema"))
        self.loader = ConfigLoaderImpl(path)
        self._bases: dict[tuple[str, ...], DictConfig] = {}

    def compose(self, overrides: Sequence[str]) -> Composed:
        """Compose, settle, resolve and check one run's config.

        Raises:
            ConfigError: as `compose_run`.
        """
        parsed = parse(overrides)
        for each in parsed:
            _refuse_sweep(each)
        groups, values = self.split(parsed)
        settled = []
        base = self.base(groups)
        if network := self._fitting_network(base, values):
            settled.append(f"network={network}")
            base = self.base([*groups, *parse(settled)])
        length = settle_length(parsed)
        settled += length
        config = copy.deepcopy(base)
        for each in (*values, *parse(length)):
            self.apply(config, each)
        choices = dict(config.hydra.runtime.choices)
        with open_dict(config):
            del config["hydra"]
        self._check(config, choices)
        return Composed(config=config, settled=tuple(settled), choices=choices)

    def split(self, parsed: Sequence[Override]) -> tuple[list[Override], list[Override]]:
        """Part overrides into choices of groups and values.

        Raises:
            ConfigError: one removes something, or is not for `gan-run`.
        """
        groups: list[Override] = []
        values: list[Override] = []
        for each in parsed:
            if each.is_delete() and not each.is_hydra_override():
                raise ConfigError(
                    f"{each.input_line}: nothing can be removed; set a key to null or choose "
                    "another option"
                )
            if each.key_or_group == "hydra.searchpath":
                raise ConfigError("hydra.searchpath: --config-dir adds a folder of options")
            is_dict = not each.is_sweep_override() and isinstance(each.value(), dict)
            chosen = self.is_group(each.key_or_group) and not is_dict
            (groups if chosen else values).append(each)
        return groups, values

    def is_group(self, key: str) -> bool:
        """Whether a key names a group of options."""
        with _version_base():
            return bool(self.loader.repository.group_exists(key))

    def base(self, groups: Sequence[Override]) -> DictConfig:
        """What Hydra composes from choices of groups alone, with its own node. Not to be changed.

        Raises:
            ConfigError: a group has no such option, or a file does not fit its schema.
        """
        texts = tuple(each.input_line or "" for each in groups)
        if texts not in self._bases:
            for each in groups:
                self._check_option(each)
            with _version_base():
                try:
                    self._bases[texts] = self.loader.load_configuration(
                        "config", list(texts), RunMode.RUN
                    )
                except (HydraException, OmegaConfBaseException, ValueError) as error:
                    raise explain.from_hydra(error, config_dirs=self.config_dirs) from None
                except YAMLError as error:
                    raise ConfigError(f"a config file is not YAML: {error}") from None
        return self._bases[texts]

    def apply(self, config: DictConfig, override: Override) -> None:
        """Put one typed value into a config.

        Raises:
            ConfigError: no such key, or another type.
        """
        try:
            ConfigLoaderImpl._apply_overrides_to_config([override], config)
        except (HydraException, OmegaConfBaseException, ValueError) as error:
            raise explain.from_hydra(error, config, override, self.config_dirs) from None

    def _check_option(self, override: Override) -> None:
        value, group = override.value(), override.key_or_group
        for option in value if isinstance(value, list) else [value]:
            text = "null" if option is None else str(option)
            if option is None or not self.loader.repository.config_exists(f"{group}/{text}"):
                options = self.loader.repository.get_group_options(group, ObjectType.CONFIG)
                raise explain.no_option(group, text, options)

    def _fitting_network(self, base: DictConfig, values: Sequence[Override]) -> str | None:
        """The option that `network=auto` stands for; None where a network was chosen."""
        if OmegaConf.select(base, "network.name") != "auto":
            return None
        config = copy.deepcopy(base)
        for each in values:
            if each.key_or_group.partition(".")[0] == "dataset":
                self.apply(config, each)
        name = OmegaConf.select(config, "dataset.builder")
        builder = registry.table("datasets").get(name)
        if builder is None:
            return None  # refused by name later
        if builder.kind not in registry.AUTO_NETWORKS:
            raise ConfigError(
                f"network=auto: no network is known for {builder.kind}; choose network=<option>"
            )
        algorithm = registry.table("algorithms").get(OmegaConf.select(config, "model.algorithm"))
        own: dict[str, tuple[str, str]] = {} if algorithm is None else dict(algorithm.auto_networks)
        plain, critic = {**registry.AUTO_NETWORKS, **own}[builder.kind]
        return critic if registry.wants_critic(config) else plain

    def _check(self, config: DictConfig, choices: dict[str, Any]) -> None:
        try:
            checks.check_keys(config, self.config_dirs)
            checks.check_missing(config, self.config_dirs)
            OmegaConf.resolve(config)
            checks.check_values(config)
            checks.check_names(config)
            _check_length(config)
            check_pairs(config, choices, self.config_dirs)
        except OmegaConfBaseException as error:  # an interpolation that leads nowhere
            raise explain.from_hydra(error, config_dirs=self.config_dirs) from None


def settle_length(parsed: Sequence[Override]) -> list[str]:
    """What a typed `training.steps` or `training.epochs` asks of the other: to be null.

    Raises:
        ConfigError: both are typed.
    """
    typed: dict[str, Any] = {}
    for each in parsed:
        section, _, name = each.key_or_group.rpartition(".")
        value = each.value()
        if section == "training" and name in LENGTHS:
            typed[name] = value
        elif each.key_or_group == "training" and isinstance(value, dict):
            typed |= {key: inner for key, inner in value.items() if key in LENGTHS}
    given = [name for name in LENGTHS if typed.get(name) is not None]
    if len(given) > 1:
        raise ConfigError(
            f"training.steps={typed['steps']} and training.epochs={typed['epochs']}: "
            "both give the run's length; give one"
        )
    return [f"training.{name}=null" for name in LENGTHS if given and name not in typed]


def _check_length(config: DictConfig) -> None:
    steps, epochs = config.training.get("steps"), config.training.get("epochs")
    if steps is not None and epochs is not None:
        raise ConfigError(
            f"training.steps={steps} and training.epochs={checks.as_typed(epochs)} are both set "
            "by files of options; set one of them to null there"
        )


def _refuse_sweep(override: Override) -> None:
    if override.is_sweep_override():
        key, text = override.key_or_group, value_text(override)
        raise ConfigError(
            f"{key}={text}: several values need --multirun (-m); for a list write {key}=[{text}], "
            f"for a text with commas quote it twice: \"{key}='{text}'\""
        )


@contextmanager
def _version_base() -> Iterator[None]:
    """Compose by the rules of Hydra 1.3, whichever the calling program has chosen for itself."""
    rules = version.VersionBase.instance()
    before = rules.version_base
    version.setbase(VERSION_BASE)
    try:
        yield
    finally:
        rules.version_base = before
