"""How often an image is halved, and the sizes and channels of each level."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from gan_runner.networks.levels import (
    crop,
    flattened,
    image_shape,
    level_channels,
    nearest_level,
    num_halvings,
    pixels,
    sizes_down,
    sizes_up,
)
from gan_runner.schema import ConvNet


def section(**changed: Any) -> dict[str, Any]:
    return dataclasses.asdict(ConvNet(**changed))


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(8, 8, 1), (15, 99, 1), (16, 16, 2), (28, 28, 2), (31, 31, 2), (32, 32, 3), (45, 70, 3),
     (64, 64, 4), (70, 33, 3), (128, 128, 5)],
)  # fmt: skip
def test_halved_until_the_shorter_side_would_fall_below_four(
    height: int, width: int, expected: int
) -> None:
    assert num_halvings(height, width) == expected
    assert min(height, width) / 2**expected >= 4 > min(height, width) / 2 ** (expected + 1)


@pytest.mark.parametrize(("side", "expected"), [(8, 1), (28, 2), (32, 2), (56, 3), (64, 3)])
def test_another_coarsest_side(side: int, expected: int) -> None:
    assert num_halvings(side, side, 7) == expected


def test_sizes_are_rounded_up_in_one_direction_and_down_in_the_other() -> None:
    assert sizes_up(28, 28, 2) == [(7, 7), (14, 14), (28, 28)]
    assert sizes_up(45, 70, 3) == [(6, 9), (12, 18), (23, 35), (45, 70)]
    assert sizes_down(45, 70, 3) == [(45, 70), (22, 35), (11, 17), (5, 8)]


def test_channels_double_up_to_the_limit_towards_the_coarse_end() -> None:
    own = section(width=32, max_width=100)
    assert level_channels(own, 64, 64, "generator") == [100, 100, 64, 32]
    assert level_channels(own, 64, 64, "discriminator") == [32, 64, 100, 100]
    assert level_channels(section(), 64, 64, "generator") == [512, 256, 128, 64]


def test_given_channels_set_the_depth() -> None:
    assert level_channels(section(channels=[512, 256, 128]), 28, 28, "generator") == [512, 256, 128]


def test_more_levels_than_the_image_can_be_halved() -> None:
    assert len(level_channels(section(channels=[9] * 3), 8, 8, "generator")) == 3
    with pytest.raises(ValueError, match=r"network.generator.channels=.*8 x 20 .*at most 3"):
        level_channels(section(channels=[9] * 4), 8, 20, "generator")


def test_the_nearest_level_and_the_finer_of_two() -> None:
    sizes = [(7, 9), (14, 18), (28, 36)]
    assert [nearest_level(sizes, side) for side in (1, 7, 10, 11, 16, 99)] == [0, 0, 0, 1, 1, 2]
    assert nearest_level([(4, 4), (8, 8)], 6) == 1
    assert nearest_level([(8, 8), (4, 4)], 6) == 0
    assert nearest_level(sizes, None) is None


@pytest.mark.parametrize("shape", [(2,), (1, 7, 8), (1, 8, 7), (8, 8)])
def test_what_is_no_image(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="network=dcgan takes images"):
        image_shape(shape, "dcgan")


def test_pixels_and_flattened_are_inverse_and_copy_nothing() -> None:
    x = torch.arange(2 * 3 * 4 * 5.0).reshape(2, 60)
    image = pixels(x, 3, (4, 5))
    assert image.shape == (2, 3, 4, 5)
    assert image.is_contiguous(memory_format=torch.channels_last)
    assert flattened(image).data_ptr() == x.data_ptr()
    assert torch.equal(flattened(image), x)


def test_crop_keeps_the_upper_left_part() -> None:
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert crop(x, (4, 4)) is x
    assert crop(x, (2, 3)).flatten().tolist() == [0, 1, 2, 4, 5, 6]
