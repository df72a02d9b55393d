"""Batches: each sample once an epoch, one shape for all, and a state that goes on."""

from __future__ import annotations

import itertools
import multiprocessing
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gan_runner.batches import Batches
from gan_runner.datasets import ImageSource, Rows
from gan_runner.datasets.sources import ArrayPixels
from gan_runner.dispatch import Run
from gan_runner.errors import RunFailed
from gan_runner.trainer import Trainer
from gan_runner.walk import walk


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batches(num: int, size: int, seed: int = 0) -> Batches:
    real = torch.arange(num, dtype=torch.float32).unsqueeze(1)
    return Batches({"real": real, "label": torch.arange(num)}, size, generator(seed))


def drawn(source: Batches, num_batches: int) -> Tensor:
    return torch.cat([source()["label"] for _ in range(num_batches)])


@pytest.mark.parametrize(("num", "size"), [(12, 4), (10, 4), (7, 7), (5, 12), (5, 5), (3, 1)])
def test_each_sample_once_an_epoch(num: int, size: int) -> None:
    seen = drawn(batches(num, size), 3 * num)
    for epoch in seen.split(num):
        if len(epoch) == num:
            assert sorted(epoch.tolist()) == list(range(num))


@pytest.mark.parametrize(("num", "size"), [(10, 4), (5, 12), (6, 6)])
def test_one_shape_across_the_border(num: int, size: int) -> None:
    source = batches(num, size)
    for _ in range(3 * num):
        batch = source()
        assert batch["real"].shape == (size, 1)
        assert batch["label"].shape == (size,)
        assert torch.equal(batch["real"][:, 0].long(), batch["label"])  # rows stay together


def test_epochs_are_shuffled_apart() -> None:
    first, second = drawn(batches(50, 10), 10).split(50)
    assert not torch.equal(first, second)
    assert not torch.equal(first, torch.arange(50))


def test_the_order_depends_on_the_generator_alone() -> None:
    before = torch.get_rng_state()
    first = drawn(batches(20, 6), 9)
    torch.rand(10)
    assert torch.equal(first, drawn(batches(20, 6), 9))
    assert not torch.equal(first, drawn(batches(20, 6, seed=1), 9))
    torch.set_rng_state(before)


def test_steps_per_epoch() -> None:
    assert batches(10, 4).steps_per_epoch == 2.5
    assert Batches({}, 4, generator()).steps_per_epoch == 0


def test_a_game_without_data_has_empty_batches_of_its_own() -> None:
    source = Batches({}, 4, generator())
    source()["progress"] = torch.zeros(())
    assert source() == {}


@pytest.mark.parametrize(("num", "size"), [(10, 4), (5, 12), (6, 3)])
@pytest.mark.parametrize("num_before", range(8))
def test_state_goes_on(num: int, size: int, num_before: int) -> None:
    random, source = generator(1), None
    source = Batches({"label": torch.arange(num)}, size, random)
    drawn(source, num_before) if num_before else None
    state, after = source.state_dict(), random.get_state()
    expected = drawn(source, 9)

    other_random = generator(77)
    other = Batches({"label": torch.arange(num)}, size, other_random)
    other_random.set_state(after)  # as the streams' state does
    other.load_state_dict(state)
    assert torch.equal(other_random.get_state(), after)
    assert torch.equal(expected, drawn(other, 9))


def test_state_may_be_saved_again_at_once() -> None:
    random = generator(1)
    source = Batches({"label": torch.arange(10)}, 4, random)
    source()
    for _ in range(3):
        state, after = source.state_dict(), random.get_state()
        random = generator(0)
        random.set_state(after)
        source = Batches({"label": torch.arange(10)}, 4, random)
        source.load_state_dict(state)
    plain = Batches({"label": torch.arange(10)}, 4, generator(1))
    plain()
    assert torch.equal(drawn(source, 6), drawn(plain, 6))


def test_a_state_on_another_device_is_fetched() -> None:
    """A checkpoint read onto a GPU holds the generator's state there; generators want it here."""

    class Elsewhere:
        def __init__(self, state: Tensor) -> None:
            self.state = state

        def cpu(self) -> Tensor:
            return self.state

    source = batches(10, 4)
    source()
    state = source.state_dict()
    expected = source()["label"]
    other = batches(10, 4)
    other.load_state_dict({**state, "before": Elsewhere(state["before"])})
    assert torch.equal(expected, other()["label"])


