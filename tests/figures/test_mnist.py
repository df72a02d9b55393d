"""What claims of study and mnist are judged by: measures with values known by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gan_runner import api
from gan_runner.figures import drawing, mnist, mnist_claims, study
from gan_runner.figures.figure import ALONG, Material, Trained
from gan_runner.figures.mnist_claims import LSGAN, STANDARD


def _run(folder: Path, header: str, rows: list[str], seed: int = 0) -> Trained:
    folder.mkdir(parents=True)
    (folder / "metrics.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return Trained(folder=folder, seed=seed, config_hash="0", values={})


def test_rank_correlation() -> None:
    assert mnist_claims.correlation([1, 2, 3, 4], [10, 20, 40, 30]) == pytest.approx(0.8)
    assert mnist_claims.correlation([1, 2, 3], [3, math.nan, 1]) != -1  # two pairs are too few
    assert math.isnan(mnist_claims.correlation([1, 2], [1, 2]))


def test_the_critics_estimate_is_its_loss_between_measurements(tmp_path: Path) -> None:
    rows = ["10,-1,", "20,-3,", "20,,5.0", "30,-7,", "40,-9,", "40,,4.0"]
    run = _run(tmp_path / "a", f"step,loss/D,{ALONG}{study.DISTANCE}", rows)
    assert mnist.along(run) == ([5.0, 4.0], [2.0, 8.0])


def test_areas_are_means_along_training(tmp_path: Path) -> None:
    tag = f"step,{ALONG}{study.DISTANCE}"
    run = _run(tmp_path / "a", tag, ["0,4", "10,2", "30,2"], seed=5)
    short = _run(tmp_path / "b", tag, ["0,4"], seed=6)
    assert study.areas((run, short)) == {5: pytest.approx((30 + 40) / 30)}


def test_a_runs_metrics_along_training_are_found(tiny_run: Callable[..., api.Result]) -> None:
    made = tiny_run(
        "dataset=digits", "network=mlp_overview", "training.steps=4", "training.log_every=1",
        f"metrics.names=[{study.DISTANCE}]", "metrics.every=2", "metrics.num_generated=64",
    )  # fmt: skip
    run = Trained(folder=made.folder, seed=0, config_hash="0")
    assert run.series()[f"{ALONG}{study.DISTANCE}"][0] == [2, 4]
    assert list(study.areas((run,))) == [0]
    distances, estimates = mnist.along(run)
    assert len(distances) == len(estimates) == 2


def test_a_code_is_correlated_within_its_category() -> None:
    category = np.repeat([0, 1], 4)
    code = np.tile([-1.0, -0.5, 0.5, 1.0], 2)
    values = 2 * code + 100 * category  # the digit moves it far more than the code
    assert mnist_claims.within(values, code, category) == pytest.approx(1)
    values[0] = math.nan
    assert mnist_claims.within(values, -code, category) == pytest.approx(-1)
    assert mnist_claims.within(np.ones(8), code, category) == 0


def test_slant_and_stroke_take_a_code_each() -> None:
    both_first = {"slant": [0.9, 0.1], "stroke": [-0.8, 0.05]}
    apart = {"slant": [0.2, -0.7], "stroke": [0.6, 0.65]}
    found = mnist.own_codes([both_first, apart])
    assert found == {"slant": [0.1, 0.7], "stroke": [0.8, 0.6]}
    assert math.isnan(mnist.own_codes([{"slant": [0.9], "stroke": [0.9]}])["slant"][0])


def test_the_code_that_turns_leaves_the_other_to_thicken() -> None:
    one = {"code_1_slant": 0.5, "code_2_slant": 0.4, "code_1_stroke": 0.3, "code_2_stroke": 0.1}
    assert mnist.turning_code(one) == 2  # 0.5 x 0.1 < 0.4 x 0.3
    assert mnist.turning_code({**one, "code_1_stroke": -0.1}) == 1
    assert mnist.turning_code({}) == 1


STEADY = [1.0, 1.01, 0.99, 1.02, 0.98, 1.0, 1.01, 0.99, 1.0, 1.0]
WILD = [1.0, 3.0, 0.2, 5.0, 0.4, 2.0, 0.1, 4.0, 1.5, 0.7]


def test_steadier() -> None:
    assert mnist_claims.steadier(STEADY, WILD, 0, 0).word == "holds"
    assert mnist_claims.steadier(STEADY, WILD, 1, 0).word == "cannot be told"  # it fails more often
    assert mnist_claims.steadier(WILD, STEADY, 0, 0).word == "does not hold"
    assert mnist_claims.steadier(WILD, WILD[::-1], 0, 0).word == "cannot be told"
    assert "5 of the 6" in mnist_claims.steadier(STEADY[:5], WILD, 0, 0).why


@pytest.mark.parametrize("t", [0.5, 2.0])
def test_lines_that_part(t: float) -> None:
    kl, js, distance = mnist_claims.estimated(t)
    assert math.isinf(kl)
    assert js == pytest.approx(math.log(2))
    assert distance == pytest.approx(t, rel=0.01)


def test_lines_that_meet() -> None:
    kl, js, distance = mnist_claims.estimated(0.0)
    assert kl < 0.05  # two draws of one law
    assert js < 0.01
    assert distance < 0.05


def test_claim_m6_holds() -> None:
    drawn = mnist_claims.distances(Material(scale="cpu", runs={}))
    assert drawn.verdicts["M6"].word == "holds"


def _values(folder: Path, metric: str, values: list[float]) -> tuple[Trained, ...]:
    return tuple(
        Trained(folder=folder, seed=seed, config_hash="0", values={metric: value})
        for seed, value in enumerate(values)
    )


def test_stability_counts_failures(tmp_path: Path) -> None:
    lost = Trained(folder=tmp_path, seed=9, config_hash="0", error="NaN")
    runs = {
        LSGAN: _values(tmp_path, study.DISTANCE, STEADY),
        STANDARD: (*_values(tmp_path, study.DISTANCE, WILD[:9]), lost),
    }
    with drawing.styled():
        drawn = mnist_claims.stability(Material(scale="cpu", runs=runs))
    assert drawn.verdicts["M3"].word == "holds"
    assert drawn.numbers[f"{STANDARD}: failed runs"] == "1"


def test_convergence_needs_the_end_and_the_way(tmp_path: Path) -> None:
    tag = f"step,epoch,{ALONG}{study.DISTANCE}"

    def arm(name: str, end: float, way: float) -> tuple[Trained, ...]:
        found = []
        for seed in range(7):
            rows = [f"0,0,{way + 0.01 * seed}", f"10,1,{end + 0.02 * seed}"]
            run = _run(tmp_path / name / str(seed), tag, rows, seed)
            values = {study.DISTANCE: end + 0.02 * seed + 0.001 * (seed % 3)}
            found.append(Trained(folder=run.folder, seed=seed, config_hash="0", values=values))
        return tuple(found)

    runs = {study.BASELINE: arm("a", 3, 9), study.SN: arm("b", 2, 8), study.TTUR: arm("c", 1, 7)}
    with drawing.styled():
        holds = study.convergence(Material(scale="cpu", runs=runs))
        runs[study.TTUR] = arm("d", 4, 7)
        worse = study.convergence(Material(scale="cpu", runs=runs))
    assert holds.verdicts["S2"].word == "holds"
    assert worse.verdicts["S2"].word == "does not hold"
