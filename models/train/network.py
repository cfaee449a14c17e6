"""Networks of the model: small ones of the kinds that diffusers and transformers load as a StableDiffusionPipeline."""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np
import torch
from diffusers import AutoencoderTiny, DDIMScheduler, UNet2DConditionModel
from tokenizers import Tokenizer, pre_tokenizers, trainers
from tokenizers.models import BPE
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from models.train.latents import CHANNELS

TOKENS = 48  # of a prompt; the rest is cut off
_VOCABULARY = 1536
_WIDTH = 128
_TRAINED_STEPS = 1000
# How the card has it sampled. Of 320 fresh prompts, a guidance of 3 (rescaled by 0.5) got 94 % of the grounds right and
# 42 % of the things by their gradients; 1.5 got 100 % and 69 %, as it does not sharpen what the grounds are mottled by.
STEPS, GUIDANCE, RESCALE = 8, 1.5, 0.0
_SIGNAL = 0.4  # of the plain schedule's signal at each step


def make_tokenizer(texts: Iterable[str]) -> CLIPTokenizer:
    """Byte-level pairs learned from the captions, with CLIP's own normaliser and splitter."""
    base = CLIPTokenizer().backend_tokenizer
    learned = Tokenizer(BPE(end_of_word_suffix="</w>", unk_token="<|endoftext|>"))  # noqa: S106 - a token of text
    learned.normalizer, learned.pre_tokenizer = base.normalizer, base.pre_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY,
        min_frequency=2,
        special_tokens=["<|startoftext|>", "<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    learned.train_from_iterator(texts, trainer)
    model = json.loads(learned.to_str())["model"]
    merges = [tuple(merge) if isinstance(merge, list) else tuple(merge.split(" ")) for merge in model["merges"]]
    return CLIPTokenizer(vocab=model["vocab"], merges=merges, model_max_length=TOKENS)


def make_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """Two layers of width 128, trained from scratch."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=_WIDTH,
            intermediate_size=3 * _WIDTH,
            projection_dim=_WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=TOKENS,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def make_denoiser() -> UNet2DConditionModel:
    """About six million weights, most of them where the picture is smallest and they cost least.

    The pooled text modulates every block (`addition_embed_type`), which learns far sooner than attention to its words.
    """
    return UNet2DConditionModel(
        sample_size=32,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        down_block_types=("DownBlock2D",) * 4,
        mid_block_type="UNetMidBlock2DCrossAttn",
        up_block_types=("UpBlock2D",) * 4,
        block_out_channels=(32, 64, 112, 160),
        layers_per_block=1,
        cross_attention_dim=_WIDTH,
        attention_head_dim=4,
        norm_num_groups=16,
        time_embedding_dim=256,
        resnet_time_scale_shift="scale_shift",
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
    )


def make_autoencoder() -> AutoencoderTiny:
    """Four pixels a latent; the decoder does the work."""
    return AutoencoderTiny(
        encoder_block_out_channels=(32, 32, 32),
        decoder_block_out_channels=(32, 32, 32),
        latent_channels=CHANNELS,
        num_encoder_blocks=(0, 1, 1),
        num_decoder_blocks=(3, 2, 1),
    )


def _noisier_cosine() -> list[float]:
    """Betas of the cosine schedule with its signal-to-noise ratio multiplied by _SIGNAL squared."""
    time = np.linspace(0, 1, _TRAINED_STEPS + 1)
    ratio = 1 / np.tan(np.clip((time + 0.008) / 1.008 * np.pi / 2, 1e-4, np.pi / 2 - 1e-4)) ** 2 * _SIGNAL**2
    kept = ratio / (1 + ratio)
    return [round(float(beta), 8) for beta in np.clip(1 - kept[1:] / kept[:-1], 1e-6, 0.999)]


def make_scheduler() -> DDIMScheduler:
    """Ends at no signal at all, so that black and white grounds come out black and white.

    The cosine schedule, made noisier: a shape is decided where its whole outline still drowns in noise, and at 32 x 32
    the plain schedule spends one step of eight there (Hoogeboom et al., "simple diffusion", 2023, section 2.2).
    """
    return DDIMScheduler(
        trained_betas=_noisier_cosine(),
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        clip_sample=False,
        set_alpha_to_one=True,
        timestep_spacing="trailing",
        steps_offset=1,
    )


def fast_half(device: str | torch.device) -> bool:
    """Whether `device` computes faster in bfloat16: GPUs, and processors that multiply matrices in tiles (AMX)."""
    return torch.device(device).type != "cpu" or bool(torch.cpu._is_amx_tile_supported())  # torch has no public name
