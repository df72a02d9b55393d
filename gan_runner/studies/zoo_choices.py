"""Which combinations of model, loss and penalty the zoo trains, found by composing them.

No list of names: the options are the files of `conf/`, and what does not go together is refused by
the composer, whose reason is kept. Combinations that compute the same are one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from omegaconf import DictConfig, OmegaConf

from gan_runner import conf_files, registry, stackable
from gan_runner.compose import Composed, Composer
from gan_runner.errors import ConfigError
from gan_runner.facts import facts_of_config
from gan_runner.result import config_hash
from gan_runner.run_folder import plain_config
from gan_runner.studies.experiments import Arm

Rule = Literal["few", "families", "all"]
RULES: Mapping[Rule, str] = {
    "few": "the default model's own setting, two other losses and one penalty",
    "families": "the default model with every loss x every penalty; of each other family (an "
    "algorithm and a kind of network) whose seeds can be trained as a stack one model, with its "
    "own loss and penalty and with either of them varied alone; every other model with its own. "
    "An option that differs from another one in its numbers alone is left out, unless it is a "
    "model's own",
    "all": "every model x every loss x every penalty",
}
# Numbers of networks that are cut to at most so much, whichever network has them.
SIZES = {
    "generator.width": 16, "generator.max_width": 64, "generator.dense": 128,
    "discriminator.width": 16, "discriminator.max_width": 64, "discriminator.dense": 128,
    "mapping.style_size": 64,
}  # fmt: skip
METRICS = ("classifier_score", "frechet_classifier_distance", "coverage")


@dataclass(frozen=True, kw_only=True, order=True)
class Combination:
    """A model with a loss and a penalty, by their options' names.

    also: others that compute the same. own: whether the model's own setting is among them.
    """

    model: str
    loss: str
    penalty: str
    overrides: tuple[str, ...] = field(default=(), compare=False)
    own: bool = field(default=False, compare=False)
    also: tuple[str, ...] = field(default=(), compare=False)

    @property
    def label(self) -> str:
        """The three words."""
        return f"{self.model}, {self.loss}, {self.penalty}"

    def arm(self, seeds: Sequence[int]) -> Arm:
        """Its runs."""
        name = f"{self.model}-{self.loss}-{self.penalty}"
        return Arm(name=name, overrides=self.overrides, seeds=tuple(seeds))


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Combinations that do not compose. what: a model, or a model with loss and penalty."""

    what: str
    count: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What a rule came to. left_out: combinations that were not tried; same: merged ones."""

    combinations: tuple[Combination, ...]
    refusals: tuple[Refusal, ...]
    left_out: int
    same: int

    @property
    def refused(self) -> int:
        """Number of combinations that do not compose."""
        return sum(each.count for each in self.refusals)


@dataclass(frozen=True, kw_only=True)
class _Model:
    """A model in its own setting. network: its kind. stacks: whether its seeds train together."""

    name: str
    loss: str
    penalty: str
    algorithm: str
    network: str
    stacks: bool

    @property
    def family(self) -> tuple[str, str]:
        return self.algorithm, self.network


Compose = Callable[[Sequence[str]], Composed]


def choose(rule: Rule, common: Sequence[str], compose: Compose | None = None) -> Choice:
    """Compose what a rule asks for, with overrides that all have in common (the data, the length).

    compose: default: a `Composer` of the packaged options.
    """
    compose = compose or Composer().compose
    losses, penalties = list(conf_files.options("loss")), list(conf_files.options("penalty"))
    every = len(losses) * len(penalties)
    default = str(compose(common).choices["model"])
    models, refusals = _models(common, compose, every)
    bases = _bases(models, default)
    found: dict[str, Combination] = {}
    tried = same = 0
    for model in models:
        pairs = _pairs(model, rule, model.name == default, model in bases)
        tried += len(pairs)
        for loss, penalty in pairs:
            typed = (f"model={model.name}", *common, f"loss={loss}", f"penalty={penalty}")
            own = (loss, penalty) == (model.loss, model.penalty)
            one = Combination(model=model.name, loss=loss, penalty=penalty, own=own)
            try:
                composed = compose(typed)
                small = (*typed, *_sizes(composed.config), _metrics(composed.config))
                key = _key(compose(small).config)
            except ConfigError as error:
                refusals.append(Refusal(what=one.label, count=1, reason=str(error)))
                continue
            first = found.get(key)
            same += first is not None
            found[key] = _joined(first, replace(one, overrides=small))
    possible = sum(len(_all_pairs(each)) for each in models)
    # A study that is stopped early has told of every model, then of every loss and penalty alone.
    owns = {each.name: each for each in models}
    ordered = sorted(
        found.values(),
        key=lambda each: (
            _steps_away(each, owns[each.model]),
            not owns[each.model].stacks,
            each.model != default,
        ),
    )
    return Choice(
        combinations=tuple(ordered), refusals=tuple(refusals),
        left_out=possible - tried, same=same,
    )  # fmt: skip


def _steps_away(each: Combination, model: _Model) -> int:
    """How many of loss and penalty are not the model's own."""
    return (each.loss != model.loss) + (each.penalty != model.penalty)


