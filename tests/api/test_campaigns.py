"""Campaigns: checked whole, stored whole or not at all, with errors a person can act on."""

from __future__ import annotations

import csv
import io
import json
import tempfile
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from api.schemas.requests import CampaignBody
from api.submission.campaign import Campaign
from api.submission.pictures.rows import RowPictures
from api.submission.recipes import RecipeBook
from tests.support.client import GOOD, SPEC, ApiServer, ApiTenant, campaign, places, problem
from workers.recipes import MAX_SEED, seed_for


def test_a_campaign_becomes_rows_times_variants_in_the_order_of_the_file(api: ApiTenant) -> None:
    answer = campaign(api.caller(), variants=2, name="spring", metadata={"ticket": 7})
    accepted = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == accepted["links"]["request"] == f"/v1/requests/{accepted['id']}"
    assert {name: accepted[name] for name in ("kind", "name", "priority", "rows", "items", "refused_items")} == {
        "kind": "campaign",
        "name": "spring",
        "priority": "standard",
        "rows": 2,
        "items": 4,
        "refused_items": 0,
    }
    assert [(i.row, i.custom_id, i.variant, i.prompt, i.state) for i in api.items()] == [
        (1, "row-1", 0, "a red backpack on a white background", "pending"),
        (1, "row-1", 1, "a red backpack on a white background", "pending"),
        (2, "row-2", 0, "a green car on a white background", "pending"),
        (2, "row-2", 1, "a green car on a white background", "pending"),
    ]
    assert [i.seed for i in api.items()] == [
        seed_for(api.items()[0].recipe_id, f"row-{row}", variant) for row in (1, 2) for variant in (0, 1)
    ]


def test_reserved_columns_override_the_spec_and_empty_cells_do_not(api: ApiTenant) -> None:
    table = (
        "id,object,width,height,num_inference_steps,guidance_scale,seed,negative_prompt\n"
        "sku 7,car,64,72,4,2.5,11,blurry\n"
        ",car,,,,,,\n"
    )
    caller = api.caller()
    accepted = campaign(caller, table, {"template": "a {object}", "variants": 2, "seed": 5, "width": 96}).json()
    first, _, third, _ = caller.get(accepted["links"]["items"]).json()["data"]
    card = caller.get("/v1/models").json()["data"][0]
    assert (first["custom_id"], first["seed"], first["negative_prompt"]) == ("sku 7", 11, "blurry")
    assert [first["recipe"][k] for k in ("width", "height", "num_inference_steps", "guidance_scale")] == [
        64,
        72,
        4,
        2.5,
    ]
    assert (third["custom_id"], third["seed"], third["negative_prompt"]) == ("row-2", 5, "")
    assert [third["recipe"][k] for k in ("width", "height", "num_inference_steps", "guidance_scale")] == [
        96,
        card["height"],
        card["num_inference_steps"],
        card["guidance_scale"],
    ]
    assert [i.seed for i in api.items()] == [11, 12, 5, 6]


def test_a_broken_row_an_unknown_placeholder_a_huge_width_and_a_blocked_word_are_told_in_one_answer(
    api: ApiTenant,
) -> None:
    table = "object,colour,width\ncar,red,128\ncar,red,128,128\ncar,red,10001\nporn,red,128\n"
    document = problem(campaign(api.caller(), table, {"template": "a {color} {object}"}), 422, "invalid_campaign")
    assert places(document) == [
        ("unknown_placeholder", None, "color"),
        ("cell_count", 2, None),
        ("model_limit", 3, "width"),
    ]
    unknown, ragged, huge = document["errors"]
    assert "{color}" in unknown["message"]
    assert unknown["remedy"] == "The columns are: object, colour, width. Did you mean 'colour'?"
    assert (ragged["line"], ragged["message"]) == (3, "the row has 4 cells, the header names 3 columns")
    assert (huge["line"], huge["message"]) == (4, "10001 is outside 64 to 256, the sides studio makes")
    assert "128 x 128" in huge["remedy"]
    assert [(r["row"], r["line"], r["column"]) for r in document["refused"]] == [(4, 5, "object")]
    assert api.stored() == 0


def test_a_refused_row_is_stored_as_refused_recorded_and_blamed_on_its_column(api: ApiTenant) -> None:
    caller = api.caller()
    answer = campaign(caller, "object,colour\ncar,red\nporn,red\n", variants=2)
    accepted = answer.json()
    assert answer.status_code == 202
    assert (accepted["items"], accepted["refused_items"]) == (4, 2)
    (refused,) = accepted["refused"]
    assert (refused["row"], refused["line"], refused["custom_id"], refused["column"]) == (2, 3, "row-2", "object")
    assert refused["rule"].startswith(f"{refused['category']}/")
    assert refused["rule"] in refused["message"]
    assert "porn" not in refused["message"]
    status = caller.get(accepted["links"]["request"]).json()
    assert (status["counts"]["pending"], status["counts"]["refused"]) == (2, 2)
    listed = caller.get(accepted["links"]["items"], params={"state": "refused"}).json()["data"]
    assert {item["verdict"]["decision"] for item in listed} == {"refuse"}
    assert "scores" not in listed[0]["verdict"]
    recorded = api.events("item.refused")
    assert [entry.event["item_id"] for entry in recorded] == [item["id"] for item in listed]


