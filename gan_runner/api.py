"""Runs from Python: `run`, `resume`, `load`. The command line is a thin face of these."""

from __future__ import annotations

import datetime
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from torch import nn

from gan_runner import checkpoint, evaluation, registry, result
from gan_runner.callbacks.callback import Callback
from gan_runner.callbacks.csv_file import CsvFile
from gan_runner.callbacks.health import Health
from gan_runner.callbacks.pictures import Pictures
from gan_runner.callbacks.progress import Progress
from gan_runner.callbacks.tensorboard import TensorBoard
from gan_runner.dispatch import Run, dispatch
from gan_runner.errors import Interrupted, RunFailed, retold
from gan_runner.loading import Loaded, checkpoint_label, load, load_networks, start_from
from gan_runner.metrics.protocol import Measurement, metrics_as_dict
from gan_runner.process import process_settings, threads
from gan_runner.resuming import changed_config
from gan_runner.run_folder import (
    begin,
    log_file,
    plain_config,
    read_config,
    read_overrides,
    with_absolute_paths,
    write_config,
)
from gan_runner.trainer import Trainer
from gan_runner.walk import walk

log = logging.getLogger("gan_runner")
__all__ = ["Loaded", "Result", "execute", "load", "resume", "run"]


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
        ValueError: the data, the device, the folder or `training.init_from` cannot be used.
    """
    started = time.perf_counter()
    plain = with_absolute_paths(plain_config(config))
    if plain["training"]["seeds"] > 1 and plain["device"]["name"] != "meta":
        from gan_runner import seeds  # which needs what stands here

        return seeds.execute_seeds(plain, folder, overrides)
    prepared = dispatch(plain)
    check_select(prepared)
    warn_of_unused(plain, overrides)
    if prepared.device.type == "meta":
        return walk_only(prepared, folder)
    evaluation.check(prepared)
    with process_settings(plain):
        trainer = new_trainer(prepared, folder, overrides)
        if plain["training"]["init_from"] is not None:
            start_from(trainer, Path(plain["training"]["init_from"]))
        begin(folder)
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
    if saved["training"]["seeds"] > 1:
        from gan_runner import seeds

        return seeds.resume_seeds(folder, overrides)
    plain = changed_config(saved, overrides, before=read_overrides(folder))
    path = folder / "checkpoints" / "last.pt"
    if not path.is_file():
        raise ValueError(
            f"resume={folder}: there is no checkpoint yet; start the run again "
            f"(its options are in {folder / 'overrides.yaml'})"
        )
    prepared = dispatch(plain)
    state = checkpoint.load(path, prepared.device)
    check_device(state["device"], prepared, folder)
    with process_settings(plain):
        trainer = new_trainer(prepared, folder, overrides)
        trainer.load_state_dict(state)
        if plain != saved:
            write_config(folder, plain, [*read_overrides(folder), *overrides])
        return carry_out(trainer, started)


def check_device(saved: str, prepared: Run, folder: Path) -> None:
    """Refuse to go on with a run on another kind of device.

    Raises:
        ValueError: `device=auto` has found another one than that where the run started.
    """
    found = prepared.device.type
    if found != saved:
        raise ValueError(
            f"resume={folder}: the run is on {saved}, and device=auto finds {found} here, where "
            "its random streams cannot go on (a new run may start from these weights: "
            "training.init_from=<run folder>)"
        )


# --- the parts of a run ----------------------------------------------------------------------


def new_trainer(prepared: Run, folder: Path, overrides: Sequence[str]) -> Trainer:
    """A trainer with the callbacks that every run has."""
    return Trainer(prepared, folder, new_callbacks(prepared), overrides)


def new_callbacks(prepared: Run) -> list[Callback]:
    """The callbacks that every run has."""
    return [
        CsvFile(),
        Pictures(),  # before TensorBoard, which takes the files
        TensorBoard(),
        Health(probabilities=prepared.recipe.probabilities),
        Progress(),
    ]


def carry_out(trainer: Trainer, started: float) -> Result:
    """Train, measure, and write down how it ended, whatever the end."""
    with log_file(trainer.folder / "run.log"), threads(trainer.threads):
        try:
            trainer.train()
            judged = judge(trainer)
        except Interrupted as stop:
            close(trainer, started, "interrupted", error=str(stop))
            raise
        except RunFailed as failure:
            log.error("%s", failure)
            close(trainer, started, "failed", error=str(failure))
            raise
        except KeyboardInterrupt:  # a second signal, or one that came outside of training
            text = f"stopped at once; gan-run resume={trainer.folder} goes on from a checkpoint"
            close(trainer, started, "interrupted", error=text)
            raise
        except BaseException as error:
            log.exception("The run failed")
            told = retold(error) or error
            close(trainer, started, "failed", error=f"{type(told).__name__}: {told}")
            if told is not error:
                raise told from error
            raise
        return finished(trainer, started, judged)


def finished(trainer: Trainer, started: float, judged: Judged) -> Result:
    """Write down a run that got to its end."""
    details = close(trainer, started, "completed", judged)
    for network in trainer.host.networks.values():
        network.eval().requires_grad_(False)
    return Result(
        folder=trainer.folder,
        metrics={name: each.value for name, each in judged.metrics.items()},
        details=details,
        networks=trainer.host.networks,
    )


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The final metrics, and what stands beside them."""

    metrics: Mapping[str, Measurement] = field(default_factory=dict)
    floor: Mapping[str, float] = field(default_factory=dict)
    ceiling: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def judge(trainer: Trainer) -> Judged:
    """Measure by the checkpoint rule of the config."""
    section, prepared = trainer.run.config["metrics"], trainer.run
    label = "last"
    if section["checkpoint"] == "best" and trainer.best is not None:
        path = trainer.folder / "checkpoints" / "best.pt"
        state = checkpoint.load(path, prepared.device)
        load_networks(trainer.host, state["host"]["networks"], path)
        label = checkpoint_label("best", state)
    split = section["split"]
    found = evaluation.measure(prepared, trainer.host, section, split=split, checkpoint=label)
    trainer.announce(found)
    if not found:
        return Judged()
    return Judged(
        metrics=found,
        floor=evaluation.measure_floor(prepared, section, split=split),
        ceiling=evaluation.measure_ceiling(prepared, section, split=split),
    )


