"""Training of the mask network: small pictures first, larger ones at the end; the average of the weights is kept.

Killed anywhere: it goes on from the last checkpoint. One thread; the same seed and checkpoint give the same batches.
"""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from models.mask_training import dataset
from models.mask_training.network import DEVIATION, MEAN, MaskNet
from models.train import record
from models.train.muon import Muon
from models.train.network import fast_half

CHECKPOINT = "mask.pt"
_BATCH = 16
_SMALL, _SMALL_SHARE = 160, 0.6  # pixels of a side, for this share of the steps
_RATE, _DECAY, _MOMENTUM = 2e-3, 0.02, 0.95
_WARM = 100  # steps
_KEPT = 0.998  # of the average at each step
_EVERY = 200  # steps from checkpoint to checkpoint
_AT_EDGE = 4.0  # weight of pixels near an edge, beside those far from it


@dataclass(frozen=True, slots=True)
class Plan:
    """How long, from which chance, where."""

    samples: int
    seed: int
    device: str = "cpu"


def train(work: Path, plan: Plan) -> None:
    """Train to the plan's samples and store the average weights in the checkpoint."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.manual_seed(plan.seed)
    shots = dataset.load(work)
    network = MaskNet().to(plan.device, memory_format=torch.channels_last)
    average = copy.deepcopy(network).eval()
    wide = [weight for weight in network.parameters() if weight.ndim > 1]
    narrow = [weight for weight in network.parameters() if weight.ndim == 1]
    steps = plan.samples // _BATCH
    teachers = (
        Muon(wide, lr=_RATE, momentum=_MOMENTUM, weight_decay=_DECAY),
        torch.optim.AdamW(narrow, lr=_RATE, betas=(0.9, 0.99), weight_decay=0.0),
    )
    begun, path = 0, work / CHECKPOINT
    if path.exists():
        stored = torch.load(path, weights_only=True, map_location=plan.device)
        network.load_state_dict(stored["network"])
        average.load_state_dict(stored["average"])
        for teacher, state in zip(teachers, stored["teachers"], strict=True):
            teacher.load_state_dict(state)
        begun = int(stored["step"])
    spent, since, seen = time.process_time(), begun, []
    for step in range(begun, steps):
        chance = np.random.default_rng([plan.seed, 1, step])
        side = _SMALL if step < _SMALL_SHARE * steps else dataset.SIDE
        pictures, alphas = (part.to(plan.device) for part in _batch(chance, shots, side))
        for teacher in teachers:
            for group in teacher.param_groups:
                group["lr"] = _RATE * _rate(step, steps)
        network.train()
        with torch.autocast(torch.device(plan.device).type, torch.bfloat16, enabled=fast_half(plan.device)):
            logits = network(pictures)
        loss = _loss(logits.float(), alphas)
        for teacher in teachers:
            teacher.zero_grad(set_to_none=True)
        loss.backward()
        for teacher in teachers:
            teacher.step()
        _follow(average, network, min(_KEPT, step / (step + 50)))
        seen.append(float(loss.detach()))
        if step % 50 == 49:
            each = (time.process_time() - spent) / (step + 1 - since) / _BATCH
            print(
                f"step {step + 1:,} of {steps:,}: loss {np.mean(seen[-50:]):.4f}, {1000 * each:.1f} ms a sample",
                flush=True,
            )
        if step % _EVERY == _EVERY - 1 or step == steps - 1:
            told = record.read(work).get("mask", {}).get("core_seconds", 0) if step >= _EVERY else 0
            record.note(work, "mask", core_seconds=told + time.process_time() - spent, samples=(step + 1) * _BATCH)
            spent, since = time.process_time(), step + 1
            _store(path, network, average, teachers, step + 1)


def _batch(chance: np.random.Generator, shots: NDArray[np.uint8], side: int) -> tuple[Tensor, Tensor]:
    """Pictures as the network sees them, and their alpha: mirrored, cut a little, brighter or darker."""
    drawn = np.empty((_BATCH, side, side, 4), np.uint8)
    for place, number in enumerate(chance.integers(len(shots), size=_BATCH)):
        drawn[place] = _varied(chance, shots[number], side)
    pictures = drawn[..., :3].astype(np.float32)
    gain = chance.uniform(0.8, 1.1, (_BATCH, 1, 1, 1)) * chance.uniform(0.95, 1.05, (_BATCH, 1, 1, 3))
    pictures = np.clip(pictures * gain.astype(np.float32), 0, 255)
    scaled = pictures / np.maximum(1, pictures.max(axis=(1, 2, 3), keepdims=True))
    ready = (scaled - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
    small = [cv2.resize(alpha, (side // 2, side // 2), interpolation=cv2.INTER_AREA) for alpha in drawn[..., 3]]
    alphas = np.stack(small).astype(np.float32)[:, None] / 255
    return torch.from_numpy(ready).permute(0, 3, 1, 2), torch.from_numpy(alphas)


def _varied(chance: np.random.Generator, stored: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    part = np.asarray(stored)
    if chance.random() < 0.5:
        part = part[:, ::-1]
    if chance.random() < 0.7:
        size = int(chance.uniform(0.8, 1) * len(part))
        top, left = chance.integers(len(part) - size + 1, size=2)
        part = part[top : top + size, left : left + size]
    if chance.random() < 0.3:
        part = part[..., (*chance.permutation(3), 3)]
    return cv2.resize(np.ascontiguousarray(part), (side, side), interpolation=cv2.INTER_LINEAR)


def _loss(logits: Tensor, alphas: Tensor) -> Tensor:
    """Cross entropy, more of it near edges, and one less the overlap of the whole picture."""
    near = functional.max_pool2d(alphas, 5, 1, 2) + functional.max_pool2d(-alphas, 5, 1, 2)
    weight = 1 + (_AT_EDGE - 1) * near
    crossed = (
        functional.binary_cross_entropy_with_logits(logits, alphas, reduction="none") * weight
    ).sum() / weight.sum()
    share = torch.sigmoid(logits)
    both = (share * alphas).sum((1, 2, 3))
    either = (share + alphas - share * alphas).sum((1, 2, 3))
    return crossed + (1 - (both + 1) / (either + 1)).mean()


def _rate(step: int, steps: int) -> float:
    """Up in a hundred steps, then down along half a cosine."""
    fall = 0.5 * (1 + math.cos(math.pi * step / steps))
    return min(1.0, (step + 1) / _WARM) * (0.02 + 0.98 * fall)


@torch.no_grad()
def _follow(average: MaskNet, network: MaskNet, kept: float) -> None:
    for mean, now in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if mean.dtype.is_floating_point:
            mean.lerp_(now, 1 - kept)
        else:
            mean.copy_(now)


def _store(
    path: Path, network: MaskNet, average: MaskNet, teachers: tuple[torch.optim.Optimizer, ...], step: int
) -> None:
    half = path.with_suffix(".half")
    states = [teacher.state_dict() for teacher in teachers]
    torch.save(
        {"network": network.state_dict(), "average": average.state_dict(), "teachers": states, "step": step}, half
    )
    half.replace(path)
