"""The study of modes: its settings, its tables on values made by hand, a short run."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from gan_runner.compose import Composer
from gan_runner.studies import modes
from gan_runner.studies.experiments import Outcomes
from gan_runner.studies.modes import PLANS, PUBLISHED, Found, Plan
from gan_runner.studies.study_command import SCALES

PLAN = Plan(
    seeds=8, steps=10, packed=("nonsaturating",), games=("nonsaturating", "WGAN-GP"), packs=(1, 2)
)


def _found(gain: float) -> Found:
    """A study in which packing adds `gain` modes, a little more with some seeds."""
    settings = modes.settings(PLAN, tuple(range(8)))
    outcomes = {
        each.arm.name: Outcomes(
            values={
                seed: {
                    "modes_covered": 5 + (each.pack - 1) * (gain + 0.1 * (seed % 3)),
                    "high_quality": 0.9 + 0.01 * seed,
                    "reverse_kl": math.inf if seed == 0 else 0.5,
                }
                for seed in range(8)
            },
            failed={8: "diverged"},
        )
        for each in settings
    }
    return Found(scale="cpu", plan=PLAN, settings=settings, outcomes=outcomes)


def test_published_values() -> None:
    text = modes.markdown(_found(1.0))
    for row in (
        "| *GAN (VEEGAN), published* |  | 1.0 | 99.3 | - |  |",
        "| *VEEGAN (VEEGAN), published* |  | 24.6 | 40.0 | - |  |",
        "| *GAN (PacGAN), published* |  | 17.3 ± 0.8 | 94.8 | 0.70 |  |",
        "| *PacGAN4 (PacGAN), published* |  | 7.8 ± 0.1 | 95.9 | - |  |",
        "| *PacGAN4 (PacGAN), published* |  | 24.8 ± 0.2 | 93.6 | 0.04 |  |",
    ):
        assert row in text
    assert {name: len(rows) for name, rows in PUBLISHED.items()} == {"ring8": 5, "grid25": 5}


def test_table_has_means_and_standard_errors() -> None:
    table = modes.modes_table(_found(1.0), "ring8")
    row = next(cells for cells in table.rows if cells[0] == "nonsaturating, pack 1")
    # sd of 0.90 ... 0.97 is 0.02449, over the root of 8: 0.00866.
    assert row == ("nonsaturating, pack 1", "8", "5.0 ± 0.0", "93.5 ± 0.9", "0.500 ± 0.000", "1")


@pytest.mark.parametrize(
    ("gain", "word"), [(1.0, "better"), (-1.0, "worse"), (-0.1, "cannot be told")]
)
def test_packing(gain: float, word: str) -> None:
    (found,) = _found(gain).packing("grid25", "modes_covered")
    assert found.name == "nonsaturating, 2 packed against 1"
    assert found.outcome == word


def test_every_setting_composes() -> None:
    composer = Composer()
    for scale in SCALES:
        found = modes.settings(PLANS[scale], (0,))
        assert len({each.arm.name for each in found}) == len(found)
        for each in found:
            config = composer.compose(each.arm.overrides).config
            assert config.model.pack == each.pack
            assert config.training.batch_size % each.pack == 0


def test_settings_at_each_scale() -> None:
    num = {scale: len(modes.settings(PLANS[scale], (0,))) for scale in SCALES}
    assert num == {"smoke": 6, "cpu": 18, "full": 56}
    packs = [each.pack for each in modes.settings(PLANS["cpu"], (0,)) if each.dataset == "ring8"]
    assert packs == [1, 2, 3, 4, 1, 1, 1, 1, 1]


def test_figure(tmp_path: Path) -> None:
    modes.draw(_found(1.0), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"modes.png", "modes.pdf"}


@pytest.mark.slow
def test_smoke(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--out", str(tmp_path), "--scale", "smoke"]
    assert modes.main(argv) == 0
    first = capsys.readouterr().out
    assert "| nonsaturating, pack 2 | 2 |" in first
    assert "<title>" in (tmp_path / "study.html").read_text()
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("result.json")}
    assert len(times) == 12
    assert modes.main(argv) == 0
    assert capsys.readouterr().out == first
    assert {path: path.stat().st_mtime_ns for path in times} == times
