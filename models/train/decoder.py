"""Decoder training: from latents back to pictures, and the encoder from pictures to latents.

The latents are known, so this can run before, beside or after the denoiser. Trained on whole pictures: crops would
leave dark borders. Killed anywhere: decoder.pt is the last whole state, and `train` goes on from it; autoencoder.pt
holds the averaged weights, which are what ships.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.train.dataset import Dataset
from models.train.latents import Latents
from models.train.network import fast_half, make_autoencoder
from models.train.scenes import Scene, picture
from models.train.sprites import Sprites

_BATCH = 4
_RATE = 2e-3
_NOISE = 0.05  # added to the latents, as the denoiser's are never exact
_ENCODER_EVERY = 4  # steps; img2img and inpainting need it, nothing else
_SAVE_SECONDS = 120.0


def train(sources: Path, work: Path, *, pictures: int, seed: int, device: str = "cpu") -> None:
    """See so many pictures in all, on one core or a GPU."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    data, sprites, latents = Dataset.load(work), Sprites(sources), Latents.load(work / "components.npz")
    autoencoder = make_autoencoder().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    weights = list(autoencoder.parameters())
    average = {name: value.clone() for name, value in autoencoder.state_dict().items()}
    optimizer = torch.optim.AdamW(weights, lr=_RATE, betas=(0.9, 0.99), weight_decay=1e-4, fused=True)
    first = _resume(work, autoencoder, average, optimizer, device)
    chance = random.Random(seed + first)
    torch.manual_seed(seed + first)
    saved, error, steps = time.monotonic(), 0.03, -(-pictures // _BATCH)
    for step in range(first, steps):
        part = step / steps
        for group in optimizer.param_groups:
            group["lr"] = _RATE * min(1, (step + 1) / 100) * (0.5 * (1 + math.cos(math.pi * part)) * 0.97 + 0.03)
        shown = _pictures(chance.choices(data.scenes, k=_BATCH), sprites)
        wanted = _tensor(shown).to(device)
        known = torch.from_numpy(latents.encode(shown)).to(device)
        with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=fast_half(device)):
            loss, difference = _loss(autoencoder, wanted, known, encoder=step % _ENCODER_EVERY == 0)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        share = min(0.998, (step + 1) / (step + 20))
        with torch.no_grad():
            for name, value in autoencoder.state_dict().items():
                average[name].lerp_(value, 1 - share)
        error = 0.98 * error + 0.02 * difference
        if (step + 1) % 100 == 0:
            print(
                f"decoder: {part:4.0%}, {(step + 1) * _BATCH:,} pictures, {10 * math.log10(4 / error):.2f} dB",
                flush=True,
            )
        if time.monotonic() - saved > _SAVE_SECONDS:
            saved = time.monotonic()
            _save(work, autoencoder, average, optimizer, step + 1)
    _save(work, autoencoder, average, optimizer, max(first, steps))


def _resume(
    work: Path, autoencoder: nn.Module, average: dict[str, Tensor], optimizer: torch.optim.Optimizer, device: str
) -> int:
    """Steps done so far, and their weights, average and optimizer in place; averaged weights alone are a beginning."""
    state, shipped = work / "decoder.pt", work / "autoencoder.pt"
    if not state.exists():
        if shipped.exists():
            autoencoder.load_state_dict(torch.load(shipped, weights_only=True, map_location=device))
            for name, value in autoencoder.state_dict().items():
                average[name].copy_(value)
        return 0
    stored = torch.load(state, weights_only=True, map_location=device)
    autoencoder.load_state_dict(stored["weights"])
    optimizer.load_state_dict(stored["optimizer"])
    for name, value in stored["average"].items():
        average[name].copy_(value)
    return int(stored["step"])


def _loss(autoencoder: nn.Module, wanted: Tensor, known: Tensor, *, encoder: bool) -> tuple[Tensor, float]:
    """Differences of pixels and of their gradients, which are edges; and the mean squared difference."""
    noisy = (known + torch.randn_like(known) * _NOISE).contiguous(memory_format=torch.channels_last)
    shown = autoencoder.decoder(noisy).float()
    squared = functional.mse_loss(shown, wanted)
    loss = (shown - wanted).abs().mean() + squared
    for axis in (2, 3):
        loss = loss + (shown.diff(dim=axis) - wanted.diff(dim=axis)).abs().mean()
    if encoder:
        loss = loss + functional.smooth_l1_loss(autoencoder.encoder(wanted[:2]).float(), known[:2])
    return loss, float(squared.detach())


def _pictures(scenes: Sequence[Scene], sprites: Sprites) -> np.ndarray:
    return np.stack([picture(scene, sprites) for scene in scenes])


def _tensor(pictures: np.ndarray) -> Tensor:
    """float32 [N, 3, H, W] in [-1, 1]."""
    scaled = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    return scaled.contiguous(memory_format=torch.channels_last)


def _save(
    work: Path, autoencoder: nn.Module, average: dict[str, Tensor], optimizer: torch.optim.Optimizer, step: int
) -> None:
    whole = {"weights": autoencoder.state_dict(), "optimizer": optimizer.state_dict()}
    for name, stored in (("decoder", {**whole, "average": average, "step": step}), ("autoencoder", average)):
        half = work / f"{name}.half"
        torch.save(stored, half)
        half.replace(work / f"{name}.pt")
