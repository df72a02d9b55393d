"""Many replicas as one stacked model: parameters, buffers and moments with the seeds in front.

A replica's loss depends on its own slice alone, so the gradient of the sum of all losses is the
stack of the replicas' gradients. Objectives are written for one replica and mapped over the stack
by `torch.func.vmap`; linear layers become batched matrix products.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import accumulate, pairwise
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gan_runner.game import Stage
from gan_runner.hosts import Solo
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
        """Put the moments into the replicas' own optimizers, as a checkpoint wants them."""
        for player, state in self._moments.items():
            for index, member in enumerate(self.members):
                moments = {name: state[name][index] for name in self.optimizer.moments}
                member.optimizer(player).put_moments(int(state["num_steps"][index]), moments)

    def hand_back_rates(self) -> None:
        """Put the rates there, as a logged row wants them."""
        for player, rates in self.rates.items():
            for member, rate in zip(self.members, rates.tolist(), strict=True):
                member.optimizer(player).lr = rate

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
