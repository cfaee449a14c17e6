"""Feed of a catalogue: its rows in order, each with its key, the cells that somebody asks for, and its picture.

Cells are cleaned for good: filters, then markup, entities and spaces. So white space, markup and the order of columns
change nothing. A row that cannot be used says why and stops no other. Memory holds one row and the keys seen.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from api.edge.problems import Complaint, quoted
from api.schemas.catalogues import CatalogueBody
from api.schemas.requests import MAX_CUSTOM_ID_CHARS
from api.submission.file_naming import columns_named
from api.submission.pilot import sampled_by
from api.submission.table.cleaning import Cleaning, plain_text
from api.submission.table.columns import missing_column, unknown_column
from api.submission.table.selection import RowSelection
from api.submission.tokens import PromptTokens
from api.templates import Template
from workers.delivery.catalogue_files import PICTURE
from workers.delivery.file_names import OWN as OWN_NAMES
from workers.sheets.headers import Wanted
from workers.sheets.names import clean_name
from workers.sheets.sheet import ReadingHints, SheetRow, Spreadsheet

MAX_ROWS = 200_000  # of a feed
MAX_COLUMNS = 100  # that somebody asks for
_UNMARKED = "|0|no|false"  # what the column of `remove` says of rows that stay, as values of a condition


@dataclass(frozen=True, slots=True)
class FeedRow:
    """A row that is taken. `problem` says why nothing can be made of it."""

    number: int  # 1-based data row of the feed
    line: int
    key: str
    cells: tuple[str, ...]  # one for each of the feed's names
    picture: str  # what its cell says, "" for none
    removed: bool = False  # its mark says that its pictures leave the catalogue
    problem: Complaint | None = None


class CatalogueFeed:
    """One reading of a feed. The caller owns `file`. Raises SheetInvalid for what cannot be read."""

    def __init__(self, spec: CatalogueBody, file: BinaryIO, tokens: PromptTokens | None) -> None:
        self._spec, self._template = spec, Template.parse(spec.make.template)
        conditions = (*spec.where, spec.remove)
        asked = {*self._template.candidates, *self._others(), *spec.keys, *conditions, *spec.fill_down}
        hints = ReadingHints(spec.delimiter or "", spec.encoding or "", spec.sheet)
        self._sheet = Spreadsheet(file, Wanted.of([name for name in asked if name]), hints)
        self.complaints: list[Complaint] = []
        self._bind(tokens)

    def close(self) -> None:
        """Removes what was unpacked."""
        self._sheet.close()

    @property
    def template_names(self) -> tuple[str, ...]:
        """The columns that the template reads."""
        return tuple(name for name in self.names if name in self._in_template)

    @property
    def header(self) -> tuple[str, ...]:
        """Every column of the feed, in order."""
        return self._sheet.header

    @property
    def picture_place(self) -> int:
        """Of the column that gets names of pictures; behind the last one where the feed has none."""
        name = clean_name(self._spec.picture_column) or PICTURE
        return self._sheet.header.index(name) if name in self._sheet.header else len(self._sheet.header)

    def rows(self) -> Iterator[FeedRow]:
        """Rows that are taken. Of two with one key, the second has a problem. Raises SheetInvalid."""
        return (taken for _, taken in self.every_row() if taken is not None)

    def every_row(self) -> Iterator[tuple[SheetRow, FeedRow | None]]:
        """Every row as it is written, and what is taken of it, None for nothing. Raises SheetInvalid."""
        seen: dict[str, int] = {}
        for row in self._sheet.rows():
            cells = list(row.cells) + [""] * (self._sheet.width - len(row.cells))
            if not self._selection.take(cells):
                yield row, None
                continue
            key = "-".join(filter(None, (cells[place].strip() for place in self._key)))
            picture = self._picture_of(cells)
            removed = self._removal is not None and self._removal.take(cells)
            self._cleaning.clean(cells)
            kept = tuple(_plain(cells[place]) for place in self._places)
            problem = self._problem(row, key, seen)
            name = f"row {row.number}" if problem else key
            taken = FeedRow(row.number, row.line, name, kept, picture, removed and problem is None, problem)
            yield row, taken

    def _others(self) -> list[str]:
        """Columns that something but the template asks for: names of files, languages of labels, the pilot."""
        named = [clean_name(name) for name in (*columns_named(self._spec.make), *sampled_by(self._spec.pilot)) if name]
        return [name for name in dict.fromkeys(named) if name not in OWN_NAMES]

    def _bind(self, tokens: PromptTokens | None) -> None:
        spec, header = self._spec, self._sheet.header
        places: dict[str, int] = {}
        for place, name in enumerate(header):
            places.setdefault(name, place)
        shape = spec.shape
        bound = self._template.bind({**self._sheet.aliases, **places})
        self.complaints += [unknown_column(one.column, header) for one in bound.unknown]
        wanted = {value.name: value.column for value in bound.values}
        self._in_template = frozenset(wanted)
        for name in self._others():
            if name in places:
                wanted.setdefault(name, places[name])
            else:
                self.complaints.append(missing_column(name, places, "make"))
        self.names, self._places = tuple(wanted), tuple(wanted.values())
        if len(self.names) > MAX_COLUMNS:
            message = f"{len(self.names)} columns are asked for; {MAX_COLUMNS} are allowed"
            self.complaints.append(Complaint("too_many_columns", message, "Ask for fewer columns.", field="make"))
        for name in spec.keys:
            if clean_name(name) not in places:
                self.complaints.append(missing_column(name, places, "key"))
        self._key = [places[clean_name(name)] for name in spec.keys if clean_name(name) in places]
        self._selection = RowSelection(  # what a shape guesses of an export counts where the export has it
            places,
            fill_down=spec.fill_down or [name for name in shape.fill_down if name in places],
            group=spec.group or (shape.group if shape.group in places else ""),
            where=spec.where or [name for name in shape.where if name in places],
        )
        filters = {
            name: [one if isinstance(one, str) else one.map for one in of_column]
            for name, of_column in spec.clean.items()
        }
        for name, of_shape in (shape.clean or {}).items():
            if name in places:
                filters.setdefault(name, list(of_shape))
        self._cleaning = Cleaning(filters, places, tokens)
        self.complaints += [*self._selection.complaints, *self._cleaning.complaints]
        self._removal = self._removed_by(clean_name(spec.remove), places)
        column = clean_name(spec.picture_column)
        self._picture = places.get(column)
        if column and self._picture is None:
            self.complaints.append(missing_column(column, places, "picture"))

    def _removed_by(self, text: str, places: Mapping[str, int]) -> RowSelection | None:
        """The condition under which a row is a mark to remove; None: no row is one."""
        if not text:
            return None
        condition = f"{text}!={_UNMARKED}" if text in places else text
        selection = RowSelection(places, fill_down=(), group="", where=[condition])
        if selection.complaints:
            self.complaints.append(missing_column(text, places, "remove"))
        return selection

    def _picture_of(self, cells: list[str]) -> str:
        """The first of several pictures, as shops write them with commas between."""
        if self._picture is None:
            return ""
        return cells[self._picture].strip().split(", ")[0].split(",http")[0].strip()

    def _problem(self, row: SheetRow, key: str, seen: dict[str, int]) -> Complaint | None:
        name = self._spec.keys[0]

        def at(code: str, message: str, remedy: str) -> Complaint:
            return Complaint(code, message, remedy, row=row.number, line=row.line, column=name)

        if not key:
            return at("empty_key", "the cell is empty, and `key` names this column", "Fill it in.")
        if len(key) > MAX_CUSTOM_ID_CHARS or not key.isprintable():
            message = f"{quoted(key)} is longer than {MAX_CUSTOM_ID_CHARS} characters or holds invisible ones"
            return at("custom_id", message, "Choose a short key.")
        first = seen.setdefault(key, row.number)
        if first != row.number:
            message = f"{quoted(key)} is also the key of row {first}"
            return at("duplicate_key", message, "Name more columns in `key`, or leave rows out with `where`.")
        return None


def _plain(text: str) -> str:
    """The text without markup, NUL, double spaces and other forms of the same letters."""
    if text.isascii() and text.isprintable() and not ("<" in text or "&" in text or "  " in text):
        return text.strip()
    return " ".join(unicodedata.normalize("NFC", plain_text(text)).replace("\0", "\ufffd").split())
