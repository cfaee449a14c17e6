"""submit: a request with all its items, or nothing."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from tests.support.line import (
    HOLD,
    KEY_ID,
    POLICY,
    RECIPE,
    REFUSE,
    Line,
    new_item,
    new_request,
    rows,
    statements,
)
from workers.jobs.submit import Submitted, submit
from workers.jobs.tables import items, recipes, requests
from workers.recipes import Recipe
from workers.states import WAKE_CHANNEL, ItemState


def test_a_request_is_stored_with_its_items_and_one_event(line: Line):
    line.add_tenant("acme")
    wanted = new_request("acme", metadata={"season": "spring"})
    with line.as_tenant("acme") as conn:
        assert submit(conn, wanted, rows(3)) == Submitted(items=3, refused=0)
    with line.auditor.connect() as conn:
        request = conn.execute(select(requests)).one()
        stored = conn.execute(select(items).order_by(items.c.id)).all()
    assert (request.id, request.tenant, request.item_count) == (wanted.id, "acme", 3)
    assert request.metadata == {"season": "spring"}
    assert [(row.row, row.custom_id, row.seed, row.state) for row in stored] == [
        (n, f"row-{n}", 1000 + n, ItemState.PENDING) for n in (1, 2, 3)
    ]
    (accepted,) = line.events()
    assert (accepted.kind, accepted.tenant, accepted.actor) == ("request.accepted", "acme", f"key:{KEY_ID}")
    assert accepted.subjects == [f"request:{wanted.id}"]
    assert (accepted.event["items"], accepted.event["policy_version"]) == (3, POLICY)


def test_what_is_not_known_yet_is_null_and_not_a_json_null(line: Line):
    (item_id,) = line.submit("acme", 1)
    with line.auditor.connect() as conn:
        unknown = conn.execute(
            text("select verdict is null, reason is null, settled_at is null, batch_id is null from items")
        ).one()
    assert tuple(unknown) == (True, True, True, True)
    assert line.item(item_id).verdict is None


def test_an_item_whose_prompt_is_refused_is_settled_at_once_with_its_reason(line: Line):
    bad = new_item(2, prompt="something forbidden", verdict=REFUSE)
    ok, refused = line.submit("acme", 2, new_items=[new_item(1), bad])
    assert line.item(ok).state == ItemState.PENDING
    row = line.item(refused)
    assert row.state == ItemState.REFUSED
    assert row.verdict == REFUSE.to_json()
    assert row.settled_at is not None
    (event,) = line.events("item.refused")
    assert f"item:{refused}" in event.subjects
    assert event.event["verdict"] == REFUSE.to_json()
    assert event.event["batch_id"] is None
    assert line.events("request.accepted")[0].event["refused"] == 1


def test_a_prompt_that_a_person_should_see_is_made_first(line: Line):
    (item_id,) = line.submit("acme", 1, new_items=[new_item(1, verdict=HOLD)])
    assert line.item(item_id).state == ItemState.PENDING


def test_prompts_never_stand_in_the_hashed_body(line: Line):
    line.submit("acme", 1, new_items=[new_item(1, prompt="a very private thought", verdict=REFUSE)])
    assert "private thought" not in json.dumps([event.event for event in line.events()])
    with line.auditor.connect() as conn:
        assert "a very private thought" in conn.scalars(text("select value from audit.private")).all()


def test_a_request_without_items_is_refused_and_leaves_nothing(line: Line):
    line.add_tenant("acme")
    with pytest.raises(ValueError, match="at least one item"), line.as_tenant("acme") as conn:
        submit(conn, new_request("acme"), [])
    assert line.kinds() == []


def test_killed_before_its_commit_a_submission_never_was(line: Line):
    line.add_tenant("acme")
    with line.api.connect() as conn:
        conn.execute(text("select set_config('presswork.tenant', 'acme', true)"))
        submit(conn, new_request("acme"), rows(3))
        conn.rollback()
    assert line.states() == {}
    assert line.kinds() == []


def test_a_bad_row_anywhere_leaves_nothing(line: Line):
    """Row 1,200 repeats a custom_id of row 1: the chunks before it go as well."""
    line.add_tenant("acme")
    spreadsheet = [*rows(1199), new_item(1200, custom_id="row-1")]
    with pytest.raises(IntegrityError), line.as_tenant("acme") as conn:
        submit(conn, new_request("acme"), spreadsheet)
    assert line.states() == {}
    assert line.kinds() == []


def test_a_large_spreadsheet_streams_through_in_few_statements(line: Line):
    line.add_tenant("acme")
    pulled: list[int] = []
    unsaved: list[int] = []

    def spreadsheet():
        for item in rows(2500):
            pulled.append(item.row)
            yield item

    with line.as_tenant("acme") as conn, statements(line.api) as sent:
        submit(conn, new_request("acme"), spreadsheet())
        unsaved.append(len(pulled) - conn.execute(select(func.count()).select_from(items)).scalar_one())
    assert unsaved == [0]
    assert len([s for s in sent if "insert into items" in s]) == 3, "a statement a thousand rows"
    assert len(sent) < 15
    assert line.states() == {ItemState.PENDING: 2500}


def test_ids_follow_the_rows_so_that_pages_and_batches_do_too(line: Line):
    ids = line.submit("acme", 50)
    assert ids == sorted(ids)


def test_a_recipe_is_stored_once_however_many_requests_name_it(line: Line):
    line.submit("acme", 3)
    line.submit("bolt", 2)
    with line.worker.connect() as conn:
        stored = conn.execute(select(recipes)).all()
    assert [row.id for row in stored] == [RECIPE.id]
    assert Recipe.from_json(stored[0].recipe) == RECIPE


def test_a_long_import_keeps_nobody_waiting_who_needs_the_same_recipe(line: Line):
    """Half a spreadsheet is in when another tenant submits with a recipe that neither had before."""
    line.add_tenant("acme")
    line.add_tenant("bolt")

    def spreadsheet():
        yield from rows(1001)
        with ThreadPoolExecutor() as threads:
            assert len(threads.submit(line.submit, "bolt", 1).result(timeout=60)) == 1

    with line.as_tenant("acme") as conn:
        submit(conn, new_request("acme"), spreadsheet())
    assert line.states() == {ItemState.PENDING: 1002}


def test_the_planner_is_woken_at_the_commit_and_not_before(line: Line, database):
    line.add_tenant("acme")
    url = database.url("worker").replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(url, autocommit=True) as listener:
        listener.execute(f"LISTEN {WAKE_CHANNEL}")
        with line.as_tenant("acme") as conn:
            submit(conn, new_request("acme"), rows(1))
            assert list(listener.notifies(timeout=0)) == []
        (woken,) = listener.notifies(timeout=60, stop_after=1)
    assert woken.payload == "gpu"
