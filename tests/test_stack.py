"""Jobs trained together leave what each would have left alone; many seeds in one run folder."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import os
import signal
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from gan_runner import api, checkpoint, run_folder, seeds, stack, stackable
from gan_runner.callbacks.callback import Callback
from gan_runner.callbacks.csv_file import read_metrics_csv
from gan_runner.callbacks.progress import Progress
from gan_runner.errors import Interrupted, RunFailed
from gan_runner.losses.adversarial import LOSSES
from gan_runner.result import read_result
from gan_runner.stack import Job, execute_jobs, grouped
from gan_runner.stack_trainer import StackTrainer
from gan_runner.trainer import Trainer

Compose = Callable[..., dict[str, Any]]
TinyRun = Callable[..., api.Result]
Same = Callable[[Any, Any], bool]

VGAN = (
    "model=vgan", "dataset=ring8", "network.generator.widths=[8]",
    "network.discriminator.widths=[8]", "training.batch_size=12", "training.steps=6",
    "training.log_every=2",
)  # fmt: skip
MEASURED = ("metrics.names=[mmd,sliced_wasserstein]", "metrics.num_generated=50")


@pytest.fixture(autouse=True)
def _quick(quick_pictures: None) -> None:
    """Draw empty pictures."""


@pytest.fixture
def stacks(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The folders of the replicas of each stack that begins to train."""
    seen: list[list[str]] = []
    train = StackTrainer.train

    def watched(self: StackTrainer, *given: Any) -> None:
        seen.append([each.folder.name for each in self.members])
        train(self, *given)

    monkeypatch.setattr(StackTrainer, "train", watched)
    return seen


