"""Which metrics there are, what each needs, and the protocol that stands beside every number."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from gan_runner.datasets.dataset import Modes
from gan_runner.metrics import images
from gan_runner.metrics.distances import MAX_POINTS, mmd, sliced_wasserstein, wasserstein
from gan_runner.metrics.inputs import Metric, MetricInputs
from gan_runner.metrics.modes import mode_statistics
from gan_runner.metrics.photographs import perceptual_distance, psnr_y, ssim_y
from gan_runner.metrics.superres import mse, psnr

__all__ = [
    "METRICS", "Measurement", "Metric", "MetricInputs", "Protocol", "applicable", "evaluate",
    "floor", "metrics_as_dict",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How a number was measured; two numbers compare only where these agree.

    num_real, num_generated: points that the metric was given. split: the real points' split.
    checkpoint: "last", "best" or a path's name. units: "data" or "scaled". seed: of the metric's
    own draws. details: whatever else a metric depends on, in plain data.
    """

    num_real: int
    num_generated: int
    split: str
    checkpoint: str
    units: str
    seed: int
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain data, for a file of results."""
        return {**dataclasses.asdict(self), "details": dict(self.details)}


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """A number and the protocol that it was computed under."""

    value: float
    protocol: Protocol


def metrics_as_dict(measured: Mapping[str, Measurement]) -> dict[str, Any]:
    """Measurements as they stand in `result.json`."""
    return {
        name: {"value": each.value, "protocol": each.protocol.as_dict()}
        for name, each in measured.items()
    }


def evaluate(name: str, inputs: MetricInputs) -> dict[str, float]:
    """Compute one metric by name and return its numbers, keyed by `Metric.values` first.

    Raises:
        ValueError: there is no such metric, or the inputs lack a part that it needs.
    """
    if name not in METRICS:
        near = difflib.get_close_matches(name, METRICS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"metrics: no metric {name!r}.{hint} Metrics: {', '.join(METRICS)}")
    missing = sorted(METRICS[name].needs - inputs.facts())
    if missing:
        raise ValueError(f"metrics: {name} needs {', '.join(missing)}, which this run has not")
    return METRICS[name].function(inputs)


def floor(
    name: str, real_a: Tensor, real_b: Tensor, *, modes: Modes | None = None, seed: int = 0
) -> dict[str, float]:
    """Compute a metric of real points real_a [N, d] against real points real_b [M, d], data units.

    This is what a perfect generator of N samples would score: finite samples are never distance 0
    apart. Draw real_a afresh, with as many points as will be generated.

    Raises:
        ValueError: as `evaluate`.
    """
    return evaluate(name, MetricInputs(generated=real_a, real=real_b, modes=modes, seed=seed))


def applicable(facts: Set[str]) -> tuple[str, ...]:
    """Return the metrics that a run is measured by unless others are asked for.

    facts: words of `facts.py`.
    """
    names: tuple[str, ...]
    if "vectors" in facts:
        names = (
            ("mse", "psnr", "wasserstein")
            if "pairs" in facts
            else ("modes", "wasserstein", "sliced_wasserstein", "mmd")
        )
    elif "photographs" in facts:
        names = ("psnr_y", "ssim_y", "perceptual_distance")
    elif "classifier" not in facts:
        names = ("sliced_wasserstein",)
    else:
        distances = ("frechet_classifier_distance", "kernel_classifier_distance", "coverage")
        # A score over a stacked image's thousand classes says less than how many are reached.
        first = ("class_modes",) if "stacked" in facts else ("classifier_score",)
        names = (*first, *distances, "label_agreement")
    fitting = (name for name in (*names, "information") if METRICS[name].needs <= facts)
    return tuple(fitting)


def _modes(inputs: MetricInputs) -> dict[str, float]:
    assert inputs.modes is not None  # evaluate has checked the needs
    return mode_statistics(inputs.generated, inputs.modes)


def _points(inputs: MetricInputs) -> tuple[Tensor, Tensor]:
    """Return generated and real samples as points [N, d]: of images, their pixels."""
    return inputs.generated.flatten(1), inputs.real.flatten(1)


def _wasserstein(inputs: MetricInputs) -> dict[str, float]:
    return {"wasserstein": wasserstein(*_points(inputs))}


def _sliced_wasserstein(inputs: MetricInputs) -> dict[str, float]:
    distance = sliced_wasserstein(*_points(inputs), seed=inputs.seed)
    return {"sliced_wasserstein": distance}


def _mmd(inputs: MetricInputs) -> dict[str, float]:
    return {"mmd": mmd(*_points(inputs))}


def _mse(inputs: MetricInputs) -> dict[str, float]:
    assert inputs.predicted is not None
    assert inputs.target is not None
    return {"mse": mse(inputs.predicted, inputs.target)}


def _psnr(inputs: MetricInputs) -> dict[str, float]:
    assert inputs.predicted is not None
    assert inputs.target is not None
    # Vectors are scaled to [0, 1], images to [-1, 1].
    data_range = 2.0 if inputs.target.ndim == 4 else 1.0
    return {"psnr": psnr(inputs.predicted, inputs.target, data_range=data_range)}


def _psnr_y(inputs: MetricInputs) -> dict[str, float]:
    assert inputs.enlarged is not None
    return {"psnr_y": psnr_y(inputs.enlarged())}


def _ssim_y(inputs: MetricInputs) -> dict[str, float]:
    assert inputs.enlarged is not None
    return {"ssim_y": ssim_y(inputs.enlarged())}


def _perceptual_distance(inputs: MetricInputs) -> dict[str, float]:
    assert inputs.enlarged is not None
    assert inputs.look is not None
    return {"perceptual_distance": perceptual_distance(inputs.enlarged(), inputs.look)}


_WHOLE = "on whole images of 8 bits, `scale` pixels of border cut off, mean over images"


_ENTRIES = (
    Metric(
        name="modes",
        function=_modes,
        needs=frozenset({"samples", "modes"}),
        better={"modes_covered": "higher", "high_quality": "higher", "reverse_kl": "lower"},
        description="modes reached, share of samples within 3 sd of one, reverse KL over modes",
        units="data",
    ),
    Metric(
        name="wasserstein",
        function=_wasserstein,
        needs=frozenset({"samples"}),
        better={"wasserstein": "lower"},
        description="exact 1-Wasserstein distance, Euclidean cost",
        units="data",
        max_points=MAX_POINTS,
    ),
    Metric(
        name="sliced_wasserstein",
        function=_sliced_wasserstein,
        needs=frozenset({"samples"}),
        better={"sliced_wasserstein": "lower"},
        description="sliced 2-Wasserstein distance over 128 directions",
        units="data",
    ),
    Metric(
        name="mmd",
        function=_mmd,
        needs=frozenset({"samples"}),
        better={"mmd": "lower"},
        description="unbiased squared MMD, five RBF kernels by the real points' median distance",
        units="data",
        min_points=2,
    ),
    Metric(
        name="mse",
        function=_mse,
        needs=frozenset({"pairs"}),
        better={"mse": "lower"},
        description="squared error averaged over samples and coordinates",
        units="scaled",
    ),
    Metric(
        name="psnr",
        function=_psnr,
        needs=frozenset({"pairs"}),
        better={"psnr": "higher"},
        description="peak signal-to-noise ratio in dB for a data range of 1 (images: 2)",
        units="scaled",
    ),
    Metric(
        name="psnr_y",
        function=_psnr_y,
        needs=frozenset({"photographs"}),
        better={"psnr_y": "higher"},
        description=f"PSNR in dB (peak 255) of luma Y (BT.601, studio range) {_WHOLE}",
        units="data",
    ),
    Metric(
        name="ssim_y",
        function=_ssim_y,
        needs=frozenset({"photographs"}),
        better={"ssim_y": "higher"},
        description=f"SSIM (Gaussian window of 11, sigma 1.5) of Y {_WHOLE}",
        units="data",
    ),
    Metric(
        name="perceptual_distance",
        function=_perceptual_distance,
        needs=frozenset({"photographs", "features"}),
        better={"perceptual_distance": "lower"},
        description="squared distance of unit-length features, mean over pixels and layers, of a "
        f"network that training did not use (no LPIPS) {_WHOLE}",
        units="data",
    ),
    *images.ENTRIES,
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ENTRIES}
