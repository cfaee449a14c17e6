"""Term matcher: finds every term of a rule set in one variant of a prompt, in one pass over a tree of words.

A word costs one dictionary look-up, and one for each length of stem, however many terms there are. The search goes
deeper only where a word begins a term, at most MAX_WORDS deep.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from policy.prompts.normalisation.leet import Position
from policy.prompts.normalisation.variants import fold
from policy.terms import SHORTEST_STEM, Phrase, words

_REMEMBERED_WORDS = 100_000
_REMEMBERED_TERM_WORDS = 20_000  # a rule set repeats its words in thousands of phrases
_LONGEST_REMEMBERED = 40  # characters; a longer word is looked up each time, so that memory is bounded
SHORTEST_WRITTEN_ON = 8  # letters of several words written as one; fewer may be a word of their own


class PhraseEntry(NamedTuple):
    """A phrase to look for. An excusing entry matches only with its accents, where it is written with any."""

    tag: int
    phrase: Phrase
    excuses: bool = False


class Hit(NamedTuple):
    """A term at the positions first..last. `tag` is the tag of its entry."""

    tag: int
    first: int
    last: int


_NO_HEADS: frozenset[str] = frozenset()  # of the nodes without stems, which are most


class TermNode:
    """A state of the search: the words and stems that continue it, and the terms complete here."""

    __slots__ = ("heads", "stem_lengths", "stems", "tags", "words")

    def __init__(self) -> None:
        self.words: dict[str, TermNode] = {}
        self.stems: dict[str, TermNode] = {}
        self.stem_lengths: tuple[int, ...] = ()
        self.heads: frozenset[str] = _NO_HEADS  # first letters of all stems: most words end their search here
        self.tags: tuple[int, ...] = ()

    def enter(self, word: str) -> TermNode:
        if not word.endswith("*"):
            if word not in self.words:
                self.words[word] = TermNode()
            return self.words[word]
        stem = word[:-1]
        if stem not in self.stems:
            self.stem_lengths = tuple(sorted({*self.stem_lengths, len(stem)}))
            self.heads |= {stem[:SHORTEST_STEM]}
            self.stems[stem] = TermNode()
        return self.stems[stem]

    def begins_stem(self, word: str) -> bool:
        return word[:SHORTEST_STEM] in self.heads or word[:2] in self.heads  # two syllables of Hangul are a stem

    def goes_on(self, position: Position) -> bool:
        """Whether any word of the next position leads further."""
        if not self.words.keys().isdisjoint(position):
            return True
        return bool(self.heads) and any(self.begins_stem(word) for word in position)

    def may_go_on(self, beginning: str) -> bool:
        """Whether any word that begins so leads further."""
        if any(word.startswith(beginning) for word in self.words):
            return True
        return any(stem.startswith(beginning) or beginning.startswith(stem) for stem in self.stems)

    def after(self, word: str) -> list[TermNode]:
        """The nodes that the word leads to."""
        found = [exact] if (exact := self.words.get(word)) is not None else []
        if self.begins_stem(word):
            found += [self.stems[word[:size]] for size in self.stem_lengths if word[:size] in self.stems]
        return found


class Matcher:
    """Built once for a rule set and never changed, so any number of threads may use it."""

    def __init__(self, entries: Iterable[PhraseEntry]) -> None:
        self._root = TermNode()
        self._starts: dict[str, tuple[TermNode, ...]] = {}  # words met before, with the nodes that they lead to
        for tag, phrase, excuses in entries:
            for spelling in dict.fromkeys(_excuses(phrase) if excuses else _spellings(phrase)):
                node = self._root
                for word in spelling:
                    node = node.enter(word)
                node.tags = (*node.tags, tag) if tag not in node.tags else node.tags
        self._first_words = sorted({*self._root.words, *self._root.stems})

    def hits(self, positions: Sequence[Position]) -> list[Hit]:
        """Every term in the variant, overlapping ones included, each range once, in no particular order."""
        found: dict[Hit, None] = {}
        starts = self._starts
        size = len(positions)
        for first, position in enumerate(positions):
            for word in position:
                nodes = starts.get(word)
                if nodes is None:
                    nodes = self._start(word)
                for node in nodes:
                    if node.tags or (first + 1 < size and node.goes_on(positions[first + 1])):
                        found |= {Hit(tag, first, last): None for tag, last in _ends(node, positions, first)}
        return list(found)

    def starts(self, word: str) -> tuple[TermNode, ...]:
        """The nodes where terms begin with this word."""
        nodes = self._starts.get(word)
        return self._start(word) if nodes is None else nodes

    def may_begin(self, beginning: str) -> bool:
        """Whether a term begins with any word that begins so."""
        place = bisect_left(self._first_words, beginning)
        if self._first_words[place : place + 1] and self._first_words[place].startswith(beginning):
            return True
        root = self._root
        return root.begins_stem(beginning) and any(beginning[:size] in root.stems for size in root.stem_lengths)

    def _start(self, word: str) -> tuple[TermNode, ...]:
        """The nodes where terms begin with this word, remembered: campaigns use the same words in every row.

        Two threads that meet a word at once write the same.
        """
        if len(self._starts) >= _REMEMBERED_WORDS:
            self._starts = {}
        nodes = tuple(self._root.after(word))
        if len(word) <= _LONGEST_REMEMBERED:
            self._starts[word] = nodes
        return nodes


def _ends(node: TermNode, positions: Sequence[Position], last: int) -> Iterator[tuple[int, int]]:
    """(tag, last position) of every term that is complete at this node or further on."""
    for tag in node.tags:
        yield tag, last
    if (node.words or node.stems) and last + 1 < len(positions):
        for word in positions[last + 1]:
            for further in node.after(word):
                yield from _ends(further, positions, last + 1)


def _spellings(phrase: Phrase) -> Iterator[Phrase]:
    """The term as written, folded so that it meets both kinds of variants, and as one word: `mickeymouse`.

    A term in another script is not entered in folded form when folding leaves plain Latin letters. Folding goes by
    look, and an innocent Cyrillic word may look like an English one.
    """
    yield tuple(_as_written(word) for word in phrase)
    folded = tuple(_fold_word(word) for word in phrase)
    if all(map(_is_one_word, folded)) and (_latin(phrase) or not _ascii(folded)):
        yield folded
    written_on = "".join(folded)
    if len(phrase) > 1 and _ascii(folded) and "*" not in written_on[:-1] and len(written_on) >= SHORTEST_WRITTEN_ON:
        yield (written_on,)


def _excuses(phrase: Phrase) -> Iterator[Phrase]:
    """The spelling of an excuse. `göre` is Turkish and no variant of the English word, so it excuses only itself."""
    yield tuple(_as_written(word) for word in phrase)


@lru_cache(maxsize=_REMEMBERED_TERM_WORDS)
def _as_written(word: str) -> str:
    return unicodedata.normalize("NFKC", word).lower()


@lru_cache(maxsize=_REMEMBERED_TERM_WORDS)
def _fold_word(word: str) -> str:
    return fold(word.removesuffix("*")) + ("*" if word.endswith("*") else "")


@lru_cache(maxsize=_REMEMBERED_TERM_WORDS)
def _is_one_word(word: str) -> bool:
    return words(word) == [word.removesuffix("*")]


def _ascii(phrase: Phrase) -> bool:
    return all(word.isascii() for word in phrase)


def _latin(phrase: Phrase) -> bool:
    return all(letter < "\u0250" for word in phrase for letter in word)
