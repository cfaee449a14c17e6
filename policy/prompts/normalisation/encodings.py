"""Encoded text in a prompt, decoded: base64, hex, bits, percent signs, entities, escapes, upside-down letters, ciphers.

Encodings may be nested. Three layers are opened, each no longer than the one around it. Of the ciphers, ROT13 and text
written backwards are opened, where an everyday word gives them away. No image model reads them; whoever tries them is
still to be told.
"""

# ruff: noqa: RUF001  (letters turned upside down look like others)
from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
from collections.abc import Iterator
from enum import IntEnum
from itertools import groupby
from urllib.parse import unquote

_DEEPEST = 3  # further layers are not opened, and no image model reads them

_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{6,}={0,2}")
_QUARTET = re.compile(r"[A-Za-z0-9+/_-]{2,4}={0,2}")
_HEX = re.compile(r"(?<![0-9A-Za-z])(?:0x)?((?:[0-9A-Fa-f]{2}[ :-]?){4,})(?![0-9A-Za-z])")
_BITS = re.compile(r"(?<!\d)(?:[01]{8} ?){4,}(?!\d)")
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}|&#?\w{2,8};|\\u|\\x|[Uu]\+[0-9A-Fa-f]{4}")
_ESCAPE = re.compile(r"\\u\{?([0-9A-Fa-f]{4,5})\}?|\\x([0-9A-Fa-f]{2})|[Uu]\+([0-9A-Fa-f]{4,5})(?![0-9A-Fa-f])")
_TURNED = str.maketrans("ɐɔǝɟɓƃɥᴉıɾʞןɯɹʇʌʍʎundpbqmw", "acefgghiijklmrtvwynupdqbwm")
_LETTERS = re.compile("[a-z]+")
_UPSIDE_DOWN = re.compile("[ɐɔǝɟɓƃɥᴉɾʞɯɹʇʌʍʎ]")

_GIVEN_AWAY = (
    "the",
    "and",
    "with",
    "woman",
    "women",
    "girl",
    "girls",
    "child",
    "children",
    "picture",
    "photo",
    "naked",
)
_ROT13 = frozenset(codecs.encode(word, "rot13") for word in _GIVEN_AWAY)
_BACKWARDS = frozenset(word[::-1] for word in _GIVEN_AWAY)


def decoded_texts(text: str) -> Iterator[tuple[str, str]]:
    """(name of the encoding, decoded text), layer by layer: "base64", "base64 hex", ..."""
    layer = [("", text)]
    for _ in range(_DEEPEST):
        layer = [(f"{outer} {name}".strip(), inner) for outer, within in layer for name, inner in _opened(within)]
        yield from layer


def is_given_away(piece: str) -> bool:
    """Whether a piece between two spaces holds base64, letters that are upside down, or a word of a cipher."""
    if not piece.isascii() and _UPSIDE_DOWN.search(piece):
        return True
    if _ciphered(piece, _ROT13) or _ciphered(piece, _BACKWARDS):
        return True
    return any(_from_base64(run) for run in _BASE64.findall(piece))


class Group(IntEnum):
    """What a piece may be in base64 that is written in groups. A run of groups in small letters is taken for words."""

    NONE = 0
    WORD = 1
    CODE = 2


SHORTEST_RUN = 8  # characters of all groups in a row


def group_of(piece: str) -> Group:
    if not _QUARTET.fullmatch(piece):
        return Group.NONE
    return Group.WORD if piece.isalpha() and piece.islower() else Group.CODE


def holds_encoded(text: str, *, grouped: bool) -> bool:
    """Whether a text is encoded over several pieces. `grouped`: groups in a row are long enough, one of them a CODE."""
    return next(_opened_apart(text), None) is not None or (grouped and any(map(_from_base64, _quartets(text))))


def _opened(text: str) -> Iterator[tuple[str, str]]:
    """Every text that is encoded in this one. Together they are at most a few times as long as it."""
    runs = (*_BASE64.findall(text), *_quartets(text))
    yield from (("base64", found) for run in runs if (found := _from_base64(run)))
    yield from _opened_apart(text)
    if _ciphered(text, _ROT13):
        yield "ROT13", codecs.encode(text, "rot13")
    if _ciphered(text, _BACKWARDS):
        yield "backwards", text[::-1]


def _opened_apart(text: str) -> Iterator[tuple[str, str]]:
    """What is encoded in another way than base64 and ciphers."""
    yield from (("hex", found) for run in _HEX.findall(text) if (found := _from_hex(run)))
    yield from (("bits", found) for run in _BITS.findall(text) if (found := _from_bits(run)))
    if _ESCAPED.search(text) and (plain := _ESCAPE.sub(_letter, html.unescape(unquote(text)))) != text:
        yield "escaped", plain
    if not text.isascii() and _UPSIDE_DOWN.search(text):
        yield "upside-down", text[::-1].lower().translate(_TURNED)


def _ciphered(text: str, words: frozenset[str]) -> bool:
    return not words.isdisjoint(_LETTERS.findall(text.lower()))


def _quartets(text: str) -> Iterator[str]:
    """Base64 that is written in groups of four characters."""
    for fits, chunks in groupby(text.split(), key=lambda chunk: bool(_QUARTET.fullmatch(chunk))):
        if fits and len(run := "".join(chunks)) >= SHORTEST_RUN:
            yield run


def _from_base64(run: str) -> str | None:
    """The decoded text, or None where there is none: an ordinary long word is not tried, or decodes to noise."""
    if run[1:].islower() and run.isalpha():
        return None
    body = run.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return _readable(base64.b64decode(body + "=" * (-len(body) % 4), validate=True))
    except binascii.Error:
        return None


def _from_hex(run: str) -> str | None:
    digits = re.sub(r"[ :-]", "", run)
    return _readable(bytes.fromhex(digits)) if len(digits) % 2 == 0 else None


def _from_bits(run: str) -> str | None:
    bits = run.replace(" ", "")
    return _readable(bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)))


def _readable(stored: bytes) -> str | None:
    try:
        text = stored.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() and len(text) > 2 else None


def _letter(escape: re.Match[str]) -> str:
    code = int(next(filter(None, escape.groups())), 16)
    return "" if 0xD800 <= code <= 0xDFFF else chr(code)
