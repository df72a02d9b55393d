"""The registry of metrics and what stands beside a number."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys

import pytest
import torch
from torch import Tensor

from gan_runner.datasets import Modes
from gan_runner.metrics import METRICS, Measurement, MetricInputs, Protocol
from gan_runner.metrics.distances import mmd, sliced_wasserstein, wasserstein
from gan_runner.metrics.modes import mode_statistics
from gan_runner.metrics.protocol import applicable, evaluate, floor
from gan_runner.metrics.superres import mse, psnr


def _points(seed: int) -> Tensor:
    return torch.randn(30, 2, generator=torch.Generator().manual_seed(seed))


MODES = Modes(centres=torch.tensor([[0.0, 0.0], [3.0, 3.0]]), sds=torch.ones(2))
INPUTS = MetricInputs(
    generated=_points(0),
    real=_points(1) + 1,
    modes=MODES,
    predicted=_points(2),
    target=_points(3),
    seed=4,
)


def test_the_registry() -> None:
    assert list(METRICS) == [
        "modes", "wasserstein", "sliced_wasserstein", "mmd", "mse", "psnr", "psnr_y",
        "ssim_y", "perceptual_distance", "classifier_score",
        "frechet_classifier_distance", "kernel_classifier_distance", "coverage", "class_modes",
        "label_agreement", "information", "inception",
    ]  # fmt: skip
    assert METRICS["modes"].values == ("modes_covered", "high_quality", "reverse_kl")
    better = {key: way for metric in METRICS.values() for key, way in metric.better.items()}
    assert better == {
        "modes_covered": "higher",
        "high_quality": "higher",
        "reverse_kl": "lower",
        "wasserstein": "lower",
        "sliced_wasserstein": "lower",
        "mmd": "lower",
        "mse": "lower",
        "psnr": "higher",
        "psnr_y": "higher",
        "ssim_y": "higher",
        "perceptual_distance": "lower",
        "classifier_score": "higher",
        "frechet_classifier_distance": "lower",
        "kernel_classifier_distance": "lower",
        "precision": "higher",
        "recall": "higher",
        "density": "higher",
        "coverage": "higher",
        "label_agreement": "higher",
        "code_accuracy": "higher",
        "information_bound": "higher",
        "frechet_inception_distance": "lower",
        "inception_score": "higher",
        "kernel_inception_distance": "lower",
    }
    assert {name: metric.units for name, metric in METRICS.items()} == {
        "modes": "data",
        "wasserstein": "data",
        "sliced_wasserstein": "data",
        "mmd": "data",
        "mse": "scaled",
        "psnr": "scaled",
        "psnr_y": "data",
        "ssim_y": "data",
        "perceptual_distance": "data",
        "classifier_score": "data",
        "frechet_classifier_distance": "data",
        "kernel_classifier_distance": "data",
        "coverage": "data",
        "class_modes": "data",
        "label_agreement": "data",
        "information": "data",
        "inception": "data",
    }
    alone = {name for name, metric in METRICS.items() if not metric.compares}
    assert alone == {"classifier_score", "label_agreement"}
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.description
        assert metric.needs <= {
            "modes", "samples", "pairs", "photographs", "features", "classifier", "stacked",
            "labels", "codes", "images",
        }  # fmt: skip


def test_every_entry_computes_its_own_function() -> None:
    assert INPUTS.predicted is not None
    assert INPUTS.target is not None
    generated, real = INPUTS.generated, INPUTS.real
    expected = {
        "modes": mode_statistics(generated, MODES),
        "wasserstein": {"wasserstein": wasserstein(generated, real)},
        "sliced_wasserstein": {"sliced_wasserstein": sliced_wasserstein(generated, real, seed=4)},
        "mmd": {"mmd": mmd(generated, real)},
        "mse": {"mse": mse(INPUTS.predicted, INPUTS.target)},
        "psnr": {"psnr": psnr(INPUTS.predicted, INPUTS.target)},
    }
    for name, value in expected.items():
        found = evaluate(name, INPUTS)
        assert found == value
        assert tuple(found) == METRICS[name].values


def test_images_are_points_of_pixels() -> None:
    images = torch.rand(2, 20, 1, 3, 4, generator=torch.Generator().manual_seed(0))
    as_images = MetricInputs(generated=images[0], real=images[1], seed=3)
    as_points = MetricInputs(generated=images[0].flatten(1), real=images[1].flatten(1), seed=3)
    for name in ("wasserstein", "sliced_wasserstein", "mmd"):
        assert evaluate(name, as_images) == evaluate(name, as_points)
    assert as_images.facts() == {"samples", "images"}
    assert as_points.facts() == {"samples", "vectors"}


def test_what_a_metric_needs_must_be_there() -> None:
    bare = MetricInputs(generated=_points(0), real=_points(1))
    lacking = {
        "modes": "modes", "mse": "pairs", "psnr": "pairs", "coverage": "classifier",
        "class_modes": "classifier, stacked", "label_agreement": "classifier, labels",
        "information": "codes", "inception": "images",
    }  # fmt: skip
    for name, missing in lacking.items():
        with pytest.raises(ValueError, match=f"metrics: {name} needs {missing}"):
            evaluate(name, bare)
    half = dataclasses.replace(bare, predicted=_points(2))
    with pytest.raises(ValueError, match="mse needs pairs"):
        evaluate("mse", half)
    for name in ("wasserstein", "sliced_wasserstein", "mmd"):
        assert math.isfinite(evaluate(name, bare)[name])


def test_an_unknown_metric_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"no metric 'waserstein'. Did you mean 'wasserstein'?"):
        evaluate("waserstein", INPUTS)
    with pytest.raises(ValueError, match=r"no metric 'qqq'. Metrics: modes, wasserstein"):
        evaluate("qqq", INPUTS)


def test_the_floor_is_the_metric_of_real_points() -> None:
    a, b = _points(5), _points(6)
    assert floor("wasserstein", a, b) == {"wasserstein": wasserstein(a, b)}
    assert floor("modes", a, b, modes=MODES) == mode_statistics(a, MODES)
    assert floor("wasserstein", a, b)["wasserstein"] > 0
    assert floor("sliced_wasserstein", a, b, seed=9) != floor("sliced_wasserstein", a, b)


POINTS = ("wasserstein", "sliced_wasserstein", "mmd")
FEATURES = ("frechet_classifier_distance", "kernel_classifier_distance", "coverage")


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ("samples vectors modes", ("modes", *POINTS)),
        ("samples vectors", POINTS),
        ("samples vectors pairs", ("mse", "psnr", "wasserstein")),
        ("samples vectors pairs modes", ("mse", "psnr", "wasserstein")),
        ("samples vectors codes labels", (*POINTS, "information")),
        ("toy", ()),
        ("samples images", ("sliced_wasserstein",)),
        ("samples images labels codes", ("sliced_wasserstein", "information")),
        ("samples images classifier", ("classifier_score", *FEATURES)),
        (
            "samples images classifier labels",
            ("classifier_score", *FEATURES, "label_agreement"),
        ),
        ("samples images classifier codes", ("classifier_score", *FEATURES, "information")),
        ("samples images classifier stacked", ("class_modes", *FEATURES)),
    ],
)
def test_applicable(facts: str, expected: tuple[str, ...]) -> None:
    assert applicable(set(facts.split())) == expected
    assert set(expected) <= set(METRICS)


def test_a_protocol_is_plain_data() -> None:
    protocol = Protocol(
        num_real=100,
        num_generated=50,
        split="test",
        checkpoint="last",
        units="data",
        seed=0,
        details={"within": 3.0},
    )
    assert json.loads(json.dumps(protocol.as_dict())) == {
        "num_real": 100,
        "num_generated": 50,
        "split": "test",
        "checkpoint": "last",
        "units": "data",
        "seed": 0,
        "details": {"within": 3.0},
    }
    measurement = Measurement(value=1.5, protocol=protocol)
    assert measurement == Measurement(value=1.5, protocol=dataclasses.replace(protocol))
    assert measurement != Measurement(value=1.5, protocol=dataclasses.replace(protocol, seed=1))


def test_importing_loads_nothing_heavy() -> None:
    program = (
        "import sys, gan_runner.metrics, gan_runner.datasets.gaussians, gan_runner.datasets.table\n"
        "print([m for m in ('ot', 'scipy', 'sklearn', 'torchvision') if m in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
