"""Tables of the user's own: what is read, how it is scaled, and where an error is said to be."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gan_runner.datasets import Dataset
from gan_runner.datasets.table import read_columns, table

COLUMNS = "height,weight,kind\n"


def _csv(folder: Path, text: str, name: str = "data.csv") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def _rows(num: int = 20) -> str:
    return "".join(f"{row},{100 + 2 * row},{'ab'[row % 2]}\n" for row in range(num))


def _all(dataset: Dataset, key: str) -> torch.Tensor:
    return torch.cat([tensors[key] for tensors in dataset.splits.values()])


def _refusal(path: str, **options: Any) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        table(path=path, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_reads_a_csv_with_a_header(tmp_path: Path) -> None:
    dataset = table(path=_csv(tmp_path, COLUMNS + _rows()), label="kind")
    assert (dataset.name, dataset.kind, dataset.shape) == ("table", "vectors", (2,))
    sizes = {split: len(tensors["real"]) for split, tensors in dataset.splits.items()}
    assert sizes == {"train": 14, "validation": 2, "test": 4}
    assert dataset.classes == ("a", "b")
    assert dataset.num_classes == 2
    data = dataset.unscale(_all(dataset, "real").double())
    height = data[:, 0].round()
    assert sorted(height.tolist()) == list(range(20))  # every row once
    torch.testing.assert_close(data[:, 1], 100 + 2 * height, atol=1e-4, rtol=0)
    assert torch.equal(_all(dataset, "label"), height.long() % 2)


def test_a_first_line_with_a_number_is_data(tmp_path: Path) -> None:
    dataset = table(path=_csv(tmp_path, _rows(10)), label=2)
    assert sum(len(tensors["real"]) for tensors in dataset.splits.values()) == 10


def test_condition_becomes_the_paired_input(tmp_path: Path) -> None:
    path = _csv(tmp_path, COLUMNS + _rows())
    dataset = table(path=path, condition=["weight"], label="kind", normalise="none")
    assert (dataset.shape, dataset.low_shape) == ((1,), (1,))
    real, low = _all(dataset, "real"), _all(dataset, "low")
    torch.testing.assert_close(low, 100 + 2 * real)
    by_number = table(path=path, condition=(1,), label=2, normalise="none")
    assert by_number.content_hash() == dataset.content_hash()
    by_digits = table(path=path, condition=["1"], label="2", normalise="none")
    assert by_digits.content_hash() == dataset.content_hash()


def test_condition_keeps_the_order_asked_for(tmp_path: Path) -> None:
    rows = "".join(f"{row},{row + 100},{row + 200}\n" for row in range(10))
    dataset = table(path=_csv(tmp_path, rows), condition=[2, 0], normalise="none")
    low, real = _all(dataset, "low"), _all(dataset, "real")
    torch.testing.assert_close(low, torch.cat([real + 100, real - 100], dim=1))


def test_minmax_statistics_are_the_training_rows(tmp_path: Path) -> None:
    path = _csv(tmp_path, COLUMNS + _rows())
    outside = 0
    for seed in range(5):
        dataset = table(path=path, condition=["weight"], label="kind", seed=seed)
        for key in ("real", "low"):
            train = dataset.splits["train"][key]
            assert (train.min().item(), train.max().item()) == (0.0, 1.0)
            everything = _all(dataset, key)
            outside += int(((everything < 0) | (everything > 1)).sum())
    assert outside > 0  # else the rows kept apart could not tell whose range it is
    dataset = table(path=path, condition=["weight"], label="kind")
    raw = table(path=path, condition=["weight"], label="kind", normalise="none")
    data = raw.splits["train"]["real"].double()
    assert dataset.offset.tolist() == [data.min().item()]
    assert dataset.scale.tolist() == [(data.max() - data.min()).item()]
    for split in ("train", "validation", "test"):
        torch.testing.assert_close(
            dataset.unscale(dataset.splits[split]["real"]),
            raw.splits[split]["real"],
            atol=1e-5,
            rtol=0,
        )


def test_standard_statistics_are_the_training_rows(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = str(tmp_path / "data.npy")
    np.save(path, rng.normal(5.0, 3.0, (50, 2)))
    dataset = table(path=path, normalise="standard")
    train = dataset.splits["train"]["real"].double()
    torch.testing.assert_close(train.mean(dim=0), torch.zeros(2).double(), atol=1e-6, rtol=0)
    sd = train.std(dim=0, correction=0)
    torch.testing.assert_close(sd, torch.ones(2).double(), atol=1e-6, rtol=0)
    assert dataset.splits["test"]["real"].mean().abs() > 1e-3


@pytest.mark.parametrize("normalise", ["minmax", "standard", "none"])
def test_a_constant_column_comes_back_exactly(tmp_path: Path, normalise: str) -> None:
    path = str(tmp_path / "data.npy")
    np.save(path, np.column_stack([np.arange(10.0), np.full(10, 0.1)]))
    dataset = table(path=path, normalise=normalise)
    constant = dataset.splits["train"]["real"][:, 1]
    assert constant.unique().tolist() == ([0.0] if normalise != "none" else [pytest.approx(0.1)])
    assert dataset.scale[1] == 1
    data = dataset.unscale(dataset.splits["test"]["real"])
    torch.testing.assert_close(data[:, 1], torch.full((2,), 0.1))


@pytest.mark.parametrize("dtype", ["float64", "float32", "int16", "uint8", "bool"])
def test_reads_npy_of_any_real_dtype(tmp_path: Path, dtype: str) -> None:
    values = (np.arange(20).reshape(10, 2) % 7).astype(dtype)
    path = str(tmp_path / "data.npy")
    np.save(path, values)
    dataset = table(path=path, normalise="none")
    ours = sorted(map(tuple, _all(dataset, "real").tolist()))
    assert ours == sorted(map(tuple, values.astype(float).tolist()))


def test_csv_and_npy_agree(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(30, 3))
    np.save(tmp_path / "data.npy", values)
    rows = "".join(",".join(repr(float(v)) for v in row) + "\n" for row in values)
    from_csv = table(path=_csv(tmp_path, rows), condition=[0])
    from_npy = table(path=str(tmp_path / "data.npy"), condition=[0])
    assert from_csv.content_hash() == from_npy.content_hash()


def test_numeric_classes_are_in_numeric_order(tmp_path: Path) -> None:
    rows = "".join(f"{row},{(10, 9, 2.5)[row % 3]}\n" for row in range(12))
    dataset = table(path=_csv(tmp_path, rows), label=1)
    assert dataset.classes == ("2.5", "9", "10")
    data = dataset.unscale(_all(dataset, "real"))[:, 0].round().long()
    assert torch.equal(_all(dataset, "label"), 2 - data % 3)
    np.save(tmp_path / "data.npy", np.array([[row, (10, 9, 2.5)[row % 3]] for row in range(12)]))
    again = table(path=str(tmp_path / "data.npy"), label=1)
    assert again.classes == dataset.classes
    assert again.content_hash() == dataset.content_hash()


def test_seed_decides_the_split(tmp_path: Path) -> None:
    path = _csv(tmp_path, COLUMNS + _rows())
    hashes = [table(path=path, label="kind", seed=seed).content_hash() for seed in (0, 0, 1)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_reads_other_delimiters_quotes_blank_lines_and_a_byte_order_mark(tmp_path: Path) -> None:
    text = '\ufeff"a b"; b\r\n1; 2\r\n\r\n3;"4"\r\n;\r\n5;6\r\n7; 8\r\n'
    dataset = table(path=_csv(tmp_path, text), delimiter=";", condition=["a b"], normalise="none")
    assert sorted(_all(dataset, "low")[:, 0].tolist()) == [1, 3, 5, 7]
    assert torch.equal(_all(dataset, "real"), _all(dataset, "low") + 1)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "data.csv: is empty"),
        ("\n \n", {}, "data.csv: is empty"),
        ("a,b\n", {}, "data.csv: has a header and no rows"),
        ("a,b,a\n1,2,3\n", {}, "data.csv: line 1 has two columns named 'a'"),
        ("a,b\n1,2\n\n3,4,5\n", {}, "data.csv: line 4 has 3 cells, line 1 has 2"),
        ("1,2\n3\n", {}, "data.csv: line 2 has 1 cells, line 1 has 2"),
        ("a,b\n1,2\n3,x\ny,4\n", {}, "data.csv: line 3, column 1 ('b'): 'x' is not a number"),
        ("1,2\n3,4\n5,1_0\n", {}, "data.csv: line 3, column 1: '1_0' is not a number"),
        ("1,2\n3,\n", {}, "data.csv: line 2, column 1: '' is not a number"),
        (
            "a\n1\n" + "z" * 99 + "\n",
            {},
            "data.csv: line 3, column 0 ('a'): '" + "z" * 27 + "...' is not a number",
        ),
        ("a,b\n1,2\n3,4\nnan,5\n", {}, "line 4, column 0 ('a'): nan is not finite in float32"),
        ("1,2\n3,4\n3,-inf\n", {}, "data.csv: line 3, column 1: -inf is not finite in float32"),
        ("1,2\n3,4\n3,1e39\n", {}, "data.csv: line 3, column 1: 1e+39 is not finite in float32"),
        ("1,2\n3,4\n5,6\n", {}, "data.csv: 3 rows are too few for 1 test and 1 validation rows"),
        (
            "height,weight\n1,2\n",
            {"condition": ["hight"]},
            "dataset.condition='hight': no such column in {path}; nearest: height, weight; or",
        ),
        (
            "height,weight\n1,2\n",
            {"label": "zzz"},
            "dataset.label='zzz': no such column in {path}; columns: height, weight; or a number",
        ),
        ("1,2\n", {"condition": ["x"]}, "it has no header: a number from 0 to 1"),
        ("1,2\n", {"condition": [2]}, "dataset.condition=2: no such column in {path}; a number"),
        ("1,2\n", {"condition": [-1]}, "dataset.condition=-1: no such column"),
        ("1,2\n", {"condition": [0, 1]}, "dataset.condition=[0, 1]: leaves no column"),
        ("1,2,3\n", {"condition": [0, 0]}, "a column of {path} is named twice"),
        ("1,2,3\n", {"condition": [0], "label": 0}, "a column of {path} is named twice"),
        ("a,b\n1,x\n2,\n3,y\n4,x\n", {"label": "b"}, "line 3, column 1 ('b'): the label is empty"),
        ("1,2\n", {"normalise": "both"}, "dataset.normalise='both': must be one of minmax, stand"),
        ("1,2\n", {"delimiter": ";;"}, "dataset.delimiter=';;': must be one character"),
        ("1,2\n", {"test_share": 0.0}, "dataset.test_share=0.0: must lie between 0 and 1"),
        ("1,2\n", {"validation_share": 1.5}, "dataset.validation_share=1.5: must lie between"),
        ("1,2\n", {"test_share": 0.9}, "dataset.test_share=0.9: must sum to less than 1"),
    ],
)
def test_csv_errors_say_where(
    tmp_path: Path, text: str, options: dict[str, Any], message: str
) -> None:
    path = _csv(tmp_path, text)
    assert message.replace("{path}", path) in _refusal(path, **options)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(4), r"data.npy: shape \(4,\) must have two dimensions"),
        (np.zeros((2, 2, 2)), r"data.npy: shape \(2, 2, 2\) must have two dimensions"),
        (np.zeros((0, 2)), r"data.npy: is empty, with shape \(0, 2\)"),
        (np.array([["a", "b"]]), "data.npy: dtype <U1 is not real numbers"),
        (np.zeros((4, 2), dtype=complex), "data.npy: dtype complex128 is not real numbers"),
        (np.array([[1, 2], [3, 4], [5, np.nan]]), "data.npy: row 2, column 1: nan is not finite"),
        (np.zeros((3, 2)), "data.npy: 3 rows are too few"),
        (np.array([[{}, 1]], dtype=object), "data.npy: holds Python objects; only arrays"),
    ],
)
def test_npy_errors_say_where(tmp_path: Path, array: np.ndarray, message: str) -> None:
    path = str(tmp_path / "data.npy")
    np.save(path, array, allow_pickle=True)
    assert re.search(message, _refusal(path))


@pytest.mark.parametrize("content", [b"", b"no array", b"PK\x03\x04", b"\x93NUMPY\x01\x00"])
def test_npy_that_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data.npy").write_bytes(content)
    assert _refusal(str(tmp_path / "data.npy")).endswith("is not a complete .npy file")


def test_a_truncated_npy(tmp_path: Path) -> None:
    path = tmp_path / "data.npy"
    np.save(path, np.zeros((10, 2)))
    path.write_bytes(path.read_bytes()[:-8])
    assert _refusal(str(path)) == f"{path}: is not a complete .npy file"


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    missing = str(tmp_path / "no.csv")
    assert _refusal(missing) == f"dataset.path={missing!r}: there is no such file"
    assert "the suffix must be .csv or .npy" in _refusal(_csv(tmp_path, "1,2\n", "data.txt"))
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    assert _refusal(str(folder)) == f"dataset.path={str(folder)!r}: is a folder, not a file"
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"1,2\n\xff\xfe,3\n")
    assert _refusal(str(binary)).startswith(f"{binary}: is not UTF-8 text")


# --- names and inputs of one's own -----------------------------------------------------------


def test_columns_keep_their_names(tmp_path: Path) -> None:
    path = _csv(tmp_path, "a,b,c,kind\n" + "".join(f"{i},{2 * i},{i + 1},x\n" for i in range(20)))
    dataset = table(path=path, condition=["c", 0], label="kind")
    assert (dataset.columns, dataset.low_columns) == (("b",), ("c", "a"))
    assert table(path=path, label="kind").low_columns is None
    bare = table(path=_csv(tmp_path, _rows(), "bare.csv"), condition=[0], label=2)
    assert (bare.columns, bare.low_columns) == (None, None)


@pytest.mark.parametrize("normalise", ["minmax", "standard", "none"])
def test_scale_low_is_the_tables_own(tmp_path: Path, normalise: str) -> None:
    path = _csv(tmp_path, COLUMNS + _rows())
    dataset = table(path=path, condition=["weight"], label="kind", normalise=normalise)
    raw = table(path=path, condition=["weight"], label="kind", normalise="none")
    for split, tensors in dataset.splits.items():
        data = raw.splits[split]["low"].double()
        assert torch.equal(dataset.scale_low(data).float(), tensors["low"])
    assert table(path=path, label="kind").low_scale is None


def test_read_columns_by_name_and_by_place(tmp_path: Path) -> None:
    path = _csv(tmp_path, "a;word;b\n1;x;2\n3;y;4\n")
    found = read_columns(path, names=("b", "a"), delimiter=";")
    assert (found.dtype, found.tolist()) == (torch.float64, [[2.0, 1.0], [4.0, 3.0]])
    bare = _csv(tmp_path, "1,2\n3,4\n", "bare.csv")
    assert read_columns(bare, names=("b", "a")).tolist() == [[1.0, 2.0], [3.0, 4.0]]
    np.save(tmp_path / "x.npy", np.array([[1, 2, 3]], dtype=np.int16))
    assert read_columns(str(tmp_path / "x.npy")).tolist() == [[1.0, 2.0, 3.0]]


def test_read_columns_names_what_it_cannot_read(tmp_path: Path) -> None:
    path = _csv(tmp_path, "a,word\n1,x\n")
    with pytest.raises(ValueError, match=r"^--input=.*data\.csv: no column 'b'; needed: a, b$"):
        read_columns(path, names=("a", "b"), key="--input")
    with pytest.raises(ValueError, match=r"line 2, column 1 \('word'\): 'x' is not a number$"):
        read_columns(path, names=("a", "word"))
    with pytest.raises(ValueError, match=r"^--input='gone\.csv': there is no such file$"):
        read_columns("gone.csv", key="--input")
