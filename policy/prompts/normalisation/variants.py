"""Normalised variants of a prompt: the text as written, and the same text with common obfuscations undone.

A variant is a list of positions. A position is a tuple of words: the word that stands there, and what it may be read
as. Every step is linear in the text and no pattern backtracks far, so the time is in proportion to the length of the
prompt, whatever its shape. leet.py says what one word may be read as, splits.py undoes words taken apart or run
together, encodings.py decodes text that is written in another encoding.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from typing import NamedTuple

from policy.prompts.normalisation import splits
from policy.prompts.normalisation.confusables import TO_LATIN
from policy.prompts.normalisation.emoji import read_emoji
from policy.prompts.normalisation.encodings import decoded_texts
from policy.prompts.normalisation.leet import CLOSED_UP, EDGES, Position, is_odd, joined_readings, word_readings
from policy.terms import RUN, WORD, words


class NormalisedVariant(NamedTuple):
    """One way to read the text. `name` may be shown to people.

    A variant with `guess` finds words that may have been hidden, and also words that were not. A rule that it
    meets may hold the prompt and cannot refuse it.
    """

    name: str
    positions: list[Position]
    guess: bool = False


_CHUNK = re.compile(r"\S+")
_CYRILLIC, _LATIN = re.compile("[\u0430-\u04ff]"), re.compile("[a-z]")
_TO_CYRILLIC = str.maketrans("abcehikmnoprtuxy", "авсенікмпоргтиху")


def fold(text: str) -> str:
    """The text in lower-case Latin letters where possible: no accents, look-alikes, widths or invisible characters."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text).translate(TO_LATIN).lower()
    plain = plain.translate(TO_LATIN)  # again: a small letter may look like another one
    return unicodedata.normalize("NFC", plain)  # only syllables of Hangul come together again


def normalised_variants(text: str) -> Iterator[NormalisedVariant]:
    """Every variant that differs from the ones before it: as written, folded, joined, unspaced, emoji, decoded."""
    yield from _readings(text, "")
    if (spoken := read_emoji(text)) is not None:
        yield NormalisedVariant("emoji", [word_readings(word) for word in words(fold(spoken))], guess=True)
    for writing, inner in decoded_texts(text):
        yield from _readings(inner, f"{writing} ")


class Piece(NamedTuple):
    """What stands between two spaces, in every reading that needs no neighbour."""

    text: str
    words: tuple[str, ...]  # of the plain variant
    sequences: tuple[tuple[Position, ...], ...]  # of the plain, joined and capital variants, none of them empty
    letters: int  # single ones that stand apart


def read_piece(text: str) -> Piece | None:
    """The piece; None where what it adds to a variant depends on more than itself, or is no word in the plain one."""
    folded = fold(text)
    if read_emoji(text) is not None:
        return None
    if folded.isalnum() and text.isascii() and not splits.CAMEL_CASE.search(text):  # most of them: one word
        readings = (*word_readings(folded), *splits.without_neighbour(folded))
        return Piece(text, (folded,), ((readings,),), len(folded) == 1)
    written = _lower(text)
    if folded.split() != [folded] or written.split() != [written]:
        return None  # letters that fold to a space or to nothing
    plain, as_written = words(folded), words(written)
    joined = tuple(dict.fromkeys((*joined_readings(folded), *_in_cyrillic(written.strip(EDGES)))))
    if not plain:
        return None if any(map(words, joined)) else Piece(text, (), (), 0)
    if len(as_written) != len(plain):
        return None
    # What `_readings` puts at each place, and what an everyday word may be written on to.
    positions = _beside([(*word_readings(word), *splits.without_neighbour(word)) for word in plain], as_written)
    capitals = [word_readings(word) for part in splits.CAMEL_CASE.split(text) for word in words(fold(part))]
    letters = sum(len(word) == 1 for word in RUN.findall(folded))
    return Piece(text, tuple(plain), (tuple(positions), (joined,), tuple(capitals)), letters)


CharRange = tuple[int, int]


def located_variants(text: str) -> Iterator[tuple[list[Position], Callable[[], list[CharRange]]]]:
    """Variants that can be located in the text, each with the character ranges [first, end) of its positions.

    The ranges are worked out when they are asked for, as most texts hold nothing to locate.

    They are the ones that read what stands there letter by letter: as written, plain and joined, with obfuscations
    inside a word undone. A text whose letters change with their neighbours has no such ranges in a variant, which is
    then left out.
    """
    for spell, cut, read in (
        (_lower, WORD, _itself),
        (fold, WORD, word_readings),
        (fold, _CHUNK, joined_readings),
    ):
        spelled, origin = _by_letter(text, spell)
        if spelled != spell(text):
            continue
        found = list(cut.finditer(spelled))
        yield (
            [read(part[0]) for part in found],
            partial(_spans, text, origin, found, spell),
        )


