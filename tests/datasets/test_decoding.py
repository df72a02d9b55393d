"""Image files of every kind become bytes of one shape."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_runner.datasets.decoding import FilePixels, Header, UnreadableError, header, in_threads


def one(
    path: Path, shape: tuple[int, int, int], *, resized: bool = True, crop: bool = True
) -> np.ndarray:
    return FilePixels((path,), shape, resized=resized, crop=crop).one(0)


def saved(image: Image.Image, path: Path, **options: object) -> Path:
    image.save(path, **options)
    return path


def flat(mode: str, colour: object) -> Image.Image:
    return Image.new(mode, (12, 12), colour)


@pytest.mark.parametrize(
    ("image", "name", "grey", "rgb"),
    [
        (flat("L", 90), "a.png", 90, (90, 90, 90)),
        (flat("RGB", (250, 0, 0)), "a.png", 75, (250, 0, 0)),  # 0.299 x 250
        (flat("RGB", (0, 0, 100)), "a.bmp", 11, (0, 0, 100)),  # 0.114 x 100
        (flat("1", 1), "a.png", 255, (255, 255, 255)),
        (flat("LA", (40, 255)), "a.png", 40, (40, 40, 40)),
        (flat("LA", (40, 0)), "a.png", 255, (255, 255, 255)),  # what is transparent is white
        (flat("RGBA", (10, 20, 30, 255)), "a.png", 18, (10, 20, 30)),
        (flat("RGBA", (10, 20, 30, 0)), "a.png", 255, (255, 255, 255)),
        (flat("RGBA", (0, 0, 0, 51)), "a.webp", 204, (204, 204, 204)),
        (flat("RGB", (10, 20, 30)).convert("P", palette=Image.Palette.ADAPTIVE), "a.gif", 18,
         (10, 20, 30)),
        (flat("I;16", 65535), "a.png", 255, (255, 255, 255)),
        (flat("I;16", 257 * 77), "a.png", 77, (77, 77, 77)),
        (flat("I;16", 200), "a.tif", 1, (1, 1, 1)),  # 200 / 257 is nearer to 1
        (flat("I;16", 100), "a.png", 0, (0, 0, 0)),
        (flat("I", 257 * 12), "a.tif", 12, (12, 12, 12)),
        (flat("I", 1_000_000), "a.tif", 255, (255, 255, 255)),
        (flat("CMYK", (0, 255, 255, 0)), "a.tif", 76, (255, 0, 0)),
    ],
)  # fmt: skip
def test_modes(
    tmp_path: Path, image: Image.Image, name: str, grey: int, rgb: tuple[int, int, int]
) -> None:
    path = saved(image, tmp_path / name, **({"lossless": True} if name.endswith("webp") else {}))
    as_grey, as_rgb = one(path, (8, 8, 1)), one(path, (8, 8, 3))
    assert as_grey.dtype == as_rgb.dtype == np.uint8
    assert np.array_equal(as_grey, np.full((8, 8, 1), grey))
    assert np.array_equal(as_rgb, np.broadcast_to(rgb, (8, 8, 3)))


def test_a_transparent_colour_of_a_palette_is_white(tmp_path: Path) -> None:
    image = Image.new("P", (12, 12), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    path = saved(image, tmp_path / "a.png", transparency=1)
    assert np.array_equal(one(path, (8, 8, 3)), np.full((8, 8, 3), 255))


def corners(width: int, height: int) -> Image.Image:
    """Dark on the left, light on the right; the upper rows blue."""
    array = np.zeros((height, width, 3), dtype=np.uint8)
    array[:, width // 2 :] = 200
    array[: height // 4, :, 2] = 255
    return Image.fromarray(array)


def test_the_centre_square_is_cut_out(tmp_path: Path) -> None:
    array = np.zeros((10, 30), dtype=np.uint8)
    array[:, 10:20] = 100  # the centre
    path = saved(Image.fromarray(array), tmp_path / "wide.png")
    assert np.array_equal(one(path, (10, 10, 1)), np.full((10, 10, 1), 100))
    tall = saved(Image.fromarray(array.T), tmp_path / "tall.png")
    assert np.array_equal(one(tall, (10, 10, 1)), np.full((10, 10, 1), 100))


def test_else_the_whole_image_is_bent(tmp_path: Path) -> None:
    array = np.zeros((10, 30), dtype=np.uint8)
    array[:, 15:] = 200
    path = saved(Image.fromarray(array), tmp_path / "wide.png")
    bent = one(path, (10, 10, 1), crop=False)
    assert bent[:, :4].max() == 0
    assert bent[:, 6:].min() == 200


def test_not_resized_an_image_stays_as_it_is(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 256, (9, 13, 3)).astype(np.uint8)
    path = saved(Image.fromarray(array), tmp_path / "a.png")
    assert np.array_equal(one(path, (9, 13, 3), resized=False), array)
    with pytest.raises(UnreadableError, match=r"a\.png: is 13 x 9 pixels, not 9 x 9"):
        one(path, (9, 9, 3), resized=False)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_cameras_orientation_is_obeyed(tmp_path: Path, orientation: int) -> None:
    upright = corners(16, 24)
    undo = {  # how a camera that was held so stores the picture
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    stored = upright if orientation == 1 else upright.transpose(undo[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(stored, tmp_path / "a.png", exif=exif)
    found = header(path)
    assert found == Header(16, 24, True)
    assert np.array_equal(one(path, (24, 16, 3), resized=False), np.asarray(upright))


def test_the_first_picture_of_an_animation(tmp_path: Path) -> None:
    frames = [flat("L", each) for each in (30, 60)]
    path = saved(frames[0], tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert np.array_equal(one(path, (12, 12, 1)), np.full((12, 12, 1), 30))


def test_a_large_jpeg_looks_as_if_decoded_whole(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 640).astype(np.uint8)
    array = np.stack([ramp[None].repeat(480, 0), ramp[:480, None].repeat(640, 1),
                      np.full((480, 640), 90, np.uint8)], axis=2)  # fmt: skip
    path = saved(Image.fromarray(array), tmp_path / "a.jpg", quality=95)
    with Image.open(path) as image:
        whole = image.crop((80, 0, 560, 480)).resize((16, 16), Image.Resampling.BILINEAR)
    difference = one(path, (16, 16, 3)).astype(int) - np.asarray(whole).astype(int)
    assert np.abs(difference).max() <= 3


@pytest.mark.parametrize(
    ("image", "name", "coloured"),
    [
        (flat("L", 9), "a.png", False),
        (flat("1", 1), "a.png", False),
        (flat("LA", (9, 9)), "a.png", False),
        (flat("I;16", 9), "a.png", False),
        (flat("RGB", (9, 9, 9)), "a.png", True),  # by its kind, not its pixels
        (flat("RGBA", (9, 8, 7, 6)), "a.png", True),
        (flat("L", 9).convert("P"), "a.png", False),
        (flat("L", 9), "a.gif", False),
        (flat("RGB", (9, 8, 7)).convert("P", palette=Image.Palette.ADAPTIVE), "a.png", True),
    ],
)
def test_headers_tell_colour(tmp_path: Path, image: Image.Image, name: str, coloured: bool) -> None:
    assert header(saved(image, tmp_path / name)) == Header(12, 12, coloured)


def damaged(tmp_path: Path) -> dict[str, Path]:
    array = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    files = {}
    for name in ("cut.jpg", "cut.png"):
        files[name] = saved(Image.fromarray(array), tmp_path / name)
        files[name].write_bytes(files[name].read_bytes()[:900])
    for name, data in (("empty.png", b""), ("text.jpg", b"no image")):
        files[name] = tmp_path / name
        files[name].write_bytes(data)
    files["gone.png"] = tmp_path / "gone.png"
    files["floats.tif"] = saved(Image.new("F", (12, 12), 0.5), tmp_path / "floats.tif")
    return files


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("cut.jpg", "truncated"),
        ("cut.png", "truncated"),
        ("empty.png", "is not an image"),
        ("text.jpg", "is not an image"),
        ("gone.png", "no such file"),
        ("floats.tif", "floats have no known range"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line(tmp_path: Path, name: str, reason: str) -> None:
    path = damaged(tmp_path)[name]
    with pytest.raises(UnreadableError, match=reason) as refused:
        one(path, (8, 8, 3))
    assert str(refused.value).startswith(f"{path}: ")
    assert "\n" not in str(refused.value)
    with pytest.raises(UnreadableError, match=reason):
        FilePixels((path,), (8, 8, 3), resized=True, crop=True).take(np.array([0]))


def test_a_file_without_a_header_has_none(tmp_path: Path) -> None:
    files = damaged(tmp_path)
    assert header(files["text.jpg"]) is None
    assert header(files["gone.png"]) is None
    assert header(files["cut.jpg"]) == Header(40, 40, True)


def test_take_decodes_the_numbers_asked_for(tmp_path: Path) -> None:
    paths = [saved(flat("L", each), tmp_path / f"{each}.png") for each in (10, 20, 30)]
    pixels = FilePixels(tuple(paths), (8, 8, 1), resized=True, crop=True)
    assert pixels.take(np.array([2, 0, 2]))[:, 0, 0, 0].tolist() == [30, 10, 30]


def test_threads_keep_the_order() -> None:
    assert list(in_threads(lambda each: each * each, 5000)) == [each * each for each in range(5000)]
    assert list(in_threads(lambda each: each, 0)) == []
