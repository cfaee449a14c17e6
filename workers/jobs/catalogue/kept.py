"""Kept drawings of live pictures, with the texts that they were drawn of: for changes that draw nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from workers.jobs.catalogue.runs import Slot
from workers.jobs.types import TextsRead

_KEPT = text(
    """
    SELECT c.key, c.view, CAST(d.item_id AS text) AS drawing, made.prompt, made.negative_prompt, made.seed,
      made.rewrites, made.prompt_read_chars, made.negative_prompt_read_chars
    FROM catalogue_changes c
    JOIN catalogue_slots s ON s.catalogue_id = :catalogue AND s.key = c.key AND s.view = c.view
    JOIN assets a ON a.id = s.asset_id AND a.tenant = :tenant AND a.state = 'released'
    JOIN items made ON made.id = a.item_id AND made.tenant = :tenant AND made.erased_at IS NULL
    JOIN drawings d ON d.item_id = coalesce(made.drawing_item_id, made.id) AND d.tenant = made.tenant
    JOIN items root ON root.id = d.item_id AND root.state = 'released'
    WHERE c.plan_id = :plan AND c.kind = 'change' AND c.cause = ANY (CAST(:causes AS text[]))
    """
)


class KeptSlot(NamedTuple):
    """What the live picture of a slot was drawn of; `drawing` is the item whose pixels are kept."""

    drawing: str
    prompt: str
    negative_prompt: str
    seed: int
    rewrites: Sequence[Mapping[str, Any]]
    texts_read: TextsRead


def kept_slots(conn: Connection, plan: Any, causes: Sequence[str]) -> dict[Slot, KeptSlot]:
    """By slot, of a plan's changes with these causes. A slot whose drawing is kept no longer is missing."""
    asked = {"catalogue": plan.catalogue_id, "tenant": plan.tenant, "plan": plan.id, "causes": list(causes)}
    return {
        Slot(row.key, row.view): KeptSlot(
            *(row.drawing, row.prompt, row.negative_prompt, row.seed, row.rewrites or ()),
            TextsRead(row.prompt_read_chars, row.negative_prompt_read_chars),
        )
        for row in conn.execute(_KEPT, asked)
    }