def names(folder: Path) -> set[str]:
    """A run folder's files, the event files' varying names cut."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {name.split(".")[0] if name.startswith("tb/") else name for name in found}


def last(folder: Path) -> dict[str, Any]:
    return checkpoint.load(folder / "checkpoints" / "last.pt")


def make_jobs(compose: Compose, folder: Path, *each: Sequence[str]) -> list[Job]:
    return [
        Job(config=compose(*VGAN, *more), folder=folder / f"{number}", overrides=(*VGAN, *more))
        for number, more in enumerate(each)
    ]


# --- many seeds in one folder ----------------------------------------------------------------


def test_many_seeds_are_complete_runs_under_one_folder(
    tiny_run: TinyRun, stacks: list[list[str]], tmp_path: Path
) -> None:
    folder = tmp_path / "many"
    tiny_run(*VGAN, *MEASURED, "training.seed=5", "training.seeds=3", folder=folder)
    assert stacks == [["5", "6", "7"]]
    assert {path.name for path in folder.iterdir()} == {
        "config.yaml", "overrides.yaml", "result.json", "seeds",
    }  # fmt: skip
    alone = tiny_run(*VGAN, *MEASURED, "training.seed=5", folder=tmp_path / "alone")
    for seed in (5, 6, 7):
        child = folder / "seeds" / f"{seed}"
        left_out = {name for name in names(alone.folder) if name.endswith(".png")}
        assert names(child) == names(alone.folder) - (set() if seed == 5 else left_out)
        config = run_folder.read_config(child)
        assert (config["training"]["seed"], config["training"]["seeds"]) == (seed, 1)
        assert read_result(child)["status"] == "completed"
        assert read_result(child)["folder"] == str(child)
        assert read_result(child)["step"] == last(child)["step"] == 6
    assert run_folder.read_config(folder)["training"]["seeds"] == 3
    own = run_folder.read_config(folder / "seeds" / "5")
    assert own == run_folder.read_config(alone.folder)
    rows = [read_metrics_csv(each / "metrics.csv") for each in
            (folder / "seeds" / "5", alone.folder)]  # fmt: skip
    assert rows[0].keys() == rows[1].keys()
    for tag, points in rows[1].items():
        assert [step for step, _ in rows[0][tag]] == [step for step, _ in points]
        values = [[value for _, value in each] for each in (rows[0][tag], points)]
        assert values[0] == pytest.approx(values[1], rel=1e-3), tag


def test_a_summary_over_seeds(tiny_run: TinyRun, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    made = tiny_run(*VGAN, *MEASURED, "training.seeds=4", folder=folder)
    found = read_result(folder)
    assert (found["status"], found["seeds"], found["failed_seeds"]) == (
        "completed", [0, 1, 2, 3], {},
    )  # fmt: skip
    children = {f"{seed}": read_result(folder / "seeds" / f"{seed}") for seed in range(4)}
    assert set(found["metrics"]) == set(children["0"]["metrics"])
    assert len(found["metrics"]) >= 2
    for name, entry in found["metrics"].items():
        values = {seed: each["metrics"][name]["value"] for seed, each in children.items()}
        assert entry["seeds"] == values
        listed = list(values.values())
        assert entry["n"] == 4
        assert entry["value"] == pytest.approx(statistics.mean(listed), rel=1e-12)
        assert entry["sd"] == pytest.approx(statistics.stdev(listed), rel=1e-12, abs=1e-15)
        assert entry["median"] == pytest.approx(statistics.median(listed), rel=1e-12)
        low, high = entry["interval"]
        assert min(listed) <= low <= entry["value"] <= high <= max(listed)
        assert entry["protocol"] == children["0"]["metrics"][name]["protocol"]
        assert made.metrics[name] == entry["value"]
    assert found["metrics"]["sliced_wasserstein"]["sd"] > 1e-6
    assert found["name"] == children["0"]["name"]
    assert found["folder"] == str(folder)
    assert found["floor"] == children["0"]["floor"]
    seconds = [each["timings"]["seconds_training"] for each in children.values()]
    assert found["timings"]["seconds_training"] == pytest.approx(sum(seconds), rel=1e-9)
    assert max(seconds) == pytest.approx(min(seconds), rel=1e-9)  # equal shares of the stack's time
    assert found["timings"]["seconds_total"] > sum(seconds) > 0
    assert "Mean" in str(made)


def test_a_failed_seed_is_named_and_left_out(
    compose: Compose, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "many"
    broken_seed(monkeypatch, 1)
    found = api.execute(compose(*VGAN, *MEASURED, "training.seeds=3"), folder, []).details
    assert (found["status"], found["seeds"]) == ("completed", [0, 2])
    child = read_result(folder / "seeds" / "1")
    assert found["failed_seeds"] == {"1": child["error"]}
    assert child["status"] == "failed"
    assert child["error"].startswith("step 4: the term D/adversarial is not finite. ")
    assert child["metrics"] == {}
    assert "step 4: the term D/adversarial" in (folder / "seeds" / "1" / "run.log").read_text()
    for entry in found["metrics"].values():
        assert (entry["n"], set(entry["seeds"])) == (2, {"0", "2"})
    for path in (folder / "seeds" / "1" / "checkpoints").glob("*.pt"):
        networks = checkpoint.load(path)["host"]["networks"].values()
        assert all(bool(each.isfinite().all()) for one in networks for each in one.values())
        assert checkpoint.load(path)["step"] < 4


def broken_seed(monkeypatch: pytest.MonkeyPatch, *broken: int, progress: float = 0.45) -> None:
    """Make D's loss not finite for some seeds of a stack from a share of the run on."""
    replicas = stack.replicas

    def change(configs: Sequence[Any]) -> list[Any]:
        runs = []
        for run in replicas(configs):
            is_broken = run.config["training"]["seed"] in broken
            numbers = {**run.numbers, "test.limit": progress if is_broken else 2.0}
            (stage,) = run.recipe.stages
            moves = tuple(
                dataclasses.replace(move, objective=limited(move.objective))
                if move.player == "D"
                else move
                for move in stage.moves
            )
            stages = (dataclasses.replace(stage, moves=moves),)
            recipe = dataclasses.replace(run.recipe, stages=stages)
            runs.append(dataclasses.replace(run, recipe=recipe, numbers=numbers))
        return runs

    monkeypatch.setattr(stack, "replicas", change)


def limited(inner: Callable[..., Any]) -> Callable[..., Any]:
    def objective(nets: Any, batch: Any, h: Any) -> Any:
        terms = inner(nets, batch, h)
        broken = batch["progress"] > h["test.limit"]
        return {**terms, "adversarial": torch.where(broken, math.nan, terms["adversarial"])}

    return objective


