"""What may change when a run is resumed: its length, to a longer one, and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

LENGTHS = ("training.steps", "training.epochs")


def changed_config(
    saved: Mapping[str, Any], overrides: Sequence[str], *, before: Sequence[str] = ()
) -> dict[str, Any]:
    """The saved config with what is typed now; what was typed `before` may be typed again.

    Raises:
        ValueError: the override would change the run, or is not a longer length.
    """
    config = copy.deepcopy(dict(saved))
    typed: dict[str, float] = {}
    for override in overrides:
        key, _, text = override.lstrip("+").partition("=")
        repeated = override in before and key not in LENGTHS
        if repeated or _says_the_same(saved, key, text):
            continue
        if key not in LENGTHS:
            raise ValueError(
                f"resume: '{override}' would change the run; only a longer training.steps or "
                "training.epochs can be given (a new run may start from these weights: "
                "training.init_from=<run folder>)"
            )
        typed[key] = _number(override, text)
    if not typed:
        return config
    if len(typed) > 1:
        raise ValueError("resume: training.steps and training.epochs were both given; give one")
    ((key, value),) = typed.items()
    name = key.removeprefix("training.")
    training = config["training"]
    old = training[name]
    if old is None:
        other = "epochs" if name == "steps" else "steps"
        raise ValueError(
            f"resume: this run's length is training.{other}={training[other]}; "
            f"give a longer training.{other}"
        )
    if value < old:
        raise ValueError(f"resume: {key}={value:g} is shorter than the run's {old:g}")
    _check_horizon(config, key)
    training[name] = int(value) if name == "steps" else value
    return config


def _number(override: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"resume: '{override}': a number is wanted") from None
    if not value > 0 or (override.startswith("training.steps") and value != int(value)):
        raise ValueError(f"resume: '{override}': a positive whole number of steps is wanted")
    return value


def _says_the_same(saved: Mapping[str, Any], key: str, text: str) -> bool:
    value: Any = saved
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return False
        value = value[part]
    if isinstance(value, Mapping):  # a group: `loss=hinge`
        return bool(value.get("name") == text)
    if isinstance(value, bool) or value is None:
        return text.lower() == {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, int | float):
        try:
            return float(text) == value
        except ValueError:
            return False
    return str(value) == text.strip("'\"")


def _check_horizon(config: Mapping[str, Any], key: str) -> None:
    schedule = config["optimizer"]["schedule"]
    if schedule["name"] != "constant" and schedule["horizon"] is None:
        raise ValueError(
            f"resume: {key} cannot grow: the {schedule['name']} schedule spans the run's length "
            "(a run with optimizer.schedule.horizon fixed could)"
        )
    if config["model"].get("pretrain_share"):
        raise ValueError(f"resume: {key} cannot grow: the first stage's length is a share of it")
    if config["model"].get("grows"):
        raise ValueError(f"resume: {key} cannot grow: the stages' lengths are shares of it")
