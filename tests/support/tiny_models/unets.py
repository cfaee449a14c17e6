"""Pipelines around a UNet: Stable Diffusion and its relatives, Kandinsky, and those that read no prompt."""

from __future__ import annotations

from typing import Any

import diffusers
from diffusers import (
    CMStochasticIterativeScheduler,
    ControlNetModel,
    DDIMScheduler,
    DDPMScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    PNDMScheduler,
    PriorTransformer,
    UnCLIPScheduler,
    UNet2DConditionModel,
    UNet2DModel,
)
from transformers import CLIPTextModelWithProjection

from tests.support.tiny_models import parts, tokenizers

_NO_CHECKER = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}


def stable_diffusion(**changes: Any) -> Any:
    return diffusers.StableDiffusionPipeline(**_sd(), **_NO_CHECKER, **changes)


def stable_diffusion_2() -> Any:
    """v-prediction with zero terminal SNR."""
    scheduler = DDIMScheduler(
        prediction_type="v_prediction", rescale_betas_zero_snr=True, timestep_spacing="trailing", clip_sample=False,
        steps_offset=1,
    )  # fmt: skip
    return diffusers.StableDiffusionPipeline(**_sd(scheduler=scheduler), **_NO_CHECKER)


def stable_diffusion_inpaint() -> Any:
    return diffusers.StableDiffusionInpaintPipeline(**_sd(unet=_unet(in_channels=9)), **_NO_CHECKER)


def instruct_pix2pix() -> Any:
    return diffusers.StableDiffusionInstructPix2PixPipeline(**_sd(unet=_unet(in_channels=8)), **_NO_CHECKER)


def stable_diffusion_control() -> Any:
    return diffusers.StableDiffusionControlNetPipeline(**_sd(), controlnet=_controlnet(), **_NO_CHECKER)


def stable_diffusion_upscale() -> Any:
    unet = _unet(in_channels=7, num_class_embeds=1000)
    return diffusers.StableDiffusionUpscalePipeline(
        **_sd(unet=unet, vae=parts.kl(latents=4)), low_res_scheduler=DDPMScheduler(), max_noise_level=350
    )


def latent_consistency() -> Any:
    parts_of = _sd(scheduler=LCMScheduler(), unet=_unet(time_cond_proj_dim=8))
    return diffusers.LatentConsistencyModelPipeline(**parts_of, **_NO_CHECKER)


def stable_diffusion_xl() -> Any:
    return diffusers.StableDiffusionXLPipeline(**_sdxl())


def stable_diffusion_xl_two_widths() -> Any:
    """Text encoders of two widths, as the published one has: by that a single file's are told apart."""
    wide = parts.clip_projected(hidden_act="gelu").config
    wide.hidden_size = 2 * parts.WIDE
    unet = _unet(**_SDXL_UNET | {"cross_attention_dim": 3 * parts.WIDE})
    encoder = CLIPTextModelWithProjection(wide)
    return diffusers.StableDiffusionXLPipeline(**_sdxl() | {"unet": unet, "text_encoder_2": encoder})


def stable_diffusion_xl_turbo() -> Any:
    return diffusers.StableDiffusionXLPipeline(
        **_sdxl(EulerAncestralDiscreteScheduler(timestep_spacing="trailing", steps_offset=1))
    )


def stable_diffusion_xl_lightning() -> Any:
    return diffusers.StableDiffusionXLPipeline(**_sdxl(EulerDiscreteScheduler(timestep_spacing="trailing")))


def stable_diffusion_xl_control() -> Any:
    return diffusers.StableDiffusionXLControlNetPipeline(**_sdxl(), controlnet=_controlnet(**_SDXL_UNET))


