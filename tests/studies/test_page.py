"""The page: whole, safe, and without anything from elsewhere."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from gan_runner.studies import Report, report
from gan_runner.studies.page import html

Make = Callable[..., Path]
VOID = {"meta"}
CSV = "step,epoch,loss/D,metrics/mse\n10,1,1.5,\n20,2,1.2,0.4\n30,3,1.1,0.3\n"


class Balanced(HTMLParser):
    """Every tag is closed in order; remembers the tags and the words."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture
def found(make: Make, tmp_path: Path) -> Report:
    """Two models at two rates, seven seeds each; one run failed."""
    for model in ("srgan", "mlp"):
        for rate in (0.0001, 0.01):
            for seed in range(7):
                value = seed + (model == "mlp") + seed * rate
                make(f"{model}{rate}/{seed}", model=model, seed=seed, mse=value, csv=CSV,
                     **{"optimizer.lr": rate})  # fmt: skip
    make("mlp0.01/7", model="mlp", seed=7, status="failed", error="<script>alert(1)</script> & co",
         **{"optimizer.lr": 0.01})  # fmt: skip
    return report([tmp_path], reference="model=mlp")


def parsed(text: str) -> Balanced:
    page = Balanced()
    page.feed(text)
    page.close()
    assert page.open == []
    return page


def test_the_page_is_whole(found: Report) -> None:
    text = html(found)
    page = parsed(text)
    assert text.startswith("<!DOCTYPE html>")
    assert page.tags.count("h1") == page.tags.count("body") == 1
    words = "".join(page.words)
    for each in (*found.verdicts, "29 runs in 4 groups", "failed: 1 (seed 7)"):
        assert each in words
    assert page.tags.count("table") == 3


def test_nothing_is_fetched_and_no_script_is_run(found: Report) -> None:
    text = html(found)
    assert not re.search(r"https?:|//|<script|<link|<img|@import|url\(|src=|javascript", text)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; co" in text


def test_it_is_made_for_phones_and_for_the_dark(found: Report) -> None:
    text = html(found)
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in text
    assert "prefers-color-scheme:dark" in text


def test_every_plot_is_there_and_wellformed(found: Report) -> None:
    text = html(found)
    figures = re.findall(r"<figure><figcaption>(.*?)</figcaption>(<svg.*?</svg>)", text)
    assert [caption.partition(":")[0] for caption, _ in figures] == [
        "mse", "mse minus its reference, seed by seed; left of the line is better",
        "mse against optimizer.lr", "loss/D", "metrics/mse",
    ]  # fmt: skip
    marks = [len(list(ET.fromstring(svg).iter("circle"))) for _, svg in figures]
    assert marks == [28, 14, 4, 0, 0]
    for svg in re.findall(r"<svg.*?</svg>", text):
        ET.fromstring(svg)


def test_verdicts_are_coloured(found: Report) -> None:
    assert found.comparisons["mse"][0].outcome == "better"
    text = html(found)
    assert '; <span class="better">better</span>' in text
    assert '<td><span class="better">better</span></td>' in text


def test_a_page_of_failures_alone(make: Make, tmp_path: Path) -> None:
    make("0", status="failed")
    words = "".join(parsed(html(report([tmp_path]))).words)
    assert "1 run in 1 group, 1 of them failed or unfinished" in words


def test_curves_are_of_the_first_groups(make: Make, tmp_path: Path) -> None:
    for rate in range(1, 15):
        make(f"{rate}", mse=float(rate), csv=CSV, **{"optimizer.lr": rate / 100})
    text = html(report([tmp_path]))
    parsed(text)
    assert "The first 12 of 14 groups." in text
    assert text.count('class="key"') == 12
