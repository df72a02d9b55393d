"""What a run's metrics look at: its samples, its data, and what stands in for samples.

A stand-in shows where a metric's scale begins and ends: fresh real data (a perfect generator),
noise, and the networks before training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan_runner import latent, upscaling
from gan_runner.classifiers import classifier as classifiers
from gan_runner.datasets.dataset import Dataset
from gan_runner.dispatch import Run
from gan_runner.draws import chosen_rows, chunk_size, generate
from gan_runner.facts import facts_of_run, features_name
from gan_runner.game import Batch
from gan_runner.hosts import Solo
from gan_runner.metrics.inputs import MetricInputs, Seen
from gan_runner.metrics.look import Look
from gan_runner.metrics.photographs import Enlarged
from gan_runner.metrics.view import View
from gan_runner.networks.features import LITE0_LAYERS, lite_weights
from gan_runner.streams import stream_seed


@dataclass(frozen=True, kw_only=True, eq=False)
class Setting:
    """How a run is judged.

    run: the run. section: the config's `metrics`. split: where the real samples are from.
    view: how its images are looked at; None where nobody does. look: the same of photographs, by
    a network's features. truncation: of StyleGAN's styles; None: as they are drawn.
    """

    run: Run
    section: Mapping[str, Any]
    split: str
    view: View | None
    look: Look | None = None
    truncation: float | None = None

    @property
    def seed(self) -> int:
        """The seed of the metrics' own draws."""
        return self.run.streams().seed("metrics/metric")


def find_view(run: Run, section: Mapping[str, Any]) -> View | None:
    """The look at a run's images that its metrics need; None where they have no classifier.

    Raises:
        ValueError: the classifier cannot be read, or knows other images.
    """
    facts = facts_of_run(run)
    if "classifier" not in facts:
        return None
    dataset = run.dataset
    name = section.get("classifier") or dataset.classifier
    assert name is not None  # the facts say so
    view = View(
        classifier=classifiers.load(name),
        device=run.device,
        pad=dataset.pad,
        stacked="stacked" in facts,
    )
    first = chosen_rows({"real": dataset.splits["train"]["real"][:1]}, 1, torch.Generator())
    view.check(first["real"][0])
    return view


def find_look(run: Run) -> Look:
    """The network that compares a run's photographs.

    Raises:
        ValueError: there is none, or it does not take the run's images.
    """
    name = features_name(run)
    if name is None:
        raise ValueError(
            "metrics.names=[perceptual_distance]: no network at hand to compare features of; "
            "give metrics.features=<network>"
        )
    look = _look(name, run.device, torch.empty(0).device, *_weights(name))
    if run.device.type != "meta":
        look(torch.zeros(1, *run.dataset.shape))
    return look


@lru_cache(maxsize=1)
def _look(name: str, device: torch.device, *_read_from: object) -> Look:
    """A network's look; its weights are read once, as long as what they are read from is as is."""
    layers = LITE0_LAYERS if name == "efficientnet_lite0" else ()
    return Look(name=name, layers=layers, device=device)


def _weights(name: str) -> tuple[Path, int | None]:
    """The file that a network's name may stand for, and when it was last changed."""
    path = (lite_weights(name) or Path(name).expanduser()).absolute()
    return path, path.stat().st_mtime_ns if path.is_file() else None


def of_bicubic(setting: Setting) -> MetricInputs:
    """Bicubic interpolation of a split's whole photographs in the place of G's."""
    wholes = (setting.run.dataset.wholes or {})[setting.split]
    nothing = torch.zeros(0, *setting.run.dataset.shape)
    return MetricInputs(
        generated=nothing,
        real=nothing,
        seed=setting.seed,
        enlarged=cache(lambda: [upscaling.bicubic(each) for each in wholes]),
        look=setting.look,
    )


def of_game(setting: Setting, host: Solo) -> MetricInputs:
    """Samples of a host's networks against real ones."""
    run, section = setting.run, setting.section
    streams, dataset = run.streams(), run.dataset
    rows = _real_rows(setting, run.tensors(setting.split, host.dtype), host.dtype)
    paired = {"low": rows["low"]} if run.recipe.paired else None
    made, drawn = generate(
        run, host, section["num_generated"], streams.fresh("metrics/generated"), data=paired,
        arrange=latent.styled(setting.truncation, noise=True),
    )  # fmt: skip
    generated, real = _data_units(dataset, made), _data_units(dataset, rows["real"])

    def redraw(num: int, arrange: Callable[[Batch], Batch]) -> Tensor:
        noise = streams.fresh("metrics/effects")
        return _data_units(dataset, generate(run, host, num, noise, arrange=arrange)[0])

    samples = {"generated": made, "real": rows["real"]}
    codes = "codes" in facts_of_run(run)
    return MetricInputs(
        generated=generated,
        real=real,
        modes=dataset.modes,
        device=run.device,
        predicted=made.cpu() if paired else None,
        target=rows["real"].cpu() if paired else None,
        seed=setting.seed,
        see=_looking(setting.view, generated, real, remember=False),
        stacked=setting.view is not None and setting.view.stacked,
        labels=_as_classified(dataset, drawn["label"]) if "label" in drawn else None,
        real_labels=rows.get("label"),
        drawn={name: value.cpu() for name, value in drawn.items()},
        probe=cache(lambda which: _probed(run, host, samples[which])) if codes else None,
        redraw=redraw if codes else None,
        enlarged=_enlarging(setting, host) if paired and dataset.wholes else None,
        look=setting.look,
    )


