"""Runs from Python: `run`, `resume`, `load`. The command line is a thin face of these."""

from __future__ import annotations

import datetime
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from gan_runner import checkpoint, evaluation, result
from gan_runner.callbacks.callback import Callback
from gan_runner.callbacks.csv_file import CsvFile
from gan_runner.callbacks.health import Health
from gan_runner.callbacks.pictures import Pictures
from gan_runner.callbacks.progress import Progress
from gan_runner.callbacks.tensorboard import TensorBoard
from gan_runner.dispatch import Run, dispatch
from gan_runner.errors import Interrupted, RunFailed
from gan_runner.hosts import Solo
from gan_runner.metrics.protocol import METRICS, Measurement
from gan_runner.resuming import changed_config
from gan_runner.trainer import Trainer
from gan_runner.walk import walk

log = logging.getLogger("gan_runner")


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a run came to.

    Attributes:
        folder: the run folder.
        metrics: values by name.
        details: what stands in `result.json`.
        networks: the trained networks by letter, in evaluation mode, as the metrics judged them.
    """

    folder: Path
    metrics: dict[str, float]
    details: dict[str, Any]
    networks: dict[str, nn.Module]

    def __str__(self) -> str:
        """The table of metrics and paths that `gan-run` prints; what was walked on device=meta."""
        return self.details.get("report") or result.table(self.details)


def run(
    overrides: Sequence[str] = (),
    *,
    folder: Path | str | None = None,
    config_dirs: Sequence[Path | str] = (),
) -> Result:
    """Train and measure, as `gan-run` does with the same overrides.

    Args:
        overrides: such as `["model=srgan", "dataset=gauss3d", "training.seed=1"]`.
        folder: the run folder; a new one under `outputs/` of the current folder if None.
        config_dirs: folders of your own options.

    Raises:
        ValueError: the config or the data cannot be used; nothing is left behind.
        RunFailed: the run ended in non-finite numbers; its folder is kept.
    """
    from gan_runner.compose import compose_run

    config = compose_run(overrides, config_dirs=[Path(each) for each in config_dirs])
    where = Path(folder) if folder is not None else new_folder(str(config.name))
    return execute(config, where, list(overrides))


def new_folder(name: str) -> Path:
    """A run folder that no other run has, named as Hydra names those of `gan-run`."""
    now = datetime.datetime.now()
    return Path("outputs") / f"{now:%Y-%m-%d}" / f"{now:%H-%M-%S-%f}_{name}"


def execute(config: DictConfig | Mapping[str, Any], folder: Path, overrides: list[str]) -> Result:
    """Train a checked config into a run folder, from its beginning.

    Raises:
        ValueError: the data, the device or `training.init_from` cannot be used.
    """
    started = time.perf_counter()
    plain = plain_config(config)
    prepared = dispatch(plain)
    check_select(prepared)
    if prepared.device.type == "meta":
        return walk_only(prepared, folder)
    with process_settings(plain):
        trainer = new_trainer(prepared, folder, overrides)
        if plain["training"]["init_from"] is not None:
            start_from(trainer, Path(plain["training"]["init_from"]))
        folder.mkdir(parents=True, exist_ok=True)
        write_config(folder, plain, overrides)
        return carry_out(trainer, started)


def resume(folder: Path | str, overrides: Sequence[str] = ()) -> Result:
    """Continue a run to its end, bit for bit as if it had not stopped.

    Args:
        folder: the run folder.
        overrides: at most a longer `training.steps` or `training.epochs`.

    Raises:
        ValueError: no run there, no checkpoint yet, or an override that changes the run.
    """
    started = time.perf_counter()
    folder = Path(folder)
    saved = read_config(folder)
    plain = changed_config(saved, overrides)
    path = folder / "checkpoints" / "last.pt"
    if not path.is_file():
        raise ValueError(
            f"resume={folder}: there is no checkpoint yet; start the run again "
            f"(its options are in {folder / 'overrides.yaml'})"
        )
    prepared = dispatch(plain)
    state = checkpoint.load(path, prepared.device)
    with process_settings(plain):
        trainer = new_trainer(prepared, folder, overrides)
        trainer.load_state_dict(state)
        if plain != saved:
            write_config(folder, plain, [*read_overrides(folder), *overrides])
        return carry_out(trainer, started)


# --- the parts of a run ----------------------------------------------------------------------


def new_trainer(prepared: Run, folder: Path, overrides: Sequence[str]) -> Trainer:
    """A trainer with the callbacks that every run has."""
    callbacks: list[Callback] = [
        CsvFile(),
        Pictures(),  # before TensorBoard, which takes the files
        TensorBoard(),
        Health(probabilities=prepared.recipe.probabilities),
        Progress(),
    ]
    return Trainer(prepared, folder, callbacks, overrides)


def carry_out(trainer: Trainer, started: float) -> Result:
    """Train, measure, and write down how it ended, whatever the end."""
    with log_file(trainer.folder / "run.log"), threads(trainer.threads):
        try:
            trainer.train()
            found, floors = judge(trainer)
        except Interrupted as stop:
            close(trainer, started, "interrupted", error=str(stop))
            raise
        except RunFailed as failure:
            log.error("%s", failure)
            close(trainer, started, "failed", error=str(failure))
            raise
        except BaseException as error:
            log.exception("The run failed")
            close(trainer, started, "failed", error=f"{type(error).__name__}: {error}")
            raise
        details = close(trainer, started, "completed", measured=found, floors=floors)
    for network in trainer.host.networks.values():
        network.eval().requires_grad_(False)
    return Result(
        folder=trainer.folder,
        metrics={name: each.value for name, each in found.items()},
        details=details,
        networks=trainer.host.networks,
    )


def judge(trainer: Trainer) -> tuple[dict[str, Measurement], dict[str, float]]:
    """The final metrics, by the checkpoint rule of the config, and their floors."""
    section, prepared = trainer.run.config["metrics"], trainer.run
    label = "last"
    if section["checkpoint"] == "best" and trainer.best is not None:
        state = checkpoint.load(trainer.folder / "checkpoints" / "best.pt", prepared.device)
        load_networks(trainer.host, state["host"]["networks"])
        label = checkpoint_label("best", state)
    split = section["split"]
    found = evaluation.measure(prepared, trainer.host, section, split=split, checkpoint=label)
    floors = evaluation.measure_floor(prepared, section, split=split) if found else {}
    trainer.announce(found)
    return found, floors


def close(
    trainer: Trainer,
    started: float,
    status: str,
    *,
    error: str | None = None,
    measured: Mapping[str, Measurement] | None = None,
    floors: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Write `result.json` and let the callbacks finish their files."""
    config, per_epoch = trainer.run.config, trainer.batches.steps_per_epoch
    seconds = trainer.seconds
    health = next(each for each in trainer.callbacks if isinstance(each, Health))
    details = {
        "status": status,
        "error": error,
        "name": config["name"],
        "metrics": metrics_as_dict(measured or {}),
        "floor": dict(floors or {}),
        "step": trainer.step,
        "steps": trainer.run.num_steps,
        "epochs": trainer.step / per_epoch if per_epoch else 0.0,
        "updates": trainer.updates,
        "timings": {
            "seconds_training": seconds,
            "seconds_total": time.perf_counter() - started,
            "steps_per_second": trainer.step / seconds if seconds else None,
        },
        **result.environment(trainer.host.device, precision=config["device"]["precision"]),
        "config_hash": result.config_hash(config),
        "health": list(health.messages),
        "folder": str(trainer.folder),
    }
    result.write_result(trainer.folder / "result.json", details)
    for callback in trainer.callbacks:
        callback.on_end(trainer.step, details)
    return details


