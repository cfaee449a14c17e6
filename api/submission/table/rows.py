"""Rows of a campaign: the cells of one become a screened prompt, an id and a recipe, or complaints by column."""

from __future__ import annotations

import operator
import unicodedata
from dataclasses import dataclass

from api.edge.problems import Complaint, quoted
from api.schemas.requests import MAX_CUSTOM_ID_CHARS, CampaignBody
from api.submission.checked import CheckedRow
from api.submission.notices import Notices
from api.submission.pictures.rows import RowPictures
from api.submission.pictures.tasks import is_wordless
from api.submission.recipes import RecipeBooks, at
from api.submission.screening import screen, with_inputs
from api.submission.table.cleaning import Cleaning
from api.submission.table.columns import Columns
from api.submission.table.lint import is_error_value, is_rounded, left_over
from api.submission.table.own_columns import OwnColumns, complaint_of
from api.submission.table.selection import RowSelection
from api.templates import BoundTemplate
from policy.rulebook.scope import Context
from policy.rules import Rules
from workers.delivery.outcome import without_apostrophe
from workers.settings import Settings
from workers.sheets.names import clean_name
from workers.sheets.sheet import SheetRow


@dataclass(frozen=True, slots=True)
class RowPlan:
    """What is done with the cells of every row of a file."""

    columns: Columns
    template: BoundTemplate
    selection: RowSelection
    cleaning: Cleaning
    key: tuple[int, ...]  # places of the columns that identify a row
    key_given: bool
    width: int  # columns of the file, the unnamed included


