"""A campaign in two passes over the spreadsheet: check every row, then store all of them or nothing.

The first pass writes what it understood of each good row to a temporary file, the second reads it back
while it is inserted: memory stays small however long the spreadsheet is, and nothing is screened twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from api.edge.problems import Complaint
from api.schemas.requests import CampaignBody
from api.submission.checked import CheckedRow
from api.submission.file_naming import FileNames, template_complaints
from api.submission.findings import SubmissionFindings
from api.submission.recipes import RecipeBook
from api.submission.rows import RowReader
from api.submission.spreadsheets import SheetInvalid, SheetRow, Spreadsheet, unknown_column
from api.templates import Template, TemplateInvalid
from policy.rulebook.scope import Context
from policy.rules import Rules
from workers.jobs.types import NewItem
from workers.settings import Settings


class Campaign:
    """One spreadsheet with its spec, for one tenant. The caller owns `file` and `spool`."""

    def __init__(
        self, spec: CampaignBody, file: BinaryIO, book: RecipeBook, *, settings: Settings, rules: Rules, tenant: str
    ) -> None:
        self._spec, self._file, self._book = spec, file, book
        self._settings, self._rules = settings, rules
        self._context = Context(tenant, spec.name, book.card.name)

    def check(self, spool: BinaryIO) -> SubmissionFindings:
        """Pass one: every row read, screened, and written to `spool`. Raises Problem with up to MAX_LISTED errors."""
        found = SubmissionFindings(self._book, self._rules, self._context, self._spec.variants)
        template, sheet = self._template(found), self._sheet(found)
        if template is not None and sheet is not None:
            self._rows(sheet, template, found, spool)
            self._whole(found)
        found.raise_complaints()
        return found

    def items(self, spool: BinaryIO, request_id: str) -> Iterator[NewItem]:
        """Pass two: the items of every checked row, in order."""
        spool.seek(0)
        for line in spool:
            row = CheckedRow.from_line(line)
            yield from row.items(request_id, self._book.recipe(row.options), self._spec.variants)

    def _template(self, found: SubmissionFindings) -> Template | None:
        try:
            template = Template.parse(self._spec.template)
        except TemplateInvalid as error:
            found.complain(Complaint("template", str(error), error.remedy, field="template"))
            return None
        if not template.names and not self._spec.template.strip():
            remedy = "Say what should be in the picture, with {column} for what differs by row."
            found.complain(Complaint("empty_prompt", "the template is empty", remedy, field="template"))
            return None
        return template

    def _sheet(self, found: SubmissionFindings) -> Spreadsheet | None:
        """The opened file, unless it is unreadable or longer than the limits: counting comes before screening."""
        try:
            sheet = Spreadsheet(self._file, self._spec.delimiter)
        except SheetInvalid as error:
            found.complain(error.complaint)
            return None
        rows, items = self._settings.max_rows, self._settings.max_items
        most = min(rows, items // self._spec.variants)
        if sheet.more_rows_than(most):
            message = f"the file has more than {most:,} data rows"
            remedy = f"A request holds up to {rows:,} rows and {items:,} images (rows x variants). Send several."
            found.complain(Complaint("too_many_rows", message, remedy))
            return None
        return sheet

    def _rows(self, sheet: Spreadsheet, template: Template, found: SubmissionFindings, spool: BinaryIO) -> None:
        for name in template.names:
            if name not in sheet.header:
                found.complain(unknown_column(name, sheet.header))
        found.complain(*self._book.complaints(self._spec))
        unnameable = list(template_complaints(self._spec, sheet.header))
        found.complain(*unnameable)
        reader = RowReader(
            self._spec,
            self._book,
            sheet.header,
            template,
            settings=self._settings,
            rules=self._rules,
            context=self._context,
        )
        found.carried_columns, found.unused_columns = reader.carried_columns, reader.unused
        names = None if unnameable else FileNames(self._spec, reader.carried_columns)
        try:
            for row in sheet.rows():
                self._row(reader, names, row, found, spool)
                if found.full:
                    return
        except SheetInvalid as error:
            found.complain(error.complaint)

    def _row(
        self, reader: RowReader, names: FileNames | None, row: SheetRow, found: SubmissionFindings, spool: BinaryIO
    ) -> None:
        read = reader.read(row)
        found.rows += 1
        if isinstance(read, list):
            found.complain(*read)
            return
        if names is not None:
            read = replace(read, file_suffixes=names.suffixes(read))
        found.add(read)
        spool.write(read.to_line())

    def _whole(self, found: SubmissionFindings) -> None:
        most = self._settings.max_megapixel_steps
        if found.megapixel_steps > most:
            message = f"the campaign asks for {found.megapixel_steps:,.0f} megapixel steps; {most:,} are allowed"
            remedy = "Ask for fewer rows, variants or steps, or smaller images."
            found.complain(Complaint("too_much_work", message, remedy))
        if not found.rows and not found.complaints:
            remedy = "Below the header, every line is an image to make."
            found.complain(Complaint("no_rows", "the file has a header and no data rows", remedy))
