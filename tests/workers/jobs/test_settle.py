"""settle: what became of a batch, once, and only from the worker that holds its current attempt."""

from __future__ import annotations

import json
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy import func, select, text

from policy.ledger.append import SYSTEM_TENANT
from policy.verdict import Verdict
from tests.support.line import ALLOW, HOLD, LEASE, REFUSE, Line, new_item, released, statements
from workers.errors import Conflict, LeaseLost
from workers.jobs.cancel import cancel_item, cancel_request
from workers.jobs.delivery.tables import file_deliveries
from workers.jobs.delivery.targets import NewTarget, register
from workers.jobs.expire import expire
from workers.jobs.settle import settle
from workers.jobs.tables import assets, holds, renditions
from workers.jobs.types import Claim, Failed, Held, NewDelivery, Outcome, Refused, TextsRead
from workers.states import WAKE_CHANNEL, AssetState, BatchState, ItemState


def settled(line: Line, held: Claim, outcomes: list[Outcome]) -> frozenset[str]:
    with line.worker.begin() as conn:
        return settle(conn, held, outcomes)


def all_released(held: Claim) -> list[Outcome]:
    return [released(held, item) for item in held.items]


def rows_of(line: Line, table) -> list:
    with line.auditor.connect() as conn:
        return list(conn.execute(select(table)))


def test_each_outcome_moves_its_item_and_says_so(line: Line):
    held = line.claimed(4)
    one, two, three, four = held.items
    quarantined = Held(two, HOLD, f"quarantine/acme/{two.id}/1/original.png", "b" * 64)
    assert settled(line, held, [released(held, one), quarantined, Refused(three, REFUSE), Failed(four, "black")]) == (
        frozenset()
    )
    rows = [line.item(item.id) for item in held.items]
    assert [row.state for row in rows] == ["released", "held", "refused", "failed"]
    assert [row.verdict for row in rows] == [ALLOW.to_json(), HOLD.to_json(), REFUSE.to_json(), None]
    assert [row.reason for row in rows] == [None, None, None, "black"]
    assert all(row.settled_at for row in rows)
    assert line.batch(held.batch_id).state == BatchState.FINISHED
    told = {event.kind: event for event in line.events() if event.kind.startswith("item.")}
    assert set(told) == {"item.released", "item.held", "item.refused", "item.failed"}
    for kind, item in zip(("item.released", "item.held", "item.refused", "item.failed"), held.items, strict=True):
        assert told[kind].tenant == "acme"
        assert {f"item:{item.id}", f"request:{item.request_id}", f"batch:{held.batch_id}"} <= set(told[kind].subjects)
        assert told[kind].event["attempt"] == 1
    assert told["item.held"].event["sha256"] == "b" * 64
    assert told["item.failed"].event["reason"] == "black"
    assert line.events("batch.finished")[0].event == {"batch_id": held.batch_id, "attempt": 1}


def test_what_the_model_does_not_read_of_a_text_stands_in_the_event(line: Line):
    cut = replace(new_item(1), texts_read=TextsRead(7, 0))
    held = line.claim(line.dispatch(line.submit("acme", 2, new_items=[cut, new_item(2)])))
    one, two = held.items
    assert (one.texts_read, two.texts_read) == ((7, 0), (None, None))
    settled(line, held, [released(held, one), Held(two, HOLD, f"quarantine/acme/{two.id}/1/original.png", "b" * 64)])
    said = {event.kind: event.event for event in line.events() if event.kind in ("item.released", "item.held")}
    texts = ("prompt_read_chars", "negative_prompt_read_chars")
    assert [said["item.released"][text] for text in texts] == [7, 0]
    assert [said["item.held"][text] for text in texts] == [None, None]


def test_a_failed_item_has_no_verdict_at_all(line: Line):
    held = line.claimed(1)
    settled(line, held, [Failed(held.items[0], "black")])
    with line.auditor.connect() as conn:
        assert conn.execute(text("select verdict is null from items")).scalar_one() is True


