"""`gan-sample` on runs of images: samples of a class, and the pictures of a finished run."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import gan_runner
from gan_runner import api, arithmetic
from gan_runner.datasets.dataset import resident
from gan_runner.sample import main

Refused = Callable[..., str]
SMALL = [
    "device.name=cpu", "dataset=digits", "metrics.names=[]", "training.steps=4",
    "training.num_samples=16", "training.sample_every=4",
]  # fmt: skip


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    narrow = ["network=dcgan", "network.generator.width=4", "network.discriminator.width=4"]
    folder = tmp_path_factory.mktemp("runs") / "plain"
    return api.run(["model=vgan", *narrow, *SMALL], folder=folder).folder


@pytest.fixture(scope="module")
def conditional(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """cGAN on two classes, "5" and "3"."""
    narrow = ["network=mlp", "network.generator.widths=[8]", "network.discriminator.widths=[8]"]
    folder = tmp_path_factory.mktemp("runs") / "conditional"
    overrides = ["model=cgan", "dataset.classes=[5,3]", *narrow, *SMALL]
    return api.run(overrides, folder=folder).folder


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refused:
    """`refused(arguments)`: the one line said; the exit code is checked."""

    def refuse(*arguments: object) -> str:
        capsys.readouterr()
        assert main([str(each) for each in arguments]) == 2
        said = capsys.readouterr()
        assert (said.out, said.err.count("\n")) == ("", 1)
        return said.err.removeprefix("gan-sample: error: ").strip()

    return refuse


def draw(folder: Path, output: Path, *options: object) -> bytes:
    assert main([str(folder), "--output", str(output), *map(str, options)]) == 0
    return output.read_bytes()


def size(content: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(content)) as picture:
        picture.load()
        return picture.size


# --- the run ---------------------------------------------------------------------------------


def test_a_run_leaves_its_pictures(plain: Path, conditional: Path) -> None:
    found = {
        folder: {str(path.relative_to(folder)) for path in folder.rglob("*.png")}
        for folder in (plain, conditional)
    }
    steps = {f"samples/step_0000000{step}.png" for step in (0, 4)}
    ends = {"losses.png", "pictures/interpolation.png", "pictures/neighbours.png"}
    assert found[plain] - {"pictures/arithmetic.png"} == steps | ends
    classes = {f"samples/classes_0000000{step}.png" for step in (0, 4)}
    assert found[conditional] == steps | ends | classes


def test_a_resumed_run_has_the_pictures_of_an_uninterrupted_one(tmp_path: Path) -> None:
    narrow = ["network=mlp", "network.generator.widths=[8]", "network.discriminator.widths=[8]"]
    options = ["model=cgan", *narrow, *SMALL, "training.sample_every=2"]
    pictures = []
    for parts in ([6], [4, 6]):
        folder = tmp_path / f"parts_{len(parts)}"
        api.run([*options, f"training.steps={parts[0]}"], folder=folder)
        if len(parts) > 1:
            (folder / "samples" / "classes_00000005.png").touch()  # of a later, lost step
            api.resume(folder, [f"training.steps={parts[1]}"])
        pictures.append(
            {
                str(path.relative_to(folder)): path.read_bytes()
                for path in folder.rglob("*.png")
                if path.name != "losses.png"
            }
        )
    assert pictures[0] == pictures[1]
    names = [f"samples/{kind}_0000000{step}.png" for kind in ("classes", "step") for step in (0, 6)]
    assert {*names, "pictures/interpolation.png", "pictures/neighbours.png"} <= pictures[0].keys()
    assert len(pictures[0]) == 10


# --- samples ---------------------------------------------------------------------------------


def test_npy_of_images(plain: Path, tmp_path: Path) -> None:
    draw(plain, tmp_path / "x.npy", "--number", 20)
    array = np.load(tmp_path / "x.npy")
    assert (array.shape, array.dtype) == ((20, 1, 8, 8), np.float32)
    assert np.abs(array).max() <= 1
    assert np.array_equal(array, gan_runner.load(plain).sample(20).numpy())


def test_png_of_images_is_a_grid_of_64(plain: Path, tmp_path: Path) -> None:
    content = draw(plain, tmp_path / "x.png")
    assert size(content) == (8 * 51 + 3, 8 * 51 + 3)
    assert draw(plain, tmp_path / "x.png", "--number", 100) != content
    assert size((tmp_path / "x.png").read_bytes()) == (10 * 51 + 3, 10 * 51 + 3)
    assert draw(plain, tmp_path / "x.png", "--seed", 1) != content
    assert draw(plain, tmp_path / "x.png") == content


def test_csv_of_images_is_refused(plain: Path, tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "x.csv"
    wanted = f"--output={path}: images are no rows of a table; .npy or .png"
    assert refused(plain, "--output", path) == wanted
    assert refused(plain, "--output", path, "--interpolate") == wanted
    assert not path.exists()


@pytest.mark.parametrize(("label", "number"), [("5", 0), ("3", 1), (0, 0), (1, 1)])
def test_samples_of_one_class(conditional: Path, label: str | int, number: int) -> None:
    loaded = gan_runner.load(conditional)
    made = loaded.sample(6, label=label)
    z = loaded.prepared.recipe.sample_priors["z"].draw(
        6, torch.Generator().manual_seed(0), torch.device("cpu"), torch.float32
    )
    with torch.no_grad():
        by_hand = loaded.networks["G"](z, torch.full((6,), number))
    torch.testing.assert_close(made, by_hand)
    assert not torch.equal(made, loaded.sample(6, label=1 - number))


def test_class_on_the_command_line(conditional: Path, tmp_path: Path) -> None:
    draw(conditional, tmp_path / "x.npy", "--number", 6, "--class", "3")
    wanted = gan_runner.load(conditional).sample(6, label="3").numpy()
    assert np.array_equal(np.load(tmp_path / "x.npy"), wanted)
    grids = [draw(conditional, tmp_path / "x.png", "--class", label) for label in ("3", "5")]
    assert grids[0] != grids[1]


# --- pictures --------------------------------------------------------------------------------


def test_interpolation(plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.npy"
    draw(plain, path, "--interpolate", "--number", 3)
    assert capsys.readouterr().out == (
        f"30 images of vgan_digits, last: {path}\n"
        "  Spherical interpolation of z, from left to right\n"
    )
    array = np.load(path)
    assert (array.shape, array.dtype) == ((30, 1, 8, 8), np.float32)
    content = draw(plain, tmp_path / "x.png", "--interpolate")
    assert size(content) == (10 * 51 + 3, 8 * 51 + 3 + 24)
    uniform = draw(plain, tmp_path / "x.png", "--interpolate", "--seed", 1)
    assert uniform != content


def test_default_files(plain: Path, conditional: Path) -> None:
    for folder, option, name in (
        (plain, "--interpolate", "interpolation"), (plain, "--neighbours", "neighbours"),
        (conditional, "--grid", "classes"),
    ):  # fmt: skip
        path = folder / f"{name}.png"
        assert main([str(folder), option]) == 0
        assert size(path.read_bytes())[0] > 400
        path.unlink()


def test_neighbours(plain: Path, tmp_path: Path) -> None:
    draw(plain, tmp_path / "x.npy", "--neighbours", "--number", 2)
    groups = np.load(tmp_path / "x.npy").reshape(2, 6, 64)
    distances = np.linalg.norm(groups[:, 1:] - groups[:, :1], axis=2)
    assert (np.diff(distances, axis=1) >= 0).all()
    real = gan_runner.load(plain).prepared.dataset.splits["train"]["real"]
    rows = resident(real).flatten(1).numpy().astype(np.float32) / 127.5 - 1
    nearest = np.linalg.norm(rows[None] - groups[:, :1], axis=2).min(axis=1)
    np.testing.assert_allclose(distances[:, 0], nearest, rtol=1e-5)


def test_arithmetic(
    plain: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def read(images: torch.Tensor) -> torch.Tensor:
        return images[:, 0, 0, 0].argsort().argsort() % 10  # every class is there

    monkeypatch.setattr(arithmetic, "reader", lambda _source: read)
    path = tmp_path / "x.npy"
    draw(plain, path, "--arithmetic", "3 - 1 + 2")
    said = capsys.readouterr().out
    assert said == (
        f"36 images of vgan_digits, last: {path}\n"
        "  Arithmetic in z. 3 - 1 + 2: 10% read as 0 (10% of all samples are)\n"
    )
    assert np.load(path).shape == (36, 1, 8, 8)
    content = draw(plain, tmp_path / "x.png", "--arithmetic")  # 7 - 1 + 4
    assert "7 - 1 + 4" in capsys.readouterr().out
    assert draw(plain, tmp_path / "x.png", "--arithmetic", "7-1+4") == content
    assert draw(plain, tmp_path / "x.png", "--arithmetic", "7-1+5") != content


def test_pictures_of_one_class(conditional: Path, tmp_path: Path) -> None:
    for option in ("--interpolate", "--neighbours"):
        both = [
            draw(conditional, tmp_path / "x.npy", option, "--class", label) for label in ("3", "5")
        ]
        assert both[0] != both[1]


def test_grid_of_classes(conditional: Path, tmp_path: Path) -> None:
    draw(conditional, tmp_path / "x.npy", "--grid", "classes")
    table = np.load(tmp_path / "x.npy").reshape(2, 10, 64)
    assert not np.array_equal(table[0], table[1])
    assert not np.array_equal(table[0, 0], table[0, 1])
    content = draw(conditional, tmp_path / "x.png", "--grid")
    assert size(content)[0] > 10 * 51 + 3  # with the classes' names


# --- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--class", "3"], "class 3: vgan_digits makes its samples without a class"),
        (["--grid"], "--grid: vgan_digits has no grid of images of its own"),
        (["--interpolate", "--grid"], "argument --grid: not allowed with argument --interpolate"),
        (["--interpolate", "--input", "x.npy"], "--input: does not go with --interpolate"),
        (["--arithmetic", "--number", "3"], "--number: does not go with --arithmetic"),
    ],
)  # fmt: skip
def test_refusals(plain: Path, refused: Refused, options: list[str], message: str) -> None:
    assert refused(plain, *options) == message


def test_sums_that_are_refused(plain: Path, refused: Refused) -> None:
    from gan_runner.classifiers import classifier

    if "digits" not in classifier.names():
        pytest.skip("the classifier of digits is not there")
    said = refused(plain, "--arithmetic", "7-1")
    assert said == "--arithmetic: '7-1' is no A-B+C of the classes 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--class", "1"], "class 1: must be one of 5, 3"),
        (["--class", "cat"], "class cat: must be one of 5, 3"),
        (["--grid", "x"], "--grid=x: must be one of classes"),
        (["--grid", "--class", "3"], "--class: does not go with --grid"),
        (
            ["--arithmetic"],
            "--arithmetic: not for cgan_digits: a sample's kind is drawn beside z, so no part of z "
            "stands for it",
        ),
    ],
)
def test_refusals_of_conditional_models(
    conditional: Path, refused: Refused, options: list[str], message: str
) -> None:
    assert refused(conditional, *options) == message


def test_an_option_that_swallows_the_folder(plain: Path, refused: Refused) -> None:
    for option in ("--arithmetic", "--grid"):
        said = refused(option, plain)
        assert said.endswith(f"{plain}: is a run folder, which goes before the options")


def test_points_have_no_such_pictures(tmp_path: Path, refused: Refused) -> None:
    small = [each for each in SMALL if not each.startswith("dataset")]
    folder = api.run(["dataset=gauss2d", *small], folder=tmp_path / "points").folder
    for option in ("--interpolate", "--neighbours", "--arithmetic"):
        said = refused(folder, option)
        assert said == f"{option}: not for vgan_gauss2d: its samples are no images"
    assert refused(folder, "--grid") == "--grid: vgan_gauss2d has no grid of images of its own"
    assert not (folder / "pictures").exists()
