"""What metrics look at: the network that compares features is read once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from gan_runner.classifiers import classifier
from gan_runner.dispatch import Run
from gan_runner.metric_inputs import find_look
from gan_runner.metrics import look
from gan_runner.networks import features
from gan_runner.networks.efficientnet import EfficientNetLite
from gan_runner.networks.features import LITE_WEIGHTS, Features

GREY = ("model=srresnet", "dataset=superres", "dataset.channels=1")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The networks whose weights have been read."""
    found: list[str] = []

    def features(name: str, *args: object, **kwargs: object) -> Features:
        found.append(name)
        return Features(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(look, "Features", features)
    return found


def test_a_network_is_read_once(
    make_run: Callable[..., Run], tmp_path: Path, read: list[str]
) -> None:
    for suffix in (".safetensors", ".json"):
        shutil.copy(classifier.FOLDER / f"digits{suffix}", tmp_path / f"mine{suffix}")
    file = tmp_path / "mine.safetensors"
    image = torch.rand(1, 1, 16, 16)
    run = make_run(*GREY, f"metrics.features={file}")
    maps = find_look(run)(image)
    again = find_look(make_run(*GREY, f"metrics.features={file}"))(image)
    assert read == [str(file)]
    assert all(torch.equal(a, b) for a, b in zip(maps, again, strict=True))
    os.utime(file, ns=(0, 0))  # it was written anew
    find_look(run)
    find_look(make_run(*GREY, "metrics.features=digits"))
    assert read == [str(file), str(file), "digits"]


def test_another_folder_of_data_has_other_weights(
    make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, read: list[str]
) -> None:
    monkeypatch.setattr(features, "find_spec", lambda _: None)  # no package has any, either
    made = []
    run = None
    for name in ("a", "b"):
        file = tmp_path / name / LITE_WEIGHTS.format(name="efficientnet_lite0")
        file.parent.mkdir(parents=True)
        torch.save(EfficientNetLite().state_dict(), file)
        monkeypatch.setenv("GAN_RUNNER_DATA", str(tmp_path / name))
        run = run or make_run(*GREY)
        made.append(find_look(run)(torch.ones(1, 1, 16, 16))[0])
    assert read == ["efficientnet_lite0"] * 2
    assert not torch.equal(*made)
    monkeypatch.setenv("GAN_RUNNER_DATA", str(tmp_path / "nothing"))
    with pytest.raises(ValueError, match="no network at hand"):
        find_look(run)


def test_the_meta_device_reads_nothing(make_run: Callable[..., Run], read: list[str]) -> None:
    find_look(make_run(*GREY, "metrics.features=digits", "device.name=meta"))
    assert read == []
    run = make_run(*GREY, "metrics.features=digits")
    (first, *_) = find_look(run)(torch.ones(1, 1, 16, 16))
    assert first.device.type == "cpu"
    assert read == ["digits"]
