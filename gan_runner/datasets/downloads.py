"""Where published sets lie on disk, in torchvision's layout, and how torchvision fetches them."""

from __future__ import annotations

import contextlib
import io
import logging
import textwrap
from pathlib import Path

from gan_runner.data_paths import FOLDER, data_folder
from gan_runner.datasets import idx

log = logging.getLogger(__name__)

_IDX_PARTS = {"train": "train", "test": "t10k"}


def idx_files(name: str, folder: str, path: str | None, *, download: bool) -> dict[str, idx.Files]:
    """Return the files of a set like MNIST by split ("train", "test"), fetched if need be.

    name: the option's name. folder: torchvision's name of the set, in which `raw` holds the files,
    plain or .gz.

    Raises:
        ValueError: they are not there, and cannot be fetched or are not to be.
    """
    root = data_folder(path)
    raw = root / folder / "raw"
    if _found(raw) is None:
        fetch(name, folder, root, raw, download=download)
    files = _found(raw)
    if files is None:
        raise ValueError(f"dataset={name}: {raw} does not hold all of its files")
    return files


def _found(raw: Path) -> dict[str, idx.Files] | None:
    files = {}
    for part, stem in _IDX_PARTS.items():
        images = _plain_or_gz(raw / f"{stem}-images-idx3-ubyte")
        labels = _plain_or_gz(raw / f"{stem}-labels-idx1-ubyte")
        if images is None or labels is None:
            return None
        files[part] = idx.Files(images, labels)
    return files


def _plain_or_gz(path: Path) -> Path | None:
    compressed = path.with_name(f"{path.name}.gz")
    return next((each for each in (path, compressed) if each.is_file()), None)


def fetch(name: str, torchvision_name: str, root: Path, place: Path, *, download: bool) -> None:
    """Let torchvision download a set into the folder `root`.

    place: where its files were looked for.

    Raises:
        ValueError: it is not to be downloaded, or cannot be.
    """
    missing = f"dataset={name}: its files are not in {place}"
    offline = f"set dataset.path or ${FOLDER} to their folder; dataset=digits needs no files"
    if not download:
        raise ValueError(f"{missing}, and dataset.download=false; {offline}")
    log.info("Downloading %s to %s", torchvision_name, root)
    try:
        # Only here: importing it takes seconds.
        from torchvision import datasets

        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            getattr(datasets, torchvision_name)(str(root), download=True)
    except (ImportError, OSError, RuntimeError) as error:
        for made in (place, place.parent):
            with contextlib.suppress(OSError):  # not empty
                if made != root:
                    made.rmdir()
        reason = textwrap.shorten(str(error), 150, placeholder=" ...")
        raise ValueError(f"{missing} and could not be downloaded ({reason}); {offline}") from None
