"""/v1/webhooks: addresses that receive a message when an asset is released or recalled, and those messages."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response
from sqlalchemy import Connection

from api.edge.auth import Admin
from api.edge.bodies import json_body
from api.edge.dependencies import PartsOf
from api.edge.idempotency import OnceOf, answered
from api.edge.in_turn import InTurn
from api.edge.limits.addresses import demand_public
from api.edge.paging import cursor_of_number, id_of, number_of, page, uuid_or_not_found
from api.schemas.base import NoQuery, NumberedPageQuery, Page, PageQuery
from api.schemas.fields import PathId
from api.schemas.webhooks import (
    DeliveryReply,
    WebhookBody,
    WebhookCreatedReply,
    WebhookPatchBody,
    WebhookReply,
    WebhookSecretReply,
)
from workers.jobs.idempotency import StoredReply
from workers.jobs.webhooks import endpoints, requested, views

router = APIRouter(route_class=InTurn, prefix="/v1/webhooks", tags=["Webhooks"])
# What is no such id is answered 404, as an unknown id is.
MessageId = Annotated[str, Path(json_schema_extra={"pattern": "^msg_[A-Za-z0-9_-]{1,100}$"})]


@router.post("", status_code=201, response_model=WebhookCreatedReply, summary="Add a webhook")
def create(
    caller: Admin,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    asked: Annotated[WebhookBody, Depends(json_body(WebhookBody))],
) -> Response:
    """Messages are those of Standard Webhooks: verify the signature with the secret in this answer.

    The address is called over TLS only. It must be public, and so must be every address its name resolves to; no
    redirect is followed.
    """
    fingerprint = once.fingerprint(asked)
    if replayed := once.replay(caller.tenant, fingerprint):
        return replayed
    with once.parts.transaction(caller.tenant) as conn:
        endpoints.demand_room(conn, caller.tenant)  # before the name is looked up, which may take a second
    demand_public(once.parts, caller.tenant, asked.url, field="url")

    def work(conn: Connection) -> StoredReply:
        stored, secret = endpoints.create_webhook(conn, caller.tenant, asked.url, asked.events, actor=caller.actor)
        return answered(201, WebhookCreatedReply(**asdict(stored), secret=secret))

    return once.run(caller.tenant, fingerprint, work, encrypted="secret")


@router.get("", summary="List the webhooks, oldest first")
def list_all(caller: Admin, parts: PartsOf, query: Annotated[PageQuery, Query()]) -> Page[WebhookReply]:
    """Disabled ones too."""
    with parts.transaction(caller.tenant) as conn:
        found = views.list_webhooks(conn, caller.tenant, limit=query.limit + 1, after=id_of(query.cursor))
    shown, cursor = page(found, query.limit)
    return Page(data=[WebhookReply(**asdict(one)) for one in shown], next_cursor=cursor)


@router.get("/{webhook_id}", summary="One webhook")
def read(webhook_id: PathId, caller: Admin, parts: PartsOf, query: Annotated[NoQuery, Query()]) -> WebhookReply:
    """Without its secret, which is shown once: when it is made."""
    with parts.transaction(caller.tenant) as conn:
        found = views.get_webhook(conn, caller.tenant, uuid_or_not_found(webhook_id, "webhook"))
    return WebhookReply(**asdict(found))


@router.patch("/{webhook_id}", response_model=WebhookReply, summary="Change a webhook")
def change(
    webhook_id: PathId,
    caller: Admin,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    asked: Annotated[WebhookPatchBody, Depends(json_body(WebhookPatchBody))],
) -> Response:
    """Fields that are left out stay as they are.

    A new address starts without failures, and so does one that is enabled; what waits for it is sent at once. What
    happens while it is disabled is not sent later.
    """
    id = uuid_or_not_found(webhook_id, "webhook")
    fingerprint = once.fingerprint(asked)
    if replayed := once.replay(caller.tenant, fingerprint):
        return replayed
    if asked.url is not None:
        with once.parts.transaction(caller.tenant) as conn:
            views.get_webhook(conn, caller.tenant, id)  # before the name is looked up, which may take a second
        demand_public(once.parts, caller.tenant, asked.url, field="url")

    def work(conn: Connection) -> StoredReply:
        changed = endpoints.update_webhook(
            conn,
            caller.tenant,
            id,
            actor=caller.actor,
            url=asked.url,
            wanted=asked.events,
            enabled=asked.enabled,
        )
        return answered(200, WebhookReply(**asdict(changed)))

    return once.run(caller.tenant, fingerprint, work)


@router.delete("/{webhook_id}", status_code=204, summary="Delete a webhook")
def delete(webhook_id: PathId, caller: Admin, once: OnceOf, query: Annotated[NoQuery, Query()]) -> Response:
    """What waits for it is not sent any more."""
    id = uuid_or_not_found(webhook_id, "webhook")

    def work(conn: Connection) -> StoredReply:
        endpoints.delete_webhook(conn, caller.tenant, id, actor=caller.actor)
        return answered(204)

    return once.run(caller.tenant, once.fingerprint(), work)


@router.post("/{webhook_id}/secret", status_code=201, response_model=WebhookSecretReply, summary="Rotate the secret")
def rotate(webhook_id: PathId, caller: Admin, once: OnceOf, query: Annotated[NoQuery, Query()]) -> Response:
    """For a day after its rotation a secret signs on beside the new one, however often you rotate meanwhile.

    At most five secrets sign at the same time; another rotation is 429 until one ends. To end a leaked one at once,
    delete the webhook and add it again.
    """
    id = uuid_or_not_found(webhook_id, "webhook")

    def work(conn: Connection) -> StoredReply:
        secret = endpoints.rotate_secret(conn, caller.tenant, id, actor=caller.actor)
        return answered(201, WebhookSecretReply(secret=secret))

    return once.run(caller.tenant, once.fingerprint(), work, encrypted="secret")


@router.post("/{webhook_id}/enable", response_model=WebhookReply, summary="Enable a disabled webhook")
def enable(webhook_id: PathId, caller: Admin, once: OnceOf, query: Annotated[NoQuery, Query()]) -> Response:
    """The same as a PATCH with `enabled: true`."""
    id = uuid_or_not_found(webhook_id, "webhook")

    def work(conn: Connection) -> StoredReply:
        changed = endpoints.update_webhook(conn, caller.tenant, id, actor=caller.actor, enabled=True)
        return answered(200, WebhookReply(**asdict(changed)))

    return once.run(caller.tenant, once.fingerprint(), work)


@router.post("/{webhook_id}/test", status_code=202, response_model=DeliveryReply, summary="Send a test message")
def send_test(webhook_id: PathId, caller: Admin, once: OnceOf, query: Annotated[NoQuery, Query()]) -> Response:
    """A message of the type `webhook.test`, signed and repeated like any other. 409 for a disabled webhook.

    While one waits there is no second: the waiting one is sent at once.
    """
    id = uuid_or_not_found(webhook_id, "webhook")

    def work(conn: Connection) -> StoredReply:
        return answered(202, _shown(requested.send_test(conn, caller.tenant, id, actor=caller.actor)))

    return once.run(caller.tenant, once.fingerprint(), work)


@router.get("/{webhook_id}/deliveries", summary="Messages to a webhook, the newest first")
def deliveries(
    webhook_id: PathId, caller: Admin, parts: PartsOf, query: Annotated[NumberedPageQuery, Query()]
) -> Page[DeliveryReply]:
    """How the last attempt at each went. Kept for 30 days after they were settled."""
    id, before = uuid_or_not_found(webhook_id, "webhook"), number_of(query.cursor)
    with parts.transaction(caller.tenant) as conn:
        found = views.list_deliveries(conn, caller.tenant, id, before=before, limit=query.limit + 1)
    shown = found[: query.limit]
    cursor = cursor_of_number(shown[-1].id) if len(found) > query.limit else None
    return Page(data=[_shown(one) for one in shown], next_cursor=cursor)


@router.get("/{webhook_id}/deliveries/{message_id}", summary="One message to a webhook")
def delivery(
    webhook_id: PathId, message_id: MessageId, caller: Admin, parts: PartsOf, query: Annotated[NoQuery, Query()]
) -> DeliveryReply:
    """`message_id` is the header `webhook-id` of the message."""
    with parts.transaction(caller.tenant) as conn:
        return _shown(views.get_delivery(conn, caller.tenant, uuid_or_not_found(webhook_id, "webhook"), message_id))


@router.post(
    "/{webhook_id}/deliveries/{message_id}/resend",
    status_code=202,
    response_model=DeliveryReply,
    summary="Send a message again",
)
def resend(
    webhook_id: PathId, message_id: MessageId, caller: Admin, once: OnceOf, query: Annotated[NoQuery, Query()]
) -> Response:
    """The same message under the same id, be it delivered, given up or waiting. 409 for a disabled webhook."""
    id = uuid_or_not_found(webhook_id, "webhook")

    def work(conn: Connection) -> StoredReply:
        return answered(202, _shown(requested.resend(conn, caller.tenant, id, message_id, actor=caller.actor)))

    return once.run(caller.tenant, once.fingerprint(), work)


def _shown(one: views.DeliveryView) -> DeliveryReply:
    return DeliveryReply(**{name: value for name, value in asdict(one).items() if name != "id"})
