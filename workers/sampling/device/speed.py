"""Speed: ways to draw faster on a device, each with a switch of its own, and their words in a receipt.

On a CPU none is on, so that pictures keep their bits. On CUDA they are chosen when a model is loaded, by its family and
dtype. Attention is chosen among torch's own kernels by order of preference: a kernel that cannot take a mask or a width
leaves it to the next. diffusers' attention backends have no second choice, are set for the whole process, and do not
reach UNets, whose processors call torch themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
import torch
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from diffusers.utils import BaseOutput
from torch.nn.attention import SDPBackend, sdpa_kernel

from workers.sampling.families.family import Family

log = structlog.get_logger()
SLICES_FROM = 4  # pictures: the decoder's memory is that of one from here on
TILES_ABOVE = 2 << 20  # pixels: beyond, the decoder alone would take more memory than SDXL's denoiser
KERNELS = {
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "flash": SDPBackend.FLASH_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "math": SDPBackend.MATH,  # takes everything
}
_HOPPER = (9, 0)  # compute capability from which cuDNN has attention of its own for the tensor cores
_CONVOLUTIONS = ("unet", "controlnet", "vae", "movq")  # components that are mostly made of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """The ways that are on. With none of them a pipeline draws as plain diffusers does, to the last bit."""

    channels_last: bool = False  # layout of weights for convolutions on tensor cores
    attention: tuple[str, ...] = ()  # kernels in the order in which they are asked; (): torch's own choice
    float32_vae: bool = False  # the autoencoder computes in float32 beside a denoiser of less
    slices_from: int = 0  # pictures of a run from which each is decoded alone; 0: never
    tiles_above: int = 0  # pixels of a picture above which it is decoded in tiles; 0: never
    pinned: bool = False  # pixels are copied into memory that the device writes by itself
    compiled: bool = False  # the blocks that the denoiser repeats

    def __str__(self) -> str:
        """What of it decides pixels and stands nowhere else in a receipt: nothing, if nothing is on."""
        words = {
            "channels_last": self.channels_last,
            "float32_vae": self.float32_vae,
            f"slices_from={self.slices_from}": self.slices_from,
            f"tiles_above={self.tiles_above}": self.tiles_above,
            "compiled": self.compiled,
        }
        return " ".join(word for word, on in words.items() if on)


PLAIN = Speed()
ChooseSpeed = Callable[[Family, torch.device, torch.dtype], Speed]


def speed_for(family: Family, device: torch.device, dtype: torch.dtype, *, compiled: bool = False) -> Speed:
    """The ways for a model of this family and dtype. `compiled` asks for compilation, which only CUDA gets."""
    if device.type != "cuda":
        if compiled:
            log.info("compile_skipped", device=str(device), reason="only pipelines on CUDA are compiled")
        return PLAIN
    hopper = torch.cuda.get_device_capability(device) >= _HOPPER
    return Speed(
        channels_last=True,
        attention=("cudnn", "flash", "efficient", "math") if hopper else ("flash", "efficient", "cudnn", "math"),
        float32_vae=family.vae_overflows and dtype == torch.float16,
        slices_from=SLICES_FROM,
        tiles_above=TILES_ABOVE,
        pinned=True,
        compiled=compiled,
    )


def prepare(pipe: Any, speed: Speed) -> None:
    """Puts a pipeline's weights as these ways want them, once after it was loaded."""
    if speed.channels_last:
        for name in _CONVOLUTIONS:
            if isinstance(part := getattr(pipe, name, None), torch.nn.Module):
                part.to(memory_format=torch.channels_last)
    if speed.float32_vae and getattr(pipe, "vae", None) is not None:
        pipe.vae.encode = partial(_encode, pipe.vae, pipe.vae.encode)
        pipe.vae.decode = partial(_decode, pipe.vae, pipe.vae.decode)


def divide_decoding(pipe: Any, speed: Speed, *, images: int, pixels: int) -> None:
    """Has the next run decode picture by picture, or in tiles, or whole. Called before every run: nothing remains."""
    vae = getattr(pipe, "vae", None)
    for switch, on in (
        ("use_slicing", 0 < speed.slices_from <= images),
        ("use_tiling", 0 < speed.tiles_above < pixels),
    ):
        if hasattr(vae, switch):
            setattr(vae, switch, on)


@contextmanager
def attention_by(speed: Speed) -> Iterator[None]:
    """Attention is computed by these kernels, the first that can, while the context lasts."""
    if not speed.attention:
        yield
        return
    with sdpa_kernel([KERNELS[name] for name in speed.attention], set_priority=True):
        yield


def to_host(tensor: torch.Tensor, speed: Speed) -> torch.Tensor:
    """A copy in the host's memory, complete when this returns. A pinned one is cut loose from the default stream."""
    if not speed.pinned:
        return tensor.cpu()
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    host.copy_(tensor, non_blocking=True)
    torch.cuda.current_stream(tensor.device).synchronize()
    return host


def _decode(vae: Any, decode: Callable[..., Any], latents: torch.Tensor, *args: Any, **more: Any) -> Any:
    return decode(_float32(vae, latents), *args, **more)


def _encode(vae: Any, encode: Callable[..., Any], pixels: torch.Tensor, *args: Any, **more: Any) -> Any:
    """In the dtype of the pixels again: what comes next is the denoiser's."""
    made = encode(_float32(vae, pixels), *args, **more)
    for name, value in list(made.items()) if isinstance(made, BaseOutput) else ():
        if isinstance(value, DiagonalGaussianDistribution):
            parameters = value.parameters.to(pixels.dtype)
            made[name] = DiagonalGaussianDistribution(parameters, value.deterministic)
        else:
            made[name] = value.to(pixels.dtype)
    return made


def _float32(vae: Any, tensor: torch.Tensor) -> torch.Tensor:
    """Some pipelines turn the autoencoder back after a run, as `from_pipe` does; its weights lose nothing by that."""
    if vae.dtype != torch.float32:
        vae.to(torch.float32)
    return tensor.float()
