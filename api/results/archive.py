"""Archive of results: a ZIP with every file under its name, and `manifest.csv` and `manifest.jsonl` at its end.

Written as it is read, one picture at a time: memory holds one file, however many there are. Pictures are stored, not
compressed again. An archive that breaks off has no directory, so that no program takes it for a whole one.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from api.results.documents import csv_document, jsonl_document
from api.results.growing import GrowingFile
from workers.delivery.file_names import folded

_EPOCH = datetime(1980, 1, 1)


def archive(
    names: Sequence[str],
    lines: Iterable[tuple[Mapping[str, Any], str]],
    read: Callable[[str], bytes],
    at: datetime,
) -> Iterator[bytes]:
    """The bytes of the ZIP. `lines` are pairs of a line and the object's key, "" for a line without a file."""
    growing = GrowingFile()
    kept: list[Mapping[str, Any]] = []
    taken = {folded("manifest.csv"), folded("manifest.jsonl")}
    with zipfile.ZipFile(growing, "w", allowZip64=True) as written:
        for line, key in lines:
            kept.append(line)
            if not key:
                continue
            name = str(line["presswork_file_name"])
            if folded(name) in taken:  # a name that older rows without a suffix share
                name = f"{line['presswork_item_id']}-{name}"
            taken.add(folded(name))
            written.writestr(_entry(name, at), read(key))
            yield growing.taken()
        for name, document in (("manifest.csv", csv_document), ("manifest.jsonl", jsonl_document)):
            written.writestr(_entry(name, at, zipfile.ZIP_DEFLATED), b"".join(document(names, [kept])))
            yield growing.taken()
    yield growing.taken()


def _entry(name: str, at: datetime, kind: int = zipfile.ZIP_STORED) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, max(at.replace(tzinfo=None), _EPOCH).timetuple()[:6])
    entry.compress_type = kind
    entry.external_attr = 0o644 << 16
    return entry
