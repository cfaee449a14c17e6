"""Autoencoders, text encoders and image encoders of a few channels."""

from __future__ import annotations

from typing import Any

from diffusers import AutoencoderDC, AutoencoderKL, AutoencoderKLFlux2, AutoencoderKLQwenImage, VQModel
from transformers import (
    CLIPImageProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    Gemma2Config,
    Gemma2Model,
    GlmConfig,
    GlmModel,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
    UMT5Config,
    UMT5EncoderModel,
)

from tests.support.tiny_models.tokenizers import VOCABULARY, WINDOW

WIDE = 16  # of every text encoder
_GEMMA = {
    "vocab_size": VOCABULARY, "hidden_size": WIDE, "intermediate_size": WIDE, "num_hidden_layers": 2,
    "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8,
}  # fmt: skip


def kl(latents: int = 4, halvings: int = 1, **changes: Any) -> AutoencoderKL:
    """Halves each side, once unless asked for more."""
    blocks = halvings + 1
    return AutoencoderKL(
        block_out_channels=(4,) * blocks, norm_num_groups=2, latent_channels=latents,
        down_block_types=("DownEncoderBlock2D",) * blocks, up_block_types=("UpDecoderBlock2D",) * blocks, **changes,
    )  # fmt: skip


def kl_flow(halvings: int = 1) -> AutoencoderKL:
    return kl(4, halvings, use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.1, scaling_factor=0.4)


def kl_flux2() -> AutoencoderKLFlux2:
    return AutoencoderKLFlux2(
        block_out_channels=(4, 4), norm_num_groups=2, latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    )  # fmt: skip


def kl_qwen() -> AutoencoderKLQwenImage:
    return AutoencoderKLQwenImage(
        base_dim=6, z_dim=4, dim_mult=[1, 2, 2, 2], num_res_blocks=1, temperal_downsample=[False, True, True],
        latents_mean=[0.0] * 4, latents_std=[1.0] * 4,
    )  # fmt: skip


def dc() -> AutoencoderDC:
    return AutoencoderDC(
        latent_channels=4, attention_head_dim=2, encoder_block_types=("ResBlock", "EfficientViTBlock"),
        decoder_block_types=("ResBlock", "EfficientViTBlock"), encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8), encoder_qkv_multiscales=((), (5,)), decoder_qkv_multiscales=((), (5,)),
        encoder_layers_per_block=(1, 1), decoder_layers_per_block=(1, 1), downsample_block_type="conv",
        upsample_block_type="interpolate", decoder_norm_types="rms_norm", decoder_act_fns="silu",
        scaling_factor=0.41407,
    )  # fmt: skip


def vq() -> VQModel:
    return VQModel(
        block_out_channels=(32, 32), norm_num_groups=32, latent_channels=4, num_vq_embeddings=12, vq_embed_dim=4,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("AttnUpDecoderBlock2D", "UpDecoderBlock2D"),
        norm_type="spatial",
    )  # fmt: skip


def clip_text(**changes: Any) -> CLIPTextModel:
    return CLIPTextModel(_clip(**changes))


def clip_projected(**changes: Any) -> CLIPTextModelWithProjection:
    return CLIPTextModelWithProjection(_clip(projection_dim=WIDE, **changes))


def _clip(**changes: Any) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=VOCABULARY, hidden_size=WIDE, intermediate_size=WIDE, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=WINDOW, bos_token_id=0, eos_token_id=1, pad_token_id=1, **changes,
    )  # fmt: skip


def clip_vision() -> CLIPVisionModelWithProjection:
    return CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=WIDE, intermediate_size=WIDE, projection_dim=WIDE, num_hidden_layers=2, num_attention_heads=2,
            image_size=16, patch_size=8,
        )
    )  # fmt: skip


def clip_pictures() -> CLIPImageProcessor:
    return CLIPImageProcessor(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16})


def t5(wide: int = WIDE) -> T5EncoderModel:
    return T5EncoderModel(T5Config(vocab_size=VOCABULARY, d_model=wide, d_kv=8, d_ff=WIDE, num_layers=1, num_heads=2))


def umt5() -> UMT5EncoderModel:
    config = UMT5Config(vocab_size=VOCABULARY, d_model=WIDE, d_kv=8, d_ff=WIDE, num_layers=1, num_heads=2)
    return UMT5EncoderModel(config)


def gemma2() -> Gemma2Model:
    return Gemma2Model(Gemma2Config(**_GEMMA))


def glm() -> GlmModel:
    return GlmModel(GlmConfig(**_GEMMA, pad_token_id=0))


def qwen3(layers: int = 2) -> Qwen3Model:
    return Qwen3Model(Qwen3Config(**_GEMMA | {"num_hidden_layers": layers}))


def qwen3_causal(layers: int) -> Qwen3ForCausalLM:
    return Qwen3ForCausalLM(Qwen3Config(**_GEMMA | {"num_hidden_layers": layers}))


def qwen_vl() -> Qwen2_5_VLForConditionalGeneration:
    text = {
        "vocab_size": VOCABULARY, "hidden_size": WIDE, "intermediate_size": WIDE, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 2,
        "rope_scaling": {"mrope_section": [1, 1, 2], "rope_type": "default", "type": "default"}, "rope_theta": 1e6,
    }  # fmt: skip
    vision = {
        "depth": 2, "hidden_size": WIDE, "intermediate_size": WIDE, "num_heads": 2, "out_hidden_size": WIDE,
        "fullatt_block_indexes": [1], "patch_size": 14, "window_size": 112,
    }  # fmt: skip
    config = Qwen2_5_VLConfig(text_config=text, vision_config=vision, image_token_id=90, vision_start_token_id=91,
                              vision_end_token_id=92, vision_token_id=93)  # fmt: skip
    return Qwen2_5_VLForConditionalGeneration(config)
