"""What the zoo tries: found by composing, refused with reasons, nothing lost."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gan_runner import conf_files
from gan_runner.compose import Composed, Composer
from gan_runner.errors import ConfigError
from gan_runner.studies import zoo_choices
from gan_runner.studies.zoo_choices import Choice, Combination, choose

COMMON = ("dataset=digits", "training.steps=8")
POSSIBLE = len(conf_files.options("loss")) * len(conf_files.options("penalty"))


@pytest.fixture(scope="module")
def composer() -> Composer:
    return Composer()


@pytest.fixture(scope="module")
def few(composer: Composer) -> Choice:
    return choose("few", COMMON, composer.compose)


def _total(choice: Choice) -> int:
    return len(choice.combinations) + choice.same + choice.refused + choice.left_out


def test_every_combination_is_counted_once(few: Choice) -> None:
    without = {"mlp", "srresnet", "bilinear"}  # games that use neither a loss nor a penalty
    models = conf_files.options("model")
    assert _total(few) == (len(models) - len(without)) * POSSIBLE + len(without)


def test_models_of_other_data_are_refused_with_the_reason(few: Choice) -> None:
    found = {each.what: each for each in few.refusals}
    assert found["srgan"].count == POSSIBLE
    assert "needs paired data (low), which dataset=digits has not" in found["srgan"].reason
    assert found["mlp"].count == 1  # no adversary: loss and penalty play no part
    assert "plays with no data" in found["bilinear"].reason


def test_networks_are_small_and_metrics_fit(few: Choice, composer: Composer) -> None:
    own = next(each for each in few.combinations if each.own)
    config = composer.compose(own.overrides).config
    assert config.network.generator.width == 16
    assert list(config.metrics.names) == list(zoo_choices.METRICS)
    labelled = composer.compose(["model=acgan", *COMMON]).config
    assert zoo_choices._metrics(labelled).endswith("coverage,label_agreement]")


def test_a_refused_pair_is_listed(composer: Composer) -> None:
    def compose(words: Sequence[str]) -> Composed:
        if "loss=hinge" in words:
            raise ConfigError("loss=hinge: not today")
        return composer.compose(words)

    choice = choose("few", COMMON, compose)
    (refused,) = (each for each in choice.refusals if each.what.endswith("hinge, none"))
    assert (refused.count, refused.reason) == (1, "loss=hinge: not today")
    assert all(each.loss != "hinge" for each in choice.combinations)


def test_what_computes_the_same_is_one(composer: Composer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo_choices, "_key", lambda config: str(config.penalty.name))
    choice = choose("few", COMMON, composer.compose)
    (plain,) = (each for each in choice.combinations if each.penalty == "none")
    assert plain.own
    assert [each.rpartition(", ")[0] for each in plain.also] == [f"{plain.model}, hinge"]
    assert choice.same == 1


def test_rules() -> None:
    def model(stacks: bool) -> zoo_choices._Model:
        return zoo_choices._Model(
            name="m", loss="nonsaturating_smoothed", penalty="none", algorithm="adversarial",
            network="dcgan", stacks=stacks,
        )  # fmt: skip

    losses, penalties = len(zoo_choices._plain("loss")), len(zoo_choices._plain("penalty"))
    assert losses < len(conf_files.options("loss"))
    num = {
        (rule, default, base, stacks): len(zoo_choices._pairs(model(stacks), rule, default, base))
        for rule in ("families", "all")
        for default, base, stacks in (
            (True, True, True), (False, True, True), (False, True, False), (False, False, True)
        )
    }  # fmt: skip
    assert num["families", True, True, True] == losses * penalties + 1
    assert num["families", False, True, True] == losses + penalties
    assert num["families", False, True, False] == num["families", False, False, True] == 1
    assert {each for key, each in num.items() if key[0] == "all"} == {POSSIBLE}


@pytest.mark.slow
def test_every_model_of_images_is_in_the_families() -> None:
    choice = choose("families", COMMON)
    models = {each.model for each in choice.combinations}
    assert models | {each.what for each in choice.refusals} == set(conf_files.options("model"))
    assert {each.model for each in choice.combinations if each.own} == models
    assert len(choice.combinations) < 200
    labels = [each.label for each in choice.combinations]
    assert len(set(labels)) == len(labels)


def test_arm() -> None:
    one = Combination(model="a", loss="b", penalty="c", overrides=("model=a",))
    assert one.arm((0, 2)).name == "a-b-c"
    assert one.arm((0, 2)).seeds == (0, 2)
