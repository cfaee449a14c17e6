"""Refusal of the sealer, in the database: while the ledger cannot be sealed, nothing is released.

Killed between a refused round and its note here: the next round, a second later, writes it. Killed between a good round
and the note's end: as well.
"""

from __future__ import annotations

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import insert

from policy.ledger.tables import seal_refusal


def note(conn: Connection, reason: str | None) -> None:
    """Write down why the sealer refuses, or with None that it does not; nothing if that is known already."""
    now = None if reason is None else func.clock_timestamp()
    written = insert(seal_refusal).values(refused_at=now, reason=reason)
    conn.execute(
        written.on_conflict_do_update(
            index_elements=[seal_refusal.c.one],
            set_={"refused_at": written.excluded.refused_at, "reason": written.excluded.reason},
            where=seal_refusal.c.reason.is_distinct_from(written.excluded.reason),
        )
    )


def reason(conn: Connection) -> str | None:
    """Why the sealer refuses; None while it seals."""
    return conn.scalar(select(seal_refusal.c.reason))
