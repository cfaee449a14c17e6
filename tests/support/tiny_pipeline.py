"""Builds a real StableDiffusionPipeline with random weights: 64 x 64 pictures of nothing in milliseconds."""

from __future__ import annotations

import string
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import yaml
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from workers.sampling.cards.contents import CARD, file_of, paths_in, revision_of
from workers.sampling.cards.extras import UPSCALERS, UpscalerCard, read, read_extras
from workers.sampling.cards.registry import read_card
from workers.sampling.enlarge import Compact

SIDE = 64
UPSCALER = "double"
_WIDE = 32  # of the text encoder


def add_upscaler(models_dir: Path) -> UpscalerCard:
    """A network of two layers that doubles a picture, and adds almost nothing of its own."""
    folder = models_dir / "upscalers" / UPSCALER
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    network = Compact(4, 1, 2)
    save_file({name: value * 1e-3 for name, value in network.state_dict().items()}, folder / "weights.safetensors")
    files = [file_of(folder, "weights.safetensors")]
    card = {
        "name": UPSCALER, "title": "Double", "description": "Nearly nearest.", "licence": "Apache-2.0",
        "copyright": "Nobody", "source": "Random weights.", "conversion": "None.", "limits": ["Tests."],
        "revision": revision_of(files), "files": [asdict(file) for file in files],
        "architecture": "SRVGGNetCompact", "factor": 2, "features": 4, "convolutions": 1,
    }  # fmt: skip
    (folder / CARD).write_text(yaml.safe_dump(card, sort_keys=False))
    return read(folder / CARD, UpscalerCard)


def add_adapter(models_dir: Path, name: str = "ink", *, seed: int = 1, **changes: Any) -> Path:
    """A LoRA of rank 2 for tiny, as diffusers and peft write one, with random weights. Its folder."""
    folder = models_dir / "loras" / name
    base = read_card(models_dir / "tiny" / CARD)
    unet = UNet2DConditionModel.from_pretrained(models_dir / "tiny" / "unet")
    torch.manual_seed(seed)
    unet.add_adapter(LoraConfig(r=2, lora_alpha=2, init_lora_weights=False, target_modules=["conv1", "to_q"]))
    layers = get_peft_model_state_dict(unet)
    StableDiffusionPipeline.save_lora_weights(folder, unet_lora_layers=layers)
    (file,) = (file_of(folder, path) for path in paths_in(folder))
    card = {
        "name": name, "title": "Ink", "description": "Random weights.", "licence": "Apache-2.0",
        "allowed_use": "Tests.", "training_data": "None.", "training_pictures": [], "limits": ["Draws noise."],
        "base": {"name": "tiny", "revision": base.revision}, "revision": revision_of([file]), "files": [asdict(file)],
        **changes,
    }  # fmt: skip
    (folder / CARD).write_text(yaml.safe_dump(card, sort_keys=False))
    return folder


def build_tiny_model(
    models_dir: Path, name: str = "tiny", dtype: torch.dtype = torch.float32, *, upscalers: bool = False
) -> Path:
    """A model folder with its card, as the registry wants it. The same weights every time."""
    folder = models_dir / name
    torch.manual_seed(0)
    tokenizer = _tokenizer()
    pipe = StableDiffusionPipeline(
        vae=AutoencoderKL(block_out_channels=(8, 8, 8, 8), norm_num_groups=4, latent_channels=4,
                          down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4),
        text_encoder=CLIPTextModel(CLIPTextConfig(
            vocab_size=len(tokenizer), hidden_size=_WIDE, intermediate_size=_WIDE, num_hidden_layers=1,
            num_attention_heads=2, max_position_embeddings=tokenizer.model_max_length,
            bos_token_id=0, eos_token_id=1)),
        tokenizer=tokenizer,
        unet=UNet2DConditionModel(
            sample_size=SIDE // 8, block_out_channels=(8, 16), norm_num_groups=4, layers_per_block=1,
            cross_attention_dim=_WIDE, attention_head_dim=4,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D")),
        scheduler=DDIMScheduler(clip_sample=False, steps_offset=1),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipe.to(dtype=dtype).save_pretrained(folder, safe_serialization=True)
    beside = read_extras(models_dir, UPSCALERS, UpscalerCard).values() if upscalers else ()
    pins = [{"name": card.name, "revision": card.revision} for card in beside]
    write_card(folder, upscalers=pins)
    return folder


def write_card(folder: Path, **changes: Any) -> dict[str, Any]:
    """A card for whatever lies in the folder now, with some fields another way."""
    files = [file_of(folder, path) for path in paths_in(folder)]
    card: dict[str, Any] = {
        "name": folder.name,
        "title": "Tiny",
        "description": "Random weights.",
        "licence": "Apache-2.0",
        "allowed_use": "Tests.",
        "training_data": "None.",
        "training_pictures": [],
        "limits": ["Draws noise."],
        "source": {"folder": "."},
        "pipeline": "StableDiffusionPipeline",
        "revision": revision_of(files),
        "files": [{"path": file.path, "bytes": file.bytes, "sha256": file.sha256} for file in files],
        "width": SIDE,
        "height": SIDE,
        "min_side": 32,
        "max_side": 128,
        "max_pixels": 128 * 64,
        "num_inference_steps": 2,
        "max_num_inference_steps": 8,
        "guidance_scale": 2.0,
        "max_guidance_scale": 10.0,
        "scheduler": "DDIMScheduler",
        "schedulers": ["DDIMScheduler", "EulerAncestralDiscreteScheduler"],
        **changes,
    }
    (folder / CARD).write_text(yaml.safe_dump(card, sort_keys=False))
    return card


def _tokenizer() -> CLIPTokenizer:
    """Every letter is a token, so that a prompt's length is easy to reason about."""
    signs = ["<|startoftext|>", "<|endoftext|>", *string.ascii_lowercase, *(f"{c}</w>" for c in string.ascii_lowercase)]
    return CLIPTokenizer(vocab={sign: n for n, sign in enumerate(signs)}, merges=[], model_max_length=24)
