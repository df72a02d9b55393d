"""`device=meta`: one step of every move without memory, and no tensor on a wrong device.

Meta tensors have shapes and no numbers, so a network of any size walks in a second on a laptop.
They mix silently with tensors of other devices in some operations (matrix products, convolutions,
indexing); the guard refuses every tensor with dimensions that is not on the meta device, so what
walks here also runs on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from gan_runner.batches import Batches
from gan_runner.datasets.dataset import as_floats, resident
from gan_runner.dispatch import Run, num_parameters
from gan_runner.engine import play_step
from gan_runner.evaluation import draw_samples
from gan_runner.game import Batch, Move, Terms
from gan_runner.optimizers import Gradients


class WrongDeviceError(ValueError):
    """A tensor was made on another device than the run's."""


class DeviceGuard(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Refuses operations that take or make a tensor with dimensions off the meta device."""

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Carry out an operation and check all its tensors."""
        given = kwargs or {}
        made = func(*args, **given)
        for value in tree_iter((args, given, made)):
            if isinstance(value, Tensor) and value.device.type != "meta" and value.dim() > 0:
                raise WrongDeviceError(
                    f"device=meta: {func} met a tensor of shape {tuple(value.shape)} "
                    f"on '{value.device}'; it must be made on its inputs' device"
                )
        return made


def walk(run: Run) -> str:
    """Walk one step of every move of every stage, and one drawing of samples.

    Returns:
        A summary, for the terminal.

    Raises:
        WrongDeviceError: a tensor on a wrong device.
    """
    streams = run.streams()
    host = run.host(streams)
    num = run.config["training"]["batch_size"]
    batches = Batches(
        run.tensors("train", host.dtype),
        num,
        streams["order"],
        dtype=host.dtype,
        device=host.device,
        flip=streams["flip"] if run.dataset.flip else None,
    )
    lines = [f"{name}: {count:,} parameters" for name, count in _sizes(host.networks).items()]
    moved: list[str] = []
    for stage in run.recipe.stages:
        host.enter(stage, run.make_optimizer)
        # Batches are drawn outside the guard: the index is shuffled on the CPU by design.
        ready = [batches() for _ in range(sum(move.repeat for move in stage.moves))]
        once = replace(stage, moves=tuple(replace(move, every=1) for move in stage.moves))

        def next_batch(ready: list[Batch] = ready) -> Batch:
            batch = ready.pop()
            batch["progress"] = torch.zeros((), device=host.device)
            return batch

        with DeviceGuard():  # type: ignore[no-untyped-call]
            play_step(once, host, next_batch, 0, _remember(moved, stage.name))
    if run.recipe.sample is not None:
        test = run.tensors("test", host.dtype)
        given = None
        if run.recipe.paired:
            given = {"low": as_floats(resident(test["low"])[:num], host.dtype)}
        generator = streams.fresh("metrics/samples/noise")
        with DeviceGuard():  # type: ignore[no-untyped-call]
            made = draw_samples(run, host, num, generator, data=given)
        lines.append(f"samples: {tuple(made.shape)}")
    total = f"in all: {num_parameters(host):,} parameters"
    return "\n".join([*lines, total, "walked: " + ", ".join(moved)])


def _sizes(networks: Mapping[str, torch.nn.Module]) -> dict[str, int]:
    return {
        name: sum(parameter.numel() for parameter in network.parameters())
        for name, network in networks.items()
    }


def _remember(moved: list[str], stage: str) -> Callable[[Move, int, Terms, Gradients], None]:
    def report(move: Move, turn: int, terms: Terms, gradients: Gradients) -> None:
        moved.append(f"{stage}/{move.name}")
        if any(term.device.type != "meta" for term in terms.values()):
            raise WrongDeviceError(f"device=meta: a term of {move.name} is not on the device")

    return report
