"""Send what webhooks wait for: Standard Webhooks, several addresses at once, one failure costs an address its round.

Runs in a thread of its own beside the other duties, so that no receiver, however slow, holds up a recall: an attempt
ends after `webhook_seconds`, a round asks at most a few addresses at a time, and an address that failed is left alone,
longer each time. What receivers answer is never read beyond its status.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import structlog

from workers import metrics
from workers.clerk.context import ClerkContext
from workers.jobs.webhooks.deliveries import (
    Delivery,
    DeliveryAttempt,
    any_pending,
    record,
    release,
    sweep,
    take,
    take_next,
)
from workers.jobs.webhooks.endpoints import SECRET_PREFIX
from workers.outbound.post import post
from workers.tracing.spans import traced, traceparent
from workers.version import VERSION

log = structlog.get_logger()
_ADDRESSES = 8  # asked side by side in one round
_MESSAGES = 50  # to one address in one round: the others wait no longer than for these


def run_once(context: ClerkContext) -> int:
    """Everything that is due now, up to a round's bounds; how many messages were delivered."""
    give_up = timedelta(hours=context.settings.webhook_give_up_hours)
    with context.engine.begin() as conn:
        for _ in range(sweep(conn, give_up=give_up)):
            metrics.WEBHOOK_ATTEMPTS.labels("given_up").inc()
        first = take(conn, _ADDRESSES)
    if not first:
        return 0
    with ThreadPoolExecutor(_ADDRESSES, thread_name_prefix="webhook") as couriers:
        return sum(couriers.map(lambda delivery: _serve(context, delivery, give_up), first))


def any_waits(context: ClerkContext) -> bool:
    """Whether a message waits for its time, which makes no noise."""
    with context.engine.connect() as conn:
        return any_pending(conn)


def headers(delivery: Delivery) -> dict[str, str]:
    """Standard Webhooks: id, timestamp and one signature for each secret that is good now."""
    at = str(int(delivery.at.timestamp()))
    return {
        "Content-Type": "application/json",
        "User-Agent": f"Presswork/{VERSION}",
        "webhook-id": delivery.message_id,
        "webhook-timestamp": at,
        "webhook-signature": " ".join(signatures(delivery.secrets, delivery.message_id, at, delivery.body)),
    }


def signatures(secrets: Sequence[str], message_id: str, timestamp: str, body: str) -> list[str]:
    """ "v1,<base64>" under each secret: HMAC-SHA256 of "<id>.<timestamp>.<body>"."""
    signed = f"{message_id}.{timestamp}.{body}".encode()
    made = [hmac.digest(_key(secret), signed, hashlib.sha256) for secret in secrets]
    return [f"v1,{base64.b64encode(mac).decode()}" for mac in made]


def _serve(context: ClerkContext, delivery: Delivery | None, give_up: timedelta) -> int:
    """One address after its lease was taken: message after message, until none is due or one fails."""
    delivered = 0
    while delivery is not None:
        attempt = _send(context, delivery)
        with context.engine.begin() as conn:
            became = record(conn, delivery, attempt, give_up=give_up)
            metrics.WEBHOOK_ATTEMPTS.labels(attempt.error or "delivered").inc()
            if became != "delivered":
                log.warning(
                    "webhook_failed",
                    webhook_id=delivery.webhook_id,
                    message_id=delivery.message_id,
                    attempt=delivery.attempt,
                    status=attempt.status,
                    error=attempt.error,
                    state=became,
                )
                return delivered
            delivered += 1
            if delivered >= _MESSAGES:
                release(conn, delivery.webhook_id)
                return delivered
            delivery = take_next(conn, delivery.webhook_id)
    return delivered


def _send(context: ClerkContext, delivery: Delivery) -> DeliveryAttempt:
    settings, about = context.settings, _request_of(delivery)
    with traced("webhook", [about] if about else [], message_id=delivery.message_id, attempt=delivery.attempt):
        answer = post(
            delivery.url,
            delivery.body.encode(),
            headers(delivery) | ({"traceparent": parent} if (parent := traceparent(about)) else {}),
            seconds=settings.webhook_seconds,
            loopback=settings.webhook_loopback,
        )
    return DeliveryAttempt(answer.status, answer.error, answer.milliseconds, answer.retry_after_seconds)


def _request_of(delivery: Delivery) -> str:
    """The request that a message is about; "" where it is about none."""
    return str(json.loads(delivery.body)["data"].get("request_id") or "")


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("a stored secret is not base64") from error