@pytest.mark.parametrize(
    ("template", "table", "column"),
    [
        ("a porn poster of a {object}", "object\ncar\n", "template"),
        ("a po{object} poster", "object\nrn\n", "prompt"),
        ("a {object}", "object,negative_prompt\nporn,\n", "object"),
    ],
)
def test_the_text_that_is_refused_on_its_own_is_the_one_to_blame(
    api: ApiTenant, template: str, table: str, column: str
) -> None:
    accepted = campaign(api.caller(), table, {"template": template}).json()
    assert [refused["column"] for refused in accepted["refused"]] == [column]
    assert "all_refused" in [warning["code"] for warning in accepted["warnings"]]


def test_held_rows_are_made_and_counted_beforehand(api: ApiTenant) -> None:
    accepted = campaign(api.caller(), "object,colour\ncar,red\nnaked person,red\n", variants=3).json()
    assert (accepted["items"], accepted["held_items"], accepted["refused_items"]) == (6, 3, 0)
    assert {item.state for item in api.items()} == {"pending"}


def test_a_dry_run_says_the_same_and_stores_nothing(api: ApiTenant) -> None:
    caller, table = api.caller(), "object,colour,note\ncar,red,x\nporn,red,x\n"
    dry = campaign(caller, table, dry_run=True, headers={"Idempotency-Key": "one"})
    assert dry.status_code == 200
    assert api.stored() == 0
    real = campaign(caller, table, headers={"Idempotency-Key": "one"}).json()
    report = dry.json()
    assert report.pop("dry_run") is True
    assert report.pop("forecast")
    assert [example["prompt"] for example in report.pop("examples")] == ["a red car on a white background"]
    assert [(row["row"], row["reason"]) for row in report.pop("changed")] == [(2, "prompt refused")], "why not reused"
    assert report == {name: real[name] for name in report}


def test_warnings_name_unused_columns_and_prompts_the_model_knows_nothing_of(api: ApiTenant) -> None:
    accepted = campaign(api.caller(), "object,note\ncar,x\nxylophone,x\n", {"template": "one {object}"}).json()
    unused, strange = accepted["warnings"]
    assert (unused["code"], unused["column"]) == ("unused_column", "note")
    assert (strange["code"], strange["rows"]) == ("unknown_words", [2])
    assert strange["message"].startswith("1 of 2 prompts ask for what studio does not know: 'xylophone'. ")
    assert "It knows 64 things, read in English: apple, banana, " in strange["message"]


def test_misspelled_crowded_and_joined_things_are_warned_of_and_praise_is_not(api: ApiTenant) -> None:
    things = (
        "a sneeker",
        "a coffee machine",
        "an apple and a zebra",
        "an apple and a banana",
        "a stunning apple, a must",
        "a blue banana and a red car",
    )
    table = "thing\n" + "".join(f'"{thing}"\n' for thing in things)
    accepted = campaign(api.caller(), table, {"template": "{thing} on a white background, summer sale"}).json()
    strange, crowded, coloured = accepted["warnings"]
    assert (strange["code"], strange["rows"]) == ("unknown_words", [1, 2, 3])
    assert (
        "'sneeker' (the nearest is 'sneaker'); 'coffee machine' (the nearest is 'cup of coffee')" in strange["message"]
    )
    assert (crowded["code"], crowded["rows"]) == ("several_things", [4, 6])
    assert "apple and banana; banana and car; studio draws one" in crowded["message"]
    assert (coloured["code"], coloured["rows"]) == ("colour_ignored", [6])
    assert "draws in its own colour: blue banana. These take a colour: t-shirt, " in coloured["message"]


def test_only_the_first_hundred_errors_are_listed(api: ApiTenant) -> None:
    table = "object,colour,width\n" + "".join(f"car,red,{10_001 + n}\n" for n in range(150))
    document = problem(campaign(api.caller(), table), 422, "invalid_campaign")
    assert len(document["errors"]) == 100
    assert document["detail"] == "The first 100 of 150 errors in 150 rows are listed."


def test_one_cause_is_said_once_with_its_rows_and_every_row_is_checked(api: ApiTenant) -> None:
    table = "object,colour\n" + "car,\n" * 150 + "porn,red\n,red\n"
    document = problem(campaign(api.caller(), table), 422, "invalid_campaign")
    empty, missing = document["errors"]
    assert (empty["code"], empty["column"], empty["count"]) == ("empty_value", "colour", 150)
    assert empty["rows"] == [*range(1, 101)]
    assert (missing["column"], missing["row"], "count" in missing) == ("object", 152, False)
    assert [refused["row"] for refused in document["refused"]] == [151]
    assert document["detail"] == "2 errors in 152 rows read."


