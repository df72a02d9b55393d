"""Every option of a run's configuration: name, type, unit, range and meaning.

The dataclasses below type the YAML files in `conf/`. This module imports neither torch nor any
model, so that composing and checking a config stays a matter of milliseconds.

Every float of the groups model, loss and penalty is handed to objectives and hooks as a 0-dim
tensor under its config path (`h["model.lambda_adversarial"]`), so that replicas of one run may
differ in it; `number(...)` marks the fields that something reads there. All else is made with
`option(...)` and decides structure: which code runs, which shapes there are.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, is_dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

UPDATES = ("alternating", "simultaneous", "extragradient")
ACTIVATIONS = ("relu", "leaky_relu", "elu", "tanh", "sigmoid", "softplus", "identity", "maxout")
OUTPUTS = tuple(name for name in ACTIVATIONS if name != "maxout")  # maxout has units of its own
NORMS = ("none", "batch", "layer")
IMAGE_NORMS = ("none", "batch", "instance", "layer")
UPSAMPLINGS = ("transposed", "nearest")
INITIALISATIONS = ("torch", "xavier", "he", "normal", "orthogonal")
CONTENTS = ("squared_error", "squared_norm", "absolute_error")
PRIORS = ("normal", "uniform")
AUGMENTATIONS = ("flip", "rotate", "translate", "geometry", "colour")
SCHEDULES = ("constant", "linear", "cosine", "piecewise")


def option(
    default: Any,
    meaning: str,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: Sequence[str | bool] | None = None,
    unit: str | None = None,
    is_number: bool = False,
    zero_is_none: bool = False,
) -> Any:
    """A documented field. `low`/`high` are inclusive bounds, `above`/`below` exclusive ones.

    zero_is_none: with 0 the code does without the number, so it decides structure there.
    """
    metadata = {
        "meaning": meaning,
        "low": low,
        "high": high,
        "above": above,
        "below": below,
        "choices": choices,
        "unit": unit,
        "is_number": is_number,
        "zero_is_none": zero_is_none,
    }
    if isinstance(default, list | dict) or is_dataclass(default):
        return field(default_factory=lambda: copy.deepcopy(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def number(default: float | None, meaning: str, **bounds: Any) -> Any:
    """A field that objectives read through `h` as a 0-dim tensor (see the module's text)."""
    return option(default, meaning, is_number=True, **bounds)


# --- model -----------------------------------------------------------------------------------


@dataclass
class Model:
    """What every model has."""

    name: str = option(MISSING, "the option's own name, used in run folders and tables")
    algorithm: str = option(MISSING, "the registered algorithm that builds the game")


@dataclass
class GameModel(Model):
    """A model with a generator and one discriminator (critic)."""

    update: str = option("alternating", "how a step's moves are carried out", choices=UPDATES)
    critic_steps: int = option(
        1, "the discriminator's updates for one of the generator (n_critic)", low=1
    )
    share_fakes: bool = option(
        False, "G and D use the same fake batch in a step, made once; D must move first"
    )
    discriminator_in_eval: bool = option(
        False, "D is in evaluation mode (dropout off) while the generator's gradient is taken"
    )
    clip: float | None = number(
        None, "D's weights are clipped to [-clip, clip] after its update (WGAN); null: not", above=0
    )
    ema: float | None = number(
        None,
        "decay of the generator's moving average, used for sampling (less in the first updates: "
        "(1 + n) / (10 + n) after n); null: none",
        low=0,
        below=1,
    )


@dataclass
class LatentModel(GameModel):
    """A model whose generator starts from noise."""

    latent_size: int | None = option(
        None,
        "numbers in z; null: 100 for images, 2 beside a paired input, else as many as a sample has",
        low=1,
    )
    prior: str = option("normal", "z ~ N(0, 1) or U(-1, 1)", choices=PRIORS)
    output_noise: float = number(
        0.0,
        "standard deviation of Gaussian noise on G's output, where D sees it; 0: none",
        low=0,
        zero_is_none=True,
    )


@dataclass
class AdversarialModel(LatentModel):
    """G maps noise to data, D scores data (Goodfellow et al. 2014 and its variants)."""

    pack: int = option(1, "samples that D sees concatenated (PacGAN, Lin et al. 2018)", low=1)


@dataclass
class SrganModel(GameModel):
    """G maps low-dimensional data to its high-dimensional pair (Ledig et al. 2017)."""

    content: str = option("squared_error", "the content loss", choices=CONTENTS)
    content_features: str | None = option(
        None,
        "network in whose features the game's content loss is taken: vgg19, efficientnet_lite0 (or "
        "1, 2), a shipped classifier, a .safetensors file of one or torchvision:<network>; null: "
        "pixels",
    )
    content_layer: str = option(
        "5_4",
        "its layer, a module's path; of vgg19 5_4 or 2_2, conv5_4 before the activation; several, "
        "which count alike, as a+b",
    )
    content_scale: float = number(
        1 / 12.75, "features are multiplied by this (1/12.75 for VGG)", above=0
    )
    content_norm: str | None = option(
        None,
        "unit: each place's features have a root mean square of 1 before they are compared; null: "
        "as they are",
        choices=("unit",),
    )
    lambda_pixels: float | None = number(
        None, "weight of the content of pixels beside that in features; null: none", low=0
    )
    lambda_adversarial: float = number(1.0, "weight of the adversarial term", low=0)
    pretrain_share: float = option(
        0.0, "share of the run in which G learns on the content loss (of pixels) alone", low=0,
        below=1,
    )  # fmt: skip


@dataclass
class RegressionModel(Model):
    """SRGAN's generator trained on the content loss alone."""

    content: str = option("squared_error", "the content loss", choices=CONTENTS)
    ema: float | None = number(
        None, "decay of the generator's moving average; null: none", low=0, below=1
    )


@dataclass
class ConditionalModel(LatentModel):
    """G maps a condition and noise to data, D scores the pair (Mirza and Osindero 2014).

    The condition is the paired input where the data have one (Isola et al. 2017), else the label.
    """

    lambda_l1: float = number(1.0, "weight of the L1 distance to the pair (paired data)", low=0)


@dataclass
class AcganModel(LatentModel):
    """D also tells the class, and G makes samples of a class (Odena et al. 2017)."""

    lambda_class: float = number(1.0, "weight of the class terms", low=0)


@dataclass
class InfoganModel(LatentModel):
    """G's codes can be read from its samples by Q (Chen et al. 2016)."""

    latent_size: int | None = option(62, "numbers in z, beside the codes; null: 62", low=1)
    num_categories: int = option(10, "values of the categorical code", low=2)
    num_continuous: int = option(2, "continuous codes, drawn from U(-1, 1)", low=0)
    lambda_categorical: float = number(1.0, "weight of the categorical code's information", low=0)
    lambda_continuous: float = number(0.1, "weight of the continuous codes' information", low=0)


@dataclass
class StyleganModel(LatentModel):
    """G is a mapping network and a synthesis network that is given styles (Karras et al. 2019)."""

    latent_size: int | None = option(512, "numbers in z; null: 512", low=1)
    mixing: float = option(
        0.9, "probability that an image's styles come from two z; 0: never", low=0, high=1
    )
    grows: bool = option(True, "resolutions are trained one after the other (Karras et al. 2018)")
    first_size: int = option(8, "the resolution at which growing begins", low=4, unit="pixels")
    growth_share: float = option(
        0.5, "share of the run before the data's own resolution, in equal stages", above=0, below=1
    )
    fade_share: float = option(
        0.5, "how long a resolution comes in, as a share of such a stage; 0: at once",
        low=0, high=1,
    )  # fmt: skip
    penalty_exponent: float | None = number(
        None,
        "a stage of r of the data's R pixels a side has (r / R)^this of the penalty's weight; "
        "null: all of it, as published",
        low=0,
    )
    lazy_correction: bool = option(
        True, "with k = every of a lazy term, lr and betas are taken to k / (k + 1) (StyleGAN2, B)"
    )
    path_weight: float = number(
        0.0, "weight of the path-length regularisation (StyleGAN2: 2); 0: none", low=0,
        zero_is_none=True,
    )  # fmt: skip
    path_every: int = option(
        4, "steps from one path-length term to the next; the weight is multiplied by it", low=1
    )
    augment: list[str] = option(
        [], "what D sees data and G's images through (ADA); []: nothing", choices=AUGMENTATIONS
    )
    augment_p: float = option(0.0, "probability of each augmentation at the start", low=0, high=1)
    augment_target: float | None = number(
        0.6, "the mean sign of D's outputs on data that p is led to; null: p stays", low=-1, high=1
    )
    augment_images: float = number(
        500_000.0, "images in which p can go from 0 to 1", above=0, unit="images"
    )


@dataclass
class BilinearModel(Model):
    """The game v(a, b) = a b of two scalars: a minimises, b maximises."""

    update: str = option("alternating", "how a step's moves are carried out", choices=UPDATES)
    start: list[float] = option([1.0, 1.0], "the first a and b")
    r1: float | None = number(
        None, "weight of 1/2 (dv/da)^2 in b's cost, R1's form here; null: none", above=0
    )


# --- loss and penalty ------------------------------------------------------------------------


@dataclass
class Loss:
    """A pair of losses of D's and G's logits, without numbers of its own."""

    name: str = option(MISSING, "the registered loss")


@dataclass
class SmoothedLoss(Loss):
    """Cross-entropy losses whose targets may be smoothed."""

    real_label: float = number(1.0, "D's target for real data", low=0, high=1)
    fake_label: float = number(0.0, "D's target for generated data", low=0, high=1)


@dataclass
class NonsaturatingLoss(SmoothedLoss):
    """-log D(G(z)): the generator's target may be smoothed too."""

    generator_label: float = number(1.0, "G's target for D of its data", low=0, high=1)


@dataclass
class LeastSquaresLoss(Loss):
    """The targets of LSGAN (Mao et al. 2017)."""

    a: float = number(0.0, "D's target for generated data")
    b: float = number(1.0, "D's target for real data")
    c: float = number(1.0, "the value of D that G wants for its data")


@dataclass
class NoPenalty:
    """No penalty on D."""

    name: str = option("none", "the registered penalty")


@dataclass
class Penalty(NoPenalty):
    """A penalty on D's gradient with respect to its input."""

    weight: float = number(1.0, "the penalty's weight (lambda, gamma)", low=0)
    every: int = option(
        1, "steps from one penalty to the next; the weight is multiplied by it (lazy)", low=1
    )


@dataclass
class TargetPenalty(Penalty):
    """A penalty that draws the gradient's norm to a target."""

    target: float = number(1.0, "the gradient norm that costs nothing", low=0)


# --- network ---------------------------------------------------------------------------------


@dataclass
class Mlp:
    """A multi-layer perceptron; the sizes of its input and output follow from the data."""

    widths: list[int] = option([128, 128, 128], "units of each hidden layer", low=1)
    activation: str = option("leaky_relu", "of the hidden layers", choices=ACTIVATIONS)
    slope: float = option(0.2, "LeakyReLU's slope below zero", low=0)
    maxout_pieces: int = option(5, "linear pieces of a maxout unit", low=2)
    dropout: float = option(0.0, "share of hidden units switched off in training", low=0, below=1)
    norm: str = option("none", "normalisation of the hidden layers", choices=NORMS)
    norm_first: bool = option(True, "the first hidden layer is normalised too")
    spectral: bool = option(False, "spectral normalisation of every weight (Miyato et al. 2018)")
    output: str = option("identity", "activation of the output", choices=OUTPUTS)
    initialisation: str = option("torch", "of the weights", choices=INITIALISATIONS)


@dataclass
class AutoNetwork:
    """Stands for the network that fits the data; replaced before the run."""

    name: str = option("auto", "the registered network family")


@dataclass
class MlpNetwork:
    """Two multi-layer perceptrons."""

    name: str = option("mlp", "the registered network family")
    generator: Mlp = option(Mlp(), "the generator")
    discriminator: Mlp = option(Mlp(), "the discriminator (critic)")


@dataclass
class ConvNet:
    """What convolutional networks share; their depth follows from the image's size.

    The image is halved until its shorter side would fall below 4.
    """

    width: int = option(64, "channels at the finest level; they double at each halving", low=1)
    max_width: int = option(512, "channels of a level at most", low=1)
    channels: list[int] = option(
        [], "channels of each level from coarse to fine (G) or fine to coarse (D); []: by width",
        low=1,
    )  # fmt: skip
    activation: str = option("relu", "of the hidden layers", choices=OUTPUTS)
    slope: float = option(0.2, "LeakyReLU's slope below zero", low=0)
    norm: str = option("batch", "normalisation", choices=IMAGE_NORMS)
    spectral: bool = option(False, "spectral normalisation of every weight (Miyato et al. 2018)")
    attention: int | None = option(
        None, "self-attention where the shorter side is nearest to this; null: none", low=1
    )
    initialisation: str = option("normal", "of the weights", choices=INITIALISATIONS)


@dataclass
class ConvGenerator(ConvNet):
    """A generator of images."""

    upsampling: str = option(
        "transposed", "4 x 4 transposed convolutions, or nearest x 2 and 3 x 3", choices=UPSAMPLINGS
    )
    condition: str = option(
        "concat",
        "how the class goes in, if there is one",
        choices=("concat", "embedding", "batch_norm"),
    )
    output: str = option("tanh", "activation of the output", choices=OUTPUTS)


@dataclass
class ConvDiscriminator(ConvNet):
    """A discriminator of images."""

    dropout: float = option(0.0, "share of units switched off in training", low=0, below=1)
    condition: str = option(
        "concat",
        "how the class goes in, if there is one",
        choices=("concat", "embedding", "projection"),
    )


@dataclass
class DcganGenerator(ConvGenerator):
    """DCGAN's generator."""

    dense: int = option(
        0, "units of a fully connected layer between z and the maps; 0: no such layer", low=0
    )


@dataclass
class DcganDiscriminator(ConvDiscriminator):
    """DCGAN's discriminator."""

    dense: int = option(
        0, "units of a fully connected layer after the maps; 0: no such layer", low=0
    )


@dataclass
class DcganNetwork:
    """Convolutions without pooling (Radford et al. 2016), for images of 8 x 8 or more."""

    name: str = option("dcgan", "the registered network family")
    generator: DcganGenerator = option(DcganGenerator(), "the generator")
    discriminator: DcganDiscriminator = option(
        DcganDiscriminator(activation="leaky_relu"), "the discriminator (critic)"
    )


@dataclass
class ResnetNetwork:
    """Residual blocks (Gulrajani et al. 2017; Miyato et al. 2018), for images of 8 x 8 or more."""

    name: str = option("resnet", "the registered network family")
    generator: ConvGenerator = option(
        ConvGenerator(width=256, max_width=256, upsampling="nearest", initialisation="xavier"),
        "the generator",
    )
    discriminator: ConvDiscriminator = option(
        ConvDiscriminator(width=128, max_width=128, norm="none", initialisation="xavier"),
        "the discriminator (critic)",
    )


@dataclass
class StyleganMapping:
    """F, which maps z to w."""

    layers: int = option(8, "fully connected layers", low=1)
    style_size: int = option(512, "units of each layer, and numbers in w", low=1)
    multiplier: float = option(0.01, "of the layers' learning rate", above=0)


@dataclass
class StyleganLevels:
    """What StyleGAN's synthesis network and discriminator share; levels follow from the size."""

    width: int | None = option(
        None, "channels at the finest level; they double at each halving; null: 16,384 / side",
        low=1,
    )  # fmt: skip
    max_width: int = option(512, "channels of a level at most", low=1)


@dataclass
class StyleganGenerator(StyleganLevels):
    """S, which makes images from styles and noise."""

    styles: str = option(
        "adain",
        "AdaIN, or modulated and demodulated weights (StyleGAN2)",
        choices=("adain", "demodulation"),
    )
    architecture: str = option(
        "plain",
        "the last level's image, or the sum of all levels' (StyleGAN2)",
        choices=("plain", "skip"),
    )
    output: str | None = option(
        None, "activation of the images; null: none, as in the paper", choices=("tanh",)
    )


@dataclass
class StyleganDiscriminator(StyleganLevels):
    """D."""

    architecture: str = option(
        "plain", "one path, or residual blocks (StyleGAN2)", choices=("plain", "residual")
    )
    group: int = option(
        4, "samples whose standard deviation D sees at most; 1: it sees none", low=1
    )
    dense: int | None = option(
        None, "units of the dense layer before the output; null: the channels at 4 x 4, as in the "
        "paper",
        low=1,
    )  # fmt: skip


@dataclass
class StyleganNetwork:
    """StyleGAN's networks, for square images of 8, 16, ... or 1024 pixels a side."""

    name: str = option("stylegan", "the registered network family")
    mapping: StyleganMapping = option(StyleganMapping(), "F, z to w")
    generator: StyleganGenerator = option(StyleganGenerator(), "S, styles to images")
    discriminator: StyleganDiscriminator = option(StyleganDiscriminator(), "D")


@dataclass
class SrResnetGenerator:
    """SRResNet: makes images of any size 2, 3 or 4 times as large, as the data say."""

    num_blocks: int = option(16, "residual blocks", low=1)
    width: int = option(64, "channels", low=1)
    norm: str = option("batch", "normalisation", choices=("none", "batch"))
    skip: str = option(
        "none", "what is added to the output: nothing, or the input enlarged bicubically (not in "
        "the paper)",
        choices=("none", "bicubic"),
    )  # fmt: skip
    initialisation: str = option("torch", "of the weights", choices=INITIALISATIONS)


@dataclass
class SrResnetDiscriminator:
    """SRGAN's discriminator: eight convolutions, the widest of 8 widths, and a dense layer."""

    width: int = option(64, "channels of the first convolution", low=1)
    norm: str = option("batch", "normalisation", choices=("none", "batch"))
    slope: float = option(0.2, "LeakyReLU's slope below zero", low=0)
    pool: int | None = option(
        None, "fields along a side that maps are averaged over before the dense layer; null: none, "
        "and the dense layer's size follows from the image's",
        low=1,
    )  # fmt: skip
    initialisation: str = option("torch", "of the weights", choices=INITIALISATIONS)


@dataclass
class SrResnetNetwork:
    """The networks of SRGAN (Ledig et al. 2017)."""

    name: str = option("srresnet", "the registered network family")
    generator: SrResnetGenerator = option(SrResnetGenerator(), "the generator")
    discriminator: SrResnetDiscriminator = option(
        SrResnetDiscriminator(), "the discriminator (critic)"
    )


# --- dataset ---------------------------------------------------------------------------------


@dataclass
class Dataset:
    """What every data set has."""

    name: str = option(MISSING, "the option's own name, used in run folders and tables")
    builder: str = option(MISSING, "the registered builder of the points")


@dataclass
class DrawnDataset(Dataset):
    """A set of points that is drawn, not read."""

    seed: int = option(0, "seed of the points; independent of training.seed")


@dataclass
class Gauss2d(DrawnDataset):
    """Three Gaussians in the plane, scaled to [0, 1] (anatomizing)."""

    means: list[float] = option([1.0, 6.0, 11.0], "mean of each mode, the same in each coordinate")
    sds: list[float] = option([0.5, 0.6, 1.0], "standard deviation of each mode", above=0)
    num_per_mode: int = option(500, "training points of each mode", low=1)
    num_validation: int = option(1500, "validation points, drawn apart", low=1)
    same_test: bool = option(True, "test on the training points, as the paper does")
    normalise: bool = option(True, "scale each coordinate to [0, 1] by the training range")


@dataclass
class Gauss3d(DrawnDataset):
    """2-D points of three Gaussians paired with 3-D ones (anatomizing's super-resolution)."""

    means: list[float] = option(
        [20.0, 40.0, 80.0], "mean of each mode, the same in each coordinate"
    )
    sds: list[float] = option([1.0, 3.0, 5.0], "standard deviation of each mode", above=0)
    num_per_mode: int = option(1000, "training points of each mode", low=1)
    num_validation: int = option(600, "validation points, drawn apart", low=3)
    num_test: int = option(600, "test points, drawn apart", low=3)
    third_coordinate: str = option(
        "after_scaling",
        "when x3 = x1/4 + 3 x2/4 is made (code: after, text: before)",
        choices=("after_scaling", "before_scaling"),
    )
    test_scaling: str = option(
        "train", "whose range scales the test set (code: its own)", choices=("train", "own")
    )


@dataclass
class DrawnMixture(DrawnDataset):
    """A set of points drawn once and divided by a number."""

    num_samples: int = option(100_000, "training points", low=1)
    num_validation: int = option(2500, "validation points", low=1)
    num_test: int = option(2500, "test points", low=1)
    divide: float = option(1.0, "the points are divided by this for training", above=0)


@dataclass
class Ring(DrawnMixture):
    """Gaussians on a circle."""

    num_modes: int = option(8, "Gaussians on the circle", low=1)
    radius: float = option(2.0, "the circle's radius", above=0)
    sd: float = option(0.02, "standard deviation of each Gaussian", above=0)


@dataclass
class Grid(DrawnMixture):
    """Gaussians on a square lattice."""

    side: int = option(5, "Gaussians along a side", low=1)
    spacing: float = option(2.0, "distance of neighbouring means", above=0)
    sd: float = option(0.05, "standard deviation of each Gaussian", above=0)


@dataclass
class Swissroll(DrawnMixture):
    """The Swiss roll's two rolled-up coordinates."""

    noise: float = option(0.25, "standard deviation of the noise, before dividing", low=0)


@dataclass
class Table(Dataset):
    """The user's own vectors, from a .csv or .npy file."""

    path: str = option(MISSING, "the file, .csv or .npy; one sample a row")
    condition: list[str] = option(
        [], "columns (names, or numbers from 0) that are the low-dimensional input of a pair"
    )
    label: str | None = option(None, "column (name, or number from 0) that holds a class")
    validation_share: float = option(0.1, "share of the rows kept for validation", above=0, below=1)
    test_share: float = option(0.2, "share of the rows kept for testing", above=0, below=1)
    normalise: str = option(
        "minmax", "scaling by the training rows", choices=("minmax", "standard", "none")
    )
    delimiter: str = option(",", "what parts the columns of a .csv")
    seed: int = option(0, "seed of the split")


@dataclass
class ImageDataset(Dataset):
    """Images, resident as bytes or read while training; networks see them in [-1, 1]."""

    classes: list[int] | None = option(None, "the classes that are kept; null: all", low=0)
    size: int | None = option(None, "resized to this side; null: as they are", low=8, unit="pixels")
    pad: int = option(0, "black pixels added on every side", low=0, unit="pixels")
    flip: bool = option(False, "each training image is mirrored with probability 1/2")
    seed: int = option(0, "seed of the split; independent of training.seed")
    memory_limit: float = option(
        4.0, "above it images are read by workers while training", above=0, unit="GiB"
    )
    workers: int = option(2, "processes that read images above memory_limit", low=0)


@dataclass
class Digits(ImageDataset):
    """scikit-learn's 1,797 digits of 8 x 8 pixels."""

    num_validation: int = option(200, "images kept for validation", low=1)
    num_test: int = option(500, "images kept for testing", low=1)


@dataclass
class DownloadedImages(ImageDataset):
    """A published set, from torchvision's files."""

    num_validation: int = option(5000, "training images kept for validation", low=1)
    path: str | None = option(
        None, "folder of the files; null: $GAN_RUNNER_DATA, else ~/.cache/gan_runner/data"
    )
    download: bool = option(True, "download what is not there")


@dataclass
class StackedImages(DownloadedImages):
    """Three random digits as the channels of one image: 1,000 modes (Metz et al. 2017)."""

    num_samples: int = option(128_000, "training images", low=1)
    num_test: int = option(26_000, "test images", low=1)


@dataclass
class FolderImages(ImageDataset):
    """The user's own images."""

    path: str = option(MISSING, "a folder of images; sub-folders are classes")
    size: int | None = option(64, "resized to this side; null: all have one size", low=8)
    crop: bool = option(True, "the centre square is cut out before resizing; else they are bent")
    channels: int | None = option(None, "1: grey, 3: RGB; null: RGB if any image has colour", low=1)
    validation_share: float = option(
        0.05, "share of the images kept for validation", above=0, below=1
    )
    test_share: float = option(0.15, "share of the images kept for testing", above=0, below=1)
    max_unreadable: float = option(
        0.01, "share of unreadable files above which the run is refused", low=0, high=1
    )


@dataclass
class Superres(Dataset):
    """Photographs and their small forms, made by bicubic down-sampling with antialiasing."""

    path: str | None = option(
        None, "a folder of images of any sizes, here or in $GAN_RUNNER_DATA; null: scikit-learn's "
        "two photographs"
    )  # fmt: skip
    test_path: str | None = option(
        None, "another folder to test on; null: a share of the images in path"
    )
    scale: int = option(4, "photographs are so many times as large", low=2, high=4)
    crop: int = option(
        96, "side of the crops that are trained on, a multiple of scale", low=16, unit="pixels"
    )
    num_crops: int = option(10_000, "random crops in an epoch, drawn once by the seed", low=1)
    num_held_crops: int = option(
        64, "crops of the validation and test splits, for pictures and logged outputs", low=1
    )
    channels: int = option(3, "1: grey, 3: RGB", low=1)
    validation_share: float = option(
        0.05, "share of the images kept for validation", above=0, below=1
    )
    test_share: float = option(0.15, "share of the images kept for testing", above=0, below=1)
    flip: bool = option(True, "each training crop is mirrored with probability 1/2")
    seed: int = option(0, "seed of the split and of the crops; independent of training.seed")
    memory_limit: float = option(
        4.0, "above it files are decoded by workers while training", above=0, unit="GiB"
    )
    workers: int = option(2, "processes that decode files above memory_limit", low=0)


@dataclass
class SuperresDigits(ImageDataset):
    """MNIST's digits and their small forms."""

    scale: int = option(4, "4: from 7 x 7 pixels, 2: from 14 x 14", low=2, high=4)
    num_validation: int = option(5000, "training images kept for validation", low=1)
    path: str | None = option(
        None, "folder of the files; null: $GAN_RUNNER_DATA, else ~/.cache/gan_runner/data"
    )
    download: bool = option(True, "download what is not there")


@dataclass
class SuperresDigitsSmall(ImageDataset):
    """scikit-learn's digits of 8 x 8 pixels and their small forms of 4 x 4."""

    scale: int = option(2, "2: from 4 x 4 pixels", low=2, high=2)
    num_validation: int = option(200, "images kept for validation", low=1)
    num_test: int = option(500, "images kept for testing", low=1)


# --- optimizer -------------------------------------------------------------------------------


@dataclass
class Schedule:
    """The learning rate over the run, as a factor of `lr`."""

    name: str = option("constant", "the form", choices=SCHEDULES)
    final: float = option(0.0, "factor at the end (linear, cosine)", low=0)
    start: float = option(
        0.0, "share of the run before the fall starts (linear, cosine)", low=0, below=1
    )
    boundaries: list[float] = option(
        [], "shares of the run where a piece ends (piecewise)", above=0, below=1
    )
    factors: list[float] = option(
        [], "factor of each piece, one more than boundaries (piecewise)", low=0
    )
    restart: bool = option(False, "make the optimizers anew at each boundary (piecewise)")
    horizon: int | None = option(
        None,
        "the schedule's length; null: the run's length, which then cannot be extended",
        low=1,
        unit="steps",
    )


@dataclass
class Optimizer:
    """What every optimizer has."""

    name: str = option(MISSING, "the registered optimizer")
    lr: float = option(2e-4, "learning rate", above=0)
    generator_lr: float | None = option(None, "the generator's own rate (TTUR)", above=0)
    discriminator_lr: float | None = option(None, "the discriminator's own rate (TTUR)", above=0)
    weight_decay: float = option(0.0, "L2 penalty on the weights", low=0)
    schedule: Schedule = option(Schedule(), "the rate over the run")


@dataclass
class Adam(Optimizer):
    """Adam (Kingma and Ba 2015)."""

    beta1: float = option(0.9, "decay of the mean of gradients", low=0, below=1)
    beta2: float = option(0.999, "decay of the mean of squared gradients", low=0, below=1)
    eps: float = option(1e-8, "added to the root of the second moment", above=0)


@dataclass
class RmsProp(Optimizer):
    """RMSProp (Tieleman and Hinton 2012)."""

    alpha: float = option(0.99, "decay of the mean of squared gradients", low=0, below=1)
    momentum: float = option(0.0, "momentum", low=0, below=1)
    eps: float = option(1e-8, "added to the root of the second moment", above=0)


@dataclass
class Sgd(Optimizer):
    """Stochastic gradient descent."""

    momentum: float = option(0.0, "momentum", low=0, below=1)


# --- training, device, metrics ---------------------------------------------------------------


@dataclass
class Streams:
    """Seeds of single random streams; null: training.seed."""

    init: int | None = option(None, "initial weights")
    order: int | None = option(None, "order of the training samples")
    flip: int | None = option(None, "which training images are mirrored")
    noise: int | None = option(None, "z and other draws of the priors")
    dropout: int | None = option(None, "dropout masks")
    metrics: int | None = option(None, "noise of evaluation and of sample pictures")


@dataclass
class Training:
    """Length, batches, seeds, and how often something is written."""

    steps: int | None = option(None, "length of the run in steps; null: given by epochs", low=1)
    epochs: float | None = option(1000, "length in passes over the data; null: by steps", above=0)
    batch_size: int = option(100, "samples in a batch", low=1)
    seed: int = option(0, "seed of weights, order, noise, dropout and evaluation")
    seeds: int = option(
        1, "replicas, with the seeds `seed`, `seed` + 1, ...: trained as one stacked model", low=1
    )
    streams: Streams = option(Streams(), "seeds of single random streams")
    log_every: int = option(50, "from one logged row to the next", low=1, unit="steps")
    sample_every: int | None = option(
        None, "from one picture of samples to the next; null: ten in a run", low=1, unit="steps"
    )
    checkpoint_every: int | None = option(
        None, "from one checkpoint to the next; null: ten in a run", low=1, unit="steps"
    )
    num_samples: int = option(1000, "points (64 images) in a picture of samples", low=1)
    init_from: str | None = option(None, "run folder or checkpoint whose weights are the first")


@dataclass
class Device:
    """Where and how the run computes."""

    name: str = option("auto", "the device", choices=("auto", "cpu", "cuda", "mps", "meta"))
    index: int = option(0, "which of several GPUs", low=0)
    precision: str = option(
        "fp32",
        "number format: bf16 is autocast, fp64 is for tests",
        choices=("fp32", "bf16", "tf32", "fp64"),
    )
    compile: bool | str = option(
        False,
        "compile (10 to 30 s; pays in long runs): networks, or a stack's whole steps; auto: the "
        "steps of a stack, where they are many enough",
        choices=(False, True, "auto"),
    )
    threads: int | None = option(
        None, "CPU threads; null: one for small networks, else torch's default", low=1
    )


@dataclass
class Metrics:
    """What is measured, when, and on how many points."""

    names: list[str] | None = option(None, "metrics to compute; null: those that fit the data")
    every: int | None = option(None, "steps between measurements; null: at the end only", low=1)
    num_generated: int = option(2500, "generated points", low=2)
    num_real: int = option(2500, "real points at most", low=2)
    split: str = option(
        "test", "real points of the final metrics", choices=("test", "validation", "train")
    )
    checkpoint: str = option(
        "last", "weights that the final metrics judge", choices=("last", "best")
    )
    select: str | None = option(
        None, "the metric that picks the best checkpoint on the validation split; null: the first"
    )
    features: str | None = option(
        None,
        "network whose features perceptual_distance compares, as model.content_features; null: "
        "efficientnet_lite0, where its weights are there",
    )
    classifier: str | None = option(
        None, "whose features images are judged by, a name or a file; null: the data set's own"
    )


@dataclass
class Run:
    """A whole run."""

    model: Any = option(MISSING, "the game")
    loss: Any = option(MISSING, "the adversarial loss")
    penalty: Any = option(MISSING, "the penalty on D")
    network: Any = option(MISSING, "the networks")
    dataset: Any = option(MISSING, "the data")
    optimizer: Any = option(MISSING, "the optimizer")
    training: Training = option(Training(), "length, batches, seeds")
    device: Device = option(Device(), "where it computes")
    metrics: Metrics = option(Metrics(), "what is measured")
    name: str = option("${model.name}_${dataset.name}", "name of the run, in folders and tables")
    resume: str | None = option(None, "run folder to continue")
    tensorboard_axis: str = option(
        "steps", "what TensorBoard counts: steps, or real images (samples) that D has seen",
        choices=("steps", "images"),
    )  # fmt: skip


SCHEMAS: dict[str, dict[str, type]] = {
    "model": {
        "adversarial": AdversarialModel,
        "srgan": SrganModel,
        "regression": RegressionModel,
        "conditional": ConditionalModel,
        "acgan": AcganModel,
        "infogan": InfoganModel,
        "bilinear": BilinearModel,
        "stylegan": StyleganModel,
    },
    "loss": {
        "plain": Loss,
        "smoothed": SmoothedLoss,
        "nonsaturating": NonsaturatingLoss,
        "least_squares": LeastSquaresLoss,
    },
    "penalty": {"none": NoPenalty, "plain": Penalty, "target": TargetPenalty},
    "network": {
        "auto": AutoNetwork,
        "mlp": MlpNetwork,
        "dcgan": DcganNetwork,
        "resnet": ResnetNetwork,
        "stylegan": StyleganNetwork,
        "srresnet": SrResnetNetwork,
    },
    "dataset": {
        "none": Dataset,
        "gauss2d": Gauss2d,
        "gauss3d": Gauss3d,
        "ring": Ring,
        "grid": Grid,
        "swissroll": Swissroll,
        "table": Table,
        "digits": Digits,
        "downloaded": DownloadedImages,
        "stacked": StackedImages,
        "folder": FolderImages,
        "superres": Superres,
        "superres_digits": SuperresDigits,
        "superres_digits_small": SuperresDigitsSmall,
    },
    "optimizer": {"adam": Adam, "rmsprop": RmsProp, "sgd": Sgd},
    "training": {"training": Training},
    "device": {"device": Device},
    "metrics": {"metrics": Metrics},
}


def register() -> None:
    """Store the schemas for Hydra, out of the way of the groups' own options."""
    store = ConfigStore.instance()
    store.store(name="run_schema", node=Run)
    for group, schemas in SCHEMAS.items():
        for name, node in schemas.items():
            store.store(group=f"schema/{group}", name=name, node=node)
