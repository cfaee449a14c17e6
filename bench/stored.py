"""Stored items for benchmarks of pages: a request of which all items but the first are settled, with nothing drawn."""

from __future__ import annotations

import json
from random import Random
from typing import Any, Literal

from sqlalchemy import Connection, create_engine, text

from bench.served import ServedApi

_IN_BATCH = 8
_BATCHES = text(
    """
    INSERT INTO batches (id, queue, recipe_id, state, size, attempt, given_back, claims_allowed, lease_until,
                         finished_at)
    SELECT CAST(:batches || lpad(to_hex(n), 12, '0') AS uuid), i.queue, i.recipe_id, 'finished', :size, 1, 0, 3,
      now(), now()
    FROM items i, generate_series(0, :last) n WHERE i.request_id = :request
    """
)
_ITEMS = text(
    """
    INSERT INTO items SELECT (jsonb_populate_record(i, jsonb_build_object(
      'id', :items || lpad(to_hex(n), 12, '0'), 'row', n, 'custom_id', 'good-' || n, 'state', CAST(:state AS text),
      'batch_id', :batches || lpad(to_hex(n / :size), 12, '0'), 'batch_position', n % :size, 'settled_at', now(),
      'verdict', CAST(:verdict AS jsonb)))).*
    FROM items i, generate_series(2, :count) n WHERE i.request_id = :request
    """
)


def store_items(
    conn: Connection, request: str, count: int, state: Literal["released", "held"], verdict: dict[str, Any]
) -> None:
    """`count` items of the request, one a row, named good-2 and so on; the first stays as it was sent."""
    of = Random(f"{request}{count}").randrange(1 << 16)
    values = {
        "request": request,
        "count": count,
        "size": _IN_BATCH,
        "items": f"01999999-{of:04x}-7000-8000-",
        "batches": f"01999999-{of:04x}-7000-9000-",
        "last": count // _IN_BATCH,
        "state": state,
        "verdict": json.dumps(verdict),
    }
    conn.execute(_BATCHES, values)
    conn.execute(_ITEMS, values)
    conn.execute(text("UPDATE requests SET item_count = :count WHERE id = :request"), values)


def new_request(api: ServedApi) -> str:
    """A request of one item, sent over HTTP."""
    with api.client() as client:
        sent = client.post("/v1/requests", json={"prompt": "a red car", "model": "studio"})
    sent.raise_for_status()
    return str(sent.json()["id"])


def as_owner(api: ServedApi) -> Any:
    """An engine with the rights of the owner of all tables; dispose of it."""
    return create_engine(api.stack.postgres.url("owner"))
