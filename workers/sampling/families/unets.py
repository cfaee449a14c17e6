"""Families around a UNet: Stable Diffusion and its relatives, Kandinsky, and those that read no prompt."""

from __future__ import annotations

from workers.sampling.families import classes, schedulers
from workers.sampling.families.family import (
    CONTROL,
    EDIT,
    IMAGE_TO_IMAGE,
    INPAINT,
    TEXT_TO_IMAGE,
    UNCONDITIONAL,
    UPSCALE,
    Family,
    call,
)

_TEXT = "prompt negative_prompt num_inference_steps guidance_scale"
_SIZED = f"{_TEXT} width height"
_CONTROL = {"control_image": "image", "control_scale": "controlnet_conditioning_scale"}
_CHECKER = frozenset({"safety_checker", "feature_extractor", "image_encoder"})
_SD = {
    "vae": classes.KL,
    "text_encoder": classes.CLIP,
    "tokenizer": classes.CLIP_TOKENIZER,
    "unet": classes.UNET,
    "scheduler": classes.schedulers(schedulers.DIFFUSION),
}
_SDXL = _SD | {"text_encoder_2": classes.CLIP_PROJECTED, "tokenizer_2": classes.CLIP_TOKENIZER}
_READS = {"tokenizer": None}
_READS_XL = {"tokenizer": None, "tokenizer_2": None}
_WEIGHS = {"text_encoder": "tokenizer"}
_WEIGHS_XL = _WEIGHS | {"text_encoder_2": "tokenizer_2"}
_SHOWN = "ip_adapter_image_embeds"
_UNCHECKED = {"requires_safety_checker": False}
_UNMARKED = {"add_watermarker": False}  # diffusers would put a watermark of its own into every picture

