"""Errors of a campaign name row, column or field, and nothing of the campaign is stored."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.client import GOOD, SPEC, ApiTenant, campaign, places, problem
from workers.recipes import MAX_SEED


@pytest.mark.parametrize(
    ("table", "code", "row", "column"),
    [
        ("object,colour\n", "no_rows", None, None),
        ("", "no_header", None, None),
        ("object,colour\ncar,red,big\n", "cell_count", 1, None),
        ("object,colour\ncar\n", "empty_value", 1, "colour"),
        ("object,colour\ncar,\n", "empty_value", 1, "colour"),
        ("object,colour\ncar,  \n", "empty_value", 1, "colour"),
        ("object,colour\ncar,r\0d\n", "nul", 1, "colour"),
        ("object,colour\ncar," + "x" * 4_001 + "\n", "cell_too_long", 1, "colour"),
        ("object,colour\ncar," + "x" * 2_001 + "\n", "prompt_too_long", 1, "colour"),
        ("object,colour,width\ncar,red,1024 \n", "not_a_number", 1, "width"),
        ("object,colour,width\ncar,red,-1\n", "not_a_number", 1, "width"),
        ("object,colour,width\ncar,red,1e3\n", "not_a_number", 1, "width"),
        ("object,colour,width\ncar,red,٣\n", "not_a_number", 1, "width"),
        ("object,colour,width\ncar,red,0\n", "model_limit", 1, "width"),
        ("object,colour,width\ncar,red,9999999\n", "model_limit", 1, "width"),
        ("object,colour,width\ncar,red,100\n", "model_limit", 1, "width"),
        ("object,colour,height\ncar,red,10001\n", "model_limit", 1, "height"),
        ("object,colour,num_inference_steps\ncar,red,51\n", "model_limit", 1, "num_inference_steps"),
        ("object,colour,num_inference_steps\ncar,red,101\n", "too_many_steps", 1, "num_inference_steps"),
        ("object,colour,guidance_scale\ncar,red,inf\n", "not_a_number", 1, "guidance_scale"),
        ("object,colour,guidance_scale\ncar,red,NaN\n", "not_a_number", 1, "guidance_scale"),
        ("object,colour,guidance_scale\ncar,red,99\n", "model_limit", 1, "guidance_scale"),
        ("object,colour,seed\ncar,red,9223372036854775808\n", "not_a_number", 1, "seed"),
        (f"object,colour,seed\ncar,red,{MAX_SEED + 1}\n", "seed_too_large", 1, "seed"),
        ("object,colour,custom_id\ncar,red,a\ncar,red,a\n", "duplicate_custom_id", 2, "custom_id"),
        ("object,colour,custom_id\ncar,red,row-2\ncar,red,\n", "duplicate_custom_id", 2, "custom_id"),
        ("object,colour,custom_id\ncar,red," + "a" * 129 + "\n", "custom_id", 1, "custom_id"),
        ('object,colour,custom_id\ncar,red,"a\nb"\n', "custom_id", 1, "custom_id"),
        ("object,colour,negative_prompt\ncar,red," + "x" * 2_001 + "\n", "prompt_too_long", 1, "negative_prompt"),
        ('object,colour\ncar,"red\n', "quoting", None, None),
    ],
)
def test_a_wrong_cell_is_named_by_row_and_column_and_nothing_is_stored(
    api: ApiTenant, table: str, code: str, row: int | None, column: str | None
) -> None:
    document = problem(campaign(api.caller(), table), 422, "invalid_campaign")
    assert (code, row, column) in places(document)
    assert api.stored() == 0


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"template": "a {object.__class__}"}, "template", "template"),
        ({"template": "a {object"}, "template", "template"),
        ({"template": "a {shape}"}, "unknown_placeholder", "shape"),
        ({"template": "   "}, "empty_prompt", "template"),
        ({"width": 10001}, "model_limit", "width"),
        ({"variants": 17}, "too_many_variants", "variants"),
        ({"seed": MAX_SEED, "variants": 2}, "seed_too_large", "seed"),
        ({"scheduler": "PNDMScheduler"}, "model_limit", "scheduler"),
    ],
)
def test_what_is_wrong_with_the_spec_is_said_once_and_not_for_every_row(
    api: ApiTenant, changes: dict[str, Any], code: str, field: str | None
) -> None:
    document = problem(campaign(api.caller(), spec={**SPEC, **changes}), 422, "invalid_campaign")
    found = [(error["code"], error.get("field") or error.get("column")) for error in document["errors"]]
    assert found.count((code, field)) == 1


@pytest.mark.parametrize(
    ("spec", "status", "code", "field"),
    [
        ("", 422, "invalid_body", "body"),
        ("[]", 422, "invalid_body", "body"),
        ("{}", 422, "invalid_campaign", "template"),
        ('{"template": "a", "templat": "b"}', 422, "invalid_body", "templat"),
        ('{"template": "a", "template": "b"}', 422, "invalid_body", "body"),
        ('{"template": "a", "variants": "2"}', 422, "invalid_body", "variants"),
        ('{"template": "a", "variants": 0}', 422, "invalid_body", "variants"),
        ('{"template": "a", "guidance_scale": NaN}', 422, "invalid_body", "body"),
        ('{"template": "a", "guidance_scale": 1e400}', 422, "invalid_body", "body"),
        ('{"template": "a", "priority": "now"}', 422, "invalid_body", "priority"),
        ('{"template": "a", "delimiter": "#"}', 422, "invalid_body", "delimiter"),
        ('{"template": "a", "metadata": {"a": {"b": 1}}}', 422, "invalid_body", "metadata"),
        ('{"template": "a", "model": "startr"}', 422, "model_missing", "model"),
    ],
)
def test_a_wrong_spec_is_named_by_its_field(api: ApiTenant, spec: str, status: int, code: str, field: str) -> None:
    document = problem(campaign(api.caller(), spec=spec), status, code)
    assert field in [error["field"] for error in document["errors"]]


def test_unknown_names_are_told_their_nearest_neighbour(api: ApiTenant) -> None:
    caller = api.caller()
    typo = problem(campaign(caller, spec='{"template": "a", "varients": 2}'), 422, "invalid_body")
    assert "Did you mean 'variants'?" in typo["errors"][0]["remedy"]
    model = problem(campaign(caller, model="studo"), 422, "model_missing")
    assert "Did you mean 'studio'?" in model["errors"][0]["remedy"]


@pytest.mark.parametrize(
    "parts",
    [
        {"files": {"file": ("a.csv", GOOD)}},
        {"files": {"spec": (None, "{}")}},
        {"data": {"spec": "{}", "file": "object\ncar\n"}, "files": {"x": ("x", b"")}},
        {"data": {"spec": ["{}", "{}"]}, "files": {"file": ("a.csv", GOOD)}},
        {"data": {"spec": "{}", "note": "x"}, "files": {"file": ("a.csv", GOOD)}},
        {"files": {"spec": ("spec.json", "{}"), "file": (None, "object\ncar\n")}},
    ],
)
def test_a_campaign_has_exactly_its_two_parts(api: ApiTenant, parts: dict[str, Any]) -> None:
    document = problem(api.caller().post("/v1/campaigns", **parts), 422, "invalid_body")
    assert document["errors"][0]["code"] == "parts"
