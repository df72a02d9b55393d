"""TensorBoard's real server on the loopback, and pages in a real browser."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from gan_runner.figures import page as figures_page
from gan_runner.figures.figure import Verdict
from gan_runner.figures.records import Record

SHORT = (
    "dataset=digits", "model=dcgan", "training.steps=20", "training.sample_every=10",
    "training.log_every=5", "metrics.num_generated=100", "metrics.num_real=100",
    "network.generator.width=8", "network.discriminator.width=8", "device=cpu",
)  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two runs that differ in their rate."""
    folder = tmp_path_factory.mktemp("runs")
    for rate in ("1e-4", "2e-4"):
        subprocess.run(
            [sys.executable, "-m", "gan_runner", *SHORT, f"optimizer.lr={rate}",
             f"hydra.run.dir={folder}/lr_{rate}"],
            check=True, capture_output=True,
        )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def server(runs: Path) -> Iterator[str]:
    """The address of a TensorBoard server over the runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["--logdir", str(runs), "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", *words, "--reload_interval", "1"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                if len(_get(address, "data/runs")) == 2:
                    break
            except OSError:
                pass
            assert process.poll() is None, "the server has ended"
            time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


def _get(address: str, path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    with urlopen(Request(f"{address}/{path}", data=data, headers=headers), timeout=20) as answer:
        return json.load(answer)


def test_losses_outputs_and_metrics_are_grouped_scalars(server: str) -> None:
    tags = _get(server, "data/plugin/scalars/tags")
    assert sorted(tags) == ["lr_1e-4/tb", "lr_2e-4/tb"]
    found = set(tags["lr_1e-4/tb"])
    assert {"loss/D", "loss/G", "output/real", "output/fake", "learning_rate/G"} <= found
    assert {"metrics/classifier_score", "metrics/frechet_classifier_distance"} <= found
    series = _get(server, "data/plugin/scalars/scalars?run=lr_1e-4/tb&tag=loss/D")
    assert [step for _, step, _ in series] == [5, 10, 15, 20]


def test_samples_are_images(server: str) -> None:
    tags = _get(server, "data/plugin/images/tags")
    assert "samples" in tags["lr_2e-4/tb"]
    listed = _get(server, "data/plugin/images/images?run=lr_2e-4/tb&tag=samples&sample=0")
    assert [each["step"] for each in listed] == [0, 10, 20]
    query = listed[-1]["query"]
    with urlopen(f"{server}/data/plugin/images/individualImage?{query}", timeout=20) as answer:
        assert answer.read(8) == b"\x89PNG\r\n\x1a\n"


def test_every_run_is_a_row_of_hparams(server: str) -> None:
    experiment = _get(server, "data/plugin/hparams/experiment", {"experimentName": ""})
    names = {each["name"] for each in experiment["hparamInfos"]}
    assert {"optimizer.lr", "model.name", "training.batch_size"} <= names
    asked = {
        "experimentName": "", "startIndex": 0, "sliceSize": 10,
        "allowedStatuses": ["STATUS_SUCCESS"],
        "colParams": [{"hparam": "optimizer.lr"}],
    }  # fmt: skip
    groups = _get(server, "data/plugin/hparams/session_groups", asked)["sessionGroups"]
    assert sorted(each["hparams"]["optimizer.lr"] for each in groups) == [1e-4, 2e-4]


def test_charts_of_several_tags_are_laid_out(server: str) -> None:
    categories = _get(server, "data/plugin/custom_scalars/layout")["category"]
    charts = {chart["title"]: chart for each in categories for chart in each["chart"]}
    assert list(charts)[:4] == ["losses", "D's outputs", "gradient norms", "learning rates"]
    assert {"classifier_score", "frechet_classifier_distance"} <= set(charts)  # each has its scale
    for chart in charts.values():
        assert all(chart["multiline"]["tag"])
    tags = _get(server, "data/plugin/scalars/tags")["lr_1e-4/tb"]
    (own,) = charts["classifier_score"]["multiline"]["tag"]
    assert "metrics/classifier_score" in {tag for tag in tags if re.match(own, tag)}
    (pattern,) = charts["D's outputs"]["multiline"]["tag"]
    assert {"output/real", "output/fake"} == {tag for tag in tags if re.fullmatch(pattern, tag)}


NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
@pytest.mark.parametrize("which", ["report", "figures"])
def test_pages_open_in_a_browser_without_an_error(which: str, runs: Path, tmp_path: Path) -> None:
    assert BROWSER is not None
    path = tmp_path / "index.html"
    if which == "report":
        subprocess.run(
            [sys.executable, "-m", "gan_runner.report", str(runs), "--html", str(path)],
            check=True, capture_output=True,
        )  # fmt: skip
    else:
        record = Record(
            id="anatomizing-mse", paper="anatomizing", shows="x", differs="", scale="cpu", runs=(),
            numbers={}, verdicts={"A1": Verdict(word="holds", why="so")},
        )  # fmt: skip
        (tmp_path / "anatomizing").mkdir()
        samples = sorted((runs / "lr_1e-4" / "samples").glob("*.png"))
        shutil.copy(samples[-1], tmp_path / "anatomizing" / "mse.png")
        figures_page.write({record.id: record}, tmp_path)
    done = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--enable-logging=stderr", "--v=0", f"--user-data-dir={tmp_path}/profile",
         "--virtual-time-budget=3000", f"--screenshot={tmp_path}/shot.png", "--dump-dom",
         path.as_uri()],
        check=True, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert console == []
    assert "<h1>" in done.stdout
    assert (tmp_path / "shot.png").stat().st_size > 5000
