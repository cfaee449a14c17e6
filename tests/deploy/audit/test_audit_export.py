"""`presswork audit export` and /v1/audit/events: whole spans of the ledger, streamed, and harmless in a spreadsheet."""

from __future__ import annotations

import builtins
import csv
import io
import json
import os
import tracemalloc
from contextlib import nullcontext
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from pyarrow import parquet

from deploy.cli import main
from policy.events import KINDS, ItemCancelled, Private
from policy.ledger.reading.events import Recorded
from policy.ledger.reading.exports import COLUMNS, csv_rows, jsonl
from policy.ledger.reading.parquet import parquet as parquet_pieces
from policy.ledger.reading.stream import EntryFilter, entries_in, instant
from tests.policy.ledger.test_questions import POLICY, judged, released
from tests.support.client import campaign, problem
from tests.support.ledger import Ledger, failed, refused

FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1")


@pytest.fixture
def ledger(database):
    ledger = Ledger(database)
    ledger.append(judged(refused(1), POLICY, prompt=Private('a bee, "queen"\nand hive')), released(2))
    ledger.append(failed(3), tenant="rival")
    ledger.seal()
    ledger.append(released(4))
    return ledger


@pytest.fixture
def call(database):
    def call(*words):
        return CliRunner().invoke(
            main, ["audit", "export", *words], env={"PRESSWORK_DATABASE_URL": database.url("auditor")}
        )

    return call


def days(ledger):
    return [row[0] for row in ledger.rows("select recorded_at from audit.entries order by id")]


def test_json_lines_hold_every_event_in_order_with_its_text_and_leaf(ledger, call, tmp_path):
    result = call("-o", str(tmp_path / "all.jsonl"))
    assert result.exit_code == 0, result.output
    told = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert [(one["kind"], one["index"]) for one in told] == [
        ("item.refused", 0), ("item.released", 1), ("item.failed", 2), ("item.released", None)
    ]  # fmt: skip
    assert told[0]["event"]["prompt"] == 'a bee, "queen"\nand hive'
    assert "wrote 4 events" in result.output


def test_a_span_begins_with_its_first_moment_and_ends_before_its_last(ledger, call):
    first, _, third, fourth = days(ledger)
    told = call("-o", "-", "--from", first.isoformat(), "--to", third.isoformat()).stdout.splitlines()
    assert len(told) == 2
    assert call("-o", "-", "--from", fourth.isoformat(), "--kind", "item.failed").stdout == ""
    assert len(call("-o", "-", "--tenant", "rival").stdout.splitlines()) == 1


