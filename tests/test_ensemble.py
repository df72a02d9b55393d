"""A stack of replicas: each is its own run to rounding, and one that fails breaks no other."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gan_runner import checkpoint, conf_files, registry, stackable
from gan_runner.callbacks.callback import Callback
from gan_runner.dispatch import Run, dispatch
from gan_runner.errors import RunFailed
from gan_runner.stack import replicas
from gan_runner.stack_trainer import StackTrainer
from gan_runner.trainer import Trainer

Compose = Callable[..., dict[str, Any]]
Columns = Mapping[str, Sequence[object]]  # an option's values, replica by replica
Ended = tuple[dict[str, Any], dict[int, dict[str, float]]]  # a checkpoint, logged rows

S = 3
NEAR = 1e-10  # relative where a number is above 1
BESIDE = ("config", "seconds", "compiled", "threads")  # of a checkpoint: not computed

# Rates at which rounding does not grow for 200 steps: at 2e-3 without momentum a GAN is chaotic,
# and a solo run that starts 1e-15 away ends a whole gradient away. A small eps magnifies the
# rounding noise of gradients that are truly zero, such as that of a critic's last bias.
ADAM: Columns = {
    "optimizer.lr": (1e-3, 5e-4, 2e-4),
    "optimizer.beta1": (0.5, 0.9, 0.0),
    "optimizer.beta2": (0.9, 0.99, 0.999),
    "optimizer.eps": (1e-5, 1e-6, 1e-7),
}
SMALL = ("network.generator.widths=[16,16]", "network.discriminator.widths=[16,16]")
RING = ("dataset=ring8", *SMALL)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Game:
    """A config, and what its replicas differ in beside their seeds."""

    options: tuple[str, ...]
    columns: Columns = dataclasses.field(default_factory=dict)

    def configs(self, compose: Compose, *more: str, seeds: Sequence[int] = range(S)) -> list[Any]:
        """One config a replica, in float64."""
        return [
            compose(
                *self.options, *(f"{key}={each[seed]}" for key, each in self.columns.items()),
                f"training.seed={seed}", "device.precision=fp64", *more,
            )
            for seed in seeds
        ]  # fmt: skip


def points(*options: str, adam: Columns = ADAM, **columns: Sequence[object]) -> Game:
    """A game on points; `columns` has `__` for `.`."""
    named = {key.replace("__", "."): values for key, values in columns.items()}
    batch = () if "model=bilinear" in options else ("training.batch_size=12",)
    return Game(options=(*options, *batch), columns={**adam, **named})


def images(*options: str, **columns: Sequence[object]) -> Game:
    """A game on digits, with few channels."""
    return points(*options, "dataset=digits", **columns)


def photographs(*options: str, **columns: Sequence[object]) -> Game:
    """A game on crops of photographs, 8 x 8 pixels to 16 x 16."""
    small = ("network.generator.num_blocks=1", "network.generator.width=4")
    data = ("dataset=superres", "dataset.crop=16", "dataset.scale=2", "dataset.num_crops=64")
    return points(*options, *data, *small, **columns)


RMSPROP: Columns = {
    "optimizer.lr": (2e-4, 1e-4, 5e-5),
    "optimizer.alpha": (0.9, 0.99, 0.95),
    "optimizer.momentum": (0.0, 0.3, 0.6),
    "optimizer.eps": (1e-4, 1e-5, 1e-6),
}
SGD: Columns = {
    "optimizer.lr": (0.1, 0.05, 0.02),
    "optimizer.momentum": (0.0, 0.3, 0.6),
    "optimizer.weight_decay": (0.0, 0.01, 0.1),
}
PLAIN_SGD: Columns = {"optimizer.lr": (0.1, 0.05, 0.02)}

ON_POINTS: dict[str, Game] = {
    "vgan": points(
        "model=vgan", *RING, loss__real_label=(1.0, 0.9, 0.8), loss__fake_label=(0.0, 0.1, 0.05),
        loss__generator_label=(0.95, 1.0, 0.9),
    ),
    "vgan_3_layers": points("model=vgan", "dataset=ring8"),
    "lsgan": points(
        "model=lsgan", *RING, loss__a=(0.0, -1.0, 0.1), loss__b=(1.0, 2.0, 0.9),
        loss__c=(1.0, 0.0, 0.5),
    ),
    "wgan": points("model=wgan", *RING, adam=RMSPROP, model__clip=(0.01, 0.05, 0.1)),
    "wgan_gp": points(
        "model=wgan_gp", *RING, penalty__weight=(0.1, 1.0, 10.0), penalty__target=(1.0, 0.5, 0.0)
    ),
    "r3gan": points(
        "model=r3gan", *RING, penalty__weight=(0.1, 1.0, 5.0), model__ema=(0.9, 0.99, 0.5)
    ),
    "pacgan": points("model=pacgan", *RING),
    "pacgan_penalised": points(
        "model=pacgan", *RING, "penalty=gradient_penalty", "loss=wasserstein"
    ),
    "pacgan_maxout": points("model=pacgan", "network=mlp_pacgan", *RING),
    "hinge": points("model=vgan", "loss=hinge", *RING),
    "minimax": points("model=vgan", "loss=minimax", *RING),
    "maximum_likelihood": points("model=vgan", "loss=maximum_likelihood", *RING),
    "least_squares_pearson": points("model=vgan", "loss=least_squares_pearson", *RING),
    "relativistic_average": points("model=vgan", "loss=relativistic_average", *RING),
    "srgan": points(
        "model=srgan", "dataset=gauss3d", "model.ema=0.9", "model.pretrain_share=0.25",
        adam={"optimizer.lr": (1e-4, 2e-4, 5e-5)}, model__lambda_adversarial=(0.1, 1.0, 2.0),
        model__ema=(0.9, 0.8, 0.99), loss__real_label=(1.0, 0.9, 0.8),
    ),
    "mlp": points(
        "model=mlp", "dataset=gauss3d", adam={"optimizer.lr": (1e-4, 2e-4, 5e-5)},
        model__ema=(0.9, 0.8, 0.99),
    ),
    "cgan_paired": points(
        "model=cgan", "dataset=gauss3d", *SMALL, model__lambda_l1=(0.1, 1.0, 10.0)
    ),
    "cgan_labelled": points("model=cgan", "dataset=gauss2d", *SMALL),
    "acgan": points("model=acgan", "dataset=gauss2d", *SMALL, model__lambda_class=(0.1, 1.0, 2.0)),
    "infogan": points(
        "model=infogan", "dataset=gauss2d", *SMALL, model__lambda_categorical=(0.1, 1.0, 2.0),
        model__lambda_continuous=(0.1, 0.5, 1.0),
    ),
    **{
        f"bilinear_{update}": points(
            "model=bilinear", f"model.update={update}", adam=PLAIN_SGD,
            optimizer__momentum=(0.0, 0.3, 0.6),
        )
        for update in ("alternating", "simultaneous", "extragradient")
    },
    "simultaneous_sgd": points(
        "model=vgan", *RING, "optimizer=sgd", "model.update=simultaneous", adam=SGD
    ),
    "extragradient": points("model=wgan_gp", *RING, "model.update=extragradient"),
    "rmsprop": points(
        "model=lsgan", *RING, "optimizer=rmsprop_wgan", adam=RMSPROP,
        optimizer__weight_decay=(0.0, 0.01, 0.1),
    ),
    "weight_decay": points("model=vgan", *RING, optimizer__weight_decay=(0.0, 0.01, 0.1)),
    "dropout": points(
        "model=vgan", *RING, "network.discriminator.dropout=0.3",
        model__output_noise=(0.1, 0.05, 0.2),
    ),
    "dropout_in_eval": points(
        "model=vgan", *RING, "network.discriminator.dropout=0.3",
        "model.discriminator_in_eval=true",
    ),
    "dropout_penalised": points(
        "model=wgan_gp", *RING, "network.discriminator.dropout=0.3", "model.critic_steps=1",
        "model.share_fakes=true", model__ema=(0.9, 0.8, 0.99),
    ),
    "share_fakes_batch_norm": points(
        "model=vgan", *RING, "model.share_fakes=true", "network.generator.norm=batch"
    ),
    "clip": points("model=vgan", *RING, model__clip=(0.1, 0.2, 0.3)),
    "dragan": points(
        "model=vgan", *RING, "penalty=dragan", penalty__weight=(0.5, 1.0, 2.0),
        penalty__target=(1.0, 0.5, 2.0),
    ),
    "lazy_r1": points(
        "model=vgan", *RING, "penalty=r1", "penalty.every=4", penalty__weight=(0.1, 1.0, 2.0)
    ),
    "lazy_r1_simultaneous": points(
        "model=vgan", *RING, "penalty=r1", "penalty.every=4", "model.update=simultaneous"
    ),
    "norms": points(
        "model=vgan", *RING, "network.generator.norm=batch", "network.discriminator.norm=layer",
        "network.discriminator.activation=maxout", "model.ema=0.9",
        optimizer__lr=(2e-4, 1e-4, 5e-5),
    ),
    "spectral": points(
        "model=vgan", *RING, "network.generator.spectral=true",
        "network.discriminator.spectral=true", "model.ema=0.9",
    ),
    "cosine": points(
        "model=vgan", *RING, "optimizer.schedule.name=cosine",
        optimizer__generator_lr=(1e-3, 2e-4, 5e-4), optimizer__discriminator_lr=(5e-4, 1e-3, 1e-4),
    ),
    "piecewise": points(
        "model=vgan", *RING, "optimizer.schedule.name=piecewise",
        "optimizer.schedule.boundaries=[0.3,0.6]", "optimizer.schedule.factors=[1,2,0.5]",
        "optimizer.schedule.restart=true",
    ),
    "linear": points(
        "model=wgan", *RING, "optimizer.schedule.name=linear", "optimizer.schedule.start=0.5",
        adam=RMSPROP,
    ),
    "pinned_streams": points(
        "model=vgan", *RING, "network.discriminator.dropout=0.3",
        training__streams__init=(7, 7, "null"), training__streams__order=(7, "null", 7),
        training__streams__noise=("null", 7, 7), training__streams__dropout=(7, 7, "null"),
    ),
}  # fmt: skip
ON_IMAGES: dict[str, Game] = {
    "dcgan": images("model=dcgan"),
    "dcgan_flipped": images("model=dcgan", "dataset.flip=true", "network=dcgan_plain"),
    "dcgan_large": images("model=dcgan", "network=dcgan_infogan"),  # beyond the flat optimizer
    "dcgan_share_fakes": images("model=dcgan", "model.share_fakes=true"),
    "pacgan": images("model=pacgan"),
    "sngan": images("model=sngan"),
    "sagan": images("model=sagan", "network=sagan_dcgan"),
    "acgan": images("model=acgan", model__lambda_class=(0.1, 1.0, 2.0)),
    "infogan": images("model=infogan", model__lambda_categorical=(0.1, 1.0, 2.0)),
    "cdcgan": images("model=cdcgan"),
    "wgan_gp": images("model=wgan_gp", "network=dcgan_critic", penalty__weight=(1.0, 5.0, 10.0)),
    "lazy_r1": images("model=dcgan", "network=dcgan_critic", "penalty=r1", "penalty.every=4"),
    "dragan_share_fakes": images(
        "model=dcgan", "network=dcgan_critic", "penalty=dragan", "model.share_fakes=true"
    ),
    "resnet": images("model=wgan_gp", "network=resnet"),
    "resnet_sn": images("model=sngan", "network=resnet_sn"),
    "mlp": images("model=vgan", "network=mlp", *SMALL),
    "srresnet": photographs("model=srresnet"),
    "srgan_photos": photographs(
        "model=srgan_photos",
        "network.discriminator.width=4",
        model__lambda_adversarial=(1e-3, 1e-2, 1e-1),
    ),
}
FAST = (  # each of the stack's ways once
    "vgan", "wgan", "wgan_gp", "pacgan_penalised", "srgan", "cgan_labelled",
    "bilinear_extragradient", "simultaneous_sgd", "dropout_penalised", "share_fakes_batch_norm",
    "lazy_r1", "piecewise", "spectral",
)  # fmt: skip


# --- training alone and together -------------------------------------------------------------


class Rows(Callback):
    """Keeps the logged rows."""

    def __init__(self) -> None:
        self.rows: dict[int, dict[str, float]] = {}

    def on_log(self, step: int, scalars: Mapping[str, float]) -> None:
        self.rows[step] = dict(scalars)


def last(folder: Path) -> dict[str, Any]:
    return checkpoint.load(folder / "checkpoints" / "last.pt")


def alone(runs: Sequence[Run], folder: Path) -> list[Ended]:
    ended = []
    for number, run in enumerate(runs):
        rows = Rows()
        Trainer(run, folder / f"{number}", [rows]).train()
        ended.append((last(folder / f"{number}"), rows.rows))
    return ended


def stacked(runs: Sequence[Run], folder: Path) -> StackTrainer:
    members: list[Trainer] = []
    for number, run in enumerate(runs):
        data = members[0].data if members else None
        members.append(Trainer(run, folder / f"{number}", [Rows()], train=data))
    return StackTrainer(members)


def together(runs: Sequence[Run], folder: Path) -> list[Ended]:
    stack = stacked(runs, folder)
    with warnings.catch_warnings():
        # vmap has no rule for some operations and loops over the replicas instead.
        warnings.filterwarnings("error", message="There is a performance drop")
        stack.train()
    assert stack.failures == {}
    assert bool(stack.ensemble.alive.all())
    return [
        (last(each.folder), each.callbacks[0].rows)  # type: ignore[attr-defined]
        for each in stack.members
    ]


def differences(found: Any, expected: Any, where: str = "") -> dict[str, float]:
    """How far apart two nested containers are, by place; infinite where no number says it."""
    if isinstance(found, Mapping) and isinstance(expected, Mapping):
        if found.keys() != expected.keys():
            return {f"{where}: {found.keys() ^ expected.keys()}": float("inf")}
        pairs = [(str(key), found[key], expected[key]) for key in found]
        return {
            place: far
            for key, *pair in pairs
            for place, far in differences(*pair, f"{where}/{key}").items()
        }
    if isinstance(found, Tensor) and isinstance(expected, Tensor):
        return {where: tensor_difference(found, expected)}
    if isinstance(found, float) and isinstance(expected, float):
        return {where: abs(found - expected) / max(1.0, abs(expected))}
    return {} if found == expected else {where: float("inf")}


def tensor_difference(found: Tensor, expected: Tensor) -> float:
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return float("inf")
    if not found.is_floating_point():
        return 0.0 if torch.equal(found, expected) else float("inf")
    far = (found - expected).abs() / expected.abs().clamp(min=1)
    return float(far.nan_to_num(float("inf")).max())


def computed(state: Mapping[str, Any]) -> dict[str, Any]:
    """What of a checkpoint is computed; not a velocity that momentum 0 lets play no part."""
    kept = {key: value for key, value in state.items() if key not in BESIDE}
    if state["config"]["optimizer"].get("momentum") == 0:
        for optimizer in kept["host"]["optimizers"].values():
            optimizer["state"].pop("velocity", None)
    return kept


def check(game: Game, compose: Compose, folder: Path, steps: int) -> None:
    """Each replica of a stack equals its own run: weights, moments, streams and rows."""
    options = (f"training.steps={steps}", f"training.log_every={max(2, steps // 9)}")
    configs = game.configs(compose, *options)
    assert len({stackable.structure(config) for config in configs}) == 1
    assert stackable.reason_not(configs[0]) is None
    expected = alone([dispatch(config) for config in configs], folder / "alone")
    found = together(replicas(configs), folder / "together")
    worst: dict[str, float] = {}
    for (state, rows), (solo_state, solo_rows) in zip(found, expected, strict=True):
        assert rows.keys() == solo_rows.keys()
        far = differences(
            {"checkpoint": computed(state), "rows": rows},
            {"checkpoint": computed(solo_state), "rows": solo_rows},
        )
        worst = {place: max(value, worst.get(place, 0.0)) for place, value in far.items()}
    at = max(worst, key=lambda place: worst[place])
    assert worst[at] < NEAR, (at, worst[at])
    # The test can tell replicas apart.
    first, second = (computed(state)["host"]["networks"] for state, _ in found[:2])
    assert max(differences(first, second).values()) > 1e-4


@pytest.mark.parametrize("name", FAST)
def test_a_replica_is_its_own_run(name: str, compose: Compose, tmp_path: Path) -> None:
    check(ON_POINTS[name], compose, tmp_path, 21)


def test_a_replica_of_images_is_its_own_run(compose: Compose, tmp_path: Path) -> None:
    check(ON_IMAGES["dcgan_flipped"], compose, tmp_path, 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ON_POINTS)
def test_a_replica_is_its_own_run_after_200_steps(
    name: str, compose: Compose, tmp_path: Path
) -> None:
    check(ON_POINTS[name], compose, tmp_path, 200)


@pytest.mark.slow
@pytest.mark.parametrize("name", ON_IMAGES)
def test_a_replica_of_images_is_its_own_run_after_10_steps(
    name: str, compose: Compose, tmp_path: Path
) -> None:
    check(ON_IMAGES[name], compose, tmp_path, 10)


def test_every_model_is_among_the_games() -> None:
    games = [*ON_POINTS.values(), *ON_IMAGES.values()]
    played = {each.options[0].removeprefix("model=") for each in games}
    stackable_ones = {
        model
        for model in conf_files.options("model", ())
        if registry.lookup(
            "algorithms", conf_files.value_of("model", model, "algorithm") or ""
        ).stacks
    }
    assert played == stackable_ones


# --- replicas that fail ----------------------------------------------------------------------

STEPS, BROKEN_AT = 20, 10  # progress passes 0.425 in the tenth step
BAIT = "loss.real_label"  # 1: never; 0.425: log of a negative number from the tenth step on


def baited(run: Run) -> Run:
    """The run with a term in D's objective that some real labels break in the middle."""

    def objective(inner: Callable[..., Any], nets: Any, batch: Any, h: Any) -> Any:
        return {**inner(nets, batch, h), "bait": torch.log(h[BAIT] - batch["progress"])}

    (stage,) = run.recipe.stages
    moves = tuple(
        dataclasses.replace(move, objective=partial(objective, move.objective))
        if move.player == "D"
        else move
        for move in stage.moves
    )
    recipe = dataclasses.replace(run.recipe, stages=(dataclasses.replace(stage, moves=moves),))
    return dataclasses.replace(run, recipe=recipe)


