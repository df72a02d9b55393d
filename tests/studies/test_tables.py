"""The report as text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gan_runner.studies import report, tables

Make = Callable[..., Path]


@pytest.fixture
def study(make: Make, tmp_path: Path) -> Path:
    """mse of two models over six seeds, one of them failed."""
    for seed in range(7):
        make(f"a/{seed}", model="mlp", seed=seed, mse=(4 + seed / 10) * 1e-5)
        status = "failed" if seed == 6 else "completed"
        value = (4.4 + seed / 10 + seed % 3 / 20) * 1e-5
        make(f"b/{seed}", model="srgan", seed=seed, mse=value, status=status,
             error="D diverged" if seed == 6 else None, **{"training.steps": 200})  # fmt: skip
    return tmp_path


TEXT = """\
14 runs in 2 groups, 1 of them failed or unfinished

  Group         Runs   Completed   Failed or unfinished
  -----------------------------------------------------
  model=mlp        7           7                      0
  model=srgan      7           6     failed: 1 (seed 6)

  What goes along

  model=mlp: training.steps=100
  model=srgan: training.steps=200

  Failed or unfinished

  model=srgan, seed 6: failed, D diverged (HERE)

mse, in 1e-5 (lower is better)

  Group         n   Mean     sd   Median   95 % of the mean            Not in it
  ------------------------------------------------------------------------------
  model=mlp     7   4.30   0.22     4.30       [4.16, 4.44]                    0
  model=srgan   6   4.70   0.21     4.70       [4.55, 4.85]   failed: 1 (seed 6)

  Measured with 600 generated, 600 real, test split, checkpoint last.

  Differences from model=mlp, in 1e-6

  Group         Pairs   Better in   Difference           95 %   Sign p   Wilcoxon p   Flip p   Verdict
  ----------------------------------------------------------------------------------------------------
  model=srgan       6      0 of 6        +4.50   [4.17, 4.83]    0.031        0.031    0.031     worse

  model=srgan against model=mlp: better in 0 of 6 seeds; difference +4.50e-6 [4.17, 4.83]e-6; \
p 0.031; worse; left out: 1 failed or unfinished of model=srgan
"""  # noqa: E501


def test_the_whole_text(study: Path) -> None:
    assert tables.text(report([study])) == TEXT.replace("HERE", str(study / "b" / "6"))


def test_markdown_has_the_same_cells(study: Path) -> None:
    found = report([study])
    lines = tables.markdown(found).splitlines()
    assert lines[0] == "# 14 runs in 2 groups, 1 of them failed or unfinished"
    assert "## mse, in 1e-5 (lower is better)" in lines
    assert "| model=srgan | 6 | 4.70 | 0.21 | 4.70 | [4.55, 4.85] | failed: 1 (seed 6) |" in lines
    assert f"- {found.comparisons['mse'][0].verdict}" in lines
    for table in (found for found in "\n".join(lines).split("\n\n") if found.startswith("| ")):
        assert len({row.count("|") for row in table.splitlines()}) == 1


def test_only_what_there_is_has_a_column(make: Make, tmp_path: Path) -> None:
    for seed in range(3):
        make(f"{seed}", seed=seed, mse=0.5)
        make(f"b{seed}", seed=seed, mse=0.5, **{"optimizer.lr": 0.1})
        make(f"c{seed}", seed=100 + seed, mse=0.5, **{"optimizer.lr": 0.2})
    found = report([tmp_path])
    (metric,) = found.metrics
    assert tables.metric_table(metric, found).header[-1] == "95 % of the mean"
    table = tables.comparison_table(metric, found)
    assert table.header[-3:] == ("Mann-Whitney p", "Holm p", "Verdict")
    assert table.rows[0][1:3] == ("3", "0 of 3, 3 ties")
    assert table.rows[1][1:3] == ("not paired", "-")


def test_settings_of_numbered_groups_are_listed(make: Make, tmp_path: Path) -> None:
    key = "network.generator.a_setting_with_quite_a_long_name_of_its_own"
    for value in (1, 2):
        make(f"{value}", mse=0.5, **{key: value})
    found = report([tmp_path])
    assert tables.settings_lines(found) == [f"group 1: {key}=1", f"group 2: {key}=2"]
    assert tables.comparison_table(found.metrics[0], found).rows[0][0] == "group 2"


def test_many_comparisons_of_few_seeds_are_one_line(make: Make, tmp_path: Path) -> None:
    for rate in range(1, 8):
        make(f"{rate}", mse=0.5 * rate, **{"optimizer.lr": rate / 10})
    (metric,) = report([tmp_path]).metrics
    assert tables.verdict_lines(metric) == ["6 more cannot be told: fewer than 6 pairs"]


def test_five_failures_are_named_in_the_text(make: Make, tmp_path: Path) -> None:
    for seed in range(8):
        make(f"{seed}", seed=seed, status="failed", error=f"reason {seed}")
    make("8", seed=8, mse=1.0)
    text = tables.text(report([tmp_path]))
    assert "reason 4" in text
    assert "reason 5" not in text
    assert "and 3 more runs without final metrics" in text
    assert "failed: 8 (seeds 0, 1, 2, 3, 4, 5, 6, 7)" in text
    assert len(tables.failures(report([tmp_path]))) == 8


def test_protocols_that_differ_are_a_warning(make: Make, tmp_path: Path) -> None:
    make("0", seed=0, mse=1.0)
    make("1", seed=1, mse=1.0, protocol={"num_generated": 50})
    (metric,) = report([tmp_path]).metrics
    assert tables.footnotes(metric)[1] == (
        "Warning: measured differently (num_generated 600 | 50); such numbers do not compare."
    )
