"""Claims of reviewers: who is looking at which held picture, so that two of them do not meet.

A claim is soft. It ends by itself, it stops no decision, and the first decision counts as ever. It is no event: what
somebody looked at is in the ledger already. Killed anywhere: the claim ends with its time.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, func, select, text

from workers.jobs.review.tables import review_claims

CLAIM_SECONDS = 120
_KEPT = timedelta(hours=1)  # after its end
# Rows are locked in the order of their ids, so that two reviewers who claim the same ones do not deadlock.
_CLAIM = text(
    """
    INSERT INTO review_claims (item_id, tenant, key_id, until)
    SELECT h.item_id, :tenant, :key_id, clock_timestamp() + :seconds * interval '1 second'
    FROM holds h WHERE h.tenant = :tenant AND h.item_id = ANY (CAST(:ids AS uuid[])) AND h.decided_at IS NULL
    ORDER BY h.item_id
    ON CONFLICT (item_id) DO UPDATE SET key_id = excluded.key_id, until = excluded.until
      WHERE review_claims.key_id = excluded.key_id OR review_claims.until < clock_timestamp()
    RETURNING item_id, until
    """
)


class ReviewClaims(NamedTuple):
    """What a key looks at from now on until then, and what another one is looking at. In neither: nobody waits."""

    claimed: list[str]
    taken: list[str]
    until: datetime | None


def claim(conn: Connection, tenant: str, key_id: str, item_ids: Collection[str]) -> ReviewClaims:
    """Claims what is held and not claimed by another key; a claim of the same key begins anew."""
    mine, now = review_claims.c, func.clock_timestamp()
    conn.execute(review_claims.delete().where(mine.tenant == tenant, mine.until < now - _KEPT))
    asked = {"tenant": tenant, "key_id": key_id, "ids": sorted(set(item_ids))}
    rows = conn.execute(_CLAIM, {**asked, "seconds": CLAIM_SECONDS}).all()
    claimed = {str(row.item_id): row.until for row in rows}
    by_others = select(mine.item_id).where(mine.item_id.in_(asked["ids"]), mine.key_id != key_id, mine.until >= now)
    taken = set(conn.scalars(by_others.where(mine.tenant == tenant)))
    return ReviewClaims(
        [id for id in item_ids if id in claimed],
        [id for id in item_ids if id in taken],
        min(claimed.values(), default=None),
    )


def end(conn: Connection, tenant: str, key_id: str, item_id: str) -> None:
    """After a decision: a second person may look at once."""
    this = (review_claims.c.tenant == tenant, review_claims.c.item_id == item_id, review_claims.c.key_id == key_id)
    conn.execute(review_claims.delete().where(*this))
