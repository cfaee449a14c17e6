"""Renditions of a row: the files of its images, where it asks for others than its request."""

from __future__ import annotations

from tests.support.client import ApiTenant, campaign, problem
from tests.support.line import LEASE
from workers.jobs.claim import claim
from workers.jobs.dispatch import dispatch

_TABLE = 'id,object,Renditions\nA,car,webp\nB,lamp,\nC,sofa,"JPEG, avif"\nD,box,original jpeg\n'
_SPEC = {"template": "a {object}", "renditions": ["jpeg"]}


def test_a_worker_makes_the_files_that_the_row_asks_for(api: ApiTenant) -> None:
    answer = campaign(api.caller(), _TABLE, _SPEC)
    assert "column_taken" in [warning["code"] for warning in answer.json()["warnings"]]
    items = api.items()
    assert [item.renditions for item in items] == [["original", "webp"], None, ["original", "jpeg", "avif"], None]
    line = api.server.line
    with line.worker.begin() as conn:
        ids = [item.id for item in items]
        batch_id = dispatch(conn, "gpu", items[0].recipe_id, ids, lease=LEASE, claims_allowed=2)
        held = claim(conn, str(batch_id), LEASE, "worker-1")
    assert held is not None
    assert [item.renditions for item in held.items] == [
        ("original", "webp"),
        ("original", "jpeg"),
        ("original", "jpeg", "avif"),
        ("original", "jpeg"),
    ]


def test_an_unknown_rendition_is_named_with_its_row_and_column(api: ApiTenant) -> None:
    answer = campaign(api.caller(), "id,object,renditions\nA,car,jpeg\nB,lamp,tiff\n", _SPEC)
    (error,) = problem(answer, 422, "invalid_campaign")["errors"]
    assert (error["code"], error["row"], error["column"]) == ("not_a_choice", 2, "renditions")
    assert "there is no rendition 'tiff'; there are original, jpeg, webp, avif" in error["message"]
    assert "`ignore_columns`" in error["remedy"]


def test_files_of_rows_with_other_renditions_are_told_apart_by_name(api: ApiTenant) -> None:
    table = "sku,object,renditions\nx,car,webp\nX,lamp,jpeg\nx,sofa,webp\n"
    campaign(api.caller(), table, {**_SPEC, "file": "{sku}.{ext}", "renditions": ["original"]})
    assert [bool(item.file_suffix) for item in api.items()] == [False, True, True]  # each has an original too


def test_a_row_that_asks_for_other_files_than_before_is_not_kept(api: ApiTenant) -> None:
    caller = api.caller()
    campaign(caller, _TABLE, _SPEC)
    answer = campaign(caller, _TABLE.replace("A,car,webp", "A,car,avif"), _SPEC, unchanged="keep").json()
    assert [(one["custom_id"], one["reason"]) for one in answer["changed"]] == [("A", "renditions")]
    assert answer["kept_items"] == 3
