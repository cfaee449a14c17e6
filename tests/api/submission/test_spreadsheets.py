"""Spreadsheets: every encoding and line end that we promise, and a place for everything that is wrong."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.submission.spreadsheets import MAX_COLUMNS, MAX_LINE_CHARS, SheetInvalid, Spreadsheet

_cells = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=20)
_header = ("object", "colour")


def _open(content: bytes | str, delimiter: str = ",") -> Spreadsheet:
    return Spreadsheet(io.BytesIO(content.encode() if isinstance(content, str) else content), delimiter)


def _rows(content: bytes | str, delimiter: str = ",") -> list[tuple[int, int, tuple[str, ...]]]:
    return [(row.number, row.line, row.cells) for row in _open(content, delimiter).rows()]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_promised_encoding_and_line_end_reads_the_same(encoding: str, end: str) -> None:
    mark = "\ufeff" if encoding in ("utf-16-le", "utf-16-be") else ""
    table = mark + end.join(["object,colour", "Rucksack,grün", "自転車,🚲"]) + end
    sheet = _open(table.encode(encoding))
    assert sheet.header == _header
    assert [row.cells for row in sheet.rows()] == [("Rucksack", "grün"), ("自転車", "🚲")]


def test_rows_are_numbered_from_the_first_below_the_header_and_keep_their_physical_line() -> None:
    table = 'object,colour\ncar,red\n\n\n"a ""big""\ncar",blue\nbag,green\n'
    assert _rows(table) == [(1, 2, ("car", "red")), (2, 5, ('a "big"\ncar', "blue")), (3, 7, ("bag", "green"))]


def test_ragged_rows_are_handed_on_as_they_are() -> None:
    assert [cells for _, _, cells in _rows("a,b\n1\n1,2,3\n")] == [("1",), ("1", "2", "3")]


def test_a_file_can_be_read_twice_and_stays_open() -> None:
    sheet = _open("a,b\n1,2\n")
    assert list(sheet.rows()) == list(sheet.rows())


def test_counting_stops_at_the_limit() -> None:
    endless = io.BytesIO(b"a\n" + b"1\n" * 100_000)
    sheet = Spreadsheet(endless)
    assert sheet.more_rows_than(10)
    assert endless.tell() < 50_000
    assert not sheet.more_rows_than(100_000)


def test_other_delimiters_are_read_when_named() -> None:
    assert _rows("a;b\n1;2,5\n", ";") == [(1, 2, ("1", "2,5"))]
    assert _rows("a\tb\n1\t2\n".encode("utf-16"), "\t") == [(1, 2, ("1", "2"))]


@pytest.mark.parametrize(
    ("content", "code", "line", "said"),
    [
        (b"", "no_header", 1, "empty"),
        (b"\n\n\n", "no_header", 1, "empty"),
        (b"\xef\xbb\xbf", "no_header", 1, "empty"),
        ("object,colour\ncar,grün\n".encode("latin-1"), "encoding", 2, "byte 0xFC"),
        (b"a,b\n" + b"1,2\n" * 300_000 + b"\x80,2\n", "encoding", 300_002, "byte 0x80"),
        (b"a,b\n1,\xe2\x82", "encoding", 2, "UTF-8"),
        ("a,b\n".encode("utf-16") + b"\x00\xd8", "encoding", 2, "UTF-16"),
        ("a,b\n1,2\n".encode("utf-16") + b"\x31", "encoding", 3, "UTF-16"),
        ("a,b\n".encode("utf-32"), "encoding", 1, "UTF-32"),
        (b"a;b\n1;2\n", "delimiter", 1, "semicolons"),
        (b"a\tb\n1\t2\n", "delimiter", 1, "tabs"),
        (b"a,,c\n1,2,3\n", "empty_header", 1, "column 2"),
        (b"a,b,a\n1,2,3\n", "duplicate_header", 1, "columns 1 and 3"),
        (b"a, b\n1,2\n", "header_name", 1, "column 2"),
        ("a,b\u200b\n1,2\n".encode(), "header_name", 1, r"'b\u200b'"),
        (b"a,b\0c\n1,2\n", "header_name", 1, r"'b\x00c'"),
        (b"a,{b}\n1,2\n", "header_name", 1, "brace"),
        (b"a," + b"b" * 101 + b"\n1,2\n", "header_name", 1, "100 characters"),
        (b",".join(b"c%d" % n for n in range(MAX_COLUMNS + 1)), "too_many_columns", None, "201 columns"),
        (b"a" * (MAX_LINE_CHARS + 1), "line_too_long", 1, "line 1"),
    ],
)
def test_a_file_that_cannot_be_opened_says_where_and_what_to_do(
    content: bytes, code: str, line: int | None, said: str
) -> None:
    with pytest.raises(SheetInvalid) as refused:
        _open(content)
    complaint = refused.value.complaint
    assert (complaint.code, complaint.line) == (code, line)
    assert said in complaint.message
    assert complaint.remedy


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        (b'a,b\n1,2\n"open,2\n3,4\n', 3, "never closed"),
        (b'a,b\n1,2\n"x"y,2\n', 3, "after a closing quote"),
        (b"a,b\n" + b"1" * 200_000 + b",2\n", 2, "more than 131,072 characters"),
        (b'a,b\n1,2\n"open,2\n' + b"3,4\n" * 50_000, 3, "never closed"),
    ],
)
def test_broken_quoting_is_found_at_the_row_that_opens_it(content: bytes, line: int, said: str) -> None:
    with pytest.raises(SheetInvalid) as refused:
        _rows(content)
    assert refused.value.complaint.line == line
    assert said in f"{refused.value.complaint.message} {refused.value.complaint.remedy}"


def test_a_ten_megabyte_cell_is_refused_without_being_held() -> None:
    with pytest.raises(SheetInvalid, match="longer than 1,048,576"):
        _rows(b"a,b\n" + b"1" * 10_000_000 + b",2\n")


@pytest.mark.slow
@given(
    rows=st.lists(st.tuples(_cells, _cells), max_size=20),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_what_a_spreadsheet_program_writes_is_read_back(rows: list[tuple[str, str]], encoding: str, end: str) -> None:
    written = io.StringIO()
    writer = csv.writer(written, lineterminator=end)
    writer.writerow(_header)
    writer.writerows(rows)
    assert [cells for _, _, cells in _rows(written.getvalue().encode(encoding))] == rows


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        read = [row.cells for row in _open(content).rows()]
    except SheetInvalid:
        return
    assert all(read)
