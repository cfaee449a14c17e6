"""Families around a diffusion transformer."""

from __future__ import annotations

from workers.sampling.families import classes, schedulers
from workers.sampling.families.family import (
    CLASS_CONDITIONAL,
    EDIT,
    IMAGE_TO_IMAGE,
    INPAINT,
    TEXT_TO_IMAGE,
    Family,
    call,
)

_GUIDED = "prompt num_inference_steps guidance_scale width height"
_TEXT = f"{_GUIDED} negative_prompt"
_FLUX = {
    "transformer": classes.diffusers("FluxTransformer2DModel"),
    "scheduler": classes.schedulers(schedulers.FLOW),
    "vae": classes.KL,
    "text_encoder": classes.CLIP,
    "tokenizer": classes.CLIP_TOKENIZER,
    "text_encoder_2": classes.T5,
    "tokenizer_2": classes.T5_TOKENIZER,
}
_PROMPTED = {"image_encoder": classes.CLIP_VISION, "feature_extractor": classes.CLIP_PICTURES}
_QWEN = {
    "transformer": classes.diffusers("QwenImageTransformer2DModel"),
    "scheduler": classes.schedulers(schedulers.FLOW),
    "vae": classes.diffusers("AutoencoderKLQwenImage"),
    "text_encoder": classes.transformers("Qwen2_5_VLForConditionalGeneration"),
    "tokenizer": classes.QWEN_TOKENIZER,
}

