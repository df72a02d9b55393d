"""`gan-sample`: draws samples from a run's generator into a file. `--help` imports no torch."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gan_runner.arguments import DEVICES, SPLITS, Parser, answer, at_least, number_between, say

if TYPE_CHECKING:
    from torch import Tensor

    from gan_runner.loading import Loaded

PROGRAM = "gan-sample"
SUFFIXES = (".npy", ".csv", ".png")
NUM, NUM_IMAGES = 1000, 64  # samples in a file; images in a picture


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0; 2 where it is refused; 1 where something else went wrong; 130 after Ctrl-C.
    """
    return answer(PROGRAM, _command, sys.argv[1:] if argv is None else argv)


def _parser() -> Parser:
    parser = Parser(
        PROGRAM,
        "Draw samples from a run's generator, in the units of the data. Same seed, same file.",
    )
    add = parser.add_argument
    add(
        "--number",
        type=at_least(1),
        metavar="N",
        help=f"samples (default: {NUM}, {NUM_IMAGES} for a .png of images, or all rows of "
        "--input); rows of --interpolate (8); samples of --neighbours (16)",
    )
    add("--seed", type=at_least(0), default=0, help="seed of the noise (default: 0)")
    add(
        "--output",
        type=_output,
        metavar="FILE",
        help="a .npy (float32; images [N, C, H, W] in [-1, 1]), .csv (with a header; not for "
        "images) or .png (points against real ones, images in a grid) file; default: "
        "generated.npy in the run folder, or <picture>.png for the pictures below",
    )
    add(
        "--input",
        type=Path,
        metavar="FILE",
        help="for models of paired data: G's inputs, a .npy or .csv file in the units of the data, "
        "one a row; a .csv with a header is read by the names of the run's columns; for models "
        "that enlarge images: an image of any size, and --output a .png",
    )
    add(
        "--memory-limit",
        type=_above_zero,
        default=2.0,
        metavar="GIB",
        help="for an image: how much the network's maps may take; larger images are enlarged tile "
        "by tile, without seams (default: 2)",
    )
    add(
        "--split",
        choices=SPLITS,
        default="test",
        help="for models of paired data, the rows that G's inputs are from, evenly spread; for a "
        ".png also the real points (default: test)",
    )
    add(
        "--checkpoint",
        default="last",
        metavar="NAME",
        help="last, best, or another name in the run's checkpoints/ (default: last)",
    )
    add("--device", choices=DEVICES, default="cpu", help="where to compute (default: cpu)")
    add(
        "--class",
        dest="label",
        metavar="LABEL",
        help="samples of one class, a name or a number, for models whose G takes one",
    )
    styled = parser.add_argument_group("models with styles (StyleGAN)")
    styled.add_argument(
        "--truncation",
        type=number_between(-2, 2),
        metavar="PSI",
        help="w is drawn towards the mean style: 1 changes nothing, 0 gives the mean "
        "(up to 32 x 32)",
    )
    styled.add_argument("--no-noise", action="store_true", help="without the noise of the pixels")
    styled.add_argument(
        "--in-w", action="store_true", help="--interpolate goes from one w to another, not z"
    )
    group = parser.add_argument_group("pictures of images", "at most one of them")
    add = group.add_mutually_exclusive_group().add_argument
    add("--interpolate", action="store_true", help="the way from one z to another, row by row")
    add("--neighbours", action="store_true", help="samples beside the nearest training images")
    add(
        "--arithmetic",
        nargs="?",
        const="",
        type=_word,
        metavar="A-B+C",
        help="mean z of class A - that of B + that of C, names or numbers (default: 7-1+4 for "
        "digits, else what the data suggest)",
    )
    add(
        "--grid",
        nargs="?",
        const="",
        type=_word,
        metavar="NAME",
        help="the model's own grid of that name, by class or code (default: each)",
    )
    add(
        "--photographs",
        action="store_true",
        help="whole photographs of --split enlarged, beside bicubic ones and the originals",
    )
    group.add_argument(
        "--beside", type=Path, action="append", default=[], metavar="RUN", help="another run's too"
    )
    return parser  # fmt: skip


def _word(text: str) -> str:
    # An option whose value may be left out takes a run folder that comes after it for its value.
    if text and (Path(text) / "config.yaml").is_file():
        raise argparse.ArgumentTypeError(f"{text}: is a run folder, which goes before the options")
    return text


