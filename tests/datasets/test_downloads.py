"""Where files are looked for, and what is said where there are none."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from gan_runner.datasets import downloads, images


def test_a_plain_file_is_taken_before_its_gz(idx_folder: Callable[..., Path]) -> None:
    root = idx_folder(compressed=True)
    assert downloads.idx_files("mnist", "MNIST", str(root), download=False)[
        "train"
    ].images.name.endswith("idx3-ubyte.gz")
    idx_folder()
    found = downloads.idx_files("mnist", "MNIST", str(root), download=False)
    assert found["train"].images.name == "train-images-idx3-ubyte"
    assert found["test"].numbers.name == "t10k-labels-idx1-ubyte"


def test_says_where_it_looked_and_what_needs_no_files(tmp_path: Path) -> None:
    places = {
        "mnist": "MNIST/raw",
        "fashion_mnist": "FashionMNIST/raw",
        "cifar10": "cifar-10-batches-py",
        "stacked_mnist": "MNIST/raw",
    }
    for name, where in places.items():
        with pytest.raises(ValueError, match=rf"^dataset={name}: ") as refused:
            getattr(images, name)(path=str(tmp_path), download=False)
        said = str(refused.value)
        assert f"{tmp_path}/{where}" in said
        assert "dataset.download=false" in said
        assert "GAN_RUNNER_DATA" in said
        assert "dataset=digits" in said
        assert "\n" not in said


@pytest.fixture
def torchvision(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A stand-in for torchvision, whose sets do what a test gives them to do."""
    module, datasets = ModuleType("torchvision"), ModuleType("torchvision.datasets")
    module.datasets = datasets  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torchvision", module)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", datasets)
    return datasets


@pytest.mark.parametrize("error", [RuntimeError, OSError, ImportError])
def test_a_failed_download_is_told_in_one_line_and_leaves_nothing(
    torchvision: ModuleType, tmp_path: Path, error: type[Exception]
) -> None:
    def fail(root: str, *, download: bool) -> None:
        Path(root, "MNIST", "raw").mkdir(parents=True)
        print("50 %")
        raise error("Error downloading x:\nTried a, got:\nno network " + 99 * "and more ")

    torchvision.MNIST = fail  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="could not be downloaded") as refused:
        images.mnist(path=str(tmp_path))
    said = str(refused.value)
    assert "\n" not in said
    assert len(said) < 450 + 2 * len(str(tmp_path))
    assert "Tried a, got: no network" in said
    assert str(tmp_path / "MNIST/raw") in said
    assert "dataset=digits needs no files" in said
    assert list(tmp_path.iterdir()) == []


def test_a_download_is_quiet_and_then_read(
    torchvision: ModuleType,
    tmp_path: Path,
    idx_folder: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = []

    def fetch(root: str, *, download: bool) -> None:
        asked.append((root, download))
        print("100 %")
        print("100 %", file=sys.stderr)
        idx_folder()

    torchvision.MNIST = fetch  # type: ignore[attr-defined]
    dataset = images.mnist(path=str(tmp_path / "data"), num_validation=1)
    assert dataset.num_train == 59
    assert asked == [(str(tmp_path / "data"), True)]
    assert capsys.readouterr() == ("", "")
    images.mnist(path=str(tmp_path / "data"), num_validation=1)
    assert len(asked) == 1


def test_a_download_that_brings_other_files_is_refused(
    torchvision: ModuleType, tmp_path: Path
) -> None:
    for each in ("MNIST", "CIFAR10"):
        setattr(torchvision, each, lambda root, *, download: None)
    with pytest.raises(ValueError, match=r"dataset=mnist: .*raw does not hold all of its files"):
        images.mnist(path=str(tmp_path))
    with pytest.raises(ValueError, match=r"dataset=cifar10: .* does not hold all of its files"):
        images.cifar10(path=str(tmp_path))


def test_torchvision_is_not_imported_to_read_files(
    idx_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)  # importing it fails
    images.mnist(path=str(idx_folder()), num_validation=1)
    images.digits()
    for path in Path(downloads.__file__).parent.glob("*.py"):
        assert not re.search(r"^(from|import) torchvision", path.read_text(), re.M), path
