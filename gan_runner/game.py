"""The parts of a game: networks, players, moves, stages. Data only; `engine.py` plays them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor, nn

from gan_runner.priors import Prior

Batch = dict[str, Tensor]  # data, drawn noise, and `progress` in [0, 1] (0-dim)
Numbers = Mapping[str, Tensor]  # 0-dim tensors by config path: h["model.lambda_adversarial"]
Terms = dict[str, Tensor]  # weighted 0-dim terms; their sum is minimised


class Networks(Protocol):
    """The networks under their letters: `nets.G`, `nets.D`."""

    def __getattr__(self, name: str) -> Callable[..., Tensor]: ...


Objective = Callable[[Any, Batch, Numbers], Terms]
Hook = Callable[[Mapping[str, nn.Module], Numbers], None]


@dataclass(frozen=True, kw_only=True)
class Player:
    """Networks that one optimizer moves.

    `role` picks the learning rate: "generator", "discriminator", or anything else for `lr` itself.
    Hooks run, in order, after each of the player's updates. `lazy` is how many steps lie between
    updates on a further term (lazy regularisation), whose effect on the learning rate and on the
    averages of gradients is taken out; 1: nothing is.
    """

    name: str
    networks: tuple[str, ...]
    role: str
    after: tuple[Hook, ...] = ()
    lazy: int = 1


@dataclass(frozen=True, kw_only=True)
class Move:
    """A player's update: on steps divisible by `every`, `repeat` times on fresh batches.

    `in_eval` names the networks that are in evaluation mode while the gradient is taken.
    """

    player: str
    objective: Objective
    every: int = 1
    repeat: int = 1
    in_eval: tuple[str, ...] = ()
    label: str = ""  # under which terms are reported; the player's name if empty

    @property
    def name(self) -> str:
        """The name under which the move's terms are reported."""
        return self.label or self.player


@dataclass(frozen=True, kw_only=True)
class Shared:
    """Tensors made once a step with their graph, for every move of that step.

    The owner's move differentiates through them; every other player gets them detached.
    """

    make: Callable[[Any, Batch, Numbers], Batch]
    owner: str


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A part of a run: who plays, in what order, on what draws, for what share of the run."""

    name: str
    players: tuple[Player, ...]
    moves: tuple[Move, ...]
    priors: Mapping[str, Prior] = field(default_factory=dict)
    share: float = 1.0
    update: str = "alternating"
    shared: Shared | None = None

    def __post_init__(self) -> None:
        """Refuse a stage that the engine could not play.

        Raises:
            ValueError: a move without its player, a network of two players, moves that would be
                reported under one name, or `repeat` or `shared` where they cannot be carried out.
        """
        names = [player.name for player in self.players]
        for move in self.moves:
            if move.player not in names:
                raise ValueError(f"stage {self.name}: no player '{move.player}' among {names}")
        owned = [network for player in self.players for network in player.networks]
        if len(set(owned)) < len(owned):
            raise ValueError(f"stage {self.name}: two players move one network: {owned}")
        reported = [move.name for move in self.moves]
        if len(set(reported)) < len(reported):
            raise ValueError(f"stage {self.name}: two moves need a label each: {reported}")
        if self.update != "alternating" and any(move.repeat > 1 for move in self.moves):
            raise ValueError(f"stage {self.name}: repeat needs alternating updates")
        if self.shared is not None:
            self._check_shared(self.shared)

    def _check_shared(self, shared: Shared) -> None:
        if self.update != "alternating":
            raise ValueError(f"stage {self.name}: shared tensors need alternating updates")
        if any(move.repeat > 1 for move in self.moves):
            raise ValueError(f"stage {self.name}: shared tensors allow no repeated move")
        if self.moves[-1].player != shared.owner or any(
            move.player == shared.owner for move in self.moves[:-1]
        ):
            raise ValueError(f"stage {self.name}: the owner of shared tensors must move last")


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A picture whose rows or columns differ in one known thing: a class, a code.

    Attributes:
        rows, columns: of the grid; samples go row by row.
        arrange: (drawn priors of rows x columns samples) -> the same, arranged: what is to be
            equal along a row or column made equal, what is to differ set. On the draws' device.
        labels: of the rows, and the picture's title, where the draws do not tell.
    """

    rows: int
    columns: int
    arrange: Callable[[Batch], Batch]
    labels: tuple[str, ...] = ()
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A whole game: what a file in `models/` returns.

    Attributes:
        networks: builders, by letter; a replica's weights come from its stream `init/<letter>`.
        copies: networks that start as copies of others (an EMA of G starts as G).
        stages: played one after the other.
        sample: (nets, batch) -> generated samples [N, ...], in the networks' units; None where
            the game has none.
        sample_priors: what is drawn for `sample`.
        data: keys of the data that the game reads.
        monitor: (nets, batch, h) -> scalars to log, without gradient, in evaluation mode.
        measure: numbers that characterise a game without samples.
        probabilities: D's outputs are reported as probabilities.
        grids: further pictures of samples, by name ("classes", "code_1").
        probe: (nets, samples as the networks see them) -> what the game's own networks read off
            them, such as InfoGAN's `category` logits [N, K] and `continuous` means [N, J].
        styled: `sample` takes the further draws of `latent.styled`: truncation, ways in w.
    """

    networks: Mapping[str, Callable[[], nn.Module]]
    stages: tuple[Stage, ...]
    copies: Mapping[str, str] = field(default_factory=dict)
    sample: Callable[[Any, Batch], Tensor] | None = None
    sample_priors: Mapping[str, Prior] = field(default_factory=dict)
    data: tuple[str, ...] = ("real",)
    monitor: Callable[[Any, Batch, Numbers], Terms] | None = None
    measure: Callable[[Mapping[str, nn.Module]], dict[str, float]] | None = None
    probabilities: bool = False
    grids: Mapping[str, Grid] = field(default_factory=dict)
    probe: Callable[[Any, Tensor], dict[str, Tensor]] | None = None
    styled: bool = False

    @property
    def paired(self) -> bool:
        """Whether G takes the paired input of the data, `low`."""
        return "low" in self.data

    @property
    def players(self) -> tuple[str, ...]:
        """The names of the players of all stages, in the order of their moves."""
        return tuple(dict.fromkeys(move.player for stage in self.stages for move in stage.moves))
