"""PSNR and SSIM on Y, by hand and on Set5; the distance of features."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest
import torch

from gan_runner import upscaling
from gan_runner.datasets.superres import superres
from gan_runner.metrics.look import Look
from gan_runner.metrics.photographs import (
    Enlarged,
    luma,
    perceptual_distance,
    psnr_y,
    ssim,
    ssim_y,
)

DATA = Path(os.environ.get("GAN_RUNNER_DATA", "/nowhere"))
needs_set5 = pytest.mark.skipif(
    not (DATA / "sr/Set5").is_dir(), reason="needs $GAN_RUNNER_DATA/sr/Set5"
)


def image(*, seed: int = 0, channels: int = 3, side: int = 40) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (channels, side, side), generator=generator, dtype=torch.uint8)


def pair(made: torch.Tensor, real: torch.Tensor, scale: int = 4) -> Enlarged:
    return Enlarged(name="x", made=made, real=real, scale=scale)


def test_luma_of_black_white_and_red_is_that_of_bt_601() -> None:
    black, white = torch.zeros(3, 1, 1).byte(), torch.full((3, 1, 1), 255).byte()
    red = torch.tensor([255, 0, 0]).byte().view(3, 1, 1)
    assert [float(luma(each)) for each in (black, white, red)] == pytest.approx([16, 235, 81.481])
    assert float(luma(torch.tensor([[[7]]], dtype=torch.uint8))) == 7


def test_psnr_by_hand_and_the_border_does_not_count() -> None:
    """A grey level of 1 apart: Y is 219 / 255 apart, so 20 log10(255^2 / 219) dB."""
    real = torch.full((3, 20, 20), 100).byte()
    made = real + 1
    wanted = 20 * math.log10(255**2 / 219)
    assert psnr_y([pair(made, real)]) == pytest.approx(wanted)
    made[:, :4] = 255
    made[:, :, -4:] = 0
    assert psnr_y([pair(made, real)]) == pytest.approx(wanted)
    assert psnr_y([pair(made, real), pair(made, real + 3)]) < wanted
    assert psnr_y([pair(real, real)]) == math.inf
    made[:, 4, 4] = 255
    assert psnr_y([pair(made, real)]) < wanted - 1


def test_ssim_by_hand() -> None:
    """Of flat images only the means differ: (2ab + C1) / (a^2 + b^2 + C1)."""
    a, b = torch.full((30, 20), 50.0), torch.full((30, 20), 80.0)
    c1 = 2.55**2
    assert ssim(a, b) == pytest.approx((2 * 50 * 80 + c1) / (50**2 + 80**2 + c1))
    noise = image(channels=1)[0].double()
    assert ssim(noise, noise) == pytest.approx(1)
    assert ssim(noise, 255 - noise) < 0
    # One window as large as the image: the formula of means and variances, weighted.
    one = torch.arange(-5, 6.0).double()
    window = torch.exp(-(one[:, None] ** 2 + one**2) / (2 * 1.5**2))
    window /= window.sum()
    x, y = noise[:11, :11], noise[11:22, 11:22]
    mx, my = (window * x).sum(), (window * y).sum()
    vx, vy = (window * (x - mx) ** 2).sum(), (window * (y - my) ** 2).sum()
    both, c2 = (window * (x - mx) * (y - my)).sum(), 7.65**2
    wanted = (2 * mx * my + c1) * (2 * both + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    assert ssim(x, y) == pytest.approx(float(wanted))


def test_images_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(ValueError, match="must be bytes"):
        pair(image().float(), image())
    with pytest.raises(ValueError, match="must have one shape"):
        pair(image(), image(side=41))
    with pytest.raises(ValueError, match="more than 8 pixels"):
        pair(image(side=8), image(side=8))


def test_the_distance_of_features_by_hand() -> None:
    """Of two maps of two channels, at right angles: 2; of parallel ones: 0."""

    def look(images: torch.Tensor) -> list[torch.Tensor]:
        bright = (images.mean() > 0).float()
        turned = torch.stack([bright, 1 - bright]).view(1, 2, 1, 1) * 5
        return [turned, torch.ones(1, 2, 3, 3) * (1 + bright)]

    dark, light = torch.zeros(3, 20, 20).byte(), torch.full((3, 20, 20), 250).byte()
    assert perceptual_distance([pair(dark, light)], look) == pytest.approx(1.0)
    assert perceptual_distance([pair(dark, dark)], look) == 0


def test_features_of_a_shipped_classifier_can_be_compared() -> None:
    look = Look(name="mnist", layers=(), device=torch.device("cpu"))
    real = image(channels=1, side=28)
    noisy = [real ^ value for value in (0, 1, 100)]
    found = [perceptual_distance([pair(each, real, 2)], look) for each in noisy]
    assert found[0] == 0 < found[1] < found[2]
    assert look.details()["name"] == "mnist"


@needs_set5
@pytest.mark.parametrize(("scale", "decibels", "likeness"),
                         [(2, 33.66, 0.9299), (3, 30.39, 0.8682), (4, 28.42, 0.8104)])  # fmt: skip
def test_bicubic_on_set5_is_what_is_published(scale: int, decibels: float, likeness: float) -> None:
    """The field's numbers for MATLAB's bicubic interpolation (as in Kim et al. 2016, table 3)."""
    data = superres(
        path=str(DATA / "sr/Set5"), test_path=str(DATA / "sr/Set5"), scale=scale, crop=48,
        num_crops=2, num_held_crops=1,
    )  # fmt: skip
    assert data.wholes is not None
    made = [upscaling.bicubic(each) for each in data.wholes["test"]]
    assert len(made) == 5
    assert psnr_y(made) == pytest.approx(decibels, abs=0.03)
    assert ssim_y(made) == pytest.approx(likeness, abs=0.002)
