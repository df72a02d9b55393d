"""How samples go through D: packs, noise, one pass or two."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gan_runner.models.passes import (
    apart,
    full_precision,
    mixes_samples,
    packed,
    packed_draws,
    repeated,
    seen,
)


def test_packing_joins_neighbours() -> None:
    x = torch.arange(12.0).view(6, 2)
    assert packed(x, 1) is x
    assert packed(x, 3).tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]
    images = torch.arange(4 * 3 * 2 * 2).view(4, 3, 2, 2)
    assert torch.equal(packed(images, 2)[1], torch.cat([images[2], images[3]]))


def test_a_pack_has_one_mixing_number() -> None:
    batch = {"mix": torch.arange(6.0), "perturbation": torch.arange(12.0).view(6, 2)}
    draws = packed_draws(batch, 3)
    assert draws["mix"].tolist() == [0.0, 3.0]
    assert draws["perturbation"].shape == (2, 6)
    assert packed_draws(batch, 1) is batch
    assert batch["mix"].shape == (6,)


def test_noise_is_added_where_it_is_drawn() -> None:
    generated, h = torch.ones(2, 3), {"model.output_noise": torch.tensor(0.5)}
    assert seen(generated, {}, h) is generated
    noise = torch.tensor([[1.0, -2.0, 0.0], [0.0, 4.0, 0.5]])
    found = seen(generated, {"output_noise": noise}, h)
    assert found.tolist() == [[1.5, 0.0, 1.0], [1.0, 3.0, 1.25]]


@pytest.mark.parametrize("joint", [True, False])
def test_one_pass_or_two(joint: bool) -> None:
    lengths = []

    def read(x: Tensor) -> Tensor:
        lengths.append(len(x))
        return 2 * x

    real, fake = torch.arange(3.0), 10 + torch.arange(2.0)
    found = apart(read, real, fake, joint=joint)
    assert [each.tolist() for each in found] == [[0.0, 2.0, 4.0], [20.0, 22.0]]
    assert lengths == ([5] if joint else [3, 2])


def test_conditions_are_repeated_in_order() -> None:
    labels = torch.tensor([4, 7, 1])
    assert repeated(labels, torch.zeros(3, 2)) is labels
    assert repeated(labels, torch.zeros(6, 2)).tolist() == [4, 7, 1, 4, 7, 1]
    low = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert repeated(low, torch.zeros(4, 5)).tolist() == 2 * low.tolist()


def test_what_mixes_samples() -> None:
    assert mixes_samples(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)))
    assert mixes_samples(nn.Sequential(nn.Sequential(nn.BatchNorm2d(3))))
    assert not mixes_samples(nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3), nn.GroupNorm(1, 3)))


def test_only_autocasts_format_is_widened() -> None:
    assert full_precision(torch.zeros(1, dtype=torch.bfloat16)).dtype == torch.float32
    wide = torch.zeros(1, dtype=torch.float64)
    assert full_precision(wide) is wide
