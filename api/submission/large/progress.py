"""Progress of a check: told to the database now and then, which renews the lease and shows whether it is still held."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Protocol

from api.edge.dependencies import Parts
from workers.jobs.types import NewItem
from workers.jobs.uploads import campaign_checks
from workers.jobs.uploads.campaign_checks import CampaignCheck
from workers.sheets.sheet import SheetRow, Spreadsheet

_SECONDS = 1.0  # between two looks at the row
_ROWS = 50  # between two looks at the clock


class RowsWatched(Protocol):
    """What a check tells as it goes."""

    def begin(self, rows: int) -> None: ...

    def row(self) -> None: ...


def watched_rows(sheet: Spreadsheet, watched: RowsWatched | None) -> Iterator[SheetRow]:
    """The rows of the sheet. Who watches is given their number first, and each as soon as the caller is done with it.

    Raises SheetInvalid where the quoting breaks.
    """
    if watched is None:
        yield from sheet.rows()
        return
    watched.begin(sum(1 for _ in sheet.rows()))
    for row in sheet.rows():
        yield row
        watched.row()


class CheckLost(Exception):
    """The check was cancelled, or another process has it, or this process stops: whoever works on it leaves it."""


class CheckProgress:
    """Of one check. One thread. Raises CheckLost as soon as the row says so."""

    def __init__(self, parts: Parts, check: CampaignCheck) -> None:
        self._parts, self._check = parts, check
        self._rows: int | None = None
        self._done = 0
        self._stage = "checking"
        self._told_at = time.monotonic()

    def begin(self, rows: int) -> None:
        self._rows = rows
        self._tell()

    def row(self) -> None:
        self._done += 1
        if self._done % _ROWS == 0:
            self.step()

    def stored(self, new_items: Iterable[NewItem]) -> Iterator[NewItem]:
        """The same items, as they are stored."""
        self._stage, self._done = "storing", 0
        last = 0
        for n, item in enumerate(new_items):
            self._done += item.row != last
            last = item.row
            if n % _ROWS == 0:
                self.step()
            yield item

    def step(self) -> None:
        """Something was done that takes a while: a piece of a file, a picture, some rows."""
        if self._parts.checking.is_closed:
            raise CheckLost
        if time.monotonic() - self._told_at >= _SECONDS:
            self._tell()

    def _tell(self) -> None:
        """In a transaction of its own: the one that stores the items holds no lock on the row until its end."""
        self._told_at = time.monotonic()
        with self._parts.transaction(self._check.tenant) as conn:
            done = campaign_checks.renew(conn, self._check, rows=self._rows, rows_checked=self._done, stage=self._stage)
        if not done:
            raise CheckLost
