"""Multi-layer perceptrons: layers in order, shapes, and maxout by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import nn

from gan_runner.networks.activations import ACTIVATIONS
from gan_runner.networks.dropout import Dropout
from gan_runner.networks.mlp import Maxout, MlpFamily, mlp
from gan_runner.schema import ACTIVATIONS as NAMES
from gan_runner.schema import Mlp


def section(**changed: Any) -> dict[str, Any]:
    return dataclasses.asdict(Mlp(**changed))


def kinds(network: nn.Module) -> list[str]:
    return [type(layer).__name__ for layer in network.children()]


def test_layers_in_order() -> None:
    network = mlp(section(widths=[5, 6], dropout=0.3, output="sigmoid"), (2,), (3,))
    assert kinds(network) == [
        "Linear", "LeakyReLU", "Dropout", "Linear", "LeakyReLU", "Dropout", "Linear", "Sigmoid",
    ]  # fmt: skip
    sizes = [
        (layer.in_features, layer.out_features)
        for layer in network.modules()
        if isinstance(layer, nn.Linear)
    ]
    assert sizes == [(2, 5), (5, 6), (6, 3)]
    assert [layer.p for layer in network.modules() if isinstance(layer, Dropout)] == [0.3, 0.3]


def test_the_networks_of_anatomizing() -> None:
    generator = mlp(section(widths=[10, 10], output="sigmoid"), (2,), (2,))
    discriminator = mlp(section(widths=[10], dropout=0.3), (2,), (1,))
    count = [sum(p.numel() for p in net.parameters()) for net in (generator, discriminator)]
    assert count == [2 * 10 + 10 + 10 * 10 + 10 + 10 * 2 + 2, 2 * 10 + 10 + 10 + 1]
    assert kinds(discriminator) == ["Linear", "LeakyReLU", "Dropout", "Linear"]


def test_leaky_relu_has_the_slope_of_the_config() -> None:
    (layer,) = [m for m in mlp(section(widths=[4], slope=0.05), (2,), (1,)) if "LeakyReLU" in
                type(m).__name__]  # fmt: skip
    assert layer(torch.tensor(-2.0)).item() == pytest.approx(-0.1)


@pytest.mark.parametrize("activation", NAMES)
@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_every_choice_gives_its_shape(activation: str, norm: str) -> None:
    network = mlp(section(widths=[6, 4], activation=activation, norm=norm), (3,), (2,))
    out = network(torch.randn(5, 3))
    assert out.shape == (5, 2)
    assert bool(out.isfinite().all())


@pytest.mark.parametrize("output", [name for name in NAMES if name != "maxout"])
def test_every_output_activation(output: str) -> None:
    network = mlp(section(widths=[6], output=output), (3,), (2,))
    out = network(torch.randn(50, 3) * 10)
    assert out.shape == (50, 2)
    if output in ("sigmoid", "softplus", "relu"):
        assert float(out.detach().min()) >= 0
    if output in ("sigmoid", "tanh"):
        assert float(out.detach().max()) <= 1


def test_no_hidden_layer_is_one_linear_map() -> None:
    assert kinds(mlp(section(widths=[]), (3,), (2,))) == ["Linear"]


def test_images_are_flattened_and_shaped() -> None:
    network = mlp(section(widths=[4]), (3, 8, 8), (1, 6, 5))
    assert network(torch.randn(2, 3, 8, 8)).shape == (2, 1, 6, 5)


def test_the_family_gives_logits_of_one_column() -> None:
    both = {"generator": section(widths=[3]), "discriminator": section(widths=[7])}
    assert MlpFamily.generator(both, (4,), (2,))(torch.randn(5, 4)).shape == (5, 2)
    discriminator = MlpFamily.discriminator(both, (2,))
    assert discriminator(torch.randn(5, 2)).shape == (5, 1)
    assert isinstance(list(discriminator.children())[-1], nn.Linear)  # logits: no sigmoid


def test_no_bias_before_batch_normalisation() -> None:
    for norm, biased in (("batch", False), ("layer", True), ("none", True)):
        first = mlp(section(widths=[4], norm=norm), (3,), (2,))[0]  # type: ignore[index]
        assert (first.bias is not None) is biased


def test_batch_normalisation_sees_no_biased_maxout() -> None:
    network = mlp(section(widths=[4], activation="maxout", norm="batch"), (3,), (2,))
    assert kinds(network) == ["Maxout", "BatchNorm1d", "Linear"]


def test_maxout_by_hand() -> None:
    layer = Maxout(1, 2, 3)
    with torch.no_grad():
        layer.linear.weight.copy_(torch.tensor([[1.0], [-1.0], [0.0], [2.0], [3.0], [-4.0]]))
        layer.linear.bias.copy_(torch.tensor([0.0, 0.0, 0.5, 0.0, -1.0, 0.0]))
    # Unit 1: max(x, -x, 0.5); unit 2: max(2x, 3x - 1, -4x).
    x = torch.tensor([[2.0], [0.25], [-1.0]])
    assert layer(x).tolist() == [[2.0, 5.0], [0.5, 0.5], [1.0, 4.0]]


def test_maxout_width_and_pieces() -> None:
    network = mlp(section(widths=[200], activation="maxout", maxout_pieces=5), (4,), (1,))
    assert network[0].linear.weight.shape == (1000, 4)  # type: ignore[index, union-attr]
    assert network(torch.randn(3, 4)).shape == (3, 1)


def test_every_named_activation_is_known() -> None:
    assert {*ACTIVATIONS, "leaky_relu", "maxout"} == set(NAMES)


def test_hooks_of_inner_layers_are_called() -> None:
    network = mlp(section(widths=[4]), (3,), (2,))
    seen: list[torch.Size] = []
    first = next(network.children())
    first.register_forward_hook(lambda _layer, _inputs, output: seen.append(output.shape))
    x = torch.ones(5, 3)
    expected = torch.nn.Sequential(*network.children())(x)
    assert torch.equal(network(x), expected)
    assert seen == [(5, 4), (5, 4)]


def test_overviews_networks() -> None:
    own = {
        "generator": section(
            widths=[128, 256, 512, 1024], norm="batch", norm_first=False, output="tanh"
        ),
        "discriminator": section(widths=[512, 256]),
    }
    generator = MlpFamily.generator(own, (100,), (1, 28, 28))
    assert kinds(generator) == [
        "Linear", "LeakyReLU", *["Linear", "BatchNorm1d", "LeakyReLU"] * 3, "Linear", "Tanh",
        "Unflatten",
    ]  # fmt: skip
    linear = [each for each in generator.modules() if isinstance(each, nn.Linear)]
    assert [each.bias is not None for each in linear] == [True, False, False, False, True]
    assert [each.out_features for each in linear] == [128, 256, 512, 1024, 784]
    discriminator = MlpFamily.discriminator(own, (1, 28, 28))
    assert kinds(discriminator) == [
        "Flatten", "Linear", "LeakyReLU", "Linear", "LeakyReLU", "Linear",
    ]  # fmt: skip
    count = sum(parameter.numel() for parameter in discriminator.parameters())
    assert count == 784 * 512 + 512 + 512 * 256 + 256 + 256 + 1


@pytest.mark.parametrize("shape", [(3,), (2, 8, 8)])
def test_classes_are_joined_to_the_flattened_input(shape: tuple[int, ...]) -> None:
    own = {"generator": section(widths=[4]), "discriminator": section(widths=[4])}
    generator = MlpFamily.generator(own, (5,), shape, 3)
    discriminator = MlpFamily.discriminator(own, shape, 3)
    label = torch.tensor([0, 2, 1, 2])
    samples = generator(torch.randn(4, 5), label)
    assert samples.shape == (4, *shape)
    out = discriminator(samples, label)
    assert out.shape == (4, 1)
    one_hot = torch.eye(3)[label]
    flat = torch.cat([samples.flatten(1), one_hot], 1)
    torch.testing.assert_close(out, discriminator.layers(flat))  # type: ignore[operator]
    first = next(each for each in discriminator.modules() if isinstance(each, nn.Linear))
    out.sum().backward()
    assert first.weight.grad is not None
    assert bool(first.weight.grad[:, -3:].any())


def test_the_trunk_is_the_discriminator_without_its_last_layer() -> None:
    own = {"discriminator": section(widths=[6, 4])}
    trunk = MlpFamily.trunk(own, (1, 8, 8))
    assert kinds(trunk) == ["Flatten", "Linear", "LeakyReLU", "Linear", "LeakyReLU"]
    assert trunk.num_features == 4
    assert trunk(torch.randn(3, 1, 8, 8)).shape == (3, 4)
    none = MlpFamily.trunk({"discriminator": section(widths=[])}, (2, 3))
    assert none.num_features == 6
    assert none(torch.randn(5, 2, 3)).shape == (5, 6)


def test_spectral_normalisation_of_every_weight() -> None:
    for activation in ("relu", "maxout"):
        network = mlp(section(widths=[6, 5], spectral=True, activation=activation), (3,), (1,))
        linear = [each for each in network.modules() if isinstance(each, nn.Linear)]
        assert len(linear) == 3
        for layer in linear:
            assert float(torch.linalg.svdvals(layer.weight.detach())[0]) == pytest.approx(
                1, rel=0.05
            )
    plain = mlp(section(widths=[6, 5]), (3,), (1,))
    assert {name for name, _ in plain.named_buffers()} == set()
