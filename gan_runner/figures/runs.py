"""A figure's runs: their configs, which of them are there already, and the commands for the rest.

A run is there if a folder under `outputs` holds one of the same config, finished; the device and
its threads do not count, for they round differently but compute the same.
"""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_runner import conf_files, result
from gan_runner.figures.figure import Arm, Figure, Material, Trained
from gan_runner.studies import runs as folders
from gan_runner.studies.study_command import Scale

if TYPE_CHECKING:
    from gan_runner.compose import Composer

FINISHED = (folders.COMPLETED, "failed")  # a failure would come again: runs are deterministic
# At scale smoke: runs of a few steps, measured on a few samples.
SMOKE = (
    "training.epochs=null", "training.steps=10", "training.log_every=1", "training.sample_every=5",
    "metrics.num_generated=100", "metrics.num_real=100",
)  # fmt: skip
SMOKE_SEEDS = 1
_UNSAID = ("device", "metrics", "name")  # sections that change nothing of what is learned
OUTPUTS = "outputs"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked for. seeds: None is each figure's own. at_once: runs at the same time."""

    out: Path
    scale: Scale = "cpu"
    seeds: int | None = None
    device: str = "cpu"
    at_once: int = 1

    @property
    def folder(self) -> Path:
        """Where figures go; those of scale smoke tell nothing, and stand apart."""
        return self.out / "smoke" if self.scale == "smoke" else self.out

    @property
    def roots(self) -> tuple[Path, ...]:
        """Where runs are looked for: `out`, and the folder named outputs that it lies in."""
        above = [each for each in self.out.absolute().parents if each.name == OUTPUTS]
        return (self.out, *above[:1])

    @property
    def threads(self) -> tuple[str, ...]:
        """What keeps several runs on one CPU out of each other's way."""
        return ("device.threads=1",) if self.device == "cpu" else ()


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A run that a figure needs. key: what it computes. words: the command line, but its seed.

    after: key of the run whose weights are the first.
    """

    key: str
    seed: int
    words: tuple[str, ...]
    label: str
    stacked: bool
    after: str | None = None


@dataclass(frozen=True, kw_only=True)
class Job:
    """A `gan-run` command: one run, or several seeds of an arm as a stack. keys: of its runs.

    after: key of the run that it starts from, which must be there first.
    """

    words: tuple[str, ...]
    folder: Path
    keys: tuple[str, ...]
    label: str
    after: str | None = None


def wanted(figure: Figure, request: Request) -> dict[str, tuple[Wanted, ...]]:
    """The runs of a figure's arms, by arm.

    Raises:
        ValueError: an arm's config is refused.
    """
    seeds = request.seeds or figure.seeds
    if request.scale == "smoke" and request.seeds is None:
        seeds = min(seeds, SMOKE_SEEDS)
    found: dict[str, tuple[Wanted, ...]] = {}
    for label, arm in figure.arms.items():
        first = found[arm.after] if arm.after is not None else None
        found[label] = _of_arm(arm, f"{figure.id}, {label}", range(seeds), request, first)
    return found


def words(arm: Arm, request: Request) -> tuple[str, ...]:
    """An arm's command line without its seed."""
    typed = [f"device={request.device}", *request.threads, *arm.overrides]
    if arm.experiment is not None:
        small = f"{arm.experiment}_cpu"
        has_small = small in conf_files.options("experiment", ())
        chosen = arm.experiment if request.scale == "full" or not has_small else small
        typed.insert(0, f"experiment={chosen}")
    if request.scale != "full":
        typed += arm.cpu
    if request.scale == "smoke":
        typed += [*SMOKE, "metrics.every=5" if arm.along else "metrics.every=null"]
        typed += arm.smoke
    return tuple(typed)


def changed(arm: Arm, request: Request) -> str:
    """What scale cpu changes of an arm's full form, such as "training.epochs 50 to 10"."""
    if request.scale != "cpu":
        return ""
    full, own = (_settings(_composed(words(arm, each)))
                 for each in (replace(request, scale="full"), request))  # fmt: skip
    names = [each for each in {**full, **own} if each.partition(".")[0] not in _UNSAID]
    return ", ".join(
        f"{name} {full.get(name, 'none')} to {own.get(name, 'none')}"
        for name in sorted(names) if full.get(name) != own.get(name)
    )  # fmt: skip


def _settings(config: Mapping[str, Any]) -> dict[str, str]:
    """The settings of a config by their full names, nulls and names of presets left out."""
    return {
        name: f"{value:g}" if isinstance(value, float) else f"{value}"
        for name, value in result.leaves(config)
        if value is not None and name.rpartition(".")[2] != "name"
    }


