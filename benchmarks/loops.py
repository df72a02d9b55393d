"""What the benchmarks share: the engine as a loop, and loops timed in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from gan_runner.compose import compose_run
from gan_runner.dispatch import dispatch
from gan_runner.run_folder import plain_config
from gan_runner.trainer import Trainer

T = TypeVar("T")
READ_EVERY = 50  # steps between two looks at the terms
ENDLESS = "training.steps=100000000"


def trainer_of(typed: Sequence[str]) -> Trainer:
    """The engine for what would be typed, without callbacks."""
    return Trainer(dispatch(plain_config(compose_run(list(typed)))), Path("unused"), [])


def engine(trainer: Trainer, loading: list[float] | None = None) -> Iterator[None]:
    """The engine's steps; the seconds that each batch of data took go to `loading`."""
    if loading is not None:
        trainer.batches = timed(trainer.batches, loading)  # type: ignore[assignment]
    while True:
        trainer._play()
        if trainer.step % READ_EVERY == 0:
            read(trainer)
        yield


def read(trainer: Trainer) -> None:
    """Read the terms, as logging does."""
    for watch in trainer._watches.values():
        watch.read()


def timed(fetch: Callable[[], T], seconds: list[float]) -> Callable[[], T]:
    """The same function; the seconds that each call took go to `seconds`."""

    def call() -> T:
        start = time.perf_counter()
        found = fetch()
        seconds.append(time.perf_counter() - start)
        return found

    return call


def in_turn(
    ways: Mapping[str, Iterator[None]], *, blocks: int, steps: int, warm: int = 1
) -> dict[str, list[float]]:
    """Seconds a step in each block, by way; ways alternate, and `warm` blocks more come first."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for block in range(blocks + warm):
        for name, way in ways.items():
            start = time.perf_counter()
            for _ in range(steps):
                next(way)
            if block >= warm:
                times[name].append((time.perf_counter() - start) / steps)
    return times


def medians(times: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """The median of each way's blocks."""
    return {name: statistics.median(each) for name, each in times.items()}
