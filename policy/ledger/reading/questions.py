"""Auditor's questions, answered from the views of the ledger: rows as dictionaries, ready for JSON or a table.

Each needs a connection that may read the schema, and streams where the answer may be long. A list begins `after` an
entry_id and ends after `limit` rows, so that a page continues where the one before ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, text

from policy.ledger.reading.scope import EVERYTHING, Scope

_ROWS = 1_000  # of one fetch

_PAGE = "entry_id > :after ORDER BY entry_id LIMIT :limit"
_LINEAGE = """
SELECT * FROM audit.lineage WHERE asset_id = :asset_id AND (CAST(:tenant AS text) IS NULL OR tenant = :tenant)
"""
_PRODUCT = "SELECT audit.said(body) #> '{event,product}' FROM audit.entries WHERE id = :entry_id"
_RECEIPT = "SELECT audit.said(body) #> '{event,receipt}' FROM audit.entries WHERE id = :entry_id"
_MADE = """
SELECT entry_id, recorded_at, outcome, tenant, item_id, asset_id, request_id, model, model_revision, loras,
       seed, policy_version, sha256, index, event_id, categories, rules
FROM audit.made
"""
_REFUSED = """
SELECT entry_id, recorded_at, outcome, tenant, item_id, request_id, batch_id, categories, rules, findings, scores,
       prompt, index, event_id, policy_version
FROM audit.refusals
"""
_REVIEWED = """
SELECT entry_id, recorded_at, tenant, reviewer, key_id, decision, final, item_id, request_id, sha256, policy_version,
       categories, rules, comment, index, event_id
FROM audit.reviews
"""
_APPROVED = """
SELECT entry_id, recorded_at, tenant, actor, document, decision, name, version, person, reason, tenants, expires,
       index, event_id
FROM audit.approvals
"""


class By(StrEnum):
    """The columns that items can be counted by."""

    DAY = "day"
    TENANT = "tenant"
    DECISION = "decision"


def lineage(conn: Connection, asset_id: str, *, tenant: str | None = None) -> Mapping[str, Any] | None:
    """Everything about an asset, released or since recalled; None for one that the ledger does not know.

    `product` is what its entry says of a product that was cut out: mask, its check, and the proof of its pixels.
    """
    found = conn.execute(text(_LINEAGE), {"asset_id": asset_id, "tenant": tenant}).mappings().first()
    if found is None:
        return None
    product = conn.execute(text(_PRODUCT), {"entry_id": found["entry_id"]}).scalar()
    return {**found, "product": product, "made": made(dict(found)), "decided": decided(dict(found))}


def made(asset: Mapping[str, Any]) -> str:
    """One sentence on what made an asset; of one that was made elsewhere, who stated what."""
    origin = (asset["marks"] or {}).get("origin")
    if not origin:
        return f"Made here by {asset['model']}."
    tool = f" with {origin['tool']}" if origin["tool"] else ""
    found = f" The file carried {', '.join(origin['found'])}." if origin["found"] else ""
    said = f"It is declared '{origin['declaration']}', as stated by key {origin['stated_by']} and verified by nobody."
    return f"Made elsewhere{tool}. {said}{found}"


def decided(asset: Mapping[str, Any]) -> str:
    """One sentence on who released an asset: a person, or the rules alone."""
    rules = f"under rule set {asset['policy_version']}" if asset["policy_version"] else "under no rule set"
    persons = [one for one in asset["reviews"] if one["decision"] == "release"]
    if not persons:
        return f"Released automatically {rules}. No person looked at it before its release."
    names = " and ".join(dict.fromkeys(str(one["reviewer"] or one["key_id"]) for one in persons))
    return f"Released by {names}, who reviewed it after it was held {rules}."


def receipt(conn: Connection, entry_id: int) -> dict[str, str]:
    """What the entry of a released asset says it takes to draw it again; empty in entries from before it was kept."""
    found = conn.execute(text(_RECEIPT), {"entry_id": entry_id}).scalar()
    return dict(found or {})


def made_by(conn: Connection, scope: Scope, *, after: int = 0, limit: int | None = None) -> Iterator[Mapping[str, Any]]:
    """Every picture that was made, oldest first, released or not."""
    return _streamed(conn, _MADE, scope, {"after": after, "limit": limit})


def refused(conn: Connection, scope: Scope, *, after: int = 0, limit: int | None = None) -> Iterator[Mapping[str, Any]]:
    """Every item that was held or refused, and why, oldest first."""
    return _streamed(conn, _REFUSED, scope, {"after": after, "limit": limit})


def reviews(
    conn: Connection,
    scope: Scope,
    *,
    reviewer: str | None = None,
    decision: str | None = None,
    after: int = 0,
    limit: int | None = None,
) -> Iterator[Mapping[str, Any]]:
    """Who reviewed what, oldest first; `reviewer` is the name or the id of a key."""
    narrowed = ""
    if reviewer is not None:
        narrowed += " AND (key_id = :reviewer OR reviewer = :reviewer)"
    if decision is not None:
        narrowed += " AND decision = :decision"
    values = {"reviewer": reviewer, "decision": decision, "after": after, "limit": limit}
    return _streamed(conn, _REVIEWED, scope, values, narrowed)


def approvals(
    conn: Connection, scope: Scope, *, after: int = 0, limit: int | None = None
) -> Iterator[Mapping[str, Any]]:
    """Rule sets, model cards and verifiers: first use, and what people decided about models, oldest first.

    Of the scope only time and tenant count: documents have neither makers nor findings.
    """
    of_time = Scope(since=scope.since, until=scope.until, tenant=scope.tenant)
    return _streamed(conn, _APPROVED, of_time, {"after": after, "limit": limit})


def counts(conn: Connection, by: Sequence[By], scope: Scope = EVERYTHING) -> list[Mapping[str, Any]]:
    """The number of settled items for each value of `by`, in order.

    Narrowed to more than a tenant and a time, items are counted one by one: a request that was cancelled as a whole
    then counts for nothing, because its items are not named.
    """
    columns = ", ".join(dict.fromkeys(by))
    where, values = scope.where()
    if scope == Scope(tenant=scope.tenant):
        rows = f"SELECT {columns}, CAST(sum(items) AS bigint) AS items FROM audit.counts"  # noqa: S608 - an enum
    else:
        day = "(recorded_at AT TIME ZONE 'UTC')::date AS day"
        rows = f"SELECT {columns}, count(*) AS items FROM (SELECT *, {day} FROM audit.settled) AS settled"  # noqa: S608
    query = f"{rows} WHERE {where} GROUP BY {columns} ORDER BY {columns}"
    return [dict(row) for row in conn.execute(text(query), values).mappings()]


def _streamed(
    conn: Connection, rows: str, scope: Scope, values: Mapping[str, Any], narrowed: str = ""
) -> Iterator[Mapping[str, Any]]:
    where, scoped = scope.where()
    query = f"{rows} WHERE {where}{narrowed} AND {_PAGE}"
    given = {name: value for name, value in (scoped | dict(values)).items() if f":{name}" in query}
    found = conn.execution_options(yield_per=_ROWS).execute(text(query), given)
    for row in found.mappings():
        yield dict(row)
