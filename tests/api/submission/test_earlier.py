"""Rows that were sent before: told, kept where the spec says so, and the same picture where they are made again."""

from __future__ import annotations

from tests.support.campaigns import SPEC, Sent, settled_campaign, table
from tests.support.client import ApiTenant, campaign, problem

_TABLE = "sku,object,colour\nA,backpack,red\nB,car,green\nC,car,blue\n"
_SPEC = {"template": "a {colour} {object}", "key": "sku"}


def _warned(reply: dict, code: str = "sent_before") -> list[str]:
    return [warning["message"] for warning in reply["warnings"] if warning["code"] == code]


def test_the_same_file_again_is_told_with_its_request_and_gets_the_same_seeds(api: ApiTenant) -> None:
    caller = api.caller()
    first = campaign(caller, _TABLE, _SPEC).json()
    assert _warned(first) == []
    second = campaign(caller, _TABLE, _SPEC).json()
    assert _warned(campaign(caller, _TABLE, _SPEC, dry_run=True).json())
    (said,) = _warned(second)
    assert said.startswith(f"all 3 images were asked for before in request {first['id']}. They are the same pictures")
    seeds = [item.seed for item in api.items()]
    assert seeds[:3] == seeds[3:]
    assert len(set(seeds)) == 3


def test_one_changed_row_is_made_alone_and_the_reason_is_listed(api: ApiTenant) -> None:
    caller = api.caller()
    first = campaign(caller, _TABLE, _SPEC).json()
    changed = _TABLE.replace("C,car,blue", "C,car,navy\nD,lamp,red")
    (said,) = _warned(campaign(caller, changed, _SPEC, dry_run=True).json())
    assert "2 of 4 images were asked for before" in said
    assert "1 differ in prompt" in said
    answer = campaign(caller, changed, _SPEC, unchanged="keep").json()
    assert (answer["rows"], answer["items"], answer["kept_items"]) == (4, 2, 2)
    assert [(one["custom_id"], one["state"], one["request_id"]) for one in answer["kept"]] == [
        ("A", "pending", first["id"]),
        ("B", "pending", first["id"]),
    ]
    assert [(one["row"], one["custom_id"], one["reason"]) for one in answer["changed"]] == [
        (3, "C", "prompt"),
        (4, "D", "new"),
    ]
    assert [item.prompt for item in api.items()[3:]] == ["a navy car", "a red lamp"]


def test_a_file_without_a_change_makes_nothing_and_says_so(api: ApiTenant) -> None:
    caller = api.caller()
    campaign(caller, _TABLE, _SPEC)
    answer = campaign(caller, _TABLE, _SPEC, {"Idempotency-Key": "again"}, unchanged="keep")
    assert (answer.status_code, answer.json()["nothing_to_make"], answer.json()["kept_items"]) == (200, True, 3)
    again = campaign(caller, _TABLE, _SPEC, {"Idempotency-Key": "again"}, unchanged="keep")
    assert again.json() == answer.json()
    assert len(api.items()) == 3


def test_what_differs_in_options_seed_or_files_is_made(api: ApiTenant) -> None:
    caller = api.caller()
    campaign(caller, _TABLE, _SPEC)
    reasons = {
        "options": {"num_inference_steps": 3},
        "seed": {"seed": 7},
        "negative_prompt": {"negative_prompt": "text"},
        "new": {"renditions": ["webp"]},  # none of the earlier campaigns made that file
    }
    for reason, more in reasons.items():
        answer = campaign(caller, _TABLE, _SPEC, unchanged="keep", dry_run=True, **more).json()
        assert [one["reason"] for one in answer["changed"]] == [reason] * 3


def test_a_failed_row_is_made_again_and_a_released_one_is_kept_with_its_asset(api: ApiTenant) -> None:
    sent: Sent = settled_campaign(api)
    answer = campaign(sent.caller, table(), SPEC, unchanged="keep").json()
    assert {one["custom_id"]: (one["state"], one["asset_id"]) for one in answer["kept"]} == {
        "row-1": ("released", sent.released[0]),
        "row-2": ("released", sent.released[1]),
        "row-4": ("held", None),
        "row-5": ("pending", None),
    }
    assert [(one["custom_id"], one["reason"]) for one in answer["changed"]] == [("row-3", "failed")]


def test_rows_of_another_tenant_are_not_seen(api: ApiTenant) -> None:
    campaign(api.server.caller("another"), _TABLE, _SPEC)
    assert _warned(campaign(api.caller(), _TABLE, _SPEC).json()) == []


def test_a_row_that_is_refused_today_is_not_kept(api: ApiTenant) -> None:
    refused = _TABLE.replace("C,car,blue", "C,naked child,blue")
    campaign(api.caller(), refused, _SPEC)
    answer = campaign(api.caller(), refused, _SPEC, unchanged="keep").json()
    assert (answer["kept_items"], answer["items"], answer["refused_items"]) == (2, 1, 1)
    assert [(one["custom_id"], one["reason"]) for one in answer["changed"]] == [("C", "refused")]


def test_a_pilot_of_rows_of_which_some_are_kept_is_no_pilot(api: ApiTenant) -> None:
    answer = campaign(api.caller(), _TABLE, _SPEC, unchanged="keep", pilot={"images": 2})
    assert "a pilot is drawn from all rows" in problem(answer, 422, "invalid_body")["errors"][0]["message"]
