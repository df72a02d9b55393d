"""Sums of classes in z: G(mean of a - mean of b + mean of c), read by a classifier."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from gan_runner import latent
from gan_runner.callbacks.callback import Panel
from gan_runner.datasets.dataset import Dataset, as_floats
from gan_runner.priors import Labels, Uniform
from gan_runner.sampling import Source

READ = 5000  # samples that means of z are taken over
DRAWN, SHOWN = 100, 8  # draws towards each mean, and how many of them are shown
COSINE = math.sqrt(0.5)  # how far they are turned: half way
NOT_KNOWN = -1  # the class of a sum
# Sums whose result can be foretold, by classifier: 7 - 1 is the upper stroke, which makes a 9 of a
# 4; a pullover without its shirt is sleeves, which make a coat of a dress.
SUMS = {
    "mnist": ("7", "1", "4"),
    "digits": ("7", "1", "4"),
    "fashion_mnist": ("Pullover", "T-shirt/top", "Dress"),
}
RESULTS = {"mnist": "9", "digits": "9", "fashion_mnist": "Coat"}  # what they come to


def why_not(source: Source) -> str | None:
    """Why the samples' classes cannot be summed, if so."""
    dataset, priors = source.run.dataset, source.run.recipe.sample_priors
    if any(isinstance(prior, Labels) for prior in priors.values()):
        return "a sample's kind is drawn beside z, so no part of z stands for it"
    if len(latent.class_names(dataset)) < 3:
        return f"{dataset.name} has not three classes"
    try:
        read = reader(source)
        read(as_floats(dataset.splits["train"]["real"][:1], torch.float32))
    except ValueError as error:
        return str(error)
    return None


def reader(source: Source) -> Callable[[Tensor], Tensor]:
    """A function: images [N, C, H, W] -> the class [N] that each is read as, on the CPU.

    Raises:
        ValueError: no classifier is known, or it has other classes; the function: it knows no such
            images.
    """
    from gan_runner.classifiers import classifier  # few runs need one

    dataset = source.run.dataset
    name = source.run.config["metrics"].get("classifier") or dataset.classifier
    if name is None:
        raise ValueError(f"no classifier is known that reads the classes of {dataset.name}")
    known, kept, pad = classifier.load(name), dataset.original_classes, dataset.pad
    num_classes = len(latent.class_names(dataset))
    if kept is None and known.num_classes != num_classes:
        raise ValueError(f"classifier {name} reads {known.num_classes} classes, not {num_classes}")

    def read(images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        inner = images[..., pad : height - pad, pad : width - pad]
        _, logits = known(inner.float().to(source.host.device))
        return (logits if kept is None else logits[:, list(kept)]).argmax(dim=1).cpu()

    return read


def example(dataset: Dataset) -> tuple[int, int, int]:
    """A sum of classes to start with."""
    names = latent.class_names(dataset)
    a, b, c = SUMS.get(dataset.classifier or "", ("", "", ""))
    if {a, b, c} <= set(names):
        return names.index(a), names.index(b), names.index(c)
    return 0, 1, 2


def arithmetic(source: Source, classes: tuple[int, int, int] | None = None) -> Panel:
    """G of mean z of class a - mean z of class b + mean z of class c, and of draws towards each.

    After Radford et al. 2016, section 6.3.2, with a classifier in the place of the person who picks
    the samples, and all that it reads as a class in the place of three; means and sums are then as
    long as draws of z are (see `latent.toward`), for a mean of hundreds is too short. A row: the
    mean itself, and draws of z turned half way towards it; on the left the share of these that is
    read as the class, for the sum as the class that is read most often.

    Raises:
        ValueError: no sample is read as one of the classes.
    """
    dataset = source.run.dataset
    names, (a, b, c) = latent.class_names(dataset), classes or example(dataset)
    read = reader(source)
    labels, means = _means(source, read, (a, b, c))
    total = f"{names[a]} - {names[b]} + {names[c]}"
    wanted = [(names[label], label, means[label]) for label in (a, b, c)]
    wanted.append((total, NOT_KNOWN, means[a] - means[b] + means[c]))
    rows, cells = [], []
    for name, label, mean in wanted:
        made = source.at(_towards(source, mean))
        counts = read(made[1:]).bincount(minlength=len(names))
        best = int(counts.argmax()) if label == NOT_KNOWN else label
        rows.append(f"{name}\n{int(counts[best]) / DRAWN:.0%} read as {names[best]}")
        cells.append(made[: 1 + SHOWN])
    said, usual = rows[-1].replace("\n", ": "), float((labels == best).double().mean())
    return Panel(
        images=torch.cat(cells),
        columns=1 + SHOWN,
        title=f"Arithmetic in z. {said} ({usual:.0%} of all samples are)",
        rows=tuple(rows),
        heads=("mean", *[""] * SHOWN),
        gaps=(1,),
    )


def foretold(source: Source) -> tuple[float, float]:
    """How often the sum of `SUMS` is read as what it should come to, and how often any sample is.

    Returns:
        the share of `DRAWN` draws turned half way towards the sum that are read as the class of
        `RESULTS`, and that of `READ` samples.

    Raises:
        ValueError: no result is known for these data, or no sample is read as one of the classes.
    """
    dataset = source.run.dataset
    names, known = latent.class_names(dataset), dataset.classifier or ""
    if not {RESULTS.get(known), *SUMS.get(known, ())} <= set(names):
        raise ValueError(f"{dataset.name}: no sum of its classes has a known result")
    a, b, c = example(dataset)
    read = reader(source)
    labels, means = _means(source, read, (a, b, c))
    made = source.at(_towards(source, means[a] - means[b] + means[c]))[1:]
    wanted = names.index(RESULTS[known])
    share, usual = (float((each == wanted).double().mean()) for each in (read(made), labels))
    return share, usual


def _means(
    source: Source, read: Callable[[Tensor], Tensor], classes: tuple[int, ...]
) -> tuple[Tensor, dict[int, Tensor]]:
    """What samples are read as [READ], and the mean z [L] of those of each class.

    Raises:
        ValueError: no sample is read as one of the classes.
    """
    made, drawn = source.draw(READ)
    z, labels = drawn["z"], read(made).to(drawn["z"].device)
    means = {label: latent.class_mean(z, labels, label) for label in classes}
    for label, mean in means.items():
        if not bool(mean.isfinite().all()):
            name = latent.class_names(source.run.dataset)[label]
            raise ValueError(f"none of {READ:,} samples is read as class {name}")
    return labels, means


def _towards(source: Source, mean: Tensor) -> Tensor:
    """z [1 + DRAWN, L]: a mean, made as long as draws are, and draws turned towards it."""
    prior = source.run.recipe.sample_priors["z"]
    noise = prior.draw(DRAWN, source.generator, source.host.device, source.host.dtype)
    alone, turned = (latent.toward(mean, noise, cosine) for cosine in (1.0, COSINE))
    z = torch.cat([alone[:1], turned])
    return z.clamp(prior.low, prior.high) if isinstance(prior, Uniform) else z
