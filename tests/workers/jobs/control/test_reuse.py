"""Reuse: an item with the content of a released picture takes that picture, and what differs is drawn and told."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import ProgrammingError

from policy.ledger.erase import Why
from policy.marks.channels.channel import Channel
from policy.verdict import Decision, Finding, Stage, Verdict
from tests.support.line import POLICY, RECIPE, Line, new_item, new_request, released, rows, until_blocked
from workers.cost.limits import Limits
from workers.jobs.asset_views import list_assets
from workers.jobs.control.acceptance import look
from workers.jobs.control.budget import list_budgets, set_budget
from workers.jobs.control.usage import usage
from workers.jobs.privacy.erase import erase_items
from workers.jobs.recall.criteria import Criteria
from workers.jobs.recall.orders import order, withdraw
from workers.jobs.results import ResultFilter, bytes_of, results_page
from workers.jobs.settle import settle
from workers.jobs.submit import submit
from workers.jobs.tables import requests
from workers.jobs.types import NewPilot, new_id
from workers.jobs.views import get_item
from workers.recipes import Lora

_HELD_PROMPT = Verdict(POLICY, (Finding(Decision.HOLD, Stage.PROMPT, "brand", "list"),))
_SQUARE = Channel("square", 512, 512)


def drawn(line: Line, images: int = 3, **request: Any) -> list[str]:
    """Asset ids of a finished request, in row order."""
    held = line.claim(line.dispatch(line.submit("acme", images, **request)))
    outcomes = [released(held, item) for item in held.items]
    with line.worker.begin() as conn:
        settle(conn, held, outcomes)
    return [outcome.asset_id for outcome in outcomes]


def again(line: Line, images: int = 3, **request: Any) -> list[str]:
    return line.submit("acme", images, **({"reuse": True} | request))


def recalled(line: Line, asset_id: str) -> None:
    with line.as_tenant("acme") as conn:
        order(conn, "acme", Criteria(asset_id=asset_id), reason_code="rights", reason="x", actor="key:k")


def test_the_same_rows_again_are_there_at_once_and_cost_nothing(line: Line) -> None:
    line.add_tenant("acme")
    with line.as_tenant("acme") as conn:
        set_budget(conn, "acme", None, Limits(4), actor="key:k")
    assets = drawn(line)
    ids = again(line, new_items=rows(4))
    items = [line.item(id) for id in ids]
    request_id = items[0].request_id
    assert [(item.state, item.reused_asset_id, item.not_reused) for item in items] == [
        *(("released", asset, None) for asset in assets),
        ("pending", None, "new"),
    ]
    with line.as_tenant("acme") as conn:
        (budget,) = list_budgets(conn, "acme")
        (used,) = usage(conn, "acme", by="request", request_id=request_id)
        listed = list_assets(conn, "acme", request_id, limit=10)
        wanted = ResultFilter(request_id, states=("released",))
        results = results_page(conn, "acme", wanted, after=None, limit=10)
        size = bytes_of(conn, "acme", wanted)
    assert (budget.images_made, budget.images_reserved) == (3, 1)
    assert (used.made, used.reused) == (0, 3)
    assert [(one.id, one.item_id, one.request_id) for one in listed] == [
        (asset, id, request_id) for asset, id in zip(sorted(assets), sorted(ids[:3]), strict=True)
    ]
    assert [(one.id, len(one.files), one.cost) for one in results] == [(id, 1, 0.0) for id in ids[:3]]
    assert size == 3 * 1234
    told = line.events("item.reused")
    assert [one.event["asset_id"] for one in told] == assets
    assert {one.event["reason"] for one in told} == {"same_content"}
    assert "kettle" not in str(told)


def test_a_request_of_which_everything_is_there_is_finished_with_its_submission(line: Line) -> None:
    drawn(line)
    ids = again(line)
    with line.auditor.connect() as conn:
        phase = conn.scalar(select(requests.c.phase).where(requests.c.id == line.item(ids[0]).request_id))
    assert phase == "finished"
    assert line.events("request.finished")[-1].event["counts"] == {"released": 3}


@pytest.mark.parametrize(
    ("why", "item", "request_changes"),
    [
        ("new", {"prompt": "a blue kettle"}, {}),
        ("prompt", {"prompt": "a blue kettle", "differs": "prompt"}, {}),
        ("new", {"seed": 7}, {}),
        ("new", {"negative_prompt": "text"}, {}),
        ("new", {"recipe": replace(RECIPE, loras=(Lora("house", 0.8, "sha256:2"),))}, {}),
        ("new", {"recipe": replace(RECIPE, model_revision="sha256:" + "3" * 64)}, {}),
        ("renditions", {"renditions": ("original", "webp")}, {}),
        ("renditions", {}, {"channels": (_SQUARE,)}),
        ("renditions", {}, {"publish_prompt": True}),
        ("policy", {}, {"policy_version": "sha256:" + "9" * 64}),
        ("prompt held", {"verdict": _HELD_PROMPT}, {}),
        ("off", {}, {"reuse": False}),
    ],
)
def test_what_differs_is_drawn_and_the_item_says_why(line: Line, why: str, item: dict, request_changes: dict) -> None:
    drawn(line, 1)
    (id,) = again(line, new_items=[new_item(1, **item)], **request_changes)
    assert (line.item(id).state, line.item(id).not_reused) == ("pending", why)


def test_the_place_of_a_row_and_the_name_of_its_file_decide_nothing(line: Line) -> None:
    (asset,) = drawn(line, 1, channels=(_SQUARE,))
    row = new_item(9, prompt="a red kettle number 1", seed=1001, custom_id="other", file_suffix="-x", carried=("a",))
    (id,) = again(line, new_items=[row], channels=(replace(_SQUARE, file="{sku}.{ext}"),), name="autumn")
    assert line.item(id).reused_asset_id == asset


def test_another_tenant_draws_its_own(line: Line) -> None:
    drawn(line, 1)
    (id,) = line.submit("rival", 1, reuse=True)
    assert (line.item(id).state, line.item(id).not_reused) == ("pending", "new")


def test_a_recall_takes_the_items_that_reuse_the_picture_along(line: Line) -> None:
    asset, _ = drawn(line, 2)
    ids = again(line, 2)
    recalled(line, asset)
    (late,) = again(line, 1)
    assert line.item(late).not_reused == "recalled", "it is ordered, and not carried out yet"
    with line.database.engine("clerk").begin() as conn:
        withdraw(conn, 10)
    assert [line.item(id).state for id in ids] == ["recalled", "released"]
    (told,) = line.events("item.recalled")
    assert (told.event["item_id"], told.event["asset_id"]) == (ids[0], asset)
    with line.as_tenant("acme") as conn:
        wanted = ResultFilter(line.item(ids[0]).request_id)
        assert [len(one.files) for one in results_page(conn, "acme", wanted, after=None, limit=10)] == [0, 1]
        order(  # by the request that reuses it
            conn,
            "acme",
            Criteria(request_id=wanted.request_id),
            reason_code="rights",
            reason="x",
            actor="k",
            expected=1,
        )


def test_a_recall_of_the_same_moment_waits_and_finds_the_new_items(line: Line) -> None:
    (asset,) = drawn(line, 1)
    recalled(line, asset)
    with line.owner.begin() as conn:  # the order comes after the look at the asset
        conn.execute(text("delete from recall_assets"))
    wanted = new_request("acme", reuse=True)

    def carry_out() -> None:
        with line.database.engine("clerk").begin() as conn:
            withdraw(conn, 10)

    with line.as_tenant("acme") as conn:
        submit(conn, wanted, rows(1))
        with line.owner.begin() as owner:
            owner.execute(
                text(
                    "insert into recall_assets (asset_id, recall_id, tenant, state)"
                    " select a.id, r.id, a.tenant, 'ordered' from assets a, recalls r"
                )
            )
        clerk = threading.Thread(target=carry_out)
        clerk.start()
        until_blocked(line)
    clerk.join(60)
    assert line.states() == {"recalled": 2}


def test_an_asset_that_is_being_recalled_is_passed_over_without_waiting(line: Line) -> None:
    (asset,) = drawn(line, 1)
    recalled(line, asset)
    with line.database.engine("clerk").begin() as conn:
        withdraw(conn, 10)
        (id,) = again(line, 1)
    assert (line.item(id).state, line.item(id).not_reused) == ("pending", "recalled")


def test_two_requests_at_once_take_the_same_picture(line: Line) -> None:
    (asset,) = drawn(line, 1)
    with line.as_tenant("acme") as one, line.as_tenant("acme") as other:
        for conn in (one, other):
            submit(conn, new_request("acme", reuse=True), rows(1))
    assert line.states() == {"released": 3}
    assert [event.event["asset_id"] for event in line.events("item.reused")] == [asset] * 2


def test_an_erased_prompt_is_found_no_more_and_leaves_no_digest(line: Line) -> None:
    ids = line.submit("acme", 1)
    held = line.claim(line.dispatch(ids))
    with line.worker.begin() as conn:
        settle(conn, held, [released(held, held.items[0])])
    with line.database.engine("clerk").begin() as conn:
        erase_items(conn, ids, tenant="acme", why=Why(new_id(), "request", ""), comments=False)
    assert line.item(ids[0]).content_key is None
    (id,) = again(line, 1)
    assert line.item(id).state == "pending"


def test_a_pilot_whose_sample_is_there_waits_for_a_person_and_shows_it(line: Line) -> None:
    drawn(line, 2)
    sample = [new_item(n, sample=n <= 2) for n in range(1, 5)]
    ids = again(line, new_items=sample, pilot=NewPilot(images=2, max_rejected=0, sampled=2))
    request_id = line.item(ids[0]).request_id
    with line.as_tenant("acme") as conn:
        shown = look(conn, "acme", request_id)
        phase = conn.scalar(select(requests.c.phase).where(requests.c.id == request_id))
        assert get_item(conn, "acme", ids[0]).reused
    assert phase == "awaiting_acceptance"
    assert [len(one.sha256) for one in shown.items] == [1, 1]


def test_the_api_cannot_store_a_released_item_of_other_content(line: Line) -> None:
    (asset,) = drawn(line, 1)
    forged = """
        insert into items (id, request_id, tenant, "row", custom_id, variant, prompt, negative_prompt, carried,
          file_suffix, seed, recipe_id, queue, priority, state, verdict, settled_at, content_key, reused_asset_id)
        select gen_random_uuid(), request_id, tenant, 99, 'forged', 0, 'never screened', '', '{}', '', seed, recipe_id,
          queue, priority, 'released', verdict, now(), repeat('a', 48), :asset from items
    """
    with pytest.raises(ProgrammingError, match="row-level security"), line.as_tenant("acme") as conn:
        conn.execute(text(forged), {"asset": asset})
    assert line.states() == {"released": 1}
