"""What checking a request has found so far: complaints that stop it, refusals and warnings that do not."""

from __future__ import annotations

import re

from api.problems import Complaint, Problem
from api.reports import Notice, Refusal, Report, Rewriting
from api.rows import Reading
from api.screening import refusal, rewriting
from policy.rulebook.scope import Context
from policy.rules import Rules
from policy.verdict import Decision, Verdict
from workers.sampling.registry import ModelCard

MAX_LISTED = 100  # complaints and refusals; a longer list helps nobody
_ROWS_NAMED = 10  # by a warning

_WORD = re.compile(r"\w+")
_IDLE_WORDS = frozenset({"a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with"})


class Findings:
    """Grows row by row; memory is bounded by MAX_LISTED."""

    def __init__(self, card: ModelCard, rules: Rules, context: Context, variants: int) -> None:
        self._card, self._rules, self._context, self._variants = card, rules, context, variants
        self._known = frozenset(word.casefold() for text in card.knows for word in _WORD.findall(text)) - _IDLE_WORDS
        self.complaints: list[Complaint] = []
        self.unused_columns: list[str] = []
        self.rows = 0
        self.megapixel_steps = 0.0
        self._refused: list[Refusal] = []
        self._rewritten: list[Rewriting] = []
        self._refused_rows = self._held_rows = self._rewritten_rows = 0
        self._strange: list[int] = []
        self._strange_rows = 0

    @property
    def full(self) -> bool:
        """Whether another complaint would not be listed."""
        return len(self.complaints) >= MAX_LISTED

    def complain(self, *complaints: Complaint) -> None:
        self.complaints += complaints[: MAX_LISTED - len(self.complaints)]

    def add(self, read: Reading, verdict: Verdict) -> None:
        """Count a good row and what policy says of it."""
        self.megapixel_steps += read.sizes.megapixel_steps * self._variants
        decision = verdict.decision
        if decision is Decision.HOLD:
            self._held_rows += 1
        elif decision is Decision.REFUSE:
            self._refused_rows += 1
            if len(self._refused) < MAX_LISTED:
                self._refused.append(self._refusal(read, verdict))
        if verdict.rewrites:
            self._rewritten_rows += 1
            if len(self._rewritten) < MAX_LISTED:
                told = rewriting(verdict, row=read.number, line=read.line, custom_id=read.custom_id)
                self._rewritten.append(told)
        if self._known and self._known.isdisjoint(map(str.casefold, _WORD.findall(read.prompt))):
            self._strange_rows += 1
            self._strange += [read.number] if self._strange_rows <= _ROWS_NAMED else []

    def raise_complaints(self) -> None:
        """Raises Problem if anything has to be put right; the refusals met on the way are told as well."""
        if not self.complaints:
            return
        count = len(self.complaints)
        detail = f"{count} {'error' if count == 1 else 'errors'} in {self.rows:,} rows read."
        if self.full:
            detail = f"The first {MAX_LISTED} errors are listed; rows after {self.rows:,} were not checked."
        more = {"refused": [refused.model_dump() for refused in self._refused]} if self._refused else {}
        raise Problem("invalid_campaign", detail, errors=self.complaints, more=more)

    def report(self) -> Report:
        """What was found, once there is nothing to complain about."""
        return Report(
            rows=self.rows,
            items=self.rows * self._variants,
            refused_items=self._refused_rows * self._variants,
            refused=self._refused,
            held_items=self._held_rows * self._variants,
            rewritten_items=self._rewritten_rows * self._variants,
            rewritten=self._rewritten,
            warnings=self._warnings(),
        )

    def _refusal(self, read: Reading, verdict: Verdict) -> Refusal:
        return refusal(
            self._rules,
            self._context,
            verdict,
            row=read.number,
            line=read.line,
            custom_id=read.custom_id,
            sources=read.sources,
        )

    def _warnings(self) -> list[Notice]:
        warnings = [
            Notice(code="unused_column", message=f"no placeholder asks for column '{name}'", column=name)
            for name in self.unused_columns
        ]
        if self._strange_rows:
            message = (
                f"{self._strange_rows:,} of {self.rows:,} prompts share no word with what {self._card.name} was"
                " trained on ('knows' of its card); expect little of those images"
            )
            warnings.append(Notice(code="unknown_words", message=message, rows=self._strange))
        if self._refused_rows == self.rows:
            where = sorted({refused.column for refused in self._refused})
            message = f"every row is refused, because of: {', '.join(where)}; no image will be made"
            warnings.append(Notice(code="all_refused", message=message))
        return warnings
