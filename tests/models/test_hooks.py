"""After an update: clipping, the moving average and the power iteration, by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gan_runner.models.hooks import average, clip_weights, power_iteration
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


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.999])
@torch.no_grad()
def test_the_average_against_its_closed_form(decay: float) -> None:
    networks = {"G": network(), "G_ema": network()}
    networks["G_ema"].load_state_dict(networks["G"].state_dict())
    history = [[each.clone() for each in networks["G"].parameters()]]
    for _ in range(6):
        for parameter in networks["G"].parameters():
            parameter.add_(torch.randn(parameter.shape, dtype=torch.float64))
        history.append([each.clone() for each in networks["G"].parameters()])
        average(networks, h(ema=decay), source="G", target="G_ema")
    # decay^n w_0 + (1 - decay) sum_k decay^(n-k) w_k
    for i, kept in enumerate(networks["G_ema"].parameters()):
        expected = decay**6 * history[0][i] + sum(
            (1 - decay) * decay ** (6 - k) * history[k][i] for k in range(1, 7)
        )
        torch.testing.assert_close(kept, expected, rtol=1e-13, atol=1e-14)
    for parameter, last in zip(networks["G"].parameters(), history[-1], strict=True):
        assert torch.equal(parameter, last)


@torch.no_grad()
def test_buffers_are_copied() -> None:
    networks = {"G": network(), "G_ema": network()}
    networks["G"](torch.randn(9, 3, dtype=torch.float64))
    average(networks, h(ema=0.9), source="G", target="G_ema")
    for mine, its in zip(networks["G_ema"].buffers(), networks["G"].buffers(), strict=True):
        assert torch.equal(mine, its)
    assert int(networks["G_ema"][1].num_batches_tracked) == 1


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
