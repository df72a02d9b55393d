"""Finding run folders, and what their files say."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from gan_runner.studies.runs import collect, natural, read

Make = Callable[..., Path]


def places(tmp_path: Path, *folders: str) -> list[str]:
    found = collect([tmp_path / each for each in folders])
    return [run.folder.relative_to(tmp_path).as_posix() for run in found.runs]


def test_a_run_is_read(make: Make, tmp_path: Path) -> None:
    run = read(make("run", seed=3, mse=0.25, psnr=math.inf, time=50.0))
    assert (run.seed, run.status, run.error, run.modified) == (3, "completed", None, 50.0)
    assert run.values == {"mse": 0.25, "psnr": math.inf}
    assert run.protocols["mse"]["num_generated"] == 600
    assert run.overrides == ("model=srgan", "training.seed=3")
    assert run.config["optimizer"]["lr"] == 0.001
    assert run.name == "srgan_gauss3d"


def test_values_that_json_cannot_hold_come_back(make: Make) -> None:
    values = read(make("run", mse=math.nan, psnr=-math.inf)).values
    assert math.isnan(values["mse"])
    assert values["psnr"] == -math.inf


@pytest.mark.parametrize("status", ["failed", "interrupted"])
def test_a_run_that_did_not_end_has_no_values(make: Make, status: str) -> None:
    run = read(make("run", status=status, error="D diverged", mse=0.2))
    assert (run.status, run.error, run.values) == (status, "D diverged", {})


def test_a_missing_or_broken_result_is_a_status(make: Make) -> None:
    folder = make("run", status="missing")
    assert read(folder).status == "missing"
    assert read(folder).modified == 0.0
    for text in ("{", "[]", '{"schema_version": 99}', '{"schema_version": 1}'):
        (folder / "result.json").write_text(text, encoding="utf-8")
        run = read(folder)
        assert run.status == "unreadable"
        assert str(run.error).startswith("result.json: ")


def test_folders_are_searched_in_natural_order(make: Make, tmp_path: Path) -> None:
    for place in ("b/10", "b/9", "a/x/0", "b/9/checkpoints/odd", ".hidden/0"):
        make(place)
    assert places(tmp_path, ".") == ["a/x/0", "b/9", "b/10"]
    assert places(tmp_path, "b", "a") == ["b/9", "b/10", "a/x/0"]
    assert places(tmp_path, "b/9") == ["b/9"]


def test_a_folder_counts_once(make: Make, tmp_path: Path) -> None:
    make("sweep/0")
    make("sweep/1")
    (tmp_path / "link").symlink_to(tmp_path / "sweep", target_is_directory=True)
    (tmp_path / "sweep" / "round").symlink_to(tmp_path, target_is_directory=True)
    assert places(tmp_path, "sweep/0", "sweep", ".", "link") == ["sweep/0", "sweep/1"]


def test_a_container_of_seeds_stands_for_its_children(make: Make, tmp_path: Path) -> None:
    make("many", mse=9.0)
    make("many/seeds/2", seed=2)
    make("many/seeds/10", seed=10)
    make("alone")
    (tmp_path / "alone" / "seeds").mkdir()
    assert places(tmp_path, ".") == ["alone", "many/seeds/2", "many/seeds/10"]
    assert places(tmp_path, "many/seeds/10") == ["many/seeds/10"]


def test_seeds_that_were_never_begun_are_missing(make: Make, tmp_path: Path) -> None:
    make("many", seed=4, **{"training.seeds": 3}, mse=9.0)
    make("many/seeds/4", seed=4, mse=1.0)
    make("many/seeds/6", seed=6, status="failed")
    found = {run.seed: run.status for run in collect([tmp_path]).runs}
    assert found == {4: "completed", 5: "missing", 6: "failed"}
    assert places(tmp_path, "many/seeds/4") == ["many/seeds/4"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("just: this", "has no training"),
        ("a: [", "is no YAML"),
        ("training: {}", "training.seed=None"),
        ("training: {seed: x}", "training.seed='x'"),
    ],
)
def test_other_configs_are_ignored_with_the_reason(
    make: Make, tmp_path: Path, text: str, reason: str
) -> None:
    make("good")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "config.yaml").write_text(text, encoding="utf-8")
    found = collect([tmp_path])
    assert len(found.runs) == 1
    (ignored,) = found.ignored
    assert ignored.folder == tmp_path / "odd"
    assert reason in ignored.reason
    with pytest.raises(ValueError, match=r"no run found .*odd: "):
        collect([tmp_path / "odd"])


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    for name, said in (
        ("none", "none does not exist"),
        ("file", "file is no folder"),
        ("empty", "no run found in .*empty: a run folder has a config.yaml"),
    ):
        with pytest.raises(ValueError, match=said):
            collect([tmp_path / name])


def test_natural_order() -> None:
    assert sorted(["10", "9", "a10", "a9", 11], key=natural) == ["9", "10", 11, "a9", "a10"]


def test_a_thousand_runs(make: Make, tmp_path: Path) -> None:
    pattern = make("pattern", mse=0.5)
    texts = {name: (pattern / name).read_text("utf-8") for name in ("config.yaml", "result.json")}
    assert "  seed: 0\n  log_every" in texts["config.yaml"]
    for seed in range(1000):
        folder = tmp_path / "sweep" / str(seed)
        folder.mkdir(parents=True)
        config = texts["config.yaml"].replace(
            "  seed: 0\n  log_every", f"  seed: {seed}\n  log_every"
        )
        (folder / "config.yaml").write_text(config, encoding="utf-8")
        (folder / "result.json").write_text(
            texts["result.json"].replace("0.5", str(seed / 10)), encoding="utf-8"
        )
    runs = collect([tmp_path / "sweep"]).runs
    assert [run.seed for run in runs] == list(range(1000))
    assert [run.values["mse"] for run in runs] == [seed / 10 for seed in range(1000)]


def test_configs_are_read_as_a_whole_where_their_sections_refer_to_each_other(
    tmp_path: Path,
) -> None:
    (tmp_path / "config.yaml").write_text(
        "# by hand\ntraining: &own\n  seed: 7\nname: a\nother: *own\n", encoding="utf-8"
    )
    assert read(tmp_path).config == {"training": {"seed": 7}, "name": "a", "other": {"seed": 7}}
