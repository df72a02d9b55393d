"""Finding run folders, and what their files say. Imports neither torch nor Hydra."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped,unused-ignore]

from gan_runner.result import read_result

COMPLETED, MISSING, UNREADABLE = "completed", "missing", "unreadable"
CONFIG, RESULT, OVERRIDES, CHILDREN = "config.yaml", "result.json", "overrides.yaml", "seeds"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C is 8 times faster
_SECTION = re.compile(r"^(?=[A-Za-z_])", re.MULTILINE)  # where a key begins that is in no other


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """What a run folder says.

    config: as saved. overrides: what was typed. seed: `training.seed`. status: that of
    result.json, or "missing" (none is there: the run goes on, or was killed) or "unreadable".
    values: final metrics of a completed run, NaN or infinite ones too; of any other run none, for
    they would be of another length. protocols: beside each value, how it was measured.
    modified: time of result.json in seconds, 0 where there is none.
    """

    folder: Path
    config: Mapping[str, Any]
    seed: int
    status: str = COMPLETED
    error: str | None = None
    overrides: tuple[str, ...] = ()
    values: Mapping[str, float] = field(default_factory=dict)
    protocols: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    modified: float = 0.0

    @property
    def name(self) -> str:
        """The run's name in its config."""
        return str(self.config.get("name", self.folder.name))


@dataclass(frozen=True, kw_only=True)
class Ignored:
    """A folder that looks like a run's and is not counted as one."""

    folder: Path
    reason: str


@dataclass(frozen=True, kw_only=True)
class Collection:
    """The runs found, in natural order of their folders, and what was ignored."""

    runs: tuple[Run, ...]
    ignored: tuple[Ignored, ...] = ()


def collect(folders: Sequence[Path | str]) -> Collection:
    """Read every run in folders and their sub-folders; one found twice counts once.

    Raises:
        ValueError: a folder does not exist, or no run is found.
    """
    given = [Path(each) for each in folders]
    for folder in given:
        if not folder.is_dir():
            what = "is no folder" if folder.exists() else "does not exist"
            raise ValueError(f"{folder} {what}")
    runs: list[Run] = []
    ignored: list[Ignored] = []
    containers: list[Path] = []
    for folder in find(given, containers):
        try:
            runs.append(read(folder))
        except (OSError, ValueError) as error:
            ignored.append(Ignored(folder=folder, reason=str(error)))
    for container in containers:
        runs += _not_begun(container, {run.folder for run in runs})
    if not runs:
        where = ", ".join(map(str, given))
        reason = f" ({ignored[0].folder}: {ignored[0].reason})" if ignored else ""
        raise ValueError(f"no run found in {where}: a run folder has a {CONFIG}{reason}")
    return Collection(runs=tuple(runs), ignored=tuple(ignored))


def find(folders: Sequence[Path], containers: list[Path] | None = None) -> Iterator[Path]:
    """Yield each run folder once, however often and by whatever link it is reached.

    A run folder whose `seeds` holds run folders stands for those: its own result is their summary.
    Nothing else inside a run folder is looked at, nor are hidden folders.

    containers: takes the folders that stand for others.
    """
    seen: set[Path] = set()
    for folder in folders:
        yield from _within(folder, seen, [] if containers is None else containers)


def read(folder: Path) -> Run:
    """Read a run folder.

    Raises:
        ValueError: its config is none of a run.
        OSError: a file cannot be read.
    """
    config = _config(folder / CONFIG)
    seed = _seed(config)
    result_file = folder / RESULT
    common: dict[str, Any] = {
        "folder": folder, "config": config, "seed": seed, "overrides": _overrides(folder),
    }  # fmt: skip
    if not result_file.is_file():
        return Run(**common, status=MISSING, error=f"no {RESULT}: it goes on, or was killed")
    common["modified"] = result_file.stat().st_mtime
    try:
        result = read_result(result_file)
        status, error = str(result["status"]), result.get("error")
        values, protocols = _metrics(result) if status == COMPLETED else ({}, {})
    except (KeyError, TypeError, AttributeError, ValueError) as reason:
        missing = "no " if isinstance(reason, KeyError) else ""
        return Run(**common, status=UNREADABLE, error=f"{RESULT}: {missing}{reason}")
    return Run(**common, status=status, error=error, values=values, protocols=protocols)


