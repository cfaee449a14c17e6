"""Auditor's questions, answered from the views of the ledger: rows as dictionaries, ready for JSON or a table.

Each needs a connection that may read the schema, and streams where the answer may be long. A list begins `after` an
entry_id and ends after `limit` rows, so that a page continues where the one before ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, text

_ROWS = 1_000  # of one fetch

_OF_TENANT = "(CAST(:tenant AS text) IS NULL OR tenant = :tenant)"
_PAGE = "entry_id > :after ORDER BY entry_id LIMIT :limit"
_LINEAGE = f"SELECT * FROM audit.lineage WHERE asset_id = :asset_id AND {_OF_TENANT}"  # noqa: S608 - constants
_RECEIPT = "SELECT audit.said(body) #> '{event,receipt}' FROM audit.entries WHERE id = :entry_id"
_MADE = f"""
SELECT entry_id, recorded_at, outcome, tenant, item_id, asset_id, request_id, model, model_revision, loras,
       seed, policy_version, sha256, index, event_id
FROM audit.made WHERE makers @> CAST(:makers AS text[]) AND {_OF_TENANT} AND {_PAGE}
"""  # noqa: S608 - constants
_REFUSED = f"""
SELECT entry_id, recorded_at, outcome, tenant, item_id, request_id, batch_id, categories, rules, findings, scores,
       prompt, index, event_id
FROM audit.refusals WHERE policy_version = :version AND {_OF_TENANT} AND {_PAGE}
"""  # noqa: S608 - constants
_REVIEWED = f"""
SELECT entry_id, recorded_at, tenant, reviewer, key_id, decision, final, item_id, request_id, sha256, policy_version,
       categories, rules, comment, index, event_id
FROM audit.reviews
WHERE (CAST(:reviewer AS text) IS NULL OR key_id = :reviewer OR reviewer = :reviewer)
  AND (CAST(:decision AS text) IS NULL OR decision = :decision) AND {_OF_TENANT} AND {_PAGE}
"""  # noqa: S608 - constants


class By(StrEnum):
    """The columns that items can be counted by."""

    DAY = "day"
    TENANT = "tenant"
    DECISION = "decision"


def lineage(conn: Connection, asset_id: str, *, tenant: str | None = None) -> Mapping[str, Any] | None:
    """Everything about an asset, released or since recalled; None for one that the ledger does not know."""
    found = conn.execute(text(_LINEAGE), {"asset_id": asset_id, "tenant": tenant}).mappings().first()
    return dict(found) if found else None


def receipt(conn: Connection, entry_id: int) -> dict[str, str]:
    """What the entry of a released asset says it takes to draw it again; empty in entries from before it was kept."""
    found = conn.execute(text(_RECEIPT), {"entry_id": entry_id}).scalar()
    return dict(found or {})


def made_by(
    conn: Connection,
    *,
    model: str | None,
    revision: str | None,
    lora: str | None,
    tenant: str | None = None,
    after: int = 0,
    limit: int | None = None,
) -> Iterator[Mapping[str, Any]]:
    """Every picture that all of the given took part in, oldest first, released or not."""
    given = (("model", model), ("revision", revision), ("lora", lora))
    makers = [f"{noun}:{name}" for noun, name in given if name is not None]
    return _streamed(conn, _MADE, {"makers": makers, "tenant": tenant, "after": after, "limit": limit})


def refused_under(
    conn: Connection, version: str, *, tenant: str | None = None, after: int = 0, limit: int | None = None
) -> Iterator[Mapping[str, Any]]:
    """Every item that this policy version held or refused, and why, oldest first."""
    return _streamed(conn, _REFUSED, {"version": version, "tenant": tenant, "after": after, "limit": limit})


def reviews(
    conn: Connection,
    *,
    reviewer: str | None = None,
    decision: str | None = None,
    tenant: str | None = None,
    after: int = 0,
    limit: int | None = None,
) -> Iterator[Mapping[str, Any]]:
    """Who reviewed what, oldest first; `reviewer` is the name or the id of a key."""
    values = {"reviewer": reviewer, "decision": decision, "tenant": tenant, "after": after, "limit": limit}
    return _streamed(conn, _REVIEWED, values)


def counts(conn: Connection, by: Sequence[By], *, tenant: str | None = None) -> list[Mapping[str, Any]]:
    """The number of settled items for each value of `by`, in order."""
    columns = ", ".join(dict.fromkeys(by))
    query = (
        f"SELECT {columns}, CAST(sum(items) AS bigint) AS items FROM audit.counts"  # noqa: S608 - names of an enum
        f" WHERE {_OF_TENANT} GROUP BY {columns} ORDER BY {columns}"
    )
    return [dict(row) for row in conn.execute(text(query), {"tenant": tenant}).mappings()]


def _streamed(conn: Connection, query: str, values: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    found = conn.execution_options(yield_per=_ROWS).execute(text(query), values)
    for row in found.mappings():
        yield dict(row)
