"""Leetspeak and spelling tricks: what an obfuscated word may be read as.

Digits and signs stand for letters; letters are repeated, doubled or replaced by stars. A reading is a guess that costs
one look-up. It has an effect only where it spells a listed term.
"""

# ruff: noqa: RUF001  (signs that look like letters are what this file is about)
from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import product

Position = tuple[str, ...]
"""A word of a variant, and what it may be read as."""

EDGES = ".,;:!?\"'()[]{}<>*_~-/\\|+`#"

_SIGNS = "@$!|+€¢¡£₱₳฿₵₫₠₲₭₥₦₽₹₴₮₩¥®©°∂∆∈∪∨"
_LEET = str.maketrans("013456789" + _SIGNS, "oieasgtbg" + "asiitecilpabcdegkmnprstwyrcodaeuv")
_LEET_L = str.maketrans("013456789" + _SIGNS, "oleasgtbg" + "aslltecllpabcdegkmnprstwyrcodaeuv")
_LEET_SIGNS = frozenset(_SIGNS)
_DRAWINGS = {  # letters drawn with several signs, the longest first
    "/\\/\\": "m", "|\\/|": "m", "\\/\\/": "w", "|\\|": "n", "/\\/": "n", "|_|": "u", "|-|": "h", "(_)": "u",
    "/\\": "a", "\\/": "v", "|<": "k", "|)": "d", "|>": "p", "()": "o", "[]": "o", "{}": "o",
}  # fmt: skip
_DRAWING = re.compile("|".join(map(re.escape, _DRAWINGS)))
_STARRED = re.compile(r"(?<=\w)[*_#](?=\w)")
_MOST_STARS = 2  # 25 readings
_VOWELS = "aeiou"

_TRIPLE = re.compile(r"(\w)\1\1+")
_DOUBLE = re.compile(r"(\w)\1+")
_DRAWN = re.compile(
    r"(\w)\1(?:\1|\w*(\w)\2)|([aeiou])\3|\b(?!ll)(\w)\4"
)  # a run of three, two runs, or one where it is odd
_LONE_V = re.compile(r"(?<=[^\Waeiouvy])v(?=[^\Waeiouvy])")  # `nvde`
_ODD = re.compile(rf"\d|vv|\bph|{_LONE_V.pattern}|{_DRAWN.pattern}")

CLOSED_UP = re.compile(r"\w[^\w\s]+\w|_|[" + re.escape(_SIGNS) + r"]|[/|]\\|\\[/|]|\|[<)>_-]|\(\)|\[\]|\{\}|\(_\)")
"""Matches where punctuation may hide a word or stand for a letter."""


def is_odd(text: str) -> bool:
    """Whether any word of the text may have a second reading. Most texts have none."""
    return _ODD.search(text) is not None


def word_readings(word: str) -> Position:
    """The word as `_word_readings` reads it; readings of short words are remembered."""
    return _known_readings(word) if len(word) <= _LONGEST_REMEMBERED else _word_readings(word)


def _word_readings(word: str) -> Position:
    """The word, and the word without leetspeak, odd spelling and repeated letters."""
    if not is_odd(word):
        return (word,)
    readings = [word, *unleet(word)]
    readings += [other for reading in readings if (other := _respelled(reading)) != reading]
    drawn = [short for reading in readings if _DRAWN.search(reading) for short in _undrawn(reading)]
    return tuple(dict.fromkeys((*readings, *drawn)))


_LONGEST_REMEMBERED = 40  # characters, so that what is remembered is bounded
_known_readings = lru_cache(maxsize=50_000)(_word_readings)


def joined_readings(chunk: str) -> Position:
    """A chunk between two spaces, read as one word: `n.u.d.e`, `n-u-d-e`, `n@ked`, `$ex`, `n*de`, `|\\|ude`."""
    drawn = _DRAWING.sub(lambda signs: _DRAWINGS[signs[0]], chunk)
    if drawn == chunk and (letters := chunk.strip(EDGES)).isalpha():
        return (letters,)  # the plain variant holds its readings
    bares = dict.fromkeys(one.strip(EDGES) or one for one in (chunk, drawn))
    return tuple(dict.fromkeys(reading for bare in bares for word in _closed(bare) for reading in word_readings(word)))


def unleet(word: str) -> list[str]:
    """Digits and signs read as letters, where enough true letters remain: `p0rn` yes, `A55` and `4k` no."""
    if word.isalpha():
        return []
    letters = sum(map(str.isalpha, word))
    stand_ins = len(word) - letters
    if letters == 0 or (stand_ins > letters and not (len(word) >= 5 and letters >= 2)):
        return []
    return [word.translate(_LEET), word.translate(_LEET_L)]


def spelled_with_signs(word: str) -> Position:
    """The word, and how it is read inside a longer one that `unleet` reads."""
    return (word,) if word.isalpha() else (word, word.translate(_LEET), word.translate(_LEET_L))


def _closed(bare: str) -> Iterator[str]:
    """The chunk without punctuation: with signs read as letters, and with a vowel in the place of a star."""
    yield "".join(sign for sign in bare if sign.isalnum())
    if not bare.isalnum():
        yield from unleet("".join(sign for sign in bare if sign.isalnum() or sign in _LEET_SIGNS))
    first, *rest = _STARRED.split(bare)
    for vowels in product(_VOWELS, repeat=len(rest)) if 0 < len(rest) <= _MOST_STARS else ():
        filled = first + "".join(map("".join, zip(vowels, rest, strict=True)))
        yield "".join(sign for sign in filled if sign.isalnum())


def _respelled(word: str) -> str:
    """`nvde`, `vvoman`, `phuck`: letters replaced by others of that sound or look."""
    return _LONE_V.sub("u", "f" + word[2:] if word.startswith("ph") else word).replace("vv", "w")


def _undrawn(word: str) -> list[str]:
    """`nuuude`, `boooobs`, `nnuuddee`, `nakeed` with their runs cut to one letter and to two."""
    return [_DOUBLE.sub(r"\1", word), _TRIPLE.sub(r"\1", word), _TRIPLE.sub(r"\1\1", word)]
