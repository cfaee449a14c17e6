"""Upscaling: the shipped weights draw what ncnn draws with them, tile by tile, and other bytes are not used."""

from __future__ import annotations

import shutil
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from models.upscalers.convert import CONVOLUTIONS, FACTOR, FEATURES, tensors
from tests.support.fakes import draw
from tests.support.tiny_pipeline import SIDE, UPSCALER, add_upscaler, build_tiny_model
from workers.errors import ModelMissing, ModelRefused
from workers.jobs.types import Claim, ClaimedItem
from workers.recipes import Recipe, Upscaler
from workers.sampling import enlarge
from workers.sampling.cards.extras import UpscalerCard, read
from workers.sampling.cards.registry import Registry
from workers.sampling.enlarge import Enlarger
from workers.sampling.sampler import DiffusersSampler
from workers.sampling.types import CANCELLED

MODELS = Path(__file__).parents[3] / "models"
SHIPPED = MODELS / "upscalers" / "realesr-animevideov3-x4"
BY_NCNN = Path(__file__).parent / "ncnn_reference" / "enlarged.png"
CPU = torch.device("cpu")


class Watch:
    """A lease that is fine; after so many looks, these items are cancelled."""

    def __init__(self, cancel_at: int = 0, item_id: str = "") -> None:
        self.looks, self.cancel_at, self.item_id = 0, cancel_at, item_id

    def check(self) -> None:
        self.looks += 1

    @property
    def cancelled(self) -> frozenset[str]:
        return frozenset({self.item_id} if self.cancel_at and self.looks >= self.cancel_at else ())


@pytest.fixture(scope="module")
def shipped() -> Enlarger:
    return Enlarger(read(SHIPPED / "card.yaml", UpscalerCard), CPU)


def test_the_shipped_weights_draw_what_ncnn_draws_with_them(shipped: Enlarger) -> None:
    """tests/ncnn_reference/enlarged.png is what ncnn 1.0.20261020 made of this picture on a CPU, in float32."""
    told = np.asarray(Image.open(BY_NCNN)).astype(int)
    ours = shipped.enlarge(draw(7, 24, 36)).astype(int)
    assert ours.shape == told.shape == (96, 144, 3)
    assert np.abs(ours - told).max() <= 1


