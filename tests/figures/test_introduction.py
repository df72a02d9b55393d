"""Figures of introduction: costs by hand, rules, and drawings of made-up runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gan_runner.figures import drawing, introduction, introduction_claims
from gan_runner.figures.catalogue import FIGURES
from gan_runner.figures.digits import METRIC
from gan_runner.figures.figure import Figure, Material, Trained
from gan_runner.losses import adversarial
from gan_runner.studies import runs

BY_NAME = {each.name: each for each in introduction.FIGURES}


def made_up(
    folder: Path, seed: int, columns: Mapping[str, Sequence[float]], **values: float
) -> Trained:
    """A run with a log: one row a step, four steps an epoch."""
    folder.mkdir(parents=True)
    num = len(next(iter(columns.values())))
    rows = [
        ",".join(map(str, [step, step / 4, *(each[step - 1] for each in columns.values())]))
        for step in range(1, num + 1)
    ]
    text = "\n".join([",".join(["step", "epoch", *columns]), *rows]) + "\n"
    (folder / "metrics.csv").write_text(text, encoding="utf-8")
    return Trained(folder=folder, seed=seed, config_hash="0", values=values)


def material(figure: Figure, *of_arms: tuple[Trained, ...]) -> Material:
    return Material(scale="cpu", runs=dict(zip(figure.arms, of_arms, strict=True)))


def test_costs_are_those_of_the_losses() -> None:
    output = np.array([0.2, 0.5, 0.9])
    logits = [torch.tensor([math.log(each / (1 - each))], requires_grad=True) for each in output]
    losses = (
        adversarial.minimax_generator, adversarial.nonsaturating_generator,
        adversarial.maximum_likelihood_generator,
    )  # fmt: skip
    found, slopes = (
        introduction.generator_costs(output), introduction.generator_slopes(output)
    )  # fmt: skip
    for loss, cost, slope in zip(losses, found.values(), slopes.values(), strict=True):
        assert cost == pytest.approx([float(loss(each.detach())) for each in logits], abs=1e-6)
        pulls = [float(torch.autograd.grad(loss(each), each)[0].abs()) for each in logits]
        assert slope == pytest.approx(pulls, abs=1e-6)
    assert next(reversed(found.values())) == pytest.approx([-0.125, -0.5, -4.5])


def test_costs_are_drawn_without_a_run() -> None:
    with drawing.styled():
        drawn = introduction.costs(Material(scale="cpu", runs={}))
    assert drawn.numbers["pull at D(G(z)) = 0.01, heuristic, -log D"] == "0.99"
    assert drawn.numbers["pull at D(G(z)) = 0.01, minimax, log(1 - D)"] == "0.01"


@pytest.mark.parametrize(
    ("simultaneous", "alternating", "num", "word"),
    [
        (12.0, 1.0, 2000, "holds"), (12.0, 0.49, 2000, "does not hold"),
        (0.1, 1.0, 2000, "does not hold"), (12.0, 1.0, 1999, "cannot be told"),
    ],
)  # fmt: skip
def test_whether_play_converges(
    simultaneous: float, alternating: float, num: int, word: str
) -> None:
    ratios = {"simultaneous": simultaneous, "alternating": alternating, "extragradient": 0.1}
    assert introduction.not_converging(ratios, num).word == word


def test_orbits_begin_where_the_game_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight steps, as at scale smoke."""
    config = {"model": {"start": [3.0, 4.0]}}
    monkeypatch.setattr(runs, "read", lambda folder: SimpleNamespace(config=config))
    figure = BY_NAME["orbits"]
    columns = {"point/a": [3.0] * 7 + [0.6], "point/b": [4.0] * 7 + [0.8]}
    each = [
        (made_up(tmp_path / str(place), 0, columns),) for place in range(len(figure.arms))
    ]  # fmt: skip
    assert introduction.distances(each[0][0]).tolist() == [5.0] * 8 + [1.0]
    with drawing.styled():
        drawn = figure.draw(material(figure, *each))
    assert drawn.numbers["alternating: distance after 8 steps over that at the start"] == "0.2"
    assert drawn.verdicts["I1"].word == "cannot be told"


def _outputs(folder: Path, seed: int, real: float, fake: float) -> Trained:
    """Twenty rows, of which the last two count."""
    columns = {"output/real": [0.9] * 18 + [real - 0.01, real + 0.01],
               "output/fake": [0.1] * 18 + [fake] * 2}  # fmt: skip
    return made_up(folder, seed, columns)


@pytest.mark.parametrize(
    ("real", "fake", "expected"),
    [(0.5, 0.5, True), (0.54, 0.46, True), (0.56, 0.5, False), (0.5, 0.44, False)],
)
def test_d_gives_half(tmp_path: Path, real: float, fake: float, expected: bool) -> None:
    run = _outputs(tmp_path / "a", 0, real, fake)
    assert introduction_claims.at_the_end(run, "output/real") == pytest.approx(real)
    assert introduction_claims.is_half(run) is expected
    assert math.isnan(introduction_claims.at_the_end(run, "output/none"))