BAITED = (
    "model=vgan", *RING, "network.discriminator.norm=batch", "network.generator.norm=batch",
    "model.ema=0.9", "training.batch_size=12", f"training.steps={STEPS}", "training.log_every=4",
    "training.checkpoint_every=3",
)  # fmt: skip


def played(
    compose: Compose, folder: Path, label: float, *, precision: str = "fp32", which: int = 1
) -> StackTrainer:
    """A stack of three of which one has another real label."""
    labels: list[object] = [1.0, 1.0, 1.0]
    labels[which] = label
    configs = Game(options=BAITED, columns={BAIT: labels}).configs(
        compose, f"device.precision={precision}"
    )
    stack = stacked([baited(run) for run in replicas(configs)], folder)
    stack.train()
    return stack


@pytest.mark.parametrize("which", range(S))
def test_a_failed_replica_breaks_no_other(
    which: int, compose: Compose, same: Callable[..., bool], tmp_path: Path
) -> None:
    """The others are bit for bit what they are beside a sane one; the first leads the stack."""
    sane = played(compose, tmp_path / "sane", 1.0, which=which)
    broken = played(compose, tmp_path / "broken", 0.425, which=which)
    assert sane.failures == {}
    assert list(broken.failures) == [which]
    assert broken.ensemble.alive.tolist() == [index != which for index in range(S)]
    for index, (one, other) in enumerate(zip(sane.members, broken.members, strict=True)):
        states = [last(each.folder) for each in (one, other)]
        if index == which:
            assert [state["step"] for state in states] == [STEPS, 9]  # the last good one
            continue
        rows = [each.callbacks[0].rows for each in (one, other)]  # type: ignore[attr-defined]
        assert same(rows[0], rows[1])
        assert list(rows[0]) == [4, 8, 12, 16, 20]
        for state in states:
            for key in ("config", "seconds"):
                del state[key]
        assert same(states[0], states[1])


