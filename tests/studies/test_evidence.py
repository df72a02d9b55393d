"""The report as data: what other code builds on."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from gan_runner.studies import Report, report
from gan_runner.studies.statistics import summary

Make = Callable[..., Path]


@pytest.fixture
def study(make: Make, tmp_path: Path) -> Path:
    """Two models of eight seeds each; one run failed, one has no finite mse."""
    for seed in range(8):
        make(f"study/a/{seed}", model="mlp", seed=seed, mse=1 + seed / 8, psnr=10.0 + seed)
        lost = {3: math.nan}.get(seed, 0.5 + seed / 8)
        make(f"study/b/{seed}", model="srgan", seed=seed, mse=lost, psnr=10.0 + seed)
    make("study/b/5", model="srgan", seed=5, status="failed", error="G diverged")
    return tmp_path / "study"


def test_parts_of_a_report(study: Path) -> None:
    found = report([study])
    assert isinstance(found, Report)
    assert [each.label for each in found.groups] == ["model=mlp", "model=srgan"]
    assert [each.name for each in found.metrics] == ["mse", "psnr"]
    mlp, srgan = found.summaries["mse"]
    assert mlp.summary == summary([1 + seed / 8 for seed in range(8)])
    assert list(srgan.values) == [0, 1, 2, 4, 6, 7]
    assert srgan.not_finite == (3,)
    (compared,) = found.comparisons["mse"]
    assert compared.outcome == "better"
    assert compared.paired is not None
    assert compared.paired.difference == -0.5
    assert found.comparisons["psnr"][0].outcome == "cannot be told"
    assert found.verdicts[0].startswith("mse: model=srgan against model=mlp: better in 6 of 6")
    assert found.notes == ()


def test_options_are_handed_on(study: Path) -> None:
    found = report([study], ["psnr"], "srgan", level=0.8, resamples=500, seed=4)
    (metric,) = found.metrics
    values = [10.0 + seed for seed in range(8)]
    assert metric.summaries[0].summary == summary(values, level=0.8, resamples=500, seed=4)
    assert metric.comparisons[0].reference.label == "model=srgan"
    assert metric.better == "higher is better"


def test_metrics_are_in_the_order_asked_for(study: Path) -> None:
    found = report([study], ["psnr", "mse", "psnr"])
    assert [each.name for each in found.metrics] == ["psnr", "mse"]


def test_unknown_metrics_are_refused(study: Path, make: Make, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"metric=fid: not found; metrics found: mse, psnr$"):
        report([study], ["fid"])
    make("lost/0", status="failed")
    with pytest.raises(ValueError, match="no run has any metric"):
        report([tmp_path / "lost"], ["mse"])


def test_a_group_that_failed_altogether_stays_in_sight(study: Path, make: Make) -> None:
    make("study/c/0", model="vgan", seed=0, status="failed")
    found = report([study])
    assert [each.group.label for each in found.summaries["mse"]][2] == "model=vgan"
    assert found.summaries["mse"][2].summary.n == 0
    assert "a group has no value" in found.comparisons["mse"][1].verdict


def test_a_group_without_a_metric_is_not_in_it(study: Path, make: Make) -> None:
    make("study/c/0", model="vgan", seed=0, psnr=1.0)
    found = report([study])
    assert len(found.summaries["mse"]) == 2
    assert len(found.summaries["psnr"]) == 3


def test_only_failures_are_a_report_too(make: Make, tmp_path: Path) -> None:
    make("0", status="failed")
    found = report([tmp_path])
    assert found.metrics == ()
    assert list(found.groups[0].failed) == [0]


def test_protocols_that_differ_are_told(make: Make, tmp_path: Path) -> None:
    make("0", seed=0, mse=1.0)
    make("1", seed=1, mse=1.0, protocol={"num_generated": 50})
    (metric,) = report([tmp_path]).metrics
    assert metric.conflict == "num_generated 600 | 50"
    assert metric.protocol == "600 | 50 generated, 600 real, test split, checkpoint last"


def test_notes_name_five_of_a_kind_and_count_the_rest(make: Make, tmp_path: Path) -> None:
    for place in range(7):
        make(f"{place}", seed=place, mse=1.0, time=10.0 + place)
        make(f"again/{place}", seed=place, mse=2.0, time=100.0)
        (tmp_path / f"odd{place}").mkdir()
        (tmp_path / f"odd{place}" / "config.yaml").write_text("a: 1", encoding="utf-8")
    notes = report([tmp_path]).notes
    assert len(notes) == 12
    assert notes[0].startswith(f"ignored {tmp_path / 'odd0'}: ")
    assert notes[5] == "and 2 more ignored folders"
    assert notes[6] == (
        f"srgan_gauss3d, seed 0: 2 runs, kept the newest, {tmp_path / 'again' / '0'}, "
        f"left out {tmp_path / '0'}"
    )
    assert notes[11] == "and 2 more seeds with several runs"


def test_groups_without_a_partner_are_noted(make: Make, tmp_path: Path) -> None:
    rates = {"srgan": (0.1, 0.2, 0.3), "mlp": (0.1, 0.2)}
    for model, found in rates.items():
        for rate in found:
            make(f"{model}{rate}", model=model, mse=1.0, **{"optimizer.lr": rate})
    (note,) = report([tmp_path], reference="model=mlp").notes
    assert note.endswith("is like it: model=srgan optimizer.lr=0.3")
