"""Nearest training images."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from gan_runner import nearest as module
from gan_runner.datasets.dataset import as_floats
from gan_runner.nearest import nearest


def images(num: int, *, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (num, 3, 6, 5), generator=generator, dtype=torch.uint8)


def by_hand(queries: Tensor, rows: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Every distance in float64, sorted."""
    flat = as_floats(rows, torch.float64).flatten(1)
    distances = (queries.double().flatten(1)[:, None] - flat[None]).norm(dim=2)
    found = distances.sort(dim=1, stable=True)
    return found.indices[:, :k], found.values[:, :k]


@pytest.mark.parametrize("chunk", [1, 700, 4_000_000])
def test_against_all_distances(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(module, "CHUNK", chunk)
    rows, queries = images(200), as_floats(images(7, seed=1), torch.float32)
    places, distances = nearest(queries, rows, 4)
    wanted_places, wanted = by_hand(queries, rows, 4)
    assert torch.equal(places, wanted_places)
    torch.testing.assert_close(distances.double(), wanted, rtol=1e-5, atol=1e-6)


def test_a_copy_has_distance_0() -> None:
    rows = images(300)
    rows[17] = rows[5]
    places, distances = nearest(as_floats(rows[[5, 250]], torch.float32), rows, 2)
    assert sorted(places[0].tolist()) == [5, 17]
    assert distances[0].tolist() == [0, 0]
    assert int(places[1, 0]) == 250
    assert float(distances[1, 0]) == 0 < float(distances[1, 1])


def test_floats_and_bytes_agree() -> None:
    rows, queries = images(50), as_floats(images(3, seed=1), torch.float32)
    of_floats = nearest(queries, as_floats(rows, torch.float32), 3)
    for left, right in zip(nearest(queries, rows, 3), of_floats, strict=True):
        assert torch.equal(left, right)


def test_only_the_rows_of_an_index() -> None:
    rows, queries = images(100), as_floats(images(5, seed=1), torch.float32)
    index = torch.tensor([3, 50, 51, 99])
    places, distances = nearest(queries, rows, 3, index=index)
    wanted, values = by_hand(queries, rows[index], 3)
    assert torch.equal(places, index[wanted])
    torch.testing.assert_close(distances.double(), values, rtol=1e-5, atol=1e-6)


def test_rows_may_be_made_when_asked_for() -> None:
    rows = images(40)
    asked: list[int] = []

    class Source:
        device, dtype, shape = rows.device, rows.dtype, rows.shape

        def __len__(self) -> int:
            return len(rows)

        def __getitem__(self, index: Any) -> Tensor:
            asked.append(len(index))
            return rows[index]

    source, queries = Source(), as_floats(images(2, seed=1), torch.float32)
    found = nearest(queries, source, 3)  # type: ignore[arg-type]
    assert torch.equal(found[0], nearest(queries, rows, 3)[0])
    assert asked == [40, 7, 7]  # all of them once, then the candidates


def test_fewer_rows_than_asked_for() -> None:
    places, distances = nearest(torch.zeros(2, 3, 6, 5), images(3), 5)
    assert places.shape == distances.shape == (2, 3)


def test_queries_that_are_not_finite() -> None:
    queries = torch.full((1, 3, 6, 5), float("nan"))
    rows = torch.zeros(4, 3, 6, 5)
    rows[:3] += torch.tensor([0.5, 0.4, 0.3])[:, None, None, None]
    assert nearest(queries, rows, 2)[0].tolist() == [[3, 2]]
