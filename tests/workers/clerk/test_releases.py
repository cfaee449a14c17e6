"""Clerk carries reviews out: real pictures, the real store, the clerk's own rights."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from sqlalchemy import select, text

from policy.ledger.tree import refusal
from policy.marks.inspect import inspect
from tests.support.databases import Database
from tests.support.line import Line
from tests.support.reviews import TWO, Reviewing, clerk
from tests.support.worker import Works
from workers import metrics
from workers.clerk.context import ClerkContext
from workers.clerk.loop import run_once as run_all_duties
from workers.clerk.releases import CHANGED, GONE, run_once
from workers.errors import Conflict, LedgerRefused, StoreUnavailable
from workers.jobs.review import carry_out
from workers.jobs.tables import assets, renditions
from workers.states import AssetState, ItemState
from workers.store import ObjectStore


@pytest.fixture
def works(line: Line, settings_for: Any, s3: Any) -> Works:
    return Works(line, settings_for, s3)


@pytest.fixture
def people(line: Line) -> Reviewing:
    return Reviewing(line)


@pytest.fixture
def context(database: Database, works: Works) -> ClerkContext:
    return clerk(database, works)


def rows(line: Line, table: Any) -> list[Any]:
    with line.auditor.connect() as conn:
        return list(conn.execute(select(table)))


def test_a_release_later_is_the_same_thing_as_a_release_at_once(
    works: Works, people: Reviewing, context: ClerkContext, signing_files: Any
):
    """Row by row and field by field: only the verdict and the review tell them apart."""
    works.executor().run(works.batch(1))
    (at_once,) = rows(works.line, assets)
    (its_file,) = rows(works.line, renditions)
    (item_id,) = people.made_and_held(works)
    held = people.hold_of(item_id)
    seen = context.store.get(held.key)
    people.say("release", item_id)
    assert run_once(context) == 1
    assert works.line.item(item_id).state == ItemState.RELEASED
    later = next(asset for asset in rows(works.line, assets) if asset.item_id == item_id)
    assert later.provenance.keys() == at_once.provenance.keys()
    assert (later.id, later.watermark_id, later.state) == (held.asset_id, held.watermark_id, AssetState.RELEASED)
    file = next(file for file in rows(works.line, renditions) if file.asset_id == later.id)
    assert file.key == f"released/acme/{item_id}/1/original.png"
    assert (file.name, file.media_type, file.width) == (its_file.name, its_file.media_type, its_file.width)
    stored = context.store.get(file.key)
    assert stored == seen
    assert hashlib.sha256(stored).hexdigest() == file.sha256 == held.sha256
    found = inspect(stored, signing_files.anchors.read_text()).to_json()
    assert (found["manifest"]["state"], found["manifest"]["asset_id"]) == ("Trusted", later.id)
    assert found["watermark"]["id"] == f"{later.watermark_id:012x}"
    first, second = works.line.events("item.released")
    assert first.event.keys() == second.event.keys()
    assert (first.event["review"], first.actor, second.actor) == (None, "worker", "clerk")
    assert second.event["review"]["key_ids"] == [people.key("alice")]
    assert second.event["review"]["sha256"] == file.sha256
    assert second.event["verdict"]["decision"] == "hold", "the ledger says what policy said"
    assert works.s3.keys("quarantine/") == []
    assert people.hold_of(item_id).carried_out_at is not None


def test_every_rendition_leaves_or_none_does(works: Works, people: Reviewing, context: ClerkContext):
    """One file of one picture was swapped: none of its files leaves, also not those that are what they were."""
    swapped, sound = people.made_and_held(works, 2, renditions=("original", "jpeg", "webp"))
    kept = {item_id: people.hold_of(item_id).renditions for item_id in (swapped, sound)}
    assert [file["name"] for file in kept[sound]] == ["original", "jpeg", "webp"]
    works.s3.client().put_object(Bucket=works.s3.bucket, Key=kept[swapped][2]["key"], Body=b"another")
    for item_id in (swapped, sound):
        people.say("release", item_id)
    assert run_once(context) == 2
    files = rows(works.line, renditions)
    assert sorted(file.key for file in files) == works.s3.keys("released/")
    assert {file.sha256 for file in files} == {file["sha256"] for file in kept[sound]}
    assert {file.key.rpartition(".")[2] for file in files} == {"png", "jpg", "webp"}
    assert [key for key in works.s3.keys("quarantine/") if sound in key] == []
    told = works.line.events("item.released")[0].event["renditions"]
    assert [file["name"] for file in told] == ["original", "jpeg", "webp"]


def test_a_refused_picture_is_deleted_and_nothing_else(works: Works, people: Reviewing, context: ClerkContext):
    refused, waiting = people.made_and_held(works, 2)
    people.say("refuse", refused)
    assert run_once(context) == 1
    assert works.s3.keys("quarantine/") == [people.hold_of(waiting).key]
    assert works.s3.keys("released/") == []
    assert people.hold_of(refused).carried_out_at is not None
    assert works.line.kinds()[-1] == "item.refused", "the clerk adds no event: the API's said it all"


def test_a_first_of_two_releases_is_no_order(works: Works, people: Reviewing, context: ClerkContext):
    (item_id,) = people.made_and_held(works)
    people.say("release", item_id, rules=TWO)
    assert run_once(context) == 0
    assert works.line.item(item_id).state == ItemState.HELD
    people.say("release", item_id, by="bob", rules=TWO)
    assert run_once(context) == 1
    review = works.line.events("item.released")[0].event["review"]
    assert review["key_ids"] == [people.key("alice"), people.key("bob")]


def test_a_turn_with_nothing_to_do_does_nothing_and_measures_the_queue(
    works: Works, people: Reviewing, context: ClerkContext
):
    people.made_and_held(works, 2)
    before = works.line.kinds()
    assert run_all_duties(context) == 0
    assert works.line.kinds() == before
    assert metrics.OPEN_HOLDS._value.get() == 2
    assert metrics.OLDEST_HOLD_SECONDS._value.get() >= 0


def test_bytes_swapped_in_quarantine_are_never_released(works: Works, people: Reviewing, context: ClerkContext):
    swapped, sound = people.made_and_held(works, 2)
    for item_id in (swapped, sound):
        people.say("release", item_id)
    works.s3.client().put_object(Bucket=works.s3.bucket, Key=people.hold_of(swapped).key, Body=b"another picture")
    assert run_once(context) == 2
    assert (works.line.item(swapped).state, works.line.item(swapped).reason) == (ItemState.FAILED, CHANGED)
    assert works.line.item(sound).state == ItemState.RELEASED
    assert [key for key in works.s3.keys("released/") if swapped in key] == []
    assert people.hold_of(swapped).key in works.s3.keys("quarantine/"), "what lies there is evidence"
    assert [event.event["reason"] for event in works.line.events("item.failed")] == [CHANGED]
    assert run_once(context) == 0


def test_a_picture_gone_from_quarantine_fails_with_its_reason(works: Works, people: Reviewing, context: ClerkContext):
    (item_id,) = people.made_and_held(works)
    people.say("release", item_id)
    context.store.delete(people.hold_of(item_id).key)
    assert run_once(context) == 1
    assert (works.line.item(item_id).state, works.line.item(item_id).reason) == (ItemState.FAILED, GONE)


def test_other_bytes_under_the_release_key_are_not_taken_for_the_picture(
    works: Works, people: Reviewing, context: ClerkContext
):
    (item_id,) = people.made_and_held(works)
    context.store.put(f"released/acme/{item_id}/1/original.png", b"planted", "image/png")
    people.say("release", item_id)
    run_once(context)
    assert works.line.item(item_id).state == ItemState.FAILED
    assert rows(works.line, assets) == []


def test_one_order_that_cannot_be_carried_out_stops_no_other(works: Works, people: Reviewing, context: ClerkContext):
    forged, sound = people.made_and_held(works, 2)
    with works.line.owner.begin() as conn:  # past the API's role: no review says so
        order = "update holds set decided_at = now(), release = true where item_id = :id"
        conn.execute(text(order), {"id": forged})
    people.say("release", sound)
    with pytest.raises(Conflict, match="without a final review"):
        run_once(context)
    assert works.line.item(sound).state == ItemState.RELEASED
    assert works.line.item(forged).state == ItemState.HELD


def test_an_absent_store_leaves_the_order_for_the_next_turn(
    works: Works, people: Reviewing, context: ClerkContext, settings_for: Any
):
    (item_id,) = people.made_and_held(works)
    people.say("release", item_id)
    nowhere = settings_for("clerk", s3_endpoint_url="http://127.0.0.1:9")
    away = ClerkContext(context.engine, ObjectStore(nowhere), nowhere)
    with pytest.raises(StoreUnavailable):
        run_once(away)
    assert works.line.item(item_id).state == ItemState.HELD
    assert run_once(context) == 1
    assert works.line.item(item_id).state == ItemState.RELEASED


def test_two_clerks_do_not_work_on_one_order(works: Works, people: Reviewing, context: ClerkContext):
    (item_id,) = people.made_and_held(works)
    people.say("release", item_id)
    with context.engine.begin() as conn:
        assert carry_out.take(conn, item_id) is not None
        assert run_once(context) == 0, "the other clerk holds it"
    assert run_once(context) == 1
    assert len(works.line.events("item.released")) == 1


def test_while_the_sealer_refuses_nothing_is_copied_and_the_order_waits(
    works: Works, people: Reviewing, context: ClerkContext, database: Database
):
    (item_id,) = people.made_and_held(works)
    people.say("release", item_id)
    before = works.s3.keys("released/")
    sealer = database.engine("sealer")
    with sealer.begin() as conn:
        refusal.note(conn, "LedgerBehind: a test")
    for _ in range(2):
        with pytest.raises(LedgerRefused):
            run_once(context)
    assert (works.s3.keys("released/"), works.line.item(item_id).state) == (before, ItemState.HELD)
    with sealer.begin() as conn:
        refusal.note(conn, None)
    assert run_once(context) == 1
    assert works.line.item(item_id).state == ItemState.RELEASED
