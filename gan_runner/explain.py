"""Words what is wrong with a config in one line: the key, the value, what is allowed, the nearest.

Hydra's and OmegaConf's own messages are several lines long and send people to `+`, which would
step around the schema.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from hydra.core.override_parser.types import Override
from hydra.errors import MissingConfigException
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    OmegaConfBaseException,
    ValidationError,
)

from gan_runner import conf_files, schema
from gan_runner.errors import ConfigError
from gan_runner.overrides import did_you_mean, listed, nearest, value_text

_WANTED = {int: "an integer", float: "a number", bool: "true or false", str: "a text"}
_WANTED_LISTS = {int: "integers", float: "numbers"}
_EXAMPLES = {int: "[3,7]", float: "[0.5,1]", str: "[a,b]"}
_HYDRA_GROUPS = ("hydra/launcher", "hydra/sweeper", "hydra/job_logging", "hydra/hydra_logging")


def no_option(group: str, option: str, options: Sequence[str], where: str = "") -> ConfigError:
    """A group has no such option. `where` says which file asked for it."""
    return ConfigError(
        f"{where}no option '{option}' in group '{group}'.{did_you_mean(option, options)} "
        f"Options: {listed(options)}"
    )


def unknown_key(
    config: DictConfig, key: str, config_dirs: Sequence[Path] = (), where: str = ""
) -> ConfigError:
    """A config has no such key; names the nearest one and the keys that there are."""
    parts = re.sub(r"\[(\w+)\]", r".\1", key).split(".")
    node: Any = config
    depth = 0
    while depth < len(parts) - 1 and isinstance(node, DictConfig):
        if parts[depth] not in known(node) and parts[: depth + 1] != ["hydra"]:
            break
        node = child(node, parts[depth])
        depth += 1
    parent = ".".join(parts[:depth])
    if not isinstance(node, DictConfig):
        return ConfigError(f"{where}unknown key '{key}': {parent} has no keys of its own")
    names = known(node)
    if not parent:
        names = [*dict.fromkeys([*conf_files.groups(config_dirs), *names])]
        if key.startswith("hydra/"):
            names = list(_HYDRA_GROUPS)
    hint = _hint(config, parts, depth, names, config_dirs)
    label = f"Keys of {parent}" if parent else "Groups and keys"
    return ConfigError(f"{where}unknown key '{key}'.{hint} {label}: {listed(names)}")


def wrong_type(key: str, text: str, hint: Any, where: str = "") -> ConfigError:
    """A value is not of the type that its field has."""
    example = _example(hint)
    return ConfigError(
        f"{where}{key}={text}: {wanted(hint)} is wanted{f', such as {example}' if example else ''}"
    )


def wanted(hint: Any) -> str:
    """A type in words, such as "an integer or null"."""
    if isinstance(hint, types.UnionType) or get_origin(hint) is Union:
        parts = [wanted(part) for part in get_args(hint) if part is not type(None)]
        return " or ".join([*parts, *(["null"] if type(None) in get_args(hint) else [])])
    if get_origin(hint) is list:
        return f"a list of {_WANTED_LISTS.get(get_args(hint)[0], 'texts')}"
    if is_dataclass(hint):
        return "a section of keys (section.key=value)"
    return _WANTED.get(hint, "another type")


def from_hydra(
    error: Exception,
    config: DictConfig | None = None,
    override: Override | None = None,
    config_dirs: Sequence[Path] = (),
) -> ConfigError:
    """One line for an exception of Hydra's or OmegaConf's while composing.

    config: what was composed so far. override: what was being applied to it, if not a file.
    """
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, option = error.missing_cfg_file.rpartition("/")
        return no_option(group, option, list(error.options or ()))
    cause = _root(error)
    where = "" if override else _file(error)
    key = str(getattr(cause, "full_key", None) or (override.key_or_group if override else ""))
    if isinstance(cause, ConfigKeyError | ConfigAttributeError) and key:
        if override and config is not None:
            typed = override.key_or_group
            return unknown_key(config, typed if typed.startswith(key) else key, config_dirs)
        names = _names(cause)
        near = did_you_mean(key.rpartition(".")[2], names)
        return ConfigError(f"{where}unknown key '{key}'.{near} Keys: {listed(names)}")
    if isinstance(cause, ValidationError) and override and config is not None:
        return _wrong_value(config, key, override)
    if override and override.is_add():
        text = (override.input_line or "").lstrip("+")
        return ConfigError(f"+{text}: the key exists already; write {text}")
    shown = f"{override.input_line}: " if override else where + (f"{key}: " if key else "")
    message = str(cause).splitlines() or [type(cause).__name__]
    return ConfigError(shown + message[0])


def known(node: DictConfig) -> list[str]:
    """The keys that a section may have: its schema's fields, else the keys that it has."""
    kind = OmegaConf.get_type(node)
    if is_dataclass(kind):
        return [entry.name for entry in fields(kind)]
    return [str(name) for name in node]


