"""`gan-sample` on a run with styles: truncation, noise, ways in w, the grid of styles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import gan_runner
from gan_runner import api, evaluate, latent, result
from gan_runner.models.style_grids import SOURCES
from gan_runner.sample import main

Images = Callable[..., np.ndarray]
TINY = [
    "device.name=cpu", "metrics.names=[]", "training.steps=4", "training.num_samples=16",
    "training.sample_every=4", "training.batch_size=8",
]  # fmt: skip


@pytest.fixture(scope="module")
def styled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    small = [
        "network.mapping.style_size=8", "network.mapping.layers=2", "model.latent_size=8",
        "network.generator.width=4", "network.discriminator.width=4",
    ]  # fmt: skip
    folder = tmp_path_factory.mktemp("runs") / "styled"
    run = ["model=stylegan", "dataset.size=16", "model.growth_share=0.25", *small, *TINY]
    result = api.run(run, folder=folder)
    # As if trained: noise shows, and the mean of w is far from nothing.
    path = result.folder / "checkpoints" / "last.pt"
    state = torch.load(path, weights_only=True)
    networks = state["host"]["networks"]
    for name, value in networks["S_ema"].items():
        if name.endswith("noise.scale"):
            value.fill_(0.5)
    networks["F_ema"]["running_mean"].fill_(0.3)
    torch.save(state, path)
    return result.folder


@pytest.fixture
def images(styled: Path, tmp_path: Path) -> Images:
    def draw(*options: object) -> np.ndarray:
        output = tmp_path / "images.npy"
        assert main([str(styled), "--output", str(output), *map(str, options)]) == 0
        found: np.ndarray = np.load(output)
        return found

    return draw


def test_truncation_leads_to_the_mean(images: Images) -> None:
    plain, one = images("--number", 6), images("--number", 6, "--truncation", 1)
    assert np.allclose(plain, one, atol=1e-6)
    spread = [
        float(images("--number", 6, "--no-noise", "--truncation", psi).std(0).mean())
        for psi in (1, 0.5, 0)
    ]
    assert spread[0] > spread[1] > spread[2]
    assert spread[2] == pytest.approx(0.0, abs=1e-6)


def test_noise_can_be_left_out(images: Images) -> None:
    noisy, plain = images("--number", 4), images("--number", 4, "--no-noise")
    assert not np.allclose(noisy, plain, atol=1e-3)
    assert np.array_equal(plain, images("--number", 4, "--no-noise"))


def test_a_way_in_w_has_the_ends_of_that_in_z(images: Images) -> None:
    in_z = images("--interpolate", "--number", 2).reshape(2, 10, 16, 16)
    in_w = images("--interpolate", "--number", 2, "--in-w").reshape(2, 10, 16, 16)
    assert np.allclose(in_w[:, [0, -1]], in_z[:, [0, -1]], atol=1e-5)
    assert not np.allclose(in_w, in_z, atol=1e-3)


def test_the_grid_of_styles(images: Images) -> None:
    table = images("--grid", "styles", "--no-noise").reshape(10, 1 + SOURCES, 16, 16)
    assert not np.allclose(table[0, 1], table[0, 2], atol=1e-3)
    # A cell differs from the row's own image, and from its source.
    for row in (1, 4, 7):
        assert not np.array_equal(table[row, 3], table[row, 0])
        assert not np.allclose(table[row, 3], table[0, 3], atol=1e-3)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--in-w",), "--in-w: goes with --interpolate"),
        (("--grid", "styles", "--in-w"), "--in-w: goes with --interpolate"),
        (("--truncation", "3"), "argument --truncation: 3: a number from -2 to 2 is wanted"),
        (("--truncation", "nan"), "argument --truncation: nan: a number from -2 to 2 is wanted"),
    ],
)
def test_what_does_not_fit_is_refused(
    options: tuple[str, ...], said: str, styled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(styled), *options]) == 2
    assert capsys.readouterr().err == f"gan-sample: error: {said}\n"


def test_games_without_styles_refuse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    narrow = ["network=dcgan", "network.generator.width=4", "network.discriminator.width=4"]
    folder = api.run(
        ["model=vgan", "dataset=digits", *narrow, *TINY], folder=tmp_path / "plain"
    ).folder
    capsys.readouterr()
    assert evaluate.main([str(folder), "--metrics", "coverage", "--truncation", "0.5"]) == 2
    said = "--truncation: vgan_digits has no styles, as StyleGAN has"
    assert capsys.readouterr().err == f"gan-eval: error: {said}\n"
    for options, option in (
        (["--truncation", "0.5"], "--truncation"),
        (["--no-noise"], "--no-noise"),
        (["--interpolate", "--in-w"], "--in-w"),
    ):
        assert main([str(folder), *options]) == 2
        said = f"{option}: vgan_digits has no styles, as StyleGAN has"
        assert capsys.readouterr().err == f"gan-sample: error: {said}\n"


def test_metrics_at_a_truncation(styled: Path) -> None:
    name = "sliced_wasserstein"

    def measured(*typed: str) -> dict[str, Any]:
        asked = ["--metrics", name, "--number", "100", "--num-real", "100"]
        assert evaluate.main([str(styled), *asked, *typed]) == 0
        entry: dict[str, Any] = result.read_result(styled / "result.json")["evaluations"][-1]
        return {"psi": entry["options"].get("truncation"), **entry["metrics"][name]}

    plain, one, mean = measured(), measured("--truncation", "1"), measured("--truncation", "0")
    assert [each["psi"] for each in (plain, one, mean)] == [None, 1, 0]
    assert one["value"] == pytest.approx(plain["value"], rel=1e-3)
    assert abs(mean["value"] - plain["value"]) > 1e-2 * plain["value"]
    assert "truncation" not in plain["protocol"]["details"]
    assert mean["protocol"]["details"]["truncation"] == 0


def test_from_python(styled: Path) -> None:
    loaded = gan_runner.load(styled)
    mean = loaded.sample(3, truncation=0.0, noise=False)
    assert torch.allclose(mean, mean[:1].expand_as(mean))
    assert latent.styled(None, noise=True) is None
