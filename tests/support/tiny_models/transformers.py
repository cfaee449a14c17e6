"""Pipelines around a diffusion transformer."""

from __future__ import annotations

from typing import Any

import diffusers
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, FlowMatchEulerDiscreteScheduler
from transformers import Qwen2VLImageProcessor, Qwen2VLProcessor

from tests.support.tiny_models import parts, tokenizers

_HEADS = {"num_attention_heads": 2, "attention_head_dim": 8}


def stable_diffusion_3() -> Any:
    transformer = diffusers.SD3Transformer2DModel(
        sample_size=8, patch_size=1, in_channels=4, out_channels=4, num_layers=1, **_HEADS, caption_projection_dim=16,
        joint_attention_dim=2 * parts.WIDE, pooled_projection_dim=2 * parts.WIDE, pos_embed_max_size=96,
    )  # fmt: skip
    return diffusers.StableDiffusion3Pipeline(
        transformer=transformer, scheduler=_flow(shift=3.0), vae=parts.kl_flow(),
        text_encoder=parts.clip_projected(), tokenizer=tokenizers.clip(),
        text_encoder_2=parts.clip_projected(), tokenizer_2=tokenizers.clip(),
        text_encoder_3=parts.t5(2 * parts.WIDE), tokenizer_3=tokenizers.t5(),
    )  # fmt: skip


def flux() -> Any:
    return diffusers.FluxPipeline(**_flux(guidance_embeds=True))


def flux_schnell() -> Any:
    return diffusers.FluxPipeline(**_flux(guidance_embeds=False))


def flux_kontext() -> Any:
    return diffusers.FluxKontextPipeline(**_flux(guidance_embeds=True))


def flux2_klein() -> Any:
    transformer = diffusers.Flux2Transformer2DModel(
        in_channels=16, num_layers=1, num_single_layers=1, **_HEADS, joint_attention_dim=3 * parts.WIDE,
        timestep_guidance_channels=16, axes_dims_rope=(2, 2, 2, 2), guidance_embeds=False,
    )  # fmt: skip
    return diffusers.Flux2KleinPipeline(
        transformer=transformer, scheduler=_flow(), vae=parts.kl_flux2(), tokenizer=tokenizers.qwen(),
        text_encoder=parts.qwen3_causal(layers=28), is_distilled=False,
    )  # fmt: skip


def chroma() -> Any:
    transformer = diffusers.ChromaTransformer2DModel(
        in_channels=16, num_layers=1, num_single_layers=1, **_HEADS, joint_attention_dim=parts.WIDE,
        axes_dims_rope=(2, 2, 4), approximator_num_channels=8, approximator_hidden_dim=16, approximator_layers=1,
    )  # fmt: skip
    return diffusers.ChromaPipeline(
        transformer=transformer,
        scheduler=_flow(),
        vae=parts.kl_flow(),
        text_encoder=parts.t5(),
        tokenizer=tokenizers.t5(),
    )


def pixart_sigma() -> Any:
    transformer = diffusers.PixArtTransformer2DModel(
        sample_size=8, num_layers=1, patch_size=2, **_HEADS, caption_channels=parts.WIDE, cross_attention_dim=16,
        in_channels=4, out_channels=8, norm_type="ada_norm_single", norm_elementwise_affine=False, norm_eps=1e-6,
    )  # fmt: skip
    return diffusers.PixArtSigmaPipeline(
        transformer=transformer, scheduler=DPMSolverMultistepScheduler(), vae=parts.kl(), text_encoder=parts.t5(),
        tokenizer=tokenizers.t5(),
    )  # fmt: skip


def sana() -> Any:
    transformer = diffusers.SanaTransformer2DModel(
        in_channels=4, out_channels=4, patch_size=1, num_layers=1, **_HEADS, num_cross_attention_heads=2,
        cross_attention_head_dim=8, cross_attention_dim=16, caption_channels=parts.WIDE, sample_size=8,
    )  # fmt: skip
    scheduler = DPMSolverMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0, algorithm_type="dpmsolver++"
    )
    return diffusers.SanaPipeline(
        transformer=transformer,
        scheduler=scheduler,
        vae=parts.dc(),
        text_encoder=parts.gemma2(),
        tokenizer=tokenizers.gemma(),
    )


def aura_flow() -> Any:
    transformer = diffusers.AuraFlowTransformer2DModel(
        sample_size=8, patch_size=1, in_channels=4, out_channels=4, num_mmdit_layers=1, num_single_dit_layers=1,
        **_HEADS, joint_attention_dim=parts.WIDE, caption_projection_dim=16, pos_embed_max_size=256,
    )  # fmt: skip
    return diffusers.AuraFlowPipeline(
        transformer=transformer, scheduler=_flow(), vae=parts.kl(), text_encoder=parts.umt5(), tokenizer=tokenizers.t5()
    )


