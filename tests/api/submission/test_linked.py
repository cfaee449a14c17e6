"""Linked runs: corrected rows name the earlier request, and only what changed is made."""

from __future__ import annotations

import json

from tests.support.campaigns import ROWS, SPEC, settled_campaign, table
from tests.support.client import ApiTenant, campaign, problem


def test_corrected_rows_are_a_run_of_their_own_that_names_its_parent(api: ApiTenant) -> None:
    sent = settled_campaign(api)  # two released, one failed, one held, one waits
    corrected = [*ROWS[:4], ["../../x", "sheep", "@me", "M"]]
    answer = campaign(sent.caller, table(corrected), SPEC, parent=sent.id).json()
    assert [(one["custom_id"], one["reason"]) for one in answer["changed"]] == [
        ("row-3", "failed"),
        ("row-5", "prompt"),
    ]
    assert {one["custom_id"] for one in answer["kept"]} == {"row-1", "row-2", "row-4"}
    shown = sent.caller.get(f"/v1/requests/{answer['id']}").json()
    assert (shown["parent_id"], shown["items"]) == (sent.id, 2)
    listed = {one["id"]: one["parent_id"] for one in sent.caller.get("/v1/requests").json()["data"]}
    assert listed == {answer["id"]: sent.id, sent.id: None}
    assert [event.event["parent_id"] for event in api.events("request.accepted")] == [None, sent.id]
    template = {**SPEC, "template": "a photo of {object}"}  # of a grandchild: all prompts differ, whatever the template
    again = campaign(sent.caller, table(corrected), template, parent=answer["id"]).json()
    assert {one["reason"] for one in again["changed"]} == {"prompt"}


def test_a_run_may_store_all_its_rows(api: ApiTenant) -> None:
    sent = settled_campaign(api)
    answer = campaign(sent.caller, table(), SPEC, parent=sent.id, unchanged="make").json()
    assert (answer["items"], answer["kept_items"]) == (5, 0)


def test_a_parent_of_another_tenant_or_of_no_form_is_refused(api: ApiTenant) -> None:
    theirs = campaign(api.server.caller("another"), table(), SPEC).json()["id"]
    caller = api.caller()
    problem(campaign(caller, table(), SPEC, parent=theirs), 404, "not_found")
    problem(campaign(caller, table(), SPEC, parent=theirs, dry_run=True), 404, "not_found")
    refused = problem(campaign(caller, table(), SPEC, parent="the first one"), 422, "invalid_body")
    assert "parent" in json.dumps(refused["errors"])
    assert api.stored() == 0