def metrics_as_dict(measured: Mapping[str, Measurement]) -> dict[str, Any]:
    """Measurements as they stand in `result.json`."""
    return {
        name: {"value": each.value, "protocol": each.protocol.as_dict()}
        for name, each in measured.items()
    }


def checkpoint_label(name: str, state: Mapping[str, Any]) -> str:
    """Whose weights a checkpoint holds, as protocols say it."""
    best = state["best"]
    if name == "best" and best is not None:
        return f"best {best['metric']} on validation, step {best['step']}"
    if name == "last" and state["step"] == state["num_steps"]:
        return "last"
    return f"{'' if name == 'last' else f'{name}, '}step {state['step']}"


def check_select(prepared: Run) -> None:
    """Refuse a `metrics.select` that is not measured.

    Raises:
        ValueError: it names no number of the metrics computed.
    """
    section = prepared.config["metrics"]
    names = evaluation.names_to_measure(section, prepared)
    known = evaluation.measured_names([name for name in names if name in METRICS])
    if section["select"] is not None and section["select"] not in known:
        raise ValueError(
            f"metrics.select={section['select']}: not measured here; measured: {', '.join(known)}"
        )


def load_networks(host: Solo, networks: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Put weights into a host's networks, strictly."""
    for name, network in host.networks.items():
        network.load_state_dict(networks[name])


def start_from(trainer: Trainer, source: Path) -> None:
    """Take another run's weights as the first ones, network by network.

    Raises:
        ValueError: no checkpoint there, no network in common, or other shapes.
    """
    path = source / "checkpoints" / "last.pt" if source.is_dir() else source
    key = f"training.init_from={source}"
    try:
        networks = checkpoint.load(path, trainer.host.device)["host"]["networks"]
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from error
    for copy, original in trainer.run.recipe.copies.items():
        if copy not in networks and original in networks:
            networks[copy] = networks[original]  # a copy starts as its original, here too
    common = [name for name in trainer.host.networks if name in networks]
    if not common:
        raise ValueError(
            f"{key}: it has the networks {', '.join(networks)}, "
            f"this run {', '.join(trainer.host.networks)}: none in common"
        )
    for name in common:
        try:
            trainer.host.networks[name].load_state_dict(networks[name])
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise ValueError(f"{key}: network {name} has another shape: {reason}") from error
    log.info("Starting from the weights of %s: %s", path, ", ".join(common))


def walk_only(prepared: Run, folder: Path) -> Result:
    """`device=meta`: walk one step of every move, write nothing."""
    report = walk(prepared)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    return Result(
        folder=folder, metrics={}, details={"status": "walked", "report": report}, networks={}
    )


# --- files -----------------------------------------------------------------------------------


def plain_config(config: DictConfig | Mapping[str, Any]) -> dict[str, Any]:
    """A config as plain containers, resolved."""
    if isinstance(config, DictConfig):
        plain = OmegaConf.to_container(config, resolve=True)
        assert isinstance(plain, dict)
        return {str(key): value for key, value in plain.items() if key != "hydra"}
    return dict(config)


def write_config(folder: Path, config: Mapping[str, Any], overrides: Sequence[str]) -> None:
    """Write `config.yaml` and `overrides.yaml`."""
    contents: dict[str, Any] = {"config.yaml": dict(config), "overrides.yaml": list(overrides)}
    for name, content in contents.items():
        text = OmegaConf.to_yaml(OmegaConf.create(content))
        result.write_atomic(folder / name, text.encode())


def read_config(folder: Path) -> dict[str, Any]:
    """A run folder's config.

    Raises:
        ValueError: there is none.
    """
    path = folder / "config.yaml"
    if not path.is_file():
        raise ValueError(f"{folder} is no run folder: it has no config.yaml")
    return plain_config(OmegaConf.load(path))  # type: ignore[arg-type]


def read_overrides(folder: Path) -> list[str]:
    """What was typed for a run."""
    path = folder / "overrides.yaml"
    return [str(each) for each in OmegaConf.load(path)] if path.is_file() else []


@contextmanager
def log_file(path: Path) -> Iterator[None]:
    """Write the package's log into a file as well as to stderr."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.setLevel(level)
        log.removeHandler(handler)
        handler.close()


@contextmanager
def threads(num: int) -> Iterator[None]:
    """Compute with a number of CPU threads, and put the process's own back."""
    before = torch.get_num_threads()
    torch.set_num_threads(num)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def process_settings(config: Mapping[str, Any]) -> Iterator[None]:
    """Set the process's matrix precision as `device.precision` asks, and put it back."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(
        "high" if config["device"]["precision"] == "tf32" else "highest"
    )
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


# --- after training --------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A run's networks, ready to sample.

    Attributes:
        networks: by letter, in evaluation mode.
        config: the run's config, plain.
        step: the step that the weights are of.
        checkpoint: whose weights they are, as protocols say it.
        threads: CPU threads that the run computed with.
        prepared: the run's data and game.
        host: what holds the networks.
    """

    networks: dict[str, nn.Module]
    config: dict[str, Any]
    step: int
    checkpoint: str
    threads: int
    prepared: Run
    host: Solo

    def sample(
        self,
        num: int | None = None,
        *,
        seed: int = 0,
        split: str = "test",
        low: Tensor | None = None,
    ) -> Tensor:
        """Samples [N, ...] in data units, on the CPU.

        Args:
            num: how many: 1000 if None, or all of `low`; for paired games at most one for each
                input.
            seed: of the noise.
            split: where a paired game's inputs are from: its rows, evenly spread.
            low: a paired game's inputs [N, L] of your own, in data units.

        Raises:
            ValueError: the game has no samples, or the inputs do not fit it.
        """
        name, recipe = self.config["name"], self.prepared.recipe
        if recipe.sample is None:
            raise ValueError(f"{name} is a game without samples")
        if num is not None and num < 1:
            raise ValueError(f"num={num}: must be at least 1")
        if low is not None and not recipe.paired:
            raise ValueError(f"{name} makes its samples from noise alone: it takes no inputs")
        given = {"low": self._inputs(num, split, low)} if recipe.paired else None
        generator = torch.Generator(self.host.device).manual_seed(seed)
        made = evaluation.draw_samples(
            self.prepared, self.host, 1000 if num is None else num, generator, data=given
        )
        for network in self.networks.values():
            network.eval()  # the host, made for training, has put them back to that
        return self.prepared.dataset.unscale(made).cpu()

    def _inputs(self, num: int | None, split: str, low: Tensor | None) -> Tensor:
        """A paired game's inputs, scaled, on the host's device."""
        dataset, host = self.prepared.dataset, self.host
        if low is not None:
            wanted = dataset.low_shape
            if not len(low) or tuple(low.shape[1:]) != wanted:
                shape = ", ".join(map(str, wanted or ()))
                raise ValueError(f"inputs: shape {tuple(low.shape)}, must be [N, {shape}], N > 0")
            return dataset.scale_low(low[:num].cpu().double()).to(host.dtype).to(host.device)
        if split not in dataset.splits:
            raise ValueError(f"split={split!r}: must be one of {', '.join(dataset.splits)}")
        rows = self.prepared.tensors(split, host.dtype)["low"]
        num = 1000 if num is None else num
        if num >= len(rows):
            return rows
        # Not the first ones: a set may be sorted by mode.
        index = torch.linspace(0, len(rows) - 1, num, dtype=torch.float64).round().long()
        return rows[index.to(rows.device)]


def load(
    folder: Path | str, *, checkpoint_name: str = "last", device: str | None = "cpu"
) -> Loaded:
    """The networks of a run folder.

    Args:
        folder: the run folder.
        checkpoint_name: "last", "best", or a file name in `checkpoints/`.
        device: where to put them; None: where the config has them.

    Raises:
        ValueError: no run or no such checkpoint there, or its data are not.
    """
    folder = Path(folder)
    config = read_config(folder)
    name = checkpoint_name.removesuffix(".pt")
    path = folder / "checkpoints" / f"{name}.pt"
    if not path.is_file():
        there = sorted(each.stem for each in path.parent.glob("[!.]*.pt"))
        if not there:
            raise ValueError(f"{folder} has no checkpoint yet")
        raise ValueError(f"{folder} has no checkpoint {name!r}; it has {', '.join(there)}")
    where = {} if device is None else {"name": device}
    config["device"] = {**config["device"], **where, "compile": False}
    prepared = dispatch(config)
    state = checkpoint.load(path, prepared.device)
    host = prepared.host(prepared.streams())
    load_networks(host, state["host"]["networks"])
    for network in host.networks.values():
        network.eval().requires_grad_(False)
    return Loaded(
        networks=host.networks,
        config=config,
        step=state["step"],
        checkpoint=checkpoint_label(name, state),
        threads=state["threads"],
        prepared=prepared,
        host=host,
    )
