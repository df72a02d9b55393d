"""Sweeps are checked as a whole before anything is made."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from gan_runner import sweeps
from gan_runner.compose import Composer
from gan_runner.errors import ConfigError
from gan_runner.overrides import parse


@pytest.fixture(scope="module")
def composer() -> Composer:
    return Composer()


REFUSED = [
    (["model=vgan,srgn"], "no option 'srgn' in group 'model'. Did you mean 'srgan'?"),
    (["model=vgan,srgan"], "model=srgan needs paired data (low), which dataset=gauss2d has not"),
    (["modle=vgan,wgan"], "unknown key 'modle'. Did you mean 'model'?"),
    (["model.hiden=1,2"], "unknown key 'model.hiden'. Keys of model:"),
    (["+model.hiden=1,2"], "unknown key 'model.hiden'. Keys of model:"),
    (["optimizer.lr=1e-3,abc"], "optimizer.lr=abc: a number is wanted"),
    (["optimizer.lr=1e-3,-1"], "optimizer.lr=-1: must be above 0"),
    (["training.batch_size=choice(1,x)"], "training.batch_size=x: an integer is wanted"),
    (["training.seed=1,2", "optimizer.lr=-1"], "optimizer.lr=-1: must be above 0"),
    (["training.steps=1,2", "training.epochs=3"], "training.steps=1 and training.epochs=3: both"),
    (["training.seed=range(0)"], "training.seed=range(0): stands for no value"),
    (["model=glob(nothing*)"], "model=glob(nothing*): stands for no value"),
    (["optimizer.lr=interval(0,1)"], "optimizer.lr=interval(0,1): an interval has no end"),
    (["hydra.run.dir=a,b"], "hydra.run.dir=a,b: Hydra's own settings cannot be swept"),
    (["hydra/launcher=jobli"], "no option 'jobli' in group 'hydra/launcher'"),
]


@pytest.mark.parametrize(("overrides", "message"), REFUSED)
def test_refused_in_one_line(composer: Composer, overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        sweeps.plan(composer, overrides)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_the_job_is_named(composer: Composer) -> None:
    with pytest.raises(ConfigError, match=r"\(in the job model=srgan dataset=gauss2d\)$"):
        sweeps.plan(composer, ["model=srgan,mlp", "dataset=gauss3d,gauss2d"])


@pytest.mark.parametrize(
    ("overrides", "num_jobs", "label"),
    [
        (["training.seed=1,2"], 2, "vgan_gauss2d"),
        (["training.seed=range(3)", "optimizer.lr=1e-3,1e-4"], 6, "vgan_gauss2d"),
        (["model=vgan,wgan", "dataset=ring8"], 2, "vgan_ring8+wgan_ring8"),
        (["model=glob(wgan*)"], 2, "wgan_gauss2d+wgan_gp_gauss2d"),
        (["name=mine", "training.seed=1,2"], 2, "mine"),
        ([], 1, "vgan_gauss2d"),
    ],
)
def test_plan(composer: Composer, overrides: list[str], num_jobs: int, label: str) -> None:
    sweep = sweeps.plan(composer, overrides)
    assert sweep.num_jobs == num_jobs
    pattern = rf"outputs/sweeps/\d{{4}}-\d\d-\d\d/\d\d-\d\d-\d\d-\d{{6}}_{re.escape(label)}"
    assert re.fullmatch(pattern, sweep.folder.as_posix())
    assert sweep.overrides[-1] == f"hydra.sweep.dir='{sweep.folder}'"


def test_a_files_own_sweep_is_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "seeds.yaml").write_text(
        "# @package _global_\nhydra:\n  sweeper:\n    params:\n      training.seed: 1,2,3\n"
    )
    composer = Composer([tmp_path])
    assert sweeps.plan(composer, ["experiment=seeds", "optimizer.lr=1,2"]).num_jobs == 6
    assert sweeps.plan(composer, ["experiment=seeds", "training.seed=7,8"]).num_jobs == 2
    assert composer.compose(["experiment=seeds"]).config.training.seed == 0


def test_long_labels_are_cut(composer: Composer) -> None:
    models = "model=vgan,wgan,wgan_gp,lsgan,r3gan"
    folder = sweeps.plan(composer, [models, "dataset=ring8_pacgan"]).folder
    assert folder.name.endswith("_vgan_ring8_pacgan_and_4_more")


def test_hydra_gets_what_its_first_composing_can_bear(composer: Composer) -> None:
    """Of a swept group only the default is there then, and `network=auto` is not settled."""
    sweep = sweeps.plan(
        composer,
        [
            "model=srgan,mlp",
            "dataset=gauss3d",
            "model.content=absolute_error",
            "model.ema=null",
            "network.generator.widths=[8,8]",
            "training.seed=1,2",
        ],
    )
    assert sweep.overrides[:-1] == (
        "model=srgan,mlp",
        "dataset=gauss3d",
        "model.content=choice(absolute_error)",
        "++model.ema=null",
        "network.generator.widths=choice([8,8])",
        "training.seed=1,2",
    )
    auto = sweeps.plan(composer, ["dataset=ring8", "network.generator.widths=[8],[16]"])
    assert auto.overrides[:-1] == ("dataset=ring8", "++network.generator.widths=[8],[16]")
    assert sweeps.plain("++network.generator.widths=[8]") == "network.generator.widths=[8]"


def test_values_survive_the_way_to_hydra(composer: Composer) -> None:
    text = "dataset.path=my file (1)=a.csv"
    sweep = sweeps.plan(composer, ["model=vgan,wgan", "dataset=table", text])
    (found,) = parse([each for each in sweep.overrides if "path" in each], sweep=True)
    (value,) = found.sweep_string_iterator()
    assert parse([f"dataset.path={value}"])[0].value() == "my file (1)=a.csv"


def test_many_jobs_are_checked_by_choices_and_values(composer: Composer) -> None:
    values = {
        "model": ["model=vgan", "model=wgan"],
        "training.seed": [f"training.seed={seed}" for seed in range(500)],
        "optimizer.lr": ["optimizer.lr=1", "optimizer.lr=2"],
    }
    jobs = list(sweeps._jobs(values, {"model"}, {"training.seed"}, 2000))
    assert len(jobs) == 6  # a model: its first job, the last seed, the second rate
    assert {job[0] for job in jobs} == {"model=vgan", "model=wgan"}
    seen = set(itertools.chain.from_iterable(jobs))
    assert {"training.seed=0", "training.seed=499", "optimizer.lr=1", "optimizer.lr=2"} <= seen
    assert len(list(sweeps._jobs(values, {"model"}, set(), 2000))) == 2 * (1 + 499 + 1)

    with pytest.raises(ConfigError, match=r"^optimizer.lr=abc: a number is wanted"):
        sweeps.plan(composer, ["training.seed=range(2000)", "optimizer.lr=1e-3,abc"])
    assert sweeps.plan(composer, ["training.seed=range(2000)"]).num_jobs == 2000
    with pytest.raises(ConfigError, match=r"^training.batch_size=0: must be at least 1"):
        sweeps.plan(composer, ["training.batch_size=range(500,-1,-1)"])
