"""Vocabulary of a model that lists its words: what it will not draw of a prompt. Everything is read from its card.

A card that names what its model `knows` gives the words for each thing (`synonyms`), the words it understands beside
them (`colours`, `backgrounds`, `words`) and those that change nothing (`filler`). What is left over is looked at where
English puts a thing: as the whole subject ("a zebra"), behind a known word ("coffee machine"), joined to one ("and a
zebra"), or in a place ("on a beach"). Words elsewhere, such as adjectives and praise, are nobody's mistake.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from itertools import pairwise
from typing import NamedTuple

from workers.sampling.cards.extras import AdapterCard
from workers.sampling.cards.registry import ModelCard

_CLAUSE = re.compile(r"[,;.!?:()\[\]\n|/]+")
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_PICTURED = re.compile(r"[^\w\s\x00-\x7f\u2010-\u2027\u00a0-\u00bf]+")
_ARTICLES = frozenset({"a", "an", "the", "one", "two", "three", "some", "my", "your", "our", "his", "her", "this"})
_PLACES = frozenset({"on", "in", "at", "under", "against", "inside", "near", "by", "behind", "over", "above", "below"})
_JOINTS = frozenset({"and", "or", "with", "plus", "beside", "besides", "holding", "wearing", "next", "to"})
_OTHERS = frozenset(
    {"of", "for", "from", "is", "are", "be", "it", "its", "as", "more", "very", "so", "no", "not", "into"}
)
_IDLE = _ARTICLES | _PLACES | _JOINTS | _OTHERS
_LONGEST = 3  # words of a thing that is named back
_REMEMBERED_CLAUSES = 20_000
_NUMBER = re.compile(r"(?<![^\W_])[0-9]+(?![^\W_])")
_LONGEST_REMEMBERED = 100  # characters of a clause


class _Span(NamedTuple):
    begin: int
    end: int
    thing: str  # what the model knows by these words; "" for words that are no thing


class _Clause(NamedTuple):
    """The words of a clause and what `Seen` lists of them."""

    words: list[str]
    known: list[str]
    strange: list[str]
    coloured: list[str]


class Seen(NamedTuple):
    """What one prompt names: things that are known and not, colours that are not taken, adapters by their words."""

    known: list[str]
    strange: list[str]
    coloured: list[str]
    styles: frozenset[str]


class Vocabulary:
    """The words of one card, ready for many prompts."""

    def __init__(self, card: ModelCard, adapters: Mapping[str, AdapterCard]) -> None:
        styles = {word: name for name, adapter in adapters.items() for word in adapter.words}
        self._styles = {f" {' '.join(_words(word))} ": name for word, name in styles.items()}
        names = {word: name for name in card.knows for word in (name, *card.synonyms.get(name, ()))}
        self._colours = {tuple(_words(colour)) for colour in card.colours}
        self._own_colour = frozenset(card.knows) - frozenset(card.recolours) if card.recolours else frozenset()
        self._nouns = sorted(names)
        self._names = names
        others = (*card.colours, *card.backgrounds, *card.words, *card.filler, *styles)
        self._phrases: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        for text, thing in (*names.items(), *((text, "") for text in others)):
            if words := tuple(_words(text)):
                self._phrases.setdefault(words[0], []).append((words, thing))
        for phrases in self._phrases.values():
            phrases.sort(key=lambda phrase: (-len(phrase[0]), phrase[1] == ""))
        self._clauses: dict[str, _Clause] = {}
        counted = (word for phrases in self._phrases.values() for words, _ in phrases for word in words)
        self._numbers_are_alike = not any(
            word.isdecimal() for name in (*counted, *self._styles) for word in name.split()
        )

    def read(self, prompt: str) -> Seen:
        """What a prompt names that the model knows, each once, what it does not know, and what it asks in vain."""
        known: list[str] = []
        strange: list[str] = []
        coloured: list[str] = []
        clauses: list[list[str]] = []
        for clause in _CLAUSE.split(_NUMBER.sub("0", prompt) if self._numbers_are_alike else prompt):
            read = self._clauses.get(clause) or self._read_clause(clause)
            if read.words:
                clauses.append(read.words)
                known += read.known
                strange += read.strange
                coloured += read.coloured
        if not known:
            subject = next((text for words in clauses if (text := self._subject(words))), "")
            strange = [subject or _signs(prompt) or prompt.strip(), *strange]
        styles = self._styles_in(clauses) if self._styles else frozenset()
        return Seen(list(dict.fromkeys(known)), list(dict.fromkeys(strange)), list(dict.fromkeys(coloured)), styles)

    def _read_clause(self, clause: str) -> _Clause:
        """Remembered where it is short: the rows of a campaign share most of their clauses, but for numbers in them."""
        words = _words(clause)
        spans = self._spans(words)
        things = [span for span in spans if span.thing]
        known = [span.thing for n, span in enumerate(things) if not _is_compound(things, n)]
        strange, coloured = list(self._beside(words, spans)), list(self._kept_colours(words, spans))
        read = _Clause(words, known, strange, coloured)
        if len(clause) <= _LONGEST_REMEMBERED:
            if len(self._clauses) >= _REMEMBERED_CLAUSES:
                self._clauses = {}
            self._clauses[clause] = read
        return read

    def nearest(self, text: str) -> str:
        """What the model knows that reads like an unknown thing, or "". Dear: ask it for what is shown to a person."""
        if not text:
            return ""
        for wanted in (text, text.rsplit(maxsplit=1)[-1]):
            if close := get_close_matches(wanted, self._nouns, n=1, cutoff=0.75):
                return self._names[close[0]]
        return next((self._names[word] for word in text.split() if word in self._names), "")

    def _kept_colours(self, words: list[str], spans: list[_Span]) -> Iterator[str]:
        """ "blue banana": where a prompt gives a colour to a thing that the model draws in its own colour only."""
        for before, span in pairwise(spans):
            coloured = before.end == span.begin and tuple(words[before.begin : before.end]) in self._colours
            if coloured and span.thing in self._own_colour:
                yield " ".join(words[before.begin : span.end])

    def _styles_in(self, clauses: list[list[str]]) -> frozenset[str]:
        """The adapters whose style a prompt names in words."""
        said = f" {' '.join(word for words in clauses for word in words)} "
        return frozenset(name for words, name in self._styles.items() if words in said)

    def _spans(self, words: list[str]) -> list[_Span]:
        """Known phrases from left to right, the longest at each place that cuts no thing short: "red wine glass"."""
        found: list[_Span] = []
        phrases = self._phrases
        at = 0
        while at < len(words):
            if words[at] in phrases and (span := self._span_at(words, at)):
                found.append(span)
                at = span.end
            else:
                at += 1
        return found

    def _span_at(self, words: list[str], at: int) -> _Span | None:
        for span in self._spans_at(words, at):
            inner = range(at + 1, span.end)
            later = (other for n in inner for other in self._spans_at(words, n))
            if not inner or not any(other.thing and other.end > span.end for other in later):
                return span
        return None

    def _spans_at(self, words: list[str], at: int) -> Iterator[_Span]:
        for phrase, thing in self._phrases.get(words[at], ()):
            if tuple(words[at : at + len(phrase)]) == phrase:
                yield _Span(at, at + len(phrase), thing)

    def _beside(self, words: list[str], spans: list[_Span]) -> Iterator[str]:
        """Unknown things behind what is known, joined to it, or around it."""
        inside = {n for span in spans for n in range(span.begin, span.end)}
        ends = {span.end for span in spans if span.thing}
        for n, word in enumerate(words):
            if n in inside:
                continue
            if n in ends and self._is_strange(word):  # "coffee machine"
                begin = next(span.begin for span in spans if span.end == n)
                yield " ".join((*words[begin:n], *self._run(words, inside, n)))
            elif word in _JOINTS | _PLACES:
                yield from self._led_to(words, inside, n, after_thing=n in ends)

    def _led_to(self, words: list[str], inside: set[int], n: int, *, after_thing: bool) -> Iterator[str]:
        """ "and a zebra", "on a beach"; without an article only straight behind a thing: "an apple and zebras"."""
        at, article = n + 1, False
        while at < len(words) and at not in inside and words[at] in _ARTICLES | _JOINTS:
            article |= words[at] in _ARTICLES
            at += 1
        if not (article or (after_thing and words[n] in _JOINTS)):
            return
        while at in inside and at + 1 < len(words):  # "and a red zebra"
            at += 1
        if at < len(words) and at not in inside and (run := self._run(words, inside, at)):
            if words[at + len(run) : at + len(run) + 1] and at + len(run) in inside:
                return  # an adjective of something known: "on a marble table" ends elsewhere, "a shiny car" is a car
            yield " ".join(run)

    def _run(self, words: list[str], inside: set[int], begin: int) -> list[str]:
        end = begin
        while end < len(words) and end not in inside and self._is_strange(words[end]) and end - begin < _LONGEST:
            end += 1
        return words[begin:end]

    def _subject(self, words: list[str]) -> str:
        """What a clause without anything known seems to be about; "" where it is all filler."""
        inside = {n for span in self._spans(words) for n in range(span.begin, span.end)}
        runs = [self._run(words, inside, n) for n in range(len(words)) if n not in inside]
        return " ".join(next((run for run in runs if run), []))

    def _is_strange(self, word: str) -> bool:
        return word not in _IDLE and not word[0].isdigit()


def _is_compound(things: list[_Span], n: int) -> bool:
    """Whether another known word stands straight behind: "car key" is a key."""
    return n + 1 < len(things) and things[n + 1].begin == things[n].end


def _words(text: str) -> list[str]:
    return _WORD.findall(text.replace("-", " ").casefold())


def _signs(prompt: str) -> str:
    """The first run of signs that are no words, such as an emoji."""
    found = _PICTURED.search(prompt)
    return found.group() if found else ""
