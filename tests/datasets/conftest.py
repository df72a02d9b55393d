"""Small published sets, made up: MNIST's two kinds and CIFAR-10, in their own file formats."""

from __future__ import annotations

import gzip
import io
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

NUM_TRAIN, NUM_TEST = 60, 20


def _write_idx(path: Path, array: np.ndarray, *, compressed: bool = False) -> Path:
    head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    data = head + array.astype(np.uint8).tobytes()
    path = path.with_name(f"{path.name}.gz") if compressed else path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data) if compressed else data)
    return path


def _idx_images(num: int, seed: int) -> np.ndarray:
    images = np.random.default_rng(seed).integers(0, 256, (num, 28, 28)).astype(np.uint8)
    images[:, 0, 0], images[:, 0, 1] = np.arange(num), seed
    return images


@pytest.fixture
def write_idx() -> Callable[..., Path]:
    """`write_idx(path, array, compressed=False)`: writes an idx file of bytes, or its .gz form."""
    return _write_idx


@pytest.fixture
def idx_images() -> Callable[[int, int], np.ndarray]:
    """`idx_images(num, seed)`: [num, 28, 28], whose first two bytes are their number and seed."""
    return _idx_images


@pytest.fixture
def idx_folder(tmp_path: Path) -> Callable[..., Path]:
    """`idx_folder("MNIST", compressed=False)`: a data folder with a set of 60 and 20 images.

    The i-th image has the label i % 10.
    """

    def make(name: str = "MNIST", *, compressed: bool = False) -> Path:
        raw = tmp_path / "data" / name / "raw"
        for stem, num, seed in (("train", NUM_TRAIN, 1), ("t10k", NUM_TEST, 2)):
            images, labels = _idx_images(num, seed), np.arange(num) % 10
            _write_idx(raw / f"{stem}-images-idx3-ubyte", images, compressed=compressed)
            _write_idx(raw / f"{stem}-labels-idx1-ubyte", labels, compressed=compressed)
        return tmp_path / "data"

    return make


@pytest.fixture
def jpeg_folder(tmp_path: Path) -> Path:
    """A data folder with CIFAR-10 as JPEG streams: 60 and 20 images, each of one colour."""
    for split, num in (("train", NUM_TRAIN), ("test", NUM_TEST)):
        streams = []
        for index in range(num):
            stream = io.BytesIO()
            Image.new("RGB", (32, 32), (4 * index, 100, 200)).save(stream, "JPEG", quality=95)
            streams.append(stream.getvalue())
        path = tmp_path / "data" / "cifar10" / f"cifar10_{split}_jpeg.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(
            path,
            data=np.frombuffer(b"".join(streams), dtype=np.uint8),
            offsets=np.cumsum([0, *map(len, streams)]),
            labels=(np.arange(num) % 10).astype(np.uint8),
            classes=np.array([str(each) for each in range(10)]),
        )
    return tmp_path / "data"


@pytest.fixture
def real_data() -> Path:
    """The folder of the true data sets; the test is skipped where none is named."""
    folder = os.environ.get("GAN_RUNNER_DATA")
    if not folder:
        pytest.skip("GAN_RUNNER_DATA names no folder of data")
    return Path(folder)
