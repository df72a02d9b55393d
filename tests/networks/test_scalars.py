"""A network that is one number."""

from __future__ import annotations

import torch

from gan_runner.networks.scalars import Scalar


def test_a_scalar_is_its_only_parameter() -> None:
    network = Scalar(2)
    (parameter,) = network.parameters()
    assert network() is parameter
    assert parameter.shape == ()
    assert parameter.dtype == torch.float32
    assert parameter.item() == 2.0
    assert parameter.requires_grad
