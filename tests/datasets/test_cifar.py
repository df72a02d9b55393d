"""CIFAR-10's files: the published pickles, and JPEG streams in their place."""

from __future__ import annotations

import hashlib
import logging
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from gan_runner.datasets import cifar, images

NUM = 4  # images in a made-up batch file


def python2_pickle(data: np.ndarray, labels: list[int]) -> bytes:
    """The bytes that Python 2 wrote for {"data": data, "labels": labels}: protocol 2, raw strings.

    Python 3 cannot write them, so the opcodes are put together here (see `pickletools`).
    """

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value

    def tuple_of(*items: bytes) -> bytes:
        return b"(" + b"".join(items) + b"t"

    def whole(value: int) -> bytes:
        return b"J" + struct.pack("<i", value)

    dtype = b"cnumpy\ndtype\n" + tuple_of(text(b"u1"), whole(0), whole(1)) + b"R"
    dtype += tuple_of(whole(3), text(b"|"), b"N", b"N", b"N", whole(-1), whole(-1), whole(0)) + b"b"
    array = b"cnumpy.core.multiarray\n_reconstruct\n"
    array += tuple_of(b"cnumpy\nndarray\n", tuple_of(whole(0)), text(b"b")) + b"R"
    shape = tuple_of(*(whole(each) for each in data.shape))
    raw = b"T" + struct.pack("<i", data.size) + data.tobytes()
    array += tuple_of(whole(1), shape, dtype, b"\x89", raw) + b"b"
    numbers = b"](" + b"".join(whole(each) for each in labels) + b"e"
    return b"\x80\x02}(" + text(b"data") + array + text(b"labels") + numbers + b"u."


def batch_of(index: int) -> tuple[np.ndarray, list[int]]:
    """Images whose channels are their number, 100 and 200, each in planes; labels in order."""
    planes = np.zeros((NUM, 3, 32, 32), dtype=np.uint8)
    planes[:, 0] = (NUM * index + np.arange(NUM)).reshape(-1, 1, 1)
    planes[:, 1], planes[:, 2] = 100, 200
    planes[:, :, 0, 31] = 255  # the top right pixel
    return planes.reshape(NUM, 3072), [(NUM * index + each) % 10 for each in range(NUM)]


@pytest.fixture
def pickles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with CIFAR-10 in made-up pickles, whose md5 is that asked for."""
    folder = tmp_path / "data" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for index, name in enumerate(list(cifar.FILES)):
        data = python2_pickle(*batch_of(index))
        (folder / name).write_bytes(data)
        monkeypatch.setitem(cifar.FILES, name, hashlib.md5(data).hexdigest())
    return tmp_path / "data"


def test_the_made_up_pickle_is_read_by_python_itself() -> None:
    planes, labels = batch_of(1)
    found = pickle.loads(python2_pickle(planes, labels), encoding="latin1")
    assert np.array_equal(found["data"], planes)
    assert found["labels"] == labels


def test_pickles(pickles: Path) -> None:
    train, test = cifar.read(str(pickles), download=False)
    assert (len(train.labels), len(test.labels)) == (5 * NUM, NUM)
    assert train.labels.tolist() == [each % 10 for each in range(5 * NUM)]
    assert train.labels.dtype == torch.int64
    assert train.pixels.shape == test.pixels.shape == (32, 32, 3)
    taken = train.pixels.take(np.array([7, 19]))
    assert taken[:, 16, 16].tolist() == [[7, 100, 200], [19, 100, 200]]
    assert taken[0, 0, 31].tolist() == [255, 255, 255]
    assert taken[0, 31, 0].tolist() == [7, 100, 200]
    assert test.pixels.take(np.array([0]))[0, 5, 5].tolist() == [20, 100, 200]


def test_pickles_become_a_data_set(pickles: Path) -> None:
    dataset = images.cifar10(path=str(pickles), num_validation=5, classes=[1, 0])
    lazy = images.cifar10(path=str(pickles), num_validation=5, classes=[1, 0], memory_limit=1e-9)
    assert dataset.classes == ("automobile", "airplane")
    assert dataset.content_hash() == lazy.content_hash()


def test_pickles_are_taken_before_jpegs(
    pickles: Path, jpeg_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert pickles == jpeg_folder
    train, _ = cifar.read(str(pickles), download=False)
    assert len(train.labels) == 5 * NUM
    assert caplog.records == []


def test_a_file_that_is_not_the_published_one_is_not_opened(pickles: Path) -> None:
    path = pickles / "cifar-10-batches-py" / "data_batch_3"
    path.write_bytes(path.read_bytes() + b".")
    with pytest.raises(ValueError, match=r"data_batch_3: is not the published file") as refused:
        cifar.read(str(pickles), download=False)
    assert "\n" not in str(refused.value)


def test_a_pickle_cannot_run_code(pickles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Harm:
        def __reduce__(self) -> tuple[object, tuple[str, ...]]:
            return (print, ("harm",))

    data = pickle.dumps({"data": Harm(), "labels": [0]}, protocol=2)
    (pickles / "cifar-10-batches-py" / "test_batch").write_bytes(data)
    monkeypatch.setitem(cifar.FILES, "test_batch", hashlib.md5(data).hexdigest())
    with pytest.raises(pickle.UnpicklingError, match=r"print does not belong"):
        cifar.read(str(pickles), download=False)


def test_jpegs_are_announced(jpeg_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    train, test = cifar.read(str(jpeg_folder), download=False)
    assert (len(train.labels), len(test.labels)) == (60, 20)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "JPEG-coded" in caplog.text
    assert str(jpeg_folder / "cifar10") in caplog.text
    taken = train.pixels.take(np.array([59, 3]))
    assert taken.shape == (2, 32, 32, 3)
    assert np.abs(taken[:, 5, 5].astype(int) - [[236, 100, 200], [12, 100, 200]]).max() < 4


@pytest.mark.parametrize("key", ["data", "offsets", "labels"])
def test_refuses_jpegs_that_do_not_belong_together(jpeg_folder: Path, key: str) -> None:
    path = jpeg_folder / "cifar10" / "cifar10_test_jpeg.npz"
    with np.load(path) as found:
        arrays = dict(found)
    np.savez(path, **{**arrays, key: arrays[key][:-1]})
    with pytest.raises(ValueError, match=r"cifar10_test_jpeg\.npz: its offsets, labels and data"):
        cifar.read(str(jpeg_folder), download=False)
    del arrays[key]
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=r"cifar10_test_jpeg\.npz: cannot be read"):
        cifar.read(str(jpeg_folder), download=False)


def test_refuses_a_damaged_npz(jpeg_folder: Path) -> None:
    path = jpeg_folder / "cifar10" / "cifar10_train_jpeg.npz"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"cifar10_train_jpeg\.npz: cannot be read") as refused:
        cifar.read(str(jpeg_folder), download=False)
    assert "\n" not in str(refused.value)
