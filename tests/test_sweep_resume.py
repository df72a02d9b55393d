"""What `sweep=resume` takes up, and what it refuses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from gan_runner import sweep_resume
from gan_runner.compose import Composer
from gan_runner.errors import ConfigError
from gan_runner.run_folder import plain_config, write_config
from gan_runner.sweep_jobs import SweepJob
from gan_runner.sweeps import Sweep

OVERRIDES = ("training.steps=5", "training.seed=1")


@pytest.fixture(scope="module")
def composer() -> Composer:
    return Composer()


def make_job(folder: Path, overrides: Sequence[str] = OVERRIDES) -> SweepJob:
    return SweepJob(
        number=0, folder=folder, sweep=folder.parent, overrides=tuple(overrides), resumes=True
    )


def write_run(composer: Composer, folder: Path, status: str | None, *files: str) -> None:
    """A run folder in which `OVERRIDES` were trained so far."""
    write_config(folder, plain_config(composer.compose(OVERRIDES).config), OVERRIDES)
    if status is not None:
        (folder / "result.json").write_text(f'{{"schema_version": 1, "status": "{status}"}}')
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.mark.parametrize(
    ("status", "files", "expected"),
    [
        ("completed", ("checkpoints/last.pt",), "finished"),
        ("interrupted", ("checkpoints/last.pt",), "begun"),
        ("failed", ("checkpoints/last.pt",), "begun"),
        (None, ("checkpoints/last.pt",), "begun"),
        ("failed", (), "new"),
        (None, ("checkpoints/best.pt", "run.log"), "new"),
    ],
)
def test_standing(
    composer: Composer, tmp_path: Path, status: str | None, files: tuple[str, ...], expected: str
) -> None:
    folder = tmp_path / "0"
    write_run(composer, folder, status, *files)
    config = composer.compose(OVERRIDES).config
    assert sweep_resume.standing(make_job(folder), config) == expected
    assert (folder / "config.yaml").exists() == (expected != "new")  # else `begin` would refuse
    assert all((folder / name).exists() for name in files)


def test_a_job_that_never_began_is_new(composer: Composer, tmp_path: Path) -> None:
    (tmp_path / "run.log").write_text("Job 0 failed")
    assert sweep_resume.standing(make_job(tmp_path), composer.compose([]).config) == "new"
    assert list(tmp_path.iterdir()) == []


def test_many_seeds_are_begun_where_all_are(composer: Composer, tmp_path: Path) -> None:
    overrides = ("training.seeds=2", "training.seed=7")
    config = composer.compose(overrides).config
    write_config(tmp_path, plain_config(config), overrides)
    last = [tmp_path / "seeds" / seed / "checkpoints" / "last.pt" for seed in ("7", "8")]
    for path in last:
        path.parent.mkdir(parents=True)
        path.touch()
        write_config(path.parents[1], plain_config(config), ())
    assert sweep_resume.standing(make_job(tmp_path, overrides), config) == "begun"
    last[1].unlink()
    assert sweep_resume.standing(make_job(tmp_path, overrides), config) == "new"
    assert not list(tmp_path.rglob("config.yaml"))


def test_a_run_of_another_config_is_refused(composer: Composer, tmp_path: Path) -> None:
    write_run(composer, tmp_path, "completed")
    now = composer.compose(["training.steps=6", "training.seed=1", "name=x"]).config
    with pytest.raises(ConfigError, match=r"has another run: training.steps=5, now 6$"):
        sweep_resume.standing(make_job(tmp_path), now)
    same = composer.compose([*OVERRIDES, "name=x"]).config  # a name changes no number
    assert sweep_resume.standing(make_job(tmp_path), same) == "finished"


# --- the sweep ---------------------------------------------------------------------------------


def record(folder: Path, task: Sequence[str], own: Sequence[str] = ()) -> Path:
    """What Hydra writes down of a sweep."""
    folder.mkdir(parents=True)
    OmegaConf.save(
        {"hydra": {"overrides": {"task": list(task), "hydra": list(own)}}},
        folder / sweep_resume.RECORD,
    )
    return folder


def make_sweep(folder: Path, *jobs: tuple[str, ...]) -> Sweep:
    return Sweep(task=("a=1,2",), own=(), jobs=jobs, folder=folder)


def test_a_folder_alone_brings_what_was_typed(tmp_path: Path) -> None:
    own = ["hydra/launcher=stacked", "hydra.launcher.width=4", "hydra.mode=MULTIRUN"]
    folder = record(tmp_path / "x", ["training.seed=1,2"], [*own, "hydra.sweep.dir=x"])
    here = f"hydra.sweep.dir={folder}"
    assert sweep_resume.completed([here]) == ["training.seed=1,2", *own[:2], here]
    wider = "hydra.launcher.width=8"
    assert sweep_resume.completed([here, wider]) == ["training.seed=1,2", own[0], here, wider]
    basic = "hydra/launcher=basic"
    assert sweep_resume.completed([here, basic]) == ["training.seed=1,2", here, basic]
    typed = [here, "training.seed=1,2,3"]
    assert sweep_resume.completed(typed) == typed
    assert sweep_resume.completed(["training.seed=1,2"]) == ["training.seed=1,2"]


def test_a_folder_without_a_sweep_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^sweep=resume: no sweep in hydra.sweep.dir=.*x: it"):
        sweep_resume.completed([f"hydra.sweep.dir={tmp_path / 'x'}"])
    (tmp_path / "index.csv").touch()
    assert len(sweep_resume.completed([f"hydra.sweep.dir={tmp_path}", "training.seed=1,2"])) == 2
    with pytest.raises(ConfigError, match=r"has no multirun.yaml: type the sweep's overrides$"):
        sweep_resume.completed([f"hydra.sweep.dir={tmp_path}"])


def test_the_latest_sweep_of_the_same_words_is_found(tmp_path: Path) -> None:
    record(tmp_path / "2026-01-30" / "23-00", ["a=1,2"])
    wanted = record(tmp_path / "2026-01-31" / "08-00", ["a=1,2"])
    record(tmp_path / "2026-01-31" / "09-00", ["a=1,2,3"])
    planned = make_sweep(tmp_path / "2026-02-01" / "12-00", ("a=1",), ("a=2",))
    found = sweep_resume.located(planned, ["a=1,2"])
    assert found.folder == wanted
    assert found.overrides == ("a=1,2", f"hydra.sweep.dir='{wanted}'")
    other = Sweep(task=("a=5,6",), own=(), jobs=None, folder=planned.folder)
    with pytest.raises(ConfigError, match=r"no sweep of these overrides in .*; name its folder"):
        sweep_resume.located(other, ["a=5,6"])


def test_other_jobs_are_refused(tmp_path: Path) -> None:
    here = [f"hydra.sweep.dir={tmp_path}"]
    write_config(tmp_path / "1", {}, ["a='x y'", "b=0.001"])
    same = make_sweep(tmp_path, ("a=1", "b=1e-3"), ('a="x y"', "b=1e-3"), ("a=3", "b=1e-3"))
    assert sweep_resume.located(same, here) == same
    with pytest.raises(ConfigError, match=r"job 1 is 'a='x y' b=0.001'; what is typed now mak"):
        sweep_resume.located(make_sweep(tmp_path, ("a=1", "b=1"), ("a=2", "b=1")), here)
    (tmp_path / "index.csv").write_text("job,folder,status\n1,1,completed\n2,2,failed\n")
    with pytest.raises(ConfigError, match=r"job 1 is .*; what is typed now has no such job$"):
        sweep_resume.located(make_sweep(tmp_path, ("a=1", "b=1e-3")), here)
    assert sweep_resume.num_finished(same) == 1
