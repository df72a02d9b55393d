"""Groups of runs: those whose configs differ in nothing but the seed and what changes no number.

What differs is named as it is typed: `optimizer.lr=0.001`; where a whole option of a config group
differs, `model=srgan`, and none of its fields.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from gan_runner.result import leaves
from gan_runner.studies.runs import COMPLETED, Run, natural

Replica = int | str  # a seed; "init=3" where a single stream's seed was swept

# What changes no number that is reported, or says where things are.
IGNORED = frozenset({
    "name", "resume", "tensorboard_axis",
    "device.name", "device.index", "device.compile", "device.threads",
    "training.seed", "training.seeds",
    "training.log_every", "training.sample_every", "training.checkpoint_every",
    "training.num_samples",
    "dataset.download", "dataset.workers", "dataset.memory_limit",
    "metrics.names",
})  # fmt: skip
SEEDS = ("training.streams.", "dataset.seed")  # further seeds, that may follow training.seed
OWN_DATA = ("table", "folder")  # builders whose dataset.path is the data, not where they are kept
_ABSENT = "absent"
_LONG = 48  # characters of a label above which groups are called by their numbers


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """Runs that differ in their seeds alone.

    label: as few of the settings as tell it from the other groups. short: the label, or the
    group's number where labels are long. settings: all that differs among the groups. runs: by
    seed, in order.
    """

    label: str
    short: str
    settings: Mapping[str, Any]
    runs: Mapping[Replica, Run]

    def values(self, metric: str) -> dict[Replica, float]:
        """The finite values of a metric, by seed."""
        found = {seed: run.values[metric] for seed, run in self._measured(metric).items()}
        return {seed: value for seed, value in found.items() if math.isfinite(value)}

    def not_finite(self, metric: str) -> tuple[Replica, ...]:
        """Seeds of completed runs whose metric is NaN or infinite."""
        measured = self._measured(metric).items()
        return tuple(seed for seed, run in measured if not math.isfinite(run.values[metric]))

    def without(self, metric: str) -> tuple[Replica, ...]:
        """Seeds of completed runs that do not have the metric."""
        done = ((seed, run) for seed, run in self.runs.items() if run.status == COMPLETED)
        return tuple(seed for seed, run in done if metric not in run.values)

    @property
    def failed(self) -> dict[Replica, Run]:
        """The runs that have no final metrics, by seed."""
        return {seed: run for seed, run in self.runs.items() if run.status != COMPLETED}

    def _measured(self, metric: str) -> dict[Replica, Run]:
        return {seed: run for seed, run in self.runs.items() if metric in run.values}


@dataclass(frozen=True, kw_only=True)
class Duplicates:
    """Runs of one group and seed: the newest was kept."""

    group: str
    seed: Replica
    kept: Run
    left_out: tuple[Run, ...]


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """All groups, in order of their first run, and what tells them apart.

    keys: of the settings that stand in the labels. further: of those that go along with them.
    """

    groups: tuple[Group, ...]
    keys: tuple[str, ...]
    further: tuple[str, ...]
    duplicates: tuple[Duplicates, ...]


def group(runs: Sequence[Run]) -> Grouping:
    """Put runs into groups."""
    configs = _with_starts(runs, _with_nulls([relevant(run.config) for run in runs]))
    replicas, configs = _replicas(runs, configs)
    settings = _settings(configs)
    together: dict[tuple[Any, ...], list[int]] = {}
    for index, each in enumerate(settings):
        together.setdefault(tuple(each.values()), []).append(index)
    first = [settings[indices[0]] for indices in together.values()]
    keys = _telling(first)
    labels = [
        label_of(own, keys) or runs[indices[0]].name
        for indices, own in zip(together.values(), first, strict=True)
    ]
    is_long = max(map(len, labels), default=0) > _LONG
    groups, duplicates = [], []
    for place, indices in enumerate(together.values()):
        short = f"group {place + 1}" if is_long else labels[place]
        kept, doubled = _one_each(short, [(replicas[index], runs[index]) for index in indices])
        duplicates += doubled
        groups.append(Group(label=labels[place], short=short, settings=first[place], runs=kept))
    names = first[0] if first else {}
    return Grouping(
        groups=tuple(groups),
        keys=keys,
        further=tuple(key for key in names if key not in keys),
        duplicates=tuple(duplicates),
    )


def relevant(config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a config by dotted key, without those that change no number."""
    flat = {key: _fixed(value) for key, value in leaves(config) if key not in IGNORED}
    path = flat.pop("dataset.path", None)
    if path is not None and flat.get("dataset.builder") in OWN_DATA:
        flat["dataset.path"] = PurePath(str(path)).name
    if flat.get("metrics.checkpoint") != "best":  # else they choose which weights are judged
        flat.pop("metrics.every", None)
        flat.pop("metrics.select", None)
    return flat


