"""The YAML files of the config groups, read as texts: where they are, their options and comments.

Imports nothing heavy, so that the help page comes at once. Composing is `compose.py`'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

GROUPS = (
    "model", "dataset", "experiment", "network", "loss", "penalty", "optimizer", "training",
    "device", "metrics",
)  # fmt: skip
_HIDDEN = ("schema", "preset")  # parts of options, not options


def conf_dir() -> Path:
    """The folder of the packaged config: inside the package once installed, else beside it."""
    package = Path(__file__).resolve().parent
    inside = package / "conf"
    return inside if (inside / "config.yaml").is_file() else package.parent / "conf"


def groups(config_dirs: Sequence[Path] = ()) -> tuple[str, ...]:
    """Names of all groups: the known ones in the order of the help page, then any others."""
    found = {
        path.parent.relative_to(folder).as_posix()
        for folder in (conf_dir(), *config_dirs)
        for path in folder.rglob("*.yaml")
        if path.parent != folder
    }
    found = {name for name in found if name.partition("/")[0] not in _HIDDEN}
    return (*(name for name in GROUPS if name in found), *sorted(found - set(GROUPS)))


def options(group: str, config_dirs: Sequence[Path] = ()) -> dict[str, str]:
    """The options of a group with their comment lines; packaged ones hide others of their name."""
    found: dict[str, str] = {}
    for folder in (conf_dir(), *config_dirs):
        for path in sorted((folder / group).glob("*.yaml")):
            found.setdefault(path.stem, comment(path))
    return found


def comment(path: Path) -> str:
    """The first comment line of a YAML file that is no directive, without its `# `."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# ") and not line.startswith("# @"):
            return line[2:].strip()
    return ""


def schema_of(group: str, option: str, config_dirs: Sequence[Path] = ()) -> str | None:
    """The schema that an option stands on, e.g. "adversarial" for model=wgan; None: it has none."""
    pattern = re.compile(rf"^\s*-\s*/schema/{group}/(\w+)@_here_", re.MULTILINE)
    for text in _lineage(group, option, config_dirs):
        if found := pattern.search(text):
            return found.group(1)
    return None


def value_of(group: str, option: str, key: str, config_dirs: Sequence[Path] = ()) -> str | None:
    """A plain top-level value that an option's file, or the option it extends, writes."""
    pattern = re.compile(rf"^{key}:\s*(\S+)", re.MULTILINE)
    for text in _lineage(group, option, config_dirs):
        if found := pattern.search(text):
            return found.group(1)
    return None


def shadowed(config_dir: Path) -> list[Path]:
    """Files of a user's folder that Hydra ignores, since the package has files of their names."""
    packaged = conf_dir()
    return [
        path
        for path in sorted(config_dir.rglob("*.yaml"))
        if (packaged / path.relative_to(config_dir)).is_file()
    ]


def _lineage(group: str, option: str, config_dirs: Sequence[Path]) -> Iterator[str]:
    """Texts of an option's file and of those that it extends (`- vgan` in its defaults)."""
    seen: set[str] = set()
    waiting = [option]
    while waiting:
        name = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        for folder in (conf_dir(), *config_dirs):
            path = folder / group / f"{name}.yaml"
            if path.is_file():
                text = path.read_text(encoding="utf-8")
                yield text
                parents = re.findall(rf"^\s+-\s*(?:/{group}/)?(\w+)(?:@_here_)?\s*$", text, re.M)
                waiting += [parent for parent in parents if parent != "_self_"]
                break
