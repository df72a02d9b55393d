"""Hosts: where parameters live and how a gradient is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import reduce
from operator import add
from typing import Any

import torch
from torch import Tensor, nn

from gan_runner.engine import batch_length
from gan_runner.game import Batch, Move, Numbers, Player, Recipe, Shared, Stage, Terms
from gan_runner.networks.dropout import DropoutMasks, masks_from
from gan_runner.optimizers import Gradients, MakeOptimizer, Optimizer
from gan_runner.priors import Prior
from gan_runner.streams import Streams, seeded_globally

DTYPES = {"fp64": torch.float64}


class Nets:
    """Networks under their letters, as objectives see them."""

    def __init__(self, networks: Mapping[str, Callable[..., Tensor]]) -> None:
        self.__dict__.update(networks)


class Solo:
    """One replica: ordinary modules, ordinary autograd."""

    def __init__(
        self,
        recipe: Recipe,
        numbers: Mapping[str, float],
        streams: Streams,
        device: torch.device,
        *,
        precision: str = "fp32",
        compile_networks: bool = False,
    ) -> None:
        self.device = device
        self.dtype = DTYPES.get(precision, torch.float32)
        self.streams = streams
        self.numbers: Numbers = {
            name: torch.full((), value, dtype=self.dtype, device=device)
            for name, value in numbers.items()
        }
        self.networks = {name: self._build(name, recipe) for name in recipe.networks}
        for copy, original in recipe.copies.items():
            self.networks[copy].load_state_dict(self.networks[original].state_dict())
            self.networks[copy].requires_grad_(False)
        # Meta tensors are walked as they are: they know no autocast, and compiling pays nothing.
        computes = device.type != "meta"
        called = {
            name: torch.compile(network) if compile_networks and computes else network
            for name, network in self.networks.items()
        }
        self.nets = Nets(called)
        self._autocast: Callable[[], AbstractContextManager[Any]] = nullcontext
        if precision == "bf16" and computes:
            self._autocast = lambda: torch.autocast(device.type, dtype=torch.bfloat16)
        masks = masks_from(streams["dropout"])
        # Not traced: a compiled graph knows no generator, and views of its output break it.
        if compile_networks and computes:
            masks = torch.compiler.disable(masks)  # type: ignore[no-untyped-call]
        self._playing = DropoutMasks(masks)
        self._parameters: dict[str, list[nn.Parameter]] = {}
        self._optimizers: dict[str, Optimizer] = {}
        self._focus: str | None = None
        self._focused: list[nn.Parameter] = []
        self.players: dict[str, Player] = {}

    def _build(self, name: str, recipe: Recipe) -> nn.Module:
        # The meta device has no numbers to draw; elsewhere weights are drawn on the CPU, so that
        # they do not depend on the device.
        where = "meta" if self.device.type == "meta" else "cpu"
        with seeded_globally(self.streams.seed(f"init/{name}")), torch.device(where):
            network = recipe.networks[name]()
        network = network.to(self.device, self.dtype)
        if self.device.type == "mps":  # its convolutions take the common layout
            return network
        # Convolutions are faster on maps whose channels lie together; vectors are not touched.
        return network.to(memory_format=torch.channels_last)

    # --- a stage's players -------------------------------------------------------------------

    def enter(self, stage: Stage, make_optimizer: MakeOptimizer) -> None:
        """Give each of the stage's players a new optimizer over its networks' parameters."""
        self.players = {player.name: player for player in stage.players}
        self._parameters = {
            player.name: [
                parameter
                for name in player.networks
                for parameter in self.networks[name].parameters()
            ]
            for player in stage.players
        }
        self._optimizers = {
            player.name: make_optimizer(self._parameters[player.name], player.role, player.lazy)
            for player in stage.players
        }
        self._focus = None
        self._focused = [
            parameter for network in self.networks.values() for parameter in network.parameters()
        ]

    def set_rate(self, factor: float) -> None:
        """Scale every optimizer's learning rate by a factor of its first."""
        for optimizer in self._optimizers.values():
            optimizer.lr = optimizer.initial_lr * factor

    def rates(self) -> dict[str, float]:
        """Each player's learning rate."""
        return {name: optimizer.lr for name, optimizer in self._optimizers.items()}

    def optimizer(self, player: str) -> Optimizer:
        """A player's optimizer in this stage."""
        return self._optimizers[player]

    def restart_optimizers(self) -> None:
        """Forget every optimizer's moments."""
        for optimizer in self._optimizers.values():
            optimizer.restart()

    # --- a step ------------------------------------------------------------------------------

    def draw(self, priors: Mapping[str, Prior], num: int) -> Batch:
        """Draw a stage's priors."""
        noise = self.streams["noise"]
        return {
            name: prior.draw(num, noise, self.device, self.dtype) for name, prior in priors.items()
        }

    def length(self, batch: Batch) -> int:
        """Samples in a batch."""
        return batch_length(batch)

    def playing(self) -> AbstractContextManager[None]:
        """Within, networks draw their dropout masks from this replica's stream."""
        return self._playing

    def _focus_on(self, player: str) -> None:
        """Let only one player's parameters require gradients, so nothing else is differentiated."""
        if self._focus == player:
            return
        for parameter in self._focused:
            parameter.requires_grad_(False)
        self._focused = self._parameters[player]
        for parameter in self._focused:
            parameter.requires_grad_(True)
        self._focus = player

    def share(self, shared: Shared, batch: Batch) -> Batch:
        """Make a step's shared tensors, with the graph to their owner's parameters."""
        self._focus_on(shared.owner)
        with self._autocast():
            return shared.make(self.nets, batch, self.numbers)

    def gradient(self, move: Move, batch: Batch) -> tuple[Terms, Gradients]:
        """A move's terms, and the gradient of their sum with respect to its player's parameters."""
        self._focus_on(move.player)
        for name in move.in_eval:
            self.networks[name].eval()
        with self._autocast():
            terms = move.objective(self.nets, batch, self.numbers)
        for name in move.in_eval:
            self.networks[name].train()
        total = reduce(add, terms.values())
        gradients = torch.autograd.grad(total, self._parameters[move.player], allow_unused=True)
        return terms, gradients

    def update(self, player: str, gradients: Gradients, *, hooks: bool = True) -> None:
        """Carry out a player's update, and its hooks."""
        self._optimizers[player].step(gradients)
        if hooks and self.players[player].after:
            with torch.no_grad():
                for hook in self.players[player].after:
                    hook(self.networks, self.numbers)

    def snapshot(self, player: str) -> list[Tensor]:
        """A copy of a player's parameters, to come back to."""
        return [parameter.detach().clone() for parameter in self._parameters[player]]

    @torch.no_grad()
    def restore(self, player: str, snapshot: Sequence[Tensor]) -> None:
        """Put a player's parameters back."""
        for parameter, value in zip(self._parameters[player], snapshot, strict=True):
            parameter.copy_(value)

    # --- beside training ---------------------------------------------------------------------

    @contextmanager
    def evaluating(self) -> Iterator[Nets]:
        """The networks without gradients, in evaluation mode."""
        before = {network: network.training for network in self.networks.values()}
        for network in before:
            network.eval()
        try:
            with torch.no_grad(), self._autocast():
                yield self.nets
        finally:
            for network, training in before.items():
                network.train(training)

    def all_finite(self) -> bool:
        """Whether every weight and buffer is finite. Reads from the device."""
        tensors = [
            tensor
            for network in self.networks.values()
            for tensor in (*network.parameters(), *network.buffers())
            if tensor.is_floating_point()
        ]
        return bool(torch.stack([tensor.isfinite().all() for tensor in tensors]).all())

    def state_dict(self) -> dict[str, Any]:
        """Networks and optimizers, for a checkpoint."""
        return {
            "networks": {name: network.state_dict() for name, network in self.networks.items()},
            "optimizers": {name: opt.state_dict() for name, opt in self._optimizers.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put networks and the current stage's optimizers back, strictly."""
        for name, network in self.networks.items():
            network.load_state_dict(state["networks"][name])
        for name, optimizer in self._optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
