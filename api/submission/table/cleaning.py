"""Cleaning of cells, column by column, before they are used: HTML, entities, spaces, case, length, replaced values."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from html.parser import HTMLParser

from api.edge.problems import Complaint
from api.submission.table.columns import missing_column
from api.submission.tokens import PromptTokens
from workers.sheets.names import clean_name

Filter = Callable[[str], str]

_BREAKS = frozenset({"br", "p", "div", "li", "ul", "ol", "tr", "td", "th", "h1", "h2", "h3", "h4", "h5", "h6", "table"})
_UNREAD = frozenset({"script", "style", "template", "noscript"})
_SPACES = re.compile(r"\s+")
_SPACE_BEFORE = re.compile(r" (?=[,.;:!?)])")


class Cleaning:
    """The filters of a spec, bound to the places of their columns. `complaints` lists what cannot be done."""

    def __init__(
        self,
        asked: Mapping[str, Sequence[str | Mapping[str, str]]],
        places: Mapping[str, int],
        tokens: PromptTokens | None,
    ) -> None:
        self.complaints: list[Complaint] = []
        self._filters: list[tuple[int, tuple[Filter, ...]]] = []
        for name, filters in asked.items():
            place = places.get(clean_name(name))
            if place is None:
                self.complaints.append(missing_column(name, places, "clean"))
                continue
            self._filters.append((place, tuple(self._filter(one, tokens) for one in filters)))

    def __bool__(self) -> bool:
        return bool(self._filters)

    @property
    def places(self) -> frozenset[int]:
        return frozenset(place for place, _ in self._filters)

    def clean(self, cells: list[str]) -> None:
        """Changes the cells in place."""
        for place, filters in self._filters:
            for change in filters:
                cells[place] = change(cells[place])

    def _filter(self, asked: str | Mapping[str, str], tokens: PromptTokens | None) -> Filter:
        if not isinstance(asked, str):
            return _mapping(asked)
        name, _, number = asked.partition(":")
        if name == "words":
            return _first_words(int(number))
        if name == "tokens":
            if tokens is None:
                message, remedy = "the model has no tokenizer to count with", "Use words:N instead."
                self.complaints.append(Complaint("filter", message, remedy, field="clean"))
                return str
            return _first_tokens(tokens, int(number))
        return _PLAIN[name]


def plain_text(text: str) -> str:
    """The words of an HTML text, with its entities resolved and blocks separated by spaces."""
    if "<" not in text and "&" not in text:
        return text
    parser = _Text()
    parser.feed(text)
    parser.close()
    return _SPACE_BEFORE.sub("", _SPACES.sub(" ", "".join(parser.texts))).strip()


class _Text(HTMLParser):
    """Collects what a reader of the page would see."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.texts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._hidden += tag in _UNREAD
        if tag in _BREAKS:
            self.texts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in _UNREAD and self._hidden > 0
        if tag in _BREAKS:
            self.texts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.texts.append(data)


def _first_words(most: int) -> Filter:
    return lambda text: " ".join(text.split()[:most])


def _first_tokens(tokens: PromptTokens, most: int) -> Filter:
    return lambda text: tokens.cut(text, most)


def _mapping(asked: Mapping[str, str]) -> Filter:
    """Whole values replaced, whatever their case; other values stay."""
    values = {clean_name(old).casefold(): new for old, new in asked.items()}
    return lambda text: values.get(clean_name(text).casefold(), text)


_PLAIN: Mapping[str, Filter] = {
    "html": plain_text,
    "entities": lambda text: html.unescape(html.unescape(text)) if "&" in text else text,
    "trim": lambda text: _SPACES.sub(" ", text).strip(),
    "lower": str.lower,
}
