"""`gan-run` as a user types it: exit codes, one line on stderr, nothing left behind."""

from __future__ import annotations

import csv
import logging
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from gan_runner import __version__, cli, sweep_jobs
from gan_runner.errors import ConfigError, Interrupted, RunFailed

TABLE = "the table of a run"


class Api(ModuleType):
    """Stands for `gan_runner.api`: notes what it is asked to do, and does as the test says."""

    def __init__(self) -> None:
        super().__init__("gan_runner.api")
        self.ran: list[tuple[DictConfig, Path, list[str]]] = []
        self.resumed: list[tuple[Path, list[str]]] = []
        self.act: Callable[[DictConfig, Path], Any] = write_config

    def execute(self, config: DictConfig, folder: Path, overrides: list[str]) -> Any:
        self.ran.append((config, folder, overrides))
        self.act(config, folder)
        return TABLE

    def resume(self, folder: Path, overrides: list[str]) -> Any:
        self.resumed.append((folder, overrides))
        return TABLE


def write_config(config: DictConfig, folder: Path) -> None:
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(config))


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Api:
    """The stand-in, in an empty current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")  # main sets it, and this puts it back
    monkeypatch.delenv(cli.DEBUG, raising=False)
    made = Api()
    monkeypatch.setitem(sys.modules, "gan_runner.api", made)
    return made


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines on stderr; on stdout there are only tables."""
    out, err = capsys.readouterr()
    assert set(out.splitlines()) <= {TABLE, ""}
    return [str(line) for line in err.splitlines()]