def test_batches_of_a_size_do_not_share_memory_with_the_data() -> None:
    data = torch.arange(6.0)
    source = Batches({"real": data}, 3, generator())
    for _ in itertools.repeat(None, 4):
        source()["real"].fill_(-1.0)
    assert torch.equal(data, torch.arange(6.0))


# --- images: bytes, sources, workers, mirroring ------------------------------------------------

NUM = 22  # images; not a multiple of the batches' 4


def image_rows(num: int = NUM, width: int = 5) -> dict[str, dict[str, Rows]]:
    """The same images of random bytes, resident and as a source, with labels."""
    array = np.random.default_rng(0).integers(0, 256, (num, 3, width, 2)).astype(np.uint8)
    source = ImageSource(ArrayPixels(array), torch.arange(num))
    label = torch.arange(num)
    return {
        "resident": {"real": source.resident(), "label": label},
        "source": {"real": source, "label": label},
    }


def image_batches(kind: str, workers: int = 0, **options: Any) -> Batches:
    options = {"flip": generator(5), **options}
    return Batches(image_rows()[kind], 4, generator(3), workers=workers, **options)


def same_batch(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bytes_come_out_as_floats(dtype: torch.dtype) -> None:
    real = torch.tensor([0, 51, 255], dtype=torch.uint8).view(3, 1, 1, 1)
    batch = Batches({"real": real, "label": torch.arange(3)}, 3, generator(), dtype=dtype)()
    assert batch["real"].dtype == dtype
    assert batch["label"].dtype == torch.int64
    order = batch["label"]
    expected = torch.tensor([-1.0, -0.6, 1.0], dtype=dtype)[order]
    assert batch["real"].flatten().tolist() == pytest.approx(expected.tolist(), abs=1e-7)


@pytest.mark.parametrize("workers", [0, 1, 2])
@pytest.mark.parametrize("flipped", [False, True])
def test_resident_and_read_batches_are_the_same(workers: int, flipped: bool) -> None:
    options = {} if flipped else {"flip": None}
    resident = image_batches("resident", **options)
    with image_batches("source", workers, **options) as source:
        for _ in range(3 * NUM):
            assert same_batch(resident(), source())


def test_about_half_of_the_images_are_mirrored_anew_each_epoch() -> None:
    num = 1000
    real = torch.zeros(num, 1, 1, 2, dtype=torch.uint8)
    real[..., 0] = 255  # the left pixel is white
    source = Batches(
        {"real": real, "label": torch.arange(num)}, num, generator(3), flip=generator(5)
    )
    mirrored = []
    for _ in range(2):
        batch = source()
        assert torch.equal(batch["real"].sum(dim=(1, 2, 3)), torch.zeros(num))
        mirrored.append((batch["real"][:, 0, 0, 0] < 0)[batch["label"].argsort()])
    assert [450 < int(each.sum()) < 550 for each in mirrored] == [True, True]
    assert 400 < int((mirrored[0] ^ mirrored[1]).sum()) < 600


def test_mirroring_changes_neither_the_order_nor_what_is_no_image() -> None:
    plain, mirrored = image_batches("resident", flip=None), image_batches("resident")
    for _ in range(NUM):
        left, right = plain()["label"], mirrored()["label"]
        assert torch.equal(left, right)
    vectors = torch.arange(12.0).view(6, 2)
    batch = Batches({"real": vectors}, 6, generator(), flip=generator(5))()
    assert torch.equal(batch["real"].sort(dim=0).values, vectors)


@pytest.mark.parametrize("after", ["resident", "source", "workers"])
@pytest.mark.parametrize("before", ["resident", "source", "workers"])
@pytest.mark.parametrize("num_before", [0, 2, 5, 7, 11])
def test_a_resumed_run_goes_on_where_it_stopped(before: str, after: str, num_before: int) -> None:
    """However many batches had been read ahead, and wherever the images now are."""

    def make(kind: str, order: torch.Generator, flip: torch.Generator) -> Batches:
        workers = 1 if kind == "workers" else 0
        rows = image_rows()["source" if kind == "workers" else kind]
        return Batches(rows, 4, order, flip=flip, workers=workers)

    order, flip = generator(3), generator(5)
    with make(before, order, flip) as source:
        for _ in range(num_before):
            source()
        state = source.state_dict()
        streams = [each.get_state() for each in (order, flip)]
        expected = [source() for _ in range(9)]
    order, flip = generator(77), generator(78)
    with make(after, order, flip) as other:
        other()
        for each, its in zip((order, flip), streams, strict=True):  # as the streams' state does
            each.set_state(its)
        other.load_state_dict(state)
        for batch in expected:
            assert same_batch(batch, other())


def test_workers_leave_the_runs_generators_where_the_run_is() -> None:
    """Two batches in the first epoch: what is read ahead may not draw the next one's order."""
    order, flip = generator(3), generator(5)
    with Batches(image_rows()["source"], 4, order, flip=flip, workers=2) as source:
        source()
        after = (order.get_state(), flip.get_state())
        for _ in range(4):  # of 5.5 an epoch
            source()
        assert torch.equal(order.get_state(), after[0])
        assert torch.equal(flip.get_state(), after[1])
        source()
        assert not torch.equal(order.get_state(), after[0])


@pytest.mark.parametrize("kind", ["resident", "source"])
def test_batches_without_memory(kind: str) -> None:
    rows = image_rows()[kind]
    on_meta = {key: each.to("meta") if isinstance(each, Tensor) else each
               for key, each in rows.items()}  # fmt: skip
    source = Batches(on_meta, 4, generator(), device=torch.device("meta"), flip=generator(1),
                     workers=2)  # fmt: skip
    for _ in range(8):
        batch = source()
        assert {key: (each.device.type, tuple(each.shape)) for key, each in batch.items()} == {
            "real": ("meta", (4, 2, 3, 5)),
            "label": ("meta", (4,)),
        }
        assert batch["real"].dtype == torch.float32
    assert multiprocessing.active_children() == []


def test_no_worker_is_started_before_it_is_needed_or_left_at_the_end() -> None:
    source = image_batches("source", 1)
    assert multiprocessing.active_children() == []
    source()
    assert len(multiprocessing.active_children()) == 1
    source.close()
    assert multiprocessing.active_children() == []
    source()  # starts another
    source.load_state_dict(source.state_dict())
    assert multiprocessing.active_children() == []
    with image_batches("resident", 2) as resident:
        resident()
        assert multiprocessing.active_children() == []


class Failing:
    """Pixels that cannot be read."""

    shape = (1, 1, 1)

    def take(self, numbers: np.ndarray) -> np.ndarray:
        raise ValueError("a.png:\nis gone")


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_cannot_be_read_fails_the_run_in_one_line(workers: int) -> None:
    rows = {"real": ImageSource(Failing(), torch.arange(9))}
    with (
        Batches(rows, 4, generator(), workers=workers) as source,
        pytest.raises(RunFailed, match=r"^a\.png: is gone$"),
    ):
        source()
    assert multiprocessing.active_children() == []


LAZY = ("dataset=digits", "dataset.memory_limit=1e-9", "dataset.flip=true", "network=mlp",
        "metrics=none", "training.batch_size=16")  # fmt: skip


def test_a_run_is_the_same_resident_or_read(
    make_trainer: Callable[..., Trainer], weights: Callable[[Any], Any], same: Callable[..., bool]
) -> None:
    found = []
    for limit, workers in (("4.0", 0), ("1e-9", 0), ("1e-9", 2)):
        trainer = make_trainer(*LAZY, f"dataset.memory_limit={limit}", f"dataset.workers={workers}")
        trainer.train()
        found.append(weights(trainer.host))
        assert multiprocessing.active_children() == []
    assert same(found[0], found[1])
    assert same(found[0], found[2])


def test_a_failed_run_leaves_no_worker(make_trainer: Callable[..., Trainer]) -> None:
    trainer = make_trainer(*LAZY, "dataset.workers=1", "training.checkpoint_every=1")

    def fail(name: str = "last") -> None:
        assert len(multiprocessing.active_children()) == 1
        raise KeyError("disk")

    trainer.save = fail  # type: ignore[method-assign]
    with pytest.raises(KeyError, match="disk"):
        trainer.train()
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("limit", ["4.0", "1e-9"])
def test_a_walk_without_memory(make_run: Callable[..., Run], limit: str) -> None:
    said = walk(make_run(*LAZY, f"dataset.memory_limit={limit}", "device.name=meta"))
    assert "samples: (16, 1, 8, 8)" in said
