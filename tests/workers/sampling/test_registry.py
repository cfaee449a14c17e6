"""Model cards: what they pin, what they refuse, what they answer."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from models.upscalers.convert import MEMBER_SHA256
from workers.errors import CardInvalid, ModelMissing
from workers.sampling.cards.contents import file_of, paths_in
from workers.sampling.cards.limits import STATED, not_usable
from workers.sampling.cards.registry import ModelCard, Registry

MODELS = Path(__file__).parents[3] / "models"
UPSCALER = "realesr-animevideov3-x4"
REVISION = "sha256:" + "0" * 64


@pytest.fixture
def card() -> ModelCard:
    return Registry.load(MODELS).get("studio")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A models directory with cards alone: reading cards needs no other file."""
    for card in (MODELS / "studio" / "card.yaml", *MODELS.glob("upscalers/*/card.yaml")):
        place = tmp_path / card.relative_to(MODELS)
        place.parent.mkdir(parents=True)
        shutil.copy(card, place)
    return tmp_path


def edit(models: Path, **changes: Any) -> None:
    path = models / "studio" / "card.yaml"
    written = yaml.safe_load(path.read_text()) | changes
    path.write_text(yaml.safe_dump({k: v for k, v in written.items() if v is not None}))


def test_the_models_card_lists_exactly_the_bytes_that_ship(card: ModelCard) -> None:
    assert tuple(file_of(card.home, path) for path in paths_in(card.home)) == card.files


def test_a_revision_can_be_recomputed_without_us(card: ModelCard) -> None:
    line = "find * -type f ! -name card.yaml | LC_ALL=C sort | xargs sha256sum | sha256sum"
    out = subprocess.run(line, shell=True, cwd=card.home, capture_output=True, text=True, check=True).stdout
    assert f"sha256:{out.split()[0]}" == card.revision


def test_the_model_can_make_what_it_offers_by_default(card: ModelCard) -> None:
    for scheduler in card.schedulers:
        assert card.problems(
            width=card.width,
            height=card.height,
            num_inference_steps=card.num_inference_steps,
            guidance_scale=card.guidance_scale,
            scheduler=scheduler,
            negative_prompt="blurry",
        ) == []  # fmt: skip


@pytest.mark.parametrize(
    ("wish", "field", "words"),
    [
        ({"width": 10_001}, "width", "10001 is outside 64 to 256"),
        ({"height": 0}, "height", "0 is outside 64 to 256"),
        ({"height": -128}, "height", "outside 64 to 256"),
        ({"width": 130}, "width", "not a multiple of 8; 128 or 136 would be"),
        ({"num_inference_steps": 0}, "num_inference_steps", "outside 1 to 50"),
        ({"num_inference_steps": 9_999_999}, "num_inference_steps", "outside 1 to 50"),
        ({"guidance_scale": math.nan}, "guidance_scale", "nan is outside 0 to 10"),
        ({"guidance_scale": math.inf}, "guidance_scale", "inf is outside 0 to 10"),
        ({"guidance_scale": -0.1}, "guidance_scale", "outside 0 to 10"),
        ({"guidance_scale": 1.0, "negative_prompt": "blurry"}, "negative_prompt", "no effect at guidance_scale 1"),
        ({"scheduler": "ddim"}, "scheduler", "it has DDIMScheduler, DPMSolverMultistepScheduler"),
    ],
)
def test_a_wish_the_model_cannot_grant_is_answered_with_field_and_remedy(
    card: ModelCard, wish: dict[str, Any], field: str, words: str
) -> None:
    [problem] = card.problems(**(defaults(card) | wish))
    assert problem.field == field
    assert words in problem.message


def test_every_problem_is_told_at_once(card: ModelCard) -> None:
    asked = {"width": 1, "height": 9999, "num_inference_steps": 0, "guidance_scale": 99.0, "scheduler": ""}
    assert [problem.field for problem in card.problems(**asked)] == list(asked)


