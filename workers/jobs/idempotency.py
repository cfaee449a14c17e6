"""Idempotency keys: the same key, the same reply. The reply is stored in the transaction of the work itself.

Killed before that commit, neither work nor reply exists and a retry does the work; killed after it, a
retry reads the reply. A key does not expire; once its reply was erased, a repeat is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from workers.errors import Conflict, IdempotencyKeyReused, InFlight
from workers.jobs.tables import idempotency_keys


@dataclass(frozen=True, slots=True)
class StoredReply:
    """What was answered."""

    status: int
    body: Mapping[str, Any]


def recall(conn: Connection, tenant: str, key: str, fingerprint: bytes) -> StoredReply | None:
    """The reply to an earlier request with this key; None makes this transaction its owner until it ends.

    Raises InFlight while another transaction owns the key, IdempotencyKeyReused if the key came with
    another fingerprint, and Conflict if reply and fingerprint were erased: the two requests cannot be compared.
    """
    owned = conn.scalar(select(func.pg_try_advisory_xact_lock(func.hashtextextended(f"{tenant}\n{key}", 0))))
    if not owned:
        raise InFlight(f"the first request with Idempotency-Key {key!r} is still running")
    stored = conn.execute(
        select(idempotency_keys).where(idempotency_keys.c.tenant == tenant, idempotency_keys.c.key == key)
    ).one_or_none()
    if stored is None:
        return None
    if stored.erased_at is not None:
        raise Conflict(f"Idempotency-Key {key!r} was used for a request whose texts were erased; use another key")
    if bytes(stored.fingerprint) != fingerprint:
        raise IdempotencyKeyReused(f"Idempotency-Key {key!r} was first used for another request")
    return StoredReply(stored.status, stored.body)


def remember(conn: Connection, tenant: str, key: str, fingerprint: bytes, reply: StoredReply) -> None:
    """Store the reply. The caller owns the key: `recall` answered None in this transaction."""
    conn.execute(
        idempotency_keys.insert().values(
            tenant=tenant, key=key, fingerprint=fingerprint, status=reply.status, body=dict(reply.body)
        )
    )
