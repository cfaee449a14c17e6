"""Term language of rule sets: words, `stem*`, `(this|that)`, and `(maybe|)` for words that may be missing.

    naked                          the word
    decapitat*                     every word that begins so
    (magna|summa|) cum laude       three phrases
    nude (|satin|patent) (pumps|heel*)

A term always stands between word boundaries: `sex` does not find Sussex. Letters are compared after folding (case,
accents, look-alikes), so terms are written in plain lower case. Chinese, Japanese and Thai put no space between words.
Each of their characters counts as a word, so a term is found within a sentence.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

MAX_PHRASES = 2_000  # that one term may stand for; a slip with brackets should not eat the memory
MAX_WORDS = 12
MAX_DEPTH = 4  # brackets inside brackets; more, and nobody reads it right
SHORTEST_STEM = 3

UNSPACED = "\u0e00-\u0eff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Thai, Lao, kana, Han: scripts without spaces, as the inside of a character class."""

_PIECE = re.compile(r"[()|]|[^\s()|]+")
_SIGNS = "".join(
    chr(code)
    for first, last in ((0x0900, 0x0DFF), (0x1000, 0x109F), (0x1780, 0x17D3))
    for code in range(first, last + 1)
    if unicodedata.category(chr(code)) in ("Mn", "Mc")
)
"""Vowel signs of the scripts of India, Burmese and Khmer. They are part of a word, and `re` counts them as none."""
_PART = re.compile(rf"[^\W_]+(?:[{_SIGNS}]+[^\W_]*)*\*?")
WORD = re.compile(rf"[^\W_{UNSPACED}]+(?:[{_SIGNS}]+[^\W_{UNSPACED}]*)*|(?=\w)[{UNSPACED}]")
RUN = re.compile(rf"[^\W_]+(?:[{_SIGNS}]+[^\W_]*)*")
_UNSPACED = re.compile(f"[{UNSPACED}]")

Phrase = tuple[str, ...]


def phrases(term: str) -> tuple[Phrase, ...]:
    """The phrases that a term stands for, each a tuple of words. Raises ValueError that names the mistake."""
    pieces = _PIECE.findall(term)[::-1]
    found = _alternatives(term, pieces, 0)
    if pieces:
        raise ValueError(f"term {term!r}: a bracket is closed that was never opened")
    for phrase in found:
        if not phrase:
            raise ValueError(f"term {term!r} may stand for nothing at all; give it a word that is always there")
        if len(phrase) > MAX_WORDS:
            raise ValueError(f"term {term!r} has more than {MAX_WORDS} words")
    return tuple(found)


def words(text: str) -> list[str]:
    """The words of a text, without what stands between them. Combining marks are no part of a word."""
    return WORD.findall(text)


def _alternatives(term: str, pieces: list[str], depth: int) -> dict[Phrase, None]:
    """Phrases up to the closing bracket, each once. Consumes the pieces; the next piece is the last of the list."""
    found: dict[Phrase, None] = {}
    here: dict[Phrase, None] = {(): None}
    while pieces and pieces[-1] != ")":
        piece = pieces.pop()
        if piece == "|":
            found |= here
            here = {(): None}
        elif piece == "(":
            here = _joined(term, here, _bracket(term, pieces, depth + 1))
        else:
            here = _joined(term, here, [_word(term, piece)])
    return found | here


def _bracket(term: str, pieces: list[str], depth: int) -> dict[Phrase, None]:
    if depth > MAX_DEPTH:
        raise ValueError(f"term {term!r}: more than {MAX_DEPTH} brackets inside each other; split it")
    inside = _alternatives(term, pieces, depth)
    if not pieces:
        raise ValueError(f"term {term!r}: a bracket is opened and never closed")
    pieces.pop()
    return inside


def _joined(term: str, before: Iterable[Phrase], after: Iterable[Phrase]) -> dict[Phrase, None]:
    after = list(after)
    joined = {(*first, *then): None for first in before for then in after}
    if len(joined) > MAX_PHRASES:
        raise ValueError(f"term {term!r} stands for more than {MAX_PHRASES} phrases; split it")
    return joined


def _word(term: str, word: str) -> Phrase:
    if _UNSPACED.search(word):
        if not (found := words(word)) or "*" in word:
            raise ValueError(f"term {term!r}: {word!r} is of a script without spaces, found anywhere; leave * out")
        return tuple(found)
    if not _PART.fullmatch(word):
        raise ValueError(
            f"term {term!r}: {word!r} is not a word; letters and digits only, with * at its end for a stem,"
            " and a space where the text has a hyphen, an apostrophe or a dot"
        )
    if word.endswith("*") and _letters(word) <= SHORTEST_STEM:
        raise ValueError(f"term {term!r}: the stem {word!r} is shorter than {SHORTEST_STEM} letters and finds too much")
    return (word,)


def _letters(word: str) -> int:
    """The number of letters of the decomposed word: a syllable of Hangul has two or three, an accent is none."""
    return sum(not unicodedata.combining(sign) for sign in unicodedata.normalize("NFKD", word))
