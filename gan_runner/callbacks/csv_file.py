"""`metrics.csv`: every logged number, one row a logged step."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from gan_runner.callbacks.callback import Callback, RunStart
from gan_runner.metrics.protocol import Measurement
from gan_runner.result import write_atomic

FILE = "metrics.csv"
Row = dict[str, str]  # column -> text; an absent column is an empty cell


class CsvFile(Callback):
    """Writes every scalar and metric value into `metrics.csv`.

    Columns are `step`, `epoch` (empty where there is no data), then the tags in the order of their
    first appearance; a cell is empty where its tag was not logged. Each row is on the disk when the
    event that brought it ends. Numbers are written so that they read back exactly.

    On a resume the rows after the checkpoint's step are dropped, and columns that are then empty
    with them, so that the file of a resumed run equals that of an uninterrupted one.
    """

    def __init__(self) -> None:
        self._columns: dict[str, None] = {}  # an ordered set
        self._last: Row = {}
        self._last_at = 0  # where the last row starts in the file, in bytes
        self._size = 0

    def on_start(self, start: RunStart) -> None:
        self._path = start.folder / FILE
        self._steps_per_epoch = start.steps_per_epoch
        kept: list[Row] = []
        if start.first_step > 0 and self._path.exists():
            kept = [row for row in _read_rows(self._path) if int(row["step"]) <= start.first_step]
        self._columns = dict.fromkeys(("step", "epoch"))
        self._rewrite(kept)

    def on_log(self, step: int, scalars: Mapping[str, float]) -> None:
        self._add(step, scalars)

    def on_metrics(self, step: int, measurements: Mapping[str, Measurement]) -> None:
        values = {f"metrics/{name}": found.value for name, found in measurements.items()}
        self._add(step, values)

    def _add(self, step: int, values: Mapping[str, float]) -> None:
        """Merge the values into the step's row; an old step or a new column costs a rewrite."""
        row = {tag: _text(value) for tag, value in values.items()}
        last = int(self._last["step"]) if self._last else -1
        if step < last or not row.keys() <= self._columns.keys():
            rows = {int(old["step"]): old for old in _read_rows(self._path)}
            rows[step] = rows.get(step, self._first_cells(step)) | row
            self._rewrite(rows[at] for at in sorted(rows))
            return
        if step > last:
            self._last, self._last_at = self._first_cells(step), self._size
        self._last |= row
        line = _lines(self._columns, [self._last])
        with self._path.open("r+b") as file:
            file.seek(self._last_at)
            file.truncate()
            file.write(line)
        self._size = self._last_at + len(line)

    def _first_cells(self, step: int) -> Row:
        cells = {"step": str(step)}
        if self._steps_per_epoch > 0:
            cells["epoch"] = _text(round(step / self._steps_per_epoch, 6))
        return cells

    def _rewrite(self, rows: Iterable[Row]) -> None:
        """Write the whole file anew, with every column that the rows have, or leave the old one."""
        rows = list(rows)
        for row in rows:
            self._columns |= dict.fromkeys(row)
        head = _lines(self._columns, [{name: name for name in self._columns}])
        before, last = _lines(self._columns, rows[:-1]), _lines(self._columns, rows[-1:])
        write_atomic(self._path, head + before + last)
        self._last = rows[-1] if rows else {}
        self._last_at = len(head + before)
        self._size = self._last_at + len(last)


def read_metrics_csv(path: Path) -> dict[str, list[tuple[int, float]]]:
    """Read a `metrics.csv` into (step, value) pairs under every tag, `epoch` among them.

    An unfinished last line, left by a run that was killed, is not read.
    """
    rows = _read_rows(path)
    tags = {name: None for row in rows for name in row if name != "step"}
    return {
        tag: [(int(row["step"]), float(row[tag])) for row in rows if tag in row] for tag in tags
    }


def _read_rows(path: Path) -> list[Row]:
    """Read the non-empty cells of each finished line, columns in the file's order."""
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    return [
        {name: cell for name, cell in row.items() if cell}
        for row in csv.DictReader(io.StringIO(whole, newline=""))
    ]


def _lines(columns: Iterable[str], rows: Iterable[Row]) -> bytes:
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, list(columns), restval="", lineterminator="\n")
    writer.writerows(rows)
    return buffer.getvalue().encode()


def _text(value: float) -> str:
    """Write a number exactly, whole ones without a point: 50 updates, not 50.0."""
    value = float(value)
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return repr(value)
