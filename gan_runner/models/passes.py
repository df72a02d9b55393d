"""How samples go through G and D: packed, with noise, in one pass or two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gan_runner.game import Batch, Numbers

Fake = Callable[[Any, Batch], Tensor]  # (nets, batch) -> G's output
Critic = Callable[[Any, Batch, Tensor], Tensor]  # (nets, batch, samples as D sees them) -> logits
Score = Callable[[Tensor], Tensor]  # samples as D sees them -> logits


def packed(samples: Tensor, pack: int) -> Tensor:
    """Groups of `pack` samples joined along their first dimension (PacGAN, Lin et al. 2018).

    [N, C, ...] -> [N / pack, pack C, ...].
    """
    if pack == 1:
        return samples
    return samples.reshape(-1, pack * samples.shape[1], *samples.shape[2:])


def packed_draws(batch: Batch, pack: int) -> Batch:
    """A penalty's draws for packed samples: one mixing number a pack."""
    if pack == 1:
        return batch
    draws = dict(batch)
    if "mix" in batch:
        draws["mix"] = batch["mix"].reshape(-1, pack)[:, 0]
    if "perturbation" in batch:
        draws["perturbation"] = packed(batch["perturbation"], pack)
    return draws


def seen(generated: Tensor, batch: Batch, h: Numbers) -> Tensor:
    """G's output as D sees it: with Gaussian noise where the game draws any.

    Aminian 2022 (introduction): noise on G's output gives its distribution a density everywhere.
    """
    if "output_noise" not in batch:
        return generated
    return generated + h["model.output_noise"] * batch["output_noise"]


def apart(read: Score, real: Tensor, generated: Tensor, *, joint: bool) -> tuple[Tensor, Tensor]:
    """What a network makes of data and of G's output, in one pass where no layer mixes samples."""
    if not joint:
        return read(real), read(generated)
    outputs = read(torch.cat([real, generated]))
    real_outputs, fake_outputs = torch.split(outputs, [len(real), len(generated)])
    return real_outputs, fake_outputs


def repeated(condition: Tensor, samples: Tensor) -> Tensor:
    """A batch's conditions [N, ...], as often as `samples` [m N, ...] holds the batch."""
    times = len(samples) // len(condition)
    return condition if times == 1 else torch.cat([condition] * times)


def full_precision(logits: Tensor) -> Tensor:
    """Logits of an autocast network as float32; others as they are."""
    return logits.float() if logits.dtype is torch.bfloat16 else logits


def mixes_samples(network: nn.Module) -> bool:
    """Whether a network's output for a sample depends on the batch's others."""
    return any(
        isinstance(layer, nn.modules.batchnorm._BatchNorm) or getattr(layer, "mixes_samples", False)
        for layer in network.modules()
    )
