"""The host of one step of a stack: what `engine.play_step` moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from operator import add
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from gan_runner.ensemble import Ensemble, Tensors
from gan_runner.game import Batch, Hook, Move, Numbers, Shared, Terms
from gan_runner.hosts import Nets
from gan_runner.networks.dropout import DropoutMasks
from gan_runner.optimizers import Gradients
from gan_runner.priors import Prior
from gan_runner.stacked_optimizers import State


class Board:
    """The host of one step of a stack: what `engine.play_step` moves, on tensors handed over.

    Args:
        ensemble: the structure; none of its tensors is looked at.
        tensors: as `Ensemble.tensors` gives them; written in place.
        draws: what the step's calls of `draw` return, in order, [S, N, ...] each.
        masks: of each mapped call's dropout layers, bool [S, ...] each.
    """

    def __init__(
        self,
        ensemble: Ensemble,
        tensors: Mapping[str, Any],
        draws: Sequence[Batch],
        masks: Sequence[Sequence[Tensor]],
    ) -> None:
        self._ensemble = ensemble
        self._vectors: Tensors = tensors["vectors"]
        self._loose: Tensors = tensors["loose"]
        self._buffers: Tensors = tensors["buffers"]
        self._moments: dict[str, State] = tensors["moments"]
        self._rates: Tensors = tensors["rates"]
        self._numbers: Tensors = tensors["numbers"]
        self._alive: Tensor = tensors["alive"]
        self._draws = iter(draws)
        self._masks = iter(masks)
        self._shared: dict[str, Tensors] = {}  # leaves that a shared tensor's graph leads to
        self._players = {player.name: player for player in ensemble.stage.players}

    @contextmanager
    def playing(self) -> Iterator[None]:
        """Within, a step is played; at its end the failed replicas' buffers are put back.

        Not before: the graph of shared tensors may need them as they are.
        """
        before = {name: value.clone() for name, value in self._buffers.items()}
        yield
        for name, value in self._buffers.items():
            value.copy_(_where(self._alive, value, before[name]))

    def length(self, batch: Batch) -> int:
        """Samples in a replica's batch."""
        return next((value.shape[1] for value in batch.values() if value.dim() > 1), 1)

    def draw(self, priors: Mapping[str, Prior], num: int) -> Batch:
        """What was drawn for this call, [S, N, ...] each."""
        return next(self._draws)

    # --- mapping -----------------------------------------------------------------------------

    def _leaves(self, player: str) -> Tensors:
        """A player's parameters [S, ...], to be differentiated for."""
        views = self._ensemble.parted(player, self._vectors[player])
        return {name: view.detach().requires_grad_() for name, view in views.items()}

    def _weights(self, leaves: Mapping[str, Tensor]) -> Tensors:
        """All parameters and buffers [S, ...], a player's own as given."""
        found = dict(self._loose)
        for player, vector in self._vectors.items():
            found |= self._ensemble.parted(player, vector)
        return {**found, **leaves, **self._buffers}

    def _mapped(self, call: Callable[..., Any], weights: Tensors, batch: Batch) -> Any:
        """A function of (networks, batch, numbers), mapped over the replicas."""
        masks = next(self._masks)
        template = self._ensemble.template

        def one(own: Tensors, data: Batch, numbers: Tensors, kept: list[Tensor]) -> Any:
            filled = {f"networks.{name}": value for name, value in own.items()}
            ready = iter(kept)
            with DropoutMasks(lambda like, threshold: next(ready)), self._ensemble.autocast():
                return functional_call(template, filled, (call, data, numbers))

        dims = {name: None if value.dim() == 0 else 0 for name, value in batch.items()}
        mapped = vmap(one, in_dims=(0, dims, 0, 0))
        return mapped(weights, batch, self._numbers, list(masks))

    def share(self, shared: Shared, batch: Batch) -> Batch:
        """Make a step's shared tensors [S, ...], with the graph to their owner's parameters."""
        leaves = self._shared[shared.owner] = self._leaves(shared.owner)

        def make(networks: Mapping[str, nn.Module], data: Batch, numbers: Numbers) -> Batch:
            return shared.make(Nets(networks), data, numbers)

        made: Batch = self._mapped(make, self._weights(leaves), batch)
        return made

    def gradient(self, move: Move, batch: Batch) -> tuple[Terms, Gradients]:
        """Terms [S] each, and the gradient [S, P] of their sum; zero where a replica has failed."""
        leaves = self._shared.pop(move.player, None) or self._leaves(move.player)

        def play(networks: Mapping[str, nn.Module], data: Batch, numbers: Numbers) -> Terms:
            for name in move.in_eval:
                networks[name].eval()
            terms = move.objective(Nets(networks), data, numbers)
            for name in move.in_eval:
                networks[name].train()
            return terms

        terms: Terms = self._mapped(play, self._weights(leaves), batch)
        total = reduce(add, terms.values())  # [S]
        found = torch.autograd.grad(total.sum(), list(leaves.values()), allow_unused=True)
        parts = [
            torch.zeros_like(leaf) if part is None else part
            for part, leaf in zip(found, leaves.values(), strict=True)
        ]
        gradient = torch.cat([part.reshape(len(part), -1) for part in parts], dim=1)  # [S, P]
        finite = total.detach().isfinite() & gradient.isfinite().all(dim=1)
        self._alive.logical_and_(finite)
        gradient = _where(self._alive, gradient, torch.zeros_like(gradient))
        return {name: term.detach() for name, term in terms.items()}, [gradient]

    # --- moving ------------------------------------------------------------------------------

    def update(self, player: str, gradients: Gradients, *, hooks: bool = True) -> None:
        """Carry out a player's update, and its hooks, in the replicas that have not failed."""
        (gradient,) = gradients
        assert gradient is not None
        vector, state = self._vectors[player], self._moments[player]
        state["num_steps"].add_(1)
        gradient = gradient + vector * state["weight_decay"].to(vector.dtype).unsqueeze(1)
        rate = _where(self._alive, self._rates[player], torch.zeros_like(self._rates[player]))
        self._ensemble.optimizer.move(vector, gradient, state, rate)
        if hooks:
            for hook in self._players[player].after:
                self._after(hook)

    def _after(self, hook: Hook) -> None:
        def call(networks: Mapping[str, nn.Module], numbers: Numbers) -> Tensor:
            hook(networks, numbers)
            return torch.zeros(())

        template, weights = self._ensemble.template, self._weights({})

        def one(own: Tensors, numbers: Tensors) -> Any:
            filled = {f"networks.{name}": value for name, value in own.items()}
            return functional_call(template, filled, (call, numbers))

        with torch.no_grad():
            vmap(one, out_dims=None)(weights, self._numbers)

    def snapshot(self, player: str) -> list[Tensor]:
        """A copy of a player's parameters [S, P]."""
        return [self._vectors[player].clone()]

    def restore(self, player: str, snapshot: Sequence[Tensor]) -> None:
        """Put a player's parameters back."""
        self._vectors[player].copy_(snapshot[0])


def _where(alive: Tensor, new: Tensor, old: Tensor) -> Tensor:
    """`new` for the replicas that have not failed, `old` for the others: multiplying keeps NaN."""
    return torch.where(alive.view(-1, *[1] * (new.dim() - 1)), new, old)
