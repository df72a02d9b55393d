"""Figures of overview: rules, and drawings of made-up runs; two figures from real, tiny ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_runner.figures import command, drawing, overview
from gan_runner.figures.catalogue import FIGURES
from gan_runner.figures.digits import METRIC, WIDTH
from gan_runner.figures.figure import Figure, Material, Trained
from gan_runner.figures.runs import Request

BY_NAME = {each.name: each for each in overview.FIGURES}


def _runs(folder: Path, values: Sequence[float], metric: str) -> tuple[Trained, ...]:
    found = []
    for seed, value in enumerate(values):
        place = folder / str(seed)
        (place / "samples").mkdir(parents=True)
        Image.new("L", (8, 8)).save(place / "samples" / "step_00000000.png")
        text = "step,epoch,loss/D,loss/G\n1,0.5,1,2\n2,1,1.5,1\n"
        (place / "metrics.csv").write_text(text, encoding="utf-8")
        found.append(Trained(folder=place, seed=seed, config_hash="0", values={metric: value}))
    return tuple(found)


def _material(figure: Figure, *of_arms: tuple[Trained, ...]) -> Material:
    return Material(scale="cpu", runs=dict(zip(figure.arms, of_arms, strict=True)))


@pytest.mark.parametrize("by_class", [None, np.zeros((100, 1, 8, 8))])
def test_training_is_drawn_with_a_grid_of_classes_where_there_are_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_class: np.ndarray | None
) -> None:
    monkeypatch.setattr(overview, "_by_class", lambda run: by_class)
    figure = BY_NAME["cgan"]
    with drawing.styled():
        drawn = figure.draw(_material(figure, _runs(tmp_path, [0.9, 0.8], "label_agreement")))
    assert drawn.numbers["share read as the label asked for"].startswith("0.85")
    titles = [each.get_title(loc="left") for each in drawn.canvas.axes]
    assert titles[0] == "epoch 0"
    assert ("a row a class" in titles) is (by_class is not None)


@pytest.mark.parametrize(
    ("second", "word"),
    [
        ((0.97, 0.98, 0.96), "holds"), ((0.5, 0.52, 0.51), "does not hold"),
        ((0.97, 0.98), "cannot be told"),
    ],
)  # fmt: skip
def test_both_must_be_controlled(tmp_path: Path, second: Sequence[float], word: str) -> None:
    figure = BY_NAME["control"]
    first = _runs(tmp_path / "a", [0.95, 0.96, 0.97], "label_agreement")
    with drawing.styled():
        drawn = figure.draw(
            _material(figure, first, _runs(tmp_path / "b", second, "label_agreement"))
        )
    assert drawn.verdicts["O1"].word == word


def test_realism_by_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "_by_class", lambda run: np.zeros((100, 1, 8, 8)))
    figure = BY_NAME["realism"]
    good = _runs(tmp_path / "a", [2 + seed / 10 for seed in range(8)], METRIC)
    bad = _runs(tmp_path / "b", [5 + seed / 10 for seed in range(8)], METRIC)
    with drawing.styled():
        assert figure.draw(_material(figure, good, bad)).verdicts["O2"].word == "holds"
        assert figure.draw(_material(figure, bad, good)).verdicts["O2"].word == "does not hold"


def test_the_weakest_of_both_players_are_judged(tmp_path: Path) -> None:
    figure = BY_NAME["weak"]
    assert set(figure.arms) == {"preset", "G 2", "G 8", "G 32", "D 2", "D 8", "D 32"}
    assert overview.name("D", WIDTH) == "preset"
    assert "network.generator.widths=[2,4]" in figure.arms["G 2"].overrides
    assert "network.discriminator.widths=[4,2]" in figure.arms["D 2"].overrides

    def drawn(d_2: float) -> str:
        levels = dict.fromkeys(figure.arms, 6.0) | {"preset": 5.0, "G 2": 20.0, "D 2": d_2}
        runs = [
            _runs(tmp_path / f"{d_2}{arm}", [level + seed / 10 for seed in range(8)], METRIC)
            for arm, level in levels.items()
        ]
        with drawing.styled():
            return str(figure.draw(_material(figure, *runs)).verdicts["O3"].word)

    assert drawn(30.0) == "holds"
    assert drawn(4.0) == "does not hold"
    assert drawn(5.0) == "cannot be told"


def test_the_figures_are_in_the_catalogue() -> None:
    assert {each.id for each in overview.FIGURES} <= {each.id for each in FIGURES}
    assert {claim for each in overview.FIGURES for claim in each.claims} == {"O1", "O2", "O3"}


@pytest.mark.slow
def test_figures_from_tiny_runs(tmp_path: Path) -> None:
    chosen = [each for each in FIGURES if each.id in ("mnist-stability", "introduction-orbits")]
    request = Request(out=tmp_path / "outputs" / "figures", scale="smoke", at_once=2)
    assert command.make(chosen, request) == {}
    for paper, name in (("mnist", "stability"), ("introduction", "orbits")):
        text = (request.folder / paper / f"{name}.txt").read_text(encoding="utf-8")
        assert "Cannot be told" in text
        assert (request.folder / paper / f"{name}.png").is_file()
