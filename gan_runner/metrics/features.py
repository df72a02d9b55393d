"""Scores and distances on what a classifier makes of images: its features and its logits.

They are computed on the CPU in float64, and are NaN where an input is not finite, as a diverged
generator's are. None is an Inception score or distance: values compare only under one classifier.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gan_runner.metrics.distances import _finite, _points

_CHUNK = 1024  # rows of a kernel matrix held at once


def classifier_score(logits: Tensor) -> float:
    """Return exp of the mean KL divergence of a sample's class probabilities to their mean.

    exp E_x KL(p(y|x) || p(y)), p(y) = E_x p(y|x) (Salimans et al. 2016, section 4), natural
    logarithm, over all samples at once rather than in splits. In [1, K]: K where every sample is
    read surely and the classes are equally frequent.

    logits: [N, K].

    Raises:
        ValueError: logits are not [N, K] with N above 0.
    """
    if logits.ndim != 2 or not logits.numel():
        raise ValueError(f"classifier_score: logits {tuple(logits.shape)} must be [N, K]")
    if not bool(logits.isfinite().all()):
        return math.nan
    log_p = logits.detach().cpu().double().log_softmax(dim=1)  # [N, K]
    log_mean = log_p.logsumexp(dim=0) - math.log(len(log_p))  # [K]
    return math.exp(float((log_p.exp() * (log_p - log_mean)).sum(dim=1).mean()))


def frechet_distance(x: Tensor, y: Tensor) -> float:
    """Return the squared 2-Wasserstein distance between Gaussians fitted to two sets of features.

    |m_x - m_y|^2 + tr(S_x + S_y - 2 (S_x S_y)^(1/2)) (Dowson and Landau 1982, equation 4; for
    images Heusel et al. 2017), with unbiased covariances. The trace of the root is the sum of the
    roots of the eigenvalues of R S_y R, R the symmetric root of S_x: that matrix is symmetric and
    stays well-behaved for singular covariances. In squared units of the features, at least 0. Two
    finite samples of one distribution are a positive distance apart, which falls as they grow.

    x: [N, d]; y: [M, d].

    Raises:
        ValueError: a set has fewer than two rows, or widths differ.
    """
    x, y = _pairs(x, y, "frechet_distance")
    if not _finite(x, y):
        return math.nan
    mean_x, covariance_x = _moments(x)
    mean_y, covariance_y = _moments(y)
    values, vectors = torch.linalg.eigh(covariance_x)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T  # [d, d]
    between = torch.linalg.eigvalsh(root @ covariance_y @ root)
    overlap = float(between.clamp(min=0).sqrt().sum())
    spread = float(covariance_x.trace() + covariance_y.trace())
    # Equal sets give a difference of rounding errors, which may lie below 0.
    return max(0.0, float((mean_x - mean_y).square().sum()) + spread - 2 * overlap)


def kernel_distance(x: Tensor, y: Tensor) -> float:
    """Return the unbiased squared maximum mean discrepancy under the kernel (a.b / d + 1)^3.

    Binkowski et al. (2018), section 4, equation 4; over all rows at once rather than the mean over
    random subsets. Without unit; may be slightly below 0 for equal distributions.

    x: [N, d]; y: [M, d].

    Raises:
        ValueError: a set has fewer than two rows, or widths differ.
    """
    x, y = _pairs(x, y, "kernel_distance")
    if not _finite(x, y):
        return math.nan
    n, m = len(x), len(y)
    # The unbiased form leaves out k(a, a).
    within_x = (_kernel_sum(x, x) - _kernel_diagonal(x)) / (n * (n - 1))
    within_y = (_kernel_sum(y, y) - _kernel_diagonal(y)) / (m * (m - 1))
    return within_x + within_y - 2 * _kernel_sum(x, y) / (n * m)


def _pairs(x: Tensor, y: Tensor, metric: str) -> tuple[Tensor, Tensor]:
    x, y = _points(x, y, metric)
    if min(len(x), len(y)) < 2:
        raise ValueError(f"{metric}: {len(x)} and {len(y)} rows; each set needs at least 2")
    return x, y


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean [d] and the unbiased covariance [d, d]."""
    mean = x.mean(dim=0)
    centred = x - mean
    return mean, centred.T @ centred / (len(x) - 1)


def _kernel_sum(x: Tensor, y: Tensor) -> float:
    """Return the sum of the kernel over all pairs, in blocks of rows."""
    sums = [
        ((rows @ y.T).div_(x.shape[1]).add_(1).pow_(3)).sum() for rows in torch.split(x, _CHUNK)
    ]
    return float(torch.stack(sums).sum())


def _kernel_diagonal(x: Tensor) -> float:
    return float((x.square().sum(dim=1) / x.shape[1] + 1).pow(3).sum())