def lumina2() -> Any:
    transformer = diffusers.Lumina2Transformer2DModel(
        sample_size=8, in_channels=4, hidden_size=24, num_layers=1, num_refiner_layers=1, num_attention_heads=3,
        num_kv_heads=1, multiple_of=2, axes_dim_rope=(4, 2, 2), axes_lens=(512, 32, 32), cap_feat_dim=parts.WIDE,
    )  # fmt: skip
    return diffusers.Lumina2Pipeline(
        transformer=transformer,
        scheduler=_flow(),
        vae=parts.kl_flow(halvings=3),
        text_encoder=parts.gemma2(),
        tokenizer=tokenizers.gemma(),
    )


def cogview4() -> Any:
    transformer = diffusers.CogView4Transformer2DModel(
        patch_size=2, in_channels=4, out_channels=4, num_layers=1, **_HEADS, text_embed_dim=parts.WIDE,
        time_embed_dim=8, condition_dim=4, sample_size=8, rope_axes_dim=(256, 256),
    )  # fmt: skip
    scheduler = _flow(
        base_shift=0.25, max_shift=0.75, base_image_seq_len=256, use_dynamic_shifting=True, time_shift_type="linear"
    )
    return diffusers.CogView4Pipeline(
        transformer=transformer,
        scheduler=scheduler,
        vae=parts.kl(),
        text_encoder=parts.glm(),
        tokenizer=tokenizers.glm(),
    )


def z_image() -> Any:
    transformer = diffusers.ZImageTransformer2DModel(
        in_channels=4, dim=16, n_layers=1, n_refiner_layers=1, n_heads=2, n_kv_heads=2, cap_feat_dim=parts.WIDE,
        axes_dims=[4, 2, 2], axes_lens=[1024, 32, 32],
    )  # fmt: skip
    return diffusers.ZImagePipeline(
        transformer=transformer, scheduler=_flow(shift=3.0), vae=parts.kl_flow(), text_encoder=parts.qwen3(),
        tokenizer=tokenizers.qwen(),
    )  # fmt: skip


def qwen_image() -> Any:
    return diffusers.QwenImagePipeline(**_qwen())


def qwen_image_edit() -> Any:
    tokenizer = tokenizers.qwen()
    processor = Qwen2VLProcessor(
        image_processor=Qwen2VLImageProcessor(min_pixels=784, max_pixels=1568), tokenizer=tokenizer
    )
    return diffusers.QwenImageEditPipeline(**_qwen() | {"tokenizer": tokenizer}, processor=processor)


def dit() -> Any:
    transformer = diffusers.DiTTransformer2DModel(
        sample_size=8, num_layers=1, patch_size=2, **_HEADS, in_channels=4, out_channels=8, num_embeds_ada_norm=1000,
    )  # fmt: skip
    return diffusers.DiTPipeline(
        transformer, parts.kl(), DDIMScheduler(), id2label={"0": "tench, Tinca tinca", "1": "goldfish"}
    )


def _flux(*, guidance_embeds: bool) -> dict[str, Any]:
    transformer = diffusers.FluxTransformer2DModel(
        in_channels=16, num_layers=1, num_single_layers=1, **_HEADS, joint_attention_dim=parts.WIDE,
        pooled_projection_dim=parts.WIDE, axes_dims_rope=(2, 2, 4), guidance_embeds=guidance_embeds,
    )  # fmt: skip
    return {
        "transformer": transformer, "scheduler": _flow(use_dynamic_shifting=guidance_embeds), "vae": parts.kl_flow(),
        "text_encoder": parts.clip_text(), "tokenizer": tokenizers.clip(),
        "text_encoder_2": parts.t5(), "tokenizer_2": tokenizers.t5(),
    }  # fmt: skip


def _qwen() -> dict[str, Any]:
    transformer = diffusers.QwenImageTransformer2DModel(
        in_channels=16, out_channels=4, num_layers=1, **_HEADS, joint_attention_dim=parts.WIDE, axes_dims_rope=(2, 2, 4)
    )
    return {
        "transformer": transformer, "scheduler": _flow(use_dynamic_shifting=True), "vae": parts.kl_qwen(),
        "text_encoder": parts.qwen_vl(), "tokenizer": tokenizers.qwen(),
    }  # fmt: skip


def _flow(**changes: Any) -> FlowMatchEulerDiscreteScheduler:
    return FlowMatchEulerDiscreteScheduler(**changes)
