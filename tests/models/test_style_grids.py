"""The grid of style mixing."""

from __future__ import annotations

import torch

from gan_runner.models.style_grids import ROWS, SOURCES, bands, by_style


def test_bands_of_every_size() -> None:
    assert bands(9) == {"coarse": (0, 2), "middle": (2, 4), "fine": (4, 9)}  # the paper's
    assert bands(4) == {"coarse": (0, 2), "middle": (2, 3), "fine": (3, 4)}
    assert bands(3) == {"coarse": (0, 1), "middle": (1, 2), "fine": (2, 3)}
    assert bands(2) == {"coarse": (0, 1), "fine": (1, 2)}
    for levels in range(2, 10):
        edges = [edge for band in bands(levels).values() for edge in band]
        assert (edges[0], edges[-1]) == (0, levels)
        assert edges[1:-1:2] == edges[2::2]


def test_each_cell_takes_one_band_of_its_column() -> None:
    grid = by_style(4)
    assert grid.columns == 1 + SOURCES
    assert grid.labels == ("", *["coarse"] * ROWS, *["middle"] * ROWS, *["fine"] * ROWS)
    num = grid.rows * grid.columns
    noise = torch.randn(num, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    made = grid.arrange({"z": torch.arange(float(num))[:, None], "noise_4": noise})
    table = {key: value.unflatten(0, (grid.rows, grid.columns)) for key, value in made.items()}
    assert bool((table["noise_4"] == noise[0]).all())  # nothing but styles differs
    assert table["z"][2, 5].item() == 2 * grid.columns  # the row's own
    assert table["z_mix"][2, 5].item() == 5  # the column's source
    assert table["mixed"][0, 1:].all()
    assert not table["mixed"][1:, 0].any()
    assert table["mixed"][1, 3].tolist() == [True] * 4 + [False] * 4
    assert table["mixed"][ROWS + 1, 3].tolist() == [False] * 4 + [True] * 2 + [False] * 2
    assert table["mixed"][2 * ROWS + 1, 3].tolist() == [False] * 6 + [True] * 2
    assert table["psi"][0, 0] == 0
    assert bool((table["psi"].flatten()[1:] == 1).all())
