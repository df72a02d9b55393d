"""idx files: the header, the data, and what is refused."""

from __future__ import annotations

import gzip
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from gan_runner.datasets import idx
from gan_runner.datasets.sources import ArrayPixels

Writer = Callable[..., Path]
Images = Callable[[int, int], np.ndarray]


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("shape", [(5,), (3, 4, 6)])
def test_read_gives_what_was_written(
    tmp_path: Path, write_idx: Writer, shape: tuple[int, ...], compressed: bool
) -> None:
    array = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    path = write_idx(tmp_path / "x-ubyte", array, compressed=compressed)
    assert np.array_equal(idx.read(path), array)
    assert idx.read(path).shape == shape


def test_mapped_images_are_those_of_the_file(
    tmp_path: Path, write_idx: Writer, idx_images: Images
) -> None:
    images = idx_images(9, 3)
    pixels = idx.IdxPixels(write_idx(tmp_path / "x", images))
    assert pixels.shape == (28, 28, 1)
    taken = pixels.take(np.array([8, 0, 8]))
    assert np.array_equal(taken[..., 0], images[[8, 0, 8]])
    assert type(taken) is np.ndarray  # in memory, not mapped
    taken[:] = 0
    assert np.array_equal(pixels.take(np.array([8]))[0, ..., 0], images[8])


def test_mapped_images_go_to_a_worker_as_a_path(
    tmp_path: Path, write_idx: Writer, idx_images: Images
) -> None:
    pixels = idx.IdxPixels(write_idx(tmp_path / "x", idx_images(200, 3)))
    assert len(pickle.dumps(pixels)) < 1000


@pytest.mark.parametrize("compressed", [False, True])
def test_files_of_a_part(
    tmp_path: Path, write_idx: Writer, idx_images: Images, compressed: bool
) -> None:
    images = write_idx(tmp_path / "images", idx_images(4, 3), compressed=compressed)
    numbers = write_idx(tmp_path / "labels", np.array([3, 1, 4, 1]), compressed=compressed)
    files = idx.Files(images, numbers)
    assert files.labels().tolist() == [3, 1, 4, 1]
    assert files.labels().dtype == torch.int64
    pixels = files.pixels()
    assert isinstance(pixels, ArrayPixels if compressed else idx.IdxPixels)
    assert np.array_equal(pixels.take(np.array([2]))[0, ..., 0], idx_images(4, 3)[2])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not an idx file of bytes"),
        (b"\x00\x00\x08", "is not an idx file of bytes"),
        (b"\x00\x00\x0d\x01\x00\x00\x00\x01\x00", "is not an idx file of bytes"),  # floats
        (b"<html>not found</html>", "is not an idx file of bytes"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x05abcd", "12 bytes, which is not what its header says"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x03abcd", "12 bytes, which is not what its header says"),
        (b"\x00\x00\x08\x03\x00\x00", "6 bytes, which is not what its header says"),
    ],
)
def test_refuses_what_is_no_idx_file(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message) as refused:
        idx.read(path)
    assert str(path) in str(refused.value)
    with pytest.raises(ValueError, match=message):
        idx.IdxPixels(path)


def test_refuses_labels_in_the_place_of_images(tmp_path: Path, write_idx: Writer) -> None:
    with pytest.raises(ValueError, match="holds no images"):
        idx.IdxPixels(write_idx(tmp_path / "labels", np.arange(9)))


@pytest.mark.parametrize("cut", [True, False])
def test_refuses_a_damaged_gz(tmp_path: Path, cut: bool) -> None:
    path = tmp_path / "x.gz"
    whole = gzip.compress(bytes(range(200)))
    path.write_bytes(whole[:50] if cut else whole[:50] + b"?" * 20 + whole[70:])
    with pytest.raises(ValueError, match=r"x\.gz: cannot be read \("):
        idx.read(path)
