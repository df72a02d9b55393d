"""The container that every data set fills, and the two things that all builders share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gan_runner.datasets.photographs import Wholes
from gan_runner.datasets.sources import ImageSource

Rows = Tensor | ImageSource  # N samples: resident, or made when asked for
_CHUNK = 1000  # rows hashed at once


@dataclass(frozen=True, kw_only=True, eq=False)
class Modes:
    """The components of a known mixture of isotropic Gaussians, in data units.

    centres: [K, d] means; sds: [K] standard deviations, each above 0.

    Raises:
        ValueError: the two do not describe the same K components.
    """

    centres: Tensor
    sds: Tensor

    def __post_init__(self) -> None:
        if self.centres.ndim != 2 or self.sds.shape != self.centres.shape[:1]:
            raise ValueError(
                f"modes: centres {tuple(self.centres.shape)} and sds {tuple(self.sds.shape)} "
                "must be [K, d] and [K]"
            )

    def __len__(self) -> int:
        """Return K, the number of modes."""
        return int(self.centres.shape[0])


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Every split of a data set, as the networks see it, with the way back to data units.

    name: the option's name. kind: "vectors", "images" or "none" (a game without data).
    splits: "train", "validation", "test", each a mapping of tensors with N rows:
        real [N, ...] is what G's output must resemble, scaled; low [N, L] (optional) is the paired
        input of G, scaled; label [N] (optional) is int64 in [0, K). Images are bytes
        [N, C, H, W], resident or a source: `as_floats` makes of them what the networks see.
    offset, scale: [d], with data = scaled * scale + offset; 0 and 1 unless given, as for images.
    low_offset, low_scale: [L], the same for low; None: low is not scaled.
    columns, low_columns: the names of real's d and low's L columns, where they have names.
    modes: the true mixture in data units, where it is known.
    classes: the K class names, where labels have names.
    original_classes: the class that each of the K labels has in the whole set, where only some of
        its classes are kept; None: labels are as they were.
    classifier: the shipped classifier that knows these images ("mnist", "digits", ...).
    pad: pixels added on every side, to be cut off before the classifier sees an image.
    flip: training images are mirrored at random. workers: processes that read a source.
    wholes: of paired images, each split's whole photographs, of any size.

    Raises:
        ValueError: the tensors of one split differ in their number of rows.
    """

    name: str
    kind: str
    splits: Mapping[str, Mapping[str, Rows]]
    offset: Tensor = field(default_factory=lambda: torch.zeros(()))
    scale: Tensor = field(default_factory=lambda: torch.ones(()))
    low_offset: Tensor | None = None
    low_scale: Tensor | None = None
    columns: tuple[str, ...] | None = None
    low_columns: tuple[str, ...] | None = None
    modes: Modes | None = None
    classes: tuple[str, ...] | None = None
    original_classes: tuple[int, ...] | None = None
    classifier: str | None = None
    pad: int = 0
    flip: bool = False
    workers: int = 0
    wholes: Mapping[str, Wholes] | None = None

    def __post_init__(self) -> None:
        for split, tensors in self.splits.items():
            rows = {key: tensor.shape[0] for key, tensor in tensors.items()}
            if len(set(rows.values())) > 1:
                raise ValueError(f"dataset {self.name}: split {split} has unequal rows: {rows}")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one real sample, such as (2,); () where there is no data."""
        real = self.splits.get("train", {}).get("real")
        return () if real is None else tuple(real.shape[1:])

    @property
    def low_shape(self) -> tuple[int, ...] | None:
        """Shape of one paired input, or None where the data are not paired."""
        low = self.splits.get("train", {}).get("low")
        return None if low is None else tuple(low.shape[1:])

    @property
    def num_classes(self) -> int | None:
        """Number of classes K over all splits, or None where there are no labels."""
        if self.classes is not None:
            return len(self.classes)
        splits = self.splits.values()
        labels = [resident(tensors["label"]) for tensors in splits if "label" in tensors]
        if not labels:
            return None
        return 1 + max(int(label.max()) for label in labels if label.numel())

    @property
    def num_train(self) -> int:
        """Number of training samples; 0 where there is no data."""
        real = self.splits.get("train", {}).get("real")
        return 0 if real is None else int(real.shape[0])

    def unscale(self, x: Tensor) -> Tensor:
        """Map scaled samples [..., d] to data units, on their own device and in their own dtype."""
        return x * _like(self.scale, x) + _like(self.offset, x)

    def scale_low(self, x: Tensor) -> Tensor:
        """Map paired inputs [N, L] in data units to what the networks see, as `unscale` back."""
        if self.low_offset is None or self.low_scale is None:
            return x
        return (x - _like(self.low_offset, x)) / _like(self.low_scale, x)

    def content_hash(self) -> str:
        """Return the sha256 (hex) of the tensors: their names, dtypes, shapes and bytes.

        Images have one hash, resident or not.
        """
        digest = hashlib.sha256()
        for name, rows in self._tensors():
            dtype = torch.empty(0, dtype=rows.dtype).numpy().dtype
            digest.update(f"{name}:{dtype.str}:{tuple(rows.shape)};".encode())
            for part in _parts(rows):
                digest.update(part.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def _tensors(self) -> Iterator[tuple[str, Rows]]:
        for split in sorted(self.splits):
            for key in sorted(self.splits[split]):
                yield f"{split}/{key}", self.splits[split][key]
        yield "offset", self.offset
        yield "scale", self.scale
        if self.low_offset is not None and self.low_scale is not None:
            yield "low_offset", self.low_offset
            yield "low_scale", self.low_scale
        if self.modes is not None:
            yield "modes/centres", self.modes.centres
            yield "modes/sds", self.modes.sds


def none() -> Dataset:
    """Return the data set without data, for games such as v(a, b) = ab."""
    return Dataset(name="none", kind="none", splits={}, offset=torch.zeros(0), scale=torch.ones(0))


def as_floats(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Return samples as the networks see them: bytes 0..255 become [-1, 1], integers stay.

    x: [N, ...]; a tensor of floats only changes its dtype.
    """
    if x.dtype == torch.uint8:
        return x.to(dtype).div_(127.5).sub_(1)
    return x.to(dtype) if x.is_floating_point() else x


def resident(rows: Rows) -> Tensor:
    """Return samples as a tensor, made if need be."""
    return rows if isinstance(rows, Tensor) else rows.resident()


def _parts(rows: Rows) -> Iterator[Tensor]:
    # Neither a source nor a copy of a large set need fit the memory.
    if isinstance(rows, Tensor) and rows.ndim == 0:
        yield rows
        return
    for start in range(0, len(rows), _CHUNK):
        yield rows[start : start + _CHUNK]


def _like(statistic: Tensor, x: Tensor) -> Tensor:
    # dtype before device: some accelerators hold no float64.
    return statistic.to(x.dtype).to(x.device)


def stream(seed: int, name: str) -> torch.Generator:
    """Return the CPU generator of one named stream of a seed.

    The seeds are hashes, so streams are independent of each other: drawing more from "test" leaves
    "train" as it was.
    """
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big"))


def minmax(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the offset and scale [d] that map each feature of x [N, d] to [0, 1].

    A constant feature gets scale 1, so that it maps to 0 and the way back stays exact.
    """
    low, high = x.amin(dim=0), x.amax(dim=0)
    return low, torch.where(high > low, high - low, torch.ones_like(low))
