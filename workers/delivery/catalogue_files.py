"""Files of a catalogue's run: the feed with its pictures, and the rows that have none with the reason, as CSV.

Both have every column of the sent feed, cells as they were written: the errors can be corrected and sent again, since a
reader of feeds leaves our columns out.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from io import StringIO
from typing import BinaryIO
from urllib.parse import quote

from workers.delivery.feed_rows import FeedRows
from workers.delivery.outcome import OUTCOME_PREFIX, with_apostrophe
from workers.delivery.remedies import remedy
from workers.jobs.catalogue.views import UnmadeRow

FEED_NAME, ERRORS_NAME = "feed.csv", "errors.csv"
PICTURE = "picture"  # the column that is added to a feed without one
_REASON = tuple(f"{OUTCOME_PREFIX}{name}" for name in ("code", "message"))
_BOM = b"\xef\xbb\xbf"  # which spreadsheet programs need to read it as UTF-8


def write_feed(file: BinaryIO, rows: FeedRows, names: Mapping[str, str], address: str) -> None:
    """The feed, with the name of each row's first picture (by key) in the picture column, behind `address`.

    A row without a live picture keeps what its cell says.
    """
    header = [*rows.header, *([PICTURE] if rows.place == len(rows.header) else [])]
    file.write(_BOM + _line(header))
    for row in rows:
        cells = [*row.cells, *[""] * (len(header) - len(row.cells))]
        if row.key is not None and (name := names.get(row.key)):
            cells[rows.place] = f"{address}{quote(name)}" if address else name
        file.write(_line(cells))


def write_errors(file: BinaryIO, rows: FeedRows, unmade: Iterable[UnmadeRow]) -> None:
    """Rows of which a picture is not there, with their reasons."""
    reasons: dict[int, list[UnmadeRow]] = {}
    for one in unmade:
        reasons.setdefault(one.row, []).append(one)
    width = len(rows.header)
    file.write(_BOM + _line([*rows.header, *_REASON]))
    for row in rows:
        if row.key is not None and (found := reasons.get(row.number)):
            said = "; ".join(dict.fromkeys(one.code for one in found))
            what = "; ".join(dict.fromkeys(one.detail or remedy(one.state, one.code) for one in found))
            file.write(_line([*row.cells[:width], *[""] * (width - len(row.cells)), said, what]))


def _line(cells: Iterable[str]) -> bytes:
    line = StringIO(newline="")
    csv.writer(line).writerow(map(with_apostrophe, cells))
    return line.getvalue().encode("utf-8", "replace")  # half a surrogate pair, from a feed in JSON, has no bytes
