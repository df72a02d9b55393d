"""The pictures of images that `gan-sample` draws of a finished run."""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from gan_runner import latent, panels
from gan_runner.arithmetic import arithmetic
from gan_runner.callbacks.callback import Panel
from gan_runner.image_plots import draw_panel
from gan_runner.loading import Loaded
from gan_runner.plots import png
from gan_runner.sampling import Source

OPTIONS = {"interpolation": "--interpolate", "neighbours": "--neighbours",
           "arithmetic": "--arithmetic"}  # fmt: skip


def make(loaded: Loaded, given: argparse.Namespace) -> Iterator[tuple[Panel, Path, bytes]]:
    """The pictures asked for, and the path and content of each one's file.

    Raises:
        ValueError: the game has no such picture, or the options do not fit it or each other.
    """
    for option in ("input", "number", "label"):
        if getattr(given, option) is not None and option not in _taken(given):
            shown = "class" if option == "label" else option
            raise ValueError(f"--{shown}: does not go with {_option(given)}")
    generator = torch.Generator(loaded.host.device)
    alter = loaded.styling(given.truncation, noise=not given.no_noise)
    if given.in_w:
        loaded.check_styled("--in-w")
    source = Source(run=loaded.prepared, host=loaded.host, generator=generator, alter=alter)
    for picture in _names(loaded, given, source):
        generator.manual_seed(given.seed)
        panel = _panel(loaded, given, picture, source)
        path: Path = given.output or given.folder / f"{picture}.png"
        yield panel, path, _encode(panel, path)


def _taken(given: argparse.Namespace) -> tuple[str, ...]:
    return ("number", "label") if given.interpolate or given.neighbours else ()


def _option(given: argparse.Namespace) -> str:
    chosen = (("interpolate", given.interpolate), ("neighbours", given.neighbours),
              ("arithmetic", given.arithmetic is not None))  # fmt: skip
    return "--" + next((name for name, is_given in chosen if is_given), "grid")


def _names(loaded: Loaded, given: argparse.Namespace, source: Source) -> list[str]:
    """The pictures asked for, which the game is known to have."""
    run, option = loaded.prepared, _option(given)
    name = loaded.config["name"]
    if given.grid is None:
        picture = next(key for key, each in OPTIONS.items() if each == option)
        reason = panels.why_not(picture, source)
        if reason is not None:
            raise ValueError(f"{option}: not for {name}: {reason}")
        return [picture]
    grids = list(run.recipe.grids) if run.dataset.kind == "images" else []
    if not grids:
        raise ValueError(f"--grid: {name} has no grid of images of its own")
    if given.grid and given.grid not in grids:
        raise ValueError(f"--grid={given.grid}: must be one of {', '.join(grids)}")
    if not given.grid and given.output is not None and len(grids) > 1:
        raise ValueError(f"--output={given.output}: for one grid of {', '.join(grids)}; name it")
    return [given.grid] if given.grid else grids


def _panel(loaded: Loaded, given: argparse.Namespace, picture: str, source: Source) -> Panel:
    label = None if given.label is None else loaded.class_number(given.label)
    if given.grid is not None:
        return panels.grid(source, picture)
    if given.interpolate:
        rows = given.number or panels.ROWS
        return panels.interpolation(source, rows=rows, label=label, in_styles=given.in_w)
    if given.neighbours:
        return panels.neighbours(source, num=given.number or panels.SHOWN, label=label)
    names = latent.class_names(loaded.prepared.dataset)
    try:
        classes = latent.read_sum(given.arithmetic, names) if given.arithmetic else None
    except ValueError as error:
        raise ValueError(f"--arithmetic: {error}") from error
    return arithmetic(source, classes)


def _encode(panel: Panel, path: Path) -> bytes:
    """A .png of the panel, or a .npy of its images, row by row."""
    if path.suffix.lower() == ".png":
        return png(draw_panel(panel))
    buffer = io.BytesIO()
    np.save(buffer, panel.images.numpy().astype(np.float32), allow_pickle=False)
    return buffer.getvalue()
