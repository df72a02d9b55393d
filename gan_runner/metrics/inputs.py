"""What a metric may look at, and what an entry of the table of metrics says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from gan_runner.datasets.dataset import Modes
from gan_runner.metrics.photographs import Enlarged, Look

Direction = Literal["higher", "lower"]
Draws = dict[str, Tensor]  # what G is given: `z`, `label`, `category`, `codes`, each [N, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """What a classifier of K classes makes of N images of C parts, on the CPU.

    A part is an image to the classifier: a whole image (C = 1), or a channel of a stacked one.
    features: [N, d], those of all parts. part_logits: [N, C, K].
    """

    features: Tensor
    part_logits: Tensor

    @property
    def num_classes(self) -> int:
        """K^C: the classes of whole images."""
        _, num_parts, num_classes = self.part_logits.shape
        return int(num_classes**num_parts)

    def finite(self) -> bool:
        """Whether every feature and logit is finite, which a diverged generator's are not."""
        return bool(self.features.isfinite().all()) and bool(self.part_logits.isfinite().all())

    def logits(self) -> Tensor:
        """Return logits [N, K^C]: the classifier's own for C = 1, else sums of log-probabilities.

        Parts are independent given the image, and the first part's class counts most.
        """
        num_parts = self.part_logits.shape[1]
        if num_parts == 1:
            return self.part_logits[:, 0]
        parts = self.part_logits.log_softmax(dim=2)
        joint = parts[:, 0]
        for part in range(1, num_parts):
            joint = (joint[:, :, None] + parts[:, part, None, :]).flatten(1)
        return joint

    def classes(self) -> Tensor:
        """Return each image's likeliest class, int64 [N] in [0, K^C)."""
        _, num_parts, num_classes = self.part_logits.shape
        found = self.part_logits.argmax(dim=2)  # [N, C]
        weights = num_classes ** torch.arange(num_parts - 1, -1, -1)
        return (found * weights).sum(dim=1)

    def class_shares(self) -> Tensor:
        """Return the share [K^C] of each class, if the parts were put together at random.

        The product of the parts' own shares: in a stacked set every class is possible, and in a few
        thousand images of a thousand classes many are not there.
        """
        _, num_parts, num_classes = self.part_logits.shape
        found = self.part_logits.argmax(dim=2)  # [N, C]
        shares = torch.ones(1, dtype=torch.float64)
        for part in range(num_parts):
            counts = torch.bincount(found[:, part], minlength=num_classes).double()
            shares = (shares[:, None] * counts / counts.sum()).flatten()
        return shares


@dataclass(frozen=True, kw_only=True, eq=False)
class MetricInputs:
    """What a metric may look at; what a run has not is None or empty.

    generated: [N, ...] and real: [M, ...], in data units. modes: the true mixture.
    predicted, target: [N, d] pairs, scaled. seed: of the metric's own draws.
    see: what the classifier makes of "generated" or "real" images. stacked: their channels are
        images of their own to it. labels: the class that each generated image should have, [N].
    real_labels: the class that each real sample has, [M].
    drawn: what G was given. probe: what the game's own networks read off "generated" or "real"
        samples. redraw: (num, arrange) -> samples [num, ...] in data units, of draws that arrange
        has changed.
    enlarged: makes the split's whole photographs. look: a frozen network's features of images.
    device: where a metric may compute.
    """

    generated: Tensor
    real: Tensor
    modes: Modes | None = None
    predicted: Tensor | None = None
    target: Tensor | None = None
    seed: int = 0
    see: Callable[[str], Seen] | None = None
    stacked: bool = False
    labels: Tensor | None = None
    real_labels: Tensor | None = None
    drawn: Mapping[str, Tensor] = field(default_factory=dict)
    probe: Callable[[str], Mapping[str, Tensor]] | None = None
    redraw: Callable[[int, Callable[[Draws], Draws]], Tensor] | None = None
    enlarged: Callable[[], Sequence[Enlarged]] | None = None
    look: Look | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def facts(self) -> frozenset[str]:
        """Name what is there, in the words of `facts.py`."""
        there = {
            "vectors": self.generated.ndim == 2,
            "images": self.generated.ndim == 4,
            "modes": self.modes is not None,
            "pairs": self.predicted is not None and self.target is not None,
            "classifier": self.see is not None,
            "stacked": self.stacked,
            "photographs": self.enlarged is not None,
            "features": self.look is not None,
            "labels": self.labels is not None,
            "codes": self.probe is not None and self.redraw is not None,
        }
        return frozenset({"samples", *(name for name, found in there.items() if found)})


@dataclass(frozen=True, kw_only=True)
class Metric:
    """An entry of the table.

    function: takes `MetricInputs` and returns one number for each of `values`, and perhaps more.
    needs: words of `facts.py`. better: for each value, whether "higher" or "lower" is better.
    units: the space of its inputs, "data" or "scaled". min_points: how many points a side it must
    have. max_points: how many it looks at, where that is bounded. compares: generated samples with
    real ones; else it looks at the generated alone. details: what else it depends on. optional:
    values that only runs with real labels have. check: refuses a run whose metrics could not be
    computed (ValueError).
    """

    name: str
    function: Callable[[MetricInputs], dict[str, float]]
    needs: frozenset[str]
    better: Mapping[str, Direction]
    description: str
    units: str
    min_points: int = 1
    max_points: int | None = None
    compares: bool = True
    details: Mapping[str, int] = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    check: Callable[[], None] | None = None

    @property
    def values(self) -> tuple[str, ...]:
        """Names of the numbers that the function returns, in order."""
        return tuple(self.better)
