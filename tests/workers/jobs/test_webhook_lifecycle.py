"""Webhook messages about the life of a request: its pilot, its pauses, its held pictures and its end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from api.schemas.webhook_messages import MESSAGES
from tests.support.line import HOLD, Line, new_item, released
from tests.support.recalls import Recalling
from tests.support.receiver import Receiver, deliver, listen, receiving
from workers.jobs.cancel import cancel_request
from workers.jobs.control import phases
from workers.jobs.settle import settle
from workers.jobs.types import Held, NewPilot


@pytest.fixture
def recalling(line: Line, settings_for: Any, s3: Any) -> Recalling:
    line.add_tenant("acme")
    return Recalling(line, settings_for, s3)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def test_the_end_of_a_request_is_told_once_with_its_summary(recalling: Recalling, receiver: Receiver) -> None:
    line = recalling.line
    listen(line, receiver.url, wanted=("request.finished",))
    recalling.release(2, stored=False)
    waiting = line.submit("acme", 3)
    assert deliver(recalling) == 1, "the other request is not finished"
    request_id = line.item(waiting[0]).request_id
    with line.as_tenant("acme") as conn:  # the API ends it
        assert cancel_request(conn, "acme", request_id, "key:test") == 3
        assert cancel_request(conn, "acme", request_id, "key:test") == 0
    assert deliver(recalling) == 1
    assert deliver(recalling) == 0
    finished, cancelled = (json.loads(got.body)["data"] for got in receiver.got)
    nothing = dict.fromkeys(("released", "held", "refused", "failed", "cancelled", "recalled"), 0)
    assert (finished["items"], finished["summary"]) == (2, {**nothing, "released": 2})
    assert (cancelled["request_id"], cancelled["summary"]) == (request_id, {**nothing, "cancelled": 3})


def test_a_pilot_a_pause_and_a_held_picture_are_told_with_what_they_are_about(
    recalling: Recalling, receiver: Receiver
) -> None:
    line = recalling.line
    listen(line, receiver.url, wanted=("campaign.pilot_ready", "request.paused", "review.waiting"))
    sampled = [new_item(n, sample=n < 3) for n in (1, 2, 3)]
    ids = line.submit("acme", 3, new_items=sampled, pilot=NewPilot(images=2, max_rejected=0, sampled=2))
    held = line.claim(line.dispatch(ids[:2]))
    waiting = Held(held.items[1], HOLD, f"quarantine/{ids[1]}", "b" * 64)
    with line.worker.begin() as conn:
        settle(conn, held, [released(held, held.items[0]), waiting])
    with line.as_tenant("acme") as conn:  # the API pauses it
        assert phases.pause(conn, "acme", held.items[0].request_id, actor="key:test")
    assert deliver(recalling) + deliver(recalling) + deliver(recalling) == 3
    told = {message["type"]: message["data"] for message in (json.loads(got.body) for got in receiver.got)}
    assert told["review.waiting"]["item_id"] == ids[1]
    assert told["review.waiting"]["categories"] == ["adult"]
    assert (told["campaign.pilot_ready"]["images"], told["campaign.pilot_ready"]["summary"]["held"]) == (2, 1)
    assert told["request.paused"] == {"request_id": held.items[0].request_id, "reason": "person", "figures": None}
    for event, content in told.items():
        MESSAGES[event].model_validate({"type": event, "timestamp": "2027-01-01T00:00:00Z", "data": content})
