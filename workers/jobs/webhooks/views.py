"""Read views of webhooks: a tenant's addresses, and the messages to one of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from workers.errors import NotFound
from workers.jobs.webhooks.tables import webhook_attempts, webhook_deliveries, webhooks

MESSAGE_ID = re.compile(r"msg_[A-Za-z0-9_-]{1,100}")


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook, without its secrets."""

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


def list_webhooks(
    conn: Connection, tenant: str, *, after: str | None = None, limit: int | None = None
) -> list[Webhook]:
    """Oldest first, disabled ones too, deleted ones not; from behind the one of this id on."""
    newer = () if after is None else (webhooks.c.id > after,)
    return [webhook_of(row) for row in conn.execute(live(tenant).where(*newer).order_by(webhooks.c.id).limit(limit))]


def get_webhook(conn: Connection, tenant: str, webhook_id: str) -> Webhook:
    """Raises NotFound."""
    row = conn.execute(live(tenant).where(webhooks.c.id == webhook_id)).one_or_none()
    if row is None:
        raise NotFound(f"no webhook {webhook_id}")
    return webhook_of(row)


def list_deliveries(
    conn: Connection, tenant: str, webhook_id: str, *, before: int = 0, limit: int
) -> list[DeliveryView]:
    """Messages to an address, the newest first, from before the one of this number on. Raises NotFound."""
    get_webhook(conn, tenant, webhook_id)
    older = () if not before else (webhook_deliveries.c.id < before,)
    page = _messages(tenant, webhook_id).where(*older).order_by(webhook_deliveries.c.id.desc()).limit(limit)
    return [DeliveryView(**row._mapping) for row in conn.execute(page)]


def get_delivery(conn: Connection, tenant: str, webhook_id: str, message_id: str) -> DeliveryView:
    """Raises NotFound."""
    row = None
    if MESSAGE_ID.fullmatch(message_id):  # anything else is unknown, and NUL is no text for the database
        this = _messages(tenant, webhook_id).where(webhook_deliveries.c.message_id == message_id)
        row = conn.execute(this).one_or_none()
    if row is None:
        raise NotFound(f"no message {message_id[:120]!r}")
    return DeliveryView(**row._mapping)


def live(tenant: str) -> Select[Any]:
    """The columns of a tenant's webhooks that are not deleted."""
    return select(*COLUMNS).where(webhooks.c.tenant == tenant, webhooks.c.deleted_at.is_(None))


def webhook_of(row: Row[Any]) -> Webhook:
    return Webhook(**{**row._mapping, "events": tuple(row.events)})


COLUMNS: tuple[Any, ...] = tuple(
    webhooks.c[name]
    for name in ("id", "url", "events", "created_at", "failures", "failing_since", "disabled_at", "disabled_for")
)
_SHOWN = ("id", "message_id", "event", "state", "attempts", "created_at", "next_at", "settled_at")


def _messages(tenant: str, webhook_id: str) -> Select[Any]:
    deliveries, attempts = webhook_deliveries, webhook_attempts
    last = (attempts.c.delivery_id == deliveries.c.id) & (attempts.c.number == deliveries.c.attempts)
    return (
        select(*(deliveries.c[name] for name in _SHOWN), attempts.c.status, attempts.c.error)
        .outerjoin(attempts, last)
        .where(deliveries.c.webhook_id == webhook_id, deliveries.c.tenant == tenant)
    )
