"""What a classifier is shown of a run's images."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from gan_runner.classifiers.classifier import Classifier
from gan_runner.metrics import view as view_module
from gan_runner.metrics.view import View


class Plain(nn.Module):
    """Features: the pixels' sum and first pixel; logits: the features and their negatives."""

    num_features = 2

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[Tensor] = []

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        self.shown.append(images)
        features = torch.stack([images.flatten(1).sum(dim=1), images[:, 0, 0, 0]], dim=1)
        return features, torch.cat([features, -features], dim=1)


@pytest.fixture
def network() -> Plain:
    return Plain()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GAN_RUNNER_CACHE", str(tmp_path))
    return tmp_path / "features"


def look(network: Plain, *, pad: int = 0, stacked: bool = False, sha: str = "a" * 64) -> View:
    classifier = Classifier(
        network=network, name="plain", shape=(1, 4, 4), num_classes=4, hash=sha, accuracy=0.5
    )
    device = torch.device("cpu")
    return View(classifier=classifier, device=device, pad=pad, stacked=stacked)


def some_images(num: int, channels: int = 1, side: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(num)
    return torch.rand(num, channels, side, side, generator=generator) * 2 - 1


def test_whole_images(network: Plain) -> None:
    images = some_images(5)
    seen = look(network)(images)
    assert torch.equal(torch.cat(network.shown), images)
    assert seen.features.shape == (5, 2)
    assert seen.part_logits.shape == (5, 1, 4)
    assert torch.equal(seen.features[:, 1], images[:, 0, 0, 0])
    assert torch.equal(seen.logits()[:, 2:], -seen.features)


def test_padding_is_cut_off(network: Plain) -> None:
    images = some_images(3, side=8)
    look(network, pad=2)(images)
    assert torch.equal(network.shown[0], images[:, :, 2:6, 2:6])


def test_stacked_images_are_shown_channel_by_channel(network: Plain) -> None:
    images = some_images(5, channels=3)
    seen = look(network, stacked=True)(images)
    assert torch.equal(network.shown[0], images.reshape(15, 1, 4, 4))
    assert seen.features.shape == (5, 6)
    assert torch.equal(seen.features[:, 1::2], images[:, :, 0, 0])
    assert seen.part_logits.shape == (5, 3, 4)
    assert torch.equal(seen.part_logits[:, :, 1], images[:, :, 0, 0])


def test_in_chunks_and_in_float32(network: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    images = some_images(7)
    whole = look(network)(images)
    monkeypatch.setattr(view_module, "CHUNK", 3)
    network.shown.clear()
    parts = look(network)(images.double())
    assert [len(each) for each in network.shown] == [3, 3, 1]
    assert {each.dtype for each in network.shown} == {torch.float32}
    assert torch.equal(parts.features, whole.features)
    assert torch.equal(parts.part_logits, whole.part_logits)


def test_remembered_images_are_shown_once(network: Plain, cache: Path) -> None:
    images = some_images(5)
    first = look(network).remembered(images)
    again = look(network).remembered(images.clone())
    assert len(network.shown) == 1
    assert torch.equal(first.features, again.features)
    assert torch.equal(first.part_logits, again.part_logits)
    look(network)(images)  # generated ones are not
    assert len(network.shown) == 2
    assert len(list(cache.iterdir())) == 1


def test_what_differs_is_shown_again(network: Plain) -> None:
    images = some_images(5)
    look(network).remembered(images)
    look(network, sha="b" * 64).remembered(images)
    look(network, stacked=True).remembered(images)
    look(network).remembered(images.flip(0))
    look(network).remembered(some_images(6))
    assert len(network.shown) == 5
    larger = some_images(5, side=8)
    look(network, pad=2).remembered(larger)
    assert len(network.shown) == 6


def test_what_a_protocol_says(network: Plain) -> None:
    view = look(network, sha="0123456789abcdef")
    expected = {"name": "plain", "hash": "0123456789ab", "accuracy": 0.5, "features": 2}
    assert dict(view.details()) == expected
    assert len({look(network, pad=p, stacked=s).identity() for p in (0, 1) for s in (0, 1)}) == 4


def test_images_that_the_classifier_does_not_know(network: Plain) -> None:
    look(network).check(some_images(1)[0])
    look(network, pad=2).check(some_images(1, side=8)[0])
    look(network, stacked=True).check(some_images(1, channels=3)[0])
    for image in (some_images(1, side=8), some_images(1, channels=3)):
        with pytest.raises(ValueError, match="classifier plain: images"):
            look(network).check(image[0])
