"""Pictures of images: every pixel drawn as a whole square of pixels, with words around them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from gan_runner.callbacks.callback import Panel

Array = np.ndarray[Any, np.dtype[Any]]
CELL = 48  # pixels that an image's longer side is enlarged to at least
GAP, WIDE = 3, 12  # between images; between groups of them
COLUMNS = 8
MIN_WIDTH, MAX_LABEL = 400, 150  # of a picture with words; of the words on the left
INK, FAINT = (51, 51, 51), (119, 119, 119)
BAD = (213, 94, 0)  # what is not finite: a colour that grey images do not have


def draw_grid(images: Tensor, columns: int | None = None) -> Image.Image:
    """Lay images [N, C, H, W] in [-1, 1] out row by row, 8 in a row.

    More than 64 images make a square. See `draw_panel`.
    """
    if columns is None:
        columns = max(COLUMNS, math.ceil(math.sqrt(len(images))))
    return draw_panel(Panel(images=images, columns=max(1, min(columns, len(images)))))


def draw_panel(panel: Panel) -> Image.Image:
    """Draw a panel's images with its title above, and labels on the left and above.

    C is 1 (grey) or 3 (RGB). Small images are enlarged by a whole factor, pixel by pixel. Values
    outside [-1, 1] are clipped; pixels that are not finite are drawn orange, and the images that
    have some are counted below.

    Raises:
        ValueError: no images, or neither one nor three channels.
    """
    images = panel.images
    if images.ndim != 4 or not len(images) or images.shape[1] not in (1, 3):
        raise ValueError(f"images: shape {tuple(images.shape)}, must be [N, 1 or 3, H, W], N > 0")
    cells, num_bad = _cells(images)
    count, height, width, channels = cells.shape
    lines = math.ceil(count / panel.columns)
    left = _label_width(panel.rows)
    lefts = [
        left + GAP + column * (width + GAP) + WIDE * sum(gap <= column for gap in panel.gaps)
        for column in range(panel.columns)
    ]
    inner = lefts[-1] + width + GAP
    has_words = bool(panel.title or num_bad)
    full = max(inner, MIN_WIDTH) if has_words else inner
    note = f"{num_bad:,} of {count:,} images hold values that are not finite" if num_bad else ""
    title, below = _wrapped(panel.title, full, 13), _wrapped(note, full, 11)
    top = 18 * len(title) + (6 if title else 0) + (16 if any(panel.heads) else 0)
    bottom = top + GAP + lines * (height + GAP)
    canvas = np.full((bottom + 15 * len(below), full, channels), 255, dtype=np.uint8)
    for index, cell in enumerate(cells):
        line, column = divmod(index, panel.columns)
        y, x = top + GAP + line * (height + GAP), lefts[column]
        canvas[y : y + height, x : x + width] = cell
    picture = Image.fromarray(canvas[..., 0] if channels == 1 else canvas)
    pen = _Pen(picture)
    for line, text in enumerate(title):
        pen.write(text, (GAP, 3 + 18 * line), 13, INK)
    for column, text in enumerate(panel.heads):
        pen.write(text, (lefts[column] + width / 2, top - 1), 11, FAINT, anchor="ms")
    for line, text in enumerate(panel.rows):
        pen.label(text, left - 4, top + GAP + line * (height + GAP) + height / 2)
    for line, text in enumerate(below):
        pen.write(text, (GAP, bottom + 15 * line), 11, BAD)
    return picture


def _cells(images: Tensor) -> tuple[Array, int]:
    """Bytes [N, H, W, C] of images, enlarged; and how many images hold what is not finite."""
    values = images.detach().float().cpu().numpy()
    is_bad = ~np.isfinite(values).all(axis=1)  # [N, H, W]
    clipped = np.nan_to_num(values, nan=-1.0).clip(-1, 1)
    pixels = np.round((clipped + 1) * 127.5).astype(np.uint8).transpose(0, 2, 3, 1)
    if is_bad.any():
        pixels = np.broadcast_to(pixels, (*pixels.shape[:3], 3)).copy()
        pixels[is_bad] = BAD
    factor = math.ceil(CELL / max(pixels.shape[1:3]))
    cells: Array = pixels.repeat(factor, axis=1).repeat(factor, axis=2)
    return cells, int(is_bad.any(axis=(1, 2)).sum())


class _Pen:
    """Writes into a picture; in a grey one every colour is its grey."""

    def __init__(self, picture: Image.Image) -> None:
        self._draw = ImageDraw.Draw(picture)
        self._is_grey = picture.mode == "L"

    def write(
        self,
        text: str,
        place: tuple[float, float],
        size: int,
        colour: tuple[int, int, int],
        anchor: str = "la",
    ) -> None:
        fill = colour[0] if self._is_grey else colour
        self._draw.text(place, text, fill=fill, font=_font(size), anchor=anchor)

    def label(self, text: str, right: float, middle: float) -> None:
        """Write lines of text, flush right; the first is the label, others are remarks."""
        lines = [_cut(each) for each in text.split("\n")]
        for index, each in enumerate(lines):
            y = middle + 14 * (index - (len(lines) - 1) / 2)
            colour = FAINT if index else INK
            self.write(each, (right, y), _LABEL if index == 0 else 10, colour, anchor="rm")


_LABEL = 12


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """The font that comes with matplotlib: it knows most alphabets."""
    path = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), size)


def _label_width(labels: Sequence[str]) -> int:
    lines = [line for label in labels for line in label.split("\n")]
    if not lines:
        return 0
    return math.ceil(max(_font(_LABEL).getlength(_cut(line)) for line in lines)) + 8


def _cut(text: str) -> str:
    """A label that is not too long."""
    if _font(_LABEL).getlength(text) <= MAX_LABEL:
        return text
    while text and _font(_LABEL).getlength(text + "…") > MAX_LABEL:
        text = text[:-1]
    return text + "…"


def _wrapped(text: str, width: int, size: int) -> list[str]:
    """Lines of a text that fit a width."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _font(size).getlength(longer) <= width - 2 * GAP:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
