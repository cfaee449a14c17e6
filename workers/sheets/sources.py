"""Source of a table: a file unpacked from ZIP or gzip within limits, and its format by its first bytes.

Nothing is written under a name from an archive: the one table goes into a nameless temporary file.
"""

from __future__ import annotations

import gzip
import io
import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import IO, BinaryIO, cast

from workers.sheets.errors import SheetInvalid
from workers.sheets.names import shown

MAX_UNPACKED_BYTES = 256 * 1024**2  # four times the largest body
MAX_RATIO = 200  # plain bytes for one packed, beyond the first megabytes: tables pack 5 to 50 times
_FREE_BYTES = 8 * 1024**2
MAX_MEMBERS = 2000  # of an archive, workbooks included
_MEMORY_BYTES = 1024 * 1024
_CHUNK_BYTES = 256 * 1024
_TABLES = (".csv", ".tsv", ".txt", ".tab", ".xlsx", ".xlsm", ".jsonl", ".ndjson", ".json", ".parquet", ".xml", ".rss")
_LITTER = re.compile(r"(^|/)(__MACOSX/|\.DS_Store$|Thumbs\.db$|desktop\.ini$|\._)|/$", re.IGNORECASE)
_OUTSIDE = re.compile(r"^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)|\0")


class SheetFormat(StrEnum):
    """What a table is written as."""

    CSV = "csv"
    JSON_LINES = "jsonl"
    JSON = "json"
    XLSX = "xlsx"
    PARQUET = "parquet"
    XML = "xml"


@dataclass(frozen=True, slots=True)
class Source:
    """The bytes of one table. `owned` is to be closed by whoever opened the source; the caller's file is not."""

    file: BinaryIO
    format: SheetFormat
    packed: str = ""  # "zip" or "gzip"
    member: str = ""
    owned: BinaryIO | None = None


def open_source(file: BinaryIO, *, most: int = MAX_UNPACKED_BYTES) -> Source:
    """The table in the file. Raises SheetInvalid for archives of several, bombs, and formats that are not read."""
    packing = _packing(file)
    if not packing:
        return Source(file, _format(file))
    unpacked = cast(BinaryIO, tempfile.SpooledTemporaryFile(_MEMORY_BYTES))  # noqa: SIM115 - the caller's to close
    try:
        most = min(most, _FREE_BYTES + MAX_RATIO * file.seek(0, io.SEEK_END))
        member = _unzip(file, unpacked, most) if packing == "zip" else _gunzip(file, unpacked, most)
        if _packing(unpacked):
            raise SheetInvalid("archive", "the archive holds another archive", "Pack the table once.")
        return Source(unpacked, _format(unpacked), packing, member, unpacked)
    except BaseException:
        unpacked.close()
        raise


def _start(file: BinaryIO, size: int = 512) -> bytes:
    file.seek(0)
    start = file.read(size)
    file.seek(0)
    return start


def _packing(file: BinaryIO) -> str:
    start = _start(file, 4)
    if start.startswith(b"\x1f\x8b"):
        return "gzip"
    return "zip" if start in (b"PK\x03\x04", b"PK\x05\x06") and not _is_workbook(file) else ""


def _is_workbook(file: BinaryIO) -> bool:
    """Whether the ZIP is an office document, of whichever kind."""
    names = _archive(file).namelist()
    return any(name.startswith("xl/") or name in ("[Content_Types].xml", "content.xml") for name in names)


def _archive(file: BinaryIO) -> zipfile.ZipFile:
    file.seek(0)
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise SheetInvalid("archive", f"the ZIP cannot be opened: {error}", "Pack it again.") from error
    if len(archive.infolist()) > MAX_MEMBERS:
        message = f"the archive has more than {MAX_MEMBERS:,} members"
        raise SheetInvalid("archive", message, "Send the one table.")
    return archive


def check_workbook(file: BinaryIO, *, most: int = MAX_UNPACKED_BYTES) -> None:
    """Raises SheetInvalid for a workbook that unpacks to more than `most` bytes, or is encrypted, or is none."""
    archive = _archive(file)
    most = min(most, _FREE_BYTES + MAX_RATIO * file.seek(0, io.SEEK_END))
    size = sum(member.file_size for member in archive.infolist())
    if size > most:
        raise _bomb(most)
    if any(member.flag_bits & 1 for member in archive.infolist()):
        raise SheetInvalid("archive", "the workbook is encrypted", "Save it without a password.")
    if not any(name.startswith("xl/") for name in archive.namelist()):
        message = "the file is an office document, but no .xlsx workbook"
        raise SheetInvalid("format", message, "Save it as 'Excel workbook (.xlsx)' or as CSV.")
    file.seek(0)


