"""Walks and sums in the space of z."""

from __future__ import annotations

import math

import pytest
import torch

from gan_runner import latent
from gan_runner.datasets.dataset import Dataset, none

DIGITS = tuple("0123456789")
CLOTHES = ("T-shirt/top", "Trouser", "Ankle boot")


def test_spherical_path_by_hand() -> None:
    start, end = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]])
    way = latent.path(start, end, 4, spherical=True)
    # A right angle: cos(t 90 deg) start + sin(t 90 deg) end, at t = 0, 1/3, 2/3, 1.
    wanted = [[1, 0], [math.sqrt(3) / 2, 1], [0.5, math.sqrt(3)], [0, 2]]
    torch.testing.assert_close(way, torch.tensor([wanted], dtype=way.dtype), atol=1e-6, rtol=0)


def test_linear_path_by_hand() -> None:
    start, end = torch.tensor([[1.0, 0.0], [0.0, 0.0]]), torch.tensor([[0.0, 2.0], [4.0, -4.0]])
    way = latent.path(start, end, 3, spherical=False)
    assert way.tolist() == [[[1, 0], [0.5, 1], [0, 2]], [[0, 0], [2, -2], [4, -4]]]


def test_a_spherical_path_keeps_the_length_that_normal_draws_have() -> None:
    generator = torch.Generator().manual_seed(0)
    start, end = torch.randn((2, 50, 100), generator=generator, dtype=torch.float64)
    middle = {kind: latent.path(start, end, 3, spherical=kind)[:, 1] for kind in (True, False)}
    assert middle[True].norm(dim=1).mean() == pytest.approx(10, abs=0.2)
    assert middle[False].norm(dim=1).mean() == pytest.approx(10 / math.sqrt(2), abs=0.2)


@pytest.mark.parametrize("factor", [1.0, 3.0, -1.0, 0.0])
def test_parallel_ends_are_joined_by_a_line(factor: float) -> None:
    start = torch.tensor([[2.0, 1.0, 0.5]])
    way = latent.path(start, factor * start, 5, spherical=True)
    torch.testing.assert_close(way, latent.path(start, factor * start, 5, spherical=False))
    assert torch.equal(way[:, -1], factor * start)


def test_interpolated_rows_differ_in_z_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = {
        "z": torch.randn(12, 5, generator=generator),
        "label": torch.arange(12),
        "codes": torch.rand(12, 2, generator=generator),
    }
    made = latent.interpolated(3, 4, spherical=True)(drawn)
    assert made["label"].tolist() == [0] * 4 + [4] * 4 + [8] * 4
    assert torch.equal(made["codes"], drawn["codes"][[0, 4, 8]].repeat_interleave(4, dim=0))
    for row in range(3):
        first, last = 4 * row, 4 * row + 3
        torch.testing.assert_close(made["z"][first], drawn["z"][first])
        torch.testing.assert_close(made["z"][last], drawn["z"][last])
        assert not torch.allclose(made["z"][first + 1], drawn["z"][first + 1], atol=0.01)


def test_both_arranges_in_order() -> None:
    drawn = {"z": torch.zeros(2, 1), "label": torch.tensor([1, 2])}
    five, seven = latent.of_class(5), latent.of_class(7)
    arrange = latent.both(five, seven)
    assert arrange is not None
    assert arrange(drawn)["label"].tolist() == [7, 7]
    assert latent.both(None, five) is five
    assert latent.both(five, None) is five
    assert latent.both(None, None) is None
    assert drawn["label"].tolist() == [1, 2]


def test_means_of_classes() -> None:
    z = torch.tensor([[1.0, 0.0], [3.0, 2.0], [9.0, 9.0]])
    labels = torch.tensor([4, 4, 1])
    assert latent.class_mean(z, labels, 4).tolist() == [2, 1]
    assert latent.class_mean(z, labels, 1).tolist() == [9, 9]
    assert latent.class_mean(z, labels, 0).isnan().all()


def test_draws_turned_towards_a_direction_by_hand() -> None:
    noise = torch.tensor([[3.0, 4.0], [5.0, 0.0]])  # both of length 5
    direction = torch.tensor([0.0, 0.1])
    assert torch.equal(latent.toward(direction, noise, 0.0), noise)
    torch.testing.assert_close(
        latent.toward(direction, noise, 1.0), torch.tensor([[0.0, 5.0], [0.0, 5.0]])
    )
    torch.testing.assert_close(
        latent.toward(direction, noise, 0.6), torch.tensor([[2.4, 6.2], [4.0, 3.0]])
    )
    assert torch.equal(latent.toward(torch.zeros(2), noise, 0.0), noise)


def test_turned_draws_are_as_long_as_others() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn((500, 100), generator=generator)
    made = latent.toward(torch.randn(100, generator=generator), noise, math.sqrt(0.5))
    assert float(made.norm(dim=1).mean()) == pytest.approx(10, abs=0.1)


@pytest.mark.parametrize(
    ("text", "classes", "wanted"),
    [
        ("7-1+4", DIGITS, (7, 1, 4)),
        (" 7 - 1 + 4 ", DIGITS, (7, 1, 4)),
        ("5-3+3", ("3", "5"), (1, 0, 0)),
        ("T-shirt/top - trouser + ANKLE BOOT", CLOTHES, (0, 1, 2)),
        ("2-T-shirt/top+1", CLOTHES, (2, 0, 1)),
        ("a-b - c+d + e-f", ("e-f", "a-b", "c+d"), (1, 2, 0)),
    ],
)
def test_sums_are_read(text: str, classes: tuple[str, ...], wanted: tuple[int, int, int]) -> None:
    assert latent.read_sum(text, classes) == wanted


@pytest.mark.parametrize("text", ["7-1", "7+1-4", "7-1+10", "7-x+4", "", "-+"])
def test_what_is_no_sum_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no A-B\\+C of the classes 0, 1, 2"):
        latent.read_sum(text, DIGITS)


def test_a_number_is_a_place_only_where_names_are_no_numbers() -> None:
    assert latent.find_class("1", ("3", "5")) is None
    assert latent.find_class("1", CLOTHES) == 1
    assert latent.find_class("3", CLOTHES) is None
    assert latent.find_class("trouser ", CLOTHES) == 1


def test_class_names() -> None:
    labels = {"train": {"real": torch.zeros(3, 1), "label": torch.tensor([0, 2, 1])}}
    made = Dataset(
        name="x", kind="vectors", splits=labels, offset=torch.zeros(1), scale=torch.ones(1)
    )
    assert latent.class_names(made) == ("0", "1", "2")
    assert latent.class_names(none()) == ()
