"""Appending: what the bytes hold, what they keep out, and that an event lives and dies with its transaction."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import rfc8785
from sqlalchemy import event

from policy.errors import LedgerError
from policy.events import Event, Private
from policy.ledger.append import append
from tests.support.ledger import Ledger, failed, refused

ENTRIES = "select * from audit.entries order by id"


@dataclass(frozen=True, slots=True)
class Odd(Event):
    """An event that can hold anything."""

    kind: ClassVar[str] = "odd"
    item_id: str
    value: Any


@pytest.fixture
def ledger(database):
    return Ledger(database)


def test_the_bytes_are_canonical_and_say_everything(ledger):
    ledger.append(refused(1))
    (row,) = ledger.rows(ENTRIES)
    body = json.loads(row.body)
    assert bytes(row.body) == rfc8785.dumps(body)
    assert bytes(row.leaf) == hashlib.sha256(b"\0" + row.body).digest()
    assert body["v"] == 1
    assert (body["tenant"], body["actor"], body["kind"]) == ("acme", "worker:test", "item.refused")
    assert body["event_id"] == str(row.event_id)
    assert body["at"] == row.recorded_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert body["subjects"] == list(row.subjects) == ["request:request-1", "item:item-1"]
    assert body["event"]["recipe"] == {"guidance_scale": 1.5, "model": "studio"}


def test_private_text_is_not_in_the_bytes_but_its_salted_digest_is(ledger):
    ledger.append(refused(1), refused(1))
    bodies = [bytes(row.body) for row in ledger.rows(ENTRIES)]
    assert not any(b"secret plan" in body for body in bodies)
    for row in ledger.rows("select * from audit.private p join audit.entries e using (event_id)"):
        digest = hashlib.sha256(row.salt + row.value.encode()).hexdigest()
        assert json.loads(row.body)["event"][row.field] == {"commitment": f"sha256:{digest}"}
    commitments = {json.loads(body)["event"]["prompt"]["commitment"] for body in bodies}
    assert len(commitments) == 2, "the same text twice must not look the same"


def test_events_of_one_call_keep_their_order(ledger):
    ledger.append(*(failed(n) for n in range(300)))
    assert [row.subjects[-1] for row in ledger.rows(ENTRIES)] == [f"item:item-{n}" for n in range(300)]


@pytest.mark.parametrize("count", [1, 1_000])
def test_two_statements_however_many_events(ledger, count):
    statements = []
    event.listen(ledger.worker, "before_cursor_execute", lambda *args: statements.append(args[2]))
    ledger.append(*(refused(n) for n in range(count)))
    assert len(statements) == 2


def test_nothing_happened_costs_nothing(ledger):
    statements = []
    event.listen(ledger.worker, "before_cursor_execute", lambda *args: statements.append(args[2]))
    ledger.append()
    assert statements == []


def test_a_rollback_leaves_nothing(ledger):
    with ledger.worker.connect() as conn:
        append(conn, tenant="acme", actor="worker:test", events=[refused(1), failed(2)])
        conn.rollback()
    for table in ("entries", "private", "pending"):
        assert ledger.value(f"select count(*) from audit.{table}") == 0
    assert ledger.seal() is None


def test_an_event_without_a_canonical_form_is_refused_before_anything_is_written(ledger):
    odd = [
        Odd("1", 2**53),
        Odd("1", float("nan")),
        Odd("1", {1: 2}),
        Odd("1", object()),
        Odd("1", "\ud800"),
        Odd("1", Private("\ud800")),
        Odd("1", Private("a\0b")),
        Odd("a\nb", 1),
    ]
    for one in odd:
        with pytest.raises(LedgerError, match="event odd"):
            ledger.append(failed(1), one)
    assert ledger.value("select count(*) from audit.entries") == 0


def test_any_json_value_is_kept_and_verifies(ledger):
    values = [
        "",
        "é ü 日本 🎈",
        "line\nbreak",
        '"\\\x7f\x01',
        "\0",
        [],
        {},
        None,
        True,
        0.1,
        1e21,
        -0.0,
        1e-7,
        2**53 - 1,
    ]
    ledger.append(*(Odd(str(n), value) for n, value in enumerate(values)))
    ledger.append(*(Odd("text", Private(value)) for value in values[:4]))
    assert [json.loads(row.body)["event"]["value"] for row in ledger.rows(ENTRIES)][: len(values)] == values
    assert [row.value for row in ledger.rows("select value from audit.private order by event_id")] == values[:4]
    ledger.seal()
    assert ledger.verify().intact
