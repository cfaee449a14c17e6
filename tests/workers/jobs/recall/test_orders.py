"""Recalls: what an order covers, what it changes, what the clerk does, and where it may die."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, text

from tests.support.line import RECIPE, Line, new_item
from tests.support.recalls import REASON, Recalling, files_of, keys_of, picture
from workers.clerk import recalls
from workers.errors import Conflict
from workers.jobs.recall.criteria import Criteria
from workers.jobs.recall.orders import order
from workers.jobs.recall.tables import recalls as orders
from workers.jobs.recall.views import marks_of
from workers.store import ObjectStore


@pytest.fixture
def recalling(line: Line, settings_for: Any, s3: Any) -> Recalling:
    return Recalling(line, settings_for, s3)


def test_an_order_is_carried_out_to_the_end(recalling: Recalling) -> None:
    line = recalling.line
    made = recalling.release(3, names=("original", "web"))
    recall_id = recalling.order(Criteria(model=RECIPE.model))
    assert recalling.recall(recall_id).ordered == 3
    recalling.carry_out()
    view = recalling.recall(recall_id)
    assert (view.assets, view.moved, view.ordered, view.recalled, view.missing) == (3, 3, 0, 0, 0)
    assert view.finished_at is not None
    assert set(recalling.states().values()) == {"recalled"}
    assert line.states() == {"recalled": 3}
    assert recalling.objects("released") == set()
    assert recalling.objects("recalled") == {key.replace("released/", "recalled/") for key in keys_of(made)}
    (ordered,) = line.events("recall.ordered")
    assert (ordered.event["assets"], ordered.event["criteria"], ordered.actor) == (3, {"model": "studio"}, "key:test")
    assert REASON["reason"] not in str(ordered.event), "private text is not in the bytes"
    told = {event.event["asset_id"]: event for event in line.events("asset.recalled")}
    assert set(told) == {outcome.asset_id for outcome in made}
    for outcome in made:
        event = told[outcome.asset_id]
        assert event.event["sha256"] == sorted(file.sha256 for file in outcome.renditions)
        assert (event.event["recall_id"], event.event["reason_code"]) == (recall_id, "licence")
        assert {f"asset:{outcome.asset_id}", f"recall:{recall_id}"} <= set(event.subjects)
    assert [event.event for event in line.events("recall.finished")] == [
        {"recall_id": recall_id, "assets": 3, "missing": 0}
    ]


def test_a_link_given_before_dies_with_its_object(recalling: Recalling) -> None:
    made = recalling.release(2)
    store = ObjectStore(recalling.settings_for("api"))
    links = {file.key: store.presign(file.key, 900) for file in files_of(made)}
    assert [httpx.get(url).content for url in links.values()] == [picture(key) for key in links]
    recalling.order(Criteria(asset_id=made[0].asset_id))
    recalling.carry_out()
    assert [httpx.get(url).status_code for url in links.values()] == [404, 200]
    moved = store.presign(made[0].renditions[0].key.replace("released/", "recalled/"), 900)
    assert httpx.get(moved).status_code == 403, "the API's identity signs nothing that opens the place of recalls"


def test_nothing_is_lost_the_copy_holds_the_very_bytes(recalling: Recalling) -> None:
    (made,) = recalling.release(1)
    recalling.order(Criteria(asset_id=made.asset_id))
    recalling.carry_out()
    key = made.renditions[0].key
    kept = recalling.s3.client("clerk").get_object(Bucket=recalling.s3.bucket, Key=recalls.recalled_key(key))
    assert kept["Body"].read() == picture(key)


def test_an_order_covers_what_was_released_up_to_its_moment_and_counts_the_rest(recalling: Recalling) -> None:
    recalling.release(1)
    first = recalling.order(Criteria(model="studio"))
    (late,) = recalling.release(1)
    recalling.carry_out()
    assert recalling.states()[late.asset_id] == "released"
    assert recalling.recall(first).assets == 1
    recalling.order(Criteria(model="studio"), expected=1)
    recalling.carry_out()
    assert set(recalling.states().values()) == {"recalled"}


def test_an_asset_is_recalled_once_however_many_orders_mean_it(recalling: Recalling) -> None:
    made = recalling.release(2)
    recalling.order(Criteria(asset_id=made[0].asset_id))
    second = recalling.order(Criteria(model="studio"))
    recalling.carry_out()
    assert recalling.recall(second).assets == 1
    assert len(recalling.line.events("asset.recalled")) == 2
    with pytest.raises(Conflict, match="nothing was ordered"):
        recalling.order(Criteria(model="studio"))
    assert len(recalling.line.events("recall.ordered")) == 2


def test_another_number_than_expected_orders_nothing(recalling: Recalling) -> None:
    recalling.release(2, stored=False)
    with pytest.raises(Conflict, match="2 assets match now, not 3"):
        recalling.order(Criteria(model="studio"), expected=3)
    with recalling.line.auditor.connect() as conn:
        assert conn.execute(select(func.count()).select_from(orders)).scalar_one() == 0
    assert recalling.preview(Criteria(model="studio")).released == 2


def test_an_order_of_one_tenant_leaves_the_others_pictures_alone(recalling: Recalling) -> None:
    mine, theirs = recalling.release(1), recalling.release(1, tenant="bolt")
    recalling.order(Criteria(model="studio"))
    recalling.carry_out()
    assert recalling.states() == {mine[0].asset_id: "recalled", theirs[0].asset_id: "released"}
    with pytest.raises(Conflict):
        recalling.order(Criteria(asset_id=theirs[0].asset_id))
    assert {event.tenant for event in recalling.line.events("asset.recalled")} == {"acme"}


def test_from_the_order_on_the_asset_is_marked_for_its_tenant_only(recalling: Recalling) -> None:
    (made,) = recalling.release(1)
    recall_id = recalling.order(Criteria(asset_id=made.asset_id))
    with recalling.line.as_tenant("acme") as conn:
        mark = marks_of(conn, "acme", [made.asset_id])[made.asset_id]
    assert (mark.recall_id, mark.reason_code, mark.recalled_at) == (recall_id, "licence", None)
    with recalling.line.as_tenant("bolt") as conn:
        assert marks_of(conn, "acme", [made.asset_id]) == {}, "row-level security answers with nothing"
    recalling.carry_out()
    with recalling.line.as_tenant("acme") as conn:
        assert marks_of(conn, "acme", [made.asset_id])[made.asset_id].recalled_at is not None


def test_rolled_back_nothing_was_ordered(recalling: Recalling) -> None:
    recalling.release(1, stored=False)
    with recalling.line.api.connect() as conn:
        conn.execute(text("select set_config('presswork.tenant', 'acme', true)"))
        order(conn, "acme", Criteria(model="studio"), actor="key:test", **REASON)
        conn.rollback()
    assert recalling.line.events("recall.ordered") == []
    assert recalling.carry_out() == 0


class Died(BaseException):
    """The process ends here; nothing after this line runs."""


@pytest.mark.parametrize("point", ["withdrawn", "removing", "moved"])
def test_a_clerk_that_dies_anywhere_is_made_up_for_by_the_next(recalling: Recalling, point: str) -> None:
    made = recalling.release(3, names=("original", "web"))
    recall_id = recalling.order(Criteria(model="studio"))

    def die(at: str, _: object) -> None:
        if at == point:
            raise Died

    with pytest.raises(Died):
        recalls.run_once(recalling.context(die))
    # Whatever it had done: the record says recalled, and every object is in one place at least.
    assert set(recalling.states().values()) == {"recalled"}
    here, there = recalling.objects("released"), recalling.objects("recalled")
    assert {key for key in keys_of(made) if key not in here and recalls.recalled_key(key) not in there} == set()
    recalling.carry_out()
    assert recalling.objects("released") == set()
    assert recalling.objects("recalled") == {recalls.recalled_key(key) for key in keys_of(made)}
    assert len(recalling.line.events("asset.recalled")) == 3
    assert len(recalling.line.events("recall.finished")) == 1
    assert (recalling.recall(recall_id).moved, recalling.recall(recall_id).missing) == (3, 0)


def test_two_clerks_share_an_order(recalling: Recalling) -> None:
    recalling.release(3)
    recall_id = recalling.order(Criteria(model="studio"))
    one, other = recalling.context(), recalling.context()

    def meanwhile(at: str, _: object) -> None:
        if at == "removing":
            recalls.run_once(other)

    recalling.carry_out(recalling.context(meanwhile))
    recalling.carry_out(one)
    assert len(recalling.line.events("asset.recalled")) == 3
    assert (recalling.recall(recall_id).moved, recalling.recall(recall_id).missing) == (3, 0)
    assert len(recalling.objects("recalled")) == 3


def test_a_lost_object_is_counted_and_holds_nothing_up(recalling: Recalling) -> None:
    made = recalling.release(2)
    recalling.s3.client().delete_object(Bucket=recalling.s3.bucket, Key=made[0].renditions[0].key)
    recall_id = recalling.order(Criteria(model="studio"))
    recalling.carry_out()
    view = recalling.recall(recall_id)
    assert (view.moved, view.missing, view.finished_at is not None) == (2, 1, True)
    assert recalling.member(made[0].asset_id).missing


def test_altered_bytes_are_taken_out_of_reach_as_they_are(recalling: Recalling) -> None:
    (made,) = recalling.release(1)
    key = made.renditions[0].key
    recalling.s3.client().put_object(Bucket=recalling.s3.bucket, Key=key, Body=b"others")
    recalling.order(Criteria(model="studio"))
    recalling.carry_out()
    kept = recalling.s3.client().get_object(Bucket=recalling.s3.bucket, Key=recalls.recalled_key(key))
    assert (recalling.objects("released"), kept["Body"].read()) == (set(), b"others")


def test_a_forged_member_stops_no_other(recalling: Recalling) -> None:
    """The API's role, taken over, writes another tenant's asset into an order of its own tenant."""
    (mine,), (theirs,) = recalling.release(1), recalling.release(1, tenant="bolt")
    recall_id = recalling.order(Criteria(asset_id=mine.asset_id))
    with recalling.line.as_tenant("acme") as conn:
        forged = "insert into recall_assets (asset_id, recall_id, tenant, state) values (:a, :r, 'acme', 'ordered')"
        conn.execute(text(forged), {"a": theirs.asset_id, "r": recall_id})
    recalling.carry_out()
    assert recalling.states() == {mine.asset_id: "recalled", theirs.asset_id: "released"}
    assert [event.event["asset_id"] for event in recalling.line.events("asset.recalled")] == [mine.asset_id]
    assert recalling.objects("released") == keys_of([theirs])


def test_ten_steps_of_assets_go_step_by_step(recalling: Recalling, monkeypatch: pytest.MonkeyPatch) -> None:
    """In bounded steps, each of them one transaction; the record is complete and adds up."""
    line, steps, step = recalling.line, 10, 6  # a step has two hundred otherwise
    monkeypatch.setattr(recalls, "_STEP", step)
    for n in range(3):
        recalling.release(0, stored=False, new_items=[new_item(row) for row in range(1, 21)], name=f"part {n}")
    recall_id = recalling.order(Criteria(model="studio"), expected=steps * step)
    clerk = recalling.context()
    recalls.run_once(clerk)
    assert sorted(recalling.states().values()).count("recalled") == step
    recalling.carry_out(clerk)
    view = recalling.recall(recall_id)
    assert (view.moved, view.finished_at is not None) == (steps * step, True)
    assert line.states() == {"recalled": steps * step}
    told = [event.event["asset_id"] for event in line.events("asset.recalled")]
    assert len(told) == len(set(told)) == steps * step
