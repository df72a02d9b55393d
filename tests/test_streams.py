"""Streams: apart from each other, the same everywhere, and no trace in the global generators."""

from __future__ import annotations

import hashlib

import pytest
import torch

from gan_runner.streams import Streams, seeded_globally, stream_seed

NAMES = ("init/G", "init/D", "order", "flip", "noise", "dropout", "metrics/generated")


def test_seed_is_the_first_63_bits_of_a_hash() -> None:
    expected = int(hashlib.sha256(b"3/init/G").hexdigest()[:16], 16) // 2
    assert stream_seed(3, "init/G") == expected
    assert 0 <= stream_seed(0, "noise") < 2**63


def test_seeds_differ_by_seed_and_name() -> None:
    seeds = {stream_seed(seed, name) for seed in range(200) for name in NAMES}
    assert len(seeds) == 200 * len(NAMES)


def test_a_running_generator_goes_on_and_a_fresh_one_starts_again() -> None:
    streams = Streams(0, {})
    first = torch.rand(3, generator=streams["noise"])
    second = torch.rand(3, generator=streams["noise"])
    assert not torch.equal(first, second)
    for _ in range(2):
        assert torch.equal(first, torch.rand(3, generator=streams.fresh("noise")))


def test_drawing_from_one_stream_leaves_the_others_alone() -> None:
    disturbed, calm = Streams(1, {}), Streams(1, {})
    torch.rand(1000, generator=disturbed["metrics/generated"])
    torch.rand(7, generator=disturbed["dropout"])
    for name in ("noise", "order"):
        ours = torch.rand(5, generator=disturbed[name])
        assert torch.equal(ours, torch.rand(5, generator=calm[name]))


@pytest.mark.parametrize("pinned", ["init", "order", "flip", "noise", "dropout", "metrics"])
def test_a_pin_holds_its_own_streams_only(pinned: str) -> None:
    for name in NAMES:
        seeds = {Streams(seed, {pinned: 5}).seed(name) for seed in range(3)}
        if name.split("/")[0] == pinned:
            assert seeds == {stream_seed(5, name)}
        else:
            assert seeds == {stream_seed(seed, name) for seed in range(3)}


def test_a_pin_of_zero_is_a_pin_and_null_is_none() -> None:
    assert Streams(9, {"init": 0}).seed("init/G") == stream_seed(0, "init/G")
    assert Streams(9, {"init": None}).seed("init/G") == stream_seed(9, "init/G")


def test_state_goes_back_to_every_generator() -> None:
    streams = Streams(2, {})
    for name in NAMES:
        torch.rand(11, generator=streams[name])
    state = streams.state_dict()
    expected = {name: torch.rand(4, generator=streams[name]) for name in NAMES}
    other = Streams(2, {})
    held = other["dropout"]  # as a host holds it
    other.load_state_dict(state)
    assert other["dropout"] is held
    for name in NAMES:
        assert torch.equal(expected[name], torch.rand(4, generator=other[name]))


def test_meta_runs_draw_with_a_cpu_generator() -> None:
    assert Streams(0, {}, "meta")["noise"].device.type == "cpu"


def test_the_global_generator_is_lent_and_given_back() -> None:
    before = torch.get_rng_state()
    with seeded_globally(7):
        first = torch.rand(3)
    assert torch.equal(before, torch.get_rng_state())
    torch.rand(5)
    with seeded_globally(7):
        assert torch.equal(first, torch.rand(3))


def test_the_global_generator_is_given_back_after_an_error() -> None:
    before = torch.get_rng_state()

    def fail() -> None:
        with seeded_globally(7):
            torch.rand(3)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert torch.equal(before, torch.get_rng_state())
