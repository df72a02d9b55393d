"""Nearest training images: what memorising would show."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_runner.datasets.dataset import Rows, as_floats

CHUNK = 4_000_000  # numbers compared at once
SPARE = 4  # further candidates, since the first distances are rounded


def nearest(
    queries: Tensor, rows: Rows, k: int, *, index: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The k rows nearest to each query by the Euclidean distance of their pixels.

    Rows are read in chunks, so that bytes are never all floats at once. They are first ranked by
    |row|^2 - 2 query . row, whose rounding is too coarse for rows that equal the query; the last
    few candidates are then compared exactly. Values that are not finite count as 0, +-1.

    Args:
        queries: [N, C, H, W] in [-1, 1].
        rows: [M, C, H, W], bytes or floats; M > 0.
        k: how many, at most M.
        index: the rows that are looked through; None: all.

    Returns:
        Places among the rows [N, k] and their distances [N, k], nearest first.
    """
    wanted = queries.float().nan_to_num(0.0, 1.0, -1.0).flatten(1)  # [N, d]
    among = torch.arange(len(rows)) if index is None else index
    total, size = len(among), wanted.shape[1]
    k = min(k, total)
    num = min(k + SPARE, total)
    step = max(num, CHUNK // size)
    ranks, places = wanted.new_empty(len(wanted), 0), wanted.new_empty(len(wanted), 0).long()
    for start in range(0, total, step):
        chunk = among[start : start + step]
        part = _floats(rows[chunk.to(rows.device)], wanted)  # [chunk, d]
        found = part.square().sum(dim=1) - 2 * wanted @ part.T  # [N, chunk]
        ranks = torch.cat([ranks, found], dim=1)
        here = chunk.to(wanted.device).expand(len(wanted), -1)
        places = torch.cat([places, here], dim=1)
        ranks, order = ranks.topk(min(num, ranks.shape[1]), dim=1, largest=False)
        places = places.gather(1, order)
    exact = [
        (_floats(rows[found.to(rows.device)], wanted) - query).norm(dim=1)
        for query, found in zip(wanted, places, strict=True)
    ]
    distances, order = torch.stack(exact).sort(dim=1, stable=True)
    return places.gather(1, order)[:, :k], distances[:, :k]


def _floats(rows: Tensor, like: Tensor) -> Tensor:
    return as_floats(rows, torch.float32).to(like.device).flatten(1)
