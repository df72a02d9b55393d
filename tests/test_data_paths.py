"""Where data are looked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gan_runner import data_paths
from gan_runner.run_folder import with_absolute_paths


def test_the_folder_given_beats_the_environments_beats_the_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GAN_RUNNER_DATA", "from/environment")
    assert data_paths.data_folder("given") == Path("given")
    assert data_paths.data_folder(None) == Path("from/environment")
    assert data_paths.data_folder("~/given") == tmp_path / "given"
    for unset in (
        lambda: monkeypatch.setenv("GAN_RUNNER_DATA", ""),
        lambda: monkeypatch.delenv("GAN_RUNNER_DATA"),
    ):
        unset()
        assert data_paths.data_folder(None) == tmp_path / ".cache/gan_runner/data"


def test_a_path_is_taken_here_before_it_is_in_the_data_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data, here = tmp_path / "data", tmp_path / "here"
    for folder in (data / "both", data / "there", here / "both"):
        folder.mkdir(parents=True)
    monkeypatch.setenv("GAN_RUNNER_DATA", str(data))
    monkeypatch.chdir(here)
    assert data_paths.find("both") == Path("both")
    assert data_paths.find("there") == data / "there"
    assert data_paths.find("nowhere") == Path("nowhere")
    assert data_paths.find(str(here / "there")) == here / "there"  # absolute: nowhere else
    groups = ("metrics", "model")
    for given, absolute in (("both", here / "both"), ("there", data / "there"),
                            ("nowhere", here / "nowhere")):  # fmt: skip
        config = {"dataset": {"path": given}, **{group: {} for group in groups}}
        assert with_absolute_paths(config)["dataset"]["path"] == str(absolute)


def test_the_module_is_light() -> None:
    words = "import sys, gan_runner.data_paths; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", words], check=False).returncode == 0
