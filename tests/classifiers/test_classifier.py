"""Shipped classifiers, and those of the user's own."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gan_runner import classifiers, registry
from gan_runner.classifiers import classifier
from gan_runner.classifiers.network import ConvClassifier
from gan_runner.datasets.images import digits

SHIPPED = {
    "cifar10": (3, 32, 32), "digits": (1, 8, 8), "fashion_mnist": (1, 28, 28), "mnist": (1, 28, 28),
}  # fmt: skip
REACHED = {"cifar10": 0.8, "digits": 0.97, "fashion_mnist": 0.92, "mnist": 0.993}


def _images(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """An untrained classifier's file."""
    network = ConvClassifier(channels=3, stages=((4,), (6,)), num_classes=5).eval()
    record = {"accuracy": 0.25, "recipe": {"seed": 3}}
    classifier.save(
        network, name="own", shape=(3, 9, 7), stages=((4,), (6,)), record=record, folder=tmp_path
    )
    return tmp_path / "own.safetensors"


def test_all_are_shipped() -> None:
    assert classifiers.names() == list(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_classifier_is_what_its_record_says(name: str) -> None:
    found = classifiers.load(name)
    file = classifier.FOLDER / f"{name}.safetensors"
    assert found.hash == hashlib.sha256(file.read_bytes()).hexdigest()
    assert file.stat().st_size < 1_000_000
    assert (found.name, found.shape, found.num_classes) == (name, SHIPPED[name], 10)
    assert REACHED[name] <= found.accuracy < 1
    record = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    assert record["accuracy"] == pytest.approx(1 - record["errors"] / record["num_test"])
    assert record["num_features"] == found.num_features
    assert {"stages", "epochs", "optimizer", "seed", "torch", "data"} <= set(found.recipe)


def test_the_digits_classifier_reads_digits() -> None:
    found = classifiers.load("digits")
    data = digits()
    test = data.splits["test"]
    real, label = test["real"], test["label"]
    assert isinstance(real, Tensor)
    assert isinstance(label, Tensor)
    features, logits = found(real.float() / 127.5 - 1)
    assert features.shape == (len(label), found.num_features)
    accuracy = float((logits.argmax(1) == label).float().mean())
    assert accuracy == pytest.approx(found.accuracy, abs=1 / len(label))  # rounding may turn one
    assert data.content_hash() == found.recipe["data"]


def test_a_classifier_of_the_users_own(own: Path) -> None:
    found = classifiers.load(str(own))
    assert (found.name, found.shape, found.num_classes) == ("own", (3, 9, 7), 5)
    assert (found.num_features, found.accuracy, found.recipe) == (6, 0.25, {"seed": 3})
    features, logits = found(_images(2, 3, 9, 7))
    assert (features.shape, logits.shape) == ((2, 6), (2, 5))
    assert (features.dtype, logits.dtype) == (torch.float32, torch.float32)


def test_an_answer_does_not_depend_on_the_company(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = classifiers.load(str(own))
    images = _images(7, 3, 9, 7)
    whole = found(images)
    monkeypatch.setattr(classifier, "_CHUNK", 3)
    for part, all_at_once in zip(found(images), whole, strict=True):
        torch.testing.assert_close(part, all_at_once)
    alone = torch.cat([found(image[None])[1] for image in images])
    torch.testing.assert_close(alone, whole[1])


def test_asking_changes_nothing(own: Path) -> None:
    found = classifiers.load(str(own))
    before = {key: value.clone() for key, value in found.network.state_dict().items()}
    found.network.train()  # as a careless caller may leave it
    images = _images(4, 3, 9, 7).requires_grad_()
    features, logits = found(images)
    assert not features.requires_grad
    assert not logits.requires_grad
    after = found.network.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())
    assert not any(each.requires_grad for each in found.network.parameters())


def test_loading_draws_nothing(own: Path) -> None:
    state = torch.get_rng_state()
    classifiers.load(str(own))
    assert torch.equal(torch.get_rng_state(), state)


def test_no_images_and_bad_images(own: Path) -> None:
    found = classifiers.load(str(own))
    features, logits = found(_images(0, 3, 9, 7))
    assert (features.shape, logits.shape) == ((0, 6), (0, 5))
    bad = _images(2, 3, 9, 7)
    bad[1] = float("nan")
    features, logits = found(bad)
    assert logits[1].isnan().all()
    torch.testing.assert_close(logits[:1], found(bad[:1])[1])
    torch.testing.assert_close(found(bad[:1].double())[1], logits[:1])


def test_other_images_are_refused(own: Path) -> None:
    found = classifiers.load(str(own))
    message = r"^classifier own: images \[2, 1, 9, 7\] must be \[N, 3, 9, 7\]$"
    with pytest.raises(ValueError, match=message):
        found(_images(2, 1, 9, 7))
    with pytest.raises(ValueError, match=r"images \[3, 9, 7\] must be"):
        found(_images(3, 9, 7))
    with pytest.raises(ValueError, match=r"uint8 must be floats in \[-1, 1\]"):
        found(torch.zeros(2, 3, 9, 7, dtype=torch.uint8))


def test_a_name_that_is_none() -> None:
    message = r"'cifar': is none of cifar10, .*, nor a .safetensors file$"
    with pytest.raises(ValueError, match=message):
        classifiers.load("cifar")
    with pytest.raises(ValueError, match=r"gone.safetensors': there is no such file$"):
        classifiers.load("gone.safetensors")


def test_changed_weights_are_refused(own: Path) -> None:
    data = bytearray(own.read_bytes())
    data[-1] ^= 1
    own.write_bytes(data)
    with pytest.raises(ValueError, match=r"own.safetensors has the sha256 .* its record says"):
        classifiers.load(str(own))


def _rewrite(own: Path, **changes: object) -> None:
    path = own.with_suffix(".json")
    record = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(json.dumps(record), encoding="utf-8")


def test_a_record_that_does_not_fit_is_refused(own: Path) -> None:
    _rewrite(own, num_classes=6)
    with pytest.raises(ValueError, match="does not fit") as caught:
        classifiers.load(str(own))
    assert "\n" not in str(caught.value)
    _rewrite(own, num_classes=5, stages=[[4], [6], [6]])
    with pytest.raises(ValueError, match=r"does not fit .*Missing key"):
        classifiers.load(str(own))
    _rewrite(own, stages=[[4], "six"])
    with pytest.raises(ValueError, match="does not fit"):
        classifiers.load(str(own))


def test_a_record_that_is_missing_or_broken_is_refused(own: Path) -> None:
    record = own.with_suffix(".json")
    text = record.read_text(encoding="utf-8")
    short = {key: value for key, value in json.loads(text).items() if key != "stages"}
    record.write_text(json.dumps(short), encoding="utf-8")
    with pytest.raises(ValueError, match=r"own.json has no stages$"):
        classifiers.load(str(own))
    for broken in ("{", "[1]"):
        record.write_text(broken, encoding="utf-8")
        with pytest.raises(ValueError, match=r"own.json (cannot be read|has no)"):
            classifiers.load(str(own))
    record.unlink()
    with pytest.raises(ValueError, match=r"own.json cannot be read"):
        classifiers.load(str(own))


def test_other_bytes_with_their_own_hash_are_refused(own: Path) -> None:
    own.write_bytes(b"no tensors here")
    _rewrite(own, hash=hashlib.sha256(own.read_bytes()).hexdigest())
    with pytest.raises(ValueError, match="does not fit"):
        classifiers.load(str(own))


def test_a_copy_elsewhere_is_the_same(tmp_path: Path) -> None:
    for suffix in (".safetensors", ".json"):
        shutil.copy(classifier.FOLDER / f"digits{suffix}", tmp_path / f"mine{suffix}")
    mine, shipped = classifiers.load(str(tmp_path / "mine.safetensors")), classifiers.load("digits")
    assert mine.hash == shipped.hash
    images = _images(3, 1, 8, 8)
    assert torch.equal(mine(images)[1], shipped(images)[1])


def test_the_wheel_holds_the_weights() -> None:
    wheel = pytest.importorskip("hatchling.builders.wheel")
    root = classifier.FOLDER.parents[1]
    if not (root / "pyproject.toml").is_file():
        pytest.skip("not run from the repository")
    packed = {
        each.distribution_path for each in wheel.WheelBuilder(str(root)).recurse_included_files()
    }
    for name in SHIPPED:
        for suffix in (".safetensors", ".json"):
            assert f"gan_runner/classifiers/{name}{suffix}" in packed


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_a_shipped_classifier_reads_its_test_images(name: str) -> None:
    """Where the set's files are at hand."""
    try:
        data = registry.load("datasets", name)(download=False)
    except ValueError as error:
        pytest.skip(str(error))
    real, label = data.splits["test"]["real"], data.splits["test"]["label"]
    _, logits = classifiers.load(name)(real[:1000].float() / 127.5 - 1)
    accuracy = float((logits.argmax(1) == label[:1000]).float().mean())
    assert REACHED[name] - 0.01 < accuracy < 1
