"""Spreadsheets: every encoding and line end that we promise, and a place for everything that is wrong."""

# ruff: noqa: RUF001  (other scripts are what encodings are about)
from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.sheets.delimited import MAX_LINE_CHARS
from workers.sheets.errors import SheetInvalid
from workers.sheets.headers import MAX_COLUMNS, Wanted
from workers.sheets.names import clean_name
from workers.sheets.sheet import ReadingHints, Spreadsheet

_cells = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=20)
_header = ("object", "colour")


def _open(content: bytes | str, delimiter: str = "", *, wanted: tuple[str, ...] = (), **told: str) -> Spreadsheet:
    file = io.BytesIO(content.encode() if isinstance(content, str) else content)
    return Spreadsheet(file, Wanted.of(wanted), ReadingHints(delimiter, **told))


def _rows(content: bytes | str, delimiter: str = "", **more: Any) -> list[tuple[int, int, tuple[str, ...]]]:
    return [(row.number, row.line, row.cells) for row in _open(content, delimiter, **more).rows()]


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
    assert not _open("a,b\n1,2\n" + ",\n" * 50).more_rows_than(10), "empty rows are none"


@pytest.mark.parametrize(
    ("content", "delimiter"),
    [
        ("object;colour\ncar;2,5\n", ";"),
        ("object\tcolour\ncar\t2,5\n", "\t"),
        ("object|colour\ncar|2,5; x\n", "|"),
        ('object;colour\n"a, b, c";"d, e, f"\n', ";"),
        ("Liste, Stand; Mai, neu\nobject;colour\ncar;red\n", ";"),
        ("sep=;\nobject;colour\ncar,van;red\n", ";"),
        ("sep=\t\r\nobject\tcolour\r\ncar\tred\r\n", "\t"),
        ('"sep=|"\nobject|colour\ncar|red\n', "|"),
    ],
)
def test_the_delimiter_is_found_and_said(content: str, delimiter: str) -> None:
    with _open(content, wanted=("object", "colour")) as sheet:
        assert sheet.header == _header
        assert sheet.description()["delimiter"] == delimiter
        assert "delimiter" in [note.code for note in sheet.notes]
        assert len(next(sheet.rows()).cells) == 2


def test_a_delimiter_that_is_named_is_believed() -> None:
    assert _rows("a;b\n1;2,5\n", ";") == [(1, 2, ("1", "2,5"))]
    assert _rows("a;b,c\n1;2,5\n", ",") == [(1, 2, ("1;2", "5"))]


def test_a_column_alone_has_no_delimiter_and_its_lines_are_its_cells() -> None:
    table = 'prompt\na red dress, on white\n"a sofa, ""blue"""\n'
    assert [cells for _, _, cells in _rows(table)] == [("a red dress, on white",), ('a sofa, "blue"',)]


def test_single_quotes_are_quotes_where_every_name_stands_in_them() -> None:
    assert [cells for _, _, cells in _rows("'object','colour'\n'car, old','red'\n")] == [("car, old", "red")]


def test_empty_rows_and_unnamed_columns_are_not_there() -> None:
    sheet = _open("object,colour,,\ncar,red,,\n,,,\n ,,\t,\nbag,green,,\n")
    assert sheet.header == _header
    assert [(row.number, row.line) for row in sheet.rows()] == [(1, 2), (2, 5)]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("Spring campaign,,\nobject,colour,\ncar,red,\n", 2),
        ("Spring campaign\n\nsent by Anna, Ben\nobject,colour\ncar,red\n", 4),
        ("colour\nobject,colour\ncar,red\n", 2),
        ("object,colour\nobject,colour\ncar,red\n", 1),
    ],
)
def test_the_header_is_found_below_a_title_and_said(content: str, line: int) -> None:
    sheet = _open(content, wanted=("object", "colour"))
    assert (sheet.header[:2], sheet.header_line) == (_header, line)
    assert ("header_line" in [note.code for note in sheet.notes]) == (line > 1)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (" object ", "object"),
        ("Product\u00a0Name", "Product Name"),
        ('"Product\nName"', "Product Name"),
        ("\ufeffobject\u200b", "object"),
        ("Gro\u0308\u00dfe", "Gr\u00f6\u00dfe"),
        ("Body (HTML)", "Body (HTML)"),
        ("Meta: color", "Meta: color"),
        ("a.b[0]!", "a.b[0]!"),
    ],
)
def test_names_are_cleaned_as_a_template_is_so_that_both_are_the_same(written: str, name: str) -> None:
    assert _open(f"{written},colour\ncar,red\n").header == (name, "colour")


