"""What precedes a step of training, and what follows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from gan_runner.game import Stage

EVENTS = 10  # sample pictures and checkpoints in a run, unless their distance is given


@dataclass(frozen=True, kw_only=True)
class Due:
    """What is done after a step."""

    log: bool = False
    sample: bool = False
    measure: bool = False
    save: bool = False

    @classmethod
    def after(cls, step: int, every: Mapping[str, int | None], ends: Sequence[int]) -> Due:
        """What is due after a step; at the end all but a measurement.

        every: as `events` gives it. ends: of the stages.
        """
        due = {key: step % each == 0 for key, each in every.items() if each}
        done = step == ends[-1]
        return cls(
            log=due["log"] or step in ends,
            sample=due["sample"] or done,
            measure=due.get("measure", False),
            save=due["save"] or done,
        )

    def __bool__(self) -> bool:
        """Whether anything is."""
        return self.log or self.sample or self.measure or self.save


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What precedes a step: stage, step within it, and what becomes of the optimizers.

    factor: of the learning rates, where it changes.
    """

    stage: int
    entered: bool
    step: int
    restarts: bool
    factor: float | None


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a move told of one replica: terms [steps, terms], and the last gradient's norm."""

    names: Sequence[str]
    steps: Sequence[int]
    terms: Tensor
    norm: Tensor


def events(config: Mapping[str, Any], num_steps: int) -> dict[str, int | None]:
    """Steps from one event to the next; None: never."""
    training, rarely = config["training"], max(1, num_steps // EVENTS)
    return {
        "log": training["log_every"],
        "sample": training["sample_every"] or rarely,
        "save": training["checkpoint_every"] or rarely,
        "measure": config["metrics"]["every"],
    }


def stage_ends(stages: Sequence[Stage], num_steps: int) -> list[int]:
    """The step at which each stage ends, by its share of the run."""
    total = sum(stage.share for stage in stages)
    ends, passed = [], 0.0
    for stage in stages:
        passed += stage.share
        ends.append(round(num_steps * passed / total))
    return ends
