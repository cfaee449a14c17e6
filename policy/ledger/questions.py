"""The auditor's questions, asked of the views of the ledger: rows as dictionaries, ready for JSON or a table.

Each needs a connection that may read the schema, and reads in a stream where the answer may be long.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, text

_ROWS = 1_000  # of one fetch

_LINEAGE = "SELECT * FROM audit.lineage WHERE asset_id = :asset_id"
_MADE = """
SELECT recorded_at, outcome, tenant, item_id, asset_id, request_id, model, model_revision, loras, seed, policy_version,
       sha256, index, event_id
FROM audit.made WHERE makers @> CAST(:makers AS text[]) AND (CAST(:tenant AS text) IS NULL OR tenant = :tenant)
ORDER BY recorded_at, entry_id
"""
_REFUSED = """
SELECT recorded_at, outcome, tenant, item_id, request_id, batch_id, categories, rules, findings, scores, prompt, index,
       event_id
FROM audit.refusals WHERE policy_version = :version AND (CAST(:tenant AS text) IS NULL OR tenant = :tenant)
ORDER BY recorded_at, entry_id
"""


class By(StrEnum):
    """What items are counted by."""

    DAY = "day"
    TENANT = "tenant"
    DECISION = "decision"


def lineage(conn: Connection, asset_id: str) -> Mapping[str, Any] | None:
    """Everything about a released asset; None for one that the ledger does not know."""
    found = conn.execute(text(_LINEAGE), {"asset_id": asset_id}).mappings().first()
    return dict(found) if found else None


def made_by(
    conn: Connection, *, model: str | None, revision: str | None, lora: str | None, tenant: str | None = None
) -> Iterator[Mapping[str, Any]]:
    """Every picture that all of the given had a part in, oldest first, released or not."""
    given = (("model", model), ("revision", revision), ("lora", lora))
    makers = [f"{noun}:{name}" for noun, name in given if name is not None]
    return _streamed(conn, _MADE, {"makers": makers, "tenant": tenant})


def refused_under(conn: Connection, version: str, *, tenant: str | None = None) -> Iterator[Mapping[str, Any]]:
    """Every item that this policy version held or refused, and why, oldest first."""
    return _streamed(conn, _REFUSED, {"version": version, "tenant": tenant})


def counts(conn: Connection, by: Sequence[By], *, tenant: str | None = None) -> list[Mapping[str, Any]]:
    """How many items were settled, for each value of `by`, in order."""
    columns = ", ".join(dict.fromkeys(by))
    query = (
        f"SELECT {columns}, CAST(sum(items) AS bigint) AS items FROM audit.counts"  # noqa: S608 - names of an enum
        f" WHERE (CAST(:tenant AS text) IS NULL OR tenant = :tenant) GROUP BY {columns} ORDER BY {columns}"
    )
    return [dict(row) for row in conn.execute(text(query), {"tenant": tenant}).mappings()]


def _streamed(conn: Connection, query: str, values: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    found = conn.execution_options(yield_per=_ROWS).execute(text(query), values)
    for row in found.mappings():
        yield dict(row)
