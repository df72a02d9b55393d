"""What `gan-sample` makes of whole photographs: one enlarged, or a split's beside other ways."""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from gan_runner import upscaling
from gan_runner.callbacks.callback import Panel
from gan_runner.datasets.dataset import as_floats
from gan_runner.datasets.decoding import read_image
from gan_runner.datasets.photographs import Whole, as_image, as_tensor
from gan_runner.datasets.superres import wholes_of
from gan_runner.facts import features_name
from gan_runner.image_plots import draw_panel
from gan_runner.loading import Loaded, load
from gan_runner.metric_inputs import find_look
from gan_runner.metrics.photographs import Enlarged
from gan_runner.photograph_table import Nearnesses, mean, measure, table
from gan_runner.plots import png
from gan_runner.process import process_settings, threads

SHOWN = 160  # pixels of a side that are shown of a photograph
MOST = 6  # photographs in a picture
Way = Callable[[Whole], Enlarged]


def enlarge(loaded: Loaded, given: argparse.Namespace) -> tuple[Path, bytes, str]:
    """Enlarge a whole image: the path and content of a .png file, and what was done.

    Raises:
        ValueError: there is no such image, or the run enlarges none.
    """
    path: Path = given.output or given.folder / "enlarged.png"
    if path.suffix.lower() != ".png":
        raise ValueError(f"--output={path}: an enlarged image is written as .png")
    if not given.input.is_file():
        raise ValueError(f"--input={given.input}: there is no such file")
    wanted = loaded.prepared.dataset.low_shape
    if not loaded.prepared.recipe.paired or wanted is None:
        raise ValueError(f"--input={given.input}: {loaded.config['name']} does not enlarge images")
    try:
        low = as_tensor(read_image(given.input, wanted[0]))
    except ValueError as error:
        raise ValueError(f"--input={error}") from None
    with process_settings(loaded.config), threads(loaded.threads):
        made = upscaling.whole_image(loaded.prepared, loaded.host, low, limit=given.memory_limit)
    buffer = io.BytesIO()
    as_image(made).save(buffer, format="PNG")
    (_, height, width), (_, tall, wide) = low.shape, made.shape
    name = loaded.config["name"]
    said = f"{width} x {height} -> {wide} x {tall} by {name}, {loaded.checkpoint}: {path}"
    return path, buffer.getvalue(), said


def compare(loaded: Loaded, given: argparse.Namespace) -> tuple[Path, bytes, str]:
    """The photographs of a split: bicubic, other runs, this one, the original (Ledig, figure 2).

    Returns:
        The path and content of a .png file, and a table of PSNR and SSIM.

    Raises:
        ValueError: a run has no whole photographs, or another's are of another scale.
    """
    path: Path = given.output or given.folder / "photographs.png"
    if path.suffix.lower() != ".png":
        raise ValueError(f"--output={path}: photographs are drawn as .png")
    wholes = (loaded.prepared.dataset.wholes or {}).get(given.split)
    if not wholes:
        raise ValueError(
            f"--photographs: {loaded.config['name']} has no whole photographs in its {given.split} "
            "split"
        )
    ways: dict[str, Way] = {"bicubic": upscaling.bicubic}
    for folder in given.beside:
        other = load(folder, checkpoint_name=given.checkpoint, device=given.device)
        check_beside(loaded, other, folder)
        name = other.config["name"]
        is_taken = name in ways or name == loaded.config["name"]
        ways[f"{name} ({folder.name})" if is_taken else name] = _way(other, given.memory_limit)
    ways[loaded.config["name"]] = _way(loaded, given.memory_limit)
    found = {name: [way(each) for each in wholes] for name, way in ways.items()}
    near = measure(found)
    return path, png(draw_panel(panel(found, near))), table(near)


def judge(loaded: Loaded, folder: str) -> tuple[Nearnesses, str]:
    """How near a run brings a folder's photographs to the originals, bicubic beside it.

    Returns:
        What was measured, and how, in a sentence.

    Raises:
        ValueError: the run enlarges no photographs, or the folder holds none that can be read.
    """
    scale = _scale(loaded)
    if not scale:
        raise ValueError(f"--photographs: {loaded.config['name']} does not enlarge photographs")
    wholes = wholes_of("--photographs", folder, channels=loaded.prepared.dataset.shape[0],
                       scale=scale)  # fmt: skip
    name = features_name(loaded.prepared)
    look = None if name is None else find_look(loaded.prepared)
    ways: dict[str, Way] = {
        "bicubic": upscaling.bicubic, loaded.config["name"]: _way(loaded, upscaling.LIMIT)
    }  # fmt: skip
    near = measure({way: [each(whole) for whole in wholes] for way, each in ways.items()}, look)
    said = (
        f"{len(wholes)} photographs x {scale}, made small by bicubic, antialiased down-sampling in "
        f"8 bits; PSNR in dB and SSIM on Y, {scale} pixels of border cut off"
    )
    return near, said if name is None else f"{said}; distance of features of {name}"


def check_beside(loaded: Loaded, other: Loaded, folder: Path) -> None:
    """Refuse a run that does not enlarge the same photographs.

    Raises:
        ValueError: it has other channels or another scale, or none.
    """
    own, others = ((each.prepared.dataset.shape[0], _scale(each)) for each in (loaded, other))
    if own != others:
        raise ValueError(
            f"--beside={folder}: {other.config['name']} does not enlarge {own[0]}-channel images "
            f"{own[1]} times"
        )


def _scale(loaded: Loaded) -> int:
    """How many times as large a run makes images; 0: it does not."""
    dataset = loaded.prepared.dataset
    low = dataset.low_shape
    return dataset.shape[-1] // low[-1] if dataset.wholes and low else 0


def _way(loaded: Loaded, limit: float) -> Way:
    def way(whole: Whole) -> Enlarged:
        with process_settings(loaded.config), threads(loaded.threads):
            return upscaling.enlarged(loaded.prepared, loaded.host, whole, limit=limit)

    return way


def panel(found: Mapping[str, Sequence[Enlarged]], near: Nearnesses) -> Panel:
    """The middle of the first photographs, one a row; a way a column, the original last.

    found: by way, the same photographs enlarged. near: what was measured of them.
    """
    columns = list(found.values())
    shown = columns[0][:MOST]
    side = min(SHOWN, *(length for each in shown for length in each.real.shape[1:]))
    rows = [
        [*(middle(way[row].made, side) for way in columns), middle(shown[row].real, side)]
        for row in range(len(shown))
    ]
    means = [mean(near[way]) for way in found]
    words = [f"{each.psnr:.2f} dB, {each.ssim:.3f}" for each in means]
    return Panel(
        images=as_floats(torch.stack([image for row in rows for image in row]), torch.float32),
        columns=len(columns) + 1,
        title="; ".join(f"{name}: {said}" for name, said in zip(found, words, strict=True)),
        rows=tuple(each.name for each in shown),
        heads=(*found, "original"),
    )


def middle(image: Tensor, side: int) -> Tensor:
    """The middle [C, side, side] of an image [C, H, W]."""
    top, left = ((length - side) // 2 for length in image.shape[1:])
    return image[:, top : top + side, left : left + side]
