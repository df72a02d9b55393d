"""Reads what a user types: `key=value`, quoted where Hydra's grammar would trip over it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

from gan_runner.conf_files import groups, options
from gan_runner.errors import ConfigError

# Digits joined by underscores, such as VGG's layer 5_4: the grammar would read them as the number
# 54. As a text they still make a number where one is wanted.
_JOINED = re.compile(r"(?<=[=,])\d+(?:_\d+)+(?=,|$)")


def parse(
    overrides: Iterable[str], *, sweep: bool = False, loader: ConfigLoader | None = None
) -> list[Override]:
    """Parse overrides; a value that Hydra's grammar refuses is taken literally, as a text.

    Args:
        overrides: as typed, such as `dataset.path=my file (1).csv`. `input_line` of what comes
            back is the quoted form.
        sweep: commas part the values of a sweep, also in a value that needs quotes.
        loader: finds the options that `glob(*)` stands for.

    Raises:
        ConfigError: an override has no key or no `=`, or its list, dict or function is broken.
    """
    found = []
    for text in overrides:
        parsed = _parsed(_quoted(text, sweep))
        parsed.config_loader = loader
        found.append(parsed)
    return found


def value_text(override: Override) -> str:
    """The value of an override as typed, for messages."""
    return (override.input_line or "").partition("=")[2].strip()


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is spelt most like a word, if any is close."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return found[0] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` Did you mean 'x'?`, or nothing where no known word is close."""
    near = nearest(word, known)
    return f" Did you mean '{near}'?" if near else ""


def listed(names: Iterable[str]) -> str:
    """Names in a row, for messages."""
    return ", ".join(names) or "none"


@lru_cache(maxsize=4096)
def _try_parse(text: str) -> Override | str:
    """The parsed override, or why the grammar refuses it."""
    try:
        return OverridesParser.create().parse_override(text)
    except (HydraException, ValueError) as error:
        return " ".join(str(error).split())


def _parsed(text: str) -> Override:
    parsed = _try_parse(text)
    assert isinstance(parsed, Override)
    return parsed


def _quoted(text: str, sweep: bool) -> str:
    """The override in a form that the grammar takes."""
    first = _try_parse(text)
    if isinstance(first, Override):
        if not first.key_or_group:
            raise ConfigError(f"{text}: a key is wanted before the '='")
        return _JOINED.sub(lambda found: _literal(found[0]), text)
    key, equals, value = text.partition("=")
    if not equals:
        meant = [f"{name}={text}" for name in groups() if text in options(name)] or ["model=vgan"]
        raise ConfigError(
            f"'{text}' is no override: key=value is wanted, such as {' or '.join(meant)}"
        )
    value = value.strip()
    if isinstance(_try_parse(f"{key}=x"), str):
        raise ConfigError(
            f"{text}: '{key}' cannot be a key; quote the whole for your shell: \"key=value\""
        )
    if not value.startswith(("[", "{", "'", '"')) and not _is_call(value):
        pieces = [piece.strip() for piece in value.split(",")] if sweep else [value]
        candidate = f"{key}={','.join(_literal(piece) for piece in pieces)}"
        if isinstance(_try_parse(candidate), Override):
            return candidate
    raise ConfigError(
        f"{text}: the value cannot be read ({first}); "
        f'to take it literally, quote it twice: "{key}={_literal(value)}"'
    )


def _literal(text: str) -> str:
    return str(QuotedString(text=text, quote=Quote.single).with_quotes())


def _is_call(value: str) -> bool:
    """Whether a value looks like `range(...)` or another function of Hydra's grammar."""
    functions = OverridesParser.create().functions.functions
    return value.partition("(")[0].strip() in functions and "(" in value


def as_texts(overrides: Sequence[Override]) -> list[str]:
    """The overrides' quoted forms, as Hydra takes them."""
    return [override.input_line or "" for override in overrides]


def keys(overrides: Iterable[Override]) -> dict[str, Any]:
    """The last value of each key; a sweep's value stands as its text."""
    return {
        override.key_or_group: (
            value_text(override) if override.is_sweep_override() else override.value()
        )
        for override in overrides
    }
