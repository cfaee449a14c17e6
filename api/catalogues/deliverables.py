"""Files of a catalogue's last run: the feed with its pictures, the rows that have none with the reason, the run itself.

They are made of the feed as it was planned and of what is live now, when they are asked for. The feed and the errors
have every column of the sent feed, cells as they were written: the errors can be corrected and sent again, since a
reader of feeds leaves our columns out. Memory holds the names of files and the reasons, by row.
"""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any, BinaryIO, cast
from urllib.parse import quote

from sqlalchemy import Row

from api.catalogues.feed import CatalogueFeed
from api.edge.dependencies import Parts
from api.schemas.catalogues import CatalogueBody
from workers.delivery.catalogue_lines import about_run, object_name, slot_lines
from workers.delivery.outcome import OUTCOME_PREFIX, with_apostrophe
from workers.delivery.remedies import remedy
from workers.errors import Conflict
from workers.jobs.catalogue.views import UnmadeRow, get_plan, last_applied, live_slots, unmade
from workers.sheets.names import clean_name

_MEMORY_BYTES = 1024 * 1024  # of a file; beyond it lies on disk
_PICTURE = "picture"  # the column that is added to a feed without one
_REASON = tuple(f"{OUTCOME_PREFIX}{name}" for name in ("code", "message"))
_BOM = b"\xef\xbb\xbf"  # which spreadsheet programs need to read it as UTF-8


class LastRun:
    """The last run of a catalogue that was applied. Raises Conflict where there is none."""

    def __init__(self, parts: Parts, tenant: str, catalogue: Row[Any]) -> None:
        self._parts, self._tenant, self._catalogue = parts, tenant, catalogue
        with parts.transaction(tenant) as conn:
            run = last_applied(conn, tenant, catalogue.id)
            if run is None:
                raise Conflict(f"catalogue {catalogue.name} had no run yet; apply a plan first")
            self._run, self._plan = run, get_plan(conn, tenant, run.plan_id)
        self._spec = CatalogueBody.model_validate_json(json.dumps(self._plan.spec))

    def about(self) -> dict[str, Any]:
        """The run, and the plan that it carried out."""
        return about_run(self._catalogue.name, self._run, self._plan)

    def write_feed(self, file: BinaryIO, address: str) -> None:
        """The feed, with the name of each row's first picture in the picture column, behind `address`.

        A row without a live picture keeps what its cell says.
        """
        names = dict(self._first_files())
        with self._feed() as feed:
            column = clean_name(self._spec.picture_column) or _PICTURE
            header = list(feed.header)
            if column not in header:
                header.append(column)
            place = header.index(column)
            _write(file, _BOM, map(with_apostrophe, header))
            for row, taken in feed.every_row():
                cells = [*row.cells, *[""] * (len(header) - len(row.cells))]
                if taken is not None and (name := names.get(taken.key)):
                    cells[place] = f"{address}{quote(name)}" if address else name
                _write(file, b"", map(with_apostrophe, cells))

    def write_errors(self, file: BinaryIO) -> None:
        """Rows of which a picture is not there, with their reasons."""
        reasons: dict[int, list[UnmadeRow]] = {}
        with self._parts.transaction(self._tenant) as conn:
            for one in unmade(conn, self._tenant, self._run):
                reasons.setdefault(one.row, []).append(one)
        with self._feed() as feed:
            _write(file, _BOM, [*map(with_apostrophe, feed.header), *_REASON])
            width = len(feed.header)
            for row, taken in feed.every_row():
                if taken is not None and (found := reasons.get(row.number)):
                    cells = [*row.cells[:width], *[""] * (width - len(row.cells))]
                    said = "; ".join(dict.fromkeys(one.code for one in found))
                    what = "; ".join(dict.fromkeys(one.detail or remedy(one.state, one.code) for one in found))
                    _write(file, b"", map(with_apostrophe, [*cells, said, what]))

    def _first_files(self) -> Iterator[tuple[str, str]]:
        """(key, name of the first file) of each first view; where it is delivered, the name of its object."""
        for page in live_slots(lambda: self._parts.transaction(self._tenant), self._tenant, self._catalogue.id):
            for slot in page:
                if slot.view == 1 and slot.files:
                    _, line = next(slot_lines(slot))
                    yield slot.key, object_name(line) if self._spec.deliver else line["file_name"]

    @contextmanager
    def _feed(self) -> Iterator[CatalogueFeed]:
        """The feed as it was planned. Raises Conflict where it is kept no longer."""
        if self._plan.feed_key is None:
            raise Conflict(f"the feed of run {self._run.number} is kept no longer; plan and apply again")
        with tempfile.SpooledTemporaryFile(_MEMORY_BYTES) as file:
            for piece in self._parts.store.stream(self._plan.feed_key):
                file.write(piece)
            feed = CatalogueFeed(self._spec, cast(BinaryIO, file), None)
            try:
                yield feed
            finally:
                feed.close()


def _write(file: BinaryIO, before: bytes, cells: Iterable[str]) -> None:
    line = StringIO(newline="")
    csv.writer(line).writerow(cells)
    file.write(before + line.getvalue().encode())
