"""Samples in chunks, rows of resident and of lazy data."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gan_runner import draws
from gan_runner.datasets.sources import ArrayPixels, ImageSource
from gan_runner.dispatch import Run
from gan_runner.draws import chosen_rows, chunk_size, generate
from gan_runner.game import Batch


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def bytes_of(num: int) -> Tensor:
    return torch.randint(256, (num, 2, 3, 4), generator=seeded(5), dtype=torch.uint8)


def source_of(images: Tensor) -> ImageSource:
    pixels = ArrayPixels(images.permute(0, 2, 3, 1).contiguous().numpy())
    return ImageSource(pixels, torch.arange(len(images)))


# --- rows ------------------------------------------------------------------------------------


@pytest.mark.parametrize("num", [4, 9, 20])
def test_bytes_and_sources_give_the_same_floats(num: int) -> None:
    images, label = bytes_of(9), torch.arange(9)
    resident = chosen_rows({"real": images, "label": label}, num, seeded())
    lazy = chosen_rows({"real": source_of(images), "label": label}, num, seeded())
    assert torch.equal(resident["real"], lazy["real"])
    assert torch.equal(resident["label"], lazy["label"])
    assert resident["label"].dtype == torch.int64
    rows = resident["label"]
    assert resident["real"].dtype == torch.float32
    assert torch.equal(resident["real"], images[rows].float() / 127.5 - 1)
    assert len(rows) == min(num, 9)
    assert len(set(rows.tolist())) == len(rows)
    if num >= 9:
        assert rows.tolist() == list(range(9))


def test_rows_are_those_of_the_generator() -> None:
    tensors = {"real": torch.arange(1000.0)[:, None]}
    first, again, other = (chosen_rows(tensors, 10, seeded(s))["real"] for s in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_floats_keep_their_precision() -> None:
    real = torch.randn(5, 2, generator=seeded(), dtype=torch.float64)
    assert chosen_rows({"real": real}, 10, seeded())["real"].dtype == torch.float64
    assert chosen_rows({"real": real}, 3, seeded())["real"].dtype == torch.float64
    images = chosen_rows({"real": bytes_of(3)}, 10, seeded(), torch.float64)["real"]
    assert images.dtype == torch.float64
    assert images.amin() >= -1
    assert images.amax() <= 1


# --- samples ---------------------------------------------------------------------------------


def test_chunks_change_nothing(
    make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run("model=vgan", "dataset=digits", "network=mlp", "training.batch_size=8")
    host = run.host(run.streams())
    whole, drawn = generate(run, host, 25, seeded())
    assert whole.shape == (25, 1, 8, 8)
    calls = []
    sample = run.recipe.sample
    assert sample is not None

    def counted(nets: object, batch: Batch) -> Tensor:
        calls.append(len(batch["z"]))
        return sample(nets, batch)

    object.__setattr__(run.recipe, "sample", counted)
    monkeypatch.setattr(draws, "IMAGES", 10)
    parts, same = generate(run, host, 25, seeded())
    assert calls == [10, 10, 5]
    assert torch.equal(drawn["z"], same["z"])
    assert torch.allclose(parts, whole, atol=1e-6)


def test_large_images_go_in_small_chunks(
    make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = make_run("dataset=ring8").dataset
    images = make_run("dataset=digits", "network=mlp").dataset
    assert chunk_size(vectors) == draws.CHUNK
    assert chunk_size(images) == draws.IMAGES
    monkeypatch.setattr(draws, "PIXELS", 640)
    assert chunk_size(images) == 10
    monkeypatch.setattr(draws, "PIXELS", 1)
    assert chunk_size(images) == 1


def test_samples_of_an_arrangement(make_run: Callable[..., Run]) -> None:
    run = make_run("model=vgan", "dataset=ring8")
    host = run.host(run.streams())

    def arrange(drawn: Batch) -> Batch:
        return {**drawn, "z": drawn["z"][:1].expand(6, -1)}

    made, drawn = generate(run, host, 6, seeded(), arrange=arrange)
    plain, _ = generate(run, host, 6, seeded())
    assert torch.equal(made, made[:1].expand_as(made))
    assert torch.allclose(made[0], plain[0], atol=1e-6)
    assert len(drawn["z"]) == 6


def test_large_noise_is_drawn_in_parts(
    make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part of 3 for 7 samples: z of all, images of all, no noise kept."""
    run = make_run(
        "model=stylegan", "network.mapping.style_size=8", "network.mapping.layers=2",
        "model.latent_size=4",
    )  # fmt: skip
    host = run.host(run.streams())
    whole, drawn = generate(run, host, 3, torch.Generator().manual_seed(0))
    assert set(drawn) == {"z", "noise_4", "noise_8"}
    monkeypatch.setattr(draws, "NOISE", 3 * (4 + 2 * 16 + 2 * 64))
    made, drawn = generate(run, host, 7, torch.Generator().manual_seed(0))
    assert made.shape == (7, 1, 8, 8)
    assert torch.equal(made[:3], whole)
    assert set(drawn) == {"z"}
    assert drawn["z"].shape == (7, 4)
