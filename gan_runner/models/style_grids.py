"""The picture of style mixing (Karras et al. 2019, figure 3)."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from gan_runner.game import Batch, Grid

SOURCES = 8  # columns, after the rows' own images
ROWS = 3  # of each band


def bands(levels: int) -> dict[str, tuple[int, int]]:
    """First level and the one after the last of what is called coarse, middle and fine.

    At 1024 x 1024 those of the paper: 4 and 8; 16 and 32; from 64 on. Smaller images have fewer
    levels in each; at 8 x 8 nothing is between coarse and fine.
    """
    coarse = max(1, min(2, levels - 2))
    middle = coarse + (max(1, min(2, levels - 4)) if levels > 2 else 0)
    edges = {"coarse": (0, coarse), "middle": (coarse, middle), "fine": (middle, levels)}
    return {name: edge for name, edge in edges.items() if edge[0] < edge[1]}


def by_style(levels: int) -> Grid:
    """Rows that take the styles of one band from the column's source, all else from their own z.

    The first row holds the sources, the first column the rows' own images, the corner the image
    of the mean style.
    """
    found = bands(levels)
    labels = ["", *(name for name in found for _ in range(ROWS))]
    return Grid(
        rows=len(labels),
        columns=1 + SOURCES,
        arrange=partial(_mixed, levels=levels),
        labels=tuple(labels),
        title="First row: sources of styles; first column: the images that take them",
    )


def _mixed(drawn: Batch, *, levels: int) -> Batch:
    found = bands(levels)
    rows, columns = 1 + ROWS * len(found), 1 + SOURCES
    tables = {key: value.reshape(rows, columns, *value.shape[1:]) for key, value in drawn.items()}
    made = {key: value[:1, :1].expand_as(value) for key, value in tables.items()}  # one noise
    z = tables["z"]
    made["z"] = z[:, :1].expand_as(z)
    made["z_mix"] = z[:1].expand_as(z)
    mixed = torch.zeros(rows, columns, 2 * levels, dtype=torch.bool, device=z.device)
    mixed[0, 1:] = True
    for number, (first, end) in enumerate(found.values()):
        own = slice(1 + ROWS * number, 1 + ROWS * (number + 1))
        mixed[own, 1:, 2 * first : 2 * end] = True
    psi: Tensor = torch.ones(rows, columns, dtype=z.dtype, device=z.device)
    psi[0, 0] = 0.0
    made |= {"mixed": mixed, "psi": psi}
    return {key: value.flatten(0, 1) for key, value in made.items()}