def test_csv_and_parquet_hold_the_same_rows(ledger, call, tmp_path):
    for written in ("csv", "parquet"):
        assert call("-o", str(tmp_path / f"all.{written}"), "--format", written).exit_code == 0
    with (tmp_path / "all.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    table = parquet.read_table(tmp_path / "all.parquet")
    assert table.column_names == list(COLUMNS) == list(rows[0])
    typed = table.to_pylist()
    assert [row["at"] for row in typed] == days(ledger)
    for plain, exact in zip(rows, typed, strict=True):
        assert plain["index"] == ("" if exact["index"] is None else str(exact["index"]))
        for name in set(COLUMNS) - {"index", "at"}:
            assert plain[name] == (exact[name] or ""), name
    assert (rows[0]["decision"], rows[0]["policy_version"], rows[0]["item_id"]) == ("refuse", POLICY, "item-1")
    assert json.loads(rows[0]["event"])["prompt"] == 'a bee, "queen"\nand hive'


def test_parquet_flows_page_by_page_and_through_a_pipe(ledger, call, tmp_path):
    read = []
    pages = (read.append(n) or [_recorded(event_id=f"e{n}")] for n in range(3))
    flowing = parquet_pieces(pages)
    begun = next(flowing)
    assert (begun[:4], read) == (b"PAR1", [0]), "the first page leaves before the second is read"
    (tmp_path / "flowed.parquet").write_bytes(begun + b"".join(flowing))
    assert parquet.read_table(tmp_path / "flowed.parquet").column("event_id").to_pylist() == ["e0", "e1", "e2"]
    (tmp_path / "piped.parquet").write_bytes(call("-o", "-", "--format", "parquet").stdout_bytes)
    assert parquet.read_table(tmp_path / "piped.parquet").num_rows == 4


def test_no_cell_of_a_csv_is_a_formula():
    pages = [[_recorded(tenant=formula, actor="key:1") for formula in FORMULAS]]
    rows = list(csv.reader(io.StringIO(b"".join(csv_rows(pages)).decode(), newline="")))
    tenant = COLUMNS.index("tenant")
    assert [row[tenant] for row in rows[1:]] == [f"'{formula}" for formula in FORMULAS]
    assert rows[1][COLUMNS.index("actor")] == "key:1"


def test_erased_text_is_exported_as_its_commitment(ledger, call):
    ledger.tamper("delete from audit.private")
    told = json.loads(call("-o", "-", "--kind", "item.refused").stdout)
    assert told["event"]["prompt"]["commitment"].startswith("sha256:")


def test_pages_lose_and_repeat_nothing_where_many_events_share_a_moment(ledger):
    ledger.append(*(ItemCancelled("r1", f"c{n}") for n in range(50)))
    with ledger.auditor.connect() as conn:
        for page in (1, 7, 54):
            found = [one for part in entries_in(lambda: nullcontext(conn), EntryFilter(), page=page) for one in part]
            assert [one.entry_id for one in found] == list(range(1, 55))


def test_memory_does_not_grow_with_the_export():
    def pages(count):
        return ([_recorded(event={"note": "x" * 500}) for _ in range(100)] for _ in range(count))

    tracemalloc.start()
    for write in (jsonl, csv_rows):
        assert sum(len(part) for part in write(pages(5))) > 5 * 100 * 500
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        assert sum(len(part) for part in write(pages(40))) > 40 * 100 * 500
        assert tracemalloc.get_traced_memory()[1] - before < 1_000_000
    tracemalloc.stop()


def test_without_pyarrow_parquet_names_the_remedy_and_leaves_no_file(ledger, call, tmp_path, monkeypatch):
    real = builtins.__import__

    def refuse(name, *rest, **more):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    result = call("-o", str(tmp_path / "all.parquet"), "--format", "parquet")
    assert result.exit_code == 1
    assert "presswork[export]" in result.output
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_or_a_device_is_not_replaced_by_a_file(call, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    result = call("-o", str(tmp_path / "pipe"))
    assert result.exit_code == 1
    assert "-o - writes to a pipe" in result.output
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-o", "-", "--from", "yesterday"), "write a day (2026-11-21) or a moment with its zone"),
        (("-o", "-", "--from", "2026-11-21T08:00"), "with its zone"),
        (("-o", "-", "--from", "2026-11-21", "--to", "2026-11-21"), "--to must be after --from"),
        (("-o", "nowhere/else/all.csv"), "cannot write nowhere/else/all.csv: No such file"),
        (("-o", "-", "--kind", "item.lost"), "'item.lost' is not one of"),
    ],
)
def test_an_export_that_cannot_be_says_why(ledger, call, words, said):
    result = call(*words)
    assert result.exit_code != 0
    assert said in result.output


def test_a_day_is_in_utc_and_a_moment_keeps_its_zone():
    assert instant("2026-11-21") == datetime(2026, 11, 21, tzinfo=UTC)
    assert instant("2026-11-21T09:30:00+01:00") == instant("2026-11-21T08:30:00Z")


def test_a_tenant_gets_its_own_events_and_no_others(api):
    caller, rival = api.caller(), api.server.caller(f"{api.tenant}-rival")
    campaign(caller)
    campaign(rival)
    answer = caller.get("/v1/audit/events", params={"kind": "request.accepted"})
    (told,) = [json.loads(line) for line in answer.text.splitlines()]
    assert (told["tenant"], told["event"]["template"]) == (api.tenant, "a {colour} {object} on a white background")
    assert answer.headers["content-type"] == "application/jsonl"
    rows = list(csv.DictReader(io.StringIO(caller.get("/v1/audit/events", params={"format": "csv"}).text)))
    assert {row["tenant"] for row in rows} == {api.tenant}
    assert {"key.created", "request.accepted"} <= {row["kind"] for row in rows} <= KINDS
    typed = caller.get("/v1/audit/events", params={"format": "parquet"})
    assert typed.headers["content-type"] == "application/vnd.apache.parquet"
    assert parquet.read_table(io.BytesIO(typed.content)).num_rows >= len(rows)
    later = caller.get("/v1/audit/events", params={"from": "2100-01-01"})
    assert (later.status_code, later.text) == (200, "")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"from": "yesterday"}, "query.from"),
        ({"from": "2026-11-22", "to": "2026-11-21"}, "query.to"),
        ({"kind": "item.lost"}, "query.kind.0"),
        ({"format": "xml"}, "query.format"),
        ({"since": "2026-11-21"}, "query.since"),
    ],
)
def test_a_wrong_question_names_its_field(api, query, field):
    document = problem(api.caller().get("/v1/audit/events", params=query), 422, "invalid_parameters")
    assert [error["field"] for error in document["errors"]] == [field]


def test_without_an_auditors_database_there_is_nothing_to_export(api):
    problem(api.caller(auditor_database_url=None).get("/v1/audit/events"), 501, "audit_not_configured")


def _recorded(**changes):
    values = {
        "entry_id": 1, "index": 0, "event_id": "e", "at": "2026-11-21T00:00:00.000000Z", "tenant": "acme",
        "kind": "item.failed", "actor": "worker:1", "subjects": (), "event": {}, "private": {},
    }  # fmt: skip
    return Recorded(**values | changes)
