"""Optimizers: torch's numbers in both forms, rates by role, restart, and their state."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_runner import optimizers, schema
from gan_runner.flat_optimizers import Flat
from gan_runner.fused_optimizers import Fused
from gan_runner.optimizers import FLAT_LIMIT, OPTIMIZERS, Optimizer, corrected, optimizer_maker

SECTIONS: dict[str, dict[str, Any]] = {
    "adam": dataclasses.asdict(schema.Adam(name="adam", lr=0.01, beta1=0.5, beta2=0.9, eps=1e-3)),
    "adam_decay": dataclasses.asdict(schema.Adam(name="adam", lr=0.01, weight_decay=0.1)),
    "adam_no_mean": dataclasses.asdict(schema.Adam(name="adam", lr=0.01, beta1=0.0, beta2=0.99)),
    "rmsprop": dataclasses.asdict(schema.RmsProp(name="rmsprop", lr=0.01, alpha=0.9)),
    "rmsprop_full": dataclasses.asdict(
        schema.RmsProp(name="rmsprop", lr=0.01, momentum=0.7, weight_decay=0.1, eps=1e-2)
    ),
    "sgd": dataclasses.asdict(schema.Sgd(name="sgd", lr=0.1)),
    "sgd_full": dataclasses.asdict(schema.Sgd(name="sgd", lr=0.1, momentum=0.9, weight_decay=0.01)),
}
REFERENCES: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": lambda p, s: torch.optim.Adam(
        p, s["lr"], (s["beta1"], s["beta2"]), s["eps"], s["weight_decay"]
    ),
    "rmsprop": lambda p, s: torch.optim.RMSprop(
        p, s["lr"], s["alpha"], s["eps"], s["weight_decay"], s["momentum"]
    ),
    "sgd": lambda p, s: torch.optim.SGD(p, s["lr"], s["momentum"], weight_decay=s["weight_decay"]),
}
EACH = pytest.mark.parametrize("name", SECTIONS)
FORMS = pytest.mark.parametrize("form", [Flat, Fused])


def make(section: dict[str, Any], parameters: Sequence[nn.Parameter], role: str = "") -> Optimizer:
    return optimizer_maker(OPTIMIZERS[section["name"]], section)(parameters, role)


def parameters() -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    shapes = ((3, 4), (4,), (), (2, 3, 2))
    return [
        nn.Parameter(torch.randn(shape, generator=generator, dtype=torch.float64))
        for shape in shapes
    ]


def gradients(step: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(100 + step)
    return [
        torch.randn(each.shape, generator=generator, dtype=torch.float64) for each in parameters()
    ]


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Callable[[type], None]:
    """Make every optimizer of one form."""

    def choose(form: type) -> None:
        monkeypatch.setattr(optimizers, "FLAT_LIMIT", 0 if form is Fused else 10**9)

    return choose


@FORMS
@EACH
def test_torchs_numbers(name: str, form: type, limit: Callable[[type], None]) -> None:
    limit(form)
    section, ours, theirs = SECTIONS[name], parameters(), parameters()
    optimizer = make(section, ours)
    assert isinstance(optimizer, form)
    reference = REFERENCES[section["name"]](theirs, section)
    for step in range(25):
        if step == 12:  # a schedule's new rate, in the middle
            optimizer.lr = reference.param_groups[0]["lr"] = 0.05
        optimizer.step(gradients(step))
        for parameter, gradient in zip(theirs, gradients(step), strict=True):
            parameter.grad = gradient
        reference.step()
        for mine, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-13)


def test_adam_by_hand() -> None:
    parameter = nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    section = {**SECTIONS["adam"], "lr": 0.1, "beta1": 0.5, "beta2": 0.75, "eps": 1.0}
    optimizer = make(section, [parameter])
    optimizer.step([torch.tensor([2.0], dtype=torch.float64)])
    # Both corrected moments of the first step are the gradient and its square: 1 - 0.1 * 2 / 3.
    assert parameter.item() == pytest.approx(1 - 0.2 / 3, rel=1e-14)
    optimizer.step([torch.tensor([-1.0], dtype=torch.float64)])
    # m = 0.5 * 1 - 0.5 = 0, so nothing moves.
    assert parameter.item() == pytest.approx(1 - 0.2 / 3, rel=1e-14)


@FORMS
@EACH
def test_a_restart_is_an_optimizer_made_anew(
    name: str, form: type, limit: Callable[[type], None]
) -> None:
    limit(form)
    section, restarted, fresh = SECTIONS[name], parameters(), parameters()
    optimizer = make(section, restarted)
    for step in range(5):
        optimizer.step(gradients(step))
    with torch.no_grad():
        for mine, other in zip(restarted, fresh, strict=True):
            mine.copy_(other)
    optimizer.restart()
    new = make(section, fresh)
    for step in range(5, 9):
        optimizer.step(gradients(step))
        new.step(gradients(step))
    for mine, other in zip(restarted, fresh, strict=True):
        assert torch.equal(mine, other)


@FORMS
@EACH
def test_state_goes_on_bit_for_bit(name: str, form: type, limit: Callable[[type], None]) -> None:
    limit(form)
    section, kept = SECTIONS[name], parameters()
    optimizer = make(section, kept)
    for step in range(5):
        optimizer.step(gradients(step))
    optimizer.lr = 0.123
    state = copy.deepcopy(optimizer.state_dict())
    moved = [nn.Parameter(each.detach().clone()) for each in kept]
    other = make(section, moved)
    other.load_state_dict(state)
    assert other.lr == 0.123
    assert other.initial_lr == section["lr"]
    for step in range(5, 9):
        optimizer.step(gradients(step))
        other.step(gradients(step))
    for mine, loaded in zip(kept, moved, strict=True):
        assert torch.equal(mine, loaded)


@FORMS
@EACH
def test_no_gradient_is_a_zero_gradient(
    name: str, form: type, limit: Callable[[type], None]
) -> None:
    limit(form)
    section, without, zero = SECTIONS[name], parameters(), parameters()
    ours, other = make(section, without), make(section, zero)
    for step in range(4):
        given: list[Tensor | None] = list(gradients(step))
        ours.step([None, *given[1:]])
        other.step([torch.zeros(3, 4, dtype=torch.float64), *given[1:]])
    for mine, its in zip(without, zero, strict=True):
        assert torch.equal(mine, its)


@FORMS
@EACH
def test_gradients_are_left_as_they_are(
    name: str, form: type, limit: Callable[[type], None]
) -> None:
    limit(form)
    optimizer = make(SECTIONS[name], parameters())
    for step in range(3):
        given = gradients(step)
        optimizer.step(given)
        for mine, expected in zip(given, gradients(step), strict=True):
            assert torch.equal(mine, expected)


@EACH
def test_weights_put_in_from_outside_are_the_ones_that_move(name: str) -> None:
    """As a checkpoint, `init_from`, clipping and extragradient put them in: in place."""
    network = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)).double()
    optimizer = make(SECTIONS[name], list(network.parameters()))
    zeros = {key: torch.zeros_like(value) for key, value in network.state_dict().items()}
    ones = [torch.ones_like(each) for each in network.parameters()]
    optimizer.step(ones)
    network.load_state_dict(zeros)
    before = [each.detach().clone() for each in network.parameters()]
    assert not any(bool(each.any()) for each in before)
    optimizer.step(ones)
    for parameter in network.parameters():
        assert bool((parameter < 0).all())
        assert float(parameter.detach().abs().max()) < 0.5


def test_the_flat_form_keeps_values_and_shapes() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.Conv2d(2, 3, 3))
    before = [each.detach().clone() for each in network.parameters()]
    make(SECTIONS["adam"], list(network.parameters()))
    for parameter, value in zip(network.parameters(), before, strict=True):
        assert parameter.shape == value.shape
        assert torch.equal(parameter, value)
        assert parameter.requires_grad
    assert [name for name, _ in network.named_parameters()] == list(network.state_dict())


@FORMS
@pytest.mark.parametrize(
    ("role", "expected"), [("generator", 3e-4), ("discriminator", 4e-4), ("encoder", 1e-4)]
)
def test_a_role_has_its_own_rate(
    role: str, expected: float, form: type, limit: Callable[[type], None]
) -> None:
    limit(form)
    section = {**SECTIONS["adam"], "lr": 1e-4, "generator_lr": 3e-4, "discriminator_lr": 4e-4}
    optimizer = make(section, parameters(), role)
    assert optimizer.lr == optimizer.initial_lr == expected
    plain = {**section, "generator_lr": None, "discriminator_lr": None}
    assert make(plain, parameters(), role).lr == 1e-4


def test_large_networks_go_to_torch() -> None:
    large = [nn.Parameter(torch.zeros(optimizers.FLAT_LIMIT + 1))]
    small = [nn.Parameter(torch.zeros(optimizers.FLAT_LIMIT))]
    assert isinstance(make(SECTIONS["adam"], large), Fused)
    assert isinstance(make(SECTIONS["adam"], small), Flat)


@FORMS
@EACH
def test_meta_parameters_move(name: str, form: type, limit: Callable[[type], None]) -> None:
    limit(form)
    weights = [nn.Parameter(each.detach().to("meta")) for each in parameters()]
    optimizer = make(SECTIONS[name], weights)
    optimizer.step([torch.zeros_like(each) for each in weights])
    assert all(each.device.type == "meta" for each in weights)


def test_every_registered_optimizer_has_both_forms() -> None:
    assert set(OPTIMIZERS) == {section["name"] for section in SECTIONS.values()}


# --- memory layouts --------------------------------------------------------------------------


def images(layout: torch.memory_format) -> list[nn.Parameter]:
    """A convolution's weight and bias, and a 1 x 1 weight, which has one layout only."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(4, 3, 2, 5, generator=generator, dtype=torch.float64)
    small = torch.randn(3, 2, 1, 1, generator=generator, dtype=torch.float64)
    bias = torch.randn(4, generator=generator, dtype=torch.float64)
    return [
        nn.Parameter(weight.to(memory_format=layout)),
        nn.Parameter(bias),
        nn.Parameter(small.to(memory_format=layout)),
    ]