def test_a_released_item_has_an_asset_whose_provenance_is_what_the_ledger_says(line: Line):
    held = line.claimed(2)
    outcomes = all_released(held)
    settled(line, held, outcomes)
    asset = next(row for row in rows_of(line, assets) if row.item_id == held.items[1].id)
    (rendition,) = [row for row in rows_of(line, renditions) if row.asset_id == asset.id]
    assert (asset.state, asset.tenant, asset.policy_version) == (AssetState.RELEASED, "acme", ALLOW.policy_version)
    assert asset.watermark_id == outcomes[1].watermark_id
    event = next(e.event for e in line.events("item.released") if e.event["item_id"] == held.items[1].id)
    assert asset.provenance == {
        key: event[key] for key in ("recipe", "seed", "batch_size", "batch_position", "device", "marks", "receipt")
    }
    assert (event["batch_size"], event["batch_position"], event["seed"]) == (2, 1, "1002")
    assert event["asset_id"] == asset.id
    assert event["renditions"] == [
        {
            "name": "original",
            "key": rendition.key,
            "media_type": "image/png",
            "width": 128,
            "height": 128,
            "bytes": 1234,
            "sha256": "a" * 64,
        }
    ]


def test_a_held_item_waits_where_only_reviewers_look(line: Line):
    held = line.claimed(1)
    item = held.items[0]
    settled(line, held, [Held(item, HOLD, f"quarantine/acme/{item.id}/1/original.png", "b" * 64)])
    (hold,) = rows_of(line, holds)
    assert (hold.item_id, hold.tenant, hold.verdict, hold.decided_at) == (item.id, "acme", HOLD.to_json(), None)
    assert rows_of(line, assets) == []


def test_prompts_stay_out_of_the_hashed_body(line: Line):
    ids = line.submit("acme", 1, new_items=[new_item(1, prompt="a very private thought")])
    held = line.claim(line.dispatch(ids))
    settled(line, held, all_released(held))
    assert "private thought" not in json.dumps([event.event for event in line.events()])


def test_settling_again_changes_nothing(line: Line):
    """The commit succeeded and its reply was lost: the repeat recognises its own attempt."""
    held = line.claimed(3)
    outcomes = all_released(held)
    settled(line, held, outcomes)
    before = line.events(), rows_of(line, assets), line.batch(held.batch_id)
    assert settled(line, held, outcomes) == frozenset()
    assert (line.events(), rows_of(line, assets), line.batch(held.batch_id)) == before


def test_settling_again_names_the_same_late_items(line: Line):
    held = line.claimed(2)
    with line.as_tenant("acme") as conn:
        cancel_item(conn, "acme", held.items[0].id, "test")
    outcomes = all_released(held)
    assert settled(line, held, outcomes) == settled(line, held, outcomes) == {held.items[0].id}


def test_a_late_worker_cannot_overwrite(line: Line):
    """Its lease ran out and another attempt settled: nothing of the late result is written."""
    late = line.claimed(2)
    line.lease_runs_out(late.batch_id)
    with line.worker.begin() as conn:
        expire(conn, LEASE)
    with pytest.raises(LeaseLost):
        settled(line, late, all_released(late))
    again = line.claim(late.batch_id)
    with pytest.raises(LeaseLost):
        settled(line, late, all_released(late))
    assert line.states() == {ItemState.PLANNED: 2}
    settled(line, again, all_released(again))
    with pytest.raises(LeaseLost):
        settled(line, late, all_released(late))
    assert [event.event["attempt"] for event in line.events("item.released")] == [2, 2]
    assert len(rows_of(line, assets)) == 2


def test_an_item_cancelled_meanwhile_is_not_released(line: Line):
    held = line.claimed(2)
    gone, kept = held.items
    with line.as_tenant("acme") as conn:
        cancel_item(conn, "acme", gone.id, "test")
    assert settled(line, held, all_released(held)) == {gone.id}
    assert line.states() == {ItemState.CANCELLED: 1, ItemState.RELEASED: 1}
    assert [row.item_id for row in rows_of(line, assets)] == [kept.id]
    assert [event.event["item_id"] for event in line.events("item.released")] == [kept.id]


def test_a_cancelled_member_needs_no_outcome(line: Line):
    held = line.claimed(2)
    with line.as_tenant("acme") as conn:
        cancel_item(conn, "acme", held.items[0].id, "test")
    assert settled(line, held, [released(held, held.items[1])]) == frozenset()


