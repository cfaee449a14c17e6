"""Reference networks with random weights, in the layout of their authors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import yaml
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor

from tests.support.tiny_models import parts
from workers.sampling.cards.contents import CARD, file_of, paths_in, revision_of
from workers.sampling.cards.references import ADAPTER, ENCODER, FOLDER
from workers.sampling.cards.registry import ModelCard

_TOKENS = 4  # that a picture becomes


def add_reference(
    models_dir: Path,
    base: ModelCard,
    name: str = "look",
    *,
    tasks: Sequence[str] = ("style",),
    trained_for: str = "",
    change: Callable[[dict[str, Tensor]], dict[str, Tensor]] = lambda tensors: tensors,
    **changes: Any,
) -> Path:
    """An IP-Adapter for a tiny Stable Diffusion. Its folder."""
    folder = models_dir / FOLDER / name
    torch.manual_seed(3)
    parts.clip_vision().save_pretrained(folder / ENCODER, safe_serialization=True)
    unet = UNet2DConditionModel.from_pretrained(base.home / "unet")
    save_file(change(adapter_of(unet)), folder / ADAPTER)
    files = [file_of(folder, path) for path in paths_in(folder)]
    card = {
        "name": name, "title": "Look", "description": "Random weights.", "licence": "Apache-2.0",
        "allowed_use": "Tests.", "training_data": "None.", "training_pictures": [], "limits": ["Shows noise."],
        "base": {"name": base.name, "revision": trained_for or base.revision}, "revision": revision_of(files),
        "files": [asdict(file) for file in files], "tasks": [*tasks], **changes,
    }  # fmt: skip
    (folder / CARD).write_text(yaml.safe_dump(card, sort_keys=False))
    return folder


def adapter_of(unet: UNet2DConditionModel) -> dict[str, Tensor]:
    """A projection of the picture, and keys and values for each attention to text, numbered as diffusers reads them."""
    wide = unet.config.cross_attention_dim
    tensors = {
        "image_proj.proj.weight": 0.3 * torch.randn(_TOKENS * wide, parts.WIDE),
        "image_proj.proj.bias": torch.randn(_TOKENS * wide),
        "image_proj.norm.weight": torch.ones(wide),
        "image_proj.norm.bias": torch.zeros(wide),
    }
    number = 1
    for layer in unet.attn_processors:
        if layer.endswith("attn2.processor"):
            attention = unet.get_submodule(layer.removesuffix(".processor"))
            for what in ("k", "v"):
                rows = attention.to_k.weight.shape[0]
                tensors[f"ip_adapter.{number}.to_{what}_ip.weight"] = 0.3 * torch.randn(rows, wide)
            number += 2
    return tensors
