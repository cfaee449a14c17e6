"""Text encoder pre-training: from a caption, name every attribute of its scene.

Minutes of this spare the denoiser hours: colour of the object and colour of the ground are told apart from the
first step. The same question stays a small part of the loss afterwards.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextModel, CLIPTokenizer

from models.train.captions import FILLER
from models.train.dataset import Dataset
from models.train.goods import BACKGROUNDS, COLOURS, GOODS
from models.train.network import make_text_encoder, make_tokenizer
from models.train.scenes import PLACES, SIZES, STAGES, Scene
from models.train.sprites import STYLES

VALUES: dict[str, tuple[str | None, ...]] = {
    "good": tuple(good.name for good in GOODS),
    "colour": (None, *COLOURS),
    "style": STYLES,
    "size": tuple(SIZES),
    "place": PLACES,
    "background": tuple(BACKGROUNDS),
    "stage": STAGES,
}
CAPTIONS = 60_000  # that the vocabulary is learned from
_BATCH = 192


class Reader(nn.Module):
    """One linear answer for each attribute, from the mean of the encoder's states. Only training needs it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.answers = nn.ModuleDict({name: nn.Linear(width, len(values)) for name, values in VALUES.items()})

    def loss(self, states: Tensor, targets: Tensor) -> Tensor:
        """Mean cross entropy for states [N, tokens, width] and targets [N, attributes]."""
        pooled = states.mean(1)
        losses = [
            functional.cross_entropy(answer(pooled), targets[:, n]) for n, answer in enumerate(self.answers.values())
        ]
        return torch.stack(losses).mean()

    def right(self, states: Tensor, targets: Tensor) -> dict[str, float]:
        """Share of right answers by attribute."""
        pooled = states.mean(1)
        return {
            name: float((answer(pooled).argmax(1) == targets[:, n]).float().mean())
            for n, (name, answer) in enumerate(self.answers.items())
        }


def targets_of(scenes: list[Scene]) -> Tensor:
    """int64 [N, attributes]: which value of each attribute."""
    return torch.tensor([[values.index(getattr(scene, name)) for name, values in VALUES.items()] for scene in scenes])


def tokens_of(tokenizer: CLIPTokenizer, captions: list[str]) -> Tensor:
    """int64 [N, tokens], padded and cut as the pipeline does."""
    encoded = tokenizer(captions, padding="max_length", max_length=tokenizer.model_max_length, truncation=True)
    return torch.tensor(encoded.input_ids)


def train(data: Dataset, work: Path, *, steps: int, seed: int, captions: int = CAPTIONS, device: str = "cpu") -> None:
    """Learn the vocabulary from so many captions, and to read; leaves tokenizer/ and text.pt under `work`.

    Killed anywhere: text.pt is the last whole state, and `train` goes on from it; one that is finished is kept.
    """
    torch.set_num_threads(1)
    numbers = range(len(data.scenes))
    state = work / "text.pt"
    if not state.exists():
        _learn_vocabulary(data, work, random.Random(seed), captions)
    tokenizer = CLIPTokenizer.from_pretrained(str(work / "tokenizer"))
    torch.manual_seed(seed)
    encoder = make_text_encoder(tokenizer).to(device)
    reader = Reader(encoder.config.hidden_size).to(device)
    weights = [*encoder.parameters(), *reader.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=2e-3, betas=(0.9, 0.98), weight_decay=1e-2, fused=True)
    first = 0
    if state.exists():
        stored = torch.load(state, weights_only=True, map_location=device)
        if (first := stored.get("step", steps)) < steps:
            encoder.load_state_dict(stored["encoder"])
            reader.load_state_dict(stored["reader"])
            optimizer.load_state_dict(stored["optimizer"])
    chance = random.Random(seed + 1 + first)
    for step in range(first, steps):
        part = step / steps
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(1, (step + 1) / 60) * min(1, (1 - part) / 0.5 + 0.02)
        chosen = [chance.choice(numbers) for _ in range(_BATCH)]
        tokens = tokens_of(tokenizer, [data.caption(chance, number) for number in chosen]).to(device)
        targets = targets_of([data.scenes[number] for number in chosen]).to(device)
        states = encoder(tokens).last_hidden_state
        loss = reader.loss(states, targets)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        if (step + 1) % 50 == 0:
            right = ", ".join(f"{name} {share:.2f}" for name, share in reader.right(states, targets).items())
            print(f"text: step {step + 1} of {steps}, loss {loss.item():.3f}; right: {right}", flush=True)
        if (step + 1) % 50 == 0 or step + 1 == steps:
            _save(state, {"encoder": encoder, "reader": reader, "optimizer": optimizer}, step + 1)


def _learn_vocabulary(data: Dataset, work: Path, chance: random.Random, count: int) -> None:
    numbers = range(len(data.scenes))
    words = [f" {word}" for good in GOODS for word in (*good.nouns, *good.plurals)] + list(FILLER)
    captions = [data.caption(chance, chance.choice(numbers)) for _ in range(count)]
    make_tokenizer(captions + words * 20).save_pretrained(str(work / "tokenizer"))


def _save(state: Path, parts: dict[str, Any], step: int) -> None:
    half = state.with_suffix(".half")
    torch.save({**{name: part.state_dict() for name, part in parts.items()}, "step": step}, half)
    half.replace(state)


def load(work: Path) -> tuple[CLIPTokenizer, CLIPTextModel, Reader]:
    """What `train` left."""
    tokenizer = CLIPTokenizer.from_pretrained(str(work / "tokenizer"))
    encoder = make_text_encoder(tokenizer)
    reader = Reader(encoder.config.hidden_size)
    stored = torch.load(work / "text.pt", weights_only=True, map_location="cpu")
    encoder.load_state_dict(stored["encoder"])
    reader.load_state_dict(stored["reader"])
    return tokenizer, encoder, reader
