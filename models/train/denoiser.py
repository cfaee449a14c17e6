"""Denoiser training, together with the text encoder: one process a core, with shared weights.

Each process trains on its own and every few steps adds what changed in its weights to the shared ones, then goes on
from those. Nobody waits for anybody, so a core that is busy with something else slows down only its own share.
Velocity prediction with more of the noisy steps, and four times the weight where the object is. On a processor with
matrix tiles (AMX) and on CUDA the networks compute in bfloat16, at twice the speed. Killed anywhere: the last
checkpoint is whole, and `train` goes on from it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import parent_process
from pathlib import Path
from types import MethodType
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch import multiprocessing as processes
from torch.nn import functional

from models.train import record, text
from models.train.dataset import Dataset, forking
from models.train.muon import Muon
from models.train.network import fast_half, make_denoiser, make_scheduler

BATCH = 64
_RATE = 2e-3  # of all processes together: what they learn adds up. Half of it for what AdamW turns
_MOMENTUM = 0.95
_EXCHANGE = 4  # steps between two exchanges
_DROPPED = 0.1  # captions left out, so that guidance has something to compare with
_FOREGROUND = 3.0  # extra weight of the object
_READING = 0.1  # weight of the reader's question
_SAVE_SECONDS = 180.0
_REPORT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How many samples to see in all, and how the rate falls: flat, then straight down over the last `falling`.

    `batch` is what a process sees before it turns its weights once.
    """

    samples: int
    workers: int
    seed: int
    rate: float = _RATE
    falling: float = 0.45
    batch: int = BATCH
    device: str = "cpu"


def train(work: Path, plan: Plan) -> None:
    """See the planned samples; leaves denoiser.pt under `work`, and goes on from it where it is there.

    Starts no process where the plan was seen to its end.
    """
    torch.set_num_threads(1)
    state = work / "denoiser.pt"
    stored = torch.load(state, weights_only=True) if state.exists() else None
    if stored and stored["seen"] >= plan.samples:
        return
    models = _Models.load(work)
    shared = models.flat().share_memory_()
    average, seen = shared.clone().share_memory_(), torch.zeros(1, dtype=torch.int64).share_memory_()
    spent = torch.zeros(1, dtype=torch.float64).share_memory_()  # core-seconds
    if stored:
        shared.copy_(stored["weights"])
        average.copy_(stored["average"])
        seen.fill_(stored["seen"])
        spent.fill_(stored.get("core_seconds", 0.0))
    lock = forking().Lock()
    given = (work, plan, _Shared(shared, average, seen, spent), lock)
    processes.start_processes(_work, given, nprocs=plan.workers, start_method="forkserver")


class _Models:
    """Denoiser, text encoder and reader, and their weights as one long row."""

    def __init__(self, tokenizer: Any, encoder: nn.Module, reader: text.Reader) -> None:
        self.tokenizer, self.encoder, self.reader = tokenizer, encoder, reader
        self.denoiser = make_denoiser().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.weights: list[Tensor] = [
            *self.denoiser.parameters(), *self.encoder.parameters(), *self.reader.parameters()
        ]  # fmt: skip

    @property
    def device(self) -> torch.device:
        return self.weights[0].device

    @classmethod
    def load(cls, work: Path) -> _Models:
        torch.manual_seed(0)
        return cls(*text.load(work))

    def to(self, device: str) -> Self:
        """These, where they learn."""
        self.denoiser.to(device)  # type: ignore[call-overload]
        self.encoder.to(device)
        self.reader.to(device)
        if fast_half(device):
            for module in self.denoiser.modules():
                if isinstance(module, nn.GroupNorm):
                    module.forward = MethodType(_norm_in_float, module)  # type: ignore[method-assign]
        return self

    def optimizers(self, rate: float) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
        """Muon for what maps states to states inside the denoiser; AdamW for its ends, and for all that reads."""
        ends = ("conv_in", "conv_out", "time_embedding", "add_embedding")
        inside = [w for name, w in self.denoiser.named_parameters() if w.ndim >= 2 and not name.startswith(ends)]
        known = {id(weight) for weight in inside}
        others = [weight for weight in self.weights if id(weight) not in known]
        optimizers = (
            Muon(inside, lr=rate, momentum=_MOMENTUM, weight_decay=1e-2),
            torch.optim.AdamW(others, lr=rate / 2, betas=(0.9, 0.99), weight_decay=1e-2, fused=True),
        )
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["initial_lr"] = group["lr"]
        return optimizers

    def flat(self) -> Tensor:
        """All weights, on the processor."""
        with torch.no_grad():
            return torch.cat([weight.reshape(-1) for weight in self.weights]).cpu()

    def take(self, row: Tensor) -> None:
        """Set every weight from one long row."""
        begin = 0
        with torch.no_grad():
            for weight in self.weights:
                weight.copy_(row[begin : begin + weight.numel()].view_as(weight))
                begin += weight.numel()


def _norm_in_float(norm: nn.GroupNorm, states: Tensor) -> Tensor:
    """torch's own gradient of a bfloat16 group norm takes four times as long in channels-last memory."""
    return functional.group_norm(states.float(), norm.num_groups, norm.weight, norm.bias, norm.eps)


def load_average(work: Path) -> _Models:
    """The networks with their averaged weights: what is shipped."""
    models = _Models.load(work)
    models.take(torch.load(work / "denoiser.pt", weights_only=True)["average"])
    return models


