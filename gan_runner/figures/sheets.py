"""A contact sheet: all figures of a paper on one picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from gan_runner.result import write_atomic

SHEET = "contact_sheet.png"  # in a paper's folder
WIDTH, COLUMNS, GAP, WORDS = 620, 2, 16, 26  # pixels


def contact_sheet(pictures: Sequence[tuple[str, Path]], path: Path) -> None:
    """Lay pictures (words, file) out in columns, each with its words above, and write a PNG.

    Each goes into the column that is shortest so far.
    """
    columns = min(COLUMNS, max(1, len(pictures)))
    heights = [GAP] * columns
    placed: list[tuple[int, int, str, Image.Image]] = []
    for words, file in pictures:
        with Image.open(file) as opened:
            size = (WIDTH, max(1, round(opened.height * WIDTH / opened.width)))
            small = opened.convert("RGB").resize(size, Image.Resampling.LANCZOS)
        column = heights.index(min(heights))
        placed.append((GAP + column * (WIDTH + GAP), heights[column], words, small))
        heights[column] += WORDS + small.height + GAP
    sheet = Image.new("RGB", (columns * (WIDTH + GAP) + GAP, max(heights)), "white")
    pen = ImageDraw.Draw(sheet)
    for left, top, words, small in placed:
        pen.text((left, top + 4), words, fill="#333333", font=ImageFont.load_default(14))
        sheet.paste(small, (left, top + WORDS))
    file_ = io.BytesIO()
    sheet.save(file_, "PNG")
    write_atomic(path, file_.getvalue())
