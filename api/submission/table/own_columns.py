"""Own columns of a row: model, sizes, steps, seed, LoRAs, variants, priority, with the spec's value in the gaps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from api.edge.problems import Complaint, quoted
from api.schemas.requests import CampaignBody
from api.submission.checked import RowOptions
from api.submission.pictures.archive import PictureUnusable
from api.submission.pictures.consent import consent_complaints
from api.submission.pictures.known import KnownInput
from api.submission.pictures.rows import RowPictures
from api.submission.pictures.tasks import tasks_of
from api.submission.recipes import RecipeBook, RecipeBooks, SamplingOptions, at
from api.submission.table.cells import CellInvalid, choice, decimal_number, loras, renditions, whole_number
from api.submission.table.columns import CHOICES, DECIMALS, WHOLE_NUMBERS, Columns
from policy.rulebook.scope import Context
from policy.rules import Rules
from workers.recipes import MAX_SEED, ROLES
from workers.settings import Settings
from workers.sheets.sheet import SheetRow
from workers.states import Priority

_NUMBERS = ("guidance_scale", "strength", *WHOLE_NUMBERS)


class OwnColumns:
    """Reads what a row says about its own picture; complaints name the column as the file has it."""

    def __init__(
        self,
        spec: CampaignBody,
        books: RecipeBooks,
        columns: Columns,
        *,
        settings: Settings,
        pictures: RowPictures,
        rules: Rules,
        context: Context,
    ) -> None:
        self._spec, self._books, self._columns, self._settings = spec, books, columns, settings
        self._pictures, self._rules, self._context = pictures, rules, context
        self._pictured = bool(spec.task or spec.control or spec.strength or any(getattr(spec, r) for r in ROLES))
        self._places = {name: place for name, place in columns.own.items() if name not in ("custom_id", "id")}
        self._plain = RowOptions(books.default.options(spec), spec.seed, spec.variants, spec.negative_prompt)
        self._defaults = {books.default.card.name: self._plain.options}
        self._said = {complaint.message for complaint in books.default.complaints(spec)}

    def read(self, row: SheetRow, cells: Sequence[str], complaints: list[Complaint]) -> RowOptions:
        """Options of the row; an empty cell takes the spec's value. Adds to `complaints`."""
        if not self._places and not self._pictured:
            return self._plain
        book = self._book(row, cells, complaints)
        defaults = self._defaults.setdefault(book.card.name, book.options(self._spec))
        asked = self._numbers(row, cells, complaints)
        asked |= self._loras(row, cells, book, complaints)
        seed, variants = asked.pop("seed", self._spec.seed), asked.pop("variants", self._spec.variants)
        self._check_variants(row, variants, seed, complaints)
        sized = (
            bool(asked.keys() & {"width", "height"}) or self._spec.width is not None or self._spec.height is not None
        )
        options = defaults._replace(**asked)
        task = self._choice(row, cells, "task", tasks_of(book.card, book.beside), complaints)
        pictures = self._named(row, cells, complaints)
        if (task or pictures or self._pictured or "strength" in asked) and not complaints:
            options = book.pictured(options, task or self._spec.task, pictures, sized=sized)
            unstated = consent_complaints(self._rules, self._context, options.task, pictures)
            for complaint in (*book.picture_complaints(options, pictures), *unstated):
                place = self.column(complaint.field or "") or complaint.field
                complaints.append(at(complaint, row=row.number, line=row.line, column=place))
        made_from = tuple((role, known.id) for role, known in pictures.items())
        negative = self._cell(cells, "negative_prompt") or self._spec.negative_prompt
        if not complaints and (options != defaults or negative != self._plain.negative_prompt or self._other(book)):
            self._check_recipe(row, book, options, negative, complaints)
        priority = self._choice(row, cells, "priority", tuple(Priority), complaints)
        urgency = Priority(priority) if priority else None
        files = self._renditions(row, cells, complaints)
        return RowOptions(options, seed, variants, negative, self._other(book), urgency, files, made_from)

    def _named(self, row: SheetRow, cells: Sequence[str], complaints: list[Complaint]) -> dict[str, KnownInput]:
        """The pictures of the row by role, those of the spec in the gaps."""
        found: dict[str, KnownInput] = {}
        for role in ROLES:
            if text := self._cell(cells, role) or getattr(self._spec, role) or "":
                try:
                    found[role] = self._pictures.find(text)
                except PictureUnusable as unusable:
                    place = self.column(role) or role
                    complaints.append(complaint_of(row, unusable.code, str(unusable), unusable.remedy, place))
        return found

    def column(self, own: str) -> str | None:
        """The header of our column as the file has it; None for what stands in no column."""
        place = self._columns.own.get(own)
        return None if place is None else self._columns.name(place)

    def _cell(self, cells: Sequence[str], name: str) -> str:
        place = self._places.get(name)
        return "" if place is None else cells[place].strip()

    def _other(self, book: RecipeBook) -> str:
        """The name of a model that is not the request's own; "" for that."""
        return "" if book is self._books.default else book.card.name

    def _book(self, row: SheetRow, cells: Sequence[str], complaints: list[Complaint]) -> RecipeBook:
        name = self._choice(row, cells, "model", self._books.names, complaints)
        return self._books.of(name) if name else self._books.default

    def _choice(
        self, row: SheetRow, cells: Sequence[str], name: str, known: Sequence[str], complaints: list[Complaint]
    ) -> str:
        """The choice of the cell; "" for an empty cell, and for a wrong one after complaining."""
        if not (text := self._cell(cells, name)):
            return ""
        try:
            return choice(text, quoted(text), known, self._hint(name))
        except CellInvalid as error:
            complaints.append(complaint_of(row, error.code, error.message, error.remedy, self.column(name)))
            return ""

    def _numbers(self, row: SheetRow, cells: Sequence[str], complaints: list[Complaint]) -> dict[str, Any]:
        asked: dict[str, Any] = {}
        for name in _NUMBERS:
            place = self._places.get(name)
            if place is None or not (text := cells[place]).strip():
                continue
            read: Callable[[str, str], float] = decimal_number if name in DECIMALS else whole_number
            try:
                asked[name] = read(text, quoted(text))
            except CellInvalid as error:
                remedy = f"{error.remedy}{self._hint(name)}"
                complaints.append(complaint_of(row, error.code, error.message, remedy, self.column(name)))
        return asked

    def _loras(
        self, row: SheetRow, cells: Sequence[str], book: RecipeBook, complaints: list[Complaint]
    ) -> dict[str, Any]:
        if not (text := self._cell(cells, "loras")):
            return {}
        named, wrong = loras(text)
        for word in wrong:
            message, remedy = f"{quoted(word)} is not a LoRA with its scale", "Write its name, or name:0.8."
            complaints.append(complaint_of(row, "not_a_lora", message, remedy, self.column("loras")))
        return {"loras": book.loras(named)}

    def _renditions(self, row: SheetRow, cells: Sequence[str], complaints: list[Complaint]) -> tuple[str, ...]:
        """Empty where the row asks for the files that its request asks for."""
        if not (text := self._cell(cells, "renditions")):
            return ()
        try:
            asked = renditions(text, quoted(text))
        except CellInvalid as error:
            remedy = f"{error.remedy}{self._hint('renditions')}"
            complaints.append(complaint_of(row, error.code, error.message, remedy, self.column("renditions")))
            return ()
        return () if asked == tuple(self._spec.renditions) else asked

    def _check_variants(self, row: SheetRow, variants: int, seed: int | None, complaints: list[Complaint]) -> None:
        most = self._settings.max_variants
        if "variants" in self._places and not 1 <= variants <= most:
            message = f"{variants} variants are not between 1 and the {most} allowed here"
            complaints.append(
                complaint_of(row, "too_many_variants", message, "Ask for fewer.", self.column("variants"))
            )
        if "seed" in self._places and seed is not None and (last := seed + variants - 1) > MAX_SEED:
            message, remedy = (
                f"the seed of the last variant would be {last}",
                f"The largest seed is {MAX_SEED} (2^53 - 1).",
            )
            complaints.append(complaint_of(row, "seed_too_large", message, remedy, self.column("seed")))

    def _check_recipe(
        self, row: SheetRow, book: RecipeBook, options: SamplingOptions, negative: str, complaints: list[Complaint]
    ) -> None:
        """What the spec itself asks wrongly was said once, and is not said again for every row."""
        for complaint in book.make(options, negative).complaints:
            if complaint.message not in self._said:
                column = self.column(complaint.field or "")
                moved = at(complaint, row=row.number, line=row.line, column=column)
                complaints.append(moved)

    def _hint(self, own: str) -> str:
        """A column of that name may be the product's own."""
        column = self.column(own)
        if column == own and own not in (*CHOICES, "renditions", "width", "height"):
            return ""
        return f" If the column is not about the picture, name it in `ignore_columns`: {quoted(column or own)}."


def complaint_of(row: SheetRow, code: str, message: str, remedy: str, column: str | None) -> Complaint:
    return Complaint(code, message, remedy, row=row.number, line=row.line, column=column)
