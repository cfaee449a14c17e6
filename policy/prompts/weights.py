r"""Weights in prompts: from `a (red:1.3) car, [blurry]` to plain words and the weight of each.

It is that of AUTOMATIC1111's web UI: `(x)` is 1.1 times, `[x]` a 1.1th, `(x:1.3)` is 1.3 times, nested ones multiply,
and a backslash makes a word of a bracket: `\(`. What that program takes in silence is refused here: brackets without
their pair, weights outside 0 to 2, numbers that are none, prompts that change while they are drawn (`[a:b:0.5]`,
`[a|b]`), and `BREAK`, which begins another window of a text encoder: a prompt has one window here.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

WEIGHTS = "weights"  # the value of `prompt_syntax`
MOST_WEIGHT = 2.0  # a bound of ours, so that `(1:64)` in a product name is no weight
MOST_DEPTH = 16  # brackets that are open at once

_BRACKET = 1.1  # what a pair of round brackets multiplies by
_DIGITS = 6  # of a weight: ([x]) is 1, not 1.0000000000000002
_SHOWN = 20  # characters of a wrong number
_TOKEN = re.compile(
    r"(?P<escaped>\\[\\()\[\]])"
    r"|(?P<open>[(\[])"
    r"|:\s*(?P<weight>[+-]?(?:[0-9.]+(?:e[+-]?[0-9]+)?|nan|inf(?:inity)?))\s*\)"
    r"|(?P<close>[)\]])"
    r"|(?P<words>[^\\()\[\]:]+|[\\:])",
    re.IGNORECASE,
)
_BREAK = re.compile(r"\bBREAK\b")
_CHANGES = re.compile(r"\||:\s*[0-9.]+\s*$")  # inside square brackets: another prompt from some step on


class WeightsInvalid(ValueError):
    """The weights of a prompt cannot be read; the message names the character."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


class _Piece(NamedTuple):
    """Words of one weight: where they begin in the plain text and in the text as it was sent."""

    first: int
    sent: int
    weight: float


class WeightedText(NamedTuple):
    """The words without the syntax, and what each of them weighs."""

    plain: str
    pieces: tuple[_Piece, ...]

    @property
    def is_even(self) -> bool:
        """Whether every word weighs 1."""
        return all(piece.weight == 1 for piece in self.pieces)

    def weight_at(self, place: int) -> float:
        """The weight of a character of the plain text."""
        return self._piece_at(place).weight

    def sent_at(self, place: int) -> int:
        """Where a character of the plain text stands in the text as it was sent."""
        piece = self._piece_at(place)
        return piece.sent + place - piece.first

    def _piece_at(self, place: int) -> _Piece:
        return self.pieces[bisect_right(self.pieces, place, key=lambda piece: piece.first) - 1]


@lru_cache(maxsize=64)  # a prompt is read for its policy, its length and its picture
def read_weights(text: str) -> WeightedText:
    """The text, read in time that grows with its length. Raises WeightsInvalid."""
    plain: list[str] = []
    pieces: list[_Piece] = []
    opened: list[tuple[str, int, int]] = []  # the bracket, where it stands, and the first piece inside
    length = 0
    for token in _TOKEN.finditer(text):
        kind, sign, at = token.lastgroup, token.group(), token.start()
        if kind == "open":
            if len(opened) == MOST_DEPTH:
                raise _wrong(
                    at, f"more than {MOST_DEPTH} brackets are open", "Write the weight as a number: (word:1.3)."
                )
            opened.append((sign, at, len(pieces)))
        elif kind in ("close", "weight"):
            number = token.group("weight")
            begin = _closed(opened, sign[-1], at)
            if sign == "]" and _CHANGES.search(text, opened[-1][1] + 1, at):
                remedy = r"Ask for one prompt, or write \[ and \] for brackets that are words."
                raise _wrong(opened[-1][1], "a prompt that changes while it is drawn, which is not read here", remedy)
            opened.pop()
            factor = _number(number, at) if number else _BRACKET if sign == ")" else 1 / _BRACKET
            pieces[begin:] = [piece._replace(weight=piece.weight * factor) for piece in pieces[begin:]]
        else:
            words = sign[1:] if kind == "escaped" else sign
            if found := _BREAK.search(words):
                remedy = "Leave it out and shorten the prompt, or write the word in small letters."
                raise _wrong(at + found.start(), "BREAK begins another window, and a prompt has one here", remedy)
            pieces.append(_Piece(length, at + len(sign) - len(words), 1.0))
            plain.append(words)
            length += len(words)
    if opened:
        remedy = r"Close it, or write \( and \[ for brackets that are words."
        raise _wrong(opened[-1][1], f"'{opened[-1][0]}' is never closed", remedy)
    read = WeightedText("".join(plain), tuple(_joined(pieces)))
    if text.strip() and not read.plain.strip():
        raise WeightsInvalid("there are brackets and no words", "Say what should be in the picture.")
    return read


def plain_text(text: str, syntax: str) -> str:
    """The words of a text in this syntax; without one, the text itself. Raises WeightsInvalid."""
    return read_weights(text).plain if syntax else text


def _closed(opened: list[tuple[str, int, int]], sign: str, at: int) -> int:
    """The first piece inside the pair that this sign closes."""
    pair = {")": "(", "]": "["}[sign]
    if not opened or opened[-1][0] != pair:
        found = f"'{opened[-1][0]}' at character {opened[-1][1] + 1}" if opened else "nothing"
        remedy = r"Write brackets in pairs, and \) or \] for those that are words."
        raise _wrong(at, f"'{sign}' closes {found}", remedy)
    return opened[-1][2]


def _number(text: str, at: int) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not 0 <= number <= MOST_WEIGHT:  # written so that NaN fails it
        remedy = r"Write a number in that range, or \( and \) for brackets that are words."
        raise _wrong(at, f"{text[:_SHOWN]} is no weight from 0 to {MOST_WEIGHT:g}", remedy)
    return number


def _joined(pieces: Iterable[_Piece]) -> Iterator[_Piece]:
    """Those that go on as the one before them are one."""
    last = None
    for piece in map(_bounded, pieces):
        if last is None or (last.weight, last.sent - last.first) != (piece.weight, piece.sent - piece.first):
            yield piece
        last = piece


def _bounded(piece: _Piece) -> _Piece:
    weight = round(piece.weight, _DIGITS)
    if weight > MOST_WEIGHT:
        message = f"the brackets together weigh {weight:.2f}, above {MOST_WEIGHT:g}"
        raise _wrong(piece.sent, message, "Take some away.")
    return piece._replace(weight=weight)


def _wrong(at: int, message: str, remedy: str) -> WeightsInvalid:
    return WeightsInvalid(f"character {at + 1}: {message}", remedy)
