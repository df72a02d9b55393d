"""What every image network must bear: penalties, vmap, no memory, layouts, streams, precision."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from gan_runner import registry
from gan_runner.losses.penalties import PENALTIES
from gan_runner.models.hooks import power_iteration
from gan_runner.networks.spectral import iterate
from gan_runner.schema import (
    ConvDiscriminator,
    ConvGenerator,
    DcganDiscriminator,
    DcganGenerator,
    DcganNetwork,
    Mlp,
    MlpNetwork,
    ResnetNetwork,
)
from gan_runner.streams import seeded_globally
from gan_runner.walk import DeviceGuard

SHAPE = (2, 9, 8)
FAMILIES = ("dcgan", "resnet", "mlp")
SAFE = [("dcgan", "none"), ("dcgan", "layer"), ("dcgan", "instance"), ("resnet", "none"),
        ("resnet", "layer"), ("resnet", "instance"), ("mlp", "none"), ("mlp", "layer")]  # fmt: skip
h = {"penalty.target": torch.tensor(1.0, dtype=torch.float64)}


def section(family: str, generator: Any = None, discriminator: Any = None) -> dict[str, Any]:
    if family == "mlp":
        return dataclasses.asdict(
            MlpNetwork(
                generator=Mlp(**{"widths": [6, 5], "output": "tanh", **(generator or {})}),
                discriminator=Mlp(**{"widths": [6, 5], **(discriminator or {})}),
            )
        )
    kind, of_g, of_d = {
        "dcgan": (DcganNetwork, DcganGenerator, DcganDiscriminator),
        "resnet": (ResnetNetwork, ConvGenerator, ConvDiscriminator),
    }[family]
    small = {"width": 4, "max_width": 8}
    return dataclasses.asdict(
        kind(
            generator=of_g(**{**small, **(generator or {})}),
            discriminator=of_d(**{**small, "activation": "leaky_relu", **(discriminator or {})}),
        )
    )


def build(family: str, role: str, own: dict[str, Any], *shapes: Any, **more: Any) -> nn.Module:
    made = getattr(registry.load("networks", family), role)(own, *shapes, **more)
    assert isinstance(made, nn.Module)
    return made


def critic(family: str, norm: str, seed: int = 0, **changed: Any) -> nn.Module:
    with seeded_globally(seed):
        own = section(family, None, {"norm": norm, "initialisation": "xavier", **changed})
        return build(family, "discriminator", own, SHAPE).double()


def images(num: int = 3) -> Tensor:
    return torch.randn(num, *SHAPE, dtype=torch.float64)


# --- penalties -------------------------------------------------------------------------------


@pytest.mark.parametrize(("family", "norm"), SAFE)
@pytest.mark.parametrize("spectral", [False, True])
def test_penalties_and_their_gradients(family: str, norm: str, spectral: bool) -> None:
    """Against double differentiation of the plain way, where no activation writes in place."""
    network = critic(family, norm, spectral=spectral)
    plain = copy.deepcopy(network)
    for layer in plain.modules():
        if hasattr(layer, "inplace"):
            layer.inplace = False
    real, fake = images(), images()
    batch = {"mix": torch.rand(3, dtype=torch.float64)}
    value = PENALTIES["gradient_penalty"].function(network, real, fake, h, batch)
    mixed = batch["mix"][:, None, None, None]
    point = (mixed * real + (1 - mixed) * fake).requires_grad_()
    (inner,) = torch.autograd.grad(plain(point).sum(), point, create_graph=True)
    wanted = (inner.flatten(1).norm(dim=1) - 1).square().mean()
    torch.testing.assert_close(value, wanted)
    found = torch.autograd.grad(value, list(network.parameters()), allow_unused=True)
    known = torch.autograd.grad(wanted, list(plain.parameters()), allow_unused=True)
    assert any(each is not None and bool(each.any()) for each in found)
    for got, expected in zip(found, known, strict=True):
        if expected is None or got is None:  # through straight lines a bias has no part in it
            assert all(each is None or not each.any() for each in (got, expected))
        else:
            torch.testing.assert_close(got, expected)


@pytest.mark.parametrize(("family", "norm"), SAFE)
def test_samples_are_scored_apart(family: str, norm: str) -> None:
    network, x = critic(family, norm), images()
    torch.testing.assert_close(network(x)[1:2], network(x[1:2]))


def test_conditional_critics_and_attention_bear_penalties() -> None:
    for family in ("dcgan", "resnet"):
        for form in ("concat", "embedding", "projection"):
            own = section(
                family, None,
                {"norm": "none", "condition": form, "attention": 4, "spectral": True},
            )  # fmt: skip
            network = build(family, "discriminator", own, SHAPE, num_classes=3).double()
            label = torch.tensor([0, 2, 1])

            def score(x: Tensor, network: nn.Module = network, label: Tensor = label) -> Tensor:
                return network(x, label)  # type: ignore[no-any-return]

            value = PENALTIES["r1"].function(score, images(), images(), h, {})
            parameters = list(network.parameters())
            gradients = torch.autograd.grad(value, parameters, allow_unused=True)
            assert sum(float(each.abs().sum()) for each in gradients if each is not None) > 0


# --- replicas --------------------------------------------------------------------------------


@pytest.mark.parametrize(("family", "norm"), SAFE)
@pytest.mark.parametrize("spectral", [False, True])
def test_under_vmap_each_replica_is_its_solo(family: str, norm: str, spectral: bool) -> None:
    nets = [critic(family, norm, seed, spectral=spectral) for seed in (0, 1)]
    parameters, buffers = torch.func.stack_module_state(nets)
    x = torch.stack([images(), images()])

    def loss(parameters: Any, buffers: Any, x: Tensor) -> Tensor:
        out = torch.func.functional_call(nets[0], (parameters, buffers), (x,))
        return out.square().sum()  # type: ignore[no-any-return]

    losses = torch.func.vmap(loss)(parameters, buffers, x)
    gradients = torch.func.vmap(torch.func.grad(loss))(parameters, buffers, x)
    for each, net in enumerate(nets):
        wanted = net(x[each]).square().sum()
        torch.testing.assert_close(losses[each], wanted)
        known = dict(net.named_parameters())
        for name, value in zip(
            known, torch.autograd.grad(wanted, list(known.values())), strict=True
        ):
            torch.testing.assert_close(gradients[name][each], value)


# --- streams, precision, layouts -------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_the_stream_decides_every_number(family: str) -> None:
    def states(seed: int) -> list[dict[str, Tensor]]:
        own = section(family, {"spectral": True}, {"spectral": True})
        with seeded_globally(seed):
            return [
                build(family, "generator", own, (5,), SHAPE, num_classes=3).state_dict(),
                build(family, "discriminator", own, SHAPE, num_classes=3).state_dict(),
                build(family, "trunk", own, SHAPE).state_dict(),
            ]

    before = torch.get_rng_state()
    first, again, other = states(0), states(0), states(1)
    assert torch.equal(before, torch.get_rng_state())
    for left, right, third in zip(first, again, other, strict=True):
        assert all(torch.equal(left[name], right[name]) for name in left)
        assert any(not torch.equal(left[name], third[name]) for name in left)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_precision_is_kept(family: str, dtype: torch.dtype) -> None:
    own = section(family, {"spectral": True}, {"spectral": True})
    generator = build(family, "generator", own, (5,), SHAPE, num_classes=3).to(dtype)
    discriminator = build(family, "discriminator", own, SHAPE, num_classes=3).to(dtype)
    label = torch.tensor([0, 2, 1])
    made = generator(torch.randn(3, 5, dtype=dtype), label)
    assert made.dtype is dtype
    assert discriminator(made, label).dtype is dtype


@pytest.mark.parametrize("family", ["dcgan", "resnet"])
@pytest.mark.parametrize("upsampling", ["transposed", "nearest"])
def test_both_layouts_give_the_same_numbers(family: str, upsampling: str) -> None:
    own = section(family, {"upsampling": upsampling, "attention": 4}, {"attention": 4})
    generator = build(family, "generator", own, (5,), (2, 17, 16)).double()
    discriminator = build(family, "discriminator", own, (2, 17, 16)).double()
    others = [copy.deepcopy(generator), copy.deepcopy(discriminator)]
    for other in others:
        other.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    z = torch.randn(3, 5, dtype=torch.float64)
    plain, last = discriminator(generator(z)), others[1](others[0](z))
    torch.testing.assert_close(plain, last)
    plain.sum().backward()
    last.sum().backward()
    for network, other in zip((generator, discriminator), others, strict=True):
        for got, wanted in zip(other.parameters(), network.parameters(), strict=True):
            torch.testing.assert_close(got.grad, wanted.grad)


# --- no memory -------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("of_g", "of_d"),
    [("concat", "concat"), ("embedding", "embedding"), ("batch_norm", "projection"), (None, None)],
)
def test_walks_without_memory(family: str, of_g: str | None, of_d: str | None) -> None:
    generator: dict[str, Any] = {"norm": "batch", "spectral": True}
    discriminator: dict[str, Any] = {"norm": "none", "spectral": True}
    if family != "mlp":
        generator |= {"attention": 4, "condition": of_g or "concat"}
        discriminator |= {"attention": 4, "condition": of_d or "concat"}
    own = section(family, generator, discriminator)
    classes = None if of_g is None else 3
    with torch.device("meta"):
        g = build(family, "generator", own, (5,), SHAPE, num_classes=classes)
        d = build(family, "discriminator", own, SHAPE, num_classes=classes)
        z, real = torch.empty(4, 5), torch.empty(4, *SHAPE)
        given = [] if classes is None else [torch.zeros(4, dtype=torch.int64)]
    with DeviceGuard():  # type: ignore[no-untyped-call]
        made = g(z, *given)
        assert made.shape == (4, *SHAPE)

        def score(x: Tensor) -> Tensor:
            return d(x, *given)  # type: ignore[no-any-return]

        penalty = PENALTIES["r1"].function(score, real, made, h, {})
        (score(made).sum() + penalty).backward()
        power_iteration({"G": g, "D": d}, {}, names=("G", "D"))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_hook_iterates_the_named_networks(family: str) -> None:
    nets = {"D": critic(family, "none", spectral=True), "G": critic(family, "none", spectral=True)}
    with torch.no_grad():
        for net in nets.values():
            for parameter in net.parameters():
                parameter.add_(0.3)
    twin, untouched = copy.deepcopy(nets["D"]), copy.deepcopy(nets["G"])
    power_iteration(nets, {}, names=("D",))
    iterate(twin)
    x = images()
    assert torch.equal(nets["D"](x), twin(x))
    assert torch.equal(nets["G"](x), untouched(x))
    assert not torch.equal(nets["D"](x), untouched(x))


@pytest.mark.parametrize("family", FAMILIES)
def test_runs_under_autocast(family: str) -> None:
    """Sigma is not rounded with the rest."""
    conditional = {} if family == "mlp" else {"condition": "batch_norm", "attention": 4}
    projecting = {} if family == "mlp" else {"condition": "projection", "attention": 4}
    own = section(
        family,
        {"spectral": True, "norm": "batch", **conditional},
        {"spectral": True, "norm": "layer", **projecting},
    )
    generator = build(family, "generator", own, (5,), SHAPE, num_classes=3)
    discriminator = build(family, "discriminator", own, SHAPE, num_classes=3)
    z, label = torch.randn(3, 5), torch.tensor([0, 2, 1])
    weights = [each.weight for each in discriminator.modules() if parametrize.is_parametrized(each)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = discriminator(generator(z, label), label)
        again = [
            each.weight for each in discriminator.modules() if parametrize.is_parametrized(each)
        ]
    assert all(torch.equal(left, right) for left, right in zip(weights, again, strict=True))  # type: ignore[arg-type]
    out.float().sum().backward()
    wanted = discriminator(generator(z, label), label)
    torch.testing.assert_close(out.float(), wanted, rtol=0.1, atol=0.1)
