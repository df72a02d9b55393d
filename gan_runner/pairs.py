"""Checks that the choices of a config fit each other: model, data, network, penalty, metrics.

Every refusal says what would fit. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gan_runner import conf_files, registry
from gan_runner.checks import as_typed
from gan_runner.errors import ConfigError
from gan_runner.facts import facts_of_config
from gan_runner.overrides import listed

_DATA_WORDS = {"real": "data", "low": "paired data", "label": "labels"}
_NEED_WORDS = {
    "samples": "samples of data",
    "modes": "data whose modes are known",
    "pairs": "a model of paired data",
    "toy": "a game without data",
    "images": "images",
    "classifier": "images that a classifier knows (metrics.classifier=<file>)",
    "stacked": "stacked images",
    "photographs": "a model of pairs of images",
    "features": "a network's features (metrics.features=<network>)",
    "labels": "a model that is asked for classes",
    "codes": "a model whose codes can be read back",
}


def check_pairs(
    config: DictConfig, choices: Mapping[str, Any], config_dirs: Sequence[Path] = ()
) -> None:
    """Refuse choices that do not fit each other.

    Args:
        config: resolved; its names are registered.
        choices: the option chosen in each group, for the messages.
        config_dirs: folders of the user's own options.

    Raises:
        ConfigError: names both sides, and what would fit.
    """
    said = {group: f"{group}={option}" for group, option in choices.items()}
    algorithm = registry.lookup("algorithms", config.model.algorithm)
    builder = registry.lookup("datasets", config.dataset.builder)
    provided = algorithm.given(builder, config.dataset)
    lacking = sorted(algorithm.needs - provided)
    if not lacking and algorithm.needs_any and not algorithm.needs_any & provided:
        known = _DATA_WORDS | (
            {} if builder.kind in algorithm.paired_kinds
            else {"low": f"paired {_kinds(algorithm.paired_kinds)}"}
        )  # fmt: skip
        words = " or ".join(known.get(key, key) for key in sorted(algorithm.needs_any))
        fitting = _fitting_datasets(algorithm, config_dirs)
        raise ConfigError(
            f"{said['model']} needs {words}, which {said['dataset']} has not. "
            f"Datasets that fit: {listed(fitting)}"
        )
    if lacking:
        words = listed(_DATA_WORDS.get(key, key) for key in lacking)
        raise ConfigError(
            f"{said['model']} needs {words} ({listed(lacking)}), which {said['dataset']} has not. "
            f"Datasets that fit: {listed(_fitting_datasets(algorithm, config_dirs))}"
        )
    _check_network(config, said, algorithm, builder, config_dirs)
    _check_metrics(config, said, builder)
    _check_training(config, builder)
    if algorithm.adversarial:
        _check_game(config, said)
    _check_schedule(config)


def _check_network(
    config: DictConfig,
    said: Mapping[str, str],
    algorithm: Any,
    builder: Any,
    config_dirs: Sequence[Path],
) -> None:
    families = registry.table("networks")
    name = config.network.name
    playable = {key: families[key] for key in algorithm.networks if key in families}
    kinds = frozenset().union(*(family.kinds for family in playable.values()))
    if builder.kind not in kinds:
        datasets = _datasets(lambda each: each.kind in kinds, config_dirs)
        raise ConfigError(
            f"{said['model']} plays with {_kinds(kinds)}, and {said['dataset']} has "
            f"{_kinds([builder.kind])}. Datasets that fit: {listed(datasets)}"
        )
    if name not in playable or builder.kind not in families[name].kinds:
        fitting = [
            option
            for option in conf_files.options("network", config_dirs)
            if (family := conf_files.value_of("network", option, "name", config_dirs)) in playable
            and builder.kind in playable[family].kinds
        ]
        raise ConfigError(
            f"{said['network']} does not go with {said['model']} {said['dataset']}. "
            f"Networks that fit: {listed(fitting)}"
        )


def _check_metrics(config: DictConfig, said: Mapping[str, str], builder: Any) -> None:
    facts, section = facts_of_config(config), config.metrics
    for name in section.get("names") or ():
        lacking = sorted(registry.METRICS[name].needs - facts)
        if lacking:
            fitting = [key for key, metric in registry.METRICS.items() if metric.needs <= facts]
            raise ConfigError(
                f"metrics.names=[{name}] needs {_NEED_WORDS[lacking[0]]}, not {said['model']} "
                f"{said['dataset']}. Metrics that fit: {listed(fitting)}"
            )
    if section.get("classifier") is not None and builder.kind != "images":
        raise ConfigError(
            f"metrics.classifier={section.classifier}: {said['dataset']} has "
            f"{_kinds([builder.kind])}, and classifiers know images"
        )
    if section.get("checkpoint") == "best" and section.get("every") is None:
        raise ConfigError("metrics.checkpoint=best needs metrics.every=<steps> to pick from")


def _check_training(config: DictConfig, builder: Any) -> None:
    training = config.training
    if training.get("steps") is None and training.get("epochs") is None:
        raise ConfigError("training.steps or training.epochs must be given: both are null")
    if builder.kind == "none" and training.get("steps") is None:
        raise ConfigError(
            f"training.epochs={as_typed(training.epochs)}: a game without data has no epochs; "
            "give training.steps"
        )


def _check_game(config: DictConfig, said: Mapping[str, str]) -> None:
    model = config.model
    if model.get("share_fakes"):
        for key, wanted in (("update", "alternating"), ("critic_steps", 1)):
            if model.get(key, wanted) != wanted:
                raise ConfigError(
                    f"model.share_fakes=true needs model.{key}={wanted}, not {model[key]}"
                )
        if model.get("path_weight"):
            raise ConfigError(
                "model.share_fakes=true does not go with path lengths, a second term of G: use "
                "model.path_weight=0"
            )
    pack, batch_size = model.get("pack", 1), config.training.batch_size
    if batch_size % pack:
        raise ConfigError(
            f"model.pack={pack}: must divide training.batch_size={batch_size} "
            f"(as {batch_size - batch_size % pack or pack} would)"
        )
    for role in ("generator", "discriminator"):
        architecture = OmegaConf.select(config, f"network.{role}.architecture")
        if model.get("grows") and architecture not in (None, "plain"):
            raise ConfigError(
                f"network.{role}.architecture={architecture}: does not go with model.grows=true; "
                f"use model.grows=false or network.{role}.architecture=plain"
            )
    norm = OmegaConf.select(config, "network.discriminator.norm")
    if norm == "batch" and config.penalty.name != "none":
        raise ConfigError(
            f"network.discriminator.norm=batch does not go with {said['penalty']}: its gradients "
            "are of single samples; use norm layer or none"
        )


def _check_schedule(config: DictConfig) -> None:
    schedule = config.optimizer.get("schedule")
    if schedule is None:
        return
    if schedule.name != "piecewise":
        if schedule.restart:
            raise ConfigError(
                "optimizer.schedule.restart=true needs optimizer.schedule.name=piecewise, "
                f"not {schedule.name}"
            )
        return
    boundaries, factors = list(schedule.boundaries), list(schedule.factors)
    if len(factors) != len(boundaries) + 1:
        raise ConfigError(
            f"optimizer.schedule.factors={as_typed(factors)}: {len(boundaries) + 1} are wanted, "
            f"one more than boundaries={as_typed(boundaries)}"
        )
    if any(later <= earlier for earlier, later in pairwise(boundaries)):
        raise ConfigError(f"optimizer.schedule.boundaries={as_typed(boundaries)}: must increase")


class _Recorded(dict[str, Any]):
    """A section that remembers which keys a builder's `provides` asked for."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        super().__init__(given)
        self.asked: list[str] = []

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.append(key)
        return super().get(key, default)