def test_all_seeds_fail(compose: Compose, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken_seed(monkeypatch, 0, 1)
    with pytest.raises(RunFailed, match="step 4: the term D/adversarial is not finite"):
        api.execute(compose(*VGAN, "training.seeds=2"), tmp_path / "many", [])
    for seed in (0, 1):
        assert read_result(tmp_path / "many" / "seeds" / f"{seed}")["status"] == "failed"


def test_one_seed_is_an_ordinary_run(
    tiny_run: TinyRun, stacks: list[list[str]], same: Same, tmp_path: Path
) -> None:
    """Bit for bit, in a folder without `seeds/`."""
    plain = tiny_run(*VGAN, folder=tmp_path / "plain")
    one = tiny_run(*VGAN, "training.seeds=1", folder=tmp_path / "one")
    assert stacks == []
    assert names(plain.folder) == names(one.folder)
    assert not (one.folder / "seeds").exists()
    for name, network in plain.networks.items():
        assert same(network.state_dict(), one.networks[name].state_dict())


def test_a_walk_of_many_seeds_is_a_walk_of_one(
    tiny_run: TinyRun, stacks: list[list[str]], tmp_path: Path
) -> None:
    found = tiny_run(*VGAN, "training.seeds=3", "device.name=meta", folder=tmp_path / "walk")
    assert found.details["status"] == "walked"
    assert stacks == []
    assert not (tmp_path / "walk").exists()


def test_a_stack_starts_from_other_weights(tiny_run: TinyRun, same: Same, tmp_path: Path) -> None:
    source = tiny_run(*VGAN, folder=tmp_path / "source")
    still = ("training.steps=1", "optimizer=sgd", "optimizer.lr=1e-30")
    tiny_run(*VGAN[:-2], *still, f"training.init_from={source.folder}", "training.seeds=2",
             folder=tmp_path / "many")  # fmt: skip
    for seed in (0, 1):
        networks = last(tmp_path / "many" / "seeds" / f"{seed}")["host"]["networks"]
        assert same(networks, last(source.folder)["host"]["networks"])


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("training.init_from=/nowhere", "training.init_from=/nowhere: no checkpoint"),
        ("metrics.select=fid", "metrics.select=fid: not measured here"),
    ],
)
def test_a_refusal_leaves_nothing(
    option: str, message: str, compose: Compose, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        api.execute(compose(*VGAN, option, "training.seeds=2"), tmp_path / "many", [])
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "many").exists()
    (job,) = make_jobs(compose, tmp_path, [option])
    for _, outcome in execute_jobs([job, dataclasses.replace(job, folder=tmp_path / "1")]):
        assert str(outcome) == str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_data_that_are_gone(compose: Compose, tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text("".join(f"{number},{number * number}\n" for number in range(40)))
    config = compose("model=vgan", "dataset=table", f"dataset.path={path}", "training.seeds=2")
    path.unlink()
    with pytest.raises(ValueError, match=r"points\.csv"):
        api.execute(config, tmp_path / "many", [])
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_not_written_over(tiny_run: TinyRun, tmp_path: Path) -> None:
    folder = tmp_path / "used"
    tiny_run(*VGAN, folder=folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(ValueError, match="used holds a run already; resume="):
        tiny_run(*VGAN, "training.seeds=2", folder=folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_jobs_do_not_write_over_a_run(compose: Compose, tmp_path: Path) -> None:
    jobs = make_jobs(compose, tmp_path, ["training.seed=0"], ["training.seed=1"])
    list(execute_jobs(jobs))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for _, outcome in execute_jobs(jobs):
        assert isinstance(outcome, ValueError)
        assert "holds a run already" in str(outcome)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


# --- jobs ------------------------------------------------------------------------------------


def test_jobs_of_two_structures_make_two_stacks(
    compose: Compose, stacks: list[list[str]], tmp_path: Path
) -> None:
    jobs = make_jobs(
        compose, tmp_path, ["training.seed=0"], ["training.seed=0", "loss=hinge"],
        ["training.seed=1", "optimizer.lr=0.1"], ["training.seed=1", "loss=hinge"],
    )  # fmt: skip
    ended = list(execute_jobs(jobs))
    assert stacks == [["0", "2"], ["1", "3"]]
    assert [job.folder.name for job, _ in ended] == ["0", "2", "1", "3"]
    for job, outcome in ended:
        assert isinstance(outcome, api.Result)
        assert outcome.folder == job.folder
        assert outcome.details["config_hash"] == read_result(job.folder)["config_hash"]
        assert run_folder.read_config(job.folder) == job.config
        assert run_folder.read_overrides(job.folder) == list(job.overrides)
        for network in outcome.networks.values():
            assert not network.training
            assert not any(each.requires_grad for each in network.parameters())
    assert last(tmp_path / "2")["host"]["optimizers"]["D"]["lr"] == 0.1


def test_jobs_are_grouped_in_order_and_split_by_width(compose: Compose, tmp_path: Path) -> None:
    each = [[f"training.seed={seed}", f"training.batch_size={size}"]
            for seed, size in itertools.product(range(3), (6, 12))]  # fmt: skip
    jobs = make_jobs(compose, tmp_path, *each)
    found = [[job.folder.name for job in group] for group in grouped(jobs, 2)]
    assert found == [["0", "2"], ["4"], ["1", "3"], ["5"]]
    found = [[job.folder.name for job in group] for group in grouped(jobs, 64)]
    assert found == [["0", "2", "4"], ["1", "3", "5"]]


@pytest.mark.parametrize("kind", ["in words", "not mapped"])
def test_jobs_that_cannot_be_stacked_run_alone(
    kind: str, compose: Compose, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    same: Same, tmp_path: Path,
) -> None:  # fmt: skip
    """Because it is known, or because a loss branches on a number, which `vmap` refuses."""
    plain = LOSSES["nonsaturating"]

    def branching(real: Any, fake: Any, **numbers: Any) -> Any:
        found = plain.discriminator_function(real, fake, **numbers)
        return found if float(found.detach()) < 1e9 else 2 * found

    if kind == "in words":
        monkeypatch.setattr(stackable, "reason_not", lambda config: "it is Tuesday")
    else:
        changed = dataclasses.replace(plain, discriminator_function=branching)
        monkeypatch.setitem(LOSSES, "nonsaturating", changed)
    jobs = make_jobs(compose, tmp_path / "jobs", ["training.seed=0"], ["training.seed=1"])
    ended = list(execute_jobs(jobs))
    said = "runs one by one: it is Tuesday" if kind == "in words" else "cannot be stacked, runs"
    assert sum(said in text for text in caplog.messages) == 1
    for job, outcome in ended:
        assert isinstance(outcome, api.Result)
        assert outcome.details["status"] == "completed"
        alone = api.execute(job.config, tmp_path / "alone" / job.folder.name, [])
        assert same(last(job.folder)["host"], last(alone.folder)["host"])  # Solo, bit for bit


def test_a_stack_that_cannot_be_played_writes_nothing(
    compose: Compose, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """When it comes to running one by one, the folders are as they were."""

    def played(self: Any, step: int) -> None:
        raise stack.CannotStackError("no")

    seen: list[list[Path]] = []

    def execute(config: Any, folder: Path, overrides: list[str]) -> Any:
        seen.append(list(tmp_path.rglob("*")))
        raise RunFailed("seen")

    monkeypatch.setattr("gan_runner.stacked_step.Steps.ready", played)
    monkeypatch.setattr(api, "execute", execute)
    jobs = make_jobs(compose, tmp_path, ["training.seed=0"], ["training.seed=1"])
    assert [str(outcome) for _, outcome in execute_jobs(jobs)] == ["seen", "seen"]
    assert seen == [[], []]


def test_a_failing_job_alone_does_not_stop_the_others(compose: Compose, tmp_path: Path) -> None:
    jobs = make_jobs(
        compose, tmp_path, ["loss=hinge", "training.init_from=/nowhere"], ["loss=least_squares"]
    )
    (_, first), (_, second) = execute_jobs(jobs)
    assert isinstance(first, ValueError)
    assert isinstance(second, api.Result)


class Killer(Callback):
    """Sends its process a signal after a logged row."""

    def __init__(self, at: int) -> None:
        self.at = at

    def on_log(self, step: int, scalars: Any) -> None:
        if step == self.at:
            os.kill(os.getpid(), signal.SIGTERM)


def kill_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """SIGTERM after a step of a stack, or of a run alone."""

    def stop(self: Progress, at: int) -> None:
        if at == step:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Progress, "on_step", stop)


@pytest.mark.parametrize("num", [1, 2])
def test_an_interruption_stops_the_jobs(
    num: int, compose: Compose, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whether one ran alone or a stack: those that have not begun do not begin."""
    each = [[f"loss={loss}", f"training.seed={seed}"] for loss in ("hinge", "minimax")
            for seed in range(num)]  # fmt: skip
    jobs = make_jobs(compose, tmp_path, *each)
    kill_at(monkeypatch, 3)
    with pytest.raises(Interrupted) as caught:
        list(execute_jobs(jobs))
    assert caught.value.signum == signal.SIGTERM
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{n}" for n in range(num)]
    for number in range(num):
        folder = tmp_path / f"{number}"
        found = read_result(folder)
        assert (found["status"], found["step"]) == ("interrupted", 3)
        assert found["error"] == str(Interrupted(signal.SIGTERM, folder))
        assert last(folder)["step"] == 3


# --- resume ----------------------------------------------------------------------------------


def states(folder: Path) -> list[dict[str, Any]]:
    """The replicas' last checkpoints, without what is timed."""
    found = [last(each) for each in sorted((folder / "seeds").iterdir())]
    for state in found:
        del state["seconds"]
    return found


RESUMED = {
    "vgan": (*VGAN, "training.checkpoint_every=3", "network.discriminator.dropout=0.3",
             "optimizer.schedule.name=cosine"),
    "wgan_gp": (*VGAN, "model=wgan_gp", "model.ema=0.9"),
    "srgan": ("model=srgan", "dataset=gauss3d", "model.pretrain_share=0.5", "training.steps=6",
              "training.log_every=2"),
    "dcgan": ("model=dcgan", "dataset=digits", "dataset.flip=true", "training.steps=3"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("game", "at"),
    [("vgan", 1), ("vgan", 4), ("wgan_gp", 5), ("srgan", 2), ("srgan", 3), ("srgan", 4),
     ("dcgan", 2)],
)  # fmt: skip
def test_a_stack_goes_on_bit_for_bit(
    game: str, at: int, compose: Compose, monkeypatch: pytest.MonkeyPatch, same: Same,
    tmp_path: Path,
) -> None:  # fmt: skip
    """Within a stage, at its border (SRGAN's third step), and beyond it."""
    config = compose(*RESUMED[game], "training.seeds=3")
    straight, folder = tmp_path / "straight", tmp_path / "stopped"
    api.execute(config, straight, [])
    with monkeypatch.context() as patch:
        kill_at(patch, at)
        with pytest.raises(Interrupted) as caught:
            api.execute(config, folder, [])
    assert caught.value.folder == folder
    for seed in range(3):
        child = folder / "seeds" / f"{seed}"
        assert (last(child)["step"], read_result(child)["status"]) == (at, "interrupted")
    resumed = api.resume(folder)
    assert resumed.details["status"] == "completed"
    assert same(states(folder), states(straight))
    for seed in range(3):
        rows = [(each / "seeds" / f"{seed}" / "metrics.csv").read_bytes()
                for each in (folder, straight)]  # fmt: skip
        assert rows[0] == rows[1]
        assert read_result(folder / "seeds" / f"{seed}")["status"] == "completed"


def test_an_interrupted_stack_says_how_to_go_on(
    compose: Compose, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kill_at(monkeypatch, 3)
    with pytest.raises(Interrupted) as caught:
        api.execute(compose(*VGAN, "training.seeds=2"), tmp_path / "many", [])
    assert str(caught.value).endswith(f"gan-run resume={tmp_path / 'many'}")


def test_a_replica_taken_out_goes_on_alone(
    compose: Compose, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In float64 it ends where the stack ends; and its samples can be drawn."""
    config = compose(*VGAN, "training.seeds=3", "device.precision=fp64")
    straight, folder = tmp_path / "straight", tmp_path / "stopped"
    api.execute(config, straight, [])
    with monkeypatch.context() as patch:
        kill_at(patch, 3)
        with pytest.raises(Interrupted):
            api.execute(config, folder, [])
    result = api.resume(folder / "seeds" / "1")
    assert result.details["step"] == 6
    expected = last(straight / "seeds" / "1")["host"]
    found = last(folder / "seeds" / "1")["host"]
    for letter, network in expected["networks"].items():
        for name, value in network.items():
            torch.testing.assert_close(
                found["networks"][letter][name], value, rtol=1e-10, atol=1e-10
            )
    for player, optimizer in expected["optimizers"].items():
        other = found["optimizers"][player]
        assert other["num_steps"] == optimizer["num_steps"] == 6
        for name, value in optimizer["state"].items():
            torch.testing.assert_close(other["state"][name], value, rtol=1e-10, atol=1e-10)
    assert last(folder / "seeds" / "0")["step"] == 3
    samples = api.load(folder / "seeds" / "1").sample(20, seed=3)
    assert samples.shape == (20, 2)
    torch.testing.assert_close(
        samples, api.load(straight / "seeds" / "1").sample(20, seed=3), rtol=1e-9, atol=1e-9
    )
    other = api.load(straight / "seeds" / "2").sample(20, seed=3)
    assert float((samples - other).abs().max()) > 1e-3
    # The others go on without it, from another step.
    again = api.resume(folder)
    assert again.details["seeds"] == [0, 1, 2]
    assert {last(each)["step"] for each in (folder / "seeds").iterdir()} == {6}


def test_a_finished_stack_resumes_to_the_same_end(
    tiny_run: TinyRun, same: Same, tmp_path: Path
) -> None:
    folder = tmp_path / "many"
    first = tiny_run(*VGAN, *MEASURED, "training.seeds=2", folder=folder)
    before = states(folder)
    rows = (folder / "seeds" / "0" / "metrics.csv").read_text()
    again = api.resume(folder)
    assert again.metrics == first.metrics
    assert again.details["updates"] == first.details["updates"]
    assert same(states(folder), before)
    assert (folder / "seeds" / "0" / "metrics.csv").read_text() == rows


def test_a_longer_stack_equals_one_that_was_always_longer(
    tiny_run: TinyRun, same: Same, tmp_path: Path
) -> None:
    short, long = tmp_path / "short", tmp_path / "long"
    tiny_run(*VGAN, "training.seeds=2", folder=short)
    tiny_run(*VGAN, "training.seeds=2", "training.steps=10", folder=long)
    resumed = api.resume(short, ["training.steps=10"])
    assert resumed.details["steps"] == 10
    assert same(states(short), states(long))
    for each in (short, short / "seeds" / "1"):
        assert run_folder.read_config(each)["training"]["steps"] == 10


def test_a_failed_replica_stays_failed(
    compose: Compose, monkeypatch: pytest.MonkeyPatch, same: Same, tmp_path: Path
) -> None:
    """Failed in step 4, seen at the row of step 4, interrupted after step 5."""
    config = compose(*VGAN, "training.seeds=3", "training.checkpoint_every=100")
    straight, folder = tmp_path / "straight", tmp_path / "stopped"
    with monkeypatch.context() as patch:
        broken_seed(patch, 1)
        api.execute(config, straight, [])
        kill_at(patch, 5)
        with pytest.raises(Interrupted):
            api.execute(config, folder, [])
    failed = read_result(folder / "seeds" / "1")
    assert failed["status"] == "failed"
    assert failed["error"].startswith("step 4: the term D/adversarial is not finite. ")
    assert not (folder / "seeds" / "1" / "checkpoints").exists()  # it never had one
    resumed = api.resume(folder)
    assert resumed.details["seeds"] == [0, 2]
    assert resumed.details["failed_seeds"] == {"1": failed["error"]}
    for seed in (0, 2):
        found = [last(each / "seeds" / f"{seed}")["host"] for each in (folder, straight)]
        assert same(found[0]["networks"].keys(), found[1]["networks"].keys())
        for name, network in found[1]["networks"].items():
            for key, value in network.items():
                # Two replicas are stacked now, not three: products may be rounded otherwise.
                torch.testing.assert_close(found[0]["networks"][name][key], value)


def test_a_stack_without_a_checkpoint_cannot_go_on(
    compose: Compose, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "many"
    run_folder.write_config(folder, compose(*VGAN, "training.seeds=2"), [])
    with pytest.raises(ValueError, match="seed 0 has no checkpoint yet; start the run again"):
        api.resume(folder)


def test_a_stack_does_not_change_when_it_is_resumed(tiny_run: TinyRun, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    tiny_run(*VGAN, "training.seeds=2", folder=folder)
    with pytest.raises(ValueError, match="would change the run"):
        api.resume(folder, ["training.seeds=3"])


def test_the_first_seed_alone_has_pictures(tmp_path: Path, compose: Compose) -> None:
    jobs = seeds._jobs(compose(*VGAN, "training.seed=3", "training.seeds=3"), tmp_path)
    assert [job.pictures for job in jobs] == [True, False, False]
    trainers = stack.make_trainers(stack.replicas([job.config for job in jobs]), jobs)
    assert all(isinstance(each, Trainer) for each in trainers)
    assert [len(each.callbacks) for each in trainers] == [4, 3, 3]
    assert all(each.data is trainers[0].data for each in trainers)
    assert json.dumps(jobs[0].config)  # plain data
