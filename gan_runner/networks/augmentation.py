"""Adaptive discriminator augmentation (Karras et al. 2020, "Training GANs with Limited Data").

D sees data and G's images through random transformations, each carried out with probability p: as
long as p is below about 0.8, G cannot learn to make them. p rises while D's outputs on data have
the sign that says "real" too often.

Differences from the authors' code: bilinear sampling with reflected borders without the filter
against aliasing, and data and G's images of one step get the same draws, which leaves each
one's distribution as it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

KINDS = ("flip", "rotate", "translate", "geometry", "colour")
NUM_DRAWS = 28  # uniform numbers that one image takes
BATCHES = 4  # whose signs are averaged before p moves (appendix D)


class Dice:
    """Uniform draws [N, NUM_DRAWS], taken one after the other; each operation takes its own."""

    def __init__(self, draws: Tensor, p: Tensor) -> None:
        self._columns = list(draws.unbind(1))
        self.p = p

    def uniform(self, low: float, high: float) -> Tensor:
        """[N], in [low, high)."""
        return low + (high - low) * self._columns.pop()

    def normal(self, sd: float) -> Tensor:
        """[N], N(0, sd^2), cut at 4.5 sd."""
        unit = self._columns.pop().clamp(4e-6, 1 - 4e-6)
        return sd * math.sqrt(2) * torch.erfinv(2 * unit - 1)

    def chosen(self, value: Tensor, otherwise: float, p: Tensor | None = None) -> Tensor:
        """The value [N] with probability p (None: that of all), else a number that does nothing."""
        happens = self._columns.pop() < (self.p if p is None else p)
        return torch.where(happens, value, torch.full_like(value, otherwise))


def _matrices(rows: Sequence[Sequence[Tensor | float]], like: Tensor) -> Tensor:
    """[N, R, R] of entries that are tensors [N] or numbers."""
    zero = torch.zeros_like(like)
    return torch.stack([torch.stack([zero + entry for entry in row], 1) for row in rows], 1)


def _scaling(x: Tensor, y: Tensor) -> Tensor:
    return _matrices([[x, 0.0, 0.0], [0.0, y, 0.0], [0.0, 0.0, 1.0]], x)


def _rotation(angle: Tensor) -> Tensor:
    sine, cosine = angle.sin(), angle.cos()
    return _matrices([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]], angle)


def _shift(x: Tensor, y: Tensor) -> Tensor:
    return _matrices([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]], x)


def geometric(dice: Dice, kinds: Sequence[str], side: int) -> Tensor | None:
    """Where each image's pixels come from: [N, 2, 3] in coordinates -1 to 1; None: as they are.

    Appendix B of the paper: mirroring, quarter turns, shifts by whole pixels of up to 1/8; scaling
    (log2 with sd 0.2), rotation, unequal scaling, and shifts of sd 1/8. Of the two rotations,
    before and after the unequal scaling, each happens with probability 1 - sqrt(1 - p).
    """
    found: list[Tensor] = []
    if "flip" in kinds:
        sign = dice.chosen(dice.uniform(0, 2).floor() * 2 - 1, 1.0)
        found.append(_scaling(sign, torch.ones_like(sign)))
    if "rotate" in kinds:
        turns = dice.chosen(dice.uniform(0, 4).floor(), 0.0)
        found.append(_rotation(turns * (math.pi / 2)))
    if "translate" in kinds:
        x, y = ((dice.uniform(-side / 8, side / 8)).round() for _ in range(2))
        happens = dice.chosen(torch.ones_like(x), 0.0) * (2 / side)
        found.append(_shift(x * happens, y * happens))
    if "geometry" in kinds:
        once = 1 - (1 - dice.p).sqrt()
        size = dice.chosen(dice.normal(0.2).exp2(), 1.0)
        found.append(_scaling(size, size))
        found.append(_rotation(dice.chosen(dice.uniform(-math.pi, math.pi), 0.0, once)))
        ratio = dice.chosen(dice.normal(0.2).exp2(), 1.0)
        found.append(_scaling(ratio, 1 / ratio))
        found.append(_rotation(dice.chosen(dice.uniform(-math.pi, math.pi), 0.0, once)))
        x, y = (2 * dice.normal(0.125) for _ in range(2))
        happens = dice.chosen(torch.ones_like(x), 0.0)
        found.append(_shift(x * happens, y * happens))
    if not found:
        return None
    whole = found[0]
    for each in found[1:]:
        whole = whole @ each
    return whole[:, :2]


def coloured(images: Tensor, dice: Dice) -> Tensor:
    """Brightness (sd 0.2), contrast (log2 with sd 0.5); of RGB also luma flip, hue, saturation."""
    brightness = dice.chosen(dice.normal(0.2), 0.0)[:, None, None, None]
    contrast = dice.chosen(dice.normal(0.5).exp2(), 1.0)[:, None, None, None]
    images = contrast * (images + brightness)
    if images.shape[1] != 3:
        return images
    axis = images.new_ones(3) / math.sqrt(3)
    grey = torch.outer(axis, axis)  # projects on the axis
    flip = dice.chosen(dice.uniform(0, 2).floor(), 0.0)[:, None, None]
    angle = dice.chosen(dice.uniform(-math.pi, math.pi), 0.0)[:, None, None]
    saturation = dice.chosen(dice.normal(1.0).exp2(), 1.0)[:, None, None]
    # (v x) for the axis v: a circulant of 0, -1, 1 over root 3.
    eye = grey.new_ones(3).diag()
    cross = (eye.roll(1, 0) - eye.roll(-1, 0)) / math.sqrt(3)
    turned = grey + angle.cos() * (eye - grey) + angle.sin() * cross  # Rodrigues' formula
    matrix = (eye - 2 * flip * grey) @ turned @ (grey + saturation * (eye - grey))  # [N, 3, 3]
    return torch.einsum("nij,njhw->nihw", matrix.to(images.dtype), images)


def augmented(images: Tensor, draws: Tensor, p: Tensor, kinds: Sequence[str] = KINDS) -> Tensor:
    """Images [N, C, H, W] through the transformations of `kinds`, each with probability p.

    Pure and differentiable in the images.

    Args:
        images: [N, C, H, W], square.
        draws: uniform on [0, 1), [N, NUM_DRAWS].
        p: 0-dim, in [0, 1].
        kinds: among `KINDS`.
    """
    dice = Dice(draws, p)
    where = geometric(dice, kinds, images.shape[-1])
    if where is not None:
        grid = F.affine_grid(where.to(images.dtype), list(images.shape), align_corners=False)
        images = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    return coloured(images, dice) if "colour" in kinds else images


class Augmentation(nn.Module):
    """The transformations with their p, which follows D's outputs on data. No player owns it.

    Args:
        kinds: among `KINDS`.
        p: the first probability.
    """

    running_p: Tensor
    running_signs: Tensor

    def __init__(self, kinds: Sequence[str], p: float) -> None:
        super().__init__()
        self.kinds = tuple(kinds)
        self.register_buffer("running_p", torch.full((), p))
        self.register_buffer("running_signs", torch.zeros(2))  # their mean's sum, and batches

    def forward(self, images: Tensor, draws: Tensor) -> Tensor:
        """[N, C, H, W] and draws [N, NUM_DRAWS] -> [N, C, H, W]; unchanged in evaluation."""
        return augmented(images, draws, self.running_p, self.kinds) if self.training else images

    @torch.no_grad()
    def observe(self, logits: Tensor, target: Tensor, images_to_one: Tensor) -> None:
        """Move p by D's logits of data; after every fourth batch, up where sign(D) is above target.

        Equation 1, r_t = E sign D(real), over four batches; by as much as p goes from 0 to 1 in
        `images_to_one` images.
        """
        if not self.training:
            return
        mean = logits.detach().sign().mean().to(self.running_signs.dtype)
        signs = self.running_signs + torch.stack([mean, torch.ones_like(mean)])
        full = signs[1] >= BATCHES
        change = (signs[0] / BATCHES - target).sign() * (BATCHES * len(logits)) / images_to_one
        self.running_p.copy_(
            torch.where(full, (self.running_p + change).clamp(0, 1), self.running_p)
        )
        self.running_signs.copy_(torch.where(full, torch.zeros_like(signs), signs))
