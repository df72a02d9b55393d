"""DCGAN: shapes at many sizes, the paper's parameter counts, the layers' order, and conditions."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import nn

from gan_runner.networks.attention import SelfAttention
from gan_runner.networks.conditioning import ConditionalBatchNorm2d, Discriminator
from gan_runner.networks.dcgan import DCGAN, Generator, Trunk
from gan_runner.networks.dropout import Dropout
from gan_runner.networks.spectral import has_spectral
from gan_runner.networks.upsampling import TransposedConv2d, UpsampledConv2d
from gan_runner.schema import DcganDiscriminator, DcganGenerator, DcganNetwork

SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 45, 70), (1, 64, 64), (2, 9, 15), (1, 31, 100)]


def section(generator: Any = None, discriminator: Any = None) -> dict[str, Any]:
    """Narrow networks, with changes."""
    small = {"width": 8, "max_width": 16}
    critic = {**small, "activation": "leaky_relu"}
    return dataclasses.asdict(
        DcganNetwork(
            generator=DcganGenerator(**{**small, **(generator or {})}),
            discriminator=DcganDiscriminator(**{**critic, **(discriminator or {})}),
        )
    )


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("upsampling", ["transposed", "nearest"])
@pytest.mark.parametrize("shape", SHAPES)
def test_any_size(shape: tuple[int, int, int], upsampling: str) -> None:
    own = section({"upsampling": upsampling})
    generator = DCGAN.generator(own, (5,), shape)
    images = generator(torch.randn(3, 5))
    assert images.shape == (3, *shape)
    assert float(images.detach().abs().max()) <= 1
    assert DCGAN.discriminator(own, shape)(images).shape == (3, 1)
    trunk = DCGAN.trunk(own, shape)
    assert trunk(images).shape == (3, trunk.num_features)


def test_the_papers_parameters_at_64() -> None:
    own = dataclasses.asdict(DcganNetwork())
    generator = DCGAN.generator(own, (100,), (3, 64, 64))
    convolutions = 512 * 256 * 16 + 256 * 128 * 16 + 128 * 64 * 16 + 64 * 3 * 16
    gains = 2 * (512 + 256 + 128 + 64)
    assert count(generator) == 100 * 512 * 16 + convolutions + gains + 3 == 3_576_707
    discriminator = DCGAN.discriminator(own, (3, 64, 64))
    gains = 2 * (128 + 256 + 512)
    assert count(discriminator) == convolutions + 64 + gains + 512 * 16 + 1 == 2_765_633


def test_overviews_conditional_networks_at_28() -> None:
    own = section(
        {"channels": [512, 256, 128]}, {"channels": [128, 256, 512]},
    )  # fmt: skip
    generator = DCGAN.generator(own, (100,), (1, 28, 28), 10)
    assert isinstance(generator, Generator)
    assert generator.sizes == [(4, 4), (7, 7), (14, 14), (28, 28)]
    assert generator.project.in_features == 110
    assert [up.out_channels for up in generator.ups] == [256, 128, 1]
    trunk = DCGAN.trunk(own, (1, 28, 28))
    assert trunk.num_features == 512 * 3 * 3


def kinds(trunk: nn.Module) -> list[str]:
    assert isinstance(trunk, Trunk)
    return [type(layer).__name__ for layer in trunk.layers]


def test_layers_in_order() -> None:
    own = section(None, {"dropout": 0.3, "attention": 7})
    assert kinds(DCGAN.trunk(own, (1, 28, 28))) == [
        "Conv2d", "LeakyReLU", "Dropout",
        "Conv2d", "BatchNorm2d", "LeakyReLU", "Dropout", "SelfAttention",
    ]  # fmt: skip
    trunk = DCGAN.trunk(own, (1, 28, 28))
    assert [layer.p for layer in trunk.modules() if isinstance(layer, Dropout)] == [0.3, 0.3]


@pytest.mark.parametrize(
    ("norm", "biased"), [("batch", False), ("instance", False), ("layer", True), ("none", True)]
)
def test_no_bias_before_a_normalisation_that_takes_it_away(norm: str, biased: bool) -> None:
    own = section({"norm": norm}, {"norm": norm})
    generator = DCGAN.generator(own, (5,), (1, 28, 28))
    assert isinstance(generator, Generator)
    layers = [generator.project, *generator.ups]
    assert [layer.bias is not None for layer in layers] == [biased, biased, True]
    trunk = DCGAN.trunk(own, (1, 28, 28))
    convolutions = [each for each in trunk.modules() if isinstance(each, nn.Conv2d)]
    assert [each.bias is not None for each in convolutions] == [True, biased]


def test_every_parameter_moves_its_output() -> None:
    """A bias that a normalisation takes away would have a gradient of rounding noise alone."""
    for norm in ("batch", "instance", "layer", "none"):
        more = {"norm": norm, "attention": 4, "initialisation": "xavier"}
        own = section(more, more)
        shape = (1, 16, 16)
        generator = DCGAN.generator(own, (5,), shape).double()
        discriminator = DCGAN.discriminator(own, shape).double()
        for network in (generator, discriminator):
            for name, parameter in network.named_parameters():
                if name.endswith("gamma"):  # at 0 the maps before it have no gradient
                    nn.init.ones_(parameter)
        out = discriminator(generator(torch.randn(4, 5, dtype=torch.float64)))
        out.square().sum().backward()
        for network in (generator, discriminator):
            for name, parameter in network.named_parameters():
                assert parameter.grad is not None, (norm, name)
                largest = float(parameter.grad.abs().max())
                assert largest > 1e-12, (norm, name)


def test_the_two_upsamplings() -> None:
    for name, kind in (("transposed", TransposedConv2d), ("nearest", UpsampledConv2d)):
        generator = DCGAN.generator(section({"upsampling": name}), (5,), (1, 32, 32))
        assert isinstance(generator, Generator)
        assert {type(up) for up in generator.ups} == {kind}


def test_the_nearest_form_is_upsampling_and_convolution() -> None:
    """The whole generator against plain layers with the same parameters."""
    generator = DCGAN.generator(section({"upsampling": "nearest"}), (5,), (3, 15, 18))
    assert isinstance(generator, Generator)
    generator.double()
    z = torch.randn(4, 5, dtype=torch.float64)
    x = generator.project(z).reshape(4, 8, 9, 8).permute(0, 3, 1, 2)
    (norm,), (up,) = generator.norms, generator.ups
    x = nn.functional.batch_norm(x, None, None, norm.weight, norm.bias, training=True).relu()
    x = nn.functional.interpolate(x, scale_factor=2, mode="nearest")
    x = nn.functional.conv2d(x, up.weight, up.bias, padding=1)[..., :15, :18].tanh()
    torch.testing.assert_close(generator(z), x)


def test_attention_at_the_nearest_level() -> None:
    own = section({"attention": 14}, {"attention": 14})
    generator = DCGAN.generator(own, (5,), (1, 28, 28))
    assert isinstance(generator, Generator)
    assert generator.attended == 1
    assert generator.attention.key.in_channels == 8
    assert kinds(DCGAN.trunk(own, (1, 28, 28)))[2] == "SelfAttention"
    plain = DCGAN.generator(section(), (5,), (1, 28, 28))
    assert not any(isinstance(each, SelfAttention) for each in plain.modules())


@pytest.mark.parametrize("form", ["concat", "embedding", "batch_norm"])
def test_conditions_of_the_generator(form: str) -> None:
    generator = DCGAN.generator(section({"condition": form}), (5,), (1, 28, 28), 3).double()
    z, label = torch.randn(4, 5, dtype=torch.float64), torch.tensor([0, 1, 2, 1])
    for norm in generator.modules():
        if isinstance(norm, ConditionalBatchNorm2d):  # all classes start equal
            nn.init.normal_(norm.gain.weight)
    out = generator(z, label)
    assert out.shape == (4, 1, 28, 28)
    other = generator(z, torch.tensor([0, 2, 2, 1]))
    assert float((out - other)[1].detach().abs().max()) > 1e-3
    out.square().sum().backward()
    assert all(parameter.grad is not None for parameter in generator.parameters())


@pytest.mark.parametrize(
    ("form", "inputs", "extra"),
    [("concat", 1 + 3, 0), ("embedding", 1 + 1, 3 * 28 * 28), ("projection", 1, 3 * 16 * 49)],
)
def test_conditions_of_the_discriminator(form: str, inputs: int, extra: int) -> None:
    own = section(None, {"condition": form, "norm": "none"})
    network = DCGAN.discriminator(own, (1, 28, 28), 3)
    assert isinstance(network, Discriminator)
    first = next(each for each in network.modules() if isinstance(each, nn.Conv2d))
    assert first.in_channels == inputs
    plain = DCGAN.discriminator(own, (1, 28, 28))
    assert count(network) - count(plain) == (inputs - 1) * 16 * 8 + extra
    x = torch.randn(4, 1, 28, 28)
    out = network(x, torch.tensor([0, 1, 2, 1]))
    other = network(x, torch.tensor([0, 2, 2, 1]))
    assert (out == other).flatten().tolist() == [True, False, True, True]


def test_radfords_initial_weights() -> None:
    own = dataclasses.asdict(DcganNetwork())
    generator = DCGAN.generator(own, (100,), (1, 28, 28))
    assert isinstance(generator, Generator)
    for layer in (generator.project, *generator.ups):
        assert float(layer.weight.detach().std()) == pytest.approx(0.02, rel=0.1)
    gains = torch.cat([norm.weight.detach() for norm in generator.norms])
    assert float(gains.mean()) == pytest.approx(1, abs=0.01)
    assert float(gains.std()) == pytest.approx(0.02, rel=0.3)
    assert not generator.norms[0].bias.detach().any()


def test_spectral_normalisation_where_it_is_asked_for() -> None:
    own = section({"spectral": True}, {"norm": "none"})
    assert has_spectral(DCGAN.generator(own, (5,), (1, 28, 28)))
    assert not has_spectral(DCGAN.discriminator(own, (1, 28, 28)))
    assert has_spectral(DCGAN.trunk(section(None, {"spectral": True}), (1, 28, 28)))


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="network=dcgan takes images"):
        DCGAN.generator(section(), (5,), (2,))
    with pytest.raises(ValueError, match="condition=batch_norm needs"):
        DCGAN.generator(section({"condition": "batch_norm", "norm": "none"}), (5,), (1, 8, 8))
    with pytest.raises(ValueError, match=r"network\.discriminator\.channels"):
        DCGAN.discriminator(section(None, {"channels": [1] * 9}), (1, 8, 8))


def test_a_dense_layer_stands_between_maps_and_vectors() -> None:
    # As in Chen et al. 2016, appendix C.1. BatchNorm has two numbers a unit and takes the bias.
    plain, wide = section(), section({"dense": 30}, {"dense": 30})
    shape, maps = (1, 28, 28), 16 * 7 * 7
    of_g = [count(DCGAN.generator(own, (12,), shape)) for own in (plain, wide)]
    assert of_g[1] - of_g[0] == 12 * 30 + 2 * 30 + (30 - 12) * maps
    trunk = DCGAN.trunk(wide, shape)
    assert count(trunk) - count(DCGAN.trunk(plain, shape)) == maps * 30 + 2 * 30
    assert trunk(torch.randn(3, *shape)).shape == (3, trunk.num_features) == (3, 30)


def test_a_dense_layer_without_a_batch_has_a_bias_and_no_gains() -> None:
    own = section(discriminator={"dense": 30, "norm": "none"})
    kinds = [type(layer) for layer in DCGAN.trunk(own, (1, 8, 8)).dense]
    assert kinds == [nn.Linear, nn.LeakyReLU]
    assert DCGAN.trunk(own, (1, 8, 8)).dense[0].bias is not None
