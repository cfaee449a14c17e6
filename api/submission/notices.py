"""Notices: what a checked file is warned of, one entry a cause, with the rows that it concerns.

Memory is bounded: of each cause the first rows and the first few texts are kept, and all are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from api.edge.problems import quoted
from api.schemas.submission import WarningReply

ROWS_NAMED = 100  # by a warning or an error
THINGS_NAMED = 5

# What a notice says between the number of rows and the texts that it found; {column} is the place.
SAID = {
    "error_value": "hold an error value in {column}, which was taken as empty",
    "error_value_kept": "hold an error value in {column}, which was kept as you asked",
    "leftover_placeholder": "hold a placeholder in {column} that nothing replaced; it is drawn as it stands",
    "leftover_wildcard": "hold a wildcard in {column}, which is not expanded; use a column for what differs by row",
    "leftover_network": "hold a LoRA tag in {column}, which is not read from a prompt; name it in `loras`",
    "leftover_weight": "hold weights in {column}, which are taken literally: brackets and numbers are words here",
    "leftover_operator": "hold BREAK or AND in {column}, which are words here; send one thought a prompt",
    "leftover_flag": "hold flags in {column}, which are taken literally; use width, height, seed and negative_prompt",
    "leftover_html": 'hold HTML in {column}; clean it with "clean": {{"{bare}": ["html"]}}',
    "mojibake": "hold text in {column} that was read in the wrong encoding somewhere; export it as UTF-8",
    "rounded_key": "hold a number in {column} that a spreadsheet program rounded, like 4.00638E+12: its last digits are"
    " lost. Format the column as text, enter the numbers again, and export it",
    "ids_differ_in_case": "have an id in {column} that differs from another one in case only; on Windows and macOS"
    " their files would have one name",
    "same_file_name": "would give files that are named as those of another row; a digest of the row's id is put behind"
    " these names",
    "repeated_header": "name the columns again, as where exports were put together; left out",
    "short_row": "have fewer cells than the header names columns; the missing ones are taken as empty",
    "duplicate_prompt": "ask for the same picture as an earlier row: prompt, size and options are equal",
    "prompt_cut": "are longer than the {room} tokens that {model} reads; what stands at the end is lost",
    "negative_prompt_cut": "have a negative prompt longer than the {room} tokens that {model} reads; its end is lost",
    "unusual_size": "ask for a size that {model} was not made for; expect doubled or cut things. Its own is {size}",
}


class Notices:
    """Collects what is found, row by row, and words it at the end."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, tuple[tuple[str, str | int], ...]], NoticedRows] = {}

    def add(self, code: str, row: int, column: str = "", texts: Sequence[str] = (), **names: str | int) -> None:
        """Row 0: the template itself. `names` are used in the sentence; a notice with others is another one."""
        cause = (code, column, tuple(names.items()))
        noticed = self._found.get(cause)
        if noticed is None:
            noticed = self._found[cause] = NoticedRows()
        noticed.add(row, texts)

    def replies(self) -> Iterator[WarningReply]:
        for (code, column, names), noticed in self._found.items():
            place = f"column {quoted(column)}" if column else "the template"
            said = SAID[code].format(column=place, bare=column, **dict(names))
            texts = noticed.named(quoted)
            if noticed.numbers == [0]:
                message = f"the template {said.replace('hold', 'holds', 1).replace(' in the template', '')}{texts}"
                yield WarningReply(code=code, message=message, column="template")
                continue
            rows = "1 row" if noticed.count == 1 else f"{noticed.count:,} rows"
            verb = said if noticed.count > 1 else _singular(said)
            yield WarningReply(
                code=code.removesuffix("_kept"),
                message=f"{rows} {verb}{texts}",
                column=column or None,
                rows=noticed.numbers,
                count=noticed.count,
            )


def _singular(said: str) -> str:
    first, _, rest = said.partition(" ")
    verbs = {"hold": "holds", "have": "has", "ask": "asks", "are": "is", "name": "names"}
    return f"{verbs.get(first, first)} {rest}"


class NoticedRows:
    """How many rows a warning concerns, the first of them, and the first few words it is about."""

    __slots__ = ("_texts", "count", "numbers")

    def __init__(self) -> None:
        self.count = 0
        self.numbers: list[int] = []
        self._texts: dict[str, None] = {}

    def add(self, number: int, texts: Sequence[str]) -> None:
        self.count += 1
        if len(self.numbers) < ROWS_NAMED:
            self.numbers.append(number)
        for text in texts:
            if text and len(self._texts) < THINGS_NAMED:
                self._texts.setdefault(text)

    def named(self, said: Callable[[str], str] = str) -> str:
        return f": {'; '.join(map(said, self._texts))}" if self._texts else ""
