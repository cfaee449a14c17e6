"""Results of a request: the caller's own rows come back with what became of them, and can be sent again."""

from __future__ import annotations

import csv
import io
import zipfile
from typing import Literal

import httpx
import pyarrow.parquet as parquet
import pytest

from api.schemas.results import ResultsQuery
from policy.marks.renditions import declarations
from tests.conftest import S3
from tests.support.campaigns import HEADER, ROWS, SPEC, Sent, settled_campaign, table
from tests.support.client import ApiTenant, campaign, problem
from workers.delivery.outcome import OUTCOME_COLUMNS


@pytest.fixture
def sent(api: ApiTenant, s3: S3) -> Sent:
    return settled_campaign(api)


def test_csv_gives_the_own_columns_unchanged_in_order_then_ours(sent: Sent) -> None:
    answer = sent.get()
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "filename*=UTF-8''Fr%C3%BChling" in answer.headers["content-disposition"]
    read = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
    assert read[0] == [*HEADER, *(f"presswork_{name}" for name in OUTCOME_COLUMNS)]
    assert [row[:4] for row in read[1:3]] == [["0042", "backpack", "'=cmd()", "''=x"], ["0043", "car", "'-5", "ä"]]
    by = [dict(zip(read[0], row, strict=True)) for row in read[1:]]
    assert [row["presswork_state"] for row in by] == ["released", "released", "failed", "held", "pending"]
    assert [row["presswork_code"] for row in by] == ["", "", "worker_lost", "held_for_review", ""]
    assert [row["presswork_file_name"] for row in by] == ["0042.png", "0043.png", "", "", ""]
    assert (by[3]["presswork_category"], by[3]["presswork_rule"]) == ("adult", "nsfw")
    assert all(row["presswork_remedy"] for row in by[2:])
    assert not by[0]["presswork_remedy"]


def test_json_lines_and_parquet_hold_every_cell_as_it_was_sent(sent: Sent) -> None:
    lines = sent.rows()
    assert [[line[name] for name in HEADER] for line in lines] == ROWS
    read = parquet.read_table(io.BytesIO(sent.get(format="parquet").content)).to_pylist()
    assert [{name: row[name] for name in lines[0]} for row in read] == lines
    assert (lines[0]["presswork_asset_id"], lines[0]["presswork_width"]) == (sent.released[0], 128)


def test_a_failed_row_can_be_sent_again_as_it_is(sent: Sent, api: ApiTenant) -> None:
    spec = {key: value for key, value in SPEC.items() if key != "name"}
    answer = campaign(sent.caller, sent.get(only="failed").content, spec)
    assert answer.status_code == 202, answer.text
    assert [warning["code"] for warning in answer.json()["warnings"]] == ["unused_column", "sent_before"]
    assert "'Notiz', 'Größe'" in answer.json()["warnings"][0]["message"]
    again = api.items()[-1]
    assert (list(again.carried), again.custom_id) == (ROWS[2], "row-3")
    more = sent.caller.get(f"/v1/requests/{answer.json()['id']}/results", params={"format": "jsonl"}).json()
    assert list(more)[:5] == [*HEADER, "presswork_variant"], "our columns do not pile up"


def test_cells_that_look_like_formulas_come_back_as_they_were(sent: Sent, api: ApiTenant) -> None:
    assert campaign(sent.caller, sent.get().content, SPEC).status_code == 202
    assert [list(item.carried) for item in api.items()[-5:]] == ROWS


def test_a_reader_that_broke_off_goes_on_behind_what_it_has(sent: Sent) -> None:
    lines = sent.rows()
    assert sent.rows(channel=["original", "square"]) == lines
    assert [line["presswork_file_name"] for line in sent.rows(channel=["square"])] == [None] * 5
    rest = sent.rows(after=lines[1]["presswork_item_id"])
    assert [line["SKU"] for line in rest] == ["0044", "0045", "../../x"]
    assert [line["SKU"] for line in sent.rows(only="released", after=lines[0]["presswork_item_id"])] == ["0043"]


