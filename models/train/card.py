"""Model cards of the trained parts, written from data: sources, words, compute, figures. The registry reads them.

A figure of other weights is not used: evaluation.json names the revision that it measured.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from models.train import captions, record
from models.train.goods import BACKGROUNDS, COLOURS, GOODS, Good
from models.train.network import GUIDANCE, RESCALE, STEPS
from models.train.sources import PACKAGES
from workers.sampling.cards.contents import CARD, file_of, paths_in, revision_of
from workers.sampling.cards.extras import AdapterCard, UpscalerCard, read
from workers.sampling.cards.registry import read_card

LICENCE = "Apache-2.0"
_USE = {
    "fluent-emoji-3d": "a cut-out render of every good, mirrored, leaning and recoloured where that makes sense",
    "fluent-emoji-flat": "a flat drawing of every good, in the same ways",
}
_SHELVES = "Food, clothes, devices, furniture, household and leisure goods"
_LIMITS = (
    "Draws the things under `knows`, one at a time; anything else comes out as something else.",
    "One kind of each thing, seen from one side, mirrored, and leaning where it leans. Two styles: 3D render and flat.",
    "Gives another colour only to the things whose own colour is plain: see `recolours`.",
    "Draws at 128 x 128; larger sizes repeat the thing. `upscale: 4` gives 512 x 512.",
    "No people, no scenes, no writing. Grounds are plain, gradient, spotlight or studio.",
    "Reads English, 48 tokens of it; the rest is cut off.",
)


def write(work: Path, folder: Path, *, upscalers: Path) -> None:
    """card.yaml of the model in `folder`, named after it. Raises SystemExit if the evaluation is of other weights."""
    files = [file_of(folder, path) for path in paths_in(folder)]
    revision = revision_of(files)
    pins = [read(path, UpscalerCard) for path in sorted(upscalers.glob(f"*/{CARD}"))]
    card: dict[str, Any] = {
        "name": folder.name,
        "title": folder.name.capitalize(),
        "description": (
            f"A small text-to-image diffusion model that ships with Presswork. It draws one of {len(GOODS)} catalogue"
            " goods, in two styles, on plain grounds, as its prompt says: colour, size, place and ground. Trained from"
            " nothing by models/train."
        ),
        "licence": LICENCE,
        "allowed_use": "Any use under its licence, in public and commercially. Made for demonstrations and tests.",
        "training_data_licence": "MIT",
        "owner": "The Presswork project",
        "training_data": (
            "Pictures composed by a program from cut-outs of Microsoft's Fluent Emoji on studio grounds, with captions"
            " written by the same program. No photographs, no people, nothing collected from the web. The licence was"
            " read in the packages that carry the cut-outs; no lawyer has reviewed it."
        ),
        "training_pictures": _pictures(),
        "limits": list(_LIMITS),
        "source": {"folder": "."},
        "pipeline": "StableDiffusionPipeline",
        "revision": revision,
        "files": [asdict(file) for file in files],
        **_abilities(),
        "upscalers": [{"name": upscaler.name, "revision": upscaler.revision} for upscaler in pins],
        **_words(),
        "training": _training(work),
        "evaluation": _evaluation(work / "evaluation.json", revision),
    }
    _store(folder / CARD, card)
    read_card(folder / CARD)


def write_lora(work: Path, base: Path, folder: Path) -> None:
    """card.yaml of the LoRA in `folder`, named after it, for the model in `base`."""
    (file,) = (file_of(folder, path) for path in paths_in(folder))
    model = read_card(base / CARD)
    revision = revision_of([file])
    card = {
        "name": folder.name,
        "title": "Two-ink print",
        "description": (
            "A brand style for the built-in model: navy and coral ink on cream paper, a dark outline, no shadow. The"
            " thing, its size and its place are as the prompt says; colours and grounds are the style's own."
        ),
        "licence": LICENCE,
        "allowed_use": "As its base model.",
        "training_data": "Pictures composed from the base model's cut-outs by a program that prints in two inks.",
        "training_pictures": _pictures(),
        "limits": ["For this base model at this revision only.", "Ignores the colours and grounds of a prompt."],
        "base": {"name": model.name, "revision": model.revision},
        "revision": revision,
        "files": [asdict(file)],
        "words": ["two-ink print", "two-ink style", "two ink print", "house style"],
        "training": record.read(work).get("lora", {}),
        "evaluation": _figures(work / "evaluation-lora.json", revision),
    }
    _store(folder / CARD, card)
    read(folder / CARD, AdapterCard)


def synonyms() -> dict[str, list[str]]:
    """Every other word for each good, plurals included, as the captions use them."""
    return {good.name: sorted(_others(good)) for good in GOODS if _others(good)}


def _others(good: Good) -> set[str]:
    pairs = {f"pair of {good.name}"} if good.always_plural else {_plural(word) for word in good.synonyms}
    return {*good.synonyms, *good.plurals, *pairs} - {good.name}


def _plural(words: str) -> str:
    """ "slices of pizza", "watches", "teddies"."""
    head, of, rest = words.partition(" of ")
    if head.endswith(("s", "x", "ch", "sh")):
        return f"{head}es{of}{rest}"
    if head.endswith("y") and head[-2] not in "aeiou":
        return f"{head[:-1]}ies{of}{rest}"
    return f"{head}s{of}{rest}"


def _pictures() -> list[dict[str, str]]:
    return [
        {
            "name": f"npm {package.name} {package.version}",
            "licence": package.licence,
            "copyright": package.copyright,
            "use": _USE[package.folder],
            "sha256": package.sha256,
        }
        for package in PACKAGES
    ]


def _abilities() -> dict[str, Any]:
    schedulers = ["DDIM", "DPMSolverMultistep", "EulerAncestralDiscrete", "EulerDiscrete", "LCM", "UniPCMultistep"]
    return {
        "width": 128,
        "height": 128,
        "min_side": 64,
        "max_side": 256,
        "max_pixels": 256 * 256,
        "size_multiple": 8,
        "num_inference_steps": STEPS,
        "max_num_inference_steps": 50,
        "guidance_scale": GUIDANCE,
        "max_guidance_scale": 10.0,
        "guidance_rescale": RESCALE,
        "scheduler": "DDIMScheduler",
        "schedulers": [f"{name}Scheduler" for name in schedulers],
        "accelerator_dtype": "float32",
        "queue": "gpu",
    }


def _words() -> dict[str, Any]:
    return {
        "languages": ["English"],
        "knows": [good.name for good in GOODS],
        "synonyms": synonyms(),
        "recolours": [good.name for good in GOODS if good.recolour],
        "colours": list(COLOURS),
        "backgrounds": list(BACKGROUNDS),
        "words": list(captions.WORDS),
        "filler": list(captions.FILLER),
    }


def _training(work: Path) -> dict[str, Any]:
    stages = {name: stage for name, stage in record.read(work).items() if name != "lora"}  # has a card of its own
    return {
        "recipe": "python -m models.train",
        "finished": datetime.now(UTC).date().isoformat(),
        "core_seconds": sum(stage["core_seconds"] for stage in stages.values()),
        "processors": sorted({stage["processor"] for stage in stages.values()}),
        "stages": {name: {k: v for k, v in stage.items() if k != "processor"} for name, stage in stages.items()},
    }


def _evaluation(path: Path, revision: str) -> dict[str, Any]:
    """Shares, and right of asked for every class of the template scorer; the independent one's shares beside them."""
    told = _figures(path, revision)
    if not told:
        return {}
    judges: Mapping[str, Any] = told["judges"]
    return {
        **{name: value for name, value in told.items() if name not in ("judges", "revision")},
        "shares": {name: {key: value["share"] for key, value in judge.items()} for name, judge in judges.items()},
        "by_class": {key: value["by_value"] for key, value in judges["templates"].items()},
    }


def _figures(path: Path, revision: str) -> dict[str, Any]:
    if not path.exists():
        return {}
    told: dict[str, Any] = json.loads(path.read_text("utf-8"))
    if told["revision"] != revision:
        raise SystemExit(
            f"{path} measured {told['revision']}, and this is {revision}. Remedy: run the evaluation again"
        )
    return told


def _store(path: Path, card: Mapping[str, Any]) -> None:
    text = yaml.safe_dump(dict(card), sort_keys=False, width=116, allow_unicode=True, default_flow_style=None)
    path.write_text("# Written by `python -m models.train`; change the recipe, not this file.\n" + text, "utf-8")
    print(f"wrote {path}")
