"""Events about one thing: its whole line, nobody else's, in the order it happened."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policy import events
from policy.events import Private
from policy.ledger.reading.events import events_about
from tests.support.ledger import Ledger, refused

ACCEPTED = events.RequestAccepted(
    "r1", "campaign", "spring", Private("a {{x}}"), "studio", "sha256:1", "bulk", 3, 1, "sha256:2"
)


def released(item, batch, asset):
    return events.ItemReleased(
        "r1", item, asset, batch, 1, Private(f"prompt of {item}"), Private(""), {"model": "studio"}, "7", 2, 0, "cpu",
        {"decision": "allow"}, {}, ({"name": "original"},),
    )  # fmt: skip


@pytest.fixture
def ledger(database):
    ledger = Ledger(database)
    ledger.append(ACCEPTED, replace(refused(3), request_id="r1", item_id="i3"))
    ledger.append(events.BatchDispatched("b1", "gpu", {}, ("i1", "i2")), tenant="presswork")
    ledger.append(events.BatchClaimed("b1", 1, "w"), tenant="presswork")
    ledger.append(events.BatchAbandoned("b1", 1, ("b2", "b3")), tenant="presswork")
    ledger.append(events.BatchDispatched("b2", "gpu", {}, ("i1",)), tenant="presswork")
    ledger.append(events.BatchDispatched("b3", "gpu", {}, ("i2",)), tenant="presswork")
    ledger.append(events.BatchClaimed("b2", 2, "w"), events.BatchClaimed("b3", 2, "w"), tenant="presswork")
    ledger.append(released("i1", "b2", "a1"))
    ledger.append(released("i2", "b3", "a2"))
    ledger.seal()
    ledger.append(events.AssetLinked("a1", "i1", "original", "k1", 60))
    return ledger


def about(ledger, thing_id, **options):
    with ledger.auditor.connect() as conn:
        return events_about(conn, thing_id, **{"tenant": None, **options})


def line(found):
    return [(one.kind, one.event.get("batch_id")) for one in found]


WHOLE_LINE = [
    ("request.accepted", None),
    ("batch.dispatched", "b1"),
    ("batch.claimed", "b1"),
    ("batch.abandoned", "b1"),
    ("batch.dispatched", "b2"),
    ("batch.claimed", "b2"),
    ("item.released", "b2"),
    ("asset.linked", None),
]


@pytest.mark.parametrize("thing_id", ["i1", "a1"])
def test_an_item_and_its_asset_have_one_line_through_all_its_batches(ledger, thing_id):
    assert line(about(ledger, thing_id)) == WHOLE_LINE


def test_a_refused_item_has_its_request_and_its_refusal(ledger):
    assert line(about(ledger, "i3")) == [("request.accepted", None), ("item.refused", None)]


def test_a_request_a_batch_and_a_key_have_their_own_events(ledger):
    assert line(about(ledger, "b1")) == [
        ("batch.dispatched", "b1"), ("batch.claimed", "b1"), ("batch.abandoned", "b1")
    ]  # fmt: skip
    assert [kind for kind, _ in line(about(ledger, "r1"))] == [
        "request.accepted", "item.refused", "item.released", "item.released"
    ]  # fmt: skip
    assert line(about(ledger, "k1")) == [("asset.linked", None)]


def test_a_tenant_sees_its_own_events_only(ledger):
    mine = about(ledger, "a1", tenant="acme")
    assert [one.kind for one in mine] == ["request.accepted", "item.released", "asset.linked"]
    assert about(ledger, "a1", tenant="rival") == []


def test_an_unknown_id_has_no_events(ledger):
    assert about(ledger, "nobody") == []


def test_private_text_is_read_back_and_an_index_says_sealed(ledger):
    (accepted, *_, asset_released, linked) = about(ledger, "a1")
    assert (accepted.index, linked.index) == (0, None)
    assert accepted.to_json()["event"]["template"] == "a {{x}}"
    assert asset_released.to_json()["event"]["prompt"] == "prompt of i1"
    assert asset_released.event["prompt"]["commitment"].startswith("sha256:")


def test_erased_text_leaves_its_commitment(ledger):
    ledger.tamper("delete from audit.private where value = 'prompt of i1'")
    (found,) = [one for one in about(ledger, "a1") if one.kind == "item.released"]
    assert found.to_json()["event"]["prompt"] == found.event["prompt"]


def test_a_long_line_comes_in_pages(ledger):
    first = about(ledger, "i1", limit=3)
    second = about(ledger, "i1", limit=100, after=first[-1].entry_id)
    assert line(first + second) == WHOLE_LINE
