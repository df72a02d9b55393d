"""After an update: clipping, the moving average and the power iteration, by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from gan_runner.models.hooks import average, clip_weights, power_iteration
from gan_runner.networks.scalars import Count
from gan_runner.networks.spectral import normalise_weights


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)).double()


def h(**numbers: float) -> dict[str, torch.Tensor]:
    return {
        f"model.{name}": torch.tensor(value, dtype=torch.float64) for name, value in numbers.items()
    }


@torch.no_grad()
def test_clipping_bounds_every_weight_of_the_named_networks() -> None:
    networks = {"D": network(), "G": network()}
    before = {name: [each.clone() for each in net.parameters()] for name, net in networks.items()}
    clip_weights(networks, h(clip=0.1), names=("D",))
    for parameter, value in zip(networks["D"].parameters(), before["D"], strict=True):
        assert torch.equal(parameter, value.clamp(-0.1, 0.1))
        assert float(parameter.abs().max()) <= 0.1
    for parameter, value in zip(networks["G"].parameters(), before["G"], strict=True):
        assert torch.equal(parameter, value)


@pytest.mark.parametrize(
    ("decay", "seen"), [(0.0, 0), (0.5, 0), (0.999, 0), (0.999, 100), (0.999, 9000), (0.5, 20)]
)
@torch.no_grad()
def test_the_average_against_its_closed_form(decay: float, seen: int) -> None:
    """Early its window is what has been seen; in the end 1 / (1 - decay)."""
    networks: dict[str, nn.Module] = {"G": network(), "G_ema": network(), "n": Count().double()}
    networks["n"].get_buffer("value").fill_(seen)
    networks["G_ema"].load_state_dict(networks["G"].state_dict())
    history = [[each.clone() for each in networks["G"].parameters()]]
    for _ in range(6):
        for parameter in networks["G"].parameters():
            parameter.add_(torch.randn(parameter.shape, dtype=torch.float64))
        history.append([each.clone() for each in networks["G"].parameters()])
        average(networks, h(ema=decay), source="G", target="G_ema", count="n")
    assert networks["n"].get_buffer("value").item() == seen + 6
    decays = [min(decay, (1 + n) / (10 + n)) for n in range(seen, seen + 6)]
    assert (decays == [decay] * 6) == (decay == 0 or seen in (9000, 20))
    for i, kept in enumerate(networks["G_ema"].parameters()):
        # prod_k d_k w_0 + sum_k (1 - d_k) d_(k+1) ... d_n w_k
        expected = math.prod(decays) * history[0][i] + sum(
            (1 - decays[k]) * math.prod(decays[k + 1 :]) * history[k + 1][i] for k in range(6)
        )
        torch.testing.assert_close(kept, expected, rtol=1e-13, atol=1e-14)
    for parameter, last in zip(networks["G"].parameters(), history[-1], strict=True):
        assert torch.equal(parameter, last)


@torch.no_grad()
def test_buffers_are_copied() -> None:
    networks = {"G": network(), "G_ema": network(), "n": Count()}
    networks["G"](torch.randn(9, 3, dtype=torch.float64))
    average(networks, h(ema=0.9), source="G", target="G_ema", count="n")
    for mine, its in zip(networks["G_ema"].buffers(), networks["G"].buffers(), strict=True):
        assert torch.equal(mine, its)
    assert int(networks["G_ema"].get_buffer("1.num_batches_tracked")) == 1


@torch.no_grad()
def test_one_power_iteration_on_the_named_networks() -> None:
    networks = {
        letter: normalise_weights(nn.Sequential(nn.Linear(4, 3))).double() for letter in "DG"
    }
    held = {letter: net[0].parametrizations.weight for letter, net in networks.items()}  # type: ignore[index, union-attr]
    for each in held.values():
        each.original.copy_(torch.randn(3, 4, dtype=torch.float64))
    before = {letter: (each[0].u.clone(), each[0].v.clone()) for letter, each in held.items()}
    power_iteration(networks, h(), names=("D",))
    weight, (u, _) = held["D"].original, before["D"]
    v = weight.T @ u / (weight.T @ u).norm()
    torch.testing.assert_close(held["D"][0].v, v)
    torch.testing.assert_close(held["D"][0].u, weight @ v / (weight @ v).norm())
    assert not torch.equal(held["D"][0].u, u)
    assert torch.equal(held["G"][0].u, before["G"][0])
    assert torch.equal(held["G"][0].v, before["G"][1])
