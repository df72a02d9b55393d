"""From a config to a run: lengths, numbers, devices, threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch

from gan_runner import api, dispatch
from gan_runner.dispatch import Run, collect_numbers, count_steps, find_device, num_threads
from gan_runner.hosts import Solo

MakeRun = Callable[..., Run]
Compose = Callable[..., dict[str, Any]]


# --- length --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("training", "num_train", "expected"),
    [
        ({"steps": 7, "epochs": None, "batch_size": 100}, 1500, 7),
        ({"steps": 7, "epochs": None, "batch_size": 1}, 0, 7),
        ({"steps": None, "epochs": 1000, "batch_size": 100}, 1500, 15_000),
        ({"steps": None, "epochs": 1000, "batch_size": 200}, 3000, 15_000),
        ({"steps": None, "epochs": 3, "batch_size": 40}, 100, 8),  # 7.5, to the even
        ({"steps": None, "epochs": 0.5, "batch_size": 10}, 100, 5),
        ({"steps": None, "epochs": 1, "batch_size": 1000}, 100, 1),
    ],
)
def test_a_length_in_steps(training: dict[str, Any], num_train: int, expected: int) -> None:
    assert count_steps(training, num_train) == expected


def test_epochs_without_data() -> None:
    with pytest.raises(ValueError, match=r"training\.epochs: this game has no data"):
        count_steps({"steps": None, "epochs": 3.0, "batch_size": 1}, 0)


# --- numbers -------------------------------------------------------------------------------------


def test_numbers_are_the_floats_of_model_loss_and_penalty(make_run: MakeRun) -> None:
    run = make_run(
        "model=srgan", "model.lambda_adversarial=0.5", "penalty=gradient_penalty", "model.ema=0.9"
    )
    assert run.numbers == {
        "model.lambda_adversarial": 0.5, "model.pretrain_share": 0.0, "model.ema": 0.9,
        "model.content_scale": 1 / 12.75,
        "loss.real_label": 0.95, "loss.fake_label": 0.05, "loss.generator_label": 1.0,
        "penalty.weight": 10.0, "penalty.target": 1.0,
    }  # fmt: skip


def test_every_number_of_the_schema_is_collected(compose: Compose) -> None:
    """A typed integer (`model.lambda_l1=1`) is a number too."""
    config = compose("model=cgan", "model.lambda_l1=2", "loss=least_squares", "loss.a=-1",
                     "penalty=r1", "penalty.weight=3", "model.clip=1")  # fmt: skip
    found = collect_numbers(config)
    assert found["model.lambda_l1"] == 2.0
    assert (found["loss.a"], found["loss.b"], found["loss.c"]) == (-1.0, 1.0, 1.0)
    assert found["penalty.weight"] == 3.0
    assert found["model.clip"] == 1.0
    assert all(isinstance(value, float) for value in found.values())


def test_numbers_survive_the_run_folder(compose: Compose, tmp_path: Any) -> None:
    config = compose("model=wgan_gp", "optimizer.lr=1e-20", "penalty.weight=1e5", "loss=hinge",
                     "model.clip=1e-6")  # fmt: skip
    api.write_config(tmp_path, config, [])
    assert api.read_config(tmp_path) == config
    assert collect_numbers(api.read_config(tmp_path)) == collect_numbers(config)


def test_a_host_holds_numbers_as_tensors_of_its_precision(make_run: MakeRun) -> None:
    for precision, dtype in (("fp32", torch.float32), ("fp64", torch.float64)):
        run = make_run("model=cgan", f"device.precision={precision}", "model.lambda_l1=0.1")
        number = run.host(run.streams()).numbers["model.lambda_l1"]
        assert (number.shape, number.dtype) == ((), dtype)
        assert number.item() == pytest.approx(0.1, rel=1e-7 if dtype == torch.float32 else 1e-15)


# --- parts ---------------------------------------------------------------------------------------


def test_the_parts_of_a_run(make_run: MakeRun) -> None:
    run = make_run("model=wgan_gp", "dataset=ring8", "training.steps=9")
    assert run.num_steps == 9
    assert run.device == torch.device("cpu")
    assert set(run.recipe.networks) == {"G", "D"}
    assert run.dataset.name == "ring8"
    assert run.tensors("train", torch.float64)["real"].dtype == torch.float64
    assert run.tensors("train", torch.float64)["real"].shape == (60, 2)


def test_a_game_without_data_has_no_tensors(make_run: MakeRun) -> None:
    assert make_run("model=bilinear").tensors("train", torch.float32) == {}


def test_a_data_set_keeps_the_name_of_its_option(make_run: MakeRun) -> None:
    # ring8 and ring8_pacgan share a builder.
    run = make_run("model=vgan", "dataset=ring8_pacgan", "dataset.num_samples=20")
    assert run.dataset.name == "ring8_pacgan"


def test_an_algorithm_without_a_discriminator_takes_no_loss(make_run: MakeRun) -> None:
    run = make_run("model=mlp", "loss=hinge", "penalty=r1")
    (stage,) = run.recipe.stages
    assert [move.player for move in stage.moves] == ["G"]


def test_a_penalty_of_weight_zero_changes_nothing(
    make_trainer: Callable[..., Any], weights: Callable[[Solo], dict[str, torch.Tensor]]
) -> None:
    found = []
    for penalty in (("penalty=none",), ("penalty=r1", "penalty.weight=0")):
        trainer = make_trainer("model=vgan", "network=mlp", "device.precision=fp64", *penalty)
        trainer.train()
        found.append(weights(trainer.host))
    for key, value in found[0].items():
        torch.testing.assert_close(value, found[1][key], rtol=1e-10, atol=1e-14)


# --- devices -------------------------------------------------------------------------------------


def section(name: str, precision: str = "fp32", index: int = 0) -> Mapping[str, Any]:
    return {"name": name, "precision": precision, "index": index}


def test_the_cpu_and_meta() -> None:
    assert find_device(section("cpu")) == torch.device("cpu")
    assert find_device(section("meta")) == torch.device("meta")


@pytest.mark.parametrize(
    ("gpus", "mps", "precision", "expected"),
    [
        (2, False, "fp32", "cuda:0"),
        (0, True, "fp32", "mps"),
        (0, True, "fp64", "cpu"),
        (0, False, "fp32", "cpu"),
        (1, True, "fp64", "cuda:0"),
    ],
)
def test_auto(
    gpus: int, mps: bool, precision: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert find_device(section("auto", precision)) == torch.device(expected)


@pytest.mark.parametrize(
    ("given", "gpus", "mps", "message"),
    [
        (section("cuda"), 0, False, "device=cuda, device.index=0: none found"),
        (section("cuda", index=2), 2, False, "device.index=2: 2 found"),
        (section("mps"), 0, False, "device=mps: no Apple GPU found"),
        (section("mps", "fp64"), 0, True, "device.precision=fp64"),
    ],
)
def test_a_device_that_is_not_there(
    given: Mapping[str, Any], gpus: int, mps: bool, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    with pytest.raises(ValueError, match=message.replace(".", r"\.")) as caught:
        find_device(given)
    assert "\n" not in str(caught.value)
    assert "device=cpu" in str(caught.value)


# --- threads -------------------------------------------------------------------------------------


def test_small_networks_get_one_thread(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run("model=vgan")
    host = run.host(run.streams())
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    assert num_threads({"threads": None}, host) == 1
    assert num_threads({"threads": 3}, host) == 3
    monkeypatch.setattr(dispatch, "SMALL", 1)
    assert num_threads({"threads": None}, host) == 8
