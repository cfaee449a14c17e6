"""Webhook endpoints: a tenant's addresses that receive messages, and the secrets that sign them.

A secret is shown once. Rotating adds a new one beside those that are still good: each signs on for a day after it was
replaced, so that a receiver can change over without losing a message, however often secrets are rotated meanwhile.
The API's role writes secrets and cannot read them.
"""

from __future__ import annotations

import base64
import math
import secrets
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select

from policy import events
from policy.events import Private
from policy.ledger.append import append
from workers.errors import LimitExceeded, NotFound, TooManySecrets
from workers.jobs.types import new_id
from workers.jobs.webhooks.tables import webhook_deliveries, webhook_secrets, webhooks
from workers.jobs.webhooks.views import COLUMNS, Webhook, live, webhook_of

EVENTS = (
    "asset.released",
    "asset.recalled",
    "campaign.pilot_ready",
    "request.paused",
    "request.finished",
    "review.waiting",
    "budget.low",
    "delivery.paused",
    "catalogue.paused",
    "catalogue.run_finished",
    "catalogue.tick_stopped",
)
MAX_WEBHOOKS = 10  # of a tenant: every event is written once for each
MAX_SECRETS = 5  # of a webhook that sign at the same time: each is a signature in every message
SECRET_PREFIX = "whsec_"  # noqa: S105 - what Standard Webhooks prescribes, not a secret
OLD_SECRET = timedelta(days=1)  # signs on beside the new one
MANUAL = "manual"  # disabled_for: by the tenant itself
_SECRET_BYTES = 32  # the specification asks for 24 to 64
_HEALTHY = {"failures": 0, "failing_since": None, "retry_at": func.now()}


def create_webhook(
    conn: Connection, tenant: str, url: str, wanted: Iterable[str], *, actor: str
) -> tuple[Webhook, str]:
    """The stored address and its secret, which nobody can show again. Raises LimitExceeded."""
    demand_room(conn, tenant)
    values = {"id": new_id(), "tenant": tenant, "url": url, "events": _in_order(wanted)}
    row = conn.execute(webhooks.insert().values(**values).returning(*COLUMNS)).one()
    secret = _add_secret(conn, tenant, row.id)
    record_change(conn, tenant, row, "created", actor)
    return webhook_of(row), secret


def demand_room(conn: Connection, tenant: str) -> None:
    """Raises LimitExceeded where the tenant has all the webhooks it may have."""
    standing = select(func.count()).where(webhooks.c.tenant == tenant, webhooks.c.deleted_at.is_(None))
    if conn.execute(standing).scalar_one() >= MAX_WEBHOOKS:
        raise LimitExceeded(f"a tenant has at most {MAX_WEBHOOKS} webhooks; delete one first")


def update_webhook(
    conn: Connection,
    tenant: str,
    webhook_id: str,
    *,
    actor: str,
    url: str | None = None,
    wanted: Iterable[str] | None = None,
    enabled: bool | None = None,
) -> Webhook:
    """The address with these changes; each that changes something is an event. Raises NotFound.

    A new URL and an enabled address start without failures, and what waits for them is sent at once. What was written
    for an event that is no longer wanted is still sent.
    """
    row = locked(conn, tenant, webhook_id)
    if url not in (None, row.url) or (wanted is not None and _in_order(wanted) != list(row.events)):
        values = {"url": url or row.url, "events": row.events if wanted is None else _in_order(wanted)}
        row = _write(conn, webhook_id, **values, **({} if values["url"] == row.url else _HEALTHY))
        record_change(conn, tenant, row, "updated", actor)
        _send_what_waits(conn, webhook_id)
    if enabled and row.disabled_at is not None:
        row = _write(conn, webhook_id, disabled_at=None, disabled_for=None, **_HEALTHY)
        record_change(conn, tenant, row, "enabled", actor)
        _send_what_waits(conn, webhook_id)
    elif enabled is False and row.disabled_at is None:
        row = _write(conn, webhook_id, disabled_at=func.now(), disabled_for=MANUAL)
        record_change(conn, tenant, row, "disabled", actor)
    return webhook_of(row)


def rotate_secret(conn: Connection, tenant: str, webhook_id: str, *, actor: str) -> str:
    """A new secret; the one before signs on for a day, and so do those before it until their own day is over.

    Raises NotFound, and TooManySecrets while too many sign.
    """
    row = locked(conn, tenant, webhook_id)
    mine = webhook_secrets.c.webhook_id == webhook_id
    left = func.extract("epoch", func.min(webhook_secrets.c.ends_at) - func.now())
    signing = select(func.count(), left).where(
        mine, webhook_secrets.c.ends_at.is_(None) | (webhook_secrets.c.ends_at > func.now())
    )
    number, seconds = conn.execute(signing).one()
    if number >= MAX_SECRETS:
        raise TooManySecrets(
            f"{MAX_SECRETS} secrets of this webhook are valid already; each ends a day after its rotation",
            retry_after_seconds=math.ceil(seconds),
        )
    conn.execute(
        webhook_secrets.update()
        .where(mine, webhook_secrets.c.ends_at.is_(None))
        .values(ends_at=func.now() + OLD_SECRET)
    )
    secret = _add_secret(conn, tenant, webhook_id)
    record_change(conn, tenant, row, "rotated", actor)
    return secret


def delete_webhook(conn: Connection, tenant: str, webhook_id: str, *, actor: str) -> None:
    """Told nothing any more, not even what waits. Repeating it is NotFound."""
    row = locked(conn, tenant, webhook_id)
    conn.execute(webhooks.update().where(webhooks.c.id == webhook_id).values(deleted_at=func.now()))
    record_change(conn, tenant, row, "deleted", actor)


def locked(conn: Connection, tenant: str, webhook_id: str) -> Row[Any]:
    """The address' row, locked. Raises NotFound."""
    row: Row[Any] | None = conn.execute(live(tenant).where(webhooks.c.id == webhook_id).with_for_update()).one_or_none()
    if row is None:
        raise NotFound(f"no webhook {webhook_id}")
    return row


def record_change(conn: Connection, tenant: str, row: Row[Any], change: str, actor: str) -> None:
    """The event of a change, in the transaction of the change."""
    changed = events.WebhookChanged(row.id, change, tuple(row.events), Private(row.url))
    append(conn, tenant=tenant, actor=actor, events=[changed])


def _write(conn: Connection, webhook_id: str, **values: Any) -> Row[Any]:
    return conn.execute(webhooks.update().where(webhooks.c.id == webhook_id).values(**values).returning(*COLUMNS)).one()


def _send_what_waits(conn: Connection, webhook_id: str) -> None:
    """Waits between attempts end. A message that a courier sends at this moment may arrive twice, under its one id."""
    waiting = (webhook_deliveries.c.webhook_id == webhook_id, webhook_deliveries.c.state == "pending")
    conn.execute(webhook_deliveries.update().where(*waiting).values(next_at=func.now()))


def _in_order(wanted: Iterable[str]) -> list[str]:
    chosen = set(wanted)
    return [event for event in EVENTS if event in chosen]


def _add_secret(conn: Connection, tenant: str, webhook_id: str) -> str:
    secret = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
    values = {"id": new_id(), "webhook_id": webhook_id, "tenant": tenant, "secret": secret}
    conn.execute(webhook_secrets.insert().values(**values))
    return secret
