"""One row of a campaign: its cells become a screened prompt, an id and a recipe, or complaints by column. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from api.edge.problems import Complaint, quoted
from api.schemas.requests import MAX_CUSTOM_ID_CHARS, CampaignBody
from api.schemas.results import OUTCOME_PREFIX, without_apostrophe
from api.submission.checked import CheckedRow
from api.submission.recipes import RecipeBook, SamplingOptions, at
from api.submission.screening import screen
from api.submission.spreadsheets import SheetRow
from api.templates import Template
from policy.rulebook.scope import Context
from policy.rules import Rules
from workers.recipes import MAX_SEED
from workers.settings import Settings

# Columns that mean something to us; every other column is the template's.
_WHOLE_NUMBERS = ("width", "height", "num_inference_steps", "upscale", "seed")
RESERVED = frozenset({"custom_id", "id", "negative_prompt", "guidance_scale", "loras", *_WHOLE_NUMBERS})

_WHOLE = re.compile(r"[0-9]{1,16}")
_DECIMAL = re.compile(r"[0-9]{1,6}(\.[0-9]{1,9})?")


class RowReader:
    """Reads the rows of one spreadsheet, in order; remembers the custom_ids it has seen."""

    def __init__(
        self,
        spec: CampaignBody,
        book: RecipeBook,
        header: tuple[str, ...],
        template: Template,
        *,
        settings: Settings,
        rules: Rules,
        context: Context,
    ) -> None:
        self._spec, self._book, self._header, self._template = spec, book, header, template
        self._settings, self._rules, self._context = settings, rules, context
        self._defaults = book.options(spec)  # the caller has complained about these, if there was reason to
        self._ids: dict[str, int] = {}
        # In a file of results that comes back, our columns are left out; the id serves rows without one of their own.
        self.carried_columns = tuple(name for name in header if not name.startswith(OUTCOME_PREFIX))
        self._comes_back = len(self.carried_columns) < len(header)
        ids = ("custom_id", "id", f"{OUTCOME_PREFIX}custom_id")
        self._id_column = next((name for name in ids if name in header), "")
        columns = frozenset(header)
        self._used = [name for name in template.names if name in columns]
        self._numbers = [name for name in ("guidance_scale", *_WHOLE_NUMBERS) if name in columns]
        self._frame = template.render(dict.fromkeys(template.names, ""))
        # A template that asks for an unknown column was complained about; its rows are still read.
        self._absent = dict.fromkeys((name for name in template.names if name not in columns), "")

    @property
    def unused(self) -> list[str]:
        """Columns that neither the template nor we look at."""
        return [name for name in self.carried_columns if name not in RESERVED and name not in self._used]

    def read(self, row: SheetRow) -> CheckedRow | list[Complaint]:
        """The row, screened, or everything that is wrong with it."""
        if len(row.cells) != len(self._header):
            return [self._ragged(row)]
        cells = dict(zip(self._header, row.cells, strict=True))
        if self._comes_back:
            cells = {name: without_apostrophe(cell) for name, cell in cells.items()}
        complaints = self._cell_complaints(row, cells)
        if complaints:
            return complaints
        custom_id = self._custom_id(row, cells, complaints)
        negative_prompt = cells.get("negative_prompt") or self._spec.negative_prompt
        options, seed = self._numbers_of(row, cells, complaints)
        if not complaints and (options, negative_prompt) != (self._defaults, self._spec.negative_prompt):
            made = self._book.make(options, negative_prompt)
            complaints += [at(c, row=row.number, line=row.line, column=self._column(c.field)) for c in made.complaints]
        prompt = self._prompt(row, cells, complaints)
        if complaints:
            return complaints
        sources = {name: cells[name] for name in self._used}
        sources |= {"template": self._frame, "negative_prompt": negative_prompt}
        texts = screen(self._rules, self._context, prompt, negative_prompt)
        carried = tuple(cells[name] for name in self.carried_columns)
        return CheckedRow(row.number, row.line, custom_id, texts, options, seed, sources, carried)

    def _ragged(self, row: SheetRow) -> Complaint:
        cells = "1 cell" if len(row.cells) == 1 else f"{len(row.cells)} cells"
        message = f"the row has {cells}, the header names {len(self._header)} columns"
        remedy = "Put a cell that holds the delimiter or a line break in double quotes; write an empty cell as nothing."
        return Complaint("cell_count", message, remedy, row=row.number, line=row.line)

    def _cell_complaints(self, row: SheetRow, cells: Mapping[str, str]) -> list[Complaint]:
        most, found = self._settings.max_cell_chars, []
        for column, text in cells.items():
            if len(text) > most:
                message = f"the cell has {len(text):,} characters; {most:,} are allowed"
                found.append(self._complaint(row, "cell_too_long", message, "Shorten it.", column))
            if "\0" in text:
                message = f"the cell holds a NUL character: {quoted(text)}"
                remedy = "Remove it; it often stands where a file was saved in another encoding."
                found.append(self._complaint(row, "nul", message, remedy, column))
        return found

    def _custom_id(self, row: SheetRow, cells: Mapping[str, str], complaints: list[Complaint]) -> str:
        custom_id = cells.get(self._id_column) or f"row-{row.number}"
        if len(custom_id) > MAX_CUSTOM_ID_CHARS or not custom_id.isprintable():
            message = f"{quoted(custom_id)} is longer than {MAX_CUSTOM_ID_CHARS} characters or holds invisible ones"
            complaints.append(self._complaint(row, "custom_id", message, "Choose a short id.", self._id_column))
        first = self._ids.setdefault(custom_id, row.number)
        if first != row.number:
            message = f"{quoted(custom_id)} is also the id of row {first}"
            remedy = "Give every row an id of its own, or remove the column."
            complaints.append(self._complaint(row, "duplicate_custom_id", message, remedy, self._id_column or None))
        return custom_id

    def _numbers_of(
        self, row: SheetRow, cells: Mapping[str, str], complaints: list[Complaint]
    ) -> tuple[SamplingOptions, int | None]:
        """Sizes and seed of the row; an empty cell takes the spec's value."""
        asked: dict[str, Any] = {}
        for column in self._numbers:
            if not (text := cells[column]):
                continue
            pattern, wanted = (_DECIMAL, "a number") if column == "guidance_scale" else (_WHOLE, "a whole number")
            if pattern.fullmatch(text):
                asked[column] = float(text) if column == "guidance_scale" else int(text)
            else:
                example = "7.5" if column == "guidance_scale" else "512"
                remedy = f"Write digits only, like {example}: no sign, space, unit or thousands separator."
                complaints.append(
                    self._complaint(row, "not_a_number", f"{quoted(text)} is not {wanted}", remedy, column)
                )
        if text := cells.get("loras", ""):
            asked["loras"] = self._loras_of(row, text, complaints)
        seed: int | None = asked.pop("seed", None)
        if seed is not None and (last := seed + self._spec.variants - 1) > MAX_SEED:
            message = f"the seed of the last variant would be {last}"
            remedy = f"The largest seed is {MAX_SEED} (2^53 - 1)."
            complaints.append(self._complaint(row, "seed_too_large", message, remedy, "seed"))
        return self._defaults._replace(**asked), self._spec.seed if seed is None else seed

    def _loras_of(self, row: SheetRow, text: str, complaints: list[Complaint]) -> tuple[tuple[str, float], ...]:
        """ "poster", "poster:0.8", "poster:0.8 ink": names with scales, between spaces."""
        asked: list[tuple[str, float | None]] = []
        for word in text.split():
            name, colon, scale = word.partition(":")
            if colon and not _DECIMAL.fullmatch(scale):
                message = f"{quoted(word)} is not a LoRA with its scale"
                remedy = "Write its name, or name:0.8, and a space between two of them."
                complaints.append(self._complaint(row, "not_a_lora", message, remedy, "loras"))
            asked.append((name, float(scale) if colon and _DECIMAL.fullmatch(scale) else None))
        return self._book.loras(asked)

    def _prompt(self, row: SheetRow, cells: Mapping[str, str], complaints: list[Complaint]) -> str:
        for name in self._used:
            if not cells[name].strip():
                message = f"the cell is empty, and the template asks for {{{name}}}"
                complaints.append(self._complaint(row, "empty_value", message, "Fill it in, or remove the row.", name))
        prompt = self._template.render({**cells, **self._absent} if self._absent else cells)
        longest = max(self._used, key=lambda name: len(cells[name]), default=None)
        for text, column in ((prompt, longest), (cells.get("negative_prompt", ""), "negative_prompt")):
            if len(text) > (most := self._settings.max_prompt_chars):
                message = f"the prompt would have {len(text):,} characters; {most:,} are allowed"
                complaints.append(self._complaint(row, "prompt_too_long", message, "Shorten the cell.", column))
        return prompt

    def _column(self, name: str | None) -> str | None:
        return name if name in self._header else None

    @staticmethod
    def _complaint(row: SheetRow, code: str, message: str, remedy: str, column: str | None) -> Complaint:
        return Complaint(code, message, remedy, row=row.number, line=row.line, column=column)