def slopes(step: int, layout: torch.memory_format) -> list[Tensor]:
    generator = torch.Generator().manual_seed(100 + step)
    drawn = [
        torch.randn(each.shape, generator=generator, dtype=torch.float64)
        for each in images(torch.contiguous_format)
    ]
    return [each.to(memory_format=layout) if each.dim() == 4 else each for each in drawn]


LAYOUTS = (torch.contiguous_format, torch.channels_last)


@FORMS
@EACH
@pytest.mark.parametrize("of_gradient", LAYOUTS)
def test_layouts_give_the_same_numbers(
    name: str, form: type, of_gradient: torch.memory_format, limit: Callable[[type], None]
) -> None:
    """torch's fused kernels take two tensors of different layouts number by number as they lie."""
    limit(form)
    plain, last = images(LAYOUTS[0]), images(LAYOUTS[1])
    one, other = make(SECTIONS[name], plain), make(SECTIONS[name], last)
    for step in range(4):
        one.step(slopes(step, LAYOUTS[0]))
        other.step(slopes(step, of_gradient))
    for left, right in zip(plain, last, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-14, atol=1e-14)
    assert last[0].is_contiguous(memory_format=torch.channels_last)
    assert not last[0].is_contiguous()


@FORMS
@EACH
@pytest.mark.parametrize("saved", LAYOUTS)
@pytest.mark.parametrize("loaded", LAYOUTS)
def test_a_state_goes_on_in_either_layout(
    name: str,
    form: type,
    saved: torch.memory_format,
    loaded: torch.memory_format,
    limit: Callable[[type], None],
) -> None:
    limit(form)
    before, after = images(saved), images(loaded)
    first = make(SECTIONS[name], before)
    for step in range(3):
        first.step(slopes(step, saved))
    state = copy.deepcopy(first.state_dict())
    second = make(SECTIONS[name], after)
    with torch.no_grad():
        for parameter, value in zip(after, before, strict=True):
            parameter.copy_(value)
    second.load_state_dict(state)
    for step in range(3, 6):
        first.step(slopes(step, saved))
        second.step(slopes(step, loaded))
    for left, right in zip(before, after, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-14, atol=1e-14)


