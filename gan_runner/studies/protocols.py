"""What of a protocol decides whether two numbers compare, and how it is said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_COUNTS = {"num_generated": "generated", "num_real": "real"}


def essentials(protocol: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a protocol that must agree; the seed of its draws and a best step may not."""
    found: dict[str, Any] = {key: protocol.get(key) for key in (*_COUNTS, "split", "units")}
    found["checkpoint"] = str(protocol.get("checkpoint")).partition(", step")[0]
    for key, value in (protocol.get("details") or {}).items():
        if key == "classifier" and isinstance(value, Mapping):
            found[key] = f"{value.get('name')} ({value.get('hash')})"
        else:
            found[key] = value if isinstance(value, str | int | float) else repr(value)
    return found


def distinct(protocols: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The essentials of protocols, each once."""
    found: list[dict[str, Any]] = []
    for protocol in protocols:
        each = essentials(protocol)
        if each not in found:
            found.append(each)
    return found


def sentence(found: Iterable[Mapping[str, Any]]) -> str:
    """Say how numbers were measured, of essentials: all values of a part that has several."""
    parts = _values(found)
    for noise in ("method", "units"):
        parts.pop(noise, None)
    words = [f"{_joined(parts.pop(key))} {word}" for key, word in _COUNTS.items() if key in parts]
    words += [f"{_joined(parts.pop('split'))} split"] if "split" in parts else []
    words += [f"{key} {_joined(values)}" for key, values in parts.items()]
    return ", ".join(words)


def conflict(found: Iterable[Mapping[str, Any]]) -> str | None:
    """Say in what essentials differ, if they do."""
    parts = {key: values for key, values in _values(found).items() if len(values) > 1}
    if not parts:
        return None
    return "; ".join(f"{key} {_joined(values)}" for key, values in parts.items())


def _values(found: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """All values of each part, in order."""
    every = list(found)
    keys = dict.fromkeys(key for each in every for key in each)
    return {key: list(dict.fromkeys(each.get(key) for each in every)) for key in keys}


def _joined(values: Iterable[Any]) -> str:
    return " | ".join(f"{each:,}" if isinstance(each, int) else str(each) for each in values)
