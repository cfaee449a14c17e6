"""Warnings about words that a model with a vocabulary does not draw."""

from __future__ import annotations

from collections.abc import Iterator

from api.edge.problems import quoted
from api.schemas.submission import WarningReply
from api.submission.checked import CheckedRow
from api.submission.notices import NoticedRows
from api.submission.recipes import RecipeBook
from api.submission.vocabulary import Vocabulary


class WordFindings:
    """What the prompts of a request name that its model does not know, counted row by row."""

    def __init__(self, book: RecipeBook) -> None:
        if book.vocabulary is None:
            raise ValueError(f"{book.card.name} has no vocabulary")
        self._card, self._vocabulary = book.card, book.vocabulary
        self._rows = 0
        self._strange, self._crowded, self._unasked, self._coloured = (NoticedRows() for _ in range(4))

    def look(self, row: CheckedRow) -> None:
        self._rows += 1
        seen = self._vocabulary.read(row.sent_words)
        if seen.strange:
            self._strange.add(row.number, seen.strange)
        if len(seen.known) > 1:
            self._crowded.add(row.number, [" and ".join(seen.known)])
        if seen.coloured:
            self._coloured.add(row.number, seen.coloured)
        if unasked := seen.styles - {name for name, _ in row.options.loras}:
            self._unasked.add(row.number, sorted(unasked))

    def warnings(self) -> Iterator[WarningReply]:
        card, of = self._card, f"of {self._rows:,} prompts"
        if self._strange.count:
            read_in = f", read in {', '.join(card.languages)}" if card.languages else ""
            things = self._strange.named(lambda thing: _suggestion(self._vocabulary, thing))
            message = (
                f"{self._strange.count:,} {of} ask for what {card.name} does not know{things}. Expect"
                f" something else there. It knows {len(card.knows)} things{read_in}: {', '.join(card.knows)}"
            )
            yield _warning("unknown_words", message, self._strange)
        if self._crowded.count:
            message = f"{self._crowded.count:,} {of} name several things{self._crowded.named()}; {card.name} draws one"
            yield _warning("several_things", message, self._crowded)
        if self._coloured.count:
            message = (
                f"{self._coloured.count:,} {of} give a colour to a thing that {card.name} draws in its own colour"
                f"{self._coloured.named()}. These take a colour: {', '.join(card.recolours)}"
            )
            yield _warning("colour_ignored", message, self._coloured)
        if self._unasked.count:
            message = (
                f"{self._unasked.count:,} {of} name the style of a LoRA without asking for it{self._unasked.named()};"
                " name it in `loras`"
            )
            yield _warning("lora_not_asked", message, self._unasked)


def _warning(code: str, message: str, noticed: NoticedRows) -> WarningReply:
    return WarningReply(code=code, message=message, rows=noticed.numbers, count=noticed.count)


def _suggestion(vocabulary: Vocabulary, thing: str) -> str:
    """An unknown thing with its nearest neighbour: searched for the few that are named, not for every row."""
    near = vocabulary.nearest(thing)
    return quoted(thing) + (f" (the nearest is '{near}')" if near else "")
