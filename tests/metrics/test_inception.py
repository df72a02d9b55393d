"""Inception's scores, with a stand-in for its network."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from gan_runner.metrics import inception
from gan_runner.metrics.features import classifier_score, frechet_distance, kernel_distance

SEEN: list[Tensor] = []


class Network(nn.Module):
    """Takes and returns what torch-fidelity's does, the features narrower."""

    def __init__(self, name: str, features_list: list[str]) -> None:
        super().__init__()
        assert (name, features_list) == ("inception-v3-compat", ["2048", "logits_unbiased"])

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """[N, 3, H, W] bytes -> [N, 4] and [N, 3]."""
        assert images.dtype == torch.uint8
        SEEN.append(images)
        x = images.float() / 255
        return x[:, 0].flatten(1)[:, :4], x.flatten(2).mean(2) * 5


class Offline(nn.Module):
    """Its weights cannot be downloaded."""

    def __init__(self, **_: object) -> None:
        super().__init__()
        raise OSError("<urlopen error\n no route>")


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    inception._extractor.cache_clear()
    SEEN.clear()
    yield
    inception._extractor.cache_clear()


def install(monkeypatch: pytest.MonkeyPatch, network: type[nn.Module]) -> None:
    """Put a stand-in where the package would be."""
    module = ModuleType("torch_fidelity.feature_extractor_inceptionv3")
    module.FeatureExtractorInceptionV3 = network  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch_fidelity", ModuleType("torch_fidelity"))
    monkeypatch.setitem(sys.modules, module.__name__, module)


def _images(num: int, channels: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(num, channels, 3, 3, generator=generator) * 2 - 1


@pytest.mark.parametrize("channels", [1, 3])
def test_the_scores_are_those_of_its_features(
    channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, Network)
    generated, real = _images(130, channels, 0), _images(80, channels, 1)
    found = inception.inception_scores(generated, real)
    assert tuple(found) == inception.NAMES

    def see(images: Tensor) -> tuple[Tensor, ...]:
        levels = ((images + 1) * 127.5).round().to(torch.uint8).expand(-1, 3, -1, -1)
        return Network("inception-v3-compat", ["2048", "logits_unbiased"])(levels)

    (x, logits), (y, _) = see(generated), see(real)
    assert found["frechet_inception_distance"] == pytest.approx(frechet_distance(x, y), rel=1e-9)
    assert found["kernel_inception_distance"] == pytest.approx(kernel_distance(x, y), rel=1e-9)
    scores = [classifier_score(logits[start : start + 13]) for start in range(0, 130, 13)]
    assert found["inception_score"] == pytest.approx(sum(scores) / 10, rel=1e-9)


def test_images_reach_the_network_as_bytes_of_three_channels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install(monkeypatch, Network)
    grey = torch.tensor([-1.2, -1.0, 0.0, 1.0]).reshape(4, 1, 1, 1).expand(4, 1, 2, 2)
    inception.inception_scores(grey, grey)
    assert SEEN[0].shape == (4, 3, 2, 2)
    assert SEEN[0][:, 2, 1, 1].tolist() == [0, 0, 128, 255]


def test_the_network_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Network)
    inception.check()
    first = inception._extractor()
    inception.check()
    assert inception._extractor() is first


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("torch_fidelity", "torch_fidelity.feature_extractor_inceptionv3"):
        monkeypatch.setitem(sys.modules, name, None)
    message = r"^metrics=inception: needs torch-fidelity \(pip install 'gan-runner\[inception\]'\)"
    with pytest.raises(ValueError, match=message):
        inception.check()


def test_without_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Offline)
    with pytest.raises(
        ValueError, match=r"cannot be downloaded \(<urlopen error no route>\)"
    ) as it:
        inception.check()
    assert str(it.value).startswith("metrics=inception: ")
    assert "\n" not in str(it.value)


def test_what_is_not_finite_has_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Network)
    bad = _images(4, 1, 0)
    bad[2] = math.nan
    found = inception.inception_scores(bad, _images(4, 1, 1))
    assert tuple(found) == inception.NAMES
    assert all(math.isnan(value) for value in found.values())


def test_what_is_no_image_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Network)
    good = _images(4, 3, 0)
    for bad in (_images(4, 2, 0), good[:1], good[0]):
        for pair in ((bad, good), (good, bad)):
            with pytest.raises(ValueError, match=r"must be \[N, C, H, W\] with N at least 2"):
                inception.inception_scores(*pair)
