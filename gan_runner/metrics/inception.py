"""The published scores, on Inception-v3's features: an extra that needs a package and its weights.

`pip install 'gan-runner[inception]'` brings torch-fidelity, whose network is the TensorFlow one of
Salimans et al. (2016) and Heusel et al. (2017); its weights (91 MB) are downloaded on first use.
"""

from __future__ import annotations

import math
import pickle
from functools import cache
from typing import Any

import torch
from torch import Tensor

from gan_runner.metrics.features import classifier_score, frechet_distance, kernel_distance

NAMES = ("frechet_inception_distance", "inception_score", "kernel_inception_distance")
SPLITS = 10  # whose scores are averaged, as in Salimans et al. (2016)
_CHUNK = 64  # images of 299 x 299 at once


def check() -> None:
    """See that the package and the weights are there, fetching the weights if need be.

    To be called before a training of hours whose last step would fail.

    Raises:
        ValueError: the package is not installed, or the weights cannot be had.
    """
    _extractor()


def inception_scores(generated: Tensor, real: Tensor) -> dict[str, float]:
    """Return the Inception versions of the scores that `features.py` computes on a classifier.

    frechet_inception_distance: FID (Heusel et al. 2017), on the 2,048 pooled features.
    inception_score: IS (Salimans et al. 2016), the mean over 10 consecutive splits.
    kernel_inception_distance: KID (Binkowski et al. 2018), over all rows at once; published code
        averages over 100 random subsets of 1,000.

    NaN where an image is not finite. Published values take 50,000 images (FID also against the
    training set); fewer raise FID and lower IS.

    generated: [N, C, H, W] and real: [M, C, H, W] in [-1, 1], C 1 or 3; grey is repeated.

    Raises:
        ValueError: as `check`, or images have another shape, or a set has fewer than two.
    """
    for images in (generated, real):
        if images.ndim != 4 or images.shape[1] not in (1, 3) or len(images) < 2:
            raise ValueError(
                f"metrics=inception: images {list(images.shape)} must be [N, C, H, W] with "
                "N at least 2 and C 1 or 3"
            )
    extractor = _extractor()
    if not all(bool(images.isfinite().all()) for images in (generated, real)):
        return dict.fromkeys(NAMES, math.nan)
    features, logits = _see(extractor, generated)
    real_features, _ = _see(extractor, real)
    # Splits of one sample have the score 1 whatever the sample.
    splits = logits.tensor_split(max(1, min(SPLITS, len(logits) // 2)))
    scores = [classifier_score(split) for split in splits]
    values = (
        frechet_distance(features, real_features),
        math.fsum(scores) / len(scores),
        kernel_distance(features, real_features),
    )
    return dict(zip(NAMES, values, strict=True))


@cache
def _extractor() -> Any:
    """Return torch-fidelity's network."""
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError:
        raise ValueError(
            "metrics=inception: needs torch-fidelity (pip install 'gan-runner[inception]'); "
            "metrics=images needs nothing more"
        ) from None
    try:
        return FeatureExtractorInceptionV3(
            name="inception-v3-compat", features_list=["2048", "logits_unbiased"]
        )
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            "metrics=inception: Inception's weights are not in "
            f"{torch.hub.get_dir()}/checkpoints and cannot be downloaded ({reason}); "
            "metrics=images needs none"
        ) from None


@torch.no_grad()
def _see(extractor: Any, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return features [N, 2048] and logits [N, 1008] on the CPU."""
    network = extractor.to(images.device)
    parts = []
    for chunk in torch.split(images, _CHUNK):
        levels = ((chunk.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        parts.append([each.cpu() for each in network(levels.expand(-1, 3, -1, -1))])
    features, logits = zip(*parts, strict=True)
    return torch.cat(features), torch.cat(logits)