def kandinsky() -> Any:
    """Two stages: a prior that makes an image embedding of the text, and a decoder."""
    prior = PriorTransformer(
        num_attention_heads=2, attention_head_dim=8, embedding_dim=parts.WIDE, num_layers=1,
        num_embeddings=tokenizers.WINDOW, clip_embed_dim=parts.WIDE,
    )  # fmt: skip
    prior.clip_std.data.fill_(1)
    unet = UNet2DConditionModel(
        sample_size=8, in_channels=4, out_channels=8, block_out_channels=(8, 8), layers_per_block=1,
        norm_num_groups=4, addition_embed_type="image",
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        encoder_hid_dim=parts.WIDE, encoder_hid_dim_type="image_proj", cross_attention_dim=8, attention_head_dim=4,
        resnet_time_scale_shift="scale_shift", class_embed_type=None,
    )  # fmt: skip
    return diffusers.KandinskyV22CombinedPipeline(
        unet=unet,
        scheduler=DDPMScheduler(beta_schedule="linear", beta_start=0.00085, beta_end=0.012, clip_sample=False),
        movq=parts.vq(),
        prior_prior=prior,
        prior_image_encoder=parts.clip_vision(),
        prior_text_encoder=parts.clip_projected(),
        prior_tokenizer=tokenizers.clip(),
        prior_scheduler=UnCLIPScheduler(variance_type="fixed_small_log", prediction_type="sample", clip_sample=True),
        prior_image_processor=parts.clip_pictures(),
    )


def ddpm() -> Any:
    return diffusers.DDPMPipeline(_pixels(), DDPMScheduler())


def ddim() -> Any:
    return diffusers.DDIMPipeline(_pixels(), DDIMScheduler())


def consistency() -> Any:
    return diffusers.ConsistencyModelPipeline(
        _pixels(num_class_embeds=10),
        CMStochasticIterativeScheduler(num_train_timesteps=40, sigma_min=0.002, sigma_max=80),
    )


def _sd(**changes: Any) -> dict[str, Any]:
    return {
        "vae": parts.kl(),
        "text_encoder": parts.clip_text(),
        "tokenizer": tokenizers.clip(),
        "unet": _unet(),
        "scheduler": PNDMScheduler(skip_prk_steps=True, steps_offset=1),
    } | changes


_SDXL_UNET: dict[str, Any] = {
    "addition_embed_type": "text_time", "addition_time_embed_dim": 8, "cross_attention_dim": 2 * parts.WIDE,
    "projection_class_embeddings_input_dim": 6 * 8 + parts.WIDE, "transformer_layers_per_block": (1, 1),
    "use_linear_projection": True,
}  # fmt: skip


def _sdxl(scheduler: Any = None) -> dict[str, Any]:
    return {
        "vae": parts.kl(),
        "text_encoder": parts.clip_text(),
        "text_encoder_2": parts.clip_projected(hidden_act="gelu"),
        "tokenizer": tokenizers.clip(),
        "tokenizer_2": tokenizers.clip(),
        "unet": _unet(**_SDXL_UNET),
        "scheduler": scheduler or EulerDiscreteScheduler(timestep_spacing="leading", steps_offset=1),
    }


def _unet(**changes: Any) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        **_blocks() | {"up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"), "sample_size": 8} | changes
    )


def _controlnet(**changes: Any) -> ControlNetModel:
    net = ControlNetModel(**_blocks() | {"conditioning_embedding_out_channels": (4, 4)} | changes)
    for name, weight in net.named_parameters():  # zero at birth: it would steer nothing
        if "controlnet" in name:
            weight.data.normal_(std=0.1)
    return net


def _blocks() -> dict[str, Any]:
    return {
        "block_out_channels": (8, 8), "norm_num_groups": 4, "layers_per_block": 1, "attention_head_dim": 4,
        "cross_attention_dim": parts.WIDE, "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    }  # fmt: skip


def _pixels(**changes: Any) -> UNet2DModel:
    return UNet2DModel(
        sample_size=16, block_out_channels=(8, 8), norm_num_groups=4, layers_per_block=1, attention_head_dim=4,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D"), **changes,
    )  # fmt: skip
