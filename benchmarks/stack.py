"""Replicas as one stack against one by one, in one process.

The anatomizing vGAN (G 2-h-h-2, D 2-h-1 with dropout 0.3) with batch 200 and one thread. Ways:

plain     the tutorial's loop of `step.py`, one replica.
solo      the engine, one replica.
eager     a stack of S replicas, its steps as they were traced.
compiled  the same stack, its steps compiled; what compiling took is stated apart.

The ways alternate in short blocks; printed are medians, and S times a replica's time over the
stack's. Then the memory of stacks of growing size, each in a process of its own.
Run: `python benchmarks/stack.py [--replicas 32] [--hidden 10 64] [--blocks 12]`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import step
import torch
from loops import ENDLESS, READ_EVERY, engine, in_turn, medians, read, trainer_of

from gan_runner.compose import compose_run
from gan_runner.run_folder import plain_config
from gan_runner.stack import Job, make_trainers, replicas
from gan_runner.stack_trainer import StackTrainer

BATCH = 200
WANTED = {10: 10.0, 64: 4.0}  # compiled, 32 replicas
MEMORY = (1, 64, 128, 256)


def typed(hidden: int) -> list[str]:
    """The anatomizing vGAN with h hidden units."""
    return [
        "model=vgan", "dataset=gauss2d", f"training.batch_size={BATCH}", "device=cpu",
        f"network.generator.widths=[{hidden},{hidden}]", f"network.discriminator.widths=[{hidden}]",
        "training.epochs=null", ENDLESS,
    ]  # fmt: skip


def solo(hidden: int) -> Iterator[None]:
    """One replica."""
    return engine(trainer_of(typed(hidden)))


def stacked(hidden: int, num: int, compiles: str) -> Iterator[None]:
    """A stack."""
    configs = [
        plain_config(compose_run([*typed(hidden), f"training.seed={seed}"])) for seed in range(num)
    ]
    jobs = [Job(config=config, folder=Path("unused"), pictures=False) for config in configs]
    stack = StackTrainer(make_trainers(replicas(configs), jobs), compiles=compiles)
    while True:
        stack._prepare()
        stack._play()
        if stack.step % READ_EVERY == 0:
            stack._settle(saves=False)
            for member in stack.members:
                read(member)
        yield


def timed(hidden: int, num: int, blocks: int, steps: int) -> None:
    """Print the ways' times and ratios for a width."""
    step.BATCH = BATCH
    data = trainer_of(typed(hidden)).run.dataset.splits["train"]["real"]
    assert isinstance(data, torch.Tensor)
    ways = {"solo": solo(hidden), "eager": stacked(hidden, num, "false")}
    if hidden == 10:  # the widths of the loop in step.py
        ways["plain"] = step.plain(data)
    ways["compiled"] = stacked(hidden, num, "true")
    start = time.perf_counter()
    next(ways["compiled"])
    compiling = time.perf_counter() - start
    found = medians(in_turn(ways, blocks=blocks, steps=steps))
    print(f"h = {hidden}, S = {num}; tracing and compiling took {compiling:.0f} s")
    for name, value in found.items():
        print(f"  {name:<9} {1e3 * value:7.3f} ms a step")
    for name in ("eager", "compiled"):
        print(f"  {num} solo / {name:<9} {num * found['solo'] / found[name]:5.1f}")
    print(f"  (wanted of the better one: {WANTED.get(hidden, float('nan'))})")
    if "plain" in found:
        ratio = num * found["plain"] / found["compiled"]
        print(f"  {num} plain / compiled  {ratio:5.1f} (wanted: 12)")


def memory(num: int) -> None:
    """Print the peak memory of this process after a few steps of a stack."""
    way = stacked(10, num, "false") if num > 1 else solo(10)
    for _ in range(20):
        next(way)
    # Not getrusage, whose peak a child takes over from its parent.
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**10
    print(f"  S = {num:<4} {peak:6.0f} MiB")


def main() -> None:
    """Time stacks, then weigh them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicas", type=int, default=32)
    parser.add_argument("--hidden", type=int, nargs="+", default=[10, 64])
    parser.add_argument("--blocks", type=int, default=12)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--memory", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.memory is not None:
        memory(options.memory)
        return
    for hidden in options.hidden:
        timed(hidden, options.replicas, options.blocks, options.steps)
    print("peak memory, h = 10 (wanted: linear, 256 replicas below 1536 MiB)", flush=True)
    for num in MEMORY:
        subprocess.run([sys.executable, __file__, "--memory", str(num)], check=True)


if __name__ == "__main__":
    main()
