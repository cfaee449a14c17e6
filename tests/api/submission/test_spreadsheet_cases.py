"""Spreadsheets as people have them: each case of spreadsheet_cases.jsonl is submitted, and does the right thing.

Cases named S and a number came from the field; the others are of the same kinds. What stands in a case and is not
compared says nothing; `warnings` and `errors` are compared whole.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import ApiTenant, campaign

CASES = [
    json.loads(line) for line in Path(__file__).with_name("spreadsheet_cases.jsonl").read_text("utf-8").splitlines()
]
TEMPLATE = "a {colour} {product} on a white background"
_WORDS = {"unknown_words", "several_things", "colour_ignored"}  # of the shipped model, about its own goods
_MANY = range(240)
_FILLED = {
    "%LONG%": "x" * 5_007,
    "%COLUMNS%": "".join(f",c{n}" for n in _MANY),
    "%CELLS%": "".join(f",v{n}" for n in _MANY),
    "%ROWS%": "\n" + "dress,red,text\n" * 300,
    "%ROWS3%": "\n" + "".join(f"dress,red {n},3\n" for n in range(300)),
}


def _file(case: dict[str, Any]) -> bytes:
    text: str = case["file"]
    for mark, filled in _FILLED.items():
        text = text.replace(mark, filled)
    return text.encode(case.get("encoding", "utf-8"))


def _codes(found: list[dict[str, Any]], case: dict[str, Any]) -> list[str]:
    codes = [one["code"] for one in found]
    named = set(case["warnings"])
    return [code for code in codes if code in named or code not in _WORDS]


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_a_case_does_the_right_thing(api: ApiTenant, case: dict[str, Any]) -> None:
    spec = {"template": case.get("template", TEMPLATE), **case.get("spec", {})}
    caller = api.caller()
    answer = campaign(caller, _file(case), spec)
    document = answer.json()
    if "errors" in case:
        assert answer.status_code == 422, document
        found = sorted({(e["code"], e.get("row"), e.get("column")) for e in document["errors"]}, key=str)
        assert found == sorted(map(tuple, case["errors"]), key=str)
        for column, count in case.get("counts", {}).items():
            assert [e["count"] for e in document["errors"] if e["column"] == column] == [count]
        assert api.stored() == 0
    else:
        assert answer.status_code == 202, document
        assert _codes(document["warnings"], case) == case["warnings"], document["warnings"]
        for code, rows in case.get("rows_of", {}).items():
            assert next(w["rows"] for w in document["warnings"] if w["code"] == code) == rows
        _compare_items(api, case)
        if "sizes" in case:
            made = [item["recipe"] for item in caller.get(document["links"]["items"]).json()["data"]]
            assert [[recipe["width"], recipe["height"]] for recipe in made] == case["sizes"]
        assert document["left_out_rows"] == case.get("left_out", document["left_out_rows"])
    assert case.get("said", "") in json.dumps(document, ensure_ascii=False)


def _compare_items(api: ApiTenant, case: dict[str, Any]) -> None:
    items = api.items()
    stored = {
        "prompts": [item.prompt for item in items],
        "ids": [item.custom_id for item in items],
        "negative": [item.negative_prompt for item in items],
        "seeds": [item.seed for item in items],
        "priorities": [str(item.priority) for item in items],
    }
    for name, values in stored.items():
        assert values == case.get(name, values), name
