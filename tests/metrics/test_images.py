"""Every metric of images computes its own function, of what was seen and asked for."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import Tensor

from gan_runner.metrics import images, inception
from gan_runner.metrics.conditional import label_agreement
from gan_runner.metrics.effects import code_effects
from gan_runner.metrics.features import classifier_score, frechet_distance, kernel_distance
from gan_runner.metrics.information import categorical_bound, code_accuracy, continuous_bound
from gan_runner.metrics.inputs import Draws, MetricInputs, Seen
from gan_runner.metrics.modes import class_modes
from gan_runner.metrics.neighbours import precision_recall_density_coverage
from gan_runner.metrics.protocol import METRICS, evaluate

GENERATOR = torch.Generator().manual_seed(0)


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=GENERATOR)


def whole(num: int) -> Seen:
    return Seen(features=normal(num, 6), part_logits=3 * normal(num, 1, 4))


SEEN = {"generated": whole(40), "real": whole(30)}
STACKED = {
    name: Seen(features=normal(num, 6), part_logits=3 * normal(num, 3, 2))
    for name, num in (("generated", 40), ("real", 30))
}
DRAWN = {"z": normal(40, 2), "category": torch.arange(40) % 5, "codes": normal(40, 2)}
READ = {
    name: {
        "category": normal(num, 5), "continuous_mean": normal(num, 2),
        "continuous_log_variance": normal(num, 2),
    }
    for name, num in (("generated", 40), ("real", 30))
}  # fmt: skip
LABELS = torch.arange(40) % 4
REAL_LABELS = torch.arange(30) % 3


def redraw(num: int, arrange: object) -> Tensor:
    assert callable(arrange)
    generator = torch.Generator().manual_seed(1)
    drawn: Draws = {
        name: torch.randn(num, 2, generator=generator) for name in ("z", "codes", "category")
    }
    made = arrange(drawn)
    return (made["z"] + made["codes"])[:, :, None, None]


INPUTS = MetricInputs(
    generated=normal(40, 1, 4, 4), real=normal(30, 1, 4, 4), see=SEEN.__getitem__, labels=LABELS,
    real_labels=REAL_LABELS, drawn=DRAWN, probe=READ.__getitem__, redraw=redraw,
)  # fmt: skip


def test_every_entry_computes_its_own_function() -> None:
    generated, real = SEEN["generated"], SEEN["real"]
    logits = generated.part_logits[:, 0]
    of_neighbours = precision_recall_density_coverage(real.features, generated.features, k=5)
    expected = {
        "classifier_score": {"classifier_score": classifier_score(logits)},
        "frechet_classifier_distance": {
            "frechet_classifier_distance": frechet_distance(generated.features, real.features)
        },
        "kernel_classifier_distance": {
            "kernel_classifier_distance": kernel_distance(generated.features, real.features)
        },
        "coverage": {
            name: of_neighbours[name] for name in ("precision", "recall", "density", "coverage")
        },
        "label_agreement": {"label_agreement": label_agreement(logits, LABELS)},
    }
    for name, value in expected.items():
        found = evaluate(name, INPUTS)
        assert found == value
        assert tuple(found) == METRICS[name].values
    assert of_neighbours["precision"] != of_neighbours["recall"]  # the roles could be swapped
    assert METRICS["coverage"].max_points == images.MAX_NEIGHBOURS
    assert METRICS["coverage"].details == {"k": 5}


def test_stacked_images_are_counted_by_their_tuples() -> None:
    inputs = dataclasses.replace(INPUTS, see=STACKED.__getitem__, stacked=True)
    found = evaluate("class_modes", inputs)
    generated, real = STACKED["generated"], STACKED["real"]
    assert found == class_modes(generated.classes(), 8, real.class_shares())
    assert tuple(found) == METRICS["class_modes"].values
    assert 5 <= found["modes_covered"] <= 8
    broken = dataclasses.replace(generated, part_logits=generated.part_logits * math.nan)
    inputs = dataclasses.replace(inputs, see={**STACKED, "generated": broken}.__getitem__)
    assert all(math.isnan(value) for value in evaluate("class_modes", inputs).values())


def test_information() -> None:
    found = evaluate("information", INPUTS)
    generated, real = READ["generated"], READ["real"]
    assert found == {
        "code_accuracy": code_accuracy(real["category"], REAL_LABELS),
        "information_bound": categorical_bound(generated["category"], DRAWN["category"]),
        "continuous_bound": continuous_bound(
            generated["continuous_mean"], generated["continuous_log_variance"], DRAWN["codes"]
        ),
        **code_effects(redraw, 2),
    }
    assert tuple(found)[:2] == METRICS["information"].values
    assert {"code_1_effect", "code_2_effect"} <= found.keys()


def test_information_without_labels_or_continuous_codes() -> None:
    bare = {"category": DRAWN["category"], "z": DRAWN["z"]}
    found = evaluate("information", dataclasses.replace(INPUTS, real_labels=None, drawn=bare))
    assert found.keys() == {"information_bound"}
    assert METRICS["information"].optional == ("code_accuracy",)


def test_a_diverged_generator_has_no_numbers() -> None:
    broken = Seen(features=normal(40, 6), part_logits=3 * normal(40, 1, 4))
    broken.features[3] = math.nan
    broken.part_logits[3] = math.nan
    inputs = dataclasses.replace(INPUTS, see={**SEEN, "generated": broken}.__getitem__)
    for name in ("classifier_score", "frechet_classifier_distance", "kernel_classifier_distance",
                 "coverage", "label_agreement"):  # fmt: skip
        found = evaluate(name, inputs)
        assert tuple(found) == METRICS[name].values
        assert all(math.isnan(value) for value in found.values()), name


def test_inception_is_asked_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def scores(generated: Tensor, real: Tensor) -> dict[str, float]:
        asked.append((generated, real))
        return dict.fromkeys(METRICS["inception"].values, 1.0)

    monkeypatch.setattr(inception, "inception_scores", scores)
    inputs = dataclasses.replace(INPUTS, device=torch.device("meta"))
    assert evaluate("inception", inputs).keys() == set(inception.NAMES)
    ((generated, real),) = asked
    assert (generated.device.type, generated.shape) == ("meta", INPUTS.generated.shape)
    assert (real.device.type, real.shape) == ("meta", INPUTS.real.shape)
    assert METRICS["inception"].check is inception.check
    assert set(METRICS["inception"].values) == set(inception.NAMES)