def test_two_sides_within_limits_may_still_be_too_many_pixels(models: Path) -> None:
    edit(models, max_pixels=128 * 128)
    [problem] = Registry.load(models).get("studio").problems(**defaults(Registry.load(models).get("studio"), width=256))
    assert problem == ("width", "256 x 128 is 32768 pixels; studio makes up to 16384")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"width": "wide"}, "width: Input should be a valid integer"),
        ({"licence": None}, "licence: Field required"),
        ({"licence": ""}, "licence: String should have at least 1 character"),
        ({"colour": "red"}, "colour: Unexpected keyword argument"),
        ({"guidance_scale": math.nan}, "guidance_scale: Input should be a finite number"),
        ({"scheduler": "PickleScheduler"}, "scheduler: Value error, 'PickleScheduler' is none of"),
        (
            {"scheduler": "FlowMatchEulerDiscreteScheduler"},
            "schedulers: FlowMatchEulerDiscreteScheduler is for models that predict flow matching;",
        ),
        ({"pipeline": "CustomPipeline"}, "pipeline: Value error, 'CustomPipeline' belongs to no family"),
        ({"files": [{"path": "../up.json", "bytes": 1, "sha256": "0" * 64}]}, "files.0.path: String should match"),
        ({"files": [{"path": "/etc/passwd", "bytes": 1, "sha256": "0" * 64}]}, "files.0.path: String should match"),
        ({"files": [{"path": "a.json", "bytes": 1, "sha256": "0" * 64}]}, "revision: the listed files make sha256:"),
        ({"source": {"folder": ".", "hub": "a/b"}}, "source: Value error, name either a folder or a hub repository"),
        ({"source": {"hub": "a/b", "commit": "main"}}, "source.commit: String should match"),
        ({"source": {"hub": "a/b"}}, "source: Value error, a hub repository is pinned by its commit"),
        ({"num_inference_steps": 51}, "num_inference_steps: its own default is outside its own limits"),
        ({"name": "other"}, "name: 'other' is not the name of its folder, 'studio'"),
    ],
)
def test_a_broken_card_is_refused_with_file_and_field(models: Path, changes: dict[str, Any], words: str) -> None:
    edit(models, **changes)
    with pytest.raises(CardInvalid) as refusal:
        Registry.load(models)
    assert str(refusal.value).startswith(str(models / "studio" / "card.yaml"))
    assert words in str(refusal.value)


@pytest.mark.parametrize("text", ["just words", "- a\n- list\n", "a: [", "\x00", ""])
def test_a_card_that_is_no_mapping_is_refused_by_file(models: Path, text: str) -> None:
    (models / "studio" / "card.yaml").write_text(text)
    with pytest.raises(CardInvalid, match=r"card\.yaml: "):
        Registry.load(models)


def test_all_broken_fields_are_told_at_once(models: Path) -> None:
    edit(models, width="wide", title="", queue="GPU 1")
    with pytest.raises(CardInvalid, match=r"title: .*; width: .*; queue: "):
        Registry.load(models)


@pytest.mark.parametrize("name", ["stable-diffusion-xl-base-1.0", "SDXL", "sd_15", "FLUX.1-dev"])
def test_a_name_is_as_in_the_world(models: Path, name: str) -> None:
    edit(models, name=name)
    (models / "studio").rename(models / name)
    assert Registry.load(models).get(name).name == name


@pytest.mark.parametrize("name", [".hidden", "a/b", "a b", "-x", "a" * 64, ""])
def test_a_name_that_is_no_folder_s_is_refused(models: Path, name: str) -> None:
    edit(models, name=name)
    with pytest.raises(CardInvalid, match="name: "):
        Registry.load(models)


def test_an_unknown_model_is_answered_with_those_there_are(models: Path) -> None:
    with pytest.raises(ModelMissing, match="there is no model 'sdxl'; there are: studio"):
        Registry.load(models).get("sdxl")


def test_a_directory_without_cards_is_no_registry(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"no model card found: .*card\.yaml"):
        Registry.load(tmp_path)


