"""`result.json`: what a run came to, as strict JSON, and the table printed when a run ends."""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import shlex
import subprocess
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_runner import __version__

if TYPE_CHECKING:
    import torch

SCHEMA_VERSION = 1
STATUSES = ("completed", "interrupted", "failed")
KEYS = (
    "status", "error", "name", "metrics", "step", "steps", "epochs", "updates", "timings",
    "versions", "git_commit", "device", "config_hash", "health", "folder",
)  # fmt: skip
NUMBERLESS = ("name", "resume")  # of a config: change where a run is kept, not what it computes
WIDTH = 100
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


def table(result: Mapping[str, Any]) -> str:
    """Return the text printed when a run ends: metrics, how they were measured, what was written.

    Lines stay within 100 columns, paths excepted, which are never cut.
    """
    parts = [_headline(result)]
    if result["metrics"]:
        parts.append(metrics_table(result))
    if result["health"]:
        parts.append("\n".join(["Health", *map(_indented, result["health"])]))
    parts.append(_paths(Path(result["folder"])))
    return "\n\n".join(parts)


def _headline(result: Mapping[str, Any]) -> str:
    timings, device = result["timings"], result["device"]
    facts = [f"step {result['step']:,} of {result['steps']:,}"]
    if result["epochs"]:
        facts.append(f"{result['epochs']:.4g} epochs")
    if timings.get("seconds_total") is not None:
        facts.append(_duration(timings["seconds_total"]))
    if timings.get("steps_per_second"):
        facts.append(f"{timings['steps_per_second']:.3g} steps/s")
    threads = device["threads"]
    facts.append(f"{device['type']}, {threads} thread{'s' if threads != 1 else ''}")
    lines = [f"{result['name']}: {result['status']}", _indented(" | ".join(facts))]
    if result["error"]:
        lines.append(_indented(str(result["error"])))
    return "\n".join(lines)


def metrics_table(result: Mapping[str, Any]) -> str:
    """Align name, value, floor (where there is one) and numbers of points, under what they share.

    What all metrics usually share, the split and whose weights were judged, is a heading, for the
    name of a best checkpoint is a whole clause.
    """
    floors = result.get("floor") or {}
    not_finite = result.get("not_finite") or {}
    header = ["Metric", "Value", "Floor", "Generated", "Real"]
    groups: dict[str, list[list[str]]] = {}
    for name, entry in result["metrics"].items():
        protocol = entry["protocol"]
        value = not_finite.get(f"metrics.{name}.value") or _value(entry["value"])
        floor = _value(floors[name]) if name in floors else ""
        counts = [f"{protocol[key]:,}" for key in ("num_generated", "num_real")]
        heading = f"Metrics on the {protocol['split']} split, checkpoint: {protocol['checkpoint']}"
        groups.setdefault(heading, [header]).append([name, value, floor, *counts])
    if not floors:
        groups = {key: [row[:2] + row[3:] for row in rows] for key, rows in groups.items()}
    return "\n\n".join(f"{heading}\n{_aligned(rows)}" for heading, rows in groups.items())


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Pad the cells to columns, flush right but for the first, and rule off the first row."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = (
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append(("  " + "   ".join(cells)).rstrip())
    lines.insert(1, "  " + "-" * (sum(widths) + 3 * (len(widths) - 1)))
    return "\n".join(lines)


def _paths(folder: Path) -> str:
    """List what the run folder holds, as paths that can be copied into a shell."""
    pictures = sorted((folder / "samples").glob("step_*.png"))[-1:]
    pictures += [path for path in (folder / "losses.png",) if path.exists()]
    checkpoints = [folder / "checkpoints" / f"{name}.pt" for name in ("last", "best")]
    entries = [("Run folder", str(folder))]
    entries += [("Picture", str(path)) for path in pictures]
    entries += [("Checkpoint", str(path)) for path in checkpoints if path.exists()]
    if (folder / "tb").is_dir():
        entries.append(("TensorBoard", f"tensorboard --logdir {shlex.quote(str(folder))}"))
    return "\n".join(f"  {label:<11}   {text}" for label, text in entries)


def _value(value: float | None) -> str:
    """Write a number with four significant digits, whole numbers whole."""
    if value is None:
        return "not finite"
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    if not 1e-4 <= abs(value) < 1e6:
        return f"{value:.3e}"
    decimals = max(0, 3 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _indented(text: str) -> str:
    return textwrap.fill(
        text, WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False
    )


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
