"""`sweep=resume`: finds the sweep to go on with, and says how far each of its jobs is.

Imports no torch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from gan_runner import sweep_index
from gan_runner.errors import ConfigError
from gan_runner.overrides import parse
from gan_runner.result import NUMBERLESS, config_hash, leaves, read_result
from gan_runner.run_folder import plain_config, read_config, read_overrides, with_absolute_paths
from gan_runner.sweeps import FOLDER, Sweep

if TYPE_CHECKING:
    from gan_runner.sweep_jobs import SweepJob

RECORD = "multirun.yaml"  # what Hydra writes into a sweep's folder
_MOST_NAMED = 3  # keys in a message


def completed(overrides: Sequence[str]) -> list[str]:
    """The overrides of a sweep to be resumed: where only its folder is typed, those it had.

    Raises:
        ConfigError: no sweep is in the folder.
    """
    parsed = parse(overrides, sweep=True)
    typed = {each.key_or_group: each for each in parsed}
    if FOLDER not in typed:
        return list(overrides)
    folder = Path(str(typed[FOLDER].value()))
    if not ((folder / RECORD).is_file() or (folder / sweep_index.FILE).is_file()):
        raise ConfigError(f"sweep=resume: no sweep in {FOLDER}={folder}: it has no {RECORD}")
    if any(not each.is_hydra_override() for each in parsed):
        return list(overrides)
    if not (folder / RECORD).is_file():
        raise ConfigError(f"sweep=resume: {folder} has no {RECORD}: type the sweep's overrides")
    before = _recorded(folder)
    return [*before["task"], *_still(before["hydra"], set(typed)), *overrides]


def _still(own: Sequence[str], typed: set[str]) -> Iterator[str]:
    """Hydra's own overrides of before that what is typed now leaves as they were."""
    for text in own:
        key = text.partition("=")[0].lstrip("+")
        of_another = key.startswith("hydra.launcher.") and "hydra/launcher" in typed
        if key not in typed and key != "hydra.mode" and not of_another:
            yield text


def located(sweep: Sweep, overrides: Sequence[str]) -> Sweep:
    """A planned sweep in the folder where it was begun: the typed one, else the latest that fits.

    Raises:
        ConfigError: there is none, or its jobs are others.
    """
    if not any(each.key_or_group == FOLDER for each in parse(overrides, sweep=True)):
        root = sweep.folder.parent.parent
        found = [path.parent for path in root.glob(f"*/*/{RECORD}")]
        fitting = (
            folder for folder in sorted(found, reverse=True)
            if _recorded(folder)["task"] == list(sweep.task)
        )  # fmt: skip
        folder = next(fitting, None)
        if folder is None:
            raise ConfigError(
                f"sweep=resume: no sweep of these overrides in {root}; name its folder with "
                f"{FOLDER}=<folder>"
            )
        sweep = dataclasses.replace(sweep, folder=folder)
    _check_jobs(sweep)
    return sweep


def num_finished(sweep: Sweep) -> int:
    """Jobs of a sweep that are finished, by what stands in its index."""
    return sum(each["status"] == "completed" for each in sweep_index.read(sweep.folder))


def standing(job: SweepJob, config: DictConfig) -> str:
    """How far a job is: "finished", "begun" (a checkpoint is there) or "new".

    What a run left that has no checkpoint is made ready to be overwritten.

    Raises:
        ConfigError: its folder has a run of another config.
    """
    folder = job.folder
    if not (folder / "config.yaml").is_file():
        (folder / "run.log").unlink(missing_ok=True)  # of a job that was refused
        return "new"
    saved = read_config(folder)
    _check_config(folder, saved, with_absolute_paths(plain_config(config)))
    path = folder / "result.json"
    if path.is_file() and read_result(path)["status"] == "completed":
        return "finished"
    runs = [folder]
    if saved["training"]["seeds"] > 1:
        first = saved["training"]["seed"]
        runs = [folder / "seeds" / f"{first + i}" for i in range(saved["training"]["seeds"])]
    if all((each / "checkpoints" / "last.pt").is_file() for each in runs):
        return "begun"
    for each in {folder, *runs}:
        for name in ("result.json", "config.yaml"):
            (each / name).unlink(missing_ok=True)
    return "new"


def _check_config(folder: Path, saved: Mapping[str, Any], plain: dict[str, Any]) -> None:
    """Refuse to take a folder's run for one of another config.

    Raises:
        ConfigError: names the keys that differ.
    """
    if config_hash(plain) != config_hash(saved):
        raise ConfigError(f"sweep=resume: {folder} has another run: {_differences(saved, plain)}")


def _recorded(folder: Path) -> dict[str, list[str]]:
    """The overrides of a sweep as Hydra has noted them: its own, and the `task`'s."""
    found = OmegaConf.select(OmegaConf.load(folder / RECORD), "hydra.overrides")
    return {key: [str(each) for each in (found or {}).get(key) or ()] for key in ("hydra", "task")}


def _check_jobs(sweep: Sweep) -> None:
    """Refuse a sweep whose jobs are not those in its folder."""
    if sweep.jobs is None:
        return  # another sweeper's matter: each job looks at its own folder
    folders = {int(each["job"]): sweep.folder / each["folder"]
               for each in sweep_index.read(sweep.folder)}  # fmt: skip
    for number in range(max([len(sweep.jobs), *(job + 1 for job in folders)])):
        folder = folders.get(number, sweep.folder / str(number))
        if not (folder / "overrides.yaml").is_file():
            continue
        before = read_overrides(folder)
        now = sweep.jobs[number] if number < len(sweep.jobs) else None
        if now is None or _values(now) != _values(before):
            typed = "has no such job" if now is None else f"makes it '{' '.join(now)}'"
            raise ConfigError(
                f"sweep=resume: in {sweep.folder} job {number} is '{' '.join(before)}'; what is "
                f"typed now {typed}"
            )


def _values(overrides: Sequence[str]) -> dict[str, Any]:
    return {each.key_or_group: each.value() for each in parse(overrides)}


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The first keys in which two configs differ, with both values."""
    old, new = dict(leaves(before)), dict(leaves(now))
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    keys = [key for key in keys if key not in NUMBERLESS]
    texts = [f"{key}={old.get(key)}, now {new.get(key)}" for key in keys[:_MOST_NAMED]]
    return "; ".join([*texts, *(["..."] if len(keys) > _MOST_NAMED else [])])
