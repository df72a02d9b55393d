"""What `gan-run --help` prints: one screen on the whole, or all about one group.

The screen is made of the YAML files' own comment lines, read as texts, so it comes at once; only a
group's page imports the schema, and with it Hydra.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import Field, fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from gan_runner import __version__, conf_files
from gan_runner.errors import ConfigError

COLUMNS, LINES = 100, 80
_WORD = 12  # columns of a group's name
_SMALL = "_cpu"  # what ends the name of an experiment's small form
_IN_FULL = ("model", "dataset", "experiment")  # groups with a line for each option, as room allows
_KEYS = (
    ("training.steps=20000", "length of the run; or in passes over the data: training.epochs=100"),
    ("training.batch_size=64", "samples in a batch"),
    ("training.seed=1", "seed of weights, order, noise and dropout"),
    ("optimizer.lr=1e-4", "learning rate; one player's own: optimizer.generator_lr"),
    ("metrics.every=1000", "steps between measurements; else at the end only"),
)
_FLAGS = (
    ("-m, --multirun", "a sweep: gan-run -m model=vgan,wgan 'training.seed=range(3)'"),
    (
        "-m hydra/launcher=stacked",
        "jobs that differ in seeds and numbers alone train together",
    ),
    ("   hydra.launcher.width=64", "at most so many at once; .memory=8: GiB for them, else half"),
    ("-m sweep=resume", "a sweep again: skips what is finished; hydra.sweep.dir=<its folder>"),
    ("--cfg job", "print the config instead of running it"),
    ("--config-dir DIR", "add a folder of your own options, such as DIR/model/mine.yaml"),
    ("--version, --info, --hydra-help, -sc install=bash", ""),
)
_EXAMPLES = (
    "gan-run model=wgan_gp dataset=ring8 training.steps=2000",
    "gan-run experiment=dcgan_mnist_cpu",
    "gan-run dataset=table dataset.path=points.csv network.generator.widths=[64,64]",
    "gan-run resume=outputs/2026-01-31/12-00-00-000000_vgan_ring8 training.steps=40000",
)


def answer(words: Sequence[str]) -> str:
    """The page that a command line with `--help` asks for.

    Raises:
        ConfigError: it names no group.
    """
    config_dirs: list[Path] = []
    topics: list[str] = []
    pending = iter(words)
    for word in pending:
        if word in ("--config-dir", "-cd"):
            config_dirs.append(Path(next(pending, "")))
        elif not word.startswith("-"):
            topics.append(word.partition("=")[0].partition(".")[0])
    if not topics:
        return page(config_dirs)
    return "\n\n".join(group_page(topic, config_dirs) for topic in dict.fromkeys(topics))


def page(config_dirs: Sequence[Path] = ()) -> str:
    """One screen: usage, groups and options, common keys, flags, examples."""
    for count in range(len(_IN_FULL), -1, -1):
        lines = list(_screen(_IN_FULL[:count], config_dirs))
        if len(lines) <= LINES:
            break
    return "\n".join(lines)


def group_page(group: str, config_dirs: Sequence[Path] = ()) -> str:
    """A group's options, and every key of their schemas with type, range and meaning.

    Raises:
        ConfigError: there is no such group.
    """
    known = conf_files.groups(config_dirs)
    if group not in known:
        from gan_runner.overrides import did_you_mean, listed

        raise ConfigError(
            f"--help {group}: no group '{group}'.{did_you_mean(group, known)} "
            f"Groups: {listed(known)}"
        )
    from gan_runner.schema import SCHEMAS

    lines = [f"{group}=<option>", *_option_lines(conf_files.options(group, config_dirs))]
    users = users_of_schemas(group, config_dirs)
    for name, names in users.items():
        whose = "" if len(users) == 1 else f" of {group}={', '.join(names)}"
        title = f"keys{whose}, with defaults that an option may change:"
        lines += ["", *_wrapped("", title), *_key_lines(SCHEMAS[group][name], group)]
    return "\n".join(lines)


def users_of_schemas(group: str, config_dirs: Sequence[Path] = ()) -> dict[str, list[str]]:
    """The schemas that a group's options stand on, each with those options."""
    from gan_runner.schema import SCHEMAS

    users: dict[str, list[str]] = {}
    for option in conf_files.options(group, config_dirs):
        name = conf_files.schema_of(group, option, config_dirs)
        if name in SCHEMAS.get(group, {}):
            users.setdefault(name, []).append(option)
    return users