def test_a_failed_replica_stays_as_it_was(compose: Compose, tmp_path: Path) -> None:
    """Its weights and statistics are those before the step, and its failure says when and what."""
    stack = played(compose, tmp_path / "stack", 0.425, precision="fp64")
    text = str(stack.failures[1])
    path = tmp_path / "stack" / "1" / "checkpoints" / "last.pt"
    assert text == (
        f"step {BROKEN_AT}: the term D/bait is not finite. "
        f"The last good checkpoint is {path} (step 9)."
    )
    member = stack.members[1]
    assert member.step == 12  # when it was found: rows are logged every 4 steps
    weights: dict[int, dict[str, Any]] = {}
    solo = Trainer(baited(dispatch(member.run.config)), tmp_path / "solo", [])

    class Keep(Callback):
        def on_step(self, step: int) -> None:
            networks = solo.host.networks
            weights[step] = {
                name: {key: value.clone() for key, value in networks[name].state_dict().items()}
                for name in ("G", "D")
            }

    solo.callbacks = [Keep()]
    with pytest.raises(RunFailed, match=f"step {BROKEN_AT}: the term D/bait is not finite"):
        solo.train()
    frozen = {name: member.host.networks[name].state_dict() for name in ("G", "D")}
    assert max(differences(frozen, weights[BROKEN_AT - 1]).values()) < NEAR
    assert max(differences(frozen, weights[BROKEN_AT - 2]).values()) > 1e-5


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop_wgan"])
def test_a_rate_that_is_too_high(
    optimizer: str, compose: Compose, same: Callable[..., bool], tmp_path: Path
) -> None:
    found = []
    for name, lr in (("sane", 1e-3), ("broken", 1e30)):
        game = Game(
            options=("model=lsgan", *RING, f"optimizer={optimizer}", "training.steps=8"),
            columns={"optimizer.lr": (1e-3, lr, 2e-3)},
        )
        configs = game.configs(compose, "device.precision=fp32", "training.log_every=2")
        found.append(stacked(replicas(configs), tmp_path / name))
        found[-1].train()
    sane, broken = found
    assert (list(sane.failures), list(broken.failures)) == ([], [1])
    solo = Trainer(broken.members[1].run, tmp_path / "solo", [])
    with pytest.raises(RunFailed, match="step 1: the term G/adversarial is not finite") as caught:
        solo.train()
    assert str(broken.failures[1]) == str(caught.value)
    assert broken.members[1].host.all_finite()
    for index in (0, 2):
        states = [each.members[index].host.state_dict() for each in found]
        assert same(states[0], states[1])


