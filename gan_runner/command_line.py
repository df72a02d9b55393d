"""The words of a command line: parted into Hydra's flags and overrides, and handed to Hydra."""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_runner import conf_files
from gan_runner.errors import ConfigError

if TYPE_CHECKING:
    from omegaconf import DictConfig


@dataclass(frozen=True, kw_only=True)
class Words:
    """A command line in parts.

    resumes_sweep: `sweep=resume`, which is a `multirun`. hydra_only: Hydra answers it by itself,
    without a run.
    """

    overrides: list[str]
    flags: list[str]
    config_dirs: list[Path]
    multirun: bool
    shows_config: bool
    hydra_only: bool
    resumes_sweep: bool = False


def read_words(words: list[str]) -> Words:
    """Part a command line into Hydra's flags and overrides, in any order.

    Raises:
        ConfigError: an unknown flag, or one that `gan-run` does not have.
    """
    from hydra._internal.utils import get_args_parser

    if {"--shell-completion", "-sc"} & set(words):
        return Words(
            overrides=[each for each in words if not each.startswith("-")],
            flags=["--shell-completion"], config_dirs=[], multirun=False, shows_config=False,
            hydra_only=True,
        )  # fmt: skip
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            found = get_args_parser().parse_intermixed_args(words)
    except SystemExit:
        message = said.getvalue().strip().splitlines()[-1].partition("error: ")[2]
        raise ConfigError(f"{message}; gan-run --help lists the flags") from None
    for flag in ("config_path", "config_name", "experimental_rerun"):
        if getattr(found, flag) is not None:
            raise ConfigError(
                f"--{flag.replace('_', '-')}: gan-run has a config of its own; "
                "--config-dir adds a folder of options"
            )
    flags = _flags(found)
    mode = [each for each in found.overrides if each.upper() == "HYDRA.MODE=MULTIRUN"]
    again = _sweep_words(found.overrides)
    is_sweep = bool(found.multirun or mode or again)
    return Words(
        overrides=[each for each in found.overrides if each not in (*mode, *again)],
        flags=[*flags, *(["--multirun"] if is_sweep and not found.multirun else [])],
        config_dirs=[Path(found.config_dir)] if found.config_dir else [],
        multirun=is_sweep,
        shows_config=found.cfg is not None,
        hydra_only=bool(found.hydra_help or found.info),
        resumes_sweep=bool(again),
    )


def _sweep_words(overrides: list[str]) -> list[str]:
    """The words `sweep=resume`.

    Raises:
        ConfigError: something else is asked of the sweep.
    """
    words = [each for each in overrides if each.lstrip("+").partition("=")[0] == "sweep"]
    for each in words:
        if each.partition("=")[2] != "resume":
            raise ConfigError(f"{each}: sweep=resume goes on with a sweep; else leave it out")
    return words


def _flags(found: argparse.Namespace) -> list[str]:
    """The flags as Hydra is to get them: before the overrides."""
    flags = []
    for name in ("multirun", "run", "resolve", "hydra_help"):
        if getattr(found, name):
            flags.append(f"--{name.replace('_', '-')}")
    for name in ("cfg", "package", "info", "config_dir"):
        if (value := getattr(found, name)) is not None:
            flags += [f"--{name.replace('_', '-')}", value]
    return flags


def hand_to_hydra(line: Words, overrides: list[str], job: Callable[[DictConfig], Any]) -> int:
    """Hand a checked command line to Hydra.

    Raises:
        ConfigError: Hydra refuses it.
    """
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from gan_runner import plugins, schema
    from gan_runner.compose import VERSION_BASE
    from gan_runner.explain import from_hydra

    schema.register()
    plugins.register()
    before = sys.argv
    sys.argv = ["gan-run", *line.flags, *overrides]
    start = hydra.main(
        version_base=VERSION_BASE, config_path=str(conf_files.conf_dir()), config_name="config"
    )
    try:
        start(job)()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except (HydraException, OmegaConfBaseException) as error:
        raise from_hydra(error) from error
    finally:
        sys.argv = before
    return 0


def no_job(_: DictConfig) -> None:
    raise AssertionError("Hydra was to answer by itself")