def _models(
    common: Sequence[str], compose: Compose, every: int
) -> tuple[list[_Model], list[Refusal]]:
    """Models that the data suit, and a refusal for each that they do not."""
    models, refusals = [], []
    for name in conf_files.options("model"):
        try:
            composed = compose([f"model={name}", *common])
        except ConfigError as error:
            adversarial = _plays(conf_files.value_of("model", name, "algorithm"))
            count = every if adversarial else 1
            refusals.append(Refusal(what=name, count=count, reason=str(error)))
            continue
        chosen, config = composed.choices, composed.config
        models.append(_Model(
            name=name, loss=str(chosen["loss"]), penalty=str(chosen["penalty"]),
            algorithm=str(config.model.algorithm), network=str(config.network.name),
            stacks=stackable.reason_not(plain_config(config)) is None,
        ))  # fmt: skip
    return models, refusals


def _bases(models: Sequence[_Model], default: str) -> list[_Model]:
    """Of each family the default model if it is one of them, else the first by name."""
    found: dict[tuple[str, str], _Model] = {}
    for each in models:
        if each.family not in found or each.name == default:
            found[each.family] = each
    return list(found.values())


def _pairs(model: _Model, rule: Rule, is_default: bool, is_base: bool) -> list[tuple[str, str]]:
    """Losses and penalties that a rule tries with a model."""
    own = (model.loss, model.penalty)
    if rule == "few":
        pairs = [own, ("hinge", own[1]), ("wasserstein", "gradient_penalty"), (own[0], "r1")]
        return pairs if is_default else []
    if rule == "all" or not _plays(model.algorithm):
        return _all_pairs(model)
    losses, penalties = _plain("loss"), _plain("penalty")
    if is_default:
        pairs = [own, *((loss, penalty) for loss in losses for penalty in penalties)]
    elif is_base and model.stacks:
        pairs = [own, *((loss, own[1]) for loss in losses), *((own[0], each) for each in penalties)]
    else:
        pairs = [own]
    return list(dict.fromkeys(pairs))


def _all_pairs(model: _Model) -> list[tuple[str, str]]:
    """Every loss with every penalty; the own ones of a game that has no use for them."""
    if not _plays(model.algorithm):
        return [(model.loss, model.penalty)]
    penalties = conf_files.options("penalty")
    return [(loss, penalty) for loss in conf_files.options("loss") for penalty in penalties]


def _plain(group: str) -> list[str]:
    """Options that are called as what they stand for: others differ from those in numbers."""
    options = conf_files.options(group)
    return [each for each in options if conf_files.value_of(group, each, "name") == each]


def _plays(algorithm: str | None) -> bool:
    entry = registry.table("algorithms").get(algorithm or "")
    return entry is None or bool(entry.adversarial)


def _joined(first: Combination | None, other: Combination) -> Combination:
    """Two that compute the same: the one that is a model's own goes first."""
    if first is None:
        return other
    if other.own and not first.own:
        first, other = replace(other, also=first.also), first
    return replace(first, also=(*first.also, other.label))


def _sizes(config: DictConfig) -> Iterator[str]:
    for key, most in SIZES.items():
        value = OmegaConf.select(config, f"network.{key}")
        if isinstance(value, int) and value > most:
            yield f"network.{key}={most}"


def _metrics(config: Any) -> str:
    """The metrics of the table: agreement with the label where a model is asked for one."""
    labels = ("label_agreement",) if "labels" in facts_of_config(config) else ()
    return f"metrics.names=[{','.join((*METRICS, *labels))}]"


def _key(config: DictConfig) -> str:
    """What a config computes, whatever its model is called."""
    plain = plain_config(config)
    return config_hash({**plain, "model": {**plain["model"], "name": ""}})
