"""The recipe of the classifiers."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gan_runner import classifiers
from gan_runner.classifiers import training
from gan_runner.classifiers.training import RECIPES, Recipe, augment, ramp
from gan_runner.datasets.images import digits
from gan_runner.metrics.information import slant

STILL = Recipe(stages=((4,),), epochs=1)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _blob(num: int = 1, size: int = 21) -> Tensor:
    """A round soft spot in the middle of each image."""
    places = torch.arange(size) - (size - 1) / 2
    distance = torch.hypot(places[:, None], places[None, :])
    return (2 * torch.exp(-((distance / 2) ** 2)) - 1).repeat(num, 1, 1, 1)


def _centre(images: Tensor) -> Tensor:
    """Centres of mass [N, 2], (row, column)."""
    ink = (images[:, 0] + 1) / 2
    places = torch.arange(ink.shape[-1]).float()
    total = ink.sum((1, 2))
    rows, columns = (ink.sum(2) @ places) / total, (ink.sum(1) @ places) / total
    return torch.stack([rows, columns], dim=1)


def _sized(images: Tensor) -> Tensor:
    """Area of each image's ink, [N]."""
    return ((images + 1) / 2).sum((1, 2, 3))


def test_no_change_asked_for_is_none() -> None:
    images = torch.rand(3, 1, 8, 8, generator=_generator()) * 2 - 1
    torch.testing.assert_close(augment(images, STILL, _generator()), images, atol=1e-5, rtol=0)


def test_images_are_moved_by_at_most_the_shift() -> None:
    recipe = dataclasses.replace(STILL, shift=3.0)
    moved = _centre(augment(_blob(400), recipe, _generator())) - 10
    assert 2.8 < moved.abs().amax() <= 3.01
    assert moved.mean(0).abs().max() < 0.3
    assert moved.std(0) == pytest.approx([3 / 3**0.5] * 2, rel=0.1)  # uniform, both ways


def test_images_are_scaled_both_ways() -> None:
    recipe = dataclasses.replace(STILL, scaling=0.2)
    sides = (_sized(augment(_blob(200), recipe, _generator())) / _sized(_blob())).sqrt()
    assert sides.min() == pytest.approx(0.8, abs=0.03)
    assert sides.max() == pytest.approx(1.2, abs=0.03)


def test_images_are_turned_and_sheared() -> None:
    bar = -torch.ones(200, 1, 21, 21)
    bar[:, :, 3:18, 10] = 1
    for change in ({"rotation": 20.0}, {"shear": 0.364}):  # tan 20 degrees
        turned = augment(bar, dataclasses.replace(STILL, **change), _generator())  # type: ignore[arg-type]
        lean = slant(turned)
        assert lean.abs().max() == pytest.approx(0.36, abs=0.04)
        assert lean.min() < -0.3 < 0.3 < lean.max()
        torch.testing.assert_close(_centre(turned), torch.full((200, 2), 10.0), atol=0.05, rtol=0)


def test_half_of_the_images_are_mirrored() -> None:
    images = torch.rand(1, 1, 8, 8, generator=_generator()).repeat(400, 1, 1, 1) * 2 - 1
    found = augment(images, dataclasses.replace(STILL, flip=True), _generator())
    mirrored = (found - images.flip(3)).abs().amax((1, 2, 3)) < 1e-5
    same = (found - images).abs().amax((1, 2, 3)) < 1e-5
    assert bool((mirrored ^ same).all())
    assert 150 < int(mirrored.sum()) < 250


def test_what_comes_in_from_outside_is_black() -> None:
    white = torch.ones(50, 1, 8, 8)
    found = augment(white, dataclasses.replace(STILL, shift=3.0), _generator())
    assert found.min() == pytest.approx(-1, abs=1e-5)
    assert found.max() == pytest.approx(1, abs=1e-5)


def test_a_square_is_erased() -> None:
    found = augment(torch.ones(300, 2, 12, 12), dataclasses.replace(STILL, erase=5), _generator())
    erased = (found < 0).float()
    assert torch.equal(erased[:, 0], erased[:, 1])
    assert torch.equal(erased, (found < 1 - 1e-5).float())  # black, the rest untouched
    area = erased[:, 0].sum((1, 2))
    assert (float(area.max()), float(area.min())) == (25, 9)  # whole, and in a corner
    assert bool((erased[:, 0].mean(0) > 0).all())  # anywhere


def test_each_image_is_changed_in_its_own_way_and_by_the_generator_alone() -> None:
    recipe = RECIPES["mnist"]
    torch.manual_seed(1)
    first = augment(_blob(3), recipe, _generator(7))
    torch.manual_seed(2)
    assert torch.equal(augment(_blob(3), recipe, _generator(7)), first)
    assert not torch.equal(augment(_blob(3), recipe, _generator(8)), first)
    assert not torch.equal(first[0], first[1])


def test_the_rate_rises_and_falls() -> None:
    assert ramp(0.0, 0.25) == 0
    assert ramp(0.125, 0.25) == 0.5
    assert ramp(0.25, 0.25) == 1
    assert ramp(0.625, 0.25) == 0.5
    assert ramp(0.999, 0.25) == pytest.approx(0.001 / 0.75)


SHORT = dataclasses.replace(RECIPES["digits"], stages=((8,), (16,)), epochs=6)


def test_a_short_training_learns_and_is_repeated_exactly(tmp_path: Path) -> None:
    made = training.make("digits", SHORT, tmp_path / "a")
    again = training.make("digits", SHORT, tmp_path / "b")
    other = training.make("digits", dataclasses.replace(SHORT, seed=1), tmp_path / "c")
    assert made.hash == again.hash != other.hash
    assert made.accuracy > 0.5
    record = json.loads((tmp_path / "a" / "digits.json").read_text(encoding="utf-8"))
    assert record["errors"] == round(500 * (1 - made.accuracy))
    assert (record["num_test"], record["classes"]) == (500, list("0123456789"))
    assert record["recipe"]["data"] == digits().content_hash()
    assert (record["recipe"]["seed"], record["recipe"]["num_train"]) == (0, 1097)
    assert record["recipe"]["threads"] == torch.get_num_threads()


def test_training_leaves_the_global_generator_alone() -> None:
    state = torch.get_rng_state()
    training.train(digits(), dataclasses.replace(SHORT, epochs=1), quiet=True)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_recipes_are_those_of_the_shipped_ones() -> None:
    assert set(RECIPES) == set(classifiers.names())
    for name, recipe in RECIPES.items():
        plain = json.loads(json.dumps(dataclasses.asdict(recipe)))
        assert plain.items() <= classifiers.load(name).recipe.items()


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    try:
        training.main(["digits", "--epochs", "1", "--seed", "5", "--folder", str(tmp_path)])
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)
    made = classifiers.load(str(tmp_path / "digits.safetensors"))
    assert (made.recipe["epochs"], made.recipe["seed"]) == (1, 5)
    assert made.hash in capsys.readouterr().out


def test_the_command_refuses_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit) as caught:
        training.main(["minst"])
    assert caught.value.code == 2
    assert "no recipe for minst; there are " in capsys.readouterr().err

    def missing(**_: object) -> None:
        raise ValueError("dataset=mnist: its files are not in there")

    monkeypatch.setattr("gan_runner.datasets.images.mnist", missing)
    with pytest.raises(SystemExit, match=r"error: dataset=mnist: its files are not in there$"):
        training.main(["mnist", "--folder", str(tmp_path)])
