"""`gan-sample`: the files it writes, and what it refuses."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import gan_runner
from gan_runner import api, loading
from gan_runner.sample import main

Refused = Callable[..., str]
SMALL = ["device.name=cpu", "metrics.names=[]", "training.num_samples=16", "training.steps=4"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    overrides = ["dataset=gauss2d", "dataset.num_per_mode=20", "dataset.num_validation=30"]
    return api.run([*overrides, *SMALL], folder=tmp_path_factory.mktemp("runs") / "plain").folder


@pytest.fixture(scope="module")
def paired(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """cGAN on a table whose header names the inputs `b` and `a`, in that order."""
    folder = tmp_path_factory.mktemp("runs")
    rows = [f"{i % 5};{i % 7 + 100};{i % 5 + i % 7}" for i in range(50)]
    (folder / "points.csv").write_text("\n".join(["a;b;sum", *rows]) + "\n", encoding="utf-8")
    overrides = [
        "model=cgan", "dataset=table", f"dataset.path={folder / 'points.csv'}",
        "dataset.condition=[b,a]", "dataset.delimiter=';'",
    ]  # fmt: skip
    return api.run([*overrides, *SMALL], folder=folder / "paired").folder


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refused:
    """`refused(arguments)`: the one line said; the exit code is checked."""

    def refuse(*arguments: object) -> str:
        capsys.readouterr()
        assert main([str(each) for each in arguments]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("gan-sample: error: ")
        assert said.err.count("\n") == 1
        return said.err.removeprefix("gan-sample: error: ").strip()

    return refuse


def draw(folder: Path, output: Path, *options: object) -> bytes:
    assert main([str(folder), "--output", str(output), *map(str, options)]) == 0
    return output.read_bytes()


# --- files -----------------------------------------------------------------------------------


def test_npy_holds_the_samples(
    plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "new" / "folder" / "x.npy"
    draw(plain, path, "--number", 20, "--seed", 1)
    array = np.load(path)
    assert array.dtype == np.float32
    expected = gan_runner.load(plain).sample(20, seed=1).numpy()
    assert np.array_equal(array, expected)
    assert capsys.readouterr().out == f"20 samples of vgan_gauss2d, last: {path}\n"
    assert [each.name for each in path.parent.iterdir()] == ["x.npy"]


def test_csv_reads_back_as_the_same_numbers(plain: Path, tmp_path: Path) -> None:
    draw(plain, tmp_path / "x.npy", "--number", 20, "--seed", 1)
    lines = draw(plain, tmp_path / "x.csv", "--number", 20, "--seed", 1).decode().splitlines()
    assert lines[0] == "x1,x2"
    rows = np.array([line.split(",") for line in lines[1:]]).astype(np.float32)
    assert np.array_equal(rows, np.load(tmp_path / "x.npy"))


def test_png_shows_the_real_points_of_the_split(plain: Path, tmp_path: Path) -> None:
    content = draw(plain, tmp_path / "x.png", "--number", 20)
    assert min(Image.open(io.BytesIO(content)).size) > 300
    # gauss2d is tested on its training points, and the generated points are the same.
    assert draw(plain, tmp_path / "y.png", "--number", 20, "--split", "train") == content
    assert draw(plain, tmp_path / "z.png", "--number", 20, "--split", "validation") != content


@pytest.mark.parametrize("suffix", ["npy", "csv", "png", "NPY"])
def test_a_seed_pins_every_byte(plain: Path, tmp_path: Path, suffix: str) -> None:
    files = [
        draw(plain, tmp_path / f"{index}.{suffix}", "--number", 30, "--seed", seed)
        for index, seed in enumerate((1, 1, 2))
    ]
    assert files[0] == files[1] != files[2]


def test_defaults(plain: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(plain, folder)
    assert main([str(folder)]) == 0
    expected = gan_runner.load(plain).sample(1000, seed=0).numpy()
    assert np.array_equal(np.load(folder / "generated.npy"), expected)
    assert main([str(folder), "--number", "5"]) == 0  # written over
    assert np.load(folder / "generated.npy").shape == (5, 2)


# --- paired games ----------------------------------------------------------------------------


def test_paired_samples_are_from_the_splits_inputs(
    paired: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.csv"
    lines = draw(paired, path).decode().splitlines()
    assert (lines[0], len(lines)) == ("sum", 1 + 10)  # a fifth of 50 rows
    assert capsys.readouterr().err == ""
    more = draw(paired, path, "--number", 11).decode().splitlines()
    assert more == lines
    said = capsys.readouterr().err
    assert said == "gan-sample: the test split has 10 rows: 10 samples, not 11\n"
    assert len(draw(paired, path, "--split", "train").decode().splitlines()) == 1 + 35
    assert len(draw(paired, path, "--number", 4).decode().splitlines()) == 1 + 4


def test_inputs_by_name_and_by_place(paired: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", np.array([[103.0, 2.0], [106.0, 4.0]]))
    (tmp_path / "in.csv").write_text("extra;a;b\nx;2;103\ny;4;106\n", encoding="utf-8")
    (tmp_path / "bare.csv").write_text("103;2\n106;4\n", encoding="utf-8")
    names = ("in.npy", "in.csv", "bare.csv")
    outputs = [
        draw(paired, tmp_path / f"{name}.out.npy", "--input", tmp_path / name) for name in names
    ]
    assert outputs[0] == outputs[1] == outputs[2]
    loaded = gan_runner.load(paired)
    dataset, (z,) = loaded.prepared.dataset, loaded.prepared.recipe.sample_priors.values()
    scaled = torch.tensor([[0.5, 0.5], [1.0, 1.0]])  # b is in 100..106, a in 0..4
    noise = z.draw(2, torch.Generator().manual_seed(0), torch.device("cpu"), torch.float32)
    by_hand = dataset.unscale(loaded.networks["G"](torch.cat([scaled, noise], dim=1)))
    made = torch.from_numpy(np.load(tmp_path / "in.npy.out.npy"))
    torch.testing.assert_close(made, by_hand, atol=1e-5, rtol=0)


def test_more_samples_than_inputs(
    paired: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "in.npy"
    np.save(path, np.array([[103.0, 2.0], [106.0, 4.0]]))
    draw(paired, tmp_path / "x.npy", "--input", path, "--number", 3)
    assert capsys.readouterr().err == f"gan-sample: {path} has 2 rows: 2 samples, not 3\n"
    draw(paired, tmp_path / "x.npy", "--input", path, "--number", 1)
    assert np.load(tmp_path / "x.npy").shape == (1, 1)


# --- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--number", "0"], "argument --number: 0: a whole number of at least 1 is wanted"),
        (["--number", "1.5"], "argument --number: 1.5: a whole number of at least 1 is wanted"),
        (["--seed", "-1"], "argument --seed: -1: a whole number of at least 0 is wanted"),
        (["--output", "x.txt"], "argument --output: x.txt: the suffix must be .npy, .csv or .png"),
        (["--output", "x"], "argument --output: x: the suffix must be .npy, .csv or .png"),
        (["--checkpoint", "best"], "{} has no checkpoint 'best'; it has last"),
        (["--input", "in.npy"], "--input=in.npy: vgan_gauss2d makes its samples from noise alone"),
        (["--num", "3"], "unrecognized arguments: --num 3"),
    ],
)  # fmt: skip
def test_refusals(
    plain: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    refused: Refused,
    options: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert refused(plain, *options) == message.format(plain)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("three.csv", "1;2;3\n", "3 columns, where cgan_table takes 2 (b, a)"),
        ("other.csv", "a;c\n1;2\n", "no column 'b'; needed: b, a"),
        ("empty.csv", "", "is empty"),
        ("words.csv", "1;x\n", "line 1, column 1: 'x' is not a number"),
        ("nan.csv", "1;nan\n", "line 1, column 1: nan is not finite in float32"),
        ("in.txt", "1;2\n", "the suffix must be .csv or .npy"),
        (None, "", "there is no such file"),
    ],
)
def test_unusable_inputs(
    paired: Path, tmp_path: Path, refused: Refused, name: str | None, text: str, message: str
) -> None:
    path = tmp_path / (name or "gone.csv")
    if name is not None:
        path.write_text(text, encoding="utf-8")
    output = tmp_path / "x.npy"
    said = refused(paired, "--input", path, "--output", output)
    assert said.endswith(message)
    assert str(path) in said
    assert not output.exists()


def test_folders_without_a_generator(plain: Path, tmp_path: Path, refused: Refused) -> None:
    assert refused(tmp_path) == f"{tmp_path} is no run folder: it has no config.yaml"
    shutil.copy(plain / "config.yaml", tmp_path)
    assert refused(tmp_path) == f"{tmp_path} has no checkpoint yet"
    toy = tmp_path / "toy"
    api.run(["model=bilinear", "training.steps=2", "device.name=cpu"], folder=toy)
    assert refused(toy) == "bilinear_none is a game without samples"
    assert not (toy / "generated.npy").exists()
    assert refused() == "the following arguments are required: RUN_FOLDER"


def test_an_output_that_cannot_be_written(plain: Path, tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "x.npy").mkdir()
    path = tmp_path / "file" / "x.npy"
    said = refused(plain, "--output", path)
    assert said.startswith(f"--output={path}: cannot be written (")
    said = refused(plain, "--output", tmp_path / "x.npy")
    assert said == f"argument --output: {tmp_path / 'x.npy'}: is a folder, not a file"


def test_a_fault_that_is_not_the_users(
    plain: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("one\n  two")

    monkeypatch.setattr(loading, "load", fail)
    assert main([str(plain)]) == 1
    assert capsys.readouterr().err == "gan-sample: error: RuntimeError: one two\n"
    monkeypatch.setenv("GAN_RUNNER_DEBUG", "1")
    assert main([str(plain)]) == 1
    assert "Traceback" in capsys.readouterr().err


# --- start-up --------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["sample", "evaluate"])
def test_help_loads_nothing_heavy(command: str) -> None:
    text = f"""
import sys
from gan_runner.{command} import main
assert main(["--help"]) == 0
assert main(["--version"]) == 0
assert main(["nowhere", "--number", "x"]) == 2
heavy = {{"torch", "numpy", "hydra", "omegaconf", "matplotlib", "scipy"}} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run(
        [sys.executable, "-c", text],
        cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "RUN_FOLDER" in done.stdout
    assert gan_runner.__version__ in done.stdout
