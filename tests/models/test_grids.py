"""What is equal and what differs along the rows and columns of grids."""

from __future__ import annotations

import pytest
import torch

from gan_runner.game import Batch
from gan_runner.models.grids import COLUMNS, MOST_ROWS, by_class, by_code


def drawn(num: int, *, key: str = "label") -> Batch:
    return {
        "z": torch.randn(num, 4, dtype=torch.float64),
        key: torch.randint(3, (num,)),
        "codes": torch.rand(num, 2, dtype=torch.float64),
    }


@pytest.mark.parametrize("key", ["label", "category"])
def test_rows_of_classes_share_their_columns(key: str) -> None:
    grid = by_class(3, key)
    assert (grid.rows, grid.columns) == (3, COLUMNS)
    batch = drawn(30, key=key)
    made = grid.arrange(batch)
    assert set(made) == set(batch)
    assert made[key].tolist() == [0] * 10 + [1] * 10 + [2] * 10
    assert made[key].dtype == torch.int64
    for name in ("z", "codes"):
        table = made[name].view(3, 10, -1)
        assert torch.equal(table[0], batch[name][:10])
        assert torch.equal(table[1], table[0])
        assert torch.equal(table[2], table[0])
        assert len(table[0].unique(dim=0)) == 10


@pytest.mark.parametrize("code", [0, 1])
def test_a_code_goes_along_the_columns_and_nothing_else(code: int) -> None:
    grid = by_code(3, code)
    assert (grid.rows, grid.columns) == (3, COLUMNS)
    batch = drawn(30, key="category")
    kept = batch["codes"].clone()
    made = grid.arrange(batch)
    assert torch.equal(batch["codes"], kept)  # the draws themselves stay
    codes = made["codes"].view(3, 10, 2)
    steps = torch.linspace(-2, 2, 10, dtype=torch.float64)
    torch.testing.assert_close(codes[:, :, code], steps.expand(3, 10))
    assert torch.equal(codes[:, :, 1 - code], kept.view(3, 10, 2)[:, :1, 1 - code].expand(3, 10))
    z = made["z"].view(3, 10, 4)
    assert torch.equal(z, batch["z"].view(3, 10, 4)[:, :1].expand(3, 10, 4))
    assert len(z[:, 0].unique(dim=0)) == 3
    assert made["category"].view(3, 10).tolist() == [[0] * 10, [1] * 10, [2] * 10]


def test_many_classes_are_cut() -> None:
    assert by_class(1000, "label").rows == MOST_ROWS
    assert by_code(1000, 0).rows == MOST_ROWS


def test_on_the_meta_device() -> None:
    batch = {name: value.to("meta") for name, value in drawn(30, key="category").items()}
    for grid in (by_class(3, "category"), by_code(3, 1)):
        for value in grid.arrange(batch).values():
            assert value.device.type == "meta"
            assert len(value) == 30
