"""Appends events to the ledger in the transaction of the change that they record."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import rfc8785
import uuid_utils
from sqlalchemy import Connection, func, select, text

from policy.errors import LedgerError
from policy.events import Event

SYSTEM_TENANT = "presswork"  # whose events are no one tenant's: batches, which mix tenants, and registered documents
BODY_VERSION = 1
SALT_BYTES = 16  # 128 bits: nobody guesses a prompt from its digest

# One statement however many events, and no RETURNING: writers may insert, not look. Ordered, so that
# events of one call keep their order in the tree. Subjects travel joined, as unnest flattens arrays.
_APPEND = text(
    """
    WITH added AS (
      INSERT INTO audit.entries (event_id, tenant, kind, actor, subjects, recorded_at, body)
      SELECT event_id, :tenant, kind, :actor, string_to_array(subjects, E'\\n'), :at, body
      FROM unnest(
        CAST(:event_ids AS uuid[]), CAST(:kinds AS text[]), CAST(:subjects AS text[]), CAST(:bodies AS bytea[]))
        WITH ORDINALITY AS event (event_id, kind, subjects, body, place)
      ORDER BY place
    )
    INSERT INTO audit.private (event_id, field, salt, value)
    SELECT * FROM unnest(
      CAST(:owners AS uuid[]), CAST(:fields AS text[]), CAST(:salts AS bytea[]), CAST(:values AS text[]))
    """
)


class _Secret(NamedTuple):
    """A row of audit.private, and the digest that the body holds in its place."""

    event_id: str
    field: str
    salt: bytes
    value: str

    def commitment(self) -> dict[str, str]:
        return {"commitment": commit(self.salt, self.value)}


class _Entry(NamedTuple):
    event_id: str
    kind: str
    subjects: tuple[str, ...]
    body: bytes


def append(conn: Connection, *, tenant: str, actor: str, events: Iterable[Event]) -> None:
    """Write events in the caller's transaction, in this order; never commits. Two statements, however many events.

    Raises LedgerError, before anything is written, for an event that has no canonical form.
    """
    happened = list(events)
    if not happened:
        return
    at: datetime = conn.execute(select(func.clock_timestamp())).scalar_one()
    secrets: list[_Secret] = []
    entries = [_entry(event, tenant, actor, at, secrets) for event in happened]
    conn.execute(
        _APPEND,
        {
            "tenant": tenant,
            "actor": actor,
            "at": at,
            "event_ids": [entry.event_id for entry in entries],
            "kinds": [entry.kind for entry in entries],
            "subjects": ["\n".join(entry.subjects) for entry in entries],
            "bodies": [entry.body for entry in entries],
            "owners": [secret.event_id for secret in secrets],
            "fields": [secret.field for secret in secrets],
            "salts": [secret.salt for secret in secrets],
            "values": [secret.value for secret in secrets],
        },
    )


def commit(salt: bytes, value: str) -> str:
    """The digest that the hashed body holds in place of private text."""
    return f"sha256:{hashlib.sha256(salt + value.encode()).hexdigest()}"


def timestamp(at: datetime) -> str:
    """RFC 3339 in UTC with six digits of microseconds, so that one instant has one spelling."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _entry(event: Event, tenant: str, actor: str, at: datetime, secrets: list[_Secret]) -> _Entry:
    event_id = str(uuid_utils.uuid7())
    subjects = event.subjects()
    own = [_Secret(event_id, field, os.urandom(SALT_BYTES), value) for field, value in event.private().items()]
    secrets.extend(own)
    try:
        body = _canonical(
            {
                "v": BODY_VERSION,
                "event_id": event_id,
                "at": timestamp(at),
                "tenant": tenant,
                "actor": actor,
                "kind": event.kind,
                "subjects": list(subjects),
                "event": event.payload() | {secret.field: secret.commitment() for secret in own},
            }
        )
    except ValueError as error:  # rfc8785's errors and the encoder's are ValueErrors
        raise LedgerError(f"event {event.kind} has no canonical form: {error}") from error
    if any("\n" in subject for subject in subjects) or any("\0" in secret.value for secret in own):
        raise LedgerError(f"event {event.kind} holds a newline in a subject or a NUL in private text")
    return _Entry(event_id, event.kind, subjects, body)


def _canonical(body: dict[str, Any]) -> bytes:
    """RFC 8785: one spelling for one meaning. Integers beyond 2^53 and NaN are refused."""
    return bytes(rfc8785.dumps(body))