@pytest.mark.parametrize(
    ("limits", "variants", "code"),
    [
        ({"max_rows": 2}, 1, "too_many_rows"),
        ({"max_items": 5}, 2, "too_many_rows"),
        ({"max_megapixel_steps": 1}, 4, "too_much_work"),
    ],
)
def test_the_limits_of_a_whole_campaign_are_named(
    api: ApiTenant, limits: dict[str, int], variants: int, code: str
) -> None:
    table = GOOD + "car,red\n"
    document = problem(campaign(api.caller(**limits), table, variants=variants), 422, "invalid_campaign")
    assert [error["code"] for error in document["errors"]] == [code]
    assert api.stored() == 0


def test_as_many_rows_as_allowed_are_taken(api: ApiTenant) -> None:
    assert campaign(api.caller(max_rows=2, max_items=4), variants=2).status_code == 202


def test_a_million_rows_are_refused_by_the_count_before_any_is_screened(
    api: ApiTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    screened: list[str] = []
    monkeypatch.setattr("api.submission.table.rows.screen", lambda *texts: screened.append(texts[2]))
    caller = api.caller(check_later_bytes=16 * 1024 * 1024)
    document = problem(campaign(caller, "object,colour\n" + "car,red\n" * 1_000_000), 422, "invalid_campaign")
    assert [error["code"] for error in document["errors"]] == ["too_many_rows"]
    assert "50,000" in document["errors"][0]["message"]
    assert screened == []


def test_memory_does_not_grow_with_the_file(api: ApiTenant) -> None:
    parts = api.server.app().state.parts
    long_cell = "x" * 3_000
    with tempfile.TemporaryFile() as file, tempfile.TemporaryFile() as spool:
        file.write(b"object,colour,a,b,c,d,e\n")
        file.writelines(f"car,red{n}{f',{long_cell}' * 5}\n".encode() for n in range(1_000))
        book = RecipeBook(parts.registry.get("studio"), parts.settings, parts.registry)
        spec = CampaignBody(**SPEC)
        checked = Campaign(
            spec,
            file,
            book,
            registry=parts.registry,
            settings=parts.settings,
            pictures=RowPictures(parts, "acme", None),
            rules=parts.rules,
            tenant="acme",
        )
        tracemalloc.start()
        try:
            assert checked.check(spool).rows == 1_000
            assert sum(1 for _ in checked.items(spool)) == 1_000
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert file.tell() > 15_000_000
    assert peak < 8_000_000


def test_the_spec_may_come_as_a_file_too(api: ApiTenant) -> None:
    files = {"spec": ("spec.json", json.dumps(SPEC), "application/json"), "file": ("rows.csv", GOOD)}
    assert api.caller().post("/v1/campaigns", files=files).status_code == 202


def test_excel_exports_are_read(api: ApiTenant) -> None:
    caller = api.caller()
    assert campaign(caller, "\ufeffobject;colour\r\ncar;red\r\n", delimiter=";").status_code == 202
    assert campaign(caller, "object\tcolour\r\ncar\trot\r\n".encode("utf-16"), delimiter="\t").status_code == 202
    accepted = campaign(caller, "object,colour\ncar,grün\n".encode("latin-1")).json()
    assert (accepted["file"]["encoding"], accepted["warnings"][0]["code"]) == ("cp1252", "encoding")
    mixed = "object,colour\ncar,grün\n".encode() + b"car,gr\xfcn\n"
    document = problem(campaign(caller, mixed), 422, "invalid_campaign")
    assert (document["errors"][0]["code"], document["errors"][0]["line"]) == ("encoding", 3)


def test_a_ledger_that_refuses_the_event_keeps_the_campaign_out(own_api: ApiServer) -> None:
    caller = own_api.caller()
    with own_api.database.engine("superuser").begin() as conn:
        conn.execute(text("revoke insert on audit.entries from presswork_api"))
    problem(campaign(caller), 500, "internal_error")
    assert caller.get("/v1/requests").json()["data"] == []


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(st.text(min_size=1, max_size=30).filter(str.strip), st.integers(0, MAX_SEED)), min_size=1, max_size=8
    )
)
def test_whatever_the_cells_hold_the_answer_is_a_202_or_a_problem(api: ApiTenant, rows: list[tuple[str, int]]) -> None:
    table = io.StringIO()
    csv.writer(table).writerows([("object", "seed"), *rows])
    answer = campaign(api.caller(), table.getvalue().encode("utf-8", "surrogatepass"), {"template": "a {object}"})
    if answer.status_code != 202:
        problem(answer, 422, "invalid_campaign")


def test_every_item_carries_the_cells_of_its_row_as_they_were_sent(api: ApiTenant):
    table = 'sku,object,colour,note\n0042, backpack ,red,"=1+1\n,""x"""\n0043,car,green,\n'
    spec = {"template": "a {colour} {object}", "variants": 2}
    assert campaign(api.caller(), table, spec).status_code == 202
    first, second = ["0042", " backpack ", "red", '=1+1\n,"x"'], ["0043", "car", "green", ""]
    assert [list(item.carried) for item in api.items()] == [first, first, second, second]
