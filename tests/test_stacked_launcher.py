"""`hydra/launcher=stacked` leaves what the basic launcher leaves, from stacks."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from gan_runner import cli, plugins, stack, stack_memory, stackable, stacked_sweep
from gan_runner.callbacks.progress import Progress
from gan_runner.errors import Interrupted
from gan_runner.stacked_step import CannotStackError
from gan_runner.stacked_sweep import Waiting
from gan_runner.sweep_jobs import Stop, SweepJob

TINY = (
    "device=cpu", "dataset=gauss3d", "dataset.num_per_mode=20", "dataset.num_validation=21",
    "dataset.num_test=21", "training.steps=6", "training.sample_every=99",
    "training.num_samples=16", "metrics.names=[sliced_wasserstein]",
)  # fmt: skip
STACKED = "hydra/launcher=stacked"


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quick_pictures: None) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")


@pytest.fixture
def stacks(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The folders of the jobs of each stack that is trained."""
    seen: list[tuple[str, ...]] = []

    def watched(name: str) -> None:
        before = getattr(stack, name)

        def train(jobs: Sequence[stack.Job], **options: Any) -> Iterator[stack.Ended]:
            seen.append(tuple(job.folder.name for job in jobs))
            return before(jobs, **options)

        monkeypatch.setattr(stack, name, train)

    for name in ("execute_jobs", "resume_jobs"):
        watched(name)
    return seen


def sweep(folder: str, *words: str) -> int:
    return cli.main(["-m", *TINY, f"hydra.sweep.dir={folder}", *words])


