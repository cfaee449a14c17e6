"""Retention: each class goes when its time is over and not before, step by step, and never from under a hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from policy.events import ItemReviewed, Private
from policy.ledger.append import append
from tests.support.line import new_item
from tests.support.privacy import SECRET, TENANT, Privacy
from workers.clerk import removals, retention
from workers.jobs import idempotency
from workers.jobs.idempotency import StoredReply
from workers.jobs.privacy.legal_holds import HoldScope, lift, place
from workers.jobs.privacy.retention import CLASSES, count_due
from workers.jobs.tables import items
from workers.settings import Settings
from workers.states import ItemState
from workers.store import ObjectStore

KEPT = {known.setting: 0 for known in CLASSES}


@pytest.fixture
def privacy(line, database, settings_for, s3) -> Privacy:
    return Privacy(line, database.engine("clerk"), settings_for, s3)


def sweep(privacy: Privacy, **days: int) -> None:
    """The clerk, with these periods and no others, until nothing is due."""
    privacy.work(**KEPT | {f"retention_{name}_days": number for name, number in days.items()})


def stored(privacy: Privacy, *keys: str) -> None:
    store = ObjectStore(privacy.settings_for("worker"))
    for key in keys:
        store.put(key, b"x", "image/png")


def aged(privacy: Privacy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Move the store's clock: every object is two days older than it is."""
    real = retention._give_up

    def old(conn, place, page, before):
        earlier = [one._replace(modified_at=one.modified_at - timedelta(days=2)) for one in page]
        return real(conn, place, earlier, before)

    monkeypatch.setattr(retention, "_give_up", old)


def test_the_defaults_keep_texts_for_ever_and_replies_and_objects_for_a_while():
    periods = {known.name: Settings.model_fields[known.setting].default for known in CLASSES}
    assert periods == {
        **dict.fromkeys(("prompt", "template", "comment"), 0),
        **{"reply": 30, "quarantine": 90, "leftover": 7, "recalled": 365, "drawing": 30, "input": 365},
    }
    assert all(known.why and known.since for known in CLASSES)


def test_a_prompt_goes_a_day_after_its_period_and_stays_a_day_before(privacy: Privacy):
    ids = privacy.refused(images=2)
    privacy.age(30)
    sweep(privacy, prompt=31)
    assert privacy.line.events("text.erased") == []
    sweep(privacy, prompt=29)
    (event,) = privacy.line.events("text.erased")
    assert (event.event["basis"], event.event["retention_class"]) == ("retention", "prompt")
    assert (len(event.event["event_ids"]), event.event["copies"]) == (2, {"items": 2})
    assert privacy.holds_anywhere(SECRET) == []
    assert [privacy.line.item(id).custom_id for id in ids] == ["row-1", "row-2"], "kept: a period is no request"


def test_zero_days_keep_for_ever(privacy: Privacy):
    privacy.refused()
    privacy.age(10_000)
    sweep(privacy)
    assert privacy.line.events("text.erased") == []
    assert privacy.holds_anywhere(SECRET) != []


def test_what_still_needs_its_prompt_keeps_it_however_old(privacy: Privacy):
    pending = privacy.line.submit(TENANT, 1, new_items=[new_item(1, prompt=SECRET)])[0]
    held = privacy.settled()[1]
    privacy.age(400)
    sweep(privacy, prompt=1, template=1, quarantine=1)
    assert [privacy.line.item(id).prompt for id in (pending, held)] == [SECRET, f"{SECRET}, number 2"]
    with privacy.line.auditor.connect() as conn:
        erased = conn.execute(text("select id::text from requests where erased_at is not null")).scalars().all()
    assert erased == [], "a rule may ask for the name of a campaign as long as something of it is judged"
    assert privacy.s3.keys("quarantine/") != []


def test_a_template_goes_with_the_name_and_the_labels_of_its_request(privacy: Privacy):
    privacy.refused("kettle", template=SECRET, name=SECRET, metadata={"for": SECRET})
    privacy.age(30)
    sweep(privacy, template=29)
    assert privacy.holds_anywhere(SECRET) == []
    assert privacy.holds_anywhere("kettle, number 1") != []


