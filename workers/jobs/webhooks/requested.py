"""Messages that a tenant asks for: a test message, and a delivery again.

Both are pending rows that the clerk sends like any other. Killed before the commit, nothing was asked; killed after
it, the clerk sends. A message that is being sent at this moment is left to its courier: asking again changes nothing.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, exists, func, or_, select

from workers.errors import Conflict, NotFound
from workers.jobs.types import new_id
from workers.jobs.webhooks.deliveries import announce, message_body
from workers.jobs.webhooks.endpoints import locked, record_change
from workers.jobs.webhooks.tables import webhook_attempts, webhook_deliveries, webhooks
from workers.jobs.webhooks.views import MESSAGE_ID, DeliveryView, get_delivery

TEST = "webhook.test"


def send_test(conn: Connection, tenant: str, webhook_id: str, *, actor: str) -> DeliveryView:
    """A test message to this address, whatever events it wants. Raises NotFound, and Conflict where it is disabled.

    One that still waits is sent at once instead of a second one, so that an address never has two.
    """
    address = _enabled(conn, tenant, webhook_id)
    waiting = conn.execute(
        select(webhook_deliveries)
        .where(webhook_deliveries.c.webhook_id == webhook_id, webhook_deliveries.c.event == TEST)
        .where(webhook_deliveries.c.state == "pending")
        .with_for_update()
    ).first()
    if waiting is not None:
        _send_now(conn, address, waiting)
        return get_delivery(conn, tenant, webhook_id, waiting.message_id)
    message_id = f"msg_webhook_test_{new_id()}"
    at = conn.execute(select(func.clock_timestamp())).scalar_one()
    body = message_body(TEST, at, {"webhook_id": webhook_id})
    values = {"webhook_id": webhook_id, "tenant": tenant, "message_id": message_id, "event": TEST, "body": body}
    conn.execute(webhook_deliveries.insert().values(**values, state="pending"))
    _open_address(conn, webhook_id)
    record_change(conn, tenant, address, "tested", actor)
    return get_delivery(conn, tenant, webhook_id, message_id)


def resend(conn: Connection, tenant: str, webhook_id: str, message_id: str, *, actor: str) -> DeliveryView:
    """The same message under the same id, sent again from now on. Raises NotFound, and Conflict where it is disabled.

    A settled one becomes pending; of one that waits for its next attempt, the wait ends.
    """
    address = _enabled(conn, tenant, webhook_id)
    delivery = _locked_delivery(conn, webhook_id, message_id)
    if _send_now(conn, address, delivery):
        record_change(conn, tenant, address, "resent", actor)
    return get_delivery(conn, tenant, webhook_id, message_id)


def _enabled(conn: Connection, tenant: str, webhook_id: str) -> Row[Any]:
    address = locked(conn, tenant, webhook_id)
    if address.disabled_at is not None:
        raise Conflict("the webhook is disabled; enable it first")
    return address


def _locked_delivery(conn: Connection, webhook_id: str, message_id: str) -> Row[Any]:
    row = None
    if MESSAGE_ID.fullmatch(message_id):
        this = (webhook_deliveries.c.webhook_id == webhook_id, webhook_deliveries.c.message_id == message_id)
        row = conn.execute(select(webhook_deliveries).where(*this).with_for_update()).one_or_none()
    if row is None:
        raise NotFound(f"no message {message_id[:120]!r}")
    return row


def _send_now(conn: Connection, address: Row[Any], delivery: Row[Any]) -> bool:
    """Whether anything had to change. A courier under way has taken an attempt that is not written down yet."""
    deliveries, attempts = webhook_deliveries, webhook_attempts
    written = exists().where(attempts.c.delivery_id == deliveries.c.id, attempts.c.number == deliveries.c.attempts)
    waits = (deliveries.c.next_at > func.now()) & (written | (deliveries.c.attempts == 0))
    changed = conn.execute(
        deliveries.update()
        .where(deliveries.c.id == delivery.id, or_(deliveries.c.state != "pending", waits))
        .values(
            state="pending",
            settled_at=None,
            next_at=func.now(),
            asked_at=func.now(),
            earlier_attempts=deliveries.c.attempts,
        )
    )
    _open_address(conn, address.id)
    return changed.rowcount == 1


def _open_address(conn: Connection, webhook_id: str) -> None:
    """An address that failed is left alone for a while; a person asks for it now."""
    announce(conn)
    conn.execute(webhooks.update().where(webhooks.c.id == webhook_id).values(retry_at=func.now()))
