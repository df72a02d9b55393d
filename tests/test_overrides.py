"""Overrides as typed: quoting, refusals, spelling."""

from __future__ import annotations

import pytest

from gan_runner.errors import ConfigError
from gan_runner.overrides import as_texts, did_you_mean, nearest, parse


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("dataset.path=my file.csv", "my file.csv"),
        ("dataset.path=my file (1).csv", "my file (1).csv"),
        ("resume=outputs/a=b", "outputs/a=b"),
        ("dataset.path=~/x.csv", "~/x.csv"),
        ("dataset.path=it's.csv", "it's.csv"),
        ("dataset.path=C:\\data (d)\\", "C:\\data (d)\\"),
        ("dataset.path=é#1.csv", "é#1.csv"),
        ("dataset.path='a,b.csv'", "a,b.csv"),
        ("training.batch_size=12", 12),
        ("network.generator.widths=[64,64]", [64, 64]),
        ("model.ema=null", None),
    ],
)
def test_value_is_what_was_typed(typed: str, value: object) -> None:
    (found,) = parse([typed])
    assert found.value() == value
    (again,) = parse(as_texts([found]))  # the quoted form says the same
    assert again.value() == value


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("foo", "'foo' is no override: key=value is wanted, such as model=vgan"),
        ("srgan", "'srgan' is no override: key=value is wanted, such as model=srgan"),
        ("=3", "=3: a key is wanted before the '='"),
        ("mo del=3", "mo del=3: 'mo del' cannot be a key"),
        ("a=[1,2", "a=[1,2: the value cannot be read"),
        ("a=range(3", "a=range(3: the value cannot be read"),
    ],
)
def test_refusals_name_the_override(typed: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse([typed])
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_refusal_shows_how_to_quote() -> None:
    with pytest.raises(ConfigError, match=r"\"a='\[1,2'\"$"):
        parse(["a=[1,2"])
    (found,) = parse(["a='[1,2'"])
    assert found.value() == "[1,2"


def test_sweeps_quote_each_value_apart() -> None:
    (found,) = parse(["dataset.path=é 1.csv,b=2.csv"], sweep=True)
    assert [parse([f"x={text}"])[0].value() for text in found.sweep_string_iterator()] == [
        "é 1.csv",
        "b=2.csv",
    ]
    (single,) = parse(["dataset.path=é 1.csv,b=2.csv"])
    assert single.value() == "é 1.csv,b=2.csv"


def test_nearest_word() -> None:
    assert nearest("srgn", ["vgan", "srgan"]) == "srgan"
    assert nearest("xyz", ["vgan", "srgan"]) is None
    assert did_you_mean("srgn", ["srgan"]) == " Did you mean 'srgan'?"
    assert did_you_mean("xyz", ["srgan"]) == ""


@pytest.mark.parametrize(
    ("typed", "value"), [("a=5_4", "5_4"), ("a=5_4x", "5_4x"), ("a=54", 54), ("a='5_4'", "5_4")]
)
def test_digits_joined_by_underscores_stay_a_text(typed: str, value: str | int) -> None:
    (parsed,) = parse([typed])
    assert parsed.value() == value


def test_joined_digits_in_a_sweep() -> None:
    (parsed,) = parse(["a=5_4,2_2"], sweep=True)
    assert list(parsed.sweep_string_iterator()) == ["'5_4'", "'2_2'"]
