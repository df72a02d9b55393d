"""Whole images: tiles without seams, their size under a limit, and `gan-sample --input`."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from gan_runner import api, evaluate, sample, schema, upscaling
from gan_runner.datasets.photographs import as_tensor, larger
from gan_runner.datasets.superres import wholes_of
from gan_runner.metrics.photographs import psnr_y, ssim_y
from gan_runner.networks.srresnet import Generator

TINY = (
    "model=srresnet", "dataset=superres", "network.generator.num_blocks=1",
    "network.generator.width=4", "dataset.crop=16", "dataset.num_crops=8",
    "dataset.num_held_crops=2", "training.batch_size=4", "training.steps=2", "metrics.names=[]",
)  # fmt: skip


def generator(scale: int, **options: Any) -> Generator:
    torch.manual_seed(scale)
    section = dataclasses.asdict(schema.SrResnetGenerator(num_blocks=2, width=6)) | options
    return Generator(section, 3, scale).double().eval()


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("skip", ["none", "bicubic"])
@pytest.mark.parametrize("side", [8, 13, 100])
def test_tiles_have_no_seams(scale: int, skip: str, side: int) -> None:
    network = generator(scale, skip=skip)
    torch.nn.init.normal_(network.tail.weight, std=0.1)
    low = torch.randn(1, 3, 21, 37).double()
    with torch.no_grad():
        at_once = network(low)
        made = upscaling.tiled(network, low, scale=scale, reach=network.reach, side=side)
        # One pixel of overlap is too little: what is tested can be seen to go wrong.
        seamed = upscaling.tiled(network, low, scale=scale, reach=1, side=side)
    torch.testing.assert_close(made, at_once, rtol=0, atol=1e-12)
    if side < 37:
        assert (seamed - at_once).abs().max() > 1e-4


def test_no_tile_is_larger_than_asked_for() -> None:
    shapes: list[tuple[int, ...]] = []

    def enlarge(part: Tensor) -> Tensor:
        shapes.append(tuple(part.shape[-2:]))
        return part.repeat_interleave(2, -1).repeat_interleave(2, -2)

    low = torch.arange(50 * 31.0).view(1, 1, 50, 31)
    made = upscaling.tiled(enlarge, low, scale=2, reach=3, side=10)
    assert torch.equal(made, low.repeat_interleave(2, -1).repeat_interleave(2, -2))
    assert max(max(shape) for shape in shapes) <= 10 + 2 * 3
    assert len(shapes) == 5 * 4


def test_the_limit_sets_the_side_of_tiles() -> None:
    network = generator(4)
    for limit in (0.05, 0.5, 2.0):
        side = upscaling.tile_side(network, limit) + 2 * network.reach
        held = upscaling.MAPS * 4 * network.numbers_a_pixel * side**2
        assert held <= limit * 2**30 < held * 1.1
    assert upscaling.tile_side(network, 1e-9) == upscaling.SMALLEST


def test_bytes_are_the_nearest() -> None:
    values = torch.tensor([-3.0, -1.0, 0.0, 1.0, 9.0, 2 * 100.4 / 255 - 1])
    assert upscaling.as_bytes(values).tolist() == [0, 0, 128, 255, 255, 100]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("enlarging") / "run"
    api.run([*TINY, "network.generator.skip=bicubic"], folder=path)
    return path


def test_gan_sample_enlarges_a_photograph(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 41, 3), dtype=np.uint8)
    photo = Image.fromarray(pixels).resize((123, 90), Image.Resampling.BICUBIC)
    photo.save(tmp_path / "photo.png")
    words = [str(folder), "--input", str(tmp_path / "photo.png"), "--output"]
    assert sample.main([*words, str(tmp_path / "big.png")]) == 0
    assert "123 x 90 -> 492 x 360" in capsys.readouterr().out
    assert sample.main([*words, str(tmp_path / "tiled.png"), "--memory-limit", "0.0005"]) == 0
    big, tiled = (
        as_tensor(Image.open(tmp_path / f"{name}.png")).int() for name in ("big", "tiled")
    )
    assert big.shape == (3, 360, 492)
    assert (big - tiled).abs().max() <= 1  # a rounding, at most
    bicubic = as_tensor(larger(photo, 4)).int()
    assert (big - bicubic).abs().float().mean() < 12  # two steps from where it began


def test_gan_sample_lays_ways_to_enlarge_side_by_side(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "side.png"
    words = [str(folder), "--photographs", "--beside", str(folder), "--output", str(path)]
    assert sample.main(words) == 0
    told = capsys.readouterr().out.splitlines()
    measured = api.load(folder).prepared.dataset.wholes
    assert measured is not None
    pairs = [upscaling.bicubic(each) for each in measured["test"]]
    assert told[0].split()[:2] == ["photograph", "bicubic"]
    assert told[-2].split()[:3] == ["mean", f"{psnr_y(pairs):.2f}", f"{ssim_y(pairs):.4f}"]
    picture = np.asarray(Image.open(path).convert("RGB"))
    side = min(160, *(length for each in pairs for length in each.real.shape[1:]))
    assert 4 * side < picture.shape[1] < 5.5 * side  # bicubic, the run twice, the original


def test_gan_eval_judges_a_folder_of_photographs(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (24, 30, 3), dtype=np.uint8)
    for name, size in (("a", (96, 80)), ("b", (101, 67))):
        Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).save(photos / f"{name}.png")
    (tmp_path / "twice" / "sub").mkdir(parents=True)
    for place in ("twice", "twice/sub"):
        shutil.copy(photos / "a.png", tmp_path / place / "a.png")
    found = wholes_of("x", str(tmp_path / "twice"), channels=3, scale=4)
    assert found.names == ["a.png", "sub/a.png"]
    words = [str(folder), "--photographs", str(photos)]
    assert evaluate.main([*words, "--output", str(tmp_path / "table.csv")]) == 0
    told = capsys.readouterr().out
    assert "2 photographs x 4" in told
    rows = (tmp_path / "table.csv").read_text(encoding="utf-8").splitlines()
    assert rows[0].startswith("photograph,way,psnr_y,ssim_y")
    assert [row.split(",")[:2] for row in rows[1:3]] == [["a", "bicubic"], ["b", "bicubic"]]
    pairs = [
        upscaling.bicubic(each)
        for each in wholes_of("x", str(photos), channels=3, scale=4)
    ]  # fmt: skip
    assert [float(row.split(",")[2]) for row in rows[1:3]] == [psnr_y([each]) for each in pairs]
    assert f"{psnr_y(pairs):.2f} {ssim_y(pairs):.4f}" in told


def test_gan_eval_loses_no_photograph(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = Image.fromarray(np.random.default_rng(1).integers(0, 256, (24, 20, 3), dtype=np.uint8))
    (tmp_path / "more").mkdir()
    for name in ("a.png", "a.bmp", "more/a.png"):
        photo.save(tmp_path / name)
    assert evaluate.main([str(folder), "--photographs", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[3:7]] == ["a.bmp", "a.png", "more/a.png", "mean"]


def test_gan_eval_names_and_counts_what_it_cannot_judge(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused() -> str:
        assert evaluate.main([str(folder), "--photographs", str(tmp_path)]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        return said

    pixels = np.random.default_rng(1).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "good.png")
    Image.fromarray(pixels[:11]).save(tmp_path / "flat.png")
    assert "flat.png is too small: 50 x 11 pixels, x 4" in refused()
    (tmp_path / "flat.png").unlink()
    Image.fromarray(pixels).save(tmp_path / "good.bmp")
    whole = (tmp_path / "good.bmp").read_bytes()
    for name in ("cut", "torn"):  # their headers can be read
        (tmp_path / f"{name}.bmp").write_bytes(whole[: len(whole) // 2])
    said = refused()
    assert "--photographs: 2 of 4 files: " in said
    assert "cut.bmp" in said
    assert said.index("cut.bmp") < said.index("torn.bmp")
    for number in range(7):
        (tmp_path / f"x{number}.png").write_bytes(b"nothing")
    assert "--photographs: 7 of 11 files: " in (said := refused())
    assert "x4.png is not an image that can be read and 2 more; take them away" in said


@pytest.mark.parametrize(("words", "reason"), [
    (["--photographs", "none_such"], "--photographs=none_such: there is no such folder"),
    (["--photographs", ".", "--split", "test"], "--split: does not go with --photographs"),
    (["--photographs", ".", "--output", "x.npy"], "a table is written as .csv"),
    (["--output", "x.csv"], "--output: goes with --photographs"),
])  # fmt: skip
def test_gan_eval_tells_mistakes_in_a_line(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], reason: str
) -> None:
    assert evaluate.main([str(folder), *words]) == 2
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize(("words", "reason"), [
    (["--photographs", "--output", "x.npy"], "photographs are drawn as .png"),
    (["--photographs", "--input", "a.png"], "--input: does not go with --photographs"),
    (["--beside", "x"], "--beside: goes with --photographs"),
    (["--interpolate", "--beside", "x"], "--beside: goes with --photographs"),
    (["--photographs", "--number", "3"], "--number: does not go with --photographs"),
    (["--photographs", "--class", "3"], "--class: does not go with --photographs"),
    (["--photographs", "--truncation", "0.5"], "--truncation: does not go with --photographs"),
    (["--photographs", "--no-noise"], "--no-noise: does not go with --photographs"),
    (["--photographs", "--beside", "nothing"], "nothing"),
    (["--input", "nothing.png"], "there is no such file"),
    (["--input", "nothing.png", "--output", "x.npy"], "written as .png"),
    (["--input", "nothing.png", "--memory-limit", "-1"], "must be a number above 0"),
])  # fmt: skip
def test_mistakes_are_told_in_a_line(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], reason: str
) -> None:
    assert sample.main([str(folder), *words]) == 2
    told = capsys.readouterr().err
    assert reason in told
    assert "Traceback" not in told
