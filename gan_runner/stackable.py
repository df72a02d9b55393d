"""Which runs can be trained as one stacked model: those that differ in seeds and numbers alone.

Imports no torch: a sweep is grouped before anything is trained.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from gan_runner import registry, schema
from gan_runner.result import NUMBERLESS

Config = Mapping[str, Any]
OPTIMIZERS = ("adam", "rmsprop", "sgd")  # those with a stacked form
_RATES = (
    "lr", "generator_lr", "discriminator_lr", "beta1", "beta2", "eps", "alpha", "momentum",
    "weight_decay",
)  # fmt: skip
_GROUPS = ("model", "loss", "penalty")  # whose numbers objectives read as tensors


def structure(config: Config) -> str:
    """What of a config decides code and shapes: runs with equal structures can be stacked."""
    kept = {key: value for key, value in config.items() if key not in NUMBERLESS}
    for group in _GROUPS:
        kept[group] = {
            key: _presence(value, key) if key in _numbers(group) else value
            for key, value in config[group].items()
        }
    kept["optimizer"] = {
        key: value for key, value in config["optimizer"].items() if key not in _RATES
    }
    kept["training"] = {
        key: value
        for key, value in config["training"].items()
        if key not in ("seed", "seeds", "streams", "init_from")
    }
    return json.dumps(kept, sort_keys=True, default=str)


def reason_not(config: Config) -> str | None:
    """Why a run cannot be stacked with any other, in words; None: it can, as far as is known."""
    if config["optimizer"]["name"] not in OPTIMIZERS:
        return f"optimizer={config['optimizer']['name']} has no stacked form"
    algorithm = config["model"]["algorithm"]
    if not registry.lookup("algorithms", algorithm).stacks:
        return f"model.algorithm={algorithm} has no stacked form"
    if config["training"]["seeds"] > 1:
        return "training.seeds makes a stack of its own"
    if config["device"]["name"] == "meta":
        return "device=meta only walks"
    return None


def _presence(value: Any, key: str) -> str:
    """Whether a number is there: its size does not matter, `null` and a 0 that means none do."""
    absent = value is None or (key in _ZERO_IS_NONE and value == 0)
    return "none" if absent else "a number"


def _fields() -> Iterator[tuple[str, Any]]:
    for group in _GROUPS:
        for section in schema.SCHEMAS[group].values():
            if is_dataclass(section):
                yield from ((group, each) for each in fields(section))


def _numbers(group: str) -> frozenset[str]:
    return _NUMBERS[group]


_NUMBERS = {
    group: frozenset(
        each.name for owner, each in _fields() if owner == group and each.metadata.get("is_number")
    )
    for group in _GROUPS
}
_ZERO_IS_NONE = frozenset(each.name for _, each in _fields() if each.metadata.get("zero_is_none"))
