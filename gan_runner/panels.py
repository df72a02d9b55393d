"""What pictures of images show: computed here from a run's networks, drawn in `image_plots.py`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from gan_runner import arithmetic, latent
from gan_runner.callbacks.callback import Panel
from gan_runner.datasets.dataset import Dataset, as_floats
from gan_runner.dispatch import Run
from gan_runner.game import Batch
from gan_runner.hosts import Solo
from gan_runner.nearest import nearest
from gan_runner.priors import Normal
from gan_runner.sampling import Source

log = logging.getLogger(__name__)
ROWS, STEPS = 8, 10  # of interpolations
SHOWN, NEAREST = 16, 5  # samples with neighbours, and neighbours of each
COMPARED = 64  # samples whose distances are averaged, and held-out images
MOST_ROWS, MOST_NUMBERS = 60_000, 200_000_000  # training images that are looked through


# --- of a run --------------------------------------------------------------------------------


def of_step(run: Run, host: Solo, *, is_last: bool) -> Iterator[tuple[str, Panel]]:
    """The panels of a sampled step, each from a stream of its own: the same draws every time."""
    if run.dataset.kind != "images":
        return

    def source(name: str) -> Source:
        return Source(run=run, host=host, generator=run.streams().fresh(f"metrics/{name}"))

    for name in run.recipe.grids:
        yield f"samples/{name}", grid(source(f"samples/{name}"), name)
    if is_last:
        for name, make in ENDS.items():
            found = source(f"pictures/{name}")
            reason = why_not(name, found)
            if reason is None:
                try:
                    yield f"pictures/{name}", make(found)
                    continue
                except ValueError as error:  # such as a class that no sample is read as
                    reason = str(error)
            log.debug("No picture of %s: %s", name, reason)


def why_not(name: str, source: Source) -> str | None:
    """Why a run has no panel of a name ("interpolation", "neighbours", "arithmetic"), if so."""
    recipe = source.run.recipe
    if source.run.dataset.kind != "images":
        return "its samples are no images"
    if recipe.paired or (name != "neighbours" and "z" not in recipe.sample_priors):
        return "it draws no z"
    return arithmetic.why_not(source) if name == "arithmetic" else None


# --- grids and interpolations ----------------------------------------------------------------


def grid(source: Source, name: str) -> Panel:
    """One of the recipe's own grids."""
    found = source.run.recipe.grids[name]
    made, drawn = source.draw(found.rows * found.columns, found.arrange)
    table = {key: latent.table(value, found.rows, found.columns) for key, value in drawn.items()}
    key = _key_of_rows(table)
    number, heads = _code_of_columns(table)
    parts = ["each row a category"] if key == "category" else []
    parts += [f"along it code {number}"] if heads else []
    return Panel(
        images=made,
        columns=found.columns,
        title=found.title or ", ".join(parts).capitalize(),
        rows=found.labels
        if key is None
        else _names(table[key][:, 0].tolist(), key, source.run.dataset),
        heads=heads,
    )


def _key_of_rows(table: Batch) -> str | None:
    """Which choice is the same all along every row: a class or a category."""
    keys = (key for key in ("label", "category") if key in table)
    return next((key for key in keys if bool((table[key] == table[key][:, :1]).all())), None)


def _names(places: list[int], key: str, dataset: Dataset) -> tuple[str, ...]:
    """Names of classes; categories, which a game finds for itself, have numbers."""
    names = latent.class_names(dataset) if key == "label" else ()
    return tuple(names[at] if at < len(names) else str(at) for at in places)


def _code_of_columns(table: Batch) -> tuple[int, tuple[str, ...]]:
    """The number of the code that alone changes along a row, alike in all rows; its values."""
    codes = table.get("codes", torch.zeros(1, 1, 0)).unbind(dim=-1)
    moving = [number for number, code in enumerate(codes) if _varies(code)]
    others = (value for key, value in table.items() if key != "codes")
    if len(moving) != 1 or any(map(_varies, others)):
        return 0, ()
    code = codes[moving[0]]
    if bool((code != code[:1]).any()):
        return 0, ()
    return moving[0] + 1, tuple(f"{value:.1f}" for value in code[0].tolist())


def _varies(table: Tensor) -> bool:
    """Whether a draw [rows, columns, ...] changes along a row."""
    return bool((table != table[:, :1]).any())


def interpolation(
    source: Source, *, rows: int = ROWS, label: int | None = None, in_styles: bool = False
) -> Panel:
    """Samples on the way from one z to another, or from its style to the other's, row by row."""
    spherical = isinstance(source.run.recipe.sample_priors["z"], Normal)
    walk = latent.interpolated(rows, STEPS, spherical=spherical, in_styles=in_styles)
    chosen = None if label is None else latent.of_class(label)
    made, _ = source.draw(rows * STEPS, latent.both(walk, chosen))
    way = "Spherical" if spherical and not in_styles else "Linear"
    title = f"{way} interpolation of {'w' if in_styles else 'z'}, from left to right"
    return Panel(images=made, columns=STEPS, title=title)


# --- neighbours ------------------------------------------------------------------------------


def neighbours(source: Source, *, num: int = SHOWN, label: int | None = None) -> Panel:
    """Samples beside the training images nearest to them, two groups in a row.

    The title compares the mean distance with that of real images that were not trained on: copies
    of training images have distance 0.
    """
    splits, host = source.run.dataset.splits, source.host
    chosen = None if label is None else latent.of_class(label)
    made, _ = source.draw(max(num, COMPARED), chosen)
    real = splits["train"]["real"]
    order = torch.Generator().manual_seed(0)
    most = min(MOST_ROWS, max(1, MOST_NUMBERS // made[0].numel()))
    index = _some(len(real), most, order)
    places, distances = nearest(made.to(host.device), real, NEAREST, index=index)
    near = as_floats(real[places[:num].flatten().cpu()], made.dtype)
    near = latent.table(near, num, -1)  # [num, k, C, H, W]
    k = near.shape[1]
    title = f"Samples, and the {k} training images nearest to each by the distance of pixels"
    if len(real) > most:
        title += f" (among {most:,} of them)"
    finite = made.flatten(1).isfinite().all(dim=1).to(distances.device)
    name = next((each for each in ("test", "validation") if each in splits), None)
    if name is not None and bool(finite.any()):
        held = splits[name]["real"]
        rows = as_floats(held[_some(len(held), COMPARED, order)], made.dtype)
        _, usual = nearest(rows.to(host.device), real, 1, index=index)
        if float(usual.mean()) > 0:  # a set may be tested on what it was trained on
            ratio = float(distances[finite, 0].mean() / usual.mean())
            title += f". Mean distance to the nearest: {ratio:.2f} times that of {name} images"
    groups = torch.cat([made[:num, None], near], dim=1)  # [num, 1 + k, C, H, W]
    doubled = 2 if num % 2 == 0 else 1
    return Panel(
        images=groups.flatten(0, 1),
        columns=doubled * (1 + k),
        title=title,
        heads=("sample", "nearest", *[""] * (k - 1)) * doubled,
        gaps=(1, 1 + k, 2 + k)[: 1 if doubled == 1 else 3],
    )


def _some(total: int, most: int, generator: torch.Generator) -> Tensor:
    """At most so many places of rows, in order."""
    if total <= most:
        return torch.arange(total)
    return torch.randperm(total, generator=generator)[:most].sort().values


ENDS: dict[str, Callable[[Source], Panel]] = {
    "interpolation": interpolation,
    "neighbours": neighbours,
    "arithmetic": arithmetic.arithmetic,
}