def all_keys(node: Any, prefix: str = "") -> Iterator[str]:
    """Every dotted key of a config but Hydra's own."""
    for name in known(node):
        if not prefix and name == "hydra":
            continue
        yield prefix + name
        if isinstance(section := child(node, name), DictConfig):
            yield from all_keys(section, f"{prefix}{name}.")


def child(node: DictConfig, name: str) -> Any:
    """A key's value, without following interpolations; None where there is none."""
    if (
        name not in node
        or OmegaConf.is_missing(node, name)
        or OmegaConf.is_interpolation(node, name)
    ):
        return None
    return node[name]


def _hint(
    config: DictConfig, parts: list[str], depth: int, names: list[str], dirs: Sequence[Path]
) -> str:
    """Where a key may have been meant: in another option, another section, or another spelling."""
    word, prefix = parts[depth], "".join(f"{part}." for part in parts[:depth])
    if depth == 1 and (found := options_with(parts[0], word, dirs)):
        return f" It is a key of {parts[0]}={listed(found)}."
    elsewhere = [key for key in all_keys(config) if key.rpartition(".")[2] == parts[-1]]
    if 0 < len(elsewhere) <= 2 and word == parts[-1]:
        return f" Did you mean {' or '.join(repr(key) for key in elsewhere)}?"
    near = nearest(word, names)
    rest = "".join(f".{part}" for part in parts[depth + 1 :])
    return f" Did you mean '{prefix}{near}{rest}'?" if near else ""


def options_with(group: str, key: str, config_dirs: Sequence[Path] = ()) -> list[str]:
    """The options of a group whose schema has a key."""
    schemas = schema.SCHEMAS.get(group, {})
    having = {name for name, kind in schemas.items() if key in {f.name for f in fields(kind)}}
    return [
        option
        for option in conf_files.options(group, config_dirs)
        if conf_files.schema_of(group, option, config_dirs) in having
    ]


def _wrong_value(config: DictConfig, key: str, override: Override) -> ConfigError:
    """The type that a typed value should have had."""
    plain = re.sub(r"\[\w+\]$", "", key)
    parent = OmegaConf.select(config, plain.rpartition(".")[0]) if "." in plain else config
    name = plain.rpartition(".")[2]
    kind = OmegaConf.get_type(parent) if isinstance(parent, DictConfig) else None
    hints = get_type_hints(kind) if is_dataclass(kind) else {}
    typed = override.key_or_group
    if isinstance(parent, ListConfig):  # an element, such as widths.0
        hint: Any = int if OmegaConf.get_type(parent) is int else None
    else:
        hint = hints.get(name)
    if typed.startswith(f"{plain}."):
        return ConfigError(f"{override.input_line}: {plain} has no keys of its own")
    if plain != typed:  # the value is a dict: name the key inside it
        return ConfigError(f"{override.input_line}: {plain}: {wanted(hint)} is wanted")
    return wrong_type(typed, value_text(override), hint)


def _example(hint: Any) -> str | None:
    """How a list would be typed; None for other types."""
    for part in (hint, *get_args(hint)):
        if get_origin(part) is list:
            return _EXAMPLES.get(get_args(part)[0])
    return None


def _root(error: BaseException) -> BaseException:
    """The OmegaConf exception behind one of Hydra's, or else the error itself."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, OmegaConfBaseException):
            return found
        found = found.__cause__ or found.__context__
    return error


def _file(error: Exception) -> str:
    """`in model/mine.yaml: `, where Hydra says which file it was reading."""
    found = re.match(r"In '([^']+)'", str(error))
    return f"in {found.group(1)}.yaml: " if found else ""


def _names(error: BaseException) -> list[str]:
    kind = getattr(error, "object_type", None)
    return [entry.name for entry in fields(kind)] if is_dataclass(kind) else []
