"""LoRA training of the finished model, for the style of models.train.brand: few weights beside its unchanged UNet.

It is trained on the very folder that ships, so its card can name that revision. The same latents, the same noise and
the same target as the model's own training. Killed anywhere: lora.pt is the last whole state; `train` goes on from it.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from torch import Tensor, nn

from models.train import record
from models.train.brand import brand_picture
from models.train.captions import caption
from models.train.goods import BY_NAME
from models.train.latents import Latents
from models.train.network import fast_half, make_scheduler
from models.train.scenes import draw_scene
from models.train.sprites import Sprites
from models.train.text import tokens_of
from workers.sampling.cards.contents import file_of, paths_in, revision_of

WEIGHTS = "pytorch_lora_weights.safetensors"  # as diffusers names it
RANK = 8
_LAYERS = ("conv1", "conv2", "conv_shortcut", "time_emb_proj", "conv", "conv_in", "conv_out")
_BATCH = 32
_RATE = 2e-3
_DROPPED = 0.1  # captions left out, so that guidance works with the adapter too
_SAVE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How many samples to see in all, of how many scenes."""

    samples: int
    scenes: int
    seed: int
    device: str = "cpu"
    batch: int = _BATCH


def train(sources: Path, work: Path, folder: Path, plan: Plan) -> None:
    """See the planned samples; leaves lora.pt and lora.safetensors' folder `lora` under `work`."""
    torch.set_num_threads(1)
    pipe = StableDiffusionPipeline.from_pretrained(
        folder, local_files_only=True, dtype=torch.float32, safety_checker=None
    ).to(plan.device)
    unet, base = pipe.unet.requires_grad_(False), revision_of(file_of(folder, path) for path in paths_in(folder))
    torch.manual_seed(plan.seed)
    unet.add_adapter(LoraConfig(r=RANK, lora_alpha=RANK, target_modules=list(_LAYERS)))
    weights = [weight for weight in unet.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=_RATE, betas=(0.9, 0.99), weight_decay=1e-3)
    begun, core = time.monotonic(), time.process_time()
    seen, spent = _resume(work, base, unet, optimizer)
    chance = random.Random(plan.seed + seen)
    torch.manual_seed(plan.seed + 1 + seen)
    examples = _Examples(sources, work, pipe, plan)
    saved, first, running = time.monotonic(), seen, None
    while seen < plan.samples:
        part = seen / plan.samples
        for group in optimizer.param_groups:
            group["lr"] = _RATE * min(1.0, (seen / plan.batch + 1) / 30) * min(1.0, (1 - part) / 0.5 + 0.02)
        loss = examples.loss(chance)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        seen += plan.batch
        running = loss.item() if running is None else 0.97 * running + 0.03 * loss.item()
        if (seen // plan.batch) % 25 == 0:
            rate = (seen - first) / (time.monotonic() - begun)
            left = (plan.samples - seen) / rate / 60
            print(
                f"lora: {part:4.0%}, {seen:,} samples seen ({rate:.0f}/s, {left:.1f} minutes left), loss {running:.4f}",
                flush=True,
            )
        if time.monotonic() - saved > _SAVE_SECONDS:
            saved = time.monotonic()
            _save(work, base, unet, optimizer, seen, spent + time.process_time() - core)
    _save(work, base, unet, optimizer, seen, spent + time.process_time() - core)
    record.note(work, "lora", core_seconds=spent + time.process_time() - core, samples=seen, scenes=plan.scenes)
    half = {name: value.half() for name, value in get_peft_model_state_dict(unet).items()}
    StableDiffusionPipeline.save_lora_weights(work / "lora", unet_lora_layers=half, safe_serialization=True)
    print(f"lora: wrote {work / 'lora' / WEIGHTS}, {(work / 'lora' / WEIGHTS).stat().st_size:,} bytes")


def _resume(work: Path, base: str, unet: Any, optimizer: torch.optim.Optimizer) -> tuple[int, float]:
    """Samples seen and core-seconds spent so far; state of another base is not gone on from."""
    state = work / "lora.pt"
    if not state.exists():
        return 0, 0.0
    stored = torch.load(state, weights_only=True)
    if stored["base"] != base:
        print(f"lora: {state} was trained for {stored['base']}; beginning anew for {base}")
        return 0, 0.0
    set_peft_model_state_dict(unet, stored["weights"])
    optimizer.load_state_dict(stored["optimizer"])
    return int(stored["seen"]), float(stored["core_seconds"])


def _save(work: Path, base: str, unet: Any, optimizer: Any, seen: int, core_seconds: float) -> None:
    half = work / "lora.half"
    state = {"base": base, "weights": get_peft_model_state_dict(unet), "optimizer": optimizer.state_dict()}
    torch.save({**state, "seen": seen, "core_seconds": core_seconds}, half)
    half.replace(work / "lora.pt")


class _Examples:
    """Batches of brand pictures with fresh captions, noise and steps, and the loss on them."""

    def __init__(self, sources: Path, work: Path, pipe: Any, plan: Plan) -> None:
        self._pipe, self._device, self._batch = pipe, pipe.unet.device, plan.batch
        self._half = fast_half(self._device.type)
        self._signal = make_scheduler().alphas_cumprod.to(self._device)
        sprites, latents = Sprites(sources), Latents.load(work / "components.npz")
        chance = random.Random(f"lora {plan.seed}")
        self._scenes = [draw_scene(chance, sprites) for _ in range(plan.scenes)]
        pictures = (brand_picture(scene, sprites)[None] for scene in self._scenes)
        self._latents = np.concatenate([latents.encode(shown) for shown in pictures])
        self._own = {name: sprites.own_colour(BY_NAME[name]) for name in {scene.good for scene in self._scenes}}
        print(f"lora: {len(self._scenes):,} scenes drawn", flush=True)

    def loss(self, chance: random.Random) -> Tensor:
        chosen = chance.choices(range(len(self._scenes)), k=self._batch)
        captions = [
            "" if chance.random() < _DROPPED else caption(chance, self._scenes[n], self._own[self._scenes[n].good])
            for n in chosen
        ]
        with torch.no_grad():
            states = self._pipe.text_encoder(
                tokens_of(self._pipe.tokenizer, captions).to(self._device)
            ).last_hidden_state
        clean = torch.from_numpy(self._latents[chosen]).to(self._device)
        parts = (torch.arange(self._batch, device=self._device) + torch.rand(1, device=self._device)) / self._batch
        steps = (parts.sqrt() * 1000).long().clamp(0, 999)
        noise = torch.randn_like(clean)
        kept = self._signal[steps].sqrt()[:, None, None, None]
        lost = (1 - self._signal[steps]).sqrt()[:, None, None, None]
        noisy = (kept * clean + lost * noise).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._half):
            told = self._pipe.unet(noisy, steps, states).sample.float()
        return ((told - (kept * noise - lost * clean)) ** 2).mean()