def _enlarging(setting: Setting, host: Solo) -> Callable[[], Sequence[Enlarged]]:
    """A function that enlarges a split's whole photographs once, when first asked."""
    wholes = (setting.run.dataset.wholes or {})[setting.split]
    return cache(lambda: [upscaling.enlarged(setting.run, host, each) for each in wholes])


def of_fresh_data(setting: Setting, num: int) -> MetricInputs:
    """Real samples against real ones, as a perfect generator of `num` samples would have them.

    As many as that, where there are so many, come from a split that shares none with the judged
    one.
    """
    run, dataset = setting.run, setting.run.dataset
    apart = _apart(dataset, setting.split, num)
    # Images are fresh ones of every run, so that what is seen of them is computed once.
    seed = (
        stream_seed(0, "metrics/floor")
        if dataset.kind == "images"
        else run.streams().seed("metrics/floor")
    )
    keys = ("real", "label") if "labels" in facts_of_run(run) else ("real",)
    tensors = {key: dataset.splits[apart][key] for key in keys}
    fresh = chosen_rows(tensors, num, torch.Generator().manual_seed(seed))
    labels = _as_classified(dataset, fresh["label"]) if "label" in fresh else None
    return _stand_in(setting, _data_units(dataset, fresh["real"]), labels)


def of_judged_data(setting: Setting) -> MetricInputs:
    """The judged images in the place of samples."""
    dataset = setting.run.dataset
    rows = _real_rows(setting, {"real": dataset.splits[setting.split]["real"]}, torch.float32)
    labels = None
    if "label" in rows and "labels" in facts_of_run(setting.run):
        labels = _as_classified(dataset, rows["label"])
    return _stand_in(setting, _data_units(dataset, rows["real"]), labels)


def of_noise(setting: Setting) -> MetricInputs:
    """Images of uniform noise against real ones."""
    run, dataset, num = setting.run, setting.run.dataset, setting.section["num_generated"]
    generator = torch.Generator().manual_seed(stream_seed(0, "metrics/noise"))
    noise = torch.rand(num, *dataset.shape, generator=generator).mul_(2).sub_(1)
    labels = None
    if "label" in run.recipe.sample_priors:
        prior = run.recipe.sample_priors["label"]
        drawn = prior.draw(num, generator, torch.device("cpu"), torch.float32)
        labels = _as_classified(dataset, drawn)
    return _stand_in(setting, noise, labels)


def untrained(run: Run) -> Solo:
    """A run's networks at their initial weights."""
    device = {**run.config["device"], "compile": False}
    return replace(run, config={**run.config, "device": device}).host(run.streams())


def _stand_in(setting: Setting, samples: Tensor, labels: Tensor | None) -> MetricInputs:
    dataset = setting.run.dataset
    tensors = {"real": dataset.splits[setting.split]["real"]}
    real = _data_units(dataset, _real_rows(setting, tensors, torch.float32)["real"])
    return MetricInputs(
        generated=samples,
        real=real,
        modes=dataset.modes,
        device=setting.run.device,
        seed=setting.seed,
        see=_looking(setting.view, samples, real, remember=True),
        stacked=setting.view is not None and setting.view.stacked,
        labels=labels,
    )


def _real_rows(setting: Setting, tensors: Mapping[str, Any], dtype: torch.dtype) -> Batch:
    """The real samples that all are judged by, with their labels where there are any."""
    labels = setting.run.dataset.splits[setting.split].get("label")
    generator = torch.Generator().manual_seed(setting.run.streams().seed("metrics/real"))
    given = {**tensors, **({} if labels is None else {"label": labels})}
    return chosen_rows(given, setting.section["num_real"], generator, dtype)


def _data_units(dataset: Dataset, samples: Tensor) -> Tensor:
    """Samples in data units, on the CPU."""
    return (samples if dataset.kind == "images" else dataset.unscale(samples)).cpu()


def _as_classified(dataset: Dataset, labels: Tensor) -> Tensor:
    """Labels as the classifier numbers them: a subset's are renumbered."""
    labels = labels.cpu()
    if dataset.original_classes is None:
        return labels
    return torch.tensor(dataset.original_classes)[labels]


def _looking(
    view: View | None, generated: Tensor, real: Tensor, *, remember: bool
) -> Callable[[str], Seen] | None:
    """A function that looks at "generated" or "real" images once, when first asked."""
    if view is None:
        return None

    @cache
    def see(which: str) -> Seen:
        if which == "real":
            return view.remembered(real)
        return view.remembered(generated) if remember else view(generated)

    return see


def _probed(run: Run, host: Solo, samples: Tensor) -> dict[str, Tensor]:
    """What the game's own networks read off samples, on the CPU."""
    probe = run.recipe.probe
    assert probe is not None
    size = chunk_size(run.dataset)
    with host.evaluating() as nets:
        parts = [
            probe(nets, samples[start : start + size].to(host.device, host.dtype))
            for start in range(0, len(samples), size)
        ]
    return {name: torch.cat([part[name].float().cpu() for part in parts]) for name in parts[0]}


def _apart(dataset: Dataset, split: str, num: int) -> str:
    """A split with other points: the first that has so many of them, else the largest."""
    reals = {name: dataset.splits[name]["real"] for name in ("validation", "train", "test")}
    # gauss2d's test set is its training set.
    sizes = {name: len(real) for name, real in reals.items() if not _same(real, reals[split])}
    enough = (name for name, size in sizes.items() if size >= num)
    return next(enough, max(sizes, key=lambda name: sizes[name]))


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.data_ptr() == b.data_ptr()
    return a is b