UNETS = (
    Family(
        name="stable-diffusion",  # 1.x and 2.x, epsilon and v-prediction: the scheduler's configuration says which
        calls={
            TEXT_TO_IMAGE: call("StableDiffusionPipeline", f"{_SIZED} guidance_rescale"),
            IMAGE_TO_IMAGE: call("StableDiffusionImg2ImgPipeline", f"{_TEXT} image strength"),
            INPAINT: call("StableDiffusionInpaintPipeline", f"{_SIZED} image mask_image strength"),
        },
        components=_SD,
        optional=_CHECKER,
        scalars=frozenset({"requires_safety_checker"}),
        schedulers=schedulers.DIFFUSION,
        reads=_READS,
        weighs=_WEIGHS,
        adapts=("unet", "text_encoder"),
        shows=_SHOWN,
        load=_UNCHECKED,
    ),
    Family(
        name="stable-diffusion-xl",  # base, Turbo, Lightning
        calls={
            TEXT_TO_IMAGE: call("StableDiffusionXLPipeline", f"{_SIZED} guidance_rescale"),
            IMAGE_TO_IMAGE: call("StableDiffusionXLImg2ImgPipeline", f"{_TEXT} guidance_rescale image strength"),
            INPAINT: call("StableDiffusionXLInpaintPipeline", f"{_SIZED} guidance_rescale image mask_image strength"),
        },
        components=_SDXL,
        optional=_CHECKER,
        scalars=frozenset({"force_zeros_for_empty_prompt", "add_watermarker", "requires_aesthetics_score"}),
        schedulers=schedulers.DIFFUSION,
        reads=_READS_XL,
        weighs=_WEIGHS_XL,
        adapts=("unet", "text_encoder", "text_encoder_2"),
        shows=_SHOWN,
        negative_absent="other",  # zeros, see force_zeros_for_empty_prompt
        vae_overflows=True,
        load=_UNMARKED,
    ),
    Family(
        name="latent-consistency",
        calls={
            TEXT_TO_IMAGE: call(
                "LatentConsistencyModelPipeline", "prompt num_inference_steps guidance_scale width height"
            ),
            IMAGE_TO_IMAGE: call(
                "LatentConsistencyModelImg2ImgPipeline", "prompt num_inference_steps guidance_scale image strength"
            ),
        },
        components=_SD | {"scheduler": classes.diffusers("LCMScheduler")},
        optional=_CHECKER,
        scalars=frozenset({"requires_safety_checker"}),
        schedulers=("LCMScheduler",),
        reads=_READS,
        weighs=_WEIGHS,
        adapts=("unet", "text_encoder"),
        guidance="embedded",
        load=_UNCHECKED,
    ),
    Family(
        name="instruct-pix2pix",
        calls={
            EDIT: call("StableDiffusionInstructPix2PixPipeline", f"{_TEXT} image image_guidance_scale"),
        },
        components=_SD,
        optional=_CHECKER,
        scalars=frozenset({"requires_safety_checker"}),
        schedulers=schedulers.DIFFUSION,
        reads=_READS,
        adapts=("unet", "text_encoder"),
        load=_UNCHECKED,
    ),
    Family(
        name="stable-diffusion-control",
        calls={
            CONTROL: call(
                "StableDiffusionControlNetPipeline",
                _SIZED,
                control_image="image",
                control_scale="controlnet_conditioning_scale",
            )
        },
        components=_SD | {"controlnet": classes.CONTROLNET},
        optional=_CHECKER,
        scalars=frozenset({"requires_safety_checker"}),
        schedulers=schedulers.DIFFUSION,
        reads=_READS,
        weighs=_WEIGHS,
        adapts=("unet", "text_encoder"),
        load=_UNCHECKED,
    ),
    Family(
        name="stable-diffusion-xl-control",
        calls={
            CONTROL: call(
                "StableDiffusionXLControlNetPipeline",
                _SIZED,
                control_image="image",
                control_scale="controlnet_conditioning_scale",
            )
        },
        components=_SDXL | {"controlnet": classes.CONTROLNET},
        optional=_CHECKER,
        scalars=frozenset({"force_zeros_for_empty_prompt", "add_watermarker"}),
        schedulers=schedulers.DIFFUSION,
        reads=_READS_XL,
        weighs=_WEIGHS_XL,
        adapts=("unet", "text_encoder", "text_encoder_2"),
        negative_absent="other",
        vae_overflows=True,
        load=_UNMARKED,
    ),
    Family(
        name="stable-diffusion-upscale",
        calls={UPSCALE: call("StableDiffusionUpscalePipeline", f"{_TEXT} image noise_level")},
        components=_SD | {"low_res_scheduler": classes.diffusers("DDPMScheduler")},
        optional=frozenset({"safety_checker", "feature_extractor", "watermarker"}),
        scalars=frozenset({"max_noise_level"}),
        schedulers=schedulers.DIFFUSION,
        reads=_READS,
        adapts=("unet", "text_encoder"),
    ),
    Family(
        name="kandinsky-2.2",  # the prior turns text into an image embedding, the decoder draws it
        calls={  # its prior reads negative prompts as further items, with noise of their own: not offered
            TEXT_TO_IMAGE: call(
                "KandinskyV22CombinedPipeline", "prompt num_inference_steps guidance_scale width height"
            )
        },
        components={
            "unet": classes.UNET,
            "movq": classes.diffusers("VQModel"),
            "scheduler": classes.schedulers(schedulers.PLAIN_DIFFUSION),
            "prior_prior": classes.diffusers("PriorTransformer"),
            "prior_image_encoder": classes.CLIP_VISION,
            "prior_text_encoder": classes.CLIP_PROJECTED,
            "prior_tokenizer": classes.CLIP_TOKENIZER,
            "prior_scheduler": classes.diffusers("UnCLIPScheduler"),
            "prior_image_processor": classes.CLIP_PICTURES,
        },
        schedulers=schedulers.PLAIN_DIFFUSION,
        reads={"prior_tokenizer": None},
        stages=("prior_pipe", "decoder_pipe"),
        output="np",  # its "pt" is not scaled to 0..1
    ),
    Family(
        name="ddpm",
        calls={UNCONDITIONAL: call("DDPMPipeline", "num_inference_steps", images="batch_size")},
        components={"unet": classes.PIXEL_UNET, "scheduler": classes.schedulers(schedulers.PLAIN_DIFFUSION)},
        schedulers=("DDPMScheduler",),
        guidance="none",
        output="np",
    ),
    Family(
        name="ddim",
        calls={UNCONDITIONAL: call("DDIMPipeline", "num_inference_steps", images="batch_size")},
        components={"unet": classes.PIXEL_UNET, "scheduler": classes.schedulers(schedulers.PLAIN_DIFFUSION)},
        schedulers=("DDIMScheduler",),
        guidance="none",
        output="np",
    ),
    Family(
        name="consistency",
        calls={
            UNCONDITIONAL: call(
                "ConsistencyModelPipeline", "num_inference_steps", class_label="class_labels", images="batch_size"
            )
        },
        components={"unet": classes.PIXEL_UNET, "scheduler": classes.schedulers(schedulers.CONSISTENCY)},
        schedulers=schedulers.CONSISTENCY,
        guidance="none",
    ),
)
