"""The small convolutional network that the classifiers are."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

Stages = Sequence[Sequence[int]]


class ConvClassifier(nn.Module):
    """3 x 3 convolutions with BatchNorm and ReLU, halved between stages; features are averages.

    The features are the last convolution's channels averaged over the image, as Inception's
    2,048 are; one linear layer makes the logits of them.

    stages: the channels of each convolution, a 2 x 2 max-pooling between two stages.
    """

    def __init__(self, *, channels: int, stages: Stages, num_classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = channels
        for number, stage in enumerate(stages):
            if number:
                layers.append(nn.MaxPool2d(2))
            for wider in stage:
                layers += _convolution(width, wider)
                width = wider
        self.convolutions = nn.Sequential(*layers)
        self.head = nn.Linear(width, num_classes)
        self.num_features = width

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features [N, d] and logits [N, K] of images [N, C, H, W] in [-1, 1]."""
        # Black is 0 inside, so that the convolutions' padding goes on with the background.
        maps: Tensor = self.convolutions((images + 1) / 2)  # [N, d, h, w]
        features = maps.mean(dim=(2, 3))  # [N, d]
        return features, self.head(features)


def _convolution(inputs: int, outputs: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]