def text_of(value: Any) -> str:
    """A value as it is typed."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    if isinstance(value, tuple):
        return f"[{','.join(map(text_of, value))}]"
    return str(value)


def label_of(settings: Mapping[str, Any], keys: Sequence[str]) -> str:
    """Settings as typed; a field that an option does not have is left out."""
    shown = []
    for key in keys:
        if settings[key] == _ABSENT and key.partition(".")[0] in settings:
            continue
        shown.append(f"{key}={text_of(settings[key])}")
    return " ".join(shown)


def _fixed(value: Any) -> Any:
    """A value that can be a key of a dictionary."""
    if isinstance(value, Mapping):
        return tuple((key, _fixed(each)) for key, each in value.items())
    return tuple(map(_fixed, value)) if isinstance(value, list) else value


def _replicas(
    runs: Sequence[Run], configs: Sequence[dict[str, Any]]
) -> tuple[list[Replica], list[dict[str, Any]]]:
    """What tells a group's runs apart, and the configs without it.

    A further seed that is a function of training.seed says nothing new. Where training.seed is
    the same everywhere and a stream's own seed was swept, that seed tells the runs apart.
    """
    seeds = [run.seed for run in runs]
    following, swept = set(), []
    for key in _varying(configs):
        if not key.startswith(SEEDS):
            continue
        pairs = {
            (seed, each[key]) for seed, each in zip(seeds, configs, strict=True) if key in each
        }
        if len(pairs) == len({seed for seed, _ in pairs}):
            following.add(key)
        elif len(set(seeds)) == 1 and all(isinstance(each.get(key), int) for each in configs):
            swept.append(key)
    found: list[Replica] = []
    for seed, config in zip(seeds, configs, strict=True):
        own = [f"{key.rpartition('.')[2]}={config[key]}" for key in swept]
        found.append(" ".join(own) if own else seed)
    known = following | set(swept)
    return found, [{key: each[key] for key in each if key not in known} for each in configs]


def _with_starts(runs: Sequence[Run], configs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Weights to start from: whether there are any, unless one seed starts from several."""
    key = "training.init_from"
    starts: dict[Any, set[Any]] = {}
    for run, config in zip(runs, configs, strict=True):
        rest = (run.seed, *((each, config[each]) for each in config if each != key))
        starts.setdefault(rest, set()).add(config.get(key))
    if any(len(each - {None}) > 1 for each in starts.values()):
        return configs
    return [
        {**each, key: "given"} if each.get(key) is not None else each for each in configs
    ]  # fmt: skip


def _with_nulls(configs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Null for a field that a run lacks and another of the same option has as null.

    The run is older than the field, and a new field's null is what was done before.
    """
    nulls = dict.fromkeys(
        (key, config.get(_name(key)))
        for config in configs
        for key, value in config.items()
        if value is None
    )
    return [
        config
        | {
            key: None
            for key, option in nulls
            if key not in config and config.get(_name(key)) == option
        }
        for config in configs
    ]


def _varying(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Keys that have more than one value, by their groups, an option's name before its fields."""
    keys = list(dict.fromkeys(key for config in configs for key in config))
    sections = list(dict.fromkeys(map(_section, keys)))
    found = [
        key for key in keys if len({config.get(key, _ABSENT) for config in configs}) > 1
    ]  # fmt: skip
    return sorted(
        found,
        key=lambda key: (sections.index(_section(key)), key != _name(key), keys.index(key)),
    )


def _section(key: str) -> str:
    return key.partition(".")[0]


def _name(key: str) -> str:
    """The key of the option's name that a key is a field of."""
    return f"{_section(key)}.name"


def _settings(configs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What differs, of each run: an option's name stands for the fields that go along with it."""
    varying = _varying(configs)
    called: dict[str, str] = {}  # key of the config -> what it is called
    for key in varying:
        if key == _name(key):
            called[key] = _section(key)
        elif _name(key) not in varying or _varies_within_options(configs, key):
            called[key] = key
    return [
        {called[key]: config.get(key, _ABSENT) for key in called} for config in configs
    ]  # fmt: skip


def _varies_within_options(configs: Sequence[Mapping[str, Any]], key: str) -> bool:
    """Whether a field has several values under one option of its group."""
    values: dict[Any, set[Any]] = {}
    for config in configs:
        values.setdefault(config.get(_name(key)), set()).add(config.get(key, _ABSENT))
    return any(len(each) > 1 for each in values.values())


def _telling(settings: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """As few keys as tell all groups apart, the first ones first."""
    keys: list[str] = []
    parts = 1
    for key in settings[0] if settings else ():
        if parts == len(settings):
            break
        told = len({tuple(each[name] for name in (*keys, key)) for each in settings})
        if told > parts:
            keys.append(key)
            parts = told
    return tuple(keys)


def _one_each(
    label: str, found: Sequence[tuple[Replica, Run]]
) -> tuple[dict[Replica, Run], list[Duplicates]]:
    """The newest run of each seed, by the time of its result."""
    runs: dict[Replica, list[Run]] = {}
    for replica, run in found:
        runs.setdefault(replica, []).append(run)
    kept, duplicates = {}, []
    for replica in sorted(runs, key=natural):
        *older, newest = sorted(runs[replica], key=lambda run: run.modified)
        kept[replica] = newest
        if older:
            duplicates.append(
                Duplicates(group=label, seed=replica, kept=newest, left_out=tuple(older))
            )
    return kept, duplicates
