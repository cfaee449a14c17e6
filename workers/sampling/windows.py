"""Windows of text encoders: how many tokens of a prompt each one reads, and which prompts are cut."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from workers.jobs.types import ClaimedItem
from workers.sampling.cards.registry import ModelCard
from workers.sampling.pipelines import Loaded

log = structlog.get_logger()


def log_truncated_prompts(loaded: Loaded, card: ModelCard, items: Sequence[ClaimedItem]) -> None:
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
    for item, ids in zip(items, tokenizer([item.prompt for item in items]).input_ids, strict=True):
        if len(ids) > limit:
            log.warning("prompt_truncated", item_id=item.id, tokens=len(ids), limit=limit)
