"""What pictures of images show: stand-ins whose pixels tell what they were made from."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_runner import arithmetic, panels
from gan_runner.classifiers import classifier
from gan_runner.datasets.dataset import Dataset, as_floats, resident
from gan_runner.dispatch import Run
from gan_runner.game import Batch, Grid, Player, Recipe, Stage
from gan_runner.priors import Labels, Normal, Prior, Uniform
from gan_runner.sampling import Source, of_step

SIZE = 4
Make = Callable[..., Run]


class Sheet(nn.Module):
    """An image whose pixels are z."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, z: Tensor) -> Tensor:
        return self.weight * z.reshape(-1, 1, SIZE, SIZE)


def with_label(nets: Any, batch: Batch) -> Tensor:
    """The first pixel is the label."""
    made: Tensor = nets.G(batch["z"]).clone()
    if "label" in batch:
        made[:, 0, 0, 0] = batch["label"].to(made.dtype)
    return made


def bytes_of(num: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (num, 1, SIZE, SIZE), generator=generator, dtype=torch.uint8)


def dataset(**changes: Any) -> Dataset:
    splits = {
        name: {"real": bytes_of(num, seed), "label": torch.arange(num) % 4}
        for seed, (name, num) in enumerate((("train", 80), ("validation", 20), ("test", 30)))
    }
    given = {
        "name": "made", "kind": "images", "splits": splits, "offset": torch.zeros(()),
        "scale": torch.ones(()), "classes": ("cat", "dog", "owl", "eel"), "classifier": "made",
    }  # fmt: skip
    return Dataset(**{**given, **changes})


@pytest.fixture
def make() -> Make:
    """`make(priors={...}, grids={...}, data=dataset())`: a run of a stand-in G."""

    def run(
        priors: Mapping[str, Prior] | None = None,
        grids: Mapping[str, Grid] | None = None,
        data: Dataset | None = None,
        sample: Callable[..., Tensor] = with_label,
        num_samples: int = 16,
    ) -> Run:
        recipe = Recipe(
            networks={"G": Sheet},
            stages=(
                Stage(
                    name="only",
                    players=(Player(name="G", networks=("G",), role="generator"),),
                    moves=(),
                ),
            ),
            sample=sample,
            sample_priors=priors or {"z": Normal((SIZE * SIZE,))},
            grids=grids or {},
        )
        return Run(
            config={
                "training": {"seed": 0, "streams": {}, "num_samples": num_samples},
                "device": {"precision": "fp32", "compile": False},
                "metrics": {},
            },
            recipe=recipe, dataset=data or dataset(), numbers={}, make_optimizer=lambda *_: None,
            device=torch.device("cpu"), num_steps=10,
        )  # fmt: skip

    return run


def source(run: Run, seed: int = 0) -> Source:
    return Source(
        run=run, host=run.host(run.streams()), generator=torch.Generator().manual_seed(seed)
    )