def test_links_lead_to_named_files_and_are_events(sent: Sent, api: ApiTenant) -> None:
    first, second = sent.rows(only="released", links=True)
    fetched = httpx.get(first["presswork_url"])
    assert fetched.content == b"picture of row-1"
    assert fetched.headers["content-disposition"] == 'attachment; filename="0042.png"'
    linked = [event.event["asset_id"] for event in api.events("asset.linked")]
    assert linked == [first["presswork_asset_id"], second["presswork_asset_id"]]
    errors = problem(sent.get(format="csv", links=True), 422, "invalid_parameters")["errors"]
    assert [error["field"] for error in errors] == ["query.links"]


def test_a_zip_holds_the_files_under_their_names_and_the_manifest(sent: Sent, api: ApiTenant) -> None:
    answer = sent.get(format="zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["0042.png", "0043.png", "manifest.csv", "manifest.jsonl"]
        assert archive.read("0043.png") == b"picture of row-2"
        assert len(archive.read("manifest.jsonl").splitlines()) == 5
    assert len(api.events("asset.downloaded")) == 2
    small = api.caller(max_zip_bytes=39)
    found = problem(small.get(f"/v1/requests/{sent.id}/results?format=zip"), 422, "invalid_parameters")
    assert [error["code"] for error in found["errors"]] == ["zip_too_large"]


def test_the_summary_tells_what_became_of_every_image_and_why(sent: Sent) -> None:
    summary = sent.caller.get(f"/v1/requests/{sent.id}").json()["summary"]
    reasons = summary.pop("reasons")
    counts = {"released": 2, "held": 1, "refused": 0, "failed": 1, "cancelled": 0, "recalled": 0, "open": 1}
    assert summary == counts
    assert [(one["state"], one["code"], one["rule"], one["items"]) for one in reasons] == [
        ("failed", "worker_lost", "", 1),
        ("held", "", "nsfw", 1),
    ]
    assert all(one["remedy"] for one in reasons)


def test_names_that_would_be_equal_are_told_apart_and_warned_of(api: ApiTenant, s3: S3) -> None:
    rows = [["a", "car", "", ""], ["A", "car", "", ""]]
    answer = campaign(api.caller(), table(rows), SPEC)
    assert "same_file_name" in [warning["code"] for warning in answer.json()["warnings"]]
    assert [bool(item.file_suffix) for item in api.items()] == [False, True]
    wrong = problem(campaign(api.caller(), table(), {**SPEC, "file": "{Sku}/{ext}"}), 422, "invalid_campaign")
    assert ("file_name", "file") in [(error["code"], error.get("field")) for error in wrong["errors"]]
    wrong = problem(campaign(api.caller(), table(), {**SPEC, "file": "{Sku}.{ext}"}), 422, "invalid_campaign")
    assert "did you mean" in wrong["errors"][0]["remedy"].lower()


def test_another_tenant_sees_none_of_it(sent: Sent, api: ApiTenant) -> None:
    rival = api.server.caller("somebody-else")
    problem(rival.get(f"/v1/requests/{sent.id}/results"), 404, "not_found")


def test_the_fields_of_marketplaces_come_behind_ours(sent: Sent) -> None:
    lines = sent.rows(declare=["taboola", "allegro"])
    columns = ["presswork_taboola.ai_disclosure.status", "presswork_allegro.aiCoCreatedContent.images"]
    assert list(lines[0])[-2:] == columns
    assert [[line[name] for name in columns] for line in lines[1:3]] == [["AI_GENERATED", "yes"], [None, None]]
    assert ResultsQuery.model_fields["declare"].annotation == list[Literal[tuple(declarations())]]
    assert all(place["values"].keys() == {"generated", "modified", "none"} for place in declarations().values())