def test_all_replicas_fail(compose: Compose, tmp_path: Path) -> None:
    """There is nothing left to train: the stack stops where the last failure is seen."""
    configs = Game(options=BAITED, columns={BAIT: (0.425, 0.125, 0.225)}).configs(compose)
    stack = stacked([baited(run) for run in replicas(configs)], tmp_path)
    stack.train()
    assert stack.step == 12
    steps = {index: str(failure).split(":")[0] for index, failure in stack.failures.items()}
    assert steps == {0: "step 10", 1: "step 4", 2: "step 6"}


def test_a_gradient_that_is_not_finite(compose: Compose, tmp_path: Path) -> None:
    """Every term is finite: no term is to blame, and the weights stay finite."""

    def objective(inner: Callable[..., Any], nets: Any, batch: Any, h: Any) -> Any:
        terms = inner(nets, batch, h)
        # sqrt has an infinite slope at 0, and 0 times infinity is NaN.
        root = torch.sqrt(0 * terms["adversarial"] + (h[BAIT] - 1) ** 2)
        return {**terms, "root": root}

    configs = Game(options=BAITED, columns={BAIT: (0.9, 1.0, 0.8)}).configs(compose)
    runs = []
    for run in replicas(configs):
        (stage,) = run.recipe.stages
        first, *rest = stage.moves
        first = dataclasses.replace(first, objective=partial(objective, first.objective))
        stages = (dataclasses.replace(stage, moves=(first, *rest)),)
        runs.append(dataclasses.replace(run, recipe=dataclasses.replace(run.recipe, stages=stages)))
    stack = stacked(runs, tmp_path)
    stack.train()
    assert list(stack.failures) == [1]
    assert "a gradient is not finite. There is no checkpoint yet" in str(stack.failures[1])
    assert stack.members[1].host.all_finite()


