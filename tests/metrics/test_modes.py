"""Mode statistics on points made by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from gan_runner.datasets import Modes
from gan_runner.datasets.gaussians import ring
from gan_runner.metrics.modes import class_modes, mode_statistics

RING = ring(num_samples=10).modes


def _two() -> Modes:
    """A wide mode at 0 and a narrow one at (10, 0)."""
    return Modes(centres=torch.tensor([[0.0, 0.0], [10.0, 0.0]]), sds=torch.tensor([1.0, 0.1]))


def _ring() -> Modes:
    assert RING is not None
    return RING


def test_samples_on_every_centre() -> None:
    found = mode_statistics(_ring().centres, _ring())
    assert list(found) == ["modes_covered", "high_quality", "reverse_kl"]
    assert found["modes_covered"] == 8
    assert found["high_quality"] == 1
    assert found["reverse_kl"] == pytest.approx(0, abs=1e-15)


def test_the_border_is_three_sds_of_the_nearest_mode() -> None:
    samples = torch.tensor([[2.99, 0.0], [0.0, 3.01], [10.299, 0.0], [10.0, 0.301]])
    found = mode_statistics(samples, _two())
    assert found["modes_covered"] == 2
    assert found["high_quality"] == 0.5
    wider = mode_statistics(samples, _two(), within=3.02)
    assert wider["high_quality"] == 1
    closer = mode_statistics(samples, _two(), within=2.9)
    assert (closer["modes_covered"], closer["high_quality"]) == (0, 0)


def test_the_border_is_a_circle() -> None:
    # 2.2 sd on both axes is 3.11 sd away.
    assert mode_statistics(torch.tensor([[2.2, 2.2]]), _two())["high_quality"] == 0
    assert mode_statistics(torch.tensor([[2.1, 2.1]]), _two())["high_quality"] == 1


def test_a_missing_mode_and_the_kl_by_hand() -> None:
    centres = _ring().centres
    samples = torch.cat([centres[:7], centres[:1]])  # mode 0 twice, mode 7 never
    found = mode_statistics(samples, _ring())
    assert found["modes_covered"] == 7
    expected = 2 / 8 * math.log(2) + 6 / 8 * math.log(1)
    assert found["reverse_kl"] == pytest.approx(expected, abs=1e-12)


def test_all_samples_on_one_mode_is_ln_k() -> None:
    found = mode_statistics(_ring().centres[3].repeat(50, 1), _ring())
    assert found["modes_covered"] == 1
    assert found["reverse_kl"] == pytest.approx(math.log(8), abs=1e-12)


def test_the_kl_counts_high_quality_samples_unless_told() -> None:
    # Mode 0 twice and mode 1 once from near; mode 1 three times from afar.
    samples = torch.tensor(
        [[0.0, 0.0], [0.0, 1.0], [10.0, 0.0], [9.0, 0.0], [9.0, 1.0], [12.0, 0.0]]
    )
    near = mode_statistics(samples, _two())
    assert near["high_quality"] == 0.5
    expected = 2 / 3 * math.log(4 / 3) + 1 / 3 * math.log(2 / 3)
    assert near["reverse_kl"] == pytest.approx(expected, abs=1e-12)
    everything = mode_statistics(samples, _two(), counted="all")
    assert everything["high_quality"] == 0.5
    expected = 1 / 3 * math.log(2 / 3) + 2 / 3 * math.log(4 / 3)
    assert everything["reverse_kl"] == pytest.approx(expected, abs=1e-12)
    assert mode_statistics(samples[:5], _two(), counted="all")["reverse_kl"] == pytest.approx(
        2 / 5 * math.log(4 / 5) + 3 / 5 * math.log(6 / 5), abs=1e-12
    )


def test_weights_are_the_real_shares() -> None:
    samples = torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [10.0, 0.0]])
    matched = mode_statistics(samples, _two(), weights=[6, 2])
    assert matched["reverse_kl"] == pytest.approx(0, abs=1e-12)
    found = mode_statistics(samples, _two(), weights=[0.2, 0.8])["reverse_kl"]
    expected = 0.75 * math.log(0.75 / 0.2) + 0.25 * math.log(0.25 / 0.8)
    assert found == pytest.approx(expected, abs=1e-12)
    assert mode_statistics(samples, _two(), weights=[1, 0])["reverse_kl"] == math.inf
    assert mode_statistics(samples[:3], _two(), weights=[1, 0])["reverse_kl"] == 0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_samples_that_are_not_finite_are_of_low_quality(bad: float) -> None:
    samples = torch.tensor([[0.0, 0.0], [bad, 0.0], [0.0, bad], [10.0, 0.0]])
    found = mode_statistics(samples, _two(), counted="all")
    assert (found["modes_covered"], found["high_quality"]) == (2, 0.5)
    assert found["reverse_kl"] == pytest.approx(0, abs=1e-12)
    lost = mode_statistics(torch.full((3, 2), bad), _two(), counted="all")
    assert lost == {"modes_covered": 0, "high_quality": 0, "reverse_kl": math.inf}


def test_no_good_sample_is_the_worst_kl() -> None:
    found = mode_statistics(torch.full((5, 2), 5.0), _two())
    assert found == {"modes_covered": 0, "high_quality": 0, "reverse_kl": math.inf}


def test_true_samples_score_their_theory() -> None:
    dataset = ring(num_samples=40_000)
    samples = dataset.unscale(dataset.splits["train"]["real"])
    found = mode_statistics(samples, _ring())
    inside = 1 - math.exp(-4.5)  # a plane Gaussian within 3 sd
    assert found["modes_covered"] == 8
    assert abs(found["high_quality"] - inside) < 5 * math.sqrt(inside * (1 - inside) / 40_000)
    assert 0 < found["reverse_kl"] < 5 * 7 / (2 * 40_000)


@pytest.mark.parametrize(
    ("samples", "options", "message"),
    [
        (torch.zeros(3, 3), {}, r"samples \(3, 3\) must be \[N, 2\]"),
        (torch.zeros(0, 2), {}, "with N above 0"),
        (torch.zeros(3), {}, r"must be \[N, 2\]"),
        (torch.zeros(3, 2), {"counted": "some"}, "counted='some' must be one of"),
        (torch.zeros(3, 2), {"weights": [1.0]}, r"weights=\[1.0\] must be 2 numbers"),
        (torch.zeros(3, 2), {"weights": [-1.0, 2.0]}, "must be 2 numbers of at least 0"),
        (torch.zeros(3, 2), {"weights": [0.0, 0.0]}, "not all 0"),
    ],
)
def test_refuses(samples: Tensor, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mode_statistics(samples, _two(), **options)  # type: ignore[arg-type]


def test_class_modes_by_hand() -> None:
    found = class_modes(torch.tensor([0, 0, 1, 3]), 4, [1, 1, 1, 1])
    # q = (1/2, 1/4, 0, 1/4), p = 1/4 each: ln 2 / 2.
    assert list(found) == ["modes_covered", "reverse_kl"]
    assert found["modes_covered"] == 3
    assert found["reverse_kl"] == pytest.approx(0.5 * math.log(2), abs=1e-12)


def test_class_modes_of_the_reference_itself_and_of_one_class() -> None:
    labels = torch.arange(1000).repeat_interleave(3)
    even = class_modes(labels, 1000, torch.full((1000,), 26))
    assert even["modes_covered"] == 1000
    assert even["reverse_kl"] == pytest.approx(0, abs=1e-12)
    one = class_modes(torch.full((50,), 999), 1000, torch.full((1000,), 1e-3))
    assert one["modes_covered"] == 1
    assert one["reverse_kl"] == pytest.approx(math.log(1000), abs=1e-12)


def test_class_modes_of_a_reference_that_is_uneven_or_lacks_a_class() -> None:
    shares = class_modes(torch.tensor([0, 1]), 2, [3.0, 1.0])
    expected = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)
    assert shares["reverse_kl"] == pytest.approx(expected, abs=1e-12)
    assert class_modes(torch.tensor([0, 1]), 2, [3, 0])["reverse_kl"] == math.inf


def test_class_modes_refuse_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match=r"^class_modes: classes from 0 to 4 must be in \[0, 4\)$"):
        class_modes(torch.tensor([0, 4]), 4, [1, 1, 1, 1])
    with pytest.raises(ValueError, match="must be 4 numbers of at least 0, not all 0"):
        class_modes(torch.tensor([0, 3]), 4, [1, 1, 1])
    with pytest.raises(ValueError, match="not all 0"):
        class_modes(torch.tensor([0, 1]), 2, [0, 0])
    with pytest.raises(ValueError, match=r"found \(0,\) must be"):
        class_modes(torch.zeros(0, dtype=torch.int64), 2, [1, 1])
