"""Legal holds beat orders and retention, whoever comes first, and nothing is erased behind a hold's back."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.support.line import until_blocked
from tests.support.privacy import SECRET, TENANT, Privacy
from tests.support.reviews import Reviewing
from tests.support.worker import Works
from workers.clerk import erasures as duty
from workers.clerk import releases
from workers.errors import NotFound, UnderLegalHold
from workers.jobs.privacy.legal_holds import HoldScope, LegalHold, get_hold, lift, list_holds, place
from workers.jobs.privacy.orders import carry_out
from workers.jobs.privacy.retention import sweep_texts

DAY = timedelta(days=1)


@pytest.fixture
def privacy(line, database, settings_for, s3) -> Privacy:
    return Privacy(line, database.engine("clerk"), settings_for, s3)


def held(privacy: Privacy, tenant: str = TENANT, **scope) -> LegalHold:
    with privacy.line.as_tenant(tenant) as conn:
        return place(conn, tenant, HoldScope(**scope), reason="claim 4711", actor="key:test")


def lifted(privacy: Privacy, hold: LegalHold) -> bool:
    with privacy.line.as_tenant(hold.tenant) as conn:
        return lift(conn, hold.tenant, hold.id, actor="key:test")


def test_a_hold_is_placed_and_lifted_with_its_events_and_its_reason_is_private(privacy: Privacy):
    item = privacy.refused()[0]
    hold = held(privacy, item_id=item)
    assert (hold.item_id, hold.request_id) == (item, privacy.request_of(item))
    assert [lifted(privacy, hold) for _ in range(2)] == [True, False]
    placed, lifting = privacy.line.events("hold.placed") + privacy.line.events("hold.lifted")
    assert (placed.event["scope"], lifting.event["hold_id"]) == ({"item": item}, hold.id)
    assert placed.event["reason"]["commitment"].startswith("sha256:")
    with privacy.line.as_tenant(TENANT) as conn:
        assert get_hold(conn, TENANT, hold.id).lifted_by == "key:test"
        assert [known.id for known in list_holds(conn, TENANT, limit=9)] == [hold.id]
        assert list_holds(conn, TENANT, limit=9, lifted=False) == []


@pytest.mark.parametrize("noun", ["item_id", "request_id", "asset_id"])
def test_nobody_holds_what_is_not_there_or_anothers(privacy: Privacy, noun: str):
    theirs = privacy.refused(tenant="bolt")[0]
    for value in (theirs, privacy.request_of(theirs)):
        with pytest.raises(NotFound):
            held(privacy, **{noun: value})
    hold = held(privacy, tenant="bolt")
    with privacy.line.as_tenant(TENANT) as conn:
        assert list_holds(conn, TENANT, limit=9) == []
        with pytest.raises(NotFound):
            lift(conn, TENANT, hold.id, actor="key:test")


def test_a_hold_cannot_be_put_back_or_rewritten_by_the_apis_role(privacy: Privacy):
    privacy.line.add_tenant(TENANT)
    hold = held(privacy)
    for statement in (
        "update legal_holds set reason = 'other'",
        "update legal_holds set tenant = 'bolt'",
        "delete from legal_holds",
        "delete from erasure_targets",
        "update erasures set state = 'finished'",
    ):
        with pytest.raises(DBAPIError, match="permission denied"), privacy.line.as_tenant(TENANT) as conn:
            conn.execute(text(statement))
    lifted(privacy, hold)
    with privacy.line.as_tenant(TENANT) as conn:
        back = conn.execute(text("update legal_holds set lifted_at = null, lifted_by = null"))
        assert back.rowcount == 0


def _scopes(privacy: Privacy, item: str) -> dict[str, dict[str, object]]:
    now = datetime.now(UTC)
    return {
        "the tenant": {},
        "the request": {"request_id": privacy.request_of(item)},
        "the item": {"item_id": item},
        "a range around it": {"since": now - DAY, "until": now + DAY},
        "everything since yesterday": {"since": now - DAY},
        "everything until tomorrow": {"until": now + DAY},
    }


def test_an_order_that_meets_a_hold_is_refused_and_the_hold_is_named(privacy: Privacy):
    item = privacy.refused()[0]
    for what, scope in _scopes(privacy, item).items():
        hold = held(privacy, **scope)
        for noun, value in (("item", item), ("request", privacy.request_of(item)), ("tenant", ""), ("text", "Jane")):
            with pytest.raises(UnderLegalHold, match=hold.id) as refused:
                privacy.order(noun, value)
            assert "claim 4711" not in str(refused.value), what
        lifted(privacy, hold)
    assert privacy.erased("item", item).state == "finished"


def test_a_hold_on_something_else_is_in_nobodys_way(privacy: Privacy):
    mine, other = privacy.refused()[0], privacy.refused("other")[0]
    now = datetime.now(UTC)
    held(privacy, item_id=other)
    held(privacy, request_id=privacy.request_of(other))
    held(privacy, until=now - DAY)
    held(privacy, since=now + DAY)
    privacy.refused(tenant="bolt")
    held(privacy, tenant="bolt")
    assert privacy.erased("item", mine).state == "finished"


def test_a_hold_on_an_item_covers_the_words_of_its_request(privacy: Privacy):
    one, two = privacy.refused(images=2)
    hold = held(privacy, item_id=one)
    with pytest.raises(UnderLegalHold, match=hold.id):
        privacy.order("request", privacy.request_of(one))
    assert privacy.erased("item", two).state == "finished"
    assert privacy.line.item(one).prompt == f"{SECRET}, number 1"


def test_a_hold_that_comes_after_the_order_stops_what_is_left(privacy: Privacy):
    one, two = privacy.refused(images=2)
    erasure_id = privacy.order("request", privacy.request_of(one))
    duty.run_once(privacy.context())  # only lists what is to be erased
    hold = held(privacy, item_id=one)
    privacy.work()
    privacy.work()
    waiting = privacy.status(erasure_id)
    assert (waiting.state, waiting.left) == ("running", {"item": 1, "request": 1})
    assert [privacy.line.item(id).prompt for id in (one, two)] == [f"{SECRET}, number 1", ""]
    lifted(privacy, hold)
    privacy.work()
    assert privacy.status(erasure_id).state == "finished"
    assert privacy.holds_anywhere(SECRET) == []


def test_a_hold_waits_for_the_step_under_way_and_no_later_step_passes_it(privacy: Privacy):
    """The race: a step has chosen what to erase and not committed; the hold is placed in that moment."""
    ids = [privacy.refused()[0], privacy.refused()[0]]
    first, second = (privacy.order("item", id) for id in ids)
    for _ in ids:
        duty.run_once(privacy.context())
    placed: list[LegalHold] = []
    with privacy.clerk.begin() as conn:
        step = carry_out(conn)  # erased, and not committed
        assert step is not None
        placing = threading.Thread(target=lambda: placed.append(held(privacy)))
        placing.start()
        until_blocked(privacy.line)
        assert placed == []
    placing.join()
    privacy.work()
    states = {privacy.status(id).state for id in (first, second)}
    assert len(placed) == 1
    prompts = sorted(privacy.line.item(id).prompt for id in ids)
    assert prompts == ["", f"{SECRET}, number 1"], "the step under way was before the hold, the other after it"
    assert "running" in states


def test_a_step_waits_for_a_hold_that_is_being_placed_and_then_respects_it(privacy: Privacy):
    item = privacy.refused()[0]
    erasure_id = privacy.order("item", item)
    duty.run_once(privacy.context())
    with privacy.line.as_tenant(TENANT) as conn:
        place(conn, TENANT, HoldScope(), reason="claim", actor="key:test")  # not committed
        working = threading.Thread(target=lambda: duty.run_once(privacy.context()))
        working.start()
        until_blocked(privacy.line)
    working.join()
    assert privacy.status(erasure_id).left == {"item": 1}
    assert privacy.line.item(item).prompt == f"{SECRET}, number 1"


def test_a_hold_of_one_tenant_does_not_wait_for_anothers_erasure(privacy: Privacy):
    privacy.order("item", privacy.refused()[0])
    duty.run_once(privacy.context())
    privacy.line.add_tenant("bolt")
    with privacy.clerk.begin() as conn:
        assert carry_out(conn) is not None
        assert held(privacy, tenant="bolt").lifted_at is None


def test_a_picture_refused_under_a_hold_stays_in_quarantine(privacy: Privacy, line, settings_for, s3):
    people = Reviewing(line)
    kept, gone = people.made_and_held(Works(line, settings_for, s3), 2)
    held(privacy, item_id=kept)
    for item_id in (kept, gone):
        people.say("refuse", item_id)
    releases.run_once(privacy.context())
    assert {key.split("/")[2] for key in s3.keys("quarantine/")} == {kept}
    assert line.states() == {"refused": 2}


def test_a_sweep_under_way_is_before_the_hold_that_waits_for_it(privacy: Privacy):
    """The race again, with retention: what the sweep has chosen goes, what it has not chosen yet stays."""
    gone = privacy.refused()[0]
    privacy.age(30)
    placed: list[LegalHold] = []
    with privacy.clerk.begin() as conn:
        swept = sweep_texts(conn, {"prompt": 29})
        assert swept is not None
        placing = threading.Thread(target=lambda: placed.append(held(privacy)))
        placing.start()
        until_blocked(privacy.line)
    placing.join()
    again = privacy.refused("later")[0]
    privacy.age(30)
    with privacy.clerk.begin() as conn:
        assert sweep_texts(conn, {"prompt": 29}) is None
    assert [privacy.line.item(id).prompt for id in (gone, again)] == ["", "later, number 1"]
    assert len(placed) == 1
