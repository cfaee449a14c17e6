"""Instances: every tiny model by name, as a folder with a card, built once a session and only when asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch

from tests.support.tiny_models import transformers, unets
from tests.support.tiny_pipeline import write_card
from workers.sampling.cards.registry import ModelCard, read_card
from workers.sampling.families.family import Family
from workers.sampling.families.table import family_of


class Instance(NamedTuple):
    """How a tiny model is built, and what its card says of it."""

    build: Callable[[], Any]
    side: int = 16
    guidance_scale: float = 2.0
    steps: int = 2
    needs: str = ""  # a package that its library asks for and that need not be installed


INSTANCES = {
    "sd-1.5": Instance(unets.stable_diffusion),
    "sd-2.1": Instance(unets.stable_diffusion_2),
    "sd-inpaint": Instance(unets.stable_diffusion_inpaint),
    "instruct-pix2pix": Instance(unets.instruct_pix2pix),
    "sd-control": Instance(unets.stable_diffusion_control),
    "sd-x4-upscaler": Instance(unets.stable_diffusion_upscale, side=32),
    "lcm": Instance(unets.latent_consistency),
    "sdxl": Instance(unets.stable_diffusion_xl),
    "sdxl-turbo": Instance(unets.stable_diffusion_xl_turbo, guidance_scale=0.0),
    "sdxl-lightning": Instance(unets.stable_diffusion_xl_lightning, guidance_scale=0.0),
    "sdxl-control": Instance(unets.stable_diffusion_xl_control),
    "kandinsky-2.2": Instance(unets.kandinsky),
    "ddpm": Instance(unets.ddpm, guidance_scale=1.0),
    "ddim": Instance(unets.ddim, guidance_scale=1.0),
    "consistency": Instance(unets.consistency, guidance_scale=1.0),
    "sd-3.5": Instance(transformers.stable_diffusion_3),
    "flux.1-dev": Instance(transformers.flux),
    "flux.1-schnell": Instance(transformers.flux_schnell, guidance_scale=0.0),
    "flux.1-kontext": Instance(transformers.flux_kontext),
    "flux.2-klein": Instance(transformers.flux2_klein),
    "chroma": Instance(transformers.chroma),
    "pixart-sigma": Instance(transformers.pixart_sigma),
    "sana": Instance(transformers.sana, side=32),
    "aura-flow": Instance(transformers.aura_flow, guidance_scale=6.0),
    "lumina-2": Instance(transformers.lumina2),
    "cogview-4": Instance(transformers.cogview4),
    "z-image": Instance(transformers.z_image),
    "qwen-image": Instance(transformers.qwen_image),
    "qwen-image-edit": Instance(transformers.qwen_image_edit, side=32, needs="torchvision"),
    "dit": Instance(transformers.dit),
}


@cache
def build(models_dir: Path, name: str, side: int = 0) -> ModelCard:
    """The card of this instance, whose folder lies below `models_dir`. The same weights every time.

    `side` is what its pictures have where that is not its own: what is to be marked has 64 pixels.
    """
    instance, folder = INSTANCES[name], models_dir / name
    torch.manual_seed(0)
    pipe = instance.build()
    pipe.save_pretrained(folder, safe_serialization=True)
    family: Family = family_of(type(pipe).__name__)
    scheduler = type(pipe.scheduler).__name__
    others = [other for other in family.schedulers if other != scheduler]
    write_card(
        folder,
        pipeline=type(pipe).__name__,
        width=side or instance.side,
        height=side or instance.side,
        min_side=16,
        num_inference_steps=instance.steps,
        guidance_scale=instance.guidance_scale,
        scheduler=scheduler,
        schedulers=[scheduler, *others],
    )
    return read_card(folder / "card.yaml")


if __name__ == "__main__":
    for each in INSTANCES:
        build(Path(sys.argv[1]), each)
