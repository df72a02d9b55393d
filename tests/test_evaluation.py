"""Metrics of image runs: what is measured, what stands beside it, and what is computed once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gan_runner import evaluation, feature_cache, metric_inputs
from gan_runner.classifiers import classifier as classifiers
from gan_runner.dispatch import Run
from gan_runner.metric_inputs import Setting, of_fresh_data, of_game, of_noise
from gan_runner.metrics.features import classifier_score, frechet_distance
from gan_runner.metrics.view import View

FEATURES = ["classifier_score", "frechet_classifier_distance", "kernel_classifier_distance",
            "precision", "recall", "density", "coverage"]  # fmt: skip
DIGITS = ("dataset=digits", "dataset.num_test=500", "dataset.num_validation=200", "network=mlp",
          "training.batch_size=20", "metrics.names=null", "metrics.num_generated=120",
          "metrics.num_real=100")  # fmt: skip


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GAN_RUNNER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "features"


@pytest.fixture
def make(make_run: Callable[..., Run]) -> Callable[..., Run]:
    """`make("model=acgan", ...)`: a run on digits that measures what fits it."""
    return lambda *overrides: make_run(*DIGITS, *overrides)


def measured(run: Run, **changes: Any) -> dict[str, Any]:
    section = {**run.config["metrics"], **changes}
    host = run.host(run.streams())
    return dict(evaluation.measure(run, host, section, split="test", checkpoint="last"))


def floor(run: Run, **changes: Any) -> dict[str, float]:
    return evaluation.measure_floor(run, {**run.config["metrics"], **changes}, split="test")


def ceiling(run: Run, **changes: Any) -> dict[str, dict[str, float]]:
    return evaluation.measure_ceiling(run, {**run.config["metrics"], **changes}, split="test")


# --- what is measured ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "more"),
    [
        ("vgan", []),
        ("acgan", ["label_agreement"]),
        ("cgan", ["label_agreement"]),
        (
            "infogan",
            ["code_accuracy", "information_bound", "continuous_bound",
             *(f"code_{j}_{what}" for j in (1, 2) for what in ("effect", "slant", "stroke"))],
        ),
    ],
)  # fmt: skip
def test_what_fits_is_measured(make: Callable[..., Run], model: str, more: list[str]) -> None:
    run = make(f"model={model}")
    found = measured(run)
    assert list(found) == FEATURES + more
    assert all(math.isfinite(each.value) for each in found.values())
    sides = ceiling(run)
    assert list(sides) == ["noise", "untrained"]
    # Networks that have not been trained are those that measured() judged.
    assert sides["untrained"] == {name: each.value for name, each in found.items()}
    without_codes = [name for name in FEATURES + more if name in (*FEATURES, "label_agreement")]
    assert list(sides["noise"]) == without_codes
    assert set(floor(run)) == set(without_codes)


def test_numbers_have_their_protocol(make: Callable[..., Run]) -> None:
    run = make("model=acgan")
    shipped = classifiers.load("digits")
    found = measured(run)
    for name, each in found.items():
        details = each.protocol.details
        assert details["method"]
        assert details["classifier"] == {
            "name": "digits", "hash": shipped.hash[:12], "accuracy": shipped.accuracy,
            "features": shipped.num_features,
        }  # fmt: skip
        assert details.get("k") == (5 if name in FEATURES[3:] else None)
        assert (each.protocol.num_generated, each.protocol.num_real) == (120, 100)
        assert (each.protocol.split, each.protocol.units) == ("test", "data")
    metric = evaluation.METRICS["coverage"]
    most = replace(metric, max_points=30)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(evaluation.METRICS, "coverage", most)
        card = measured(run, names=["coverage"])["recall"].protocol
    assert (card.num_generated, card.num_real) == (30, 30)


def test_values_are_those_of_the_classifiers_features(make: Callable[..., Run]) -> None:
    run = make("model=vgan", "dataset.pad=4")
    assert run.dataset.shape == (1, 16, 16)
    streams = run.streams()
    host = run.host(streams)
    found = measured(run)
    made = evaluation.draw_samples(run, host, 120, streams.fresh("metrics/generated"))
    rows = torch.Generator().manual_seed(streams.seed("metrics/real"))
    index = torch.randperm(500, generator=rows)[:100]
    images = run.dataset.splits["test"]["real"]
    assert isinstance(images, Tensor)
    real = images[index].float() / 127.5 - 1
    shipped = classifiers.load("digits")
    features, logits = shipped(made[:, :, 4:-4, 4:-4])
    real_features, _ = shipped(real[:, :, 4:-4, 4:-4])
    distance = frechet_distance(features, real_features)
    assert found["frechet_classifier_distance"].value == pytest.approx(distance, rel=1e-4)
    assert found["classifier_score"].value == pytest.approx(classifier_score(logits), rel=1e-5)


def test_labels_of_a_subset_are_the_classifiers_own(make: Callable[..., Run]) -> None:
    run = make("model=acgan", "dataset.classes=[7,2]", "metrics.num_real=60")
    found = floor(run, names=["label_agreement"])
    assert found["label_agreement"] > 0.9  # 0 without the way back to 7 and 2
    setting = setting_of(run)
    for inputs in (of_fresh_data(setting, 50), of_noise(setting), of_game(setting, host(run))):
        assert inputs.labels is not None
        assert set(inputs.labels.tolist()) == {7, 2}
        assert len(inputs.labels) == len(inputs.generated)


def host(run: Run) -> Any:
    return run.host(run.streams())


def setting_of(run: Run, split: str = "test") -> Setting:
    section = run.config["metrics"]
    view = metric_inputs.find_view(run, section)
    return Setting(run=run, section=section, split=split, view=view)


def test_images_without_a_classifier_are_compared_by_pixels(make: Callable[..., Run]) -> None:
    run = make("model=vgan", "dataset.size=16")
    assert list(measured(run)) == ["sliced_wasserstein"]
    sides = ceiling(run)
    low, value = floor(run)["sliced_wasserstein"], measured(run)["sliced_wasserstein"].value
    assert low < sides["noise"]["sliced_wasserstein"]
    assert low < value == sides["untrained"]["sliced_wasserstein"]


# --- what stands beside it -------------------------------------------------------------------


def test_floor_and_noise_are_the_ends_of_the_scale(make: Callable[..., Run]) -> None:
    run = make("model=acgan", "metrics.num_real=400", "metrics.num_generated=400")
    best, worst = floor(run), ceiling(run)["noise"]
    for name in (*FEATURES, "label_agreement"):
        assert evaluation.is_better(name, best[name], worst[name]), name
    assert best["classifier_score"] > 9
    assert best["label_agreement"] > 0.97
    assert worst["label_agreement"] < 0.3
    assert best["precision"] > 0.8
    assert abs(best["kernel_classifier_distance"]) < 0.1 * worst["kernel_classifier_distance"]


def test_the_floor_shares_no_image_with_the_judged_ones(make: Callable[..., Run]) -> None:
    setting = setting_of(make("model=vgan"))
    for num, length in ((120, 120), (150, 150), (300, 300), (5000, 1097)):
        inputs = of_fresh_data(setting, num)
        assert len(inputs.generated) == length
        assert len(inputs.real) == 100
    train = setting_of(make("model=vgan"), split="train")
    assert len(of_fresh_data(train, 150).generated) == 150
    assert len(of_fresh_data(train, 5000).generated) == 500  # the test set


def test_what_is_said_of_images_alone_is_said_of_the_judged_ones(make: Callable[..., Run]) -> None:
    run = make("model=acgan")
    inputs = metric_inputs.of_judged_data(setting_of(run))
    assert torch.equal(inputs.generated, inputs.real)
    assert inputs.see is not None
    assert inputs.labels is not None
    logits = inputs.see("real").logits()
    found = floor(run)
    assert found["classifier_score"] == classifier_score(logits)
    right = (logits.argmax(dim=1) == inputs.labels).double().mean()
    assert found["label_agreement"] == float(right)
    assert found["frechet_classifier_distance"] > 0  # not of a set against itself


def test_noise_is_uniform_and_that_of_every_run(make: Callable[..., Run]) -> None:
    first = of_noise(setting_of(make("model=vgan"))).generated
    again = of_noise(setting_of(make("model=infogan", "training.seed=3"))).generated
    assert torch.equal(first, again)
    assert first.shape == (120, 1, 8, 8)
    assert -1 <= float(first.amin()) < -0.99
    assert 0.99 < float(first.amax()) < 1
    assert float(first.mean()) == pytest.approx(0, abs=0.03)


def test_vectors_have_floors_alone(make_run: Callable[..., Run]) -> None:
    run = make_run("dataset=ring8", "metrics.names=null", "metrics.num_generated=20")
    assert ceiling(run) == {}
    assert set(floor(run)) == set(measured(run))


def test_the_untrained_networks_are_the_runs_own_first_ones(
    make: Callable[..., Run], weights: Callable[[Any], Mapping[str, Tensor]]
) -> None:
    run = make("model=vgan", "training.seed=4")
    first = weights(run.host(run.streams()))
    found = weights(metric_inputs.untrained(run))
    assert first.keys() == found.keys()
    assert all(torch.equal(first[name], found[name]) for name in first)
    plain = metric_inputs.untrained(make("model=vgan", "device.compile=true"))
    assert plain.nets.G is plain.networks["G"]  # compiling them pays nothing


# --- what is computed once -------------------------------------------------------------------


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of images that the classifier was shown."""
    counts: list[int] = []
    look = View._look

    def counted(self: View, images: Tensor) -> dict[str, Tensor]:
        counts.append(len(images))
        return look(self, images)

    monkeypatch.setattr(View, "_look", counted)
    return counts


