"""What a classifier sees of images, whole or stacked."""

from __future__ import annotations

import math

import pytest
import torch

from gan_runner.metrics.inputs import MetricInputs, Seen


def seen(*shape: int, seed: int = 0) -> Seen:
    generator = torch.Generator().manual_seed(seed)
    return Seen(
        features=torch.randn(shape[0], 4, generator=generator),
        part_logits=torch.randn(*shape, generator=generator),
    )


def test_whole_images_have_the_classifiers_own_logits() -> None:
    whole = seen(6, 1, 5)
    assert whole.num_classes == 5
    assert torch.equal(whole.logits(), whole.part_logits[:, 0])
    assert torch.equal(whole.classes(), whole.part_logits[:, 0].argmax(dim=1))


def test_the_classes_of_a_stacked_image_are_tuples() -> None:
    stacked = seen(7, 3, 4)
    assert stacked.num_classes == 64
    joint = stacked.logits().exp()
    assert joint.shape == (7, 64)
    assert joint.sum(dim=1) == pytest.approx(torch.ones(7), abs=1e-5)
    single = stacked.part_logits.softmax(dim=2)
    for row, (a, b, c) in ((0, (0, 0, 1)), (3, (2, 1, 3)), (6, (3, 3, 3))):
        expected = single[row, 0, a] * single[row, 1, b] * single[row, 2, c]
        assert float(joint[row, 16 * a + 4 * b + c]) == pytest.approx(float(expected), rel=1e-4)
    assert torch.equal(stacked.classes(), joint.argmax(dim=1))


def test_shares_of_tuples_are_products_of_their_parts() -> None:
    logits = torch.full((4, 2, 3), -9.0)
    for row, (a, b) in enumerate([(0, 0), (0, 1), (0, 1), (2, 1)]):
        logits[row, 0, a] = logits[row, 1, b] = 9.0
    shares = Seen(features=torch.zeros(4, 1), part_logits=logits).class_shares()
    expected = torch.outer(torch.tensor([0.75, 0, 0.25]), torch.tensor([0.25, 0.75, 0]))
    assert torch.equal(shares, expected.flatten().double())
    # (2, 0) is in no image, and possible.
    assert float(shares[6]) == 0.0625


@pytest.mark.parametrize("part", ["features", "part_logits"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite(part: str, value: float) -> None:
    found = seen(3, 1, 2)
    assert found.finite()
    getattr(found, part)[1] = value
    assert not found.finite()


def test_facts() -> None:
    x, images = torch.zeros(2, 3), torch.zeros(2, 1, 4, 4)
    assert MetricInputs(generated=x, real=x).facts() == {"samples", "vectors"}
    half = MetricInputs(generated=x, real=x, predicted=x)
    assert half.facts() == {"samples", "vectors"}
    full = MetricInputs(
        generated=images, real=images, predicted=x, target=x, see=lambda _: seen(2, 1, 2),
        stacked=True, labels=torch.zeros(2), probe=lambda _: {}, redraw=lambda *_: images,
    )  # fmt: skip
    words = {"samples", "images", "pairs", "classifier", "stacked", "labels", "codes"}
    assert full.facts() == words
