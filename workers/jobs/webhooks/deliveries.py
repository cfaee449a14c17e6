"""Messages to webhooks: written with the change they tell of, sent later, at least once, each under one id.

    notify    the change and its messages commit together; one message for each address and subject    caller: any verb
    take      addresses with something due are leased, each with its next message                      caller: clerk
    record    how an attempt went: delivered, again later, or given up; the address may be disabled     caller: clerk
    sweep     what can no longer be sent is given up; what was settled long ago is forgotten            caller: clerk

The id is a function of event and subject, and unique for an address, so a repeated change writes no second one.
Killed between sending and `record`, the lease runs out and the message is sent again under the same id: receivers
drop what they have seen.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, any_, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from policy import events
from policy.events import Private
from policy.ledger.append import append, timestamp
from workers.jobs.webhooks.tables import webhook_attempts, webhook_deliveries, webhook_secrets, webhooks
from workers.states import MESSAGE_CHANNEL

LEASE = timedelta(seconds=60)  # of an address: longer than an attempt may take
FIRST_WAIT_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 6 * 3600.0
KEPT = timedelta(days=30)  # settled messages and their attempts
_PRUNED = 1_000  # messages of one sweep
_TELL = text(
    """
    INSERT INTO webhook_deliveries (webhook_id, tenant, message_id, event, body, state)
    SELECT w.id, w.tenant, message.id, :event, message.body, 'pending'
    FROM webhooks w CROSS JOIN unnest(CAST(:ids AS text[]), CAST(:bodies AS text[])) AS message (id, body)
    WHERE w.tenant = :tenant AND :event = ANY (w.events) AND w.deleted_at IS NULL AND w.disabled_at IS NULL
    ON CONFLICT DO NOTHING
    """
)
GONE = 410  # the receiver says: never again


@dataclass(frozen=True, slots=True)
class Notification:
    """What happened to one thing. `content` is what receivers read; no prompts, no links."""

    subject_id: str
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A leased message: what to send where, signed with each of the secrets."""

    id: int
    webhook_id: str
    tenant: str
    url: str
    message_id: str
    body: str
    attempt: int  # 1-based
    tries: int  # attempts since sending was asked for, this one included
    at: datetime  # database clock: the timestamp that is signed
    secrets: tuple[str, ...]  # newest first


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """How sending went. `error` is a stable code, None for a 2xx."""

    status: int | None
    error: str | None
    milliseconds: int
    retry_after_seconds: float | None = None  # what the receiver asked for


def notify(conn: Connection, tenant: str, event: str, notifications: Iterable[Notification]) -> int:
    """Messages for every address of the tenant that wants this event; how many. Three statements at most."""
    happened = list(notifications)
    live = select(func.clock_timestamp().label("at"), func.count(webhooks.c.id).label("addresses")).where(
        webhooks.c.tenant == tenant, any_(webhooks.c.events) == event, *_LIVE
    )
    row = conn.execute(live).one()
    if not row.addresses or not happened:
        return 0
    messages = {
        "tenant": tenant,
        "event": event,
        "ids": [f"msg_{event.replace('.', '_')}_{one.subject_id}" for one in happened],
        "bodies": [message_body(event, row.at, one.content) for one in happened],
    }
    told = conn.execute(_TELL, messages).rowcount
    announce(conn)
    return told


def announce(conn: Connection) -> None:
    """Tell the clerk, when this transaction commits, that a message waits."""
    conn.execute(select(func.pg_notify(MESSAGE_CHANNEL, "")))


def any_pending(conn: Connection) -> bool:
    """Whether a message waits to be sent, now or later."""
    waiting = select(webhook_deliveries.c.id).where(webhook_deliveries.c.state == "pending")
    return bool(conn.scalar(select(waiting.exists())))


