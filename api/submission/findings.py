"""What checking a request has found so far: complaints that stop it, refusals and warnings that do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from api.edge.problems import Complaint, Problem, quoted
from api.schemas.submission import RefusedRowReply, RewrittenRowReply, SubmissionReply, WarningReply
from api.submission.checked import CheckedRow
from api.submission.recipes import RecipeBook
from api.submission.screening import refusal, rewriting
from api.submission.vocabulary import Vocabulary
from policy.rulebook.scope import Context
from policy.rules import Rules
from policy.verdict import Decision, Verdict

MAX_LISTED = 100  # complaints and refusals; a longer list helps nobody
_ROWS_NAMED = 10  # by a warning

_THINGS_NAMED = 5


class SubmissionFindings:
    """Grows row by row; memory is bounded by MAX_LISTED."""

    def __init__(self, book: RecipeBook, rules: Rules, context: Context, variants: int) -> None:
        self._card, self._rules, self._context, self._variants = book.card, rules, context, variants
        self._words = book.vocabulary
        self.complaints: list[Complaint] = []
        self.carried_columns: tuple[str, ...] = ()
        self.unused_columns: list[str] = []
        self.rows = 0
        self.megapixel_steps = 0.0
        self._refused: list[RefusedRowReply] = []
        self._rewritten: list[RewrittenRowReply] = []
        self._refused_rows = self._held_rows = self._rewritten_rows = 0
        self._strange, self._crowded, self._unasked, self._coloured = _Rows(), _Rows(), _Rows(), _Rows()
        self._same_names = _Rows()

    @property
    def full(self) -> bool:
        """Whether another complaint would not be listed."""
        return len(self.complaints) >= MAX_LISTED

    def complain(self, *complaints: Complaint) -> None:
        self.complaints += complaints[: MAX_LISTED - len(self.complaints)]

    def add(self, row: CheckedRow) -> None:
        """Count a good row and what policy says of it."""
        verdict = row.texts.verdict
        self.megapixel_steps += row.options.megapixel_steps * self._variants
        decision = verdict.decision
        if decision is Decision.HOLD:
            self._held_rows += 1
        elif decision is Decision.REFUSE:
            self._refused_rows += 1
            if len(self._refused) < MAX_LISTED:
                self._refused.append(self._refusal(row, verdict))
        if any(row.file_suffixes):
            self._same_names.add(row.number, [row.custom_id])
        if verdict.rewrites:
            self._rewritten_rows += 1
            if len(self._rewritten) < MAX_LISTED:
                rewritten = rewriting(verdict, row=row.number, line=row.line, custom_id=row.custom_id)
                self._rewritten.append(rewritten)
        if self._words is not None:
            self._look(self._words, row)

    def _look(self, words: Vocabulary, row: CheckedRow) -> None:
        known, strange = words.look(row.sent_prompt)
        if strange:
            self._strange.add(row.number, strange)
        if len(known) > 1:
            self._crowded.add(row.number, [" and ".join(known)])
        if coloured := words.kept_colours(row.sent_prompt):
            self._coloured.add(row.number, coloured)
        if unasked := words.styles(row.sent_prompt) - {name for name, _ in row.options.loras}:
            self._unasked.add(row.number, sorted(unasked))

    def raise_complaints(self) -> None:
        """Raises Problem if anything has to be put right; the refusals met on the way are reported as well."""
        if not self.complaints:
            return
        count = len(self.complaints)
        detail = f"{count} {'error' if count == 1 else 'errors'} in {self.rows:,} rows read."
        if self.full:
            detail = f"The first {MAX_LISTED} errors are listed; rows after {self.rows:,} were not checked."
        more = {"refused": [refused.model_dump() for refused in self._refused]} if self._refused else {}
        raise Problem("invalid_campaign", detail, errors=self.complaints, more=more)

    def report(self) -> SubmissionReply:
        """What was found, once there is nothing to complain about."""
        return SubmissionReply(
            rows=self.rows,
            items=self.rows * self._variants,
            refused_items=self._refused_rows * self._variants,
            refused=self._refused,
            held_items=self._held_rows * self._variants,
            rewritten_items=self._rewritten_rows * self._variants,
            rewritten=self._rewritten,
            warnings=self._warnings(),
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

    def _warnings(self) -> list[WarningReply]:
        warnings = [
            WarningReply(code="unused_column", message=f"no placeholder asks for column '{name}'", column=name)
            for name in self.unused_columns
        ]
        if self._same_names.count:
            message = (
                f"{self._same_names.count:,} rows would give files that are named as those of another row"
                f"{self._same_names.named()}; these names get a digest of the row's id behind them"
            )
            warnings.append(WarningReply(code="same_file_name", message=message, rows=self._same_names.numbers))
        warnings += self._word_warnings()
        if self._refused_rows == self.rows:
            where = sorted({refused.column for refused in self._refused})
            message = f"every row is refused, because of: {', '.join(where)}; no image will be made"
            warnings.append(WarningReply(code="all_refused", message=message))
        return warnings

    def _suggestion(self, thing: str) -> str:
        """An unknown thing with its nearest neighbour: searched for the few that are named, not for every row."""
        near = self._words.nearest(thing) if self._words is not None else ""
        return quoted(thing) + (f" (the nearest is '{near}')" if near else "")

    def _word_warnings(self) -> Iterator[WarningReply]:
        card, of = self._card, f"of {self.rows:,} prompts"
        if self._strange.count:
            read_in = f", read in {', '.join(card.languages)}" if card.languages else ""
            things = self._strange.named(self._suggestion)
            message = (
                f"{self._strange.count:,} {of} ask for what {card.name} does not know{things}. Expect"
                f" something else there. It knows {len(card.knows)} things{read_in}: {', '.join(card.knows)}"
            )
            yield WarningReply(code="unknown_words", message=message, rows=self._strange.numbers)
        if self._crowded.count:
            message = f"{self._crowded.count:,} {of} name several things{self._crowded.named()}; {card.name} draws one"
            yield WarningReply(code="several_things", message=message, rows=self._crowded.numbers)
        if self._coloured.count:
            message = (
                f"{self._coloured.count:,} {of} give a colour to a thing that {card.name} draws in its own colour"
                f"{self._coloured.named()}. These take a colour: {', '.join(card.recolours)}"
            )
            yield WarningReply(code="colour_ignored", message=message, rows=self._coloured.numbers)
        if self._unasked.count:
            message = (
                f"{self._unasked.count:,} {of} name the style of a LoRA without asking for it{self._unasked.named()};"
                " name it in `loras`"
            )
            yield WarningReply(code="lora_not_asked", message=message, rows=self._unasked.numbers)


class _Rows:
    """How many rows a warning concerns, the first of them, and the first few words it is about."""

    def __init__(self) -> None:
        self.count = 0
        self.numbers: list[int] = []
        self._texts: dict[str, None] = {}

    def add(self, number: int, texts: Sequence[str]) -> None:
        self.count += 1
        if len(self.numbers) < _ROWS_NAMED:
            self.numbers.append(number)
        for text in texts:
            if text and len(self._texts) < _THINGS_NAMED:
                self._texts.setdefault(text)

    def named(self, said: Callable[[str], str] = str) -> str:
        return f": {'; '.join(map(said, self._texts))}" if self._texts else ""
