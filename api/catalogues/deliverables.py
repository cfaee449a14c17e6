"""Files of a catalogue's last run: the feed with its pictures, the rows that have none with the reason, the run itself.

They are made of the rows as the apply read them and of what is live now, when they are asked for. Memory holds the
names of files and the reasons.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from sqlalchemy import Row

from api.edge.dependencies import Parts
from api.schemas.catalogues import CatalogueBody
from workers.delivery.catalogue_files import write_errors, write_feed
from workers.delivery.catalogue_lines import about_run, object_name, slot_lines
from workers.delivery.feed_rows import FeedRows
from workers.errors import Conflict, NotFound
from workers.jobs.catalogue.views import get_plan, last_applied, live_slots, unmade
from workers.store import rows_key

_MEMORY_BYTES = 1024 * 1024  # of a file; beyond it lies on disk


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
        with self._rows() as rows:
            write_feed(file, rows, names, address)

    def write_errors(self, file: BinaryIO) -> None:
        """Rows of which a picture is not there, with their reasons."""
        with self._parts.transaction(self._tenant) as conn:
            found = list(unmade(conn, self._tenant, self._run))
        with self._rows() as rows:
            write_errors(file, rows, found)

    def _first_files(self) -> Iterator[tuple[str, str]]:
        """(key, name of the first file) of each first view; where it is delivered, the name of its object."""
        for page in live_slots(lambda: self._parts.transaction(self._tenant), self._tenant, self._catalogue.id):
            for slot in page:
                if slot.view == 1 and slot.files:
                    _, line = next(slot_lines(slot))
                    yield slot.key, object_name(line) if self._spec.deliver else line["file_name"]

    @contextmanager
    def _rows(self) -> Iterator[FeedRows]:
        """The feed as it was planned. Raises Conflict where it is kept no longer."""
        gone = f"the feed of run {self._run.number} is kept no longer; plan and apply again"
        if self._plan.feed_key is None:
            raise Conflict(gone)
        with tempfile.SpooledTemporaryFile(_MEMORY_BYTES) as file:
            try:
                for piece in self._parts.store.stream(rows_key(self._plan.feed_key)):
                    file.write(piece)
            except NotFound as error:
                raise Conflict(gone) from error
            yield FeedRows(cast(BinaryIO, file))