def take(conn: Connection, limit: int) -> list[Delivery]:
    """Lease up to `limit` addresses with something due, and the next message of each."""
    due = select(webhook_deliveries.c.id).where(webhook_deliveries.c.webhook_id == webhooks.c.id, *_DUE)
    ready = conn.scalars(
        select(webhooks.c.id)
        .where(*_LIVE, webhooks.c.retry_at <= func.clock_timestamp(), due.exists())
        .order_by(webhooks.c.retry_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    return [delivery for webhook_id in ready if (delivery := take_next(conn, webhook_id))]


def take_next(conn: Connection, webhook_id: str) -> Delivery | None:
    """The next message that is due at this address, and the lease of both; None where none is due."""
    now, until = func.clock_timestamp(), func.clock_timestamp() + LEASE
    leased = update(webhooks).where(webhooks.c.id == webhook_id, *_LIVE).values(retry_at=until)
    address = conn.execute(leased.returning(webhooks.c.url, now.label("at"))).one_or_none()
    if address is None:
        return None
    next_due = (
        select(webhook_deliveries.c.id)
        .where(webhook_deliveries.c.webhook_id == webhook_id, *_DUE)
        .order_by(webhook_deliveries.c.next_at, webhook_deliveries.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    row = conn.execute(
        update(webhook_deliveries)
        .where(webhook_deliveries.c.id == next_due)
        .values(next_at=until, attempts=webhook_deliveries.c.attempts + 1)
        .returning(webhook_deliveries)
    ).one_or_none()
    if row is None:
        release(conn, webhook_id)
        return None
    keys = conn.scalars(
        select(webhook_secrets.c.secret)
        .where(webhook_secrets.c.webhook_id == webhook_id)
        .where(webhook_secrets.c.ends_at.is_(None) | (webhook_secrets.c.ends_at > now))
        .order_by(webhook_secrets.c.id.desc())
    ).all()
    return Delivery(
        row.id,
        webhook_id,
        row.tenant,
        address.url,
        row.message_id,
        row.body,
        row.attempts,
        row.attempts - row.earlier_attempts,
        address.at,
        tuple(keys),
    )


def record(conn: Connection, sent: Delivery, attempt: DeliveryAttempt, *, give_up: timedelta) -> str:
    """What became of the message: delivered, pending or given_up. A long failing or gone address is disabled."""
    conn.execute(
        insert(webhook_attempts)
        .values(
            delivery_id=sent.id,
            number=sent.attempt,
            tenant=sent.tenant,
            status=attempt.status,
            error=attempt.error,
            milliseconds=attempt.milliseconds,
        )
        .on_conflict_do_nothing()
    )
    this = (webhook_deliveries.c.id == sent.id, webhook_deliveries.c.state == "pending")
    if attempt.error is None:
        _settle(conn, this, "delivered")
        healthy = {"failures": 0, "failing_since": None}
        conn.execute(update(webhooks).where(webhooks.c.id == sent.webhook_id).values(**healthy))
        return "delivered"
    _failed(conn, sent, attempt, give_up)
    if _settle(conn, (*this, webhook_deliveries.c.asked_at < func.clock_timestamp() - give_up), "given_up"):
        return "given_up"
    wait = _wait(sent.tries, attempt)
    conn.execute(update(webhook_deliveries).where(*this).values(next_at=func.clock_timestamp() + wait))
    return "pending"


def release(conn: Connection, webhook_id: str) -> None:
    """End the lease of an address that did not fail."""
    healthy = (webhooks.c.id == webhook_id, webhooks.c.failures == 0)
    conn.execute(update(webhooks).where(*healthy).values(retry_at=func.clock_timestamp()))


def sweep(conn: Connection, *, give_up: timedelta) -> int:
    """Messages that are too old, or whose address was deleted, are given up; how many. Old ones are forgotten."""
    deleted = select(webhooks.c.id).where(webhooks.c.deleted_at.is_not(None))
    late = webhook_deliveries.c.asked_at < func.clock_timestamp() - give_up
    untaken = webhook_deliveries.c.next_at <= func.clock_timestamp()
    pending = (webhook_deliveries.c.state == "pending", untaken)
    given_up = _settle(conn, (*pending, late | webhook_deliveries.c.webhook_id.in_(deleted)), "given_up")
    old = (
        select(webhook_deliveries.c.id)
        .where(webhook_deliveries.c.settled_at < func.clock_timestamp() - KEPT)
        .limit(_PRUNED)
    )
    conn.execute(delete(webhook_deliveries).where(webhook_deliveries.c.id.in_(old)))
    return given_up


def wait_seconds(attempt: int, spread: float) -> float:
    """Before the attempt after this one: doubling from five seconds to six hours, spread over the last fifth."""
    doubled = FIRST_WAIT_SECONDS * 2.0 ** min(attempt - 1, 30)
    return min(doubled, LONGEST_WAIT_SECONDS) * (0.8 + 0.2 * spread)


_LIVE = (webhooks.c.deleted_at.is_(None), webhooks.c.disabled_at.is_(None))
_DUE = (webhook_deliveries.c.state == "pending", webhook_deliveries.c.next_at <= func.clock_timestamp())


def _wait(attempts: int, attempt: DeliveryAttempt) -> timedelta:
    """Our own wait, or what the receiver asks for where that is longer; six hours at most."""
    wanted = min(attempt.retry_after_seconds or 0.0, LONGEST_WAIT_SECONDS)
    own = wait_seconds(attempts, random.random())  # noqa: S311 - spreads, guards nothing
    return timedelta(seconds=max(own, wanted))


def message_body(event: str, at: datetime, data: Mapping[str, Any]) -> str:
    """Standard Webhooks' envelope; written down once, so that every attempt sends the same bytes."""
    return json.dumps({"type": event, "timestamp": timestamp(at), "data": dict(data)}, separators=(",", ":"))


def _settle(conn: Connection, which: tuple[Any, ...], state: str) -> int:
    settled = {"state": state, "settled_at": func.clock_timestamp()}
    return conn.execute(update(webhook_deliveries).where(*which).values(**settled)).rowcount


def _failed(conn: Connection, sent: Delivery, attempt: DeliveryAttempt, give_up: timedelta) -> None:
    now = func.clock_timestamp()
    row = conn.execute(
        update(webhooks)
        .where(webhooks.c.id == sent.webhook_id)
        .values(
            failures=webhooks.c.failures + 1,
            failing_since=func.coalesce(webhooks.c.failing_since, now),
        )
        .returning(webhooks, (webhooks.c.failing_since < now - give_up).label("too_long"))
    ).one()
    wait = _wait(row.failures, attempt)
    conn.execute(update(webhooks).where(webhooks.c.id == sent.webhook_id).values(retry_at=now + wait))
    why = "gone" if attempt.status == GONE else "failing" if row.too_long else None
    if why is None or row.disabled_at is not None:
        return
    conn.execute(update(webhooks).where(webhooks.c.id == sent.webhook_id).values(disabled_at=now, disabled_for=why))
    changed = events.WebhookChanged(row.id, "disabled", tuple(row.events), Private(row.url))
    append(conn, tenant=sent.tenant, actor="clerk", events=[changed])