def test_half_of_all_sets_is_wanted(tmp_path: Path) -> None:
    figure = BY_NAME["half"]
    good = tuple(_outputs(tmp_path / f"a{seed}", seed, 0.5, 0.5) for seed in range(6))
    bad = tuple(_outputs(tmp_path / f"b{seed}", seed, 0.7, 0.3) for seed in range(6))
    with drawing.styled():
        verdict = figure.draw(material(figure, good, good)).verdicts["I4"]
        assert verdict.word == "cannot be told"  # a mean of 1/2 is needed, and not enough
        assert "a mean does not say" in verdict.why
        assert figure.draw(material(figure, good, bad)).verdicts["I4"].word == "does not hold"
        failed = Trained(folder=tmp_path, seed=9, config_hash="0", error="not finite")
        one = figure.draw(material(figure, (*good, failed), (failed,) * 6))
    assert one.verdicts["I4"].word == "does not hold"
    assert "6 of 7 seeds" in one.verdicts["I4"].why


def _scored(folder: Path, name: str, values: Sequence[float], metric: str) -> tuple[Trained, ...]:
    columns = {"output/real": [0.5, 0.6]}
    return tuple(
        made_up(folder / f"{name}{seed}", seed, columns, **{metric: value})
        for seed, value in enumerate(values)
    )


def test_dropout_must_be_better_than_both(tmp_path: Path) -> None:
    figure = BY_NAME["dropout"]
    good, near, far = (
        _scored(tmp_path, name, [level + seed / 10 for seed in range(8)], METRIC)
        for name, level in (("good", 5.0), ("near", 5.5), ("far", 9.0))
    )
    with drawing.styled():
        assert figure.draw(material(figure, good, near, far)).verdicts["I3"].word == "holds"
        worse = figure.draw(material(figure, near, good, far))
        assert worse.verdicts["I3"].word == "does not hold"
        one = material(figure, good[:1], near[:1], far[:1])
        assert figure.draw(one).verdicts["I3"].word == "cannot be told"


def test_the_heuristic_cost_must_be_better_on_both_sets(tmp_path: Path) -> None:
    figure = BY_NAME["heuristic"]
    arms = [
        _scored(tmp_path, f"{metric}{place}", [level + seed / 100 for seed in range(8)], metric)
        for metric in ("sliced_wasserstein", METRIC)
        for place, level in enumerate((1.0, 2.0, 3.0))
    ]
    with drawing.styled():
        assert figure.draw(material(figure, *arms)).verdicts["I2"].word == "holds"
        turned = figure.draw(material(figure, *arms[:3], *reversed(arms[3:])))
        assert turned.verdicts["I2"].word == "does not hold"
        failed = tuple(
            Trained(folder=tmp_path, seed=seed, config_hash="0", error="x") for seed in range(8)
        )
        lost = figure.draw(material(figure, *arms[:5], failed))
        own = figure.draw(material(figure, *arms[:3], failed, *arms[4:]))
    assert lost.verdicts["I2"].word == "holds"  # what fails is worse
    assert own.verdicts["I2"].word == "does not hold"
    assert lost.numbers["digits, max. likelihood: failed"] == "8 of 8"


def test_sums_are_held_against_chance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figure = BY_NAME["arithmetic"]
    runs_ = tuple(made_up(tmp_path / str(seed), seed, {"loss/D": [1.0]}) for seed in range(4))
    images = np.zeros((4 * introduction.SHOWN, 1, 8, 8))

    def found(run: Trained) -> tuple[object, ...]:
        if run.seed == 3:
            raise ValueError("none is a 7")
        return images, ("7", "1", "4", "7 - 1 + 4"), 0.5 + run.seed / 100, 0.1

    monkeypatch.setattr(introduction, "sums", found)
    with drawing.styled():
        assert figure.draw(material(figure, *[runs_[:3]] * 2)).verdicts["I5"].word == "holds"
        drawn = figure.draw(material(figure, runs_, runs_))
        assert drawn.verdicts["I5"].word == "cannot be told"  # a run makes no 7
        assert drawn.numbers["digits: seeds without one of the classes"] == "1"
        few = figure.draw(material(figure, runs_[:1], runs_[3:]))
    assert few.verdicts["I5"].word == "cannot be told"


def test_epochs_show_what_is_there(tmp_path: Path) -> None:
    from PIL import Image

    figure = BY_NAME["epochs"]
    run = made_up(tmp_path / "a", 0, {"loss/D": [1.0] * 8})
    (run.folder / "samples").mkdir()
    for step in (0, 6):
        Image.new("L", (8, 8)).save(run.folder / "samples" / f"step_{step:08}.png")
    drawn = figure.draw(material(figure, (run,)))
    titles = [each.get_title(loc="left") or each.get_title() for each in drawn.canvas.axes]
    assert titles[:3] == ["epoch 0", "epoch 1.5", ""]


def test_the_figures_are_in_the_catalogue() -> None:
    assert {each.id for each in introduction.FIGURES} <= {each.id for each in FIGURES}
    assert {claim for each in introduction.FIGURES for claim in each.claims} == {
        "I1", "I2", "I3", "I4", "I5",
    }  # fmt: skip
