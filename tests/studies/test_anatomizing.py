"""The study of SRGAN against the MLP: its arms, its verdict on values made by hand, a short run."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from gan_runner import stackable
from gan_runner.compose import Composer
from gan_runner.run_folder import plain_config
from gan_runner.studies import anatomizing, anatomizing_arms, anatomizing_text, experiments
from gan_runner.studies.anatomizing_arms import LAMBDAS, PLANS, PUBLISHED, Plan
from gan_runner.studies.anatomizing_text import Found
from gan_runner.studies.experiments import Arm, Outcomes
from gan_runner.studies.study_command import SCALES, Request

PLAN = Plan(seeds=8, orders=8, rate_seeds=2, rates=(0.1, 0.2), lambdas=(0, 1, 10))


def _outcomes(values: Sequence[float]) -> Outcomes:
    return Outcomes(values={seed: {"mse": each} for seed, each in enumerate(values)}, failed={})


def _found(srgan: float, mlp: float, seeds: int = 8) -> Found:
    """A study whose SRGAN and MLP have these mean errors, a little apart from seed to seed."""

    def around(mean: float, wiggle: int) -> Outcomes:
        return _outcomes([mean + 1e-7 * ((seed * wiggle) % 5) for seed in range(seeds)])

    means = dict.fromkeys(anatomizing_arms.LABELS, mlp) | {"srgan": srgan}
    arms = {name: around(mean, 2 + len(name)) for name, mean in means.items()}
    arms |= {f"srgan_lambda_{each}": around(srgan * (1 + each / 10), 3) for each in (0, 10)}
    arms["srgan_lambda_1"] = arms["srgan"]
    return Found(
        scale="cpu", plan=PLAN, rates={"mlp": 0.1, "srgan": 0.2},
        searched={"mlp_rate_0.1": 2e-5}, outcomes=arms,
    )  # fmt: skip


def test_published_values() -> None:
    assert PUBLISHED == {"srgan": 3.4555e-5, "mlp": 4.3432e-5}
    text = anatomizing_text.mse_table(_found(5e-5, 4e-5))
    assert "| SRGAN, lambda 1 | 3.4555 | 8 | 5.0" in text
    assert "| MLP | 4.3432 | 8 | 4.0" in text


@pytest.mark.parametrize(
    ("srgan", "mlp", "word"),
    [(3e-5, 4e-5, "holds"), (5e-5, 4e-5, "does not hold"), (4e-5, 4.02e-5, "cannot be told")],
)
def test_verdict(srgan: float, mlp: float, word: str) -> None:
    assert f": **{word}**" in anatomizing_text.verdict(_found(srgan, mlp))


def test_two_seeds_tell_nothing() -> None:
    assert "**cannot be told** (too few" in anatomizing_text.verdict(_found(3e-5, 4e-5, seeds=2))


def test_no_common_seed_is_refused() -> None:
    found = _found(3e-5, 4e-5)
    empty = Outcomes(values={}, failed={0: "diverged"})
    without = Found(
        scale="cpu", plan=PLAN, rates={}, searched={}, outcomes={**found.outcomes, "srgan": empty}
    )
    with pytest.raises(ValueError, match="no seed has a finite MSE"):
        anatomizing_text.verdict(without)


def test_text_and_figures(tmp_path: Path) -> None:
    found = _found(5e-5, 4e-5)
    text = anatomizing_text.markdown(found)
    assert "Rule, fixed before the runs: at least 6 pairs" in text
    assert "| 0.1 | 2.00 | failed |" in text
    assert "lambda 10 against 0" in text
    anatomizing_text.draw(found, tmp_path)
    names = {"seeds", "differences", "lambda"}
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{name}.{suffix}" for name in names for suffix in ("png", "pdf")
    }


def test_every_arm_composes_and_srgan_s_are_one_stack(tmp_path: Path) -> None:
    path = tmp_path / "diabetes.csv"
    anatomizing_arms.write_table(path)
    composer = Composer()
    structures: dict[str, set[str]] = {}
    for scale in SCALES:
        plan = PLANS[scale]
        rates = {"srgan": 0.01, "mlp": 0.01}
        arms = [
            *anatomizing_arms.rate_arms(plan).values(),
            *anatomizing_arms.main_arms(plan, (0,), rates),
            *anatomizing_arms.sweep_arms(plan, (0,)),
            *anatomizing_arms.further_arms(plan, (0,), path),
        ]
        assert len({arm.name for arm in arms}) == len(arms)
        for arm in arms if scale == "cpu" else ():
            config = plain_config(composer.compose(arm.overrides).config)
            structures.setdefault(stackable.structure(config), set()).add(arm.name)
    swept = {anatomizing_arms.lambda_arm(each) for each in LAMBDAS if each != 1}
    assert swept | {"srgan", "srgan_fixed"} in structures.values()
    assert {"mlp", "mlp_fixed"} in structures.values()


def test_the_search_takes_the_best_rate_of_which_no_run_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {
        "mlp_rate_0.1": _outcomes([2.0, 4.0]), "mlp_rate_0.2": _outcomes([2.0, 3.0]),
        "srgan_rate_0.1": _outcomes([2.0, 4.0]),
        "srgan_rate_0.2": Outcomes(values={100: {"mse": 1.0}}, failed={101: "diverged"}),
    }  # fmt: skip

    def trained(
        arms: Sequence[Arm], folder: Path, *, width: int, compiled: bool
    ) -> Mapping[str, Outcomes]:
        assert all(arm.seeds == (100, 101) for arm in arms)
        assert all("metrics.split=validation" in arm.overrides for arm in arms)
        return found

    monkeypatch.setattr(anatomizing, "train", trained)
    request = Request(out=tmp_path, scale="cpu", seeds=None)
    best, means = anatomizing.search_rates(request, PLAN)
    assert best == {"mlp": 0.2, "srgan": 0.1}
    assert means == {"mlp_rate_0.1": 3.0, "mlp_rate_0.2": 2.5, "srgan_rate_0.1": 3.0}
    found["srgan_rate_0.1"] = Outcomes(values={}, failed={})
    with pytest.raises(ValueError, match="srgan: runs failed at every rate"):
        anatomizing.search_rates(request, PLAN)


def test_table_of_diabetes(tmp_path: Path) -> None:
    anatomizing_arms.write_table(tmp_path / "t.csv")
    header, *rows = csv.reader((tmp_path / "t.csv").read_text().splitlines())
    assert header == ["s1", "s3", "s2", "s4", "s5"]
    assert len(rows) == 442


@pytest.mark.slow
def test_smoke(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    argv = ["--out", str(tmp_path), "--scale", "smoke"]
    assert anatomizing.main(argv) == 0
    first = capsys.readouterr().out
    assert "tell nothing" in first
    assert "<title>" in (tmp_path / "study.html").read_text()
    # With lambda 0 the adversary has no say: SRGAN is the MLP.
    table = (tmp_path / "study.md").read_text()
    mean = next(line for line in table.splitlines() if line.startswith("| MLP |")).split("|")[4]
    assert f"| 0 | 2 |{mean}|" in table

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a finished run was made again")

    monkeypatch.setattr(experiments.shutil, "rmtree", refuse)
    assert anatomizing.main(argv) == 0
    assert capsys.readouterr().out == first
