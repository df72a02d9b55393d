"""What continuous codes change, on generators whose effects are known."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gan_runner.metrics.effects import Draws, code_effects


def redraw_of(make: Callable[[Draws], Tensor]) -> Callable[..., Tensor]:
    def redraw(num: int, arrange: Callable[[Draws], Draws]) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        drawn = {
            "z": torch.randn(num, 3, generator=generator),
            "codes": torch.rand(num, 2, generator=generator) * 2 - 1,
            "category": torch.randint(10, (num,), generator=generator),
        }
        return make(arrange(drawn))

    return redraw


def test_effects_are_relative_to_those_of_z() -> None:
    def make(drawn: Draws) -> Tensor:
        z, codes = drawn["z"], drawn["codes"]
        return torch.stack([z[:, 0], 0.5 * codes[:, 0], drawn["category"].float()], dim=1)

    found = code_effects(redraw_of(make), 2, num=4000)
    assert found.keys() == {"code_1_effect", "code_2_effect"}
    # The code moves a sample by 0.5 x 4; two draws of N(0, 1) are 2 / sqrt(pi) apart.
    assert found["code_1_effect"] == pytest.approx(2 / (2 / math.sqrt(math.pi)), rel=0.03)
    assert found["code_2_effect"] == 0


def test_the_other_code_and_the_category_stay() -> None:
    seen: list[Draws] = []

    def make(drawn: Draws) -> Tensor:
        seen.append(drawn)
        return drawn["z"]

    code_effects(redraw_of(make), 2, num=5)
    for code, drawn in enumerate(seen):
        parts = {name: value.reshape(3, 5, -1) for name, value in drawn.items()}
        assert torch.equal(parts["category"][0], parts["category"][1])
        assert torch.equal(parts["category"][0], parts["category"][2])
        other = parts["codes"][:, :, 1 - code]
        assert torch.equal(other[0], other[1])
        assert torch.equal(other[0], other[2])
        ends = parts["codes"][:, :, code]
        assert torch.equal(ends, torch.tensor([[-2.0], [2.0], [-2.0]]).expand(3, 5))
        assert torch.equal(parts["z"][0], parts["z"][1])
        assert not torch.equal(parts["z"][0], parts["z"][2])


def test_a_generator_that_ignores_z_has_no_scale() -> None:
    found = code_effects(redraw_of(lambda drawn: drawn["codes"]), 1)
    assert math.isnan(found["code_1_effect"])


def test_slant_and_stroke_of_drawn_bars() -> None:
    rows = torch.arange(16)[:, None] - 7.5

    def make(drawn: Draws) -> Tensor:
        """Upright bars that the first code shears and the second widens."""
        lean, width = drawn["codes"][:, 0, None, None] / 8, 3 + drawn["codes"][:, 1, None, None]
        columns = torch.arange(24) - 11.5 + drawn["z"][:, 0, None, None] * 0.1
        inside = (columns + lean * rows).abs() * 2 <= width
        inside &= rows.abs() < 6
        return inside.float()[:, None] * 2 - 1

    found = code_effects(redraw_of(make), 2, num=200)
    assert found["code_1_slant"] == pytest.approx(0.5, abs=0.08)  # from -1/4 to 1/4
    assert abs(found["code_2_slant"]) < 0.08
    assert found["code_2_stroke"] > 1.5
    assert abs(found["code_1_stroke"]) < 0.5


def test_only_grey_images_have_strokes() -> None:
    found = code_effects(redraw_of(lambda drawn: drawn["z"][:, :, None, None]), 1)
    assert found.keys() == {"code_1_effect"}
    empty = code_effects(redraw_of(lambda drawn: drawn["z"][:, :1, None, None] * 0 - 1), 1)
    assert math.isnan(empty["code_1_slant"])
