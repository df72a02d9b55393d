"""Walks and sums in the space of z, and what they are read as. Pure functions of tensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gan_runner.datasets.dataset import Dataset
from gan_runner.game import Batch

Arrange = Callable[[Batch], Batch]  # as `game.Grid.arrange`
PARALLEL = 1e-4  # sine of the angle below which a great circle through two points is not defined


# --- interpolation ---------------------------------------------------------------------------


def path(start: Tensor, end: Tensor, num: int, *, spherical: bool) -> Tensor:
    """Points on the way from one z to another, both ends among them.

    Spherical: sin((1 - t) a) / sin(a) start + sin(t a) / sin(a) end, with the angle a between the
    ends (White 2016, "Sampling Generative Networks"): the way keeps to lengths that N(0, I) has,
    where the straight line would pass through ones that are never drawn. Linear for a uniform
    prior, whose cube holds the line; also for ends that are (nearly) parallel.

    Args:
        start, end: [R, L].
        num: of points, at least 2.
        spherical: whether to go along a great circle.

    Returns:
        [R, num, L], of the ends' dtype and on their device.
    """
    t = torch.linspace(0, 1, num, dtype=start.dtype).to(start.device)[:, None]  # [num, 1]
    first, last = start[:, None, :], end[:, None, :]  # [R, 1, L]
    straight = (1 - t) * first + t * last
    if not spherical:
        return straight
    lengths = first.norm(dim=-1, keepdim=True) * last.norm(dim=-1, keepdim=True)
    cosine = (first * last).sum(dim=-1, keepdim=True) / lengths.clamp_min(1e-12)
    angle = cosine.clamp(-1, 1).acos()  # [R, 1, 1]
    sine = angle.sin()
    is_defined = (sine > PARALLEL) & (lengths > 0)
    sine = torch.where(is_defined, sine, torch.ones_like(sine))
    curved = (((1 - t) * angle).sin() * first + (t * angle).sin() * last) / sine
    return torch.where(is_defined, curved, straight)


def table(values: Tensor, rows: int, columns: int) -> Tensor:
    """Values [rows * columns, ...] as [rows, columns, ...]; one of the two may be -1."""
    return values.reshape(rows, columns, *values.shape[1:])


def interpolated(rows: int, columns: int, *, spherical: bool, in_styles: bool = False) -> Arrange:
    """An arrangement of rows x columns draws: each row goes from its first z to its last.

    All else that is drawn (a label, a code, noise) is that of the row's first draw. in_styles: on
    the line between the two styles w, for games that are `styled`.
    """

    def arrange(drawn: Batch) -> Batch:
        found: Batch = {}
        for name, value in drawn.items():
            parts = table(value, rows, columns)
            if name == "z" and in_styles:
                found["z"] = parts[:, :1].expand_as(parts).reshape(value.shape)
                found["z_mix"] = parts[:, -1:].expand_as(parts).reshape(value.shape)
                way = torch.linspace(0, 1, columns, dtype=value.dtype).to(value.device)
                found["toward"] = way.repeat(rows)
            elif name == "z":
                way = path(
                    parts[:, 0].flatten(1), parts[:, -1].flatten(1), columns, spherical=spherical
                )
                found[name] = way.reshape(value.shape)
            else:
                found[name] = parts[:, :1].expand_as(parts).reshape(value.shape)
        return found

    return arrange


def styled(truncation: float | None, *, noise: bool) -> Arrange | None:
    """An arrangement for games that are `styled`; None where it would change nothing.

    truncation: psi, times what a sample has already; None: 1. noise: False takes the noise of the
    pixels away.
    """
    if truncation is None and noise:
        return None

    def arrange(drawn: Batch) -> Batch:
        found = dict(drawn)
        if truncation is not None:
            psi = torch.full_like(drawn["z"][:, 0], truncation)
            found["psi"] = drawn.get("psi", torch.ones_like(psi)) * psi
        if not noise:
            found |= {
                name: torch.zeros_like(value)
                for name, value in drawn.items()
                if name.startswith("noise_")
            }
        return found

    return arrange


def of_class(label: int) -> Arrange:
    """An arrangement in which every sample is asked to be of one class."""
    return lambda drawn: {**drawn, "label": torch.full_like(drawn["label"], label)}


def both(first: Arrange | None, second: Arrange | None) -> Arrange | None:
    """One arrangement after the other; None arranges nothing."""
    if first is None or second is None:
        return first or second
    return lambda drawn: second(first(drawn))


# --- arithmetic ------------------------------------------------------------------------------


def class_mean(z: Tensor, labels: Tensor, label: int) -> Tensor:
    """The mean z [L] of the samples that are read as a class; NaN where there are none.

    z: [N, L]; labels: [N], the class that each sample G(z) is read as.
    """
    return z[labels == label].mean(dim=0)


def toward(direction: Tensor, noise: Tensor, cosine: float) -> Tensor:
    """Draws of z turned towards a direction, as long as they were.

    cosine * (direction, as long as the noise) + sqrt(1 - cosine^2) * noise: for a direction that
    the noise does not know, `cosine` is that of the angle between the two. A mean of many z is
    itself much shorter than any z that G has seen, and so is drawn pale.

    Args:
        direction: [L].
        noise: [N, L], draws of the prior.
        cosine: 0 gives the noise back, 1 the direction alone.
    """
    length = noise.square().sum(dim=1).mean().sqrt()
    aim = length / direction.norm().clamp_min(1e-12) * direction
    turned: Tensor = cosine * aim + math.sqrt(1 - cosine**2) * noise
    return turned


def read_sum(text: str, classes: Sequence[str]) -> tuple[int, int, int]:
    """The classes of a sum "A-B+C", each a name or a number.

    Names may hold - and + themselves ("T-shirt/top"); spaces around them do not matter.

    Raises:
        ValueError: no such sum of known classes.
    """
    for minus in (at for at, sign in enumerate(text) if sign == "-"):
        for plus in (at for at, sign in enumerate(text) if sign == "+" and at > minus):
            parts = (text[:minus], text[minus + 1 : plus], text[plus + 1 :])
            found = [find_class(part, classes) for part in parts]
            if None not in found:
                a, b, c = (int(each) for each in found if each is not None)
                return a, b, c
    raise ValueError(f"{text!r} is no A-B+C of the classes {', '.join(classes)}")


def class_names(dataset: Dataset) -> tuple[str, ...]:
    """The names of the classes, else their numbers; () where there are no labels."""
    if dataset.classes is not None:
        return dataset.classes
    return tuple(map(str, range(dataset.num_classes or 0)))


def find_class(text: str, classes: Sequence[str]) -> int | None:
    """The index of a class by its name, else by its number; None where there is no such class.

    A number stands for a place only where no class has a number for a name: among the classes "3"
    and "5" there is no "1".
    """
    word = text.strip().casefold()
    names = [name.casefold() for name in classes]
    if word in names:
        return names.index(word)
    if word.isdecimal() and int(word) < len(names) and not any(map(str.isdecimal, names)):
        return int(word)
    return None