class RowReader:
    """Reads the rows of one file, in order; remembers the ids it has seen."""

    def __init__(
        self,
        spec: CampaignBody,
        books: RecipeBooks,
        plan: RowPlan,
        notices: Notices,
        *,
        settings: Settings,
        rules: Rules,
        context: Context,
        pictures: RowPictures,
    ) -> None:
        self._plan, self._notices = plan, notices
        self._settings, self._rules, self._context = settings, rules, context
        self._own = OwnColumns(
            spec, books, plan.columns, settings=settings, pictures=pictures, rules=rules, context=context
        )
        self._books, self._pictures = books, pictures
        self._values = plan.template.values
        self._kept = "error_value" in spec.accept
        self._ids: dict[str, int] = {}
        self._ids_without_case: dict[str, str] = {}
        self._frame = plan.template.frame
        self._carried = plan.columns.carried
        self._first_name = plan.columns.header[0]
        self._comes_back = len(self._carried) < len(plan.columns.header)  # a file of results, corrected
        self.carried_columns = tuple(plan.columns.name(place) for place in self._carried)
        self._key_name = plan.columns.name(plan.key[0]) if plan.key else None
        self._negative = plan.columns.own.get("negative_prompt")

    def read(self, row: SheetRow) -> CheckedRow | list[Complaint] | None:
        """The row, screened, or everything that is wrong with it; None for a row that is not taken."""
        cells = self._fitted(row)
        if isinstance(cells, Complaint):
            return [cells]
        if cells[0] == self._first_name and self._names_columns(cells):
            self._notices.add("repeated_header", row.number)
            return None
        if not self._plan.selection.idle and not self._plan.selection.take(cells):
            return None
        carried = tuple([cells[place].replace("\0", "\ufffd") for place in self._carried])  # Postgres holds no NUL
        if self._plan.cleaning:
            self._plan.cleaning.clean(cells)
        complaints: list[Complaint] = []
        self._check_values(row, cells, complaints)
        custom_id = self._custom_id(row, cells, complaints)
        own = self._own.read(row, cells, complaints)
        wordless = is_wordless(own.options.task, self._books.of(own.model).card)
        prompt = self._prompt(row, cells, complaints, wordless=wordless)
        if complaints:
            return complaints
        self._lint(row.number, cells, own.options.prompt_syntax)
        sources = {value.name: cells[value.column] for value in self._values}
        sources["template"], sources["negative_prompt"] = self._frame, own.negative_prompt
        context = Context(self._context.tenant, self._context.campaign, own.model) if own.model else self._context
        texts = screen(self._rules, context, prompt, own.negative_prompt, own.options.prompt_syntax)
        if isinstance(texts, list):
            return [at(wrong, row=row.number, line=row.line, column=self._source_of(wrong, cells)) for wrong in texts]
        texts = with_inputs(texts, self._pictures.known(own.inputs))
        return CheckedRow(row.number, row.line, custom_id, texts, own, sources, carried)

    def _fitted(self, row: SheetRow) -> list[str] | Complaint:
        """One cell a column. Missing ones at the end are empty, as spreadsheet programs leave them out."""
        cells, width = list(row.cells), self._plan.width
        if self._comes_back:
            cells = [without_apostrophe(cell) for cell in cells]
        if len(cells) < width:
            if len(cells) < len(self._plan.columns.header):
                self._notices.add("short_row", row.number)
            cells += [""] * (width - len(cells))
        elif len(cells) > width and any(cell.strip() for cell in cells[width:]):
            message = f"the row has {len(cells)} cells, the header names {width} columns"
            remedy = "Put a cell that holds the delimiter or a line break in double quotes."
            return Complaint("cell_count", message, remedy, row=row.number, line=row.line)
        return cells

    def _names_columns(self, cells: list[str]) -> bool:
        """Whether the row is the header again, where exports were put one below the other."""
        header = self._plan.columns.header
        return len(header) > 1 and all(map(operator.eq, map(clean_name, cells), header))

    def _check_values(self, row: SheetRow, cells: list[str], complaints: list[Complaint]) -> None:
        most = self._settings.max_cell_chars
        for value in self._values:
            text = cells[value.column]
            if is_error_value(text):
                if self._kept:
                    self._notices.add("error_value_kept", row.number, value.name, [text])
                elif value.default is not None:
                    self._notices.add("error_value", row.number, value.name, [text])
                    cells[value.column] = ""
                else:
                    message = f"the cell holds {quoted(text)}, which a program writes where it has no value"
                    remedy = f'Correct the cell, ask for {{{value.name}?}}, or send "accept": ["error_value"].'
                    complaints.append(complaint_of(row, "error_value", message, remedy, value.name))
            elif len(text) > most:
                message = f"the cell has {len(text):,} characters; {most:,} are allowed"
                remedy = 'Shorten it, or clean the column with ["html", "words:40"].'
                complaints.append(complaint_of(row, "cell_too_long", message, remedy, value.name))
            elif value.default is None and not text.strip():
                message = f"the cell is empty, and the template asks for {{{value.name}}}"
                remedy = f"Fill it in, remove the row, or ask for {{{value.name}?}} or {{{value.name}|a default}}."
                complaints.append(complaint_of(row, "empty_value", message, remedy, value.name))

    def _custom_id(self, row: SheetRow, cells: list[str], complaints: list[Complaint]) -> str:
        parts = [cells[place].strip() for place in self._plan.key]
        custom_id = "-".join(filter(None, parts))
        if not custom_id:
            if self._plan.key_given:
                message = "the cell is empty, and `key` names this column"
                complaints.append(complaint_of(row, "empty_key", message, "Fill it in.", self._key_name))
            custom_id = f"row-{row.number}"
        elif len(custom_id) > MAX_CUSTOM_ID_CHARS or not custom_id.isprintable():
            message = f"{quoted(custom_id)} is longer than {MAX_CUSTOM_ID_CHARS} characters or holds invisible ones"
            complaints.append(complaint_of(row, "custom_id", message, "Choose a short id.", self._key_name))
        rounded = is_rounded(custom_id)
        first = self._ids.setdefault(custom_id, row.number)
        if first != row.number:
            complaints.append(self._repeated(row, custom_id, first, rounded=rounded))
        elif rounded:
            self._notices.add("rounded_key", row.number, self._key_name or "", [custom_id])
        folded = custom_id.casefold() if custom_id.isascii() else unicodedata.normalize("NFC", custom_id).casefold()
        if self._ids_without_case.setdefault(folded, custom_id) != custom_id:
            self._notices.add("ids_differ_in_case", row.number, self._key_name or "", [custom_id])
        return custom_id

    def _repeated(self, row: SheetRow, custom_id: str, first: int, *, rounded: bool) -> Complaint:
        message = f"{quoted(custom_id)} is also the id of row {first}"
        remedy = "Give every row an id of its own, or remove the column."
        if rounded:
            message += ": a spreadsheet program rounded the numbers, and their last digits are lost"
            remedy = "Format the column as text, enter the numbers again, and export the file."
        elif self._plan.key_given:
            remedy = "Give every row an id of its own, or name more columns in `key`."
        return complaint_of(row, "duplicate_custom_id", message, remedy, self._key_name)

    def _prompt(self, row: SheetRow, cells: list[str], complaints: list[Complaint], *, wordless: bool) -> str:
        prompt = self._plan.template.render(cells)
        if "\0" in prompt:
            remedy = "Remove it; it often stands where a file was saved in another encoding."
            for value in self._values:
                if "\0" in (text := cells[value.column]):
                    message = f"the cell holds a NUL character: {quoted(text)}"
                    complaints.append(complaint_of(row, "nul", message, remedy, value.name))
        most = self._settings.max_prompt_chars
        longest = max(self._values, key=lambda value: len(cells[value.column]), default=None)
        if len(prompt) > most:
            message = f"the prompt would have {len(prompt):,} characters; {most:,} are allowed"
            remedy = 'Shorten the cell, or clean the column with ["html", "words:40"].'
            complaints.append(complaint_of(row, "prompt_too_long", message, remedy, longest.name if longest else None))
        if self._negative is not None:
            self._check_negative(row, cells[self._negative], complaints)
        if not prompt.strip() and not wordless and not complaints and not self._plan.template.unknown:
            message, remedy = "the prompt is empty", "Fill in a cell that the template asks for."
            complaints.append(complaint_of(row, "empty_value", message, remedy, longest.name if longest else None))
        return prompt

    def _check_negative(self, row: SheetRow, text: str, complaints: list[Complaint]) -> None:
        column, most = self._own.column("negative_prompt"), self._settings.max_prompt_chars
        if len(text) > most:
            message = f"the prompt would have {len(text):,} characters; {most:,} are allowed"
            complaints.append(complaint_of(row, "prompt_too_long", message, "Shorten the cell.", column))
        if "\0" in text:
            message = f"the cell holds a NUL character: {quoted(text)}"
            complaints.append(complaint_of(row, "nul", message, "Remove it.", column))

    def _source_of(self, complaint: Complaint, cells: list[str]) -> str | None:
        """The column that a text comes from: of a prompt, the longest of them."""
        if complaint.field == "negative_prompt":
            return self._own.column("negative_prompt")
        longest = max(self._values, key=lambda value: len(cells[value.column]), default=None)
        return longest.name if longest else None

    def _lint(self, number: int, cells: list[str], syntax: str) -> None:
        for value in self._values:
            for code, piece, _ in left_over(cells[value.column], syntax):
                self._notices.add(code, number, value.name, [piece])
        if self._negative is not None:
            for code, piece, _ in left_over(cells[self._negative], syntax):
                self._notices.add(code, number, self._plan.columns.name(self._negative), [piece])
