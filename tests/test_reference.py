"""docs/configuration.md: fresh, complete, and what its values say."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from gan_runner import conf_files, reference, schema
from gan_runner.compose import compose_run
from gan_runner.schema import SCHEMAS

PAGE = reference.text()


def test_the_pages_are_fresh() -> None:
    assert list(reference.stale()) == [], "stale pages: write them anew with `make docs`"


@pytest.mark.parametrize("group", conf_files.GROUPS)
def test_every_option_and_key_is_there(group: str) -> None:
    section = PAGE.partition(f"\n## {group}\n")[2].partition("\n## ")[0]
    options, *tables = section.split("\n### ")
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| .* \|$", options, re.M)
    assert [name for name, _ in rows] == list(conf_files.options(group))
    assert all(comment for _, comment in rows)
    keys = set(re.findall(rf"^\| `{group}\.([\w.]+)` \| .+ \| .+ \| .* \| .+ \|$", section, re.M))
    for kind in SCHEMAS.get(group, {}).values():
        for entry in fields(kind):
            assert any(key == entry.name or key.startswith(f"{entry.name}.") for key in keys)
    assert len(tables) == len(SCHEMAS.get(group, {}))


def test_rows_say_type_default_range_and_meaning() -> None:
    assert (
        "| `model.clip` | a number or null | `null` | above 0 | D's weights are clipped to "
        "[-clip, clip] after its update (WGAN); null: not |"
    ) in PAGE
    assert "| `optimizer.schedule.name` | a text | `constant` | one of constant, linear, " in PAGE
    assert "| `dataset.path` | a text | must be given |  | the file, .csv or .npy; " in PAGE


def test_tables_are_not_broken_by_bars_or_tags() -> None:
    for line in PAGE.splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) in (4, 6), line
            assert "<" not in line


def test_what_an_option_writes_is_what_typing_it_does() -> None:
    """An option's own words, typed one by one, compose to the config that the option makes."""
    for option in ("dcgan_mnist_cpu", "ring8_wgan_gp", "stylegan_mnist_cpu", "mnist_fig10"):
        words = list(reference.written("experiment", option))
        length = [word for word in words if word.startswith(("training.epochs", "training.steps"))]
        words = [word for word in words if word not in length or not word.endswith("null")]
        assert {**compose_run([f"experiment={option}"]), "name": ""} == {
            **compose_run(words),
            "name": "",
        }


def test_what_a_model_writes() -> None:
    assert list(reference.written("model", "wgan")) == [
        "model=vgan", "loss=wasserstein", "optimizer=rmsprop_wgan", "model.critic_steps=5",
        "model.clip=0.01",
    ]  # fmt: skip
    assert "penalty.name=r1" in set(reference.written("penalty", "r1_lazy"))
    assert "model.content_layer=5_4" in set(reference.written("experiment", "srgan_cbsd68"))


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    monkeypatch.setattr(reference, "PAGE", page)
    assert reference.main(["--check"]) == 1
    assert "page.md is stale" in capsys.readouterr().err
    assert reference.main([]) == 0
    assert page.read_text(encoding="utf-8") == PAGE
    assert reference.main(["--check"]) == 0
    page.write_text(PAGE.replace("vanilla", "plain"), encoding="utf-8")
    assert reference.main(["--check"]) == 1
    monkeypatch.setattr(reference, "PAGE", tmp_path / "no" / "page.md")
    assert reference.main([]) == 1


def test_a_new_key_makes_the_page_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    assert reference.text() == PAGE
    monkeypatch.setitem(schema.SCHEMAS["optimizer"], "sgd", schema.Adam)
    assert reference.text() != PAGE
