"""Distances of a prediction to its target, both [N, ...], as 0-dim tensors.

"anatomizing" is Sinha 2020, "Anatomizing Generative Adversarial Networks".
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

Reconstruction = Callable[[Tensor, Tensor], Tensor]


def squared_error(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean over samples and coordinates of the squared difference.

    What anatomizing's tables report and its released code minimises: `squared_norm` over the
    number of coordinates. Raises ValueError if the shapes differ.
    """
    return _difference(prediction, target).square().mean()


def squared_norm(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean over samples of the squared Euclidean norm of the difference: anatomizing, eq. 5.

    Raises ValueError if the shapes differ.
    """
    difference = _difference(prediction, target)
    return difference.square().reshape(difference.shape[0], -1).sum(dim=1).mean()


def absolute_error(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean over samples and coordinates of the absolute difference: anatomizing, eq. 9.

    Raises ValueError if the shapes differ.
    """
    return _difference(prediction, target).abs().mean()


def _difference(prediction: Tensor, target: Tensor) -> Tensor:
    # [N, 1] against [N] would broadcast to [N, N] and give a wrong number in silence.
    if prediction.shape != target.shape:
        raise ValueError(
            f"reconstruction: prediction {tuple(prediction.shape)} and target "
            f"{tuple(target.shape)} must have one shape"
        )
    return prediction - target


RECONSTRUCTIONS: dict[str, Reconstruction] = {
    "squared_error": squared_error,
    "squared_norm": squared_norm,
    "absolute_error": absolute_error,
}
