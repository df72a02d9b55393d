"""Initial weights, by the name of the scheme."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

# Each scheme sets a weight in place; "torch" keeps what the layer's own constructor drew.
SCHEMES: dict[str, Callable[[Tensor], object]] = {
    "xavier": nn.init.xavier_uniform_,  # Glorot and Bengio 2010
    "he": lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="relu"),  # He et al. 2015
    "normal": lambda weight: nn.init.normal_(weight, 0.0, 0.02),  # Radford et al. 2016
    "orthogonal": nn.init.orthogonal_,  # Saxe et al. 2014
}


def initialise(network: nn.Module, scheme: str) -> nn.Module:
    """Draw the weights of linear and convolutional layers anew and zero their biases.

    "normal" also draws BatchNorm's gains, from N(1, 0.02), as the code of Radford et al. 2016 does.
    Runs inside the constructor's random stream (`streams.seeded_globally`).
    """
    if scheme == "torch":
        return network
    gains = (nn.BatchNorm1d, nn.BatchNorm2d) if scheme == "normal" else ()
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            SCHEMES[scheme](layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, gains) and layer.affine:
            nn.init.normal_(layer.weight, 1.0, 0.02)
    return network
