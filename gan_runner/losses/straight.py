"""Derivatives of derivatives through ReLUs, without the part that is always zero.

A penalty on a critic's gradient is differentiated twice. ReLU and LeakyReLU are straight lines
almost everywhere, so their second derivative is zero; autograd does not know it, and carries the
zeros back through every layer below, which costs as much as one more backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


class StraightLines(TorchFunctionMode):
    """Inside, ReLU and LeakyReLU are products of their input and a slope that is a constant.

    Values and first derivatives are those of the functions of PyTorch; at zero as well, where both
    take the slope of the negative side.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call `func`, or its stand-in."""
        del types
        known: Callable[..., Any] = STRAIGHT.get(func, func)
        return known(*args, **(kwargs or {}))


def _leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    # Never in place: the input is needed for the sign of it.
    del inplace
    one, slope = (
        torch.full((), value, dtype=input.dtype, device=input.device)
        for value in (1.0, negative_slope)
    )
    return input * torch.where(input > 0, one, slope)


def _relu(input: Tensor, inplace: bool = False) -> Tensor:
    return _leaky_relu(input, 0.0, inplace)


STRAIGHT: dict[Callable[..., Any], Callable[..., Tensor]] = {
    F.relu: _relu,
    F.leaky_relu: _leaky_relu,
}
