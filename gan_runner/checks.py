"""Checks of a composed config, before anything is made: keys, values and registered names.

Sections without a schema (a user's own options) may have any keys and values; the names in them are
checked all the same. Whether the choices fit each other is for `pairs.py`. Imports no torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gan_runner import conf_files, explain, registry
from gan_runner.errors import ConfigError
from gan_runner.overrides import did_you_mean, listed

_NAMED = (  # config key, registry table
    ("model.algorithm", "algorithms"),
    ("dataset.builder", "datasets"),
    ("network.name", "networks"),
    ("optimizer.name", "optimizers"),
)
_NAMED_LOSSES = (("loss.name", "losses"), ("penalty.name", "penalties"))


def check_keys(config: DictConfig, config_dirs: Sequence[Path] = ()) -> None:
    """Refuse keys that no schema has, which `+` or a file may have brought in.

    Raises:
        ConfigError: names the key, the nearest one and the keys that there are.
    """
    for key in _foreign_keys(config):
        raise explain.unknown_key(config, key, config_dirs)


def check_missing(config: DictConfig, config_dirs: Sequence[Path] = ()) -> None:
    """Refuse a config without a mandatory group or value.

    Raises:
        ConfigError: names what is missing and how to give it.
    """
    groups = conf_files.groups(config_dirs)
    for key in sorted(OmegaConf.missing_keys(config)):
        if key in groups:
            options = listed(conf_files.options(key, config_dirs))
            raise ConfigError(f"{key} is missing: choose {key}=<option>. Options: {options}")
        meaning = _field_metadata(config, key).get("meaning", "mandatory")
        raise ConfigError(f"{key} is missing ({meaning}): give {key}=<value>")


def check_values(config: DictConfig) -> None:
    """Refuse values out of their ranges or not among their choices.

    Raises:
        ConfigError: names the key, the value and what is allowed.
    """
    for key, value, metadata in _typed_values(config):
        many = not isinstance(value, str) and hasattr(value, "__iter__")
        shown = f"{key}={as_typed(value)}"
        for element in value if many else [value]:
            if fault := _fault(element, metadata):
                raise ConfigError(f"{shown}: {'each ' if many else ''}{fault}")
    name = config.get("name")
    if not name or set(str(name)) & set("/\\") or str(name).strip(".") == "":
        raise ConfigError(f"name={name}: a name is part of a folder's: no / or \\, and not empty")


def check_names(config: DictConfig) -> None:
    """Refuse names that are not registered.

    Raises:
        ConfigError: names the nearest and the known ones.
    """
    algorithm = OmegaConf.select(config, "model.algorithm")
    known = registry.table("algorithms").get(algorithm)
    for key, kind in (*_NAMED, *(_NAMED_LOSSES if known and known.adversarial else ())):
        name = OmegaConf.select(config, key)
        if name is None:
            raise ConfigError(f"{key} is missing: a registered name of {kind} is wanted")
        if name not in registry.table(kind) and (key, name) != ("penalty.name", "none"):
            raise _unregistered(f"{key}={name}", str(name), registry.table(kind))
    for name in OmegaConf.select(config, "metrics.names") or ():
        if name not in registry.METRICS:
            raise _unregistered(f"metrics.names=[{name}]", name, registry.METRICS)


def range_text(metadata: Mapping[str, Any]) -> str:
    """A field's range in words, such as "at least 0 and below 1"; "" where it has none."""
    words = (("low", "at least"), ("above", "above"), ("high", "at most"), ("below", "below"))
    bounds = [f"{word} {metadata[key]:g}" for key, word in words if metadata.get(key) is not None]
    return " and ".join(bounds)


def as_typed(value: Any) -> str:
    """A value as it would be typed."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.12g}"
    if not isinstance(value, str) and hasattr(value, "__iter__"):
        return f"[{','.join(as_typed(element) for element in value)}]"
    return str(value)


def _foreign_keys(node: DictConfig, prefix: str = "") -> Iterator[str]:
    """Every dotted key that is in a config and not in its section's schema."""
    known = set(explain.known(node)) if is_dataclass(OmegaConf.get_type(node)) else None
    for name in map(str, node):
        if known is not None and name not in known:
            yield f"{prefix}{name}"
        elif isinstance(section := explain.child(node, name), DictConfig):
            yield from _foreign_keys(section, f"{prefix}{name}.")


def _typed_values(node: DictConfig, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Key, value and the field's metadata, of every field of every section with a schema.

    To the metadata `optional` is added: whether null is allowed too.
    """
    kind = OmegaConf.get_type(node)
    metadata = {f.name: f.metadata for f in fields(kind)} if is_dataclass(kind) else {}
    for name in map(str, node):
        value = node[name]
        if isinstance(value, DictConfig):
            yield from _typed_values(value, f"{prefix}{name}.")
        elif name in metadata and value is not None:
            optional = node._get_node(name)._is_optional()  # type: ignore[union-attr]
            yield f"{prefix}{name}", value, {**metadata[name], "optional": optional}


def _field_metadata(config: DictConfig, key: str) -> Mapping[str, Any]:
    parent, _, name = key.rpartition(".")
    kind = OmegaConf.get_type(OmegaConf.select(config, parent) if parent else config)
    found = [f.metadata for f in fields(kind) if f.name == name] if is_dataclass(kind) else []
    return found[0] if found else {}


def _fault(value: Any, metadata: Mapping[str, Any]) -> str | None:
    """What is wrong with one value: not finite, out of range, or no choice."""
    choices = [as_typed(each) for each in metadata.get("choices") or ()]
    if choices and as_typed(value) not in choices:
        near = did_you_mean(str(value), choices)
        allowed = listed([*choices, "null"] if metadata["optional"] else choices)
        return f"must be one of {allowed}{f'.{near}' if near else ''}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not math.isfinite(value):
        return "must be finite"
    low, high = metadata.get("low"), metadata.get("high")
    above, below = metadata.get("above"), metadata.get("below")
    inside = (
        (low is None or value >= low)
        and (high is None or value <= high)
        and (above is None or value > above)
        and (below is None or value < below)
    )
    return None if inside else f"must be {range_text(metadata)}"


def _unregistered(shown: str, name: str, known: Mapping[str, Any]) -> ConfigError:
    near = did_you_mean(name, known)
    return ConfigError(f"{shown}: not registered.{near} Known: {listed(sorted(known))}")