# --- the stack and its members ---------------------------------------------------------------


def test_members_are_views_of_the_stack(compose: Compose, tmp_path: Path) -> None:
    """Whatever looks at a replica sees the stack's numbers, and takes no memory."""
    configs = ON_POINTS["share_fakes_batch_norm"].configs(compose, "training.steps=2")
    stack = stacked(replicas(configs), tmp_path)
    before = [each.host.networks["G"].state_dict()["0.weight"].clone() for each in stack.members]
    stack.train()
    tensors = stack.ensemble.tensors()
    assert set(tensors["vectors"]) == {"D", "G"}
    for index, member in enumerate(stack.members):
        for player, vector in tensors["vectors"].items():
            parts = stack.ensemble.parted(player, vector)
            for name, part in parts.items():
                letter, _, rest = name.partition(".")
                own = member.host.networks[letter].get_parameter(rest)
                assert torch.equal(own, part[index])
                assert own.data_ptr() == part[index].data_ptr()
        for name, buffers in tensors["buffers"].items():
            letter, _, rest = name.partition(".")
            own = member.host.networks[letter].get_buffer(rest)
            assert own.data_ptr() == buffers[index].data_ptr()
        assert not torch.equal(member.host.networks["G"].state_dict()["0.weight"], before[index])
    assert len(stack.ensemble) == S


