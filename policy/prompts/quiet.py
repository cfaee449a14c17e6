"""Quiet texts: shows from what is remembered of single words that no rule about terms meets a text.

Most prompts hold nothing that a rule is about, and campaigns use the same words in every row. A text is cut at its
spaces. What each piece may be read as depends on the piece alone, and is remembered; what neighbours spell together is
put together anew. `QuietTexts` answers True only where every variant of variants.py is without a hit that counts. False
says nothing: the text is then read in full.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from policy.prompts.matcher import Matcher, TermNode
from policy.prompts.normalisation import encodings, splits
from policy.prompts.normalisation.encodings import Group
from policy.prompts.normalisation.leet import Position, spelled_with_signs
from policy.prompts.normalisation.variants import Piece, fold, read_piece

_REMEMBERED_PIECES = 50_000
_REMEMBERED_PAIRS = 100_000
_NEAR = 4  # pieces: a word is joined with two more, and a term is looked for one word further
_LONGEST_REMEMBERED = 40  # characters; a longer piece is read each time, so that memory is bounded


class Part(NamedTuple):
    """What a hit is to a rule that needs two: the number of the rule, and whether this is its term or a neighbour."""

    rule: int
    is_term: bool


class _Known(NamedTuple):
    """What a piece means for the texts that it stands in."""

    text: str
    words: tuple[str, ...]
    reaches: bool  # its last word may begin a term of several words, or any of its words one that is written as one
    joins: tuple[bool, ...]  # of each word: whether a term may begin with it and what stands behind it
    parts: tuple[Part, ...]  # of rules that need another part
    opened: tuple[TermNode, ...]  # terms that may go on in the next piece
    firsts: Position  # what its first word may be read as, where a term goes on here
    letters: int  # single ones that stand apart
    group: Group


_LOUD = None  # of a piece that meets a rule, or that cannot be judged without the whole text


class QuietTexts:
    """The memory of one matcher. Any number of threads may ask; two that meet a piece at once write the same.

    `parts` says of each tag what a hit of it is: None where one hit alone may count, no part where it never does.
    """

    def __init__(self, matcher: Matcher, parts: Sequence[tuple[Part, ...] | None]) -> None:
        self._matcher, self._parts = matcher, parts
        self._pieces: dict[str, _Known | None] = {}
        self._quiet: set[tuple[str, str]] = set()  # pairs

    def __call__(self, text: str) -> bool:
        """Whether no hit counts in any variant of the text. False where that cannot be said cheaply."""
        known = self._pieces
        every: list[_Known] = []
        parts: set[Part] = set()
        for piece in text.split():
            found = known[piece] if piece in known else self._learn(piece)
            if found is _LOUD:
                return False
            every.append(found)
            if found.parts:
                parts.update(found.parts)
        if any(part.is_term and part._replace(is_term=False) in parts for part in parts):
            return False
        return not (self._reaches([piece for piece in every if piece.words]) or _is_encoded(text, every))

    def _learn(self, piece: str) -> _Known | None:
        found = self._known(read_piece(piece))
        if len(piece) <= _LONGEST_REMEMBERED:
            if len(self._pieces) >= _REMEMBERED_PIECES:
                self._pieces = {}
            self._pieces[piece] = found
        return found

    def _known(self, piece: Piece | None) -> _Known | None:
        if piece is None or encodings.is_given_away(piece.text):
            return _LOUD
        nodes: dict[TermNode, None] = {}
        opened: dict[TermNode, None] = {}
        for positions in piece.sequences:
            for position, following in pairwise(positions):
                beginning = list(self._starts(position))
                if any(_may_go_on(node, following) for node in beginning):
                    return _LOUD
                nodes |= dict.fromkeys(beginning)
            opened |= dict.fromkeys(self._starts(positions[-1]))
        parts: dict[Part, None] = {}
        for tag in {tag for node in (*nodes, *opened) for tag in node.tags}:
            if (of_tag := self._parts[tag]) is None:
                return _LOUD
            parts |= dict.fromkeys(of_tag)
        firsts = tuple(dict.fromkeys(word for positions in piece.sequences for word in positions[0]))
        goes_on = tuple(node for node in opened if node.words or node.stems)
        group = encodings.group_of(piece.text)
        joins = tuple(any(map(self._matcher.may_begin, spelled_with_signs(word))) for word in piece.words)
        return _Known(
            text=piece.text,
            words=piece.words,
            reaches=bool(goes_on) or any(joins),
            joins=joins,
            parts=tuple(parts),
            opened=goes_on,
            firsts=firsts,
            letters=piece.letters,
            group=group,
        )

    def _starts(self, position: Position) -> Iterator[TermNode]:
        for word in position:
            yield from self._matcher.starts(word)

    def _reaches(self, read: list[_Known]) -> bool:
        """Whether a term may run from one piece into the next. Pairs that were met before are remembered."""
        quiet = self._quiet
        for place, piece in enumerate(read[:-1]):
            if piece.reaches:
                after = read[place + 1]
                pair = (piece.text, after.text)
                if pair not in quiet:
                    if self._may_reach(piece, after):
                        near = read[place : place + _NEAR]
                        if self._goes_on(near) or self._spells_together(near):
                            return True
                    elif len(pair[0]) + len(pair[1]) <= _LONGEST_REMEMBERED:
                        if len(quiet) >= _REMEMBERED_PAIRS:
                            quiet.clear()
                        quiet.add(pair)
        last = read[-1:]
        return bool(last) and self._spells_together(last)

    def _may_reach(self, piece: _Known, after: _Known) -> bool:
        """Whether what stands behind the two has to be looked at."""
        if any(node.goes_on(after.firsts) or _may_go_on(node, after.words[:1]) for node in piece.opened):
            return True
        words = (*piece.words, after.words[0])
        return any(joins and self._may_begin(*words[place : place + 2]) for place, joins in enumerate(piece.joins))

    def _may_begin(self, word: str, following: str) -> bool:
        together, may_begin = word + following, self._matcher.may_begin
        return may_begin(together) if together.isalpha() else any(map(may_begin, spelled_with_signs(together)))

    def _goes_on(self, near: list[_Known]) -> bool:
        """Whether a term of several words begins with the last word of the first piece."""
        first, after = near[:2]
        words = [word for one in near[1:] for word in one.words][:3]
        readings = (*after.firsts, *next(splits.split_words(words)))
        return any(node.goes_on(readings) for node in first.opened)

    def _spells_together(self, near: list[_Known]) -> bool:
        """Whether a word of the first piece with its neighbours, as one word, begins a term that it does not alone."""
        words = [word for piece in near for word in piece.words]
        for place, joins in enumerate(near[0].joins):
            if joins and place + 1 < len(words) and self._may_begin(*words[place : place + 2]):
                readings = next(splits.split_words(words[place : place + 3]))
                alone = {*self._starts(readings[:1])}
                if any(node not in alone for node in self._starts(readings)):
                    return True
        return False


def _may_go_on(node: TermNode, following: Position) -> bool:
    """Whether a term goes on with the next word of a piece, alone or joined with what comes behind it."""
    if not (node.words or node.stems):
        return False
    return any(node.may_go_on(beginning) for word in following for beginning in spelled_with_signs(word))


def _is_encoded(text: str, every: Iterable[_Known]) -> bool:
    """Whether the text holds single letters in a row, or text in another encoding, beyond one piece."""
    run, coded, grouped = 0, False, False
    together = most = 0
    for piece in every:
        if piece.group:
            run, coded = run + len(piece.text), coded or piece.group is Group.CODE
            grouped = grouped or (coded and run >= encodings.SHORTEST_RUN)
        elif run:
            run, coded = 0, False
        if piece.letters:
            together += piece.letters
            most = max(most, together)
        elif piece.words:
            together = 0
    if most >= splits.FEWEST_SPACED and splits.SPACED_LETTERS.search(fold(text)):
        return True
    return encodings.holds_encoded(text, grouped=grouped)
