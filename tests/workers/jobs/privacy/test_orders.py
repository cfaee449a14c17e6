"""Orders to erase: the text is gone from everywhere, the proof stays, and the order says how far it has come."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from policy.ledger.reading.questions import lineage
from policy.ledger.tree.seal import seal
from policy.ledger.verification.verify import verify
from tests.support.ledger import new_signer
from tests.support.line import new_item
from tests.support.privacy import SECRET, TENANT, Privacy
from workers.clerk import erasures as duty
from workers.errors import Conflict, IdempotencyKeyReused, NotFound
from workers.jobs import idempotency
from workers.jobs.asset_views import get_asset
from workers.jobs.cancel import cancel_request
from workers.jobs.idempotency import StoredReply
from workers.jobs.privacy.legal_holds import HoldScope, place
from workers.jobs.privacy.orders import order
from workers.jobs.privacy.select import ErasureScope, preview


@pytest.fixture
def privacy(line, database, settings_for, s3) -> Privacy:
    return Privacy(line, database.engine("clerk"), settings_for, s3)


def is_intact(privacy: Privacy) -> bool:
    signer = new_signer()
    with privacy.line.database.engine("sealer").begin() as conn:
        seal(conn, signer, [signer.vkey])
    with privacy.line.auditor.connect() as conn:
        return verify(conn, [signer.vkey], ()).intact


def reply(privacy: Privacy, key: str, request_id: str, words: str = "") -> None:
    """A stored reply, as the API stores one."""
    with privacy.line.as_tenant(TENANT) as conn:
        assert idempotency.recall(conn, TENANT, key, b"f" * 32) is None
        body = {"id": request_id, "name": words, "links": {"request": f"/v1/requests/{request_id}"}}
        idempotency.remember(conn, TENANT, key, b"f" * 32, StoredReply(202, body))


def test_an_item_goes_from_the_ledger_and_from_every_table(privacy: Privacy):
    mine, other = privacy.refused()[0], privacy.refused("a red kettle")[0]
    assert {"audit.private", "public.items"} <= set(privacy.holds_anywhere(SECRET))
    done = privacy.erased("item", mine)
    assert (done.state, done.left) == ("finished", {})
    assert (done.erased["items"], done.erased["texts"]) == (1, 2)
    assert privacy.holds_anywhere(SECRET) == []
    assert privacy.line.item(other).prompt == "a red kettle, number 1"
    row = privacy.line.item(mine)
    assert (row.prompt, row.custom_id, row.erased_at is not None) == ("", f"erased-{mine}", True)
    assert [e.kind for e in privacy.line.events()][-3:] == ["erasure.ordered", "text.erased", "erasure.finished"]
    assert is_intact(privacy)


def test_a_request_goes_with_its_items_its_labels_and_its_stored_reply(privacy: Privacy):
    ids = privacy.refused(images=3, name="for Jane Roe", template="portrait of {who}", metadata={"who": "Jane Roe"})
    request_id = privacy.request_of(ids[0])
    reply(privacy, "once", request_id, "for Jane Roe")
    done = privacy.erased("request", request_id)
    assert (done.erased["items"], done.erased["requests"], done.erased["replies"]) == (3, 1, 1)
    assert privacy.holds_anywhere("Jane Roe") == []
    assert privacy.holds_anywhere("portrait of {who}") == []
    assert is_intact(privacy)


def test_an_erased_reply_keeps_its_key_and_forgets_the_hash_of_the_request(privacy: Privacy):
    request_id = privacy.request_of(privacy.refused()[0])
    reply(privacy, "once", request_id, "Jane")
    reply(privacy, "another", "00000000-0000-7000-8000-000000000000", "a red kettle")
    privacy.erased("request", request_id)
    with privacy.line.as_tenant(TENANT) as conn:
        with pytest.raises(Conflict, match="texts were erased; use another key"):
            idempotency.recall(conn, TENANT, "once", b"f" * 32)
        stored = conn.execute(text("select key, fingerprint, body from idempotency_keys order by key")).all()
        with pytest.raises(IdempotencyKeyReused):
            idempotency.recall(conn, TENANT, "another", b"g" * 32)
    assert [bytes(row.fingerprint) == b"f" * 32 for row in stored] == [True, False]
    assert stored[1].body == {"id": request_id, "links": {"request": f"/v1/requests/{request_id}"}}


def test_an_item_of_a_single_prompt_takes_the_requests_copy_along(privacy: Privacy):
    one, two = privacy.refused("portrait", images=2, kind="single", template=SECRET)
    privacy.erased("item", one)
    assert privacy.holds_anywhere(SECRET) == []
    assert privacy.line.item(two).prompt == "portrait, number 2", "its own copy: it was not named"


def test_everything_sent_with_a_key_goes_and_nothing_else(privacy: Privacy):
    key_id = "01a1fe00-0000-7000-8000-000000000001"
    privacy.refused("portrait of Jane", key_id=key_id, images=2)
    privacy.refused("a red kettle")
    assert privacy.erased("key", key_id).erased["items"] == 2
    assert privacy.holds_anywhere("portrait of Jane") == []
    assert privacy.holds_anywhere("a red kettle") != []


def test_a_text_is_found_wherever_it_stands_whatever_its_case_and_is_itself_forgotten(privacy: Privacy):
    by_prompt = privacy.refused("portrait of JANE@example.com")[0]
    by_name = privacy.refused("a kettle", name="jane@Example.com wants this")[0]
    by_label = privacy.refused("a car", metadata={"for": 'the "jane@example.com" file'})[0]
    stays = privacy.refused("portrait of jane@example_com")[0]
    erasure_id = privacy.order("text", "jane@example.com")
    duty.run_once(privacy.context())  # lists what the order means
    assert privacy.holds_anywhere("jane@example.com")  # not erased yet
    with privacy.line.auditor.connect() as conn:
        assert conn.execute(text("select sought, scope from erasures")).one() == (None, {"text": True})
    privacy.work()
    done = privacy.status(erasure_id)
    assert (done.state, done.erased["items"], done.erased["requests"]) == ("finished", 1, 2)
    for word in ("JANE@example.com", "jane@Example.com", "jane@example.com"):
        assert privacy.holds_anywhere(word) == []
    assert privacy.line.item(by_prompt).prompt == ""
    assert [privacy.line.item(id).prompt for id in (by_name, by_label)] == ["a kettle, number 1", "a car, number 1"]
    assert privacy.line.item(stays).prompt == "portrait of jane@example_com, number 1", "an underscore is no wildcard"
    assert is_intact(privacy)


def test_a_tenant_goes_as_it_was_when_it_was_ordered_and_no_other_tenant(privacy: Privacy):
    privacy.refused(images=2)
    privacy.refused("of bolt", tenant="bolt")
    erasure_id = privacy.order("tenant")
    later = privacy.refused("asked for later")[0]
    privacy.work()
    assert privacy.status(erasure_id).erased["items"] == 2
    assert privacy.holds_anywhere(SECRET) == []
    assert privacy.holds_anywhere("of bolt") != []
    assert privacy.line.item(later).prompt == "asked for later, number 1"


def test_more_than_a_step_is_erased_step_by_step(privacy: Privacy):
    many = [new_item(row, prompt=SECRET, custom_id=f"c{row}") for row in range(1, 251)]
    ids = privacy.line.submit(TENANT, 0, new_items=many)
    with privacy.line.as_tenant(TENANT) as conn:
        cancel_request(conn, TENANT, str(privacy.request_of(ids[0])), "test")
    erasure_id = privacy.order("request", privacy.request_of(ids[0]))
    duty.run_once(privacy.context())
    assert privacy.status(erasure_id).left == {"item": 250, "request": 1}
    duty.run_once(privacy.context())
    assert privacy.status(erasure_id).left == {"item": 150, "request": 1}
    privacy.work()
    assert privacy.status(erasure_id).state == "finished"
    assert privacy.holds_anywhere(SECRET) == []
    assert len(privacy.line.events("text.erased")) == 4, "copies alone are worth an event, too"


def test_a_picture_of_an_erased_item_goes_from_quarantine_and_an_event_says_so(privacy: Privacy):
    ids = privacy.settled()
    key = f"quarantine/{TENANT}/{ids[1]}/1/original.png"
    with privacy.line.owner.begin() as conn:  # refused by a reviewer
        conn.execute(text("update items set state = 'refused', verdict = '{}' where id = :id"), {"id": ids[1]})
        conn.execute(text("update holds set decided_at = now(), release = false"))
    done = privacy.erased("request", privacy.request_of(ids[0]))
    assert (done.state, done.left) == ("finished", {})
    assert privacy.s3.keys("quarantine/") == []
    (event,) = privacy.line.events("picture.erased")
    assert (event.event["object_key"], event.event["basis"]) == (key, "request")
    assert f"item:{ids[1]}" in event.subjects
    assert privacy.holds_anywhere(SECRET) == []
    assert is_intact(privacy)


@pytest.mark.parametrize("noun", ["item", "asset", "request", "key"])
def test_what_is_not_there_cannot_be_ordered(privacy: Privacy, noun: str):
    theirs = privacy.refused(tenant="bolt")[0]
    for value in ("01a1fe00-0000-7000-8000-00000000000f", theirs, privacy.request_of(theirs)):
        with pytest.raises(NotFound):
            privacy.order(noun, value, tenant=TENANT)


def test_an_item_that_needs_its_prompt_is_not_erased(privacy: Privacy):
    pending = privacy.line.submit(TENANT, 2)
    held = privacy.settled()[1]
    for item_id in (pending[0], held):
        with pytest.raises(Conflict, match="1 of the items still need their prompt"):
            privacy.order("item", item_id)
    with privacy.line.as_tenant(TENANT) as conn:
        cancel_request(conn, TENANT, privacy.request_of(pending[0]), "test")
    assert privacy.erased("item", pending[0]).state == "finished"
    assert privacy.line.item(held).prompt == f"{SECRET}, number 2"


def test_an_item_that_became_open_again_to_the_clerk_waits(privacy: Privacy):
    """A submission that began before the order may commit after it: its items are not erased before they settle."""
    ids = privacy.line.submit(TENANT, 1, new_items=[new_item(1, prompt=SECRET)])
    with privacy.line.as_tenant(TENANT) as conn:
        erasure_id = order(conn, TENANT, ErasureScope("request", privacy.request_of(ids[0])), actor="key:test")
    privacy.work()
    assert privacy.status(erasure_id).left == {"item": 1, "request": 1}
    assert privacy.line.item(ids[0]).prompt == SECRET
    with privacy.line.as_tenant(TENANT) as conn:
        cancel_request(conn, TENANT, privacy.request_of(ids[0]), "test")
    privacy.work()
    assert privacy.status(erasure_id).state == "finished"
    assert privacy.line.item(ids[0]).prompt == ""


def test_a_preview_counts_and_names_and_changes_nothing(privacy: Privacy):
    ids = privacy.settled(name="for Jane")
    with privacy.line.auditor.connect() as conn:
        found = preview(conn, TENANT, ErasureScope("text", "jane"))
        none = preview(conn, TENANT, ErasureScope("text", "nobody of that name"))
    assert (found.items, found.requests, found.unsettled_items, found.pictures) == (4, 1, 1, 1)
    assert found.ledger_texts == 8, "prompts and negative prompts of three items, name and template"
    assert (set(found.item_ids), found.request_ids) == (set(ids), (privacy.request_of(ids[0]),))
    assert none.nothing
    assert replace(none, items=1).nothing is False
    assert privacy.line.events("erasure.ordered") == []


KEEPS = r"check constraint|is blanked or stays as it is|is refused and cannot become pending"


def test_the_database_keeps_an_erased_row_erased_and_an_open_item_whole(privacy: Privacy):
    erased = privacy.refused()[0]
    held = privacy.settled("other")[1]
    privacy.erased("item", erased)
    forbidden = {
        f"update items set prompt = 'again' where id = '{erased}'",
        f"update items set state = 'pending', settled_at = null where id = '{erased}'",
        f"update items set prompt = '', erased_at = now() where id = '{held}'",
    }
    for statement in sorted(forbidden):
        with (
            privacy.line.owner.connect() as conn,
            pytest.raises(Exception, match=KEEPS),
        ):
            conn.execute(text(statement))


def test_an_asset_and_its_lineage_say_what_erased_their_texts(privacy: Privacy):
    item, held, *_ = privacy.settled(name="for Jane")
    with privacy.line.owner.begin() as conn:  # refused by a reviewer: nothing of the request is judged any more
        conn.execute(text("update items set state = 'refused', verdict = '{}' where id = :id"), {"id": held})
        asset_id = conn.execute(text("select id::text from assets where item_id = :id"), {"id": item}).scalar_one()
    with privacy.line.auditor.connect() as conn:
        before = lineage(conn, asset_id)
    privacy.erased("asset", asset_id)
    with privacy.line.auditor.connect() as conn:
        after, shown = lineage(conn, asset_id), get_asset(conn, TENANT, asset_id)
    assert before is not None
    assert after is not None
    assert (before["prompt"], before["request_name"], before["erased"]) == (f"{SECRET}, number 1", "for Jane", {})
    assert (after["prompt"], after["request_name"], sorted(after["erased"])) == (
        None, "for Jane", ["negative_prompt", "prompt"],
    )  # fmt: skip
    assert shown.erased_at is not None
    assert shown.custom_id == f"erased-{item}"
    privacy.erased("request", privacy.request_of(item))
    with privacy.line.auditor.connect() as conn:
        gone = lineage(conn, asset_id)
    assert gone is not None
    assert (gone["request_name"], gone["template"]) == (None, None)
    assert sorted(gone["erased"]) == ["name", "negative_prompt", "prompt", "template"]


@pytest.mark.parametrize(
    "change",
    [
        "items set prompt = 'other'",
        "items set negative_prompt = 'other'",
        "items set custom_id = 'other'",
        "requests set name = 'other'",
        "requests set template = 'other'",
        "requests set metadata = '{\"other\": 1}'",
        "legal_holds set reason = 'other'",
        "idempotency_keys set body = '{}'",
    ],
)
def test_the_clerk_blanks_and_never_rewords(privacy: Privacy, change: str):
    request_id = privacy.request_of(privacy.refused()[0])
    reply(privacy, "once", request_id)
    with privacy.line.as_tenant(TENANT) as conn:
        place(conn, TENANT, HoldScope(), reason="claim", actor="test")
    with privacy.clerk.connect() as conn, pytest.raises(DBAPIError, match=r"permission denied|row-level security"):
        conn.execute(text(f"update {change}"))


def test_a_text_that_only_a_carried_cell_or_a_column_name_holds_is_found_and_emptied(privacy: Privacy):
    columns = ("sku", f"for {SECRET}")
    rows = [new_item(1, carried=("4711", SECRET)), new_item(2, carried=("4712", "nobody"))]
    ids = privacy.line.submit(TENANT, 2, new_items=rows, carried_columns=columns)
    request = privacy.request_of(ids[0])
    with privacy.line.as_tenant(TENANT) as conn:
        cancel_request(conn, TENANT, request, "key:test")
    with pytest.raises(DBAPIError, match="blanked or stays"), privacy.clerk.begin() as conn:
        conn.execute(text("update items set carried = '{reworded}'"))
    assert privacy.erased("text", SECRET).erased["items"] == 1
    assert privacy.holds_anywhere(SECRET) == []
    assert [list(privacy.line.item(id).carried) for id in ids] == [[], ["4712", "nobody"]]
