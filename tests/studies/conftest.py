"""Run folders as `gan-run` writes them, without a run."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from gan_runner.result import KEYS, write_result
from gan_runner.run_folder import write_config

MODELS: dict[str, dict[str, Any]] = {
    "srgan": {"algorithm": "srgan", "content": "squared_error", "lambda_adversarial": 1.0},
    "mlp": {"algorithm": "regression", "content": "squared_error"},
    "vgan": {"algorithm": "adversarial", "pack": 1},
}
CONFIG: dict[str, Any] = {
    "model": {},
    "loss": {"name": "nonsaturating", "real_label": 1.0},
    "penalty": {"name": "none"},
    "network": {"name": "mlp", "generator": {"widths": [16, 16], "output": "identity"}},
    "dataset": {"name": "gauss3d", "builder": "gauss3d", "seed": 0},
    "optimizer": {"name": "adam", "lr": 0.001, "schedule": {"name": "constant"}},
    "training": {
        "steps": 100, "epochs": None, "batch_size": 100, "seed": 0, "log_every": 50,
        "sample_every": None, "checkpoint_every": None, "num_samples": 16, "init_from": None,
        "streams": dict.fromkeys(("init", "order", "flip", "noise", "dropout", "metrics")),
    },
    "device": {"name": "cpu", "index": 0, "precision": "fp32", "compile": False, "threads": None},
    "metrics": {
        "names": None, "every": None, "num_generated": 600, "num_real": 600, "split": "test",
        "checkpoint": "last", "select": None,
    },
    "resume": None,
}  # fmt: skip
PROTOCOL = {
    "num_real": 600, "num_generated": 600, "split": "test", "checkpoint": "last",
    "units": "scaled", "seed": 3, "details": {"method": "squared error"},
}  # fmt: skip

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """`make("sweep/0", seed=3, mse=0.1, **{"optimizer.lr": 0.01})` writes a run folder.

    model, seed, status, error, protocol (changes), time (of result.json) and csv are its own;
    status "missing" writes no result. Dotted words are config settings, all else metrics.
    """

    def write(
        place: str,
        *,
        model: str = "srgan",
        seed: int = 0,
        status: str = "completed",
        error: str | None = None,
        protocol: Mapping[str, Any] | None = None,
        time: float | None = None,
        csv: str | None = None,
        **given: Any,
    ) -> Path:
        config = copy.deepcopy(CONFIG)
        config["model"] = {"name": model, **MODELS.get(model, {"algorithm": "adversarial"})}
        config["training"]["seed"] = seed
        config["name"] = f"{model}_{config['dataset']['name']}"
        values = {key: value for key, value in given.items() if "." not in key and key != "name"}
        for key in given.keys() - values.keys():
            *sections, last = key.split(".")
            node = config
            for section in sections:
                node = node.setdefault(section, {})
            node[last] = given[key]
        folder = tmp_path / place
        write_config(folder, config, [f"model={model}", f"training.seed={seed}"])
        if csv is not None:
            (folder / "metrics.csv").write_text(csv, encoding="utf-8")
        if status == "missing":
            return folder
        card = {**PROTOCOL, **(protocol or {})}
        result: dict[str, Any] = dict.fromkeys(KEYS) | {
            "status": status,
            "error": error,
            "name": config["name"],
            "metrics": {key: {"value": value, "protocol": card} for key, value in values.items()},
        }
        write_result(folder / "result.json", result)
        if time is not None:
            os.utime(folder / "result.json", (time, time))
        return folder

    return write
