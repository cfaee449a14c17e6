"""Webhooks: one message for each address and asset, signed, repeated with bounds, and in nobody's way."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from tests.support.line import Line, eventually
from tests.support.recalls import Recalling
from tests.support.receiver import Receiver, deliver, due_now, listen, receiving, rows
from workers.clerk import loop
from workers.clerk import webhooks as duty
from workers.errors import LimitExceeded, NotFound
from workers.jobs.recall import orders
from workers.jobs.recall.criteria import Criteria
from workers.jobs.webhooks import endpoints
from workers.jobs.webhooks.deliveries import LONGEST_WAIT_SECONDS, wait_seconds
from workers.jobs.webhooks.tables import webhook_attempts, webhook_deliveries
from workers.jobs.webhooks.tables import webhooks as addresses


@pytest.fixture
def recalling(line: Line, settings_for: Any, s3: Any) -> Recalling:
    line.add_tenant("acme")
    return Recalling(line, settings_for, s3)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def test_a_recall_is_told_signed_and_once(recalling: Recalling, receiver: Receiver) -> None:
    _, secret = listen(recalling.line, receiver.url)
    made = recalling.release(2, names=("original", "web"))
    assert deliver(recalling) == 2
    recall_id = recalling.order(Criteria(model="studio"))
    recalling.carry_out()
    assert deliver(recalling) == 2
    assert deliver(recalling) == 0
    told = [json.loads(got.body) for got in receiver.got]
    assert [one["type"] for one in told] == ["asset.released"] * 2 + ["asset.recalled"] * 2
    assert {one["data"]["asset_id"] for one in told[2:]} == {outcome.asset_id for outcome in made}
    assert told[2]["data"].keys() == {
        *("recall_id", "request_id", "item_id", "asset_id", "reason_code", "sha256", "recalled_at")
    }
    assert told[2]["data"]["recall_id"] == recall_id
    assert told[0]["data"]["sha256"] == sorted(file.sha256 for file in made[0].renditions)
    assert "red kettle" not in str(told), "no prompt leaves"
    for got in receiver.got:
        assert got.is_signed_with(secret)
        assert not got.is_signed_with("whsec_" + "A" * 44)
        assert "." not in got.headers["webhook-id"]
        assert got.headers["content-type"] == "application/json"
        assert got.path == "/hook?tenant=acme"
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 4


def test_a_message_and_its_change_commit_together_or_neither(recalling: Recalling, receiver: Receiver) -> None:
    line = recalling.line
    listen(line, receiver.url, wanted=("asset.recalled",))
    recalling.release(1, stored=False)
    recalling.order(Criteria(model="studio"))
    with line.database.engine("clerk").connect() as conn:
        assert orders.withdraw(conn, 10) == 1
        conn.rollback()
    assert rows(line, webhook_deliveries) == []
    assert set(recalling.states().values()) == {"released"}


def test_only_who_wants_an_event_and_only_the_tenants_own_are_told(recalling: Recalling, receiver: Receiver) -> None:
    line = recalling.line
    line.add_tenant("bolt")
    listen(line, receiver.url, wanted=("asset.recalled",))
    listen(line, receiver.url, tenant="bolt")
    recalling.release(1, stored=False)
    assert deliver(recalling) == 0
    recalling.release(1, tenant="bolt", stored=False)
    assert [row.tenant for row in rows(line, webhook_deliveries)] == ["bolt"]


def test_what_fails_is_sent_again_later_under_the_same_id(recalling: Recalling, receiver: Receiver) -> None:
    line = recalling.line
    listen(line, receiver.url)
    receiver.status = 500
    recalling.release(1, stored=False)
    assert deliver(recalling) == 0
    assert deliver(recalling) == 0, "not before its time"
    assert len(receiver.got) == 1
    due_now(line)
    deliver(recalling)
    receiver.status = 200
    due_now(line)
    assert deliver(recalling) == 1
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 1
    assert len({got.body for got in receiver.got}) == 1
    tried = [(row.number, row.status, row.error) for row in rows(line, webhook_attempts)]
    assert tried == [(1, 500, "status"), (2, 500, "status"), (3, 200, None)]
    (address,) = rows(line, addresses)
    assert (address.failures, address.failing_since, address.disabled_at) == (0, None, None)


def test_waits_double_within_bounds() -> None:
    waits = [wait_seconds(attempt, 1.0) for attempt in range(1, 20)]
    assert waits[:4] == [5, 10, 20, 40]
    assert waits[-1] == LONGEST_WAIT_SECONDS == max(waits)
    assert [wait_seconds(3, spread) for spread in (0.0, 0.5, 1.0)] == pytest.approx([16, 18, 20])
    assert wait_seconds(10**6, 1.0) == LONGEST_WAIT_SECONDS


def test_a_message_too_old_is_given_up_and_an_address_that_fails_for_long_is_disabled(
    recalling: Recalling, receiver: Receiver
) -> None:
    line = recalling.line
    address, _ = listen(line, receiver.url)
    receiver.status = 503
    recalling.release(1, stored=False)
    deliver(recalling)
    with line.owner.begin() as conn:
        conn.execute(text("update webhook_deliveries set asked_at = now() - interval '80 hours'"))
        conn.execute(text("update webhooks set failing_since = now() - interval '80 hours'"))
    recalling.release(1, stored=False)
    due_now(line)
    deliver(recalling)
    states = [row.state for row in rows(line, webhook_deliveries)]
    assert states == ["given_up", "pending"]
    (stored,) = rows(line, addresses)
    assert stored.disabled_for == "failing"
    asked = len(receiver.got)
    due_now(line)
    assert (deliver(recalling), len(receiver.got)) == (0, asked)
    recalling.release(1, stored=False)
    assert len(rows(line, webhook_deliveries)) == 2, "a disabled address is not written to"
    receiver.status = 204
    with line.as_tenant("acme") as conn:
        endpoints.update_webhook(conn, "acme", address, enabled=True, actor="test")
    assert deliver(recalling) == 1, "what waits is sent at once"
    changes = [event.event["change"] for event in line.events("webhook.changed")]
    assert changes == ["created", "disabled", "enabled"]
    assert receiver.url not in str([event.event for event in line.events("webhook.changed")])


def test_an_address_that_answers_gone_is_disabled_at_once(recalling: Recalling, receiver: Receiver) -> None:
    listen(recalling.line, receiver.url)
    receiver.status = 410
    recalling.release(1, stored=False)
    deliver(recalling)
    (stored,) = rows(recalling.line, addresses)
    assert stored.disabled_for == "gone"


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest/meta-data/", "https://10.0.0.1/", "ours"])
def test_a_redirect_is_never_followed(recalling: Recalling, receiver: Receiver, target: str) -> None:
    listen(recalling.line, receiver.url)
    with receiving() as elsewhere:
        receiver.status, receiver.location = 307, elsewhere.url if target == "ours" else target
        recalling.release(1, stored=False)
        assert deliver(recalling) == 0
        assert elsewhere.got == []
    assert [(row.status, row.error) for row in rows(recalling.line, webhook_attempts)] == [(307, "redirect")]


def test_a_receiver_that_drips_is_cut_off_at_the_deadline(recalling: Recalling, receiver: Receiver) -> None:
    listen(recalling.line, receiver.url)
    receiver.drip_seconds = 0.05
    recalling.release(1, stored=False)
    assert deliver(recalling, webhook_seconds=0.5) == 0
    assert [(row.status, row.error) for row in rows(recalling.line, webhook_attempts)] == [(None, "timeout")]


def test_a_slow_receiver_holds_up_neither_recalls_nor_other_receivers(recalling: Recalling, receiver: Receiver) -> None:
    """The whole clerk, as its process runs it: the recall ends while an attempt at the slow address is under way.

    It rests for ten minutes: only the NOTIFY of an order and of a message can have ended that.
    """
    line = recalling.line
    with receiving() as slow:
        slow.drip_seconds = 0.05
        listen(line, slow.url)
        listen(line, receiver.url)
        made = recalling.release(2)
        stop = threading.Event()
        quick = {"webhook_loopback": True, "webhook_seconds": 8.0, "poll_seconds": 0.05, "rest_seconds": 600}
        settings = recalling.settings_for("clerk", **quick)
        running = threading.Thread(target=loop.serve, args=(settings, stop))
        running.start()
        try:
            eventually(lambda: slow.got)
            recalling.order(Criteria(model="studio"))
            eventually(lambda: set(recalling.states().values()) == {"recalled"})
            eventually(lambda: recalling.objects("released") == set())
            assert rows(line, webhook_attempts) == [] or all(
                row.error is None for row in rows(line, webhook_attempts)
            ), "the slow address still has not answered"
        finally:
            slow.drip_seconds = 0.0
            stop.set()
            running.join()
    told = [json.loads(got.body)["data"]["asset_id"] for got in receiver.got]
    assert {outcome.asset_id for outcome in made} <= set(told)


def test_killed_between_sending_and_its_record_a_message_goes_again_under_one_id(
    recalling: Recalling, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen(recalling.line, receiver.url)
    recalling.release(1, stored=False)

    def die(*_: object, **__: object) -> None:
        raise SystemExit("killed")

    with monkeypatch.context() as patched:
        patched.setattr(duty, "record", die)
        with pytest.raises(SystemExit):
            deliver(recalling)
    assert deliver(recalling) == 0, "leased: another clerk does not send it meanwhile"
    due_now(recalling.line)
    assert deliver(recalling) == 1
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 1
    assert len(receiver.got) == 2


def test_a_rotated_secret_signs_beside_the_old_one_for_a_day(recalling: Recalling, receiver: Receiver) -> None:
    line = recalling.line
    address, first = listen(line, receiver.url)
    with line.as_tenant("acme") as conn:
        second = endpoints.rotate_secret(conn, "acme", address, actor="test")
    recalling.release(1, stored=False)
    deliver(recalling)
    assert receiver.got[0].is_signed_with(first)
    assert receiver.got[0].is_signed_with(second)
    with line.owner.begin() as conn:
        conn.execute(text("update webhook_secrets set ends_at = ends_at - interval '2 days' where ends_at is not null"))
    recalling.release(1, stored=False)
    deliver(recalling)
    assert not receiver.got[1].is_signed_with(first)
    assert receiver.got[1].is_signed_with(second)


def test_the_apis_role_writes_secrets_and_never_reads_one(recalling: Recalling) -> None:
    listen(recalling.line, "https://example.com/hook")
    with pytest.raises(Exception, match="permission denied"), recalling.line.as_tenant("acme") as conn:
        conn.execute(text("select secret from webhook_secrets"))
    with pytest.raises(Exception, match="permission denied"), recalling.line.auditor.connect() as conn:
        conn.execute(text("select secret from webhook_secrets"))
    with pytest.raises(Exception, match="permission denied"), recalling.line.worker.connect() as conn:
        conn.execute(text("select url from webhooks"))


def test_a_deleted_address_hears_nothing_more(recalling: Recalling, receiver: Receiver) -> None:
    line = recalling.line
    address, _ = listen(line, receiver.url)
    recalling.release(1, stored=False)
    with line.as_tenant("acme") as conn:
        endpoints.delete_webhook(conn, "acme", address, actor="test")
    assert deliver(recalling) == 0
    assert receiver.got == []
    assert [row.state for row in rows(line, webhook_deliveries)] == ["given_up"]
    with pytest.raises(NotFound), line.as_tenant("acme") as conn:
        endpoints.rotate_secret(conn, "acme", address, actor="test")


def test_a_tenant_has_a_bounded_number_of_addresses(recalling: Recalling) -> None:
    for n in range(endpoints.MAX_WEBHOOKS):
        listen(recalling.line, f"https://example.com/{n}")
    with pytest.raises(LimitExceeded):
        listen(recalling.line, "https://example.com/one-more")


def test_settled_messages_are_forgotten_after_a_month(recalling: Recalling, receiver: Receiver) -> None:
    listen(recalling.line, receiver.url)
    recalling.release(2, stored=False)
    deliver(recalling)
    with recalling.line.owner.begin() as conn:
        conn.execute(text("update webhook_deliveries set settled_at = now() - interval '31 days' where id = 1"))
    deliver(recalling)
    assert [row.id for row in rows(recalling.line, webhook_deliveries)] == [2]
    assert [row.delivery_id for row in rows(recalling.line, webhook_attempts)] == [2]
