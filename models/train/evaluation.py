"""Evaluation run of a finished folder, and of a LoRA beside it: generate, score twice, write figures and a sheet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionPipeline

from models.train import evaluate, lora
from models.train.brand import brand_picture, share_of_inks
from models.train.dataset import Dataset
from models.train.evaluate import Question, Tally
from models.train.gradients import Independent
from models.train.network import GUIDANCE, RESCALE, STEPS
from models.train.scenes import picture
from models.train.sprites import Sprites
from workers.sampling.cards.contents import file_of, paths_in, revision_of

_ON_THE_SHEET = 64  # every good once
_IN_STYLE = 0.9  # share of pixels in the brand's inks


def model(sources: Path, work: Path, folder: Path, *, prompts: int, seed: int) -> None:
    """evaluation.json and evaluation.png under `work`. Seed and revision are written down: anybody can do it again."""
    torch.set_num_threads(1)
    sprites = Sprites(sources)
    asked = evaluate.questions(prompts, seed, sprites, Dataset.load(work).scenes)
    shown = _drawn(_pipeline(folder), asked, seed)
    independent = Independent(sprites, seed)
    judges = {
        "templates": evaluate.judge_by_templates(asked, shown, sprites),
        "independent": independent.judge(asked, shown),
        "independent, of what was meant": independent.judge(asked, [picture(each.scene, sprites) for each in asked]),
    }
    for name, tally in judges.items():
        _tell(name, tally)
    report = _head(folder, len(asked), seed) | {"judges": {name: tally.to_json() for name, tally in judges.items()}}
    (work / "evaluation.json").write_text(json.dumps(report, indent=1), "utf-8")
    evaluate.sheet(asked[:_ON_THE_SHEET], shown[:_ON_THE_SHEET], sprites, work / "evaluation.png")
    print(f"wrote {work / 'evaluation.json'} and {work / 'evaluation.png'}: meant on the left, drawn on the right")


def adapter(sources: Path, work: Path, folder: Path, *, prompts: int, seed: int) -> None:
    """evaluation-lora.json and .png: the same prompts and seeds with and without the LoRA."""
    torch.set_num_threads(1)
    sprites = Sprites(sources)
    asked = evaluate.questions(prompts, seed, sprites)
    pipe = _pipeline(folder)
    plain = _drawn(pipe, asked, seed)
    pipe.load_lora_weights(str(work / "lora"), weight_name=lora.WEIGHTS)
    styled = _drawn(pipe, asked, seed)
    known = Independent(sprites, seed, brand_picture)
    tally = Tally()
    for question, before, after in zip(asked, plain, styled, strict=True):
        scene = question.scene
        for name, image in (("without", before), ("with", after)):
            in_brand = evaluate.distance(image, sprites, brand_picture)
            closer = in_brand(scene) < evaluate.distance(image, sprites, picture)(scene)
            tally.add("style by template", name, closer)
            tally.add("style by inks", name, share_of_inks(image) > _IN_STYLE)
        nearest = evaluate.nearest_good(scene, evaluate.distance(after, sprites, brand_picture), sprites)
        tally.add("object by template", scene.good, nearest == scene.good)
        tally.add("object by gradients", scene.good, known.good(after) == scene.good)
    _tell("LoRA", tally)
    (file,) = (file_of(work / "lora", path) for path in paths_in(work / "lora"))
    shares = {
        attribute: {value: round(share, 4) for value, share, _ in tally.worst(attribute)}
        if attribute.startswith("style")
        else round(tally.share(attribute), 4)
        for attribute in tally.right
    }
    report = _head(folder, len(asked), seed) | {"base": revision_of_folder(folder), "shares": shares}
    report["revision"] = revision_of([file])
    (work / "evaluation-lora.json").write_text(json.dumps(report, indent=1), "utf-8")
    evaluate.sheet(asked[:48], styled[:48], sprites, work / "evaluation-lora.png", paint=brand_picture)
    print(f"wrote {work / 'evaluation-lora.json'} and {work / 'evaluation-lora.png'}")


def revision_of_folder(folder: Path) -> str:
    return revision_of(file_of(folder, path) for path in paths_in(folder))


def _head(folder: Path, prompts: int, seed: int) -> dict[str, Any]:
    drawn = {"steps": STEPS, "guidance_scale": GUIDANCE, "guidance_rescale": RESCALE, "scheduler": "DDIMScheduler"}
    return {"revision": revision_of_folder(folder), "prompts": prompts, "seed": seed, **drawn}


def _pipeline(folder: Path) -> Any:
    pipe = StableDiffusionPipeline.from_pretrained(
        folder, local_files_only=True, dtype=torch.float32, safety_checker=None
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _drawn(pipe: Any, asked: Sequence[Question], seed: int) -> list[np.ndarray]:
    shown: list[np.ndarray] = []
    wanted = [question.prompt for question in asked]
    for image in evaluate.draw(pipe, wanted, steps=STEPS, guidance=GUIDANCE, rescale=RESCALE, seed=seed):
        shown.append(image)
        print(f"\revaluate: {len(shown)} of {len(asked)} pictures", end="", flush=True)
    print()
    return shown


def _tell(name: str, tally: Tally) -> None:
    for attribute in tally.right:
        worst = ", ".join(f"{value} {share:.0%}" for value, share, _ in tally.worst(attribute)[:4] if share < 1)
        print(f"{name:<31} {attribute:<20} {tally.share(attribute):6.1%}   worst: {worst or 'none'}")
