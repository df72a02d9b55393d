"""The zoo: verdicts on values made by hand, runs that fail or collapse, a short study."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from gan_runner.callbacks import health
from gan_runner.studies import zoo, zoo_choices, zoo_runs, zoo_text
from gan_runner.studies.study_command import SCALES
from gan_runner.studies.zoo_choices import Choice, Combination, Refusal
from gan_runner.studies.zoo_runs import COLLAPSED, DISTANCE, Row, has_collapsed, row
from gan_runner.studies.zoo_text import Zoo


def _row(label: str, *distances: float, **more: Any) -> Row:
    values = {seed: {DISTANCE: each, "recall": 0.5} for seed, each in enumerate(distances)}
    beside = {
        "floor": {0: {DISTANCE: 0.25, "recall": 0.9}},
        "ceiling": {0: {DISTANCE: 100.0, "recall": 0.0}},
    }
    return Row(label=label, values=values, **{**beside, **more})


def test_verdicts() -> None:
    assert _row("a", 10, 12, 14).verdict == "learns"
    assert _row("a", 48, 48, 54).verdict == "hardly learns"  # 50 + 3.46 is above half of 100
    assert _row("a", 99, 100, 101.5).verdict == "does not learn"
    assert _row("a", 10, 12, failed={2: "D's loss is nan"}).verdict == "unstable"
    assert _row("a", 10, 12, 14, collapsed=(1,)).verdict == "unstable"
    assert _row("a", 10, 12, collapsed=(0, 1), failed={2: "nan"}).verdict == "collapses"
    assert _row("a", failed={0: "nan"}).verdict == "fails"
    assert _row("a", 10).verdict == "learns"  # one seed has no spread


def test_table_is_sorted_by_distance_between_floor_and_ceiling() -> None:
    rows = [
        _row("far", 60, 62, 64, rates={0: 4.0, 1: 6.0}),
        _row("lost", failed={0: "nan", 1: "nan"}),
        _row("near", 10, 12, 14, own=True, also=("other",)),
        Row(label="not run"),
    ]
    table = zoo_text.quality(rows)
    assert [cells[0] for cells in table.rows] == [
        "*real test images (floor)*", "**near** (= other)", "far", "lost",
        "*untrained networks (ceiling)*",
    ]  # fmt: skip
    assert table.header[3:6] == ("Fréchet distance", "score", "recall")
    assert table.rows[0][3:6] == ("0.25", "-", "0.90")
    assert table.rows[1][1:6] == ("learns", "3", "12.00 ± 2.00", "-", "0.50 ± 0.00")
    assert table.rows[2][6] == "5.0"
    assert table.rows[3] == ("lost", "fails", "2", "-", "-", "-", "-", "2", "0")
    numbers = dict(zoo_text.counts(rows).rows)
    assert numbers["not run yet"] == "1"
    assert numbers["*all settings*"] == "4"
    assert (numbers["fails"], numbers["*runs that failed*"], numbers["*runs*"]) == ("1", "2", "8")


def test_collapse_is_told_by_the_health_check_at_the_end() -> None:
    # Both findings of a collapse begin so in the health check's own file.
    assert Path(health.__file__).read_text(encoding="utf-8").count(f'"{COLLAPSED}') == 2
    late, early = f"step 950: {COLLAPSED}: spread 0", f"step 300: {COLLAPSED}: spread 0"
    assert has_collapsed([early, late], 1000)
    assert not has_collapsed([early, "step 990: D wins completely"], 1000)


def _told(rows: list[Row], mnist: list[Row] | None = None) -> Zoo:
    choice = Choice(
        combinations=(Combination(model="a", loss="b", penalty="c"),),
        refusals=(Refusal(what="srgan", count=90, reason="needs <pairs>"),), left_out=7, same=0,
    )  # fmt: skip
    return Zoo(
        heading="Zoo", rule="all", caption=["one", "two"], choice=choice, digits=rows,
        mnist=mnist, absent={"wgan_mnist_cpu": "not run yet"},
    )  # fmt: skip


def test_texts() -> None:
    told = _told([_row("a, b, c", 10, failed={1: "nan"})], [_row("dcgan_mnist_cpu", 1.0)])
    text, page = zoo_text.markdown(told), zoo_text.html(told)
    assert "| srgan | needs <pairs> | 90 |" in text
    assert "90 combinations are refused (below); 7 are not in the rule" in text
    assert "wgan_mnist_cpu: not run yet" in text
    assert "a, b, c, seed 1: nan" in text
    assert "needs &lt;pairs&gt;" in page
    assert '<td><span class="worse">unstable</span></td>' in page
    assert "**" not in page


def test_every_scale_has_a_rule() -> None:
    assert {zoo.PLANS[scale].rule for scale in SCALES} == set(zoo_choices.RULES)


def _only(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    """Let the zoo be one combination."""
    overrides = ("model=dcgan", "dataset=digits", "training.steps=4", *words)
    one = Combination(model="dcgan", loss="l", penalty="p", own=True, overrides=overrides)
    choice = Choice(combinations=(one,), refusals=(), left_out=0, same=0)
    monkeypatch.setattr(zoo, "choose", lambda *_: choice)


SMALL = (
    "network.generator.width=4", "network.discriminator.width=4", "training.batch_size=8",
    "metrics.names=[frechet_classifier_distance]", "metrics.num_generated=300",
    "metrics.num_real=300",
)  # fmt: skip


def test_a_failing_replica_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _only(monkeypatch, *SMALL)
    assert zoo.main(["--out", str(tmp_path), "--scale", "smoke"]) == 0
    path = tmp_path / "runs/smoke/dcgan-l-p/1/result.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "status": "failed", "error": "step 3: D is nan"}))
    assert zoo.main(["--out", str(tmp_path), "--scale", "smoke", "--reuse"]) == 0
    text = (tmp_path / "study.md").read_text()
    assert "| **dcgan, l, p** | unstable | 2 |" in text
    assert "dcgan, l, p, seed 1: step 3: D is nan" in text
    assert "| *runs that failed* | 1 |" in text


def test_a_diverging_replica_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _only(monkeypatch, *SMALL, "optimizer.lr=1.0e+30", "loss=wasserstein", "training.steps=30")
    assert zoo.main(["--out", str(tmp_path), "--scale", "smoke"]) == 0
    folder = tmp_path / "runs/smoke/dcgan-l-p"
    found = row("x", {seed: folder / str(seed) for seed in (0, 1)})
    assert found.verdict == "fails"
    assert len(found.failed) == 2
    assert math.isinf(found.order[0])
    assert "| fails | 1 |" in (tmp_path / "study.md").read_text()


def test_nothing_is_trained_to_reuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _only(monkeypatch, *SMALL)
    monkeypatch.setattr(
        zoo, "PLANS", {"smoke": zoo.Plan(seeds=1, steps=4, rule="few", mnist=True)}
    )  # fmt: skip
    assert zoo.main(["--out", str(tmp_path), "--scale", "smoke", "--reuse"]) == 0
    text = (tmp_path / "study.md").read_text()
    assert "| not run yet | 1 |" in text
    assert text.count("_mnist_cpu: not run yet") > 10
    assert not (tmp_path / "runs").exists()


def test_mnist_runs_are_found_wherever_they_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gan_runner.compose import Composer
    from gan_runner.result import KEYS, write_result
    from gan_runner.run_folder import plain_config, with_absolute_paths, write_config

    monkeypatch.setattr(zoo_runs, "MNIST", "dcgan_mnist_cpu")
    assert next(iter(zoo_runs.mnist_rows(tmp_path, trains=False)))[1] == "not run yet"
    typed = ["experiment=cdcgan_mnist_cpu", "device.threads=1"]
    config = with_absolute_paths(plain_config(Composer().compose(typed).config))
    place = tmp_path / "from/elsewhere"
    write_config(place, config, typed)
    found = dict.fromkeys(KEYS) | {
        "status": "completed", "steps": 10, "health": [],
        "timings": {"seconds_training": 20.0, "steps_per_second": 0.5},
        "metrics": {DISTANCE: {"value": 2.0, "protocol": {}}},
    }  # fmt: skip
    write_result(place / "result.json", found)
    rows = dict(zoo_runs.mnist_rows(tmp_path, trains=False))
    mine = rows["cdcgan_mnist_cpu"]
    assert isinstance(mine, Row)
    assert mine.of(DISTANCE) == {0: 2.0}
    assert (mine.seconds, mine.rates[0]) == (20.0, 2000.0)
    assert rows["dcgan_mnist_cpu"] == "not run yet"


@pytest.mark.slow
def test_smoke(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--out", str(tmp_path), "--scale", "smoke"]
    assert zoo.main(argv) == 0
    first = capsys.readouterr().out
    assert "| srgan | model=srgan needs paired data" in first
    assert "| *all settings* | 4 |" in first
    assert "<title>" in (tmp_path / "study.html").read_text()
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("result.json")}
    assert len(times) == 8
    assert zoo.main(argv) == 0
    assert capsys.readouterr().out == first
    assert {path: path.stat().st_mtime_ns for path in times} == times
