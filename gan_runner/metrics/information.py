"""What the codes of an InfoGAN say about its samples, and measurements of drawn strokes."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from gan_runner.metrics.conditional import check_labels


def code_accuracy(logits: Tensor, labels: Tensor) -> float:
    """Return the accuracy of a categorical code under its best matching to the labels, in [0, 1].

    Each code stands for one label and each label is stood for by one code, so that most samples are
    read rightly (the assignment problem; Kuhn 1955). Chance is about 1 / K. NaN where a logit is
    not finite.

    logits: [N, K] that Q gives real samples. labels: int64 [N] of those samples, from 0 on; their
    number may differ from K, and codes or labels left over are wrong.

    Raises:
        ValueError: shapes do not fit, or a label is below 0.
    """
    from scipy.optimize import linear_sum_assignment  # only here: slow to import

    check_labels(logits, labels, "code_accuracy")
    if not bool(logits.isfinite().all()):
        return math.nan
    num_codes, codes, found = logits.shape[1], logits.argmax(dim=1).cpu(), labels.cpu()
    num_labels = int(found.max()) + 1
    pairs = torch.bincount(codes * num_labels + found, minlength=num_codes * num_labels)
    counts = pairs.reshape(num_codes, num_labels)
    matched = linear_sum_assignment(counts.numpy(), maximize=True)
    return float(counts[matched].sum()) / len(found)


def categorical_bound(logits: Tensor, codes: Tensor) -> float:
    """Return the lower bound on the information that samples hold on a categorical code, in nats.

    I(c; G(z, c)) >= H(c) + E log Q(c | G(z, c)) (Chen et al. 2016, equation 5), c uniform over K
    values, so that H(c) = ln K. At most ln K; 0 where Q is uniform, below 0 where Q is sure and
    wrong. NaN where a logit is not finite.

    logits: [N, K] that Q gives generated samples. codes: int64 [N], those they were made of.

    Raises:
        ValueError: shapes do not fit, or a code is not in [0, K).
    """
    check_labels(logits, codes, "categorical_bound", below=logits.shape[-1])
    if not bool(logits.isfinite().all()):
        return math.nan
    log_q = logits.detach().cpu().double().log_softmax(dim=1)
    read = log_q.gather(1, codes.cpu()[:, None])  # [N, 1]
    return math.log(logits.shape[1]) + float(read.mean())


def continuous_bound(mean: Tensor, log_variance: Tensor, codes: Tensor) -> float:
    """Return the lower bound on the information that samples hold on continuous codes, in nats.

    H(c) + E log Q(c | x), as in `categorical_bound`, summed over J independent codes, each uniform
    on (-1, 1) with H = ln 2, and Q a Gaussian. NaN where an input is not finite.

    mean, log_variance: [N, J] that Q gives generated samples. codes: [N, J], those they were made
    of.

    Raises:
        ValueError: the shapes are not one and the same [N, J].
    """
    shapes = [tuple(each.shape) for each in (mean, log_variance, codes)]
    if len(set(shapes)) > 1 or mean.ndim != 2 or not mean.numel():
        raise ValueError(
            f"continuous_bound: mean {shapes[0]}, log_variance {shapes[1]} and codes {shapes[2]} "
            "must all be [N, J]"
        )
    mean, log_variance, codes = (
        each.detach().cpu().double() for each in (mean, log_variance, codes)
    )
    squared = (codes - mean).square() * torch.exp(-log_variance)
    log_q = -0.5 * (squared + log_variance + math.log(2 * math.pi))  # [N, J]
    bound = mean.shape[1] * math.log(2) + float(log_q.sum(dim=1).mean())
    return bound if math.isfinite(bound) else math.nan


def slant(images: Tensor) -> Tensor:
    """Return how far strokes lean, [N]: pixels to the right for each pixel up, by moments.

    -cov(x, y) / var(y) of the ink, y counted downwards: the shear that would set the image
    upright. 0 is upright, 1 leans by 45 degrees to the right. NaN where there is no ink, or all of
    it in one row.

    images: [N, C, H, W] in [-1, 1], -1 the background; channels are added up.
    """
    ink = _ink(images)  # [N, H, W]
    height, width = ink.shape[1:]
    rows = torch.arange(height, dtype=ink.dtype, device=ink.device)[:, None]  # [H, 1]
    columns = torch.arange(width, dtype=ink.dtype, device=ink.device)  # [W]
    total = ink.sum(dim=(1, 2), keepdim=True)  # [N, 1, 1]
    down = rows - (ink * rows).sum(dim=(1, 2), keepdim=True) / total
    right = columns - (ink * columns).sum(dim=(1, 2), keepdim=True) / total
    shared = (ink * down * right).sum(dim=(1, 2))
    spread = (ink * down.square()).sum(dim=(1, 2))
    return torch.where(spread > 1e-9 * total.flatten(), -shared / spread, math.nan)


def stroke_width(images: Tensor) -> Tensor:
    """Return the mean width of an image's strokes, [N], in pixels.

    2 * area / perimeter: a stroke of width w and length l has the area w l and, its two short ends
    left out, the perimeter 2 l. The area is the sum of the ink and the perimeter its total
    variation (the co-area formula), the gradient taken between 2 x 2 pixels; so grey edges count in
    part and a paler image has the same width. Within about 10 % for widths of 2 or more. NaN where
    there is no ink.

    images: [N, C, H, W] in [-1, 1], -1 the background; channels are added up.
    """
    ink = F.pad(_ink(images), (1, 1, 1, 1))  # [N, H + 2, W + 2]
    across = ink.diff(dim=2)
    along = ink.diff(dim=1)
    across = (across[:, 1:] + across[:, :-1]) / 2  # [N, H + 1, W + 1]
    along = (along[:, :, 1:] + along[:, :, :-1]) / 2
    perimeter = torch.hypot(across, along).sum(dim=(1, 2))
    return torch.where(perimeter > 0, 2 * ink.sum(dim=(1, 2)) / perimeter, math.nan)


def _ink(images: Tensor) -> Tensor:
    """Return the ink [N, H, W] of each pixel, 0 the background, float64 on the CPU."""
    if images.ndim != 4:
        raise ValueError(f"images {tuple(images.shape)} must be [N, C, H, W]")
    return ((images.detach().cpu().double() + 1) / 2).clamp(min=0).sum(dim=1)