def left(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


# --- one run ---------------------------------------------------------------------------------


def test_the_table_is_printed(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["training.steps=5"]) == 0
    assert capsys.readouterr().out == f"{TABLE}\n"


def test_a_run(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["model=wgan", "dataset=ring8", "training.steps=5"]) == 0
    ((config, folder, overrides),) = api.ran
    assert overrides == ["model=wgan", "dataset=ring8", "training.steps=5"]
    assert (config.name, config.network.name) == ("wgan_ring8", "mlp")
    assert (config.training.steps, config.training.epochs) == (5, None)
    assert "hydra" not in config
    day = folder.parent
    assert day.parent == Path.cwd() / "outputs"
    assert folder.name.endswith("_wgan_ring8")
    assert left(folder) == [folder / "config.yaml"]  # nothing of Hydra's
    assert said(capsys) == []  # no banner


def test_two_runs_do_not_share_a_folder(api: Api) -> None:
    assert [cli.main([]), cli.main([])] == [0, 0]
    assert api.ran[0][1] != api.ran[1][1]


def test_flags_and_overrides_in_any_order(api: Api, tmp_path: Path) -> None:
    (tmp_path / "mine" / "model").mkdir(parents=True)
    text = "defaults: [vgan, _self_]\nname: mine\n"
    (tmp_path / "mine" / "model" / "own.yaml").write_text(text)
    words = ["model=own", "--config-dir", "mine", "training.steps=5", "--run", "model.pack=2"]
    assert cli.main(words) == 0
    assert api.ran[0][0].name == "mine_gauss2d"
    assert api.ran[0][2] == ["model=own", "training.steps=5", "model.pack=2"]


def test_values_that_hydra_would_trip_over(api: Api) -> None:
    words = ["dataset=table", "dataset.path=my data/a=b (1).csv", "name=a b"]
    assert cli.main(words) == 0
    ((config, folder, _),) = api.ran
    assert config.dataset.path == "my data/a=b (1).csv"
    assert folder.name.endswith("_a b")


def test_hydras_own_overrides_are_not_the_runs(api: Api) -> None:
    assert cli.main(["hydra.run.dir=there/x", "training.seed=3"]) == 0
    ((_, folder, overrides),) = api.ran
    assert folder == Path.cwd() / "there" / "x"
    assert overrides == ["training.seed=3"]


def test_networks_keys_with_auto(api: Api) -> None:
    assert cli.main(["dataset=ring8", "network.generator.widths=[7]"]) == 0
    assert api.ran[0][0].network.generator.widths == [7]


REFUSED = [
    (["model=srgn"], ["Did you mean 'srgan'?", "Options: acgan, bilinear,"]),
    (["modle=vgan"], ["unknown key 'modle'. Did you mean 'model'?", "Groups and keys: model,"]),
    (["model.critic_stps=1"], ["Did you mean 'model.critic_steps'?", "Keys of model: name,"]),
    (["+model.hiden=3"], ["unknown key 'model.hiden'", "Keys of model: name,"]),
    (["training.batch_size=abc"], ["training.batch_size=abc: an integer is wanted"]),
    (["optimizer.lr=-1"], ["optimizer.lr=-1: must be above 0"]),
    (["model.update=sim"], ["must be one of alternating, simultaneous, extragradient"]),
    (["optimizer.schedule.name=no"], ["must be one of constant,"]),
    (["model=srgan", "dataset=superres", "model.content_norm=rms"], ["must be one of unit, null"]),
    (["dataset=table"], ["dataset.path is missing", "give dataset.path=<value>"]),
    (["model=srgan"], ["which dataset=gauss2d has not", "Datasets that fit: gauss3d"]),
    (["model=vgan,wgan"], ["several values need --multirun"]),
    (["training.steps=1", "training.epochs=1"], ["give one"]),
    (["vgan"], ["key=value is wanted, such as model=vgan"]),
    (["a=[1"], ["a=[1: the value cannot be read"]),
    (["--multirn"], ["unrecognized arguments: --multirn; gan-run --help lists the flags"]),
    (["--config-dir", "nowhere"], ["--config-dir", "no such folder"]),
    (["--config-name", "x"], ["--config-name: gan-run has a config of its own"]),
    (["--config-path", "x"], ["--config-path: gan-run has a config of its own"]),
    (["--cfg", "jobb"], ["invalid choice: 'jobb'"]),
    (["--cfg", "job", "model=srgn"], ["Did you mean 'srgan'?"]),
    (["--help", "modl"], ["Did you mean 'model'?"]),
    (["hydra/launcher=jobli"], ["no option 'jobli' in group 'hydra/launcher'"]),
    (["resume=outputs/x"], ["resume=outputs/x: no run folder: it has no config.yaml"]),
    (["resume="], ["resume=: a run folder is wanted"]),
    (["-m", "resume=x"], ["resume=x: one run is resumed at a time", "for a sweep write sweep=re"]),
    (["-m", "model=vgan,srgn"], ["Did you mean 'srgan'?", "Options: acgan, bilinear,"]),
    (["-m", "modle=vgan,wgan"], ["Did you mean 'model'?", "Groups and keys: model,"]),
    (["-m", "model.hiden=1,2"], ["unknown key 'model.hiden'", "Keys of model: name,"]),
    (["-m", "+model.hiden=1,2"], ["unknown key 'model.hiden'", "Keys of model: name,"]),
    (["-m", "training.batch_size=1,abc"], ["training.batch_size=abc: an integer is wanted"]),
    (["-m", "optimizer.lr=1,-1"], ["optimizer.lr=-1: must be above 0"]),
    (["-m", "model.update=simultaneous,sim"], ["must be one of alternating, simultaneous,"]),
    (["-m", "dataset=table,ring8"], ["dataset.path is missing"]),
    (["-m", "model=vgan,srgan"], ["which dataset=gauss2d has not", "(in the job model=srgan)"]),
    (["-m", "training.steps=1,2", "training.epochs=1"], ["give one"]),
    (["hydra.mode=MULTIRUN", "optimizer.lr=1,-1"], ["optimizer.lr=-1: must be above 0"]),
    (["sweep=on"], ["sweep=on: sweep=resume goes on with a sweep; else leave it out"]),
    (["-m", "sweep=resume", "training.seed=1,2"], ["no sweep of these overrides in outputs"]),
    (["sweep=resume", "hydra.sweep.dir=x"], ["no sweep in hydra.sweep.dir=x: it has no multirun"]),
    (["-m", "sweep=resume", "model=vgan,srgn"], ["Did you mean 'srgan'?"]),
    (["-m", "--cfg", "job"], ["Only one of --run, --multirun, --cfg"]),
]


@pytest.mark.parametrize(("words", "parts"), REFUSED, ids=" ".join)
def test_refused(
    api: Api, capsys: pytest.CaptureFixture[str], words: list[str], parts: list[str]
) -> None:
    assert cli.main(words) == 2
    (line,) = said(capsys)
    assert line.startswith("gan-run: error: ")
    for part in parts:
        assert part in line
    assert "use +" not in line
    assert left(Path.cwd()) == []
    assert api.ran == []


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (ValueError("dataset.path=x.csv: no\n such file"), 2, "error: dataset.path=x.csv: no such"),
        (ConfigError("no"), 2, "error: no"),
        (RunFailed("loss/D is NaN at step 3"), 1, "error: loss/D is NaN at step 3"),
        (ZeroDivisionError("x / 0"), 1, "error: ZeroDivisionError: x / 0 (GAN_RUNNER_DEBUG=1 show"),
        (Interrupted(2), 130, "stopped by SIGINT"),
        (Interrupted(15), 143, "stopped by SIGTERM"),
        (KeyboardInterrupt(), 130, "stopped by SIGINT"),
    ],
)
def test_a_run_that_fails(
    api: Api, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, text: str
) -> None:
    def act(config: DictConfig, folder: Path) -> None:
        raise error

    api.act = act
    assert cli.main([]) == code
    (line,) = said(capsys)
    assert line.startswith(f"gan-run: {text}")
    assert left(Path.cwd()) == []  # nothing was written, so nothing stays


