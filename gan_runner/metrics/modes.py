"""How much of a known mixture a generator covers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from gan_runner.datasets.dataset import Modes


def mode_statistics(
    samples: Tensor,
    modes: Modes,
    *,
    within: float = 3.0,
    weights: Sequence[float] | None = None,
    counted: str = "high_quality",
) -> dict[str, float]:
    """Count the modes that samples reach, the share of good samples and their reverse KL.

    Each sample belongs to its nearest mode by Euclidean distance, and is of high quality if that
    distance is at most `within` times that mode's sd (Srivastava et al. 2017, VEEGAN, section 5).

    modes_covered: modes with at least one high-quality sample, in [0, K].
    high_quality: share of high-quality samples among all samples, in [0, 1].
    reverse_kl: sum_k q_k ln(q_k / w_k) in nats, where q is the histogram of samples over modes and
        w the true weights (uniform unless given); 0 is best, ln K is one mode of K uniform ones.
        counted="high_quality" builds q from high-quality samples alone, as the code that Lin et
        al. (2018, PacGAN) released does; "all" from every finite sample. Infinite, the worst
        value, where no sample counts or a counted sample lies in a mode of weight 0.

    samples: [N, d] in data units. Samples that are not finite are of low quality.

    Deviation: PacGAN's code measures distances in units of each mode's sd before it takes the
    nearest; the two differ only where modes of different sd overlap.

    Raises:
        ValueError: shapes, weights or `counted` are not allowed.
    """
    centres, sds = modes.centres.cpu().double(), modes.sds.cpu().double()
    x = samples.detach().cpu().double()
    if x.ndim != 2 or not len(x) or x.shape[1] != centres.shape[1]:
        raise ValueError(
            f"modes: samples {tuple(x.shape)} must be [N, {centres.shape[1]}] with N above 0"
        )
    if counted not in ("high_quality", "all"):
        raise ValueError(f"modes: counted={counted!r} must be one of high_quality, all")
    finite = x.isfinite().all(dim=1)
    distance, nearest = _nearest(x[finite], centres)
    good = distance <= within * sds[nearest]
    num_modes = len(centres)
    per_mode = torch.bincount(nearest[good], minlength=num_modes)  # [K]
    histogram = per_mode if counted == "high_quality" else nearest.bincount(minlength=num_modes)
    return {
        "modes_covered": float((per_mode > 0).sum()),
        "high_quality": float(good.sum()) / len(x),
        "reverse_kl": _kl(histogram.double(), _weights(weights, num_modes)),
    }


def class_modes(
    found: Tensor, num_modes: int, reference_counts: Tensor | Sequence[float]
) -> dict[str, float]:
    """Count the classes that samples are read as, and compare their shares with the real ones.

    The measure of stacked MNIST, whose 1,000 classes are triples of digits (Metz et al. 2017;
    Srivastava et al. 2017, section 5.2).

    modes_covered: classes with at least one sample, in [0, num_modes].
    reverse_kl: sum_k q_k ln(q_k / p_k) in nats, q the histogram of samples over classes and p the
        reference's; infinite where a sample is read as a class that the reference lacks. 0 is best,
        but finite samples exceed it: N of equal shares by about (num_modes - 1) / (2 N).

    found: int64 [N], the class of each sample. reference_counts: [num_modes], counts or shares.

    Raises:
        ValueError: a class is not in [0, num_modes), or reference_counts do not fit.
    """
    if found.ndim != 1 or not len(found):
        raise ValueError(f"class_modes: found {tuple(found.shape)} must be [N] with N above 0")
    classes = found.detach().cpu().long()
    low, high = int(classes.min()), int(classes.max())
    if low < 0 or high >= num_modes:
        raise ValueError(f"class_modes: classes from {low} to {high} must be in [0, {num_modes})")
    reference = torch.as_tensor(reference_counts).detach().cpu().double()
    if reference.shape != (num_modes,) or not bool((reference >= 0).all() & (reference.sum() > 0)):
        raise ValueError(
            f"class_modes: reference_counts {tuple(reference.shape)} must be {num_modes} numbers "
            "of at least 0, not all 0"
        )
    histogram = classes.bincount(minlength=num_modes).double()
    return {
        "modes_covered": float((histogram > 0).sum()),
        "reverse_kl": _kl(histogram, reference / reference.sum()),
    }


def _nearest(x: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    """Return the distance [N] to the nearest centre and its index [N]."""
    # The matrix-product form of cdist cancels to 1e-8 and misjudges samples at the border.
    distances = torch.cdist(x, centres, compute_mode="donot_use_mm_for_euclid_dist")  # [N, K]
    nearest = distances.min(dim=1)
    return nearest.values, nearest.indices


def _weights(weights: Sequence[float] | None, num_modes: int) -> Tensor:
    if weights is None:
        return torch.full((num_modes,), 1.0 / num_modes, dtype=torch.float64)
    given = torch.tensor(weights, dtype=torch.float64)
    if given.shape != (num_modes,) or not bool((given >= 0).all()) or not float(given.sum()) > 0:
        raise ValueError(
            f"modes: weights={list(weights)!r} must be {num_modes} numbers of at least 0, not all 0"
        )
    return given / given.sum()


def _kl(histogram: Tensor, weights: Tensor) -> float:
    """Return KL(histogram / its sum || weights) in nats."""
    if not float(histogram.sum()) > 0:
        return math.inf
    q = histogram / histogram.sum()
    return float((torch.xlogy(q, q) - torch.xlogy(q, weights)).sum())