TRANSFORMERS = (
    Family(
        name="stable-diffusion-3",  # 3 and 3.5
        calls={
            TEXT_TO_IMAGE: call("StableDiffusion3Pipeline", _TEXT),
            IMAGE_TO_IMAGE: call("StableDiffusion3Img2ImgPipeline", f"{_TEXT} image strength"),
            INPAINT: call("StableDiffusion3InpaintPipeline", f"{_TEXT} image mask_image strength"),
        },
        components={
            "transformer": classes.diffusers("SD3Transformer2DModel"),
            "scheduler": classes.schedulers(schedulers.FLOW),
            "vae": classes.KL,
            "text_encoder": classes.CLIP_PROJECTED,
            "tokenizer": classes.CLIP_TOKENIZER,
            "text_encoder_2": classes.CLIP_PROJECTED,
            "tokenizer_2": classes.CLIP_TOKENIZER,
            "text_encoder_3": classes.T5,
            "tokenizer_3": classes.T5_TOKENIZER,
        },
        optional=frozenset({"text_encoder_3", "tokenizer_3", "image_encoder", "feature_extractor"}),
        schedulers=schedulers.FLOW,
        reads={"tokenizer": None, "tokenizer_2": None, "tokenizer_3": 256},
        adapts=("transformer", "text_encoder", "text_encoder_2"),
    ),
    Family(
        name="flux",  # dev and schnell; a negative prompt would need a second run of the model (true_cfg_scale)
        calls={
            TEXT_TO_IMAGE: call("FluxPipeline", _GUIDED),
            IMAGE_TO_IMAGE: call("FluxImg2ImgPipeline", f"{_GUIDED} image strength"),
            INPAINT: call(
                "FluxInpaintPipeline",
                f"{_GUIDED} image mask_image strength",
            ),
        },
        components=_FLUX,
        optional=frozenset({"image_encoder", "feature_extractor"}),
        schedulers=schedulers.FLOW,
        reads={"tokenizer": None, "tokenizer_2": 512},
        adapts=("transformer", "text_encoder"),
        guidance="embedded",
    ),
    Family(
        name="flux-kontext",
        calls={
            EDIT: call(
                "FluxKontextPipeline",
                f"{_GUIDED} image",
                {"_auto_resize": False},
                area="max_area",  # else it draws a megapixel, whatever size is asked for
            )
        },
        components=_FLUX,
        optional=frozenset({"image_encoder", "feature_extractor"}),
        schedulers=schedulers.FLOW,
        reads={"tokenizer": None, "tokenizer_2": 512},
        adapts=("transformer", "text_encoder"),
        guidance="embedded",
    ),
    Family(
        name="flux-2-klein",
        calls={
            TEXT_TO_IMAGE: call("Flux2KleinPipeline", _GUIDED),
        },
        components={
            "transformer": classes.diffusers("Flux2Transformer2DModel"),
            "scheduler": classes.schedulers(schedulers.FLOW),
            "vae": classes.diffusers("AutoencoderKLFlux2"),
            "text_encoder": classes.transformers("Qwen3ForCausalLM"),
            "tokenizer": classes.QWEN_TOKENIZER,
        },
        scalars=frozenset({"is_distilled"}),
        schedulers=schedulers.FLOW,
        reads={"tokenizer": 512},
        adapts=("transformer",),
    ),
    Family(
        name="chroma",
        calls={
            TEXT_TO_IMAGE: call("ChromaPipeline", _TEXT),
            IMAGE_TO_IMAGE: call("ChromaImg2ImgPipeline", f"{_TEXT} image strength"),
        },
        components={
            "transformer": classes.diffusers("ChromaTransformer2DModel"),
            "scheduler": classes.schedulers(schedulers.FLOW),
            "vae": classes.KL,
            "text_encoder": classes.T5,
            "tokenizer": classes.T5_TOKENIZER,
        },
        optional=frozenset({"image_encoder", "feature_extractor"}),
        schedulers=schedulers.FLOW,
        reads={"tokenizer": 512},
        adapts=("transformer", "text_encoder"),
    ),
    Family(
        name="pixart-sigma",
        calls={
            TEXT_TO_IMAGE: call("PixArtSigmaPipeline", _TEXT, {"use_resolution_binning": False, "clean_caption": False})
        },
        components={
            "transformer": classes.diffusers("PixArtTransformer2DModel"),
            "scheduler": classes.schedulers(schedulers.DIFFUSION),
            "vae": classes.KL,
            "text_encoder": classes.T5,
            "tokenizer": classes.T5_TOKENIZER,
        },
        schedulers=schedulers.DIFFUSION,
        reads={"tokenizer": 300},
    ),
    Family(
        name="sana",
        calls={TEXT_TO_IMAGE: call("SanaPipeline", _TEXT, {"use_resolution_binning": False, "clean_caption": False})},
        components={
            "transformer": classes.diffusers("SanaTransformer2DModel"),
            "scheduler": classes.schedulers(schedulers.FLOW_SOLVERS),
            "vae": classes.diffusers("AutoencoderDC"),
            "text_encoder": classes.GEMMA,
            "tokenizer": classes.GEMMA_TOKENIZER,
        },
        schedulers=schedulers.FLOW_SOLVERS,
        reads={"tokenizer": 300},
        adapts=("transformer",),
        vae_overflows=True,
    ),
    Family(
        name="aura-flow",
        calls={TEXT_TO_IMAGE: call("AuraFlowPipeline", _TEXT)},
        components={
            "transformer": classes.diffusers("AuraFlowTransformer2DModel"),
            "scheduler": classes.schedulers(schedulers.FLOW),
            "vae": classes.KL,
            "text_encoder": classes.transformers("UMT5EncoderModel", "T5EncoderModel"),
            "tokenizer": classes.T5_TOKENIZER | classes.transformers("LlamaTokenizer", "LlamaTokenizerFast"),
        },
        schedulers=schedulers.FLOW,
        reads={"tokenizer": 256},
        adapts=("transformer",),
        vae_overflows=True,
    ),
    Family(
        name="lumina-2",
        calls={TEXT_TO_IMAGE: call("Lumina2Pipeline", _TEXT)},
        components={
            "transformer": classes.diffusers("Lumina2Transformer2DModel"),
            "scheduler": classes.schedulers(schedulers.FLOW),
            "vae": classes.KL,
            "text_encoder": classes.GEMMA,
            "tokenizer": classes.GEMMA_TOKENIZER,
        },
        schedulers=schedulers.FLOW,
        reads={"tokenizer": 256},
        adapts=("transformer",),
    ),
    Family(
        name="cogview-4",
        calls={TEXT_TO_IMAGE: call("CogView4Pipeline", _TEXT)},
        components={
            "transformer": classes.diffusers("CogView4Transformer2DModel"),
            "scheduler": classes.schedulers(schedulers.FLOW),
            "vae": classes.KL,
            "text_encoder": classes.transformers("GlmModel"),
            "tokenizer": classes.ANY_TOKENIZER,
        },
        schedulers=schedulers.FLOW,
        reads={"tokenizer": 1024},
        adapts=("transformer",),
        alone=True,  # prompts are padded to the longest of the run, and the padding is read
    ),
    Family(
        name="z-image",
        calls={
            TEXT_TO_IMAGE: call("ZImagePipeline", _TEXT),
            IMAGE_TO_IMAGE: call("ZImageImg2ImgPipeline", f"{_TEXT} image strength"),
        },
        components={
            "transformer": classes.diffusers("ZImageTransformer2DModel"),
            "scheduler": classes.schedulers(schedulers.FLOW),
            "vae": classes.KL,
            "text_encoder": classes.transformers("Qwen3Model", "Qwen3ForCausalLM"),
            "tokenizer": classes.QWEN_TOKENIZER,
        },
        schedulers=schedulers.FLOW,
        reads={"tokenizer": 512},
        adapts=("transformer",),
    ),
    Family(
        name="qwen-image",
        calls={
            TEXT_TO_IMAGE: call(
                "QwenImagePipeline",
                "prompt negative_prompt num_inference_steps width height",
                guidance_scale="true_cfg_scale",
            ),
            IMAGE_TO_IMAGE: call(
                "QwenImageImg2ImgPipeline",
                "prompt negative_prompt num_inference_steps width height image strength",
                guidance_scale="true_cfg_scale",
            ),
            INPAINT: call(
                "QwenImageInpaintPipeline",
                "prompt negative_prompt num_inference_steps width height image mask_image strength",
                guidance_scale="true_cfg_scale",
            ),
        },
        components=_QWEN,
        schedulers=schedulers.FLOW,
        reads={"tokenizer": 512},
        adapts=("transformer",),
        negative_absent="other",  # without a negative prompt there is no guidance
    ),
    Family(
        name="qwen-image-edit",
        calls={
            EDIT: call(
                "QwenImageEditPipeline",
                "prompt negative_prompt num_inference_steps width height image",
                guidance_scale="true_cfg_scale",
            )
        },
        components=_QWEN | {"processor": classes.transformers("Qwen2VLProcessor", "Qwen2_5_VLProcessor")},
        schedulers=schedulers.FLOW,
        reads={"tokenizer": 512},
        adapts=("transformer",),
        negative_absent="other",
        alone=True,  # the pipeline takes one picture a run
    ),
    Family(
        name="dit",
        calls={
            CLASS_CONDITIONAL: call("DiTPipeline", "num_inference_steps guidance_scale", class_label="class_labels")
        },
        components={
            "transformer": classes.diffusers("DiTTransformer2DModel"),
            "vae": classes.KL,
            "scheduler": classes.schedulers(schedulers.DIFFUSION),
        },
        scalars=frozenset({"id2label"}),
        schedulers=("DDIMScheduler", "DDPMScheduler", "DPMSolverMultistepScheduler"),
        output="np",
    ),
)
