"""Checks all jobs of a sweep before Hydra makes anything, and readies its overrides for Hydra.

Imports no torch.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.core.override_parser.types import Override, OverrideType, Quote, QuotedString, ValueType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from gan_runner import plugins
from gan_runner.compose import Composer
from gan_runner.errors import ConfigError
from gan_runner.overrides import parse, value_text

MOST_CHECKED = 200  # jobs checked one by one; of more, each choice of groups and each value singly
FOLDER = "hydra.sweep.dir"
_LONGEST_LABEL = 60  # characters of the names in a sweep folder's name


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A checked sweep.

    task: the overrides for Hydra, without its own. own: its own. jobs: the overrides of each; None
    where a sweeper of one's own decides. folder: of the sweep.
    """

    task: tuple[str, ...]
    own: tuple[str, ...]
    jobs: tuple[tuple[str, ...], ...] | None
    folder: Path

    @property
    def overrides(self) -> tuple[str, ...]:
        """What Hydra is handed."""
        where = QuotedString(text=str(self.folder), quote=Quote.single).with_quotes()
        return (*self.task, *self.own, f"{FOLDER}={where}")

    @property
    def num_jobs(self) -> int | None:
        """The number of jobs, where it is known."""
        return None if self.jobs is None else len(self.jobs)


def plan(composer: Composer, overrides: Sequence[str]) -> Sweep:
    """Check what the jobs of a sweep will be.

    Raises:
        ConfigError: one of them could not run; says which.
    """
    parsed = parse(overrides, sweep=True, loader=composer.loader)
    own = [each for each in parsed if each.is_hydra_override()]
    for each in own:
        if each.is_sweep_override():
            raise ConfigError(f"{each.input_line}: Hydra's own settings cannot be swept")
    typed = [each for each in parsed if not each.is_hydra_override()]
    fixed = [each for each in typed if not each.is_sweep_override()]
    hydra_groups, hydra_values = composer.split(own)
    fixed_groups, _ = composer.split(fixed)
    master = copy.deepcopy(composer.base([*fixed_groups, *hydra_groups]))
    for each in hydra_values:
        composer.apply(master, each)

    params = dict(OmegaConf.select(master, "hydra.sweeper.params") or {})
    task = [
        *parse((f"{key}={text}" for key, text in params.items()), sweep=True), *typed
    ]  # fmt: skip
    is_basic = master.hydra.runtime.choices["hydra/sweeper"] == "basic"
    values = {each.get_key_element(): _values(each, is_basic) for each in task}
    num_jobs = math.prod(len(each) for each in values.values() if each)
    names, any_auto = _check_jobs(composer, task, values, num_jobs)

    master.name = _label(names)
    _check_launcher(master.hydra)
    jobs = itertools.product(*(each for each in values.values() if each)) if is_basic else None
    return Sweep(
        task=tuple(_for_hydra(composer, each, typed, any_auto) for each in typed),
        own=tuple(each.input_line or "" for each in own if each.key_or_group != FOLDER),
        jobs=None if jobs is None else tuple(jobs),
        folder=Path(str(OmegaConf.select(master, FOLDER))),
    )


def _check_launcher(hydra: DictConfig) -> None:
    """Refuse settings with which the stacked launcher cannot work."""
    if hydra.runtime.choices["hydra/launcher"] != plugins.STACKED:
        return
    width, memory = hydra.launcher.width, hydra.launcher.memory
    if width < 1:
        raise ConfigError(f"hydra.launcher.width={width}: must be at least 1")
    if memory is not None and not 0 < memory < math.inf:
        raise ConfigError(f"hydra.launcher.memory={memory:g}: must be above 0 (GiB), or null")
    if hydra.job.chdir:
        raise ConfigError(
            "hydra.job.chdir=true: hydra/launcher=stacked trains jobs together, in one current "
            "folder"
        )


