"""Whether a conditional generator draws what it was asked for."""

from __future__ import annotations

import math

from torch import Tensor


def label_agreement(logits: Tensor, labels: Tensor) -> float:
    """Return the share of samples that the classifier reads as the label asked for, in [0, 1].

    A perfect generator reaches the classifier's own accuracy. NaN where a logit is not finite.

    logits: [N, K]. labels: int64 [N] in [0, K).

    Raises:
        ValueError: shapes do not fit, or a label is not in [0, K).
    """
    check_labels(logits, labels, "label_agreement", below=logits.shape[-1])
    if not bool(logits.isfinite().all()):
        return math.nan
    return float((logits.argmax(dim=1) == labels.to(logits.device)).double().mean())


def check_labels(logits: Tensor, labels: Tensor, metric: str, *, below: int | None = None) -> None:
    """See that logits are [N, K] and labels [N], from 0 on.

    Raises:
        ValueError: they are not.
    """
    if logits.ndim != 2 or not logits.numel() or labels.shape != logits.shape[:1]:
        raise ValueError(
            f"{metric}: logits {tuple(logits.shape)} and labels {tuple(labels.shape)} "
            "must be [N, K] and [N]"
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or (below is not None and high >= below):
        wanted = "at least 0" if below is None else f"in [0, {below})"
        raise ValueError(f"{metric}: labels from {low} to {high} must be {wanted}")