def test_a_stored_reply_goes_and_its_key_stays_taken(privacy: Privacy):
    privacy.line.add_tenant(TENANT)
    with privacy.line.as_tenant(TENANT) as conn:
        idempotency.remember(
            conn, TENANT, "once", b"f" * 32, StoredReply(202, {"id": "x", "name": SECRET, "links": {}})
        )
    privacy.age(30)
    sweep(privacy, reply=29)
    assert privacy.holds_anywhere(SECRET) == []
    (event,) = privacy.line.events("text.erased")
    assert (event.event["event_ids"], event.event["copies"]) == ([], {"replies": 1})
    with privacy.line.as_tenant(TENANT) as conn:
        assert conn.execute(text("select count(*) from idempotency_keys where key = 'once'")).scalar_one() == 1


def test_the_reason_of_a_lifted_hold_goes_and_of_an_active_one_stays(privacy: Privacy):
    privacy.line.add_tenant(TENANT)
    privacy.line.add_tenant("bolt")
    for tenant, words in ((TENANT, "about Jane"), ("bolt", "about Joe")):
        with privacy.line.as_tenant(tenant) as conn:
            place(conn, tenant, HoldScope(), reason=words, actor="test")
    with privacy.line.as_tenant(TENANT) as conn:
        conn.execute(text("update legal_holds set lifted_at = now(), lifted_by = 'test'"))
    privacy.age(30)
    sweep(privacy, comment=29)
    assert privacy.holds_anywhere("about Jane") == []
    assert privacy.holds_anywhere("about Joe") == ["audit.private", "public.legal_holds"]


def test_a_reviewers_comment_goes_from_the_ledger_and_from_the_reviews(privacy: Privacy):
    item = privacy.settled()[1]
    request = privacy.request_of(item)
    digest = "b" * 64
    with privacy.line.owner.begin() as conn:
        conn.execute(
            text(
                "insert into reviews (id, item_id, tenant, key_id, reviewer, person, decision, final, sha256, comment,"
                " policy_version) values (uuidv7(), :item, :tenant, uuidv7(), 'r', 'r', 'refuse', true, :sha256,"
                " 'looks like Jane', 'p')"
            ),
            {"item": item, "tenant": TENANT, "sha256": digest},
        )
        conn.execute(items.update().where(items.c.id == item).values(state=ItemState.REFUSED, verdict={}))
        reviewed = ItemReviewed(
            request, item, "key", "r", "refuse", final=True, sha256=digest, comment=Private("looks like Jane"),
            policy_version="p", findings=(),
        )  # fmt: skip
        append(conn, tenant=TENANT, actor="key:r", events=[reviewed])
    privacy.age(30)
    with privacy.line.as_tenant(TENANT) as conn:
        hold = place(conn, TENANT, HoldScope(item_id=item), reason="claim", actor="test")
    sweep(privacy, comment=29)
    assert privacy.holds_anywhere("looks like Jane") == ["audit.private", "public.reviews"]
    with privacy.line.as_tenant(TENANT) as conn:
        lift(conn, TENANT, hold.id, actor="test")
    sweep(privacy, comment=29)
    assert privacy.holds_anywhere("looks like Jane") == []
    assert privacy.line.item(item).prompt == f"{SECRET}, number 2", "another class"


def test_a_hold_beats_every_period_and_the_rest_goes_on(privacy: Privacy):
    kept, gone = privacy.refused("kept")[0], privacy.refused("gone")[0]
    privacy.age(30)
    with privacy.line.as_tenant(TENANT) as conn:
        place(conn, TENANT, HoldScope(request_id=privacy.request_of(kept)), reason="claim", actor="test")
    with privacy.clerk.begin() as conn:
        assert count_due(conn, "prompt", 29) == 1
    sweep(privacy, prompt=29, template=29, reply=29)
    assert [privacy.line.item(id).prompt for id in (kept, gone)] == ["kept, number 1", ""]


