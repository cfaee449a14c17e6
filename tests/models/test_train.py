"""Recipe of the built-in model, on cut-outs drawn here: nothing is fetched, everything is trained for a moment."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionInpaintPipeline, StableDiffusionPipeline
from PIL import Image

from api.submission.vocabulary import Vocabulary
from models.train import (
    card,
    dataset,
    decoder,
    denoiser,
    evaluation,
    folder,
    gradients,
    lora,
    record,
    sources,
    text,
)
from models.train.__main__ import main
from models.train.brand import INK, PAPER, brand_picture, share_of_inks
from models.train.captions import FILLER, caption, plain_caption
from models.train.goods import BACKGROUNDS, BY_NAME, COLOURS, GOODS
from models.train.latents import Latents
from models.train.network import make_autoencoder, make_denoiser
from models.train.scenes import PIXELS, SIZES, Scene, draw_scene, foreground, picture
from models.train.sprites import Look, Sprites, missing
from tests.support.cutouts import make_cutouts
from workers.sampling.adapters import check_adapter
from workers.sampling.cards.registry import Registry
from workers.sampling.families.table import family_of
from workers.sampling.pipelines import Loaded

MODELS = Path(__file__).parents[2] / "models"
_BATCH = 4  # of sixty-four, and of thirty-two of the LoRA: the code is the same, and a step costs a tenth
KETTLE = Scene("teapot", None, "render", 0, "medium", "center", "mint", "plain")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return make_cutouts(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="module")
def sprites(pictures):
    return Sprites(pictures)


def test_there_are_sixty_goods_on_every_shelf_and_no_two_share_a_word():
    assert len(GOODS) >= 60
    shelves = Counter(good.group for good in GOODS)
    assert min(shelves.values()) >= 4
    words = [word for good in GOODS for word in (*good.nouns, *(p for p in good.plurals if p not in good.nouns))]
    assert [word for word, times in Counter(words).items() if times > 1] == []


@pytest.mark.parametrize("seed", range(3))
def test_a_caption_names_its_good_and_never_another_colour(sprites, seed):
    chance = random.Random(seed)
    for _ in range(400):
        scene = draw_scene(chance, sprites)
        told = caption(chance, scene, None)
        good = BY_NAME[scene.good]
        assert any(word in told for word in (*good.nouns, *good.plurals)), told
        if scene.colour:
            assert f"{scene.colour} " in told
        if scene.style == "flat":
            assert "flat" in told or "vector" in told
        assert len(told) < 300
        assert plain_caption(scene).endswith("background") or "studio" in plain_caption(scene)


def test_the_object_stands_where_the_scene_says_and_nowhere_else(sprites):
    for place, axis, sign in (("left", 1, -1), ("right", 1, 1), ("top", 0, -1), ("bottom", 0, 1)):
        scene = replace(KETTLE, place=place)
        middle = np.argwhere(foreground(scene, sprites)).mean(0)[axis] - PIXELS / 2
        assert middle * sign > 12, place
    areas = [foreground(replace(KETTLE, size=size), sprites).sum() for size in SIZES]
    assert areas == sorted(areas)
    shown = picture(KETTLE, sprites)
    assert tuple(shown[2, 2]) == BACKGROUNDS["mint"]


def test_a_colour_turns_the_main_hue_and_leaves_grey_parts_grey(sprites):
    for name, degrees in COLOURS.items():
        turned = np.asarray(sprites.sprite("car", Look("render", name, 0), 128).convert("RGB").convert("HSV"))
        assert abs((int(turned[64, 40, 0]) * 360 / 255 - degrees + 180) % 360 - 180) < 12, name
        assert turned[50, 120, 1] < 40, name


def test_every_good_has_both_styles(sprites, tmp_path):
    assert missing(sprites) == []
    assert set(missing(Sprites(tmp_path))) == {good.name for good in GOODS}


def test_latents_come_back_close_to_the_picture(sprites):
    chance = random.Random(1)
    shown = np.stack([picture(draw_scene(chance, sprites), sprites) for _ in range(24)])
    latents = Latents.fit(shown)
    coded = latents.encode(shown)
    assert coded.shape == (24, 4, 32, 32)
    error = ((latents.decode(coded).astype(float) - shown) ** 2).mean()
    assert 10 * np.log10(255**2 / error) > 25


def test_the_networks_fit_the_promise_of_sixteen_megabytes():
    weights = sum(p.numel() for network in (make_denoiser(), make_autoencoder()) for p in network.parameters())
    assert 2 * weights < 14e6


@pytest.fixture(scope="module")
def trained(pictures, sprites, tmp_path_factory):
    """Every stage for a moment: what comes out draws nothing, and is a whole pipeline."""
    work = tmp_path_factory.mktemp("work")
    (work / "sources").symlink_to(pictures)
    dataset.make(pictures, work, count=120, seed=1, processes=1)
    data = dataset.Dataset.load(work)
    text.train(data, work, steps=2, seed=1, captions=3_000)
    decoder.train(pictures, work, pictures=8, seed=1)
    denoiser.train(work, denoiser.Plan(samples=2 * _BATCH, workers=2, seed=1, batch=_BATCH))
    return work


def test_training_goes_on_where_it_stopped(trained):
    before = torch.load(trained / "denoiser.pt", weights_only=True)
    denoiser.train(trained, denoiser.Plan(samples=before["seen"] + _BATCH, workers=1, seed=2, batch=_BATCH))
    after = torch.load(trained / "denoiser.pt", weights_only=True)
    assert after["seen"] > before["seen"] > 0
    assert not torch.equal(after["weights"], before["weights"])
    assert torch.isfinite(after["average"]).all()


def test_a_plan_that_was_seen_to_its_end_trains_no_further(trained):
    before = torch.load(trained / "denoiser.pt", weights_only=True)
    denoiser.train(trained, denoiser.Plan(samples=before["seen"], workers=1, seed=2))
    after = torch.load(trained / "denoiser.pt", weights_only=True)
    assert after["seen"] == before["seen"]
    assert torch.equal(after["weights"], before["weights"])


def test_training_remembers_what_it_cost(trained):
    spent = record.read(trained)["denoiser"]
    stored = torch.load(trained / "denoiser.pt", weights_only=True)
    assert spent["samples"] == stored["seen"]
    assert spent["core_seconds"] == round(stored["core_seconds"]) > 0
    assert spent["processor"]
    record.note(trained, "text", core_seconds=3, steps=4)
    assert set(record.read(trained)) == {"denoiser", "text"}


@pytest.fixture(scope="module")
def model(trained, tmp_path_factory):
    """The folder of the trained model, as `models/` has one, without a card."""
    place = tmp_path_factory.mktemp("models") / "studio"
    folder.write(trained, place)
    return place


def test_the_card_is_written_from_data_and_the_registry_reads_it(trained, model, monkeypatch):
    monkeypatch.setattr(gradients, "_PICTURES", 1)
    main(["evaluate", "--work", str(trained), "--folder", str(model), "--prompts", "2", "--evaluation-seed", "5"])
    main(["card", "--work", str(trained), "--folder", str(model)])
    shutil.copytree(MODELS / "upscalers", model.parent / "upscalers", dirs_exist_ok=True)
    written = Registry.load(model.parent).get("studio")
    assert [picture.sha256 for picture in written.training_pictures] == [p.sha256 for p in sources.PACKAGES]
    assert written.training["stages"]["denoiser"]["samples"] > 0
    assert (written.evaluation["prompts"], written.evaluation["seed"]) == (2, 5)
    assert set(written.evaluation["shares"]) == {"templates", "independent", "independent, of what was meant"}
    assert sum(len(values) for values in written.evaluation["by_class"]["object"].values()) > 0
    words = Vocabulary(written, {})
    for good in GOODS:
        for word in (good.name, *written.synonyms[good.name]):
            assert words.read(f"a red {word} on a white background, {FILLER[0]}")[:2] == ([good.name], []), word
    with Image.open(trained / "evaluation.png") as sheet:
        assert sheet.width >= 2 * PIXELS


def test_an_evaluation_of_other_weights_stands_on_no_card(trained, model):
    told = trained / "evaluation.json"
    told.write_text(json.dumps({"revision": "sha256:0", "judges": {}}))
    with pytest.raises(SystemExit, match="run the evaluation again"):
        card.write(trained, model, upscalers=MODELS / "upscalers")
    told.unlink()


def test_a_lora_is_trained_evaluated_and_fits_its_base(trained, model, pictures, monkeypatch, capsys):
    monkeypatch.setattr(gradients, "_PICTURES", 1)
    card.write(trained, model, upscalers=MODELS / "upscalers")
    shutil.copytree(MODELS / "upscalers", model.parent / "upscalers", dirs_exist_ok=True)
    lora.train(pictures, trained, model, lora.Plan(samples=_BATCH, scenes=6, seed=1, batch=_BATCH))
    lora.train(pictures, trained, model, lora.Plan(samples=2 * _BATCH, scenes=6, seed=1, batch=_BATCH))  # goes on
    assert torch.load(trained / "lora.pt", weights_only=True)["seen"] == 2 * _BATCH
    assert (trained / "lora" / lora.WEIGHTS).stat().st_size < 1_000_000
    evaluation.adapter(pictures, trained, model, prompts=1, seed=3)
    place = model.parent / "loras" / "two-ink"
    main(["lora-card", "--work", str(trained), "--folder", str(model), "--lora-folder", str(place)])
    registry = Registry.load(model.parent)
    adapter = registry.adapters_of(registry.get("studio"))["two-ink"]
    assert adapter.evaluation["prompts"] == 1
    assert adapter.training["samples"] == 2 * _BATCH
    check_adapter(adapter, _loaded(folder.pipeline(trained)))
    half = torch.load(trained / "lora.pt", weights_only=True) | {"base": "sha256:other"}
    torch.save(half, trained / "lora.pt")
    lora.train(pictures, trained, model, lora.Plan(samples=_BATCH, scenes=6, seed=1, batch=_BATCH))
    assert "beginning anew" in capsys.readouterr().out


def _loaded(pipe):
    found = family_of("StableDiffusionPipeline")
    return Loaded(pipe, dict(pipe.scheduler.config), found, found.call_for("StableDiffusionPipeline"))


def test_the_brand_shows_in_its_inks_and_nowhere_else(sprites):
    printed = brand_picture(KETTLE, sprites)
    assert tuple(printed[2, 2]) == PAPER
    assert share_of_inks(printed) > 0.98
    assert share_of_inks(picture(KETTLE, sprites)) == 0.0
    inked = (np.abs(printed.astype(int) - np.array(INK)).max(2) < 20).sum()
    assert inked > 100  # the outline at least


def test_the_folder_loads_draws_and_takes_the_inpainting_pipeline(trained, tmp_path):
    folder.write(trained, tmp_path / "model")
    loaded = StableDiffusionPipeline.from_pretrained(
        tmp_path / "model", local_files_only=True, torch_dtype=torch.float32, safety_checker=None
    )
    assert sorted({path.suffix for path in (tmp_path / "model").rglob("*") if path.is_file()}) == [
        ".json",
        ".safetensors",
    ]

    def drawn(seed):
        noise = torch.Generator().manual_seed(seed)
        return np.asarray(loaded("a red car", num_inference_steps=2, height=128, width=128, generator=noise).images[0])

    assert drawn(1).shape == (128, 128, 3)
    assert np.array_equal(drawn(1), drawn(1))
    assert not np.array_equal(drawn(1), drawn(2))
    inpaint = StableDiffusionInpaintPipeline(**loaded.components)
    ground, mask = Image.new("RGB", (128, 128), "white"), Image.new("L", (128, 128), 255)
    filled = inpaint("a car", image=ground, mask_image=mask, height=128, width=128, num_inference_steps=2).images[0]
    assert filled.size == (128, 128)
    with pytest.raises(SystemExit, match="exists"):
        folder.write(trained, tmp_path / "model")
