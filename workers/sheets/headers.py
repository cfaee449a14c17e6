"""Header of a table: the line that names the columns, also where a title stands above it.

Nothing is demanded of a name that nobody asks for: empty, repeated, long and odd names are only looked at when used.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

from workers.sheets.errors import SheetInvalid
from workers.sheets.names import clean_name, loose_name

MAX_COLUMNS = 16_384  # as many as a worksheet has
SEARCHED_RECORDS = 20  # that may stand above the data, the header included


@dataclass(frozen=True, slots=True)
class Wanted:
    """The names that somebody will ask for: those of the template as they stand, our own in any spelling."""

    exact: frozenset[str]
    loose: frozenset[str]

    @classmethod
    def of(cls, exact: Collection[str] = (), own: Collection[str] = ()) -> Wanted:
        return cls(frozenset(map(clean_name, exact)), frozenset(map(loose_name, own)))

    def met_by(self, cells: Sequence[str]) -> tuple[int, int]:
        """How many names the cells hold: of the template, and of all."""
        names = {clean_name(cell) for cell in cells if len(cell) <= 1000} - {""}
        exact = len(names & self.exact)
        return exact, exact + len({loose_name(name) for name in names} & self.loose)


def find_header(records: Sequence[tuple[int, list[str]]], wanted: Wanted) -> int:
    """Index of the record that names the columns, among the first ones of a file.

    It is the record that holds most of the names that are asked for. Without any, it is the first record, or where that
    is one cell, as a title is, the first of two in a row that have more.
    """
    best, most = -1, (0, 0)
    for index, (_, cells) in enumerate(records[:SEARCHED_RECORDS]):
        if (met := wanted.met_by(cells)) > most:
            best, most = index, met
    if best >= 0:
        return best
    widths = [sum(bool(cell.strip()) for cell in cells) for _, cells in records[:SEARCHED_RECORDS]]
    if not widths or widths[0] > 1:
        return 0
    return next((index for index, pair in enumerate(pairwise(widths)) if min(pair) > 1), 0)


def header_of(cells: Sequence[str]) -> tuple[str, ...]:
    """The clean names of all columns up to the last that has one; "" where a column has none."""
    names = [clean_name(cell) for cell in cells]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise SheetInvalid("no_header", "the file is empty", "The first line names the columns.", line=1)
    if len(names) > MAX_COLUMNS:
        message = f"the header names {len(names):,} columns; {MAX_COLUMNS:,} are read"
        raise SheetInvalid("too_many_columns", message, "Remove columns that nobody uses.")
    return tuple(names)
