"""Pictures of images, read back pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from gan_runner.callbacks.callback import Panel
from gan_runner.image_plots import BAD, draw_grid, draw_panel
from gan_runner.plots import png


def levels(*values: float, size: int = 28, channels: int = 1) -> Tensor:
    """Images of one value each."""
    return torch.tensor(values)[:, None, None, None].expand(-1, channels, size, size)


# --- grids -----------------------------------------------------------------------------------


def test_grey_images_keep_their_pixels() -> None:
    image = torch.linspace(-1, 1, 28 * 28).reshape(1, 1, 28, 28)
    grid = draw_grid(image)
    assert grid.mode == "L"
    pixels = np.asarray(grid)
    assert pixels.shape == (62, 62)  # doubled, with gaps of 3
    wanted = np.round((image[0, 0].numpy() + 1) * 127.5)
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        np.testing.assert_array_equal(pixels[3 + row : 59 : 2, 3 + column : 59 : 2], wanted)
    frame = np.ones_like(pixels, dtype=bool)
    frame[3:59, 3:59] = False
    assert (pixels[frame] == 255).all()


def test_eight_columns_row_by_row() -> None:
    values = [index / 10 - 0.5 for index in range(11)]
    pixels = np.asarray(draw_grid(levels(*values)))
    assert pixels.shape == (3 + 2 * 59, 3 + 8 * 59)
    centres = pixels[[31, 90]][:, 31::59]
    wanted = [round((value + 1) * 127.5) for value in values] + [255] * 5
    np.testing.assert_array_equal(centres.flatten(), wanted)


@pytest.mark.parametrize(
    ("num", "columns"), [(1, 1), (5, 5), (8, 8), (64, 8), (65, 9), (100, 10), (1000, 32)]
)
def test_columns(num: int, columns: int) -> None:
    assert draw_grid(torch.zeros(num, 1, 48, 48)).size[0] == 3 + 51 * columns


@pytest.mark.parametrize(
    ("size", "factor"), [(8, 6), (16, 3), (28, 2), (32, 2), (47, 2), (48, 1), (64, 1), (128, 1)]
)
def test_small_images_are_enlarged_by_a_whole_factor(size: int, factor: int) -> None:
    width, _ = draw_grid(torch.zeros(64, 1, size, size)).size
    assert width == 3 + 8 * (3 + factor * size)
    assert width >= 400
    assert size > 100 or width <= 900


def test_colour_images() -> None:
    images = -torch.ones(1, 3, 64, 32)
    images[:, 0, 0, 31] = 1.0  # red, top right
    grid = draw_grid(images)
    assert (grid.mode, grid.size) == ("RGB", (38, 70))
    assert grid.getpixel((3 + 31, 3)) == (255, 0, 0)
    assert grid.getpixel((3, 3 + 63)) == (0, 0, 0)


def test_what_is_out_of_range_is_clipped() -> None:
    pixels = np.asarray(draw_grid(levels(-7.0, 7.0)))
    assert [pixels[31, 31], pixels[31, 90]] == [0, 255]


def test_what_is_not_finite_is_seen_and_counted() -> None:
    images = levels(0.0, 0.0, float("nan"), 1.0).clone()
    images[1, 0, 5, 6] = float("inf")
    grid = draw_grid(images)
    assert grid.mode == "RGB"
    assert [grid.getpixel((31 + 59 * column, 31)) for column in range(4)] == [
        (128,) * 3, (128,) * 3, BAD, (255,) * 3,
    ]  # fmt: skip
    assert grid.getpixel((3 + 59 + 2 * 6, 3 + 2 * 5)) == BAD
    plain = draw_grid(images.nan_to_num(0.0, 1.0))
    assert grid.size[1] == plain.size[1] + 15  # a line below: 2 of 4
    below = np.asarray(grid)[plain.size[1] :]
    assert (below == BAD).all(axis=2).any()


@pytest.mark.parametrize("shape", [(4, 2, 8, 8), (0, 1, 8, 8), (4, 8, 8)])
def test_what_is_no_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"images: shape \("):
        draw_grid(torch.zeros(shape))


# --- panels ----------------------------------------------------------------------------------


def dark(pixels: np.ndarray[tuple[int, int], np.dtype[np.uint8]]) -> int:
    """How many pixels are written on: the images of these tests are white."""
    return int((pixels < 200).sum())


def test_words_stand_where_they_belong() -> None:
    white = levels(*[1.0] * 6)
    bare = draw_panel(Panel(images=white, columns=3))
    assert dark(np.asarray(bare)) == 0
    panel = Panel(
        images=white, columns=3, title="what it shows", rows=("seven", "nine\n93 %"),
        heads=("", "second", ""), gaps=(1,),
    )  # fmt: skip
    pixels = np.asarray(draw_panel(panel))
    height = pixels.shape[0]
    top = height - bare.size[1]
    assert top == 18 + 6 + 16  # a line of the title, and the heads
    assert dark(pixels[:20]) > 50  # the title
    heads = pixels[24:top]
    (written,) = np.nonzero((heads < 200).any(axis=0))
    assert pixels.shape[1] == 400  # as wide as a title asks for
    labels = pixels[top:, :60]
    assert dark(labels[:62]) > 20
    assert dark(labels[62:]) > dark(labels[:62])  # two lines
    assert written.min() > 60 + 59  # over the second column, beyond the gap
    assert written.max() < 60 + 12 + 2 * 59 + 30


def test_long_titles_are_wrapped_and_long_labels_cut() -> None:
    images = levels(*[1.0] * 2)
    short = draw_panel(Panel(images=images, columns=2, title="word"))
    long = draw_panel(Panel(images=images, columns=2, title="word " * 30))
    assert long.size == (400, short.size[1] + 18 * 2)
    panels = [Panel(images=images, columns=2, rows=("x" * num,)) for num in (40, 400)]
    widths = {draw_panel(panel).size[0] for panel in panels}
    assert len(widths) == 1
    assert widths.pop() < 3 + 2 * 59 + 170


def test_other_alphabets_are_written() -> None:
    """A missing glyph is a box, the same one for every letter."""
    drawn = [
        png(draw_panel(Panel(images=levels(1.0), columns=1, rows=(word,))))
        for word in ("Ж", "Ω", "ع")
    ]
    assert len(set(drawn)) == 3


def test_the_same_panel_has_the_same_bytes() -> None:
    panel = Panel(images=levels(0.0, 0.5), columns=2, title="t", rows=("a",), heads=("b", "c"))
    assert png(draw_panel(panel)) == png(draw_panel(panel))
