"""The cache on the disk: what comes back, and what is let be."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gan_runner import feature_cache
from gan_runner.feature_cache import content_hash, folder, key, remembered

A = {
    "features": torch.randn(7, 3, generator=torch.Generator().manual_seed(0)),
    "score": torch.tensor(0.1, dtype=torch.float64),
    "odd": torch.tensor([float("nan"), float("inf"), -0.0]),
}


class Counted:
    """Computes A, and counts how often."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> dict[str, Tensor]:
        self.calls += 1
        return A


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GAN_RUNNER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "features"


def same_bits(found: dict[str, Tensor]) -> bool:
    return found.keys() == A.keys() and all(
        found[name].dtype == tensor.dtype
        and found[name].shape == tensor.shape
        and found[name].numpy().tobytes() == tensor.numpy().tobytes()
        for name, tensor in A.items()
    )


def test_where_it_is(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert folder() == cache
    monkeypatch.delenv("GAN_RUNNER_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert folder() == tmp_path / ".cache" / "gan_runner" / "features"


def test_computed_once_and_read_back_bit_for_bit(cache: Path) -> None:
    compute = Counted()
    assert same_bits(remembered("a", compute))
    assert same_bits(remembered("a", compute))
    assert compute.calls == 1
    assert [path.name for path in cache.iterdir()] == ["a.npz"]
    remembered("b", compute)
    assert compute.calls == 2


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "text", "folder"])
def test_a_damaged_file_is_computed_anew(
    cache: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    remembered("a", lambda: A)
    path = cache / "a.npz"
    whole = path.read_bytes()
    if damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        middle = whole.index(A["features"].numpy().tobytes())
        path.write_bytes({
            "empty": b"",
            "cut": whole[: len(whole) // 2],
            "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            "text": b"not an archive",
        }[damage])  # fmt: skip
    compute = Counted()
    with caplog.at_level(logging.WARNING):
        assert same_bits(remembered("a", compute))
    assert compute.calls == 1
    assert f"{path} cannot be read" in caplog.text
    assert all("\n" not in record.getMessage() for record in caplog.records)
    if damage != "folder":
        assert path.read_bytes() == whole  # mended
        assert same_bits(remembered("a", compute))
        assert compute.calls == 1


def test_a_cache_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GAN_RUNNER_CACHE", str(tmp_path / "file"))  # a folder cannot be made in it
    compute = Counted()
    with caplog.at_level(logging.WARNING):
        assert same_bits(remembered("a", compute))
        assert same_bits(remembered("a", compute))
    assert compute.calls == 2
    assert "cannot be written" in caplog.text


def test_keys_tell_all_parts_apart() -> None:
    parts = [("a", 1), ("a", 2), ("b", 1), ("a", "1"), ("a1",), ("a", 1, None)]
    assert len({key(*each) for each in parts}) == len(parts)
    assert key("a", 1) == key("a", 1)
    assert len(key("a")) == 64


def test_other_code_has_other_names(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key("a")
    monkeypatch.setattr(feature_cache, "_CODE", feature_cache._CODE[1:])
    feature_cache.code_hash.cache_clear()
    other = key("a")
    monkeypatch.undo()
    feature_cache.code_hash.cache_clear()
    assert other != before
    assert key("a") == before
    here = Path(feature_cache.__file__).parent
    assert all(list(here.glob(pattern)) for pattern in feature_cache._CODE)


def test_content_hash() -> None:
    x = torch.arange(6, dtype=torch.float32)
    same = torch.arange(12, dtype=torch.float32)[:6]
    assert content_hash(x) == content_hash(same) == content_hash(x.clone())
    others = [x + 1, x.double(), x.reshape(2, 3), x.flip(0), x[:5]]
    hashes = {content_hash(each) for each in others}
    assert len(hashes) == len(others)
    assert content_hash(x) not in hashes
    transposed = x.reshape(2, 3).T
    assert content_hash(transposed) == content_hash(transposed.contiguous())
