"""`gan_runner.load`: a run's networks, as a notebook uses them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

import gan_runner
from gan_runner import api

QUIET = ["device.name=cpu", "metrics.names=[]", "training.num_samples=16"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> api.Result:
    """A run that draws from noise, with a best checkpoint before the last."""
    overrides = [
        "dataset=gauss2d", "dataset.num_per_mode=20", "dataset.num_validation=30",
        "device.name=cpu", "training.steps=6", "training.num_samples=16",
        "metrics.names=[mmd]", "metrics.every=4", "metrics.num_generated=50",
    ]  # fmt: skip
    return api.run(overrides, folder=tmp_path_factory.mktemp("runs") / "plain")


@pytest.fixture(scope="module")
def paired(tmp_path_factory: pytest.TempPathFactory) -> api.Result:
    """A regression on gauss3d: 21 test rows, 7 a mode, in the order of the modes."""
    overrides = [
        "model=mlp", "dataset=gauss3d", "dataset.num_per_mode=20", "dataset.num_test=21",
        "dataset.num_validation=21", "training.steps=30", "optimizer.lr=0.01", *QUIET,
    ]  # fmt: skip
    return api.run(overrides, folder=tmp_path_factory.mktemp("runs") / "paired")


def test_the_networks_are_the_trained_ones_and_ready_to_use(plain: api.Result) -> None:
    loaded = gan_runner.load(plain.folder)
    assert set(loaded.networks) == {"G", "D"}
    assert (loaded.step, loaded.checkpoint, loaded.config["model"]["name"]) == (6, "last", "vgan")
    for letter, network in loaded.networks.items():
        assert not network.training
        assert not any(parameter.requires_grad for parameter in network.parameters())
        for name, value in plain.networks[letter].state_dict().items():
            assert torch.equal(network.state_dict()[name], value)
    points = loaded.networks["G"](torch.zeros(3, 2))
    assert points.shape == (3, 2)
    assert loaded.networks["D"](points).shape[0] == 3


def test_a_checkpoint_of_other_networks_is_refused(plain: api.Result, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(plain.folder, folder)
    path = folder / "checkpoints" / "last.pt"
    state = torch.load(path, weights_only=True)
    state["host"]["networks"]["Q"] = state["host"]["networks"].pop("G")
    torch.save(state, path)
    with pytest.raises(ValueError, match=r"last\.pt has no weights of G: another gan_runner"):
        gan_runner.load(folder)


def test_samples_are_gs_output_in_data_units(plain: api.Result) -> None:
    loaded = gan_runner.load(plain.folder)
    samples = loaded.sample(10, seed=3)
    assert (samples.shape, samples.dtype, samples.device.type) == ((10, 2), torch.float32, "cpu")
    prior = loaded.prepared.recipe.sample_priors["z"]
    generator = torch.Generator().manual_seed(3)
    z = prior.draw(10, generator, torch.device("cpu"), torch.float32)
    dataset = loaded.prepared.dataset
    by_hand = loaded.networks["G"](z) * dataset.scale.float() + dataset.offset.float()
    torch.testing.assert_close(samples, by_hand, atol=1e-5, rtol=0)
    assert not any(network.training for network in loaded.networks.values())
    assert torch.equal(samples, loaded.sample(10, seed=3))
    assert not torch.equal(samples, loaded.sample(10, seed=4))
    assert loaded.sample().shape == (1000, 2)


def test_checkpoints_by_name(plain: api.Result) -> None:
    best, last = (gan_runner.load(plain.folder, checkpoint_name=name) for name in ("best", "last"))
    assert (best.step, last.step) == (4, 6)
    assert best.checkpoint == "best mmd on validation, step 4"
    assert not torch.equal(best.sample(5), last.sample(5))
    same = gan_runner.load(plain.folder, checkpoint_name="best.pt", device=None)
    assert torch.equal(same.sample(5), best.sample(5))


def test_a_checkpoint_of_another_name_says_its_step(plain: api.Result, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(plain.folder, folder)
    shutil.copy(folder / "checkpoints" / "best.pt", folder / "checkpoints" / "early.pt")
    assert gan_runner.load(folder, checkpoint_name="early").checkpoint == "early, step 4"
    shutil.copy(folder / "checkpoints" / "best.pt", folder / "checkpoints" / "last.pt")
    assert gan_runner.load(folder).checkpoint == "step 4"  # of 6: the run is not at its end


def test_what_is_not_there_is_named(plain: api.Result, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no run folder"):
        gan_runner.load(tmp_path)
    with pytest.raises(ValueError, match=r"has no checkpoint 'first'; it has best, last$"):
        gan_runner.load(plain.folder, checkpoint_name="first")
    shutil.copy(plain.folder / "config.yaml", tmp_path / "config.yaml")
    with pytest.raises(ValueError, match=r"has no checkpoint yet$"):
        gan_runner.load(tmp_path)


# --- paired games ----------------------------------------------------------------------------


def test_paired_samples_answer_the_rows_of_a_split(paired: api.Result) -> None:
    loaded = gan_runner.load(paired.folder)
    everything = loaded.sample()
    dataset = loaded.prepared.dataset
    by_hand = dataset.unscale(loaded.networks["G"](dataset.splits["test"]["low"]))
    torch.testing.assert_close(everything, by_hand, atol=1e-5, rtol=0)
    assert everything.shape == (21, 3)
    assert torch.equal(loaded.sample(500), everything)
    few = loaded.sample(3)  # evenly spread, so that each of the three modes is there
    torch.testing.assert_close(few, everything[[0, 10, 20]], atol=1e-5, rtol=0)
    assert torch.equal(loaded.sample(5), loaded.sample(5, seed=9))  # no noise: no seed
    assert loaded.sample(100, split="train").shape == (60, 3)


def test_inputs_of_ones_own_are_in_data_units(paired: api.Result) -> None:
    loaded = gan_runner.load(paired.folder)
    dataset = loaded.prepared.dataset
    low = dataset.splits["test"]["low"].double() * dataset.scale[:2] + dataset.offset[:2]
    assert low.max() > 50
    made = loaded.sample(low=low)
    torch.testing.assert_close(made, loaded.sample(), atol=1e-4, rtol=0)
    assert torch.equal(loaded.sample(4, low=low.float()), loaded.sample(low=low[:4].float()))


def test_what_does_not_fit_the_game_is_refused(plain: api.Result, paired: api.Result) -> None:
    noise, regression = gan_runner.load(plain.folder), gan_runner.load(paired.folder)
    with pytest.raises(ValueError, match="num=0: must be at least 1"):
        noise.sample(0)
    with pytest.raises(ValueError, match="vgan_gauss2d makes its samples from noise alone"):
        noise.sample(low=torch.zeros(3, 2))
    for shape in ((3, 3), (2,), (0, 2)):
        with pytest.raises(ValueError, match=r"inputs: shape \(.*\), must be \[N, 2\], N > 0"):
            regression.sample(low=torch.zeros(shape))
    with pytest.raises(ValueError, match="split='all': must be one of train, validation, test"):
        regression.sample(split="all")


def test_a_game_without_samples(tmp_path: Path) -> None:
    api.run(["model=bilinear", "training.steps=2", "device.name=cpu"], folder=tmp_path / "run")
    loaded = gan_runner.load(tmp_path / "run")
    assert loaded.networks["a"]().shape == ()
    with pytest.raises(ValueError, match="bilinear_none is a game without samples"):
        loaded.sample(3)