def _above_zero(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: must be a number above 0")
    return value


def _output(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in SUFFIXES:
        raise argparse.ArgumentTypeError(f"{text}: the suffix must be .npy, .csv or .png")
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{text}: is a folder, not a file")
    return path


def _check_together(given: argparse.Namespace) -> None:
    """Refuse options that mean nothing together.

    Raises:
        ValueError: names them.
    """
    if given.in_w and not given.interpolate:
        raise ValueError("--in-w: goes with --interpolate")
    if given.beside and not given.photographs:
        raise ValueError("--beside: goes with --photographs")
    for option, value in {
        "--input": given.input, "--number": given.number, "--class": given.label,
        "--truncation": given.truncation, "--no-noise": given.no_noise or None,
    }.items():  # fmt: skip
        if given.photographs and value is not None:
            raise ValueError(f"{option}: does not go with --photographs")


def _command(argv: Sequence[str]) -> None:
    given = _parser().parse_args(argv)
    _check_together(given)
    from gan_runner.loading import load
    from gan_runner.process import process_settings, threads

    loaded = load(given.folder, checkpoint_name=given.checkpoint, device=given.device)
    is_image = loaded.prepared.dataset.kind == "images"
    suffix = given.output.suffix.lower() if given.output else ""
    if is_image and suffix == ".csv":
        raise ValueError(f"--output={given.output}: images are no rows of a table; .npy or .png")
    if is_picture(given):
        _draw_pictures(loaded, given)
        return
    if given.photographs or (is_image and given.input is not None):
        _photographs(loaded, given)
        return
    low = None if given.input is None else read_inputs(loaded, given.input)
    num = NUM_IMAGES if is_image and suffix == ".png" and given.number is None else given.number
    with process_settings(loaded.config), threads(loaded.threads):
        made = loaded.sample(
            num,
            seed=given.seed,
            split=given.split,
            low=low,
            label=given.label,
            truncation=given.truncation,
            noise=not given.no_noise,
        )
    if len(made) < (given.number or 0):
        source = f"the {given.split} split" if low is None else str(given.input)
        say(
            PROGRAM, f"{source} has {len(made):,} rows: {len(made):,} samples, not {given.number:,}"
        )
    path: Path = given.output or given.folder / "generated.npy"
    _write(path, encode(made, loaded, path.suffix.lower(), given.split))
    print(f"{len(made):,} samples of {loaded.config['name']}, {loaded.checkpoint}: {path}")


def _draw_pictures(loaded: Loaded, given: argparse.Namespace) -> None:
    from gan_runner.process import process_settings, threads
    from gan_runner.sample_pictures import make

    with process_settings(loaded.config), threads(loaded.threads):
        for panel, path, content in make(loaded, given):
            _write(path, content)
            size, name = len(panel.images), loaded.config["name"]
            print(f"{size:,} images of {name}, {loaded.checkpoint}: {path}")
            if panel.title:
                print(f"  {panel.title}")


def _photographs(loaded: Loaded, given: argparse.Namespace) -> None:
    from gan_runner import photograph_pictures

    make = photograph_pictures.compare if given.photographs else photograph_pictures.enlarge
    path, content, said = make(loaded, given)
    _write(path, content)
    print(said)
    if given.photographs:
        print(f"PSNR in dB and SSIM, on Y: {path}")


def is_picture(given: argparse.Namespace) -> bool:
    """Whether one of the pictures of images is asked for."""
    flags = given.interpolate or given.neighbours
    return flags or given.arithmetic is not None or given.grid is not None


def _write(path: Path, content: bytes) -> None:
    from gan_runner.result import write_atomic

    try:
        write_atomic(path, content)
    except OSError as error:
        raise ValueError(f"--output={path}: cannot be written ({error.strerror})") from error


def read_inputs(loaded: Loaded, path: Path) -> Tensor:
    """A paired game's inputs [N, L] from a file, in data units.

    Raises:
        ValueError: the game takes none, or the file or its columns do not fit.
    """
    from gan_runner.datasets.table import read_columns

    dataset, name = loaded.prepared.dataset, loaded.config["name"]
    if not loaded.prepared.recipe.paired or dataset.low_shape is None:
        raise ValueError(f"--input={path}: {name} makes its samples from noise alone")
    delimiter = loaded.config["dataset"].get("delimiter", ",")
    names = dataset.low_columns
    low = read_columns(str(path), names=names, delimiter=delimiter, key="--input")
    (num_columns,) = dataset.low_shape
    if low.shape[1] != num_columns:
        called = f" ({', '.join(names)})" if names else ""
        raise ValueError(
            f"--input={path}: {low.shape[1]} columns, where {name} takes {num_columns}{called}"
        )
    return low


def encode(samples: Tensor, loaded: Loaded, suffix: str, split: str) -> bytes:
    """The file of samples [N, ...] in data units: the same bytes for the same samples.

    Raises:
        ValueError: a .csv of what is no table.
    """
    dataset = loaded.prepared.dataset
    if suffix == ".png":
        from gan_runner.callbacks.pictures import draw_samples
        from gan_runner.datasets.dataset import resident
        from gan_runner.plots import png

        shown = {"generated": samples}
        if dataset.kind != "images":
            shown["real"] = dataset.unscale(resident(dataset.splits[split]["real"]))
        return png(draw_samples(shown, dataset, loaded.step))
    import numpy as np

    array = samples.numpy().astype(np.float32)
    if suffix == ".npy":
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        return buffer.getvalue()
    if array.ndim != 2:
        raise ValueError(f".csv: samples of shape {array.shape[1:]} are no rows; use .npy")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(dataset.columns or [f"x{column}" for column in range(1, array.shape[1] + 1)])
    # str of a float32 is the shortest text that reads back as the same float32.
    writer.writerows([str(value) for value in row] for row in array)
    return text.getvalue().encode()


if __name__ == "__main__":
    sys.exit(main())
