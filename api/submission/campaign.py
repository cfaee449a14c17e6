"""Campaign submission in two passes over the spreadsheet: check every row, then store all of them or nothing.

The first pass writes what it understood of each good row to a temporary file, the second reads it back
while it is inserted: memory stays small however long the spreadsheet is, and nothing is screened twice.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import replace
from typing import BinaryIO

from api.edge.problems import Complaint, quoted
from api.schemas.requests import CampaignBody
from api.schemas.submission import FileReply, SubmissionReply, WarningReply
from api.submission.checked import CheckedRow
from api.submission.file_naming import (
    FileNames,
    LabelLanguages,
    columns_named,
    template_complaints,
    with_variants,
)
from api.submission.findings import SubmissionFindings
from api.submission.large.progress import RowsWatched, watched_rows
from api.submission.pictures.rows import RowPictures
from api.submission.pictures.tasks import TASKS, is_wordless
from api.submission.pilot import sampled_by
from api.submission.recipes import RecipeBook, RecipeBooks
from api.submission.refused_warnings import refused_warnings
from api.submission.table.cleaning import Cleaning
from api.submission.table.columns import (
    MAX_USED_COLUMNS,
    OWN,
    Columns,
    match_columns,
    missing_column,
    repeated_columns,
    unknown_column,
)
from api.submission.table.lint import left_over
from api.submission.table.rows import RowPlan, RowReader
from api.submission.table.selection import RowSelection
from api.templates import Template, program_sign
from policy.rulebook.scope import Context
from policy.rules import Rules
from workers.delivery.outcome import OUTCOME_PREFIX
from workers.jobs.types import NewItem
from workers.recipes import ROLES
from workers.sampling.cards.registry import Registry
from workers.settings import Settings
from workers.sheets.errors import SheetInvalid
from workers.sheets.headers import Wanted
from workers.sheets.names import clean_name
from workers.sheets.sheet import ReadingHints, SheetRow, Spreadsheet
from workers.states import Priority


class Campaign:
    """One spreadsheet with its spec, for one tenant. The caller owns `file` and `spool`."""

    def __init__(
        self,
        spec: CampaignBody,
        file: BinaryIO,
        book: RecipeBook,
        *,
        registry: Registry,
        settings: Settings,
        rules: Rules,
        tenant: str,
        pictures: RowPictures,
        watched: RowsWatched | None = None,
    ) -> None:
        """`watched` is told how far the check is."""
        self.spec, self._file, self._book, self._pictures = spec, file, book, pictures
        self._watched = watched
        self.books = RecipeBooks(book, settings, registry)
        self._settings, self._rules = settings, rules
        self._context = Context(tenant, spec.name, book.card.name)
        self._read_as: FileReply | None = None

    def check(self, spool: BinaryIO) -> SubmissionFindings:
        """Pass one: every row read, screened, and written to `spool`. Raises Problem with up to MAX_LISTED errors."""
        found = SubmissionFindings(self._book, self._rules, self._context)
        template = found.template(self.spec.template, wordless=is_wordless(self.spec.task, self._book.card))
        if (sheet := self._sheet(template, found)) is not None:
            with sheet:
                self._read_as = FileReply.model_validate(sheet.description())
                found.warnings += [WarningReply(code=note.code, message=note.message) for note in sheet.notes]
                if template is not None and not self._too_long(sheet, found):
                    self._rows(sheet, template, found, spool)
                    self._whole(found)
        found.complain(*refused_warnings(found.all_warnings(), self._settings))
        found.raise_complaints()
        return found

    def report(self, found: SubmissionFindings) -> SubmissionReply:
        """What was found, with how the file was read."""
        return found.report().model_copy(update={"file": self._read_as})

    def items(self, spool: BinaryIO) -> Iterator[NewItem]:
        """Pass two: the items of every checked row, in order."""
        spool.seek(0)
        own_queue = self._book.card.queue
        for line in spool:
            row = CheckedRow.from_line(line)
            book = self.books.of(row.own.model)
            queue = None if book.card.queue == own_queue else book.card.queue
            recipe = book.recipe(row.options)
            yield from row.items(recipe.id, recipe, queue)

    def _named(self) -> list[str]:
        """The columns that options of the spec name."""
        spec = self.spec
        named = (*spec.key, *spec.fill_down, spec.group, *spec.clean, *columns_named(spec), *sampled_by(spec.pilot))
        return [clean_name(name) for name in named if name]

    def _sheet(self, template: Template | None, found: SubmissionFindings) -> Spreadsheet | None:
        spec = self.spec
        exact = [*(template.candidates if template else ()), *self._named()]
        told = ReadingHints(spec.delimiter or "", spec.encoding or "", spec.sheet)
        try:
            return Spreadsheet(self._file, Wanted.of(exact, OWN), told)
        except SheetInvalid as error:
            found.complain(_complaint(error))
            return None

    def _too_long(self, sheet: Spreadsheet, found: SubmissionFindings) -> bool:
        """Counting comes before screening."""
        rows, items = self._settings.max_rows, self._settings.max_items
        most = min(rows, items // self.spec.variants)
        if not sheet.more_rows_than(most):
            return False
        message = f"the file has more than {most:,} data rows"
        remedy = f"A request holds up to {rows:,} rows and {items:,} images (rows x variants). Send several."
        found.complain(Complaint("too_many_rows", message, remedy))
        return True

    def _columns(self, sheet: Spreadsheet, template: Template) -> Columns:
        placeholders = {
            name
            for placeholder in template.placeholders
            if (name := next((one for one, _ in placeholder.readings() if one in sheet.header), ""))
        }
        choices: dict[str, Container[str]] = dict.fromkeys(ROLES, self._pictures)
        choices |= {"model": self.books.names, "task": TASKS, "priority": [str(one) for one in Priority]}
        return match_columns(
            sheet.header,
            sheet.sample(),
            asked={*placeholders, *self._named()},
            ignored=self.spec.ignore_columns,
            choices=choices,
            expected=ROLES if self._pictures.archive else (),
        )

    def _plan(self, sheet: Spreadsheet, template: Template, found: SubmissionFindings) -> RowPlan:
        spec, columns = self.spec, self._columns(sheet, template)
        bound = template.bind({**sheet.aliases, **columns.places})
        selection = RowSelection(columns.places, fill_down=spec.fill_down, group=spec.group, where=spec.where)
        cleaning = Cleaning(
            {
                name: [one if isinstance(one, str) else one.map for one in filters]
                for name, filters in spec.clean.items()
            },
            columns.places,
            self._book.tokens,
        )
        key, wrong = self._key(columns)
        found.complain(*wrong, *selection.complaints, *cleaning.complaints)
        for placeholder in bound.unknown:
            sign = program_sign(placeholder.text, columns.places)
            found.complain(
                unknown_column(placeholder.column, sheet.header)
                if not sign
                else Complaint(
                    "template",
                    f"'{{{placeholder.text}}}' at character {placeholder.at} asks for {sign}",
                    "Only names of columns stand between braces. Put the finished text into a column of its own.",
                    field="template",
                )
            )
        used = {*(value.column for value in bound.values), *selection.used, *cleaning.places, *key}
        if "variants" in columns.own:
            self.spec = with_variants(spec)
        besides = (*columns_named(spec), *sampled_by(spec.pilot))
        in_names = {columns.places[name] for name in besides if name in columns.places}
        self._told(columns, used | in_names, found)
        found.complain(
            *repeated_columns(sheet.header, (sheet.header[place] for place in (*used, *columns.own.values())))
        )
        if len(used) > MAX_USED_COLUMNS:
            message = f"{len(used)} columns are used; {MAX_USED_COLUMNS} are allowed"
            found.complain(Complaint("too_many_columns", message, "Ask for fewer columns."))
        return RowPlan(columns, bound, selection, cleaning, key, bool(spec.key) and not wrong, sheet.width)

    def _key(self, columns: Columns) -> tuple[tuple[int, ...], list[Complaint]]:
        """Places of the columns that identify a row."""
        if not self.spec.key:
            returned = columns.places.get(f"{OUTCOME_PREFIX}custom_id")
            own = next((columns.own[name] for name in ("custom_id", "id") if name in columns.own), returned)
            return () if own is None else (own,), []
        names = [clean_name(name) for name in self.spec.key]
        wrong = [missing_column(name, columns.header, "key") for name in names if name not in columns.places]
        return tuple(columns.places[name] for name in names if name in columns.places), wrong

    def _told(self, columns: Columns, used: Iterable[int], found: SubmissionFindings) -> None:
        """Which columns were taken as ours, which may be meant so, and which nobody reads."""
        read = set(used)
        if columns.taken:
            said = ", ".join(f"{quoted(name)} as {ours}" for name, ours in columns.taken.items())
            message = f"columns taken by another spelling: {said}. If one is not meant so, name it in `ignore_columns`"
            found.warnings.append(WarningReply(code="column_taken", message=message))
        for name, ours in columns.near.items():
            if columns.places[name] not in read:
                message = f"column {quoted(name)} is not read. If it is meant as {ours}, name it so"
                found.warnings.append(WarningReply(code="near_column", message=message, column=name))
        if columns.suggested_key and not self.spec.key:
            message = (
                f'rows are called row-1, row-2 and so on; "key": "{columns.suggested_key}" would name them by that'
            )
            found.warnings.append(WarningReply(code="no_key", message=message, column=columns.suggested_key))
        found.unused_columns = columns.unused(read)

    def _rows(self, sheet: Spreadsheet, template: Template, found: SubmissionFindings, spool: BinaryIO) -> None:
        plan = self._plan(sheet, template, found)
        found.complain(*self._book.complaints(self.spec), *self._pictures.complaints)
        unnameable = list(template_complaints(self.spec, sheet.header))
        languages = LabelLanguages(self.spec, sheet.header)
        found.complain(*unnameable, *languages.complaints)
        for code, piece, _ in left_over(plan.template.frame, self.spec.prompt_syntax or ""):
            found.notices.add(code, 0, texts=[piece])
        reader = RowReader(
            self.spec,
            self.books,
            plan,
            found.notices,
            settings=self._settings,
            rules=self._rules,
            context=self._context,
            pictures=self._pictures,
        )
        found.carried_columns = reader.carried_columns
        found.begin_pilot(self.spec.pilot)
        names = None if unnameable else FileNames(self.spec, reader.carried_columns)
        try:
            for row in watched_rows(sheet, self._watched):
                self._row(reader, (names, languages), row, found, spool)
        except SheetInvalid as error:
            found.complain(_complaint(error))

    def _row(
        self,
        reader: RowReader,
        files: tuple[FileNames | None, LabelLanguages],
        row: SheetRow,
        found: SubmissionFindings,
        spool: BinaryIO,
    ) -> None:
        read = reader.read(row)
        if read is None:
            found.left_out_rows += 1
            return
        found.rows += 1
        if isinstance(read, list):
            found.complain(*read)
            return
        book = self.books.of(read.own.model)
        read = replace(read, texts_read=book.texts_read(read.texts, read.options.prompt_syntax))
        names, languages = files
        found.complain(*languages.of_row(read))
        if names is not None:
            suffixes = names.suffixes(read)
            if any(suffixes):
                read = replace(read, file_suffixes=suffixes)
        found.add(read, book)
        spool.write(read.to_line())

    def _whole(self, found: SubmissionFindings) -> None:
        most = self._settings.max_megapixel_steps
        if found.megapixel_steps > most:
            message = f"the campaign asks for {found.megapixel_steps:,.0f} megapixel steps; {most:,} are allowed"
            found.complain(
                Complaint("too_much_work", message, "Ask for fewer rows, variants or steps, or smaller images.")
            )
        if found.items > self._settings.max_items:
            message = f"the rows ask for {found.items:,} images; {self._settings.max_items:,} are allowed"
            found.complain(Complaint("too_many_items", message, "Ask for fewer variants, or send several files."))
        if not found.rows and not found.complaints:
            message = "the file has a header and no data rows"
            remedy = "Below the header, every line is an image to make."
            if found.left_out_rows:
                message = f"`where` left out all {found.left_out_rows:,} rows"
                remedy = "Change the condition, or leave it out."
            found.complain(Complaint("no_rows", message, remedy))


def _complaint(error: SheetInvalid) -> Complaint:
    return Complaint(error.code, error.message, error.remedy, line=error.line, column=error.column)
