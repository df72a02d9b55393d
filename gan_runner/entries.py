"""What the registry says of a name: where its object is, and facts to check beforehand.

Imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Keys = frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Algorithm:
    """A game: `target(context) -> Recipe`, and what it asks of the rest of the config."""

    target: str
    needs: Keys = frozenset({"real"})  # keys of the data's batches
    needs_any: Keys = frozenset()  # one of these keys, too
    networks: Keys = frozenset({"mlp"})  # families that it can be played with
    offers: Keys = frozenset()  # what G can be asked for: "labels" (where data have them), "codes"
    adversarial: bool = True  # uses `loss` and `penalty`
    stacks: bool = True  # replicas of it can be trained as one stacked model
    paired_kinds: Keys = frozenset({"vectors", "images"})  # of data whose pairs it can use
    # What network=auto becomes for a kind of data, where it is not as in AUTO_NETWORKS.
    auto_networks: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def given(self, builder: DatasetBuilder, section: Mapping[str, Any]) -> Keys:
        """The keys of a data set's batches that the game can use."""
        keys = builder.provides(section)
        return keys if builder.kind in self.paired_kinds else keys - {"low"}


@dataclass(frozen=True, kw_only=True)
class DatasetBuilder:
    """A data set: `target(**fields of the config) -> Dataset`."""

    target: str
    kind: str  # "vectors", "images" or "none"
    provides: Callable[[Mapping[str, Any]], Keys]  # batch keys, from the config's fields
    may_provide: Mapping[str, str] = field(default_factory=dict)  # others, and on which condition
    has_modes: bool = False  # the mixture that the points are from is known
    classifier: Callable[[Mapping[str, Any]], bool] = lambda _section: False  # one is shipped
    wholes: bool = False  # pairs of whole photographs to test on
    stacked: bool = False  # each channel is an image of its own to that classifier


@dataclass(frozen=True, kw_only=True)
class NetworkFamily:
    """A family of networks: `target` is an object with `generator` and `discriminator`."""

    target: str
    kinds: Keys = field(default_factory=lambda: frozenset({"vectors"}))  # of data it can take


@dataclass(frozen=True, kw_only=True)
class Function:
    """A loss, penalty or optimizer; `targets` is the dict that holds it under its name."""

    targets: str


@dataclass(frozen=True, kw_only=True)
class Metric(Function):
    """A metric; `needs` are among the words of `facts.py`."""

    needs: Keys = frozenset({"samples"})
