"""Each warning on a made case of its illness, none on a healthy run, none too often."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gan_runner.callbacks.callback import RunStart
from gan_runner.callbacks.health import HINTS, Health
from gan_runner.datasets.dataset import Dataset, none

N = 400


def ring(num: int, seed: int, *, sd: float = 0.02) -> Tensor:
    """Eight modes, sorted: the first points alone are not like the whole."""
    generator = torch.Generator().manual_seed(seed)
    angle = (torch.arange(num) * 8 // num) * torch.pi / 4
    centres = 2 * torch.stack([angle.cos(), angle.sin()], dim=1)
    return centres + sd * torch.randn(num, 2, generator=generator)


DATASET = Dataset(
    name="ring8",
    kind="vectors",
    splits={"train": {"real": ring(100, 1) / 4}, "test": {"real": ring(2500, 2) / 4}},
    offset=torch.zeros(2),
    scale=torch.full((2,), 4.0),
)


def begin(
    *, probabilities: bool = True, dataset: Dataset = DATASET, players: tuple[str, ...] = ("D", "G")
) -> Health:
    callback = Health(probabilities=probabilities)
    callback.on_start(
        RunStart(
            folder=Path(), config={}, overrides=(), dataset=dataset, first_step=0, num_steps=1000,
            steps_per_epoch=1, players=players,
        )
    )  # fmt: skip
    return callback


def log_rows(callback: Health, row: Callable[[int], dict[str, float]], *, rows: int = 100) -> None:
    for index in range(rows):
        callback.on_log(10 * (index + 1), row(index))


def steps(callback: Health) -> list[int]:
    return [int(message.split(":")[0].removeprefix("step ")) for message in callback.messages]


# --- samples -------------------------------------------------------------------------------


@pytest.mark.parametrize("sd", [0.02, 0.3])
def test_healthy_samples_are_let_be(sd: float) -> None:
    callback = begin()
    for step in range(50, 1001, 50):
        callback.on_samples(step, {"generated": ring(N, step, sd=sd)})
    assert callback.messages == []


def test_two_of_eight_modes_are_no_collapse_of_the_spread() -> None:
    callback = begin()
    points = torch.cat([ring(4 * N, 3)[: N // 2], ring(4 * N, 4)[-N // 2 :]])
    callback.on_samples(500, {"generated": points})
    assert callback.messages == []


def test_collapse_to_one_mode(caplog: pytest.LogCaptureFixture) -> None:
    callback = begin()
    points = torch.tensor([2.0, 0.0]) + 0.02 * torch.randn(
        N, 2, generator=torch.Generator().manual_seed(0)
    )
    with caplog.at_level(logging.WARNING):
        callback.on_samples(500, {"generated": points})
    (message,) = callback.messages
    assert message.startswith("step 500: generated samples have collapsed: spread 0.0")
    assert "real 1.42" in message  # in data units: a circle of radius 2 has 2 / sqrt(2)
    assert message.endswith(HINTS["collapse"])
    assert [record.message for record in caplog.records] == [message]


def test_spread_is_judged_at_a_tenth_of_the_real_one() -> None:
    for factor, found in ((0.11, 0), (0.09, 1)):
        callback = begin()
        callback.on_samples(500, {"generated": factor * ring(N, 5)})
        assert len(callback.messages) == found


def test_collapse_onto_few_points() -> None:
    callback = begin()
    callback.on_samples(500, {"generated": ring(8, 6).repeat(N // 8, 1)})
    (message,) = callback.messages
    assert "collapsed onto few points: 2.0% of them are distinct" in message


def test_an_untrained_generator_is_not_judged() -> None:
    callback = begin()
    callback.on_samples(299, {"generated": torch.zeros(N, 2)})
    assert callback.messages == []
    callback.on_samples(300, {"generated": torch.zeros(N, 2)})
    assert steps(callback) == [300]


def test_a_fall_after_a_spread_is_judged_at_once() -> None:
    callback = begin()
    callback.on_samples(20, {"generated": torch.randn(N, 2, generator=torch.Generator())})
    assert callback.messages == []
    callback.on_samples(40, {"generated": torch.zeros(N, 2)})
    assert steps(callback) == [40]


def test_pairs_are_held_against_their_own_real_points() -> None:
    callback = begin()
    narrow = 0.01 * ring(N, 7)
    callback.on_samples(500, {"generated": narrow, "real": narrow + 1})
    assert callback.messages == []


def test_images_and_games_without_data() -> None:
    noise = torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    splits = {"train": {"real": noise}}
    images = Dataset(
        name="digits", kind="images", splits=splits, offset=torch.zeros(()), scale=torch.ones(())
    )
    callback = begin(dataset=images)
    callback.on_samples(500, {"generated": noise.flip(0)})
    assert callback.messages == []
    callback.on_samples(500, {"generated": noise[:1].expand(64, -1, -1, -1)})
    assert len(callback.messages) == 1
    callback = begin(dataset=none())
    callback.on_samples(500, {"generated": torch.zeros(10, 2)})
    assert callback.messages == []


def test_samples_that_are_not_finite() -> None:
    callback = begin()
    points = ring(N, 8)
    points[:3, 1] = float("nan")
    callback.on_samples(1, {"generated": points})
    (message,) = callback.messages
    assert message.startswith("step 1: 3 of 400 generated samples are not finite; ")
    assert message.endswith(HINTS["not_finite"])


# --- logged rows ---------------------------------------------------------------------------


def noise(index: int) -> float:
    return 0.03 * (((index * 7919) % 101) / 50 - 1)  # in [-0.03, 0.03]


def test_healthy_rows_are_let_be() -> None:
    def row(index: int) -> dict[str, float]:
        start = 0.45 / (1 + index)  # D wins at first, then they draw level
        return {
            "output/real": 0.5 + start + noise(index),
            "output/fake": 0.5 - start - noise(index + 1),
            "gradient_norm/G": 2 / (1 + index),  # falls fiftyfold
        }

    callback = begin()
    log_rows(callback, row)
    assert callback.messages == []


@pytest.mark.parametrize(("real", "found"), [(0.985, 0), (0.995, 1)])
def test_d_wins_completely(real: float, found: int) -> None:
    callback = begin()
    log_rows(callback, lambda _: {"output/real": real, "output/fake": 0.01}, rows=10)
    assert len(callback.messages) == found
    if found:
        assert steps(callback) == [50]  # the fifth row
        assert "D wins completely: D(x) - D(G(z)) = 0.9850" in callback.messages[0]
        assert callback.messages[0].endswith(HINTS["d_wins"])


def test_scores_cannot_win_completely() -> None:
    callback = begin(probabilities=False)
    log_rows(callback, lambda _: {"output/real": 30.0, "output/fake": -30.0})
    assert callback.messages == []


@pytest.mark.parametrize(("fake", "found"), [(0.54, 0), (0.6, 1)])
def test_d_loses_completely(fake: float, found: int) -> None:
    callback = begin()
    log_rows(callback, lambda _: {"output/real": 0.5, "output/fake": fake}, rows=12)
    assert len(callback.messages) == found
    if found:
        assert steps(callback) == [100]  # the tenth row
        assert callback.messages[0].endswith(HINTS["d_loses"])


def test_one_good_row_in_ten_is_not_losing() -> None:
    def row(index: int) -> dict[str, float]:
        return {"output/real": 0.5, "output/fake": 0.4 if index % 10 == 9 else 0.7}

    callback = begin()
    log_rows(callback, row)
    assert callback.messages == []


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_a_critic_loses_in_its_own_scale(scale: float) -> None:
    for late, found in ((-0.04, False), (-0.5, True)):

        def row(index: int, late: float = late) -> dict[str, float]:
            return {"output/real": scale * (1.0 if index < 20 else late), "output/fake": 0.0}

        callback = begin(probabilities=False)
        log_rows(callback, row, rows=35)
        assert bool(callback.messages) is found


@pytest.mark.parametrize(("late", "found"), [(5e-4, False), (5e-5, True), (0.0, True)])
def test_vanishing_gradient(late: float, found: bool) -> None:
    callback = begin()
    log_rows(callback, lambda index: {"gradient_norm/G": 1.0 if index < 30 else late}, rows=40)
    assert steps(callback) == ([350] if found else [])
    if found:
        assert callback.messages[0].endswith(HINTS["vanishing"])


def test_a_lone_generator_may_settle_down() -> None:
    callback = begin(players=("G",))
    log_rows(callback, lambda index: {"gradient_norm/G": 10.0**-index}, rows=40)
    assert callback.messages == []


def test_numbers_that_are_not_finite_say_nothing() -> None:
    callback = begin()
    row = {"output/real": float("nan"), "output/fake": 0.0, "gradient_norm/G": float("inf")}
    log_rows(callback, lambda _: row)
    assert callback.messages == []


def test_a_kind_is_repeated_after_a_tenth_of_the_run() -> None:
    callback = begin()
    log_rows(callback, lambda _: {"output/real": 1.0, "output/fake": 0.0})
    assert steps(callback) == list(range(50, 1001, 100))
    callback.on_samples(960, {"generated": torch.zeros(N, 2)})  # another kind has its own pause
    assert steps(callback)[-1] == 960