def test_tiles_give_what_the_whole_picture_gives(shipped: Enlarger, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = draw(3, 50, 70)
    whole = shipped.enlarge(picture).astype(int)
    for side in (16, 33):
        monkeypatch.setattr(enlarge, "TILE", side)
        assert np.abs(shipped.enlarge(picture).astype(int) - whole).max() <= 1


def test_the_same_picture_gives_the_same_pixels(shipped: Enlarger) -> None:
    picture = draw(1, 32, 32)
    assert np.array_equal(shipped.enlarge(picture), shipped.enlarge(picture))


@pytest.fixture
def upscaler(tmp_path: Path) -> UpscalerCard:
    """The shipped one, in a folder that a test may spoil."""
    shutil.copytree(SHIPPED, tmp_path / SHIPPED.name)
    return read(tmp_path / SHIPPED.name / "card.yaml", UpscalerCard)


def test_weights_that_are_missing_changed_or_of_another_network_are_not_used(upscaler: UpscalerCard) -> None:
    weights = upscaler.home / "weights.safetensors"
    with pytest.raises(ModelRefused, match="not those of its architecture"):
        Enlarger(replace(upscaler, convolutions=15), CPU)
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.write_bytes(changed)
    with pytest.raises(ModelMissing, match=r"weights\.safetensors: its bytes are not those of its card"):
        Enlarger(upscaler, CPU)
    weights.unlink()
    with pytest.raises(ModelMissing, match="is on the card and not in"):
        Enlarger(upscaler, CPU)


def test_nothing_else_may_lie_beside_the_weights(upscaler: UpscalerCard) -> None:
    (upscaler.home / "weights.bin").write_bytes(b"\x80\x04")
    with pytest.raises(ModelRefused, match="may be a pickle"):
        Enlarger(upscaler, CPU)
    (upscaler.home / "weights.bin").unlink()
    weights = upscaler.home / "weights.safetensors"
    weights.unlink()
    weights.symlink_to(SHIPPED / "weights.safetensors")
    with pytest.raises(ModelRefused, match="link that leads out"):
        Enlarger(upscaler, CPU)


def test_the_converter_reads_every_byte_or_none() -> None:
    stored = b""
    for number in range(CONVOLUTIONS + 2):
        into = 3 if number == 0 else FEATURES
        out = 3 * FACTOR**2 if number == CONVOLUTIONS + 1 else FEATURES
        stored += (0x01306B47).to_bytes(4, "little") + np.full(out * into * 9, number, "<f2").tobytes()
        stored += np.full(out + (FEATURES if number <= CONVOLUTIONS else 0), number, "<f4").tobytes()
    found = tensors(stored)
    assert {name: value.shape for name, value in found.items()} == {
        name: tuple(value.shape) for name, value in load_file(SHIPPED / "weights.safetensors").items()
    }
    assert float(found["body.8.weight"].max()) == 4.0
    with pytest.raises(ValueError, match="4 bytes are left over"):
        tensors(stored + b"more")
    with pytest.raises(ValueError, match="not stored in half precision"):
        tensors(b"\0" * len(stored))


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("models")
    add_upscaler(place)
    build_tiny_model(place, upscalers=True)
    return place


@pytest.fixture(scope="module")
def registry(models_dir: Path) -> Registry:
    return Registry.load(models_dir)


@pytest.fixture
def held(registry: Registry) -> Claim:
    card = registry.get("tiny")
    grown = registry.upscalers_of(card)[2]
    recipe = Recipe(card.name, card.revision, SIDE, SIDE // 2, 1, card.scheduler, 2.0)
    recipe = replace(recipe, upscaler=Upscaler(grown.name, grown.factor, grown.revision))
    items = tuple(ClaimedItem(f"item-{n}", "r", "t", f"c{n}", 0, "thing", "", n) for n in range(3))
    return Claim("b", 1, recipe, "gpu", items)


@pytest.fixture
def sampler(registry: Registry) -> DiffusersSampler:
    return DiffusersSampler(registry, "cpu", 1)


def test_a_recipe_with_an_upscaler_gives_the_enlarged_pictures(sampler: DiffusersSampler, held: Claim) -> None:
    plain = sampler.sample(replace(held, recipe=replace(held.recipe, upscaler=None)), Watch())
    grown = sampler.sample(held, Watch())
    assert plain.images.shape == (3, SIDE // 2, SIDE, 3)
    assert grown.images.shape == (3, *held.recipe.shape) == (3, SIDE, 2 * SIDE, 3)
    assert grown.images.flags.c_contiguous
    small = np.asarray([Image.fromarray(image).reduce(2) for image in grown.images]).astype(int)
    assert np.abs(small - plain.images).max() <= 2  # the tiny network adds almost nothing to the enlarged picture


def test_an_item_cancelled_before_its_turn_is_not_enlarged(sampler: DiffusersSampler, held: Claim) -> None:
    whole = sampler.sample(held, Watch())
    cut = sampler.sample(held, Watch(cancel_at=4, item_id="item-1"))  # one look a run, one a step, one a picture
    assert cut.faults == {"item-1": CANCELLED}
    assert cut.images[1].max() == 0
    assert np.array_equal(cut.images[[0, 2]], whole.images[[0, 2]])


def test_an_upscaler_this_worker_does_not_have_is_answered_by_name(sampler: DiffusersSampler, held: Claim) -> None:
    other = held.recipe.upscaler
    assert other is not None
    for wrong in (other._replace(revision="sha256:0"), other._replace(factor=3), other._replace(name="another")):
        with pytest.raises(ModelMissing, match=f"no upscaler {wrong.name} at {wrong.revision}"):
            sampler.sample(replace(held, recipe=replace(held.recipe, upscaler=wrong)), Watch())


def test_a_worker_whose_upscaler_changed_lists_it_and_refuses_only_what_asks_for_it(
    models_dir: Path, tmp_path: Path, held: Claim
) -> None:
    shutil.copytree(models_dir, tmp_path / "models")
    weights = tmp_path / "models" / "upscalers" / UPSCALER / "weights.safetensors"
    registry = Registry.load(tmp_path / "models")
    save_file({name: value + 1 for name, value in load_file(weights).items()}, weights)
    sampler = DiffusersSampler(registry, "cpu", 1)
    sampler.prepare(["tiny"])
    assert "its bytes are not those of its card" in sampler.unusable["upscaler", UPSCALER]
    plain = replace(held, recipe=replace(held.recipe, upscaler=None))
    assert sampler.sample(plain, Watch()).faults == {}
    with pytest.raises(ModelMissing, match="its bytes are not those of its card"):
        sampler.sample(held, Watch())


def test_memory_is_that_of_one_tile_however_large_the_picture(shipped: Enlarger) -> None:
    picture = np.zeros((96, 16, 3), np.uint8)
    tracemalloc.start()
    grown = shipped.enlarge(picture)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown.shape == (384, 64, 3)
    assert most < 8 * grown.nbytes  # numpy's share; a tile's activations do not grow with the picture
