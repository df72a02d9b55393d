"""Checkpoints: whole or not at all, plain data only, and refused in one line."""

from __future__ import annotations

import os
import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from gan_runner import checkpoint
from gan_runner.trainer import Trainer

STATE = {
    "step": 7,
    "name": "run",
    "weights": {"G": torch.arange(6.0).view(2, 3), "D": torch.ones(2, dtype=torch.float64)},
    "generator": torch.Generator().get_state(),
    "nothing": None,
    "list": [1, 2.5, "three"],
}


def test_what_is_saved_is_read(tmp_path: Path, same: Callable[..., bool]) -> None:
    path = tmp_path / "new" / "last.pt"
    checkpoint.save(path, STATE)
    found = checkpoint.load(path)
    assert found.pop("format_version") == checkpoint.FORMAT_VERSION
    assert same(found, STATE)
    assert [each.name for each in path.parent.iterdir()] == ["last.pt"]


def test_a_trainers_state_is_plain_data(
    make_trainer: Callable[..., Trainer], same: Callable[..., bool]
) -> None:
    trainer = make_trainer("model=wgan_gp", "model.ema=0.9", "metrics.names=[modes]",
                           "metrics.every=2", "metrics.num_generated=20")  # fmt: skip
    trainer.train()
    path = trainer.folder / "checkpoints" / "last.pt"
    raw = torch.load(path, weights_only=True)
    assert raw["step"] == 4
    assert raw["config"] == trainer.run.config
    expected = trainer.state_dict()
    found = checkpoint.load(path)
    for key in set(expected) - {"seconds"}:
        assert same(found[key], expected[key]), key


def test_weights_only_loading_runs_no_code(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "hacked"),)

    path = tmp_path / "last.pt"
    torch.save({"format_version": checkpoint.FORMAT_VERSION, "evil": Evil()}, path)
    with pytest.raises(ValueError, match="cannot be read as a checkpoint") as caught:
        checkpoint.load(path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "hacked").exists()


@pytest.mark.parametrize("moment", ["half", "before"])
def test_a_crash_while_saving_leaves_the_old_checkpoint(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.pt"
    checkpoint.save(path, {"step": 1})

    def torn(state: Any, file: Any) -> None:
        if moment == "half":
            file.write(b"half of a checkpoint")
        raise OSError("no space left on device")

    monkeypatch.setattr(torch, "save", torn)
    with pytest.raises(OSError, match="no space"):
        checkpoint.save(path, {"step": 2})
    monkeypatch.undo()
    assert checkpoint.load(path)["step"] == 1
    assert [each.name for each in tmp_path.iterdir()] == ["last.pt"]


def test_a_kill_before_the_renaming_leaves_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.pt"
    checkpoint.save(path, {"step": 1})

    def killed(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(path, {"step": 2})
    monkeypatch.undo()
    assert checkpoint.load(path)["step"] == 1


def test_the_data_are_on_the_disk_before_the_renaming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (events.append("sync"), fsync(handle))[1])
    monkeypatch.setattr(
        Path, "replace", lambda self, to: (events.append("rename"), replace(self, to))[1]
    )
    checkpoint.save(tmp_path / "last.pt", {"step": 1})
    assert events[:2] == ["sync", "rename"]


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no checkpoint at"):
        checkpoint.load(tmp_path / "last.pt")


@pytest.mark.parametrize("version", [0, 2, None, "1"])
def test_another_format_version(version: Any, tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    torch.save({"format_version": version, "step": 1}, path)
    with pytest.raises(ValueError, match=f"format {version}; this version reads 1"):
        checkpoint.load(path)


@pytest.mark.parametrize("content", [{"G": torch.ones(2)}, [1, 2], torch.ones(3)])
def test_a_file_of_torch_that_is_no_checkpoint_of_ours(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    torch.save(content, path)
    with pytest.raises(ValueError, match="checkpoint format None"):
        checkpoint.load(path)


def refused(path: Path) -> str:
    with pytest.raises(ValueError, match="cannot be read as a checkpoint") as caught:
        checkpoint.load(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_truncated_files(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    checkpoint.save(path, STATE)
    whole = path.read_bytes()
    for length in (0, 1, 2, 3, 4, 10, 100, len(whole) // 2, len(whole) - 30, len(whole) - 1):
        path.write_bytes(whole[:length])
        refused(path)


def test_files_of_other_kinds(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    noise = random.Random(0)
    contents = [b"\n", b"hello", b"<html>", b"\x80\x02", pickle.dumps({"a": 1}), b"PK\x03\x04" * 9]
    contents += [noise.randbytes(noise.randrange(1, 400)) for _ in range(150)]
    # Pickles of any protocol that end early or call something.
    contents += [b"\x80\x02" + noise.randbytes(20) for _ in range(150)]
    for content in contents:
        path.write_bytes(content)
        refused(path)


def test_a_flipped_bit_is_found_or_harmless(tmp_path: Path, same: Callable[..., bool]) -> None:
    path = tmp_path / "last.pt"
    checkpoint.save(path, STATE)
    whole, noise = path.read_bytes(), random.Random(1)
    expected, num_refused = checkpoint.load(path), 0
    for _ in range(400):
        torn = bytearray(whole)
        torn[noise.randrange(len(torn))] ^= 1 << noise.randrange(8)
        path.write_bytes(torn)
        try:
            assert same(checkpoint.load(path), expected)
        except ValueError:
            refused(path)
            num_refused += 1
    assert num_refused > 200  # most bytes are the generator's state


def test_a_flipped_weight_is_found(tmp_path: Path) -> None:
    path, weights = tmp_path / "last.pt", torch.full((64,), 1.5)
    checkpoint.save(path, {"weights": weights})
    content = path.read_bytes()
    place = content.index(weights.numpy().tobytes())
    path.write_bytes(content[: place + 9] + b"\x7f" + content[place + 10 :])
    assert "damaged" in refused(path)
