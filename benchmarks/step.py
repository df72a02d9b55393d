"""A training step of the anatomizing vGAN against loops written by hand, in one process.

Three ways to train the same networks (G 2-10-10-2, D 2-10-1 with dropout 0.3) on the same 1,500
points with batch 100:

plain     what a tutorial shows: DataLoader, default Adam, `backward()`, nothing frozen, D's and
          G's moves on the same fakes, two passes through D, both losses kept as the engine keeps
          them.
tuned     by hand with the levers that the engine has: resident data and one shuffled index, fused
          Adam, other player frozen, one pass through D for real and fake, `autograd.grad`.
gan_runner  the engine itself, as `gan-run experiment=anatomizing_fig3` plays it, with the watch on
          its terms.

The ways alternate in short blocks, so that noise of a shared machine hits all alike; the ratios of
their medians are printed. Run: `python benchmarks/step.py [--blocks 40] [--steps 150]`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import torch
from loops import ENDLESS, engine, in_turn, medians, trainer_of
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

BATCH = 100


def networks(dropout: Callable[[float], nn.Module] = nn.Dropout) -> tuple[nn.Module, nn.Module]:
    """The paper's generator and discriminator."""
    generator = nn.Sequential(
        nn.Linear(2, 10), nn.LeakyReLU(0.2), nn.Linear(10, 10), nn.LeakyReLU(0.2),
        nn.Linear(10, 2), nn.Sigmoid(),
    )  # fmt: skip
    critic = nn.Sequential(nn.Linear(2, 10), nn.LeakyReLU(0.2), dropout(0.3), nn.Linear(10, 1))
    return generator, critic


def plain(data: Tensor) -> Iterator[None]:
    """The tutorial's loop."""
    generator, critic = networks()
    loader = DataLoader(TensorDataset(data), batch_size=BATCH, shuffle=True)
    of_g = torch.optim.Adam(generator.parameters(), lr=2e-4)
    of_d = torch.optim.Adam(critic.parameters(), lr=2e-4)
    loss = nn.BCEWithLogitsLoss()
    losses: list[tuple[float, float]] = []
    while True:
        for (real,) in loader:
            ones, zeros = torch.ones(len(real), 1), torch.zeros(len(real), 1)
            of_d.zero_grad()
            fake = generator(torch.randn(len(real), 2))
            of_real, of_fake = loss(critic(real), ones), loss(critic(fake.detach()), zeros)
            (of_real + of_fake).backward()
            of_d.step()
            of_g.zero_grad()
            against = loss(critic(fake), ones)
            against.backward()
            of_g.step()
            losses.append(((of_real + of_fake).item(), against.item()))
            yield


def tuned(data: Tensor) -> Iterator[None]:
    """The same by hand, with the engine's levers and none of its services."""
    generator, critic = networks()
    g_weights, d_weights = list(generator.parameters()), list(critic.parameters())
    of_g = torch.optim.Adam(g_weights, lr=2e-4, fused=True)
    of_d = torch.optim.Adam(d_weights, lr=2e-4, fused=True)
    order, position = torch.randperm(len(data)), 0

    def only(weights: list[nn.Parameter], others: list[nn.Parameter]) -> None:
        for weight in weights:
            weight.requires_grad_(True)
        for weight in others:
            weight.requires_grad_(False)

    def update(optimizer: torch.optim.Optimizer, weights: list[nn.Parameter], loss: Tensor) -> None:
        for weight, gradient in zip(weights, torch.autograd.grad(loss, weights), strict=True):
            weight.grad = gradient
        optimizer.step()

    while True:
        if position + BATCH > len(data):
            order, position = torch.randperm(len(data)), 0
        real = data.index_select(0, order[position : position + BATCH])
        position += BATCH
        only(g_weights, d_weights)
        fake = generator(torch.randn(BATCH, 2))
        only(d_weights, g_weights)
        on_real, on_fake = critic(torch.cat([real, fake.detach()])).split([BATCH, BATCH])
        update(of_d, d_weights, F.softplus(-on_real).mean() + F.softplus(on_fake).mean())
        only(g_weights, d_weights)
        update(of_g, g_weights, F.softplus(-critic(fake)).mean())
        yield


def main() -> None:
    """Time the three and print ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=40)
    parser.add_argument("--steps", type=int, default=150)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    trainer = trainer_of(["experiment=anatomizing_fig3", ENDLESS, "device=cpu"])
    data = trainer.run.dataset.splits["train"]["real"]
    assert isinstance(data, Tensor)
    ways = {"plain": plain(data), "tuned": tuned(data), "gan_runner": engine(trainer)}
    times = in_turn(ways, blocks=options.blocks, steps=options.steps, warm=2)
    found = medians(times)
    for name, value in found.items():
        low, high = min(times[name]), max(times[name])
        print(f"{name:<11} {1e3 * value:6.3f} ms a step ({1e3 * low:.3f} to {1e3 * high:.3f})")
    print(f"plain / gan_runner  {found['plain'] / found['gan_runner']:.2f} (wanted: 1.8)")
    print(f"gan_runner / tuned  {found['gan_runner'] / found['tuned']:.2f} (wanted: 1.15)")


if __name__ == "__main__":
    main()