def test_a_batch_cancelled_as_a_whole_ends_with_an_event_of_its_own(line: Line):
    held = line.claimed(2)
    with line.as_tenant("acme") as conn:
        cancel_request(conn, "acme", held.items[0].request_id, "test")
    assert settled(line, held, []) == frozenset()
    assert line.batch(held.batch_id).state == BatchState.FINISHED
    assert line.kinds()[-1] == "batch.finished"


def test_no_member_may_be_forgotten(line: Line):
    held = line.claimed(2)
    with pytest.raises(Conflict, match=held.items[1].id):
        settled(line, held, [released(held, held.items[0])])
    assert line.states() == {ItemState.PLANNED: 2}
    assert line.batch(held.batch_id).state == BatchState.RUNNING
    assert rows_of(line, assets) == []


def test_rolled_back_the_batch_still_runs_and_the_ledger_knows_nothing(line: Line):
    held = line.claimed(2)
    with line.worker.connect() as conn:
        settle(conn, held, all_released(held))
        conn.rollback()
    assert line.states() == {ItemState.PLANNED: 2}
    assert line.kinds()[-1] == "batch.claimed"


def test_a_batch_costs_the_same_few_statements_whatever_its_size(line: Line):
    counts = []
    for size in (1, 8):
        held = line.claim(line.dispatch(line.submit("acme", size + 1)[:size]))  # its request goes on
        with statements(line.worker) as sent:
            settled(line, held, all_released(held))
        counts.append(len(sent))
    # Eleven for the batch; one each for budgets, the breaker, the sealer's refusal, and whether a request is over.
    assert counts[0] == counts[1] <= 15


def test_a_release_makes_the_delivery_of_its_request_due_and_announces_it_in_two_statements(line: Line):
    line.add_tenant("acme")
    bucket = NewTarget("shop", "https://s3.example.com", "auto", "shop", "", "a", "b", "list")
    with line.as_tenant("acme") as conn:
        wanted = NewDelivery(register(conn, "acme", bucket, actor="test"), "")
    counts = []
    for delivery in (None, wanted):
        held = line.claim(line.dispatch(line.submit("acme", 3, delivery=delivery)[:2]))  # its request goes on
        with line.owner.begin() as conn:
            conn.execute(file_deliveries.update().values(due_at=None))  # nothing was left to do
        with statements(line.worker) as sent:
            settled(line, held, all_released(held))
        counts.append(len(sent))
    (waiting,) = rows_of(line, file_deliveries)
    assert waiting.due_at is not None
    assert counts[1] == counts[0] + 2


def test_each_tenant_of_a_mixed_batch_reads_of_its_own_items(line: Line):
    mine, theirs = line.submit("acme", 1), line.submit("bolt", 1)
    held = line.claim(line.dispatch(mine + theirs))
    settled(line, held, all_released(held))
    told = {event.event["item_id"]: event.tenant for event in line.events("item.released")}
    assert told == {mine[0]: "acme", theirs[0]: "bolt"}
    assert {event.tenant for event in line.events() if event.kind.startswith("batch.")} == {SYSTEM_TENANT}


def test_a_settlement_wakes_the_planner(line: Line, database):
    held = line.claimed(1)
    with psycopg.connect(database.url("worker").replace("+psycopg", ""), autocommit=True) as listener:
        listener.execute(f"LISTEN {WAKE_CHANNEL}")
        settled(line, held, all_released(held))
        (woken,) = listener.notifies(timeout=60, stop_after=1)
    assert woken.payload == "gpu"


def test_raw_scores_are_kept_with_the_item(line: Line):
    """A later rule set can be replayed over history without the picture."""
    held = line.claimed(1)
    verdict = Verdict(ALLOW.policy_version, scores={"porn": 0.125})
    settled(line, held, [released(held, held.items[0], verdict=verdict)])
    with line.auditor.connect() as conn:
        stored = conn.execute(select(func.count()).select_from(assets)).scalar_one()
    assert (stored, line.item(held.items[0].id).verdict["scores"]) == (1, {"porn": 0.125})
