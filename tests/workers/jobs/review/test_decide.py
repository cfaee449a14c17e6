"""Review decisions: one row, one event, and what follows, as the API's own role."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from policy.rulebook.review import ReviewRules
from tests.support.line import Line, until_blocked
from tests.support.reviews import ONE, SHA256, TWO, Reviewing
from workers.errors import Conflict, NotFound, NotReleasable, OwnCampaign, Stale
from workers.jobs.review import carry_out
from workers.jobs.review.decide import ReviewDecision, review
from workers.states import ItemState


@pytest.fixture
def reviewing(line: Line) -> Reviewing:
    return Reviewing(line)


def state(reviewing: Reviewing, item_id: str) -> str:
    return str(reviewing.line.item(item_id).state)


def test_a_refusal_takes_effect_at_once_with_both_events(reviewing: Reviewing):
    (item_id,) = reviewing.hold("brands")
    done = reviewing.say("refuse", item_id)
    assert (done.final, state(reviewing, item_id)) == (True, ItemState.REFUSED)
    hold = reviewing.hold_of(item_id)
    assert (hold.release, hold.decided_at is not None, hold.carried_out_at) == (False, True, None)
    said, refused = reviewing.line.events()[-2:]
    assert (said.kind, refused.kind, said.actor) == ("item.reviewed", "item.refused", f"key:{reviewing.key('alice')}")
    assert (said.event["decision"], said.event["final"], said.event["sha256"]) == ("refuse", True, SHA256)
    assert said.event["findings"][0]["category"] == "brands"
    assert said.event["comment"]["commitment"].startswith("sha256:"), "what a person wrote can be erased"
    assert (refused.event["review"]["key_ids"], refused.event["attempt"]) == ([reviewing.key("alice")], 1)
    assert refused.event["batch_id"] == reviewing.line.item(item_id).batch_id


def test_a_release_is_an_order_and_moves_nothing_yet(reviewing: Reviewing):
    (item_id,) = reviewing.hold("brands")
    done = reviewing.say("release", item_id)
    assert (done.final, done.people_needed, done.people_agreed) == (True, 1, 1)
    assert state(reviewing, item_id) == ItemState.HELD
    assert reviewing.hold_of(item_id).release is True
    assert reviewing.line.kinds()[-1] == "item.reviewed"


def test_with_four_eyes_the_second_person_makes_it_final(reviewing: Reviewing):
    (item_id,) = reviewing.hold("brands")
    first = reviewing.say("release", item_id, by="alice", rules=TWO)
    assert (first.final, first.people_agreed, reviewing.hold_of(item_id).decided_at) == (False, 1, None)
    second = reviewing.say("release", item_id, by="bob", rules=TWO)
    assert (second.final, second.people_agreed, reviewing.hold_of(item_id).release) == (True, 2, True)
    assert [event.event["final"] for event in reviewing.line.events("item.reviewed")] == [False, True]


@pytest.mark.parametrize("second_key", ["alice", "alice's phone"])
def test_one_person_twice_is_not_four_eyes_whatever_the_key(reviewing: Reviewing, second_key: str):
    (item_id,) = reviewing.hold("brands")
    reviewing.key("alice", person="alice@example.com")
    reviewing.key("alice's phone", person="alice@example.com")
    reviewing.say("release", item_id, by="alice", rules=TWO)
    with pytest.raises(Conflict, match="another person must agree"):
        reviewing.say("release", item_id, by=second_key, rules=TWO)
    assert len(reviewing.said(item_id)) == 1
    assert reviewing.hold_of(item_id).decided_at is None


def test_one_refusal_is_enough_also_after_a_first_release_and_by_the_same_person(reviewing: Reviewing):
    one, two = reviewing.hold("brands", "brands")
    for item_id, second in ((one, "bob"), (two, "alice")):
        reviewing.say("release", item_id, by="alice", rules=TWO)
        assert reviewing.say("refuse", item_id, by=second, rules=TWO).final
        assert state(reviewing, item_id) == ItemState.REFUSED


def test_four_eyes_by_category(reviewing: Reviewing):
    rules = ReviewRules(four_eyes=frozenset({"sexual"}), never=frozenset(), own_campaign=True)
    brands, sexual = reviewing.hold("brands", "sexual")
    assert reviewing.say("release", brands, rules=rules).final
    assert not reviewing.say("release", sexual, rules=rules).final


def test_whoever_submitted_may_refuse_but_not_release(reviewing: Reviewing):
    (item_id,) = reviewing.hold("brands", submitted_by="alice")
    with pytest.raises(OwnCampaign):
        reviewing.say("release", item_id, by="alice")
    assert reviewing.said(item_id) == []
    assert reviewing.say("refuse", item_id, by="alice").final


def test_another_key_of_the_same_person_is_the_same_person(reviewing: Reviewing):
    reviewing.key("alice submits", person="alice@example.com")
    reviewing.key("alice reviews", person="alice@example.com")
    (item_id,) = reviewing.hold("brands", submitted_by="alice submits")
    with pytest.raises(OwnCampaign):
        reviewing.say("release", item_id, by="alice reviews")
    allowed = ReviewRules(four_eyes=frozenset(), never=frozenset(), own_campaign=True)
    assert reviewing.say("release", item_id, by="alice reviews", rules=allowed).final


def test_what_the_rules_let_nobody_release_can_only_be_refused(reviewing: Reviewing):
    (item_id,) = reviewing.hold("minors")
    with pytest.raises(NotReleasable, match="nobody release what is held for minors"):
        reviewing.say("release", item_id)
    assert reviewing.say("refuse", item_id).final


def test_a_picture_whose_marks_failed_can_only_be_refused(reviewing: Reviewing):
    (item_id,) = reviewing.hold("marks", marked=False)
    with pytest.raises(NotReleasable, match="marks did not hold"):
        reviewing.say("release", item_id)
    assert reviewing.say("refuse", item_id).final


def test_a_hold_from_before_the_columns_can_only_be_refused(reviewing: Reviewing):
    (item_id,) = reviewing.hold("brands")
    with reviewing.line.owner.begin() as conn:
        old = "attempt = null, asset_id = null, watermark_id = null, provenance = null, renditions = null"
        conn.execute(text(f"update holds set {old} where item_id = :id"), {"id": item_id})
    with pytest.raises(NotReleasable, match="older version"):
        reviewing.say("release", item_id)
    assert reviewing.say("refuse", item_id).final
    assert reviewing.line.events("item.refused")[0].event["attempt"] is None


def test_a_decision_about_other_bytes_than_those_seen_is_stale(reviewing: Reviewing):
    (item_id,) = reviewing.hold("brands")
    with pytest.raises(Stale, match="look at it again"):
        reviewing.say("release", item_id, sha256="c" * 64)
    assert reviewing.said(item_id) == []


@pytest.mark.parametrize(("first", "word"), [("release", "released"), ("refuse", "refused")])
@pytest.mark.parametrize("again", ["release", "refuse"])
def test_what_is_decided_stays_decided_and_the_second_learns_it(
    reviewing: Reviewing, first: str, word: str, again: str
):
    (item_id,) = reviewing.hold("brands")
    reviewing.say(first, item_id, by="alice")
    reviewing.key("bob")
    before = reviewing.line.kinds()
    with pytest.raises(Conflict, match=f"was {word} by a review"):
        reviewing.say(again, item_id, by="bob")
    assert reviewing.line.kinds() == before


def test_two_reviewers_at_once_make_one_decision(reviewing: Reviewing):
    """The second waits for the first to commit, and then learns what was decided."""
    (item_id,) = reviewing.hold("brands")
    alice, bob = reviewing.key("alice"), reviewing.key("bob")
    with ThreadPoolExecutor(1) as pool:
        with reviewing.line.as_tenant("acme") as conn:
            judgement = ReviewDecision(item_id, "refuse", SHA256, "no")
            review(conn, "acme", judgement, key_id=alice, rules=ONE, policy_version="sha256:1")
            late = pool.submit(reviewing.say, "release", item_id, "bob", sha256=SHA256)
            until_blocked(reviewing.line)
        with pytest.raises(Conflict, match="was refused"):
            late.result(10)
    assert [one.key_id for one in reviewing.said(item_id)] == [alice] != [bob]


def test_two_releases_at_once_are_four_eyes_once(reviewing: Reviewing):
    (item_id,) = reviewing.hold("brands")
    reviewing.key("bob")
    with ThreadPoolExecutor(1) as pool:
        with reviewing.line.as_tenant("acme") as conn:
            judgement = ReviewDecision(item_id, "release", SHA256, "yes")
            review(conn, "acme", judgement, key_id=reviewing.key("alice"), rules=TWO, policy_version="sha256:1")
            second = pool.submit(reviewing.say, "release", item_id, "bob", rules=TWO, sha256=SHA256)
            until_blocked(reviewing.line)
        assert second.result(10).final
    assert [one.final for one in reviewing.said(item_id)] == [False, True]


def test_another_tenants_hold_and_an_item_that_was_never_held_are_not_found(reviewing: Reviewing):
    (item_id,) = reviewing.hold("brands")
    other = Reviewing(reviewing.line, tenant="bolt")
    (pending,) = other.submit(1)
    for wanted in (item_id, pending):
        with pytest.raises(NotFound):
            other.say("refuse", wanted, sha256=SHA256)


def test_rolled_back_nobody_said_anything(reviewing: Reviewing):
    (item_id,) = reviewing.hold("brands")
    with reviewing.line.api.connect() as conn:
        conn.execute(text("select set_config('presswork.tenant', 'acme', true)"))
        judgement = ReviewDecision(item_id, "refuse", SHA256, "no")
        review(conn, "acme", judgement, key_id=reviewing.key("alice"), rules=ONE, policy_version="sha256:1")
        conn.rollback()
    assert (state(reviewing, item_id), reviewing.said(item_id), reviewing.hold_of(item_id).release) == (
        ItemState.HELD,
        [],
        None,
    )
    assert "item.reviewed" not in reviewing.line.kinds()


FORGED = {
    "a decision without a review": "update holds set decided_at = now(), release = true where item_id = :id",
    "a refusal without a refused hold": "update items set state = 'refused', settled_at = now() where id = :id",
    "a release": "update items set state = 'released', settled_at = now() where id = :id",
}


@pytest.mark.parametrize("statement", FORGED.values(), ids=FORGED.keys())
def test_the_api_s_role_forges_nothing_even_beside_a_first_of_two_releases(reviewing: Reviewing, statement: str):
    (item_id,) = reviewing.hold("brands")
    reviewing.say("release", item_id, rules=TWO)
    with pytest.raises(ProgrammingError, match="row-level security"), reviewing.line.as_tenant("acme") as conn:
        conn.execute(text(statement), {"id": item_id})


def test_the_api_s_role_takes_no_decision_back(reviewing: Reviewing):
    (item_id,) = reviewing.hold("brands")
    reviewing.say("release", item_id)
    with reviewing.line.as_tenant("acme") as conn:
        undone = conn.execute(text("update holds set decided_at = null, release = null"))
        turned = conn.execute(text("update holds set release = false"))
    assert (undone.rowcount, turned.rowcount, reviewing.hold_of(item_id).release) == (0, 0, True)


def test_the_clerk_believes_no_order_without_a_final_review_of_the_very_bytes(reviewing: Reviewing):
    """Whoever gets past the API's role still meets the clerk, who reads the reviews."""
    (item_id,) = reviewing.hold("brands")
    reviewing.say("release", item_id, rules=TWO)
    with reviewing.line.owner.begin() as conn:
        conn.execute(text("update holds set decided_at = now(), release = true"))
    with (
        pytest.raises(Conflict, match="without a final review"),
        reviewing.line.database.engine("clerk").begin() as conn,
    ):
        carry_out.take(conn, item_id)


def test_open_holds_are_counted_with_the_age_of_the_oldest(reviewing: Reviewing):
    clerk = reviewing.line.database.engine("clerk")
    with clerk.begin() as conn:
        assert carry_out.waiting(conn) == carry_out.OpenHolds(0, 0.0)
    old, _, refused = reviewing.hold("brands", "brands", "brands")
    reviewing.say("refuse", refused)
    with reviewing.line.owner.begin() as conn:
        conn.execute(text("update holds set created_at = now() - interval '1 day' where item_id = :id"), {"id": old})
    with clerk.begin() as conn:
        found = carry_out.waiting(conn)
    assert found.holds == 2
    assert 86_400 <= found.oldest_seconds < 86_500


def test_items_of_other_holds_are_left_alone(reviewing: Reviewing):
    one, two = reviewing.hold("brands", "brands")
    reviewing.say("refuse", one)
    assert (state(reviewing, one), state(reviewing, two)) == (ItemState.REFUSED, ItemState.HELD)
