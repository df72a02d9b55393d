"""Pictures of samples whose rows or columns differ in one known thing."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from gan_runner.game import Batch, Grid

COLUMNS = 10
MOST_ROWS = 20  # of many classes the first are shown
ENDS = (-2.0, 2.0)  # codes are drawn from U(-1, 1); Chen et al. 2016 show them twice as far


def by_class(num_classes: int, key: str) -> Grid:
    """A row for each class, all else (z above all) equal along a column.

    `key` is the draw that holds the class: `label` or `category`.
    """
    rows = min(num_classes, MOST_ROWS)
    return Grid(rows=rows, columns=COLUMNS, arrange=partial(_class_rows, key=key, rows=rows))


def _class_rows(drawn: Batch, *, key: str, rows: int) -> Batch:
    tables = _tables(drawn, rows)
    made = {name: value[:1].expand_as(value) for name, value in tables.items()}
    made[key] = _numbered(tables[key])
    return {name: value.flatten(0, 1) for name, value in made.items()}


def by_code(num_categories: int, code: int) -> Grid:
    """A row for each category, along which one continuous code goes from -2 to 2.

    All else is equal along a row.
    """
    rows = min(num_categories, MOST_ROWS)
    return Grid(rows=rows, columns=COLUMNS, arrange=partial(_code_columns, code=code, rows=rows))


def _code_columns(drawn: Batch, *, code: int, rows: int) -> Batch:
    tables = _tables(drawn, rows)
    made = {name: value[:, :1].expand_as(value) for name, value in tables.items()}
    codes = made["codes"].clone()  # [rows, columns, J]
    codes[:, :, code] = torch.linspace(*ENDS, codes.shape[1], dtype=codes.dtype).to(codes.device)
    made |= {"codes": codes, "category": _numbered(tables["category"])}
    return {name: value.flatten(0, 1) for name, value in made.items()}


def _tables(drawn: Batch, rows: int) -> Batch:
    """Draws [rows x columns, ...] as [rows, columns, ...]."""
    return {name: value.reshape(rows, -1, *value.shape[1:]) for name, value in drawn.items()}


def _numbered(table: Tensor) -> Tensor:
    """[rows, columns] of each row's number."""
    rows = torch.arange(len(table), device=table.device)
    return rows[:, None].expand_as(table)
