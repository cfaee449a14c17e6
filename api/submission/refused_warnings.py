"""Warnings that this installation takes as errors (PRESSWORK_REFUSE_WARNINGS)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from api.edge.problems import Complaint
from api.schemas.submission import WarningReply
from workers.settings import Settings

_REMEDIES = {
    "prompt_cut": 'Shorten these prompts, or clean the longest column with ["tokens:40"].',
    "negative_prompt_cut": "Shorten these negative prompts.",
    "unusual_size": "Leave the size out, or ask for one nearer to the model's own.",
    "unknown_words": "Ask for what the model knows, or choose another model.",
    "several_things": "Ask for one thing in each prompt, or choose another model.",
    "colour_ignored": "Leave the colour out, or choose another model.",
    "lora_not_asked": "Name the LoRA in `loras`, or leave its style out of the prompt.",
}


def refused_warnings(warnings: Iterable[WarningReply], settings: Settings) -> Iterator[Complaint]:
    """A complaint for each warning that refuses here, under the same code and with the same rows."""
    refused = settings.refused_warnings
    for warning in warnings:
        if warning.code in refused:
            rows = tuple(warning.rows or ())
            yield Complaint(
                warning.code,
                f"{warning.message} (this installation refuses it)",
                _REMEDIES[warning.code],
                row=rows[0] if rows else None,
                column=warning.column,
                rows=rows or None,
                count=warning.count,
            )
