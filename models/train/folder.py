"""Model folder that diffusers loads: a StableDiffusionPipeline in half precision, safetensors only."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline

from models.train.denoiser import load_average
from models.train.network import make_autoencoder, make_scheduler


def write(work: Path, folder: Path) -> None:
    """Put the pipeline into `folder`, which must not exist; beside it first, then in place."""
    if folder.exists():
        raise SystemExit(f"{folder} exists. Remedy: name another folder, or remove it first")
    half = folder.with_name(f"{folder.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    pipeline(work).to(torch.float16).save_pretrained(half, safe_serialization=True)
    half.rename(folder)


def pipeline(work: Path) -> StableDiffusionPipeline:
    """The trained parts, in float32."""
    models = load_average(work)
    autoencoder = make_autoencoder()
    autoencoder.load_state_dict(torch.load(work / "autoencoder.pt", weights_only=True, map_location="cpu"))
    made = StableDiffusionPipeline(
        vae=autoencoder,
        text_encoder=models.encoder,
        tokenizer=models.tokenizer,
        unet=models.denoiser,
        scheduler=make_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    made.set_progress_bar_config(disable=True)
    return made
