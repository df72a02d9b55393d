"""Whether a metric is better higher or lower: the table of `metrics.protocol`, without torch."""

from __future__ import annotations

_HIGHER = (
    "modes_covered", "high_quality", "psnr",
    "classifier_score", "precision", "recall", "density", "coverage", "label_agreement",
    "code_accuracy", "information_bound", "inception_score", "psnr_y", "ssim_y",
)  # fmt: skip
_LOWER = (
    "reverse_kl", "wasserstein", "sliced_wasserstein", "mmd", "mse",
    "frechet_classifier_distance", "kernel_classifier_distance",
    "frechet_inception_distance", "kernel_inception_distance", "perceptual_distance",
    "distance",  # of a bilinear game's players from the equilibrium
)  # fmt: skip
DIRECTIONS = dict.fromkeys(_HIGHER, "higher") | dict.fromkeys(_LOWER, "lower")


def direction(name: str) -> str | None:
    """Whether a metric is better "higher" or "lower"; None of one that only describes."""
    return DIRECTIONS.get(name)