def test_images_are_seen_once_for_all_metrics(make: Callable[..., Run], shown: list[int]) -> None:
    run = make("model=vgan")
    measured(run)
    assert shown == [1, 120, 100]  # the check, generated, real
    shown.clear()
    measured(run)
    assert shown == [1, 120]
    shown.clear()
    measured(make("model=vgan", "training.seed=1"))  # another choice of real images
    assert shown == [1, 120, 100]


def test_floors_and_noise_are_computed_once(make: Callable[..., Run], shown: list[int]) -> None:
    whole = ("metrics.num_real=500", "model=vgan")  # the same images for every seed
    run = make(*whole)
    first = (floor(run), ceiling(run))
    assert sorted(shown) == [1, 1, 120, 120, 120, 500]  # fresh, noise, untrained, real
    shown.clear()
    assert (floor(run), ceiling(run)) == first
    assert shown == [1, 1]  # the checks
    lsgan = make(*whole[:1], "model=lsgan")  # begins with the same G
    assert (floor(lsgan), ceiling(lsgan)) == first
    assert shown == [1, 1, 1, 1]
    shown.clear()
    other = make(*whole, "training.seed=1")
    assert (floor(other), ceiling(other)["noise"]) == (first[0], first[1]["noise"])
    assert ceiling(other)["untrained"] != first[1]["untrained"]
    assert set(shown) == {1, 120}