@lru_cache(maxsize=16)
def folded_by_letter(text: str) -> tuple[str, Sequence[int]]:
    """The folded text, and for each of its letters the index in `text` that it came from.

    Several rules ask for the same text, one behind the other.
    """
    return _by_letter(text, fold)


def _by_letter(text: str, spell: Callable[[str], str]) -> tuple[str, Sequence[int]]:
    if text.isascii():  # every letter is spelled as one
        return text.lower(), range(len(text))
    pieces = list(map(_SPELLED[spell].__getitem__, text))
    if set(map(len, pieces)) == {1}:
        return "".join(pieces), range(len(text))
    return "".join(pieces), [place for place, piece in enumerate(pieces) for _ in piece]


class _Spelled(dict[str, str]):
    """Letters with their spelling, worked out when they are met: at most one entry a character of Unicode."""

    def __init__(self, spell: Callable[[str], str]) -> None:
        super().__init__()
        self._spell = spell

    def __missing__(self, letter: str) -> str:
        self[letter] = self._spell(letter)
        return self[letter]


def _bare(part: re.Match[str]) -> CharRange:
    """Range of the part without the punctuation around it."""
    bare = part[0].strip(EDGES) or part[0]
    first = part.start() + part[0].find(bare)
    return first, first + len(bare)


def _spans(
    text: str, origin: Sequence[int], found: list[re.Match[str]], spell: Callable[[str], str]
) -> list[CharRange]:
    return [_span(text, origin, *_bare(part), spell) for part in found]


def _span(text: str, origin: Sequence[int], first: int, end: int, spell: Callable[[str], str]) -> CharRange:
    """The range in the original text, including invisible characters that follow the last letter."""
    last = origin[end - 1] + 1
    while last < len(text) and not spell(text[last]):
        last += 1
    return origin[first], last


def _readings(text: str, prefix: str) -> Iterator[NormalisedVariant]:
    folded = fold(text)
    written = words(_lower(text)) if not text.isascii() else []
    plain = words(folded)
    read = word_readings if is_odd(folded) else _itself
    if len(written) not in (0, len(plain)):
        yield NormalisedVariant(f"{prefix}as written", [_in_cyrillic(word) for word in written])
    yield NormalisedVariant(f"{prefix}plain", _beside([read(word) for word in plain], written))
    if CLOSED_UP.search(folded):
        chunks = [chunk.strip(EDGES) for chunk in _CHUNK.findall(_lower(text))] if written else []
        yield NormalisedVariant(
            f"{prefix}joined", _beside([joined_readings(chunk) for chunk in _CHUNK.findall(folded)], chunks)
        )
    if len(capitals := splits.CAMEL_CASE.split(text)) > 1:
        yield NormalisedVariant(f"{prefix}capitals", [read(word) for part in capitals for word in words(fold(part))])
    if splits.SPACED_LETTERS.search(folded):
        yield NormalisedVariant(
            f"{prefix}unspaced", [word_readings(word) for word in words(splits.without_gaps(folded))]
        )
        if written:
            yield NormalisedVariant(
                f"{prefix}unspaced as written", [(word,) for word in words(splits.without_gaps(_lower(text)))]
            )
        yield NormalisedVariant(f"{prefix}run together", list(splits.run_together(folded)), guess=True)
    yield NormalisedVariant(f"{prefix}pieced", _beside(list(splits.split_words(plain)), written), guess=True)


def _beside(positions: list[Position], written: list[str]) -> list[Position]:
    """Each position, extended by the word as it was written: in its own script, or with the accents of its language."""
    if len(written) != len(positions):
        return positions
    return [
        tuple(dict.fromkeys((*position, *_in_cyrillic(word))))
        for position, word in zip(positions, written, strict=True)
    ]


def _lower(text: str) -> str:
    """Composed and lower-cased, in its own script: terms in Cyrillic or with accents are compared with this."""
    return unicodedata.normalize("NFKC", text).lower()


def _in_cyrillic(word: str) -> Position:
    """The word. Where it mixes both scripts, also the word with Latin letters replaced by Cyrillic look-alikes."""
    if word.isascii() or not (_CYRILLIC.search(word) and _LATIN.search(word)):
        return (word,)
    return word, word.translate(_TO_CYRILLIC)


def _itself(word: str) -> Position:
    return (word,)


_SPELLED: dict[Callable[[str], str], _Spelled] = {spell: _Spelled(spell) for spell in (fold, _lower)}