def test_what_nobody_asks_for_is_not_looked_at() -> None:
    header = "object,Status,Status,{x},," + "long" * 100 + "," + ",".join(f"c{n}" for n in range(300))
    assert len(_open(f"{header}\n" + "1," * 305 + "1\n").header) == 306


@pytest.mark.parametrize(
    ("words", "codec", "said"),
    [
        ("Kleid;grün\nSofa;weiß\nPreis;5 €", "cp1252", "cp1252"),
        ("robe;à pois\ncanapé;très «beau»", "cp1252", "cp1252"),
        ("vestido;año\nsofá;¿cuál?", "cp1252", "cp1252"),
        ("платье;красный\nдиван;синий и белый цвет", "cp1251", "cp1251"),
        ("φόρεμα;κόκκινο\nκαναπές;μπλε και λευκό χρώμα", "cp1253", "cp1253"),
        ("ワンピース;赤い\nソファ;青い色の大きなもの", "shift_jis", "cp932"),
    ],
)
def test_an_eight_bit_file_of_an_office_program_is_read_and_its_encoding_said(
    words: str, codec: str, said: str
) -> None:
    content = f"object;colour\n{words}\n".encode(codec)
    with _open(content) as sheet:
        assert sheet.description()["encoding"] in (said, codec)
        assert "encoding" in [note.code for note in sheet.notes]
        assert [";".join(row.cells) for row in sheet.rows()] == words.split("\n")
    with _open(content, encoding=codec) as told:
        assert [";".join(row.cells) for row in told.rows()] == words.split("\n")


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_shows_itself(codec: str) -> None:
    sheet = _open("object\tcolour\ncar\tgrün\n自転車\t赤\n".encode(codec))
    assert (sheet.header, sheet.description()["encoding"]) == (_header, codec)
    assert [row.cells for row in sheet.rows()] == [("car", "grün"), ("自転車", "赤")]


@pytest.mark.parametrize(
    ("content", "code", "line", "said"),
    [
        (b"", "no_header", 1, "empty"),
        (b"\n\n\n", "no_header", 1, "empty"),
        (b"\xef\xbb\xbf", "no_header", 1, "empty"),
        ("a,b\nü,ö\nä,".encode() + b"\xfc\n", "encoding", 3, "byte 0xFC"),
        (b"a,b\nr\xc3\xbcn,2\n" + b"1,2\n" * 300_000 + b"\x80,2\n", "encoding", 300_003, "byte 0x80"),
        (b"a,b\n1,\xe2\x82", "encoding", 2, "UTF-8"),
        ("a,b\n".encode("utf-16") + b"\x00\xd8", "encoding", 2, "UTF-16"),
        ("a,b\n1,2\n".encode("utf-16") + b"\x31", "encoding", 3, "UTF-16"),
        ("a,b\n".encode("utf-32"), "encoding", 1, "UTF-32"),
        (b",".join(b"c%d" % n for n in range(MAX_COLUMNS + 1)), "too_many_columns", None, "16,385 columns"),
        (b"a" * (MAX_LINE_CHARS + 1), "line_too_long", 1, "line 1"),
    ],
)
def test_a_file_that_cannot_be_opened_says_where_and_what_to_do(
    content: bytes, code: str, line: int | None, said: str
) -> None:
    with pytest.raises(SheetInvalid) as refused:
        _open(content)
    complaint = refused.value
    assert (complaint.code, complaint.line) == (code, line)
    assert said in complaint.message
    assert complaint.remedy


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        (b'a,b\n1,2\n"open,2\n3,4\n', 3, "never closed"),
        (b'a,b\n1,2\n"x"y,2\n', 3, "after a closing quote"),
        (b'a,b\n"' + (b"1" * 999_999 + b"\n") * 2 + b'",2\n', 2, "more than 1,048,576 characters"),
        (b'a,b\n1,2\n"open,2\n' + b"3,4\n" * 50_000, 3, "never closed"),
    ],
)
def test_broken_quoting_is_found_at_the_row_that_opens_it(content: bytes, line: int, said: str) -> None:
    with pytest.raises(SheetInvalid) as refused:
        _rows(content)
    assert refused.value.line == line
    assert said in f"{refused.value.message} {refused.value.remedy}"


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
    assert [cells for _, _, cells in _rows(written.getvalue().encode(encoding), wanted=_header)] == [
        row for row in rows if any((cell if cell.isascii() else clean_name(cell)).strip() for cell in row)
    ]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        with _open(content) as sheet:
            read = [row.cells for row in sheet.rows()]
    except SheetInvalid:
        return
    assert all(map(any, read))
