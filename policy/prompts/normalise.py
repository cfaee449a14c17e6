"""The copies of a prompt that are screened: as it stands, and with the cheap disguises taken off.

A copy is a list of positions; a position is a tuple of words, the one that stands there and what it
may be read as. Every step is linear in the text and no pattern can backtrack far: a prompt of any
shape costs time in proportion to its length.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import NamedTuple

from policy.prompts.confusables import PLAIN

Position = tuple[str, ...]


class Copy(NamedTuple):
    """One way to read the text. `name` may be shown to people."""

    name: str
    positions: list[Position]


_WORD = re.compile(r"[^\W_]+")
_CHUNK = re.compile(r"\S+")
_INSIDE = re.compile(r"\w[^\w\s]+\w|_|[@$!|+€¢¡£]")  # punctuation that may hide a word, or stand for a letter
_SPACED = re.compile(r"(?<!\w)\w(?:[^\w\n]\w){2,}(?!\w)|(?<!\w)\w(?:_\w){2,}(?!\w)")
_TRIPLE = re.compile(r"(\w)\1\1+")
_DOUBLE = re.compile(r"(\w)\1+")
_DRAWN = re.compile(r"(\w)\1(?:\1|\w*(\w)\2)")  # one run of three, or two runs in one word
_DIGIT = re.compile(r"\d")
_ENCODED = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{8,}={0,2}")

_EDGES = ".,;:!?\"'()[]{}<>*_~-/\\|+`"
_LEET = str.maketrans("013456789@$!|+€¢¡£", "oieasgtbgasiitecil")
_LEET_L = str.maketrans("013456789@$!|+€¢¡£", "oleasgtbgaslltecll")
_LEET_SIGNS = frozenset("@$!|+€¢¡£")
_LEET_DIGITS = frozenset("013456789")

_DEEPEST = 3  # base64 within base64: further layers are not opened, and no image model reads them


def fold(text: str) -> str:
    """Lower-case plain letters: accents, look-alikes, widths and invisible characters taken off."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKD", text).translate(PLAIN).lower()


def words(text: str) -> list[str]:
    return _WORD.findall(text)


def copies(text: str) -> Iterator[Copy]:
    """Every copy that differs from the ones before it: as written, folded, joined, unspaced, decoded."""
    yield from _readings(text, "")
    for depth, hidden in _decoded(text):
        yield from _readings(hidden, "base64 " * depth)


Span = tuple[int, int]


def located(text: str) -> Iterator[tuple[list[Position], list[Span]]]:
    """The copies whose positions have a place in the text, each with the characters [first, end) of every position.

    Those are what stands there in plain letters, disguised ones included: as written, plain and joined. A text whose
    letters change with their neighbours has no such places in that copy, which is then left out.
    """
    for spell, cut, read in (
        (_lower, _WORD, _itself),
        (fold, _WORD, _variants),
        (fold, _CHUNK, _joined),
    ):
        spelled, origin = _by_letter(text, spell)
        if spelled != spell(text):
            continue
        found = list(cut.finditer(spelled))
        yield (
            [read(part[0]) for part in found],
            [_span(text, origin, *_bare(part), spell) for part in found],
        )


def plain_by_letter(text: str) -> tuple[str, list[int]]:
    """The folded text, and for each of its letters the place in `text` that it came from."""
    return _by_letter(text, fold)


def _by_letter(text: str, spell: Callable[[str], str]) -> tuple[str, list[int]]:
    pieces = [spell(letter) for letter in text]
    return "".join(pieces), [place for place, piece in enumerate(pieces) for _ in piece]


def _bare(part: re.Match[str]) -> Span:
    """Where the part stands without the punctuation around it."""
    bare = part[0].strip(_EDGES) or part[0]
    first = part.start() + part[0].find(bare)
    return first, first + len(bare)


def _span(text: str, origin: list[int], first: int, end: int, spell: Callable[[str], str]) -> Span:
    """Back to the text's own characters, with the invisible ones that ride on the last letter."""
    last = origin[end - 1] + 1
    while last < len(text) and not spell(text[last]):
        last += 1
    return origin[first], last


