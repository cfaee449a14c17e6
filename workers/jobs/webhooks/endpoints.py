"""Who is told what happens: a tenant's addresses, and the secrets their messages are signed with.

A secret is shown once. Rotating adds a new one beside the old, which signs on for a day, so that a receiver can
change over without losing a message. The API's role writes secrets and cannot read them.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select

from policy import events
from policy.events import Private
from policy.ledger.append import append
from workers.errors import LimitExceeded, NotFound
from workers.jobs.types import new_id
from workers.jobs.webhooks.tables import webhook_attempts, webhook_deliveries, webhook_secrets, webhooks

EVENTS = ("asset.released", "asset.recalled")
MAX_WEBHOOKS = 10  # of a tenant: every event is written once for each
SECRET_PREFIX = "whsec_"  # noqa: S105 - what Standard Webhooks prescribes, not a secret
OLD_SECRET = timedelta(days=1)  # signs on beside the new one
_SECRET_BYTES = 32  # the specification asks for 24 to 64


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address that is told, without its secrets."""

    id: str
    url: str
    events: tuple[str, ...]
    created_at: datetime
    failures: int  # in a row
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_for: str | None


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """A message to one address and how its last attempt went."""

    id: int
    message_id: str
    event: str
    state: str
    attempts: int
    created_at: datetime
    next_at: datetime
    settled_at: datetime | None
    status: int | None
    error: str | None


def create_webhook(
    conn: Connection, tenant: str, url: str, wanted: Iterable[str], *, actor: str
) -> tuple[Webhook, str]:
    """The stored address and its secret, which nobody can show again. Raises LimitExceeded."""
    live = select(func.count()).where(webhooks.c.tenant == tenant, webhooks.c.deleted_at.is_(None))
    if conn.execute(live).scalar_one() >= MAX_WEBHOOKS:
        raise LimitExceeded(f"a tenant has at most {MAX_WEBHOOKS} webhooks; delete one first")
    chosen = [event for event in EVENTS if event in set(wanted)]
    values = {"id": new_id(), "tenant": tenant, "url": url, "events": chosen}
    row = conn.execute(webhooks.insert().values(**values).returning(*_COLUMNS)).one()
    secret = _add_secret(conn, tenant, row.id)
    _record(conn, tenant, row, "created", actor)
    return _webhook(row), secret


def rotate_secret(conn: Connection, tenant: str, webhook_id: str, *, actor: str) -> str:
    """A new secret; the one before signs on for a day, older ones no more. Raises NotFound."""
    row = _locked(conn, tenant, webhook_id)
    mine = webhook_secrets.c.webhook_id == webhook_id
    conn.execute(
        webhook_secrets.update().where(mine, webhook_secrets.c.ends_at.is_not(None)).values(ends_at=func.now())
    )
    conn.execute(
        webhook_secrets.update()
        .where(mine, webhook_secrets.c.ends_at.is_(None))
        .values(ends_at=func.now() + OLD_SECRET)
    )
    secret = _add_secret(conn, tenant, webhook_id)
    _record(conn, tenant, row, "rotated", actor)
    return secret


def enable_webhook(conn: Connection, tenant: str, webhook_id: str, *, actor: str) -> Webhook:
    """Told again from now on; what waits is sent at once. Raises NotFound."""
    row = _locked(conn, tenant, webhook_id)
    fresh = {"disabled_at": None, "disabled_for": None, "failures": 0, "failing_since": None, "retry_at": func.now()}
    changed = webhooks.update().where(webhooks.c.id == webhook_id, webhooks.c.deleted_at.is_(None)).values(**fresh)
    now = conn.execute(changed.returning(*_COLUMNS)).one()
    if row.disabled_at is not None:
        _record(conn, tenant, row, "enabled", actor)
    return _webhook(now)


def delete_webhook(conn: Connection, tenant: str, webhook_id: str, *, actor: str) -> None:
    """Told nothing any more, not even what waits. Repeating it is NotFound."""
    row = _locked(conn, tenant, webhook_id)
    conn.execute(webhooks.update().where(webhooks.c.id == webhook_id).values(deleted_at=func.now()))
    _record(conn, tenant, row, "deleted", actor)


def list_webhooks(conn: Connection, tenant: str) -> list[Webhook]:
    """Oldest first, disabled ones too, deleted ones not."""
    return [_webhook(row) for row in conn.execute(_live(tenant).order_by(webhooks.c.id))]


def list_deliveries(conn: Connection, tenant: str, webhook_id: str, *, limit: int) -> list[DeliveryView]:
    """The newest messages to an address. Raises NotFound."""
    if conn.execute(_live(tenant).where(webhooks.c.id == webhook_id)).first() is None:
        raise NotFound(f"no webhook {webhook_id}")
    deliveries, attempts = webhook_deliveries, webhook_attempts
    last = (attempts.c.delivery_id == deliveries.c.id) & (attempts.c.number == deliveries.c.attempts)
    rows = conn.execute(
        select(*(deliveries.c[name] for name in _SHOWN), attempts.c.status, attempts.c.error)
        .outerjoin(attempts, last)
        .where(deliveries.c.webhook_id == webhook_id, deliveries.c.tenant == tenant)
        .order_by(deliveries.c.id.desc())
        .limit(limit)
    )
    return [DeliveryView(**row._mapping) for row in rows]


_SHOWN = ("id", "message_id", "event", "state", "attempts", "created_at", "next_at", "settled_at")
_COLUMNS: tuple[Any, ...] = tuple(
    webhooks.c[name]
    for name in ("id", "url", "events", "created_at", "failures", "failing_since", "disabled_at", "disabled_for")
)


def _live(tenant: str) -> Any:
    return select(*_COLUMNS).where(webhooks.c.tenant == tenant, webhooks.c.deleted_at.is_(None))


def _locked(conn: Connection, tenant: str, webhook_id: str) -> Row[Any]:
    row: Row[Any] | None = conn.execute(
        _live(tenant).where(webhooks.c.id == webhook_id).with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFound(f"no webhook {webhook_id}")
    return row


def _add_secret(conn: Connection, tenant: str, webhook_id: str) -> str:
    secret = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
    values = {"id": new_id(), "webhook_id": webhook_id, "tenant": tenant, "secret": secret}
    conn.execute(webhook_secrets.insert().values(**values))
    return secret


def _record(conn: Connection, tenant: str, row: Row[Any], change: str, actor: str) -> None:
    changed = events.WebhookChanged(row.id, change, tuple(row.events), Private(row.url))
    append(conn, tenant=tenant, actor=actor, events=[changed])


def _webhook(row: Row[Any]) -> Webhook:
    return Webhook(
        row.id,
        row.url,
        tuple(row.events),
        row.created_at,
        row.failures,
        row.failing_since,
        row.disabled_at,
        row.disabled_for,
    )
