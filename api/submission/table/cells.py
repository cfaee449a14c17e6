"""Cells of our own columns: numbers as spreadsheets write them, LoRAs with their scales, choices.

A number may end in `.0` or `,0`, as a spreadsheet program writes a whole number of a column that holds others. A sign,
a space, a unit, an exponent or a thousands separator is an error: each of them can be read in two ways.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from policy.marks.renditions import ordered

_WHOLE = re.compile(r"([0-9]{1,16})(?:[.,]0+)?")
_DECIMAL = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,9}|,[0-9]{1,2})?")  # "7,5" is a German 7.5; "1,024" may be a thousand
_BETWEEN = re.compile(r"[\s,;|+]+")
_SCALE = re.compile(r"[0-9]{1,6}(\.[0-9]{1,9})?")


class CellInvalid(ValueError):
    """A cell that cannot be read: a stable code, what is wrong, what to do."""

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.code, self.message, self.remedy = code, message, remedy


def whole_number(text: str, shown: str) -> int:
    """42 of "42", "42.0" and "42,00". Raises CellInvalid."""
    if found := _WHOLE.fullmatch(text):
        return int(found[1])
    remedy = "Write digits only, like 512: no sign, space, unit or thousands separator."
    raise CellInvalid("not_a_number", f"{shown} is not a whole number", remedy)


def decimal_number(text: str, shown: str) -> float:
    """7.5 of "7.5" and "7,5". Raises CellInvalid."""
    if _DECIMAL.fullmatch(text):
        return float(text.replace(",", "."))
    remedy = "Write digits only, like 7.5: no sign, space, unit or thousands separator."
    raise CellInvalid("not_a_number", f"{shown} is not a number", remedy)


def choice(text: str, shown: str, known: Sequence[str], hint: str) -> str:
    """The one of `known` that the cell names. Raises CellInvalid."""
    if text in known:
        return text
    raise CellInvalid("not_a_choice", f"{shown} is none of {', '.join(known)}", f"Write one of them.{hint}")


def renditions(text: str, shown: str) -> tuple[str, ...]:
    """The renditions that the cell names, between spaces or commas, the original first. Raises CellInvalid."""
    named = [word.lower() for word in _BETWEEN.split(text) if word]
    try:
        return ordered(named)
    except ValueError as error:
        raise CellInvalid("not_a_choice", f"{shown}: {error}", "Write several with a space between them.") from error


def loras(text: str) -> tuple[list[tuple[str, float | None]], list[str]]:
    """Names with scales of "poster", "poster:0.8" or "poster:0.8 ink", and the words that are neither."""
    asked: list[tuple[str, float | None]] = []
    wrong: list[str] = []
    for word in text.split():
        name, colon, scale = word.partition(":")
        fits = _SCALE.fullmatch(scale)
        if colon and not fits:
            wrong.append(word)
        asked.append((name, float(scale) if fits else None))
    return asked, wrong
