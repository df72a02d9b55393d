"""Many replicas as one stacked model: parameters, buffers and moments with the seeds in front.

A replica's loss depends on its own slice alone, so the gradient of the sum of all losses is the
stack of the replicas' gradients. Objectives are written for one replica and mapped over the stack
by `torch.func.vmap`; linear layers become batched matrix products.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import reduce
from itertools import accumulate, pairwise
from operator import add
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn import functional as F

from gan_runner.game import Batch, Hook, Move, Numbers, Shared, Stage, Terms
from gan_runner.hosts import Nets, Solo
from gan_runner.networks.dropout import DropoutMasks
from gan_runner.optimizers import Gradients
from gan_runner.priors import Prior
from gan_runner.stacked_optimizers import StackedOptimizer, State, numbers_of

Tensors = dict[str, Tensor]


class Template(nn.Module):
    """The networks of one replica as a mould: `functional_call` fills it with a slice's weights."""

    def __init__(self, networks: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleDict(copy.deepcopy(dict(networks)))
        for module in self.networks.modules():
            if isinstance(module, nn.Linear):
                module.forward = MethodType(_features_first, module)  # type: ignore[method-assign]

    def forward(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function of the networks by letter."""
        return call(dict(self.networks.items()), *arguments)


def _features_first(linear: nn.Linear, x: Tensor) -> Tensor:
    """x W' + b, computed as (W x' + b)': [N, inputs] -> [N, outputs].

    Mapped over a stack, the samples then lie next to each other in memory, where a batched product
    of small matrices is several times as fast as with the features there.
    """
    if x.dim() != 2:
        return F.linear(x, linear.weight, linear.bias)
    out = linear.weight @ x.mT
    return (out if linear.bias is None else out + linear.bias.unsqueeze(1)).mT


class Ensemble:
    """S replicas of one game, stacked; each one's `Solo` sees its own slice.

    The replicas' modules are views of the stack, so whatever looks at a replica (metrics, samples,
    checkpoints) looks at an ordinary host. `enter` begins a stage after each of them has.

    Args:
        members: the replicas, of one structure; their weights and numbers may differ.
        optimizer: the stacked form of their optimizers.
        sections: each replica's `optimizer` section.
    """

    def __init__(
        self,
        members: Sequence[Solo],
        optimizer: StackedOptimizer,
        sections: Sequence[Mapping[str, Any]],
        *,
        precision: str = "fp32",
    ) -> None:
        first = members[0]
        self.members = list(members)
        self.device, self.dtype = first.device, first.dtype
        self.optimizer = optimizer
        self._sections = list(sections)
        self.template = Template(first.networks)
        self.template.requires_grad_(False)
        self.autocast: Callable[[], AbstractContextManager[Any]] = nullcontext
        if precision == "bf16":
            self.autocast = lambda: torch.autocast(first.device.type, dtype=torch.bfloat16)
        self.numbers = {
            name: torch.stack([each.numbers[name] for each in members]) for name in first.numbers
        }
        self.alive = torch.ones(len(members), dtype=torch.bool, device=self.device)
        self.rates: dict[str, Tensor] = {}
        self.shapes = {
            name: value.shape for name, value in self.template.networks.named_parameters()
        }
        self.owned: dict[str, list[str]] = {}  # a player's parameters, by full name
        self._vectors: Tensors = {}
        self._loose: Tensors = {}
        self._buffers: Tensors = {}
        self._moments: dict[str, State] = {}
        self._initial: dict[str, Tensor] = {}

    def __len__(self) -> int:
        """S, the number of replicas."""
        return len(self.members)

    # --- the stack ---------------------------------------------------------------------------

    def enter(self, stage: Stage) -> None:
        """Take the replicas' weights, buffers and moments into stacks, and make theirs views."""
        self.stage = stage
        self.owned = {
            player.name: [
                f"{letter}.{name}"
                for letter in player.networks
                for name, _ in self.members[0].networks[letter].named_parameters()
            ]
            for player in stage.players
        }
        owned = {name for names in self.owned.values() for name in names}
        self._vectors = {
            player: self._taken(names) for player, names in self.owned.items() if names
        }
        self._loose = {name: self._stacked(name) for name in self.shapes if name not in owned}
        self._buffers = {
            name: torch.stack([_found(each, name) for each in self.members])
            for name, _ in self.template.networks.named_buffers()
        }
        for index, member in enumerate(self.members):
            self._give_views(index, member)
        self._moments = {player: self._taken_moments(player) for player in self._vectors}
        self._initial = {
            player: self._column([each.optimizer(player).initial_lr for each in self.members])
            for player in self._vectors
        }
        self.rates = {player: rate.clone() for player, rate in self._initial.items()}

    def _column(self, numbers: Sequence[float]) -> Tensor:
        return torch.tensor(numbers, dtype=torch.float64, device=self.device)

    def _stacked(self, name: str) -> Tensor:
        return torch.stack([_found(each, name).detach() for each in self.members]).contiguous()

    def _taken(self, names: Sequence[str]) -> Tensor:
        """The replicas' parameters as one matrix [S, P]."""
        rows = [
            torch.cat([_found(each, name).detach().reshape(-1) for name in names])
            for each in self.members
        ]
        return torch.stack(rows)

    def _taken_moments(self, player: str) -> State:
        """The replicas' moments [S, P], their number of updates and their numbers [S]."""
        vector = self._vectors[player]
        found = [each.optimizer(player).moments() for each in self.members]
        state = {
            name: torch.stack(
                [moments.get(name, torch.zeros_like(vector[0])) for _, moments in found]
            )
            for name in self.optimizer.moments
        }
        state["num_steps"] = self._column([float(num) for num, _ in found])
        return state | numbers_of(self.optimizer, self._sections, self.device)

    def parted(self, player: str, vector: Tensor) -> Tensors:
        """Views of a matrix [S, P] by parameter, [S, ...] each."""
        return _parted(vector, self.owned[player], self.shapes)

    def _give_views(self, index: int, member: Solo) -> None:
        for player, vector in self._vectors.items():
            for name, view in self.parted(player, vector).items():
                _found(member, name).data = view[index]
        for name, stack in self._loose.items():
            _found(member, name).data = stack[index]
        for name, stack in self._buffers.items():
            letter, _, rest = name.partition(".")
            path, _, own = rest.rpartition(".")
            member.networks[letter].get_submodule(path)._buffers[own] = stack[index]

    def hand_back(self) -> None:
        """Put moments and rates into the replicas' own optimizers, as a checkpoint wants them."""
        for player, state in self._moments.items():
            rates = self.rates[player].tolist()
            for index, member in enumerate(self.members):
                moments = {name: state[name][index] for name in self.optimizer.moments}
                optimizer = member.optimizer(player)
                optimizer.put_moments(int(state["num_steps"][index]), moments)
                optimizer.lr = rates[index]

    def set_rate(self, factor: float) -> None:
        """Scale every learning rate by a factor of its first."""
        for player, rate in self.rates.items():
            torch.mul(self._initial[player], factor, out=rate)

    def restart_optimizers(self) -> None:
        """Forget all moments."""
        for state in self._moments.values():
            for name in (*self.optimizer.moments, "num_steps"):
                state[name].zero_()

    def tensors(self) -> dict[str, Any]:
        """All that a step reads and writes, as one tree of tensors."""
        return {
            "vectors": self._vectors,
            "loose": self._loose,
            "buffers": self._buffers,
            "moments": self._moments,
            "rates": self.rates,
            "numbers": self.numbers,
            "alive": self.alive,
        }


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

    def playing(self) -> AbstractContextManager[None]:
        """Nothing to prepare: masks are handed over."""
        return nullcontext()

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

        before = {name: value.clone() for name, value in self._buffers.items()}
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
        for name, value in self._buffers.items():
            value.copy_(_where(self._alive, value, before[name]))
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


def _found(member: Solo, name: str) -> Any:
    """A replica's parameter or buffer by its full name: `G.0.weight`."""
    letter, _, rest = name.partition(".")
    path, _, own = rest.rpartition(".")
    return getattr(member.networks[letter].get_submodule(path), own)


def _parted(vector: Tensor, names: Sequence[str], shapes: Mapping[str, torch.Size]) -> Tensors:
    """Views [S, ...] of a matrix [S, P] by parameter."""
    ends = [0, *accumulate(shapes[name].numel() for name in names)]
    return {
        name: vector[:, start:end].view(len(vector), *shapes[name])
        for name, (start, end) in zip(names, pairwise(ends), strict=True)
    }
