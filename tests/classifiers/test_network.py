"""The classifiers' network."""

from __future__ import annotations

import pytest
import torch

from gan_runner.classifiers.network import ConvClassifier


@pytest.mark.parametrize(("size", "channels"), [(28, 1), (8, 1), (32, 3)])
def test_features_and_logits(size: int, channels: int) -> None:
    network = ConvClassifier(channels=channels, stages=((4,), (5, 6), (7,)), num_classes=10)
    features, logits = network(torch.rand(3, channels, size, size) * 2 - 1)
    assert features.shape == (3, 7) == (3, network.num_features)
    assert torch.equal(logits, network.head(features))
    assert logits.shape == (3, 10)


def test_features_are_averages_over_places() -> None:
    network = ConvClassifier(channels=1, stages=((4,),), num_classes=2).eval()
    images = torch.rand(2, 1, 6, 6) * 2 - 1
    maps = network.convolutions((images + 1) / 2)
    torch.testing.assert_close(network(images)[0], maps.flatten(2).mean(2))


def test_a_black_border_is_like_the_padding() -> None:
    # What an image shows may lie at its border: beyond it the background goes on.
    network = ConvClassifier(channels=1, stages=((4,),), num_classes=2).eval()
    image = torch.rand(1, 1, 8, 8) * 2 - 1
    wider = torch.nn.functional.pad(image, (1, 1, 1, 1), value=-1.0)
    inner = network.convolutions((wider + 1) / 2)[:, :, 1:-1, 1:-1]
    torch.testing.assert_close(inner, network.convolutions((image + 1) / 2))


def test_the_shipped_size_fits_a_megabyte() -> None:
    network = ConvClassifier(channels=1, stages=((32,), (48, 64), (96, 128)), num_classes=10)
    assert sum(each.numel() for each in network.parameters()) == 209_674
