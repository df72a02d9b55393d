"""What MkDocs calls while it builds the site: the pages at the repository's top join those here.

They are copied into the site under a name of their own, and links between both are mended, so that
every file reads well in the repository, too.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

TOP = {"README.md": "tour.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
_LINK = re.compile(r"(\]\()([^)#\s:]+)([)#])")


def on_files(files: Files, *, config: Any) -> Files:
    """Add the pages at the top."""
    root = Path(config.config_file_path).parent
    for name, own in TOP.items():
        text = (root / name).read_text(encoding="utf-8")
        files.append(File.generated(config, own, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Any, **given: Any) -> str:
    """Lead a link to where its target is in the site."""
    here = page.file.src_uri
    named = {own: name for name, own in TOP.items()}
    source = named.get(here, f"docs/{here}")  # in the repository

    def mended(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), found.group(2)))
        inside = TOP.get(target, target.removeprefix("docs/"))
        link = posixpath.relpath(inside, posixpath.dirname(here) or ".")
        return f"{found.group(1)}{link}{found.group(3)}"

    return _LINK.sub(mended, markdown)
