"""Measures a run: its metrics, and what stands beside them."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Set
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from gan_runner import feature_cache
from gan_runner.dispatch import Run
from gan_runner.draws import chosen_rows, draw_samples, generate
from gan_runner.facts import facts_of_run
from gan_runner.hosts import Solo
from gan_runner.metric_inputs import (
    Setting,
    find_look,
    find_view,
    of_bicubic,
    of_fresh_data,
    of_game,
    of_judged_data,
    of_noise,
    untrained,
)
from gan_runner.metrics.protocol import (
    METRICS,
    Measurement,
    Metric,
    MetricInputs,
    Protocol,
    applicable,
    evaluate,
)

log = logging.getLogger(__name__)

__all__ = [
    "best_of", "check", "check_points", "chosen_rows", "direction", "draw_samples", "generate",
    "is_better", "measure", "measure_ceiling", "measure_floor", "measured_names",
    "names_to_measure",
]  # fmt: skip


def names_to_measure(section: Mapping[str, Any], run: Run) -> tuple[str, ...]:
    """The metrics asked for, or those that fit the run and the numbers of its points."""
    if section["names"] is not None:
        return tuple(section["names"])
    num, _ = _fewest(section, run)
    return tuple(name for name in applicable(facts_of_run(run)) if METRICS[name].min_points <= num)


def _fewest(section: Mapping[str, Any], run: Run) -> tuple[float, str]:
    """The smallest number of points that a side can come to have, and where it is from."""
    if run.recipe.sample is None:
        return math.inf, ""
    splits = ((len(run.dataset.splits[name]["real"]), name) for name in ("validation", "test")
              if name in run.dataset.splits)  # fmt: skip
    known = [(num, f"the {name} split has") for num, name in splits]
    known += [(section[key], f"metrics.{key} is") for key in ("num_generated", "num_real")]
    return min(known)


def measured_names(run: Run) -> tuple[str, ...]:
    """The names of the numbers that a run's metrics return."""
    names = names_to_measure(run.config["metrics"], run)
    entries = [METRICS[name] for name in names if name in METRICS]
    labelled = all("label" in split for split in run.dataset.splits.values())
    return tuple(
        key for entry in entries for key in entry.values if labelled or key not in entry.optional
    )


def check(run: Run) -> None:
    """Refuse metrics that could not be computed at the run's end.

    Raises:
        ValueError: a classifier or a package is not there, a classifier does not know the run's
            images or classes, or a metric asked for needs more points.
    """
    section = run.config["metrics"]
    names = names_to_measure(section, run)
    if run.recipe.sample is None or not names:
        return
    check_points(section, run)
    for name in names:
        if (refuse := METRICS[name].check) is not None:
            refuse()
    if any(_looked(name) for name in names):
        find_look(run)
    view = find_view(run, section) if _classified(names) else None
    if view is not None and "label_agreement" in names:
        num, known = run.dataset.num_classes or 0, view.classifier.num_classes
        classes = run.dataset.original_classes or range(num)
        if any(each >= known for each in classes):
            raise ValueError(
                f"metrics.names=[label_agreement]: the classifier {view.classifier.name} has "
                f"{known} classes, {run.dataset.name} has more ({num})"
            )


def check_points(section: Mapping[str, Any], run: Run) -> None:
    """Refuse metrics that need more points than there are; those not asked for are left out."""
    num, where = _fewest(section, run)
    asked = section["names"]
    for name in applicable(facts_of_run(run)) if asked is None else asked:
        least = METRICS[name].min_points if name in METRICS else 0
        if least > num and asked is not None:
            raise ValueError(f"metrics: {name} needs at least {least} points a side, {where} {num}")
        if least > num:
            log.warning("No %s: it needs at least %d points a side, %s %d", name, least, where, num)


def _classified(names: tuple[str, ...]) -> bool:
    return any("classifier" in METRICS[name].needs for name in names if name in METRICS)


def measure(
    run: Run,
    host: Solo,
    section: Mapping[str, Any],
    *,
    split: str,
    checkpoint: str,
    truncation: float | None = None,
) -> dict[str, Measurement]:
    """Compute a config's metrics.

    Args:
        run: the run.
        host: its networks, at the weights to judge.
        section: the config's `metrics`.
        split: where the real points are from.
        checkpoint: whose weights these are, for the protocol.
        truncation: of the styles, for games that are `styled`; None: as they are drawn.

    Returns:
        Measurements by name, e.g. `modes_covered`.
    """
    if run.recipe.sample is None:
        return _measure_toy(run, host, section, checkpoint)
    names = names_to_measure(section, run)
    if not names:
        return {}
    setting = replace(_setting(run, section, split), truncation=truncation)
    inputs = of_game(setting, host)
    found: dict[str, Measurement] = {}
    for name in names:
        card = _protocol(METRICS[name], inputs, setting, checkpoint)
        for key, value in evaluate(name, inputs).items():
            found[key] = Measurement(value=value, protocol=card)
    return found


def measure_floor(run: Run, section: Mapping[str, Any], *, split: str) -> dict[str, float]:
    """What real points score against real points: a perfect generator's values.

    Paired games have none: their points answer to inputs, and a second draw has other inputs.
    """
    if run.recipe.sample is None or run.recipe.paired:
        return {}
    setting = _setting(run, section, split)
    fresh = of_fresh_data(setting, section["num_generated"])
    if run.dataset.kind != "images":
        return _values(setting, fresh)
    # What is said of images alone is said of the judged ones: a classifier knows those that it was
    # trained on too well.
    compared = _remembered(setting, fresh, compares={True})
    return compared | _remembered(setting, of_judged_data(setting), compares={False})


