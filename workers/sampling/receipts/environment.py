"""Receipts: what it takes, beside recipe and seed, to draw a picture again.

The digest is that of the pixels as they came off the device, before marks and encoding: what a repetition can equal.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import torch

from workers.sampling.pipelines import Loaded

_LIBRARIES = ("torch", "diffusers", "transformers", "peft", "safetensors")


def environment_of(loaded: Loaded, device: torch.device) -> dict[str, str]:
    """What is the same for all pictures of a run: dtype, attention, speed, scheduler, libraries and driver."""
    config = sorted(loaded.scheduler_config.items(), key=lambda item: item[0])
    return {
        "generator": "cpu",
        "dtype": str(getattr(loaded.denoiser, "dtype", "")).removeprefix("torch."),
        "attention": " ".join([_processor(loaded.denoiser), *loaded.speed.attention]).strip(),
        "speed": str(loaded.speed),
        "scheduler_config": _digest(repr(config).encode()),
        **_libraries(),
        "driver": str(torch.version.cuda or "") if device.type == "cuda" else "",
        "threads": str(torch.get_num_threads()) if device.type == "cpu" else "",
    }


def pixels_of(image: np.ndarray) -> str:
    """SHA-256 of a picture's pixels, uint8 [H, W, 3]."""
    return _digest(np.ascontiguousarray(image).tobytes())


@cache
def _libraries() -> dict[str, str]:
    return {name: _version(name) for name in _LIBRARIES}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _processor(denoiser: Any) -> str:
    """The class of the denoiser's first attention processor."""
    processors = getattr(denoiser, "attn_processors", None) or {}
    return next((type(processor).__name__ for processor in processors.values()), "")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
