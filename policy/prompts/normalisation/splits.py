"""Split and joined words, undone: `n u d e`, `n, u, d, e`, `na ked`, `NakedWoman`, `#nakedwoman`.

Where single letters stand apart, the gaps between words are as wide as the gaps inside them, or are missing. The
letters are then cut only where everyday words remain on both sides, so that GRAPE and SCUNTHORPE stay whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from policy.prompts.normalisation.leet import Position, unleet
from policy.terms import words

SPACED_LETTERS = re.compile(r"(?<!\w)[^\W_](?:([^\w\n]{1,3}|[\n_])[^\W_])(?:\1[^\W_])+(?!\w)")
"""Three or more single characters with the same gap of up to three signs between them."""
FEWEST_SPACED = 3
CAMEL_CASE = re.compile(r"(?<=[a-z])(?=[A-Z])")

_SHORTEST, _LONGEST = 4, 16  # of a word that is looked for in pieces; a shorter one is found by chance
_LONGEST_REMEMBERED = 40  # characters of a word whose parts are remembered, so that memory is bounded
_SHORTEST_OF_TWO = 5  # `nu de` is French, and `na zi` may be anything


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


# Everyday words. Where two pieces are both such, they are two words: "pen is", "put in", "por no", "hero in a cape".
_EVERYDAY = _words("""
    a e i l m o s u x y an as at au be by co da de di do du em en et go he if il in is it la le me my na no nu
    of on or os so to un up us we air all and any are art bar bat bed big box boy bus can car cat che con cup
    cut das del der des die dog dos ein est eye far fit for gas gun hat her his hot ice key kit lab las leg les
    lip los low man map max men mid net new non not off oil old one out pad pan pen per pet pin por pot pre pro
    put que rap raw red rim rip rod row rug sea set six sky son sub sun tan tap tea ten the tie tin top toy two
    una uno van via war wax way web wet who win yes you acre bath bean blue bomb bull cock como core corp dead
    eine face fans game girl gold grey harm head hero kind less like mass milk mini mono only over pink pool
    role self soft star tail team ties wear west wood wool black blood child cloth corps craft cyber dream fight
    green light metro multi strip super truck under watch white woman women works rapist spider silence
    therapist
""")
# Words that are written on to one that is hidden.
_WRITTEN_ON = _words("""
    art boy guy kid man men pic pix babe baby body boys girl guys kids lady pics teen actor babes child girls
    image model photo scene teens woman women couple images ladies models people person photos poster actress
    couples picture children painting
""")
# And those that may stand beside one in a run of letters.
_BESIDE = _WRITTEN_ON | _words("""
    a i an as in is my of on and big for her his hot old the full star with young
""")
_LONGEST_BESIDE = max(map(len, _BESIDE))


def without_gaps(text: str) -> str:
    """The text with runs of single letters joined."""
    return SPACED_LETTERS.sub(lambda run: "".join(words(run[0])), text)


def run_together(text: str) -> Iterator[Position]:
    """The words of the text.

    Each run of single letters is replaced by the words that may stand in it, beside everyday words.
    """
    at = 0
    for run in SPACED_LETTERS.finditer(text):
        yield from ((word,) for word in words(text[at : run.start()]))
        letters, at = "".join(words(run[0])), run.end()
        for reading in dict.fromkeys((letters, *unleet(letters))) if letters not in _EVERYDAY else ():
            found, beside = _beside_everyday(reading)
            yield found
            yield (*beside, *found)
    yield from ((word,) for word in words(text[at:]))


def split_words(found: Sequence[str]) -> Iterator[Position]:
    """For each word: it, it joined with the next one or two, and it without an everyday word written on to it.

    The word itself is included so that a phrase may excuse what its words spell together.
    """
    everyday = [word in _EVERYDAY for word in found]
    last = len(found) - 1
    for place, word in enumerate(found):
        readings = [word]
        if place < last and word != "a" and not (everyday[place] and everyday[place + 1]):
            two = word + found[place + 1]
            single = len(word) == 1 or len(found[place + 1]) == 1
            if (_SHORTEST if single else _SHORTEST_OF_TWO) <= len(two) <= _LONGEST:
                readings += (two,) if two.isalpha() else (two, *unleet(two))
            if place + 1 < last and not (everyday[place + 1] and everyday[place + 2]):
                three = two + found[place + 2]
                if _SHORTEST_OF_TWO <= len(three) <= _LONGEST:
                    readings += (three,) if three.isalpha() else (three, *unleet(three))
        readings += without_neighbour(word)
        yield tuple(readings)


def without_neighbour(word: str) -> tuple[str, ...]:
    """The word without an everyday word written on to it, in each way."""
    if len(word) < _SHORTEST + 3:
        return ()
    return tuple(_without_neighbour(word)) if len(word) > _LONGEST_REMEMBERED else _known(word)


@lru_cache(maxsize=50_000)
def _known(word: str) -> tuple[str, ...]:
    return tuple(_without_neighbour(word))


def _without_neighbour(word: str) -> Iterator[str]:
    for size in range(3, min(_LONGEST_BESIDE, len(word) - _SHORTEST) + 1):
        if word[:size] in _WRITTEN_ON:
            yield word[size:]
        if word[-size:] in _WRITTEN_ON:
            yield word[:-size]


def _beside_everyday(letters: str) -> tuple[Position, Position]:
    """Stretches with everyday words or nothing on both sides, never the whole run; and those everyday words."""
    before, after = _reachable(letters), _reachable(letters[::-1], backwards=True)
    size = len(letters)
    stretches = dict.fromkeys(
        letters[first : first + length]
        for first in before
        for length in range(_SHORTEST, _LONGEST + 1)
        if size - first - length in after and length < size
    )
    beside = dict.fromkeys(
        letters[first : first + length]
        for first in before
        for length in range(2, _LONGEST_BESIDE + 1)
        if letters[first : first + length] in _BESIDE
    )
    return tuple(stretches), tuple(beside)


def _reachable(letters: str, *, backwards: bool = False) -> set[int]:
    """The numbers of letters that can be read from the start as everyday words; 0 is always one of them."""
    reached = {0}
    for at in range(len(letters)):
        if at in reached:
            for length in range(1, _LONGEST_BESIDE + 1):
                piece = letters[at : at + length]
                if (piece[::-1] if backwards else piece) in _BESIDE:
                    reached.add(at + length)
    return reached
