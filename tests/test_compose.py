"""From overrides to a checked config."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from hydra import version
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from gan_runner import conf_files, schema
from gan_runner.compose import Composer, compose_run, conf_dir
from gan_runner.errors import ConfigError

MODEL_KEYS = f"Keys of model: {', '.join(each.name for each in fields(schema.AdversarialModel))}"
TOP_KEYS = f"Groups and keys: {', '.join(conf_files.groups())}, name, resume"
MODELS = ", ".join(conf_files.options("model"))
REFUSED = [
    (
        ["model=srgn"],
        f"no option 'srgn' in group 'model'. Did you mean 'srgan'? Options: {MODELS}",
    ),
    (["model=3"], f"no option '3' in group 'model'. Options: {MODELS}"),
    (["loss=null"], "no option 'null' in group 'loss'. Options: hinge"),
    (["experiment=anatomizing_fg4"], "no option 'anatomizing_fg4' in group 'experiment'. Did you"),
    (["hydra/launcher=jobli"], "no option 'jobli' in group 'hydra/launcher'. Options: "),
    (["modle=vgan"], f"unknown key 'modle'. Did you mean 'model'? {TOP_KEYS}"),
    (["hydra/lancher=basic"], "unknown key 'hydra/lancher'. Did you mean 'hydra/launcher'?"),
    (["batch_size=3"], f"unknown key 'batch_size'. Did you mean 'training.batch_size'? {TOP_KEYS}"),
    (["model.hiden=3"], f"unknown key 'model.hiden'. {MODEL_KEYS}"),
    (["+model.hiden=3"], f"unknown key 'model.hiden'. {MODEL_KEYS}"),
    (["++model.hiden=3"], f"unknown key 'model.hiden'. {MODEL_KEYS}"),
    (["+hiden=3"], f"unknown key 'hiden'. {TOP_KEYS}"),
    (["+training.streams.ordr=3"], "unknown key 'training.streams.ordr'. Did you mean 'training."),
    (
        ["model.critic_stps=3"],
        "unknown key 'model.critic_stps'. Did you mean 'model.critic_steps'?",
    ),
    (["model.loss=hinge"], "unknown key 'model.loss'. Did you mean 'loss'?"),
    (
        ["network.widths=[8]"],
        "unknown key 'network.widths'. Did you mean 'network.generator.widths' or "
        "'network.discriminator.widths'? Keys of network: name, generator, discriminator",
    ),
    (
        ["model.lambda_adversarial=2"],
        "unknown key 'model.lambda_adversarial'. It is a key of model=srgan, srgan_photos. "
        f"{MODEL_KEYS}",
    ),
    (["training={foo: 3}"], "unknown key 'training.foo'. Keys of training: steps, epochs"),
    (["training.batch_size.x=3"], "training.batch_size.x=3: training.batch_size has no keys"),
    (["+model.critic_steps=3"], "+model.critic_steps=3: the key exists already; write model.crit"),
    (["~training.steps"], "~training.steps: nothing can be removed; set a key to null or choose"),
    (["hydra.searchpath=[file://x]"], "hydra.searchpath: --config-dir adds a folder of options"),
    (["training.batch_size=abc"], "training.batch_size=abc: an integer is wanted"),
    (["training.batch_size=1.5"], "training.batch_size=1.5: an integer is wanted"),
    (["training.batch_size=true"], "training.batch_size=true: an integer is wanted"),
    (["training.batch_size=null"], "training.batch_size=null: an integer is wanted"),
    (["model.latent_size=x"], "model.latent_size=x: an integer or null is wanted"),
    (["optimizer.lr=fast"], "optimizer.lr=fast: a number is wanted"),
    (["model.share_fakes=maybe"], "model.share_fakes=maybe: true or false is wanted"),
    (
        ["network.generator.widths=64"],
        "network.generator.widths=64: a list of integers is wanted, such as [3,7]",
    ),
    (
        ["network.generator.widths=[64,a]"],
        "network.generator.widths=[64,a]: a list of integers is wanted, such as [3,7]",
    ),
    (["training.streams=3"], "training.streams=3: a section of keys (section.key=value) is wanted"),
    (["optimizer.lr=-1"], "optimizer.lr=-1: must be above 0"),
    (["optimizer.lr=nan"], "optimizer.lr=nan: must be finite"),
    (["optimizer.lr=inf"], "optimizer.lr=inf: must be finite"),
    (["model.ema=1"], "model.ema=1: must be at least 0 and below 1"),
    (["loss.real_label=1.5"], "loss.real_label=1.5: must be at least 0 and at most 1"),
    (
        ["network.generator.widths=[64,0]"],
        "network.generator.widths=[64,0]: each must be at least 1",
    ),
    (["dataset.sds=[0.5,-1,1]"], "dataset.sds=[0.5,-1,1]: each must be above 0"),
    (
        ["model.update=simultanous"],
        "model.update=simultanous: must be one of alternating, simultaneous, extragradient. "
        "Did you mean 'simultaneous'?",
    ),
    (["network.generator.output=maxout"], "network.generator.output=maxout: must be one of relu,"),
    (["device.precision=fp8"], "device.precision=fp8: must be one of fp32, bf16, tf32, fp64"),
    (["name=a/b"], "name=a/b: a name is part of a folder's: no / or \\, and not empty"),
    (["name="], "name=: a name is part of a folder's"),
    (["name=${nope}"], "name: Interpolation key 'nope' not found"),
    (
        ["dataset=table"],
        "dataset.path is missing (the file, .csv or .npy; one sample a row): "
        "give dataset.path=<value>",
    ),
    (["optimizer.name=adamm"], "optimizer.name=adamm: not registered. Did you mean 'adam'?"),
    (
        ["model.algorithm=x"],
        "model.algorithm=x: not registered. Known: acgan, adversarial, bilinear",
    ),
    (["loss.name=x"], "loss.name=x: not registered. Known: hinge"),
    (["metrics.names=[mods]"], "metrics.names=[mods]: not registered. Did you mean 'modes'?"),
    (
        ["training.steps=5", "training.epochs=3"],
        "training.steps=5 and training.epochs=3: both give the run's length; give one",
    ),
    (
        ["training={steps: 5}", "training.epochs=3"],
        "training.steps=5 and training.epochs=3: both give the run's length; give one",
    ),
    (
        ["training.epochs=null"],
        "training.steps or training.epochs must be given: both are null",
    ),
    (
        ["optimizer.lr=1,2"],
        "optimizer.lr=1,2: several values need --multirun (-m); for a list write "
        "optimizer.lr=[1,2], for a text with commas quote it twice: \"optimizer.lr='1,2'\"",
    ),
    (["model=vgan,wgan"], "model=vgan,wgan: several values need --multirun (-m)"),
]


@pytest.fixture(scope="module")
def composer() -> Composer:
    return Composer()


@pytest.mark.parametrize(("overrides", "message"), REFUSED)
def test_refused_in_one_line(composer: Composer, overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        composer.compose(overrides)
    text = str(caught.value)
    assert text.startswith(message)
    assert "\n" not in text
    assert "use +" not in text


def test_config_is_resolved_and_without_hydra() -> None:
    config = compose_run(["model=wgan", "dataset=ring8"])
    assert "hydra" not in config
    plain = OmegaConf.to_container(config, resolve=False)
    assert isinstance(plain, dict)
    assert plain["name"] == "wgan_ring8"
    assert list(plain) == list(schema.Run.__dataclass_fields__)
    assert OmegaConf.get_type(config, "model") is schema.AdversarialModel


@pytest.mark.parametrize(
    ("overrides", "name", "settled"),
    [
        (["dataset=ring8"], "mlp", ("network=mlp",)),
        (["network=auto"], "mlp", ("network=mlp",)),  # gauss2d would choose its own
        (["dataset=gauss2d"], "mlp", ()),
        (["model=bilinear"], "scalars", ()),
        (["model=bilinear", "network=auto"], "scalars", ("network=scalars",)),
        (["dataset=ring8", "network=mlp_wgan_gp"], "mlp", ()),
    ],
)
def test_auto_network_fits_the_data(
    overrides: list[str], name: str, settled: tuple[str, ...]
) -> None:
    composed = Composer().compose(overrides)
    assert composed.config.network.name == name
    assert composed.settled == settled


def test_auto_network_takes_the_networks_keys() -> None:
    config = compose_run(["dataset=ring8", "network.generator.widths=[64]"])
    assert config.network.generator.widths == [64]
    assert config.network.discriminator.widths == [128, 128, 128]


@pytest.mark.parametrize(
    ("overrides", "steps", "epochs"),
    [
        ([], None, 1000.0),
        (["training.steps=5"], 5, None),
        (["training={steps: 5}"], 5, None),
        (["dataset=ring8", "training=bilinear"], 200, None),
        (["dataset=ring8", "training.epochs=2.5"], None, 2.5),
        (["training.steps=5", "training.epochs=null"], 5, None),
        (["training.steps=null", "training.epochs=2"], None, 2.0),
        (["experiment=anatomizing_fig4"], None, 1000.0),
        (["experiment=anatomizing_fig4", "training.steps=7"], 7, None),
        (["++training.steps=5"], 5, None),
    ],
)
def test_length_typed_beats_the_presets(
    overrides: list[str], steps: int | None, epochs: float | None
) -> None:
    training = compose_run(overrides).training
    assert (training.steps, training.epochs) == (steps, epochs)


def test_a_choice_beats_what_it_stands_under() -> None:
    """Command line over experiment over model over dataset over config.yaml."""
    assert compose_run(["model=lsgan"]).loss.name == "least_squares"
    assert compose_run(["model=lsgan", "loss=hinge"]).loss.name == "hinge"
    assert compose_run(["model=wgan"]).optimizer.name == "rmsprop"
    adam = compose_run(["model=wgan", "optimizer=adam"]).optimizer
    assert (adam.name, adam.lr) == ("adam", 2e-4)  # nothing of WGAN's own rate is left
    assert compose_run(["dataset=ring8", "training=default"]).training.batch_size == 100
    experiment = compose_run(["experiment=anatomizing_fig4", "optimizer.lr=1"])
    assert (experiment.name, experiment.optimizer.lr) == ("anatomizing_fig4", 1.0)


def test_values_with_spaces_and_signs_need_no_quotes() -> None:
    config = compose_run(["dataset=table", "dataset.path=my data/a=b (1).csv", "name=a b"])
    assert config.dataset.path == "my data/a=b (1).csv"
    assert config.name == "a b"


def test_hydras_own_overrides_pass() -> None:
    config = compose_run(["hydra/launcher=basic", "hydra.run.dir=x", "hydra.verbose=true"])
    assert "hydra" not in config


# --- options of one's own --------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path) -> Path:
    for name, text in {
        "model/mine": "defaults: [vgan, _self_]\nname: mine\ncritic_steps: 2\n",
        "model/free": "name: free\nalgorithm: adversarial\nfoo: 1\nlatent_size: null\n",
        "model/lost": "name: lost\nalgorithm: nowhere\n",
        "model/nameless": "name: nameless\n",
        "experiment/group": "# @package _global_\ndefaults:\n  - override /model: srgn\n",
        "experiment/key": "# @package _global_\ntraining:\n  stps: 3\n",
        "experiment/value": "# @package _global_\ntraining:\n  batch_size: abc\n",
        "experiment/broken": "# @package _global_\ntraining: [\n",
        "experiment/both": "# @package _global_\ntraining:\n  steps: 5\n",
    }.items():
        path = tmp_path / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_own_options_compose(own: Path) -> None:
    config = compose_run(["model=mine"], config_dirs=[own])
    assert (config.model.critic_steps, config.name) == (2, "mine_gauss2d")
    with pytest.raises(ConfigError, match=r"unknown key 'model\.hiden'"):
        compose_run(["model=mine", "+model.hiden=3"], config_dirs=[own])


def test_sections_without_a_schema_are_free(own: Path) -> None:
    config = compose_run(["model=free", "+model.bar=2"], config_dirs=[own])
    assert (config.model.foo, config.model.bar) == (1, 2)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model=lost", "model.algorithm=nowhere: not registered"),
        ("model=nameless", "model.algorithm is missing"),
        ("experiment=group", "no option 'srgn' in group 'model'. Did you mean 'srgan'?"),
        ("experiment=key", "in experiment/key.yaml: unknown key 'training.stps'. Did you mean 'st"),
        ("experiment=value", "in experiment/value.yaml: training.batch_size: Value 'abc'"),
        ("experiment=broken", "a config file is not YAML"),
        ("experiment=both", "training.steps=5 and training.epochs=1000 are both set by files"),
    ],
)
def test_faults_in_own_files_are_named(own: Path, override: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compose_run([override], config_dirs=[own])
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_length_typed_settles_own_files(own: Path) -> None:
    config = compose_run(["experiment=both", "training.epochs=2"], config_dirs=[own])
    assert (config.training.steps, config.training.epochs) == (None, 2.0)


def test_missing_config_dir(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--config-dir .*nowhere: no such folder"):
        compose_run([], config_dirs=[tmp_path / "nowhere"])


# --- neighbours ------------------------------------------------------------------------------


def test_leaves_hydras_state_alone() -> None:
    before = version.VersionBase.instance().version_base
    compose_run(["dataset=ring8"])
    assert version.VersionBase.instance().version_base is before
    assert not GlobalHydra.instance().is_initialized()


def test_one_composer_gives_fresh_configs() -> None:
    composer = Composer()
    first = composer.compose(["network.generator.widths=[64]"]).config
    second = composer.compose([]).config
    assert first.network.generator.widths == [64]
    assert second.network.generator.widths == [10, 10]


def test_conf_dir_holds_the_config() -> None:
    assert (conf_dir() / "config.yaml").is_file()


def test_composing_imports_no_torch() -> None:
    code = (
        "import sys; from gan_runner.compose import compose_run; compose_run(['dataset=ring8']); "
        "print([name for name in ('torch', 'numpy', 'gan_runner.api') if name in sys.modules])"
    )
    root = Path(conf_files.__file__).parents[1]  # works uninstalled too
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
