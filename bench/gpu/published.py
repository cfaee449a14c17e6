"""Models in their published configurations, built without a hub: what speed depends on is shapes, not weights.

The configurations are those of the repositories stable-diffusion-v1-5, stable-diffusion-xl-base-1.0 and DiT-XL-2-512.
The tokenizers know letters alone; their ids and windows are the published ones, so encoders do the same work.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import diffusers
import torch
from diffusers import AutoencoderKL, DDIMScheduler, EulerDiscreteScheduler, PNDMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from tests.support.tiny_models import transformers, unets
from workers.sampling.cards.contents import ModelFile, ModelSource, revision_of
from workers.sampling.cards.registry import ModelCard

_START, _END, _WINDOW = 49406, 49407, 77
_DIFFUSION = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
Builder = Callable[[torch.device, torch.dtype], Any]


class Model(NamedTuple):
    """One architecture: how it is built, and how it is asked."""

    name: str
    family: str
    build: Builder
    tiny: Callable[[], Any]
    side: int
    guidance_scale: float
    prompt: str = "a red mug on a white table"
    steps: int = 20


def stable_diffusion(device: torch.device, dtype: torch.dtype) -> Any:
    with device:
        networks = {
            "vae": _vae(sample_size=512, scaling_factor=0.18215).to(dtype),
            "text_encoder": CLIPTextModel(_clip(768, 3072, 12, 12, "quick_gelu")).to(dtype),
            "unet": UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8).to(dtype),
        }
    return diffusers.StableDiffusionPipeline(
        **networks, tokenizer=_tokenizer(), scheduler=PNDMScheduler(**_DIFFUSION, skip_prk_steps=True),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip


def stable_diffusion_xl(device: torch.device, dtype: torch.dtype) -> Any:
    big_g = _clip(1280, 5120, 32, 20, "gelu", projection_dim=1280)
    with device:
        networks = {
            "vae": _vae(sample_size=1024, scaling_factor=0.13025, force_upcast=True).to(dtype),
            "text_encoder": CLIPTextModel(_clip(768, 3072, 12, 12, "quick_gelu")).to(dtype),
            "text_encoder_2": CLIPTextModelWithProjection(big_g).to(dtype),
            "unet": UNet2DConditionModel(
                sample_size=128, block_out_channels=(320, 640, 1280), cross_attention_dim=2048,
                attention_head_dim=(5, 10, 20), transformer_layers_per_block=(1, 2, 10), use_linear_projection=True,
                down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
                up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
                addition_embed_type="text_time", addition_time_embed_dim=256,
                projection_class_embeddings_input_dim=2816).to(dtype),
        }  # fmt: skip
    return diffusers.StableDiffusionXLPipeline(
        **networks, tokenizer=_tokenizer(), tokenizer_2=_tokenizer(), scheduler=EulerDiscreteScheduler(**_DIFFUSION),
        add_watermarker=False,
    )  # fmt: skip


def dit(device: torch.device, dtype: torch.dtype) -> Any:
    with device:
        # The defaults are XL/2.
        transformer = diffusers.DiTTransformer2DModel(sample_size=64, out_channels=8).to(dtype)
        vae = _vae(sample_size=512, scaling_factor=0.18215).to(dtype)
    return diffusers.DiTPipeline(transformer, vae, DDIMScheduler())


MODELS = (
    Model("SD 1.5", "stable-diffusion", stable_diffusion, unets.stable_diffusion, 512, 7.5),
    Model("SDXL", "stable-diffusion-xl", stable_diffusion_xl, unets.stable_diffusion_xl, 1024, 5.0),
    Model("DiT-XL/2", "dit", dit, transformers.dit, 512, 4.0, prompt="207"),
)
TINY_SIDE = 64  # pixels of the smoke mode, the smallest that can be marked; a DiT has its own


def card_of(model: Model, pipe: Any, *, side: int, steps: int) -> ModelCard:
    """A card for weights that lie in no file."""
    files = (ModelFile("random", 0, "0" * 64),)
    scheduler = type(pipe.scheduler).__name__
    return ModelCard(
        name=model.name, title=model.name, description="Random weights.", licence="none", allowed_use="Benchmarks.",
        training_data="None.", training_pictures=(), limits=("Draws noise.",), source=ModelSource(folder="."),
        pipeline=type(pipe).__name__, revision=revision_of(files), files=files, home=Path(), width=side, height=side,
        min_side=8, max_side=4096, max_pixels=4096 * 4096, num_inference_steps=steps, max_num_inference_steps=100,
        scheduler=scheduler, schedulers=(scheduler,), guidance_scale=model.guidance_scale, max_guidance_scale=20.0,
    )  # fmt: skip


def _vae(**changes: Any) -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, **changes,
    )  # fmt: skip


def _clip(hidden: int, intermediate: int, layers: int, heads: int, act: str, **changes: Any) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=_END + 1, hidden_size=hidden, intermediate_size=intermediate, num_hidden_layers=layers,
        num_attention_heads=heads, max_position_embeddings=_WINDOW, hidden_act=act, bos_token_id=_START,
        eos_token_id=_END, **changes,
    )  # fmt: skip


def _tokenizer() -> CLIPTokenizer:
    letters = [*string.ascii_lowercase, *(f"{letter}</w>" for letter in string.ascii_lowercase)]
    ids = {sign: n for n, sign in enumerate(letters)} | {"<|startoftext|>": _START, "<|endoftext|>": _END}
    return CLIPTokenizer(vocab=ids, merges=[], model_max_length=_WINDOW)