class Reader:
    """Reads a class off the sign of the first two pixels: 0, 1, 2 or 3."""

    num_classes, shape = 4, (1, SIZE, SIZE)

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        if tuple(images.shape[1:]) != self.shape:
            raise ValueError("the classifier knows no such images")
        first, second = (images[:, 0, 0, :2] > 0).long().unbind(dim=1)
        logits = torch.nn.functional.one_hot(2 * first + second, 4).float()
        return images.flatten(1), logits


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the classifiers that were asked for."""
    asked: list[str] = []

    def load(name: str) -> Reader:
        asked.append(name)
        return Reader()

    monkeypatch.setattr(classifier, "load", load)
    return asked


# --- of a step -------------------------------------------------------------------------------


def test_samples_of_a_step_are_floats_and_always_the_same(make: Make) -> None:
    run = make()
    host = run.host(run.streams())
    found = [of_step(run, host) for _ in range(2)]
    assert found[0].keys() == {"generated", "real"}
    for key, value in found[0].items():
        assert torch.equal(value, found[1][key])
        assert (value.shape, value.dtype) == ((16, 1, SIZE, SIZE), torch.float32)
    assert -1 <= float(found[0]["real"].min()) < -0.9


def test_grids_at_every_step_and_pictures_at_the_end(make: Make, reader: list[str]) -> None:
    grids = {name: Grid(rows=2, columns=2, arrange=lambda drawn: drawn) for name in ("a", "b")}
    run = make(grids=grids)
    host = run.host(run.streams())
    found = dict(panels.of_step(run, host, is_last=False))
    assert list(found) == ["samples/a", "samples/b"]
    assert not torch.equal(found["samples/a"].images, found["samples/b"].images)
    last = dict(panels.of_step(run, host, is_last=True))
    ends = ["pictures/interpolation", "pictures/neighbours", "pictures/arithmetic"]
    assert list(last) == [*found, *ends]
    assert torch.equal(last["samples/a"].images, found["samples/a"].images)
    again = dict(panels.of_step(run, host, is_last=True))
    for name, panel in last.items():
        assert torch.equal(panel.images, again[name].images)
        assert panel.title == again[name].title


def test_points_have_no_panels(make: Make) -> None:
    run = make(data=dataset(kind="vectors"))
    assert list(panels.of_step(run, run.host(run.streams()), is_last=True)) == []


def test_what_cannot_be_drawn_at_the_end_is_left_out(make: Make, reader: list[str]) -> None:
    """A collapsed generator: every sample is read as one class."""
    run = make(sample=lambda nets, batch: nets.G(batch["z"]) * 0)
    found = dict(panels.of_step(run, run.host(run.streams()), is_last=True))
    assert list(found) == ["pictures/interpolation", "pictures/neighbours"]


# --- grids -----------------------------------------------------------------------------------


def by_class(drawn: Batch) -> Batch:
    return {**drawn, "label": torch.tensor([3, 1]).repeat_interleave(3)}


def test_rows_of_classes_have_their_names(make: Make) -> None:
    priors = {"z": Normal((SIZE * SIZE,)), "label": Labels(4)}
    run = make(priors, {"classes": Grid(rows=2, columns=3, arrange=by_class)})
    panel = panels.grid(source(run), "classes")
    assert (panel.rows, panel.heads, panel.columns) == (("eel", "dog"), (), 3)
    assert panel.images[:, 0, 0, 0].tolist() == [3, 3, 3, 1, 1, 1]


def test_rows_of_categories_are_numbers_and_columns_their_codes(make: Make) -> None:
    priors = {"z": Normal((SIZE * SIZE,)), "category": Labels(4), "codes": Uniform((2,), -1.0, 1.0)}

    def arrange(drawn: Batch) -> Batch:
        codes = drawn["codes"].reshape(2, 3, 2)[:, :1].repeat(1, 3, 1)
        codes[..., 1] = torch.tensor([-2.0, 0.0, 2.0])
        category = torch.tensor([0, 1]).repeat_interleave(3)
        z = drawn["z"][:1].expand_as(drawn["z"])
        return {"z": z, "codes": codes.reshape(6, 2), "category": category}

    run = make(priors, {"code_2": Grid(rows=2, columns=3, arrange=arrange)})
    panel = panels.grid(source(run), "code_2")
    assert panel.rows == ("0", "1")  # found by the game: no class's name belongs to it
    assert panel.heads == ("-2.0", "0.0", "2.0")
    assert panel.title == "Each row a category, along it code 2"


@pytest.mark.parametrize("alike", ["code", "nothing"])
def test_columns_that_differ_in_more_than_one_code_have_no_values(make: Make, alike: str) -> None:
    priors = {"z": Normal((SIZE * SIZE,)), "category": Labels(4), "codes": Uniform((2,), -1.0, 1.0)}

    def arrange(drawn: Batch) -> Batch:
        made = {name: value[:3].repeat(2, *[1] * (value.ndim - 1)) for name, value in drawn.items()}
        if alike == "code":
            made["codes"][:, 1] = 0.0
        return {**made, "category": torch.tensor([0, 1]).repeat_interleave(3)}

    run = make(priors, {"categories": Grid(rows=2, columns=3, arrange=arrange)})
    panel = panels.grid(source(run), "categories")
    assert panel.rows == ("0", "1")
    assert panel.heads == ()
    assert panel.title == "Each row a category"


def test_a_grid_of_other_things_has_no_words(make: Make) -> None:
    run = make(
        {"z": Normal((SIZE * SIZE,)), "label": Labels(4)},
        {"any": Grid(rows=4, columns=4, arrange=lambda drawn: drawn)},
    )
    panel = panels.grid(source(run), "any")
    assert (panel.rows, panel.heads, panel.title) == ((), (), "")


# --- interpolation ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prior", "way", "length"),
    [(Normal((16,)), "Spherical", 4.0), (Uniform((16,), -1.0, 1.0), "Linear", None)],
)
def test_interpolation_by_prior(make: Make, prior: Prior, way: str, length: float | None) -> None:
    panel = panels.interpolation(source(make({"z": prior})), rows=50)
    assert panel.title == f"{way} interpolation of z, from left to right"
    z = panel.images.reshape(50, 10, 16)
    steps = (z[:, 1:] - z[:, :-1]).norm(dim=2)
    if length is None:
        torch.testing.assert_close(steps, steps[:, :1].expand_as(steps), rtol=1e-4, atol=1e-5)
    else:
        torch.testing.assert_close(
            z.norm(dim=2).mean(dim=0), torch.full((10,), length), atol=0.3, rtol=0
        )


def test_interpolation_within_a_class(make: Make) -> None:
    run = make({"z": Normal((SIZE * SIZE,)), "label": Labels(4)})
    any_class = panels.interpolation(source(run))
    rows = any_class.images[:, 0, 0, 0].reshape(8, 10)
    assert (rows == rows[:, :1]).all()
    assert len(rows.unique()) > 1
    one = panels.interpolation(source(run), label=2)
    assert (one.images[:, 0, 0, 0] == 2).all()
    assert torch.equal(one.images[:, 0, 1:], any_class.images[:, 0, 1:])  # the same z


# --- neighbours ------------------------------------------------------------------------------


def test_neighbours_of_copies(make: Make) -> None:
    """A generator that has learned its training images by heart."""
    data = dataset()
    real = as_floats(resident(data.splits["train"]["real"]), torch.float32)
    run = make(data=data, sample=lambda nets, batch: real[: len(batch["z"])])
    panel = panels.neighbours(source(run), num=4)
    assert panel.columns == 12
    groups = panel.images.reshape(4, 6, 1, SIZE, SIZE)
    assert torch.equal(groups[:, 0], real[:4])
    assert torch.equal(groups[:, 1], real[:4])
    assert not torch.equal(groups[:, 2], real[:4])
    assert panel.title.endswith(". Mean distance to the nearest: 0.00 times that of test images")


def test_neighbours_of_unseen_images_are_as_far_as_those_of_test_images(make: Make) -> None:
    unseen = bytes_of(64, 99).float() / 127.5 - 1
    run = make(sample=lambda nets, batch: unseen)
    panel = panels.neighbours(source(run), num=3)
    assert panel.columns == 6
    assert panel.gaps == (1,)
    ratio = float(panel.title.split("to the nearest: ")[1].split()[0])
    assert ratio == pytest.approx(1, abs=0.1)


def test_neighbours_without_anything_to_compare_with(make: Make) -> None:
    splits = {"train": {"real": bytes_of(3, 0)}}
    panel = panels.neighbours(source(make(data=dataset(splits=splits))), num=2)
    assert panel.title.startswith("Samples, and the 3 training images nearest to each")
    assert "Mean" not in panel.title
    assert panel.columns == 8


def test_samples_that_are_not_finite_are_shown_and_not_counted(make: Make) -> None:
    unseen = bytes_of(64, 99).float() / 127.5 - 1
    unseen[1] = float("nan")
    panel = panels.neighbours(source(make(sample=lambda nets, batch: unseen)), num=2)
    assert panel.images[6].isnan().all()
    assert "nan" not in panel.title


def test_only_some_of_many_training_images(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panels, "MOST_ROWS", 10)
    first, again = (panels.neighbours(source(make())) for _ in range(2))
    assert "(among 10 of them)" in first.title
    assert torch.equal(first.images, again.images)
    near = first.images.reshape(16, 6, 16)[:, 1:].flatten(0, 1)
    assert len(near.unique(dim=0)) <= 10


# --- arithmetic ------------------------------------------------------------------------------


def test_sum_of_classes(make: Make, reader: list[str]) -> None:
    """Classes are quadrants of z: owl (+-) - cat (--) + dog (-+) = eel (++)."""
    panel = arithmetic.arithmetic(source(make()), (2, 0, 1))
    assert panel.columns == 1 + arithmetic.SHOWN
    *parts, total = panel.rows
    assert [part.split("\n")[0] for part in parts] == ["owl", "cat", "dog"]
    (share,) = re.findall(r"^owl - cat \+ dog\n(\d+)% read as eel$", total)
    assert int(share) >= 97
    found = re.fullmatch(
        rf"Arithmetic in z\. owl - cat \+ dog: {share}% read as eel \((\d+)% of all samples are\)",
        panel.title,
    )
    assert found is not None
    assert 23 <= int(found[1]) <= 27
    table = panel.images.reshape(4, panel.columns, 16)
    torch.testing.assert_close(table[:, 0].norm(dim=1), torch.full((4,), 4.0), rtol=0.05, atol=0)
    owl, _, _, eel = table[:, 0] / 4
    half = math.sqrt(0.5)
    assert owl[:2].tolist() == pytest.approx([half, -half], abs=0.1)
    assert eel[:2].tolist() == pytest.approx([half, half], abs=0.1)
    assert float(owl[2:].abs().max()) < 0.1
    angles = (table[:, 1:] * table[:, :1]).sum(dim=2) / 16
    assert float(angles.mean()) == pytest.approx(half, abs=0.1)
    assert set(reader) == {"made"}


def test_a_sum_that_is_foretold(
    make: Make, reader: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(arithmetic.SUMS, "made", ("owl", "cat", "dog"))
    monkeypatch.setitem(arithmetic.RESULTS, "made", "eel")
    share, usual = arithmetic.foretold(source(make()))
    assert share >= 0.97
    assert 0.23 <= usual <= 0.27
    monkeypatch.setitem(arithmetic.RESULTS, "made", "cat")
    assert arithmetic.foretold(source(make()))[0] <= 0.03
    monkeypatch.setitem(arithmetic.RESULTS, "made", "ape")
    with pytest.raises(ValueError, match="no sum of its classes has a known result"):
        arithmetic.foretold(source(make()))


def test_a_uniform_prior_is_not_left(make: Make, reader: list[str]) -> None:
    panel = arithmetic.arithmetic(
        source(make({"z": Uniform((SIZE * SIZE,), -1.0, 1.0)})), (2, 0, 1)
    )
    assert panel.rows[-1].endswith("read as eel")
    assert float(panel.images.abs().max()) == 1


def test_a_sum_may_name_a_class_twice(make: Make, reader: list[str]) -> None:
    panel = arithmetic.arithmetic(source(make()), (1, 1, 3))
    assert re.fullmatch(r"dog - dog \+ eel\n(9\d|100)% read as eel", panel.rows[-1])


def test_kept_classes_are_read_among_themselves(make: Make, reader: list[str]) -> None:
    """eel and cat, in that order, and owl: what looks like a dog is read as one of the three."""
    data = dataset(classes=("eel", "cat", "owl"), original_classes=(3, 0, 2))
    read = arithmetic.reader(source(make(data=data)))
    images = torch.zeros(4, 1, SIZE, SIZE)
    images[:, 0, 0, :2] = torch.tensor([[1.0, 1], [-1, -1], [1, -1], [-1, 1]])
    assert read(images).tolist() == [0, 1, 2, 0]  # the last: all logits are equal


def test_a_border_is_cut_off_and_another_classifier_may_be_named(
    make: Make, reader: list[str]
) -> None:
    run = make(data=dataset(pad=2))
    run.config["metrics"]["classifier"] = "mine.safetensors"
    read = arithmetic.reader(source(run))
    assert read(torch.zeros(5, 1, SIZE + 4, SIZE + 4)).tolist() == [0] * 5
    assert reader == ["mine.safetensors"]


@pytest.mark.parametrize(
    ("changes", "priors", "reason"),
    [
        ({}, {"label": Labels(4)}, "a sample's kind is drawn beside z"),
        ({"classes": ("a", "b"), "original_classes": (0, 1)}, {}, "made has not three classes"),
        ({"classifier": None}, {}, "no classifier is known that reads the classes of made"),
        ({"classes": ("a", "b", "c")}, {}, "classifier made reads 4 classes, not 3"),
        ({"pad": 1}, {}, "the classifier knows no such images"),
    ],
)
def test_why_there_is_no_arithmetic(
    make: Make, reader: list[str], changes: Any, priors: Any, reason: str
) -> None:
    run = make({"z": Normal((16,)), **priors}, data=dataset(**changes))
    found = panels.why_not("arithmetic", source(run))
    assert found is not None
    assert found.startswith(reason)
    assert panels.why_not("neighbours", source(run)) is None


def test_example_sums() -> None:
    digits = tuple("0123456789")
    assert arithmetic.example(dataset(classes=digits, classifier="mnist")) == (7, 1, 4)
    some = dataset(classes=("4", "7", "1"), classifier="mnist", original_classes=(4, 7, 1))
    assert arithmetic.example(some) == (1, 2, 0)
    assert arithmetic.example(dataset(classes=("4", "7", "2"), classifier="mnist")) == (0, 1, 2)
    assert arithmetic.example(dataset()) == (0, 1, 2)