def _unzip(file: BinaryIO, target: BinaryIO, most: int) -> str:
    archive = _archive(file)
    for member in archive.infolist():
        if _OUTSIDE.search(member.filename):
            message = f"the archive names a path outside of itself: {shown(member.filename)}"
            raise SheetInvalid("archive", message, "Pack the table by its plain name.")
    members = [member for member in archive.infolist() if not _LITTER.search(member.filename)]
    tables = [member for member in members if member.filename.lower().endswith(_TABLES)] or members
    if len(tables) != 1:
        names = ", ".join(shown(member.filename) for member in tables[:5]) or "none"
        message = f"the archive holds {len(tables):,} tables: {names}"
        raise SheetInvalid("archive", message, "Pack one table, and send several as several campaigns.")
    (member,) = tables
    if member.flag_bits & 1:
        raise SheetInvalid("archive", f"{shown(member.filename)} is encrypted", "Pack it without a password.")
    try:
        with archive.open(member) as packed:
            _copy(packed, target, most)
    except (zipfile.BadZipFile, NotImplementedError, zlib.error, EOFError, OSError) as error:
        raise SheetInvalid("archive", f"the ZIP is damaged: {error}", "Pack it again.") from error
    return member.filename


def _gunzip(file: BinaryIO, target: BinaryIO, most: int) -> str:
    file.seek(0)
    try:
        with gzip.GzipFile(fileobj=file) as packed:
            _copy(cast(IO[bytes], packed), target, most)
    except (gzip.BadGzipFile, zlib.error, EOFError, OSError) as error:
        raise SheetInvalid("archive", f"the gzip file is damaged: {error}", "Pack it again.") from error
    return ""


def _copy(packed: IO[bytes], target: BinaryIO, most: int) -> None:
    """Counts what really comes out: the sizes that an archive states are only stated."""
    size = 0
    while chunk := packed.read(_CHUNK_BYTES):
        size += len(chunk)
        if size > most:
            raise _bomb(most)
        target.write(chunk)
    target.seek(0)


def _bomb(most: int) -> SheetInvalid:
    message = f"unpacked, the file has more than {most:,} bytes"
    return SheetInvalid("too_large_unpacked", message, "Remove what is not needed, or send several files.")


def _format(file: BinaryIO) -> SheetFormat:
    start = _start(file)
    if start.startswith(b"PK\x03\x04"):
        check_workbook(file)
        return SheetFormat.XLSX
    if start.startswith(b"PAR1"):
        return SheetFormat.PARQUET
    for signs, what, remedy in _UNREAD:
        if start.startswith(signs):
            raise SheetInvalid("format", f"the file is {what}, which is not read", remedy)
    return next(_text_formats(start.removeprefix(b"\xef\xbb\xbf").lstrip()), SheetFormat.CSV)


_SAVE_AS = "Save it as 'Excel workbook (.xlsx)' or as CSV."
_UNREAD = (
    (b"\xd0\xcf\x11\xe0", "an old or encrypted office document (.xls)", _SAVE_AS),
    (b"%PDF", "a PDF", "Send the table itself, as CSV or .xlsx."),
    (b"\x89PNG", "a picture", "Send a table, as CSV or .xlsx."),
    (b"\xff\xd8\xff", "a picture", "Send a table, as CSV or .xlsx."),
    (b"7z\xbc\xaf", "a 7z archive", "Pack it as ZIP or gzip."),
    (b"Rar!", "a RAR archive", "Pack it as ZIP or gzip."),
    (b"BZh", "a bzip2 file", "Pack it as ZIP or gzip."),
    (b"\xfd7zXZ", "an xz file", "Pack it as ZIP or gzip."),
    (b"\x28\xb5\x2f\xfd", "a zstd file", "Pack it as ZIP or gzip."),
)


def _text_formats(start: bytes) -> Iterator[SheetFormat]:
    if re.match(rb"<(!doctype\s+html|html|table|meta|head)\b", start, re.IGNORECASE):
        raise SheetInvalid(
            "format", "the file is an HTML page, as some programs write .xls, which is not read", _SAVE_AS
        )
    if re.match(rb"\{\s*(\"|\}|$)", start):
        yield SheetFormat.JSON_LINES
    elif re.match(rb"\[\s*(\{|\]|$)", start):
        yield SheetFormat.JSON
    elif re.match(rb"<(\?xml|rss|feed|!--|!DOCTYPE|rdf)", start, re.IGNORECASE):
        yield SheetFormat.XML