def measure_ceiling(
    run: Run, section: Mapping[str, Any], *, split: str
) -> dict[str, dict[str, float]]:
    """What images score that no training was spent on: `noise`, and G `untrained`.

    Of pairs of images, `bicubic` interpolation. Empty where the data are no images.
    """
    if run.recipe.sample is None or run.dataset.kind != "images":
        return {}
    if not names_to_measure(section, run):
        return {}
    setting = _setting(run, section, split)
    if run.recipe.paired:
        found = _values(setting, of_bicubic(setting)) if run.dataset.wholes else {}
        return {"bicubic": found} if found else {}
    return {
        "noise": _remembered(setting, of_noise(setting)),
        # Games that differ in their losses alone begin with the same G.
        "untrained": _remembered(setting, of_game(setting, untrained(run))),
    }


def is_better(name: str, value: float, than: float) -> bool:
    """Whether a metric's value is better than another."""
    return value > than if direction(name) == "higher" else value < than


def best_of(
    found: Mapping[str, Measurement], select: str | None, best: dict[str, Any] | None, step: int
) -> dict[str, Any] | None:
    """The best checkpoint so far, as metric, value and step: `best`, or this step's.

    select: the metric that decides; None: the first.
    """
    name = select or next(iter(found), None)
    if name is None:
        return best
    value = found[name].value
    if math.isnan(value):  # better or worse than nothing: as the best it would stay for ever
        return best
    if best is not None and not is_better(name, value, best["value"]):
        return best
    return {"metric": name, "value": value, "step": step}


def direction(name: str) -> str:
    """Whether a measured name is better "higher" or "lower"."""
    for metric in METRICS.values():
        if name in metric.better:
            return metric.better[name]
    return "lower"


def _setting(run: Run, section: Mapping[str, Any], split: str) -> Setting:
    names = names_to_measure(section, run)
    view = find_view(run, section) if _classified(names) else None
    look = find_look(run) if any(_looked(name) for name in names) else None
    return Setting(run=run, section=section, split=split, view=view, look=look)


def _looked(name: str) -> bool:
    return name in METRICS and "features" in METRICS[name].needs


def _fitting(setting: Setting, inputs: MetricInputs) -> list[str]:
    """The metrics that such inputs have."""
    names, facts = names_to_measure(setting.section, setting.run), inputs.facts()
    return [name for name in names if METRICS[name].needs <= facts]


def _values(setting: Setting, inputs: MetricInputs) -> dict[str, float]:
    values: dict[str, float] = {}
    for name in _fitting(setting, inputs):
        values |= evaluate(name, inputs)
    return values


def _remembered(
    setting: Setting, inputs: MetricInputs, *, compares: Set[bool] = frozenset({True, False})
) -> dict[str, float]:
    """Values of images that come again, computed once.

    compares: those of which metrics (`Metric.compares`).
    """
    tensors = (inputs.generated, inputs.real, inputs.labels)
    hashes = [None if each is None else feature_cache.content_hash(each) for each in tensors]
    view = setting.view.identity() if setting.view is not None else ()
    values: dict[str, float] = {}
    for name in _fitting(setting, inputs):
        if METRICS[name].compares not in compares:
            continue
        if "codes" in METRICS[name].needs:  # looks at more than images
            values |= evaluate(name, inputs)
            continue
        # What the classifier sees has no draws of a metric's own.
        seed = None if "classifier" in METRICS[name].needs else inputs.seed
        key = feature_cache.key("values", name, seed, *hashes, *view)
        found = feature_cache.remembered(key, partial(_as_tensors, name, inputs))
        values |= {each: float(value) for each, value in found.items()}
    return values


def _as_tensors(name: str, inputs: MetricInputs) -> dict[str, Tensor]:
    found = evaluate(name, inputs)
    return {each: torch.tensor(value, dtype=torch.float64) for each, value in found.items()}


def _protocol(metric: Metric, inputs: MetricInputs, setting: Setting, checkpoint: str) -> Protocol:
    num_real, num_generated = len(inputs.real), len(inputs.generated)
    most = metric.max_points or max(num_real, num_generated)
    details: dict[str, Any] = {"method": metric.description, **metric.details}
    if "classifier" in metric.needs and setting.view is not None:
        details["classifier"] = dict(setting.view.details())
    if "features" in metric.needs and setting.look is not None:
        details["features"] = setting.look.details()
    if setting.truncation is not None:
        details["truncation"] = setting.truncation
    if "photographs" in metric.needs and setting.run.dataset.wholes is not None:
        num_real = num_generated = most = len(setting.run.dataset.wholes[setting.split])
    return Protocol(
        num_real=min(num_real, most),
        num_generated=min(num_generated, most),
        split=setting.split,
        checkpoint=checkpoint,
        units=metric.units,
        seed=setting.seed,
        details=details,
    )


def _measure_toy(
    run: Run, host: Solo, section: Mapping[str, Any], checkpoint: str
) -> dict[str, Measurement]:
    """What a game without samples says of itself."""
    card = Protocol(
        num_real=0, num_generated=0, split="none", checkpoint=checkpoint, units="data",
        seed=run.streams().seed("metrics/metric"),
    )  # fmt: skip
    values = run.recipe.measure(host.networks) if run.recipe.measure else {}
    wanted = section["names"]
    return {
        name: Measurement(value=value, protocol=card)
        for name, value in values.items()
        if wanted is None or name in wanted
    }