def _readings(text: str, prefix: str) -> Iterator[Copy]:
    folded = fold(text)
    if not text.isascii():
        yield Copy(f"{prefix}as written", [(word,) for word in words(_lower(text))])
    read = _variants if _DRAWN.search(folded) or _DIGIT.search(folded) else _itself
    yield Copy(f"{prefix}plain", [read(word) for word in words(folded)])
    if _INSIDE.search(folded):
        yield Copy(f"{prefix}joined", [_joined(chunk) for chunk in _CHUNK.findall(folded)])
    if _SPACED.search(folded):
        yield Copy(f"{prefix}unspaced", [_variants(word) for word in words(_SPACED.sub(_close, folded))])
        yield Copy(f"{prefix}run together", [_pieces(run[0]) for run in _SPACED.finditer(folded)])


def _lower(text: str) -> str:
    """Composed and lower-cased, in its own script: what a term in Cyrillic or with accents is compared with."""
    return unicodedata.normalize("NFKC", text).lower()


def _itself(word: str) -> Position:
    return (word,)


def _variants(word: str) -> Position:
    """The word, and what it is without leetspeak and without drawn-out letters."""
    readings = [word] if word.isalpha() else [word, *_unleet(word)]
    drawn = [short for reading in readings if _DRAWN.search(reading) for short in _undrawn(reading)]
    return (word,) if len(readings) == 1 and not drawn else tuple(dict.fromkeys((*readings, *drawn)))


def _unleet(word: str) -> list[str]:
    """Digits and signs read as letters, where enough true letters remain: `p0rn` yes, `A55` and `4k` no."""
    letters = sum(map(str.isalpha, word))
    stand_ins = len(word) - letters
    if letters == 0 or stand_ins == 0 or (stand_ins > letters and not (len(word) >= 5 and letters >= 2)):
        return []
    return [word.translate(_LEET), word.translate(_LEET_L)]


def _undrawn(word: str) -> list[str]:
    """`nuuude`, `boooobs`, `nnuuddee` with their runs cut to one letter and to two."""
    return [_DOUBLE.sub(r"\1", word), _TRIPLE.sub(r"\1", word), _TRIPLE.sub(r"\1\1", word)]


def _joined(chunk: str) -> Position:
    """What stands between two spaces, as one word: `n.u.d.e`, `n-u-d-e`, `n@ked`, `$ex`."""
    bare = chunk.strip(_EDGES) or chunk
    if bare.isalpha():
        return _itself(bare)  # the plain copy holds its variants
    letters = "".join(sign for sign in bare if sign.isalnum())
    signed = "".join(sign for sign in bare if sign.isalnum() or sign in _LEET_SIGNS)
    return tuple(
        dict.fromkeys((*_variants(letters), *(reading for one in _unleet(signed) for reading in _variants(one))))
    )


def _close(run: re.Match[str]) -> str:
    return "".join(words(run[0]))


def _pieces(run: str) -> Position:
    """Every stretch of four to sixteen letters in a run of single ones: where its words begin is unknown."""
    letters = "".join(words(run))
    readings = {letters, *_unleet(letters)}
    return tuple({r[i : i + size] for r in readings for size in range(4, 17) for i in range(len(r) - size + 1)})


def _decoded(text: str) -> Iterator[tuple[int, str]]:
    """Text that was hidden in base64, layer by layer, with its depth. Shorter with every layer, so it ends."""
    layer = [text]
    for depth in range(1, _DEEPEST + 1):
        layer = [hidden for outer in layer for run in _ENCODED.findall(outer) if (hidden := _from_base64(run))]
        yield from ((depth, hidden) for hidden in layer)


def _from_base64(run: str) -> str | None:
    """The text in it, or None where there is none: an ordinary long word is not tried, or decodes to rubbish."""
    if run[1:].islower() and run.isalpha():
        return None
    body = run.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        text = base64.b64decode(body + "=" * (-len(body) % 4), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return text if text.isprintable() else None
