"""Webhook requests of tenants and receivers: changes, tests, messages again, a rotation, a longer wait."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from tests.support.line import Line
from tests.support.recalls import Recalling
from tests.support.receiver import Receiver, deliver, due_now, listen, receiving, rows
from workers.errors import Conflict, NotFound, TooManySecrets
from workers.jobs.webhooks import endpoints, requested
from workers.jobs.webhooks.deliveries import LONGEST_WAIT_SECONDS
from workers.jobs.webhooks.tables import webhook_deliveries
from workers.jobs.webhooks.tables import webhooks as addresses


@pytest.fixture
def recalling(line: Line, settings_for: Any, s3: Any) -> Recalling:
    line.add_tenant("acme")
    return Recalling(line, settings_for, s3)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def update(line: Line, webhook_id: str, **changes: Any) -> Any:
    with line.as_tenant("acme") as conn:
        return endpoints.update_webhook(conn, "acme", webhook_id, actor="test", **changes)


def rotate(line: Line, webhook_id: str) -> str:
    with line.as_tenant("acme") as conn:
        return endpoints.rotate_secret(conn, "acme", webhook_id, actor="test")


def resend(line: Line, webhook_id: str, message_id: str) -> Any:
    with line.as_tenant("acme") as conn:
        return requested.resend(conn, "acme", webhook_id, message_id, actor="test")


def send_test(line: Line, webhook_id: str) -> Any:
    with line.as_tenant("acme") as conn:
        return requested.send_test(conn, "acme", webhook_id, actor="test")


def changes(line: Line) -> list[str]:
    return [event.event["change"] for event in line.events("webhook.changed")]


def waits(line: Line) -> tuple[float, float]:
    """Seconds until the one message, and until its address, may be tried again."""
    query = "select extract(epoch from d.next_at - now()), extract(epoch from w.retry_at - now())"
    with line.owner.begin() as conn:
        row = conn.execute(text(f"{query} from webhook_deliveries d join webhooks w on w.id = d.webhook_id")).one()
    return float(row[0]), float(row[1])


@pytest.mark.parametrize(
    ("status", "asked", "least", "most"),
    [
        (429, "3600", 3500, 3600),
        (503, "120", 110, 120),
        (429, "99999999", LONGEST_WAIT_SECONDS - 100, LONGEST_WAIT_SECONDS),
        (429, "0", 0, 5),
        (429, "soon", 0, 5),
    ],
)
def test_a_receivers_retry_after_is_honoured_up_to_the_longest_wait(
    recalling: Recalling, receiver: Receiver, status: int, asked: str, least: float, most: float
) -> None:
    """A14: a receiver that asked for an hour was tried again after nine seconds."""
    listen(recalling.line, receiver.url)
    receiver.status, receiver.headers = status, {"Retry-After": asked}
    recalling.release(1, stored=False)
    deliver(recalling)
    for wait in waits(recalling.line):
        assert least < wait <= most


def test_a_second_rotation_does_not_cut_off_the_first_secret(recalling: Recalling, receiver: Receiver) -> None:
    line = recalling.line
    address, first = listen(line, receiver.url)
    second, third = rotate(line, address), rotate(line, address)
    send_test(line, address)
    assert deliver(recalling) == 1
    assert all(receiver.got[0].is_signed_with(secret) for secret in (first, second, third))
    with line.owner.begin() as conn:
        conn.execute(
            text("update webhook_secrets set ends_at = now() - interval '1 second' where secret = :secret"),
            {"secret": first},
        )
    send_test(line, address)
    assert deliver(recalling) == 1
    assert [receiver.got[1].is_signed_with(secret) for secret in (first, second, third)] == [False, True, True]


def test_no_more_secrets_sign_than_a_message_has_room_for(recalling: Recalling) -> None:
    address, _ = listen(recalling.line, "https://example.com/hook")
    for _ in range(endpoints.MAX_SECRETS - 1):
        rotate(recalling.line, address)
    with pytest.raises(TooManySecrets, match="5 secrets") as refused:
        rotate(recalling.line, address)
    assert 86_000 < refused.value.retry_after_seconds <= 86_400, "until the first of them ends"
    with recalling.line.owner.begin() as conn:
        conn.execute(text("update webhook_secrets set ends_at = now() where ends_at is not null"))
    rotate(recalling.line, address)


def test_a_change_that_changes_nothing_leaves_no_trace(recalling: Recalling) -> None:
    line = recalling.line
    address, _ = listen(line, "https://example.com/hook")
    before = rows(line, addresses)
    both = ("asset.released", "asset.recalled")
    for change in ({}, {"url": "https://example.com/hook"}, {"wanted": both[::-1]}, {"enabled": True}):
        update(line, address, **change)
    assert rows(line, addresses) == before
    assert changes(line) == ["created"]
    update(line, address, enabled=False)
    update(line, address, enabled=False)
    assert changes(line) == ["created", "disabled"]


def test_a_new_url_gets_what_waits_at_once_and_without_the_old_failures(
    recalling: Recalling, receiver: Receiver
) -> None:
    line = recalling.line
    address, _ = listen(line, receiver.url)
    receiver.status = 500
    recalling.release(1, stored=False)
    deliver(recalling)
    with receiving() as moved:
        changed = update(line, address, url=moved.url, wanted=("asset.recalled",))
        assert (changed.url, changed.events, changed.failures) == (moved.url, ("asset.recalled",), 0)
        assert deliver(recalling) == 1
        assert [got.headers["webhook-id"] for got in moved.got] == [receiver.got[0].headers["webhook-id"]]
    recalling.release(1, stored=False)
    assert len(rows(line, webhook_deliveries)) == 1, "releases are not wanted any more"
    assert changes(line) == ["created", "updated"]


def test_a_disabled_address_hears_nothing_until_it_is_enabled(recalling: Recalling, receiver: Receiver) -> None:
    line = recalling.line
    address, _ = listen(line, receiver.url)
    recalling.release(1, stored=False)
    assert update(line, address, enabled=False).disabled_for == "manual"
    recalling.release(1, stored=False)
    assert deliver(recalling) == 0
    with pytest.raises(Conflict, match="disabled"):
        send_test(line, address)
    with pytest.raises(Conflict, match="disabled"):
        resend(line, address, rows(line, webhook_deliveries)[0].message_id)
    update(line, address, enabled=True)
    assert deliver(recalling) == 1, "what waited; what happened meanwhile was not written"
    assert changes(line) == ["created", "disabled", "enabled"]


def test_a_test_message_goes_to_its_address_alone_whatever_it_wants(recalling: Recalling, receiver: Receiver) -> None:
    line = recalling.line
    address, secret = listen(line, receiver.url, wanted=("asset.recalled",))
    with receiving() as other:
        listen(line, other.url)
        view = send_test(line, address)
        assert (view.event, view.state) == ("webhook.test", "pending")
        assert send_test(line, address) == view, "it waits already"
        assert deliver(recalling) == 1
        assert other.got == []
    (got,) = receiver.got
    assert got.is_signed_with(secret)
    assert got.headers["webhook-id"] == view.message_id
    assert json.loads(got.body)["type"] == "webhook.test"
    assert json.loads(got.body)["data"] == {"webhook_id": address}
    assert changes(line).count("tested") == 1


@pytest.mark.parametrize("state", ["delivered", "given_up"])
def test_a_settled_message_is_sent_again_under_its_id_and_given_up_later(
    recalling: Recalling, receiver: Receiver, state: str
) -> None:
    line = recalling.line
    address, _ = listen(line, receiver.url)
    receiver.status = 200 if state == "delivered" else 500
    recalling.release(1, stored=False)
    deliver(recalling)
    with line.owner.begin() as conn:
        conn.execute(
            text(
                "update webhook_deliveries set state = :state, attempts = 9, settled_at = now(),"
                " created_at = now() - interval '9 days', asked_at = now() - interval '9 days'"
            ),
            {"state": state},
        )
    (message,) = rows(line, webhook_deliveries)
    receiver.status = 500
    assert resend(line, address, message.message_id).state == "pending"
    assert deliver(recalling) == 0
    (again,) = rows(line, webhook_deliveries)
    assert (again.state, again.attempts) == ("pending", 10), "given up so long after it was asked for, not at once"
    assert waits(line)[0] <= 5, "its waits begin anew"
    receiver.status = 204
    due_now(line)
    assert deliver(recalling) == 1
    assert {got.headers["webhook-id"] for got in receiver.got} == {message.message_id}
    assert {got.body for got in receiver.got} == {message.body.encode()}
    assert changes(line) == ["created", "resent"]


def test_a_waiting_message_is_sent_at_once_and_one_that_is_being_sent_is_left_alone(
    recalling: Recalling, receiver: Receiver
) -> None:
    line = recalling.line
    address, _ = listen(line, receiver.url)
    receiver.status = 500
    recalling.release(1, stored=False)
    deliver(recalling)
    (message,) = rows(line, webhook_deliveries)
    receiver.status = 204
    resend(line, address, message.message_id)
    with line.owner.begin() as conn:  # a courier has taken it
        conn.execute(text("update webhook_deliveries set attempts = 2, next_at = now() + interval '1 minute'"))
    before = rows(line, webhook_deliveries)
    resend(line, address, message.message_id)
    assert rows(line, webhook_deliveries) == before
    assert changes(line) == ["created", "resent"]


@pytest.mark.parametrize("message_id", ["msg_x", "", "../x", "msg_" + "a" * 200, "msg_\N{SNOWMAN}"])
def test_an_unknown_message_is_not_found(recalling: Recalling, message_id: str) -> None:
    address, _ = listen(recalling.line, "https://example.com/hook")
    with pytest.raises(NotFound):
        resend(recalling.line, address, message_id)


@pytest.mark.parametrize(
    "statement",
    [
        "insert into webhook_deliveries (webhook_id, tenant, message_id, event, body, state) "
        "select id, tenant, 'msg_forged', 'asset.released', '{}', 'pending' from webhooks",
        "insert into webhook_deliveries (webhook_id, tenant, message_id, event, body, state) "
        "select id, tenant, 'msg_forged', 'webhook.test', '{}', 'delivered' from webhooks",
        "update webhook_deliveries set state = 'delivered', settled_at = now()",
        "update webhook_deliveries set body = '{}'",
    ],
)
def test_the_apis_role_writes_tests_and_asks_again_and_nothing_else(recalling: Recalling, statement: str) -> None:
    listen(recalling.line, "https://example.com/hook")
    recalling.release(1, stored=False)
    with (
        pytest.raises(Exception, match=r"row-level security|permission denied"),
        recalling.line.as_tenant("acme") as conn,
    ):
        conn.execute(text(statement))


def test_the_apis_role_writes_no_message_to_another_tenants_address(recalling: Recalling) -> None:
    """A foreign key sees every row, so it takes an id of another tenant; the wall does not."""
    line = recalling.line
    line.add_tenant("bolt")
    theirs, _ = listen(line, "https://example.com/hook", tenant="bolt")
    statement = text(
        "insert into webhook_deliveries (webhook_id, tenant, message_id, event, body, state) "
        "values (:id, 'acme', 'msg_x', 'webhook.test', '{}', 'pending')"
    )
    with pytest.raises(Exception, match="row-level security"), line.as_tenant("acme") as conn:
        conn.execute(statement, {"id": theirs})
