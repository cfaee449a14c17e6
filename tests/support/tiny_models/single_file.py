"""Single-file checkpoint: weights of a tiny Stable Diffusion or SDXL under the names that training code gave them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

_BLOCKS = (
    ("time_embedding.linear_1", "time_embed.0"), ("time_embedding.linear_2", "time_embed.2"),
    ("add_embedding.linear_1", "label_emb.0.0"), ("add_embedding.linear_2", "label_emb.0.2"),
    ("conv_in", "input_blocks.0.0"), ("conv_norm_out", "out.0"), ("conv_out", "out.2"),
    ("down_blocks.0.resnets.0", "input_blocks.1.0"), ("down_blocks.0.downsamplers.0.conv", "input_blocks.2.0.op"),
    ("down_blocks.1.resnets.0", "input_blocks.3.0"), ("down_blocks.1.attentions.0", "input_blocks.3.1"),
    ("mid_block.resnets.0", "middle_block.0"), ("mid_block.attentions.0", "middle_block.1"),
    ("mid_block.resnets.1", "middle_block.2"),
    ("up_blocks.0.resnets.0", "output_blocks.0.0"), ("up_blocks.0.attentions.0", "output_blocks.0.1"),
    ("up_blocks.0.resnets.1", "output_blocks.1.0"), ("up_blocks.0.attentions.1", "output_blocks.1.1"),
    ("up_blocks.0.upsamplers.0.conv", "output_blocks.1.2.conv"),
    ("up_blocks.1.resnets.0", "output_blocks.2.0"), ("up_blocks.1.resnets.1", "output_blocks.3.0"),
)  # fmt: skip
_RESNET = (
    ("norm1", "in_layers.0"), ("conv1", "in_layers.2"), ("time_emb_proj", "emb_layers.1"), ("norm2", "out_layers.0"),
    ("conv2", "out_layers.3"), ("conv_shortcut", "skip_connection"),
)  # fmt: skip
_VAE = (
    (r"down_blocks\.(\d)\.resnets\.(\d)", r"down.\1.block.\2"),
    (r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample"),
    (r"up_blocks\.0\.resnets\.(\d)", r"up.1.block.\1"), (r"up_blocks\.1\.resnets\.(\d)", r"up.0.block.\1"),
    (r"up_blocks\.0\.upsamplers\.0", "up.1.upsample"), (r"mid_block\.resnets\.0", "mid.block_1"),
    (r"mid_block\.resnets\.1", "mid.block_2"), (r"mid_block\.attentions\.0", "mid.attn_1"),
    ("conv_shortcut", "nin_shortcut"), ("conv_norm_out", "norm_out"), ("group_norm", "norm"),
    (r"to_out\.0", "proj_out"), ("to_q", "q"), ("to_k", "k"), ("to_v", "v"),
)  # fmt: skip
_QUERIES = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
_OPEN_CLIP = {
    "self_attn.out_proj": "attn.out_proj", "layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj", "embeddings.token_embedding.weight": "token_embedding.weight",
    "embeddings.position_embedding.weight": "positional_embedding", "final_layer_norm.weight": "ln_final.weight",
    "final_layer_norm.bias": "ln_final.bias",
}  # fmt: skip


def write_single_file(pipe: Any, path: Path, **more: torch.Tensor) -> Path:
    """The checkpoint of a tiny `StableDiffusionPipeline` or `StableDiffusionXLPipeline`."""
    tensors = {f"model.diffusion_model.{_unet(name)}": t for name, t in pipe.unet.state_dict().items()}
    for name, tensor in pipe.vae.state_dict().items():
        is_attention = ".attentions." in name and tensor.ndim == 2
        tensors[f"first_stage_model.{_vae(name)}"] = tensor[:, :, None, None] if is_attention else tensor
    second = getattr(pipe, "text_encoder_2", None)
    reader = "conditioner.embedders.0" if second else "cond_stage_model"
    for name, tensor in pipe.text_encoder.state_dict().items():
        tensors[f"{reader}.transformer.text_model.{name.removeprefix('text_model.')}"] = tensor
    if second:
        tensors |= {f"conditioner.embedders.1.model.{name}": t for name, t in _open_clip(second.state_dict()).items()}
    save_file({name: tensor.contiguous() for name, tensor in (tensors | more).items()}, path)
    return path


def _open_clip(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A text encoder as OpenCLIP names its weights: queries, keys and values lie in one."""
    found, parts = {}, dict[str, dict[str, torch.Tensor]]()
    for name, tensor in weights.items():
        own = name.removeprefix("text_model.")
        if own == "text_projection.weight":
            found["text_projection"] = tensor.T
        elif own.startswith("encoder.layers."):
            _, _, number, *rest = own.split(".")
            place, end = f"transformer.resblocks.{number}", rest[-1]
            layer = ".".join(rest[:-1])
            if layer in _QUERIES:
                parts.setdefault(f"{place}.attn.in_proj_{end}", {})[layer] = tensor
            else:
                found[f"{place}.{_OPEN_CLIP[layer]}.{end}"] = tensor
        elif own in _OPEN_CLIP:
            found[_OPEN_CLIP[own]] = tensor
    return found | {name: torch.cat([three[one] for one in _QUERIES]) for name, three in parts.items()}


def _unet(name: str) -> str:
    ours, theirs = next(pair for pair in _BLOCKS if name.startswith(f"{pair[0]}."))
    rest = name.removeprefix(f"{ours}.")
    if ".resnets." in f".{ours}":
        layer, _, end = rest.rpartition(".")
        rest = f"{dict(_RESNET)[layer]}.{end}"
    return f"{theirs}.{rest}"


def _vae(name: str) -> str:
    for ours, theirs in _VAE:
        name = re.sub(ours, theirs, name)
    return name
