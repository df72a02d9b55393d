"""Growing: how far a resolution has come in, and what D sees of the data meanwhile."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from gan_runner.networks.growth import Growth, fade, shrunken
from gan_runner.networks.path_length import PathLength


def test_a_resolution_comes_in_linearly() -> None:
    seen = [float(fade(torch.tensor(at), 0.2, 0.4)) for at in (0.0, 0.2, 0.3, 0.6, 0.9)]
    assert [round(each, 6) for each in seen] == [0.0, 0.0, 0.25, 1.0, 1.0]
    assert float(fade(torch.tensor(0.2), 0.2, 0.0)) == 1.0


def test_data_are_pooled_and_fade_likewise() -> None:
    images = torch.arange(64.0).reshape(1, 1, 8, 8)
    assert torch.equal(shrunken(images, 1, None), F.avg_pool2d(images, 2))
    coarse = F.interpolate(F.avg_pool2d(images, 4), scale_factor=2, mode="nearest")
    assert torch.equal(shrunken(images, 1, torch.tensor(0.0)), coarse)
    assert torch.equal(shrunken(images, 1, torch.tensor(1.0)), F.avg_pool2d(images, 2))
    half = shrunken(images, 1, torch.tensor(0.5))
    assert torch.allclose(half, (coarse + F.avg_pool2d(images, 2)) / 2)


def test_growth_is_remembered_in_training_alone() -> None:
    memory = Growth(4, 1)
    assert memory().tolist() == [1.0, 1.0, 0.0, 0.0]
    memory(2, torch.tensor(0.25))
    assert memory().tolist() == [1.0, 1.0, 0.25, 0.0]
    memory.eval()
    memory(3, torch.tensor(0.5))
    assert memory().tolist() == [1.0, 1.0, 0.25, 0.0]
    assert "running_share" in memory.state_dict()


def test_the_mean_path_length_moves_in_training_alone() -> None:
    memory = PathLength()
    assert float(memory(torch.tensor([1.0, 3.0]))) == torch.tensor(0.02)
    assert float(memory.running_length) == torch.tensor(0.02)
    memory.eval()
    memory(torch.tensor([1.0, 3.0]))
    assert float(memory.running_length) == torch.tensor(0.02)
