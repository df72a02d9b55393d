"""What is printed when a run ends: metrics, how they were measured, what was written."""

from __future__ import annotations

import math
import shlex
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

WIDTH = 100


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
    """Align name, value, what stands beside it and numbers of points, under what they share.

    What all metrics usually share, the split and whose weights were judged, is a heading, for the
    name of a best checkpoint is a whole clause. Floors and ceilings are columns where there are
    any; with ceilings, notes below say what they and the classifier are.
    """
    floors, ceilings = result.get("floor") or {}, result.get("ceiling") or {}
    not_finite = result.get("not_finite") or {}
    beside = [("Real data" if ceilings else "Floor", "floor", floors)] if floors else []
    beside += [(key.capitalize(), f"ceiling.{key}", values) for key, values in ceilings.items()]
    spread = any("sd" in entry for entry in result["metrics"].values())
    over_seeds = ["sd", "95 % interval", "seeds"] if spread else []
    titles = [title for title, _, _ in beside]
    header = ["Metric", "Mean" if spread else "Value", *over_seeds, *titles, "Generated", "Real"]
    groups: dict[str, list[list[str]]] = {}
    for name, entry in result["metrics"].items():
        protocol = entry["protocol"]
        cells = [not_finite.get(f"metrics.{name}.value") or _value(entry["value"])]
        if spread:
            low, high = entry["interval"]
            interval = f"{_value(low)} to {_value(high)}"
            cells += [_value(entry["sd"]), interval, f"{entry['n']}"]
        for _, place, values in beside:
            lost = not_finite.get(f"{place}.{name}")
            cells.append(lost or (_value(values[name]) if name in values else ""))
        cells += [f"{protocol[key]:,}" for key in ("num_generated", "num_real")]
        heading = f"Metrics on the {protocol['split']} split, checkpoint: {protocol['checkpoint']}"
        groups.setdefault(heading, [header]).append([name, *cells])
    parts = [f"{heading}\n{_aligned(rows)}" for heading, rows in groups.items()]
    notes = [*map(_indented, _notes(result, ceilings))]
    return "\n\n".join(parts) + "".join(f"\n{note}" for note in notes)


def _notes(result: Mapping[str, Any], ceilings: Mapping[str, Any]) -> list[str]:
    """Say what the columns of a table of images are, and by which classifiers."""
    notes = []
    if "bicubic" in ceilings:
        notes.append("Bicubic: bicubic interpolation in the place of G.")
    elif ceilings:
        notes.append(
            "Real data: real images in the place of generated ones. "
            "Noise: uniform pixels. Untrained: the same networks before training."
        )
    cards = [entry["protocol"]["details"].get("classifier") for entry in result["metrics"].values()]
    known = {card["hash"]: card for card in cards if card}
    for card in known.values():
        notes.append(
            f"Features of the classifier {card['name']} ({card['hash']}, accuracy "
            f"{card['accuracy']:.2%}); other classifiers give other numbers."
        )
    return notes


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
    pictures += sorted((folder / "pictures").glob("*.png"))
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
