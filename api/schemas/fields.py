"""Field types that several schemas share: text, ids, digests, instants. Each bound stands in the OpenAPI document.

Text comes in two kinds. A `Line` is for lists and labels: no line breaks, nothing invisible, no private characters.
`Prose` may have line breaks and tabs, and no other control character. NUL and half a surrogate pair are in neither:
JSON bodies (api/edge/bodies.py) and URLs (api/edge/urls.py) that hold them are refused before they get here.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from fastapi import Path
from pydantic import AfterValidator, BeforeValidator, Field
from pydantic.json_schema import WithJsonSchema

from policy.ledger.reading.stream import instant

MAX_NAME_CHARS = 200
MAX_PROSE_CHARS = 2_000

# What str.isprintable refuses of the characters that are assigned: controls, formats, separators but the space, private
# use. Written out, so that document and code are one rule, whatever version of Unicode a reader has. Halves of pairs of
# surrogates are left out: they are no text in JSON, and the dialects of regular expressions differ about them.
_INVISIBLE = (
    r"\u0000-\u001f\u007f-\u00a0\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u1680\u180e\u2000-\u200f"
    r"\u2028-\u202f\u205f-\u2064\u2066-\u206f\u3000\ue000-\uf8ff\ufeff\ufff9-\ufffb"
)
_INVISIBLE_BEYOND = "".join(  # above U+FFFF the dialects of regular expressions share no escape
    f"{chr(first)}-{chr(last)}"
    for first, last in (
        (0x110BD, 0x110BD),
        (0x110CD, 0x110CD),
        (0x13430, 0x1343F),
        (0x1BCA0, 0x1BCA3),
        (0x1D173, 0x1D17A),
        (0xE0001, 0xE0001),
        (0xE0020, 0xE007F),
        (0xF0000, 0xFFFFD),
        (0x100000, 0x10FFFD),
    )
)
LINE = f"^[^{_INVISIBLE}{_INVISIBLE_BEYOND}]*$"
_CONTROLS = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f"
PROSE = f"^[^{_CONTROLS}]*$"
SOME_PROSE = rf"^[^{_CONTROLS}]*[^\s{_CONTROLS}][^{_CONTROLS}]*$"  # not only spaces
DIGEST = "^sha256:[0-9a-f]{64}$"
UUID = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

_line, _prose = re.compile(LINE), re.compile(PROSE)


def visible(text: str) -> str:
    """The text itself. Raises ValueError for what is no Line."""
    if not _line.fullmatch(text):
        raise ValueError("the text holds invisible characters or line breaks")
    return text


def without_controls(text: str) -> str:
    """The text itself. Raises ValueError for what is no Prose."""
    if not _prose.fullmatch(text):
        raise ValueError("the text holds control characters; only tabs and line breaks are allowed")
    return text


Line = Annotated[str, AfterValidator(visible), Field(json_schema_extra={"pattern": LINE})]
Prose = Annotated[str, AfterValidator(without_controls), Field(json_schema_extra={"pattern": PROSE})]
SomeProse = Annotated[
    str, AfterValidator(without_controls), Field(min_length=1, json_schema_extra={"pattern": SOME_PROSE})
]

Word = Annotated[Line, Field(min_length=1, max_length=MAX_NAME_CHARS)]  # a name, rule or licence
Id = Annotated[str, Field(pattern=UUID)]
Digest = Annotated[str, Field(pattern=DIGEST)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

# The id of a thing in an address. What is no UUID is answered 404, as an unknown id is.
PathId = Annotated[str, Path(json_schema_extra={"format": "uuid"})]

Instant = Annotated[
    datetime,
    BeforeValidator(instant),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "format": "date-time", "pattern": "^(?!0001|9999)"},
                {"type": "string", "format": "date", "pattern": "^(?!0001|9999)"},
            ]
        }
    ),
]
