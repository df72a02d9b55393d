"""How classes go in: by hand, their gradients, and what is refused."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gan_runner.networks.conditioning import (
    ConditionalBatchNorm2d,
    Discriminator,
    JoinedImage,
    JoinedLatent,
    Projection,
    check_condition,
    normalisation,
    normalise,
    one_hot,
    takes_bias,
)

LABEL = torch.tensor([2, 0, 2, 1])


def test_one_hot() -> None:
    out = one_hot(torch.tensor([1, 0]), 3, torch.zeros(1, dtype=torch.float64))
    assert out.tolist() == [[0, 1, 0], [1, 0, 0]]
    assert out.dtype is torch.float64


def test_conditional_batch_norm_by_hand() -> None:
    layer = ConditionalBatchNorm2d(5, 3).double()
    x = torch.randn(4, 5, 3, 2, dtype=torch.float64)
    plain = nn.BatchNorm2d(5, affine=False).double()(x)
    torch.testing.assert_close(layer(x, LABEL), plain)  # gain 1 and bias 0 at the start
    with torch.no_grad():
        layer.gain.weight.normal_()
        layer.bias.weight.normal_()
    out = layer(x, LABEL)
    for n, label in enumerate(LABEL.tolist()):
        gain, bias = layer.gain.weight[label], layer.bias.weight[label]
        torch.testing.assert_close(out[n], plain[n] * gain[:, None, None] + bias[:, None, None])
    out.square().sum().backward()
    assert layer.gain.weight.grad is not None
    used = layer.gain.weight.grad.abs().sum(1) > 0
    assert used.tolist() == [True, True, True]
    layer.zero_grad()
    layer(x, torch.zeros_like(LABEL)).square().sum().backward()
    assert (layer.gain.weight.grad.abs().sum(1) > 0).tolist() == [True, False, False]


def test_joined_latents() -> None:
    z = torch.randn(4, 6)
    plain = JoinedLatent(6, 3, "concat")
    assert plain.num_outputs == 9
    out = plain(z, LABEL)
    assert torch.equal(out[:, :6], z)
    assert out[:, 6:].argmax(1).tolist() == LABEL.tolist()
    assert out[:, 6:].sum(1).tolist() == [1, 1, 1, 1]
    learned = JoinedLatent(6, 3, "embedding")
    assert learned.embedding is not None
    assert torch.equal(learned(z, LABEL)[:, 6:], learned.embedding.weight[LABEL])
    assert learned.num_outputs == 12


def test_joined_images() -> None:
    x = torch.randn(4, 2, 5, 6)
    planes = JoinedImage((2, 5, 6), 3, "concat")
    out = planes(x, LABEL)
    assert out.shape == (4, planes.num_outputs, 5, 6) == (4, 5, 5, 6)
    assert torch.equal(out[:, :2], x)
    for n, label in enumerate(LABEL.tolist()):
        assert [float(plane.min()) for plane in out[n, 2:]] == [float(k == label) for k in range(3)]
        assert torch.equal(out[n, 2:].amin((1, 2)), out[n, 2:].amax((1, 2)))
    learned = JoinedImage((2, 5, 6), 3, "embedding")
    out = learned(x, LABEL)
    assert out.shape == (4, learned.num_outputs, 5, 6) == (4, 3, 5, 6)
    assert torch.equal(out[0, 2], out[2, 2])  # both of class 2
    assert not torch.equal(out[0, 2], out[1, 2])


def test_projection_is_an_inner_product() -> None:
    layer = Projection(7, 3)
    features = torch.randn(4, 7)
    out = layer(features, LABEL)
    assert out.shape == (4, 1)
    for n, label in enumerate(LABEL.tolist()):
        wanted = (layer.weight[label] @ features[n])[None]
        torch.testing.assert_close(out[n], wanted)


class Means(nn.Module):
    """A trunk: the mean of each channel."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.num_features = shape[0]

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


@pytest.mark.parametrize(("form", "features"), [("concat", 5), ("embedding", 3), ("projection", 2)])
def test_the_discriminators_forms(form: str, features: int) -> None:
    network = Discriminator(Means, (2, 8, 8), 3, form)
    assert network.trunk.num_features == features
    x = torch.randn(4, 2, 8, 8)
    out = network(x, LABEL)
    assert out.shape == (4, 1)
    assert not torch.equal(out, network(x, (LABEL + 1) % 3))
    out.sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().sum()) > 0, name


def test_without_classes_the_form_does_not_matter() -> None:
    for form in ("concat", "embedding", "projection"):
        network = Discriminator(Means, (2, 8, 8), None, form)
        assert [name for name, _ in network.named_parameters()] == ["logit.weight", "logit.bias"]
        assert network(torch.randn(4, 2, 8, 8)).shape == (4, 1)


@pytest.mark.parametrize("name", ["batch", "instance", "layer"])
def test_normalisations_by_hand(name: str) -> None:
    x = torch.randn(6, 4, 3, 5, dtype=torch.float64) * 3 + 1
    over = {"batch": (0, 2, 3), "instance": (2, 3), "layer": (1, 2, 3)}[name]
    mean, variance = x.mean(over, keepdim=True), x.var(over, correction=0, keepdim=True)
    out = normalise(normalisation(name, 4).double(), x, None)
    torch.testing.assert_close(out, (x - mean) / (variance + 1e-5).sqrt())


def test_no_normalisation_and_labels_only_where_wanted() -> None:
    x = torch.randn(4, 3, 2, 2)
    assert normalise(normalisation("none", 3), x, LABEL) is x
    assert isinstance(normalisation("batch", 3, 10), ConditionalBatchNorm2d)
    assert [takes_bias(name) for name in ("none", "layer", "batch", "instance")] == [
        True, True, False, False,
    ]  # fmt: skip


def test_conditional_batch_norm_needs_batch_norm() -> None:
    check_condition({"condition": "batch_norm", "norm": "batch"})
    check_condition({"condition": "concat", "norm": "none"})
    with pytest.raises(ValueError, match=r"condition=batch_norm needs .*norm=batch, not layer"):
        check_condition({"condition": "batch_norm", "norm": "layer"})
