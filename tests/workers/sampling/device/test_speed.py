"""Speed: each way changes what it says and nothing else, seen on a CPU; what only CUDA has is not seen here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import structlog
import torch

from tests.support.tiny_models.instances import build
from workers.jobs.types import Claim, ClaimedItem
from workers.recipes import Recipe
from workers.sampling.cards.registry import ModelCard, Registry
from workers.sampling.device.speed import PLAIN, SLICES_FROM, TILES_ABOVE, Speed, speed_for
from workers.sampling.families.table import FAMILIES
from workers.sampling.pipelines import Loaded, load_pipeline
from workers.sampling.sampler import DiffusersSampler
from workers.sampling.types import Unwatched

SIDE = 64  # the tiny autoencoder's tiles are half of it
SDXL = FAMILIES["stable-diffusion-xl"]
Drawn = tuple[np.ndarray, Any]  # pixels, and the receipt of the first picture


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> ModelCard:
    return build(tmp_path_factory.mktemp("models"), "sdxl")


@pytest.fixture
def loaded(card: ModelCard) -> Loaded:
    return load_pipeline(card, torch.device("cpu"))


@pytest.fixture
def draw(card: ModelCard, loaded: Loaded) -> Callable[..., Drawn]:
    """Draws with the pipeline of this test in one way; a sampler of its own each time, so that nothing is kept."""

    def drawn(speed: Speed, images: int = 2, side: int = SIDE) -> Drawn:
        sampler = DiffusersSampler(
            Registry({card.name: card}), "cpu", 1, load=lambda *_: loaded, choose=lambda *_: speed
        )
        recipe = Recipe(card.name, card.revision, side, side, 2, card.scheduler, 2.0)
        items = tuple(ClaimedItem(f"i{n}", "r", "t", f"c{n}", 0, "a red mug", "", n) for n in range(images))
        sampled = sampler.sample(Claim("b", 1, recipe, "gpu", items), Unwatched())
        return sampled.images, sampled.positions[0].receipt

    return drawn


@pytest.fixture
def decoded(loaded: Loaded) -> list[torch.Tensor]:
    """What the network of the decoder was given, call by call."""
    seen: list[torch.Tensor] = []
    loaded.pipe.vae.decoder.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    return seen


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    error = float(np.mean((one.astype(float) - other) ** 2))
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


@pytest.mark.parametrize(
    ("speed", "words"),
    [
        (Speed(channels_last=True), "channels_last"),
        (Speed(attention=("math",)), ""),
        (Speed(slices_from=2), "slices_from=2"),
        (Speed(tiles_above=SIDE * SIDE), f"tiles_above={SIDE * SIDE}"),
    ],
    ids=str,
)
def test_a_way_draws_the_same_to_the_eye_and_stands_in_the_receipt(
    speed: Speed, words: str, draw: Callable[..., Drawn]
) -> None:
    plain, without = draw(PLAIN)
    images, receipt = draw(speed)
    assert psnr(plain, images) >= 50
    assert (without["speed"], receipt["speed"]) == ("", words)
    assert receipt["attention"] == " ".join([without["attention"], *speed.attention])


def test_from_so_many_pictures_each_is_decoded_alone(draw: Callable[..., Drawn], decoded: list[torch.Tensor]) -> None:
    draw(Speed(slices_from=3), images=3)
    draw(Speed(slices_from=3), images=2)
    assert [len(latents) for latents in decoded] == [1, 1, 1, 2]


def test_above_so_many_pixels_a_picture_is_decoded_in_tiles_and_the_next_run_is_whole_again(
    draw: Callable[..., Drawn], decoded: list[torch.Tensor]
) -> None:
    before, _ = draw(PLAIN)
    tiled, _ = draw(Speed(tiles_above=SIDE * SIDE - 1))
    after, _ = draw(Speed(tiles_above=SIDE * SIDE))
    assert np.array_equal(before, after)
    assert len(decoded) > 3
    assert psnr(before, tiled) >= 20  # each tile is normalised by itself, and seams are blended


def test_an_autoencoder_in_float32_serves_a_denoiser_of_less(
    loaded: Loaded, draw: Callable[..., Drawn], decoded: list[torch.Tensor]
) -> None:
    loaded.pipe.to(dtype=torch.bfloat16)
    rounded, _ = draw(PLAIN, images=1)
    exact, receipt = draw(Speed(float32_vae=True), images=1)
    assert [latents.dtype for latents in decoded] == [torch.bfloat16, torch.float32]
    assert (receipt["dtype"], receipt["speed"]) == ("bfloat16", "float32_vae")
    assert psnr(rounded, exact) >= 30
    loaded.pipe_for("image-to-image")  # shares the weights, and turns all of them to the denoiser's dtype
    again, _ = draw(PLAIN, images=1)
    assert np.array_equal(exact, again)
    assert loaded.dtype == torch.bfloat16


def test_on_a_cpu_no_way_is_on_and_a_wish_to_compile_is_answered_in_the_log() -> None:
    with structlog.testing.capture_logs() as logs:
        assert speed_for(SDXL, torch.device("cpu"), torch.float32, compiled=True) == PLAIN
    assert [line["event"] for line in logs] == ["compile_skipped"]


@pytest.mark.parametrize(("capability", "first"), [((8, 0), "flash"), ((9, 0), "cudnn")])
def test_on_cuda_family_dtype_and_device_decide(
    capability: tuple[int, int], first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    device = torch.device("cuda")
    chosen = speed_for(SDXL, device, torch.bfloat16)
    assert (chosen.channels_last, chosen.pinned, chosen.compiled) == (True, True, False)
    assert (chosen.slices_from, chosen.tiles_above) == (SLICES_FROM, TILES_ABOVE) == (4, 2_097_152)
    assert (chosen.attention[0], chosen.attention[-1]) == (first, "math")
    assert not chosen.float32_vae
    assert speed_for(SDXL, device, torch.float16) == replace(chosen, float32_vae=True)
    assert speed_for(FAMILIES["stable-diffusion"], device, torch.float16) == chosen
    assert speed_for(SDXL, device, torch.bfloat16, compiled=True) == replace(chosen, compiled=True)
