"""Batches: each sample once an epoch, one shape for all, and a state that goes on."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from gan_runner.batches import Batches


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
