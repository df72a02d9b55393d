"""The user's own vectors, read from a .csv or .npy file."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gan_runner.datasets.dataset import Dataset, minmax, stream

_NORMALISE = ("minmax", "standard", "none")
_MIN_TRAIN = 2  # a range or a standard deviation of one row is always zero


@dataclass(frozen=True, kw_only=True, eq=False)
class _Sheet:
    """A file as read: rows of text with their line numbers (.csv), or one array (.npy)."""

    path: str
    names: tuple[str, ...] | None
    rows: list[list[str]] | npt.NDArray[np.float64]
    lines: list[int] | None

    @property
    def num_columns(self) -> int:
        return len(self.rows[0])

    def place(self, row: int, column: int) -> str:
        """Name a cell: the file, its line (from 1) or row (from 0), its column (from 0)."""
        where = f"line {self.lines[row]}" if self.lines is not None else f"row {row}"
        name = f" ({self.names[column]!r})" if self.names is not None else ""
        return f"{self.path}: {where}, column {column}{name}"


def table(
    *,
    path: str,
    condition: Sequence[str | int] = (),
    label: str | int | None = None,
    validation_share: float = 0.1,
    test_share: float = 0.2,
    normalise: str = "minmax",
    delimiter: str = ",",
    seed: int = 0,
) -> Dataset:
    """Read vectors from a table, one sample a row, and split them at random.

    path: a .csv file (UTF-8; a first line without any number in it is the header) or a .npy file
    with a two-dimensional array of numbers.
    condition: columns that become low [N, L], G's paired input; label: one column of classes, text
    or numbers, that becomes label [N]; all other columns are real [N, d]. Columns go by name or by
    number from 0; text digits are a number where no column has that name.
    validation_share, test_share: shares of the rows, in (0, 1), together below 1.
    normalise: "minmax" to [0, 1], "standard" to mean 0 and (population) sd 1, "none"; statistics
    come from the training rows alone. A column that is constant there keeps scale 1 and becomes 0.

    Raises:
        ValueError: the file, a cell or an option is not usable; one line says where and why.
    """
    if normalise not in _NORMALISE:
        raise ValueError(f"dataset.normalise={normalise!r}: must be one of {', '.join(_NORMALISE)}")
    sheet = _read(path, delimiter)
    low_columns = [_column(sheet, "condition", column) for column in condition]
    label_column = None if label is None else _column(sheet, "label", label)
    used = low_columns + ([] if label_column is None else [label_column])
    if len(set(used)) < len(used):
        raise ValueError(
            f"dataset.condition={list(condition)!r}, dataset.label={label!r}: "
            f"a column of {path} is named twice"
        )
    real_columns = [column for column in range(sheet.num_columns) if column not in used]
    if not real_columns:
        raise ValueError(
            f"dataset.condition={list(condition)!r}: leaves no column of {path} to generate"
        )
    real, low = _numbers(sheet, real_columns), _numbers(sheet, low_columns)
    classes, label_tensor = None, None
    if label_column is not None:
        classes, label_tensor = _labels(sheet, label_column)
    rows = _split(sheet, validation_share, test_share, seed)
    offset, scale = _statistics(real[rows["train"]], normalise)
    tensors = {"real": ((real - offset) / scale).float()}
    low_offset, low_scale = None, None
    if low_columns:
        low_offset, low_scale = _statistics(low[rows["train"]], normalise)
        tensors["low"] = ((low - low_offset) / low_scale).float()
    if label_tensor is not None:
        tensors["label"] = label_tensor
    return Dataset(
        name="table",
        kind="vectors",
        splits={
            split: {key: tensor[index] for key, tensor in tensors.items()}
            for split, index in rows.items()
        },
        offset=offset,
        scale=scale,
        low_offset=low_offset,
        low_scale=low_scale,
        columns=_names(sheet, real_columns),
        low_columns=_names(sheet, low_columns),
        classes=classes,
    )


def read_columns(
    path: str, *, names: Sequence[str] | None = None, delimiter: str = ",", key: str = "path"
) -> Tensor:
    """Read numbers [N, d] from a .csv or .npy file, float64, as they stand there.

    names: columns to take, in this order, where the file has a header; None: all columns, as from
    a file without one. key: what messages call the path.

    Raises:
        ValueError: the file, a column or a cell is not usable; one line says where and why.
    """
    sheet = _read(path, delimiter, key)
    chosen = list(range(sheet.num_columns))
    if names is not None and sheet.names is not None:
        for name in names:
            if name not in sheet.names:
                raise ValueError(f"{key}={path}: no column {name!r}; needed: {', '.join(names)}")
        chosen = [sheet.names.index(name) for name in names]
    return _numbers(sheet, chosen)


def _read(path: str, delimiter: str, key: str = "dataset.path") -> _Sheet:
    """Open the file by its suffix."""
    suffix = Path(path).suffix.lower()
    if suffix not in (".csv", ".npy"):
        raise ValueError(f"{key}={path!r}: the suffix must be .csv or .npy")
    if Path(path).is_dir():
        raise ValueError(f"{key}={path!r}: is a folder, not a file")
    if not Path(path).exists():
        raise ValueError(f"{key}={path!r}: there is no such file")
    try:
        return _read_csv(path, delimiter) if suffix == ".csv" else _read_npy(path)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from error


def _read_csv(path: str, delimiter: str) -> _Sheet:
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise ValueError(f"dataset.delimiter={delimiter!r}: must be one character, such as , or ;")
    cells: list[list[str]] = []
    lines: list[int] = []
    # utf-8-sig: spreadsheets write a byte-order mark, which would become part of the first name.
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, delimiter=delimiter)
        try:
            for row in reader:
                if row and any(cell.strip() for cell in row):
                    cells.append([cell.strip() for cell in row])
                    lines.append(reader.line_num)
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: is not UTF-8 text (byte {error.start})") from error
        except csv.Error as error:
            raise ValueError(f"{path}: line {reader.line_num}: {error}") from error
    if not cells:
        raise ValueError(f"{path}: is empty")
    for row, line in zip(cells, lines, strict=True):
        if len(row) != len(cells[0]):
            raise ValueError(
                f"{path}: line {line} has {len(row)} cells, line {lines[0]} has {len(cells[0])}"
            )
    names = None
    if not any(_is_number(cell) for cell in cells[0]):
        names = tuple(cells.pop(0))
        line = lines.pop(0)
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{path}: line {line} has two columns named {name!r}")
    if not cells:
        raise ValueError(f"{path}: has a header and no rows")
    return _Sheet(path=path, names=names, rows=cells, lines=lines)


def _read_npy(path: str) -> _Sheet:
    with open(path, "rb") as file:
        try:
            # Not np.load: it would also open archives and pickles.
            array = np.lib.format.read_array(file, allow_pickle=False)
        except ValueError as error:
            reason = "is not a complete .npy file"
            if "allow_pickle" in str(error):
                reason = "holds Python objects; only arrays of numbers are read"
            raise ValueError(f"{path}: {reason}") from error
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{path}: dtype {array.dtype} is not real numbers")
    if array.ndim != 2:
        raise ValueError(f"{path}: shape {array.shape} must have two dimensions, [rows, columns]")
    if not array.size:
        raise ValueError(f"{path}: is empty, with shape {array.shape}")
    return _Sheet(path=path, names=None, rows=array.astype(np.float64), lines=None)


def _column(sheet: _Sheet, key: str, column: str | int) -> int:
    """Return the number of the column that an option names."""
    names = sheet.names or ()
    if isinstance(column, str) and column in names:
        return names.index(column)
    if isinstance(column, str) and column.isdecimal():
        column = int(column)
    if isinstance(column, int) and 0 <= column < sheet.num_columns:
        return column
    allowed = f"a number from 0 to {sheet.num_columns - 1}"
    if isinstance(column, str) and names:
        near = difflib.get_close_matches(column, names, n=3, cutoff=0.5)
        listed = ", ".join(near or names[:10])
        allowed = f"{'nearest' if near else 'columns'}: {listed}; or {allowed}"
    elif isinstance(column, str):
        allowed = f"it has no header: {allowed}"
    raise ValueError(f"dataset.{key}={column!r}: no such column in {sheet.path}; {allowed}")


def _split(
    sheet: _Sheet, validation_share: float, test_share: float, seed: int
) -> dict[str, Tensor]:
    """Return the row numbers of each split, in a random order."""
    for key, share in (("validation_share", validation_share), ("test_share", test_share)):
        if not 0 < share < 1:
            raise ValueError(f"dataset.{key}={share!r}: must lie between 0 and 1, both excluded")
    if validation_share + test_share >= 1:
        raise ValueError(
            f"dataset.validation_share={validation_share!r} and dataset.test_share={test_share!r}: "
            "must sum to less than 1"
        )
    num_test = max(1, round(len(sheet.rows) * test_share))
    num_validation = max(1, round(len(sheet.rows) * validation_share))
    num_train = len(sheet.rows) - num_test - num_validation
    if num_train < _MIN_TRAIN:
        raise ValueError(
            f"{sheet.path}: {len(sheet.rows)} rows are too few for {num_test} test and "
            f"{num_validation} validation rows and at least {_MIN_TRAIN} to train on"
        )
    order = torch.randperm(len(sheet.rows), generator=stream(seed, "split"))
    end = num_test + num_validation
    return {"train": order[end:], "validation": order[num_test:end], "test": order[:num_test]}


def _numbers(sheet: _Sheet, columns: Sequence[int]) -> Tensor:
    """Return the columns as float64 [N, d], refusing the first cell that is no number."""
    if isinstance(sheet.rows, np.ndarray):
        values = sheet.rows[:, list(columns)]
    else:
        values = np.empty((len(sheet.rows), len(columns)))
        for row, cells in enumerate(sheet.rows):
            for place, column in enumerate(columns):
                if not _is_number(cells[column]):
                    shown = _short(cells[column])
                    raise ValueError(f"{sheet.place(row, column)}: {shown} is not a number")
                values[row, place] = float(cells[column])
    with np.errstate(over="ignore"):
        # The networks see float32, so a number beyond its range is as unusable as infinity.
        bad = np.argwhere(~np.isfinite(values.astype(np.float32)))
    if len(bad):
        row, place = (int(index) for index in bad[0])
        raise ValueError(
            f"{sheet.place(row, columns[place])}: {values[row, place]} is not finite in float32"
        )
    return torch.from_numpy(values)


def _names(sheet: _Sheet, columns: Sequence[int]) -> tuple[str, ...] | None:
    if sheet.names is None or not columns:
        return None
    return tuple(sheet.names[column] for column in columns)


def _statistics(train: Tensor, normalise: str) -> tuple[Tensor, Tensor]:
    """Return the offset and scale [d] that the training rows [N, d] ask for."""
    if normalise == "none":
        return torch.zeros_like(train[0]), torch.ones_like(train[0])
    low, scale = minmax(train)
    if normalise == "minmax":
        return low, scale
    # Compared by range: the sd of a constant column is rounding noise, not zero.
    constant = train.amax(dim=0) == low
    mean, sd = train.mean(dim=0), train.std(dim=0, correction=0)
    return torch.where(constant, low, mean), torch.where(constant, torch.ones_like(sd), sd)


def _labels(sheet: _Sheet, column: int) -> tuple[tuple[str, ...], Tensor]:
    """Return the class names, in the order of their numbers or letters, and the labels [N]."""
    if not isinstance(sheet.rows, np.ndarray):
        texts = [cells[column] for cells in sheet.rows]
        if not all(_is_number(text) for text in texts):
            if "" in texts:
                raise ValueError(f"{sheet.place(texts.index(''), column)}: the label is empty")
            number = {name: index for index, name in enumerate(sorted(set(texts)))}
            return tuple(number), torch.tensor([number[text] for text in texts])
    values, label = np.unique(_numbers(sheet, [column]).numpy(), return_inverse=True)
    classes = tuple(str(int(v)) if v.is_integer() else str(v) for v in values.tolist())
    return classes, torch.from_numpy(label).flatten()


def _is_number(text: str) -> bool:
    """Tell whether float() reads the text; NaN and infinity count, to be refused by name later."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text  # Python's 1_000 is no number in a table


def _short(text: str) -> str:
    return repr(text if len(text) <= 30 else text[:27] + "...")
