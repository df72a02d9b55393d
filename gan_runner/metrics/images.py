"""Metrics of images: what a classifier, or the game's own networks, read off them."""

from __future__ import annotations

import math

from gan_runner.metrics import inception
from gan_runner.metrics.conditional import label_agreement
from gan_runner.metrics.effects import code_effects
from gan_runner.metrics.features import classifier_score, frechet_distance, kernel_distance
from gan_runner.metrics.information import categorical_bound, code_accuracy, continuous_bound
from gan_runner.metrics.inputs import Metric, MetricInputs, Seen
from gan_runner.metrics.modes import class_modes
from gan_runner.metrics.neighbours import precision_recall_density_coverage

NEIGHBOURS = 5  # k of the manifolds' radii, as in Naeem et al. (2020)
MAX_NEIGHBOURS = 5000  # points a side that neighbours are sought among


def _seen(inputs: MetricInputs) -> tuple[Seen, Seen]:
    """Return what the classifier makes of generated and of real images."""
    assert inputs.see is not None  # evaluate has checked the needs
    return inputs.see("generated"), inputs.see("real")


def _classifier_score(inputs: MetricInputs) -> dict[str, float]:
    assert inputs.see is not None
    return {"classifier_score": classifier_score(inputs.see("generated").logits())}


def _frechet(inputs: MetricInputs) -> dict[str, float]:
    generated, real = _seen(inputs)
    distance = frechet_distance(generated.features, real.features)
    return {"frechet_classifier_distance": distance}


def _kernel(inputs: MetricInputs) -> dict[str, float]:
    generated, real = _seen(inputs)
    return {"kernel_classifier_distance": kernel_distance(generated.features, real.features)}


def _coverage(inputs: MetricInputs) -> dict[str, float]:
    generated, real = _seen(inputs)
    found = precision_recall_density_coverage(
        real.features, generated.features, k=NEIGHBOURS, max_points=MAX_NEIGHBOURS
    )
    return {name: found[name] for name in ("precision", "recall", "density", "coverage")}


def _class_modes(inputs: MetricInputs) -> dict[str, float]:
    generated, real = _seen(inputs)
    if not generated.finite():
        return {"modes_covered": math.nan, "reverse_kl": math.nan}
    return class_modes(generated.classes(), real.num_classes, real.class_shares())


def _label_agreement(inputs: MetricInputs) -> dict[str, float]:
    assert inputs.see is not None
    assert inputs.labels is not None
    logits = inputs.see("generated").logits()
    return {"label_agreement": label_agreement(logits, inputs.labels)}


def _information(inputs: MetricInputs) -> dict[str, float]:
    assert inputs.probe is not None
    assert inputs.redraw is not None
    found: dict[str, float] = {}
    if inputs.real_labels is not None:
        logits = inputs.probe("real")["category"]
        found["code_accuracy"] = code_accuracy(logits, inputs.real_labels)
    read, drawn = inputs.probe("generated"), inputs.drawn
    found["information_bound"] = categorical_bound(read["category"], drawn["category"])
    if "codes" in drawn:
        found["continuous_bound"] = continuous_bound(
            read["continuous_mean"], read["continuous_log_variance"], drawn["codes"]
        )
        found |= code_effects(inputs.redraw, drawn["codes"].shape[1])
    return found


def _inception(inputs: MetricInputs) -> dict[str, float]:
    both = (inputs.generated.to(inputs.device), inputs.real.to(inputs.device))
    return inception.inception_scores(*both)


_CLASSIFIED = frozenset({"samples", "classifier"})

ENTRIES = (
    Metric(
        name="classifier_score",
        function=_classifier_score,
        needs=_CLASSIFIED,
        better={"classifier_score": "higher"},
        description="exp of the mean KL of a sample's class probabilities to their mean",
        units="data",
        compares=False,
    ),
    Metric(
        name="frechet_classifier_distance",
        function=_frechet,
        needs=_CLASSIFIED,
        better={"frechet_classifier_distance": "lower"},
        description="Frechet distance of Gaussians fitted to the classifier's features",
        units="data",
        min_points=2,
    ),
    Metric(
        name="kernel_classifier_distance",
        function=_kernel,
        needs=_CLASSIFIED,
        better={"kernel_classifier_distance": "lower"},
        description="unbiased squared MMD of the classifier's features, kernel (x.y / d + 1)^3",
        units="data",
        min_points=2,
    ),
    Metric(
        name="coverage",
        function=_coverage,
        needs=_CLASSIFIED,
        better=dict.fromkeys(("precision", "recall", "density", "coverage"), "higher"),
        description="precision, recall, density and coverage among the classifier's features",
        units="data",
        min_points=NEIGHBOURS + 1,
        max_points=MAX_NEIGHBOURS,
        details={"k": NEIGHBOURS},
    ),
    Metric(
        name="class_modes",
        function=_class_modes,
        needs=_CLASSIFIED | {"stacked"},
        better={"modes_covered": "higher", "reverse_kl": "lower"},
        description="triples of classes that samples are read as, reverse KL over them",
        units="data",
    ),
    Metric(
        name="label_agreement",
        function=_label_agreement,
        needs=_CLASSIFIED | {"labels"},
        better={"label_agreement": "higher"},
        description="share of samples that the classifier reads as the label asked for",
        units="data",
        compares=False,
    ),
    Metric(
        name="information",
        function=_information,
        needs=frozenset({"samples", "codes"}),
        better={"code_accuracy": "higher", "information_bound": "higher"},
        description="codes read back by the game's own network; what each continuous one changes",
        units="data",
        optional=("code_accuracy",),
    ),
    Metric(
        name="inception",
        function=_inception,
        needs=frozenset({"samples", "images"}),
        better={
            "frechet_inception_distance": "lower",
            "inception_score": "higher",
            "kernel_inception_distance": "lower",
        },
        description="the published scores, by torch-fidelity's Inception features",
        units="data",
        min_points=2,
        check=inception.check,
    ),
)
