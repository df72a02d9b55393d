"""Workers: the order asked for, what they fail on, and that none is left."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from gan_runner.datasets.reading import Reader
from gan_runner.datasets.sources import ArrayPixels, ImageSource


def source(num: int = 50) -> ImageSource:
    """Images of one pixel, which is their number."""
    array = np.arange(num, dtype=np.uint8).reshape(num, 1, 1, 1)
    return ImageSource(ArrayPixels(array), torch.arange(num))


def counting(size: int = 3, num: int = 50) -> Callable[[], Tensor]:
    counter = itertools.count()
    return lambda: torch.tensor([next(counter) % num for _ in range(size)])


@pytest.fixture
def opened() -> Iterator[list[Reader]]:
    """Readers that are closed at a test's end; then no process may be left."""
    readers: list[Reader] = []
    yield readers
    for reader in readers:
        reader.close()
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("workers", [1, 2])
def test_batches_come_in_the_order_asked_for(opened: list[Reader], workers: int) -> None:
    reader = Reader({"real": source()}, counting(), workers)
    opened.append(reader)
    seen = [reader()["real"].flatten().tolist() for _ in range(40)]
    assert seen == [[(3 * row + each) % 50 for each in range(3)] for row in range(40)]


def test_all_sources_are_read_at_the_same_rows(opened: list[Reader]) -> None:
    reader = Reader({"real": source(), "low": source()}, counting(), 1)
    opened.append(reader)
    batch = reader()
    assert torch.equal(batch["real"], batch["low"])


def test_the_global_generators_are_left_alone(opened: list[Reader]) -> None:
    before = (torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist())
    reader = Reader({"real": source()}, counting(), 1)
    opened.append(reader)
    for _ in range(10):
        reader()
    after = (torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist())
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


def test_close_ends_the_workers_however_often(opened: list[Reader]) -> None:
    reader = Reader({"real": source()}, counting(), 2)
    reader()
    assert multiprocessing.active_children()
    for _ in range(2):
        reader.close()
        assert multiprocessing.active_children() == []


def test_workers_end_even_while_an_error_is_on_its_way() -> None:
    reader = Reader({"real": source()}, counting(), 1)

    def fail() -> None:
        try:
            reader()
            raise KeyError("elsewhere")
        finally:
            reader.close()
            assert multiprocessing.active_children() == []

    with pytest.raises(KeyError, match="elsewhere"):
        fail()


@dataclass(frozen=True)
class Failing:
    """Pixels of which one cannot be read."""

    shape: tuple[int, int, int] = (1, 1, 1)

    def take(self, numbers: np.ndarray) -> np.ndarray:
        if 7 in numbers:
            raise ValueError("seven.png: is gone")
        return numbers.astype(np.uint8).reshape(-1, 1, 1, 1)


def test_an_image_that_cannot_be_read_is_told_in_its_turn(opened: list[Reader]) -> None:
    reader = Reader({"real": ImageSource(Failing(), torch.arange(50))}, counting(), 2)
    opened.append(reader)
    assert reader()["real"].flatten().tolist() == [0, 1, 2]
    assert reader()["real"].flatten().tolist() == [3, 4, 5]
    with pytest.raises(ValueError, match=r"^seven\.png: is gone$"):
        reader()


def test_ctrl_c_does_not_end_a_worker(opened: list[Reader]) -> None:
    """The terminal sends it to every process of the command; the run stops after its step."""
    reader = Reader({"real": source()}, counting(), 1)
    opened.append(reader)
    reader()
    (worker,) = multiprocessing.active_children()
    os.kill(worker.pid or 0, signal.SIGINT)
    time.sleep(0.05)
    for _ in range(20):
        reader()
    assert worker.is_alive()


def test_a_killed_worker_is_an_error_and_no_hang(opened: list[Reader]) -> None:
    reader = Reader({"real": source()}, counting(), 1)
    opened.append(reader)
    reader()
    (worker,) = multiprocessing.active_children()
    # Torch's handler of the signal raises wherever the main thread is: let that be here.
    with contextlib.suppress(RuntimeError):
        os.kill(worker.pid or 0, signal.SIGKILL)
        worker.join(5)
        time.sleep(0.1)

    def read_on() -> None:
        for _ in range(100):
            reader()

    with pytest.raises(RuntimeError, match=r"^a process that reads images has died \(") as refused:
        read_on()
    assert "dataset.workers=0" in str(refused.value)


def test_more_workers_than_cores_are_not_started(
    opened: list[Reader], recwarn: pytest.WarningsRecorder
) -> None:
    reader = Reader({"real": source()}, counting(), 500)
    opened.append(reader)
    reader()
    assert 1 <= len(multiprocessing.active_children()) <= (os.cpu_count() or 1)
    assert [each for each in recwarn if "worker" in str(each.message)] == []


def test_a_reader_works_where_processes_start_afresh(opened: list[Reader]) -> None:
    """As on macOS and Windows, where a worker gets the sources by pickling."""
    before = multiprocessing.get_start_method(allow_none=True)
    multiprocessing.set_start_method("spawn", force=True)
    try:
        reader = Reader({"real": source()}, counting(), 1)
        opened.append(reader)
        assert reader()["real"].flatten().tolist() == [0, 1, 2]
    finally:
        multiprocessing.set_start_method(before, force=True)
