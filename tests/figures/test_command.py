"""The command: figures made from real, tiny runs; reused, refused, interrupted, gone on with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from gan_runner.figures import command, drawing, records
from gan_runner.figures.catalogue import FIGURES
from gan_runner.figures.claims import CLAIMS
from gan_runner.figures.figure import Arm, Drawing, Figure, Material, Verdict
from gan_runner.figures.runs import Job, Request
from gan_runner.figures.training import train

TINY = ("model=bilinear", "training.steps=30", "training.log_every=10")


def _draw(material: Material) -> Drawing:
    canvas, (axes,) = drawing.canvas("radius")
    drawing.curves(axes, material.runs["simultaneous"], {"point/radius": "radius"})
    values = material.of("simultaneous", "distance")
    word = "holds" if min(values.values()) > 1 else "cannot be told"
    return Drawing(
        canvas=canvas, numbers={"distance": f"{values}"},
        verdicts={"I1": Verdict(word=word, why="measured")},  # type: ignore[arg-type]
    )  # fmt: skip


def _figure(name: str = "x", *overrides: str) -> Figure:
    arm = Arm(overrides=(*TINY, "model.update=simultaneous", *overrides))
    return Figure(
        paper="introduction", name=name, shows="a radius", arms={"simultaneous": arm}, draw=_draw,
        differs="", minutes=1, seeds=2, claims=("I1",),
    )  # fmt: skip


def test_a_figure_is_made_from_runs_and_made_again_from_the_same(tmp_path: Path) -> None:
    request = Request(out=tmp_path / "outputs" / "figures", at_once=2)
    assert command.make([_figure()], request) == {}
    folder = request.out / "introduction"
    assert {each.name for each in folder.iterdir()} == {"x.png", "x.pdf", "x.txt", "x.json"}
    assert "seeds 0 to 1, 30 steps" in " ".join((folder / "x.txt").read_text().split())
    results = sorted(request.out.glob("runs/cpu/*/result.json"))
    assert len(results) == 2
    stamps = [each.stat().st_mtime_ns for each in results]
    before = (folder / "x.png").read_bytes()
    # Another figure wants the same runs and one more.
    assert command.make([_figure(), _figure("y", "training.seed=0")], request) == {}
    assert [each.stat().st_mtime_ns for each in results] == stamps
    assert (folder / "x.png").read_bytes() == before
    assert len(list(request.out.glob("runs/cpu/*/result.json"))) == 2
    page = command.assemble(request).read_text(encoding="utf-8")
    assert 'class="holds">holds' in page
    assert (folder / "contact_sheet.png").exists() is False  # x is none of the catalogue's


def test_a_run_made_elsewhere_under_outputs_is_found(tmp_path: Path) -> None:
    words = [*TINY, "model.update=simultaneous", "training.seed=1"]
    subprocess.run(
        [sys.executable, "-m", "gan_runner", *words, f"hydra.run.dir={tmp_path}/outputs/mine"],
        check=True, capture_output=True,
    )  # fmt: skip
    request = Request(out=tmp_path / "outputs" / "figures")
    assert command.make([_figure()], request) == {}
    assert len(list(request.out.glob("runs/cpu/*/result.json"))) == 1


def test_what_is_refused_is_said_and_the_rest_is_made(tmp_path: Path) -> None:
    request = Request(out=tmp_path / "outputs" / "figures")
    late = _figure("late", "model.start=[1.0]")  # refused when the game is built
    refused = command.make([_figure("early", "optimizer.lr=-1"), late, _figure()], request)
    assert set(refused) == {"introduction-early", "introduction-late"}
    assert "lr" in refused["introduction-early"]
    assert "\n" not in refused["introduction-late"]
    assert (request.out / "introduction" / "x.png").is_file()


def test_a_stopped_run_goes_on(tmp_path: Path) -> None:
    words = (
        "model=vgan", "dataset=ring8", "training.steps=1000000", "training.checkpoint_every=200",
        "metrics=none", "device=cpu",
    )  # fmt: skip
    job = Job(words=words, folder=tmp_path / "run", keys=(), label="long")
    script = (
        "from pathlib import Path; from gan_runner.figures.runs import Job;"
        "from gan_runner.figures.training import train;"
        f"list(train([Job(words={words!r}, folder=Path({str(job.folder)!r}), keys=(),"
        " label='long')], at_once=1))"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE)
    last = job.folder / "checkpoints" / "last.pt"
    for _ in range(600):
        if last.is_file():
            break
        time.sleep(0.1)
    assert last.is_file()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert b"Interrupted" in said
    reached = last.stat().st_mtime_ns
    time.sleep(1.5)
    assert last.stat().st_mtime_ns == reached, "the run goes on although it was stopped"
    assert "resume=" not in (job.folder / "overrides.yaml").read_text()
    # The same job again: it resumes; it is stopped again, for it is long.
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE)
    for _ in range(600):
        if last.stat().st_mtime_ns > reached:
            break
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGTERM)
    process.communicate(timeout=60)
    rows = (job.folder / "metrics.csv").read_text().splitlines()[1:]
    steps = [int(row.partition(",")[0]) for row in rows]
    assert steps[0] < 200
    assert steps == sorted(set(steps)), "it began anew"


def _pair(first: tuple[str, ...]) -> Figure:
    """A figure whose second arm starts from the weights of its first."""
    points = (
        "dataset=ring8", "training.steps=10", "training.log_every=5", "metrics.names=[modes]",
        "metrics.num_generated=50", "metrics.num_real=50",
    )  # fmt: skip

    def draw(material: Material) -> Drawing:
        canvas, _ = drawing.canvas("x")
        return Drawing(canvas=canvas, numbers=dict.fromkeys(material.runs, "there"))

    arms = {
        "first": Arm(overrides=("model=vgan", *points, *first)),
        "second": Arm(overrides=("model=vgan", *points, "optimizer.lr=1e-3"), after="first"),
    }
    return Figure(
        paper="study", name="x", shows="two", arms=arms, draw=draw, differs="", minutes=1, seeds=2
    )


def test_an_arm_starts_from_anothers_weights(tmp_path: Path) -> None:
    request = Request(out=tmp_path / "outputs" / "figures", at_once=2)
    assert command.make([_pair(())], request) == {}
    folders = sorted(request.out.glob("runs/cpu/*/"))
    assert [each.name.split("_")[2] for each in folders] == ["first"] * 2 + ["second"] * 2
    for number in (0, 1):
        config = (folders[2 + number] / "config.yaml").read_text(encoding="utf-8")
        assert str(folders[number]) in config or str(folders[1 - number]) in config
    caption = " ".join((request.out / "study" / "x.txt").read_text(encoding="utf-8").split())
    assert "training.init_from=<run of first, same seed>" in caption
    # Elsewhere under outputs it is still the same run, and what it starts from, too.
    (request.out / "runs").rename(request.out.parent / "moved")
    for each in request.out.parent.glob("moved/cpu/*second*/config.yaml"):
        text = each.read_text(encoding="utf-8")
        old, new = str(request.out / "runs"), str(request.out.parent / "moved")
        each.write_text(text.replace(old, new), encoding="utf-8")
    assert command.make([_pair(())], request) == {}
    assert not list(request.out.glob("runs/cpu/*/"))


def test_what_waits_for_a_run_that_never_comes_is_refused(tmp_path: Path) -> None:
    request = Request(out=tmp_path / "outputs" / "figures")
    late = _pair(("dataset.radius=-1",))
    refused = command.make([late], request)
    assert set(refused) == {"study-x"}
    assert not list(request.out.glob("runs/cpu/*second*"))


def _short(folder: Path) -> Job:
    words = (*TINY, "device=cpu")
    return Job(words=words, folder=folder / "run", keys=("a",), label="short")


def test_a_run_that_another_process_makes_is_waited_for(tmp_path: Path) -> None:
    job, other = _short(tmp_path), _short(tmp_path / "other")
    (made,) = train([other], at_once=1)
    assert made.refusal is None
    before = (other.folder / "result.json").read_bytes()
    theirs = FileLock(tmp_path / ".run.lock", thread_local=False)
    theirs.acquire()

    def end() -> None:
        other.folder.rename(job.folder)
        theirs.release()

    threading.Timer(1.0, end).start()
    (ended,) = train([job], at_once=1)
    assert ended.refusal is None
    assert (job.folder / "result.json").read_bytes() == before, "it was made again"


def test_a_damaged_checkpoint_is_said(tmp_path: Path) -> None:
    job = _short(tmp_path)
    (ended,) = train([job], at_once=1)
    assert ended.refusal is None
    result = job.folder / "result.json"
    result.write_text(result.read_text().replace('"completed"', '"interrupted"'))
    (job.folder / "checkpoints").mkdir(exist_ok=True)
    (job.folder / "checkpoints" / "last.pt").write_bytes(b"torn")
    (again,) = train([job], at_once=1)
    assert again.refusal is not None
    assert "last.pt" in again.refusal


def test_train_yields_refusals(tmp_path: Path) -> None:
    job = Job(words=("model=none_such",), folder=tmp_path / "run", keys=("a",), label="bad")
    (ended,) = train([job], at_once=1)
    assert ended.refusal is not None
    assert "none_such" in ended.refusal
    assert "\n" not in ended.refusal


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--list"]) == 0
    text = capsys.readouterr().out
    assert all(each.id in text and each.shows in text for each in FIGURES)


@pytest.mark.parametrize(
    ("words", "said"),
    [(["none_such"], "no figure, paper or claim 'none_such'; there are anatom"),
     (["M9"], "no figure, paper or claim 'M9'; there are M1, M2"),
     (["--scale", "huge"], "invalid choice"), (["--seeds", "0"], "at least 1"),
     pytest.param(["--device", "mps"], "no Apple GPU found", marks=pytest.mark.skipif(
         torch.backends.mps.is_available(), reason="there is one")),
     pytest.param(["--device", "cuda"], "device=cuda", marks=pytest.mark.skipif(
         torch.cuda.is_available(), reason="there is one"))],
)  # fmt: skip
def test_a_slip_is_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(words) == 2
    text = capsys.readouterr().err
    assert said in text
    assert len(text.splitlines()) == 1


def test_a_folder_that_cannot_be_made_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.write_text("no folder")
    words = ["introduction-costs", "--scale", "smoke", "--out", str(file / "figures")]
    assert command.main(words) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"gan-figures: error: {file}")


def test_a_figure_judges_its_own_claims_alone(tmp_path: Path) -> None:
    figure = replace(_figure(), claims=())
    request = Request(out=tmp_path / "outputs" / "figures", at_once=2, scale="smoke")
    assert command.make([figure], request) == {}
    (made,) = records.read_all(request.folder).values()
    assert made.verdicts == {}


def test_rules_are_given_without_their_full_stop() -> None:
    assert not [name for name, each in CLAIMS.items() if each.rule.endswith(".")]