def _fitting_datasets(algorithm: Any, config_dirs: Sequence[Path]) -> Iterator[str]:
    """Options of `dataset` that provide what is needed, with the condition on which they do so."""

    def fits(provided: frozenset[str]) -> bool:
        wanted = algorithm.needs_any
        return algorithm.needs <= provided and (not wanted or bool(wanted & provided))

    def on_condition(builder: Any) -> bool | str:
        section = _Recorded({})
        provided = algorithm.given(builder, section)
        if fits(provided):
            return True
        fitting = (key for key in section.asked if fits(algorithm.given(builder, {key: "0"})))
        conditions = [f"with dataset.{key}" for key in fitting]
        conditions += [when for key, when in builder.may_provide.items() if fits(provided | {key})]
        return f" ({conditions[0]})" if conditions else False

    return _datasets(on_condition, config_dirs)


def _datasets(fits: Callable[[Any], bool | str], config_dirs: Sequence[Path]) -> Iterator[str]:
    """Options of `dataset` whose builder fits; a text says on which condition it does."""
    for option in conf_files.options("dataset", config_dirs):
        name = conf_files.value_of("dataset", option, "builder", config_dirs)
        builder = registry.table("datasets").get(name or "")
        if builder is not None and (answer := fits(builder)):
            yield option + (answer if isinstance(answer, str) else "")


def _kinds(kinds: Iterable[str]) -> str:
    return listed("no data" if kind == "none" else kind for kind in sorted(kinds))