def test_a_cache_that_is_not_there_changes_no_number(
    make: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = make("model=vgan")
    with_cache = [(measured(run), floor(run), ceiling(run)) for _ in range(2)]
    (tmp_path / "file").touch()
    monkeypatch.setenv(feature_cache.VARIABLE, str(tmp_path / "file"))
    without = (measured(run), floor(run), ceiling(run))
    assert with_cache[0] == with_cache[1] == without


# --- refused before training -----------------------------------------------------------------


def test_a_classifier_of_ones_own(make: Callable[..., Run], tmp_path: Path) -> None:
    file = classifiers.FOLDER / "digits.safetensors"
    for path in (file, file.with_suffix(".json")):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    own = make("model=vgan", f"metrics.classifier={tmp_path / file.name}")
    evaluation.check(own)
    assert measured(own) == measured(make("model=vgan"))
    (tmp_path / file.name).write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ValueError, match="has the sha256"):
        evaluation.check(own)


def test_a_classifier_that_does_not_fit(make: Callable[..., Run]) -> None:
    with pytest.raises(ValueError, match=r"classifier 'nothing': is none of .*digits"):
        evaluation.check(make("model=vgan", "metrics.classifier=nothing"))
    larger = make("model=vgan", "dataset.size=16", "metrics.classifier=digits")
    with pytest.raises(ValueError, match=r"classifier digits: images \[1, 1, 16, 16\] must be"):
        evaluation.check(larger)
    evaluation.check(make("model=vgan", "metrics.classifier=nothing", "metrics.names=[mmd]"))


def test_classes_that_the_classifier_lacks(make: Callable[..., Run]) -> None:
    run = make("model=acgan")
    evaluation.check(run)
    small = replace(classifiers.load("digits"), num_classes=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifiers, "load", lambda _: small)
        with pytest.raises(
            ValueError, match=r"the classifier digits has 4 classes, digits has .*10"
        ):
            evaluation.check(run)
        evaluation.check(make("model=acgan", "dataset.classes=[3,1]"))


def test_too_few_points(make: Callable[..., Run], caplog: pytest.LogCaptureFixture) -> None:
    run = make("model=vgan", "dataset.num_test=5")
    evaluation.check(run)
    assert "No coverage: it needs at least 6 points a side, the test split has 5" in caplog.text
    assert "coverage" not in evaluation.measured_names(run)
    assert set(measured(run)) == set(FEATURES[:3])
    asked = make("model=vgan", "dataset.num_test=5", "metrics.names=[coverage]")
    with pytest.raises(ValueError, match="metrics: coverage needs at least 6 points a side"):
        evaluation.check(asked)
    with pytest.raises(ValueError, match=r"coverage needs .*, metrics.num_real is 4"):
        evaluation.check_points({**asked.config["metrics"], "num_real": 4}, make("model=vgan"))


def test_a_metric_may_refuse_by_itself(make: Callable[..., Run]) -> None:
    run = make("model=vgan", "metrics.names=[inception]")
    with pytest.MonkeyPatch.context() as patch:

        def refuse() -> None:
            raise ValueError("metrics=inception: not here")

        patch.setitem(
            evaluation.METRICS, "inception", replace(evaluation.METRICS["inception"], check=refuse)
        )
        with pytest.raises(ValueError, match="not here"):
            evaluation.check(run)


def test_names_to_choose_the_best_by(make: Callable[..., Run]) -> None:
    expected = [*FEATURES, "code_accuracy", "information_bound"]
    assert list(evaluation.measured_names(make("model=infogan"))) == expected
    run = make("model=infogan")
    bare = {name: {"real": split["real"]} for name, split in run.dataset.splits.items()}
    run = replace(run, dataset=replace(run.dataset, splits=bare))
    assert list(evaluation.measured_names(run)) == [*FEATURES, "information_bound"]
    assert "code_accuracy" not in measured(run)