def _values(override: Override, is_basic: bool) -> list[str]:
    """The overrides of the jobs that one override of a sweep stands for."""
    key = override.get_key_element()
    if not override.is_sweep_override():
        return [f"{key}={override.get_value_element_as_str()}"]
    if not override.is_discrete_sweep():
        if is_basic:
            raise ConfigError(
                f"{override.input_line}: an interval has no end of values; list them (a,b,c) "
                "or use range(...)"
            )
        return []  # another sweeper's matter
    try:
        found = [f"{key}={text}" for text in override.sweep_string_iterator()]
    except HydraException as error:
        raise ConfigError(f"{override.input_line}: {error}") from None
    if not found:
        raise ConfigError(f"{override.input_line}: stands for no value")
    return found


def _check_jobs(
    composer: Composer,
    task: Sequence[Override],
    values: dict[str, list[str]],
    num_jobs: int,
) -> tuple[list[str], bool]:
    """Check the jobs; their names, and whether `network=auto` was settled in one of them."""
    groups = {each.get_key_element() for each in task if composer.is_group(each.key_or_group)}
    swept = {key for key, texts in values.items() if len(texts) > 1}
    names: dict[str, None] = {}
    any_auto = False
    ranges = {each.get_key_element() for each in task if each.value_type == ValueType.RANGE_SWEEP}
    for job in _jobs(values, groups, ranges, num_jobs):
        try:
            composed = composer.compose(job)
        except ConfigError as error:
            choice = [text for text in job if text.partition("=")[0] in swept]
            raise ConfigError(
                f"{error} (in the job {' '.join(choice)})" if choice else str(error)
            ) from None
        names[str(composed.config.name)] = None
        any_auto |= any(text.startswith("network=") for text in composed.settled)
    return list(names), any_auto


def _jobs(
    values: dict[str, list[str]], groups: set[str], ranges: set[str], num_jobs: int
) -> Iterator[list[str]]:
    """The jobs to check: all of them, or of many each choice of groups and each value singly."""
    given = {key: texts for key, texts in values.items() if texts}
    if num_jobs <= MOST_CHECKED:
        yield from (list(job) for job in itertools.product(*given.values()))
        return
    chosen = {key: texts for key, texts in given.items() if key in groups}
    others = {key: texts for key, texts in given.items() if key not in groups}
    for choice in itertools.product(*chosen.values()):
        first = {key: texts[0] for key, texts in others.items()}
        yield [*choice, *first.values()]
        for key, texts in others.items():
            # A range's first and last value bound the others.
            for text in texts[-1:] if key in ranges else texts[1:]:
                yield [*choice, *{**first, key: text}.values()]


def _for_hydra(
    composer: Composer, override: Override, typed: Sequence[Override], any_auto: bool
) -> str:
    """An override as Hydra's sweeper is to get it.

    Hydra composes the sweep once without its swept groups, where a key of another option does not
    exist (`-m model=srgan,mlp model.content=absolute_error`): as a choice of one, the value waits
    for the jobs. And it composes jobs before `network=auto` is settled: `++` lets keys of the
    network through, which our own composing then checks.
    """
    text = override.input_line or ""
    if composer.is_group(override.key_or_group) or override.type != OverrideType.CHANGE:
        return text
    key, value = override.get_key_element(), value_text(override)
    plus = "++" if any_auto and key.startswith("network.") else ""
    is_swept = any(
        each.is_sweep_override() and composer.is_group(each.key_or_group) for each in typed
    )
    if is_swept and "." in key and not override.is_sweep_override():
        if override.value() is None or "${" in value:
            return f"++{key}={value}"
        return f"{plus}{key}=choice({value})"
    return plus + text


def plain(override: str) -> str:
    """A job's override as it was typed, before `_for_hydra`."""
    return override.removeprefix("++")


def _label(names: Sequence[str]) -> str:
    """The jobs' names as part of one folder's name."""
    joined = "+".join(names)
    if len(joined) <= _LONGEST_LABEL:
        return joined
    return f"{names[0]}_and_{len(names) - 1}_more"
