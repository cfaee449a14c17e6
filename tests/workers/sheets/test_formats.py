"""Formats that are no CSV: workbooks, Parquet, JSON, feeds and archives, read within limits or refused."""

from __future__ import annotations

import datetime
import gzip
import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
from pyarrow import parquet

from workers.sheets import isolated, sources
from workers.sheets.errors import SheetInvalid
from workers.sheets.headers import Wanted
from workers.sheets.sheet import ReadingHints, Spreadsheet

FEED = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel><title>Shop</title><link>https://example.com</link>
<item><title>Old</title><g:title>Red  dress &amp; belt</g:title><g:id>7</g:id>
<g:additional_image_link>a</g:additional_image_link><g:additional_image_link>b</g:additional_image_link></item>
<item><g:id>8</g:id><g:color>blue</g:color></item></channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0"><title>Shop</title>
<entry><g:id>7</g:id><title>Dress</title><link href="https://example.com/7"/></entry></feed>"""


def _read(content: bytes, *wanted: str, sheet: str = "") -> tuple[Spreadsheet, list[dict[str, str]]]:
    with Spreadsheet(io.BytesIO(content), Wanted.of(wanted), ReadingHints(sheet=sheet)) as opened:
        rows = [
            {name: cell for name, cell in zip(opened.header, row.cells, strict=False) if cell} for row in opened.rows()
        ]
    return opened, rows


def _refused(content: bytes, **hints: str) -> SheetInvalid:
    with pytest.raises(SheetInvalid) as refused:
        _read(content, **hints)
    assert refused.value.remedy
    return refused.value


def _workbook(sheets: Mapping[str, Iterable[list[Any]]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)  # type: ignore[arg-type]
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def _zip(members: Mapping[str, str | bytes]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            member = zipfile.ZipInfo(name)  # without the time of day, which would become part of a test's name
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, content)
    return written.getvalue()


def test_a_workbook_is_read_as_a_person_sees_it() -> None:
    rows = [
        ["Spring campaign"],
        [],
        ["SKU", "product", "seed", "from", "stock", "sold"],
        [4006380000012, "dress", 42.0, datetime.date(2026, 3, 1), "#N/A", True],
        [None, None, None, None, None, None],
        ["0815", " sofa ", 1.5, datetime.datetime(2026, 3, 1, 12, 30), None, False],
    ]
    opened, read = _read(_workbook({"Notes": [], "Data": rows, "More": [["x"]]}), "product")
    assert read == [
        {
            "SKU": "4006380000012",
            "product": "dress",
            "seed": "42",
            "from": "2026-03-01",
            "stock": "#N/A",
            "sold": "true",
        },
        {"SKU": "0815", "product": " sofa ", "seed": "1.5", "from": "2026-03-01T12:30:00", "sold": "false"},
    ]
    assert (opened.description()["sheet"], opened.header_line) == ("Data", 3)
    assert [note.code for note in opened.notes] == ["sheet", "header_line"]


def test_a_sheet_of_a_workbook_can_be_named_and_a_wrong_name_is_told_the_others() -> None:
    book = _workbook({"Data": [["a"], [1]], "More": [["b"], [2]]})
    assert _read(book, sheet="More")[1] == [{"b": "2"}]
    refused = _refused(book, sheet="Mroe")
    assert (refused.code, refused.remedy) == ("sheet", "It has: Data, More.")


def test_parquet_is_read_with_its_names_and_gaps() -> None:
    written = io.BytesIO()
    table = pa.table({"Product Name": ["dress", None], "n": [1.0, 2.5], "tags": [["a", "b"], None]})
    parquet.write_table(table, written)
    assert _read(written.getvalue())[1] == [{"Product Name": "dress", "n": "1", "tags": "a, b"}, {"n": "2.5"}]
    assert _refused(written.getvalue()[:-20]).code == "damaged"


def test_json_lines_are_taken_as_written_with_the_columns_of_all_lines() -> None:
    lines = '\ufeff{"a": 1.50, "b": {"c": [1, "x"], "d": null}}\n\n{"e": true, "a": "é", "f": [{"g": 1}]}\n'
    opened, read = _read(lines.encode())
    assert opened.header == ("a", "b.c", "b.d", "e", "f")
    assert read == [{"a": "1.50", "b.c": "1, x"}, {"a": "é", "e": "true", "f": '[{"g": "1"}]'}]
    assert [row.line for row in _rows_of(lines.encode())] == [1, 3]


def _rows_of(content: bytes) -> list[Any]:
    with Spreadsheet(io.BytesIO(content)) as opened:
        return list(opened.rows())


def test_lines_of_an_openai_batch_give_up_their_body() -> None:
    line = {"custom_id": "a", "method": "POST", "url": "/v1/images/generations"}
    body = {"prompt": "a car", "n": 2, "size": "1024x512", "model": "studio"}
    assert _read(json.dumps({**line, "body": body}).encode())[1] == [
        {"custom_id": "a", "prompt": "a car", "variants": "2", "model": "studio", "width": "1024", "height": "512"}
    ]
    refused = _refused(json.dumps({**line, "url": "/v1/chat/completions", "body": body}).encode())
    assert (refused.code, refused.line) == ("batch_url", 1)


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (b'{"a": 1}\n{"a": \n', "json", 2),
        (b'{"a": 1}\n[1]\n', "json", 2),
        (b'{"a": 1, "a": 2}\n', "json", 1),
        (b'{"a": "\xff"}\n', "encoding", 1),
        (b'{"a": ' * 5_000, "json", 1),
        (b'{"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": 1}}}}}}}}}', "json", 1),
        (b'{"a": "' + b"x" * 2_000_000 + b'"}', "line_too_long", 1),
        (("{" + ", ".join(f'"c{n}": 1' for n in range(16_385)) + "}").encode(), "too_many_columns", 1),
    ],
)
def test_a_json_line_that_is_none_is_named(content: bytes, code: str, line: int) -> None:
    refused = _refused(content)
    assert (refused.code, refused.line) == (code, line)


def test_a_json_array_of_objects_is_read_and_of_other_things_refused() -> None:
    assert _read(b'[{"a": 1}, {"b": "x"}]')[1] == [{"a": "1"}, {"b": "x"}]
    assert _refused(b'[{"a": 1}, 2]').line == 2


def test_a_merchant_feed_gives_a_row_an_item_and_the_namespace_of_google_wins() -> None:
    opened, read = _read(FEED.encode())
    assert read == [
        {"title": "Red dress & belt", "id": "7", "additional_image_link": "a, b"},
        {"id": "8", "color": "blue"},
    ]
    assert opened.aliases["g:title"] == opened.header.index("title")
    assert _read(ATOM.encode())[1] == [{"id": "7", "title": "Dress", "link": "https://example.com/7"}]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ('<!DOCTYPE r [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><rss><item><t>&b;</t></item></rss>', "xml"),
        ('<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><rss><item><t>&a;</t></item></rss>', "xml"),
        ("<rss><channel><item><title>x</item></channel></rss>", "xml"),
        ("<rss><channel><title>x</title></channel></rss>", "no_rows"),
        ("<rss>" + "<a>" * 30, "xml"),
        ("<rss><item>" + "<a/>" * 3_000 + "</item></rss>", "xml"),
    ],
)
def test_a_feed_with_entities_or_without_items_is_refused(content: str, code: str) -> None:
    assert _refused(content.encode()).code == code


@pytest.mark.parametrize(
    ("content", "packed"),
    [
        (gzip.compress(b"a,b\n1,2\n", mtime=0), "gzip"),
        (_zip({"rows.csv": "a,b\n1,2\n"}), "zip"),
        (_zip({"x/rows.csv": "a,b\n1,2\n", "__MACOSX/x/._rows.csv": "?", "x/.DS_Store": "?", "notes.md": "hi"}), "zip"),
        (_zip({"rows.jsonl": '{"a": "1", "b": 2}'}), "zip"),
        (_zip({"rows.xlsx": _workbook({"s": [["a", "b"], [1, 2]]})}), "zip"),
    ],
)
def test_one_table_in_an_archive_is_read_and_said(content: bytes, packed: str) -> None:
    opened, read = _read(content)
    assert read == [{"a": "1", "b": "2"}]
    assert (opened.description()["packed"], opened.notes[0].code) == (packed, "unpacked")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (_zip({"../rows.csv": "a\n1\n"}), "a path outside of itself"),
        (_zip({"/etc/rows.csv": "a\n1\n"}), "a path outside of itself"),
        (_zip({"c:\\rows.csv": "a\n1\n"}), "a path outside of itself"),
        (_zip({"a.csv": "a\n1\n", "b.csv": "a\n1\n"}), "2 tables: 'a.csv', 'b.csv'"),
        (_zip({}), "0 tables"),
        (_zip({"rows.csv.gz": gzip.compress(b"a\n1\n", mtime=0)}), "another archive"),
        (_zip({"mimetype": "x", "content.xml": "<x/>"}), "no .xlsx workbook"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0)[:-6], "damaged"),
        (b"PK\x03\x04 and nothing", "cannot be opened"),
        (b"\xd0\xcf\x11\xe0 old", "an old or encrypted office document"),
        (b"%PDF-1.7", "a PDF"),
    ],
)
def test_an_archive_or_a_format_that_is_not_read_says_why(content: bytes, said: str) -> None:
    refused = _refused(content)
    assert refused.code in ("archive", "format")
    assert said in refused.message


@pytest.mark.parametrize("content", [gzip.compress(b"0" * 30_000_000, mtime=0), _zip({"rows.csv": b"0" * 30_000_000})])
def test_a_bomb_is_stopped_by_what_comes_out_of_it(content: bytes) -> None:
    refused = _refused(content)
    assert refused.code == "too_large_unpacked"


def test_a_workbook_that_is_a_bomb_is_refused_before_it_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "convert", lambda *_, **__: pytest.fail("it was parsed"))
    members = {"[Content_Types].xml": "<x/>", "xl/workbook.xml": "<x/>", "xl/worksheets/sheet1.xml": b"0" * 30_000_000}
    assert _refused(_zip(members)).code == "too_large_unpacked"


def test_a_parser_that_takes_too_long_ends_its_process_and_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "CPU_SECONDS", 0)
    assert _refused(_workbook({"s": [["a"], [1]]})).code in ("too_costly", "damaged")


def test_an_archive_of_many_members_is_not_looked_through() -> None:
    members = {f"{n}.csv": "" for n in range(sources.MAX_MEMBERS + 1)}
    assert "more than 2,000 members" in _refused(_zip(members)).message


def test_a_large_document_is_not_parsed_whole_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.sheets.objects._unique", lambda *_, **__: pytest.fail("it was parsed"))
    assert _refused(b'{"rows": [' + b"{}, " * 1_100_000 + b"{}]}").code == "line_too_long"