def test_a_sweep_takes_bounded_steps_and_rests_at_its_end(privacy: Privacy):
    many = [new_item(row, prompt=SECRET) for row in range(1, 251)]
    ids = privacy.line.submit(TENANT, 0, new_items=many)
    with privacy.line.owner.begin() as conn:
        conn.execute(text("update items set state = 'cancelled', settled_at = created_at"))
    assert len(ids) == 250
    privacy.age(30)
    context = privacy.context(**{**KEPT, "retention_prompt_days": 29})
    assert [retention.run_once(context) for _ in range(4)] == [200, 50, 0, 0]
    with privacy.clerk.begin() as conn:
        assert conn.execute(text("select rested_at is not null from sweeps where place = 'texts'")).scalar_one()


def test_objects_that_nothing_links_to_go_and_linked_ones_stay(privacy: Privacy, monkeypatch: pytest.MonkeyPatch):
    one, two, *_ = privacy.settled()
    privacy.age(30)
    linked = f"released/{TENANT}/{one}/1/original.png"
    leftover, of_open = f"released/{TENANT}/{one}/7/original.png", f"released/{TENANT}/{two}/1/original.png"
    foreign = f"released/bolt/{one}/1/original.png"
    stored(privacy, linked, leftover, of_open, foreign)
    sweep(privacy, leftover=1)
    assert set(privacy.s3.keys("released/")) >= {linked, leftover, of_open, foreign}, "too young, whatever their item"
    aged(privacy, monkeypatch)
    sweep(privacy, leftover=1)
    assert set(privacy.s3.keys("released/")) - {"released/.ready"} == {linked, of_open, foreign}
    (event,) = privacy.line.events("picture.erased")
    assert (event.event["object_key"], event.event["retention_class"]) == (leftover, "leftover")


def test_a_decided_picture_goes_from_quarantine_and_a_hold_keeps_it(privacy: Privacy, monkeypatch: pytest.MonkeyPatch):
    item = privacy.settled()[1]
    aged(privacy, monkeypatch)
    with privacy.line.owner.begin() as conn:
        conn.execute(text("update items set state = 'refused', verdict = '{}' where id = :id"), {"id": item})
        conn.execute(text("update holds set decided_at = now(), release = false"))
    sweep(privacy, quarantine=1)
    assert len(privacy.s3.keys("quarantine/")) == 1, "decided today"
    privacy.age(30)
    with privacy.line.as_tenant(TENANT) as conn:
        place(conn, TENANT, HoldScope(), reason="claim", actor="test")
    sweep(privacy, quarantine=1)
    assert len(privacy.s3.keys("quarantine/")) == 1
    with privacy.line.as_tenant(TENANT) as conn:
        conn.execute(text("update legal_holds set lifted_at = now(), lifted_by = 'test'"))
    sweep(privacy, quarantine=1)
    assert privacy.s3.keys("quarantine/") == []
    assert removals.run_once(privacy.context()) == 0


def test_a_page_that_was_looked_at_twice_gives_up_nothing_twice(privacy: Privacy, monkeypatch: pytest.MonkeyPatch):
    """Killed after an object was given up, and again before the row that orders its deletion is gone."""
    one, *_ = privacy.settled()
    privacy.age(30)
    stored(privacy, *(f"released/{TENANT}/{one}/{attempt}/original.png" for attempt in (1, 7, 8)))
    aged(privacy, monkeypatch)

    def dies(point: str, held: object) -> None:
        raise KeyboardInterrupt(point)

    context = privacy.context(**KEPT | {"retention_leftover_days": 1})
    for duty in (retention, removals):
        with pytest.raises(KeyboardInterrupt):
            duty.run_once(replace(context, probe=dies))
    privacy.wake()
    sweep(privacy, leftover=1)
    assert len(privacy.line.events("picture.erased")) == 2
    assert set(privacy.s3.keys("released/")) - {"released/.ready"} == {f"released/{TENANT}/{one}/1/original.png"}
    with privacy.clerk.begin() as conn:
        assert conn.execute(text("select count(*) from removals")).scalar_one() == 0
