"""The denoiser and the text encoder learn together, one process a core, sharing what they learn as they go.

Each process trains on its own and every few steps adds what changed in its weights to the shared ones, then goes on
from those. Nobody waits for anybody, so a core that is busy with something else slows down only its own share.
Velocity prediction with more of the noisy steps, and four times the weight where the object is. Killed anywhere: the
last checkpoint is whole, and `train` goes on from it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch import multiprocessing as processes

from models.train import text
from models.train.dataset import Dataset
from models.train.network import make_denoiser, make_scheduler

BATCH = 16
_RATE = 9e-4  # of one process; two add up
_EXCHANGE = 4  # steps between two exchanges
_DROPPED = 0.1  # captions left out, so that guidance has something to compare with
_FOREGROUND = 3.0  # extra weight of the object
_READING = 0.1  # weight of the reader's question
_SAVE_SECONDS = 180.0
_REPORT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How many samples to see and how the rate falls: flat, then straight down to nothing over the last `falling`."""

    samples: int
    workers: int
    seed: int
    rate: float = _RATE
    falling: float = 0.45


def train(work: Path, plan: Plan) -> None:
    """See the planned samples; leaves denoiser.pt under `work`, and goes on from it where it is there."""
    torch.set_num_threads(1)
    models = _Models.load(work)
    shared = models.flat().share_memory_()
    average, seen = shared.clone().share_memory_(), torch.zeros(1, dtype=torch.int64).share_memory_()
    state = work / "denoiser.pt"
    if state.exists():
        stored = torch.load(state, weights_only=True)
        shared.copy_(stored["weights"])
        average.copy_(stored["average"])
        seen.fill_(stored["seen"])
    lock = processes.get_context("spawn").Lock()
    processes.spawn(_work, (work, plan, shared, average, seen, lock, int(seen)), nprocs=plan.workers)


class _Models:
    """Denoiser, text encoder and reader, and their weights as one long row."""

    def __init__(self, tokenizer: Any, encoder: nn.Module, reader: text.Reader) -> None:
        self.tokenizer, self.encoder, self.reader = tokenizer, encoder, reader
        self.denoiser = make_denoiser().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.weights: list[Tensor] = [
            *self.denoiser.parameters(), *self.encoder.parameters(), *self.reader.parameters()
        ]  # fmt: skip

    @classmethod
    def load(cls, work: Path) -> _Models:
        torch.manual_seed(0)
        return cls(*text.load(work))

    def flat(self) -> Tensor:
        with torch.no_grad():
            return torch.cat([weight.reshape(-1) for weight in self.weights])

    def take(self, row: Tensor) -> None:
        """Set every weight from one long row."""
        begin = 0
        with torch.no_grad():
            for weight in self.weights:
                weight.copy_(row[begin : begin + weight.numel()].view_as(weight))
                begin += weight.numel()


def load_average(work: Path) -> _Models:
    """The networks with their averaged weights: what is shipped."""
    models = _Models.load(work)
    models.take(torch.load(work / "denoiser.pt", weights_only=True)["average"])
    return models


def _work(
    number: int, work: Path, plan: Plan, shared: Tensor, average: Tensor, seen: Tensor, lock: Any, first: int
) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(plan.seed * 1000 + number + first)
    chance = random.Random(plan.seed * 1000 + number + first)
    models, data = _Models.load(work), Dataset.load(work)
    examples = _Examples(models, data, chance)
    models.take(shared)
    before = shared.clone()
    optimizer = torch.optim.AdamW(models.weights, lr=plan.rate, betas=(0.9, 0.99), weight_decay=1e-2, fused=True)
    begun = saved = reported = time.time()
    step, running = 0, None
    while (part := (int(seen) - first) / plan.samples) < 1:
        for group in optimizer.param_groups:
            group["lr"] = plan.rate * min(1, (step + 1) / 100) * min(1, max(0.02, (1 - part) / plan.falling))
        loss = examples.loss()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(models.weights, 1.0)
        optimizer.step()
        step += 1
        running = loss.item() if running is None else 0.99 * running + 0.01 * loss.item()
        if step % _EXCHANGE:
            continue
        with lock:
            shared += models.flat() - before
            before.copy_(shared)
            seen += _EXCHANGE * BATCH
            share = min(0.995, (int(seen) + 200) / (int(seen) + 10_000))
            average.lerp_(shared, 1 - share)
            now = time.time()
            if number == 0 and now - saved > _SAVE_SECONDS:
                _save(work, shared, average, seen)
                saved = now
        models.take(before)
        if not _parent_lives():
            return
        if number == 0 and time.time() - reported > _REPORT_SECONDS:
            reported = time.time()
            rate = (int(seen) - first) / max(1.0, reported - begun)
            print(f"denoiser: {part:4.0%}, {int(seen):,} samples seen ({rate:.0f}/s), loss {running:.4f}", flush=True)
    if number == 0:
        with lock:
            _save(work, shared, average, seen)


def _parent_lives() -> bool:
    """A process whose parent was killed would train on beside the next run and write over its checkpoint."""
    parent = parent_process()
    return parent is not None and parent.is_alive()


def _save(work: Path, shared: Tensor, average: Tensor, seen: Tensor) -> None:
    half = work / "denoiser.half"
    torch.save({"weights": shared.clone(), "average": average.clone(), "seen": int(seen)}, half)
    half.replace(work / "denoiser.pt")


class _Examples:
    """Batches of scenes with fresh captions, noise and steps, and the loss on them."""

    def __init__(self, models: _Models, data: Dataset, chance: random.Random) -> None:
        self._models, self._data, self._chance = models, data, chance
        self._signal = make_scheduler().alphas_cumprod
        self._order: list[int] = []

    def loss(self) -> Tensor:
        chosen = self._next()
        captions = ["" if self._chance.random() < _DROPPED else self._data.caption(self._chance, n) for n in chosen]
        told = torch.tensor([bool(caption) for caption in captions])
        states = self._models.encoder(text.tokens_of(self._models.tokenizer, captions)).last_hidden_state
        clean = torch.from_numpy(np.stack([self._data.latents[n] for n in chosen]).astype(np.float32))
        object_ = torch.from_numpy(np.stack([self._data.foregrounds[n] for n in chosen]))
        loss = self._drawing(clean, object_, states)
        if told.any():
            targets = text.targets_of([self._data.scenes[n] for n in chosen])
            loss = loss + _READING * self._models.reader.loss(states[told], targets[told])
        return loss

    def _drawing(self, clean: Tensor, object_: Tensor, states: Tensor) -> Tensor:
        count = len(clean)
        steps = (((torch.arange(count) + torch.rand(1)) / count).sqrt() * 1000).long().clamp(0, 999)
        noise = torch.randn_like(clean)
        kept = self._signal[steps].sqrt()[:, None, None, None]
        lost = (1 - self._signal[steps]).sqrt()[:, None, None, None]
        noisy = (kept * clean + lost * noise).contiguous(memory_format=torch.channels_last)
        told = self._models.denoiser(noisy, steps, states).sample
        weight = 1 + _FOREGROUND * object_[:, None].float()
        weight = weight / weight.mean()
        return ((told - (kept * noise - lost * clean)) ** 2 * weight).mean()

    def _next(self) -> Sequence[int]:
        if len(self._order) < BATCH:
            self._order = self._chance.sample(range(len(self._data.scenes)), len(self._data.scenes))
        chosen, self._order = self._order[:BATCH], self._order[BATCH:]
        return chosen
