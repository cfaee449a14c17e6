"""/v1/webhooks: who is told when an asset is released or recalled."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from api.edge.auth import Admin
from api.edge.bodies import json_body
from api.edge.dependencies import PartsOf
from api.edge.paging import uuid_or_not_found
from api.edge.problems import Complaint, Problem
from api.schemas.base import NoQuery, Page
from api.schemas.fields import PathId
from api.schemas.webhooks import DeliveryReply, WebhookBody, WebhookCreatedReply, WebhookReply, WebhookSecretReply
from workers.errors import AddressRefused
from workers.jobs.webhooks import endpoints
from workers.outbound.urls import check_new_url

router = APIRouter(prefix="/v1/webhooks", tags=["Webhooks"])
_DELIVERIES = 100  # the newest, which tell how an address is doing
_LOOKUP_SECONDS = 1.0  # of a name, when its address is stored; a slow resolver costs a caller no more


@router.post("", status_code=201, summary="Add a webhook")
def create(
    caller: Admin,
    parts: PartsOf,
    query: Annotated[NoQuery, Query()],
    asked: Annotated[WebhookBody, Depends(json_body(WebhookBody))],
) -> WebhookCreatedReply:
    """Messages are those of Standard Webhooks: verify the signature with the secret in this answer.

    The address is called over TLS only and must be public; no redirect is followed.
    """
    try:
        check_new_url(asked.url, seconds=_LOOKUP_SECONDS, loopback=parts.settings.webhook_loopback)
    except AddressRefused as error:
        complaint = Complaint("invalid", str(error), "Give a public https:// address.", field="url")
        raise Problem("invalid_body", f"url: {error}.", errors=[complaint]) from error
    with parts.transaction(caller.tenant) as conn:
        stored, secret = endpoints.create_webhook(conn, caller.tenant, asked.url, asked.events, actor=caller.actor)
    return WebhookCreatedReply(**asdict(stored), secret=secret)


@router.get("", summary="List the webhooks, oldest first")
def list_all(caller: Admin, parts: PartsOf, query: Annotated[NoQuery, Query()]) -> Page[WebhookReply]:
    """Disabled ones too. All on one page."""
    with parts.transaction(caller.tenant) as conn:
        found = endpoints.list_webhooks(conn, caller.tenant)
    return Page(data=[WebhookReply(**asdict(one)) for one in found], next_cursor=None)


@router.delete("/{webhook_id}", status_code=204, summary="Delete a webhook")
def delete(webhook_id: PathId, caller: Admin, parts: PartsOf, query: Annotated[NoQuery, Query()]) -> Response:
    """What waits for it is not sent any more."""
    with parts.transaction(caller.tenant) as conn:
        endpoints.delete_webhook(conn, caller.tenant, uuid_or_not_found(webhook_id, "webhook"), actor=caller.actor)
    return Response(status_code=204)


@router.post("/{webhook_id}/secret", status_code=201, summary="Rotate the secret")
def rotate(webhook_id: PathId, caller: Admin, parts: PartsOf, query: Annotated[NoQuery, Query()]) -> WebhookSecretReply:
    """For a day, messages bear two signatures: one by the new secret, one by the old."""
    with parts.transaction(caller.tenant) as conn:
        id = uuid_or_not_found(webhook_id, "webhook")
        return WebhookSecretReply(secret=endpoints.rotate_secret(conn, caller.tenant, id, actor=caller.actor))


@router.post("/{webhook_id}/enable", summary="Enable a disabled webhook")
def enable(webhook_id: PathId, caller: Admin, parts: PartsOf, query: Annotated[NoQuery, Query()]) -> WebhookReply:
    """What happened while it was disabled is not told; what still waits is sent at once."""
    with parts.transaction(caller.tenant) as conn:
        id = uuid_or_not_found(webhook_id, "webhook")
        return WebhookReply(**asdict(endpoints.enable_webhook(conn, caller.tenant, id, actor=caller.actor)))


@router.get("/{webhook_id}/deliveries", summary="The newest messages to a webhook")
def deliveries(
    webhook_id: PathId, caller: Admin, parts: PartsOf, query: Annotated[NoQuery, Query()]
) -> Page[DeliveryReply]:
    """The newest hundred, and how the last attempt at each went. Kept for 30 days after they were settled."""
    with parts.transaction(caller.tenant) as conn:
        id = uuid_or_not_found(webhook_id, "webhook")
        found = endpoints.list_deliveries(conn, caller.tenant, id, limit=_DELIVERIES)
    shown = [{name: value for name, value in asdict(one).items() if name != "id"} for one in found]
    return Page(data=[DeliveryReply(**one) for one in shown], next_cursor=None)