class _Shared(NamedTuple):
    """What the processes hold in common; `core_seconds` is what all runs together have spent."""

    weights: Tensor
    average: Tensor
    seen: Tensor
    core_seconds: Tensor


def _work(number: int, work: Path, plan: Plan, common: _Shared, lock: Any) -> None:
    shared, average, seen, _ = common
    first, used = int(seen), time.process_time()
    torch.set_num_threads(1)
    torch.manual_seed(plan.seed * 1000 + number + first)
    chance = random.Random(plan.seed * 1000 + number + first)
    models, data = _Models.load(work).to(plan.device), Dataset.load(work)
    examples = _Examples(models, data, chance, plan.batch)
    models.take(shared)
    before = shared.clone()
    optimizers = models.optimizers(plan.rate / plan.workers)
    begun = saved = reported = time.time()
    step, running = 0, None
    while (part := int(seen) / plan.samples) < 1:
        loss = examples.loss()
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(models.weights, 1.0)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * _share_of_rate(step, part, plan.falling)
            optimizer.step()
        step += 1
        running = loss.item() if running is None else 0.99 * running + 0.01 * loss.item()
        if step % _EXCHANGE:
            continue
        with lock:
            shared += models.flat() - before
            before.copy_(shared)
            seen += _EXCHANGE * plan.batch
            common.core_seconds.add_(time.process_time() - used)
            used = time.process_time()
            average.lerp_(shared, 1 - min(0.995, (int(seen) + 800) / (int(seen) + 40_000)))
            now = time.time()
            if number == 0 and now - saved > _SAVE_SECONDS:
                _save(work, common)
                saved = now
        models.take(before)
        if not _parent_lives():
            return
        if number == 0 and now - reported > _REPORT_SECONDS:
            reported = now
            rate = (int(seen) - first) / max(1.0, reported - begun)
            left = (plan.samples - int(seen)) / rate / 60
            print(
                f"denoiser: {part:4.0%}, {int(seen):,} samples seen ({rate:.0f}/s, {left:.0f} minutes left), "
                f"loss {running:.4f}",
                flush=True,
            )
    if number == 0:
        with lock:
            _save(work, common)


def _share_of_rate(step: int, part: float, falling: float) -> float:
    """Of the full rate: rising for a hundred steps, flat, then straight down."""
    return min(1.0, (step + 1) / 100) * min(1.0, max(0.02, (1 - part) / falling))


def _parent_lives() -> bool:
    """A process whose parent was killed would train on beside the next run and write over its checkpoint."""
    parent = parent_process()
    return parent is not None and parent.is_alive()


def _save(work: Path, common: _Shared) -> None:
    half = work / "denoiser.half"
    seen, core_seconds = int(common.seen), float(common.core_seconds)
    rows = {"weights": common.weights.clone(), "average": common.average.clone()}
    torch.save({**rows, "seen": seen, "core_seconds": core_seconds}, half)
    half.replace(work / "denoiser.pt")
    record.note(work, "denoiser", core_seconds=core_seconds, samples=seen)


class _Examples:
    """Batches of scenes with fresh captions, noise and steps, and the loss on them."""

    def __init__(self, models: _Models, data: Dataset, chance: random.Random, batch: int) -> None:
        self._models, self._data, self._chance, self._batch = models, data, chance, batch
        self._device = models.device
        self._half = fast_half(self._device)
        self._signal = make_scheduler().alphas_cumprod.to(self._device)
        self._order: list[int] = []

    def loss(self) -> Tensor:
        chosen = self._next()
        captions = ["" if self._chance.random() < _DROPPED else self._data.caption(self._chance, n) for n in chosen]
        told = torch.tensor([bool(caption) for caption in captions])
        tokens = text.tokens_of(self._models.tokenizer, captions).to(self._device)
        states = self._models.encoder(tokens).last_hidden_state
        clean = torch.from_numpy(np.stack([self._data.latents[n] for n in chosen]).astype(np.float32))
        object_ = torch.from_numpy(np.stack([self._data.foregrounds[n] for n in chosen]))
        loss = self._drawing(clean.to(self._device), object_.to(self._device), states)
        if told.any():
            targets = text.targets_of([self._data.scenes[n] for n in chosen])
            loss = loss + _READING * self._models.reader.loss(states[told], targets[told].to(self._device))
        return loss

    def _drawing(self, clean: Tensor, object_: Tensor, states: Tensor) -> Tensor:
        count = len(clean)
        parts = (torch.arange(count, device=self._device) + torch.rand(1, device=self._device)) / count
        steps = (parts.sqrt() * 1000).long().clamp(0, 999)
        noise = torch.randn_like(clean)
        kept = self._signal[steps].sqrt()[:, None, None, None]
        lost = (1 - self._signal[steps]).sqrt()[:, None, None, None]
        noisy = (kept * clean + lost * noise).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._half):
            told = self._models.denoiser(noisy, steps, states).sample.float()
        weight = 1 + _FOREGROUND * object_[:, None].float()
        weight = weight / weight.mean()
        return ((told - (kept * noise - lost * clean)) ** 2 * weight).mean()

    def _next(self) -> Sequence[int]:
        if len(self._order) < self._batch:
            self._order = self._chance.sample(range(len(self._data.scenes)), len(self._data.scenes))
        chosen, self._order = self._order[: self._batch], self._order[self._batch :]
        return chosen