def _screen(in_full: Sequence[str], config_dirs: Sequence[Path]) -> Iterator[str]:
    yield f"gan-run {__version__}: find out whether one GAN is really better than another"
    yield ""
    yield "usage: gan-run [GROUP=OPTION ...] [KEY=VALUE ...] [flags]"
    yield "       gan-run --help GROUP    all keys of a group, with their ranges and meanings"
    yield ""
    for group in conf_files.groups(config_dirs):
        options = conf_files.options(group, config_dirs)
        if group in in_full:
            yield f"{group}="
            yield from _option_lines(options)
        else:
            yield from _wrapped(f"{group}=".ljust(_WORD), " ".join(_short_forms(options)))
    yield ""
    yield from _block("keys that are often set", _KEYS)
    yield from _block("flags", _FLAGS)
    yield "examples:"
    yield from (f"  {example}" for example in _EXAMPLES)


def _short_forms(options: Iterable[str]) -> Iterator[str]:
    """Names, where `x` and its small form `x_cpu` are one word: `x[_cpu]`."""
    names = set(options)
    for name in options:
        if f"{name}{_SMALL}" in names:
            yield f"{name}[{_SMALL}]"
        elif not (name.endswith(_SMALL) and name.removesuffix(_SMALL) in names):
            yield name


def _block(title: str, rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    width = max(len(left) for left, right in rows if right)
    yield f"{title}:"
    yield from (f"  {left.ljust(width)}  {right}".rstrip() for left, right in rows)
    yield ""


def _option_lines(options: dict[str, str]) -> Iterator[str]:
    width = max([_WORD - 2, *(len(name) for name in options)])
    for name, comment in options.items():
        yield _cut(f"  {name.ljust(width)}  {comment}".rstrip())


def _key_lines(kind: type, prefix: str) -> Iterator[str]:
    """Lines of a schema's keys, those of its sections after it."""
    from gan_runner.explain import wanted

    hints = get_type_hints(kind)
    sections = []
    for entry in fields(kind):
        if is_dataclass(hints[entry.name]):
            sections.append(entry.name)
            continue
        facts = [] if entry.metadata["choices"] else [wanted(hints[entry.name])]
        facts += limits(entry)
        yield _cut(f"  {prefix}.{entry.name}={default(entry)}")
        yield from _wrapped("      ", f"{entry.metadata['meaning']} ({'; '.join(facts)})")
    for name in sections:
        yield from _key_lines(hints[name], f"{prefix}.{name}")


def limits(entry: Field[Any]) -> Iterator[str]:
    """A field's unit, choices and range in words."""
    from gan_runner.checks import range_text

    if entry.metadata["unit"]:
        yield f"in {entry.metadata['unit']}"
    if entry.metadata["choices"]:
        from gan_runner.checks import as_typed

        yield "one of " + ", ".join(as_typed(each) for each in entry.metadata["choices"])
    if bounds := range_text(entry.metadata):
        yield bounds


def default(entry: Field[Any]) -> str:
    """A field's default as it would be typed; `...` where a value must be given."""
    from gan_runner.checks import as_typed

    make = entry.default_factory
    value = entry.default if make is NO_DEFAULT else make()
    return "..." if value == "???" else as_typed(value)


def _wrapped(start: str, text: str) -> list[str]:
    indent = " " * len(start)
    return textwrap.wrap(
        text, COLUMNS, initial_indent=start, subsequent_indent=indent, break_long_words=False
    )


def _cut(line: str) -> str:
    return line if len(line) <= COLUMNS else line[: COLUMNS - 3] + "..."
