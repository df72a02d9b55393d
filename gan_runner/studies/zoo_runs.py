"""What came of the zoo's runs, and the runs of MNIST that are there or have to be made."""

from __future__ import annotations

import logging
import math
import re
import shutil
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gan_runner import conf_files, result
from gan_runner.compose import Composer
from gan_runner.run_folder import plain_config, read_config, with_absolute_paths
from gan_runner.studies import runs
from gan_runner.studies.experiments import FINISHED

log = logging.getLogger("gan_runner.studies")
DISTANCE = "frechet_classifier_distance"
MNIST = "_mnist_cpu"  # how the names of the experiments end
COLLAPSED = "generated samples have collapsed"  # how the health check words it
LATE = 0.9  # share of a run from which on a collapse is one of its end


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of a table: what became of a setting over seeds.

    Without a run it is a setting that was not run yet.

    values: metrics of each seed that completed. floor, ceiling: metrics of real images, and of
    untrained networks, of the same runs, by seed. failed: reasons by seed. collapsed: seeds of
    those that completed. rates: seconds of training for 1,000 steps, by seed.
    """

    label: str
    also: tuple[str, ...] = ()
    own: bool = False
    values: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    floor: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    ceiling: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    failed: Mapping[int, str] = field(default_factory=dict)
    collapsed: tuple[int, ...] = ()
    rates: Mapping[int, float] = field(default_factory=dict)
    seconds: float = math.nan  # of training, the longest seed
    commit: str = "commit unknown"  # of the code that made the last of the runs

    @property
    def num(self) -> int:
        """Number of runs."""
        return len(self.values) + len(self.failed)

    @property
    def verdict(self) -> str:
        """What can be said of it, by a rule that `RULE` words."""
        if not self.values:
            return "fails"
        if self.failed or self.collapsed:
            return "unstable" if len(self.collapsed) < len(self.values) else "collapses"
        mean, sd = mean_and_sd(self.of(DISTANCE).values())
        untrained = [each[DISTANCE] for each in self.ceiling.values() if DISTANCE in each]
        bound = min(untrained, default=math.nan)
        if mean + (0.0 if math.isnan(sd) else sd) < 0.5 * bound:
            return "learns"
        return "does not learn" if mean >= bound else "hardly learns"

    def of(self, metric: str) -> dict[int, float]:
        """A metric's finite values by seed."""
        found = {seed: each[metric] for seed, each in self.values.items() if metric in each}
        return {seed: value for seed, value in found.items() if math.isfinite(value)}

    @property
    def order(self) -> tuple[float, str]:
        """By mean distance; what has none comes last."""
        mean, _ = mean_and_sd(self.of(DISTANCE).values())
        return (math.inf if math.isnan(mean) else mean), self.label


RULE = (
    "learns: no seed failed or collapsed, and mean + sd of the distance is below half of the "
    "untrained networks' distance; hardly learns: the same with a mean of less than all of it; "
    "does not learn: with a mean of more; unstable: some seeds failed (a loss or a weight was not "
    "finite) or collapsed; collapses: all that did not fail did; fails: none got to the end. "
    "Collapsed is what the health check says in the last tenth of a run: the images' spread, or "
    "the share of distinct ones, is below 10 % of the real images'"
)


def mean_and_sd(values: Iterable[float]) -> tuple[float, float]:
    """Mean and standard deviation (n - 1); NaN where there are too few values."""
    found = list(values)
    if not found:
        return math.nan, math.nan
    return statistics.fmean(found), statistics.stdev(found) if len(found) > 1 else math.nan


def row(
    label: str, folders: Mapping[int, Path], *, also: tuple[str, ...] = (), own: bool = False
) -> Row:
    """Read the runs of a setting, by seed."""
    values: dict[int, Mapping[str, float]] = {}
    floor: dict[int, Mapping[str, float]] = {}
    ceiling: dict[int, Mapping[str, float]] = {}
    failed: dict[int, str] = {}
    rates: dict[int, float] = {}
    collapsed, seconds = [], []
    commit = None
    for seed, folder in folders.items():
        run = runs.read(folder)
        if run.status != runs.COMPLETED:
            failed[seed] = run.error or run.status
            continue
        found = result.read_result(folder)
        commit = found.get("git_commit")
        values[seed] = run.values
        floor[seed] = _numbers(found.get("floor"))
        ceiling[seed] = _numbers((found.get("ceiling") or {}).get("untrained"))
        speed = found["timings"]["steps_per_second"]
        rates[seed] = 1000 / speed if speed else math.nan
        seconds.append(found["timings"]["seconds_training"])
        if has_collapsed(found["health"], found["steps"]):
            collapsed.append(seed)
    return Row(
        label=label, also=also, own=own, values=values, floor=floor, ceiling=ceiling,
        failed=failed, collapsed=tuple(collapsed), rates=rates,
        seconds=max(seconds, default=math.nan), commit=(commit or "commit unknown")[:14],
    )  # fmt: skip


def has_collapsed(messages: Sequence[str], steps: int) -> bool:
    """Whether the health check says of the last tenth of a run that its samples have collapsed."""
    for message in messages:
        at = re.match(r"step (\d+): ", message)
        if at and COLLAPSED in message and int(at.group(1)) >= LATE * steps:
            return True
    return False


def _numbers(found: Mapping[str, Any] | None) -> dict[str, float]:
    return {name: float(value) for name, value in (found or {}).items() if value is not None}


# --- MNIST ---------------------------------------------------------------------------------------


def mnist_rows(folder: Path, *, trains: bool) -> Iterator[tuple[str, Row | str]]:
    """Each experiment of MNIST for two cores with its row, or why there is none.

    A finished run of the same config anywhere in the folder counts, however it came there; else
    one is made, as `gan-run experiment=<name> device.threads=1` makes it.
    """
    there = _finished(folder)
    composer = Composer()
    for name in (each for each in conf_files.options("experiment") if each.endswith(MNIST)):
        typed = (f"experiment={name}", "device.threads=1")
        config = with_absolute_paths(plain_config(composer.compose(typed).config))
        wanted = result.config_hash(config)
        place = next((path for path, found in there if result.config_hash(found) == wanted), None)
        if place is None and trains:
            place = folder / name
            if reason := _train(config, place, typed):
                yield name, reason
                continue
        if place is None:
            yield name, "not run yet"
            continue
        yield name, row(name, {0: place})


def _finished(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    if not folder.is_dir():
        return []
    found = []
    for place in runs.find([folder]):
        if (place / runs.RESULT).is_file() and runs.read(place).status in FINISHED:
            found.append((place, read_config(place)))
    return found


def _train(config: dict[str, Any], place: Path, typed: tuple[str, ...]) -> str | None:
    """Make a run; the reason where it cannot be made. One that fails is made: it has a result."""
    from gan_runner.stack import Job, execute_jobs  # imports torch

    if place.exists():
        shutil.rmtree(place)  # stopped, or of another config
    log.info("MNIST: %s", place.name)
    for _, ended in execute_jobs([Job(config=config, folder=place, overrides=typed)]):
        if isinstance(ended, ValueError):
            return str(ended)
        if isinstance(ended, Exception):
            log.warning("%s: %s", place, ended)
    return None
