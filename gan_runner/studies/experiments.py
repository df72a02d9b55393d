"""Makes a study's runs: composes the jobs of its arms, leaves out finished ones, trains the rest.

An arm is one setting over several seeds. Its runs stand in `<study>/runs/<scale>/<arm>/<seed>`. A
run that is finished under the same config is not made again, so a study that was stopped goes on
where it was; a run that was stopped, or is of another config, is replaced.
"""

from __future__ import annotations

import copy
import logging
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gan_runner import result
from gan_runner.studies import runs

if TYPE_CHECKING:
    from gan_runner.compose import Composer

log = logging.getLogger("gan_runner.studies")
FINISHED = ("completed", "failed")  # a failure would come again: runs are deterministic
NEVER = 10**9  # steps
# What a study does not need of a run, and what keeps tiny networks fast; an arm may ask otherwise.
COMMON = (
    "device=cpu", "device.threads=1", f"training.sample_every={NEVER}",
    f"training.checkpoint_every={NEVER}", f"training.log_every={NEVER}",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Arm:
    """Runs that differ in their seeds alone. name: also of its folder. overrides: as typed."""

    name: str
    overrides: tuple[str, ...]
    seeds: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """What an arm's runs came to. values: by seed, the final metrics. failed: reasons by seed."""

    values: Mapping[int, Mapping[str, float]]
    failed: Mapping[int, str]

    def of(self, metric: str) -> dict[int, float]:
        """A metric's finite values by seed."""
        found = {seed: each[metric] for seed, each in self.values.items() if metric in each}
        return {seed: value for seed, value in found.items() if np.isfinite(value)}


def train(
    arms: Sequence[Arm],
    folder: Path,
    *,
    width: int,
    compiled: bool = False,
    composer: Composer | None = None,
) -> dict[str, Outcomes]:
    """Train all runs of arms that are not finished yet, in stacks, and read all results.

    Args:
        arms: with different names.
        folder: of the study's runs.
        width: replicas in a stack at most.
        compiled: whether steps are compiled. It is not left to `auto`, which looks at the clock:
            compiled steps round differently, and a study made twice must give the same numbers.
        composer: one that has composed such arms before has them ready.

    Raises:
        ValueError: a config, the data or the device cannot be used.
        Interrupted: the process was asked to stop; what is finished is kept.
    """
    from gan_runner.stack import Job, execute_jobs  # imports torch

    waiting: list[Job] = []
    places: dict[str, dict[int, Path]] = {}
    for arm, seed, config in _configs(arms, compiled, composer):
        place = places.setdefault(arm.name, {})[seed] = folder / arm.name / str(seed)
        if not is_finished(place, config):
            if place.exists():
                shutil.rmtree(place)  # stopped, or of another config
            typed = (*_common(compiled), *arm.overrides, f"training.seed={seed}")
            waiting.append(Job(config=config, folder=place, overrides=typed, pictures=False))
    num = sum(map(len, places.values()))
    log.info("%d runs: %d finished, %d to train", num, num - len(waiting), len(waiting))
    started = time.perf_counter()
    for job, ended in execute_jobs(waiting, width=width):
        if isinstance(ended, ValueError):
            raise ended
        if isinstance(ended, Exception):
            log.warning("%s: %s", job.folder, ended)
    if waiting:
        log.info("trained %d runs in %.0f s", len(waiting), time.perf_counter() - started)
    return {name: _read(found) for name, found in places.items()}


def finished(
    arms: Sequence[Arm],
    folder: Path,
    *,
    compiled: bool = False,
    composer: Composer | None = None,
) -> dict[str, dict[int, Path]]:
    """Folders of the runs of arms that `train` would not make again, by seed."""
    found: dict[str, dict[int, Path]] = {arm.name: {} for arm in arms}
    for arm, seed, config in _configs(arms, compiled, composer):
        place = folder / arm.name / str(seed)
        if is_finished(place, config):
            found[arm.name][seed] = place
    return found


def is_finished(folder: Path, config: Mapping[str, Any]) -> bool:
    """Whether a run folder holds a run of a config that got to an end."""
    if not (folder / "result.json").is_file():
        return False
    try:
        found = result.read_result(folder)
    except (OSError, ValueError):
        return False
    same = found["config_hash"] == result.config_hash(config)
    return same and found["status"] in FINISHED


def _common(compiled: bool) -> tuple[str, ...]:
    return (*COMMON, f"device.compile={str(compiled).lower()}")


def _configs(
    arms: Sequence[Arm], compiled: bool, composer: Composer | None
) -> Iterator[tuple[Arm, int, dict[str, Any]]]:
    """Checked configs of all seeds, composed once an arm."""
    from gan_runner.compose import Composer
    from gan_runner.run_folder import plain_config, with_absolute_paths

    composer = composer or Composer()
    for arm in arms:
        composed = composer.compose([*_common(compiled), *arm.overrides]).config
        plain = with_absolute_paths(plain_config(composed))
        for seed in arm.seeds:
            config = copy.deepcopy(plain)
            config["training"]["seed"] = seed
            yield arm, seed, config


def _read(places: Mapping[int, Path]) -> Outcomes:
    values: dict[int, Mapping[str, float]] = {}
    failed: dict[int, str] = {}
    for seed, place in places.items():
        run = runs.read(place)
        if run.status == runs.COMPLETED:
            values[seed] = run.values
        else:
            failed[seed] = run.error or run.status
    return Outcomes(values=values, failed=failed)
