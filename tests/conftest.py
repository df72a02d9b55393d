"""Small runs on one thread, in temporary folders."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from gan_runner import api, conf_files, plots, run_folder
from gan_runner.callbacks.callback import Callback
from gan_runner.compose import Composer
from gan_runner.dispatch import Run, dispatch
from gan_runner.hosts import Solo
from gan_runner.trainer import Trainer

QUIET = (  # nothing measured, two pictures a run
    "device.name=cpu", "metrics.names=[]", "training.num_samples=16", "training.sample_every=99999",
)  # fmt: skip
SMALL = {  # few points: what a data set holds is not these tests' matter
    "gauss2d": ("dataset.num_per_mode=20", "dataset.num_validation=20"),
    "gauss3d": ("dataset.num_per_mode=20", "dataset.num_validation=21", "dataset.num_test=21"),
    "ring8": ("dataset.num_samples=60", "dataset.num_validation=20", "dataset.num_test=20"),
    "digits": ("dataset.num_validation=20", "dataset.num_test=20", "training.batch_size=12"),
    "superres": ("dataset.crop=16", "dataset.num_crops=60", "dataset.num_held_crops=4",
                 "training.batch_size=12", "network.generator.num_blocks=1"),
}  # fmt: skip
OWN_DATASET = "  - override /dataset@_global_.dataset"  # how a model's preset chooses one
PAIRED = ("srgan", "srgan_photos", "srresnet", "mlp", "cgan")


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep features in a folder of the session's, also those of the programs that tests start."""
    os.environ["GAN_RUNNER_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def _composer() -> Composer:
    return Composer()


@pytest.fixture
def compose(_composer: Composer) -> Callable[..., dict[str, Any]]:
    """`compose("model=srgan", ...)`: a checked, plain config of a small run on the CPU.

    The data set is the model's own or one that fits it, of 60 training points, if none is given;
    the run has four steps if no length is given.
    """

    def make(*overrides: str) -> dict[str, Any]:
        given = dict(each.split("=", 1) for each in overrides)
        model = given.get("model", "vgan")
        added = list(QUIET)
        if "dataset" not in given:
            fitting = "gauss3d" if model in PAIRED else "gauss2d"
            own = conf_files.value_of("model", model, OWN_DATASET)
            given["dataset"] = own or fitting
            added.append(f"dataset={given['dataset']}")
        added += SMALL.get(given.get("dataset", ""), ())
        if not {"training.steps", "training.epochs"} & given.keys():
            added.append("training.steps=4")
        config = _composer.compose([*added, *overrides]).config
        if "width" in config.network.get("generator", {}):  # convolutions: few channels will do
            added += ["network.generator.width=8", "network.discriminator.width=8"]
            config = _composer.compose([*added, *overrides]).config
        return run_folder.plain_config(config)

    return make


@pytest.fixture
def make_run(compose: Callable[..., dict[str, Any]]) -> Callable[..., Run]:
    """`make_run("model=srgan", ...)`: a run, ready to be trained."""
    return lambda *overrides: dispatch(compose(*overrides))


@pytest.fixture
def make_trainer(make_run: Callable[..., Run], tmp_path: Path) -> Callable[..., Trainer]:
    """`make_trainer("model=srgan", ..., callbacks=[...])`, with a folder of its own."""
    number = itertools.count()

    def make(
        *overrides: str, callbacks: Sequence[Callback] = (), folder: Path | None = None
    ) -> Trainer:
        where = folder or tmp_path / f"trainer_{next(number)}"
        return Trainer(make_run(*overrides), where, callbacks)

    return make


@pytest.fixture
def quick_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw empty pictures: a true one takes half a second."""
    for name in ("draw_points", "draw_losses"):
        monkeypatch.setattr(plots, name, lambda *_, **__: Image.new("L", (8, 8)))


@pytest.fixture
def tiny_run(
    compose: Callable[..., dict[str, Any]], quick_pictures: None, tmp_path: Path
) -> Callable[..., api.Result]:
    """`tiny_run("model=srgan", ...)`: a whole run with all callbacks, in a folder of its own."""
    number = itertools.count()

    def run(*overrides: str, folder: Path | None = None) -> api.Result:
        where = folder or tmp_path / f"run_{next(number)}"
        return api.execute(compose(*overrides), where, list(overrides))

    return run


class Recorder(Callback):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.rows: dict[int, dict[str, float]] = {}
        self.samples: dict[int, Mapping[str, Tensor]] = {}
        self.metrics: dict[int, dict[str, float]] = {}

    def on_log(self, step: int, scalars: Mapping[str, float]) -> None:
        self.rows[step] = dict(scalars)

    def on_samples(self, step: int, samples: Mapping[str, Tensor]) -> None:
        self.samples[step] = samples

    def on_metrics(self, step: int, measurements: Mapping[str, Any]) -> None:
        self.metrics[step] = {name: found.value for name, found in measurements.items()}


@pytest.fixture
def recorder() -> Recorder:
    """A callback that keeps rows, samples and metrics by step."""
    return Recorder()


class Scrambler(Callback):
    """Draws from every global generator and seeds it anew, each step."""

    def on_step(self, step: int) -> None:
        scramble_globals(step)


def scramble_globals(seed: int) -> None:
    """Put the global generators of torch, numpy and Python into another state."""
    torch.manual_seed(1000 + seed)
    torch.rand(1 + seed % 7)
    np.random.seed(2000 + seed)
    random.seed(3000 + seed)


@pytest.fixture
def scrambler() -> Scrambler:
    """A callback that scrambles the global generators after every step."""
    return Scrambler()


@pytest.fixture(autouse=True)
def _scrambled_globals(request: pytest.FixtureRequest) -> None:
    """Start each test from a global random state of its own, the same every time."""
    scramble_globals(crc32(request.node.nodeid.encode()) % 2**20)


@pytest.fixture
def weights() -> Callable[[Solo], dict[str, Tensor]]:
    """`weights(host)`: copies of every parameter and buffer, by network and name."""

    def copies(host: Solo) -> dict[str, Tensor]:
        return {
            f"{letter}.{name}": value.detach().clone()
            for letter, network in host.networks.items()
            for name, value in network.state_dict().items()
        }

    return copies


@pytest.fixture
def same() -> Callable[[Any, Any], bool]:
    """`same(a, b)`: whether two nested containers of tensors and plain data are equal in bits."""
    return equal


def equal(left: Any, right: Any) -> bool:
    """Whether two nested containers are equal, tensors bit for bit."""
    if isinstance(left, Tensor) or isinstance(right, Tensor):
        return (
            isinstance(left, Tensor)
            and isinstance(right, Tensor)
            and left.dtype == right.dtype
            and left.shape == right.shape
            and left.cpu().contiguous().numpy().tobytes()
            == right.cpu().contiguous().numpy().tobytes()
        )
    if isinstance(left, Mapping):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(equal, left, right))
    return bool(left == right)
