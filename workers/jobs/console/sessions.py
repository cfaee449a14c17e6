"""Sessions of the console, and links that sign in once. A row has the digest of a token, never the token.

The API key of a session lies in the row, encrypted under the token, which only the browser has. Nothing here is of a
tenant's work: a lost row is a person who signs in again.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, delete, func, select

from workers.jobs.console.tables import console_sessions

SessionKind = Literal["session", "link"]
SESSIONS_OF_A_KEY = 50  # open at once, links included; the oldest ends for the next


def open_session(
    conn: Connection, token: bytes, kind: SessionKind, *, key_id: str, sealed_key: str, life: timedelta
) -> datetime:
    """When the session ends. What has ended goes first, and so does the oldest of a key that has too many."""
    rows = console_sessions
    conn.execute(delete(rows).where(rows.c.expires_at <= func.now()))
    newest = select(rows.c.token_sha256).where(rows.c.key_id == key_id).order_by(rows.c.created_at.desc())
    kept = newest.limit(SESSIONS_OF_A_KEY - 1)
    conn.execute(delete(rows).where(rows.c.key_id == key_id, rows.c.token_sha256.not_in(kept)))
    ends: datetime = conn.execute(
        rows.insert()
        .values(
            token_sha256=_digest(token),
            kind=kind,
            key_id=key_id,
            sealed_key=sealed_key,
            expires_at=func.now() + life,
        )
        .returning(rows.c.expires_at)
    ).scalar_one()
    return ends


def sealed_key_of(conn: Connection, token: bytes) -> str | None:
    """The encrypted API key of an open session, by the database's clock."""
    rows = console_sessions
    this = (rows.c.token_sha256 == _digest(token), rows.c.kind == "session", rows.c.expires_at > func.now())
    return conn.execute(select(rows.c.sealed_key).where(*this)).scalar_one_or_none()


def take_link(conn: Connection, token: bytes) -> str | None:
    """The encrypted API key of a link, which works no more: of two that come at once, one gets it."""
    rows = console_sessions
    this = (rows.c.token_sha256 == _digest(token), rows.c.kind == "link", rows.c.expires_at > func.now())
    return conn.execute(delete(rows).where(*this).returning(rows.c.sealed_key)).scalar_one_or_none()


def close_session(conn: Connection, token: bytes) -> None:
    """Ends it. One that has ended is no error."""
    conn.execute(delete(console_sessions).where(console_sessions.c.token_sha256 == _digest(token)))


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
