"""A trained classifier: read from its two files, and asked about images."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gan_runner.classifiers.network import ConvClassifier

FOLDER = Path(__file__).parent  # of the shipped ones
_CHUNK = 1000  # images at once
_KEYS = ("hash", "name", "shape", "stages", "num_classes", "accuracy", "recipe")


@dataclass(frozen=True, kw_only=True, eq=False)
class Classifier:
    """A classifier of images of one shape (C, H, W), whose features metrics are measured on.

    hash: sha256 (hex) of the file of its weights. accuracy: the share of its set's test images
    that it reads rightly. recipe: how it was trained.
    """

    network: nn.Module
    name: str
    shape: tuple[int, ...]
    num_classes: int
    hash: str = ""
    accuracy: float = 0.0
    recipe: Mapping[str, Any] = field(default_factory=dict)

    @property
    def num_features(self) -> int:
        """Width d of the features."""
        return int(self.network.num_features)  # type: ignore[arg-type]

    @torch.no_grad()
    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features [N, d] and logits [N, K] of images [N, C, H, W] in [-1, 1], float32.

        Raises:
            ValueError: images are bytes or of another shape.
        """
        if images.ndim != 4 or tuple(images.shape[1:]) != self.shape:
            raise ValueError(
                f"classifier {self.name}: images {list(images.shape)} must be "
                f"[N, {', '.join(map(str, self.shape))}]"
            )
        if not images.is_floating_point():
            raise ValueError(
                f"classifier {self.name}: images of {images.dtype} must be floats in [-1, 1]"
            )
        network = self.network.to(images.device).eval()
        parts = [network(chunk.float()) for chunk in torch.split(images, _CHUNK)]
        if not parts:
            return images.new_empty(0, self.num_features), images.new_empty(0, self.num_classes)
        features, logits = zip(*parts, strict=True)
        return torch.cat(features), torch.cat(logits)


def names() -> list[str]:
    """The shipped classifiers."""
    return sorted(path.stem for path in FOLDER.glob("*.safetensors"))


def load(name_or_path: str) -> Classifier:
    """Return a shipped classifier by its name, or any by the path of its .safetensors file.

    The record lies beside the weights, with the suffix .json, and holds their sha256.

    Raises:
        ValueError: there is no such classifier, or a file is not what the record says.
    """
    weights = _find(name_or_path)
    record = _record(weights.with_suffix(".json"))
    found = hashlib.sha256(weights.read_bytes()).hexdigest()
    if found != record["hash"]:
        raise ValueError(
            f"classifier {name_or_path!r}: {weights} has the sha256 {found[:12]}..., "
            f"its record says {str(record['hash'])[:12]}..."
        )
    try:
        network = _network(record, weights)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"classifier {name_or_path!r}: {weights} does not fit ({reason})"
        ) from None
    return Classifier(
        network=network.eval().requires_grad_(False),
        name=str(record["name"]),
        shape=tuple(record["shape"]),
        num_classes=int(record["num_classes"]),
        hash=found,
        accuracy=float(record["accuracy"]),
        recipe=record["recipe"],
    )


def save(
    network: ConvClassifier,
    *,
    name: str,
    shape: Sequence[int],
    stages: Sequence[Sequence[int]],
    record: Mapping[str, Any],
    folder: Path,
) -> Classifier:
    """Write <name>.safetensors and <name>.json into `folder`, and load them from there."""
    from safetensors.torch import save as to_bytes

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.safetensors"
    state = {key: value.contiguous() for key, value in network.state_dict().items()}
    path.write_bytes(to_bytes(state))
    whole = {
        "name": name,
        "hash": hashlib.sha256(path.read_bytes()).hexdigest(),
        "shape": list(shape),
        "stages": [list(stage) for stage in stages],
        "num_classes": network.head.out_features,
        "num_features": network.num_features,
        "num_parameters": sum(each.numel() for each in network.parameters()),
        **record,
    }
    text = json.dumps(whole, indent=2) + "\n"
    path.with_suffix(".json").write_text(text, encoding="utf-8")
    return load(str(path))


def _find(name_or_path: str) -> Path:
    given = Path(name_or_path)
    path = given if given.suffix == ".safetensors" else FOLDER / f"{name_or_path}.safetensors"
    if path.is_file():
        return path
    if given.suffix == ".safetensors":
        raise ValueError(f"classifier {name_or_path!r}: there is no such file")
    raise ValueError(
        f"classifier {name_or_path!r}: is none of {', '.join(names())}, nor a .safetensors file"
    )


def _record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"classifier: its record {path} cannot be read ({error})") from None
    missing = [key for key in _KEYS if key not in record]
    if missing:
        raise ValueError(f"classifier: its record {path} has no {', '.join(missing)}")
    return dict(record)


def _network(record: Mapping[str, Any], weights: Path) -> ConvClassifier:
    from safetensors.torch import load_file

    with torch.device("meta"):  # nothing is drawn: the file has every number
        network = ConvClassifier(
            channels=record["shape"][0],
            stages=record["stages"],
            num_classes=record["num_classes"],
        )
    network.load_state_dict(load_file(weights), strict=True, assign=True)
    return network
