"""What a figure is: arms to train, a drawing of their runs, claims that it judges."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.figure import Figure as Canvas

from gan_runner.studies.curves import Series, series
from gan_runner.studies.study_command import Scale

Paper = Literal["anatomizing", "introduction", "overview", "study", "mnist"]
ALONG = "metrics/validation/"  # a metric's tag along training begins with it
Word = Literal["holds", "does not hold", "cannot be told"]
PAPERS: Mapping[Paper, str] = {
    "anatomizing": "Sinha 2020, Anatomizing Generative Adversarial Networks",
    "introduction": "Aminian 2022, Generative Adversarial Networks",
    "overview": "Cosci 2022, An Overview of GANs",
    "study": "Das, Biyani, Pal, Suthar 2019, A Study in GANs",
    "mnist": "Seetharaman, Premkumar 2022, Analysis of GANs approaches on MNIST",
}


@dataclass(frozen=True, kw_only=True)
class Arm:
    """A setting that is trained over seeds.

    experiment: of `conf/experiment`, without `_cpu`: the scale chooses the form, where there are
    two. overrides: as typed. cpu: further ones at scale cpu, smoke: at smoke. stacked: its networks
    are small, so that its seeds train as one stacked model. after: an arm of the figure, named
    before it, whose run of the same seed gives the first weights. along: its metrics are drawn
    along training.
    """

    experiment: str | None = None
    overrides: tuple[str, ...] = ()
    cpu: tuple[str, ...] = ()
    smoke: tuple[str, ...] = ()
    stacked: bool = False
    after: str | None = None
    along: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """A run of an arm. values: final metrics, none of a run that failed, for `error`'s reason.

    steps: that it made.
    """

    folder: Path
    seed: int
    config_hash: str
    values: Mapping[str, float] = field(default_factory=dict)
    protocols: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    error: str | None = None
    steps: int = 0

    def series(self) -> Series:
        """Every logged number: tag -> steps, values."""
        found = series(self.folder / "metrics.csv", prefixes=("",), most=None)
        return {tag: each for tag, each in found.items() if tag != "step"}


@dataclass(frozen=True, kw_only=True)
class Material:
    """What a figure is drawn from: the runs of its arms, and those that could not be made."""

    scale: Scale
    runs: Mapping[str, tuple[Trained, ...]]

    def completed(self, arm: str) -> tuple[Trained, ...]:
        """An arm's runs that got to their end, by seed."""
        return tuple(each for each in self.runs[arm] if each.error is None)

    def first(self, arm: str) -> Trained:
        """An arm's run of the first seed that got to its end.

        Raises:
            ValueError: every run failed.
        """
        found = self.completed(arm)
        if not found:
            raise ValueError(f"{arm}: every run failed ({self.runs[arm][0].error})")
        return found[0]

    def of(self, arm: str, metric: str) -> dict[int, float]:
        """A metric's finite values by seed."""
        found = {each.seed: each.values.get(metric, np.nan) for each in self.completed(arm)}
        return {seed: value for seed, value in found.items() if np.isfinite(value)}

    def failed(self, arm: str) -> int:
        """How many of an arm's runs failed."""
        return len(self.runs[arm]) - len(self.completed(arm))


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What comes of a claim, and why: the numbers in words."""

    word: Word
    why: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawing:
    """A figure drawn. numbers: what it shows, in words. verdicts: by claim's id."""

    canvas: Canvas
    numbers: Mapping[str, str]
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure of a paper, or of ours about one.

    name: its id within the paper, such as fig3; one of ours where the paper has no number. shows:
    in one line. differs: in what it is not the paper's. claims: ids of those that it judges.
    seeds: how many an arm has unless SEEDS says otherwise. minutes: at scale cpu, on two cores.
    """

    paper: Paper
    name: str
    shows: str
    arms: Mapping[str, Arm]
    draw: Callable[[Material], Drawing]
    differs: str
    minutes: float
    seeds: int = 3
    claims: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """As it is typed after `make figure-`."""
        return f"{self.paper}-{self.name}"