def close(
    trainer: Trainer,
    started: float,
    status: str,
    judged: Judged | None = None,
    *,
    error: str | None = None,
) -> dict[str, Any]:
    """Write `result.json` and let the callbacks finish their files."""
    judged = judged or Judged()
    config, per_epoch = trainer.run.config, trainer.batches.steps_per_epoch
    seconds = trainer.seconds
    health = next(each for each in trainer.callbacks if isinstance(each, Health))
    details = {
        "status": status,
        "error": error,
        "name": config["name"],
        "metrics": metrics_as_dict(judged.metrics),
        "floor": dict(judged.floor),
        **({"ceiling": judged.ceiling} if judged.ceiling else {}),
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
    for callback in trainer.started:
        callback.on_end(trainer.step, details)
    return details


def warn_of_unused(config: Mapping[str, Any], overrides: Sequence[str]) -> None:
    """Say so where a typed loss or penalty plays no part: the algorithm has no adversary."""
    algorithm = registry.lookup("algorithms", config["model"]["algorithm"])
    typed = [each for each in overrides if each.lstrip("+").startswith(("loss", "penalty"))]
    if typed and not algorithm.adversarial:
        log.warning("model=%s has no use for %s", config["model"]["name"], ", ".join(typed))


def check_select(prepared: Run) -> None:
    """Refuse a `metrics.select` that is not measured.

    Raises:
        ValueError: it names no number of the metrics computed.
    """
    chosen, known = prepared.config["metrics"]["select"], evaluation.measured_names(prepared)
    if chosen is not None and chosen not in known:
        raise ValueError(
            f"metrics.select={chosen}: not measured here; measured: {', '.join(known)}"
        )


def walk_only(prepared: Run, folder: Path) -> Result:
    """`device=meta`: walk one step of every move, write nothing."""
    report = walk(prepared)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    return Result(
        folder=folder, metrics={}, details={"status": "walked", "report": report}, networks={}
    )
