"""Arms that are small or short enough for many seeds on two cores: digits (8 x 8 pixels), MNIST.

Several papers' figures share them, and so their runs. What convolutions are good for shows on MNIST
alone: on 8 x 8 pixels there is little for them to find.
"""

from __future__ import annotations

from gan_runner.figures.figure import Arm

WIDTH = 128  # of G's first layer, and of D's last
METRIC = "frechet_classifier_distance"
LABEL = "Fréchet classifier distance"


def perceptron(*further: str, model: str = "vgan", g: int = WIDTH, d: int = WIDTH) -> Arm:
    """The perceptrons of `overview`, made smaller: G g-2g with BatchNorm, D 2d-d."""
    return Arm(
        overrides=(
            f"model={model}", "dataset=digits", "network=mlp_overview", "optimizer=adam_dcgan",
            f"network.generator.widths=[{g},{2 * g}]",
            f"network.discriminator.widths=[{2 * d},{d}]", *further,
        ),
        stacked=True,
    )  # fmt: skip


VGAN = perceptron()


def convolutions(*further: str, model: str = "dcgan", along: bool = False) -> Arm:
    """DCGAN's networks, 32 channels wide, for as many steps as the perceptrons."""
    return Arm(
        overrides=(
            f"model={model}", "dataset=digits", *further, "network.generator.width=32",
            "network.discriminator.width=32",
        ),
        along=along,
    )  # fmt: skip


BRIEFLY = "all for the same number of epochs: four at scale cpu, over seeds."


def brief(experiment: str) -> Arm:
    """A paper's setting on MNIST, at cpu scale for four epochs, whatever its networks are."""
    return Arm(experiment=experiment, cpu=("training.epochs=4",))


DCGAN = convolutions("network=dcgan", "optimizer=adam_dcgan")
