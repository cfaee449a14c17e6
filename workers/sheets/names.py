"""Column names: how a header is cleaned, and which other spellings are the same name."""

from __future__ import annotations

import re
import unicodedata

MAX_SHOWN_CHARS = 40

_SPACES = re.compile(r"\s+")
_UNSEEN = re.compile("[\u00ad\u200b\u2060\ufeff\u200e\u200f\u202a-\u202e\u2066-\u2069\x00-\x08\x0e-\x1f\x7f]")
_IDLE = re.compile(r"[\s_]+")


def clean_name(text: str) -> str:
    """A column name as it is shown and looked up: NFC, no invisible characters, single spaces, none around it.

    The same on both sides: `{Body (HTML)}` in a template and the header that a spreadsheet program wrote.
    """
    if text.isascii() and text.isprintable() and text == text.strip() and "  " not in text:
        return text
    return _SPACES.sub(" ", _UNSEEN.sub("", unicodedata.normalize("NFC", text))).strip()


def loose_name(text: str) -> str:
    """The name without case, spaces and `_`: `Negative Prompt` and `negative_prompt` are the same."""
    return _IDLE.sub("", clean_name(text)).casefold()


def shown(text: str, longest: int = MAX_SHOWN_CHARS) -> str:
    """What a file holds, in quotes, cut and with invisible characters shown."""
    cut = text if len(text) <= longest else text[: longest - 3] + "..."
    return "'" + "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut) + "'"
