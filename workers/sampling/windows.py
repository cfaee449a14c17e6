"""Windows of text encoders: how many tokens of a prompt each one reads, and which prompts are cut."""

from __future__ import annotations

import structlog

from workers.jobs.types import Claim
from workers.sampling.cards.registry import ModelCard
from workers.sampling.pipelines import Loaded
from workers.sampling.prompts.emphasis import read_prompts

log = structlog.get_logger()


def log_truncated_prompts(loaded: Loaded, card: ModelCard, held: Claim) -> None:
    """diffusers cuts a prompt at the encoder's window without a word to the caller; our log has the word.

    A prompt is cut where no encoder reads all of it: the one with the widest window decides.
    """
    windows = {}
    for name, limit in card.family.reads.items():
        tokenizer = getattr(loaded.pipe, name, None)
        if tokenizer is not None:
            windows[name] = limit or tokenizer.model_max_length
    if not windows:
        return
    widest = max(windows, key=lambda name: windows[name])
    tokenizer, limit = getattr(loaded.pipe, widest), windows[widest]
    texts = [item.prompt for item in held.items]
    if held.recipe.prompt_syntax:
        texts = [text.plain for text in read_prompts(held.items)[0]]
    for item, ids in zip(held.items, tokenizer(texts).input_ids, strict=True):
        if len(ids) > limit:
            log.warning("prompt_truncated", item_id=item.id, tokens=len(ids), limit=limit)
