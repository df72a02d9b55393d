"""The estimate of a stack's memory: counted by hand where it can be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from gan_runner import stack_memory
from gan_runner.dispatch import dispatch, num_parameters
from gan_runner.stack_memory import COPIES, GIB, TRACED, Peak, bytes_of_replica, replicas_that_fit

Compose = Callable[..., dict[str, Any]]


def test_the_peak_is_of_what_lives_at_once() -> None:
    given = torch.empty(1000, device="meta")
    with Peak() as peak:
        first = torch.empty(100, device="meta")  # 400 bytes
        view = first.view(10, 10)
        view.add_(1)
        assert peak.most == 400
        second = first + given[:100]
        del first, view
        assert peak.most == 800
        third = second * 2
        del second
        fourth = third.double()  # 400 + 800
        assert peak.most == 1200
        del third, fourth
    assert peak.most == 1200


def test_bytes_of_a_replica(compose: Compose) -> None:
    config = compose("model=vgan")
    run = dispatch(config)
    parameters = 4 * num_parameters(run.host(run.streams()))
    small = bytes_of_replica(config)
    # The walk holds the weights, their gradients and the moments at least.
    assert small > (COPIES + 2 * TRACED) * parameters
    size = config["training"]["batch_size"]
    large = bytes_of_replica(compose("model=vgan", f"training.batch_size={3 * size}"))
    widths = 10 + 2  # G's at the least, and its samples
    assert TRACED * 4 * 2 * size * widths < large - small < 3 * small
    assert bytes_of_replica(config) == small


def test_replicas_that_fit(compose: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    config = compose("model=srgan")
    monkeypatch.setattr(stack_memory, "bytes_of_replica", lambda _: GIB // 8)
    assert replicas_that_fit(config, 2.0) == 16
    assert replicas_that_fit(config, 0.1) == 0
    monkeypatch.setattr(stack_memory, "free_bytes", lambda _: 2 * GIB)
    assert replicas_that_fit(config, None) == 8
    monkeypatch.setattr(stack_memory, "free_bytes", lambda _: None)
    assert replicas_that_fit(config, None) is None


def test_nothing_is_said_of_a_run_that_cannot_be_walked(compose: Compose) -> None:
    config = compose("model=vgan")
    config["dataset"] |= {"builder": "table", "path": "nowhere.csv"}
    assert replicas_that_fit(config, 1.0) is None


def test_free_memory_of_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    found = stack_memory.free_bytes(torch.device("cpu"))
    assert found is None or 2**20 < found < 2**50
    monkeypatch.setattr(stack_memory, "_available", lambda: 500)
    monkeypatch.setattr(stack_memory, "_left_of_group", lambda: 300)
    assert stack_memory.free_bytes(torch.device("cpu")) == 300
    monkeypatch.setattr(stack_memory, "_left_of_group", lambda: None)
    assert stack_memory.free_bytes(torch.device("cpu")) == 500
    monkeypatch.setattr(stack_memory, "_available", lambda: None)
    assert stack_memory.free_bytes(torch.device("cpu")) is None
