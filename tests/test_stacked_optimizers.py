"""Stacked optimizers: each row is what torch's optimizer makes of it, with numbers of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_runner import schema
from gan_runner.flat_optimizers import Flat
from gan_runner.fused_optimizers import Fused
from gan_runner.optimizers import OPTIMIZERS
from gan_runner.stacked_optimizers import STACKED, State, numbers_of

S, P = 4, 7
Section = dict[str, Any]


def sections(name: str) -> list[Section]:
    """S sections that differ in every number."""
    kinds: dict[str, Callable[[int], Any]] = {
        "adam": lambda s: schema.Adam(
            name="adam", lr=0.01 * (s + 1), beta1=(0.0, 0.5, 0.9, 0.99)[s],
            beta2=(0.9, 0.0, 0.999, 0.99)[s], eps=10.0 ** -(3 * s + 1), weight_decay=0.1 * s,
        ),
        "rmsprop": lambda s: schema.RmsProp(
            name="rmsprop", lr=0.01 * (s + 1), alpha=(0.0, 0.5, 0.9, 0.99)[s],
            momentum=(0.0, 0.3, 0.0, 0.9)[s], eps=10.0 ** -(3 * s + 1), weight_decay=0.1 * s,
        ),
        "sgd": lambda s: schema.Sgd(
            name="sgd", lr=0.1 * (s + 1), momentum=(0.0, 0.3, 0.0, 0.9)[s], weight_decay=0.1 * s
        ),
    }  # fmt: skip
    return [dataclasses.asdict(kinds[name](s)) for s in range(S)]


TORCHS: dict[str, Callable[[list[Tensor], Section], torch.optim.Optimizer]] = {
    "adam": lambda p, s: torch.optim.Adam(
        p, s["lr"], (s["beta1"], s["beta2"]), s["eps"], s["weight_decay"]
    ),
    "rmsprop": lambda p, s: torch.optim.RMSprop(
        p, s["lr"], s["alpha"], s["eps"], s["weight_decay"], s["momentum"]
    ),
    "sgd": lambda p, s: torch.optim.SGD(p, s["lr"], s["momentum"], weight_decay=s["weight_decay"]),
}
EACH = pytest.mark.parametrize("name", STACKED)


def vectors(seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(S, P, generator=generator, dtype=torch.float64).to(dtype)


def state_of(name: str, like: Tensor) -> State:
    optimizer = STACKED[name]
    state = {moment: torch.zeros_like(like) for moment in optimizer.moments}
    state["num_steps"] = torch.zeros(S, dtype=torch.float64)
    return state | numbers_of(optimizer, sections(name), torch.device("cpu"))


def rates(name: str, factor: float = 1.0) -> Tensor:
    return torch.tensor([factor * each["lr"] for each in sections(name)], dtype=torch.float64)


def move(name: str, vector: Tensor, gradient: Tensor, state: State, rate: Tensor) -> None:
    """As a stack's step does: it counts the update, and adds the weights' decay."""
    state["num_steps"] += 1
    decay = state["weight_decay"].to(vector.dtype).unsqueeze(1)
    STACKED[name].move(vector, gradient + decay * vector, state, rate)


@EACH
def test_torchs_numbers_row_by_row(name: str) -> None:
    vector = vectors()
    state = state_of(name, vector)
    theirs = [nn.Parameter(row.clone()) for row in vectors()]
    references = [
        TORCHS[name]([row], each) for row, each in zip(theirs, sections(name), strict=True)
    ]
    for step in range(25):
        factor = 1.0 if step < 12 else 0.3  # a schedule's new rate, in the middle
        gradient = vectors(100 + step)
        move(name, vector, gradient.clone(), state, rates(name, factor))
        for row, reference, own, slope in zip(
            theirs, references, sections(name), gradient, strict=True
        ):
            reference.param_groups[0]["lr"] = factor * own["lr"]
            row.grad = slope
            reference.step()
        torch.testing.assert_close(vector, torch.stack([*theirs]).detach(), rtol=1e-14, atol=1e-14)
    assert float((vector - vectors()).abs().min()) > 1e-3
    assert state["num_steps"].tolist() == [25] * S


@EACH
def test_a_row_depends_on_itself_alone(name: str) -> None:
    """Bit for bit, though another row is not finite."""
    found = []
    for spoilt in (False, True):
        vector, state = vectors(), state_of(name, vectors())
        for step in range(3):
            gradient = vectors(100 + step)
            if spoilt:
                gradient[1] = float("nan")
            move(name, vector, gradient, state, rates(name))
        found.append((vector, state))
    for row in (0, 2, 3):
        assert torch.equal(found[0][0][row], found[1][0][row])
        for moment in STACKED[name].moments:
            assert torch.equal(found[0][1][moment][row], found[1][1][moment][row])
    assert bool(found[1][0][1].isnan().all())


@EACH
def test_a_rate_of_zero_moves_nothing(name: str) -> None:
    vector, state = vectors(), state_of(name, vectors())
    rate = rates(name)
    rate[2] = 0
    move(name, vector, vectors(1), state, rate)
    changed = (vector != vectors()).any(dim=1).tolist()
    assert changed == [True, True, False, True]


@EACH
def test_float32_vectors_keep_their_type(name: str) -> None:
    """Numbers are float64 until they meet them: 1 - 0.999 has three digits in float32."""
    vector = vectors(dtype=torch.float32)
    state, exact = state_of(name, vector), vectors()
    other = state_of(name, exact)
    for step in range(5):
        move(name, vector, vectors(100 + step, torch.float32), state, rates(name))
        move(name, exact, vectors(100 + step), other, rates(name))
    assert vector.dtype == torch.float32
    for moment in STACKED[name].moments:
        assert state[moment].dtype == torch.float32
    torch.testing.assert_close(vector.double(), exact, rtol=2e-4, atol=2e-5)


@EACH
def test_gradients_are_left_as_they_are(name: str) -> None:
    gradient = vectors(1)
    STACKED[name].move(vectors(), gradient, state_of(name, vectors()), rates(name))
    assert torch.equal(gradient, vectors(1))


@EACH
def test_numbers_are_the_sections(name: str) -> None:
    found = numbers_of(STACKED[name], sections(name), torch.device("cpu"))
    assert set(found) == set(STACKED[name].numbers)
    for key, column in found.items():
        assert column.dtype == torch.float64
        assert column.tolist() == [each[key] for each in sections(name)]
    assert "weight_decay" in found  # the stack's step adds it to gradients


# --- the solo forms' moments -----------------------------------------------------------------

Solo = tuple[Any, list[nn.Parameter]]


def cut(row: Tensor) -> list[Tensor]:
    """A row [P] as the gradients or values of two parameters."""
    return [row[:6].view(2, 3), row[6:].view(1)]


def joined(parts: Sequence[Tensor]) -> Tensor:
    return torch.cat([part.detach().reshape(-1) for part in parts])


def alone(form: type, name: str, rows: Tensor) -> list[Solo]:
    """For each row a flat or a large optimizer over two parameters that hold it."""
    made: list[Solo] = []
    for section, row in zip(sections(name), rows, strict=True):
        parameters = [nn.Parameter(part.clone()) for part in cut(row)]
        flat, large = OPTIMIZERS[name]
        if form is Flat:
            made.append((flat(parameters, section["lr"], section), parameters))
        else:
            optimizer = large(parameters, section["lr"], section)
            made.append((Fused(optimizer, parameters, section["lr"]), parameters))
    return made


def step_all(solos: Sequence[Solo], gradient: Tensor) -> None:
    for (optimizer, _), row in zip(solos, gradient, strict=True):
        optimizer.step(cut(row))


@EACH
@pytest.mark.parametrize("before", [Flat, Fused])
@pytest.mark.parametrize("after", [Flat, Fused])
@pytest.mark.parametrize("num", [0, 1, 5])
def test_moments_go_into_the_stack_and_out_of_it(
    name: str, before: type, after: type, num: int
) -> None:
    """Alone for some steps, stacked for three, then alone again: as if alone all the time."""
    straight, split = alone(Flat, name, vectors()), alone(before, name, vectors())
    for step in range(num):
        step_all(straight, vectors(100 + step))
        step_all(split, vectors(100 + step))

    vector = torch.stack([joined(parameters) for _, parameters in split])
    state = state_of(name, vector)
    for row, (optimizer, _) in enumerate(split):
        state["num_steps"][row], moments = optimizer.moments()
        for key, value in moments.items():
            state[key][row] = value
    for step in range(num, num + 3):
        move(name, vector, vectors(100 + step), state, rates(name))
        step_all(straight, vectors(100 + step))

    ended = alone(after, name, vector)
    for row, (optimizer, _) in enumerate(ended):
        moments = {key: state[key][row] for key in STACKED[name].moments}
        optimizer.put_moments(int(state["num_steps"][row]), moments)
        found_num, found = optimizer.moments()
        assert found_num == num + 3
        for key, value in found.items():
            assert torch.equal(value, moments[key])
    for step in range(num + 3, num + 6):
        step_all(straight, vectors(100 + step))
        step_all(ended, vectors(100 + step))
    for (_, mine), (_, other) in zip(ended, straight, strict=True):
        torch.testing.assert_close(joined(mine), joined(other), rtol=1e-13, atol=1e-13)
