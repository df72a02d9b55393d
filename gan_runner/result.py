"""`result.json`: what a run came to, as strict JSON."""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_runner import __version__
from gan_runner.summary import metrics_table, table

if TYPE_CHECKING:
    import torch

__all__ = [
    "add_evaluation", "config_hash", "environment", "git_commit", "metrics_table", "read_result",
    "table", "write_atomic", "write_result",
]  # fmt: skip
SCHEMA_VERSION = 1
STATUSES = ("completed", "interrupted", "failed")
KEYS = (
    "status", "error", "name", "metrics", "step", "steps", "epochs", "updates", "timings",
    "versions", "git_commit", "device", "config_hash", "health", "folder",
)  # fmt: skip
# Of a config: what changes where a run is kept or how it is shown, not what it computes.
NUMBERLESS = ("name", "resume", "tensorboard_axis")
PACKAGES = ("torch", "numpy", "scipy", "hydra-core", "omegaconf")


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file whole or not at all: to a temporary one beside it, synced, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_result(path: Path, result: Mapping[str, Any]) -> None:
    """Write `result.json` atomically, with `schema_version` and `not_finite` added.

    JSON knows neither NaN nor infinity: such a number is written as null, and `not_finite` maps
    its dotted place to "nan", "inf" or "-inf".

    Raises:
        ValueError: a key is missing, the status is none of `STATUSES`, or a value is not plain
            data.
    """
    missing = [key for key in KEYS if key not in result]
    if missing:
        raise ValueError(f"result: missing {', '.join(missing)}; needed: {', '.join(KEYS)}")
    if result["status"] not in STATUSES:
        raise ValueError(f"result: status={result['status']!r} is none of {', '.join(STATUSES)}")
    not_finite: dict[str, str] = {}
    plain = _plain(dict(result), "", not_finite)
    content = {"schema_version": SCHEMA_VERSION, **plain, "not_finite": not_finite}
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomic(path, (text + "\n").encode())


def read_result(path: Path) -> dict[str, Any]:
    """Read a `result.json`, given the file or its run folder.

    Raises:
        ValueError: the file is no JSON object, or of another schema version.
    """
    file = path / "result.json" if path.is_dir() else path
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file}: not a result, {error}") from error
    found = content.get("schema_version") if isinstance(content, dict) else None
    if found != SCHEMA_VERSION:
        raise ValueError(f"{file}: schema_version={found!r}, this version reads {SCHEMA_VERSION}")
    return dict(content)


def add_evaluation(path: Path, evaluation: Mapping[str, Any]) -> None:
    """Put an evaluation into `evaluations` of a `result.json`, in place of one of its `options`.

    All else in the file stays as it is.

    Raises:
        ValueError: as `read_result`, or the evaluation is not plain data.
    """
    content = read_result(path)
    not_finite = content.pop("not_finite", {})
    content = _with_lost(content, "", not_finite)
    done: list[Any] = content.setdefault("evaluations", [])
    options = [each["options"] for each in done]
    if evaluation["options"] in options:
        done[options.index(evaluation["options"])] = evaluation
    else:
        done.append(evaluation)
    write_result(path, content)


def config_hash(config: Mapping[str, Any]) -> str:
    """Return the sha256 (hex) of a config's canonical JSON without the fields in `NUMBERLESS`.

    The order of keys does not matter. Equal hashes mean equal computations, up to the versions
    and the device, which stand apart in the result.
    """
    relevant = {key: value for key, value in config.items() if key not in NUMBERLESS}
    canonical = json.dumps(relevant, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def leaves(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """A config's settings under their full names, such as "training.steps"."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def environment(device: torch.device | str, *, precision: str = "fp32") -> dict[str, Any]:
    """Return `versions`, `git_commit` and `device`: what a number may depend on beside its config.

    device: the torch device that the run computes on; threads are those of this process.
    """
    import torch

    device = torch.device(device)
    versions = {"python": platform.python_version(), "gan_runner": __version__}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    if device.type == "cuda" and torch.version.cuda is not None:
        versions["cuda"] = torch.version.cuda
    return {
        "versions": versions,
        "git_commit": git_commit(),
        "device": {
            "type": device.type,
            "name": _device_name(device),
            "threads": torch.get_num_threads(),
            "precision": precision,
        },
    }


def git_commit(folder: Path | None = None) -> str | None:
    """Return the commit of the repository around a folder (default: the current one), or None.

    `-dirty` is appended where tracked files differ from the commit. Never fails: no git, no
    repository, no commit yet, or more than two seconds give None.
    """
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=2,
            check=False,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},  # never write into the user's repository
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def _plain(value: Any, place: str, not_finite: dict[str, str]) -> Any:
    """Copy plain data; a number that JSON cannot hold becomes None and is noted by its place."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item, f"{place}.{key}", not_finite) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{place}.{index}", not_finite) for index, item in enumerate(value)]
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):  # numpy's float64 too, which becomes a plain one
        if math.isfinite(value):
            return float(value)
        not_finite[place.removeprefix(".")] = str(float(value))
        return None
    kind = type(value).__name__
    raise ValueError(f"result: {place.removeprefix('.')} is a {kind}, not plain data")


def _with_lost(value: Any, place: str, not_finite: Mapping[str, str]) -> Any:
    """Copy data as read from a file, with the numbers back in place that JSON could not hold."""
    if isinstance(value, dict):
        return {k: _with_lost(item, f"{place}.{k}", not_finite) for k, item in value.items()}
    if isinstance(value, list):
        return [_with_lost(item, f"{place}.{i}", not_finite) for i, item in enumerate(value)]
    lost = not_finite.get(place.removeprefix("."))
    return value if lost is None else float(lost)


def _device_name(device: torch.device) -> str:
    import torch

    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return next(_processor_names(), platform.machine())


def _processor_names() -> Iterator[str]:
    """Yield the processor's name where the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                yield line.partition(":")[2].strip()
    except OSError:
        pass
    if platform.processor():
        yield platform.processor()
