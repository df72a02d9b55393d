"""Images that are made when asked for: which, of what form, and as a tensor would give them."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from PIL import Image

from gan_runner.datasets.sources import ArrayPixels, ImageSource, Resized, Stacked, resize


def pixels(num: int = 7, height: int = 4, width: int = 5, channels: int = 3) -> ArrayPixels:
    random = np.random.default_rng(0)
    return ArrayPixels(random.integers(0, 256, (num, height, width, channels)).astype(np.uint8))


def test_a_source_gives_its_rows_in_their_order() -> None:
    array = pixels().array
    source = ImageSource(pixels(), torch.tensor([5, 0, 5]))
    assert len(source) == 3
    assert source.shape == (3, 3, 4, 5)
    assert source.ndim == 4
    assert source.numel() == 180
    assert source.dtype == torch.uint8
    assert source.device.type == "cpu"
    expected = torch.from_numpy(array[[5, 0, 5]]).permute(0, 3, 1, 2)
    assert torch.equal(source[:], expected)
    assert torch.equal(source.resident(), expected)
    assert source.resident().is_contiguous()


def test_a_source_is_indexed_as_a_tensor_is() -> None:
    source = ImageSource(pixels(20), torch.randperm(20))
    whole = source.resident()
    index = torch.tensor([3, 19, 0, 3])
    assert torch.equal(source.index_select(0, index), whole.index_select(0, index))
    assert torch.equal(source[index], whole[index])
    assert torch.equal(source[4:11], whole[4:11])
    assert torch.equal(source[18:], whole[18:])
    assert source[30:].shape == (0, 3, 4, 5)


def test_more_images_than_are_made_at_once() -> None:
    array = np.arange(2500, dtype=np.uint8).reshape(2500, 1, 1, 1)
    source = ImageSource(ArrayPixels(array), torch.arange(2499, -1, -1))
    assert torch.equal(source.resident().flatten(), torch.from_numpy(array).flatten().flip(0))


def test_images_do_not_share_memory_with_the_pixels() -> None:
    kept = pixels()
    before = kept.array.copy()
    ImageSource(kept, torch.arange(7))[:].fill_(0)
    assert np.array_equal(kept.array, before)


def test_the_border_is_black_and_outside() -> None:
    plain = ImageSource(pixels(), torch.arange(7))[:]
    padded = ImageSource(pixels(), torch.arange(7), pad=2)
    assert padded.shape == (7, 3, 8, 9)
    assert torch.equal(padded[:][..., 2:-2, 2:-2], plain)
    assert int(padded[:].sum(dtype=torch.int64)) == int(plain.sum(dtype=torch.int64))


def test_resizing_averages_when_it_shrinks() -> None:
    checks = (np.indices((8, 8)).sum(axis=0) % 2 * 200).astype(np.uint8)
    made = Resized(ArrayPixels(checks[None, ..., None]), 2).take(np.array([0]))
    assert made.shape == (1, 2, 2, 1)
    assert made.min() >= 98  # nearest neighbours would be 0 or 200
    assert made.max() <= 102


def test_resizing_grows_linearly_and_channel_by_channel() -> None:
    ramp = np.zeros((1, 8, 8, 3), dtype=np.uint8)
    ramp[0, :, :, 1] = np.arange(8) * 16
    ramp[0, :, :, 2] = 77
    made = Resized(ArrayPixels(ramp), 16)
    assert made.shape == (16, 16, 3)
    image = made.take(np.array([0, 0]))[1]
    assert np.array_equal(image[..., 0], np.zeros((16, 16)))
    assert np.array_equal(image[..., 2], np.full((16, 16), 77))
    assert image[5, :, 1].tolist() == [0, 4, 12, 20, 28, 36, 44, 52, 60, 68, 76, 84, 92, 100, 108,
                                       112]  # fmt: skip


def test_an_image_of_the_size_is_not_touched() -> None:
    image = Image.new("L", (8, 8))
    assert resize(image, 8) is image


def test_stacks_take_each_channel_from_its_own_image() -> None:
    grey = ArrayPixels(np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1).repeat(2, 1).repeat(3, 2))
    stacked = Stacked(grey, np.array([[4, 0, 2], [1, 1, 3]]))
    assert stacked.shape == (2, 3, 3)
    images = ImageSource(stacked, torch.arange(2))[torch.tensor([1, 0])]
    assert images.shape == (2, 3, 2, 3)
    assert images[:, :, 0, 0].tolist() == [[1, 1, 3], [4, 0, 2]]
    assert torch.equal(images, images[:, :, :1, :1].expand_as(images))


@dataclass(frozen=True)
class Counting:
    """Pixels that remember what they were asked for."""

    asked: list[list[int]] = field(default_factory=list)
    shape: tuple[int, int, int] = (1, 1, 1)

    def take(self, numbers: np.ndarray) -> np.ndarray:
        self.asked.append(numbers.tolist())
        return numbers.astype(np.uint8).reshape(-1, 1, 1, 1)


def test_only_what_is_asked_for_is_made() -> None:
    counting = Counting()
    source = ImageSource(counting, torch.tensor([9, 8, 7, 6]))
    assert counting.asked == []
    source.index_select(0, torch.tensor([3, 0]))
    assert counting.asked == [[6, 9]]


def test_a_source_can_go_to_another_process() -> None:
    source = ImageSource(Resized(pixels(), 8), torch.arange(7), pad=1)
    assert torch.equal(pickle.loads(pickle.dumps(source))[:], source[:])


def test_rows_only() -> None:
    with pytest.raises(AssertionError, match="by row"):
        ImageSource(pixels(), torch.arange(7)).index_select(1, torch.tensor([0]))