def test_a_checkpoint_holds_one_replica(compose: Compose, tmp_path: Path) -> None:
    """Not the stack that its weights are views of."""
    configs = ON_POINTS["srgan"].configs(compose, "training.steps=2")
    alone([dispatch(configs[0])], tmp_path / "alone")
    together(replicas(configs), tmp_path / "together")
    sizes = [
        (tmp_path / each / "0" / "checkpoints" / "last.pt").stat().st_size
        for each in ("alone", "together")
    ]
    assert 0.9 * sizes[0] < sizes[1] < 1.1 * sizes[0]


def test_networks_that_no_player_owns(compose: Compose, tmp_path: Path) -> None:
    """SRGAN's first stage: D waits, as it was made."""
    game = ON_POINTS["srgan"]
    configs = game.configs(compose, "training.steps=8", "model.pretrain_share=0.5")
    stack = stacked(replicas(configs), tmp_path)
    seen: dict[int, Any] = {}

    class Keep(Callback):
        def on_log(self, step: int, scalars: Mapping[str, float]) -> None:
            network = stack.members[1].host.networks["D"]
            seen[step] = {key: value.clone() for key, value in network.state_dict().items()}
            assert ("loss/D" in scalars) is (step > 4)

    stack.members[1].callbacks = [Keep()]
    fresh = stack.members[1].host.networks["D"].state_dict()
    fresh = {key: value.clone() for key, value in fresh.items()}
    stack.train()
    assert list(seen) == [4, 8]
    assert all(torch.equal(seen[4][key], value) for key, value in fresh.items())
    assert not any(torch.equal(seen[8][key], value) for key, value in fresh.items())
