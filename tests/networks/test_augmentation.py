"""Adaptive augmentation: what is drawn, how often, and how p follows D."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gan_runner.networks.augmentation import KINDS, NUM_DRAWS, Augmentation, augmented
from gan_runner.schema import AUGMENTATIONS


def uniform(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def pictures(num: int, channels: int = 1, side: int = 16) -> Tensor:
    return 2 * uniform(num, channels, side, side, seed=1) - 1


def test_the_options_are_those_that_there_are() -> None:
    assert KINDS == AUGMENTATIONS


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_nothing_happens_with_probability_nought(channels: int) -> None:
    images = pictures(5, channels)
    out = augmented(images, uniform(5, NUM_DRAWS), torch.zeros(()))
    assert torch.allclose(out, images, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_happens_as_often_as_asked(kind: str) -> None:
    num = 2000
    images = pictures(num, 3, 8)
    out = augmented(images, uniform(num, NUM_DRAWS), torch.tensor(0.3), (kind,))
    changed = (out - images).flatten(1).abs().amax(1) > 1e-4
    expected = {
        "flip": 0.3 / 2,  # half of the flips that happen are none
        "rotate": 0.3 * 3 / 4,
        "translate": 0.3 * (1 - 1 / 9),  # roughly: one shift in nine is by nothing
        "geometry": 1 - 0.7**4,  # scaling, rotations together, stretching, shift
        "colour": 1 - 0.7**4 * 0.85,
    }[kind]
    assert float(changed.float().mean()) == pytest.approx(expected, abs=0.04)


def test_flips_and_turns_are_exact() -> None:
    images = pictures(200)
    flipped = augmented(images, uniform(200, NUM_DRAWS), torch.ones(()), ("flip",))
    turned = augmented(images, uniform(200, NUM_DRAWS, seed=3), torch.ones(()), ("rotate",))
    flips, turns = set(), set()
    for image, flip, turn in zip(images, flipped, turned, strict=True):
        forms = [image, image.flip(2)]
        flips.add(
            next(at for at, form in enumerate(forms) if torch.allclose(form, flip, atol=1e-4))
        )
        forms = [image.rot90(times, (1, 2)) for times in range(4)]
        turns.add(
            next(at for at, form in enumerate(forms) if torch.allclose(form, turn, atol=1e-4))
        )
    assert flips == {0, 1}
    assert turns == {0, 1, 2, 3}


def test_shifts_are_by_whole_pixels_and_reflect() -> None:
    image = torch.arange(16.0).expand(1, 1, 16, 16)  # a column's number
    seen = set()
    for seed in range(30):
        draws = uniform(1, NUM_DRAWS, seed=seed)
        out = augmented(image, draws, torch.ones(()), ("translate",))
        seen.add(round(float(out[0, 0, 8, 8])) - 8)
        assert torch.allclose(out, out.round(), atol=1e-3)
        assert float(out.min()) > -1e-3
        assert float(out.max()) < 15 + 1e-3
    assert seen <= {-2, -1, 0, 1, 2}
    assert len(seen) > 3


def test_colour_of_grey_images_is_brightness_and_contrast() -> None:
    images = pictures(50)
    out = augmented(images, uniform(50, NUM_DRAWS), torch.ones(()), ("colour",))
    for before, after in zip(images, out, strict=True):
        x, y = before.flatten(), after.flatten()
        slope = float((y[1] - y[0]) / (x[1] - x[0]))
        assert slope > 0
        assert torch.allclose(y, y[0] + slope * (x - x[0]), atol=1e-3)


def test_hue_keeps_grey_and_saturation_keeps_luma() -> None:
    grey = pictures(50, 1).expand(50, 3, 16, 16)
    out = augmented(grey, uniform(50, NUM_DRAWS), torch.ones(()), ("colour",))
    assert torch.allclose(out[:, 0], out[:, 1], atol=1e-4)
    assert torch.allclose(out[:, 0], out[:, 2], atol=1e-4)


def test_it_is_differentiable() -> None:
    images = pictures(2, 3, 8).double().requires_grad_()
    draws = uniform(2, NUM_DRAWS).double()
    assert torch.autograd.gradcheck(
        lambda x: augmented(x, draws, torch.ones((), dtype=torch.float64)), (images,)
    )


# --- p ---------------------------------------------------------------------------------------


def test_p_moves_after_four_batches_towards_the_target() -> None:
    memory = Augmentation(("flip",), 0.5)
    target, images = torch.tensor(0.6), torch.tensor(1000.0)
    for _ in range(3):
        memory.observe(torch.ones(10, 1), target, images)
        assert float(memory.running_p) == 0.5
    memory.observe(torch.ones(10, 1), target, images)
    assert float(memory.running_p) == pytest.approx(0.5 + 40 / 1000)
    for _ in range(4):
        memory.observe(torch.tensor([1.0, -1.0]), target, images)  # mean sign 0 < 0.6
    assert float(memory.running_p) == pytest.approx(0.54 - 8 / 1000)
    assert memory.running_signs.tolist() == [0.0, 0.0]


def test_p_stays_in_its_range_and_still_in_evaluation() -> None:
    memory = Augmentation(("flip",), 0.0)
    for _ in range(8):
        memory.observe(-torch.ones(4, 1), torch.tensor(0.6), torch.tensor(10.0))
    assert float(memory.running_p) == 0.0
    for _ in range(8):
        memory.observe(torch.ones(4, 1), torch.tensor(0.6), torch.tensor(10.0))
    assert float(memory.running_p) == 1.0
    memory.eval()
    images = pictures(3)
    assert memory(images, uniform(3, NUM_DRAWS)) is images
    for _ in range(8):
        memory.observe(-torch.ones(4, 1), torch.tensor(0.6), torch.tensor(10.0))
    assert float(memory.running_p) == 1.0
