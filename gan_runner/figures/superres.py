"""Figures of study about super-resolution: its Fig. 7 on photographs, and claim S4 over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gan_runner.figures import drawing, judging
from gan_runner.figures.anatomizing import mean
from gan_runner.figures.figure import Arm, Drawing, Figure, Material

BICUBIC, SRRESNET, SRGAN, STAGE_1 = "bicubic", "SRResNet", "SRGAN", "stage 1"
METRICS = {"psnr_y": "PSNR on Y (dB)", "ssim_y": "SSIM on Y",
           "perceptual_distance": "distance of features"}  # fmt: skip
PHOTOS, SIDE = 3, 160  # shown; pixels of their middles
DIGITS = 4  # shown
# Ledig et al. 2017, table 1, as measured anew on RGB by later work, and bicubic on Y.
PUBLISHED = "bicubic 28.42 dB on Y; SRResNet 30.25 dB, SRGAN 28.02 dB on RGB"


def photographs(material: Material) -> Drawing:
    """Bicubic, SRResNet, SRGAN and the original side by side, with PSNR and SSIM."""
    canvas, panels = drawing.canvas("Fig. 7: x 4", PHOTOS, 4, size=(2.2, 2.3))
    shown = side_by_side(panels, material, PHOTOS)
    return Drawing(
        canvas=canvas,
        numbers=shown | numbers(material) | {"published, Set5": PUBLISHED},
    )


def detail(material: Material) -> Drawing:
    """PSNR and distance of SRResNet and SRGAN by seed, and digits by either; claim S4."""
    canvas, (above, below) = drawing.parts("Detail and PSNR, MNIST from 7 x 7 to 28 x 28",
                                           size=(9.6, 10.2), heights=(1, 3.4))  # fmt: skip
    judged = (SRRESNET, SRGAN)
    for axes, metric in zip(above.subplots(1, 2), ("psnr_y", "perceptual_distance"), strict=True):
        drawing.by_seed(axes, {arm: list(material.of(arm, metric).values()) for arm in judged},
                        label=METRICS[metric])  # fmt: skip
    shown = side_by_side(list(below.subplots(DIGITS, 4).ravel()), material, DIGITS)
    psnr = {arm: material.of(arm, "psnr_y") for arm in judged}
    verdict = judging.both(
        judging.better_among(material, SRGAN, psnr, "PSNR (lower)", lower_is_better=True),
        judging.better(material, SRGAN, [SRRESNET], "perceptual_distance"),
    )
    return Drawing(canvas=canvas, numbers=shown | numbers(material), verdicts={"S4": verdict})


def side_by_side(panels: Sequence[Any], material: Material, num: int) -> dict[str, str]:
    """Lay test images out, a row an image, by bicubic, SRResNet, SRGAN and as they are.

    Returns:
        What the images shown come to by either way, in words.
    """
    from gan_runner import load, upscaling
    from gan_runner.photograph_pictures import middle
    from gan_runner.photograph_table import mean as mean_of
    from gan_runner.photograph_table import measure

    loaded = {arm: load(material.first(arm).folder) for arm in (SRRESNET, SRGAN)}
    wholes = list((loaded[SRGAN].prepared.dataset.wholes or {})["test"])[:num]
    ways = {BICUBIC: [upscaling.bicubic(each) for each in wholes]} | {
        arm: [upscaling.enlarged(each.prepared, each.host, whole) for whole in wholes]
        for arm, each in loaded.items()
    }
    near = measure(ways)
    side = min(SIDE, *(length for each in wholes for length in each.real.shape[1:]))
    for axes in panels:
        axes.set_axis_off()
    for row, whole in enumerate(wholes):
        shown = {way: found[row].made for way, found in ways.items()} | {"original": whole.real}
        for axes, (way, image) in zip(panels[4 * row : 4 * row + 4], shown.items(), strict=True):
            pixels = middle(image, side).permute(1, 2, 0).numpy()
            if pixels.shape[2] == 1:
                axes.imshow(pixels[..., 0], vmin=0, vmax=255, cmap="gray")
            else:
                axes.imshow(pixels)
            one = near[way][whole.name] if way in near else None
            said = "" if one is None else f"\n{one.psnr:.2f} dB, {one.ssim:.3f}"
            axes.set_title(f"{way}{said}", fontsize=8)
    return {f"{way}: shown images": mean_of(each).text() for way, each in near.items()}


def numbers(material: Material) -> dict[str, str]:
    """Each arm's measures over seeds, in words."""
    return {
        f"{arm}: {label}": mean(list(material.of(arm, metric).values()))
        for arm in material.runs for metric, label in METRICS.items() if material.of(arm, metric)
    }  # fmt: skip


def _digits(model: str, steps: int, lr: float, *further: str, after: str | None = None) -> Arm:
    return Arm(
        overrides=(
            f"model={model}", "dataset=superres_digits", "network=srresnet_cpu",
            "optimizer=adam_srgan", f"optimizer.lr={lr:g}", "optimizer.schedule.name=cosine",
            "training.epochs=null", f"training.steps={steps}", "training.batch_size=16", *further,
        ),
        smoke=("dataset.num_validation=20", "metrics.split=validation"),  # 20 images to enlarge
        after=after,
    )  # fmt: skip


SUPERRES_FIGURES = (
    Figure(
        paper="study", name="fig7", shows="bicubic, SRResNet, SRGAN, original, x 4",
        arms={
            SRRESNET: Arm(experiment="srresnet_cbsd68"),
            SRGAN: Arm(experiment="srgan_cbsd68", after=SRRESNET),
        },
        seeds=1, minutes=15, draw=photographs,
        differs="trained on 68 photographs (CBSD68), tested on Set5; SRGAN's content loss is of "
        "EfficientNet-Lite1's features and of pixels at scale cpu, of VGG19's features at scale "
        "full; one seed, for a pair of runs takes 15 minutes.",
    ),
    Figure(
        paper="study", name="detail", shows="SRGAN against SRResNet on digits, over seeds",
        arms={
            STAGE_1: _digits("srresnet", 1000, 1e-3),
            SRRESNET: _digits("srresnet", 800, 5e-4, after=STAGE_1),
            SRGAN: _digits(
                "srgan_photos", 800, 5e-4, "model.pretrain_share=0", "model.content=absolute_error",
                "model.content_features=fashion_mnist", "model.content_layer=convolutions.3",
                "model.lambda_adversarial=0.003", "penalty=r1", "optimizer.discriminator_lr=3e-4",
                after=STAGE_1,
            ),
        },
        seeds=6, minutes=14, draw=detail, claims=("S4",),
        differs="digits in place of photographs: six pairs of runs are affordable. From the same "
        "first stage, SRResNet goes on by the error of pixels, SRGAN by that of the features of a "
        "classifier of clothes and by its adversary; the distance is by the classifier of digits, "
        "which neither was trained on.",
    ),
)  # fmt: skip
