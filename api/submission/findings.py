"""Findings of checking a request so far: complaints that stop it, refusals and warnings that do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from api.edge.problems import Complaint, Problem, quoted
from api.schemas.pilots import PilotBody
from api.schemas.submission import RefusedRowReply, RewrittenRowReply, SubmissionReply, WarningReply
from api.submission.checked import CheckedRow
from api.submission.notices import ROWS_NAMED, Notices
from api.submission.pictures.tasks import is_wordless
from api.submission.pilot import PilotPlan, PilotSample
from api.submission.recipes import RecipeBook, SamplingOptions
from api.submission.screening import refusal, rewriting
from api.submission.words import WordFindings
from api.templates import Template, TemplateInvalid
from policy.rulebook.scope import Context
from policy.rules import Rules
from policy.verdict import Decision, Verdict
from workers.jobs.views import unread

MAX_LISTED = 100  # complaints and refusals; a longer list helps nobody
_NAMES_SHOWN = 20
_UNUSUAL = 1.5  # times the model's own side: things come out doubled there
# One cause whatever the cell says; of others, the message belongs to the cause.
_BY_PLACE = frozenset(
    {
        "cell_count",
        "cell_too_long",
        "custom_id",
        "duplicate_custom_id",
        "empty_key",
        "empty_value",
        "error_value",
        "not_a_choice",
        "not_a_lora",
        "not_a_number",
        "nul",
        "prompt_too_long",
        "seed_too_large",
        "too_many_variants",
    }
)


class SubmissionFindings:
    """Grows row by row; memory is bounded by MAX_LISTED, but for a number for each picture."""

    def __init__(self, book: RecipeBook, rules: Rules, context: Context) -> None:
        self._rules, self._context = rules, context
        self.notices = Notices()
        self.warnings: list[WarningReply] = []  # about the file as a whole
        self.carried_columns: tuple[str, ...] = ()
        self.unused_columns: list[str] = []
        self.rows = self.left_out_rows = self.items = 0
        self.megapixel_steps = 0.0
        self.work: Counter[tuple[str, SamplingOptions]] = Counter()  # images to make, by model and options
        self._words: dict[str, WordFindings | None] = {}  # by model
        self._complaints: dict[tuple[str, ...], Complaint] = {}
        self._rows_of: dict[tuple[str, ...], list[int]] = {}
        self._more = 0  # complaints that are not listed
        self._refused: list[RefusedRowReply] = []
        self._rewritten: list[RewrittenRowReply] = []
        self._refused_rows = self._rewritten_rows = 0
        self._refused_items = self._held_items = self._rewritten_items = 0
        self._pictures: set[int] = set()
        self._first_prompt = ""
        self._sample: PilotSample | None = None

    @property
    def complaints(self) -> list[Complaint]:
        """Each cause once, with its first rows and their number where it concerns several."""
        return [
            complaint if complaint.count is None else replace(complaint, rows=tuple(self._rows_of[cause]))
            for cause, complaint in self._complaints.items()
        ]

    def complain(self, *complaints: Complaint) -> None:
        for complaint in complaints:
            place = complaint.column or complaint.field or ""
            message = "" if complaint.code in _BY_PLACE and complaint.row is not None else complaint.message
            self._complain((complaint.code, place, message), complaint)

    def _complain(self, cause: tuple[str, ...], complaint: Complaint) -> None:
        known = self._complaints.get(cause)
        if known is None:
            if len(self._complaints) >= MAX_LISTED:
                self._more += 1
                return
            self._complaints[cause] = complaint
            own = [complaint.row] if complaint.row is not None else []
            self._rows_of[cause] = list(complaint.rows or own)
        elif complaint.row is not None and complaint.row != next(reversed(self._rows_of[cause]), None):
            self._complaints[cause] = replace(known, count=(known.count or 1) + 1)
            if len(self._rows_of[cause]) < ROWS_NAMED:
                self._rows_of[cause].append(complaint.row)

    def begin_pilot(self, asked: PilotBody | None) -> None:
        """From now on, rows are candidates of a pilot's sample. `carried_columns` are known."""
        if asked is not None:
            self._sample = PilotSample(asked, self.carried_columns)
            self.complain(*self._sample.complaints)

    def pilot(self) -> PilotPlan | None:
        """The pilot that was asked for, once all rows are added; None where none is needed or was asked for."""
        return self._sample.plan() if self._sample else None

    def template(self, text: str, *, wordless: bool = False) -> Template | None:
        """The template, read; None after complaining. It may be empty where the task is `wordless`."""
        try:
            template = Template.parse(text)
        except TemplateInvalid as error:
            self.complain(Complaint("template", str(error), error.remedy, field="template"))
            return None
        if not template.placeholders and not text.strip() and not wordless:
            remedy = "Say what should be in the picture, with {column} for what differs by row."
            self.complain(Complaint("empty_prompt", "the template is empty", remedy, field="template"))
            return None
        return template

    def add(self, row: CheckedRow, book: RecipeBook) -> None:
        """Count a good row, what policy says of it, and what the card of its model does."""
        if self._sample is not None:
            self._sample.add(row)
        verdict, variants = row.texts.verdict, row.own.variants
        self.items += variants
        self.megapixel_steps += row.options.megapixel_steps * variants
        decision = verdict.decision
        if decision is Decision.HOLD:
            self._held_items += variants
        elif decision is Decision.REFUSE:
            self._refused_rows += 1
            self._refused_items += variants
            if len(self._refused) < MAX_LISTED:
                self._refused.append(self._refusal(row, verdict))
        if any(row.file_suffixes):
            self.notices.add("same_file_name", row.number, texts=[row.custom_id])
        if verdict.rewrites:
            self._rewritten_rows += 1
            self._rewritten_items += variants
            if len(self._rewritten) < MAX_LISTED:
                rewritten = rewriting(verdict, row=row.number, line=row.line, custom_id=row.custom_id)
                self._rewritten.append(rewritten)
        if decision is not Decision.REFUSE:
            self.work[book.card.name, row.options] += variants
        self._look(row, book)

    def _look(self, row: CheckedRow, book: RecipeBook) -> None:
        card, texts = book.card, row.texts
        prompt = row.sent_prompt
        self._first_prompt = self._first_prompt or prompt
        picture = hash((prompt, row.texts.negative_prompt, row.options, row.own.seed, row.own.model, row.own.inputs))
        if picture in self._pictures:
            self.notices.add("duplicate_prompt", row.number, texts=[prompt])
        self._pictures.add(picture)
        if is_wordless(row.options.task, card):
            return
        if (words := self._words_of(book)) is not None:
            words.look(row)
        room = book.tokens.room if book.tokens else 0
        if lost := unread(texts.prompt, row.texts_read.prompt):
            self.notices.add("prompt_cut", row.number, texts=[lost], model=card.name, room=room)
        if lost := unread(texts.negative_prompt, row.texts_read.negative_prompt):
            self.notices.add("negative_prompt_cut", row.number, texts=[lost], model=card.name, room=room)
        width, height = row.options.width, row.options.height
        if max(width / card.width, height / card.height) >= _UNUSUAL:
            size = f"{card.width} x {card.height}"
            self.notices.add("unusual_size", row.number, texts=[f"{width} x {height}"], model=card.name, size=size)

    def _words_of(self, book: RecipeBook) -> WordFindings | None:
        name = book.card.name
        if name not in self._words:
            self._words[name] = WordFindings(book) if book.vocabulary is not None else None
        return self._words[name]

    def raise_complaints(self) -> None:
        """Raises Problem if anything has to be put right; the refusals met on the way are reported as well."""
        if self._sample is not None:
            self.complain(*self._sample.too_many_strata())
        if not self._complaints:
            return
        count = len(self._complaints) + self._more
        detail = f"{count:,} {'error' if count == 1 else 'errors'} in {self.rows:,} rows read."
        if self._more:
            detail = f"The first {MAX_LISTED} of {count:,} errors in {self.rows:,} rows are listed."
        more = {"refused": [refused.model_dump() for refused in self._refused]} if self._refused else {}
        if warnings := self.all_warnings():
            more["warnings"] = [warning.model_dump(exclude_none=True) for warning in warnings]
        raise Problem("invalid_campaign", detail, errors=self.complaints, more=more)

    def report(self) -> SubmissionReply:
        """What was found, once there is nothing to complain about."""
        return SubmissionReply(
            rows=self.rows,
            items=self.items,
            refused_items=self._refused_items,
            refused=self._refused,
            held_items=self._held_items,
            rewritten_items=self._rewritten_items,
            rewritten=self._rewritten,
            warnings=self.all_warnings(),
            left_out_rows=self.left_out_rows,
            pilot=pilot.reply() if (pilot := self.pilot()) else None,
        )

    def _refusal(self, row: CheckedRow, verdict: Verdict) -> RefusedRowReply:
        return refusal(
            self._rules,
            self._context,
            verdict,
            row=row.number,
            line=row.line,
            custom_id=row.custom_id,
            sources=row.sources,
        )

    def all_warnings(self) -> list[WarningReply]:
        """Everything to look at so far, one entry a cause."""
        equal = self.rows > 1 and len(self._pictures) == 1
        noticed = [one for one in self.notices.replies() if not (equal and one.code == "duplicate_prompt")]
        words = [one for found in self._words.values() if found is not None for one in found.warnings()]
        warnings = [*self.warnings, *self._unused(), *noticed, *words]
        if equal:
            message = f"the prompts of all {self.rows:,} rows are equal: {quoted(self._first_prompt)}"
            message += ". Write {column} in the template for what differs; {{column}} is the word in braces"
            warnings.append(WarningReply(code="equal_prompts", message=message))
        if self._sample is not None and self.items > self._refused_items and self.pilot() is None:
            message = "the pilot would hold every image of the campaign, so it begins to run without one"
            warnings.append(WarningReply(code="pilot_holds_all", message=message))
        if self.rows and self._refused_rows == self.rows:
            where = sorted({refused.column for refused in self._refused})
            message = f"every row is refused, because of: {', '.join(where)}; no image will be made"
            warnings.append(WarningReply(code="all_refused", message=message))
        return warnings

    def _unused(self) -> Iterator[WarningReply]:
        """One note, however many columns a product export has."""
        names = self.unused_columns
        if len(names) == 1:
            message = f"no placeholder asks for column {quoted(names[0])}"
            yield WarningReply(code="unused_column", message=message, column=names[0])
        elif names:
            listed = ", ".join(map(quoted, names[:_NAMES_SHOWN]))
            more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
            message = f"no placeholder asks for {len(names)} of the columns: {listed}{more}"
            yield WarningReply(code="unused_column", message=message)
