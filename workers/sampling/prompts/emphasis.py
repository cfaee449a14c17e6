"""Emphasis of words in a run: what a text encoder made of each token is scaled, and the mean of its numbers restored.

So does AUTOMATIC1111's web UI (`sd_emphasis.py`, "Original"), which takes the mean over all prompts of a batch; here it
is that of one prompt, so that a picture does not depend on its neighbours. The pipeline encodes the plain words itself:
texts without a weight get its very bits, and what is pooled of a text stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import torch

from policy.prompts.weights import WeightedText, WeightsInvalid, read_weights
from workers.errors import ModelRefused
from workers.jobs.types import ClaimedItem
from workers.recipes import Recipe
from workers.sampling.families.family import Family

_MOST_RESTORED = 2.0  # times, and its inverse; beyond it, or below zero, the mean itself was near zero


class _Part(NamedTuple):
    """What one encoder gives of the numbers of a token."""

    first: int
    width: int
    tokenizer: Any


@contextmanager
def weighted(
    pipe: Any, family: Family, recipe: Recipe, items: Sequence[ClaimedItem]
) -> Iterator[Sequence[ClaimedItem]]:
    """The items with the plain words of their prompts; inside, the pipeline gives these words their weights.

    Raises ModelRefused where the family has no place for weights, or a prompt cannot be read.
    """
    if not recipe.prompt_syntax:
        yield items
        return
    if not family.weighs:
        raise ModelRefused(f"models of the family {family.name} read no weights of words")
    wanted, unwanted = read_prompts(items)
    encode, parts = pipe.encode_prompt, _parts(pipe, family)

    def encode_with_weights(*args: Any, **more: Any) -> tuple[Any, ...]:
        made = encode(*args, **more)
        return (_scaled(made[0], wanted, parts), _scaled(made[1], unwanted, parts), *made[2:])

    pipe.encode_prompt = encode_with_weights
    try:
        yield [
            replace(item, prompt=one.plain, negative_prompt=other.plain)
            for item, one, other in zip(items, wanted, unwanted, strict=True)
        ]
    finally:
        del pipe.encode_prompt  # the method of the class is there again


def read_prompts(items: Sequence[ClaimedItem]) -> tuple[list[WeightedText], list[WeightedText]]:
    """Prompts and negative prompts with the weights of their words.

    Raises ModelRefused: a request is refused at submit, so its bounds were narrowed since.
    """
    try:
        return (
            [read_weights(item.prompt) for item in items],
            [read_weights(item.negative_prompt) for item in items],
        )
    except WeightsInvalid as error:
        raise ModelRefused(f"the weights of a prompt cannot be read: {error}") from error


def token_weights(tokenizer: Any, text: WeightedText, length: int) -> list[float]:
    """A weight for each of `length` tokens. A token over two weights has that of its first character."""
    read = tokenizer(text.plain, padding="max_length", max_length=length, truncation=True, return_offsets_mapping=True)
    return [text.weight_at(first) if end > first else 1.0 for first, end in read["offset_mapping"]]


def _parts(pipe: Any, family: Family) -> list[_Part]:
    parts, first = [], 0
    for encoder, tokenizer in family.weighs.items():
        width = getattr(pipe, encoder).config.hidden_size
        parts.append(_Part(first, width, getattr(pipe, tokenizer)))
        first += width
    return parts


def _scaled(made: Any, texts: Sequence[WeightedText], parts: Sequence[_Part]) -> Any:
    """Embeddings [N, tokens, numbers] of these texts with their weights; None where nothing was encoded."""
    if made is None or all(text.is_even for text in texts):
        return made
    made = made.clone()
    for n, text in enumerate(texts):
        if text.is_even:
            continue
        for first, width, tokenizer in parts:
            weights = torch.tensor(token_weights(tokenizer, text, made.shape[1]), device=made.device)
            if bool((weights == 1).all()):
                continue  # what weighs something is beyond the window
            plain = made[n, :, first : first + width].float()
            scaled = plain * weights[:, None]
            made[n, :, first : first + width] = scaled * _restoring(plain, scaled)
    return made


def _restoring(plain: Any, scaled: Any) -> float:
    """What brings the mean back. 1 where that is no small change: a mean near zero says nothing of the numbers."""
    factor = float(plain.mean() / scaled.mean())
    return factor if 1 / _MOST_RESTORED <= factor <= _MOST_RESTORED else 1.0
