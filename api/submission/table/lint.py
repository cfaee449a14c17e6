"""Lint of values: what a person did not mean to send, named by row and column before anything is drawn.

A spreadsheet's error value is an error. Everything else is a warning, as a prompt may mean it. Every row is looked at,
and a cause is said once with the rows that it concerns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from policy.prompts.weights import WEIGHTS

# Excel, Google Sheets, LibreOffice; Python, pandas, SQL and JavaScript. What languages spell otherwise (`#WAARDE!`) has
# one form: capitals between a hash and an exclamation or question mark.
_BROKEN = frozenset(
    """
    #n/a #ref! #value! #div/0! #name? #num! #null! #spill! #calc! #field! #blocked! #busy! #connect! #getting_data
    #unknown! #nv #wert! #bezug! #zahl! #feld! #überlauf! #valeur! #nom? #nombre! #¡valor! #¡ref! #¡div/0! #error! #n/d
    nan -nan inf -inf none null nil undefined n/a n.a. <na> nat (null) <null> (blank) (leer) #nb #n/d! #s/o loading...
    """.split()  # noqa: SIM905 - forty short words read better so
) | {"[object object]", "#n/a n/a"}
_HASHES = re.compile(r"#{3,}|#[A-Z\u00c0-\u00de\u0141\u015a\u017b\u0391-\u03a9\u0410-\u042f\u00a1\u00bf/0 ]{2,14}[!?]")

# Each with its code and what it is. The signs that begin one of them are looked for first: most prompts have none.
_SIGNS = re.compile(r"[{}<>|&_\[\]()]|%[A-Za-z_]|--|::|\bAND\b|\bBREAK\b")
_LEFT_OVER = (
    (
        "leftover_placeholder",
        re.compile(r"\{\{\s*[^{}]*\}\}|\$\{[^{}]*\}|%\{[^{}]*\}|\{[^{}|]*\}|<%.*?%>|<<[^<>]*>>|%[A-Za-z_]\w*%"),
        "a placeholder",
    ),
    ("leftover_wildcard", re.compile(r"(?<!\w)__[\w/ .*-]+?__(?!\w)|\{[^{}]*\|[^{}]*\}"), "a wildcard of another tool"),
    (
        "leftover_network",
        re.compile(r"<(?:lora|lyco|hypernet|embedding|ti)\s*:[^<>]*>|\bembedding:\w+", re.IGNORECASE),
        "a LoRA tag",
    ),
    (
        "leftover_weight",
        re.compile(
            r"\([^()]*:\s*[-+]?\d*\.?\d+\s*\)|\(\(+[^()]*\)\)+|\[[^\[\]:|]*:[^\[\]]*:\s*[\d.]+\]|\[\[*[^\[\]]+\]\]*"
        ),
        "a weight of A1111",
    ),
    (
        "leftover_flag",
        re.compile(r"(?<!\S)--[a-z]{1,12}(?:\s+[\w:.,/-]+|\b)|(?<=\S)::-?\d+(?:\.\d+)?\b"),
        "a flag of Midjourney",
    ),
    (
        "leftover_operator",  # not in a text of capitals alone, where it is a word
        re.compile(r"(?<![A-Z]\s)\b(?:BREAK|AND)\b(?!\s+[A-Z]{2})"),
        "an operator of A1111",
    ),
    (
        "leftover_html",
        re.compile(
            r"</?(?:a|b|br|div|em|font|h[1-6]|hr|i|img|li|ol|p|s|small|span|strong|sub|sup|table|tbody|td|th|tr|u|ul)\b[^<>]*/?>"
            r"|&(?:[a-zA-Z]{2,8}|#\d{1,6}|#[xX][0-9a-fA-F]{1,5});",
            re.IGNORECASE,
        ),
        "HTML",
    ),
)
# UTF-8 that was read as Windows-1252, and characters that a program put where it could not read one.
_MOJIBAKE = re.compile(
    "\u00c3[\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u203a\u20ac\u2122]"
    "|\u00c2[\u00a0-\u00bf]|\u00e2\u20ac[\u2122\u0153\u009d\u201c\u201d\u02dc\u00a2\u00a6\u0093\u0094\u2013]"
    "|\u00ef\u00bb\u00bf|\u00f0\u0178|\u00e2\u201e\u00a2|[\u00d0\u00d1][\u0080-\u009f\u00a0-\u00bf\u2018-\u203a]"
    "|\ufffd"
)
SCIENTIFIC = re.compile(r"[0-9](?:[.,][0-9]+)?[eE]\+?[0-9]{1,3}")
ACCEPTABLE = ("error_value",)  # lint codes that stop a campaign unless the spec accepts them


def is_error_value(text: str) -> bool:
    """Whether a cell holds what a program writes where it has no value: `#N/A`, `nan`, `None`, `########`."""
    if len(text) > 20:
        return False
    bare = text.strip()
    return bare.casefold() in _BROKEN or (bare.startswith("#") and _HASHES.fullmatch(bare) is not None)


def left_over(text: str, syntax: str = "") -> Iterator[tuple[str, str, str]]:
    """(code, the piece, what it is) for syntax that nobody replaced and this installation does not read.

    `syntax` is what prompts are read in: weights are read where it is "weights".
    """
    if _SIGNS.search(text):
        rest = text
        for code, pattern, what in _LEFT_OVER:
            if code == "leftover_weight" and syntax == WEIGHTS:
                continue
            if found := pattern.search(rest):
                yield code, found.group(), what
                rest = pattern.sub(" ", rest)
    if not text.isascii() and (found := _MOJIBAKE.search(text)):
        around = text[max(found.start() - 8, 0) : found.end() + 8]
        yield "mojibake", around, "text that was read in the wrong encoding"


def is_rounded(key: str) -> bool:
    """Whether a spreadsheet program wrote a long number as 4.00638E+12: its last digits are gone."""
    return key[:1].isdigit() and ("e" in key or "E" in key) and SCIENTIFIC.fullmatch(key) is not None