def natural(text: object) -> tuple[tuple[int, int, str], ...]:
    """A key of sorting by which 10 comes after 9."""
    parts = re.split(r"(\d+)", str(text))
    return tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts)


def _within(folder: Path, seen: set[Path], containers: list[Path]) -> Iterator[Path]:
    place = folder.resolve()
    if place in seen:
        return
    seen.add(place)
    if (folder / CONFIG).is_file():
        children = [each for each in _folders(folder / CHILDREN) if (each / CONFIG).is_file()]
        if not children:
            yield folder
            return
        containers.append(folder)
        for child in children:
            yield from _within(child, seen, containers)
        return
    for sub_folder in _folders(folder):
        yield from _within(sub_folder, seen, containers)


def _not_begun(container: Path, begun: Set[Path]) -> list[Run]:
    """Runs for the seeds that a container was to have and has no folder of."""
    try:
        config = _config(container / CONFIG)
        first, number = _seed(config), int(config["training"].get("seeds") or 0)
    except (OSError, TypeError, ValueError):
        return []
    return [
        Run(
            folder=container / CHILDREN / str(seed),
            config={**config, "training": {**config["training"], "seed": seed}},
            seed=seed,
            status=MISSING,
            error="never begun",
        )
        for seed in range(first, first + number)
        if container / CHILDREN / str(seed) not in begun
    ]


def _folders(folder: Path) -> list[Path]:
    """Folders in a folder that may be looked into; none where it is not there."""
    try:
        found = [each for each in folder.iterdir() if each.is_dir()]
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []
    return sorted((each for each in found if not each.name.startswith(".")), key=natural)


def _config(path: Path) -> dict[str, Any]:
    config = _mapping(path) or _yaml(path)
    if not isinstance(config, dict) or not isinstance(config.get("training"), dict):
        raise ValueError(f"{path.name} is not that of a run of gan-run: it has no training")
    return config


def _mapping(path: Path) -> dict[str, Any] | None:
    """A config by its sections, most of which a sweep's configs share; None if that is no way."""
    merged: dict[str, Any] = {}
    for section in _SECTION.split(path.read_text(encoding="utf-8")):
        try:
            found = _parsed(section)
        except yaml.YAMLError:
            return None
        if not isinstance(found, dict | None):
            return None
        merged |= found or {}
    return merged


@lru_cache(maxsize=1024)
def _parsed(text: str) -> Any:
    return yaml.load(text, Loader=_LOADER)


def _seed(config: Mapping[str, Any]) -> int:
    seed = config["training"].get("seed")
    if not isinstance(seed, int):
        raise ValueError(f"{CONFIG} has training.seed={seed!r}, no whole number")
    return seed


def _overrides(folder: Path) -> tuple[str, ...]:
    path = folder / OVERRIDES
    typed = _yaml(path) if path.is_file() else None
    return tuple(map(str, typed)) if isinstance(typed, list) else ()


def _yaml(path: Path) -> Any:
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path.name} is no YAML: {reason}") from error


def _metrics(result: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, Mapping[str, Any]]]:
    """Values, with those back in place that JSON could not hold, and protocols."""
    lost = result.get("not_finite") or {}
    values: dict[str, float] = {}
    for name, entry in result["metrics"].items():
        value = entry["value"]
        if value is None:
            value = lost.get(f"metrics.{name}.value", math.nan)
        values[name] = float(value)
    return values, {name: entry["protocol"] for name, entry in result["metrics"].items()}
