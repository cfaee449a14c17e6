"""Standard Webhooks: its library for Python verifies our messages, and our OpenAPI document describes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection
from standardwebhooks import Webhook, WebhookVerificationError

from api.schemas.webhook_messages import MESSAGES
from tests.support.line import HOLD, Line, new_item
from tests.support.recalls import Recalling
from tests.support.receiver import Got, Receiver, deliver, listen, receiving
from workers.cost.limits import Limits
from workers.jobs.catalogue import flips, schedules, ticks
from workers.jobs.catalogue.catalogues import pause
from workers.jobs.catalogue.tables import catalogue_runs, catalogues
from workers.jobs.control import phases, spending
from workers.jobs.control.budget import set_budget
from workers.jobs.delivery import deliveries
from workers.jobs.delivery.deliveries import TakenDelivery
from workers.jobs.recall.criteria import Criteria
from workers.jobs.settle import settle
from workers.jobs.types import Held, NewPilot, new_id
from workers.jobs.webhooks import endpoints, requested


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def recalling(line: Line, settings_for: Any, s3: Any) -> Recalling:
    line.add_tenant("acme")
    return Recalling(line, settings_for, s3)


def every_message(recalling: Recalling, receiver: Receiver) -> tuple[str, str]:
    """One message of each kind, delivered; the webhook's id and first secret."""
    line = recalling.line
    webhook_id, secret = listen(line, receiver.url, wanted=endpoints.EVENTS)
    with line.as_tenant("acme") as conn:
        set_budget(conn, "acme", None, Limits(images=100), actor="test")
    recalling.release(1)
    recalling.order(Criteria(model="studio"))
    recalling.carry_out()
    sample, rest = new_item(1, sample=True), new_item(2)
    ids = line.submit("acme", 2, new_items=[sample, rest], pilot=NewPilot(1, max_rejected=0, sampled=1))
    held = line.claim(line.dispatch(ids[:1]))
    with line.worker.begin() as conn:
        settle(conn, held, [Held(held.items[0], HOLD, f"quarantine/{ids[0]}", "b" * 64)])
    with line.as_tenant("acme") as conn:
        assert phases.pause(conn, "acme", held.items[0].request_id, actor="test")
        requested.send_test(conn, "acme", webhook_id, actor="test")
        set_budget(conn, "acme", None, Limits(images=2), actor="test")  # one was released, one is held
    with line.worker.begin() as conn:
        assert spending.tell_low(conn) == 1
    request_id = held.items[0].request_id
    stopped = TakenDelivery(request_id, "acme", new_id(), "", None, 0, (), {}, is_over=False, manifest_due=False)
    with recalling.line.owner.begin() as conn:
        deliveries.paused(conn, stopped, "forbidden", "")
        _tell_of_a_catalogue(conn, request_id)
    delivered = 0
    while sent := deliver(recalling):
        delivered += sent
    assert delivered == len(MESSAGES)
    return webhook_id, secret


def _tell_of_a_catalogue(conn: Connection, request_id: str) -> None:
    """A run that is over and the pause of its catalogue, written as the clerk writes them."""
    spec = {"name": "shop", "schedule": {"cron": "0 * * * *"}}
    row = {"id": new_id(), "tenant": "acme", "name": "shop", "version": 1, "spec": spec, "key_id": new_id()}
    stored = conn.execute(catalogues.insert().values(**row, spec_sha256="0" * 64).returning(catalogues)).one()
    run = {"id": new_id(), "tenant": "acme", "catalogue_id": stored.id, "number": 1, "kind": "apply", "slots": 1}
    made = catalogue_runs.insert().values(
        **run, state="making", plan_id=new_id(), request_id=request_id, key_id=new_id()
    )
    flips.settle(conn, conn.execute(made.returning(catalogue_runs)).one())
    pause(conn, stored, "safeguards", {"changed": 3}, actor="test")
    due = schedules.start(conn, stored, key_id=new_id()).begin_at
    ticks.begin_next(conn, due)
    ticks.begin_next(conn, due + timedelta(hours=1))  # while the first is not over


def test_the_library_verifies_every_message_and_nothing_that_was_changed(
    recalling: Recalling, receiver: Receiver
) -> None:
    _, secret = every_message(recalling, receiver)
    for got in receiver.got:
        assert Webhook(secret).verify(got.body, got.headers) == json.loads(got.body)
        for forged in (
            Got(got.path, got.headers, got.body.replace(b"{", b"{ ", 1)),
            Got(got.path, {**got.headers, "webhook-id": "msg_other"}, got.body),
            Got(got.path, {**got.headers, "webhook-timestamp": "1"}, got.body),
        ):
            with pytest.raises(WebhookVerificationError):
                Webhook(secret).verify(forged.body, forged.headers)
        with pytest.raises(WebhookVerificationError):
            Webhook("whsec_" + "A" * 44).verify(got.body, got.headers)


def test_while_secrets_overlap_the_library_verifies_with_each(recalling: Recalling, receiver: Receiver) -> None:
    webhook_id, first = listen(recalling.line, receiver.url)
    with recalling.line.as_tenant("acme") as conn:
        secrets = [endpoints.rotate_secret(conn, "acme", webhook_id, actor="test") for _ in range(2)]
        requested.send_test(conn, "acme", webhook_id, actor="test")
    assert deliver(recalling) == 1
    for secret in (first, *secrets):
        assert Webhook(secret).verify(receiver.got[0].body, receiver.got[0].headers)["type"] == "webhook.test"


def test_the_document_describes_what_is_sent_field_by_field(recalling: Recalling, receiver: Receiver) -> None:
    every_message(recalling, receiver)
    sent = {json.loads(got.body)["type"]: json.loads(got.body) for got in receiver.got}
    assert sent.keys() == MESSAGES.keys() == {*endpoints.EVENTS, requested.TEST}
    for event, message in MESSAGES.items():
        read = message.model_validate_json(json.dumps(sent[event]), strict=True)
        assert sent[event].keys() == message.model_fields.keys()
        assert sent[event]["data"].keys() == type(read.data).model_fields.keys()  # type: ignore[attr-defined]


def test_the_openapi_document_has_a_webhook_for_every_message(api: Any) -> None:
    document = api.server.anonymous().get("/openapi.json").json()
    assert document["webhooks"].keys() == MESSAGES.keys()
    for event, message in MESSAGES.items():
        operation = document["webhooks"][event]["post"]
        name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        assert name == message.__name__
        assert document["components"]["schemas"][name]["properties"]["type"]["const"] == event
        named = {parameter["name"] for parameter in operation["parameters"]}
        assert named == {"webhook-id", "webhook-timestamp", "webhook-signature"}