def key(config: Mapping[str, Any]) -> str:
    """What a config computes, wherever: its hash but for the device, its threads and nulls.

    A run folder that the first weights are from stands for what it computed. An option that came
    after a run, null unless it is asked for, does not make it another run.
    """
    section = config.get("device") or {}
    training = dict(config["training"])
    source = training.get("init_from")
    if source is not None and (Path(source) / folders.CONFIG).is_file():
        training["init_from"] = _after(key(folders.read(Path(source)).config))
    changed = {"device": section.get("precision", "fp32"), "training": training}
    return result.config_hash(_without_nulls({**config, **changed}))


def _without_nulls(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _without_nulls(value) if isinstance(value, Mapping) else value
        for name, value in config.items()
        if value is not None
    }


def _after(key: str) -> str:
    """What stands in a config for a run whose weights are the first."""
    return f"after {key}"


def _of_arm(
    arm: Arm, label: str, seeds: range, request: Request, first: Sequence[Wanted] | None
) -> tuple[Wanted, ...]:
    typed = words(arm, request)
    plain = _composed(typed)
    found = []
    for seed in seeds:
        config = copy.deepcopy(plain)
        config["training"]["seed"] = seed
        after = None if first is None else first[seed].key
        if after is not None:
            config["training"]["init_from"] = _after(after)
        found.append(
            Wanted(
                key=key(config), seed=seed, words=typed, label=label, after=after,
                stacked=arm.stacked and after is None,
            )
        )  # fmt: skip
    return tuple(found)


@cache
def _composed(typed: tuple[str, ...]) -> dict[str, Any]:
    """The config of a command line; figures share arms, and composing takes half a second."""
    from gan_runner.run_folder import plain_config, with_absolute_paths

    return with_absolute_paths(plain_config(_composer().compose(list(typed)).config))


@cache
def _composer() -> Composer:
    from gan_runner.compose import Composer  # imports Hydra

    return Composer()


class Store:
    """Finished runs under some folders, by what they compute."""

    def __init__(self, *roots: Path) -> None:
        self._found: dict[str, Trained] = {}
        for root in roots:
            if root.is_dir():
                self.add(root)

    def add(self, root: Path) -> None:
        """Read the runs in a folder. Completed ones go before failed ones."""
        for folder in folders.find([root]):
            try:
                run = folders.read(folder)
            except (OSError, ValueError):
                continue
            if run.status not in FINISHED:
                continue
            own = key(run.config)
            if own not in self._found or self._found[own].error is not None:
                self._found[own] = Trained(
                    folder=folder,
                    seed=run.seed,
                    config_hash=result.config_hash(run.config),
                    values=run.values,
                    protocols=run.protocols,
                    error=run.error if run.status != folders.COMPLETED else None,
                    steps=int(result.read_result(folder)["step"]),
                )

    def get(self, key: str) -> Trained | None:
        """The run that computes this, if it is there."""
        found = self._found.get(key)
        return found if found is not None and found.folder.is_dir() else None

    def material(self, needed: Mapping[str, Sequence[Wanted]], scale: Scale) -> Material | None:
        """A figure's runs; None where one is not there."""
        runs: dict[str, tuple[Trained, ...]] = {}
        for arm, each in needed.items():
            found = [self.get(one.key) for one in each]
            there = tuple(one for one in found if one is not None)
            if len(there) < len(each):
                return None
            runs[arm] = there
        return Material(scale=scale, runs=runs)


def ready(job: Job, store: Store) -> Job | None:
    """A job that can begin, with the run that it starts from named; None where it must wait."""
    if job.after is None:
        return job
    found = store.get(job.after)
    if found is None:
        return None
    typed = (*job.words, f"training.init_from={found.folder.resolve()}")
    return replace(job, words=typed, after=None)


def jobs(needed: Sequence[Wanted], store: Store, folder: Path) -> list[Job]:
    """The commands that make what is not there; a run that two figures want is made once."""
    missing = {each.key: each for each in needed if store.get(each.key) is None}
    made: list[Job] = []
    stacks: dict[tuple[str, ...], list[Wanted]] = {}
    for each in missing.values():
        if each.stacked:
            stacks.setdefault(each.words, []).append(each)
        else:
            made.append(_job([each], folder))
    return [*(_job(each, folder) for each in stacks.values()), *made]


def _job(runs: list[Wanted], folder: Path) -> Job:
    """One run; or all seeds between the first and the last that is missing, as one stack."""
    first, last = min(each.seed for each in runs), max(each.seed for each in runs)
    num = last - first + 1
    keys = tuple(each.key for each in runs)
    short = hashlib.sha256("".join(sorted(keys)).encode()).hexdigest()[:10]
    label = runs[0].label + (f", seed {first}" if num == 1 else f", seeds {first} to {last}")
    place = folder / f"{_plain(runs[0].label)}_{short}"
    typed = (*runs[0].words, f"training.seed={first}")
    typed += (f"training.seeds={num}",) if num > 1 else ()
    return Job(words=typed, folder=place, keys=keys, label=label, after=runs[0].after)


def _plain(text: str) -> str:
    """A folder's name."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
