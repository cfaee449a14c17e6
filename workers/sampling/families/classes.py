"""Classes of components that families share, as "library.Class". Whatever is not listed is never loaded."""

from __future__ import annotations

from collections.abc import Iterable


def diffusers(*names: str) -> frozenset[str]:
    return frozenset(f"diffusers.{name}" for name in names)


def transformers(*names: str) -> frozenset[str]:
    return frozenset(f"transformers.{name}" for name in names)


def schedulers(names: Iterable[str]) -> frozenset[str]:
    return diffusers(*names)


KL = diffusers("AutoencoderKL", "AutoencoderTiny", "AsymmetricAutoencoderKL", "ConsistencyDecoderVAE")
UNET = diffusers("UNet2DConditionModel")
PIXEL_UNET = diffusers("UNet2DModel")
CONTROLNET = diffusers("ControlNetModel")
CLIP = transformers("CLIPTextModel")
CLIP_PROJECTED = transformers("CLIPTextModelWithProjection")
CLIP_TOKENIZER = transformers("CLIPTokenizer", "CLIPTokenizerFast")
CLIP_VISION = transformers("CLIPVisionModelWithProjection")
CLIP_PICTURES = transformers(
    "CLIPImageProcessor", "CLIPImageProcessorPil", "CLIPImageProcessorFast", "CLIPFeatureExtractor"
)
T5 = transformers("T5EncoderModel")
T5_TOKENIZER = transformers("T5Tokenizer", "T5TokenizerFast")
GEMMA = transformers("Gemma2Model", "Gemma2ForCausalLM", "Gemma2PreTrainedModel")
GEMMA_TOKENIZER = transformers("GemmaTokenizer", "GemmaTokenizerFast")
QWEN_TOKENIZER = transformers("Qwen2Tokenizer", "Qwen2TokenizerFast")
ANY_TOKENIZER = transformers("PreTrainedTokenizerFast", "TokenizersBackend")