def test_a_failed_runs_files_stay(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    def act(config: DictConfig, folder: Path) -> None:
        write_config(config, folder)
        raise Interrupted(15, folder)

    api.act = act
    assert cli.main(["name=a b"]) == 143
    ((_, folder, _),) = api.ran
    assert (folder / "config.yaml").is_file()
    expected = f"gan-run: stopped by SIGTERM; continue with: gan-run 'resume={folder}'"
    assert said(capsys) == [expected]


def test_a_run_is_not_overwritten(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["hydra.run.dir=x"]) == 0
    assert cli.main(["hydra.run.dir=x"]) == 2
    assert len(api.ran) == 1
    (line,) = said(capsys)
    assert line.endswith(f"{Path.cwd() / 'x'} would continue it")


def test_debugging_shows_the_traceback(
    api: Api, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(cli.DEBUG, "1")
    assert cli.main(["model=srgn"]) == 2
    lines = said(capsys)
    assert lines[0].startswith("Traceback")
    assert lines[-1].startswith("gan-run: error: no option 'srgn'")


def test_log_lines_go_to_stderr_as_they_are(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    def act(config: DictConfig, folder: Path) -> None:
        log = logging.getLogger("gan_runner")
        log.warning("step %d: collapsed", 3)
        log.error("an error, which main words")

    api.act = act
    before = list(logging.getLogger().handlers)
    assert cli.main([]) == 0
    assert said(capsys) == ["step 3: collapsed"]
    assert logging.getLogger().handlers == before


def test_shadowed_options_are_warned_of(
    api: Api, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "mine" / "model").mkdir(parents=True)
    (tmp_path / "mine" / "model" / "vgan.yaml").write_text("name: x\nalgorithm: adversarial\n")
    assert cli.main(["--config-dir", "mine"]) == 0
    (line,) = said(capsys)
    path = Path("mine", "model", "vgan.yaml")
    assert line == (f"gan-run: warning: {path} is ignored: the package has an option of that name")
    assert api.ran[0][0].model.name == "vgan"


# --- resuming --------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["resume=a=b c", "resume='a=b c'", 'resume="a=b c"'])
def test_resume(api: Api, typed: str) -> None:
    Path("a=b c").mkdir()
    Path("a=b c", "config.yaml").touch()
    assert cli.main(["training.steps=9", typed]) == 0
    assert api.resumed == [(Path("a=b c"), ["training.steps=9"])]
    assert api.ran == []
    assert left(Path.cwd()) == [Path.cwd() / "a=b c"]


def test_resume_of_a_refused_change(
    api: Api, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path, overrides: list[str]) -> None:
        raise ValueError("resume: 'loss=hinge' would change the run")

    Path("config.yaml").touch()
    monkeypatch.setattr(api, "resume", refuse)
    assert cli.main(["resume=.", "loss=hinge"]) == 2
    assert said(capsys) == ["gan-run: error: resume: 'loss=hinge' would change the run"]


# --- sweeps ----------------------------------------------------------------------------------


def test_a_sweep(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["-m", "model=vgan,wgan", "dataset=ring8,gauss2d", "network.generator.widths=[7]"]
    assert cli.main([*words, "training.steps=5"]) == 0
    assert [(config.name, config.network.generator.widths) for config, _, _ in api.ran] == [
        ("vgan_ring8", [7]),
        ("vgan_gauss2d", [7]),
        ("wgan_ring8", [7]),
        ("wgan_gauss2d", [7]),
    ]
    folders = [folder for _, folder, _ in api.ran]
    assert [folder.name for folder in folders] == ["0", "1", "2", "3"]
    assert len({folder.parent for folder in folders}) == 1
    assert folders[0].parent.parent.parent == Path.cwd() / "outputs" / "sweeps"
    assert api.ran[2][2] == [
        "model=wgan",
        "dataset=ring8",
        "network.generator.widths=[7]",
        "training.steps=5",
    ]
    assert {config.training.epochs for config, _, _ in api.ran} == {None}
    assert not list(Path.cwd().rglob(cli.FAILED_JOBS))
    lines = said(capsys)
    assert lines[0] == "Launching 4 jobs locally"
    assert len(lines) == 5


def test_keys_that_only_the_swept_options_have(api: Api) -> None:
    words = ["-m", "model=srgan,mlp", "dataset=gauss3d", "model.content=absolute_error"]
    assert cli.main([*words, "model.ema=null"]) == 0
    assert [config.model.content for config, _, _ in api.ran] == ["absolute_error"] * 2


def test_networks_of_each_kind_of_data(api: Api) -> None:
    words = ["-m", "model=vgan,bilinear", "network=auto", "training.steps=5"]
    assert cli.main(words) == 0
    assert [config.network.name for config, _, _ in api.ran] == ["mlp", "scalars"]


def test_paths_in_sweeps(api: Api) -> None:
    words = ["-m", "dataset=table", "dataset.path=a (1).csv,b=2.csv", "model=vgan,wgan"]
    assert cli.main([*words, "dataset.label=x y"]) == 0
    assert [(config.dataset.path, config.dataset.label) for config, _, _ in api.ran] == [
        ("a (1).csv", "x y"),
        ("a (1).csv", "x y"),
        ("b=2.csv", "x y"),
        ("b=2.csv", "x y"),
    ]


def test_a_sweep_over_own_options(api: Api, tmp_path: Path) -> None:
    (tmp_path / "mine" / "model").mkdir(parents=True)
    text = "defaults: [vgan, _self_]\nname: own\n"
    (tmp_path / "mine" / "model" / "own.yaml").write_text(text)
    assert cli.main(["-cd", "mine", "-m", "model=own,vgan"]) == 0
    assert [config.model.name for config, _, _ in api.ran] == ["own", "vgan"]


def test_failed_jobs_do_not_stop_the_others(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    def act(config: DictConfig, folder: Path) -> None:
        if config.training.seed == 1:
            raise ValueError("no such\nfile")
        write_config(config, folder)
        if config.training.seed == 2:
            (folder / "run.log").write_text("logged\n")
            raise RunFailed("loss/D is NaN")

    api.act = act
    words = ["-m", "training.seed=0,1,2,3", "hydra.sweeper.max_batch_size=2"]
    assert cli.main(words) == 1
    assert [config.training.seed for config, _, _ in api.ran] == [0, 1, 2, 3]
    sweep = api.ran[0][1].parent
    ledger = sweep.relative_to(Path.cwd()) / cli.FAILED_JOBS
    lines = [line for line in said(capsys) if line.startswith("gan-run")]
    assert lines == [
        "gan-run: job 1 failed: ValueError: no such file",
        "gan-run: job 2 failed: RunFailed: loss/D is NaN",
        f"gan-run: error: 2 of 4 jobs failed; {ledger} lists them",
    ]
    assert ledger.read_text() == (
        "1\ttraining.seed=1\tValueError: no such file\n"
        "2\ttraining.seed=2\tRunFailed: loss/D is NaN\n"
    )
    log = (sweep / "1" / "run.log").read_text()
    assert log.startswith("Job 1 failed\nTraceback")
    assert (sweep / "2" / "run.log").read_text() == "logged\n"  # the run's own
    assert not logging.getLogger("gan_runner.cli").handlers


def test_an_interruption_stops_the_sweep(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    def act(config: DictConfig, folder: Path) -> None:
        write_config(config, folder)
        if config.training.seed == 1:
            raise Interrupted(15, folder)

    api.act = act
    assert cli.main(["-m", "training.seed=0,1,2"]) == 143
    assert [config.training.seed for config, _, _ in api.ran] == [0, 1]
    assert said(capsys)[-1].startswith(
        "gan-run: stopped by SIGTERM; continue with: gan-run -m sweep=resume hydra.sweep.dir="
    )


def rows(sweep: Path) -> list[list[str]]:
    """The cells of a sweep's index, without its head."""
    with (sweep / "index.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1:]


def test_the_index_lists_every_job_that_began(api: Api) -> None:
    def act(config: DictConfig, folder: Path) -> None:
        if config.training.seed == 1:
            raise ValueError("no such\nfile")
        write_config(config, folder)
        if config.training.seed == 2:
            raise Interrupted(15, folder)

    api.act = act
    assert cli.main(["-m", "hydra.sweep.dir=x", "training.seed=0,1,2,3"]) == 143
    assert rows(Path("x")) == [
        ["0", "0", "training.seed=0", "completed", "", "", ""],
        ["1", "1", "training.seed=1", "failed", "ValueError: no such file", "", ""],
        ["2", "2", "training.seed=2", "interrupted", "", "", ""],
    ]


def end(api: Api, status: str = "completed") -> None:
    """Leave what a run leaves."""
    config, folder, overrides = api.ran[-1]
    write_config(config, folder)
    OmegaConf.save(overrides, folder / "overrides.yaml")
    (folder / "result.json").write_text(
        f'{{"schema_version": 1, "status": "{status}", "error": null, "metrics": {{}}}}'
    )


def test_a_sweep_goes_on_where_it_was(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    def act(config: DictConfig, folder: Path) -> None:
        if config.training.seed == 0:
            end(api)
        if config.training.seed == 1:
            (folder / "checkpoints").mkdir()
            (folder / "checkpoints" / "last.pt").touch()
            end(api, "interrupted")
            raise Interrupted(15, folder)
        if config.training.seed == 2:
            raise ValueError("no")

    api.act = act
    words = ["training.seed=2,0,1,3", "name=a b"]
    assert cli.main(["-m", *words]) == 143
    (sweep,) = Path("outputs", "sweeps").glob("*/*")
    assert [row[3] for row in rows(sweep)] == ["failed", "completed", "interrupted"]
    assert (sweep / cli.FAILED_JOBS).is_file()
    capsys.readouterr()

    del api.ran[:]
    api.act = lambda *_: end(api)
    assert cli.main(["sweep=resume", *words]) == 0  # found by what was typed
    assert [(config.training.seed, folder.name) for config, folder, _ in api.ran] == [
        (2, "0"), (3, "3"),
    ]  # fmt: skip
    assert api.resumed == [(sweep.resolve() / "2", [])]
    assert [row[0] for row in rows(sweep)] == ["0", "1", "2", "3"]
    assert not (sweep / cli.FAILED_JOBS).exists()
    assert said(capsys)[0] == f"gan-run: {sweep}: 1 of 4 jobs are finished already"
    assert list(Path("outputs", "sweeps").glob("*/*")) == [sweep]

    del api.ran[:], api.resumed[:]
    assert cli.main(["-m", "sweep=resume", f"hydra.sweep.dir={sweep}", "training.seed=2,0"]) == 2
    assert "job 0 is 'training.seed=2 name=a\\ b'; what is typed now makes" in said(capsys)[-1]
    assert cli.main(["resume=" + str(sweep)]) == 2
    assert f"it is a sweep's: gan-run -m sweep=resume 'hydra.sweep.dir={sweep}" in said(capsys)[-1]
    assert (api.ran, len(api.resumed)) == ([], 0)


def test_a_job_whose_config_has_changed_is_not_skipped(
    api: Api, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "mine" / "model").mkdir(parents=True)
    own = tmp_path / "mine" / "model" / "own.yaml"
    own.write_text("defaults: [vgan, _self_]\nname: own\n")
    api.act = lambda *_: end(api)
    words = ["-cd", "mine", "-m", "model=own,vgan", "hydra.sweep.dir=x"]
    assert cli.main(words) == 0
    own.write_text("defaults: [vgan, _self_]\nname: own\nprior: uniform\n")
    assert cli.main([*words, "sweep=resume"]) == 1
    assert len(api.ran) == 2
    reason = "has another run: model.prior=normal, now uniform"
    assert [reason in line for line in said(capsys)[-2:]] == [False, False]
    assert reason in Path("x", cli.FAILED_JOBS).read_text()
    assert [row[3] for row in rows(Path("x"))] == ["completed", "completed"]  # what is there


def test_sweeps_own_folder(api: Api) -> None:
    assert cli.main(["-m", "hydra.sweep.dir=my sweep", "training.seed=0,1"]) == 0
    assert [folder for _, folder, _ in api.ran] == [
        Path.cwd() / "my sweep" / "0",
        Path.cwd() / "my sweep" / "1",
    ]


def test_what_workers_exchange_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(sweep_jobs.TASKS)) == sweep_jobs.TASKS
    stop = Interrupted(15, Path("x"))
    again = pickle.loads(pickle.dumps(stop))
    assert (again.signum, again.folder, str(again)) == (15, Path("x"), str(stop))


# --- answers without a run -------------------------------------------------------------------


def test_version_and_help(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert cli.main(["-h"]) == 0
    assert cli.main(["loss", "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"gan-run {__version__}\ngan-run {__version__}: find out")
    assert "\nloss=<option>\n" in out


def test_cfg_job_prints_the_settled_config(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--cfg", "job", "dataset=ring8", "training.epochs=5", "network.generator.widths=[7]"]
    assert cli.main(words) == 0
    config = OmegaConf.create(capsys.readouterr().out)
    assert (config.network.name, config.network.generator.widths) == ("mlp", [7])
    assert (config.training.steps, config.training.epochs) == (None, 5.0)
    assert "hydra" not in config
    assert left(Path.cwd()) == []


def test_other_answers_are_hydras(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    for words, part in (
        (["--cfg", "hydra"], "sweeper:"),
        (["--cfg", "all"], "sweeper:"),
        (["--cfg", "job", "-p", "training", "--resolve"], "# @package training"),
        (["--info", "defaults"], "Defaults List"),
        (["--hydra-help"], "Hydra"),
        (["-sc", "install=bash"], "complete"),
    ):
        assert cli.main(words) == 0, words
        assert part in capsys.readouterr().out, words
    assert left(Path.cwd()) == []


def run_apart(*words: str, cwd: Path) -> list[str]:
    """Run `main` in a process of its own; the last line says what it imported."""
    code = (
        "import sys; from gan_runner.cli import main; code = main(sys.argv[1:]); "
        "print([name for name in ('torch', 'numpy') if name in sys.modules]); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])},
        cwd=cwd, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    "words",
    [
        ["--cfg", "job", "dataset=ring8"],
        ["model=srgn"],
        ["-m", "optimizer.lr=1,-1"],
        ["-m", "hydra/launcher=stacked", "hydra.launcher.width=0"],
        ["-m", "sweep=resume", "training.seed=1,2"],
    ],
)
def test_no_torch_before_training(tmp_path: Path, words: list[str]) -> None:
    assert run_apart(*words, cwd=tmp_path)[-1] == "[]"
    assert left(tmp_path) == []


def test_module_is_the_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gan_runner", "--version"],
        env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])},
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == f"gan-run {__version__}\n"