@pytest.mark.parametrize(
    ("pins", "words"),
    [
        ([{"name": "other", "revision": REVISION}], "upscalers: other at sha256:0+: there is no such upscaler"),
        (
            [{"name": UPSCALER, "revision": REVISION}],
            rf"{UPSCALER} at sha256:0+: its revision is sha256:8761",
        ),
        ([{"name": "../studio", "revision": REVISION}], "upscalers.0.name: String should match"),
        ([{"name": "a..b", "revision": REVISION}], "upscalers.0.name: String should match"),
        ([UPSCALER], "upscalers.0: Input should be a"),
    ],
)
def test_an_upscaler_is_pinned_by_its_bytes(models: Path, pins: list[Any], words: str) -> None:
    edit(models, upscalers=pins)
    with pytest.raises(CardInvalid, match=words):  # the only model there is
        Registry.load(models)


def test_two_upscalers_of_one_factor_are_refused(models: Path, card: ModelCard) -> None:
    edit(models, upscalers=[{"name": pin.name, "revision": pin.revision} for pin in card.upscalers * 2])
    with pytest.raises(CardInvalid, match="two of them have the same factor"):
        Registry.load(models)


def test_an_upscaler_of_the_wrong_kind_is_refused_with_file_and_field(models: Path) -> None:
    path = models / "upscalers" / UPSCALER / "card.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"factor": 1, "architecture": "RRDBNet"}))
    edit(models, upscalers=[])
    assert re.search(r"card\.yaml: architecture: .*; factor: ", Registry.load(models).unusable["upscaler", UPSCALER])


def test_one_bad_card_costs_no_other_model(models: Path) -> None:
    shutil.copytree(models / "studio", models / "other")
    edit(models, width="wide")
    path = models / "other" / "card.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"name": "other"}))
    registry = Registry.load(models)
    assert registry.names() == ("other",)
    with pytest.raises(CardInvalid, match="width: Input should be a valid integer"):
        registry.get("studio")


def test_two_names_that_differ_in_case_alone_are_refused_both(models: Path) -> None:
    shutil.copytree(models / "studio", models / "STUDIO")
    path = models / "STUDIO" / "card.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"name": "STUDIO"}))
    with pytest.raises(CardInvalid, match="'STUDIO' differs from it in case alone"):
        Registry.load(models)


def test_the_shipped_upscaler_and_adapters_are_exactly_the_bytes_on_their_cards() -> None:
    registry = Registry.load(MODELS)
    beside = (*registry.upscalers.values(), *registry.adapters.values())
    assert UPSCALER in registry.upscalers
    for extra in beside:
        assert tuple(file_of(extra.home, path) for path in paths_in(extra.home)) == extra.files
        assert MEMBER_SHA256 in extra.source if extra.name == UPSCALER else True


def test_a_model_is_usable_until_its_last_day(models: Path) -> None:
    edit(models, expires="2030-01-31")
    card = Registry.load(models).get("studio")
    assert not_usable(card, date(2030, 1, 31), expires=card.expires, require_stated=True) is None
    assert "until 2030-01-31, which is over" in str(
        not_usable(card, date(2030, 2, 1), expires=card.expires, require_stated=False)
    )


@pytest.mark.parametrize("field", STATED)
def test_what_nobody_stated_is_refused_only_where_it_is_required(models: Path, field: str) -> None:
    edit(models, **{field: "unknown"})
    card = Registry.load(models).get("studio")
    assert not_usable(card, date(2026, 1, 1), expires=card.expires, require_stated=False) is None
    assert f"nobody stated {field} of studio" in str(
        not_usable(card, date(2026, 1, 1), expires=card.expires, require_stated=True)
    )


def test_reading_cards_needs_no_deep_learning_library() -> None:
    heavy = "{'torch', 'diffusers', 'transformers', 'safetensors', 'huggingface_hub', 'cv2', 'onnxruntime'}"
    light = "workers.sampling.cards.registry, workers.sampling.files.folder_rules"
    code = f"import sys, {light}; print({heavy} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], cwd=MODELS.parent, capture_output=True, text=True, check=True)
    assert out.stdout == "set()\n"


def defaults(card: ModelCard, **changes: Any) -> dict[str, Any]:
    fields = ("width", "height", "num_inference_steps", "guidance_scale", "scheduler")
    return {field: getattr(card, field) for field in fields} | changes