def index(folder: str) -> list[dict[str, str]]:
    with Path(folder, "index.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def files(folder: Path) -> list[str]:
    """A run folder's files, with the varying parts of event files' names cut."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    return sorted("tb/events" if name.startswith("tb/events") else name for name in names)


def all_keys(value: Any, prefix: str = "") -> set[str]:
    if not isinstance(value, dict):
        return {prefix}
    return set().union({prefix}, *(all_keys(each, f"{prefix}/{k}") for k, each in value.items()))


def hparams(folder: Path) -> tuple[str, list[str]]:
    """The name of the event file's folder's run, and the HParams tab's records in it."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tb"))
    events.Reload()
    return folder.name, sorted(events.PluginTagToContent("hparams"))


def test_what_is_left_equals_the_basic_launchers(
    stacks: list[tuple[str, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("model=srgan,mlp", "training.seed=0,1")
    assert sweep("basic", *words) == 0
    tables = capsys.readouterr().out
    assert stacks == []
    assert sweep("stacked", *words, STACKED) == 0
    assert stacks == [("0", "1"), ("2", "3")]

    def plain(text: str) -> list[str]:  # without rates and times
        lines = text.replace(f"{Path.cwd()}/basic", f"{Path.cwd()}/stacked").splitlines()
        return [line.split()[0] if line.strip() else "" for line in lines if "steps/s" not in line]

    assert plain(capsys.readouterr().out) == plain(tables)
    assert files(Path("stacked")) != []
    for number in range(4):
        basic, stacked = Path("basic", str(number)), Path("stacked", str(number))
        assert files(stacked) == files(basic)
        for name in ("config.yaml", "overrides.yaml"):
            assert (stacked / name).read_text() == (basic / name).read_text()
        left, right = (json.loads((each / "result.json").read_text()) for each in (basic, stacked))
        assert all_keys(left) == all_keys(right)
        assert left["config_hash"] == right["config_hash"]
        assert right["folder"] == str(stacked.resolve())
        found, made = (each["metrics"]["sliced_wasserstein"]["value"] for each in (left, right))
        assert made == pytest.approx(found, rel=1e-3)
        assert hparams(stacked) == hparams(basic)
        assert len(hparams(stacked)[1]) == 3  # experiment, start, end: one row of the tab
    assert {path.name for path in Path("basic").iterdir()} == {
        path.name for path in Path("stacked").iterdir()
    }
    timed = ("seconds", "sliced_wasserstein")
    rows = [
        [{key: text for key, text in row.items() if key not in timed} for row in index(folder)]
        for folder in ("basic", "stacked")
    ]
    assert rows[0] == rows[1]
    assert [row["job"] for row in rows[0]] == ["0", "1", "2", "3"]
    assert rows[0][2]["overrides"].endswith("model=mlp training.seed=0")


def test_a_failed_replica_does_not_stop_the_others(
    stacks: list[tuple[str, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert sweep("x", "model=srgan", "optimizer.lr=1e-4,1e30,1e-3", STACKED) == 1
    assert stacks == [("0", "1", "2")]
    assert [(row["status"], row["error"] != "") for row in index("x")] == [
        ("completed", False), ("failed", True), ("completed", False),
    ]  # fmt: skip
    (line,) = Path("x", "failed_jobs.txt").read_text().splitlines()
    number, overrides, reason = line.split("\t")
    assert number == "1"
    assert overrides.endswith("optimizer.lr=1e+30")
    assert reason.startswith("RunFailed: step ")
    said = capsys.readouterr().err
    assert f"gan-run: job 1 failed: {reason}" in said
    assert said.endswith("gan-run: error: 1 of 3 jobs failed; x/failed_jobs.txt lists them\n")


def test_an_interrupted_sweep_goes_on(
    stacks: list[tuple[str, ...]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stop(self: Progress, step: int) -> None:
        if step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    words = ("model=mlp", "training.seed=0,1,2,3", STACKED, "hydra.launcher.width=2")
    with monkeypatch.context() as patch:
        patch.setattr(Progress, "on_step", stop)
        assert sweep("x", *words) == 143
    assert stacks == [("0", "1")]
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == (
        "gan-run: stopped by SIGTERM; continue with: gan-run -m sweep=resume hydra.sweep.dir=x"
    )
    assert [(row["job"], row["status"], row["step"]) for row in index("x")] == [
        ("0", "interrupted", "3"), ("1", "interrupted", "3"),
    ]  # fmt: skip
    assert sorted(path.name for path in Path("x").iterdir() if path.is_dir()) == ["0", "1"]

    assert cli.main(["-m", "sweep=resume", "hydra.sweep.dir=x"]) == 0  # the launcher too
    assert stacks[1:] == [("0", "1"), ("2", "3")]
    assert [(row["job"], row["status"], row["step"]) for row in index("x")] == [
        (str(job), "completed", "6") for job in range(4)
    ]
    assert "gan-run: x: 0 of 4 jobs are finished already" in capsys.readouterr().err
    assert sweep("y", *words, "training.seed=0,1") == 0
    for row, other in zip(index("x")[:2], index("y"), strict=True):
        assert row["sliced_wasserstein"] == other["sliced_wasserstein"]  # bit for bit
    with Path("x", "0", "metrics.csv").open(encoding="utf-8") as file:
        steps = [int(row["step"]) for row in csv.DictReader(file)]
    assert steps == sorted(set(steps))

    before = Path("x", "index.csv").read_text()
    del stacks[:]
    assert sweep("x", *words, "sweep=resume") == 0
    assert stacks == []
    assert Path("x", "index.csv").read_text() == before
    assert "gan-run: x: 4 of 4 jobs are finished already" in capsys.readouterr().err


def test_runs_are_not_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("model=mlp", "training.seed=0,1", STACKED)
    assert sweep("x", *words) == 0
    before = {path: path.read_bytes() for path in Path("x").rglob("*.*") if path.is_file()}
    assert sweep("x", *words) == 1
    assert "holds a run already" in Path("x", "failed_jobs.txt").read_text()
    changed = {path for path, data in before.items() if path.read_bytes() != data}
    assert {path.name for path in changed} <= {"multirun.yaml"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["hydra.launcher.width=0"], "hydra.launcher.width=0: must be at least 1"),
        (["hydra.launcher.width=x"], "hydra.launcher.width=x: an integer is wanted"),
        (["hydra.launcher.memory=0"], "hydra.launcher.memory=0: must be above 0 (GiB), or null"),
        (["hydra.launcher.memory=inf"], "hydra.launcher.memory=inf: must be above 0 (GiB), or"),
        (["hydra.launcher.widht=1"], "unknown key 'hydra.launcher.widht'. Did you mean 'hydra.lau"),
        (["hydra.job.chdir=true"], "hydra.job.chdir=true: hydra/launcher=stacked trains jobs tog"),
    ],
)
def test_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str], message: str
) -> None:
    assert cli.main(["-m", "training.seed=0,1", STACKED, *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"gan-run: error: {message}")
    assert list(tmp_path.iterdir()) == []


def test_hydra_lists_it_wherever_the_package_is(tmp_path: Path) -> None:
    """In a process of its own: another plugin's folder is on the path, and nothing else of ours."""
    (tmp_path / "hydra_plugins").mkdir()
    (tmp_path / "hydra_plugins" / "other.py").write_text("")
    code = (
        "import sys; from gan_runner.cli import main; main(['--info', 'plugins']); "
        "import hydra_plugins.other; "
        "print([name for name in ('torch', 'datasets') if name in sys.modules]); import datasets"
    )
    root = str(Path(plugins.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([root, str(tmp_path)])},
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "StackedLauncher" in done.stdout
    assert "BasicLauncher" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
    assert "No module named 'datasets'" in done.stderr


# --- which jobs make a stack -----------------------------------------------------------------


@pytest.fixture
def waiting(compose: Callable[..., dict[str, Any]], tmp_path: Path) -> Callable[..., Waiting]:
    """`waiting(number, "model=srgan", ...)`: a job that is to be trained."""

    def make(number: int, *overrides: str, is_begun: bool = False) -> Waiting:
        job = SweepJob(
            number=number, folder=tmp_path / str(number), sweep=tmp_path, overrides=overrides
        )
        return Waiting(job=job, config=compose(*overrides), is_begun=is_begun)

    return make


def numbers(groups: Sequence[Sequence[Waiting]]) -> list[list[int]]:
    return [[each.job.number for each in group] for group in groups]


def test_groups(waiting: Callable[..., Waiting], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stackable, "OPTIMIZERS", ("adam",))
    jobs = [
        waiting(0, "training.seed=0"),
        waiting(1, "training.seed=1", "training.batch_size=7"),
        waiting(2, "training.seed=2", "optimizer.lr=1e-3"),
        waiting(3, "training.seed=3", is_begun=True),
        waiting(4, "optimizer=sgd"),
        waiting(5, "optimizer=sgd", "training.seed=5"),
        waiting(6, "training.seeds=2"),
        waiting(7, "training.seeds=2", "training.seed=7"),
    ]
    assert numbers(stacked_sweep.grouped(jobs)) == [[0, 2], [1], [3], [4], [5], [6], [7]]


@pytest.mark.parametrize(
    ("num", "most", "sizes"),
    [(4, 64, [4]), (4, 4, [4]), (5, 4, [2, 3]), (9, 4, [3, 3, 3]), (3, 1, [1, 1, 1])],
)
def test_parts_are_equal_and_none_too_large(num: int, most: int, sizes: list[int]) -> None:
    group: Any = list(range(num))
    parts = stacked_sweep.split(group, most)
    assert [len(part) for part in parts] == sizes
    assert [each for part in parts for each in part] == group


@pytest.mark.parametrize(
    ("fitting", "sizes"), [(None, [3, 3]), (100, [3, 3]), (2, [2, 2, 2]), (0, [])]
)
def test_stacks_fit_width_and_memory(
    monkeypatch: pytest.MonkeyPatch,
    waiting: Callable[..., Waiting],
    fitting: int | None,
    sizes: list[int],
) -> None:
    jobs = [waiting(number, f"training.seed={number}") for number in range(6)]
    trained: list[int] = []
    alone: list[SweepJob] = []
    monkeypatch.setattr(stacked_sweep, "_waiting", lambda _: jobs)
    monkeypatch.setattr(stacked_sweep, "_train_together", lambda part: trained.append(len(part)))
    monkeypatch.setattr(stacked_sweep, "run", alone.append)
    monkeypatch.setattr(stack_memory, "replicas_that_fit", lambda config, limit: fitting)
    stacked_sweep.train([each.job for each in jobs], width=4, memory=None)
    assert trained == sizes
    assert len(alone) == (0 if sizes else 6)


def test_one_folder_for_two_jobs_is_refused(
    waiting: Callable[..., Waiting], tmp_path: Path
) -> None:
    jobs = [
        SweepJob(number=number, folder=tmp_path / "same", sweep=tmp_path, overrides=())
        for number in (0, 1)
    ]
    assert numbers([list(stacked_sweep._waiting(jobs))]) == [[0]]
    assert "is job 0's too; see hydra.sweep.subdir" in Path("failed_jobs.txt").read_text()


# --- what goes wrong in a stack --------------------------------------------------------------


@pytest.fixture
def pair(
    waiting: Callable[..., Waiting], monkeypatch: pytest.MonkeyPatch
) -> tuple[list[Waiting], list[int]]:
    """Two jobs for a stack, and the numbers of those that are run by themselves."""
    alone: list[int] = []
    monkeypatch.setattr(stacked_sweep, "run", lambda job: alone.append(job.number))
    return [waiting(0), waiting(1, "training.seed=1")], alone


def fails(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, *, begun: Sequence[Waiting] = ()
) -> None:
    """Let stacks fail, some of their jobs having been begun."""

    def train(jobs: Sequence[stack.Job], **options: Any) -> Iterator[stack.Ended]:
        for each in begun:
            each.job.folder.mkdir(exist_ok=True)
            for name in ("config.yaml", "run.log"):
                (each.job.folder / name).touch()
        raise error
        yield

    monkeypatch.setattr(stack, "execute_jobs", train)
    monkeypatch.setattr(stack, "resume_jobs", train)


def test_before_it_begins_the_jobs_run_alone(
    pair: tuple[list[Waiting], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, alone = pair
    fails(monkeypatch, MemoryError("no room"))
    stacked_sweep._train_together(jobs)
    assert alone == [0, 1]


def test_once_begun_they_have_failed(
    pair: tuple[list[Waiting], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, alone = pair
    fails(monkeypatch, MemoryError("no room"), begun=jobs[:1])
    stacked_sweep._train_together(jobs)
    assert alone == [1]
    assert Path("failed_jobs.txt").read_text() == "0\t\tMemoryError: no room\n"
    assert "Traceback" in Path("0", "run.log").read_text()
    assert [row["status"] for row in index(".")] == ["failed"]


def test_from_checkpoints_they_go_on_alone(
    waiting: Callable[..., Waiting],
    pair: tuple[list[Waiting], list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    jobs = [waiting(0, is_begun=True), waiting(1, "training.seed=1", is_begun=True)]
    fails(monkeypatch, CannotStackError("an operation"), begun=jobs)
    stacked_sweep._train_together(jobs)
    assert pair[1] == [0, 1]


@pytest.mark.parametrize("error", [Interrupted(15), KeyboardInterrupt()])
def test_an_interruption_goes_through(
    pair: tuple[list[Waiting], list[int]], monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    jobs, alone = pair
    fails(monkeypatch, error, begun=jobs)
    with pytest.raises(Stop if isinstance(error, Interrupted) else KeyboardInterrupt):
        stacked_sweep._train_together(jobs)
    assert alone == []
    assert [row["status"] for row in index(".")] == ["interrupted", "interrupted"]


def test_the_option_has_its_defaults() -> None:
    conf = OmegaConf.structured(plugins.StackedLauncherConf)
    assert (conf.width, conf.memory) == (stack.WIDTH, None)
