"""The files of a run folder that are not a callback's."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omegaconf import MISSING, DictConfig, OmegaConf

from gan_runner.data_paths import find
from gan_runner.result import leaves, write_atomic
from gan_runner.schema import SCHEMAS

log = logging.getLogger("gan_runner")

_PATHS = (
    ("dataset", "path"), ("dataset", "test_path"), ("metrics", "classifier"),
    ("metrics", "features"), ("model", "content_features"),
)  # fmt: skip


def plain_config(config: DictConfig | Mapping[str, Any]) -> dict[str, Any]:
    """A config as plain containers, resolved."""
    if isinstance(config, DictConfig):
        plain = OmegaConf.to_container(config, resolve=True)
        assert isinstance(plain, dict)
        return {str(key): value for key, value in plain.items() if key != "hydra"}
    return dict(config)


def with_absolute_paths(config: dict[str, Any]) -> dict[str, Any]:
    """A config whose data are found from any folder: it is read again by resume and load."""
    made = dict(config)
    for group, key in _PATHS:
        given = config[group].get(key)
        # Networks may be given by a name instead of a file.
        if given is not None and (group == "dataset" or Path(given).suffix):
            made[group] = {**made[group], key: str(find(given).absolute())}
    return made


def begin(folder: Path) -> None:
    """Make a run folder, which may be there without a run."""
    check_unused(folder)
    folder.mkdir(parents=True, exist_ok=True)


def check_unused(folder: Path) -> None:
    """Refuse a folder with a run, which would be lost.

    Raises:
        ValueError: a run is there.
    """
    if (folder / "config.yaml").exists():
        raise ValueError(f"{folder} holds a run already; resume={folder} would continue it")


def write_config(folder: Path, config: Mapping[str, Any], overrides: Sequence[str]) -> None:
    """Write `config.yaml` and `overrides.yaml`."""
    contents: dict[str, Any] = {"config.yaml": dict(config), "overrides.yaml": list(overrides)}
    for name, content in contents.items():
        text = OmegaConf.to_yaml(OmegaConf.create(content))
        write_atomic(folder / name, text.encode())


def read_config(folder: Path) -> dict[str, Any]:
    """A run folder's config, with defaults for options that are younger than it.

    Raises:
        ValueError: there is none.
    """
    path = folder / "config.yaml"
    if not path.is_file():
        raise ValueError(f"{folder} is no run folder: it has no config.yaml")
    return completed(plain_config(OmegaConf.load(path)))  # type: ignore[arg-type]


def completed(config: Mapping[str, Any]) -> dict[str, Any]:
    """A saved config with the options that are younger than it, each with its schema's default.

    A new option's default is what the code did before there was one, so a run of an older version
    can be resumed, sampled and recognised. A section's schema is the one that has all of its keys
    and the fewest others.
    """
    filled = dict(config)
    for group, schemas in SCHEMAS.items():
        if isinstance(section := config.get(group), Mapping):
            known = [asdict(schema()) for schema in schemas.values()]
            fit = [each for each in known if _names(each) >= _names(section)]
            if fit:
                filled[group] = _filled(section, min(fit, key=lambda each: len(_names(each))))
    return filled


def _names(section: Mapping[str, Any]) -> set[str]:
    return {name for name, _ in leaves(section)}


def _filled(section: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    filled = dict(section)
    for key, default in defaults.items():
        if isinstance(default, Mapping) and isinstance(section.get(key), Mapping):
            filled[key] = _filled(section[key], default)
        elif key not in section and default != MISSING:
            filled[key] = default
    return filled


def read_overrides(folder: Path) -> list[str]:
    """What was typed for a run."""
    path = folder / "overrides.yaml"
    return [str(each) for each in OmegaConf.load(path)] if path.is_file() else []


@contextmanager
def log_file(path: Path) -> Iterator[None]:
    """Write the package's log into a file as well as to stderr."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.setLevel(level)
        log.removeHandler(handler)
        handler.close()