def test_an_expanded_gradient_is_laid_out() -> None:
    weights = [nn.Parameter(torch.zeros(2, 3, dtype=torch.float64))]
    section = {**SECTIONS["sgd"], "lr": 1.0}
    optimizer = Fused(optimizers.sgd(weights, 1.0, section), weights, 1.0)
    optimizer.step([torch.tensor(2.0, dtype=torch.float64).expand(2, 3)])
    assert weights[0].detach().unique().tolist() == [-2.0]


@pytest.mark.parametrize("size", [10, FLAT_LIMIT + 1])
def test_a_lazy_term_corrects_rate_and_averages(size: int) -> None:
    """An update more every 4 steps: lr x 4 / 5, beta^(4 / 5), so 5 updates reach back as 4 did."""
    section = {
        "lr": 1e-3, "beta1": 0.5, "beta2": 0.99, "eps": 1e-8, "weight_decay": 0.0,
        "generator_lr": None,
    }  # fmt: skip
    factor, used = corrected(section, 4)
    assert factor == 0.8
    assert used["beta1"] ** 5 == pytest.approx(0.5**4)
    assert used["beta2"] ** 5 == pytest.approx(0.99**4)
    assert used["eps"] == section["eps"]
    assert corrected(section, 1) == (1.0, section)
    parameters = [torch.nn.Parameter(torch.ones(size))]
    made = optimizer_maker(OPTIMIZERS["adam"], section)(parameters, "generator", 4)
    assert made.lr == pytest.approx(8e-4)
    made.step([torch.ones(size)])
    assert parameters[0][0].item() == pytest.approx(1 - 8e-4, rel=1e-6)
